/* Models, and the tables that hold their vectors. */
#include <stdio.h>
#include <stdlib.h>

#include "store/postgres/internal.h"

enum { DIM_INLINE_MOST = 3900 /* what fits into a page in half precision */ };

const char *lens_pg_sql_of(char sql[LENS_PG_SQL], const char *format, int64_t model)
{
    size_t at = 0;
    for (const char *from = format; *from && at < LENS_PG_SQL - 24;) {
        if (strncmp(from, "%lld", 4) == 0) {
            at += (size_t)snprintf(sql + at, 24, "%lld", (long long)model);
            from += 4;
        } else {
            sql[at++] = *from++;
        }
    }
    sql[at] = '\0';
    return sql;
}

int lens_pg_model(lens_postgres *store, int64_t model, int *dim, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, model);
    int64_t number = 0;
    const int found = lens_pg_find(store, "SELECT dim FROM model WHERE id = $1", &args, &number, err);
    const int64_t made = lens_id_map_get(&store->made, model, 0);
    if (found > 0 && lens_pg_check_number(store, number, made ? made : 1, made ? made : LENS_PG_DIM_MOST, err) != 0)
        return -1;
    *dim = (int)number;
    return found;
}

int lens_pg_model_dim(lens_postgres *store, int64_t model, lens_error_code absent, int *dim, lens_error *err)
{
    const int found = lens_pg_model(store, model, dim, err);
    return found > 0 ? 0 : found < 0 ? -1 : lens_fail(err, absent, LENS_PG_MODEL_GONE, store->name);
}

static int list_one(lens_postgres *store, const PGresult *rows, int row, lens_store_model *out, lens_error *err)
{
    bool short_of_memory = false;
    size_t size;
    const char *fingerprint = lens_pg_bytes_at(store, rows, row, 3, &size);
    *out = (lens_store_model){
        .id = lens_pg_int_at(store, rows, row, 0),
        .name = lens_pg_copy_at(store, rows, row, 1, &short_of_memory),
    };
    int64_t dim;
    if (size == sizeof out->fingerprint && out->name && lens_pg_within_at(store, rows, row, 2, 1, LENS_PG_DIM_MOST, &dim, NULL) == 0 &&
        lens_pg_counts_at(store, rows, row, 4, (int64_t *const[]){&out->vectors, &out->file_bytes}, 2, NULL) == 0) {
        out->dim = (int)dim;
        memcpy(out->fingerprint.bytes, fingerprint, size);
        return 0;
    }
    free(out->name);
    return short_of_memory ? lens_fail_memory(err) : lens_fail(err, LENS_E_FORMAT, "%s: the row of model %lld is damaged", store->name, (long long)out->id);
}

static int list(lens_postgres *store, bool sentences, lens_store_models *out, lens_error *err)
{
    *out = (lens_store_models){0};
    lens_pg_args args = {0};
    lens_pg_bool(&args, sentences);
    PGresult *rows = lens_pg_ask(store, "SELECT id, name, dim, fingerprint, vectors, coalesce(pg_total_relation_size(to_regclass('memelens.vector_' || id)), 0)"
                                        " FROM model WHERE sentences = $1 ORDER BY id", &args, err);
    if (!rows)
        return -1;
    const int count = lens_pg_rows(store, rows);
    int result = (out->items = calloc((size_t)count + 1, sizeof *out->items)) ? 0 : lens_fail_memory(err);
    for (int i = 0; i < count && result == 0; i++)
        if ((result = list_one(store, rows, i, &out->items[i], err)) == 0)
            out->count++;
    lens_pg_done(store, rows);
    if (result != 0)
        lens_store_models_free(out);
    return result;
}

int lens_postgres_models_list(lens_postgres *store, lens_store_models *out, lens_error *err)
{
    return list(store, false, out, err);
}

