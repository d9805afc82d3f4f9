/* A library that is a database of PostgreSQL with the extension pgvector. */
#ifndef LENS_STORE_POSTGRES_H
#define LENS_STORE_POSTGRES_H

#include "store/copying.h"
#include "store/texts.h"

typedef struct lens_postgres lens_postgres;

enum { LENS_POSTGRES_PATH_MOST = 2600 /* bytes: what an entry of an index holds */ };

lens_postgres *lens_postgres_open(const char *place, lens_store_mode mode, double patience, lens_error *err);
void lens_postgres_close(lens_postgres *store);
char *lens_postgres_place_shown(const char *place);
int lens_postgres_roots(lens_postgres *store, lens_names *out, lens_error *err);
int lens_postgres_forgotten(lens_postgres *store, lens_names *out, lens_error *err);
int lens_postgres_add_root(lens_postgres *store, const char *path, lens_error *err);
int lens_postgres_remember(lens_postgres *store, const char *path, lens_error *err);
int lens_postgres_root_settings(lens_postgres *store, const char *path, char **settings, lens_error *err);
int lens_postgres_set_root_settings(lens_postgres *store, const char *path, const char *settings, lens_error *err);
int lens_postgres_forget(lens_postgres *store, const char *path, int64_t *removed, lens_error *err);
int lens_postgres_models_list(lens_postgres *store, lens_store_models *out, lens_error *err);
int lens_postgres_sentence_models(lens_postgres *store, lens_store_models *out, lens_error *err);
int lens_postgres_add_model(lens_postgres *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err);
int lens_postgres_add_sentence_model(lens_postgres *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err);
int lens_postgres_forget_model(lens_postgres *store, const char *name, lens_error *err);
int lens_postgres_picture_by_path(lens_postgres *store, const char *path, lens_store_picture *out, lens_error *err);
int lens_postgres_picture_by_id(lens_postgres *store, int64_t id, lens_store_picture *out, lens_error *err);
int lens_postgres_pictures_some(lens_postgres *store, int64_t *ids, int count, lens_error *err);
int lens_postgres_content_by_hash(lens_postgres *store, lens_hash hash, int64_t *content, lens_error *err);
int lens_postgres_pictures_of(lens_postgres *store, int64_t content, lens_store_each each, void *context, lens_error *err);
int lens_postgres_picture_next(lens_postgres *store, int64_t content, int64_t after, lens_store_picture *out, lens_error *err);
int lens_postgres_pictures_each(lens_postgres *store, lens_store_each each, void *context, lens_error *err);
int lens_postgres_has_vector(lens_postgres *store, int64_t model, int64_t content, lens_error *err);
int lens_postgres_write(lens_postgres *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err);
int lens_postgres_met_clear(lens_postgres *store, lens_error *err);
int lens_postgres_met_mark(lens_postgres *store, int64_t id, lens_error *err);
int lens_postgres_met_keep(lens_postgres *store, const char *path, lens_error *err);
int lens_postgres_sweep(lens_postgres *store, const char *root, int64_t *removed, lens_error *err);
int lens_postgres_vectors_open(lens_postgres *store, int64_t model, const char *const *folders, size_t folder_count, lens_store_vectors *out, lens_error *err);
int lens_postgres_vectors_shapes(lens_postgres *store, const lens_store_vectors *vectors, float *shapes, lens_error *err);
int lens_postgres_vectors_narrow(lens_postgres *store, lens_store_vectors *vectors, const lens_store_filter *filter, lens_error *err);
int lens_postgres_which(lens_postgres *store, lens_store_file *which, lens_error *err);
int lens_postgres_version(lens_postgres *store, int64_t *version, lens_error *err);
int lens_postgres_moment_begin(lens_postgres *store, lens_error *err);
void lens_postgres_moment_end(lens_postgres *store);
int lens_postgres_count(lens_postgres *store, lens_store_counts *out, lens_error *err);
int lens_postgres_compact(lens_postgres *store, bool always, lens_error *err);
int lens_postgres_check(lens_postgres *store, void (*fault)(void *context, const char *line), void *context, lens_error *err);
int lens_postgres_sources_list(lens_postgres *store, lens_source_kind kind, lens_store_sources *out, lens_error *err);
int lens_postgres_source_put(lens_postgres *store, const char *path, lens_source_kind kind, const char *settings, int64_t *id, lens_error *err);
int lens_postgres_source_settings(lens_postgres *store, int64_t id, const char *settings, lens_error *err);
int lens_postgres_source_remove(lens_postgres *store, int64_t id, lens_error *err);
int lens_postgres_names_begin(lens_postgres *store, lens_error *err);
int lens_postgres_captions_write(lens_postgres *store, int64_t source, int64_t size, int64_t mtime_ns, const lens_store_caption *captions, size_t count, bool whole, int64_t *changed, lens_error *err);
int lens_postgres_batch_begin(lens_postgres *store, lens_error *err);
int lens_postgres_batch_end(lens_postgres *store, int result, lens_error *err);
int lens_postgres_readings_write(lens_postgres *store, const lens_store_file *of, const char *version, const lens_store_reading *readings, size_t count, lens_error *err);
int lens_postgres_readings_missing(lens_postgres *store, const char *version, int64_t after, int64_t *contents, int count, lens_error *err);
int lens_postgres_readings_version(lens_postgres *store, char **version, lens_error *err);
int lens_postgres_readings_count(lens_postgres *store, const char *version, int64_t *read, int64_t *with_text, lens_error *err);
int64_t lens_postgres_caption_count(lens_postgres *store, lens_error *err);
int lens_postgres_texts_match(lens_postgres *store, const char *match, bool ranked, lens_store_text_each each, void *context, lens_error *err);
int lens_postgres_texts_of(lens_postgres *store, int64_t id, lens_store_text_each each, void *context, lens_error *err);
int lens_postgres_words(lens_postgres *store, lens_store_word_each each, void *context, lens_error *err);
int lens_postgres_texts_mend(lens_postgres *store, bool *mended, lens_error *err);
int64_t lens_postgres_text_count(lens_postgres *store, lens_error *err);
int lens_postgres_picture_ids(lens_postgres *store, int64_t content, int (*each)(void *context, int64_t id), void *context, lens_error *err);
int lens_postgres_sentences_missing(lens_postgres *store, int64_t model, int64_t after, int64_t *contents, int count, lens_error *err);
int lens_postgres_texts_of_content(lens_postgres *store, int64_t content, lens_store_text_each each, void *context, lens_error *err);
int lens_postgres_sentences_write(lens_postgres *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err);

