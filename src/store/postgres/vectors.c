/* Vectors, given out: all of a model's, some pictures', or the nearest.
 *
 * A search reads the halves and nothing else: those come first in half precision, and then the pictures' own vectors are fetched for the few that were
 * found, so that whoever asked ranks them by their exact cosines. Half precision moves a score by some 1e-4, so a few more are fetched than are wanted. */
#include <stdio.h>
#include <stdlib.h>

#include "base/id_map.h"
#include "store/postgres/internal.h"

enum { PAGE = 8192 /* vectors asked for at once, of many */, SLACK = 16, EF_LEAST = 200, EF_MOST = 1000 /* pgvector's */ };
static const int64_t COUNT_MOST = UINT32_MAX; /* of pictures: as many as there are numbers for their slots */

/* ---- filling ---- */

static int reserve(lens_store_vectors *out, size_t rows, int dim, lens_error *err)
{
    out->dim = dim;
    return lens_store_vectors_room(out, rows) ? 0 : lens_fail_memory(err);
}

/* The slot of CONTENT, NEXT when it has none yet: copies share one, by which whoever folds knows them. -1 when memory is short. */
static int64_t slot_of(lens_id_map *taken, int64_t content, int64_t next)
{
    const int64_t slot = lens_id_map_get(taken, content, -1);
    return slot >= 0 ? slot : lens_id_map_put(taken, content, next) == 0 ? next : -1;
}

/* ROWS: id, vector and content, in order of id. TAKEN: the slots of the contents so far. */
static int fill(lens_postgres *store, const PGresult *rows, lens_id_map *taken, lens_store_vectors *out, lens_error *err)
{
    for (int i = 0; i < lens_pg_rows(store, rows); i++) {
        const int64_t id = lens_pg_int_at(store, rows, i, 0), next = (int64_t)out->committed, slot = slot_of(taken, lens_pg_int_at(store, rows, i, 2), next);
        if (slot < 0)
            return lens_fail_memory(err);
        if (slot == next && !lens_pg_vector_at(store, rows, i, 1, (float *)out->map + (size_t)slot * (size_t)out->dim, out->dim))
            return lens_fail(err, LENS_E_FORMAT, "%s: the vector of picture %lld has another length", store->name, (long long)id);
        if (out->count && id <= out->ids[out->count - 1]) /* rows are looked for by halves */
            return lens_fail(err, LENS_E_FORMAT, "%s: the pictures that have vectors come in no order: %lld after %lld", store->name, (long long)id,
                             (long long)out->ids[out->count - 1]);
        out->ids[out->count] = id;
        out->slots[out->count++] = (uint32_t)slot;
        out->committed += slot == next;
    }
    return 0;
}

/* The same where ROWS are all that there are. */
static int fill_all(lens_postgres *store, const PGresult *rows, int dim, lens_store_vectors *out, lens_error *err)
{
    lens_id_map taken = {0};
    const int result = reserve(out, (size_t)lens_pg_rows(store, rows), dim, err) == 0 ? fill(store, rows, &taken, out, err) : -1;
    lens_id_map_free(&taken);
    return result;
}

static int ask_and_fill(lens_postgres *store, const char *sql, lens_pg_args *args, int dim, lens_store_vectors *out, lens_error *err)
{
    PGresult *rows = lens_pg_ask(store, sql, args, err);
    if (!rows)
        return -1;
    const int result = fill_all(store, rows, dim, out, err);
    lens_pg_done(store, rows);
    if (result != 0)
        lens_store_vectors_free(out);
    return result;
}

/* ---- all ---- */

/* BEGIN, of the pictures of SCOPE, and END; with "%lld" for the model's number. */
static int put_scope(lens_buffer *sql, const char *begin, const char *where, const lens_store_scope *scope, lens_pg_args *args, const char *end, lens_error *err)
{
    if (lens_buffer_print(sql, "%s FROM picture p JOIN content c ON c.id = p.content JOIN vector_%%lld v ON v.content = p.content WHERE true%s", begin, where) != 0)
        return lens_fail_memory(err);
    if (lens_pg_conditions(sql, args, scope, err) != 0)
        return -1;
    return lens_buffer_print(sql, "%s", end) == 0 ? 0 : lens_fail_memory(err);
}

