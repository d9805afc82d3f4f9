/* Folding: which pictures are near-identical (saved again, resized, another caption on the same template), so that one can stand for
 * all of them. docs/FOLDING.md tells how the rule was found and how well it does. */
#ifndef LENS_SEARCH_FOLD_H
#define LENS_SEARCH_FOLD_H

#include <stdbool.h>

#include "search/scan.h"

typedef struct lens_fold_hit {
    int64_t id;
    size_t row; /* in the view */
    float score;
    int64_t stands_for; /* rows of its group, itself included */
} lens_fold_hit;

/* What lens_scan gives, but of each group of near-identical rows only the best: the K best groups, or as many as there are with a
 * score >= MIN_SCORE. SHAPES [view->count]: width / height of each row's picture. Only the neighbourhood of the hits is
 * looked at, and the groups are those of lens_fold_groups. Writes at most K hits, and how many to *FOUND. 0 or -1. */
int lens_fold_scan(const lens_view *view, const float *shapes, const float *query, size_t k, float min_score, int threads,
                   lens_fold_hit *hits, size_t *found, lens_error *err);

/* The same of a ranking that is there already: RANKED [count], best first, rows of the view. */
int lens_fold_ranked(const lens_view *view, const float *shapes, const lens_hit *ranked, size_t count, size_t k, int threads, lens_fold_hit *hits,
                     size_t *found, lens_error *err);

/* Groups of the whole view: GROUPS [view->count] gets the least row of each row's group (its own when it is alone). 0 or -1. */
int lens_fold_groups(const lens_view *view, const float *shapes, int threads, size_t *groups, lens_error *err);

#endif