int lens_postgres_sentence_models(lens_postgres *store, lens_store_models *out, lens_error *err)
{
    return list(store, true, out, err);
}

/* 1 with the model called NAME, 0, -1. */
static int named(lens_postgres *store, const char *name, int64_t *id, int *dim, lens_hash *fingerprint, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_path(&args, name);
    PGresult *rows = lens_pg_ask(store, "SELECT id, dim, fingerprint FROM model WHERE name = $1", &args, err);
    if (!rows)
        return -1;
    int found = lens_pg_rows(store, rows) > 0;
    int64_t number;
    if (found && lens_pg_within_at(store, rows, 0, 1, 1, LENS_PG_DIM_MOST, &number, err) != 0)
        found = -1;
    if (found > 0) {
        size_t size;
        const char *bytes = lens_pg_bytes_at(store, rows, 0, 2, &size);
        *id = lens_pg_int_at(store, rows, 0, 0);
        *dim = (int)number;
        memcpy(fingerprint->bytes, bytes, size < sizeof fingerprint->bytes ? size : sizeof fingerprint->bytes);
    }
    lens_pg_done(store, rows);
    return found;
}

/* The half in the row, the whole out of it: a search by looking at all reads nothing but the halves. */
static int make_table(lens_postgres *store, int64_t id, int dim, lens_error *err)
{
    char sql[LENS_PG_SQL];
    snprintf(sql, sizeof sql,
             "CREATE TABLE memelens.vector_%lld (content bigint PRIMARY KEY REFERENCES memelens.content ON DELETE CASCADE, half halfvec(%d) NOT NULL,"
             " exact vector(%d) NOT NULL) WITH (toast_tuple_target = 128);"
             "ALTER TABLE memelens.vector_%lld ALTER half SET STORAGE %s, ALTER exact SET STORAGE EXTERNAL;"
             "CREATE TRIGGER vectors_come AFTER INSERT ON memelens.vector_%lld REFERENCING NEW TABLE AS come FOR EACH STATEMENT"
             " EXECUTE FUNCTION memelens.vectors_come('%lld');"
             "CREATE TRIGGER vectors_go AFTER DELETE ON memelens.vector_%lld REFERENCING OLD TABLE AS gone FOR EACH STATEMENT"
             " EXECUTE FUNCTION memelens.vectors_go('%lld')",
             (long long)id, dim, dim, (long long)id, dim <= DIM_INLINE_MOST ? "PLAIN" : "EXTERNAL", (long long)id, (long long)id, (long long)id, (long long)id);
    return lens_pg_plain(store, sql, err);
}

static int add(lens_postgres *store, const char *name, bool sentences, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    int there_dim = 0;
    lens_hash there = {0};
    const int found = named(store, name, id, &there_dim, &there, err);
    if (found < 0)
        return -1;
    if (found)
        return there_dim == dim && memcmp(&there, &fingerprint, sizeof there) == 0
                   ? 0
                   : lens_fail(err, LENS_E_FORMAT, "%s: its vectors of model %s were made with other weights; to begin anew: "
                                                   "memelens forget --model %s, then memelens index", store->name, name, name);
    lens_pg_args args = {0};
    lens_pg_path(&args, name);
    lens_pg_int(&args, dim);
    lens_pg_bytes(&args, fingerprint.bytes, sizeof fingerprint.bytes);
    lens_pg_bool(&args, sentences);
    if (lens_pg_number(store, "INSERT INTO model (name, dim, fingerprint, sentences) VALUES ($1, $2::int8, $3, $4) RETURNING id", &args, id, err) != 0)
        return -1;
    return make_table(store, *id, dim, err);
}

static int check_model(const char *name, int64_t dim, lens_error *err)
{
    return name && *name && dim >= 1 && dim <= LENS_PG_DIM_MOST
               ? 0 : lens_fail(err, LENS_E_ARGUMENT, "%s: a model needs a name and from 1 to %d dimensions", name ? name : "(none)", LENS_PG_DIM_MOST);
}

