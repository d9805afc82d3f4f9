/* Rules about paths: what is to be indexed, and what stays out. */
#include <stdlib.h>

#include "store/postgres/internal.h"

int lens_pg_path_check(const char *path, lens_error *err)
{
    if (lens_path_check(path, err) != 0)
        return -1;
    return strlen(path) <= LENS_POSTGRES_PATH_MOST ? 0
           : lens_fail(err, LENS_E_LIMIT, "%s: a path of more than %d bytes is too long for a library in PostgreSQL", path, LENS_POSTGRES_PATH_MOST);
}

static int paths_of(lens_postgres *store, const char *sql, lens_names *out, lens_error *err)
{
    *out = (lens_names){0};
    PGresult *rows = lens_pg_ask(store, sql, NULL, err);
    if (!rows)
        return -1;
    const int count = lens_pg_rows(store, rows);
    bool short_of_memory = false;
    for (int i = 0; i < count && !short_of_memory; i++)
        short_of_memory = lens_names_add(out, lens_pg_copy_at(store, rows, i, 0, &short_of_memory)) != 0;
    lens_pg_done(store, rows);
    if (!short_of_memory)
        return 0;
    lens_names_free(out);
    return lens_fail_memory(err);
}

int lens_postgres_roots(lens_postgres *store, lens_names *out, lens_error *err)
{
    return paths_of(store, "SELECT path FROM rule WHERE NOT out ORDER BY path", out, err);
}

int lens_postgres_forgotten(lens_postgres *store, lens_names *out, lens_error *err)
{
    return paths_of(store, "SELECT path FROM rule WHERE out ORDER BY path", out, err);
}

static int run_with_path(lens_postgres *store, const char *sql, const char *path, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_path(&args, path);
    return lens_pg_run(store, sql, &args, NULL, err);
}

/* 1: a root covers PATH from above, 0: none, -1: error. A hidden name on the way ends its reach. SCRATCH: a copy of PATH, which is shortened. */
static int covered(lens_postgres *store, char *scratch, lens_error *err)
{
    while (scratch[1] != '\0') {
        char *slash = strrchr(scratch, '/');
        if (slash[1] == '.')
            return 0;
        slash[slash == scratch] = '\0';
        lens_pg_args args = {0};
        lens_pg_path(&args, scratch);
        PGresult *rows = lens_pg_ask(store, "SELECT out FROM rule WHERE path = $1", &args, err);
        if (!rows)
            return -1;
        const bool decides = lens_pg_rows(store, rows) > 0, out = decides && lens_pg_int_at(store, rows, 0, 0);
        lens_pg_done(store, rows);
        if (decides)
            return !out;
    }
    return 0;
}

static int remember(lens_postgres *store, const char *path, lens_error *err)
{
    return run_with_path(store, "DELETE FROM rule WHERE path = $1 AND out", path, err);
}

static int add(lens_postgres *store, const char *path, lens_error *err)
{
    if (remember(store, path, err) != 0)
        return -1;
    char *scratch = strdup(path);
    if (!scratch)
        return lens_fail_memory(err);
    const int result = covered(store, scratch, err);
    free(scratch);
    if (result != 0)
        return result < 0 ? -1 : 0;
    return run_with_path(store, "INSERT INTO rule (path, out) VALUES ($1, false) ON CONFLICT DO NOTHING", path, err);
}

int lens_postgres_add_root(lens_postgres *store, const char *path, lens_error *err)
{
    if (lens_pg_path_check(path, err) != 0 || lens_pg_begin(store, err) != 0)
        return -1;
    return lens_pg_end(store, add(store, path, err), err);
}

int lens_postgres_remember(lens_postgres *store, const char *path, lens_error *err)
{
    if (lens_pg_path_check(path, err) != 0 || lens_pg_begin(store, err) != 0)
        return -1;
    return lens_pg_end(store, remember(store, path, err), err);
}

int lens_postgres_root_settings(lens_postgres *store, const char *path, char **settings, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_path(&args, path);
    return lens_pg_find_text(store, "SELECT settings FROM rule WHERE path = $1 AND NOT out", &args, settings, err);
}

int lens_postgres_set_root_settings(lens_postgres *store, const char *path, const char *settings, lens_error *err)
{
    lens_pg_args args = {0};
    if (lens_pg_begin(store, err) != 0)
        return -1;
    lens_pg_path(&args, path);
    lens_pg_path(&args, settings);
    return lens_pg_end(store, lens_pg_run(store, "UPDATE rule SET settings = $2 WHERE path = $1 AND NOT out AND settings IS DISTINCT FROM $2", &args, NULL, err), err);
}
