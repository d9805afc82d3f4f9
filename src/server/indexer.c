/* Index runs in the background, one at a time, and the stream of events that tells about them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/picture.h"
#include "server/server.h"

enum { PENDING_MOST = 65536 }; /* bytes of events that wait for a slow client; then progress is left out */
static const double beat_every = 15; /* seconds: so that those who went are noticed */
enum { NICE = 10 };                  /* queries go first */

typedef struct client {
    struct client *next;
    lens_indexer *indexer;
    struct MHD_Connection *connection;
    lens_buffer pending;
    bool asleep;
    double last;
} client;

struct lens_indexer {
    lens_server *server;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t thread;
    bool has_thread, ends, running, again;
    char *path; /* of the run that is to begin; NULL: every folder */
    int64_t run;
    int64_t done, total, failed;
    bool counting;
    double seconds;
    client *clients;
};

/* ---- telling ---- */

static json_t *state(const lens_indexer *self)
{
    return json_pack("{sbsIsIsIsbsfsI}", "running", self->running, "done", (json_int_t)self->done, "total", (json_int_t)self->total, "failed",
                     (json_int_t)self->failed, "counting", self->counting, "seconds", self->seconds, "run", (json_int_t)self->run);
}

static void wake(client *at)
{
    if (!at->asleep)
        return;
    at->asleep = false;
    MHD_resume_connection(at->connection);
}

/* Under the lock. OBJECT is taken over. */
static void tell(lens_indexer *self, const char *event, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    for (client *at = self->clients; text && at; at = at->next) {
        if (at->pending.size < PENDING_MOST)
            lens_buffer_print(&at->pending, "event: %s\ndata: %s\n\n", event, text);
        wake(at);
    }
    free(text);
}

static ssize_t give(void *context, uint64_t position, char *out, size_t most)
{
    (void)position;
    client *self = context;
    lens_indexer *indexer = self->indexer;
    ssize_t given = 0;
    pthread_mutex_lock(&indexer->lock);
    if (self->pending.size) {
        given = (ssize_t)(self->pending.size < most ? self->pending.size : most);
        memcpy(out, self->pending.data, (size_t)given);
        memmove(self->pending.data, self->pending.data + given, self->pending.size - (size_t)given);
        self->pending.size -= (size_t)given;
        self->last = lens_seconds();
    } else if (indexer->ends) {
        given = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        self->asleep = true;
        MHD_suspend_connection(self->connection);
    }
    pthread_mutex_unlock(&indexer->lock);
    return given;
}

static void leave(void *context)
{
    client *self = context;
    lens_indexer *indexer = self->indexer;
    pthread_mutex_lock(&indexer->lock);
    client **link = &indexer->clients;
    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
    pthread_mutex_unlock(&indexer->lock);
    lens_buffer_free(&self->pending);
    free(self);
}

void lens_api_events(lens_exchange *exchange)
{
    lens_indexer *indexer = exchange->server->indexer;
    client *self = calloc(1, sizeof *self);
    if (!self) {
        lens_answer_error(exchange, 500, "internal", "not enough memory");
        return;
    }
    *self = (client){.indexer = indexer, .connection = exchange->connection, .last = lens_seconds()};
    pthread_mutex_lock(&indexer->lock);
    json_t *now = state(indexer);
    char *text = now ? json_dumps(now, JSON_COMPACT) : NULL;
    json_decref(now);
    lens_buffer_print(&self->pending, "retry: 3000\nevent: progress\ndata: %s\n\n", text ? text : "{}");
    free(text);
    self->next = indexer->clients;
    indexer->clients = self;
    pthread_mutex_unlock(&indexer->lock);
    exchange->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, give, self, leave);
    exchange->status = 200;
    if (!exchange->response) {
        leave(self);
        lens_answer_error(exchange, 500, "internal", "not enough memory");
        return;
    }
    lens_guard_headers(exchange, exchange->response);
    lens_answer_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    lens_answer_header(exchange, "X-Accel-Buffering", "no");
}

void lens_indexer_beat(lens_indexer *self)
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

/* ---- running ---- */

