/* What goes: pictures that a walk did not meet, what was forgotten, and contents that no picture holds any more. */
#include <stdlib.h>

#include "base/file.h"
#include "store/folder/internal.h"

void lens_loose_note(lens_folder *store, int64_t content)
{
    if (content && lens_id_list_add(&store->loose, content) != 0)
        store->loose_unknown = true;
}

/* ---- contents --------------------------------------------------------------------------------------------------- */

#define HELD_BY_NONE "NOT EXISTS (SELECT 1 FROM picture WHERE picture.content = content.id)"

/* Removes contents that no picture holds, and with them the rows of their vectors (the slots stay, dead, until a
 * compaction). Looks at all contents once, as an interrupted run may have left some, and from then on only at those that
 * were noted. */
static int drop_loose(lens_folder *store, lens_error *err)
{
    if (store->loose_unknown)
        return lens_sql_run(store, "DELETE FROM content WHERE " HELD_BY_NONE, err);
    for (size_t i = 0; i < store->loose.count; i++)
        if (lens_sql_run_with(store, "DELETE FROM content WHERE id = ?1 AND " HELD_BY_NONE, store->loose.items[i], err) != 0)
            return -1;
    return 0;
}

/* Ends the transaction; what is noted stays noted when it failed. */
static int end(lens_folder *store, int result, lens_error *err)
{
    result = lens_sql_end(store, result, err);
    if (result == 0) {
        store->loose.count = 0;
        store->loose_unknown = false;
    }
    return result;
}

/* ---- pictures --------------------------------------------------------------------------------------------------- */

/* The pictures at or below PATH, in order of path. NULL on error. */
static sqlite3_stmt *pictures_below(lens_folder *store, const char *path, const lens_path_range *range, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT id, path FROM picture WHERE path = ?1 UNION ALL"
                                              " SELECT id, path FROM picture WHERE path > ?2 AND path < ?3", err);
    if (statement)
        lens_path_range_bind(statement, path, range);
    return statement;
}

static int delete_pictures(lens_folder *store, const lens_id_list *list, lens_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        sqlite3_stmt *statement = lens_sql(store, "DELETE FROM picture WHERE id = ?1 RETURNING content", err);
        if (!statement)
            return -1;
        sqlite3_bind_int64(statement, 1, list->items[i]);
        int result = lens_sql_step(store, statement, err);
        if (result > 0)
            lens_loose_note(store, sqlite3_column_int64(statement, 0));
        lens_sql_done(store, statement);
        if (result < 0)
            return -1;
    }
    return list->count ? lens_sources_unread(store, err) : 0; /* what is gone may have shared its name */
}

/* Adds to OUT the pictures at or below ROOT that were neither met, nor lie where the walk could not look, nor below one
 * of NESTED. */
static int unseen(lens_folder *store, const char *root, const lens_names *nested, lens_id_list *out, lens_error *err)
{
    lens_path_range range;
    if (lens_path_range_of(root, &range) != 0)
        return lens_sql_memory(store, err);
    int result = -1;
    sqlite3_stmt *statement = pictures_below(store, root, &range, err);
    if (statement) {
        while ((result = lens_sql_step(store, statement, err)) > 0) {
            int64_t id = sqlite3_column_int64(statement, 0);
            bool short_of_memory = false;
            char *path = lens_sql_text(statement, 1, &short_of_memory);
            const bool stays = path && lens_met_stays(&store->met, id, path, nested);
            free(path);
            if (short_of_memory || (!stays && lens_id_list_add(out, id) != 0)) {
                result = lens_sql_memory(store, err);
                break;
            }
        }
        lens_sql_done(store, statement);
    }
    lens_path_range_free(&range);
    return result;
}

int lens_folder_met_clear(lens_folder *store, lens_error *err)
{
    (void)err;
    lens_met_clear(&store->met);
    return 0;
}

int lens_folder_met_mark(lens_folder *store, int64_t id, lens_error *err)
{
    return lens_met_mark(&store->met, id, err);
}

int lens_folder_met_keep(lens_folder *store, const char *path, lens_error *err)
{
    return lens_met_keep(&store->met, path, err);
}

static int sweep(lens_folder *store, const char *root, const lens_names *nested, int64_t *removed, lens_error *err)
{
    lens_id_list gone = {0};
    int result = unseen(store, root, nested, &gone, err);
    if (result == 0)
        result = delete_pictures(store, &gone, err);
    if (result == 0)
        result = drop_loose(store, err);
    *removed = (int64_t)gone.count;
    lens_id_list_free(&gone);
    return result;
}

int lens_folder_sweep(lens_folder *store, const char *root, int64_t *removed, lens_error *err)
{
    *removed = 0;
    if (lens_path_check(root, err) != 0)
        return -1;
    lens_names nested;
    if (lens_folder_roots(store, &nested, err) != 0)
        return -1;
    lens_met_nested(root, &nested);
    int result = lens_sql_begin(store, err);
    if (result == 0)
        result = end(store, sweep(store, root, &nested, removed, err), err);
    lens_names_free(&nested);
    if (result != 0)
        *removed = 0;
    return result;
}

/* ---- forgetting ------------------------------------------------------------------------------------------------- */

/* Runs SQL, which takes PATH and RANGE as ?1 to ?3. */
static int delete_below(lens_folder *store, const char *sql, const char *path, const lens_path_range *range, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, sql, err);
    if (!statement)
        return -1;
    lens_path_range_bind(statement, path, range);
    return lens_sql_finish(store, statement, err);
}

static int forget(lens_folder *store, const char *path, const lens_path_range *range, int64_t *removed, lens_error *err)
{
    lens_id_list gone = {0};
    sqlite3_stmt *statement = pictures_below(store, path, range, err);
    if (!statement)
        return -1;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        if (lens_id_list_add(&gone, sqlite3_column_int64(statement, 0)) != 0) {
            result = lens_sql_memory(store, err);
            break;
        }
    }
    lens_sql_done(store, statement);
    if (result == 0)
        result = delete_pictures(store, &gone, err);
    *removed = (int64_t)gone.count;
    lens_id_list_free(&gone);
    if (result != 0 || drop_loose(store, err) != 0)
        return -1;

    /* What lies beside pictures there: no walk comes by it any more. What it says goes with it. And one rule in the place of all at or below PATH; that "/" stays
     * out is no rule: nothing is in without one. */
    if (delete_below(store, "DELETE FROM source WHERE kind = 2 AND (path = ?1 OR (path > ?2 AND path < ?3))", path, range, err) != 0 ||
        delete_below(store, "DELETE FROM rule WHERE path = ?1 OR (path > ?2 AND path < ?3)", path, range, err) != 0)
        return -1;
    if (path[1] == '\0') /* nor is anything left of where words came from, or of the words */
        return lens_sql_run(store, "DELETE FROM source; DELETE FROM word", err);
    statement = lens_sql(store, "INSERT INTO rule (path, out) VALUES (?1, 1)", err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, path);
    return lens_sql_finish(store, statement, err);
}

int lens_folder_forget(lens_folder *store, const char *path, int64_t *removed, lens_error *err)
{
    *removed = 0;
    lens_path_range range;
    if (lens_path_check(path, err) != 0)
        return -1;
    if (lens_path_range_of(path, &range) != 0)
        return lens_sql_memory(store, err);
    int result = lens_sql_begin(store, err);
    if (result == 0)
        result = end(store, forget(store, path, &range, removed, err), err);
    lens_path_range_free(&range);
    if (result != 0)
        *removed = 0;
    return result;
}
