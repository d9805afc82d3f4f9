/* lens_scan by way of cells: the best that are in the nearest ones, and all that is in none yet, compared exactly. */
#ifndef LENS_SEARCH_CELLS_SCAN_H
#define LENS_SEARCH_CELLS_SCAN_H

#include "search/cells.h"

/* As lens_scan of VIEW, which has no penalties, but some of the K best may be missing (the worse for it, others move up). Every score is exact. ROWS are the view's, over
 * all slots that there are; rows whose slots are in no cell yet are all compared. PROBES: of lens_cells_search. HITS [k]. 0 or -1. */
int lens_cells_scan(const lens_cells *cells, const lens_bytes_view *bytes, const lens_slot_rows *rows, const lens_view *view, const float *query, size_t k,
                    float min_score, size_t probes, int threads, lens_hit *hits, size_t *found, lens_error *err);

/* How much of the truth cells give: some rows of VIEW, evenly chosen, are queries, their own slots left out of the answers; each is held against the exact
 * scan. A found row counts as right when its score is one that the best K have. */
typedef struct lens_trial {
    const lens_cells *cells;
    const lens_bytes_view *bytes;
    const lens_slot_rows *rows;
    const lens_view *view;
    size_t count;  /* queries */
    int threads;   /* of the exact scan */
    float *least;  /* [count]: the K-th best score, by the exact scan; of fewer rows the last */
    size_t *there; /* [count]: how many there are of K, 0: none */
    bool known;    /* the two above are filled */
    double recall, exact_seconds, cells_seconds; /* of the last run: of K, of all queries; the exact ones are of the first run */
} lens_trial;
enum { LENS_TRIAL_K = 10 };

/* Fills *OUT, whose arguments must outlive it, for COUNT queries or as many as there are rows. 0 or -1; free with lens_trial_free. */
int lens_trial_make(const lens_cells *cells, const lens_bytes_view *bytes, const lens_slot_rows *rows, const lens_view *view, size_t count, int threads,
                    lens_trial *out, lens_error *err);
void lens_trial_free(lens_trial *trial);

/* Asks every query in PROBES cells, and the first time exactly too, in turns. 0 or -1. */
int lens_trial_run(lens_trial *trial, size_t probes, lens_error *err);

#endif
