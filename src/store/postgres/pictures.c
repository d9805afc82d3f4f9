/* Looking up pictures and contents, and counting them. */
#include <stdlib.h>

#include "store/postgres/internal.h"

enum { PAGE = 4096 /* rows asked for at once, of many */ };

#define PICTURE_SELECT \
    "SELECT picture.id, path, size, mtime_ns, coalesce(picture.content, 0), reason, width, height, format" \
    " FROM picture LEFT JOIN content ON content.id = picture.content "

static int read_picture(lens_postgres *store, const PGresult *rows, int row, lens_store_picture *out, lens_error *err)
{
    bool short_of_memory = false;
    int64_t width, height;
    *out = (lens_store_picture){0};
    if (lens_pg_within_at(store, rows, row, 6, 0, INT32_MAX, &width, err) != 0 || lens_pg_within_at(store, rows, row, 7, 0, INT32_MAX, &height, err) != 0)
        return -1;
    *out = (lens_store_picture){
        .id = lens_pg_int_at(store, rows, row, 0),
        .path = lens_pg_copy_at(store, rows, row, 1, &short_of_memory),
        .size = lens_pg_int_at(store, rows, row, 2),
        .mtime_ns = lens_pg_int_at(store, rows, row, 3),
        .content = lens_pg_int_at(store, rows, row, 4),
        .reason = lens_pg_copy_at(store, rows, row, 5, &short_of_memory),
        .width = (int)width,
        .height = (int)height,
        .format = lens_pg_copy_at(store, rows, row, 8, &short_of_memory),
    };
    if (out->path && (out->content ? out->format : out->reason))
        return 0;
    if (short_of_memory)
        lens_fail_memory(err);
    else
        lens_fail(err, LENS_E_FORMAT, "%s: the row of picture %lld is damaged", store->name, (long long)out->id);
    lens_store_picture_free(out);
    return -1;
}

static int one_picture(lens_postgres *store, const char *sql, lens_pg_args *args, lens_store_picture *out, lens_error *err)
{
    *out = (lens_store_picture){0};
    PGresult *rows = lens_pg_ask(store, sql, args, err);
    if (!rows)
        return -1;
    int found = lens_pg_rows(store, rows) > 0;
    if (found && read_picture(store, rows, 0, out, err) != 0)
        found = -1;
    lens_pg_done(store, rows);
    return found;
}

int lens_postgres_picture_by_path(lens_postgres *store, const char *path, lens_store_picture *out, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_path(&args, path);
    return one_picture(store, PICTURE_SELECT "WHERE path = $1", &args, out, err);
}

int lens_postgres_picture_by_id(lens_postgres *store, int64_t id, lens_store_picture *out, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, id);
    return one_picture(store, PICTURE_SELECT "WHERE picture.id = $1", &args, out, err);
}

int lens_postgres_picture_next(lens_postgres *store, int64_t content, int64_t after, lens_store_picture *out, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, content);
    lens_pg_int(&args, after);
    return one_picture(store, PICTURE_SELECT "WHERE picture.content = $1 AND picture.id > $2 ORDER BY picture.id LIMIT 1", &args, out, err);
}

int lens_postgres_pictures_some(lens_postgres *store, int64_t *ids, int count, lens_error *err)
{
    /* Each is the first at or after an even step of the ids: no walk over all of them. */
    lens_pg_args args = {0};
    lens_pg_int(&args, count);
    PGresult *rows = lens_pg_ask(store, "SELECT DISTINCT f.id FROM (SELECT min(id) AS low, max(id) AS high FROM picture WHERE content IS NOT NULL) AS ends,"
                                        " pg_catalog.generate_series(0::int8, $1::int8 - 1) AS i, LATERAL (SELECT id FROM picture WHERE content IS NOT NULL"
                                        " AND id >= low + ((high - low)::numeric * i / $1)::bigint ORDER BY id LIMIT 1) AS f ORDER BY f.id", &args, err);
    if (!rows)
        return -1;
    const int found = lens_pg_rows(store, rows) < count ? lens_pg_rows(store, rows) : count;
    for (int i = 0; i < found; i++)
        ids[i] = lens_pg_int_at(store, rows, i, 0);
    lens_pg_done(store, rows);
    return found;
}

