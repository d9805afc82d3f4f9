/* The connection: made, lost, made again; and transactions. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/postgres/internal.h"

static const double try_every = 0.25; /* seconds */
enum { ASK_MS = 200 };

/* Any number that others who use advisory locks in this database are unlikely to take. */
#define WRITERS "7308604897285829"

/* The line of libpq's words that says most: the server's own, which comes last. */
static void one_line(const char *words, char *line, size_t size)
{
    const char *begin = words, *end;
    for (const char *at = words; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, "\n");
        if (end > at && at[0] != ' ' && at[0] != '\t' && strncmp(at, "DETAIL", 6) != 0 && strncmp(at, "HINT", 4) != 0 && strncmp(at, "LINE", 4) != 0)
            begin = at;
    }
    end = begin + strcspn(begin, "\n");
    lens_buffer safe = {0};
    if (lens_text_printable(begin, (size_t)(end - begin), &safe) != 0)
        safe.size = 0;
    snprintf(line, size, "%s", safe.size ? safe.data : "no reason is known");
    lens_buffer_free(&safe);
}

int lens_pg_fail(lens_postgres *store, const PGresult *result, lens_error *err)
{
    const lens_pq *pq = store->pq;
    const char *state = result ? pq->PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *words = result ? pq->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char line[400];
    one_line(words && *words ? words : pq->PQerrorMessage(store->connection), line, sizeof line);
    store->lost = pq->PQstatus(store->connection) == CONNECTION_BAD || !state || strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0;
    if (store->lost)
        return lens_fail(err, LENS_E_AWAY, "%s: the connection is lost: %s", store->name, line);
    if (strcmp(state, "53100") == 0)
        return lens_fail(err, LENS_E_FULL, "%s: %s", store->name, line);
    if (strcmp(state, "42501") == 0)
        return lens_fail(err, LENS_E_SYSTEM, "%s: this user may not %s here: %s", store->name, store->mode == LENS_STORE_READ ? "read" : "write", line);
    if (strcmp(state, "25006") == 0)
        return lens_fail(err, LENS_E_SYSTEM, "%s: this database is only to be read now: %s", store->name, line);
    if (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0) /* a lock was not to be had */
        return lens_fail(err, LENS_E_BUSY, "%s: %s", store->name, line);
    if (strcmp(state, "42P01") == 0 && strstr(line, "vector_"))
        return lens_fail(err, LENS_E_MISSING, LENS_PG_MODEL_GONE, store->name);
    if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0)
        return lens_fail(err, LENS_E_MISSING, "%s: the library in this database is gone: %s", store->name, line);
    return lens_fail(err, LENS_E_SYSTEM, "%s: %s", store->name, line);
}

static void forget_statements(lens_postgres *store)
{
    while (store->statement_count > 0)
        free(store->statements[--store->statement_count].sql);
}

int lens_pg_set_path(lens_postgres *store, lens_error *err)
{
    char setting[256];
    const char *const vector = store->vector_schema;
    /* Before both come PostgreSQL's own names; and nobody else's come at all, since a function of theirs whose arguments fit better would be called as we. */
    snprintf(setting, sizeof setting, "SET search_path = memelens%s%s", vector ? ", " : "", vector ? vector : "");
    return lens_pg_plain(store, setting, err);
}

/* Libraries never print, and libpq's own way with warnings is to. */
static void hear_nothing(void *context, const char *words)
{
    (void)context, (void)words;
}

/* One try. 0; 1 when another one may go better; -1. */
static int connect_once(lens_postgres *store, lens_error *err)
{
    /* What the place says of the same things wins, because it comes last. */
    static const char *const keywords[] = {"connect_timeout", "client_encoding", "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
                                           "dbname", NULL};
    const char *const values[] = {"10", "UTF8", "memelens", "30", "10", "3", store->place, NULL};
    const lens_pq *pq = store->pq;
    forget_statements(store);
    pq->PQfinish(store->connection);
    store->connection = pq->PQconnectdbParams(keywords, values, 1);
    if (!store->connection)
        return lens_fail_memory(err);
    if (pq->PQstatus(store->connection) != CONNECTION_OK) {
        char line[400];
        const char *words = pq->PQerrorMessage(store->connection);
        one_line(words, line, sizeof line);
        /* Nobody listens, or it is starting up or shutting down: that passes. A wrong password or name does not. The words may be in any language, so the
         * server is asked whether it takes anyone; they only tell when it has come up since. */
        const bool refused = pq->PQpingParams(keywords, values, 1) == PQPING_OK && !strstr(words, "starting up") && !strstr(words, "shutting down") &&
                             !strstr(words, "recovery") && !strstr(words, "too many");
        lens_fail(err, LENS_E_AWAY, "%s: cannot connect: %s", store->name, line);
        return refused ? -1 : 1;
    }
    pq->PQsetNoticeProcessor(store->connection, hear_nothing, NULL);
    return lens_pg_plain(store, "SET client_min_messages = warning", err) == 0 && lens_pg_set_path(store, err) == 0 ? 0 : 1;
}

int lens_pg_connect(lens_postgres *store, lens_error *err)
{
    const double begun = lens_seconds();
    for (;;) {
        const int result = connect_once(store, err);
        if (result == 0) {
            store->lost = false;
            return 0;
        }
        if (result < 0 || lens_seconds() - begun >= store->patience)
            return -1;
        if (store->go_on && !store->go_on(store->go_on_context)) {
            store->lost = false; /* nor is anything to be tried once more */
            return lens_fail(err, LENS_E_CANCELLED, "%s: interrupted while it could not be reached", store->name);
        }
        lens_sleep(try_every);
    }
}

