/* A database's library as records (store/copying.h), given out and taken in. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/patience.h"
#include "base/text.h"
#include "store/postgres/internal.h"

enum { PAGE_ROWS = 1024, PAGE_TEXTS = 256, PAGE_BYTES = 4 << 20, TRIES = 10 };

/* Held by whoever copies into this database, as long as it does. */
#define COPIERS "7308604897285830"

/* $1 is the key after which to begin, $2 how many rows. INSERT takes a column as an array; COLUMNS: what each field is, an int, bytes, a path (bytes that an
 * index must hold) or text. */
static const struct {
    const char *columns, *select, *insert, *drop;
} parts[LENS_STORE_PARTS] = {
    [LENS_STORE_RULES] = {"pib", "SELECT path, out, settings FROM rule WHERE path > $1 ORDER BY path LIMIT $2",
                         "INSERT INTO rule (path, out, settings) SELECT path, out <> 0, settings FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS t (path, out, settings)",
                         "DELETE FROM rule WHERE path = ANY ($1)"},
    [LENS_STORE_MODELS] = {"ipibi", "SELECT id, name, dim, fingerprint, sentences FROM model WHERE id > $1 ORDER BY id LIMIT $2", NULL, NULL},
    [LENS_STORE_CONTENTS] = {"ibiit", "SELECT id, hash, width, height, format FROM content WHERE id > $1 ORDER BY id LIMIT $2",
                            "INSERT INTO content (id, hash, width, height, format) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::text[])",
                            "DELETE FROM content WHERE id = ANY ($1)"},
    [LENS_STORE_PICTURES] = {"ipiiib", "SELECT id, path, size, mtime_ns, content, reason FROM picture WHERE id > $1 ORDER BY id LIMIT $2",
                            "INSERT INTO picture (id, path, size, mtime_ns, content, reason)"
                            " SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])",
                            "DELETE FROM picture WHERE id = ANY ($1)"},
    [LENS_STORE_SOURCES] = {"ipiiib", "SELECT id, path, kind, size, mtime_ns, settings FROM source WHERE id > $1 ORDER BY id LIMIT $2",
                           "INSERT INTO source (id, path, kind, size, mtime_ns, settings)"
                           " SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])",
                           "DELETE FROM source WHERE id = ANY ($1)"},
    [LENS_STORE_TEXTS] = {"iiiitbt", "SELECT id, picture, content, source, version, text, folded FROM text WHERE id > $1 ORDER BY id LIMIT $2",
                         "INSERT INTO text (id, picture, content, source, version, text, folded)"
                         " SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[], $7::text[])",
                         "DELETE FROM text WHERE id = ANY ($1)"},
    [LENS_STORE_VECTORS] = {"iv", "SELECT content, exact FROM vector_%lld WHERE content > $1 ORDER BY content LIMIT $2", LENS_PG_PUT_VECTORS,
                           "DELETE FROM vector_%lld WHERE content = ANY ($1)"},
};

/* ---- giving out ---- */

/* A table that is dropped is gone for everybody, whatever moment they read: so nobody may, from here to the end. */
static int hold_vectors(lens_postgres *store, lens_error *err)
{
    char *tables = NULL;
    lens_buffer sql = {0};
    if (lens_pg_find_text(store, "SELECT string_agg('memelens.vector_' || id, ', ' ORDER BY id) FROM model", NULL, &tables, err) != 0)
        return -1;
    int result = 0;
    if (tables && lens_buffer_print(&sql, "LOCK TABLE %s IN ACCESS SHARE MODE", tables) != 0)
        result = lens_fail_memory(err);
    else if (tables)
        result = lens_pg_plain(store, sql.data, err);
    lens_buffer_free(&sql);
    free(tables);
    return result;
}

int lens_postgres_export_begin(lens_postgres *store, lens_error *err)
{
    for (int tries = 1;; tries++) {
        lens_error why = {0};
        if (lens_pg_begin_read(store, err) != 0)
            return -1;
        if (hold_vectors(store, &why) == 0)
            return 0;
        lens_pg_end(store, -1, NULL);
        if (why.code != LENS_E_MISSING || tries == TRIES) { /* else a model went between the two: without it, then */
            if (err)
                *err = why;
            return -1;
        }
    }
}

void lens_postgres_export_end(lens_postgres *store)
{
    lens_pg_end(store, 0, NULL);
}

