/* The words of a library, in whichever store it is. */
#include "store/backends.h"

int lens_store_sources_list(lens_store *store, lens_source_kind kind, lens_store_sources *out, lens_error *err)
{
    return ASK(store, sources_list, kind, out, err);
}

int lens_store_source_put(lens_store *store, const char *path, lens_source_kind kind, const char *settings, int64_t *id, lens_error *err)
{
    return ASK(store, source_put, path, kind, settings, id, err);
}

int lens_store_source_settings(lens_store *store, int64_t id, const char *settings, lens_error *err)
{
    return ASK(store, source_settings, id, settings, err);
}

int lens_store_source_remove(lens_store *store, int64_t id, lens_error *err)
{
    return ASK(store, source_remove, id, err);
}

int lens_store_names_begin(lens_store *store, lens_error *err)
{
    return store->postgres ? lens_postgres_names_begin(store->postgres, err) : 0; /* a folder has one writer */
}

int lens_store_captions_write(lens_store *store, int64_t source, int64_t size, int64_t mtime_ns, const lens_store_caption *captions, size_t count, bool whole, int64_t *changed, lens_error *err)
{
    return ASK(store, captions_write, source, size, mtime_ns, captions, count, whole, changed, err);
}

int lens_store_batch_begin(lens_store *store, lens_error *err)
{
    return ASK(store, batch_begin, err);
}

int lens_store_batch_end(lens_store *store, int result, lens_error *err)
{
    return ASK(store, batch_end, result, err);
}

int lens_store_readings_write(lens_store *store, const lens_store_file *of, const char *version, const lens_store_reading *readings, size_t count, lens_error *err)
{
    return ASK(store, readings_write, of, version, readings, count, err);
}

int lens_store_readings_missing(lens_store *store, const char *version, int64_t after, int64_t *contents, int count, lens_error *err)
{
    return ASK(store, readings_missing, version, after, contents, count, err);
}

int lens_store_readings_version(lens_store *store, char **version, lens_error *err)
{
    return ASK(store, readings_version, version, err);
}

int lens_store_readings_count(lens_store *store, const char *version, int64_t *read, int64_t *with_text, lens_error *err)
{
    return ASK(store, readings_count, version, read, with_text, err);
}

int64_t lens_store_caption_count(lens_store *store, lens_error *err)
{
    return ASK(store, caption_count, err);
}

int lens_store_texts_match(lens_store *store, const char *match, bool ranked, lens_store_text_each each, void *context, lens_error *err)
{
    return ASK(store, texts_match, match, ranked, each, context, err);
}

int lens_store_texts_of(lens_store *store, int64_t id, lens_store_text_each each, void *context, lens_error *err)
{
    return ASK(store, texts_of, id, each, context, err);
}

int lens_store_words(lens_store *store, lens_store_word_each each, void *context, lens_error *err)
{
    return ASK(store, words, each, context, err);
}

int lens_store_texts_mend(lens_store *store, bool *mended, lens_error *err)
{
    return ASK(store, texts_mend, mended, err);
}

int64_t lens_store_text_count(lens_store *store, lens_error *err)
{
    return ASK(store, text_count, err);
}

int lens_store_picture_ids(lens_store *store, int64_t content, int (*each)(void *context, int64_t id), void *context, lens_error *err)
{
    return ASK(store, picture_ids, content, each, context, err);
}

int lens_store_sentences_missing(lens_store *store, int64_t model, int64_t after, int64_t *contents, int count, lens_error *err)
{
    return ASK(store, sentences_missing, model, after, contents, count, err);
}

int lens_store_texts_of_content(lens_store *store, int64_t content, lens_store_text_each each, void *context, lens_error *err)
{
    return ASK(store, texts_of_content, content, each, context, err);
}

int lens_store_sentences_write(lens_store *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err)
{
    return ASK(store, sentences_write, model, contents, vectors, count, err);
}
