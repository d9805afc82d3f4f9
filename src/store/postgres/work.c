/* Work that many workers share: a list of files to be looked at, of which each worker takes some at a time. Who takes some skips the rows that others are just
 * taking (FOR UPDATE SKIP LOCKED), so that nobody waits. What a worker has taken is its own as long as its lease lasts. All times are the server's. */
#include <stdlib.h>

#include "store/postgres/internal.h"

#define WITHIN "EXISTS (SELECT FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS f (at, low, high) WHERE work.path = at OR (work.path > low AND work.path < high))"

/* Makes a worker. In a turn: else what this takes off the list as nobody's may be what another one has just found there, and so did not put there itself. */
static int put_worker(lens_postgres *store, const char *name, const int64_t *models, size_t model_count, double lease, int64_t *worker, lens_error *err)
{
    lens_pg_args args = {0};
    /* Those that ended long ago and did not say so, or by a clock that was ahead. */
    if (lens_pg_run(store, "DELETE FROM worker WHERE lease < " LENS_PG_NOW " - 3600000000::bigint OR heard > " LENS_PG_SOON, NULL, NULL, err) != 0)
        return -1;
    lens_pg_text(&args, name);
    lens_pg_double(&args, lease);
    lens_pg_ints(&args, models, model_count);
    if (lens_pg_number(store, "INSERT INTO worker (name, lease, models) VALUES ($1, " LENS_PG_NOW " + ($2::float8 * 1000000)::bigint, array(SELECT m FROM unnest($3::bigint[]) AS m"
                              " ORDER BY m)) RETURNING id", &args, worker, err) != 0)
        return -1;
    /* Work for models that nobody serves any more: who will, walks again. */
    return lens_pg_run(store, "DELETE FROM work WHERE NOT EXISTS (SELECT FROM worker WHERE worker.models = work.models)", NULL, NULL, err);
}

static int begin_once(lens_postgres *store, const char *name, const int64_t *models, size_t model_count, double lease, int64_t *worker, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    return lens_pg_end(store, put_worker(store, name, models, model_count, lease, worker, err), err);
}

int lens_postgres_work_begin(lens_postgres *store, const char *name, const int64_t *models, size_t model_count, double lease, int64_t *worker, lens_error *err)
{
    int result = begin_once(store, name, models, model_count, lease, worker, err);
    if (lens_pg_once_more(store, result, err))
        result = begin_once(store, name, models, model_count, lease, worker, err);
    if (result != 0)
        return -1;
    store->worker = *worker;
    store->worker_models = model_count;
    return 0;
}

/* The list's index has the models beside the path: an array of them has 24 bytes and 8 each; 2,704 are all that an entry holds, 8 its own, and up to 11 stand
 * before them and between. */
size_t lens_postgres_path_most(const lens_postgres *store)
{
    enum { ROOM = 2704 - 8 - 11 - 24 };
    const size_t models = store->worker ? 8 * store->worker_models : 0, room = models < ROOM ? ROOM - models : 0;
    return room < LENS_POSTGRES_PATH_MOST ? room : LENS_POSTGRES_PATH_MOST;
}

int lens_postgres_work_renew(lens_postgres *store, int64_t worker, double lease, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, worker);
    lens_pg_double(&args, lease);
    int64_t there = 0;
    if (lens_pg_run(store, "UPDATE worker SET heard = " LENS_PG_NOW ", lease = " LENS_PG_NOW " + ($2::float8 * 1000000)::bigint WHERE id = $1", &args, &there, err) != 0)
        return -1;
    return there ? 0 : lens_fail(err, LENS_E_BUSY, "%s: this run was away for so long that others have taken its work: run it again", store->name);
}

int lens_postgres_work_release(lens_postgres *store, int64_t worker, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, worker);
    /* What is just being written is as good as done: to wait for it here could be to wait for each other. */
    return lens_pg_run(store, "UPDATE work SET worker = NULL WHERE (path, models) IN (SELECT path, models FROM work WHERE worker = $1 FOR UPDATE SKIP LOCKED)", &args, NULL, err);
}

int lens_postgres_work_end(lens_postgres *store, int64_t worker, lens_error *err)
{
    lens_pg_args args = {0};
    if (lens_postgres_work_release(store, worker, err) != 0)
        return -1;
    lens_pg_int(&args, worker);
    store->worker = 0;
    return lens_pg_run(store, "DELETE FROM worker WHERE id = $1", &args, NULL, err);
}

int lens_postgres_work_offer(lens_postgres *store, int64_t worker, const lens_store_work *items, size_t count, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, worker);
    for (int part = 0; part < 3; part++) {
        lens_pg_array(&args, part == 0 ? LENS_PG_BYTES : LENS_PG_INT);
        for (size_t i = 0; i < count; i++)
            if (part == 0)
                lens_pg_add_bytes(&args, items[i].path, strlen(items[i].path));
            else
                lens_pg_add_int(&args, part == 1 ? items[i].size : items[i].mtime_ns);
    }
    /* In order, so that two who offer the same wait for each other in one direction only. */
    return lens_pg_run(store, "INSERT INTO work (path, models, size, mtime_ns) SELECT path, models, size, mtime_ns FROM (SELECT models FROM worker WHERE id = $1) AS w,"
                              " unnest($2::bytea[], $3::bigint[], $4::bigint[]) AS t (path, size, mtime_ns) ORDER BY path ON CONFLICT DO NOTHING", &args, NULL, err);
}