static int put_vector(lens_postgres *store, const PGresult *rows, int row, float *values, int dim, lens_records *out, lens_error *err)
{
    if (!lens_pg_vector_at(store, rows, row, 1, values, dim))
        return lens_fail(err, LENS_E_FORMAT, "%s: the vector of content %lld has another length than its model's", store->name, (long long)lens_pg_int_at(store, rows, row, 0));
    lens_records_bytes(out, values, (size_t)dim * sizeof *values);
    return 0;
}

static int put_rows(lens_postgres *store, const PGresult *rows, const char *columns, float *values, int dim, lens_records *out, lens_error *err)
{
    for (int row = 0; row < lens_pg_rows(store, rows); row++) {
        for (int i = 0; columns[i]; i++) {
            size_t size;
            const char *bytes = lens_pg_bytes_at(store, rows, row, i, &size);
            if (columns[i] == 'v') {
                if (put_vector(store, rows, row, values, dim, out, err) != 0)
                    return -1;
            } else if (lens_pg_is_null(store, rows, row, i)) {
                if (i == 0 || columns[i] == 'p')
                    return lens_fail(err, LENS_E_FORMAT, "%s: a row without its key is damaged", store->name);
                lens_records_null(out);
            } else if (columns[i] == 'i') {
                lens_records_int(out, lens_pg_int_at(store, rows, row, i));
            } else {
                lens_records_bytes(out, bytes, size);
            }
        }
        if (lens_records_end(out) != 0)
            return lens_fail_memory(err);
    }
    return 0;
}

int lens_postgres_export(lens_postgres *store, lens_store_part part, int64_t model, const lens_record *after, lens_records *out, lens_error *err)
{
    lens_records_clear(out);
    int dim = 0;
    int64_t most = part == LENS_STORE_TEXTS ? PAGE_TEXTS : PAGE_ROWS;
    if (part == LENS_STORE_VECTORS) {
        const int found = lens_pg_model(store, model, &dim, err);
        if (found <= 0)
            return found;
        const int64_t fit = PAGE_BYTES / (dim * (int64_t)sizeof(float)) + 1;
        most = fit < most ? fit : most;
    }
    float *values = malloc(((size_t)dim + 1) * sizeof *values);
    if (!values)
        return lens_fail_memory(err);
    const lens_field key = after ? lens_record_field(*after, 0) : (lens_field){.bytes = "", .number = INT64_MIN};
    lens_pg_args args = {0};
    if (parts[part].columns[0] == 'i')
        lens_pg_int(&args, key.number);
    else
        lens_pg_bytes(&args, key.bytes, key.size);
    lens_pg_int(&args, most);
    char sql[LENS_PG_SQL];
    PGresult *rows = lens_pg_ask(store, lens_pg_sql_of(sql, parts[part].select, model), &args, err);
    const int result = rows ? put_rows(store, rows, parts[part].columns, values, dim, out, err) : -1;
    lens_pg_done(store, rows);
    free(values);
    return result == 0 ? lens_records_rise(part, after, out, store->name, err) : -1;
}

/* ---- taking in ---- */

/* What a database cannot hold, though a folder can. */
static int check_field(lens_postgres *store, lens_store_part part, lens_record record, char column, lens_field field, lens_error *err)
{
    const bool long_path = column == 'p' && field.kind == 'b' && field.size > LENS_POSTGRES_PATH_MOST;
    if (!long_path && (column != 't' || field.kind != 'b' || (lens_utf8_valid(field.bytes, field.size) && !memchr(field.bytes, 0, field.size))))
        return 0;
    lens_buffer name = {0};
    if (lens_record_name(part, record, &name) != 0)
        lens_buffer_free(&name);
    if (long_path)
        lens_fail(err, LENS_E_LIMIT, "%s: %s: a path of more than %d bytes is too long for a library in PostgreSQL", store->name, name.data ? name.data : "", LENS_POSTGRES_PATH_MOST);
    else
        lens_fail(err, LENS_E_FORMAT, "%s: %s: its text is not UTF-8, which PostgreSQL wants", store->name, name.data ? name.data : "");
    lens_buffer_free(&name);
    return -1;
}

static void add_field(lens_pg_args *args, char column, lens_field field, float *values, int dim)
{
    if (column == 'v') {
        memcpy(values, field.bytes, (size_t)dim * sizeof *values); /* a record is not aligned */
        lens_pg_add_vector(args, values, dim);
    } else if (field.kind == 'i') {
        lens_pg_add_int(args, field.number);
    } else {
        lens_pg_add_bytes(args, field.kind == 'b' ? field.bytes : NULL, field.size); /* text is bytes here too */
    }
}

