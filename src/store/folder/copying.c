/* A folder's library as records (store/copying.h), given out and taken in.
 *
 * While it is given out, one read transaction holds the rows and every vector file is open from its beginning: a compaction by somebody else may remove a file,
 * but not what we have of it. The log grows by what others write meanwhile, as no checkpoint can pass a reader; it shrinks at the next one after us. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder/internal.h"

enum { PAGE_ROWS = 1024, PAGE_BYTES = 4 << 20, TRIES = 20 };

/* Statements as the store's: ?1 is the key after which to begin, ?2 how many rows, ?3 the model. COLUMNS: what each field is, an int, blob or text. */
static const struct {
    const char *columns, *select, *select_wordless, *insert, *drop;
} parts[LENS_STORE_PARTS] = {
    [LENS_STORE_RULES] = {"bib", "SELECT path, out, settings FROM rule WHERE path > ?1 ORDER BY path LIMIT ?2", NULL, "INSERT INTO rule (path, out, settings) VALUES (?1, ?2, ?3)",
                         "DELETE FROM rule WHERE path = ?1"},
    [LENS_STORE_MODELS] = {"itibi", "SELECT id, name, dim, fingerprint, sentences FROM model WHERE id > ?1 ORDER BY id LIMIT ?2",
                          "SELECT id, name, dim, fingerprint, 0 FROM model WHERE id > ?1 ORDER BY id LIMIT ?2", NULL, NULL},
    [LENS_STORE_CONTENTS] = {"ibiit", "SELECT id, hash, width, height, format FROM content WHERE id > ?1 ORDER BY id LIMIT ?2", NULL,
                            "INSERT INTO content (id, hash, width, height, format) VALUES (?1, ?2, ?3, ?4, ?5)", "DELETE FROM content WHERE id = ?1"},
    [LENS_STORE_PICTURES] = {"ibiiib", "SELECT id, path, size, mtime_ns, content, reason FROM picture WHERE id > ?1 ORDER BY id LIMIT ?2", NULL,
                            "INSERT INTO picture (id, path, size, mtime_ns, content, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "DELETE FROM picture WHERE id = ?1"},
    [LENS_STORE_SOURCES] = {"ibiiib", "SELECT id, path, kind, size, mtime_ns, settings FROM source WHERE id > ?1 ORDER BY id LIMIT ?2", "",
                           "INSERT INTO source (id, path, kind, size, mtime_ns, settings) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "DELETE FROM source WHERE id = ?1"},
    [LENS_STORE_TEXTS] = {"iiiittt", "SELECT id, picture, content, source, version, text, folded FROM text WHERE id > ?1 ORDER BY id LIMIT ?2", "",
                         "INSERT INTO text (id, picture, content, source, version, text, folded) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", "DELETE FROM text WHERE id = ?1"},
    /* "+": the index by slot gives them in another order, all of them for every page */
    [LENS_STORE_VECTORS] = {"ii", "SELECT content, slot FROM vector WHERE content > ?1 AND +model = ?3 ORDER BY content LIMIT ?2", NULL, NULL,
                           "DELETE FROM vector WHERE content = ?1 AND model = ?2"},
};

/* ---- giving out ---- */

/* Opens the file of every model. They stand among the writers, where vectors are looked for, though they can only be read. */
static int open_files(lens_folder *store, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT id FROM model", err);
    if (!statement)
        return -1;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        lens_writer *reader = calloc(1, sizeof *reader);
        if (!reader) {
            result = lens_sql_memory(store, err);
            break;
        }
        reader->fd = -1;
        const int found = lens_model_load(store, sqlite3_column_int64(statement, 0), &reader->row, err);
        if (found == 0) /* an index may say so of a damaged table */
            lens_fail(err, LENS_E_FORMAT, "%s/%s: damaged (a model is in an index alone); move it away and index again", store->folder, LENS_DATABASE);
        if (found > 0)
            reader->fd = lens_vector_file_open(store->dir, store->folder, reader->row.file, &reader->row.identity, reader->row.slots, false, NULL, err);
        if (reader->fd < 0) {
            free(reader);
            result = -1;
            break;
        }
        reader->end = reader->row.slots;
        reader->next = store->writers;
        store->writers = reader;
    }
    lens_sql_done(store, statement);
    return result;
}

int lens_folder_export_begin(lens_folder *store, lens_error *err)
{
    lens_error reason = {0};
    for (int i = 0; i < TRIES; i++) { /* a compaction may come between the rows and the files */
        if (lens_sql_begin_read(store, err) != 0)
            return -1;
        if (open_files(store, &reason) == 0)
            return 0;
        lens_folder_export_end(store);
        if (reason.code != LENS_E_MISSING)
            break;
    }
    if (err)
        *err = reason;
    return -1;
}

void lens_folder_export_end(lens_folder *store)
{
    lens_sql_end(store, -1, NULL);
    lens_writer_drop(store, 0);
}

static void put_column(sqlite3_stmt *statement, int column, char kind, lens_records *out)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        lens_records_null(out);
    } else if (kind == 'i') {
        lens_records_int(out, sqlite3_column_int64(statement, column));
    } else {
        const void *bytes = sqlite3_column_blob(statement, column); /* NULL when there are none */
        lens_records_bytes(out, bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, column));
    }
}

