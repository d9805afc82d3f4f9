#include "library/approximate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/processors.h"
#include "library/copies.h"
#include "library/view.h"
#include "search/cells_scan.h"

/* Raised when what is in the file means something else. */
enum { FORMAT = 1 };
enum { TRIED = 200 /* queries that say how many cells it takes */, PROBES_LEAST = 8, PROBES_MOST = 4096 };
enum { LAG_MOST = 10 /* one of so many slots may be in no cell: comparing those takes as long again as the rest */ };
static const double recall_enough = 0.99;

static const char about_name[] = "about", codes_name[] = "codes", bounds_name[] = "bounds", links_name[] = "links", above_name[] = "above", upper_name[] = "upper",
                  begins_name[] = "begins", slots_name[] = "slots", wish_name[] = "approximate";

/* As in the file. */
struct about {
    uint64_t count, leaders, upper_count, slot_count, probes;
    uint32_t entry, level;
    double recall, ratio;
};

lens_hash lens_approximate_key(const lens_store_vectors *vectors)
{
    const uint64_t format = FORMAT;
    uint8_t text[sizeof vectors->identity + sizeof format + 1];
    memcpy(text, &vectors->identity, sizeof vectors->identity);
    memcpy(text + sizeof vectors->identity, &format, sizeof format);
    text[sizeof text - 1] = 'g';
    return lens_hash_of(text, sizeof text);
}

/* ---- reading ---- */

/* Only what ABOUT says is held against its hash: the rest is looked at in small parts, and graph.c and cells.c hold each number against the bounds where
 * they use it. */
static bool read_cells(lens_approximate *self, const lens_store_vectors *vectors, const lens_bytes_view *bytes)
{
    lens_error ignored = {0};
    const struct about *about = lens_packed_find(self->packed, about_name, sizeof *about, &ignored);
    if (!about || about->count < 1 || about->count > vectors->committed || about->count > bytes->count || about->leaders < 1 || about->leaders > about->count ||
        about->upper_count >= LENS_GRAPH_NONE || about->slot_count >= LENS_GRAPH_NONE || about->entry >= about->leaders || about->level > LENS_GRAPH_LEVELS ||
        about->probes < 1 || about->probes > PROBES_MOST)
        return false;
    const size_t leaders = (size_t)about->leaders;
    lens_cells *cells = &self->cells;
    lens_graph *graph = &cells->graph;
    *cells = (lens_cells){.count = (size_t)about->count, .slot_count = (size_t)about->slot_count, .leaders = {.count = leaders}};
    *graph = (lens_graph){.count = leaders, .entry = about->entry, .level = about->level, .upper_count = (size_t)about->upper_count};
    self->probes = (size_t)about->probes;
    self->recall = about->recall;
    self->ratio = about->ratio;
    cells->leaders.codes = lens_packed_find_table(self->packed, codes_name, leaders * lens_code_size(vectors->dim), &ignored);
    cells->leaders.bounds = lens_packed_find_table(self->packed, bounds_name, leaders * sizeof *cells->leaders.bounds, &ignored);
    graph->links = lens_packed_find_table(self->packed, links_name, leaders * LENS_GRAPH_LINKS * sizeof *graph->links, &ignored);
    graph->above = lens_packed_find_table(self->packed, above_name, leaders * sizeof *graph->above, &ignored);
    graph->upper = lens_packed_find_table(self->packed, upper_name, graph->upper_count * LENS_GRAPH_ABOVE * sizeof *graph->upper, &ignored);
    cells->begins = lens_packed_find_table(self->packed, begins_name, (leaders + 1) * sizeof *cells->begins, &ignored);
    cells->slots = lens_packed_find_table(self->packed, slots_name, cells->slot_count * sizeof *cells->slots, &ignored);
    return cells->leaders.codes && cells->leaders.bounds && graph->links && graph->above && graph->upper && cells->begins && cells->slots;
}

lens_approximate *lens_approximate_of(lens_packed *packed, const lens_store_vectors *vectors, const lens_bytes_view *bytes)
{
    lens_approximate *self = packed ? calloc(1, sizeof *self) : NULL;
    if (!self) {
        lens_packed_close(packed);
        return NULL;
    }
    self->packed = packed;
    if (read_cells(self, vectors, bytes))
        return self;
    lens_approximate_close(self);
    return NULL;
}

lens_approximate *lens_approximate_open(const lens_store_vectors *vectors, const lens_bytes_view *bytes)
{
    const lens_hash key = lens_approximate_key(vectors);
    lens_error ignored = {0};
    return bytes->count && vectors->cells ? lens_approximate_of(lens_packed_open(vectors->cells, &key, &ignored), vectors, bytes) : NULL;
}

bool lens_approximate_untrue(const lens_store_vectors *vectors)
{
    const lens_hash key = lens_approximate_key(vectors);
    lens_error ignored = {0};
    lens_packed *packed = vectors->cells ? lens_packed_open(vectors->cells, &key, &ignored) : NULL;
    const struct about *about = packed ? lens_packed_find(packed, about_name, sizeof *about, &ignored) : NULL;
    const bool untrue = about && about->count > vectors->committed;
    lens_packed_close(packed);
    return untrue;
}

