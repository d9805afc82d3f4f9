/* What goes: pictures that a walk did not meet, what was forgotten, and contents that no picture holds any more. */
#include <stdlib.h>

#include "store/postgres/internal.h"

#define BELOW "(path = $1 OR (path > $2 AND path < $3))"

/* PATH and the range of what is below it, as the next three arguments. */
static int range_args(lens_pg_args *args, const char *path, lens_error *err)
{
    lens_path_range range;
    if (lens_path_range_of(path, &range) != 0)
        return lens_fail_memory(err);
    lens_pg_path(args, path);
    lens_pg_path(args, range.from);
    lens_pg_path(args, range.to);
    lens_path_range_free(&range);
    return 0;
}

int lens_postgres_met_clear(lens_postgres *store, lens_error *err)
{
    lens_met_clear(&store->met);
    return lens_pg_number(store, "SELECT " LENS_PG_NOW, NULL, &store->begun, err);
}

int lens_postgres_met_mark(lens_postgres *store, int64_t id, lens_error *err)
{
    return lens_met_mark(&store->met, id, err);
}

int lens_postgres_met_keep(lens_postgres *store, const char *path, lens_error *err)
{
    return lens_met_keep(&store->met, path, err);
}

#define HELD_BY_NONE "NOT EXISTS (SELECT FROM picture WHERE picture.content = content.id)"

/* Removes contents that no picture holds: of all, where it is not known which those may be, else of LOOSE, which have just lost one. Looking at all holds up
 * every other writer, and a run sweeps once for each folder. */
static int drop_loose(lens_postgres *store, const lens_id_list *loose, lens_error *err)
{
    if (store->loose_unknown)
        return lens_pg_run(store, "DELETE FROM content WHERE " HELD_BY_NONE, NULL, NULL, err);
    if (loose->count == 0)
        return 0;
    lens_pg_args args = {0};
    lens_pg_ints(&args, loose->items, loose->count);
    return lens_pg_run(store, "DELETE FROM content WHERE id = ANY ($1) AND " HELD_BY_NONE, &args, NULL, err);
}

/* Deletes pictures by SQL, which returns their contents, and the contents that none is left of. *REMOVED: pictures. */
static int delete_pictures(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *removed, lens_error *err)
{
    lens_id_list loose = {0};
    PGresult *rows = lens_pg_ask(store, sql, args, err);
    if (!rows)
        return -1;
    int result = 0;
    *removed = lens_pg_rows(store, rows);
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++)
        if (!lens_pg_is_null(store, rows, i, 0) && lens_id_list_add(&loose, lens_pg_int_at(store, rows, i, 0)) != 0)
            result = lens_fail_memory(err);
    lens_pg_done(store, rows);
    if (result == 0 && *removed)
        result = lens_pg_sources_unread(store, err); /* what is gone may have shared its name */
    if (result == 0)
        result = drop_loose(store, &loose, err);
    lens_id_list_free(&loose);
    return result;
}

/* Ends the transaction of a sweep. */
static int end(lens_postgres *store, int result, int64_t *removed, lens_error *err)
{
    result = lens_pg_end(store, result, err);
    if (result == 0)
        store->loose_unknown = false;
    else
        *removed = 0;
    return result;
}

/* Adds to OUT the pictures at or below ROOT that this walk should have met and did not. What another worker wrote since it began is not for it to judge.
 * (BEGUN is asked for without waiting for a turn, so a batch that was being written then may bear an earlier time than it was seen at. It cannot be missed: a
 * run takes a turn of its own, adding its models, before its walk begins.) */
static int unseen(lens_postgres *store, const char *root, const lens_names *nested, lens_id_list *out, lens_error *err)
{
    lens_pg_args args = {0};
    if (range_args(&args, root, err) != 0)
        return -1;
    lens_pg_int(&args, store->begun ? store->begun : INT64_MAX);
    PGresult *rows = lens_pg_ask(store, "SELECT id, path FROM picture WHERE " BELOW " AND NOT (" LENS_PG_SINCE("written", "$4") ") ORDER BY path", &args, err);
    if (!rows)
        return -1;
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++) {
        const int64_t id = lens_pg_int_at(store, rows, i, 0);
        if (!lens_met_stays(&store->met, id, lens_pg_bytes_at(store, rows, i, 1, NULL), nested) && lens_id_list_add(out, id) != 0)
            result = lens_fail_memory(err);
    }
    lens_pg_done(store, rows);
    return result;
}

static int sweep_once(lens_postgres *store, const char *root, int64_t *removed, lens_error *err)
{
    *removed = 0;
    lens_names nested = {0};
    lens_id_list gone = {0};
    if (lens_path_check(root, err) != 0 || lens_pg_begin(store, err) != 0)
        return -1;
    int result = lens_postgres_roots(store, &nested, err);
    if (result == 0) {
        lens_met_nested(root, &nested);
        result = unseen(store, root, &nested, &gone, err);
    }
    if (result == 0) {
        lens_pg_args args = {0};
        lens_pg_ints(&args, gone.items, gone.count);
        result = delete_pictures(store, "DELETE FROM picture WHERE id = ANY ($1) RETURNING content", &args, removed, err);
    }
    result = end(store, result, removed, err);
    lens_id_list_free(&gone);
    lens_names_free(&nested);
    return result;
}

int lens_postgres_sweep(lens_postgres *store, const char *root, int64_t *removed, lens_error *err)
{
    const int result = sweep_once(store, root, removed, err);
    return lens_pg_once_more(store, result, err) ? sweep_once(store, root, removed, err) : result;
}

static int forget(lens_postgres *store, const char *path, int64_t *removed, lens_error *err)
{
    lens_pg_args args = {0};
    if (range_args(&args, path, err) != 0 || delete_pictures(store, "DELETE FROM picture WHERE " BELOW " RETURNING content", &args, removed, err) != 0)
        return -1;
    /* What lies beside pictures there: no walk comes by it any more. What it says goes with it. */
    if (range_args(&args, path, err) != 0 || lens_pg_run(store, "DELETE FROM source WHERE kind = 2 AND " BELOW, &args, NULL, err) != 0)
        return -1;
    /* One rule in the place of all at or below PATH. That "/" stays out is no rule: nothing is in without one. */
    if (range_args(&args, path, err) != 0 || lens_pg_run(store, "DELETE FROM rule WHERE " BELOW, &args, NULL, err) != 0 ||
        range_args(&args, path, err) != 0 || lens_pg_run(store, "DELETE FROM work WHERE " BELOW, &args, NULL, err) != 0)
        return -1;
    if (path[1] == '\0') /* nor is anything left of where words came from, or of the words */
        return lens_pg_plain(store, "DELETE FROM memelens.source; DELETE FROM memelens.word", err);
    lens_pg_path(&args, path);
    return lens_pg_run(store, "INSERT INTO rule (path, out) VALUES ($1, true)", &args, NULL, err);
}

static int forget_once(lens_postgres *store, const char *path, int64_t *removed, lens_error *err)
{
    *removed = 0;
    if (lens_pg_path_check(path, err) != 0 || lens_pg_begin(store, err) != 0)
        return -1;
    return end(store, forget(store, path, removed, err), removed, err);
}

int lens_postgres_forget(lens_postgres *store, const char *path, int64_t *removed, lens_error *err)
{
    const int result = forget_once(store, path, removed, err);
    return lens_pg_once_more(store, result, err) ? forget_once(store, path, removed, err) : result;
}