int lens_pg_model_put(lens_postgres *store, int64_t id, const char *name, bool sentences, int64_t dim, lens_hash fingerprint, lens_error *err)
{
    if (check_model(name, dim, err) != 0)
        return -1;
    lens_pg_args args = {0};
    lens_pg_int(&args, id);
    lens_pg_path(&args, name);
    lens_pg_int(&args, dim);
    lens_pg_bytes(&args, fingerprint.bytes, sizeof fingerprint.bytes);
    lens_pg_bool(&args, sentences);
    if (lens_pg_run(store, "INSERT INTO model (id, name, dim, fingerprint, sentences) VALUES ($1, $2, $3::int8, $4, $5)", &args, NULL, err) != 0)
        return -1;
    return make_table(store, id, (int)dim, err);
}

static int add_once(lens_postgres *store, const char *name, bool sentences, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    if (check_model(name, dim, err) != 0)
        return -1;
    if (lens_pg_begin(store, err) != 0)
        return -1;
    return lens_pg_end(store, add(store, name, sentences, dim, fingerprint, id, err), err);
}

static int add_model(lens_postgres *store, const char *name, bool sentences, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    int result = add_once(store, name, sentences, dim, fingerprint, id, err);
    if (lens_pg_once_more(store, result, err))
        result = add_once(store, name, sentences, dim, fingerprint, id, err);
    if (result != 0 || lens_pg_check_number(store, *id, 1, INT64_MAX, err) != 0)
        return -1;
    return lens_id_map_put(&store->made, *id, dim) == 0 ? 0 : lens_fail_memory(err);
}

int lens_postgres_add_model(lens_postgres *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    return add_model(store, name, false, dim, fingerprint, id, err);
}

int lens_postgres_add_sentence_model(lens_postgres *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    return add_model(store, name, true, dim, fingerprint, id, err);
}

/* As long as this waits for those who read the vectors now, and a copy may for hours, whoever wants to read them waits behind it, and whoever wants to write
 * waits for our turn. So it gives up: a second is what the server takes (deadlock_timeout) to end a vacuum for it. */
static int drop_table(lens_postgres *store, int64_t id, const char *name, lens_error *err)
{
    char sql[LENS_PG_SQL];
    lens_error why = {0};
    const int result = lens_pg_plain(store, lens_pg_sql_of(sql, "SET LOCAL lock_timeout = '2s'; DROP TABLE memelens.vector_%lld; SET LOCAL lock_timeout TO DEFAULT", id), &why);
    if (result != 0 && why.code == LENS_E_BUSY)
        return lens_fail(err, LENS_E_BUSY, "%s: another process is reading the vectors of model %s: try again when it has ended", store->name, name);
    if (result != 0 && err)
        *err = why;
    return result;
}

static int forget(lens_postgres *store, const char *name, lens_error *err)
{
    int64_t id;
    int dim;
    lens_hash fingerprint;
    const int found = named(store, name, &id, &dim, &fingerprint, err);
    if (found <= 0)
        return found < 0 ? -1 : lens_fail(err, LENS_E_MISSING, "%s: there is no model %s in this library", store->name, name);
    if (drop_table(store, id, name, err) != 0)
        return -1;
    lens_pg_args args = {0};
    lens_pg_int(&args, id);
    if (lens_pg_run(store, "DELETE FROM model WHERE id = $1", &args, NULL, err) != 0)
        return -1;
    lens_pg_int(&args, id); /* nor is anything left to be done for it */
    return lens_pg_run(store, "DELETE FROM work WHERE $1 = ANY (models)", &args, NULL, err);
}

int lens_postgres_forget_model(lens_postgres *store, const char *name, lens_error *err)
{
    if (lens_pg_begin(store, err) != 0)
        return -1;
    return lens_pg_end(store, forget(store, name, err), err);
}
