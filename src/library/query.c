/* lens_search: terms -> one query vector -> the nearest pictures. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/processors.h"
#include "library/copies.h"
#include "library/nearness.h"
#include "library/terms.h"
#include "library/view.h"
#include "library/warm.h"
#include "search/fold.h"
#include "search/scan.h"

lens_search_options lens_search_options_default(void)
{
    return (lens_search_options){.n = 10, .precision = "auto", .min_score = -2, .max_pixels = lens_decode_limits_default().max_pixels};
}

/* A query in the making. */
typedef struct query {
    lens_library *library;
    lens_store *store;
    lens_store_model model;
    const lens_search_options *options;
    const lens_term *terms;
    size_t term_count;
    lens_store_paths in; /* the options' folders, absolute */
    lens_store_vectors vectors;
    lens_warm_view *warm; /* whose VECTORS these are, to be looked at only; NULL: our own */
    bool own_rows;        /* but IDS and SLOTS are our own */
    float *term_vectors; /* [terms, dim], each of length 1 */
    float *sum;          /* [dim], of length 1: what is searched for */
    double length;       /* of the weighted sum, before it was made 1 */
    int64_t *own;        /* the terms' own pictures */
    size_t own_count;
    float *penalties;    /* [vectors.count], with options->unhub */
} query;

static int query_vector(query *self, lens_error *err)
{
    const size_t dim = (size_t)self->model.dim, count = self->term_count;
    self->sum = calloc(dim, sizeof *self->sum);
    self->term_vectors = calloc(count * dim, sizeof *self->term_vectors);
    self->own = calloc(count, sizeof *self->own);
    if (!self->sum || !self->term_vectors || !self->own)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    for (size_t t = 0; t < count; t++)
        if (!isfinite(self->terms[t].weight))
            return lens_fail(err, LENS_E_ARGUMENT, "a weight must be a finite number");
    const lens_terms_place place = {self->library, self->store, &self->model, &self->vectors, self->options->in_count > 0, self->options->precision,
                                    self->options->max_pixels};
    if (lens_terms_vectors(&place, self->terms, count, self->term_vectors, self->own, &self->own_count, err) != 0)
        return -1;
    double squares = 0;
    for (size_t i = 0; i < dim; i++) {
        double sum = 0;
        for (size_t t = 0; t < count; t++)
            sum += self->terms[t].weight * (double)self->term_vectors[t * dim + i];
        self->sum[i] = (float)sum;
        squares += sum * sum;
    }
    self->length = sqrt(squares);
    if (!(self->length > 1e-6))
        return lens_fail(err, LENS_E_ARGUMENT, "the terms cancel each other out: nothing is left to search for");
    for (size_t i = 0; i < dim; i++)
        self->sum[i] = (float)((double)self->sum[i] / self->length);
    return 0;
}

/* What each term adds to the score of the picture in ROW of the view. NULL when memory is short. */
static lens_term_share *shares_of(const query *self, size_t row)
{
    lens_term_share *shares = calloc(self->term_count, sizeof *shares);
    const size_t dim = (size_t)self->model.dim;
    const float *picture = self->vectors.data + (size_t)self->vectors.slots[row] * dim;
    for (size_t t = 0; shares && t < self->term_count; t++) {
        double cosine = 0;
        for (size_t i = 0; i < dim; i++)
            cosine += (double)self->term_vectors[t * dim + i] * (double)picture[i];
        shares[t] = (lens_term_share){cosine, self->terms[t].weight * cosine / self->length};
    }
    return shares;
}

/* The model's vectors: the warm view of them all, or our own of those in the folders asked for. */
static int open_vectors(query *self, lens_error *err)
{
    if (!self->library->warm || self->in.count)
        return lens_store_vectors_open(self->store, self->model.id, (const char *const *)self->in.items, self->in.count, &self->vectors, err);
    self->warm = lens_warm_view_of(self->library->warm, self->model.id, err);
    if (self->warm)
        self->vectors = self->warm->vectors;
    return self->warm ? 0 : -1;
}

