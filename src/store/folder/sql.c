#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/folder/internal.h"

/* Of its log and of the file that processes share SQLite tells a full disk in other ways: the one cannot grow, the other cannot be made. */
static bool is_full(const lens_folder *store, int code, int system)
{
    struct statvfs disk;
    if (code != SQLITE_CANTOPEN || fstatvfs(store->dir, &disk) != 0)
        return code == SQLITE_IOERR && system == ENOSPC;
    const bool full = (disk.f_blocks > 0 && disk.f_bavail == 0) || (disk.f_files > 0 && disk.f_favail == 0);
    return full && faccessat(store->dir, ".", W_OK, 0) == 0; /* else it is the rights that are missing, or the disk is read-only */
}

int lens_sql_fail(lens_folder *store, lens_error *err)
{
    int code = sqlite3_extended_errcode(store->db);
    const char *words = sqlite3_errmsg(store->db);
    int system = sqlite3_system_errno(store->db);
    switch (is_full(store, code & 0xff, system) ? SQLITE_FULL : code & 0xff) {
    case SQLITE_FULL:
        return lens_fail(err, LENS_E_FULL, "%s/%s: no room left on the disk", store->folder, LENS_DATABASE);
    case SQLITE_NOMEM:
        return lens_sql_memory(store, err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return lens_fail(err, LENS_E_BUSY, "%s/%s: held by another process", store->folder, LENS_DATABASE);
    case SQLITE_NOTADB:
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: not a library of memelens, or its beginning is damaged", store->folder,
                         LENS_DATABASE);
    case SQLITE_CORRUPT:
        if (store->unwatched)
            return lens_fail(err, LENS_E_FORMAT, "%s/%s: damaged, or written to elsewhere since it was opened here, where it is mounted read-only (%s); "
                                                 "begin again, and let memelens check look at it", store->folder, LENS_DATABASE, words);
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: damaged (%s); move it away and index again", store->folder,
                         LENS_DATABASE, words);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (system)
            return lens_fail_errno(err, system, "%s/%s: %s", store->folder, LENS_DATABASE, words);
        /* fall through */
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return lens_fail(err, LENS_E_SYSTEM, "%s/%s: %s", store->folder, LENS_DATABASE, words);
    default:
        /* A constraint, a type, a missing table: the rows are not what a library has. */
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: %s", store->folder, LENS_DATABASE, words);
    }
}

int lens_sql_memory(lens_folder *store, lens_error *err)
{
    return lens_fail_memory_for(err, store->folder);
}

int lens_sql_run(lens_folder *store, const char *sql, lens_error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : lens_sql_fail(store, err);
}

sqlite3_stmt *lens_sql(lens_folder *store, const char *sql, lens_error *err)
{
    bool keep = store->statement_count < LENS_STATEMENTS_MAX;
    for (size_t i = 0; i < store->statement_count; i++) {
        if (store->statements[i].sql != sql)
            continue;
        if (!sqlite3_stmt_busy(store->statements[i].statement))
            return store->statements[i].statement;
        keep = false; /* in use further up, by whoever called us from a callback */
        break;
    }
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(store->db, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, &statement, NULL) != SQLITE_OK) {
        lens_sql_fail(store, err);
        return NULL;
    }
    if (keep) {
        store->statements[store->statement_count].sql = sql;
        store->statements[store->statement_count++].statement = statement;
    }
    return statement;
}

void lens_sql_done(lens_folder *store, sqlite3_stmt *statement)
{
    for (size_t i = 0; i < store->statement_count; i++) {
        if (store->statements[i].statement == statement) {
            sqlite3_reset(statement);
            sqlite3_clear_bindings(statement);
            return;
        }
    }
    sqlite3_finalize(statement);
}

int lens_sql_step(lens_folder *store, sqlite3_stmt *statement, lens_error *err)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW: return 1;
    case SQLITE_DONE: return 0;
    default: return lens_sql_fail(store, err);
    }
}

int lens_sql_finish(lens_folder *store, sqlite3_stmt *statement, lens_error *err)
{
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0)
        ;
    lens_sql_done(store, statement);
    return result;
}

int lens_sql_run_with(lens_folder *store, const char *sql, int64_t number, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, number);
    return lens_sql_finish(store, statement, err);
}

int lens_sql_number(lens_folder *store, const char *sql, int64_t *number, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    const int result = lens_sql_step(store, statement, err);
    *number = result > 0 ? sqlite3_column_int64(statement, 0) : 0;
    lens_sql_done(store, statement);
    return result < 0 ? -1 : 0;
}

void lens_sql_bind_path(sqlite3_stmt *statement, int index, const char *path)
{
    sqlite3_bind_blob64(statement, index, path, strlen(path), SQLITE_STATIC);
}

char *lens_sql_text(sqlite3_stmt *statement, int column, bool *short_of_memory)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return NULL;
    const void *bytes = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    char *copy = malloc(size + 1);
    if (!copy || (!bytes && size > 0)) {
        free(copy);
        *short_of_memory = true;
        return NULL;
    }
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

/* Sees to it that what a failed commit left in the log can never come back: by a commit that changes nothing. 0, or -1: nothing may be written then. */
static int settle(lens_folder *store, lens_error *err)
{
    /* The same number once more: of all changes that change nothing, one that SQLite does write. */
    char words[64];
    snprintf(words, sizeof words, "PRAGMA user_version = %d", store->version);
    if (lens_sql_run(store, words, err) != 0)
        return -1;
    store->doubtful = false;
    lens_strays_remove(store);
    return 0;
}

int lens_sql_begin(lens_folder *store, lens_error *err)
{
    if (store->mode != LENS_STORE_WRITE)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: the library was opened for reading only", store->folder);
    if (store->batch)
        return 0;
    if (store->doubtful && settle(store, err) != 0)
        return -1;
    return lens_sql_run(store, "BEGIN IMMEDIATE", err);
}

int lens_sql_begin_read(lens_folder *store, lens_error *err)
{
    return lens_sql_run(store, "BEGIN", err);
}

int lens_sql_end(lens_folder *store, int result, lens_error *err)
{
    if (store->batch)
        return result == 0 ? 0 : -1;
    if (result == 0 && store->mode == LENS_STORE_WRITE && store->version >= LENS_SCHEMA_WORDS)
        result = lens_texts_follow(store, err);
    if (result == 0) {
        result = lens_sql_run(store, "COMMIT", err);
        store->doubtful |= result != 0;
    }
    /* Some errors (a full disk) have rolled back already. */
    if (result != 0 && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return result == 0 ? 0 : -1;
}

void lens_path_range_bind(sqlite3_stmt *statement, const char *path, const lens_path_range *range)
{
    lens_sql_bind_path(statement, 1, path);
    lens_sql_bind_path(statement, 2, range->from);
    lens_sql_bind_path(statement, 3, range->to);
}
