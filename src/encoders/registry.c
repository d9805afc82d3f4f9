#include "encoders/registry.h"

#include <string.h>

/* A new family is a file beside this one that defines lens_family_NAME, and a line here. */
#define FAMILIES(FAMILY) \
    FAMILY(efficientnet_lite) \
    FAMILY(clip) \
    FAMILY(bit) \
    FAMILY(minilm) \
    FAMILY(colour)

#define DECLARE(name) extern const lens_family lens_family_##name;
FAMILIES(DECLARE)

#define ADDRESS(name) &lens_family_##name,
static const lens_family *const families[] = {FAMILIES(ADDRESS)};

const lens_family *lens_family_for(const json_t *config)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i]->claims(config))
            return families[i];
    return NULL;
}

const lens_family *lens_family_weightless(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i]->weightless && strcmp(families[i]->name, name) == 0)
            return families[i];
    return NULL;
}
