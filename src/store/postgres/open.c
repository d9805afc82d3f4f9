/* Opening and closing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/internal.h"

/* A password with an '@' or a '/' in it that was not written as %40 or %2F ends up in other parts of an address: only what follows the last '@' is shown,
 * and no port that is none. */
static const char *behind_at(const char *part)
{
    const char *at = part ? strrchr(part, '@') : NULL;
    return at ? at + 1 : part;
}

static bool is_port(const char *port)
{
    return port[strspn(port, "0123456789,")] == '\0';
}

char *lens_postgres_place_shown(const char *place)
{
    char shown[512] = "postgresql://…";
    char *reason = NULL;
    const lens_pq *pq = lens_pq_open(NULL);
    PQconninfoOption *options = pq ? pq->PQconninfoParse(place, &reason) : NULL;
    const char *host = NULL, *port = NULL, *database = NULL, *user = NULL;
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (strcmp(option->keyword, "host") == 0)
            host = behind_at(option->val);
        else if (strcmp(option->keyword, "port") == 0)
            port = option->val;
        else if (strcmp(option->keyword, "dbname") == 0)
            database = behind_at(option->val);
        else if (strcmp(option->keyword, "user") == 0)
            user = option->val;
    }
    if (options)
        snprintf(shown, sizeof shown, "postgresql://%s%s%s%s%s/%s", user ? user : "", user ? "@" : "", host ? host : "", port ? ":" : "", !port ? "" : is_port(port) ? port : "…",
                 database ? database : "");
    if (pq)
        pq->PQconninfoFree(options);
    free(reason); /* libpq's PQfreemem is free on every system but Windows */
    return strdup(shown);
}

#define HINT "(in a password, / @ : %% and the like are written %%2F %%40 %%3A %%25)"

/* What the place says that cannot be understood: before a connection is tried, so that it is said plainly. What libpq quotes may be a password, or a part of
 * one, and is left out. */
static int check_place(lens_postgres *store, lens_error *err)
{
    char *reason = NULL;
    PQconninfoOption *options = store->pq->PQconninfoParse(store->place, &reason);
    int result = 0;
    if (!options) {
        const char *quoted = reason ? strstr(reason, ": \"") : NULL;
        const size_t length = quoted ? (size_t)(quoted - reason) : reason ? strcspn(reason, "\n") : 0;
        result = lens_fail(err, LENS_E_ARGUMENT, "the address of the database cannot be understood: %.*s " HINT, (int)length, reason ? reason : "");
    }
    for (const PQconninfoOption *option = options; option && option->keyword && result == 0; option++) {
        const bool port = strcmp(option->keyword, "port") == 0, host = strcmp(option->keyword, "host") == 0;
        if (option->val && ((port && !is_port(option->val)) || (host && strchr(option->val, '@') && option->val[0] != '@')))
            result = lens_fail(err, LENS_E_ARGUMENT, "the address of the database cannot be understood: its %s is none " HINT, port ? "port" : "host");
    }
    free(reason);
    store->pq->PQconninfoFree(options);
    return result;
}

static int check_rights(lens_postgres *store, lens_error *err)
{
    int64_t may = 0, takes = 0;
    if (lens_pg_number(store, "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'", NULL, &takes, err) != 0)
        return -1;
    if (!takes)
        return lens_fail(err, LENS_E_SYSTEM, "%s: this database is only to be read now: it is a standby server, or was made read-only", store->name);
    /* A list of rights would ask for one of them. */
    if (lens_pg_number(store, "SELECT bool_and(has_table_privilege('memelens.' || name, allowed)) FROM unnest('{library,picture,content,model,rule,work,worker,text,word}'::text[]) AS name,"
                              " unnest('{INSERT,UPDATE,DELETE}'::text[]) AS allowed", NULL, &may, err) != 0)
        return -1;
    return may ? 0 : lens_fail(err, LENS_E_SYSTEM, "%s: the user %s may only read this library", store->name, store->pq->PQuser(store->connection));
}

static int open_library(lens_postgres *store, lens_error *err)
{
    if (check_place(store, err) != 0 || lens_pg_connect(store, err) != 0)
        return -1;
    const int is_library = lens_pg_schema_look(store, err);
    if (is_library < 0 || lens_pg_copying(store, err) != 0)
        return -1;
    if (store->mode == LENS_STORE_READ)
        return is_library ? 0 : lens_pg_missing(store, err);
    if (is_library)
        return check_rights(store, err);
    const int made = lens_pg_schema_raise(store, err) == 0 ? lens_pg_schema_look(store, err) : -1;
    return made > 0 ? 0 : made < 0 ? -1 : lens_fail(err, LENS_E_MISSING, "%s: the library that was made in this database is gone", store->name);
}

lens_postgres *lens_postgres_open(const char *place, lens_store_mode mode, double patience, lens_error *err)
{
    const lens_pq *pq = lens_pq_open(err);
    lens_postgres *store = pq ? calloc(1, sizeof *store) : NULL;
    if (!store) {
        if (pq)
            lens_fail_memory(err);
        return NULL;
    }
    store->pq = pq;
    store->mode = mode == LENS_STORE_READ ? LENS_STORE_READ : LENS_STORE_WRITE;
    store->copies = mode == LENS_STORE_COPY;
    store->makes = mode == LENS_STORE_WRITE || mode == LENS_STORE_COPY;
    store->patience = patience;
    store->loose_unknown = true;
    store->place = strdup(place);
    store->name = lens_postgres_place_shown(place);
    if (store->place && store->name && open_library(store, err) == 0)
        return store;
    if (!store->place || !store->name)
        lens_fail_memory(err);
    lens_postgres_close(store);
    return NULL;
}

void lens_postgres_wait_while(lens_postgres *store, bool (*go_on)(void *context), void *context)
{
    store->go_on = go_on;
    store->go_on_context = context;
}

void lens_postgres_close(lens_postgres *store)
{
    if (!store)
        return;
    store->pq->PQfinish(store->connection);
    for (size_t i = 0; i < store->statement_count; i++)
        free(store->statements[i].sql);
    lens_met_free(&store->met);
    lens_id_map_free(&store->made);
    free(store->vector_schema);
    free(store->place);
    free(store->name);
    free(store);
}

/* One that was dropped and made anew counts from the beginning, and may have come as far: its table has another number. */
int lens_postgres_version(lens_postgres *store, int64_t *version, lens_error *err)
{
    return lens_pg_number(store, "SELECT change # (tableoid::bigint << 32) FROM library", NULL, version, err);
}

int lens_postgres_which(lens_postgres *store, lens_store_file *which, lens_error *err)
{
    int64_t table = 0, database = 0;
    if (lens_pg_number(store, "SELECT tableoid::bigint FROM memelens.library", NULL, &table, err) != 0 ||
        lens_pg_number(store, "SELECT oid::bigint FROM pg_database WHERE datname = current_database()", NULL, &database, err) != 0)
        return -1;
    *which = (lens_store_file){(uint64_t)database, (uint64_t)table};
    return 0;
}

int lens_postgres_moment_begin(lens_postgres *store, lens_error *err)
{
    return lens_pg_begin_read(store, err);
}

void lens_postgres_moment_end(lens_postgres *store)
{
    lens_pg_end(store, 0, NULL);
}