int lens_postgres_nearest(lens_postgres *store, int64_t model, const float *query, int dim, const lens_store_scope *scope, size_t wanted, bool exact,
                          lens_store_vectors *out, lens_error *err);
int lens_postgres_vectors_of(lens_postgres *store, int64_t model, const int64_t *ids, size_t count, const lens_store_scope *scope, lens_store_vectors *out, lens_error *err);
int lens_postgres_scope_count(lens_postgres *store, int64_t model, const lens_store_scope *scope, int64_t *count, lens_error *err);
int lens_postgres_scope_ids(lens_postgres *store, int64_t model, const lens_store_scope *scope, int64_t **ids, size_t *count, lens_error *err);
int lens_postgres_spread(lens_postgres *store, int64_t model, const float *query, int dim, double *mean, double *deviation, lens_error *err);
int lens_postgres_approximate_wanted(lens_postgres *store, bool *wanted, lens_error *err);
int lens_postgres_approximate_want(lens_postgres *store, bool wanted, lens_error *err);
int lens_postgres_approximate_make(lens_postgres *store, int64_t model, bool *made, lens_error *err);
int lens_postgres_approximate_drop(lens_postgres *store, int64_t model, lens_error *err);
int64_t lens_postgres_approximate_covered(lens_postgres *store, int64_t model, int64_t *bytes, lens_error *err);
size_t lens_postgres_path_most(const lens_postgres *store);
void lens_postgres_wait_while(lens_postgres *store, bool (*go_on)(void *context), void *context);
int lens_postgres_work_begin(lens_postgres *store, const char *name, const int64_t *models, size_t model_count, double lease, int64_t *worker, lens_error *err);
int lens_postgres_work_renew(lens_postgres *store, int64_t worker, double lease, lens_error *err);
int lens_postgres_work_release(lens_postgres *store, int64_t worker, lens_error *err);
int lens_postgres_work_end(lens_postgres *store, int64_t worker, lens_error *err);
int lens_postgres_work_offer(lens_postgres *store, int64_t worker, const lens_store_work *items, size_t count, lens_error *err);
int lens_postgres_work_claim(lens_postgres *store, int64_t worker, const lens_names *within, lens_store_work *items, int count, lens_error *err);
int lens_postgres_work_drop(lens_postgres *store, int64_t worker, const char *path, lens_error *err);
int64_t lens_postgres_work_left(lens_postgres *store, int64_t worker, const lens_names *within, int64_t *own, lens_error *err);
int lens_postgres_workers_list(lens_postgres *store, lens_store_workers *out, lens_error *err);

int lens_postgres_export_begin(lens_postgres *store, lens_error *err);
void lens_postgres_export_end(lens_postgres *store);
int lens_postgres_export(lens_postgres *store, lens_store_part part, int64_t model, const lens_record *after, lens_records *out, lens_error *err);
int lens_postgres_import(lens_postgres *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err);
int lens_postgres_expunge(lens_postgres *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err);
int lens_postgres_mark(lens_postgres *store, const char *source, lens_error *err);
int lens_postgres_marked(lens_postgres *store, char **source, lens_error *err);
int lens_postgres_ids_given(lens_postgres *store, lens_store_ids *out, lens_error *err);
int lens_postgres_ids_raise(lens_postgres *store, const lens_store_ids *ids, lens_error *err);
int lens_postgres_identity(lens_postgres *store, lens_hash *identity, lens_error *err);

#endif
