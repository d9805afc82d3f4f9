/* The nearest rows of each row: what hubness is measured by, and what takes it away. */
#ifndef LENS_SEARCH_NEIGHBOURS_H
#define LENS_SEARCH_NEIGHBOURS_H

#include "search/scan.h"

/* A choice of rows of a view. */
typedef struct lens_chosen {
    const size_t *rows; /* NULL: row i is i */
    size_t count;
} lens_chosen;

typedef struct lens_neighbour {
    size_t row;
    float score; /* cosine, less the view's penalty */
} lens_neighbour;

/* For each of the ASKERS among VIEW's rows the K nearest of the ANSWERERS, itself left out: NEAREST [askers, k], best first, ties by lower
 * row; a score that is not a number is -INFINITY. K is less than the count of the answerers. Every pair is computed, on at most THREADS threads,
 * which do not change the answer. 0 or -1. */
int lens_neighbours(const lens_view *view, lens_chosen askers, lens_chosen answerers, size_t k, int threads, lens_neighbour *nearest, lens_error *err);

/* COUNT rows evenly over VIEW into ROWS (room for MOST): all of them when they are no more than MOST. Returns how many. */
size_t lens_chosen_spread(const lens_view *view, size_t most, size_t *rows);

#endif