static int import_rows(lens_postgres *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err)
{
    int dim = 0;
    if (part == LENS_STORE_VECTORS && lens_pg_model_dim(store, model, LENS_E_MISSING, &dim, err) != 0)
        return -1;
    float *values = malloc(((size_t)dim + 1) * sizeof *values);
    if (!values)
        return lens_fail_memory(err);
    lens_pg_args args = {0};
    int result = 0;
    for (int i = 0; parts[part].columns[i] && result == 0; i++) {
        const char column = parts[part].columns[i];
        lens_pg_array(&args, column == 'i' ? LENS_PG_INT : column == 't' ? LENS_PG_TEXT : column == 'v' ? store->vector_type : LENS_PG_BYTES);
        for (size_t row = 0; row < records->count && result == 0; row++) {
            const lens_record record = lens_records_at(records, row);
            const lens_field field = lens_record_field(record, i);
            if (column == 'v' && field.size != (size_t)dim * sizeof *values)
                result = lens_fail(err, LENS_E_FORMAT, "%s: a vector has another length than its model's", store->name);
            else if ((result = check_field(store, part, record, column, field, err)) == 0)
                add_field(&args, column, field, values, dim);
        }
    }
    free(values);
    if (result != 0) {
        lens_pg_args_free(&args);
        return -1;
    }
    char sql[LENS_PG_SQL];
    return lens_pg_run(store, lens_pg_sql_of(sql, parts[part].insert, model), &args, NULL, err);
}

static int import_models(lens_postgres *store, const lens_records *records, lens_error *err)
{
    int result = 0;
    for (size_t i = 0; i < records->count && result == 0; i++) {
        const lens_record record = lens_records_at(records, i);
        const lens_field name = lens_record_field(record, 1), print = lens_record_field(record, 3);
        lens_hash fingerprint = {0};
        char *copy = strndup(name.bytes, name.size);
        memcpy(fingerprint.bytes, print.bytes, print.size < sizeof fingerprint ? print.size : sizeof fingerprint);
        result = copy ? lens_pg_model_put(store, lens_record_field(record, 0).number, copy, lens_record_field(record, 4).number != 0, lens_record_field(record, 2).number, fingerprint, err)
                      : lens_fail_memory(err);
        free(copy);
    }
    return result;
}

int lens_postgres_import(lens_postgres *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    return lens_pg_end(store, part == LENS_STORE_MODELS ? import_models(store, records, err) : import_rows(store, part, model, records, err), err);
}

/* ---- taking out ---- */

static int drop_rows(lens_postgres *store, const char *sql, int64_t model, const lens_records *records, lens_error *err)
{
    char text[LENS_PG_SQL];
    lens_pg_args args = {0};
    const bool numbers = records->count == 0 || lens_record_field(lens_records_at(records, 0), 0).kind == 'i';
    lens_pg_array(&args, numbers ? LENS_PG_INT : LENS_PG_BYTES);
    for (size_t i = 0; i < records->count; i++)
        add_field(&args, numbers ? 'i' : 'p', lens_record_field(lens_records_at(records, i), 0), NULL, 0);
    return lens_pg_run(store, lens_pg_sql_of(text, sql, model), &args, NULL, err);
}

static int drop_models(lens_postgres *store, const lens_records *records, lens_error *err)
{
    int result = 0;
    for (size_t i = 0; i < records->count && result == 0; i++) {
        const lens_field name = lens_record_field(lens_records_at(records, i), 1);
        char *copy = strndup(name.bytes, name.size);
        result = copy ? lens_postgres_forget_model(store, copy, err) : lens_fail_memory(err);
        free(copy);
    }
    return result;
}

int lens_postgres_expunge(lens_postgres *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    int result = part == LENS_STORE_CONTENTS ? drop_rows(store, "DELETE FROM picture WHERE content = ANY ($1)", 0, records, err) : 0;
    if (result == 0)
        result = part == LENS_STORE_MODELS ? drop_models(store, records, err) : drop_rows(store, parts[part].drop, model, records, err);
    return lens_pg_end(store, result, err);
}

/* ---- about the whole ---- */

/* Not to_regclass: schema.c says why. */
static const char is_marked[] = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'memelens' AND c.relname = 'copying')";

int lens_pg_copying(lens_postgres *store, lens_error *err)
{
    char *source = NULL;
    if (store->copies) {
        const double until = lens_seconds() + store->patience * lens_patience();
        for (int64_t ours = 0;;) {
            if (lens_pg_number(store, "SELECT pg_try_advisory_lock(" COPIERS ")", NULL, &ours, err) != 0)
                return -1;
            if (ours)
                return 0;
            const double left = until - lens_seconds();
            if (left <= 0) /* whose program was killed lets go as soon as the server sees it */
                return lens_fail(err, LENS_E_BUSY, "%s: another memelens is copying into this library", store->name);
            lens_sleep(fmin(left, 0.05));
        }
    }
    if (lens_postgres_marked(store, &source, err) != 0)
        return -1;
    if (source)
        lens_fail(err, LENS_E_UNSUPPORTED, "%s: an unfinished copy of %s; the same `memelens copy` goes on with it", store->name, source);
    const int result = source ? -1 : 0;
    free(source);
    return result;
}

