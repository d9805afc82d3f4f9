/* The connection: made, lost, made again; and transactions. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/patience.h"
#include "base/text.h"
#include "store/postgres/internal.h"

static const double try_every = 0.25, look_every = 0.1, silent_after = 5; /* seconds */
static const double writing_patience = 2, cancelled_patience = 2; /* for what is being written when nobody waits any more; for a statement to end that is to */
enum { LOOK_MS = 100 };

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

/* Fills ERR from RESULT (NULL: from the connection) and notes what it means for the connection. Always -1. */
static int fail(lens_postgres *store, const PGresult *result, lens_error *err)
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
    /* Before both come PostgreSQL's own names; and nobody else's come, since a function of theirs whose arguments fit better would be called as we. (Where
     * pgvector is in `public`, that comes all the same: SECURITY.md says what holds then.) */
    snprintf(setting, sizeof setting, "SET search_path = memelens%s%s", vector ? ", " : "", vector ? vector : "");
    return lens_pg_plain(store, setting, err);
}

/* Whether nobody waits any more, for a TURN or an answer. */
static bool given_up(lens_postgres *store, bool turn)
{
    return turn && store->go_on ? !store->go_on(store->go_on_context) : lens_patience_ended();
}

/* Libraries never print, and libpq's own way with warnings is to. */
static void hear_nothing(void *context, const char *words)
{
    (void)context, (void)words;
}

/* ---- what may never answer: on a thread of its own ---- */

typedef struct connecting {
    lens_errand errand;
    const lens_pq *pq;
    char *place;
    PGconn *connection;
    bool refused; /* there is a server, and it does not want us */
} connecting;

static void run_connecting(lens_errand *errand)
{
    /* What the place says of the same things wins, because it comes last. A machine that is gone is noticed in a minute: by the system's own questions where
     * nothing is under way, and else by what it does not confirm. */
    static const char *const keywords[] = {"connect_timeout", "client_encoding", "fallback_application_name", "keepalives_idle", "keepalives_interval",
                                           "keepalives_count", "tcp_user_timeout", "dbname", NULL};
    connecting *self = (connecting *)errand;
    const lens_pq *pq = self->pq;
    const char *const values[] = {"10", "UTF8", "memelens", "30", "10", "3", "60000", self->place, NULL};
    const double begun = lens_seconds();
    self->connection = pq->PQconnectdbParams(keywords, values, 1);
    if (!self->connection || pq->PQstatus(self->connection) == CONNECTION_OK || lens_seconds() - begun > silent_after)
        return;
    /* Nobody listens, or it is starting up or shutting down: that passes. A wrong password or name does not. The words may be in any language, so the
     * server is asked whether it takes anyone; they only tell when it has come up since. */
    const char *words = pq->PQerrorMessage(self->connection);
    self->refused = pq->PQpingParams(keywords, values, 1) == PQPING_OK && !strstr(words, "starting up") && !strstr(words, "shutting down") &&
                    !strstr(words, "recovery") && !strstr(words, "too many");
}

static void end_connecting(lens_errand *errand)
{
    connecting *self = (connecting *)errand;
    self->pq->PQfinish(self->connection);
    free(self->place);
    free(self);
}

typedef struct cancelling {
    lens_errand errand;
    const lens_pq *pq;
    PGcancel *handle;
} cancelling;

static void run_cancelling(lens_errand *errand)
{
    const cancelling *self = (const cancelling *)errand;
    char words[256];
    self->pq->PQcancel(self->handle, words, sizeof words); /* by a connection of its own */
}

static void end_cancelling(lens_errand *errand)
{
    cancelling *self = (cancelling *)errand;
    self->pq->PQfreeCancel(self->handle);
    free(self);
}

/* Asks the server to let the statement under way end at once, with an error. Nobody waits for that. */
static void cancel(lens_postgres *store)
{
    cancelling *self = calloc(1, sizeof *self);
    if (!self)
        return;
    *self = (cancelling){{.run = run_cancelling, .end = end_cancelling}, store->pq, store->pq->PQgetCancel(store->connection)};
    if (self->handle)
        lens_errand_send(&self->errand);
    else
        free(self);
}