/* Before rows are taken out of a view that is shared. */
static int own_rows(query *self, lens_error *err)
{
    if (!self->warm || self->own_rows)
        return 0;
    lens_store_vectors *vectors = &self->vectors;
    int64_t *ids = malloc((vectors->count + 1) * sizeof *ids);
    uint32_t *slots = malloc((vectors->count + 1) * sizeof *slots);
    if (!ids || !slots) {
        free(ids);
        free(slots);
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    }
    memcpy(ids, vectors->ids, vectors->count * sizeof *ids);
    memcpy(slots, vectors->slots, vectors->count * sizeof *slots);
    vectors->ids = ids;
    vectors->slots = slots;
    self->own_rows = true;
    return 0;
}

static void close_vectors(query *self)
{
    if (!self->warm) {
        lens_store_vectors_free(&self->vectors);
        return;
    }
    if (self->own_rows) {
        free(self->vectors.ids);
        free(self->vectors.slots);
    }
    lens_warm_view_release(self->warm);
}

/* Takes the terms' own pictures out of the view, so that they are no results and no part of a group. */
static int leave_out_own(query *self, lens_error *err)
{
    if (own_rows(self, err) != 0)
        return -1;
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
    return 0;
}

/* Leaves only what the options' path and dates let in. */
static int narrow(query *self, lens_error *err)
{
    const lens_search_options *options = self->options;
    if (!options->path && !options->after && !options->before)
        return 0;
    if (own_rows(self, err) != 0)
        return -1;
    return lens_store_vectors_narrow(self->store, &self->vectors, options->path, options->after ? options->after : INT64_MIN,
                                     options->before ? options->before : INT64_MAX, err);
}

/* width / height of each row's picture. NULL on failure. The caller frees. */
static float *shapes_of(query *self, lens_error *err)
{
    const size_t count = self->vectors.count;
    float *shapes = malloc((count + 1) * sizeof *shapes);
    if (!shapes) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
        return NULL;
    }
    if (self->warm) { /* our rows are some of its rows, in the same order */
        for (size_t i = 0, at = 0; i < count; i++) {
            while (self->warm->vectors.ids[at] != self->vectors.ids[i])
                at++;
            shapes[i] = self->warm->shapes[at];
        }
    } else if (lens_store_vectors_shapes(self->store, &self->vectors, shapes, err) != 0) {
        free(shapes);
        return NULL;
    }
    return shapes;
}

/* The best WANTED rows, or of each group of near-identical ones the best. */
static int rank(query *self, const lens_view *view, size_t wanted, float least, lens_fold_hit *hits, size_t *found, lens_error *err)
{
    int threads = lens_processors(), result = -1;
    if (self->options->fold) {
        float *shapes = shapes_of(self, err);
        if (shapes)
            result = lens_fold_scan(view, shapes, self->sum, wanted, least, threads, hits, found, err);
        free(shapes);
        return result;
    }
    lens_hit *plain = calloc(wanted + 1, sizeof *plain);
    if (!plain)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    lens_bytes_view bytes;
    lens_packed *copies = view->penalty || self->warm ? NULL : lens_copies_open(&self->vectors, &bytes); /* their bounds know of no penalties */
    if (self->warm && self->warm->copies && !view->penalty)
        bytes = self->warm->bytes;
    result = copies || (self->warm && self->warm->copies && !view->penalty) ? lens_scan_bytes(view, &bytes, self->sum, wanted, least, threads, plain, found, NULL, err)
                    : lens_scan(view, self->sum, wanted, least, threads, plain, found, err);
    lens_packed_close(copies);
    for (size_t i = 0; result == 0 && i < *found; i++)
        hits[i] = (lens_fold_hit){plain[i].id, plain[i].row, plain[i].score, 1};
    free(plain);
    return result;
}

