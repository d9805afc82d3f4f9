/* The door to the two stores: a folder of files (folder/), and a database of PostgreSQL (postgres/). Each call goes to the one that a place names; whoever
 * calls need not know which. */
#include <stdlib.h>
#include <string.h>

#include "store/backends.h"

bool lens_store_place_is_database(const char *place)
{
    return strncmp(place, "postgresql://", strlen("postgresql://")) == 0 || strncmp(place, "postgres://", strlen("postgres://")) == 0;
}

char *lens_store_place_shown(const char *place)
{
    return lens_store_place_is_database(place) ? lens_postgres_place_shown(place) : strdup(place);
}

lens_store *lens_store_open(const char *place, lens_store_mode mode, double wait, lens_error *err)
{
    lens_store *store = calloc(1, sizeof *store);
    if (!store)
        lens_fail_memory(err);
    else if (lens_store_place_is_database(place))
        store->postgres = lens_postgres_open(place, mode, wait, err);
    else
        store->folder = lens_folder_open(place, mode, wait, err);
    if (store && (store->postgres || store->folder))
        return store;
    free(store);
    return NULL;
}

void lens_store_close(lens_store *store)
{
    if (!store)
        return;
    lens_postgres_close(store->postgres);
    lens_folder_close(store->folder);
    free(store);
}

void lens_store_wait_while(lens_store *store, bool (*go_on)(void *context), void *context)
{
    if (store->postgres)
        lens_postgres_wait_while(store->postgres, go_on, context);
}

int lens_store_roots(lens_store *store, lens_names *out, lens_error *err)
{
    return ASK(store, roots, out, err);
}

int lens_store_forgotten(lens_store *store, lens_names *out, lens_error *err)
{
    return ASK(store, forgotten, out, err);
}

int lens_store_add_root(lens_store *store, const char *path, lens_error *err)
{
    return ASK(store, add_root, path, err);
}

int lens_store_remember(lens_store *store, const char *path, lens_error *err)
{
    return ASK(store, remember, path, err);
}

int lens_store_root_settings(lens_store *store, const char *path, char **settings, lens_error *err)
{
    return ASK(store, root_settings, path, settings, err);
}

int lens_store_set_root_settings(lens_store *store, const char *path, const char *settings, lens_error *err)
{
    return ASK(store, set_root_settings, path, settings, err);
}

int lens_store_forget(lens_store *store, const char *path, int64_t *removed, lens_error *err)
{
    return ASK(store, forget, path, removed, err);
}

int lens_store_models_list(lens_store *store, lens_store_models *out, lens_error *err)
{
    return ASK(store, models_list, out, err);
}

int lens_store_sentence_models(lens_store *store, lens_store_models *out, lens_error *err)
{
    return ASK(store, sentence_models, out, err);
}

int lens_store_add_model(lens_store *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    return ASK(store, add_model, name, dim, fingerprint, id, err);
}

int lens_store_add_sentence_model(lens_store *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    return ASK(store, add_sentence_model, name, dim, fingerprint, id, err);
}

int lens_store_forget_model(lens_store *store, const char *name, lens_error *err)
{
    return ASK(store, forget_model, name, err);
}

int lens_store_picture_by_path(lens_store *store, const char *path, lens_store_picture *out, lens_error *err)
{
    return ASK(store, picture_by_path, path, out, err);
}

int lens_store_picture_by_id(lens_store *store, int64_t id, lens_store_picture *out, lens_error *err)
{
    return ASK(store, picture_by_id, id, out, err);
}

int lens_store_pictures_some(lens_store *store, int64_t *ids, int count, lens_error *err)
{
    return ASK(store, pictures_some, ids, count, err);
}

int lens_store_content_by_hash(lens_store *store, lens_hash hash, int64_t *content, lens_error *err)
{
    return ASK(store, content_by_hash, hash, content, err);
}

int lens_store_pictures_of(lens_store *store, int64_t content, lens_store_each each, void *context, lens_error *err)
{
    return ASK(store, pictures_of, content, each, context, err);
}

int lens_store_picture_next(lens_store *store, int64_t content, int64_t after, lens_store_picture *out, lens_error *err)
{
    return ASK(store, picture_next, content, after, out, err);
}

