/* Vectors that are alike as pictures' are, for libraries of pictures that do not exist.
 *
 * A row is a centre (a topic's, moved), plus a point in a space of 24 directions that it shares with other centres, plus a little of everything; centres have
 * unequal shares, and one row in twenty nearly repeats one of the last 512. */
#ifndef BENCH_SUPPORT_MIXTURE_H
#define BENCH_SUPPORT_MIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

typedef struct mixture {
    size_t dim, clusters, drawn;
    float *centres, *pools, *recent; /* [clusters, dim], [pools, directions, dim], [recent rows, dim] */
    double *upto;                    /* [clusters]: of the shares */
    uint64_t lot;
} mixture;

/* The same rows each time. Free with mixture_free. */
mixture mixture_new(size_t dim, size_t clusters);
void mixture_free(mixture *self);

/* Room for BATCH pictures that are written at once. */
typedef struct made_batch {
    size_t most;
    float *vectors; /* [most, dim] */
    lens_store_entry *entries;
    struct lens_store_vector *made;
    char (*paths)[32];
} made_batch;
made_batch made_batch_new(size_t most, size_t dim);
void made_batch_free(made_batch *self);

/* Fills ENTRIES with the next SIZE pictures, of which FROM is the first one's number: /drawn/00000000.jpg with a vector of MODEL. */
void made_batch_draw(made_batch *self, mixture *from_mixture, int64_t model, size_t from, size_t size);

/* The library at PLACE as it has to be before pictures are written to it; its MODEL of DIM numbers. NULL on failure. */
lens_store *made_library_open(const char *place, size_t dim, int64_t *model, lens_error *err);

#endif