static int open_all(lens_postgres *store, int64_t model, const lens_store_scope *scope, lens_id_map *taken, lens_store_vectors *out, lens_error *err)
{
    int dim = 0;
    int64_t count = 0, last = INT64_MIN;
    if (lens_pg_model_dim(store, model, LENS_E_MISSING, &dim, err) != 0 || lens_postgres_scope_count(store, model, scope, &count, err) != 0 ||
        reserve(out, (size_t)count, dim, err) != 0)
        return -1;
    for (int got = PAGE; got == PAGE;) {
        lens_buffer text = {0};
        char sql[LENS_PG_SQL];
        lens_pg_args args = {0};
        lens_pg_int(&args, last);
        lens_pg_int(&args, PAGE);
        if (put_scope(&text, "SELECT p.id, v.exact, p.content", " AND p.id > $1", scope, &args, " ORDER BY p.id LIMIT $2", err) != 0) {
            lens_buffer_free(&text);
            lens_pg_args_free(&args);
            return -1;
        }
        PGresult *rows = lens_pg_ask(store, lens_pg_sql_of(sql, text.data, model), &args, err);
        lens_buffer_free(&text);
        if (!rows)
            return -1;
        got = lens_pg_rows(store, rows);
        const int result = out->count + (size_t)got > (size_t)count ? lens_fail(err, LENS_E_FORMAT, "%s: there are more vectors than were counted", store->name)
                                                                     : fill(store, rows, taken, out, err);
        if (got)
            last = lens_pg_int_at(store, rows, got - 1, 0);
        lens_pg_done(store, rows);
        if (result != 0)
            return -1;
    }
    return 0;
}

int lens_postgres_vectors_open(lens_postgres *store, int64_t model, const char *const *folders, size_t folder_count, lens_store_vectors *out, lens_error *err)
{
    const lens_store_scope scope = {.folders = folders, .folder_count = folder_count};
    *out = (lens_store_vectors){0};
    if (lens_pg_begin_read(store, err) != 0)
        return -1;
    lens_id_map taken = {0};
    const int result = open_all(store, model, &scope, &taken, out, err);
    lens_id_map_free(&taken);
    lens_pg_end(store, 0, NULL);
    if (result != 0)
        lens_store_vectors_free(out);
    return result;
}

int lens_postgres_vectors_shapes(lens_postgres *store, const lens_store_vectors *vectors, float *shapes, lens_error *err)
{
    for (size_t i = 0; i < vectors->count; i++)
        shapes[i] = 1; /* of a picture that went meanwhile */
    lens_pg_args args = {0};
    lens_pg_ints(&args, vectors->ids, vectors->count);
    PGresult *rows = lens_pg_ask(store, "SELECT n, width, height FROM unnest($1::bigint[]) WITH ORDINALITY AS t (id, n) JOIN picture USING (id)"
                                        " JOIN content ON content.id = picture.content", &args, err);
    if (!rows)
        return -1;
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++) {
        size_t at;
        const int64_t width = lens_pg_int_at(store, rows, i, 1), height = lens_pg_int_at(store, rows, i, 2);
        if ((result = lens_pg_place_at(store, rows, i, 0, vectors->count, &at, err)) == 0 && width > 0 && height > 0)
            shapes[at] = (float)width / (float)height;
    }
    lens_pg_done(store, rows);
    return result;
}

int lens_postgres_vectors_narrow(lens_postgres *store, lens_store_vectors *vectors, const lens_store_filter *filter, lens_error *err)
{
    const lens_store_scope scope = {.filter = filter};
    lens_pg_args args = {0};
    lens_buffer sql = {0};
    lens_pg_ints(&args, vectors->ids, vectors->count);
    PGresult *rows = NULL;
    if (lens_buffer_print(&sql, "SELECT n FROM unnest($1::bigint[]) WITH ORDINALITY AS t (id, n) JOIN picture p USING (id) JOIN content c ON c.id = p.content WHERE true") != 0)
        lens_fail_memory(err);
    else if (lens_pg_conditions(&sql, &args, &scope, err) == 0 && lens_buffer_print(&sql, " ORDER BY n") == 0)
        rows = lens_pg_ask(store, sql.data, &args, err);
    lens_buffer_free(&sql);
    lens_pg_args_free(&args);
    size_t kept = 0;
    int64_t last = 0;
    int result = rows ? 0 : -1;
    for (int i = 0; rows && i < lens_pg_rows(store, rows); i++) {
        int64_t at; /* in order, so that no row is written over before it was read, and rows stay in order of id */
        if ((result = lens_pg_within_at(store, rows, i, 0, last + 1, (int64_t)vectors->count, &at, err)) != 0)
            break;
        last = at;
        vectors->ids[kept] = vectors->ids[at - 1];
        vectors->slots[kept++] = vectors->slots[at - 1];
    }
    vectors->count = kept;
    lens_pg_done(store, rows);
    return result;
}

