/* Rules about paths: what is to be indexed, and what stays out. The nearest rule at or above a path decides. */
#include <stdlib.h>

#include "store/store_internal.h"

static int paths_of(lens_store *store, const char *sql, lens_store_paths *out, lens_error *err)
{
    *out = (lens_store_paths){0};
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    size_t capacity = 0;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        if (out->count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            char **items = realloc(out->items, capacity * sizeof *items);
            if (!items)
                break;
            out->items = items;
        }
        bool short_of_memory = false;
        out->items[out->count] = lens_sql_text(statement, 0, &short_of_memory);
        if (!out->items[out->count])
            break;
        out->count++;
    }
    lens_sql_done(store, statement);
    if (result > 0)
        result = lens_sql_memory(store, err);
    if (result != 0)
        lens_store_paths_free(out);
    return result;
}

int lens_store_roots(lens_store *store, lens_store_paths *out, lens_error *err)
{
    return paths_of(store, "SELECT path FROM rule WHERE out = 0 ORDER BY path", out, err);
}

int lens_store_forgotten(lens_store *store, lens_store_paths *out, lens_error *err)
{
    return paths_of(store, "SELECT path FROM rule WHERE out = 1 ORDER BY path", out, err);
}

/* 1: a root covers PATH from above, 0: none, -1: error. A hidden name on the way ends its reach, for a walk from there does not come
 * by: who names a hidden folder below a root means it. SCRATCH: a copy of PATH, which is shortened. */
static int covered(lens_store *store, char *scratch, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT out FROM rule WHERE path = ?1", err);
    if (!statement)
        return -1;
    int result = 0;
    while (scratch[1] != '\0') {
        char *slash = strrchr(scratch, '/');
        if (slash[1] == '.')
            break;
        slash[slash == scratch] = '\0';
        lens_sql_bind_path(statement, 1, scratch);
        result = lens_sql_step(store, statement, err);
        if (result > 0)
            result = sqlite3_column_int(statement, 0) == 0 ? 1 : 2;
        sqlite3_reset(statement);
        if (result != 0)
            break;
    }
    lens_sql_done(store, statement);
    return result == 2 ? 0 : result;
}

static int run_with_path(lens_store *store, const char *sql, const char *path, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, path);
    return lens_sql_finish(store, statement, err);
}

/* Drops the roots below PATH, a root, that it now covers. All are judged before any goes: a root that is covered by another that
 * goes is covered by PATH too. */
static int drop_covered(lens_store *store, const char *path, lens_error *err)
{
    lens_store_paths roots;
    if (lens_store_roots(store, &roots, err) != 0)
        return -1;
    size_t length = strlen(path), go = 0;
    int result = 0;
    for (size_t i = 0; i < roots.count && result >= 0; i++) {
        char *root = roots.items[i];
        bool below = length == 1 ? root[1] != '\0' : strncmp(root, path, length) == 0 && root[length] == '/';
        if (!below)
            continue;
        char *scratch = strdup(root);
        result = scratch ? covered(store, scratch, err) : lens_sql_memory(store, err);
        free(scratch);
        if (result > 0) {
            roots.items[i] = roots.items[go];
            roots.items[go++] = root;
        }
    }
    for (size_t i = 0; i < go && result >= 0; i++)
        result = run_with_path(store, "DELETE FROM rule WHERE path = ?1", roots.items[i], err);
    lens_store_paths_free(&roots);
    return result < 0 ? -1 : 0;
}

static int add(lens_store *store, const char *path, lens_error *err)
{
    if (run_with_path(store, "DELETE FROM rule WHERE path = ?1 AND out = 1", path, err) != 0)
        return -1;
    char *scratch = strdup(path);
    if (!scratch)
        return lens_sql_memory(store, err);
    int result = covered(store, scratch, err);
    free(scratch);
    if (result != 0)
        return result < 0 ? -1 : 0;
    if (run_with_path(store, "INSERT OR IGNORE INTO rule VALUES (?1, 0)", path, err) != 0)
        return -1;
    return drop_covered(store, path, err);
}

int lens_store_add_root(lens_store *store, const char *path, lens_error *err)
{
    if (lens_path_check(path, err) != 0 || lens_sql_begin(store, err) != 0)
        return -1;
    return lens_sql_end(store, add(store, path, err), err);
}
