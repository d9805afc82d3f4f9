/* Keeping words: captions with their sources, and what was read in pictures. */
#include <stdlib.h>

#include "base/list.h"
#include "store/folder/internal.h"
#include "store/texts.h"

/* ---- sources ---- */

int lens_folder_sources_list(lens_folder *store, lens_source_kind kind, lens_store_sources *out, lens_error *err)
{
    *out = (lens_store_sources){0};
    if (!lens_words_here(store))
        return 0;
    sqlite3_stmt *statement = lens_sql(store, "SELECT id, path, kind, size, mtime_ns, settings FROM source WHERE kind = ?1 ORDER BY path", err);
    if (!statement)
        return -1;
    sqlite3_bind_int(statement, 1, (int)kind);
    size_t capacity = 0;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        lens_store_source *items = lens_list_room(out->items, out->count, &capacity, sizeof *items);
        if (!items) {
            result = lens_sql_memory(store, err);
            break;
        }
        out->items = items;
        bool short_of_memory = false;
        lens_store_source *source = &out->items[out->count++];
        *source = (lens_store_source){
            .id = sqlite3_column_int64(statement, 0),
            .path = lens_sql_text(statement, 1, &short_of_memory),
            .kind = (lens_source_kind)sqlite3_column_int(statement, 2),
            .size = sqlite3_column_int64(statement, 3),
            .mtime_ns = sqlite3_column_int64(statement, 4),
            .settings = lens_sql_text(statement, 5, &short_of_memory),
        };
        if (short_of_memory) {
            result = lens_sql_memory(store, err);
            break;
        }
    }
    lens_sql_done(store, statement);
    if (result != 0)
        lens_store_sources_free(out);
    return result;
}

int lens_folder_source_put(lens_folder *store, const char *path, lens_source_kind kind, const char *settings, int64_t *id, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "INSERT INTO source (path, kind, size, mtime_ns, settings) VALUES (?1, ?2, -1, -1, ?3)"
                                              " ON CONFLICT (path) DO UPDATE SET kind = min(kind, ?2), settings = coalesce(?3, settings) RETURNING id", err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, path);
    sqlite3_bind_int(statement, 2, (int)kind);
    if (settings)
        sqlite3_bind_blob64(statement, 3, settings, strlen(settings), SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, 3);
    int result = lens_sql_step(store, statement, err);
    if (result > 0)
        *id = sqlite3_column_int64(statement, 0);
    while (result > 0)
        result = lens_sql_step(store, statement, err);
    lens_sql_done(store, statement);
    return result;
}

int lens_sources_unread(lens_folder *store, lens_error *err)
{
    return lens_sql_run(store, "UPDATE source SET mtime_ns = -1 WHERE kind IN (1, 2) AND mtime_ns <> -1", err);
}

int lens_folder_source_settings(lens_folder *store, int64_t id, const char *settings, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "UPDATE source SET settings = ?2 WHERE id = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_blob64(statement, 2, settings, strlen(settings), SQLITE_STATIC);
    return lens_sql_finish(store, statement, err);
}

int lens_folder_source_remove(lens_folder *store, int64_t id, lens_error *err)
{
    if (lens_sql_begin(store, err) != 0)
        return -1;
    int result = lens_sql_run_with(store, "DELETE FROM text WHERE source = ?1", id, err);
    if (result == 0)
        result = lens_sql_run_with(store, "DELETE FROM source WHERE id = ?1", id, err);
    return lens_sql_end(store, result, err);
}

int lens_folder_batch_begin(lens_folder *store, lens_error *err)
{
    if (lens_sql_begin(store, err) != 0)
        return -1;
    store->batch = true;
    return 0;
}

int lens_folder_batch_end(lens_folder *store, int result, lens_error *err)
{
    if (!store->batch)
        return -1;
    store->batch = false;
    return lens_sql_end(store, result, err);
}

/* ---- captions ---- */

typedef struct said {
    int64_t text, picture;
    bool kept;
} said;

static int compare_said(const void *a, const void *b)
{
    const said *x = a, *y = b;
    return x->picture < y->picture ? -1 : x->picture > y->picture;
}

