/* Rules about paths: what is to be indexed, and what stays out. The nearest rule at or above a path decides. */
#include <stdlib.h>

#include "store/folder/internal.h"

static int paths_of(lens_folder *store, const char *sql, lens_names *out, lens_error *err)
{
    *out = (lens_names){0};
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        bool short_of_memory = false;
        if (lens_names_add(out, lens_sql_text(statement, 0, &short_of_memory)) != 0)
            break;
    }
    lens_sql_done(store, statement);
    if (result > 0)
        result = lens_sql_memory(store, err);
    if (result != 0)
        lens_names_free(out);
    return result;
}

int lens_folder_roots(lens_folder *store, lens_names *out, lens_error *err)
{
    return paths_of(store, "SELECT path FROM rule WHERE out = 0 ORDER BY path", out, err);
}

int lens_folder_forgotten(lens_folder *store, lens_names *out, lens_error *err)
{
    return paths_of(store, "SELECT path FROM rule WHERE out = 1 ORDER BY path", out, err);
}

/* 1: a root covers PATH from above, 0: none, -1: error. A hidden name on the way ends its reach, for a walk from there
 * does not come by: who names a hidden folder below a root means it. SCRATCH: a copy of PATH, which is shortened. */
static int covered(lens_folder *store, char *scratch, lens_error *err)
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

static int run_with_path(lens_folder *store, const char *sql, const char *path, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, path);
    return lens_sql_finish(store, statement, err);
}

static int remember(lens_folder *store, const char *path, lens_error *err)
{
    return run_with_path(store, "DELETE FROM rule WHERE path = ?1 AND out = 1", path, err);
}

static int add(lens_folder *store, const char *path, lens_error *err)
{
    if (remember(store, path, err) != 0)
        return -1;
    char *scratch = strdup(path);
    if (!scratch)
        return lens_sql_memory(store, err);
    int result = covered(store, scratch, err);
    free(scratch);
    if (result != 0)
        return result < 0 ? -1 : 0;
    return run_with_path(store, "INSERT OR IGNORE INTO rule (path, out) VALUES (?1, 0)", path, err);
}

int lens_folder_add_root(lens_folder *store, const char *path, lens_error *err)
{
    if (lens_path_check(path, err) != 0 || lens_sql_begin(store, err) != 0)
        return -1;
    return lens_sql_end(store, add(store, path, err), err);
}

int lens_folder_remember(lens_folder *store, const char *path, lens_error *err)
{
    if (lens_path_check(path, err) != 0 || lens_sql_begin(store, err) != 0)
        return -1;
    return lens_sql_end(store, remember(store, path, err), err);
}

int lens_folder_root_settings(lens_folder *store, const char *path, char **settings, lens_error *err)
{
    *settings = NULL;
    sqlite3_stmt *statement = lens_sql(store, "SELECT settings FROM rule WHERE path = ?1 AND out = 0", err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, path);
    bool short_of_memory = false;
    int result = lens_sql_step(store, statement, err);
    if (result > 0)
        *settings = lens_sql_text(statement, 0, &short_of_memory);
    lens_sql_done(store, statement);
    return short_of_memory ? lens_sql_memory(store, err) : result < 0 ? -1 : 0;
}

int lens_folder_set_root_settings(lens_folder *store, const char *path, const char *settings, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "UPDATE rule SET settings = ?2"
                                              " WHERE path = ?1 AND out = 0 AND settings IS NOT ?2", err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, path);
    lens_sql_bind_path(statement, 2, settings);
    return lens_sql_finish(store, statement, err);
}