static lens_results *nearest(query *self, lens_error *err)
{
    const lens_search_options *options = self->options;
    lens_view view = lens_vectors_view(&self->vectors);
    view.penalty = self->penalties;
    lens_results *results = calloc(1, sizeof *results);
    /* One more than asked for tells whether there are more. */
    const size_t asked = options->n > SIZE_MAX - options->offset - 1 ? SIZE_MAX : options->offset + options->n + 1;
    size_t wanted = asked < view.count ? asked : view.count, found = 0;
    lens_fold_hit *hits = calloc(wanted + 1, sizeof *hits);
    float least = options->min_score < -1 ? -INFINITY : (float)options->min_score;
    int result = -1;
    if (!results || !hits || !(results->items = calloc(wanted + 1, sizeof *results->items)) ||
        !(results->model = strdup(self->model.name)))
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
    else
        result = rank(self, &view, wanted, least, hits, &found, err);
    const size_t end = found > options->offset + options->n ? options->offset + options->n : found;
    if (result == 0)
        result = lens_store_moment_begin(self->store, err);
    for (size_t i = options->offset; result == 0 && i < end; i++) {
        lens_store_picture picture;
        int known = lens_store_picture_by_id(self->store, hits[i].id, &picture, err);
        if (known < 0)
            result = -1;
        if (known != 1)
            continue;
        lens_result *item = &results->items[results->count++];
        const double score = (double)hits[i].score + (view.penalty ? (double)view.penalty[hits[i].row] : 0);
        *item = (lens_result){.score = score,
                              .id = hits[i].id,
                              .path = picture.path,
                              .stands_for = hits[i].stands_for,
                              .bytes = picture.size,
                              .modified = lens_store_seconds(picture.mtime_ns),
                              .width = picture.width,
                              .height = picture.height,
                              .format = picture.format,
                              .terms = shares_of(self, hits[i].row)};
        picture.path = picture.format = NULL;
        lens_store_picture_free(&picture);
        if (!item->terms)
            result = lens_fail(err, LENS_E_MEMORY, "not enough memory");
    }
    lens_store_moment_end(self->store);
    free(hits);
    if (result != 0) {
        lens_results_free(results);
        return NULL;
    }
    results->term_count = self->term_count;
    results->compared = view.count;
    results->more = found > end;
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

static int choose_model(query *self, bool words, lens_error *err)
{
    const char *wanted = self->options->model;
    return self->library->warm ? lens_warm_model(self->library->warm, wanted, words, &self->model, err)
                               : lens_library_model(self->store, self->library->folder, wanted, words, &self->model, err);
}

lens_results *lens_search(lens_library *library, const lens_term *terms, size_t term_count, const lens_search_options *options,
                          lens_error *err)
{
    if (term_count == 0) {
        lens_fail(err, LENS_E_ARGUMENT, "nothing to search for");
        return NULL;
    }
    query self = {.library = library, .options = options, .terms = terms, .term_count = term_count};
    bool words = false;
    for (size_t t = 0; t < term_count; t++)
        words |= terms[t].kind == LENS_TERM_WORDS;
    lens_results *results = NULL;
    self.store = lens_library_reader(library, err);
    if (self.store && absolute_folders(&self, err) == 0 && choose_model(&self, words, err) == 0 && open_vectors(&self, err) == 0 &&
        query_vector(&self, err) == 0 && (!options->leave_out_terms || leave_out_own(&self, err) == 0) && narrow(&self, err) == 0) {
        if (options->unhub)
            self.penalties = lens_nearness_of_some(self.store, self.model.id, &self.vectors, lens_processors(), err);
        if (!options->unhub || self.penalties)
            results = nearest(&self, err);
    }
    lens_store_paths_free(&self.in);
    free(self.penalties);
    free(self.own);
    free(self.term_vectors);
    free(self.sum);
    close_vectors(&self);
    free(self.model.name);
    lens_library_reader_done(library, self.store);
    return results;
}

void lens_results_free(lens_results *results)
{
    if (!results)
        return;
    for (size_t i = 0; i < results->count; i++) {
        free(results->items[i].path);
        free(results->items[i].format);
        free(results->items[i].terms);
    }
    free(results->items);
    free(results->model);
    free(results);
}
