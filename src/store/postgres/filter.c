/* Which pictures may be results, as conditions of a query. */
#include "base/text.h"
#include "store/postgres/internal.h"

static void lower_args(lens_pg_args *args, const char *const *items, size_t count)
{
    lens_pg_array(args, LENS_PG_BYTES);
    for (size_t i = 0; i < count; i++) {
        lens_buffer low = {0};
        if (lens_buffer_append(&low, items[i], strlen(items[i])) != 0)
            args->failed = true;
        for (size_t j = 0; j < low.size; j++)
            low.data[j] = lens_ascii_lower(low.data[j]);
        lens_pg_add_bytes(args, low.data ? low.data : "", low.size);
        lens_buffer_free(&low);
    }
}

static int put_folders(lens_buffer *sql, lens_pg_args *args, const lens_store_scope *scope, lens_error *err)
{
    for (size_t i = 0; i < scope->folder_count; i++)
        if (lens_path_check(scope->folders[i], err) != 0)
            return -1;
    lens_pg_ranges(args, scope->folders, scope->folder_count);
    const int result = lens_buffer_print(sql, " AND EXISTS (SELECT FROM unnest($%d::bytea[], $%d::bytea[], $%d::bytea[]) AS f (at, low, high) WHERE p.path = at OR"
                                        " (p.path > low AND p.path < high))", args->count - 2, args->count - 1, args->count);
    return result == 0 ? 0 : lens_fail_memory(err);
}

/* Lower-case by ASCII alone, whatever the database's language. */
#define LOWER_PATH(path) "lower(convert_from(" path ", 'LATIN1') COLLATE \"C\")"

static int put_filter(lens_buffer *sql, lens_pg_args *args, const lens_store_filter *filter, lens_error *err)
{
    int result = 0;
    const char *const seen = filter->below ? "from_root(p.path)" : "p.path";
    if (filter->after != INT64_MIN || filter->before != INT64_MAX) {
        lens_pg_int(args, lens_store_nanoseconds(filter->after));
        lens_pg_int(args, lens_store_nanoseconds(filter->before));
        result |= lens_buffer_print(sql, " AND p.mtime_ns >= $%d AND p.mtime_ns < $%d", args->count - 1, args->count);
    }
    if (filter->size_least > 0 || filter->size_most != INT64_MAX) {
        lens_pg_int(args, filter->size_least);
        lens_pg_int(args, filter->size_most);
        result |= lens_buffer_print(sql, " AND greatest(c.width, c.height)::bigint BETWEEN $%d AND $%d", args->count - 1, args->count);
    }
    if (filter->format_count) {
        lower_args(args, filter->formats, filter->format_count);
        result |= lens_buffer_print(sql, " AND convert_to(lower(c.format), 'UTF8') = ANY ($%d)", args->count);
    }
    if (filter->label_count) { /* the name of the folder that it lies in; where paths are not told, nothing above a root has a name */
        lower_args(args, filter->labels, filter->label_count);
        result |= lens_buffer_print(sql, " AND convert_to(substring(" LOWER_PATH("%s") " from '([^/]+)/[^/]*$'), 'LATIN1') = ANY ($%d)", seen, args->count);
    }
    if (filter->pattern) {
        lens_buffer pattern = {0};
        result |= lens_pg_put_glob(&pattern, filter->pattern);
        lens_pg_text(args, pattern.data ? pattern.data : "");
        result |= lens_buffer_print(sql, " AND " LOWER_PATH("%s") " ~ $%d", seen, args->count);
        lens_buffer_free(&pattern);
    }
    return result == 0 ? 0 : lens_fail_memory(err);
}

int lens_pg_conditions(lens_buffer *sql, lens_pg_args *args, const lens_store_scope *scope, lens_error *err)
{
    if (scope->folder_count && put_folders(sql, args, scope, err) != 0)
        return -1;
    if (scope->filter && put_filter(sql, args, scope->filter, err) != 0)
        return -1;
    if (!scope->without_count)
        return 0;
    lens_pg_ints(args, scope->without, scope->without_count);
    return lens_buffer_print(sql, " AND p.id <> ALL ($%d)", args->count) == 0 ? 0 : lens_fail_memory(err);
}