/* Calls EACH for ROWS of PICTURE_SELECT, and notes the last id in *LAST. */
static int each_of(lens_postgres *store, const PGresult *rows, lens_store_each each, void *context, int64_t *last, lens_error *err)
{
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++) {
        lens_store_picture picture;
        if ((result = read_picture(store, rows, i, &picture, err)) != 0)
            break;
        *last = picture.id;
        result = each(context, &picture);
        lens_store_picture_free(&picture);
    }
    return result;
}

int lens_postgres_pictures_of(lens_postgres *store, int64_t content, lens_store_each each, void *context, lens_error *err)
{
    lens_pg_args args = {0};
    int64_t last;
    if (content)
        lens_pg_int(&args, content);
    PGresult *rows = lens_pg_ask(store, content ? PICTURE_SELECT "WHERE picture.content = $1 ORDER BY path" : PICTURE_SELECT "WHERE picture.content IS NULL ORDER BY path",
                                 &args, err);
    if (!rows)
        return -1;
    const int result = each_of(store, rows, each, context, &last, err);
    lens_pg_done(store, rows);
    return result;
}

int lens_postgres_pictures_each(lens_postgres *store, lens_store_each each, void *context, lens_error *err)
{
    int64_t last = INT64_MIN;
    for (;;) {
        lens_pg_args args = {0};
        lens_pg_int(&args, last);
        lens_pg_int(&args, PAGE);
        PGresult *rows = lens_pg_ask(store, PICTURE_SELECT "WHERE picture.content IS NOT NULL AND picture.id > $1 ORDER BY picture.id LIMIT $2", &args, err);
        if (!rows)
            return -1;
        const int count = lens_pg_rows(store, rows), result = each_of(store, rows, each, context, &last, err);
        lens_pg_done(store, rows);
        if (result != 0 || count < PAGE)
            return result;
    }
}

int lens_postgres_content_by_hash(lens_postgres *store, lens_hash hash, int64_t *content, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_bytes(&args, hash.bytes, sizeof hash.bytes);
    return lens_pg_find(store, "SELECT id FROM content WHERE hash = $1", &args, content, err);
}

int lens_postgres_has_vector(lens_postgres *store, int64_t model, int64_t content, lens_error *err)
{
    char sql[LENS_PG_SQL];
    int dim;
    int found = lens_pg_model(store, model, &dim, err); /* one that there is not has no table */
    if (found <= 0)
        return found;
    lens_pg_args args = {0};
    lens_pg_int(&args, content);
    PGresult *rows = lens_pg_ask(store, lens_pg_sql_of(sql, "SELECT 1 FROM vector_%lld WHERE content = $1", model), &args, err);
    if (!rows)
        return -1;
    found = lens_pg_rows(store, rows) > 0;
    lens_pg_done(store, rows);
    return found;
}

int lens_postgres_picture_ids(lens_postgres *store, int64_t content, int (*each)(void *context, int64_t id), void *context, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, content);
    PGresult *rows = lens_pg_ask(store, "SELECT id FROM picture WHERE content = $1 ORDER BY id", &args, err);
    if (!rows)
        return -1;
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++)
        result = each(context, lens_pg_int_at(store, rows, i, 0));
    lens_pg_done(store, rows);
    return result;
}

int lens_postgres_count(lens_postgres *store, lens_store_counts *out, lens_error *err)
{
    *out = (lens_store_counts){0};
    PGresult *rows = lens_pg_ask(store, "SELECT (SELECT count(*) FROM picture WHERE content IS NOT NULL), (SELECT count(*) FROM picture WHERE content IS NULL),"
                                        " (SELECT count(*) FROM content), (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
                                        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'memelens' AND c.relkind = 'r')", NULL, err);
    if (!rows)
        return -1;
    const int result = lens_pg_counts_at(store, rows, 0, 0, (int64_t *const[]){&out->pictures, &out->failed, &out->contents, &out->bytes}, 4, err);
    lens_pg_done(store, rows);
    return result;
}
