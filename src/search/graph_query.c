#include "search/graph_query.h"

#include <math.h>
#include <stdlib.h>

enum { LINE = 64 };

bool lens_graph_query_make(lens_graph_query *self, const lens_bytes_view *bytes, const float *query, int dim)
{
    *self = (lens_graph_query){.bytes = bytes, .dot = lens_dot_bytes_nth(0), .size = lens_code_size(dim)};
    self->code = aligned_alloc(LINE, self->size);
    if (!self->code)
        return false;
    lens_row_bounds bounds;
    self->zeros = lens_code_query(query, dim, self->code, &bounds);
    self->step = bounds.step;
    return true;
}

void lens_graph_query_free(lens_graph_query *self)
{
    free(self->code);
    self->code = NULL;
}

float lens_graph_query_score(const lens_graph_query *self, uint32_t slot)
{
    const int32_t sum = self->dot(self->bytes->codes + slot * self->size, self->code, self->size) - self->zeros;
    const float near = (float)sum * self->bytes->bounds[slot].step * self->step;
    return isfinite(near) ? near : -INFINITY;
}

void lens_graph_query_fetch(const lens_graph_query *self, uint32_t slot)
{
    const uint8_t *code = self->bytes->codes + slot * self->size;
    for (size_t i = 0; i < self->size && i < 16 * LINE; i += LINE)
        __builtin_prefetch(code + i);
    __builtin_prefetch(&self->bytes->bounds[slot]);
}

void lens_graph_push(lens_graph_place *heap, size_t *count, lens_graph_place one, float sign)
{
    size_t at = (*count)++;
    for (; at > 0 && heap[(at - 1) / 2].score * sign < one.score * sign; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = one;
}

lens_graph_place lens_graph_pop(lens_graph_place *heap, size_t *count, float sign)
{
    const lens_graph_place top = heap[0], last = heap[--*count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < *count; at = child) {
        if (child + 1 < *count && heap[child + 1].score * sign > heap[child].score * sign)
            child++;
        if (heap[child].score * sign <= last.score * sign)
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}
