/* lens_check_recall: the approximate index held against the exact scan, on the library's own vectors. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/processors.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "library/internal.h"
#include "library/view.h"
#include "search/cells_scan.h"
#include "search/dot.h"

enum { BEST = 10 };

static int falling(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

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

/* How many of COUNT best of TRUTH are among FOUND, both in order of id; pictures with the score of the last of them count as it. */
static size_t both(const lens_store_vectors *truth, const lens_store_vectors *found, const float *query, float *scores)
{
    size_t same = 0, count = truth->count < BEST ? truth->count : BEST;
    for (size_t i = 0; i < truth->count; i++)
        scores[i] = lens_dot(query, truth->data + (size_t)truth->slots[i] * (size_t)truth->dim, truth->dim);
    qsort(scores, truth->count, sizeof *scores, falling);
    const float least = count ? scores[count - 1] : 0;
    for (size_t i = 0; i < found->count && same < count; i++)
        same += lens_dot(query, found->data + (size_t)found->slots[i] * (size_t)found->dim, found->dim) >= least - 1e-6f;
    return same;
}

static int measure_one(lens_store *store, int64_t model, int64_t id, lens_recall *out, double *share, lens_error *err)
{
    const lens_store_scope any = {0}, others = {.without = &id, .without_count = 1};
    lens_store_vectors own = {0}, truth = {0}, found = {0};
    float scores[4 * BEST];
    int result = lens_store_vectors_of(store, model, &id, 1, &any, &own, err);
    if (result == 0 && own.count) {
        const double begun = lens_seconds();
        result = lens_store_nearest(store, model, own.data, own.dim, &others, BEST, true, &truth, err);
        const double middle = lens_seconds();
        if (result == 0)
            result = lens_store_nearest(store, model, own.data, own.dim, &others, BEST, false, &found, err);
        out->exact_seconds += middle - begun;
        out->approximate_seconds += lens_seconds() - middle;
        truth.count = truth.count < 4 * BEST ? truth.count : 4 * BEST;
        if (result == 0 && truth.count) {
            *share += (double)both(&truth, &found, own.data, scores) / (double)(truth.count < BEST ? truth.count : BEST);
            out->queries++;
        }
    }
    lens_store_vectors_free(&own);
    lens_store_vectors_free(&truth);
    lens_store_vectors_free(&found);
    return result;
}

/* The same where the store searches: each query there and back, as it is asked. */
static int measure_store(lens_store *store, const lens_store_model *model, size_t queries, lens_recall *out, lens_error *err)
{
    int64_t bytes = 0, *ids = calloc(queries + 1, sizeof *ids);
    double share = 0;
    out->vectors = model->vectors;
    const int64_t covered = ids ? lens_store_approximate_covered(store, model->id, &bytes, err) : lens_fail_memory(err);
    const int count = covered > 0 ? lens_store_pictures_some(store, ids, queries < INT32_MAX ? (int)queries : INT32_MAX, err) : (int)covered;
    int result = count < 0 ? -1 : 0;
    for (int i = -2; i < count && result == 0; i++) { /* the first two only warm it up */
        if (i == 0) {
            out->exact_seconds = out->approximate_seconds = share = 0;
            out->queries = 0;
        }
        result = measure_one(store, model->id, ids[i < 0 ? 0 : i], out, &share, err);
    }
    free(ids);
    if (result == 0 && out->queries) {
        out->covered = covered;
        out->recall = share / (double)out->queries;
        out->exact_seconds /= (double)out->queries;
        out->approximate_seconds /= (double)out->queries;
    }
    return result;
}

int lens_check_recall(lens_library *library, const char *model, size_t queries, lens_recall *out, lens_error *err)
{
    *out = (lens_recall){0};
    lens_store *store = lens_library_reader(library, err);
    lens_store_model known = {0};
    lens_store_vectors vectors = {0};
    int result = store ? lens_library_model(store, &library->place, model, false, &known, err) : -1;
    out->model = known.name; /* goes over */
    if (result == 0 && lens_store_searches(store))
        result = measure_store(store, &known, queries, out, err);
    else if (result == 0 && (result = lens_store_vectors_open(store, known.id, NULL, 0, &vectors, err)) == 0) {
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