int lens_postgres_work_claim(lens_postgres *store, int64_t worker, const lens_names *within, lens_store_work *items, int count, lens_error *err)
{
    lens_pg_args args = {0};
    /* Not to be asked again by itself when the connection is lost: it may have taken some, of which nobody here would know. */
    if (lens_pg_begin_share(store, err) != 0)
        return -1;
    lens_pg_ranges(&args, (const char *const *)within->items, within->count);
    lens_pg_int(&args, worker);
    lens_pg_int(&args, count);
    PGresult *rows = lens_pg_ask(store, "WITH mine AS (SELECT path, models FROM work WHERE models = (SELECT models FROM worker WHERE id = $4) AND (worker IS NULL"
                                        " OR NOT EXISTS (SELECT FROM worker w WHERE w.id = work.worker AND " LENS_PG_LIVES("w") ")) AND " WITHIN
                                        " ORDER BY path LIMIT $5 FOR UPDATE SKIP LOCKED)"
                                        " UPDATE work SET worker = $4 FROM mine WHERE work.path = mine.path AND work.models = mine.models"
                                        " RETURNING work.path, work.size, work.mtime_ns", &args, err);
    if (lens_pg_end(store, rows ? 0 : -1, err) != 0) {
        lens_pg_done(store, rows);
        return -1;
    }
    const int got = lens_pg_rows(store, rows) < count ? lens_pg_rows(store, rows) : count;
    bool short_of_memory = false, damaged = false;
    for (int i = 0; i < got; i++) {
        items[i] = (lens_store_work){lens_pg_copy_at(store, rows, i, 0, &short_of_memory), lens_pg_int_at(store, rows, i, 1), lens_pg_int_at(store, rows, i, 2)};
        damaged |= !items[i].path;
    }
    lens_pg_done(store, rows);
    if (!damaged)
        return got;
    lens_store_work_free(items, (size_t)got);
    return short_of_memory ? lens_fail_memory(err) : lens_fail(err, LENS_E_FORMAT, "%s: a row of the list of work is damaged", store->name);
}

int lens_postgres_work_drop(lens_postgres *store, int64_t worker, const char *path, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_path(&args, path);
    lens_pg_int(&args, worker);
    return lens_pg_run(store, "DELETE FROM work WHERE path = $1 AND models = (SELECT models FROM worker WHERE id = $2)", &args, NULL, err);
}

int64_t lens_postgres_work_left(lens_postgres *store, int64_t worker, const lens_names *within, int64_t *own, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_ranges(&args, (const char *const *)within->items, within->count);
    lens_pg_int(&args, worker);
    PGresult *rows = lens_pg_ask(store, "SELECT count(*), count(*) FILTER (WHERE worker = $4) FROM work WHERE models = (SELECT models FROM worker WHERE id = $4) AND " WITHIN,
                                 &args, err);
    if (!rows)
        return -1;
    int64_t left;
    *own = lens_pg_int_at(store, rows, 0, 1);
    const int result = lens_pg_within_at(store, rows, 0, 0, 0, LENS_PG_COUNT_MOST, &left, err);
    lens_pg_done(store, rows);
    return result == 0 ? left : -1;
}

int lens_postgres_workers_list(lens_postgres *store, lens_store_workers *out, lens_error *err)
{
    *out = (lens_store_workers){0};
    if (lens_pg_number(store, "SELECT count(*) FROM work WHERE worker IS NULL OR NOT EXISTS (SELECT FROM worker w WHERE w.id = work.worker)", NULL, &out->free, err) != 0)
        return -1;
    PGresult *rows = lens_pg_ask(store, "SELECT name, (SELECT count(*) FROM work WHERE work.worker = worker.id), written, (" LENS_PG_NOW " - begun) / 1e6::float8,"
                                        " (" LENS_PG_NOW " - heard) / 1e6::float8, NOT (" LENS_PG_LIVES("worker") ") FROM worker ORDER BY id", NULL, err);
    if (!rows)
        return -1;
    const int count = lens_pg_rows(store, rows);
    bool short_of_memory = !(out->items = calloc((size_t)count + 1, sizeof *out->items)), damaged = false;
    for (int i = 0; i < count && !short_of_memory && !damaged; i++) {
        out->items[out->count++] = (lens_store_worker){lens_pg_copy_at(store, rows, i, 0, &short_of_memory), lens_pg_int_at(store, rows, i, 1), lens_pg_int_at(store, rows, i, 2),
                                                       lens_pg_double_at(store, rows, i, 3), lens_pg_double_at(store, rows, i, 4), lens_pg_int_at(store, rows, i, 5)};
        damaged = !out->items[i].name;
    }
    lens_pg_done(store, rows);
    if (!short_of_memory && !damaged)
        return 0;
    lens_store_workers_free(out);
    return short_of_memory ? lens_fail_memory(err) : lens_fail(err, LENS_E_FORMAT, "%s: a row about a worker is damaged", store->name);
}