static bool hear(void *context, const lens_index_event *event)
{
    lens_indexer *self = context;
    lens_exchange asker = {.server = self->server}; /* for what may be told */
    pthread_mutex_lock(&self->lock);
    self->done = event->done;
    self->total = event->total;
    self->counting = event->counting;
    self->seconds = event->seconds;
    if (event->kind == LENS_INDEX_PROGRESS) {
        tell(self, "progress", state(self));
    } else {
        self->failed += event->kind == LENS_INDEX_FAILED;
        json_t *object = json_pack("{so*so*}", "name", event->path ? lens_name_json(event->path) : NULL, "path",
                                   event->path ? lens_path_json(&asker, event->path) : NULL);
        json_object_set_new(object, "reason", json_string(event->reason ? event->reason : ""));
        tell(self, event->kind == LENS_INDEX_FAILED ? "failed" : "note", object);
    }
    const bool go_on = !self->ends;
    pthread_mutex_unlock(&self->lock);
    return go_on;
}

static void run(lens_indexer *self, const char *path)
{
    lens_error error = {0};
    lens_index_report report = {0};
    lens_index_options options = lens_index_options_default();
    lens_library *library = lens_library_open(self->server->options.library, &error);
    options.paths = &path;
    options.path_count = path != NULL;
    options.event = hear;
    options.context = self;
    options.wait = 60;
    const int result = library ? lens_index(library, &options, &report, &error) : -1;
    lens_library_close(library);
    lens_warm_refresh(self->server->warm); /* who hears that it is done finds all of it */
    pthread_mutex_lock(&self->lock);
    self->running = false;
    if (result != 0)
        tell(self, "note", json_pack("{ss}", "reason", self->server->show_paths ? error.message : "the run failed"));
    tell(self, "done", json_pack("{sIsIsIsIsIsf}", "indexed", (json_int_t)report.indexed, "unchanged", (json_int_t)report.unchanged, "moved",
                                 (json_int_t)report.moved, "removed", (json_int_t)report.removed, "failed", (json_int_t)report.failed, "seconds",
                                 report.seconds));
    pthread_mutex_unlock(&self->lock);
    if (result != 0 && self->server->options.say)
        self->server->options.say(self->server->options.context, error.message);
}

static void *work(void *context)
{
    lens_indexer *self = context;
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux of this thread, and of those that it starts */
    pthread_mutex_lock(&self->lock);
    while (!self->ends) {
        if (!self->running) {
            pthread_cond_wait(&self->wanted, &self->lock);
            continue;
        }
        char *path = self->path;
        self->path = NULL;
        pthread_mutex_unlock(&self->lock);
        run(self, path);
        free(path);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

int64_t lens_indexer_begin(lens_indexer *self, const char *path)
{
    int64_t number = 0;
    pthread_mutex_lock(&self->lock);
    char *copy = path ? strdup(path) : NULL;
    if (!self->running && !self->ends && (copy || !path)) {
        self->path = copy;
        copy = NULL;
        self->running = true;
        self->done = self->total = self->failed = 0;
        self->seconds = 0;
        self->counting = true;
        number = ++self->run;
        pthread_cond_signal(&self->wanted);
    }
    pthread_mutex_unlock(&self->lock);
    free(copy);
    return number;
}

json_t *lens_indexer_state(lens_indexer *self)
{
    pthread_mutex_lock(&self->lock);
    json_t *object = state(self);
    pthread_mutex_unlock(&self->lock);
    return object;
}

bool lens_indexer_watches(const lens_indexer *self)
{
    return self->server->options.watch;
}

lens_indexer *lens_indexer_new(lens_server *server, lens_error *err)
{
    lens_indexer *self = calloc(1, sizeof *self);
    if (!self) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
        return NULL;
    }
    self->server = server;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wanted, NULL);
    const int errnum = pthread_create(&self->thread, NULL, work, self);
    self->has_thread = errnum == 0;
    if (self->has_thread)
        return self;
    lens_fail_errno(err, errnum, "cannot start a thread");
    lens_indexer_free(self);
    return NULL;
}

void lens_indexer_end(lens_indexer *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->ends = true;
    pthread_cond_signal(&self->wanted);
    for (client *at = self->clients; at; at = at->next)
        wake(at);
    pthread_mutex_unlock(&self->lock);
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    self->has_thread = false;
}

void lens_indexer_free(lens_indexer *self)
{
    if (!self)
        return;
    lens_indexer_end(self);
    free(self->path);
    pthread_cond_destroy(&self->wanted);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
