/* Pairs of rows that lie near each other: what folding and the search for duplicates begin with. */
#ifndef LENS_SEARCH_NEAR_H
#define LENS_SEARCH_NEAR_H

#include "search/scan.h"

/* Rows A < B of the view and their cosine. Other than 0 ends the search. */
typedef int (*lens_near_each)(void *context, size_t a, size_t b, float score);

/* Calls EACH for every pair of rows of VIEW with score >= THRESHOLD, once, never two calls at a time, on any of THREADS
 * threads and in no order. Which pairs, and their scores, do not depend on THREADS. Every pair is computed (10,000 rows of
 * 1,280: 64 billion products). Returns 0, what EACH returned, or -1. */
int lens_pairs_above(const lens_view *view, float threshold, int threads, lens_near_each each, void *context,
                     lens_error *err);

#endif
