/* Walking through a graph that is not trusted: it is mapped from a file, and reading it all to check it would take longer than searching. So every
 * number out of it is held against the arrays where it is used; a wrong one costs neighbours, and nothing else. */
#include "search/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "search/graph_query.h"

/* A query on its way. */
typedef struct walk {
    const lens_graph *graph;
    lens_graph_query query;
    uint64_t *seen;         /* a bit a slot */
    lens_graph_place *open; /* those whose links are to be followed yet, the best on top */
    size_t open_count, open_room;
    lens_graph_place *best; /* [effort]: the worst on top */
    size_t best_count, effort;
} walk;

/* ---- the rows of slots ---- */

int lens_slot_rows_make(const lens_view *view, size_t slots, lens_slot_rows *out, lens_error *err)
{
    *out = (lens_slot_rows){malloc((slots + 1) * sizeof *out->first), malloc((view->count + 1) * sizeof *out->next), slots};
    if (!out->first || !out->next || view->count >= LENS_GRAPH_NONE) {
        lens_slot_rows_free(out);
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", view->count);
    }
    memset(out->first, 0xff, (slots + 1) * sizeof *out->first);
    for (size_t row = view->count; row-- > 0;) {
        const size_t slot = view->slots ? view->slots[row] : row;
        if (slot >= slots) {
            lens_slot_rows_free(out);
            return lens_fail(err, LENS_E_FORMAT, "a row lies beyond the %zu vectors that there are", slots);
        }
        out->next[row] = out->first[slot];
        out->first[slot] = (uint32_t)row;
    }
    return 0;
}

void lens_slot_rows_free(lens_slot_rows *rows)
{
    free(rows->first);
    free(rows->next);
    *rows = (lens_slot_rows){0};
}

void lens_graph_free(lens_graph *graph)
{
    free((void *)graph->links);
    free((void *)graph->above);
    free((void *)graph->upper);
    *graph = (lens_graph){0};
}

/* ---- walking ---- */

/* The slots that SLOT is linked to on LEVEL, and how many at most. */
static const uint32_t *links_of(const lens_graph *graph, uint32_t slot, uint32_t level, size_t *most)
{
    if (level == 0) {
        *most = LENS_GRAPH_LINKS;
        return graph->links + (size_t)slot * LENS_GRAPH_LINKS;
    }
    const size_t at = (size_t)graph->above[slot] + level - 1; /* NONE is beyond any end */
    *most = at < graph->upper_count ? LENS_GRAPH_ABOVE : 0;
    return graph->upper + (*most ? at : 0) * LENS_GRAPH_ABOVE;
}

/* On the levels above: from neighbour to nearer neighbour. */
static lens_graph_place descend(const walk *self)
{
    const lens_graph *graph = self->graph;
    lens_graph_place at = {lens_graph_query_score(&self->query, graph->entry), graph->entry};
    for (uint32_t level = graph->level; level > 0; level--) {
        for (bool moved = true; moved;) {
            size_t most;
            const uint32_t *links = links_of(graph, at.slot, level, &most);
            moved = false;
            for (size_t i = 0; i < most; i++)
                if (links[i] < graph->count)
                    lens_graph_query_fetch(&self->query, links[i]);
            for (size_t i = 0; i < most; i++) {
                const lens_graph_place other = {links[i] < graph->count ? lens_graph_query_score(&self->query, links[i]) : -INFINITY, links[i]};
                moved |= other.score > at.score;
                at = other.score > at.score ? other : at;
            }
        }
    }
    return at;
}

/* Takes ONE in where it is among the best or leads to them. False when memory is short. */
static bool offer(walk *self, lens_graph_place one)
{
    if (self->best_count == self->effort && !(one.score > self->best[0].score))
        return true;
    lens_graph_place *open = lens_list_room(self->open, self->open_count, &self->open_room, sizeof *open);
    if (!open)
        return false;
    self->open = open;
    lens_graph_push(self->open, &self->open_count, one, 1);
    if (self->best_count == self->effort)
        lens_graph_pop(self->best, &self->best_count, -1);
    lens_graph_push(self->best, &self->best_count, one, -1);
    return true;
}

static bool spread(walk *self, lens_graph_place from)
{
    const lens_graph *graph = self->graph;
    lens_first_seen(self->seen, from.slot);
    if (!offer(self, from))
        return false;
    while (self->open_count) {
        const lens_graph_place at = lens_graph_pop(self->open, &self->open_count, 1);
        if (self->best_count == self->effort && at.score < self->best[0].score)
            break;
        size_t most, fresh = 0;
        uint32_t slots[LENS_GRAPH_LINKS];
        const uint32_t *links = links_of(graph, at.slot, 0, &most);
        for (size_t i = 0; i < most && links[i] != LENS_GRAPH_NONE; i++)
            if (links[i] < graph->count && lens_first_seen(self->seen, links[i])) {
                lens_graph_query_fetch(&self->query, links[i]); /* all at once, for each alone is waited for longer than it is worked with */
                slots[fresh++] = links[i];
            }
        for (size_t i = 0; i < fresh; i++)
            if (!offer(self, (lens_graph_place){lens_graph_query_score(&self->query, slots[i]), slots[i]}))
                return false;
    }
    return true;
}

int lens_graph_search(const lens_graph *graph, const lens_bytes_view *bytes, const float *query, int dim, size_t effort, uint32_t *slots, size_t *found,
                      lens_error *err)
{
    *found = 0;
    if (dim < 1 || dim > LENS_DOT_BYTES_MOST || graph->count > bytes->count || graph->level > LENS_GRAPH_LEVELS)
        return lens_fail(err, LENS_E_ARGUMENT, "a graph of %zu slots of %d numbers cannot be searched", graph->count, dim);
    if (effort == 0 || graph->entry >= graph->count)
        return 0;
    walk self = {.graph = graph, .effort = effort < graph->count ? effort : graph->count};
    self.seen = calloc(graph->count / 64 + 1, sizeof *self.seen);
    self.best = malloc(self.effort * sizeof *self.best);
    const bool done = self.seen && self.best && lens_graph_query_make(&self.query, bytes, query, dim) && spread(&self, descend(&self));
    *found = done ? self.best_count : 0;
    while (done && self.best_count) {
        const lens_graph_place worst = lens_graph_pop(self.best, &self.best_count, -1);
        slots[self.best_count] = worst.slot;
    }
    lens_graph_query_free(&self.query);
    free(self.seen);
    free(self.best);
    free(self.open);
    return done ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", graph->count);
}
