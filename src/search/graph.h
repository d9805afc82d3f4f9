/* A graph of vectors, each linked to some of its nearest and a few further off, through which a query walks towards its own neighbours (Malkov and Yashunin,
 * "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world graphs", 2016). hnswlib builds it (graph_build.cc,
 * the only file that knows hnswlib); what is kept are links alone, as the numbers are in copies in bytes (scan_bytes.h). Here it is the leaders of cells.h that
 * are linked: of all vectors it would have islands, where hundreds that are alike link to one another and no way leads in. */
#ifndef LENS_SEARCH_GRAPH_H
#define LENS_SEARCH_GRAPH_H

#include <stdbool.h>

#include "search/scan_bytes.h"

enum {
    LENS_GRAPH_LINKS = 32,  /* of a slot, on the lowest level: two lines of cache */
    LENS_GRAPH_ABOVE = 16,  /* on each level above it */
    LENS_GRAPH_LEVELS = 32, /* at most; each has a sixteenth of the slots of the one below */
};
#define LENS_GRAPH_NONE UINT32_MAX

/* Plain data, as it lies in a file: whatever is in the arrays, a search stays within them. */
typedef struct lens_graph {
    size_t count;          /* slots 0 to COUNT are in it */
    uint32_t entry, level; /* the slot where every search begins, and the highest level, which it is on */
    const uint32_t *links; /* [count, LENS_GRAPH_LINKS]: slots, then NONE */
    const uint32_t *above; /* [count]: which row of UPPER is the slot's on level 1, those of the next levels behind it; NONE: it is on level 0 only */
    const uint32_t *upper; /* [upper_count, LENS_GRAPH_ABOVE]: slots, then NONE */
    size_t upper_count;
} lens_graph;

/* Builds the graph of the slots 0 to COUNT, at least one, of which BYTES must have all copies, on THREADS threads: 16,000 x 512 take some seconds, and 1,000
 * bytes of memory a slot meanwhile. GO_ON (may be NULL) is called now and then on the calling thread; when it returns false the building stops with
 * LENS_E_CANCELLED. Each run links a little differently. 0 or -1; free OUT with lens_graph_free. */
typedef bool lens_graph_go_on(void *context, size_t done, size_t total);
int lens_graph_build(const lens_bytes_view *bytes, size_t count, int dim, int threads, lens_graph_go_on *go_on, void *context, lens_graph *out, lens_error *err);

/* Of one that was built; what is mapped is its file's. */
void lens_graph_free(lens_graph *graph);

/* The rows of a view by their slots. */
typedef struct lens_slot_rows {
    uint32_t *first; /* [slots]: a row of the slot, or NONE */
    uint32_t *next;  /* [rows]: another row of the same slot, or NONE */
    size_t slots;
} lens_slot_rows;

/* Of the rows of VIEW in SLOTS slots; each of the view's must be one. 0 or -1; free with lens_slot_rows_free. */
int lens_slot_rows_make(const lens_view *view, size_t slots, lens_slot_rows *out, lens_error *err);
void lens_slot_rows_free(lens_slot_rows *rows);

/* About the EFFORT slots that are nearest to QUERY [dim], best first: SLOTS [effort], *FOUND. Finds more of the true ones with more effort, in time that grows
 * with it. BYTES has copies of all slots of GRAPH. 0 or -1. */
int lens_graph_search(const lens_graph *graph, const lens_bytes_view *bytes, const float *query, int dim, size_t effort, uint32_t *slots, size_t *found,
                      lens_error *err);

#endif
