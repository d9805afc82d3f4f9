/* The part of a query that one model answers. */
#ifndef LENS_LIBRARY_RANKER_H
#define LENS_LIBRARY_RANKER_H

#include "library/internal.h"
#include "library/warm.h"
#include "search/fold.h"

typedef struct lens_ranker {
    lens_library *library;
    lens_store *store;
    lens_store_model model;
    const lens_search_options *options;
    const lens_term *terms;
    size_t term_count;
    lens_store_paths in; /* the options' folders, absolute */
    lens_store_vectors vectors;
    lens_warm_view *warm; /* whose VECTORS these are, to be looked at only; NULL: our own */
    bool own_rows;        /* but IDS and SLOTS are our own */
    float *term_vectors; /* [terms, dim], each of length 1 */
    float *sum;          /* [dim], of length 1: what is searched for */
    double length;       /* of the weighted sum, before it was made 1 */
    int64_t *own;        /* the terms' own pictures */
    size_t own_count;
    float *penalties;    /* [vectors.count], with options->unhub */
    bool approximate;    /* what was ranked was found in cells */
} lens_ranker;

/* Makes SELF ready for TERMS as MODEL sees them; without terms it only knows which pictures may be results. MODEL's name, TERMS and OPTIONS must
 * outlive it. 0 or -1; close it in any case. */
int lens_ranker_open(lens_ranker *self, lens_library *library, lens_store *store, const lens_store_model *model, const lens_term *terms, size_t term_count,
                     const lens_search_options *options, lens_error *err);
void lens_ranker_close(lens_ranker *self);

/* The best WANTED rows with a score of LEAST at least, or with FOLD the best of each group of near-identical ones: HITS [wanted]. */
int lens_ranker_rank(lens_ranker *self, size_t wanted, float least, bool fold, lens_fold_hit *hits, size_t *found, lens_error *err);

/* The mean and the deviation of the scores of all rows, from 500 of them: how far a score stands out is (score - mean) / deviation, which can be
 * compared between models where scores cannot. */
void lens_ranker_spread(const lens_ranker *self, double *mean, double *deviation);

/* Of RANKED [count], rows of this view, best first, the best of each group of near-identical ones: HITS [wanted]. */
int lens_ranker_fold(lens_ranker *self, const lens_hit *ranked, size_t count, size_t wanted, lens_fold_hit *hits, size_t *found, lens_error *err);

/* Whether picture ID may be a result, and its row. */
bool lens_ranker_row(const lens_ranker *self, int64_t id, size_t *row);

/* What each term adds to the score of the picture in ROW. NULL when memory is short. The caller frees. */
lens_term_share *lens_ranker_shares(const lens_ranker *self, size_t row);

#endif
