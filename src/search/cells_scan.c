#include "search/cells_scan.h"

#include <stdlib.h>

enum { BY_BYTES_FROM = 4096 /* rows: fewer are compared as they are */, KEPT = 64 };

/* Rows of a view, gathered. */
typedef struct few {
    uint32_t *slots;
    int64_t *ids;
    size_t *rows;
    size_t count, room;
} few;

static void few_free(few *self)
{
    free(self->slots);
    free(self->ids);
    free(self->rows);
}

static bool add(few *self, const lens_view *view, size_t row)
{
    if (self->count == self->room) {
        const size_t room = self->room ? 2 * self->room : 1024;
        uint32_t *slots = realloc(self->slots, room * sizeof *slots);
        self->slots = slots ? slots : self->slots;
        int64_t *ids = slots ? realloc(self->ids, room * sizeof *ids) : NULL;
        self->ids = ids ? ids : self->ids;
        size_t *rows = ids ? realloc(self->rows, room * sizeof *rows) : NULL;
        if (!rows)
            return false;
        self->rows = rows;
        self->room = room;
    }
    self->slots[self->count] = view->slots ? view->slots[row] : (uint32_t)row;
    self->ids[self->count] = view->ids[row];
    self->rows[self->count++] = row;
    return true;
}

/* Every row of SLOT. */
static bool add_all(few *self, const lens_view *view, const lens_slot_rows *rows, size_t slot)
{
    for (uint32_t row = rows->first[slot]; row != LENS_GRAPH_NONE; row = rows->next[row])
        if (!add(self, view, row))
            return false;
    return true;
}

int lens_cells_scan(const lens_cells *cells, const lens_bytes_view *bytes, const lens_slot_rows *rows, const lens_view *view, const float *query, size_t k,
                    float min_score, size_t probes, int threads, lens_hit *hits, size_t *found, lens_error *err)
{
    *found = 0;
    /* By their copies the best are known to some thousandths, so that a few more than wanted are compared. */
    const size_t room = k < cells->count / 4 ? 4 * k + KEPT : cells->count, kept = room < cells->count ? room : cells->count;
    uint32_t *slots = malloc((kept + 1) * sizeof *slots);
    size_t near = 0;
    few some = {0};
    if (!slots)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", view->count);
    int result = lens_cells_search(cells, bytes, rows, query, view->dim, probes, kept, slots, &near, err);
    bool enough = result == 0;
    for (size_t i = 0; enough && i < near; i++)
        enough = add_all(&some, view, rows, slots[i]);
    for (size_t slot = cells->count; enough && slot < rows->slots; slot++)
        enough = add_all(&some, view, rows, slot);
    if (result == 0 && !enough)
        result = lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", view->count);
    const lens_view found_view = {view->data, some.slots, some.ids, some.count, view->dim, NULL};
    if (result == 0)
        result = some.count < BY_BYTES_FROM ? lens_scan(&found_view, query, k, min_score, 1, hits, found, err)
                                            : lens_scan_bytes(&found_view, bytes, query, k, min_score, threads, hits, found, NULL, err);
    for (size_t i = 0; result == 0 && i < *found; i++)
        hits[i].row = some.rows[hits[i].row];
    few_free(&some);
    free(slots);
    return result;
}
