/* What encoder.c opens and session.c runs. For no one else. */
#ifndef LENS_ENCODERS_OPENED_H
#define LENS_ENCODERS_OPENED_H

#include "encoders/family.h"

struct lens_encoder {
    lens_encoder_info info; /* its strings are the three below */
    char *name, *variant, *folder;
    const lens_family *family;
    lens_engine *engine;
    void *model;
    lens_tokenizer *tokenizer; /* when it was opened for words */
    lens_tower towers;
    int slice, pass_threads;
    size_t workspace; /* bytes */
};

#endif
