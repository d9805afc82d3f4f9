/* One ranking out of several: reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009), where a ranking has a weight and each of its hits may
 * say how sure it is. Scores of different kinds cannot be added; ranks can. */
#ifndef LENS_SEARCH_FUSE_H
#define LENS_SEARCH_FUSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct lens_ranking {
    const int64_t *ids; /* [count], best first, each once */
    const double *sure; /* [count], 0 to 1; NULL: all 1 */
    size_t count;
    double weight;      /* negative: what stands high in it falls */
} lens_ranking;

typedef struct lens_fused {
    int64_t id;
    double score; /* the sum of weight * sure / (K + rank) over what a hit that is first and sure in every ranking of a positive weight would have: 1 at most */
} lens_fused;

/* Every id of the rankings, best first, ties by lower id: *FUSED [*count], which the caller frees. K: the larger, the less the first ranks count. 0 or -1. */
int lens_fuse(const lens_ranking *rankings, size_t count, double k, lens_fused **fused, size_t *fused_count, lens_error *err);

#endif