int lens_store_pictures_each(lens_store *store, lens_store_each each, void *context, lens_error *err)
{
    return ASK(store, pictures_each, each, context, err);
}

int lens_store_has_vector(lens_store *store, int64_t model, int64_t content, lens_error *err)
{
    return ASK(store, has_vector, model, content, err);
}

int lens_store_write(lens_store *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err)
{
    return ASK(store, write, entries, count, ids, err);
}

int lens_store_met_clear(lens_store *store, lens_error *err)
{
    return ASK(store, met_clear, err);
}

int lens_store_met_mark(lens_store *store, int64_t id, lens_error *err)
{
    return ASK(store, met_mark, id, err);
}

int lens_store_met_keep(lens_store *store, const char *path, lens_error *err)
{
    return ASK(store, met_keep, path, err);
}

int lens_store_sweep(lens_store *store, const char *root, int64_t *removed, lens_error *err)
{
    return ASK(store, sweep, root, removed, err);
}

int lens_store_vectors_open(lens_store *store, int64_t model, const char *const *folders, size_t folder_count, lens_store_vectors *out, lens_error *err)
{
    return ASK(store, vectors_open, model, folders, folder_count, out, err);
}

int lens_store_vectors_file(lens_store *store, int64_t model, lens_store_vectors *out, lens_error *err)
{
    *out = (lens_store_vectors){0};
    return store->folder ? lens_folder_vectors_file(store->folder, model, out, err) : lens_fail(err, LENS_E_UNSUPPORTED, "a database has no files of vectors");
}

int lens_store_vectors_shapes(lens_store *store, const lens_store_vectors *vectors, float *shapes, lens_error *err)
{
    return ASK(store, vectors_shapes, vectors, shapes, err);
}

int lens_store_vectors_narrow(lens_store *store, lens_store_vectors *vectors, const lens_store_filter *filter, lens_error *err)
{
    return ASK(store, vectors_narrow, vectors, filter, err);
}

int lens_store_version(lens_store *store, int64_t *version, lens_error *err)
{
    return ASK(store, version, version, err);
}

lens_store_file lens_store_file_of(const lens_store *store)
{
    return store->folder ? lens_folder_file_of(store->folder) : (lens_store_file){0};
}

int lens_store_which(lens_store *store, lens_store_file *which, lens_error *err)
{
    return ASK(store, which, which, err);
}

bool lens_store_file_same(lens_store_file a, lens_store_file b)
{
    return a.device == b.device && a.number == b.number;
}

bool lens_store_moved(const lens_store *store)
{
    return store->folder && lens_folder_moved(store->folder);
}

int lens_store_moment_begin(lens_store *store, lens_error *err)
{
    return ASK(store, moment_begin, err);
}

void lens_store_moment_end(lens_store *store)
{
    if (store->postgres)
        lens_postgres_moment_end(store->postgres);
    else
        lens_folder_moment_end(store->folder);
}

int lens_store_count(lens_store *store, lens_store_counts *out, lens_error *err)
{
    return ASK(store, count, out, err);
}

int lens_store_compact(lens_store *store, bool always, lens_error *err)
{
    return ASK(store, compact, always, err);
}

int lens_store_check(lens_store *store, void (*fault)(void *context, const char *line), void *context, lens_error *err)
{
    return ASK(store, check, fault, context, err);
}

/* ---- what databases alone do ---- */

bool lens_store_searches(const lens_store *store)
{
    return store->postgres != NULL;
}

bool lens_store_shares_work(const lens_store *store)
{
    return store->postgres != NULL;
}

static int not_a_database(lens_error *err)
{
    return lens_fail(err, LENS_E_UNSUPPORTED, "a library in a folder is searched where it lies, by one worker");
}

int lens_store_nearest(lens_store *store, int64_t model, const float *query, int dim, const lens_store_scope *scope, size_t wanted, bool exact,
                       lens_store_vectors *out, lens_error *err)
{
    return store->postgres ? lens_postgres_nearest(store->postgres, model, query, dim, scope, wanted, exact, out, err) : not_a_database(err);
}

int lens_store_vectors_of(lens_store *store, int64_t model, const int64_t *ids, size_t count, const lens_store_scope *scope, lens_store_vectors *out, lens_error *err)
{
    return store->postgres ? lens_postgres_vectors_of(store->postgres, model, ids, count, scope, out, err) : not_a_database(err);
}

