/* Exact search: the dot product of a query with every row of a view, and the best of them. */
#ifndef LENS_SEARCH_SCAN_H
#define LENS_SEARCH_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Unit vectors somewhere in memory, plain data: search knows no store. Row i of the view is the DIM floats at
 * data + slots[i] * dim and stands for ids[i]. */
typedef struct lens_view {
    const float *data;
    const uint32_t *slots; /* NULL: row i is slot i */
    const int64_t *ids;
    size_t count;
    int dim;
    const float *penalty; /* [count] taken off each row's score for the ranking; NULL: none */
} lens_view;

static inline const float *lens_view_row(const lens_view *view, size_t row)
{
    size_t slot = view->slots ? view->slots[row] : row;
    return view->data + slot * (size_t)view->dim;
}

typedef struct lens_hit {
    int64_t id;
    size_t row;  /* in the view */
    float score; /* cosine, less the view's penalty */
} lens_hit;

/* The dot product of two vectors of DIM floats, to the last bit what a scan of them gives. The same on every run; between
 * processors sums may differ in the last bits. */
float lens_dot(const float *a, const float *b, int dim);

/* The K rows nearest to QUERY [dim] with a cosine >= MIN_SCORE (-INFINITY for all), best first, ties by lower id then row,
 * computed on at most THREADS threads, which does not change the answer. A score that is not a number is no hit. Writes
 * at most K hits to HITS, and how many to *FOUND. 0 or -1. */
int lens_scan(const lens_view *view, const float *query, size_t k, float min_score, int threads, lens_hit *hits,
              size_t *found, lens_error *err);

#endif