/* ---- the nearest ---- */

static bool is_narrow(const lens_store_scope *scope)
{
    return scope->folder_count || scope->filter;
}

/* What is looked for, with its argument $1 the query and $2 how many. Only `half <#> $1` as it stands can be answered by an index; with a 0 added it is
 * computed for all. Nothing is joined before the nearest are known where nothing has to be: that is a walk over one table. */
static int put_nearest(lens_buffer *sql, lens_pg_args *args, const lens_store_scope *scope, bool exact, lens_error *err)
{
    const char *const distance = exact ? "(v.half <#> $1::vector::halfvec) + 0" : "v.half <#> $1::vector::halfvec";
    int result = lens_buffer_print(sql, "WITH near AS MATERIALIZED (SELECT v.content AS content");
    if (!is_narrow(scope)) {
        result |= lens_buffer_print(sql, " FROM vector_%%lld v ORDER BY %s LIMIT $2)", distance);
        result |= lens_buffer_print(sql, " SELECT p.id, v.exact, near.content FROM near JOIN vector_%%lld v USING (content) JOIN picture p ON p.content = near.content WHERE true");
        if (result == 0 && lens_pg_conditions(sql, args, scope, err) != 0) /* what is left out was asked for in addition */
            return -1;
        return lens_buffer_print(sql, " ORDER BY p.id") == 0 && result == 0 ? 0 : lens_fail_memory(err);
    }
    result |= lens_buffer_print(sql, ", p.id AS id FROM vector_%%lld v JOIN picture p ON p.content = v.content JOIN content c ON c.id = p.content WHERE true");
    if (result == 0 && lens_pg_conditions(sql, args, scope, err) != 0)
        return -1;
    result |= lens_buffer_print(sql, " ORDER BY %s LIMIT $2)", distance);
    result |= lens_buffer_print(sql, " SELECT near.id, v.exact, near.content FROM near JOIN vector_%%lld v USING (content) ORDER BY near.id");
    return result == 0 ? 0 : lens_fail_memory(err);
}

/* How far the approximate index looks: as far as is asked for, at least. With conditions it goes on until there are enough (pgvector 0.8's iterative
 * scans); both for this transaction only. */
static int set_search(lens_postgres *store, size_t wanted, lens_error *err)
{
    char sql[160];
    const size_t ef = wanted < EF_LEAST ? EF_LEAST : wanted > EF_MOST ? EF_MOST : wanted;
    snprintf(sql, sizeof sql, "SET LOCAL hnsw.ef_search = %zu; SET LOCAL hnsw.iterative_scan = relaxed_order", ef);
    return lens_pg_plain(store, sql, err);
}

/* Whether MODEL, whose dimensions the caller knows from another time or another connection, still has DIM. 0 or -1. */
static int check_dim(lens_postgres *store, int64_t model, int dim, lens_error *err)
{
    lens_store_vectors known = {0};
    return lens_pg_model_dim(store, model, LENS_E_MISSING, &known.dim, err) == 0 ? lens_store_vectors_fit(&known, dim, err) : -1;
}

int lens_postgres_nearest(lens_postgres *store, int64_t model, const float *query, int dim, const lens_store_scope *scope, size_t wanted, bool exact,
                          lens_store_vectors *out, lens_error *err)
{
    *out = (lens_store_vectors){0};
    char sql[LENS_PG_SQL];
    lens_buffer text = {0};
    lens_pg_args args = {0};
    if (check_dim(store, model, dim, err) != 0)
        return -1;
    wanted = wanted > INT32_MAX ? INT32_MAX : wanted + scope->without_count + SLACK;
    lens_pg_vector(&args, query, dim);
    lens_pg_int(&args, (int64_t)wanted);
    int result = put_nearest(&text, &args, scope, exact, err);
    const bool hurried = result == 0 && !exact;
    if (hurried && (result = lens_pg_begin_read(store, err)) == 0 && (result = set_search(store, wanted, err)) != 0)
        lens_pg_end(store, -1, NULL);
    if (result == 0) {
        result = ask_and_fill(store, lens_pg_sql_of(sql, text.data, model), &args, dim, out, err);
        if (hurried)
            lens_pg_end(store, result, NULL);
    }
    lens_buffer_free(&text);
    lens_pg_args_free(&args);
    return result;
}