static int put_vector(lens_folder *store, sqlite3_stmt *statement, int64_t model, float *values, lens_records *out, lens_error *err)
{
    const int64_t content = sqlite3_column_int64(statement, 0), slot = sqlite3_column_int64(statement, 1);
    const lens_writer *file = lens_writer_of(store, model, err);
    if (!file)
        return -1;
    const int dim = file->row.identity.dim;
    if (slot < 0 || slot >= file->end)
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: a row names a vector beyond the end of %s; memelens check tells more", store->folder, LENS_DATABASE, file->row.file);
    if (lens_vector_file_get(file->fd, store->folder, file->row.file, dim, slot, values, 1, err) != 0)
        return -1;
    lens_records_int(out, content);
    lens_records_bytes(out, values, (size_t)dim * sizeof *values);
    return 0;
}

static int put_rows(lens_folder *store, sqlite3_stmt *statement, lens_store_part part, int64_t model, float *values, lens_records *out, lens_error *err)
{
    const char *columns = parts[part].columns;
    int result = 0;
    while (out->bytes.size < PAGE_BYTES && (result = lens_sql_step(store, statement, err)) > 0) {
        if (part == LENS_STORE_VECTORS && put_vector(store, statement, model, values, out, err) != 0)
            return -1;
        for (int i = 0; part != LENS_STORE_VECTORS && columns[i]; i++)
            put_column(statement, i, columns[i], out);
        if (lens_records_end(out) != 0)
            return lens_sql_memory(store, err);
    }
    return result < 0 ? -1 : 0;
}

int lens_folder_export(lens_folder *store, lens_store_part part, int64_t model, const lens_record *after, lens_records *out, lens_error *err)
{
    lens_records_clear(out);
    const char *sql = !lens_words_here(store) && parts[part].select_wordless ? parts[part].select_wordless : parts[part].select;
    float *values = NULL;
    if (!*sql) /* of a version without words */
        return 0;
    if (part == LENS_STORE_VECTORS) {
        lens_model_row row;
        const int found = lens_model_load(store, model, &row, err);
        if (found <= 0)
            return found;
        if (!(values = malloc((size_t)row.identity.dim * sizeof *values)))
            return lens_sql_memory(store, err);
    }
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    int result = -1;
    if (statement) {
        const lens_field key = after ? lens_record_field(*after, 0) : (lens_field){.bytes = "", .number = INT64_MIN};
        if (parts[part].columns[0] == 'i')
            sqlite3_bind_int64(statement, 1, key.number);
        else
            sqlite3_bind_blob64(statement, 1, key.bytes, key.size, SQLITE_STATIC);
        sqlite3_bind_int(statement, 2, PAGE_ROWS);
        if (part == LENS_STORE_VECTORS)
            sqlite3_bind_int64(statement, 3, model);
        result = put_rows(store, statement, part, model, values, out, err);
        lens_sql_done(store, statement);
        if (result == 0)
            result = lens_records_rise(part, after, out, store->folder, err);
    }
    free(values);
    return result;
}