/* ---- connecting ---- */

/* One try. 0; 1 when another one may go better; -1. */
static int connect_once(lens_postgres *store, lens_error *err)
{
    const lens_pq *pq = store->pq;
    forget_statements(store);
    pq->PQfinish(store->connection);
    store->connection = NULL;
    connecting *self = calloc(1, sizeof *self);
    if (!self || !(self->place = strdup(store->place))) {
        free(self);
        return lens_fail_memory(err);
    }
    self->errand = (lens_errand){.run = run_connecting, .end = end_connecting};
    self->pq = pq;
    lens_error why = {0};
    if (lens_errand_do(&self->errand, store->name, &why) != 0) {
        if (why.code == LENS_E_SILENT)
            lens_fail(err, LENS_E_AWAY, "%s: cannot connect: no answer", store->name);
        else if (err)
            *err = why;
        return why.code == LENS_E_SILENT ? 1 : -1;
    }
    store->connection = self->connection;
    self->connection = NULL;
    const bool refused = self->refused;
    end_connecting(&self->errand);
    if (!store->connection)
        return lens_fail_memory(err);
    if (pq->PQstatus(store->connection) != CONNECTION_OK) {
        char line[400];
        one_line(pq->PQerrorMessage(store->connection), line, sizeof line);
        lens_fail(err, LENS_E_AWAY, "%s: cannot connect: %s", store->name, line);
        return refused ? -1 : 1;
    }
    pq->PQsetNoticeProcessor(store->connection, hear_nothing, NULL);
    pq->PQsetnonblocking(store->connection, 1); /* else what is sent, and the goodbye, may wait for ever for a server that reads nothing */
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
        if (given_up(store, true)) {
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
    if (store->depth > 0) {
        store->lost = true; /* the end of it may have come behind the last answer */
        return lens_fail(err, LENS_E_AWAY, "%s: the connection was lost within a transaction", store->name);
    }
    return lens_pg_connect(store, err);
}

/* ---- asking ---- */

/* Who waits for an answer. */
typedef struct waiting {
    bool turn;        /* for one to write, or for a server that is away: what lens_store_wait_while is for */
    double looked;    /* when it was last asked whether it still does */
    double given_up;  /* when it was not any more; 0: it waits */
    double cancelled; /* when the server was asked to end it; 0: it was not */
} waiting;

/* Whether to wait on for an answer that has not come yet. */
static bool waits_on(lens_postgres *store, waiting *self)
{
    const double now = lens_seconds();
    if (now - self->looked < look_every)
        return true;
    self->looked = now;
    if (self->given_up <= 0 && !given_up(store, self->turn))
        return true;
    self->given_up = self->given_up > 0 ? self->given_up : now;
    if (self->cancelled > 0)
        return now - self->cancelled < cancelled_patience;
    /* What is being written when a run is stopped may come to its end. */
    if (self->turn || store->mode == LENS_STORE_READ || now - self->given_up >= writing_patience) {
        cancel(store);
        self->cancelled = now;
    }
    return true;
}

static void hang_up(lens_postgres *store)
{
    forget_statements(store);
    store->pq->PQfinish(store->connection);
    store->connection = NULL;
}

static bool is_fine(ExecStatusType status)
{
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* What was asked has come to: its last result, or the first that is not fine; NULL where the connection was given up. */
static PGresult *take_answer(lens_postgres *store, waiting *who)
{
    const lens_pq *pq = store->pq;
    PGresult *answer = NULL;
    for (;;) {
        const int unsent = pq->PQflush(store->connection);
        if (unsent >= 0 && pq->PQconsumeInput(store->connection) && pq->PQisBusy(store->connection)) {
            struct pollfd socket = {.fd = pq->PQsocket(store->connection), .events = unsent ? POLLIN | POLLOUT : POLLIN};
            poll(&socket, 1, LOOK_MS);
            if (waits_on(store, who))
                continue;
            hang_up(store);
            break;
        }
        PGresult *part = pq->PQgetResult(store->connection); /* there is one, or the connection is lost: it does not wait */
        if (!part)
            return answer;
        const ExecStatusType status = pq->PQresultStatus(part);
        const bool keeps = !answer || is_fine(pq->PQresultStatus(answer));
        pq->PQclear(keeps ? answer : part);
        answer = keeps ? part : answer;
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) { /* nobody asked for that, and it would have no end */
            hang_up(store);
            break;
        }
    }
    pq->PQclear(answer);
    return NULL;
}

static bool was_cancelled(const lens_postgres *store, const PGresult *answer)
{
    const char *state = answer ? store->pq->PQresultErrorField(answer, PG_DIAG_SQLSTATE) : NULL;
    return state && strcmp(state, "57014") == 0;
}

static PGresult *answer_of(lens_postgres *store, int sent, bool turn, lens_error *err)
{
    const lens_pq *pq = store->pq;
    waiting who = {.turn = turn, .looked = lens_seconds()};
    PGresult *answer = sent ? take_answer(store, &who) : NULL;
    /* A cancellation that this statement was too quick for may still be under way, and would end another one. */
    if (who.cancelled > 0 && !was_cancelled(store, answer)) {
        if (store->depth == 0)
            hang_up(store);
        else
            store->cancelled = true;
    }
    if (store->cancelled && who.cancelled <= 0 && was_cancelled(store, answer))
        who.cancelled = lens_seconds(); /* it was that one */
    if (answer && is_fine(pq->PQresultStatus(answer)))
        return answer;
    fail(store, answer, err);
    if (who.cancelled > 0) {
        store->lost = false; /* nor is anything to be tried once more */
        lens_fail(err, LENS_E_CANCELLED, "%s: interrupted while %s", store->name, turn && store->go_on ? "another one was writing" : "it gave no answer");
    }
    pq->PQclear(answer);
    return NULL;
}

PGresult *lens_pg_answer(lens_postgres *store, int sent, lens_error *err)
{
    return answer_of(store, sent, false, err);
}

static int run(lens_postgres *store, const char *sql, bool turn, lens_error *err)
{
    PGresult *answer = answer_of(store, store->pq->PQsendQuery(store->connection, sql), turn, err);
    const int result = answer ? 0 : -1;
    store->pq->PQclear(answer);
    return result;
}

int lens_pg_plain(lens_postgres *store, const char *sql, lens_error *err)
{
    return run(store, sql, false, err);
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
    if (result == 0 && (result = run(store, sql, true, &first)) != 0 && store->lost && (result = lens_pg_connect(store, &first)) == 0)
        result = run(store, sql, true, &first);
    if (result != 0 && store->pq->PQstatus(store->connection) == CONNECTION_OK && lens_pg_plain(store, "ROLLBACK", NULL) != 0)
        hang_up(store); /* it has begun, and failed while it waited */
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
    if (result == 0 && store->cancelled && store->writing) /* what may still come would end what makes it lasting */
        result = lens_fail(err, LENS_E_CANCELLED, "%s: interrupted while it gave no answer", store->name);
    /* The number of changes belongs to them: who sees the one sees the other. */
    if (result == 0 && !store->cancelled)
        result = lens_pg_plain(store, store->writing ? "UPDATE memelens.library SET change = change + 1; COMMIT" : "COMMIT", err);
    store->depth = 0;
    if (store->cancelled || (result != 0 && store->pq->PQstatus(store->connection) == CONNECTION_OK && lens_pg_plain(store, "ROLLBACK", NULL) != 0))
        hang_up(store); /* and with the connection the transaction ends */
    store->cancelled = false;
    store->names.change += result == 0 && store->writing; /* a change of our own */
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
