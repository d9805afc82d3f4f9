/* Keeping words: captions with their sources, and what was read in pictures. */
#include <stdlib.h>

#include "store/postgres/internal.h"

/* ---- sources ---- */

int lens_postgres_sources_list(lens_postgres *store, lens_source_kind kind, lens_store_sources *out, lens_error *err)
{
    *out = (lens_store_sources){0};
    lens_pg_args args = {0};
    lens_pg_int(&args, (int64_t)kind);
    PGresult *rows = lens_pg_ask(store, "SELECT id, path, kind, size, mtime_ns, settings FROM source WHERE kind = $1 ORDER BY path", &args, err);
    if (!rows)
        return -1;
    const int count = lens_pg_rows(store, rows);
    bool short_of_memory = !(out->items = calloc((size_t)count + 1, sizeof *out->items)), damaged = false;
    for (int i = 0; i < count && !short_of_memory && !damaged; i++) {
        out->items[out->count++] = (lens_store_source){
            .id = lens_pg_int_at(store, rows, i, 0),
            .path = lens_pg_copy_at(store, rows, i, 1, &short_of_memory),
            .kind = (lens_source_kind)lens_pg_int_at(store, rows, i, 2),
            .size = lens_pg_int_at(store, rows, i, 3),
            .mtime_ns = lens_pg_int_at(store, rows, i, 4),
            .settings = lens_pg_copy_at(store, rows, i, 5, &short_of_memory),
        };
        damaged = !out->items[i].path;
    }
    lens_pg_done(store, rows);
    if (!short_of_memory && !damaged)
        return 0;
    lens_store_sources_free(out);
    return short_of_memory ? lens_fail_memory(err) : lens_fail(err, LENS_E_FORMAT, "%s: a row about a source of captions is damaged", store->name);
}

int lens_postgres_source_put(lens_postgres *store, const char *path, lens_source_kind kind, const char *settings, int64_t *id, lens_error *err)
{
    lens_pg_args args = {0};
    if (*path && lens_pg_path_check(path, err) != 0)
        return -1;
    if (lens_pg_begin(store, err) != 0)
        return -1;
    lens_pg_path(&args, path);
    lens_pg_int(&args, (int64_t)kind);
    lens_pg_path(&args, settings);
    return lens_pg_end(store, lens_pg_number(store, "INSERT INTO source (path, kind, size, mtime_ns, settings) VALUES ($1, $2, -1, -1, $3)"
                                                    " ON CONFLICT (path) DO UPDATE SET kind = least(source.kind, excluded.kind),"
                                                    " settings = coalesce(excluded.settings, source.settings) RETURNING id", &args, id, err), err);
}

int lens_pg_sources_unread(lens_postgres *store, lens_error *err)
{
    return lens_pg_run(store, "UPDATE source SET mtime_ns = -1 WHERE kind IN (1, 2) AND mtime_ns <> -1", NULL, NULL, err);
}

static int run_with(lens_postgres *store, const char *sql, int64_t number, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, number);
    return lens_pg_run(store, sql, &args, NULL, err);
}

int lens_postgres_source_settings(lens_postgres *store, int64_t id, const char *settings, lens_error *err)
{
    lens_pg_args args = {0};
    if (lens_pg_begin(store, err) != 0)
        return -1;
    lens_pg_int(&args, id);
    lens_pg_path(&args, settings);
    return lens_pg_end(store, lens_pg_run(store, "UPDATE source SET settings = $2 WHERE id = $1", &args, NULL, err), err);
}

int lens_postgres_source_remove(lens_postgres *store, int64_t id, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    int result = run_with(store, "DELETE FROM text WHERE source = $1", id, err);
    if (result == 0)
        result = run_with(store, "DELETE FROM source WHERE id = $1", id, err);
    return lens_pg_end(store, result, err);
}

int lens_postgres_batch_begin(lens_postgres *store, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    store->batch = true;
    return 0;
}

int lens_postgres_batch_end(lens_postgres *store, int result, lens_error *err)
{
    if (!store->batch)
        return -1;
    store->batch = false;
    return lens_pg_end(store, result, err);
}

/* ---- the names by which captions are told apart ---- */

