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
    lens_names in; /* the options' folders, absolute */
    lens_store_vectors vectors;
    lens_warm_view *warm; /* whose VECTORS these are, to be looked at only; NULL: our own */
    bool own_rows;        /* but IDS and SLOTS are our own */
    bool remote;          /* the store searches: VECTORS are only those that were asked for so far (ranker_remote.c), within SCOPE */
    lens_store_scope scope;
    lens_store_filter filter;
    const char **formats;
    int64_t *allowed;     /* [allowed_count]: all of SCOPE, in order, once it was asked for; NULL: not yet */
    size_t allowed_count;
    lens_error trouble;   /* why ALLOWED could not be asked for; LENS_E_NONE: it could */
    size_t count;         /* pictures that may be results */
    float *term_vectors; /* [terms, dim], each of length 1 */
    float *sum;          /* [dim], of length 1: what is searched for */
    double length;       /* of the weighted sum, before it was made 1 */
    int64_t *own;        /* the terms' own pictures */
    size_t own_count;
    float *penalties;    /* [vectors.count], with options->unhub */
    double mean, deviation; /* of all pictures' scores, before any filter, once MEASURED */
    bool measured;
    bool approximate;    /* what was ranked was found in cells */
} lens_ranker;

/* Makes SELF ready for TERMS as MODEL sees them; without terms it only knows which pictures may be results. SPREAD: lens_ranker_spread will
 * be asked for, which is cheapest before rows are filtered. MODEL's name, TERMS and OPTIONS must outlive it. 0 or -1; close it in any case. */
int lens_ranker_open(lens_ranker *self, lens_library *library, lens_store *store, const lens_store_model *model, const lens_term *terms, size_t term_count,
                     const lens_search_options *options, bool spread, lens_error *err);
void lens_ranker_close(lens_ranker *self);

/* Takes out what is no longer in the store, so that the next ranking is of what is. The terms' vectors stay. 0 or -1. */
int lens_ranker_renew(lens_ranker *self, lens_error *err);

/* The best WANTED rows with a score of LEAST at least, or with FOLD the best of each group of near-identical ones: HITS [wanted]. */
int lens_ranker_rank(lens_ranker *self, size_t wanted, float least, bool fold, lens_fold_hit *hits, size_t *found, lens_error *err);

/* The mean and the deviation of the scores of all pictures, as they are ranked and also those that a filter keeps out, from 500 of them: how far a score
 * stands out is (score - mean) / deviation, which can be compared between models where scores cannot. */
int lens_ranker_spread(lens_ranker *self, double *mean, double *deviation, lens_error *err);

/* Of RANKED [count], rows of this view, best first, the best of each group of near-identical ones: HITS [wanted]. */
int lens_ranker_fold(lens_ranker *self, const lens_hit *ranked, size_t count, size_t wanted, lens_fold_hit *hits, size_t *found, lens_error *err);

/* Whether picture ID may be a result. False too when that could not be found out: ask lens_ranker_well when all have been asked for. */
bool lens_ranker_may_be(lens_ranker *self, int64_t id);

/* 0, or -1 with what went wrong in lens_ranker_may_be. */
int lens_ranker_well(const lens_ranker *self, lens_error *err);

/* Sees to it that the pictures IDS [count], as far as they may be results, have rows from now on. Other rows may move. */
int lens_ranker_fetch(lens_ranker *self, const int64_t *ids, size_t count, lens_error *err);

/* The row of picture ID, if it has one. */
bool lens_ranker_row(const lens_ranker *self, int64_t id, size_t *row);

/* What each term adds to the score of the picture in ROW. NULL when memory is short. The caller frees. */
lens_term_share *lens_ranker_shares(const lens_ranker *self, size_t row);

#endif