int lens_store_scope_count(lens_store *store, int64_t model, const lens_store_scope *scope, int64_t *count, lens_error *err)
{
    return store->postgres ? lens_postgres_scope_count(store->postgres, model, scope, count, err) : not_a_database(err);
}

int lens_store_scope_ids(lens_store *store, int64_t model, const lens_store_scope *scope, int64_t **ids, size_t *count, lens_error *err)
{
    return store->postgres ? lens_postgres_scope_ids(store->postgres, model, scope, ids, count, err) : not_a_database(err);
}

int lens_store_spread(lens_store *store, int64_t model, const float *query, int dim, double *mean, double *deviation, lens_error *err)
{
    return store->postgres ? lens_postgres_spread(store->postgres, model, query, dim, mean, deviation, err) : not_a_database(err);
}

int lens_store_work_begin(lens_store *store, const char *name, const int64_t *models, size_t model_count, double lease, int64_t *worker, lens_error *err)
{
    return store->postgres ? lens_postgres_work_begin(store->postgres, name, models, model_count, lease, worker, err) : not_a_database(err);
}

int lens_store_work_renew(lens_store *store, int64_t worker, double lease, lens_error *err)
{
    return store->postgres ? lens_postgres_work_renew(store->postgres, worker, lease, err) : not_a_database(err);
}

int lens_store_work_end(lens_store *store, int64_t worker, lens_error *err)
{
    return store->postgres ? lens_postgres_work_end(store->postgres, worker, err) : not_a_database(err);
}

int lens_store_work_offer(lens_store *store, int64_t worker, const lens_store_work *items, size_t count, lens_error *err)
{
    return store->postgres ? lens_postgres_work_offer(store->postgres, worker, items, count, err) : not_a_database(err);
}

int lens_store_work_claim(lens_store *store, int64_t worker, const lens_names *within, lens_store_work *items, int count, lens_error *err)
{
    return store->postgres ? lens_postgres_work_claim(store->postgres, worker, within, items, count, err) : not_a_database(err);
}

int lens_store_work_drop(lens_store *store, int64_t worker, const char *path, lens_error *err)
{
    return store->postgres ? lens_postgres_work_drop(store->postgres, worker, path, err) : not_a_database(err);
}

int64_t lens_store_work_left(lens_store *store, int64_t worker, const lens_names *within, int64_t *own, lens_error *err)
{
    return store->postgres ? lens_postgres_work_left(store->postgres, worker, within, own, err) : not_a_database(err);
}

int lens_store_workers_list(lens_store *store, lens_store_workers *out, lens_error *err)
{
    return store->postgres ? lens_postgres_workers_list(store->postgres, out, err) : not_a_database(err);
}

int lens_store_work_release(lens_store *store, int64_t worker, lens_error *err)
{
    return store->postgres ? lens_postgres_work_release(store->postgres, worker, err) : not_a_database(err);
}

size_t lens_store_path_most(const lens_store *store)
{
    return store->postgres ? lens_postgres_path_most(store->postgres) : SIZE_MAX;
}

int lens_store_approximate_wanted(lens_store *store, bool *wanted, lens_error *err)
{
    return store->postgres ? lens_postgres_approximate_wanted(store->postgres, wanted, err) : not_a_database(err);
}

int lens_store_approximate_want(lens_store *store, bool wanted, lens_error *err)
{
    return store->postgres ? lens_postgres_approximate_want(store->postgres, wanted, err) : not_a_database(err);
}

int lens_store_approximate_make(lens_store *store, int64_t model, bool *made, lens_error *err)
{
    return store->postgres ? lens_postgres_approximate_make(store->postgres, model, made, err) : not_a_database(err);
}

int lens_store_approximate_drop(lens_store *store, int64_t model, lens_error *err)
{
    return store->postgres ? lens_postgres_approximate_drop(store->postgres, model, err) : not_a_database(err);
}

int64_t lens_store_approximate_covered(lens_store *store, int64_t model, int64_t *bytes, lens_error *err)
{
    return store->postgres ? lens_postgres_approximate_covered(store->postgres, model, bytes, err) : not_a_database(err);
}
