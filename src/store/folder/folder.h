/* A library that is a folder: a SQLite database beside one append-only vector file a model. */
#ifndef LENS_STORE_FOLDER_H
#define LENS_STORE_FOLDER_H

#include "store/copying.h"
#include "store/texts.h"

typedef struct lens_folder lens_folder;

lens_folder *lens_folder_open(const char *folder, lens_store_mode mode, double wait, lens_error *err);
void lens_folder_close(lens_folder *store);
int lens_folder_roots(lens_folder *store, lens_names *out, lens_error *err);
int lens_folder_forgotten(lens_folder *store, lens_names *out, lens_error *err);
int lens_folder_add_root(lens_folder *store, const char *path, lens_error *err);
int lens_folder_remember(lens_folder *store, const char *path, lens_error *err);
int lens_folder_root_settings(lens_folder *store, const char *path, char **settings, lens_error *err);
int lens_folder_set_root_settings(lens_folder *store, const char *path, const char *settings, lens_error *err);
int lens_folder_forget(lens_folder *store, const char *path, int64_t *removed, lens_error *err);
int lens_folder_models_list(lens_folder *store, lens_store_models *out, lens_error *err);
int lens_folder_sentence_models(lens_folder *store, lens_store_models *out, lens_error *err);
int lens_folder_add_model(lens_folder *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err);
int lens_folder_add_sentence_model(lens_folder *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err);
int lens_folder_forget_model(lens_folder *store, const char *name, lens_error *err);
int lens_folder_picture_by_path(lens_folder *store, const char *path, lens_store_picture *out, lens_error *err);
int lens_folder_picture_by_id(lens_folder *store, int64_t id, lens_store_picture *out, lens_error *err);
int lens_folder_pictures_some(lens_folder *store, int64_t *ids, int count, lens_error *err);
int lens_folder_content_by_hash(lens_folder *store, lens_hash hash, int64_t *content, lens_error *err);
int lens_folder_pictures_of(lens_folder *store, int64_t content, lens_store_each each, void *context, lens_error *err);
int lens_folder_picture_next(lens_folder *store, int64_t content, int64_t after, lens_store_picture *out, lens_error *err);
int lens_folder_pictures_each(lens_folder *store, lens_store_each each, void *context, lens_error *err);
int lens_folder_has_vector(lens_folder *store, int64_t model, int64_t content, lens_error *err);
int lens_folder_write(lens_folder *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err);
int lens_folder_met_clear(lens_folder *store, lens_error *err);
int lens_folder_met_mark(lens_folder *store, int64_t id, lens_error *err);
int lens_folder_met_keep(lens_folder *store, const char *path, lens_error *err);
int lens_folder_sweep(lens_folder *store, const char *root, int64_t *removed, lens_error *err);
int lens_folder_vectors_open(lens_folder *store, int64_t model, const char *const *folders, size_t folder_count, lens_store_vectors *out, lens_error *err);
int lens_folder_vectors_file(lens_folder *store, int64_t model, lens_store_vectors *out, lens_error *err);
int lens_folder_vectors_shapes(lens_folder *store, const lens_store_vectors *vectors, float *shapes, lens_error *err);
int lens_folder_vectors_narrow(lens_folder *store, lens_store_vectors *vectors, const lens_store_filter *filter, lens_error *err);
int lens_folder_version(lens_folder *store, int64_t *version, lens_error *err);
lens_store_file lens_folder_file_of(const lens_folder *store);
int lens_folder_which(lens_folder *store, lens_store_file *which, lens_error *err);
bool lens_folder_moved(const lens_folder *store);
int lens_folder_moment_begin(lens_folder *store, lens_error *err);
void lens_folder_moment_end(lens_folder *store);
int lens_folder_count(lens_folder *store, lens_store_counts *out, lens_error *err);
int lens_folder_compact(lens_folder *store, bool always, lens_error *err);
int lens_folder_check(lens_folder *store, void (*fault)(void *context, const char *line), void *context, lens_error *err);
int lens_folder_sources_list(lens_folder *store, lens_source_kind kind, lens_store_sources *out, lens_error *err);
int lens_folder_source_put(lens_folder *store, const char *path, lens_source_kind kind, const char *settings, int64_t *id, lens_error *err);
int lens_folder_source_settings(lens_folder *store, int64_t id, const char *settings, lens_error *err);
int lens_folder_source_remove(lens_folder *store, int64_t id, lens_error *err);
int lens_folder_captions_write(lens_folder *store, int64_t source, int64_t size, int64_t mtime_ns, const lens_store_caption *captions, size_t count, bool whole, int64_t *changed, lens_error *err);
int lens_folder_batch_begin(lens_folder *store, lens_error *err);
int lens_folder_batch_end(lens_folder *store, int result, lens_error *err);
int lens_folder_readings_write(lens_folder *store, const lens_store_file *of, const char *version, const lens_store_reading *readings, size_t count, lens_error *err);
int lens_folder_readings_missing(lens_folder *store, const char *version, int64_t after, int64_t *contents, int count, lens_error *err);
int lens_folder_readings_version(lens_folder *store, char **version, lens_error *err);
int lens_folder_readings_count(lens_folder *store, const char *version, int64_t *read, int64_t *with_text, lens_error *err);
int64_t lens_folder_caption_count(lens_folder *store, lens_error *err);
int lens_folder_texts_match(lens_folder *store, const char *match, bool ranked, lens_store_text_each each, void *context, lens_error *err);
int lens_folder_texts_of(lens_folder *store, int64_t id, lens_store_text_each each, void *context, lens_error *err);
int lens_folder_words(lens_folder *store, lens_store_word_each each, void *context, lens_error *err);
int lens_folder_texts_mend(lens_folder *store, bool *mended, lens_error *err);
int64_t lens_folder_text_count(lens_folder *store, lens_error *err);
int lens_folder_picture_ids(lens_folder *store, int64_t content, int (*each)(void *context, int64_t id), void *context, lens_error *err);
int lens_folder_sentences_missing(lens_folder *store, int64_t model, int64_t after, int64_t *contents, int count, lens_error *err);
int lens_folder_texts_of_content(lens_folder *store, int64_t content, lens_store_text_each each, void *context, lens_error *err);
int lens_folder_sentences_write(lens_folder *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err);

int lens_folder_export_begin(lens_folder *store, lens_error *err);
void lens_folder_export_end(lens_folder *store);
int lens_folder_export(lens_folder *store, lens_store_part part, int64_t model, const lens_record *after, lens_records *out, lens_error *err);
int lens_folder_import(lens_folder *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err);
int lens_folder_expunge(lens_folder *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err);
int lens_folder_mark(lens_folder *store, const char *source, lens_error *err);
int lens_folder_marked(lens_folder *store, char **source, lens_error *err);
int lens_folder_ids_given(lens_folder *store, lens_store_ids *out, lens_error *err);
int lens_folder_ids_raise(lens_folder *store, const lens_store_ids *ids, lens_error *err);
int lens_folder_identity(lens_folder *store, lens_hash *identity, lens_error *err);

#endif
