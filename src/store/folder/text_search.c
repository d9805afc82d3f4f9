/* Finding words, and what is written about a content as vectors of sentences. */

#include "store/folder/internal.h"
#include "store/texts.h"

bool lens_words_here(lens_folder *store)
{
    if (store->version >= LENS_SCHEMA_WORDS)
        return true;
    /* A writer may have raised the library since it was opened to be read. */
    int64_t version;
    if (lens_sql_number(store, "PRAGMA user_version", &version, NULL) == 0)
        store->version = (int)version;
    return store->version >= LENS_SCHEMA_WORDS;
}

int lens_ids(lens_folder *store, sqlite3_stmt *statement, int64_t number, const char *text, int64_t *ids, int count, lens_error *err)
{
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, number);
    if (text)
        sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
    int found = 0, result = 0;
    while (found < count && (result = lens_sql_step(store, statement, err)) > 0)
        ids[found++] = sqlite3_column_int64(statement, 0);
    lens_sql_done(store, statement);
    return result < 0 ? -1 : found;
}

/* ---- searching ---- */

#define TEXT_COLUMNS "text.id, text.picture, text.content, text.text, text.folded, text.source"

static int each_text(lens_folder *store, sqlite3_stmt *statement, lens_store_text_each each, void *context, lens_error *err)
{
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        const lens_store_text text = {
            .id = sqlite3_column_int64(statement, 0),
            .picture = sqlite3_column_int64(statement, 1),
            .content = sqlite3_column_int64(statement, 2),
            .text = (const char *)sqlite3_column_text(statement, 3),
            .folded = (const char *)sqlite3_column_text(statement, 4),
            .source = sqlite3_column_int64(statement, 5),
        };
        if (!text.text || !text.folded) {
            result = lens_sql_memory(store, err);
            break;
        }
        if ((result = each(context, &text)) != 0)
            break;
    }
    lens_sql_done(store, statement);
    return result;
}

int lens_folder_texts_match(lens_folder *store, const char *match, bool ranked, lens_store_text_each each, void *context, lens_error *err)
{
    if (!lens_words_here(store))
        return 0;
    sqlite3_stmt *statement =
        ranked ? lens_sql(store, "SELECT " TEXT_COLUMNS " FROM text_words CROSS JOIN text ON text.id = text_words.rowid"
                                 " WHERE text_words MATCH ?1 ORDER BY text_words.rank", err)
               : lens_sql(store, "SELECT " TEXT_COLUMNS " FROM text_words CROSS JOIN text ON text.id = text_words.rowid"
                                 " WHERE text_words MATCH ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, match, -1, SQLITE_STATIC);
    return each_text(store, statement, each, context, err);
}

/* The texts that SQL finds for the number ID. */
static int texts_by(lens_folder *store, const char *sql, int64_t id, lens_store_text_each each, void *context, lens_error *err)
{
    if (!lens_words_here(store))
        return 0;
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    return each_text(store, statement, each, context, err);
}

int lens_folder_texts_of(lens_folder *store, int64_t id, lens_store_text_each each, void *context, lens_error *err)
{
    return texts_by(store, "SELECT " TEXT_COLUMNS " FROM text WHERE picture = ?1 UNION ALL SELECT " TEXT_COLUMNS
                           " FROM picture JOIN text ON text.content = picture.content WHERE picture.id = ?1", id, each, context, err);
}

int lens_folder_words(lens_folder *store, lens_store_word_each each, void *context, lens_error *err)
{
    if (!lens_words_here(store))
        return 0;
    sqlite3_stmt *statement = lens_sql(store, "SELECT word, texts FROM word ORDER BY word", err);
    if (!statement)
        return -1;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        const char *word = (const char *)sqlite3_column_text(statement, 0);
        if (!word)
            result = lens_sql_memory(store, err);
        else
            result = each(context, word, (size_t)sqlite3_column_bytes(statement, 0), sqlite3_column_int64(statement, 1));
        if (result != 0)
            break;
    }
    lens_sql_done(store, statement);
    return result;
}

/* The number that SQL gives; 0 where there are no words. -1 on error. */
static int64_t count_of(lens_folder *store, const char *sql, lens_error *err)
{
    int64_t count = 0;
    return !lens_words_here(store) || lens_sql_number(store, sql, &count, err) == 0 ? count : -1;
}

int64_t lens_folder_text_count(lens_folder *store, lens_error *err)
{
    /* Rows, the empty ones with them, when there is one that is not: this is asked before every query of words. */
    return count_of(store, "SELECT CASE WHEN EXISTS (SELECT 1 FROM text WHERE folded <> '') THEN (SELECT count(*) FROM text) ELSE 0 END", err);
}

int64_t lens_folder_caption_count(lens_folder *store, lens_error *err)
{
    return count_of(store, "SELECT count(*) FROM text WHERE picture IS NOT NULL", err);
}

int lens_folder_picture_ids(lens_folder *store, int64_t content, int (*each)(void *context, int64_t id), void *context, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT id FROM picture WHERE content = ?1 ORDER BY id", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, content);
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0)
        if ((result = each(context, sqlite3_column_int64(statement, 0))) != 0)
            break;
    lens_sql_done(store, statement);
    return result;
}

/* ---- sentences ---- */

int lens_folder_sentences_missing(lens_folder *store, int64_t model, int64_t after, int64_t *contents, int count, lens_error *err)
{
    if (!lens_words_here(store))
        return 0;
    sqlite3_stmt *statement = lens_sql(store, "SELECT id FROM content WHERE id > ?1 AND NOT EXISTS (SELECT 1 FROM vector WHERE vector.content = content.id"
                                              " AND model = ?2) AND (EXISTS (SELECT 1 FROM text WHERE text.content = content.id AND folded <> '')"
                                              " OR EXISTS (SELECT 1 FROM picture JOIN text ON text.picture = picture.id"
                                              " WHERE picture.content = content.id AND folded <> '')) ORDER BY id", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 2, model);
    return lens_ids(store, statement, after, NULL, contents, count, err);
}

int lens_folder_texts_of_content(lens_folder *store, int64_t content, lens_store_text_each each, void *context, lens_error *err)
{
    return texts_by(store, "SELECT " TEXT_COLUMNS " FROM text WHERE content = ?1 AND folded <> '' UNION ALL SELECT " TEXT_COLUMNS
                           " FROM picture JOIN text ON text.picture = picture.id WHERE picture.content = ?1 AND folded <> ''", content, each, context, err);
}

static int put_sentences(lens_folder *store, lens_writer *writer, const int64_t *contents, const float *vectors, size_t count, lens_error *err)
{
    const size_t dim = (size_t)writer->row.identity.dim;
    for (size_t i = 0; i < count; i++) {
        const float *values = vectors + i * dim;
        if (!lens_store_is_unit(values, (int)dim))
            return lens_fail(err, LENS_E_ARGUMENT, "the vector of a sentence is not finite and of length 1");
        const int has = lens_folder_has_vector(store, writer->row.id, contents[i], err);
        if (has < 0 || (has == 0 && lens_vector_append(store, writer, contents[i], values, err) != 0))
            return -1;
    }
    return lens_writers_sync(store, err);
}

int lens_folder_sentences_write(lens_folder *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err)
{
    if (lens_sql_begin(store, err) != 0)
        return -1;
    lens_writer *writer = lens_writer_of(store, model, err);
    return lens_writers_end(store, writer ? put_sentences(store, writer, contents, vectors, count, err) : -1, err);
}
