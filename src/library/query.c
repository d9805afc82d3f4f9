/* lens_search: terms -> one query vector -> the nearest pictures. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/processors.h"
#include "library/internal.h"
#include "search/fold.h"
#include "search/scan.h"

lens_search_options lens_search_options_default(void)
{
    return (lens_search_options){.n = 10, .precision = "auto", .min_score = -2, .max_pixels = lens_decode_limits_default().max_pixels};
}

/* A query in the making. The encoder is opened only when a term really has to be encoded. */
typedef struct query {
    lens_store *store;
    lens_store_model model;
    const lens_search_options *options;
    lens_store_paths in; /* the options' folders, absolute */
    lens_store_vectors vectors;
    lens_encoder *encoder;
    lens_session *session;
    float *sum;    /* [dim] */
    float *vector; /* [dim], of one term */
    int64_t *own;  /* the terms' own pictures */
    size_t own_count;
} query;

static lens_view view_of(const lens_store_vectors *vectors)
{
    return (lens_view){vectors->data, vectors->slots, vectors->ids, vectors->count, vectors->dim};
}

/* The vector of picture ID as it is stored: 1 and VECTOR filled, or 0 when this model has none of it. -1 on error. */
static int stored_vector(query *self, int64_t id, lens_error *err)
{
    lens_store_vectors all = {0};
    const lens_store_vectors *from = &self->vectors;
    if (self->options->in_count) { /* the picture asked for need not lie where results may */
        if (lens_store_vectors_open(self->store, self->model.id, NULL, 0, &all, err) != 0)
            return -1;
        from = &all;
    }
    size_t low = 0, high = from->count; /* ids are in order */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (from->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    int found = low < from->count && from->ids[low] == id;
    if (found) {
        memcpy(self->vector, from->data + (size_t)from->slots[low] * (size_t)from->dim, (size_t)from->dim * sizeof *self->vector);
        self->own[self->own_count++] = id;
    }
    lens_store_vectors_free(&all);
    return found;
}

/* The same for a file that the library knows and that has not changed since. */
static int known_file(query *self, const char *path, lens_error *err)
{
    char *absolute = lens_path_absolute(path, err);
    if (!absolute)
        return -1;
    lens_store_picture picture;
    struct stat info;
    int found = lens_store_picture_by_path(self->store, absolute, &picture, err);
    if (found == 1) {
        bool same = picture.content && stat(absolute, &info) == 0 && info.st_size == picture.size &&
                    (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec == picture.mtime_ns;
        found = same ? stored_vector(self, picture.id, err) : 0;
        if (found == 0) /* it changed since, but it is still the same picture of the library */
            self->own[self->own_count++] = picture.id;
        lens_store_picture_free(&picture);
    }
    free(absolute);
    return found;
}

static int encode_term(query *self, const lens_term *term, lens_error *err)
{
    lens_image image = {0};
    if (lens_decode_term(term, self->options->max_pixels, &image, err) != 0)
        return -1;
    int result = 0;
    if (!self->encoder) {
        self->encoder = lens_model_encoder(self->model.name, self->options->precision, LENS_TOWER_PICTURES, err);
        if (!self->encoder || lens_library_model_matches(&self->model, self->encoder, err) != 0 ||
            !(self->session = lens_session_new(self->encoder, 1, lens_processors(), err)))
            result = -1;
    }
    if (result == 0)
        result = lens_encode_image(self->encoder, self->session, &image, self->vector, err);
    lens_image_free(&image);
    return result;
}

/* Fills self->vector. */
static int term_vector(query *self, const lens_term *term, lens_error *err)
{
    int found = 0;
    switch (term->kind) {
    case LENS_TERM_WORDS:
        if (lens_named_as_picture(term->text))
            return lens_fail(err, LENS_E_MISSING, "%s: no such file", term->text);
        return lens_fail(err, LENS_E_UNSUPPORTED, "\"%s\": there is no such file, and %s knows pictures, not words", term->text,
                         self->model.name);
    case LENS_TERM_ID:
        found = stored_vector(self, term->id, err);
        if (found == 0)
            return lens_fail(err, LENS_E_MISSING, "id:%lld: no such picture in this library", (long long)term->id);
        return found < 0 ? -1 : 0;
    case LENS_TERM_FILE:
        found = known_file(self, term->text, err);
        if (found != 0)
            return found < 0 ? -1 : 0;
        return encode_term(self, term, err);
    case LENS_TERM_BYTES:
        return encode_term(self, term, err);
    }
    return lens_fail(err, LENS_E_ARGUMENT, "unknown kind of term");
}

static int query_vector(query *self, const lens_term *terms, size_t count, lens_error *err)
{
    size_t dim = (size_t)self->model.dim;
    self->sum = calloc(dim, sizeof *self->sum);
    self->vector = calloc(dim, sizeof *self->vector);
    self->own = calloc(count, sizeof *self->own);
    if (!self->sum || !self->vector || !self->own)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    for (size_t t = 0; t < count; t++) {
        if (!isfinite(terms[t].weight))
            return lens_fail(err, LENS_E_ARGUMENT, "a weight must be a finite number");
        if (term_vector(self, &terms[t], err) != 0)
            return -1;
        for (size_t i = 0; i < dim; i++)
            self->sum[i] += (float)terms[t].weight * self->vector[i];
    }
    double length = 0;
    for (size_t i = 0; i < dim; i++)
        length += (double)self->sum[i] * self->sum[i];
    if (!(length > 1e-12))
        return lens_fail(err, LENS_E_ARGUMENT, "the terms cancel each other out: nothing is left to search for");
    for (size_t i = 0; i < dim; i++)
        self->sum[i] /= (float)sqrt(length);
    return 0;
}

/* Takes the terms' own pictures out of the view, so that they are no results and no part of a group. */
static void leave_out_own(query *self)
{
    lens_store_vectors *vectors = &self->vectors;
    size_t kept = 0;
    for (size_t i = 0; i < vectors->count; i++) {
        bool own = false;
        for (size_t j = 0; !own && j < self->own_count; j++)
            own = self->own[j] == vectors->ids[i];
        if (own)
            continue;
        vectors->ids[kept] = vectors->ids[i];
        vectors->slots[kept++] = vectors->slots[i];
    }
    vectors->count = kept;
}

/* The best WANTED rows, or of each group of near-identical ones the best. */
static int rank(query *self, const lens_view *view, size_t wanted, float least, lens_fold_hit *hits, size_t *found, lens_error *err)
{
    int threads = lens_processors(), result = -1;
    if (self->options->fold) {
        float *shapes = malloc((view->count + 1) * sizeof *shapes);
        if (!shapes)
            lens_fail(err, LENS_E_MEMORY, "not enough memory");
        else if (lens_store_vectors_shapes(self->store, &self->vectors, shapes, err) == 0)
            result = lens_fold_scan(view, shapes, self->sum, wanted, least, threads, hits, found, err);
        free(shapes);
        return result;
    }
    lens_hit *plain = calloc(wanted + 1, sizeof *plain);
    if (!plain)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    result = lens_scan(view, self->sum, wanted, least, threads, plain, found, err);
    for (size_t i = 0; result == 0 && i < *found; i++)
        hits[i] = (lens_fold_hit){plain[i].id, plain[i].row, plain[i].score, 1};
    free(plain);
    return result;
}

static lens_results *nearest(query *self, lens_error *err)
{
    const lens_search_options *options = self->options;
    lens_view view = view_of(&self->vectors);
    lens_results *results = calloc(1, sizeof *results);
    size_t wanted = options->n < view.count ? options->n : view.count, found = 0;
    lens_fold_hit *hits = calloc(wanted + 1, sizeof *hits);
    float least = options->min_score < -1 ? -INFINITY : (float)options->min_score;
    int result = -1;
    if (!results || !hits || !(results->items = calloc(wanted + 1, sizeof *results->items)) ||
        !(results->model = strdup(self->model.name)))
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
    else
        result = rank(self, &view, wanted, least, hits, &found, err);
    for (size_t i = 0; result == 0 && i < found; i++) {
        lens_store_picture picture;
        int known = lens_store_picture_by_id(self->store, hits[i].id, &picture, err);
        if (known < 0)
            result = -1;
        if (known != 1)
            continue;
        lens_result *item = &results->items[results->count++];
        *item = (lens_result){hits[i].score, hits[i].id, picture.path, hits[i].stands_for};
        picture.path = NULL;
        lens_store_picture_free(&picture);
    }
    free(hits);
    if (result != 0) {
        lens_results_free(results);
        return NULL;
    }
    results->compared = view.count;
    return results;
}

static int absolute_folders(query *self, lens_error *err)
{
    self->in.items = calloc(self->options->in_count + 1, sizeof *self->in.items);
    if (!self->in.items)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    for (size_t i = 0; i < self->options->in_count; i++) {
        char *path = lens_path_absolute(self->options->in[i], err);
        if (!path)
            return -1;
        self->in.items[self->in.count++] = path;
    }
    return 0;
}

lens_results *lens_search(lens_library *library, const lens_term *terms, size_t term_count, const lens_search_options *options,
                          lens_error *err)
{
    if (term_count == 0) {
        lens_fail(err, LENS_E_ARGUMENT, "nothing to search for");
        return NULL;
    }
    query self = {.options = options};
    lens_results *results = NULL;
    self.store = lens_store_open(library->folder, LENS_STORE_READ, 0, err);
    if (self.store && absolute_folders(&self, err) == 0 && lens_library_model(self.store, library->folder, options->model, &self.model, err) == 0 &&
        lens_store_vectors_open(self.store, self.model.id, (const char *const *)self.in.items, self.in.count, &self.vectors, err) == 0 &&
        query_vector(&self, terms, term_count, err) == 0) {
        if (options->leave_out_terms)
            leave_out_own(&self);
        results = nearest(&self, err);
    }
    lens_store_paths_free(&self.in);
    free(self.own);
    free(self.vector);
    free(self.sum);
    lens_session_free(self.session);
    lens_encoder_close(self.encoder);
    lens_store_vectors_free(&self.vectors);
    free(self.model.name);
    lens_store_close(self.store);
    return results;
}

void lens_results_free(lens_results *results)
{
    if (!results)
        return;
    for (size_t i = 0; i < results->count; i++)
        free(results->items[i].path);
    free(results->items);
    free(results->model);
    free(results);
}
