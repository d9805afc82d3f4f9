/* lens_check_recall: the approximate index held against the exact scan, on the library's own vectors. */
#include <stdlib.h>

#include "base/processors.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "library/internal.h"
#include "library/view.h"
#include "search/cells_scan.h"

static int measure(const lens_store_vectors *vectors, const lens_bytes_view *bytes, const lens_approximate *index, size_t queries, lens_recall *out, lens_error *err)
{
    const lens_view view = lens_vectors_view(vectors);
    lens_slot_rows rows;
    lens_trial trial = {0};
    if (lens_slot_rows_make(&view, vectors->committed, &rows, err) != 0)
        return -1;
    int result = lens_trial_make(&index->cells, bytes, &rows, &view, queries, lens_processors(), &trial, err);
    if (result == 0)
        result = lens_trial_run(&trial, index->probes, err);
    if (result == 0 && trial.count) {
        out->covered = (int64_t)index->cells.count;
        out->queries = trial.count;
        out->recall = trial.recall;
        out->exact_seconds = trial.exact_seconds / (double)trial.count;
        out->approximate_seconds = trial.cells_seconds / (double)trial.count;
    }
    lens_trial_free(&trial);
    lens_slot_rows_free(&rows);
    return result;
}

int lens_check_recall(lens_library *library, const char *model, size_t queries, lens_recall *out, lens_error *err)
{
    *out = (lens_recall){0};
    lens_store *store = lens_library_reader(library, err);
    lens_store_model known = {0};
    lens_store_vectors vectors = {0};
    int result = store ? lens_library_model(store, library->folder, model, false, &known, err) : -1;
    out->model = known.name; /* goes over */
    if (result == 0 && (result = lens_store_vectors_open(store, known.id, NULL, 0, &vectors, err)) == 0) {
        lens_bytes_view bytes = {0};
        lens_packed *copies = lens_copies_open(&vectors, &bytes);
        lens_approximate *index = copies ? lens_approximate_open(&vectors, &bytes) : NULL;
        out->vectors = known.vectors;
        if (index)
            result = measure(&vectors, &bytes, index, queries, out, err);
        lens_approximate_close(index);
        lens_packed_close(copies);
    }
    lens_store_vectors_free(&vectors);
    if (store)
        lens_library_reader_done(library, store);
    return result;
}

void lens_recall_free(lens_recall *recall)
{
    free(recall->model);
    *recall = (lens_recall){0};
}