int lens_pg_ready(lens_postgres *store, lens_error *err)
{
    if (store->pq->PQstatus(store->connection) == CONNECTION_OK)
        return 0;
    if (store->depth > 0)
        return lens_fail(err, LENS_E_AWAY, "%s: the connection was lost within a transaction", store->name);
    return lens_pg_connect(store, err);
}

int lens_pg_plain(lens_postgres *store, const char *sql, lens_error *err)
{
    PGresult *result = store->pq->PQexec(store->connection, sql);
    const ExecStatusType status = store->pq->PQresultStatus(result);
    const int failed = status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK ? lens_pg_fail(store, result, err) : 0;
    store->pq->PQclear(result);
    return failed;
}

/* Lets the statement under way end at once, with an error. */
static void cancel(lens_postgres *store)
{
    char words[256];
    PGcancel *handle = store->pq->PQgetCancel(store->connection);
    if (handle)
        store->pq->PQcancel(handle, words, sizeof words);
    store->pq->PQfreeCancel(handle);
}

/* As lens_pg_plain, asking store->go_on meanwhile. */
static int run_patiently(lens_postgres *store, const char *sql, lens_error *err)
{
    const lens_pq *pq = store->pq;
    bool cancelled = false;
    int result = 0;
    if (!store->go_on)
        return lens_pg_plain(store, sql, err);
    if (!pq->PQsendQuery(store->connection, sql))
        return lens_pg_fail(store, NULL, err);
    for (;;) {
        struct pollfd answer = {.fd = pq->PQsocket(store->connection), .events = POLLIN};
        if (pq->PQconsumeInput(store->connection) && pq->PQisBusy(store->connection)) {
            if (poll(&answer, 1, ASK_MS) <= 0 && !cancelled && !store->go_on(store->go_on_context)) {
                cancelled = true;
                cancel(store);
            }
            continue;
        }
        PGresult *part = pq->PQgetResult(store->connection); /* there is one, or the connection is lost: it does not wait */
        if (!part)
            break;
        const ExecStatusType status = pq->PQresultStatus(part);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && result == 0)
            result = lens_pg_fail(store, part, err);
        pq->PQclear(part);
    }
    if (result != 0 && cancelled && !store->lost)
        lens_fail(err, LENS_E_CANCELLED, "%s: interrupted while another one was writing", store->name);
    return result;
}

static int begin(lens_postgres *store, const char *sql, lens_error *err)
{
    if (store->depth > 0) {
        store->depth++;
        return 0;
    }
    lens_error first = {0};
    int result = lens_pg_ready(store, &first);
    /* A connection that broke while nobody asked is only seen now. */
    if (result == 0 && (result = run_patiently(store, sql, &first)) != 0 && store->lost && (result = lens_pg_connect(store, &first)) == 0)
        result = run_patiently(store, sql, &first);
    if (result != 0 && store->pq->PQstatus(store->connection) == CONNECTION_OK)
        lens_pg_plain(store, "ROLLBACK", NULL); /* it has begun, and failed while it waited */
    store->depth = result == 0;
    store->names.looked = false;
    if (result != 0 && err)
        *err = first;
    return result;
}

/* Whose machine sleeps, or is gone, in the middle of its turn, loses it: all others wait for the end of that. */
#define BEGIN "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '30s'"

int lens_pg_begin(lens_postgres *store, lens_error *err)
{
    if (store->mode != LENS_STORE_WRITE)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: the library was opened for reading only", store->name);
    if (begin(store, BEGIN "; SELECT pg_advisory_xact_lock(" WRITERS ")", err) != 0)
        return -1;
    /* Since this store was opened, a copy into the library may have begun. */
    if (store->depth == 1 && !store->copies && lens_pg_copying(store, err) != 0) {
        lens_pg_end(store, -1, NULL);
        return -1;
    }
    store->writing = true;
    return 0;
}

int lens_pg_begin_read(lens_postgres *store, lens_error *err)
{
    return begin(store, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

int lens_pg_begin_share(lens_postgres *store, lens_error *err)
{
    return begin(store, BEGIN, err);
}

int lens_pg_end(lens_postgres *store, int result, lens_error *err)
{
    if (store->depth > 1) {
        store->depth--;
        return result;
    }
    /* The number of changes belongs to them: who sees the one sees the other. */
    if (result == 0)
        result = lens_pg_plain(store, store->writing ? "UPDATE memelens.library SET change = change + 1; COMMIT" : "COMMIT", err);
    if (result != 0 && store->pq->PQstatus(store->connection) == CONNECTION_OK)
        lens_pg_plain(store, "ROLLBACK", NULL);
    store->names.change += result == 0 && store->writing; /* a change of our own */
    store->depth = 0;
    store->writing = false;
    return result == 0 ? 0 : -1;
}

bool lens_pg_once_more(lens_postgres *store, int result, lens_error *err)
{
    if (result == 0 || !store->lost || store->patience <= 0 || store->depth > 0 || lens_pg_connect(store, err) != 0)
        return false;
    if (err)
        *err = (lens_error){0};
    return true;
}
