/* Where a model's packed weights are kept: in its folder, a file for each precision and tower. */
#ifndef LENS_ENCODERS_PACKED_PLACE_H
#define LENS_ENCODERS_PACKED_PLACE_H

#include "encoders/family.h"

/* The run in the file that holds the hash of the weights themselves. */
#define LENS_PACKED_WEIGHTS "weights"

typedef struct lens_packed_place {
    char *path;    /* NULL: nothing is kept; to be freed */
    lens_hash key; /* of what the file depends on */
} lens_packed_place;

/* Whether such a file may be called NAME. */
bool lens_packed_place_named(const char *name);

/* The place for a model opened from SOURCE, if it is one whose packed weights are kept. */
void lens_packed_place_find(const lens_model_source *source, const char *family, lens_packed_place *place);

/* Keeps what ENGINE has packed from weights with this HASH. Where it cannot, the folder being another's or the disk full, the next opening
 * packs again: nothing is said. */
void lens_packed_place_fill(const lens_packed_place *place, const lens_engine *engine, const lens_hash *hash);

#endif