/* Who opened the library before it was marked sees the mark in the next turn (lens_pg_begin), and would lose what it is about: so no index run may be at work. */
static int check_idle(lens_postgres *store, lens_error *err)
{
    int64_t busy = 0;
    if (lens_pg_number(store, "SELECT EXISTS (SELECT FROM worker WHERE " LENS_PG_LIVES("worker") ")", NULL, &busy, err) != 0)
        return -1;
    return busy ? lens_fail(err, LENS_E_BUSY, "%s: an index run is writing to this library: try again when it has ended", store->name) : 0;
}

int lens_postgres_mark(lens_postgres *store, const char *source, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    int result = source ? check_idle(store, err) : 0;
    if (result == 0)
        result = lens_pg_plain(store, source ? "DROP TABLE IF EXISTS memelens.copying; CREATE TABLE memelens.copying (source bytea NOT NULL)"
                                             : "DROP TABLE IF EXISTS memelens.copying", err);
    if (result == 0 && source) {
        lens_pg_args args = {0};
        lens_pg_path(&args, source);
        result = lens_pg_run(store, "INSERT INTO memelens.copying VALUES ($1)", &args, NULL, err);
    }
    return lens_pg_end(store, result, err);
}

int lens_postgres_marked(lens_postgres *store, char **source, lens_error *err)
{
    *source = NULL;
    int64_t there = 0;
    lens_error why = {0};
    if (lens_pg_number(store, is_marked, NULL, &there, err) != 0)
        return -1;
    if (!there || lens_pg_find_text(store, "SELECT source FROM memelens.copying", NULL, source, &why) == 0 || why.code == LENS_E_MISSING)
        return 0; /* or it was whole before we could read of what it is a copy */
    if (err)
        *err = why;
    return -1;
}

static const char *const sequences[LENS_STORE_PARTS] = {
    [LENS_STORE_MODELS] = "model", [LENS_STORE_CONTENTS] = "content", [LENS_STORE_PICTURES] = "picture", [LENS_STORE_SOURCES] = "source", [LENS_STORE_TEXTS] = "text",
};

int lens_postgres_ids_given(lens_postgres *store, lens_store_ids *out, lens_error *err)
{
    *out = (lens_store_ids){0};
    for (int part = 0; part < LENS_STORE_PARTS; part++) {
        if (!sequences[part])
            continue;
        lens_pg_args args = {0};
        lens_pg_text(&args, sequences[part]);
        if (lens_pg_number(store, "SELECT coalesce(max(last_value), 0) FROM pg_sequences WHERE schemaname = 'memelens' AND sequencename = $1 || '_id_seq'", &args,
                           &out->last[part], err) != 0)
            return -1;
    }
    return 0;
}

int lens_postgres_ids_raise(lens_postgres *store, const lens_store_ids *ids, lens_error *err)
{
    lens_store_ids now;
    if (lens_postgres_ids_given(store, &now, err) != 0)
        return -1;
    for (int part = 0; part < LENS_STORE_PARTS; part++) {
        int64_t set = 0;
        lens_pg_args args = {0};
        if (!sequences[part] || ids->last[part] <= now.last[part])
            continue;
        lens_pg_text(&args, sequences[part]);
        lens_pg_int(&args, ids->last[part]);
        if (lens_pg_number(store, "SELECT setval(pg_get_serial_sequence('memelens.' || $1, 'id'), $2)", &args, &set, err) != 0)
            return -1;
    }
    return 0;
}

int lens_postgres_identity(lens_postgres *store, lens_hash *identity, lens_error *err)
{
    /* A server is known by when it began and where it listens, whichever way we came. */
    PGresult *rows = lens_pg_ask(store, "SELECT 'postgresql ' || pg_postmaster_start_time()::text || ' ' || current_setting('port') || ' ' || oid::text FROM pg_database"
                                        " WHERE datname = current_database()", NULL, err);
    if (!rows)
        return -1;
    size_t size;
    const char *text = lens_pg_bytes_at(store, rows, 0, 0, &size);
    *identity = lens_hash_of(text, size);
    lens_pg_done(store, rows);
    return 0;
}
