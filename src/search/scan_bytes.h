/* Exact search at a quarter of the reading: every row has a copy in bytes, with a bound on how far its dot products can be off. One look at
 * the copies tells which rows can be among the best at all, and only those are compared in floats. */
#ifndef LENS_SEARCH_SCAN_BYTES_H
#define LENS_SEARCH_SCAN_BYTES_H

#include "search/scan.h"

/* How a row's bytes stand for its floats: (byte - 128) * step. */
typedef struct lens_row_bounds {
    float step;
    float error; /* the length of what is lost: row minus what its bytes stand for */
    float norm;  /* the length of what they stand for */
    float rest;
} lens_row_bounds;

/* Copies of the slots 0 to COUNT of a view's data. */
typedef struct lens_bytes_view {
    const uint8_t *codes; /* [count, lens_code_size(dim)], on a boundary of 64 */
    const lens_row_bounds *bounds; /* [count] */
    size_t count;
} lens_bytes_view;

/* Bytes from one row's copy to the next: whole runs of 64. */
size_t lens_code_size(int dim);

/* ROW [dim] -> CODE [lens_code_size(dim)] and its bounds. A row that is not finite gets bounds that make it be compared always. */
void lens_code_row(const float *row, int dim, uint8_t *code, lens_row_bounds *bounds);

/* The same of a QUERY, in signed bytes as lens_dot_bytes takes it: CODE [lens_code_size(dim)]. Returns what the zeros of any row come to in a product
 * with it, which is to be taken off. */
int32_t lens_code_query(const float *query, int dim, int8_t *code, lens_row_bounds *bounds);

/* lens_scan of VIEW, to the last bit and the last tie, by way of BYTES; rows whose slots have no copy are compared as they are, and so are all of a view
 * with penalties, of which bounds know nothing. *COMPARED (may be NULL): how many rows were compared in floats. 0 or -1. */
int lens_scan_bytes(const lens_view *view, const lens_bytes_view *bytes, const float *query, size_t k, float min_score, int threads,
                    lens_hit *hits, size_t *found, size_t *compared, lens_error *err);

#endif
