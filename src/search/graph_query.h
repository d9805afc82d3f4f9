/* What searches by way of copies in bytes share (graph.c, cells.c): a query in bytes, what was seen, and heaps of what was found. */
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

/* Whether SLOT's bit of SEEN, [slots / 64 + 1], was not set; it is now. */
static inline bool lens_first_seen(uint64_t *seen, uint32_t slot)
{
    const uint64_t bit = UINT64_C(1) << slot % 64;
    const bool first = !(seen[slot / 64] & bit);
    seen[slot / 64] |= bit;
    return first;
}

/* Heaps with what is largest by SIGN on top. */
void lens_graph_push(lens_graph_place *heap, size_t *count, lens_graph_place one, float sign);
lens_graph_place lens_graph_pop(lens_graph_place *heap, size_t *count, float sign);

#endif
