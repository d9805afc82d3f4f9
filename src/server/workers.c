/* The threads that answer. Each has a library of its own on the one warm. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/patience.h"
#include "server/server.h"

enum { WAITING_MOST = 1024 };

struct lens_worker {
    lens_server *server;
    lens_pool pool;
    lens_library *library;
    pthread_t thread;
    bool runs;
    lens_exchange *exchange; /* being answered; NULL: none */
    double since;
};

static const double answer_within = 10; /* seconds that a disk has: who looks at a page waits no longer */

/* Of a quick worker, for what decodes, or waits for a disk or a database. Who takes longer is for the slow ones, so that others' queries go on; what was
 * done in so little time is done again. */
static const double quick_within = 2;

/* What whatever may take long asks now and then: decoding, and waiting for a disk. */
static bool goes_on(void *context)
{
    const lens_worker *self = context;
    const lens_server *server = self->server;
    lens_exchange *exchange = self->exchange;
    if (atomic_load(&server->overdue))
        return false;
    if (!exchange)
        return true;
    const double most = exchange->slow || quick_within > server->options.patience ? server->options.patience : quick_within;
    exchange->late |= lens_seconds() - self->since > most;
    return !exchange->late && !atomic_load(&exchange->gone);
}

static void *work(void *context)
{
    lens_worker *worker = context;
    lens_server *server = worker->server;
    void *item;
    lens_patience_set((lens_disk_patience){.seconds = answer_within, .goes_on = goes_on, .context = worker});
    while (lens_queue_pop(server->queues[worker->pool], &item)) {
        lens_exchange *exchange = item;
        const lens_pool pool = worker->pool;
        exchange->library = worker->library;
        exchange->slow = pool == LENS_POOL_SLOW;
        exchange->late = false;
        worker->exchange = exchange;
        worker->since = lens_seconds();
        lens_daemon_release(exchange); /* of a quick worker that found it slow */
        lens_library_follow(worker->library);
        if (atomic_load(&server->overdue))
            lens_answer_error(exchange, 503, "unavailable", "the server is ending");
        else if (atomic_load(&exchange->gone))
            lens_answer_error(exchange, 503, "unavailable", "nobody waits for this");
        else
            exchange->route->answer(exchange);
        worker->exchange = NULL;
        if (!exchange->response && pool == LENS_POOL_QUICK) { /* it turned out to be slow */
            exchange->slow = true;
            if (lens_queue_push(server->queues[LENS_POOL_SLOW], exchange))
                continue;
            lens_answer_error(exchange, 503, "unavailable", "the server is ending");
        }
        if (!exchange->response)
            lens_answer_error(exchange, 500, "internal", "there is no answer");
        exchange->worked = true;
        MHD_resume_connection(exchange->connection);
    }
    return NULL;
}

int lens_workers_start(lens_server *server, lens_error *err)
{
    const int each = lens_default_threads();
    const size_t quick = each < 2 ? 2 : (size_t)each, slow = quick;
    server->workers = calloc(quick + slow, sizeof *server->workers);
    server->queues[LENS_POOL_QUICK] = lens_queue_new(WAITING_MOST);
    server->queues[LENS_POOL_SLOW] = lens_queue_new(WAITING_MOST);
    if (!server->workers || !server->queues[LENS_POOL_QUICK] || !server->queues[LENS_POOL_SLOW])
        return lens_fail_memory(err);
    for (size_t i = 0; i < quick + slow; i++) {
        lens_worker *worker = &server->workers[server->worker_count++];
        *worker = (lens_worker){.server = server, .pool = i < quick ? LENS_POOL_QUICK : LENS_POOL_SLOW};
        worker->library = lens_library_open_warm(server->warm, err);
        if (!worker->library)
            return -1;
        const int errnum = pthread_create(&worker->thread, NULL, work, worker);
        if (errnum != 0)
            return lens_fail_errno(err, errnum, "cannot start a thread");
        worker->runs = true;
    }
    return 0;
}

void lens_workers_end(lens_server *server)
{
    for (int pool = 0; pool < LENS_POOLS; pool++)
        if (server->queues[pool])
            lens_queue_close(server->queues[pool]);
    for (size_t i = 0; i < server->worker_count; i++) {
        if (server->workers[i].runs)
            pthread_join(server->workers[i].thread, NULL);
        lens_library_close(server->workers[i].library);
    }
    free(server->workers);
    server->workers = NULL;
    server->worker_count = 0;
}

void lens_workers_free(lens_server *server)
{
    lens_workers_end(server);
    for (int pool = 0; pool < LENS_POOLS; pool++) {
        lens_queue_free(server->queues[pool]);
        server->queues[pool] = NULL;
    }
}

bool lens_workers_give(lens_exchange *exchange, lens_pool pool)
{
    return lens_queue_push(exchange->server->queues[pool], exchange);
}