/* What SOURCE says now, in order of picture. The caller frees. */
static int list_said(lens_folder *store, int64_t source, said **out, size_t *count, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT id, picture FROM text WHERE source = ?1 ORDER BY picture", err);
    size_t capacity = 0;
    int result = -1;
    *out = NULL;
    *count = 0;
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, source);
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        said *items = lens_list_room(*out, *count, &capacity, sizeof *items);
        if (!items) {
            result = lens_sql_memory(store, err);
            break;
        }
        *out = items;
        (*out)[(*count)++] = (said){.text = sqlite3_column_int64(statement, 0), .picture = sqlite3_column_int64(statement, 1)};
    }
    lens_sql_done(store, statement);
    return result;
}

/* Whether text ID reads TEXT: 1 or 0. */
static int reads(lens_folder *store, int64_t id, const char *text, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT text = ?2 FROM text WHERE id = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
    int result = lens_sql_step(store, statement, err);
    if (result > 0)
        result = sqlite3_column_int(statement, 0);
    lens_sql_done(store, statement);
    return result;
}

static int put_caption(lens_folder *store, int64_t source, const lens_store_caption *caption, said *before, int64_t *changed, lens_error *err)
{
    if (before) {
        before->kept = true;
        const int same = reads(store, before->text, caption->text, err);
        if (same != 0)
            return same < 0 ? -1 : 0;
    }
    sqlite3_stmt *statement = before ? lens_sql(store, "UPDATE text SET text = ?3, folded = ?4 WHERE id = ?5", err)
                                     : lens_sql(store, "INSERT INTO text (picture, source, text, folded) VALUES (?1, ?2, ?3, ?4)", err);
    if (!statement)
        return -1;
    if (before) {
        sqlite3_bind_int64(statement, 5, before->text);
    } else {
        sqlite3_bind_int64(statement, 1, caption->picture);
        sqlite3_bind_int64(statement, 2, source);
    }
    sqlite3_bind_text(statement, 3, caption->text, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, caption->folded, -1, SQLITE_STATIC);
    ++*changed;
    return lens_sql_finish(store, statement, err);
}

/* What SOURCE says about PICTURE: 1 or 0, or -1. */
static int find_said(lens_folder *store, int64_t source, int64_t picture, said *out, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT id FROM text WHERE picture = ?1 AND source = ?2", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, picture);
    sqlite3_bind_int64(statement, 2, source);
    const int result = lens_sql_step(store, statement, err);
    if (result > 0)
        *out = (said){.text = sqlite3_column_int64(statement, 0), .picture = picture};
    lens_sql_done(store, statement);
    return result;
}

static int remove_said(lens_folder *store, const said *gone, int64_t *changed, lens_error *err)
{
    ++*changed;
    return lens_sql_run_with(store, "DELETE FROM text WHERE id = ?1", gone->text, err);
}

int lens_caption_put(lens_folder *store, int64_t source, const lens_store_caption *caption, int64_t *changed, lens_error *err)
{
    said before;
    const int found = find_said(store, source, caption->picture, &before, err);
    if (found < 0)
        return -1;
    if (*caption->text)
        return put_caption(store, source, caption, found ? &before : NULL, changed, err);
    return found ? remove_said(store, &before, changed, err) : 0;
}

static int put_some(lens_folder *store, int64_t source, const lens_store_caption *captions, size_t count, int64_t *changed, lens_error *err)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = lens_caption_put(store, source, &captions[i], changed, err);
    return result;
}

static int put_all(lens_folder *store, int64_t source, const lens_store_caption *captions, size_t count, int64_t *changed, lens_error *err)
{
    said *before;
    size_t before_count;
    int result = list_said(store, source, &before, &before_count, err);
    for (size_t i = 0; i < count && result == 0; i++) {
        const said wanted = {.picture = captions[i].picture};
        said *known = before_count ? bsearch(&wanted, before, before_count, sizeof *before, compare_said) : NULL;
        result = put_caption(store, source, &captions[i], known, changed, err);
    }
    for (size_t i = 0; i < before_count && result == 0; i++)
        if (!before[i].kept)
            result = remove_said(store, &before[i], changed, err);
    free(before);
    return result;
}