/* In a turn of its own: what is written in another one's has the time at which it was written, and is seen when the turn ends. Nothing is changed by it. */
int lens_postgres_names_begin(lens_postgres *store, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    PGresult *rows = lens_pg_ask(store, "SELECT " LENS_PG_NOW ", pictures, change FROM library", NULL, err);
    const bool there = rows && lens_pg_rows(store, rows) > 0;
    if (there) {
        store->names.begun = lens_pg_int_at(store, rows, 0, 0);
        store->names.pictures = lens_pg_int_at(store, rows, 0, 1);
        store->names.change = lens_pg_int_at(store, rows, 0, 2);
        store->names.old = false;
    } else if (rows) {
        lens_fail(err, LENS_E_FORMAT, "%s: a row about the library is missing", store->name);
    }
    lens_pg_done(store, rows);
    lens_pg_end(store, -1, NULL);
    return there ? 0 : -1;
}

/* Sees, in our turn, whether another one has named pictures or taken some out since the names were read: where nothing new was named, there are fewer then. The
 * pictures are only looked at when others have written at all. */
static int look_at_names(lens_postgres *store, lens_error *err)
{
    int64_t change = 0, old = 0;
    if (!store->names.begun || store->names.old || store->names.looked)
        return 0;
    if (lens_pg_number(store, "SELECT change FROM library", NULL, &change, err) != 0)
        return -1;
    if (change != store->names.change) {
        lens_pg_args args = {0};
        lens_pg_int(&args, store->names.begun);
        lens_pg_int(&args, store->names.pictures);
        if (lens_pg_number(store, "SELECT pictures <> $2 OR EXISTS (SELECT FROM picture WHERE " LENS_PG_SINCE("written", "$1") ") FROM library",
                           &args, &old, err) != 0)
            return -1;
    }
    store->names.change = change;
    store->names.old = old;
    store->names.looked = true;
    return 0;
}

/* ---- captions ---- */

int lens_pg_captions_put(lens_postgres *store, int64_t source, const lens_store_caption *captions, size_t count, int64_t *changed, lens_error *err)
{
    int64_t gone = 0, put = 0;
    lens_pg_args args = {0};
    lens_pg_int(&args, source);
    for (int part = 0; part < 3; part++) {
        lens_pg_array(&args, part == 0 ? LENS_PG_INT : part == 1 ? LENS_PG_BYTES : LENS_PG_TEXT);
        for (size_t i = 0; i < count; i++)
            if (!*captions[i].text)
                continue;
            else if (part == 0)
                lens_pg_add_int(&args, captions[i].picture);
            else if (part == 1)
                lens_pg_add_bytes(&args, captions[i].text, strlen(captions[i].text));
            else
                lens_pg_add_text(&args, captions[i].folded);
    }
    /* Another one may have taken out pictures meanwhile, or the source itself: nothing is said of those, or by it. */
    if (lens_pg_run(store, "INSERT INTO text (picture, source, text, folded) SELECT picture.id, $1, t.text, t.folded FROM unnest($2::bigint[], $3::bytea[], $4::text[])"
                           " WITH ORDINALITY AS t (id, text, folded, n) JOIN picture USING (id) WHERE EXISTS (SELECT FROM source WHERE source.id = $1) ORDER BY n"
                           " ON CONFLICT (picture, source) WHERE picture IS NOT NULL DO UPDATE SET text = excluded.text,"
                           " folded = excluded.folded WHERE text.text <> excluded.text", &args, &put, err) != 0)
        return -1;
    lens_pg_int(&args, source);
    lens_pg_array(&args, LENS_PG_INT);
    for (size_t i = 0; i < count; i++)
        if (!*captions[i].text)
            lens_pg_add_int(&args, captions[i].picture);
    if (lens_pg_run(store, "DELETE FROM text WHERE source = $1 AND picture = ANY ($2)", &args, &gone, err) != 0)
        return -1;
    if (changed)
        *changed += put + gone;
    return 0;
}

#define DROP_OTHERS "DELETE FROM text WHERE source = $1 AND NOT EXISTS (SELECT FROM unnest($2::bigint[]) AS kept WHERE kept = picture)"

