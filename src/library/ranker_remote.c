#include "library/ranker_remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "library/view.h"

int lens_remote_open(lens_ranker *self, lens_error *err)
{
    int64_t count = 0;
    self->scope.folders = (const char *const *)self->in.items;
    self->scope.folder_count = self->in.count;
    if (self->options->leave_out_terms) {
        self->scope.without = self->own;
        self->scope.without_count = self->own_count;
    }
    if (lens_store_scope_count(self->store, self->model.id, &self->scope, &count, err) != 0)
        return -1;
    self->count = (size_t)count;
    if (!self->options->exact) {
        int64_t bytes, covered = lens_store_approximate_covered(self->store, self->model.id, &bytes, err);
        if (covered < 0)
            return -1;
        self->approximate = covered > 0;
    }
    self->vectors.dim = self->model.dim;
    return 0;
}

/* The nearest MOST rows, as the ranker's own, and their order: HITS [*found], which the caller frees. */
static int nearest(lens_ranker *self, size_t most, float least, lens_hit **hits, size_t *found, lens_error *err)
{
    lens_store_vectors near;
    *hits = NULL;
    const size_t least_count = most < self->count ? most : self->count;
    if (lens_store_nearest(self->store, self->model.id, self->sum, self->model.dim, &self->scope, most, !self->approximate, &near, err) != 0)
        return -1;
    /* The index gives up where conditions let in few of many: then the truth is not far. */
    if (self->approximate && near.count < least_count) {
        lens_store_vectors_free(&near);
        self->approximate = false;
        if (lens_store_nearest(self->store, self->model.id, self->sum, self->model.dim, &self->scope, most, true, &near, err) != 0)
            return -1;
    }
    lens_store_vectors_free(&self->vectors);
    self->vectors = near;
    const lens_view view = lens_vectors_view(&near);
    *hits = calloc(near.count + 1, sizeof **hits);
    if (!*hits)
        return lens_fail_memory(err);
    return lens_scan(&view, self->sum, near.count, least, 1, *hits, found, err);
}

int lens_remote_rank(lens_ranker *self, size_t wanted, float least, lens_fold_hit *out, size_t *found, lens_error *err)
{
    *found = 0;
    if (wanted == 0)
        return 0;
    lens_hit *hits;
    size_t count = 0;
    const int result = nearest(self, wanted, least, &hits, &count, err);
    for (size_t i = 0; result == 0 && i < count && i < wanted; i++)
        out[(*found)++] = (lens_fold_hit){hits[i].id, hits[i].row, hits[i].score, 1};
    free(hits);
    return result;
}

/* Texts are found one by one, so where there are conditions all that they let in is asked for once. */
bool lens_remote_may_be(lens_ranker *self, int64_t id)
{
    size_t row;
    if (lens_ranker_row(self, id, &row))
        return true;
    for (size_t i = 0; i < self->scope.without_count; i++)
        if (self->scope.without[i] == id)
            return false;
    if (!self->scope.folder_count && !self->scope.filter)
        return true;
    if (!self->allowed && !self->trouble.code)
        lens_store_scope_ids(self->store, self->model.id, &self->scope, &self->allowed, &self->allowed_count, &self->trouble);
    return lens_ids_have(self->allowed, self->allowed_count, id);
}

/* Puts MORE's rows behind those of ALL, in order of id. */
static int merge(lens_store_vectors *all, const lens_store_vectors *more, lens_error *err)
{
    const size_t count = all->count + more->count, dim = (size_t)more->dim;
    lens_store_vectors both = {.dim = more->dim};
    float *data = lens_store_vectors_room(&both, count);
    if (!data)
        return lens_fail_memory(err);
    for (size_t i = 0, j = 0; i < all->count || j < more->count; both.count++) {
        const bool first = j == more->count || (i < all->count && all->ids[i] < more->ids[j]);
        const lens_store_vectors *from = first ? all : more;
        const size_t row = first ? i++ : j++;
        both.ids[both.count] = from->ids[row];
        both.slots[both.count] = (uint32_t)both.count;
        memcpy(data + both.count * dim, from->data + (size_t)from->slots[row] * dim, dim * sizeof *data);
    }
    both.committed = both.count;
    lens_store_vectors_free(all);
    *all = both;
    return 0;
}

int lens_remote_fetch(lens_ranker *self, const int64_t *ids, size_t count, lens_error *err)
{
    int64_t *missing = malloc((count + 1) * sizeof *missing);
    size_t missing_count = 0, row;
    if (!missing)
        return lens_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        if (!lens_ranker_row(self, ids[i], &row))
            missing[missing_count++] = ids[i];
    lens_store_vectors more = {0};
    int result = missing_count ? lens_store_vectors_of(self->store, self->model.id, missing, missing_count, &self->scope, &more, err) : 0;
    if (result == 0 && more.count && (result = lens_store_vectors_fit(&more, self->model.dim, err)) == 0)
        result = merge(&self->vectors, &more, err);
    lens_store_vectors_free(&more);
    free(missing);
    return result;
}
