/* How near each picture of a library lies to its neighbours: what makes hubs, and what is taken off a score to be rid of them. */
#ifndef LENS_LIBRARY_NEARNESS_H
#define LENS_LIBRARY_NEARNESS_H

#include "search/scan.h"
#include "store/store.h"

/* The penalties of cross-domain similarity local scaling (Conneau et al., "Word Translation Without Parallel Data", 2018): half the mean
 * cosine of each picture to its LENS_NEARNESS_K nearest others. (Their 2 cos(q, x) - r(q) - r(x) ranks as cos(q, x) - r(x) / 2 does.)
 *
 * [vectors->count], in the order of VECTORS' rows, which must be all of the model's. Where there are more than LENS_NEARNESS_MOST pictures, the
 * others are that many, evenly chosen. Worked out at the first need (10,000 pictures: two seconds) and kept beside the vectors until they
 * change. NULL on failure. The caller frees. */
enum { LENS_NEARNESS_K = 10, LENS_NEARNESS_MOST = 16384 };
float *lens_nearness_penalties(const lens_store_vectors *vectors, int threads, lens_error *err);

/* The same for the rows of SOME, a part of MODEL's vectors in STORE: [some->count]. */
float *lens_nearness_of_some(lens_store *store, int64_t model, const lens_store_vectors *some, int threads, lens_error *err);

#endif