void lens_approximate_close(lens_approximate *self)
{
    if (self)
        lens_packed_close(self->packed);
    free(self);
}

int64_t lens_approximate_size(const lens_approximate *self, const lens_store_vectors *vectors, int64_t *bytes)
{
    struct stat info;
    const bool there = stat(vectors->cells, &info) == 0;
    *bytes = there ? (int64_t)info.st_size : 0;
    return there ? (int64_t)self->cells.count : 0;
}

int64_t lens_approximate_covered(lens_store *store, int64_t model, int64_t *bytes, double *recall, double *ratio)
{
    lens_error ignored = {0};
    lens_store_vectors vectors;
    lens_bytes_view view = {0};
    int64_t covered = 0;
    *bytes = 0;
    *recall = *ratio = 0;
    if (lens_store_searches(store)) {
        covered = lens_store_approximate_covered(store, model, bytes, &ignored);
        return covered > 0 ? covered : 0;
    }
    if (lens_store_vectors_open(store, model, NULL, 0, &vectors, &ignored) != 0)
        return 0;
    lens_packed *copies = lens_copies_open(&vectors, &view);
    lens_approximate *self = copies ? lens_approximate_open(&vectors, &view) : NULL;
    if (self) {
        covered = lens_approximate_size(self, &vectors, bytes);
        *recall = self->recall;
        *ratio = self->ratio;
    }
    lens_approximate_close(self);
    lens_packed_close(copies);
    lens_store_vectors_free(&vectors);
    return covered;
}

int64_t lens_approximate_stamp(const lens_store_vectors *vectors)
{
    struct stat info;
    if (!vectors->cells || stat(vectors->cells, &info) != 0)
        return 0;
    const int64_t stamp = (int64_t)info.st_ino ^ ((int64_t)info.st_mtim.tv_sec << 20) ^ (int64_t)info.st_mtim.tv_nsec;
    return stamp ? stamp : 1;
}

/* ---- ranking ---- */

int lens_approximate_rank(const lens_approximate *self, const lens_bytes_view *bytes, const lens_slot_rows *rows, const lens_store_vectors *all,
                          const lens_store_vectors *some, const float *query, size_t wanted, float least, int threads, lens_hit *hits, size_t *found,
                          lens_error *err)
{
    *found = 0;
    const size_t gone = all->count - some->count, covered = self->cells.count;
    if (wanted == 0 || wanted > covered / 16 || some->count < covered / 2 || all->count < some->count)
        return 0;
    /* Where some rows are no results, so many more are asked for that enough should be left. */
    const size_t more = gone < 16 ? gone : wanted * gone / some->count * 2 + 16, asked = wanted + more;
    const size_t probes = self->probes + asked / 4;
    lens_hit *near = calloc(asked, sizeof *near);
    if (!near)
        return lens_fail_memory(err);
    const lens_view view = lens_vectors_view(all);
    size_t count = 0, kept = 0;
    int result = lens_cells_scan(&self->cells, bytes, rows, &view, query, asked, -INFINITY, probes, threads, near, &count, err);
    for (size_t i = 0; result == 0 && i < count && kept < wanted; i++)
        if (gone == 0 || lens_store_vectors_row(some, near[i].id, &near[i].row))
            hits[kept++] = near[i];
    free(near);
    if (result != 0)
        return -1;
    if (kept < wanted && kept < some->count)
        return 0;
    while (kept && !(hits[kept - 1].score >= least))
        kept--;
    *found = kept;
    return 1;
}

/* ---- the wish ---- */

bool lens_approximate_wanted(lens_store *store, const char *folder)
{
    bool in_store = false;
    if (lens_store_searches(store))
        return lens_store_approximate_wanted(store, &in_store, NULL) == 0 && in_store;
    char *path = lens_path_join(folder, wish_name);
    const bool wanted = path && lens_file_exists(path);
    free(path);
    return wanted;
}

int lens_approximate_want(lens_store *store, const char *folder, bool wanted, lens_error *err)
{
    if (lens_store_searches(store))
        return lens_store_approximate_want(store, wanted, err);
    char *path = lens_path_join(folder, wish_name);
    int result = path ? 0 : lens_fail_memory(err);
    if (result == 0 && wanted && !lens_file_exists(path))
        result = lens_file_write(path, "", 0, err);
    else if (result == 0 && !wanted)
        result = lens_file_remove(path, err);
    free(path);
    return result;
}

/* ---- making ---- */