/* Asks SQL, with "%lld" for MODEL's number, of the pictures of SCOPE behind it, and END behind that. */
static PGresult *ask_scope(lens_postgres *store, const char *begin, int64_t model, const lens_store_scope *scope, lens_pg_args *args, const char *end, lens_error *err)
{
    char sql[LENS_PG_SQL];
    lens_buffer text = {0};
    PGresult *rows = NULL;
    if (put_scope(&text, begin, "", scope, args, end, err) == 0)
        rows = lens_pg_ask(store, lens_pg_sql_of(sql, text.data, model), args, err);
    lens_buffer_free(&text);
    lens_pg_args_free(args);
    return rows;
}

int lens_postgres_vectors_of(lens_postgres *store, int64_t model, const int64_t *ids, size_t count, const lens_store_scope *scope, lens_store_vectors *out,
                             lens_error *err)
{
    *out = (lens_store_vectors){0};
    int dim = 0;
    lens_pg_args args = {0};
    if (lens_pg_model_dim(store, model, LENS_E_MISSING, &dim, err) != 0)
        return -1;
    lens_pg_ints(&args, ids, count);
    PGresult *rows = ask_scope(store, "SELECT p.id, v.exact, p.content", model, scope, &args, " AND p.id = ANY ($1) ORDER BY p.id", err);
    const int result = rows ? fill_all(store, rows, dim, out, err) : -1;
    lens_pg_done(store, rows);
    if (result != 0)
        lens_store_vectors_free(out);
    return result;
}

int lens_postgres_scope_count(lens_postgres *store, int64_t model, const lens_store_scope *scope, int64_t *count, lens_error *err)
{
    lens_pg_args args = {0};
    if (!is_narrow(scope)) { /* what is counted along the way; a model that a run has not finished has fewer */
        lens_pg_int(&args, model);
        lens_pg_ints(&args, scope->without, scope->without_count);
        const int found = lens_pg_find(store, "SELECT CASE WHEN vectors = 0 THEN 0 ELSE greatest(pictures - (SELECT count(*) FROM picture WHERE content IS NOT NULL AND"
                                              " id = ANY ($2)), 0) END FROM library, model WHERE model.id = $1", &args, count, err);
        if (found == 0)
            return lens_fail(err, LENS_E_MISSING, LENS_PG_MODEL_GONE, store->name);
        return found < 0 ? -1 : lens_pg_check_number(store, *count, 0, COUNT_MOST, err);
    }
    PGresult *rows = ask_scope(store, "SELECT count(*)", model, scope, &args, "", err);
    if (!rows)
        return -1;
    const int result = lens_pg_within_at(store, rows, 0, 0, 0, COUNT_MOST, count, err);
    lens_pg_done(store, rows);
    return result;
}

int lens_postgres_scope_ids(lens_postgres *store, int64_t model, const lens_store_scope *scope, int64_t **ids, size_t *count, lens_error *err)
{
    lens_pg_args args = {0};
    PGresult *rows = ask_scope(store, "SELECT p.id", model, scope, &args, " ORDER BY p.id", err);
    if (!rows)
        return -1;
    *count = (size_t)lens_pg_rows(store, rows);
    *ids = malloc((*count + 1) * sizeof **ids);
    for (size_t i = 0; *ids && i < *count; i++)
        (*ids)[i] = lens_pg_int_at(store, rows, (int)i, 0);
    lens_pg_done(store, rows);
    return *ids ? 0 : lens_fail_memory(err);
}

int lens_postgres_spread(lens_postgres *store, int64_t model, const float *query, int dim, double *mean, double *deviation, lens_error *err)
{
    char sql[LENS_PG_SQL];
    lens_pg_args args = {0};
    if (check_dim(store, model, dim, err) != 0)
        return -1;
    lens_pg_vector(&args, query, dim);
    /* Each is the first at or after an even step of the contents: no walk over all of them. */
    PGresult *rows = lens_pg_ask(store, lens_pg_sql_of(sql, "SELECT coalesce(avg(-score), 0), coalesce(stddev_pop(score), 0) FROM (SELECT min(content) AS low, max(content) AS high"
                                        " FROM vector_%lld) AS ends, pg_catalog.generate_series(0, 499) AS i, LATERAL (SELECT half <#> $1::vector::halfvec AS score FROM vector_%lld"
                                        " WHERE content >= low + (high - low) * i / 500 ORDER BY content LIMIT 1) AS s", model), &args, err);
    if (!rows)
        return -1;
    *mean = lens_pg_double_at(store, rows, 0, 0);
    const double spread = lens_pg_double_at(store, rows, 0, 1);
    *deviation = spread > 1e-6 ? spread : 1e-6;
    lens_pg_done(store, rows);
    return 0;
}
