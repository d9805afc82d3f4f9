/* Statements with arguments and rows, all of them in PostgreSQL's binary formats: numbers with the highest byte first, an array as its dimensions and then
 * each element behind its length (src/backend/utils/adt/arrayfuncs.c of PostgreSQL), a vector as its length and then its numbers (pgvector's
 * vector_recv). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/postgres/internal.h"

enum { OID_BOOL = 16, OID_FLOAT8 = 701, OID_BYTES_ARRAY = 1001, OID_TEXT_ARRAY = 1009, OID_INT_ARRAY = 1016, ARRAY_HEADER = 20 };

/* ---- numbers, highest byte first ---- */

static void put_number(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get_number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static void append(lens_pg_args *args, const void *bytes, size_t size)
{
    if (lens_buffer_append(&args->values[args->count - 1], bytes, size) != 0)
        args->failed = true;
}

static void append_number(lens_pg_args *args, uint64_t value, int bytes)
{
    uint8_t text[8];
    put_number(text, value, bytes);
    append(args, text, (size_t)bytes);
}

static void append_vector(lens_pg_args *args, const float *values, int dim)
{
    append_number(args, (uint64_t)dim << 16, 4); /* and two bytes that are not used */
    lens_buffer *buffer = &args->values[args->count - 1];
    if (lens_buffer_reserve(buffer, (size_t)dim * 4) != 0) {
        args->failed = true;
        return;
    }
    for (int i = 0; i < dim; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        put_number((uint8_t *)buffer->data + buffer->size, bits, 4);
        buffer->size += 4;
    }
}

/* ---- arguments ---- */

static void next(lens_pg_args *args, unsigned type)
{
    if (args->count == LENS_PG_ARGUMENTS) {
        args->failed = true;
        args->count--;
    }
    args->types[args->count] = type;
    args->count++;
}

void lens_pg_int(lens_pg_args *args, int64_t value)
{
    next(args, LENS_PG_INT);
    append_number(args, (uint64_t)value, 8);
}

void lens_pg_double(lens_pg_args *args, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    next(args, OID_FLOAT8);
    append_number(args, bits, 8);
}

void lens_pg_bool(lens_pg_args *args, bool value)
{
    next(args, OID_BOOL);
    append_number(args, value, 1);
}

void lens_pg_bytes(lens_pg_args *args, const void *bytes, size_t size)
{
    next(args, LENS_PG_BYTES);
    args->null[args->count - 1] = !bytes;
    append(args, bytes ? bytes : "", bytes ? size : 0);
}

void lens_pg_path(lens_pg_args *args, const char *path)
{
    lens_pg_bytes(args, path, path ? strlen(path) : 0);
}

static void append_text(lens_pg_args *args, const char *text)
{
    const size_t size = strlen(text);
    if (lens_utf8_valid(text, size))
        append(args, text, size);
    else if (lens_text_printable(text, size, &args->values[args->count - 1]) != 0)
        args->failed = true;
}

void lens_pg_text(lens_pg_args *args, const char *text)
{
    next(args, LENS_PG_TEXT);
    args->null[args->count - 1] = !text;
    append(args, "", 0);
    if (text)
        append_text(args, text);
}

void lens_pg_ints(lens_pg_args *args, const int64_t *values, size_t count)
{
    lens_pg_array(args, LENS_PG_INT);
    for (size_t i = 0; i < count; i++)
        lens_pg_add_int(args, values[i]);
}

void lens_pg_vector(lens_pg_args *args, const float *values, int dim)
{
    next(args, 0);
    append_vector(args, values, dim);
}

void lens_pg_array(lens_pg_args *args, int element)
{
    next(args, element == LENS_PG_BYTES ? OID_BYTES_ARRAY : element == LENS_PG_TEXT ? OID_TEXT_ARRAY : element == LENS_PG_INT ? OID_INT_ARRAY : 0);
    append_number(args, 1, 4);                 /* dimensions: with none, nothing may be said of elements */
    append_number(args, 1, 4);                 /* there may be nulls */
    append_number(args, (uint64_t)element, 4);
    append_number(args, 0, 4);                 /* elements */
    append_number(args, 1, 4);                 /* the number of the first */
}

static void element(lens_pg_args *args)
{
    lens_buffer *buffer = &args->values[args->count - 1];
    if (args->failed || buffer->size < ARRAY_HEADER)
        return;
    put_number((uint8_t *)buffer->data + 12, (uint64_t)++args->elements[args->count - 1], 4);
}

void lens_pg_add_bytes(lens_pg_args *args, const void *bytes, size_t size)
{
    element(args);
    append_number(args, bytes ? size : UINT32_MAX, 4);
    if (bytes)
        append(args, bytes, size);
}

void lens_pg_add_text(lens_pg_args *args, const char *text)
{
    element(args);
    lens_buffer *buffer = &args->values[args->count - 1];
    const size_t at = buffer->size;
    append_number(args, UINT32_MAX, 4);
    if (!text)
        return;
    append_text(args, text);
    if (!args->failed)
        put_number((uint8_t *)buffer->data + at, buffer->size - at - 4, 4);
}

void lens_pg_add_int(lens_pg_args *args, int64_t value)
{
    element(args);
    append_number(args, 8, 4);
    append_number(args, (uint64_t)value, 8);
}

void lens_pg_add_vector(lens_pg_args *args, const float *values, int dim)
{
    element(args);
    append_number(args, 4 + 4 * (uint64_t)dim, 4);
    append_vector(args, values, dim);
}

void lens_pg_args_free(lens_pg_args *args)
{
    for (int i = 0; args && i < args->count; i++)
        lens_buffer_free(&args->values[i]);
    if (args)
        *args = (lens_pg_args){0};
}

/* ---- asking ---- */

/* The number of the prepared statement for SQL; -1 when it is not to be prepared, -2 on failure. */
static int prepared(lens_postgres *store, const char *sql, const lens_pg_args *args, lens_error *err)
{
    for (size_t i = 0; i < store->statement_count; i++)
        if (strcmp(store->statements[i].sql, sql) == 0)
            return (int)i;
    if (store->statement_count == LENS_PG_STATEMENTS)
        return -1;
    char name[16];
    snprintf(name, sizeof name, "s%zu", store->statement_count);
    const int sent = store->pq->PQsendPrepare(store->connection, name, sql, args ? args->count : 0, args ? args->types : NULL);
    PGresult *result = lens_pg_answer(store, sent, err);
    store->pq->PQclear(result);
    if (!result)
        return -2;
    char *copy = strdup(sql);
    if (!copy) {
        lens_fail_memory(err);
        return -2;
    }
    store->statements[store->statement_count].sql = copy;
    return (int)store->statement_count++;
}

static PGresult *ask_once(lens_postgres *store, const char *sql, const lens_pg_args *args, lens_error *err)
{
    const char *values[LENS_PG_ARGUMENTS];
    int lengths[LENS_PG_ARGUMENTS], formats[LENS_PG_ARGUMENTS];
    const int count = args ? args->count : 0;
    for (int i = 0; i < count; i++) {
        values[i] = args->null[i] ? NULL : args->values[i].data ? args->values[i].data : "";
        lengths[i] = (int)args->values[i].size;
        formats[i] = 1;
    }
    const int number = prepared(store, sql, args, err);
    if (number == -2)
        return NULL;
    char name[16];
    snprintf(name, sizeof name, "s%d", number);
    const int sent = number >= 0 ? store->pq->PQsendQueryPrepared(store->connection, name, count, values, lengths, formats, 1)
                                 : store->pq->PQsendQueryParams(store->connection, sql, count, args ? args->types : NULL, values, lengths, formats, 1);
    return lens_pg_answer(store, sent, err);
}

PGresult *lens_pg_ask(lens_postgres *store, const char *sql, lens_pg_args *args, lens_error *err)
{
    PGresult *result = NULL;
    bool fits = !args || !args->failed;
    for (int i = 0; args && i < args->count; i++)
        fits &= args->values[i].size <= INT32_MAX / 2;
    store->lost = false;
    if (!fits)
        lens_fail_memory(err);
    else if (lens_pg_ready(store, err) == 0) {
        lens_error first = {0};
        result = ask_once(store, sql, args, &first);
        /* Outside a transaction a question may be asked again: those that change anything say the same twice. */
        if (!result && store->lost && store->depth == 0 && lens_pg_connect(store, &first) == 0)
            result = ask_once(store, sql, args, &first);
        if (!result && err)
            *err = first;
    }
    lens_pg_args_free(args);
    return result;
}

int lens_pg_run(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *rows, lens_error *err)
{
    PGresult *result = lens_pg_ask(store, sql, args, err);
    if (!result)
        return -1;
    const int64_t count = strtoll(store->pq->PQcmdTuples(result), NULL, 10);
    store->pq->PQclear(result);
    if (rows && lens_pg_check_number(store, count, 0, UINT32_MAX, err) != 0)
        return -1;
    if (rows)
        *rows = count; /* small enough to be added up */
    return 0;
}

void lens_pg_done(lens_postgres *store, PGresult *rows)
{
    store->pq->PQclear(rows);
}

void lens_pg_ranges(lens_pg_args *args, const char *const *paths, size_t count)
{
    for (int part = 0; part < 3; part++) {
        lens_pg_array(args, LENS_PG_BYTES);
        for (size_t i = 0; i < count; i++) {
            lens_path_range range;
            if (lens_path_range_of(paths[i], &range) != 0)
                args->failed = true;
            const char *text = part == 0 ? paths[i] : part == 1 ? range.from : range.to;
            lens_pg_add_bytes(args, text ? text : "", text ? strlen(text) : 0);
            lens_path_range_free(&range);
        }
    }
}

/* ---- rows ---- */

int lens_pg_rows(const lens_postgres *store, const PGresult *rows)
{
    return store->pq->PQntuples(rows);
}

bool lens_pg_is_null(const lens_postgres *store, const PGresult *rows, int row, int column)
{
    return store->pq->PQgetisnull(rows, row, column);
}

int64_t lens_pg_int_at(const lens_postgres *store, const PGresult *rows, int row, int column)
{
    const uint8_t *at = (const uint8_t *)store->pq->PQgetvalue(rows, row, column);
    switch (store->pq->PQgetlength(rows, row, column)) {
    case 8:
        return (int64_t)get_number(at, 8);
    case 4:
        return (int32_t)get_number(at, 4);
    case 1:
        return at[0];
    default:
        return 0;
    }
}

int lens_pg_check_number(const lens_postgres *store, int64_t number, int64_t least, int64_t most, lens_error *err)
{
    return number >= least && number <= most
               ? 0 : lens_fail(err, LENS_E_FORMAT, "%s: the database gives a number that cannot be: %lld", store->name, (long long)number);
}

int lens_pg_within_at(const lens_postgres *store, const PGresult *rows, int row, int column, int64_t least, int64_t most, int64_t *number, lens_error *err)
{
    *number = lens_pg_int_at(store, rows, row, column);
    return lens_pg_check_number(store, *number, least, most, err);
}

int lens_pg_counts_at(const lens_postgres *store, const PGresult *rows, int row, int column, int64_t *const *counts, int count, lens_error *err)
{
    for (int i = 0; i < count; i++)
        if (lens_pg_within_at(store, rows, row, column + i, 0, LENS_PG_COUNT_MOST, counts[i], err) != 0)
            return -1;
    return 0;
}

int lens_pg_place_at(const lens_postgres *store, const PGresult *rows, int row, int column, size_t count, size_t *at, lens_error *err)
{
    int64_t number;
    if (lens_pg_within_at(store, rows, row, column, 1, (int64_t)count, &number, err) != 0)
        return -1;
    *at = (size_t)number - 1;
    return 0;
}

double lens_pg_double_at(const lens_postgres *store, const PGresult *rows, int row, int column)
{
    double value = 0;
    if (store->pq->PQgetlength(rows, row, column) == 8) {
        const uint64_t bits = get_number((const uint8_t *)store->pq->PQgetvalue(rows, row, column), 8);
        memcpy(&value, &bits, sizeof value);
    }
    return value;
}

const char *lens_pg_bytes_at(const lens_postgres *store, const PGresult *rows, int row, int column, size_t *size)
{
    const char *bytes = store->pq->PQgetvalue(rows, row, column); /* NULL where there is no such column, of whatever was asked for */
    if (size)
        *size = bytes ? (size_t)store->pq->PQgetlength(rows, row, column) : 0;
    return bytes ? bytes : "";
}

char *lens_pg_copy_at(const lens_postgres *store, const PGresult *rows, int row, int column, bool *short_of_memory)
{
    if (lens_pg_is_null(store, rows, row, column))
        return NULL;
    size_t size;
    const char *bytes = lens_pg_bytes_at(store, rows, row, column, &size);
    char *copy = malloc(size + 1);
    if (!copy) {
        *short_of_memory = true;
        return NULL;
    }
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

bool lens_pg_vector_at(const lens_postgres *store, const PGresult *rows, int row, int column, float *values, int dim)
{
    size_t size;
    const uint8_t *bytes = (const uint8_t *)lens_pg_bytes_at(store, rows, row, column, &size);
    if (size != 4 + 4 * (size_t)dim)
        return false;
    for (int i = 0; i < dim; i++) {
        const uint32_t bits = (uint32_t)get_number(bytes + 4 + 4 * (size_t)i, 4);
        memcpy(&values[i], &bits, sizeof bits);
    }
    return true;
}

int lens_pg_find(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *number, lens_error *err)
{
    PGresult *rows = lens_pg_ask(store, sql, args, err);
    if (!rows)
        return -1;
    const int found = lens_pg_rows(store, rows) > 0;
    if (found)
        *number = lens_pg_int_at(store, rows, 0, 0);
    lens_pg_done(store, rows);
    return found;
}

int lens_pg_number(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *number, lens_error *err)
{
    const int found = lens_pg_find(store, sql, args, number, err);
    return found == 0 ? lens_fail(err, LENS_E_FORMAT, "%s: a row about the library is missing", store->name) : found > 0 ? 0 : -1;
}

int64_t lens_pg_count(lens_postgres *store, const char *sql, lens_pg_args *args, lens_error *err)
{
    int64_t count = 0;
    return lens_pg_number(store, sql, args, &count, err) == 0 && lens_pg_check_number(store, count, 0, LENS_PG_COUNT_MOST, err) == 0 ? count : -1;
}

int lens_pg_find_text(lens_postgres *store, const char *sql, lens_pg_args *args, char **text, lens_error *err)
{
    *text = NULL;
    PGresult *rows = lens_pg_ask(store, sql, args, err);
    if (!rows)
        return -1;
    bool short_of_memory = false;
    if (lens_pg_rows(store, rows) > 0)
        *text = lens_pg_copy_at(store, rows, 0, 0, &short_of_memory);
    lens_pg_done(store, rows);
    return short_of_memory ? lens_fail_memory(err) : 0;
}