/* What SOURCE says of pictures that are none of CAPTIONS goes; but where the names are old, not of those that were named since. */
static int drop_others(lens_postgres *store, int64_t source, const lens_store_caption *captions, size_t count, int64_t *changed, lens_error *err)
{
    int64_t gone = 0;
    lens_pg_args args = {0};
    lens_pg_int(&args, source);
    lens_pg_array(&args, LENS_PG_INT);
    for (size_t i = 0; i < count; i++)
        lens_pg_add_int(&args, captions[i].picture);
    if (store->names.old)
        lens_pg_int(&args, store->names.begun);
    const int result = lens_pg_run(store, store->names.old ? DROP_OTHERS " AND NOT EXISTS (SELECT FROM picture WHERE picture.id = text.picture AND "
                                                             LENS_PG_SINCE("written", "$3") ")" : DROP_OTHERS, &args, &gone, err);
    *changed += gone;
    return result;
}

static int captions_once(lens_postgres *store, int64_t source, int64_t size, int64_t mtime_ns, const lens_store_caption *captions, size_t count, bool whole,
                         int64_t *changed, lens_error *err)
{
    int64_t changes = 0;
    if (changed)
        *changed = 0;
    if (lens_pg_begin(store, err) != 0)
        return -1;
    int result = look_at_names(store, err);
    if (result == 0)
        result = lens_pg_captions_put(store, source, captions, count, &changes, err);
    if (result == 0 && whole)
        result = drop_others(store, source, captions, count, &changes, err);
    if (result == 0) {
        lens_pg_args args = {0};
        lens_pg_int(&args, source);
        lens_pg_int(&args, size);
        lens_pg_int(&args, store->names.old ? -1 : mtime_ns);
        result = lens_pg_run(store, "UPDATE source SET size = $2, mtime_ns = $3 WHERE id = $1", &args, NULL, err);
    }
    result = lens_pg_end(store, result, err);
    if (changed)
        *changed = changes;
    return result;
}

int lens_postgres_captions_write(lens_postgres *store, int64_t source, int64_t size, int64_t mtime_ns, const lens_store_caption *captions, size_t count,
                                 bool whole, int64_t *changed, lens_error *err)
{
    const int result = captions_once(store, source, size, mtime_ns, captions, count, whole, changed, err);
    return lens_pg_once_more(store, result, err) ? captions_once(store, source, size, mtime_ns, captions, count, whole, changed, err) : result;
}

/* ---- readings ---- */

static int put_readings(lens_postgres *store, const char *version, const lens_store_reading *readings, size_t count, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_text(&args, version);
    lens_pg_array(&args, LENS_PG_INT);
    for (size_t i = 0; i < count; i++)
        lens_pg_add_int(&args, readings[i].content);
    /* What another version read makes room, so that the last row is of the version that read last. */
    if (lens_pg_run(store, "DELETE FROM text WHERE version <> $1 AND content = ANY ($2)", &args, NULL, err) != 0)
        return -1;
    lens_pg_text(&args, version);
    for (int part = 0; part < 3; part++) {
        lens_pg_array(&args, part == 0 ? LENS_PG_INT : part == 1 ? LENS_PG_BYTES : LENS_PG_TEXT);
        for (size_t i = 0; i < count; i++)
            if (part == 0)
                lens_pg_add_int(&args, readings[i].content);
            else if (part == 1)
                lens_pg_add_bytes(&args, readings[i].text, strlen(readings[i].text));
            else
                lens_pg_add_text(&args, readings[i].folded);
    }
    /* A content may have gone while it was being read, or another may have read it meanwhile. */
    return lens_pg_run(store, "INSERT INTO text (content, version, text, folded) SELECT content.id, $1, t.text, t.folded FROM unnest($2::bigint[], $3::bytea[], $4::text[])"
                              " WITH ORDINALITY AS t (id, text, folded, n) JOIN content USING (id) ORDER BY n ON CONFLICT DO NOTHING", &args, NULL, err);
}

/* In our turn, for which we may have waited while libraries were exchanged. */
static int readings_once(lens_postgres *store, const lens_store_file *of, const char *version, const lens_store_reading *readings, size_t count, lens_error *err)
{
    lens_store_file which;
    if (lens_pg_begin(store, err) != 0)
        return -1;
    int result = of ? lens_postgres_which(store, &which, err) : 0;
    if (result == 0 && of && !lens_store_file_same(which, *of)) {
        lens_pg_end(store, -1, NULL);
        return 1;
    }
    if (result == 0)
        result = put_readings(store, version, readings, count, err);
    return lens_pg_end(store, result, err);
}

