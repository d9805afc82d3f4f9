/* The part of a query that one model answers: its terms as one vector, held against the vectors of the pictures that may be results. */
#include "library/ranker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/processors.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "library/nearness.h"
#include "library/ranker_remote.h"
#include "library/terms.h"
#include "library/view.h"
#include "pixels/sniff.h"

enum { SPREAD_ROWS = 500 };

static int query_vector(lens_ranker *self, lens_error *err)
{
    const size_t dim = (size_t)self->model.dim, count = self->term_count;
    self->sum = calloc(dim, sizeof *self->sum);
    self->term_vectors = calloc(count * dim, sizeof *self->term_vectors);
    self->own = calloc(count, sizeof *self->own);
    if (!self->sum || !self->term_vectors || !self->own)
        return lens_fail_memory(err);
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

lens_term_share *lens_ranker_shares(const lens_ranker *self, size_t row)
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
static int open_vectors(lens_ranker *self, lens_error *err)
{
    if (!self->library->warm || self->in.count) {
        if (lens_store_vectors_open(self->store, self->model.id, (const char *const *)self->in.items, self->in.count, &self->vectors, err) != 0)
            return -1;
    } else {
        self->warm = lens_warm_view_of(self->library->warm, self->store, self->model.id, err);
        if (!self->warm)
            return -1;
        self->vectors = self->warm->vectors;
    }
    return lens_store_vectors_fit(&self->vectors, self->model.dim, err);
}

/* Before rows are taken out of a view that is shared. */
static int own_rows(lens_ranker *self, lens_error *err)
{
    if (!self->warm || self->own_rows)
        return 0;
    lens_store_vectors *vectors = &self->vectors;
    int64_t *ids = malloc((vectors->count + 1) * sizeof *ids);
    uint32_t *slots = malloc((vectors->count + 1) * sizeof *slots);
    if (!ids || !slots) {
        free(ids);
        free(slots);
        return lens_fail_memory(err);
    }
    memcpy(ids, vectors->ids, vectors->count * sizeof *ids);
    memcpy(slots, vectors->slots, vectors->count * sizeof *slots);
    vectors->ids = ids;
    vectors->slots = slots;
    self->own_rows = true;
    return 0;
}

static void close_vectors(lens_ranker *self)
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
static int leave_out_own(lens_ranker *self, lens_error *err)
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

/* What the options let in, as SELF->filter: 1, 0 when that is everything, -1. */
static int read_filter(lens_ranker *self, lens_error *err)
{
    const lens_search_options *options = self->options;
    if (!options->path && !options->after && !options->before && !options->size_least && !options->size_most && !options->type_count && !options->label_count)
        return 0;
    self->formats = calloc(options->type_count + 1, sizeof *self->formats);
    if (!self->formats)
        return lens_fail_memory(err);
    for (size_t i = 0; i < options->type_count; i++) {
        const lens_format format = lens_format_of(options->types[i]);
        self->formats[i] = lens_format_name(format);
        if (format == LENS_FORMAT_NONE)
            return lens_fail(err, LENS_E_ARGUMENT, "%s: no type of pictures; there are jpeg, png, gif, webp, heic, avif, tiff, jxl, bmp, svg, jp2, pnm "
                                                   "and ico", options->types[i]);
    }
    lens_store_filter *filter = &self->filter;
    *filter = lens_store_filter_none;
    filter->pattern = options->path;
    filter->below = options->path_below;
    filter->after = options->after ? options->after : INT64_MIN;
    filter->before = options->before ? options->before : INT64_MAX;
    filter->size_least = options->size_least;
    filter->size_most = options->size_most ? options->size_most : INT64_MAX;
    filter->formats = self->formats;
    filter->format_count = options->type_count;
    filter->labels = options->labels;
    filter->label_count = options->label_count;
    return 1;
}

/* Leaves only what the options let in. */
static int narrow(lens_ranker *self, lens_error *err)
{
    const int narrows = read_filter(self, err);
    if (narrows <= 0)
        return narrows;
    return own_rows(self, err) == 0 ? lens_store_vectors_narrow(self->store, &self->vectors, &self->filter, err) : -1;
}

/* width / height of each row's picture. NULL on failure. The caller frees. */
static float *shapes_of(lens_ranker *self, lens_error *err)
{
    const size_t count = self->vectors.count;
    float *shapes = malloc((count + 1) * sizeof *shapes);
    if (!shapes) {
        lens_fail_memory(err);
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

/* The best rows by way of the approximate index, if there is one and it is of use here: 1, else 0; or -1. COPIES: of the vectors; NULL: none. */
static int rank_by_cells(lens_ranker *self, const lens_bytes_view *copies, size_t wanted, float least, lens_hit *hits, size_t *found, lens_error *err)
{
    const int threads = lens_processors();
    const lens_warm_view *warm = self->warm;
    int result = 0;
    if (self->options->exact || self->penalties)
        return 0;
    if (warm) {
        if (warm->approximate)
            result = lens_approximate_rank(warm->approximate, &warm->bytes, &warm->rows, &warm->vectors, &self->vectors, self->sum, wanted, least, threads, hits, found, err);
    } else {
        lens_approximate *opened = copies ? lens_approximate_open(&self->vectors, copies) : NULL;
        lens_slot_rows rows = {0};
        const lens_view view = lens_vectors_view(&self->vectors);
        if (opened && (result = lens_slot_rows_make(&view, self->vectors.committed, &rows, err)) == 0)
            result = lens_approximate_rank(opened, copies, &rows, &self->vectors, &self->vectors, self->sum, wanted, least, threads, hits, found, err);
        lens_slot_rows_free(&rows);
        lens_approximate_close(opened);
    }
    self->approximate |= result == 1;
    return result;
}

int lens_ranker_rank(lens_ranker *self, size_t wanted, float least, bool fold, lens_fold_hit *hits, size_t *found, lens_error *err)
{
    if (self->remote)
        return lens_remote_rank(self, wanted, least, hits, found, err);
    const int threads = lens_processors();
    lens_view all = lens_vectors_view(&self->vectors), *view = &all;
    view->penalty = self->penalties;
    int result = -1;
    if (fold) {
        float *shapes = shapes_of(self, err);
        if (shapes)
            result = lens_fold_scan(view, shapes, self->sum, wanted, least, threads, hits, found, err);
        free(shapes);
        return result;
    }
    lens_hit *plain = calloc(wanted + 1, sizeof *plain);
    if (!plain)
        return lens_fail_memory(err);
    lens_bytes_view opened;
    const lens_bytes_view *bytes = self->warm && self->warm->copies ? &self->warm->bytes : NULL;
    lens_packed *copies = view->penalty || self->warm ? NULL : lens_copies_open(&self->vectors, &opened);
    if (copies)
        bytes = &opened;
    const int by_cells = rank_by_cells(self, bytes, wanted, least, plain, found, err);
    if (by_cells != 0)
        result = by_cells == 1 ? 0 : -1;
    else if (bytes && !view->penalty) /* their bounds know of no penalties */
        result = lens_scan_bytes(view, bytes, self->sum, wanted, least, threads, plain, found, NULL, err);
    else
        result = lens_scan(view, self->sum, wanted, least, threads, plain, found, err);
    lens_packed_close(copies);
    for (size_t i = 0; result == 0 && i < *found; i++)
        hits[i] = (lens_fold_hit){plain[i].id, plain[i].row, plain[i].score, 1};
    free(plain);
    return result;
}

/* The mean and the deviation of what the rows of ALL are ranked by. PENALTIES: theirs; NULL: none. */
static void spread_of(const lens_ranker *self, const lens_store_vectors *all, const float *penalties, double *mean, double *deviation)
{
    const size_t count = all->count < SPREAD_ROWS ? all->count : SPREAD_ROWS, dim = (size_t)self->model.dim;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t row = i * all->count / count;
        const double score = (double)lens_dot(self->sum, all->data + (size_t)all->slots[row] * dim, self->model.dim) - (penalties ? (double)penalties[row] : 0);
        sum += score;
        squares += score * score;
    }
    *mean = count ? sum / (double)count : 0;
    const double variance = count ? squares / (double)count - *mean * *mean : 0;
    *deviation = variance > 1e-12 ? sqrt(variance) : 1e-6;
}

/* Of all pictures, where ours are those of some folders alone. */
static int measure_all(lens_ranker *self, lens_error *err)
{
    lens_warm_view *warm = self->library->warm ? lens_warm_view_of(self->library->warm, self->store, self->model.id, err) : NULL;
    lens_store_vectors own = {0};
    if (self->library->warm ? !warm : lens_store_vectors_open(self->store, self->model.id, NULL, 0, &own, err) != 0)
        return -1;
    const lens_store_vectors *all = warm ? &warm->vectors : &own;
    float *penalties = self->penalties ? lens_nearness_penalties(all, lens_processors(), err) : NULL;
    const int result = (penalties || !self->penalties) && lens_store_vectors_fit(all, self->model.dim, err) == 0 ? 0 : -1;
    if (result == 0)
        spread_of(self, all, penalties, &self->mean, &self->deviation);
    free(penalties);
    if (warm)
        lens_warm_view_release(warm);
    else
        lens_store_vectors_free(&own);
    return result;
}

int lens_ranker_spread(lens_ranker *self, double *mean, double *deviation, lens_error *err)
{
    if (self->remote)
        return lens_store_spread(self->store, self->model.id, self->sum, self->model.dim, mean, deviation, err);
    if (!self->measured && measure_all(self, err) != 0)
        return -1;
    self->measured = true;
    *mean = self->mean;
    *deviation = self->deviation;
    return 0;
}

int lens_ranker_fold(lens_ranker *self, const lens_hit *ranked, size_t count, size_t wanted, lens_fold_hit *hits, size_t *found, lens_error *err)
{
    lens_view view = lens_vectors_view(&self->vectors);
    float *shapes = shapes_of(self, err);
    const int result = shapes ? lens_fold_ranked(&view, shapes, ranked, count, wanted, lens_processors(), hits, found, err) : -1;
    free(shapes);
    return result;
}

bool lens_ranker_may_be(lens_ranker *self, int64_t id)
{
    size_t row;
    return self->remote ? lens_remote_may_be(self, id) : lens_ranker_row(self, id, &row);
}

int lens_ranker_well(const lens_ranker *self, lens_error *err)
{
    if (self->trouble.code && err)
        *err = self->trouble;
    return self->trouble.code ? -1 : 0;
}

int lens_ranker_fetch(lens_ranker *self, const int64_t *ids, size_t count, lens_error *err)
{
    return self->remote ? lens_remote_fetch(self, ids, count, err) : 0;
}

bool lens_ranker_row(const lens_ranker *self, int64_t id, size_t *row)
{
    return lens_store_vectors_row(&self->vectors, id, row);
}

static int absolute_folders(lens_ranker *self, lens_error *err)
{
    for (size_t i = 0; i < self->options->in_count; i++) {
        char *path = lens_path_absolute(self->options->in[i], err);
        if (!path)
            return -1;
        if (lens_names_add(&self->in, path) != 0)
            return lens_fail_memory(err);
    }
    return 0;
}

/* How near each row's picture is to all others: of the vectors that we have, where those are all. */
static int weigh(lens_ranker *self, lens_error *err)
{
    const int threads = lens_processors();
    self->penalties = self->in.count ? lens_nearness_of_some(self->store, self->model.id, &self->vectors, threads, err)
                                     : lens_nearness_penalties(&self->vectors, threads, err);
    return self->penalties ? 0 : -1;
}

/* Leaves only what the terms and the options let in, and its penalties. */
static int let_in(lens_ranker *self, lens_error *err)
{
    const size_t count = self->vectors.count;
    int64_t *ids = self->penalties ? malloc((count + 1) * sizeof *ids) : NULL;
    if (self->penalties && !ids)
        return lens_fail_memory(err);
    if (ids)
        memcpy(ids, self->vectors.ids, count * sizeof *ids);
    const int result = self->options->leave_out_terms && leave_out_own(self, err) != 0 ? -1 : narrow(self, err);
    for (size_t i = 0, kept = 0; ids && result == 0 && i < count && kept < self->vectors.count; i++)
        if (ids[i] == self->vectors.ids[kept])
            self->penalties[kept++] = self->penalties[i];
    self->count = self->vectors.count;
    free(ids);
    return result;
}

int lens_ranker_open(lens_ranker *self, lens_library *library, lens_store *store, const lens_store_model *model, const lens_term *terms, size_t term_count,
                     const lens_search_options *options, bool spread, lens_error *err)
{
    *self = (lens_ranker){.library = library, .store = store, .model = *model, .terms = terms, .term_count = term_count, .options = options};
    /* How near pictures are to each other is worked out of all vectors, wherever they are. */
    self->remote = lens_store_searches(store) && !options->unhub && !options->fold;
    if (absolute_folders(self, err) != 0 || (!self->remote && open_vectors(self, err) != 0))
        return -1;
    if (term_count && query_vector(self, err) != 0)
        return -1;
    if (self->remote) {
        const int narrows = read_filter(self, err);
        self->scope.filter = narrows > 0 ? &self->filter : NULL;
        return narrows < 0 ? -1 : lens_remote_open(self, err);
    }
    if (options->unhub && term_count && weigh(self, err) != 0)
        return -1;
    self->measured = spread && term_count && !self->in.count;
    if (self->measured)
        spread_of(self, &self->vectors, self->penalties, &self->mean, &self->deviation);
    return let_in(self, err);
}

/* Takes out of our own rows what is gone; and nearness anew, as that has counted in it. */
static int drop_gone(lens_ranker *self, lens_error *err)
{
    if (own_rows(self, err) != 0 || lens_store_vectors_narrow(self->store, &self->vectors, &lens_store_filter_none, err) != 0)
        return -1;
    self->count = self->vectors.count;
    if (!self->penalties)
        return 0;
    free(self->penalties);
    self->penalties = lens_nearness_of_some(self->store, self->model.id, &self->vectors, lens_processors(), err);
    return self->penalties ? 0 : -1;
}

int lens_ranker_renew(lens_ranker *self, lens_error *err)
{
    self->approximate = false;
    self->trouble = (lens_error){0};
    if (!self->remote)
        return drop_gone(self, err);
    free(self->allowed);
    self->allowed = NULL;
    self->allowed_count = 0;
    lens_store_vectors_free(&self->vectors);
    return lens_remote_open(self, err);
}

void lens_ranker_close(lens_ranker *self)
{
    lens_names_free(&self->in);
    free(self->allowed);
    free(self->formats);
    free(self->penalties);
    free(self->own);
    free(self->term_vectors);
    free(self->sum);
    close_vectors(self);
}
