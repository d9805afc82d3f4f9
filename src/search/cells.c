#include "search/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/graph_query.h"

enum { AHEAD = 6 /* slots that are fetched before they are looked at */ };

/* A search on its way. */
struct look {
    const lens_cells *cells;
    const lens_slot_rows *rows;
    lens_graph_query query;
    uint64_t *seen;    /* a bit a slot */
    uint32_t *fresh;   /* [fresh_room]: of a cell, those that are to be looked at */
    size_t fresh_room;
    lens_graph_place *best; /* [kept]: the worst on top */
    size_t best_count, kept;
};

/* False when memory is short. */
static bool look_through(struct look *self, uint32_t leader)
{
    const lens_cells *cells = self->cells;
    const uint32_t begin = cells->begins[leader], end = cells->begins[leader + 1];
    if (begin > end || end > cells->slot_count)
        return true;
    if (end - begin > self->fresh_room) {
        free(self->fresh);
        self->fresh_room = end - begin;
        self->fresh = malloc(self->fresh_room * sizeof *self->fresh);
        if (!self->fresh)
            return false;
    }
    size_t count = 0;
    for (uint32_t i = begin; i < end; i++) {
        const uint32_t slot = cells->slots[i];
        if (slot < cells->count && lens_first_seen(self->seen, slot) && self->rows->first[slot] != LENS_GRAPH_NONE)
            self->fresh[count++] = slot;
    }
    for (size_t i = 0; i < count && i < AHEAD; i++)
        lens_graph_query_fetch(&self->query, self->fresh[i]);
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            lens_graph_query_fetch(&self->query, self->fresh[i + AHEAD]);
        const lens_graph_place one = {lens_graph_query_score(&self->query, self->fresh[i]), self->fresh[i]};
        if (self->best_count == self->kept) {
            if (!(one.score > self->best[0].score))
                continue;
            lens_graph_pop(self->best, &self->best_count, -1);
        }
        lens_graph_push(self->best, &self->best_count, one, -1);
    }
    return true;
}

int lens_cells_search(const lens_cells *cells, const lens_bytes_view *bytes, const lens_slot_rows *rows, const float *query, int dim, size_t probes, size_t kept,
                      uint32_t *slots, size_t *found, lens_error *err)
{
    *found = 0;
    if (cells->count > bytes->count || cells->count > rows->slots || cells->leaders.count != cells->graph.count)
        return lens_fail(err, LENS_E_ARGUMENT, "cells of %zu slots cannot be searched", cells->count);
    if (kept == 0)
        return 0;
    probes = probes < cells->graph.count ? probes : cells->graph.count;
    struct look self = {.cells = cells, .rows = rows, .kept = kept};
    uint32_t *leaders = malloc((probes + 1) * sizeof *leaders);
    size_t near = 0;
    self.seen = calloc(cells->count / 64 + 1, sizeof *self.seen);
    self.best = malloc((kept + 1) * sizeof *self.best);
    int result = leaders && self.seen && self.best && lens_graph_query_make(&self.query, bytes, query, dim)
                     ? 0
                     : lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", cells->count);
    if (result == 0)
        result = lens_graph_search(&cells->graph, &cells->leaders, query, dim, probes, leaders, &near, err);
    for (size_t i = 0; result == 0 && i < near; i++)
        if (!look_through(&self, leaders[i]))
            result = lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", cells->count);
    for (size_t i = 0; result == 0 && i < self.best_count; i++)
        slots[(*found)++] = self.best[i].slot;
    lens_graph_query_free(&self.query);
    free(self.fresh);
    free(self.seen);
    free(self.best);
    free(leaders);
    return result;
}

void lens_cells_free(lens_cells *cells)
{
    lens_graph_free(&cells->graph);
    free((void *)cells->leaders.codes);
    free((void *)cells->leaders.bounds);
    free((void *)cells->begins);
    free((void *)cells->slots);
    *cells = (lens_cells){0};
}