int lens_postgres_readings_write(lens_postgres *store, const lens_store_file *of, const char *version, const lens_store_reading *readings, size_t count, lens_error *err)
{
    const int result = readings_once(store, of, version, readings, count, err);
    return result < 0 && lens_pg_once_more(store, result, err) ? readings_once(store, of, version, readings, count, err) : result;
}

/* The first column of SQL with ARGS: up to COUNT into IDS. How many, or -1. */
static int ids_of(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *ids, int count, lens_error *err)
{
    PGresult *rows = lens_pg_ask(store, sql, args, err);
    if (!rows)
        return -1;
    const int found = lens_pg_rows(store, rows) < count ? lens_pg_rows(store, rows) : count;
    for (int i = 0; i < found; i++)
        ids[i] = lens_pg_int_at(store, rows, i, 0);
    lens_pg_done(store, rows);
    return found;
}

int lens_postgres_readings_missing(lens_postgres *store, const char *version, int64_t after, int64_t *contents, int count, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, after);
    lens_pg_text(&args, version);
    lens_pg_int(&args, count);
    return ids_of(store, "SELECT id FROM content WHERE id > $1 AND NOT EXISTS (SELECT FROM text WHERE text.content = content.id AND version = $2) ORDER BY id LIMIT $3",
                  &args, contents, count, err);
}

int lens_postgres_readings_version(lens_postgres *store, char **version, lens_error *err)
{
    return lens_pg_find_text(store, "SELECT version FROM text WHERE content IS NOT NULL ORDER BY id DESC LIMIT 1", NULL, version, err);
}

int lens_postgres_readings_count(lens_postgres *store, const char *version, int64_t *read, int64_t *with_text, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_text(&args, version);
    PGresult *rows = lens_pg_ask(store, "SELECT count(*), count(*) FILTER (WHERE folded <> '') FROM text WHERE content IS NOT NULL AND ($1 IS NULL OR version = $1)",
                                 &args, err);
    if (!rows)
        return -1;
    const int result = lens_pg_counts_at(store, rows, 0, 0, (int64_t *const[]){read, with_text}, 2, err);
    lens_pg_done(store, rows);
    return result;
}

/* ---- sentences ---- */

int lens_postgres_sentences_missing(lens_postgres *store, int64_t model, int64_t after, int64_t *contents, int count, lens_error *err)
{
    char sql[LENS_PG_SQL];
    lens_pg_args args = {0};
    lens_pg_int(&args, after);
    lens_pg_int(&args, count);
    return ids_of(store, lens_pg_sql_of(sql, "SELECT id FROM content WHERE id > $1 AND NOT EXISTS (SELECT FROM vector_%lld v WHERE v.content = content.id)"
                                             " AND (EXISTS (SELECT FROM text WHERE text.content = content.id AND folded <> '')"
                                             " OR EXISTS (SELECT FROM picture JOIN text ON text.picture = picture.id WHERE picture.content = content.id AND folded <> ''))"
                                             " ORDER BY id LIMIT $2", model), &args, contents, count, err);
}

static int put_sentences(lens_postgres *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err)
{
    int dim = 0;
    if (lens_pg_model_dim(store, model, LENS_E_ARGUMENT, &dim, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!lens_store_is_unit(vectors + i * (size_t)dim, dim))
            return lens_fail(err, LENS_E_ARGUMENT, "the vector of a sentence is not finite and of length 1");
    lens_pg_args args = {0};
    lens_pg_ints(&args, contents, count);
    lens_pg_array(&args, store->vector_type);
    for (size_t i = 0; i < count; i++)
        lens_pg_add_vector(&args, vectors + i * (size_t)dim, dim);
    /* A content may have gone while its texts were encoded. */
    char sql[LENS_PG_SQL];
    return lens_pg_run(store, lens_pg_sql_of(sql, "INSERT INTO vector_%lld (content, half, exact) SELECT content.id, exact::halfvec, exact FROM unnest($1::bigint[], $2::vector[])"
                                                  " AS t (id, exact) JOIN content USING (id) ON CONFLICT DO NOTHING", model), &args, NULL, err);
}

static int sentences_once(lens_postgres *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    return lens_pg_end(store, put_sentences(store, model, contents, vectors, count, err), err);
}

int lens_postgres_sentences_write(lens_postgres *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err)
{
    const int result = sentences_once(store, model, contents, vectors, count, err);
    return lens_pg_once_more(store, result, err) ? sentences_once(store, model, contents, vectors, count, err) : result;
}
