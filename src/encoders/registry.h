/* The families of encoders that this build knows. */
#ifndef LENS_ENCODERS_REGISTRY_H
#define LENS_ENCODERS_REGISTRY_H

#include "encoders/family.h"

/* The family that claims a model with this configuration, or NULL. Static. */
const lens_family *lens_family_for(const json_t *config);

/* The weightless family called NAME, or NULL. Static. */
const lens_family *lens_family_weightless(const char *name);

#endif
