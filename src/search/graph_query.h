/* What searches by way of copies in bytes share: a query in bytes, and heaps of what it found. */
#ifndef LENS_SEARCH_GRAPH_QUERY_H
#define LENS_SEARCH_GRAPH_QUERY_H

#include <stdbool.h>

#include "search/dot_bytes.h"
#include "search/scan_bytes.h"

typedef struct lens_graph_query {
    const lens_bytes_view *bytes;
    lens_dot_bytes *dot;
    size_t size;    /* of a copy */
    int8_t *code;   /* [size] */
    float step;
    int32_t zeros;  /* what the copies' zeros come to */
} lens_graph_query;

/* QUERY [dim] against BYTES, which must outlive it. False when memory is short. */
bool lens_graph_query_make(lens_graph_query *self, const lens_bytes_view *bytes, const float *query, int dim);
void lens_graph_query_free(lens_graph_query *self);

/* About the cosine to SLOT; and what that will need, fetched before. */
float lens_graph_query_score(const lens_graph_query *self, uint32_t slot);
void lens_graph_query_fetch(const lens_graph_query *self, uint32_t slot);

typedef struct lens_graph_place {
    float score;
    uint32_t slot;
} lens_graph_place;

/* Heaps with what is largest by SIGN on top. */
void lens_graph_push(lens_graph_place *heap, size_t *count, lens_graph_place one, float sign);
lens_graph_place lens_graph_pop(lens_graph_place *heap, size_t *count, float sign);

#endif