int lens_folder_captions_write(lens_folder *store, int64_t source, int64_t size, int64_t mtime_ns, const lens_store_caption *captions, size_t count,
                              bool whole, int64_t *changed, lens_error *err)
{
    int64_t ignored = 0;
    int64_t *changes = changed ? changed : &ignored;
    *changes = 0;
    if (lens_sql_begin(store, err) != 0)
        return -1;
    int result = (whole ? put_all : put_some)(store, source, captions, count, changes, err);
    sqlite3_stmt *statement = result == 0 ? lens_sql(store, "UPDATE source SET size = ?2, mtime_ns = ?3 WHERE id = ?1", err) : NULL;
    if (statement) {
        sqlite3_bind_int64(statement, 1, source);
        sqlite3_bind_int64(statement, 2, size);
        sqlite3_bind_int64(statement, 3, mtime_ns);
        result = lens_sql_finish(store, statement, err);
    } else {
        result = -1;
    }
    return lens_sql_end(store, result, err);
}

/* ---- readings ---- */

/* What another version read makes room, so that the last row is of the version that read last. */
static int put_reading(lens_folder *store, const char *version, const lens_store_reading *reading, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "DELETE FROM text WHERE content = ?1 AND version <> ?2", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, reading->content);
    sqlite3_bind_text(statement, 2, version, -1, SQLITE_STATIC);
    if (lens_sql_finish(store, statement, err) != 0)
        return -1;
    /* A content may have gone while it was being read, or another may have read it meanwhile. */
    statement = lens_sql(store, "INSERT INTO text (content, version, text, folded) SELECT id, ?2, ?3, ?4 FROM content WHERE id = ?1"
                                " ON CONFLICT (content) WHERE content IS NOT NULL DO NOTHING", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, reading->content);
    sqlite3_bind_text(statement, 2, version, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, reading->text, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, reading->folded, -1, SQLITE_STATIC);
    return lens_sql_finish(store, statement, err);
}

int lens_folder_readings_write(lens_folder *store, const lens_store_file *of, const char *version, const lens_store_reading *readings, size_t count, lens_error *err)
{
    if (of && !lens_store_file_same(store->file, *of))
        return 1;
    if (lens_sql_begin(store, err) != 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = put_reading(store, version, &readings[i], err);
    return lens_sql_end(store, result, err);
}

int lens_folder_readings_missing(lens_folder *store, const char *version, int64_t after, int64_t *contents, int count, lens_error *err)
{
    if (!lens_words_here(store)) /* of an older version: nothing was ever read */
        return lens_ids(store, lens_sql(store, "SELECT id FROM content WHERE id > ?1 ORDER BY id", err), after, NULL, contents, count, err);
    return lens_ids(store, lens_sql(store, "SELECT id FROM content WHERE id > ?1 AND NOT EXISTS (SELECT 1 FROM text WHERE text.content = content.id"
                                           " AND version = ?2) ORDER BY id", err), after, version, contents, count, err);
}

int lens_folder_readings_version(lens_folder *store, char **version, lens_error *err)
{
    *version = NULL;
    sqlite3_stmt *statement = lens_words_here(store) ? lens_sql(store, "SELECT version FROM text WHERE content IS NOT NULL ORDER BY id DESC LIMIT 1", err) : NULL;
    if (!statement)
        return lens_words_here(store) ? -1 : 0;
    bool short_of_memory = false;
    int result = lens_sql_step(store, statement, err);
    if (result > 0)
        *version = lens_sql_text(statement, 0, &short_of_memory);
    lens_sql_done(store, statement);
    return short_of_memory ? lens_sql_memory(store, err) : result < 0 ? -1 : 0;
}

int lens_folder_readings_count(lens_folder *store, const char *version, int64_t *read, int64_t *with_text, lens_error *err)
{
    *read = *with_text = 0;
    if (!lens_words_here(store))
        return 0;
    sqlite3_stmt *statement = lens_sql(store, "SELECT count(*), count(nullif(folded, '')) FROM text WHERE content IS NOT NULL AND (?1 IS NULL OR version = ?1)", err);
    if (!statement)
        return -1;
    if (version)
        sqlite3_bind_text(statement, 1, version, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, 1);
    const int result = lens_sql_step(store, statement, err);
    if (result > 0) {
        *read = sqlite3_column_int64(statement, 0);
        *with_text = sqlite3_column_int64(statement, 1);
    }
    lens_sql_done(store, statement);
    return result < 0 ? -1 : 0;
}