/* In how few cells enough of the truth is found. */
static int find_probes(const lens_cells *cells, const lens_bytes_view *bytes, const lens_store_vectors *vectors, struct about *about, lens_error *err)
{
    const lens_view view = lens_vectors_view(vectors);
    const size_t most = cells->leaders.count < PROBES_MOST ? cells->leaders.count : PROBES_MOST;
    lens_slot_rows rows;
    lens_trial trial = {0};
    if (lens_slot_rows_make(&view, vectors->committed, &rows, err) != 0)
        return -1;
    int result = lens_trial_make(cells, bytes, &rows, &view, TRIED, lens_processors(), &trial, err);
    for (size_t probes = PROBES_LEAST; result == 0; probes = probes * 3 / 2) {
        about->probes = probes < most ? probes : most;
        result = lens_trial_run(&trial, (size_t)about->probes, err);
        about->recall = trial.recall;
        about->ratio = trial.exact_seconds > 0 ? trial.cells_seconds / trial.exact_seconds : 1;
        if (trial.recall >= recall_enough || probes >= most)
            break;
    }
    lens_trial_free(&trial);
    lens_slot_rows_free(&rows);
    return result;
}

static int write_cells(const lens_cells *cells, const struct about *about, const lens_store_vectors *vectors, lens_error *err)
{
    const size_t leaders = cells->leaders.count;
    const struct {
        const char *name;
        const void *bytes;
        size_t size;
    } runs[] = {
        {about_name, about, sizeof *about},
        {codes_name, cells->leaders.codes, leaders * lens_code_size(vectors->dim)},
        {bounds_name, cells->leaders.bounds, leaders * sizeof *cells->leaders.bounds},
        {links_name, cells->graph.links, leaders * LENS_GRAPH_LINKS * sizeof *cells->graph.links},
        {above_name, cells->graph.above, leaders * sizeof *cells->graph.above},
        {upper_name, cells->graph.upper, cells->graph.upper_count * LENS_GRAPH_ABOVE * sizeof *cells->graph.upper},
        {begins_name, cells->begins, (leaders + 1) * sizeof *cells->begins},
        {slots_name, cells->slots, cells->slot_count * sizeof *cells->slots},
    };
    const lens_hash key = lens_approximate_key(vectors);
    lens_packing *packing = lens_packing_new();
    int result = packing ? 0 : lens_fail_memory(err);
    for (size_t i = 0; result == 0 && i < sizeof runs / sizeof *runs; i++)
        result = lens_packing_add(packing, runs[i].name, runs[i].bytes, runs[i].size, err);
    if (result == 0)
        result = lens_packing_write(packing, vectors->cells, &key, err);
    lens_packing_free(packing);
    return result;
}

static int make(const lens_store_vectors *vectors, const lens_bytes_view *bytes, int threads, lens_graph_go_on *go_on, void *context, lens_error *err)
{
    lens_cells cells = {0};
    struct about about = {0};
    int result = lens_cells_build(bytes, vectors->committed, vectors->dim, threads, go_on, context, &cells, err);
    if (result == 0)
        result = find_probes(&cells, bytes, vectors, &about, err);
    about.count = cells.count;
    about.leaders = cells.leaders.count;
    about.slot_count = cells.slot_count;
    about.upper_count = cells.graph.upper_count;
    about.entry = cells.graph.entry;
    about.level = cells.graph.level;
    if (result == 0)
        result = write_cells(&cells, &about, vectors, err);
    lens_cells_free(&cells);
    return result;
}

int lens_approximate_refresh(lens_store *store, int64_t model, int threads, lens_graph_go_on *go_on, void *context, bool *made, lens_error *err)
{
    lens_store_vectors vectors;
    *made = false;
    if (lens_store_searches(store))
        return lens_store_approximate_make(store, model, made, err);
    if (lens_store_vectors_open(store, model, NULL, 0, &vectors, err) != 0)
        return -1;
    int result = 0;
    lens_bytes_view bytes = {0};
    lens_packed *copies = vectors.count ? lens_copies_open(&vectors, &bytes) : NULL;
    lens_approximate *there = copies ? lens_approximate_open(&vectors, &bytes) : NULL;
    if (vectors.count && (!there || vectors.committed - there->cells.count > vectors.committed / LAG_MOST)) {
        if (!copies || bytes.count < vectors.committed) {
            lens_packed_close(copies);
            result = lens_copies_make(&vectors, err);
            copies = result == 0 ? lens_copies_open(&vectors, &bytes) : NULL;
            if (result == 0 && !copies)
                result = lens_fail(err, LENS_E_FORMAT, "%s: what was just written cannot be read", vectors.copy);
        }
        if (result == 0)
            result = make(&vectors, &bytes, threads, go_on, context, err);
        *made = result == 0;
    }
    lens_approximate_close(there);
    lens_packed_close(copies);
    lens_store_vectors_free(&vectors);
    return result;
}

int lens_approximate_remove(lens_store *store, int64_t model, lens_error *err)
{
    lens_store_vectors vectors;
    if (lens_store_searches(store))
        return lens_store_approximate_drop(store, model, err);
    if (lens_store_vectors_open(store, model, NULL, 0, &vectors, err) != 0)
        return -1;
    const int result = lens_file_remove(vectors.cells, err);
    lens_store_vectors_free(&vectors);
    return result;
}
