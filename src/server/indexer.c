/* Index runs in the background, one at a time: those that are asked for, and those that the watched folders call for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/picture.h"
#include "server/server.h"

enum { NICE = 10 }; /* queries go first */
static const double look_seconds = 0.2;   /* at the watched folders, between looks whether a run was asked for */
static const double wait_seconds = 60;    /* for another process that writes */
static const double again_seconds = 60;   /* after a run that failed */
static const double rest_factor = 4;      /* what keeps changing takes at most a fifth of the time */

struct lens_indexer {
    lens_server *server;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t thread;
    bool has_thread, ends, running;
    char *path; /* of the run that is to begin; NULL: every folder */
    int64_t run;
    int64_t done, total, failed;
    bool counting;
    double seconds;
    char *reason; /* why the last run failed; NULL: it did not */
    bool told, timed; /* the kernel tells of changes; some or all folders are looked at by the clock */
    /* Of the thread alone. */
    lens_library *watched;
    lens_watch *watch;
    double rests_until;
    bool limit_said;
};

static void say(const lens_indexer *self, const char *line)
{
    if (self->server->options.say)
        self->server->options.say(self->server->options.context, line);
}

static json_t *state(const lens_indexer *self)
{
    return json_pack("{sbsIsIsIsbsfsIsbss*}", "running", self->running, "done", (json_int_t)self->done, "total", (json_int_t)self->total, "failed",
                     (json_int_t)self->failed, "counting", self->counting, "seconds", self->seconds, "run", (json_int_t)self->run, "ok", !self->reason,
                     "reason", self->reason);
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
    self->failed += event->kind == LENS_INDEX_FAILED;
    const bool go_on = !self->ends;
    json_t *object = event->kind == LENS_INDEX_PROGRESS ? state(self) : NULL;
    pthread_mutex_unlock(&self->lock);
    if (object) {
        lens_events_tell(self->server->events, "progress", object);
    } else {
        object = json_pack("{so*so*}", "name", event->path ? lens_name_json(event->path) : NULL, "path", event->path ? lens_path_json(&asker, event->path) : NULL);
        json_object_set_new(object, "reason", json_string(event->reason ? event->reason : ""));
        lens_events_tell(self->server->events, event->kind == LENS_INDEX_FAILED ? "failed" : "note", object);
    }
    return go_on;
}

static bool goes_on(lens_indexer *self)
{
    pthread_mutex_lock(&self->lock);
    const bool go_on = !self->ends;
    pthread_mutex_unlock(&self->lock);
    return go_on;
}

/* Why a run came to nothing, for whoever may not be told of this machine's paths too. NULL: it did not. */
static char *reason_of(const lens_indexer *self, int result, const lens_index_report *report, const lens_error *error)
{
    if (result == 0 && !report->stopped)
        return NULL;
    const char *reason = result == 0                  ? "the server ends"
                         : self->server->show_paths   ? error->message
                         : error->code == LENS_E_BUSY ? "another program is writing to the library"
                                                      : "what went wrong is told where the server was started";
    lens_buffer text = {0};
    return lens_text_printable(reason, strlen(reason), &text) == 0 ? text.data : strdup("the run failed");
}

static int run(lens_indexer *self, const char *const *paths, size_t count, bool watched)
{
    lens_error error = {0};
    lens_index_report report = {0};
    lens_index_options options = lens_index_options_default();
    lens_library *library = lens_library_open(self->server->options.library, &error);
    options.paths = paths;
    options.path_count = count;
    options.event = hear;
    options.context = self;
    const double begun = lens_seconds();
    int result = -1;
    do { /* in small steps: the server may be told to end */
        error = (lens_error){0};
        options.wait = look_seconds;
        result = library ? lens_index(library, &options, &report, &error) : -1;
    } while (result != 0 && error.code == LENS_E_BUSY && goes_on(self) && (watched || lens_seconds() - begun < wait_seconds));
    lens_library_close(library);
    lens_warm_refresh(self->server->warm); /* who hears that it is done finds all of it */
    char *reason = reason_of(self, result, &report, &error);
    json_t *told = json_pack("{sbss*sIsIsIsIsIsfsb}", "ok", !reason, "reason", reason, "indexed", (json_int_t)report.indexed, "unchanged",
                             (json_int_t)report.unchanged, "moved", (json_int_t)report.moved, "removed", (json_int_t)report.removed, "failed",
                             (json_int_t)report.failed, "seconds", report.seconds, "watched", watched);
    pthread_mutex_lock(&self->lock);
    self->running = false;
    free(self->reason);
    self->reason = reason;
    const bool ends = self->ends;
    pthread_mutex_unlock(&self->lock);
    lens_events_tell(self->server->events, "done", told);
    if (result != 0 && !ends)
        say(self, error.message);
    return result;
}

