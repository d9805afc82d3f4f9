/* Approximate search: the slots of a vector file dealt out among leaders, which are slots drawn by lot. Each slot lies in the cells of its two nearest leaders; a query
 * goes to the leaders nearest to itself, by a graph of them (graph.h), and looks through their cells. (Chierichetti et al., "Finding near neighbors
 * through cluster pruning", 2007; an inverted file as FAISS has it, without its k-means.) Unlike a graph of all slots this has no islands: tight clusters,
 * as a thousand memes on one template are, stay together in a few cells, and whoever looks through all cells has seen everything.
 *
 * What is kept are numbers of slots. The vectors stay where they are, in the copies of scan_bytes.h; whoever searches compares what is found exactly. */
#ifndef LENS_SEARCH_CELLS_H
#define LENS_SEARCH_CELLS_H

#include "search/graph.h"

/* Plain data, as it lies in a file: whatever is in the arrays, a search stays within them. */
typedef struct lens_cells {
    size_t count;            /* slots 0 to COUNT are in cells */
    lens_graph graph;        /* of the leaders */
    lens_bytes_view leaders; /* their copies, as many as the graph has */
    const uint32_t *begins;  /* [leaders.count + 1]: where each leader's cell begins in SLOTS, and ends */
    const uint32_t *slots;   /* [slot_count] */
    size_t slot_count;
} lens_cells;

/* Deals out the slots 0 to COUNT, at least one, of which BYTES must have all copies, on THREADS threads: 1,000,000 x 512 take a minute, and 50 bytes of memory a slot
 * meanwhile. GO_ON (may be NULL) is called now and then on the calling thread; when it returns false the building stops with LENS_E_CANCELLED. Not
 * each run gives the same cells. 0 or -1; free OUT with lens_cells_free. */
int lens_cells_build(const lens_bytes_view *bytes, size_t count, int dim, int threads, lens_graph_go_on *go_on, void *context, lens_cells *out, lens_error *err);

/* Of those that were built; what is mapped is its file's. */
void lens_cells_free(lens_cells *cells);

/* The slots that have a row, lie in the PROBES cells whose leaders are nearest to QUERY [dim], and are the KEPT nearest of these by their copies: SLOTS [kept], *FOUND,
 * in no order. BYTES has copies of all slots in cells. 0 or -1. */
int lens_cells_search(const lens_cells *cells, const lens_bytes_view *bytes, const lens_slot_rows *rows, const float *query, int dim, size_t probes, size_t kept,
                      uint32_t *slots, size_t *found, lens_error *err);

#endif