/* ---- taking in ---- */

static int import_row(lens_folder *store, lens_store_part part, lens_record record, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, parts[part].insert, err);
    if (!statement)
        return -1;
    for (int i = 0; parts[part].columns[i]; i++) {
        const lens_field field = lens_record_field(record, i);
        if (field.kind == 'i')
            sqlite3_bind_int64(statement, i + 1, field.number);
        else if (field.kind == 'b' && parts[part].columns[i] == 't')
            sqlite3_bind_text64(statement, i + 1, field.bytes, field.size, SQLITE_STATIC, SQLITE_UTF8);
        else if (field.kind == 'b')
            sqlite3_bind_blob64(statement, i + 1, field.bytes, field.size, SQLITE_STATIC);
    }
    return lens_sql_finish(store, statement, err);
}

static int import_vector(lens_folder *store, int64_t model, lens_record record, lens_error *err)
{
    const lens_field content = lens_record_field(record, 0), numbers = lens_record_field(record, 1);
    lens_writer *writer = lens_writer_of(store, model, err);
    if (!writer)
        return -1;
    if (numbers.size != (size_t)writer->row.identity.dim * sizeof(float))
        return lens_fail(err, LENS_E_FORMAT, "%s: the vector of content %lld has another length than its model's", store->folder, (long long)content.number);
    float *values = malloc(numbers.size); /* a record is not aligned */
    if (!values)
        return lens_sql_memory(store, err);
    memcpy(values, numbers.bytes, numbers.size);
    const int result = lens_vector_append(store, writer, content.number, values, err);
    free(values);
    return result;
}

static int import_model(lens_folder *store, lens_record record, lens_error *err)
{
    const lens_field name = lens_record_field(record, 1), print = lens_record_field(record, 3);
    lens_hash fingerprint = {0};
    char *copy = strndup(name.bytes, name.size);
    if (!copy)
        return lens_sql_memory(store, err);
    memcpy(fingerprint.bytes, print.bytes, print.size < sizeof fingerprint ? print.size : sizeof fingerprint);
    const int result = lens_model_put(store, lens_record_field(record, 0).number, copy, lens_record_field(record, 4).number != 0, lens_record_field(record, 2).number, fingerprint, err);
    free(copy);
    return result;
}

int lens_folder_import(lens_folder *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err)
{
    if (lens_sql_begin(store, err) != 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < records->count && result == 0; i++) {
        const lens_record record = lens_records_at(records, i);
        result = part == LENS_STORE_VECTORS ? import_vector(store, model, record, err) : part == LENS_STORE_MODELS ? import_model(store, record, err) : import_row(store, part, record, err);
    }
    if (result == 0)
        result = lens_writers_sync(store, err);
    return lens_writers_end(store, result, err);
}

/* ---- taking out ---- */

static int expunge_model(lens_folder *store, lens_record record, lens_error *err)
{
    const lens_field name = lens_record_field(record, 1);
    char *copy = strndup(name.bytes, name.size);
    if (!copy)
        return lens_sql_memory(store, err);
    const int result = lens_folder_forget_model(store, copy, err);
    free(copy);
    return result;
}

