/* The stream of events (server-sent events) that tells of index runs: whoever listens gets what is told from then on. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/server.h"

/* Bytes of events that wait for a slow client: from the first on only how runs ended is told, and who leaves even that lying is sent away, to begin
 * anew with how things stand. */
enum { PENDING_MOST = 65536, LEFT_MOST = 4 * PENDING_MOST };
static const double beat_every = 15; /* seconds: so that those who went are noticed */

typedef struct client {
    struct client *next;
    lens_events *events;
    struct MHD_Connection *connection;
    lens_buffer pending;
    bool asleep, left; /* LEFT: nothing more is told, and the stream ends after what is pending */
    double last;
} client;

struct lens_events {
    pthread_mutex_t lock;
    client *clients;
    bool ends;
};

static void wake(client *at)
{
    if (!at->asleep)
        return;
    at->asleep = false;
    MHD_resume_connection(at->connection);
}

void lens_events_tell(lens_events *self, const char *event, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text)
        return;
    const bool always = strcmp(event, "done") == 0;
    pthread_mutex_lock(&self->lock);
    for (client *at = self->clients; at; at = at->next) {
        at->left |= at->pending.size >= LEFT_MOST;
        if (!at->left && (at->pending.size < PENDING_MOST || always))
            lens_buffer_print(&at->pending, "event: %s\ndata: %s\n\n", event, text);
        wake(at);
    }
    pthread_mutex_unlock(&self->lock);
    free(text);
}

static ssize_t give(void *context, uint64_t position, char *out, size_t most)
{
    (void)position;
    client *self = context;
    lens_events *events = self->events;
    ssize_t given = 0;
    pthread_mutex_lock(&events->lock);
    if (self->pending.size) {
        given = (ssize_t)(self->pending.size < most ? self->pending.size : most);
        memcpy(out, self->pending.data, (size_t)given);
        memmove(self->pending.data, self->pending.data + given, self->pending.size - (size_t)given);
        self->pending.size -= (size_t)given;
        self->last = lens_seconds();
    } else if (events->ends || self->left) {
        given = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        self->asleep = true;
        MHD_suspend_connection(self->connection);
    }
    pthread_mutex_unlock(&events->lock);
    return given;
}

static void leave(void *context)
{
    client *self = context;
    lens_events *events = self->events;
    pthread_mutex_lock(&events->lock);
    client **link = &events->clients;
    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
    pthread_mutex_unlock(&events->lock);
    lens_buffer_free(&self->pending);
    free(self);
}

static void add_headers(lens_exchange *exchange)
{
    lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    lens_answer_header(exchange, "X-Accel-Buffering", "no");
}

void lens_api_events(lens_exchange *exchange)
{
    if (strcmp(exchange->method, "HEAD") == 0) { /* of an answer without a length libmicrohttpd would send the last piece all the same */
        lens_answer_bytes(exchange, 200, "text/event-stream", "", 0);
        add_headers(exchange);
        return;
    }
    lens_events *events = exchange->server->events;
    client *self = calloc(1, sizeof *self);
    if (!self) {
        lens_answer_error(exchange, 500, "internal", "not enough memory");
        return;
    }
    *self = (client){.events = events, .connection = exchange->connection, .last = lens_seconds()};
    pthread_mutex_lock(&events->lock);
    self->next = events->clients;
    events->clients = self;
    pthread_mutex_unlock(&events->lock);
    json_t *now = lens_indexer_state(exchange->server->indexer); /* after it listens, so that nothing falls between */
    char *text = now ? json_dumps(now, JSON_COMPACT) : NULL;
    json_decref(now);
    pthread_mutex_lock(&events->lock);
    lens_buffer_print(&self->pending, "retry: 3000\nevent: progress\ndata: %s\n\n", text ? text : "{}");
    pthread_mutex_unlock(&events->lock);
    free(text);
    exchange->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, give, self, leave);
    exchange->status = 200;
    if (!exchange->response) {
        leave(self);
        lens_answer_error(exchange, 500, "internal", "not enough memory");
        return;
    }
    lens_guard_headers(exchange, exchange->response);
    lens_answer_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    add_headers(exchange);
}

void lens_events_beat(lens_events *self)
{
    const double now = lens_seconds();
    pthread_mutex_lock(&self->lock);
    for (client *at = self->clients; at; at = at->next)
        if (now - at->last > beat_every && !at->pending.size) {
            lens_buffer_print(&at->pending, ": beat\n\n");
            wake(at);
        }
    pthread_mutex_unlock(&self->lock);
}

lens_events *lens_events_new(void)
{
    lens_events *self = calloc(1, sizeof *self);
    if (self)
        pthread_mutex_init(&self->lock, NULL);
    return self;
}

void lens_events_end(lens_events *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->ends = true;
    for (client *at = self->clients; at; at = at->next)
        wake(at);
    pthread_mutex_unlock(&self->lock);
}

void lens_events_free(lens_events *self)
{
    if (!self)
        return;
    pthread_mutex_destroy(&self->lock);
    free(self);
}