/* Under the lock. The number of the run. */
static int64_t begin(lens_indexer *self)
{
    self->running = true;
    self->done = self->total = self->failed = 0;
    self->seconds = 0;
    self->counting = true;
    return ++self->run;
}

/* ---- watching ---- */

static void open_watch(lens_indexer *self)
{
    lens_error error = {0};
    self->watched = lens_library_open(self->server->options.library, &error);
    self->watch = self->watched ? lens_watch_new(self->watched, &error) : NULL;
    if (!self->watch)
        say(self, error.message);
}

/* What is said of the watching, here and to those who ask. WORKS: the last look did. */
static void note_watch(lens_indexer *self, bool works)
{
    const char *limit = works ? lens_watch_limit(self->watch) : NULL;
    const bool told = works && lens_watch_told(self->watch);
    if (limit && !self->limit_said) {
        char line[768];
        snprintf(line, sizeof line, "%s; the folders are looked at every ten minutes %s", limit, told ? "as well" : "instead");
        say(self, line);
    }
    self->limit_said = limit != NULL;
    pthread_mutex_lock(&self->lock);
    self->told = told;
    self->timed = limit != NULL;
    pthread_mutex_unlock(&self->lock);
}

static void close_watch(lens_indexer *self)
{
    lens_watch_free(self->watch);
    lens_library_close(self->watched);
    self->watch = NULL;
    self->watched = NULL;
}

/* Looks at the watched folders for a moment, and indexes what changed in them. */
static void look(lens_indexer *self)
{
    const char *const *paths;
    size_t count;
    lens_error error = {0};
    if (lens_seconds() < self->rests_until) {
        lens_sleep(look_seconds);
        return;
    }
    const int changed = lens_watch_wait(self->watch, look_seconds, &paths, &count, &error);
    if (changed < 0) {
        say(self, error.message);
        note_watch(self, false);
        self->rests_until = lens_seconds() + again_seconds;
        return;
    }
    note_watch(self, true);
    if (changed == 0)
        return;
    pthread_mutex_lock(&self->lock);
    const bool mine = !self->running && !self->ends; /* a run may just have been asked for */
    if (mine)
        begin(self);
    pthread_mutex_unlock(&self->lock);
    if (!mine) {
        lens_watch_all(self->watch);
        return;
    }
    const double begun = lens_seconds();
    const int result = run(self, paths, count, true);
    const double now = lens_seconds();
    self->rests_until = result == 0 ? now + rest_factor * (now - begun) : now + again_seconds;
    if (result != 0)
        lens_watch_all(self->watch);
}

/* ---- the thread ---- */

static void *work(void *context)
{
    lens_indexer *self = context;
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux of this thread, and of those that it starts */
    pthread_mutex_lock(&self->lock);
    while (!self->ends) {
        if (!self->running && !self->watch) {
            pthread_cond_wait(&self->wanted, &self->lock);
            continue;
        }
        const bool asked = self->running;
        const char *const path = self->path;
        self->path = NULL;
        pthread_mutex_unlock(&self->lock);
        if (asked)
            run(self, &path, path != NULL, false);
        else
            look(self);
        free((void *)path);
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
        number = begin(self);
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

void lens_indexer_watching(lens_indexer *self, bool *told, bool *timed)
{
    pthread_mutex_lock(&self->lock);
    *told = self->told;
    *timed = self->timed;
    pthread_mutex_unlock(&self->lock);
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
    if (server->options.watch) {
        open_watch(self);
        note_watch(self, self->watch != NULL);
    }
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
    pthread_mutex_unlock(&self->lock);
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    self->has_thread = false;
    close_watch(self);
}

void lens_indexer_free(lens_indexer *self)
{
    if (!self)
        return;
    lens_indexer_end(self);
    free(self->path);
    free(self->reason);
    pthread_cond_destroy(&self->wanted);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
