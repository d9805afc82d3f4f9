/* The approximate index of a model's vectors: pgvector's HNSW (Malkov and Yashunin, 2018) of the halves. New vectors are in it as soon as they are written. */
#include "store/postgres/internal.h"

enum { DIM_MOST = 4000 /* pgvector's, of an index of halves */ };

int lens_postgres_approximate_wanted(lens_postgres *store, bool *wanted, lens_error *err)
{
    int64_t value = 0;
    const int result = lens_pg_number(store, "SELECT approximate FROM library", NULL, &value, err);
    *wanted = value;
    return result;
}

int lens_postgres_approximate_want(lens_postgres *store, bool wanted, lens_error *err)
{
    lens_pg_args args = {0};
    if (lens_pg_begin(store, err) != 0)
        return -1;
    lens_pg_bool(&args, wanted);
    return lens_pg_end(store, lens_pg_run(store, "UPDATE library SET approximate = $1", &args, NULL, err), err);
}

/* 1: there is one, 0: none, -1. One that was not finished is none; *HALF: it is there. */
static int find(lens_postgres *store, int64_t model, bool *half, int64_t *bytes, lens_error *err)
{
    char sql[LENS_PG_SQL];
    PGresult *rows = lens_pg_ask(store, lens_pg_sql_of(sql, "SELECT indisvalid, pg_relation_size(indexrelid) FROM pg_index WHERE indexrelid = to_regclass('memelens.vector_%lld_near')",
                                                       model), NULL, err);
    if (!rows)
        return -1;
    const bool there = lens_pg_rows(store, rows) > 0, valid = there && lens_pg_int_at(store, rows, 0, 0);
    *half = there && !valid;
    *bytes = valid ? lens_pg_int_at(store, rows, 0, 1) : 0;
    lens_pg_done(store, rows);
    return valid;
}

int lens_postgres_approximate_drop(lens_postgres *store, int64_t model, lens_error *err)
{
    char sql[LENS_PG_SQL];
    if (lens_pg_ready(store, err) != 0)
        return -1;
    /* Concurrently: else it would wait for one that is being made, and every search and every writer would wait behind it. */
    return lens_pg_plain(store, lens_pg_sql_of(sql, "DROP INDEX CONCURRENTLY IF EXISTS memelens.vector_%lld_near", model), err);
}

/* Of several runs that end at once one makes it. The lock is the connection's, since what is done concurrently has no transaction. */
#define BUILDERS "1296387148, hashint8(%lld::int8)"

static int make(lens_postgres *store, int64_t model, bool *made, lens_error *err)
{
    char sql[LENS_PG_SQL];
    bool half;
    int64_t bytes;
    const int there = find(store, model, &half, &bytes, err);
    if (there != 0)
        return there < 0 ? -1 : 0;
    if (half && lens_postgres_approximate_drop(store, model, err) != 0) /* whoever made it was killed */
        return -1;
    /* Concurrently, so that other workers write meanwhile. In memory, as long as it fits: beyond, pgvector is many times as slow. */
    if (lens_pg_plain(store, "SELECT set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')), 2000000000)::text || 'B', false)",
                      err) != 0 ||
        lens_pg_plain(store, lens_pg_sql_of(sql, "CREATE INDEX CONCURRENTLY vector_%lld_near ON memelens.vector_%lld USING hnsw (half halfvec_ip_ops)"
                                                 " WITH (m = 16, ef_construction = 100)", model), err) != 0)
        return -1;
    *made = true;
    return 0;
}

int lens_postgres_approximate_make(lens_postgres *store, int64_t model, bool *made, lens_error *err)
{
    char sql[LENS_PG_SQL];
    int dim = 0;
    int64_t ours = 0;
    *made = false;
    const int known = lens_pg_model(store, model, &dim, err);
    if (known <= 0)
        return known;
    if (dim > DIM_MOST)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: pgvector has no index for vectors of more than %d numbers", store->name, DIM_MOST);
    if (lens_pg_number(store, lens_pg_sql_of(sql, "SELECT pg_try_advisory_lock(" BUILDERS ")", model), NULL, &ours, err) != 0)
        return -1;
    if (!ours)
        return 0; /* another run is making it */
    const int result = make(store, model, made, err);
    lens_pg_plain(store, lens_pg_sql_of(sql, "SELECT pg_advisory_unlock(" BUILDERS ")", model), NULL);
    return result;
}

int64_t lens_postgres_approximate_covered(lens_postgres *store, int64_t model, int64_t *bytes, lens_error *err)
{
    bool half;
    lens_pg_args args = {0};
    const int there = find(store, model, &half, bytes, err);
    if (there <= 0)
        return there;
    lens_pg_int(&args, model);
    return lens_pg_count(store, "SELECT coalesce(max(vectors), 0) FROM model WHERE id = $1", &args, err);
}
