#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "search/cells_scan.h"

enum { COPIES_MOST = 1000 /* rows of one slot that are left out of an answer */ };

int lens_trial_make(const lens_cells *cells, const lens_bytes_view *bytes, const lens_slot_rows *rows, const lens_view *view, size_t count, int threads,
                    lens_trial *out, lens_error *err)
{
    *out = (lens_trial){cells, bytes, rows, view, count < view->count ? count : view->count, threads, NULL, NULL, false, 0, 0, 0};
    out->least = calloc(out->count + 1, sizeof *out->least);
    out->there = calloc(out->count + 1, sizeof *out->there);
    if (out->least && out->there)
        return 0;
    lens_trial_free(out);
    return lens_fail_memory(err);
}

void lens_trial_free(lens_trial *trial)
{
    free(trial->least);
    free(trial->there);
    *trial = (lens_trial){0};
}

static size_t slot_of(const lens_view *view, size_t row)
{
    return view->slots ? view->slots[row] : row;
}

/* Leaves in HITS those that are not of SLOT, at most K. How many. */
static size_t others(const lens_trial *self, size_t slot, lens_hit *hits, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < LENS_TRIAL_K; i++)
        if (slot_of(self->view, hits[i].row) != slot)
            hits[kept++] = hits[i];
    return kept;
}

int lens_trial_run(lens_trial *trial, size_t probes, lens_error *err)
{
    const lens_view *view = trial->view;
    lens_hit *hits = calloc(LENS_TRIAL_K + COPIES_MOST, sizeof *hits);
    size_t right = 0, all = 0;
    int result = hits ? 0 : lens_fail_memory(err);
    trial->cells_seconds = 0;
    for (size_t q = 0; result == 0 && q < trial->count; q++) {
        const size_t row = q * view->count / trial->count, slot = slot_of(view, row);
        const float *query = lens_view_row(view, row);
        size_t copies = 0, found;
        for (uint32_t at = trial->rows->first[slot]; at != LENS_GRAPH_NONE && copies < COPIES_MOST; at = trial->rows->next[at])
            copies++;
        double begun = lens_seconds();
        if (!trial->known) {
            result = lens_scan_bytes(view, trial->bytes, query, LENS_TRIAL_K + copies, -INFINITY, trial->threads, hits, &found, NULL, err);
            trial->exact_seconds += lens_seconds() - begun;
            trial->there[q] = result == 0 ? others(trial, slot, hits, found) : 0;
            trial->least[q] = trial->there[q] ? hits[trial->there[q] - 1].score : 0;
            begun = lens_seconds();
        }
        if (result == 0)
            result = lens_cells_scan(trial->cells, trial->bytes, trial->rows, view, query, LENS_TRIAL_K + copies, -INFINITY, probes, trial->threads, hits, &found, err);
        trial->cells_seconds += lens_seconds() - begun;
        found = result == 0 ? others(trial, slot, hits, found) : 0;
        for (size_t i = 0; i < found; i++)
            right += hits[i].score >= trial->least[q];
        all += trial->there[q];
    }
    trial->known = result == 0;
    trial->recall = all ? (double)right / (double)all : 1;
    free(hits);
    return result;
}