static int run_with_key(lens_folder *store, const char *sql, lens_record record, int64_t model, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    const lens_field key = lens_record_field(record, 0);
    if (key.kind == 'i')
        sqlite3_bind_int64(statement, 1, key.number);
    else
        sqlite3_bind_blob64(statement, 1, key.bytes, key.size, SQLITE_STATIC);
    if (model)
        sqlite3_bind_int64(statement, 2, model);
    return lens_sql_finish(store, statement, err);
}

int lens_folder_expunge(lens_folder *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err)
{
    int result = 0;
    if (part == LENS_STORE_MODELS) { /* each a transaction, as its file goes after it */
        for (size_t i = 0; i < records->count && result == 0; i++)
            result = expunge_model(store, lens_records_at(records, i), err);
        return result;
    }
    if (lens_sql_begin(store, err) != 0)
        return -1;
    for (size_t i = 0; i < records->count && result == 0; i++) {
        const lens_record record = lens_records_at(records, i);
        if (part == LENS_STORE_CONTENTS)
            result = run_with_key(store, "DELETE FROM picture WHERE content = ?1", record, 0, err);
        if (result == 0)
            result = run_with_key(store, parts[part].drop, record, part == LENS_STORE_VECTORS ? model : 0, err);
    }
    return lens_sql_end(store, result, err);
}

/* ---- about the whole ---- */

int lens_folder_mark(lens_folder *store, const char *source, lens_error *err)
{
    if (lens_sql_begin(store, err) != 0)
        return -1;
    return lens_sql_end(store, lens_schema_mark(store, source, err), err);
}

int lens_folder_marked(lens_folder *store, char **source, lens_error *err)
{
    return lens_schema_marked(store, source, err);
}

static const char *const sequences[LENS_STORE_PARTS] = {
    [LENS_STORE_MODELS] = "model", [LENS_STORE_CONTENTS] = "content", [LENS_STORE_PICTURES] = "picture", [LENS_STORE_SOURCES] = "source", [LENS_STORE_TEXTS] = "text",
};

int lens_folder_ids_given(lens_folder *store, lens_store_ids *out, lens_error *err)
{
    *out = (lens_store_ids){0};
    for (int part = 0; part < LENS_STORE_PARTS; part++) {
        sqlite3_stmt *statement = sequences[part] ? lens_sql(store, "SELECT seq FROM sqlite_sequence WHERE name = ?1", err) : NULL;
        if (!sequences[part])
            continue;
        if (!statement)
            return -1;
        sqlite3_bind_text(statement, 1, sequences[part], -1, SQLITE_STATIC);
        const int result = lens_sql_step(store, statement, err);
        if (result > 0)
            out->last[part] = sqlite3_column_int64(statement, 0);
        lens_sql_done(store, statement);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* SQLite has a row for a table as soon as there was one in it. */
static int raise_one(lens_folder *store, const char *table, int64_t last, lens_error *err)
{
    static const char *const steps[] = {
        "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
        "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1 AND seq < ?2",
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        sqlite3_stmt *statement = lens_sql(store, steps[i], err);
        if (!statement)
            return -1;
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, last);
        if (lens_sql_finish(store, statement, err) != 0)
            return -1;
    }
    return 0;
}

int lens_folder_ids_raise(lens_folder *store, const lens_store_ids *ids, lens_error *err)
{
    if (lens_sql_begin(store, err) != 0)
        return -1;
    int result = 0;
    for (int part = 0; part < LENS_STORE_PARTS && result == 0; part++)
        if (sequences[part] && ids->last[part] > 0)
            result = raise_one(store, sequences[part], ids->last[part], err);
    return lens_sql_end(store, result, err);
}

int lens_folder_identity(lens_folder *store, lens_hash *identity, lens_error *err)
{
    struct stat info;
    if (fstat(store->dir, &info) != 0)
        return lens_fail_errno(err, errno, "%s: cannot be looked at", store->folder);
    const uint64_t words[3] = {1, (uint64_t)info.st_dev, (uint64_t)info.st_ino};
    *identity = lens_hash_of(words, sizeof words);
    return 0;
}
