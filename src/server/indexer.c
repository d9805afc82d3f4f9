/* Index runs in the background, one at a time: those that are asked for, and those that the watched folders call for. Pictures are read in between: that
 * may take hours, so that it stands back for any index run and goes on after it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/patience.h"
#include "base/text.h"
#include "server/picture.h"
#include "server/server.h"

enum { NICE = 10 }; /* queries go first */
static const double look_seconds = 0.2;   /* at the watched folders, between looks whether a run was asked for */
static const double glance_seconds = 0.01; /* at them, while there is something else to do */
static const double wait_seconds = 60;    /* for another process that writes */
static const double keep_seconds = 5;     /* the same, to keep what was read */
static const double again_seconds = 60;   /* after a run that failed */
static const double away_seconds = 1;     /* after one that found the database away; where the next does too, twice as long, up to AGAIN_SECONDS */
static const double rest_factor = 4;      /* what keeps changing takes at most a fifth of the time */

struct lens_indexer {
    lens_server *server;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t thread;
    bool has_thread, ends, running;
    bool reads, reads_asked; /* pictures are to be read, and someone waits for it */
    bool reading;
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
    double rests_until, reads_after;
    double away_rest; /* behind the last watched run, which found the database away; 0: it did not */
    bool limit_said, away_said;
    bool found; /* something has changed in watched folders: */
    const char *const *paths; /* [path_count] */
    size_t path_count;
    lens_error reading_failed; /* why the last reading did; LENS_E_NONE: it did not */
    int64_t read, with_text; /* by the reading under way, whatever came in between */
};

static void say(const lens_indexer *self, const char *line)
{
    if (self->server->options.say)
        self->server->options.say(self->server->options.context, line);
}

static json_t *state(const lens_indexer *self)
{
    return json_pack("{sbsssIsIsIsbsfsIsbss*}", "running", self->running || self->reading, "doing",
                     self->reading && !self->running ? "reading" : "indexing", "done", (json_int_t)self->done, "total", (json_int_t)self->total, "failed",
                     (json_int_t)self->failed, "counting", self->counting, "seconds", self->seconds, "run", (json_int_t)self->run, "ok", !self->reason,
                     "reason", self->reason);
}

/* ---- running ---- */

static bool hear(void *context, const lens_index_event *event)
{
    lens_indexer *self = context;
    const lens_exchange asker = {.server = self->server}; /* for what may be told */
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
        object = json_pack("{so*so*so}", "name", event->path ? lens_name_json(event->path) : NULL, "path",
                           event->path ? lens_path_json(&asker, event->path) : NULL, "reason",
                           lens_json_text(lens_answer_reason(&asker, event->reason ? event->reason : "")));
        lens_events_tell(self->server->events, event->kind == LENS_INDEX_FAILED ? "failed" : "note", object);
    }
    return go_on;
}

static bool goes_on(void *context)
{
    lens_indexer *self = context;
    pthread_mutex_lock(&self->lock);
    const bool go_on = !self->ends;
    pthread_mutex_unlock(&self->lock);
    return go_on;
}

/* Why a run came to nothing, for whoever may not be told of this machine's paths too. NULL: it did not. */
static char *reason_of(const lens_indexer *self, int result, bool stopped, const lens_error *error)
{
    const lens_exchange asker = {.server = self->server};
    if (result == 0 && !stopped)
        return NULL;
    const char *reason = result == 0                         ? "the server ends"
                         : self->server->show_paths          ? error->message
                         : error->code == LENS_E_AWAY        ? "the database cannot be reached"
                         : error->code == LENS_E_BUSY        ? "another program is writing to the library"
                         : error->code == LENS_E_UNSUPPORTED ? lens_answer_reason(&asker, error->message)
                                                             : "what went wrong is told where the server was started";
    lens_buffer text = {0};
    if (lens_text_printable(reason, strlen(reason), &text) == 0 && text.data)
        return text.data;
    lens_buffer_free(&text);
    return strdup("the run failed");
}

static void rest(lens_indexer *self, double seconds)
{
    for (const double end = lens_seconds() + seconds; lens_seconds() < end && goes_on(self);)
        lens_sleep(look_seconds);
}

/* Whether a run that was BEGUN then, and came to nothing for the reason WHY, is begun once more, at once or after a rest. A watched one that found the database
 * away is not: what ends its connection each time would have the folders walked for ever, and no other run could be asked for meanwhile. */
static bool tries_again(lens_indexer *self, lens_error_code why, bool watched, double begun)
{
    const bool in_time = lens_seconds() - begun < wait_seconds;
    if (why == LENS_E_AWAY && !watched && in_time)
        rest(self, away_seconds);
    else if (why != LENS_E_BUSY || !(watched || in_time))
        return false;
    return goes_on(self);
}

/* Why it came to nothing; LENS_E_NONE: it did not. *TOOK: seconds, without those in which the library was another's or out of reach. */
static lens_error_code run(lens_indexer *self, const char *const *paths, size_t count, bool watched, double *took)
{
    lens_error error = {0};
    lens_index_report report = {0};
    lens_index_options options = lens_index_options_default();
    lens_library *library = NULL;
    options.paths = paths;
    options.path_count = count;
    options.only_known = watched;
    options.event = hear;
    options.context = self;
    const double begun = lens_seconds();
    int result = -1;
    do { /* in small steps: the server may be told to end */
        error = (lens_error){0};
        options.wait = look_seconds;
        if (!library)
            library = lens_library_open(self->server->options.library, &error);
        result = library ? lens_index(library, &options, &report, &error) : -1;
    } while (result != 0 && tries_again(self, error.code, watched, begun));
    *took = report.seconds;
    lens_library_close(library);
    lens_warm_refresh(self->server->warm); /* who hears that it is done finds all of it */
    char *reason = reason_of(self, result, report.stopped, &error);
    json_t *told = json_pack("{sbssss*sIsIsIsIsIsfsb}", "ok", !reason, "doing", "indexing", "reason", reason, "indexed", (json_int_t)report.indexed, "unchanged",
                             (json_int_t)report.unchanged, "moved", (json_int_t)report.moved, "removed", (json_int_t)report.removed, "failed",
                             (json_int_t)report.failed, "seconds", report.seconds, "watched", watched);
    pthread_mutex_lock(&self->lock);
    self->running = false;
    self->reads |= self->server->options.ocr && result == 0; /* also where nothing was new to it: others may have indexed that, or a disk have come back */
    free(self->reason);
    self->reason = reason;
    const bool ends = self->ends;
    pthread_mutex_unlock(&self->lock);
    lens_events_tell(self->server->events, "done", told);
    const bool said = watched && error.code == LENS_E_AWAY && self->away_rest > 0; /* behind the one before */
    if (result != 0 && !ends && !said)
        say(self, error.message);
    return result == 0 ? LENS_E_NONE : error.code;
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

/* Looks at the watched folders for SECONDS: whether something has changed in them, now or when they were looked at before. */
static bool look(lens_indexer *self, double seconds)
{
    lens_error error = {0};
    if (self->found)
        return true;
    if (lens_seconds() < self->rests_until) {
        lens_sleep(seconds);
        return false;
    }
    /* Its own patience: a reading under way may wait for a disk itself, and look here meanwhile. */
    const lens_disk_patience before = lens_patience_set((lens_disk_patience){.goes_on = goes_on, .context = self});
    const int changed = lens_watch_wait(self->watch, seconds, &self->paths, &self->path_count, &error);
    lens_patience_set(before);
    self->found = changed > 0;
    self->away_said &= changed < 0;
    if (changed < 0) {
        const bool away = error.code == LENS_E_AWAY;
        if (!away || !self->away_said)
            say(self, error.message);
        self->away_said = away;
        self->rests_until = lens_seconds() + (away ? away_seconds : again_seconds);
    }
    note_watch(self, changed >= 0);
    return self->found;
}

/* How many seconds the watched folders are left alone behind a run that TOOK so many. */
static double rest_behind(lens_indexer *self, lens_error_code why, double took)
{
    const double away = self->away_rest > 0 ? fmin(2 * self->away_rest, again_seconds) : away_seconds;
    self->away_rest = why == LENS_E_AWAY ? away : 0;
    return why == LENS_E_AWAY ? away : why == LENS_E_NONE ? rest_factor * took : again_seconds;
}

/* Indexes what was found to have changed. */
static void follow(lens_indexer *self)
{
    self->found = false;
    pthread_mutex_lock(&self->lock);
    const bool mine = !self->running && !self->ends; /* a run may just have been asked for */
    if (mine)
        begin(self);
    pthread_mutex_unlock(&self->lock);
    if (!mine) {
        lens_watch_all(self->watch);
        return;
    }
    double took;
    const lens_error_code why = run(self, self->paths, self->path_count, true, &took);
    self->rests_until = lens_seconds() + rest_behind(self, why, took);
    if (why != LENS_E_NONE)
        lens_watch_all(self->watch);
}

/* ---- reading ---- */

/* Whether the reading may go on: nothing was asked for, and nothing has changed. */
static bool hear_reading(void *context, const lens_index_event *event)
{
    lens_indexer *self = context;
    const bool changed = self->watch && look(self, glance_seconds);
    pthread_mutex_lock(&self->lock);
    const bool go_on = !self->ends && !self->running && !changed, news = event->done != self->done || event->total != self->total;
    if (go_on) {
        self->done = event->done;
        self->total = event->total;
        self->seconds = event->seconds;
    }
    json_t *object = go_on && news ? state(self) : NULL;
    pthread_mutex_unlock(&self->lock);
    if (object)
        lens_events_tell(self->server->events, "progress", object);
    return go_on;
}

/* The reading has come to its end, or to nothing: told to whoever listens. ASKED: somebody asked for it. */
static void end_reading(lens_indexer *self, int result, const lens_read_report *report, const lens_error *error, bool asked)
{
    char *reason = reason_of(self, result, report->stopped, error);
    pthread_mutex_lock(&self->lock);
    const bool ends = self->ends;
    free(self->reason);
    self->reason = reason;
    json_t *told = json_pack("{sbssss*sIsIsIsfsb}", "ok", !reason, "doing", "reading", "reason", reason, "read", (json_int_t)self->read, "with_text",
                             (json_int_t)self->with_text, "failed", (json_int_t)report->failed, "seconds", report->seconds, "watched", !asked);
    pthread_mutex_unlock(&self->lock);
    self->read = self->with_text = 0;
    lens_events_tell(self->server->events, "done", told);
    const bool said = !asked && strcmp(error->message, self->reading_failed.message) == 0; /* of one that was tried again */
    if (result != 0 && !ends && !said)
        say(self, error->message);
    self->reading_failed = *error;
}

/* Whether a reading that failed for the reason WHY is begun once more later, without anybody asking for it: where the server reads by itself, and what is missing
 * may come, as room on the disk. */
static bool reads_again(const lens_indexer *self, lens_error_code why)
{
    return self->server->options.ocr && why != LENS_E_UNSUPPORTED && why != LENS_E_ARGUMENT;
}

/* Reads pictures until there is something else to do. */
static void read_pictures(lens_indexer *self)
{
    if (lens_seconds() < self->reads_after) {
        lens_sleep(look_seconds);
        return;
    }
    pthread_mutex_lock(&self->lock);
    const bool mine = !self->running && !self->ends;
    if (mine) {
        self->reading = true;
        self->done = self->total = self->failed = 0;
        self->seconds = 0;
        self->counting = false;
    }
    pthread_mutex_unlock(&self->lock);
    if (!mine)
        return;
    lens_error error = {0};
    lens_read_report report = {0};
    lens_read_options options = lens_read_options_default();
    lens_library *library = lens_library_open(self->server->options.library, &error);
    options.languages = self->server->options.ocr_languages;
    options.max_pixels = self->server->pixels_most;
    options.wait = keep_seconds;
    options.event = hear_reading;
    options.context = self;
    const int result = library ? lens_read(library, &options, &report, &error) : -1;
    lens_library_close(library);
    lens_warm_refresh(self->server->warm);
    self->read += report.read;
    self->with_text += report.with_text;
    const bool later = result != 0 && (error.code == LENS_E_BUSY || error.code == LENS_E_AWAY);
    pthread_mutex_lock(&self->lock);
    self->reading = false;
    /* Also for a run that was asked for in its last moment: that may have asked for a reading too, which is not this one. */
    const bool stands_back = (report.stopped || self->running) && !self->ends, over = !later && !stands_back, asked = self->reads_asked;
    const bool again = over && result != 0 && reads_again(self, error.code);
    if (over) {
        self->reads = again;
        self->reads_asked = false;
    }
    pthread_mutex_unlock(&self->lock);
    if (later || again)
        self->reads_after = lens_seconds() + again_seconds;
    else if (over && result == 0 && !asked && !report.read) /* nothing came of it, however many it looked for: watched runs begin these one after the other */
        self->reads_after = lens_seconds() + rest_factor * report.seconds;
    if (over)
        end_reading(self, result, &report, &error, asked);
}

/* ---- the thread ---- */

static void *work(void *context)
{
    lens_indexer *self = context;
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux of this thread, and of those that it starts */
    lens_patience_set((lens_disk_patience){.goes_on = goes_on, .context = self});
    pthread_mutex_lock(&self->lock);
    while (!self->ends) {
        if (!self->running && !self->watch && !self->reads) {
            pthread_cond_wait(&self->wanted, &self->lock);
            continue;
        }
        const bool asked = self->running, reads = self->reads;
        const char *const path = self->path;
        self->path = NULL;
        pthread_mutex_unlock(&self->lock);
        if (asked) {
            run(self, &path, path != NULL, false, &(double){0});
            self->reads_after = 0; /* who asks does not wait for what failed before */
        } else if (self->watch && look(self, reads ? glance_seconds : look_seconds)) {
            follow(self);
        } else if (reads) {
            read_pictures(self);
        }
        free((void *)path);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

int64_t lens_indexer_begin(lens_indexer *self, const char *path, bool reads)
{
    int64_t number = 0;
    pthread_mutex_lock(&self->lock);
    char *copy = path ? strdup(path) : NULL;
    if (!self->running && !self->ends && (copy || !path)) {
        self->path = copy;
        copy = NULL;
        number = begin(self);
        self->reads |= reads;
        self->reads_asked |= reads;
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
        lens_fail_memory(err);
        return NULL;
    }
    self->server = server;
    self->reads = server->options.ocr;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wanted, NULL);
    if (server->options.watch) {
        open_watch(self);
        note_watch(self, self->watch != NULL);
    }
    pthread_mutex_lock(&self->lock); /* the thread reads what lies beside it at once */
    const int errnum = pthread_create(&self->thread, NULL, work, self);
    self->has_thread = errnum == 0;
    pthread_mutex_unlock(&self->lock);
    if (errnum == 0)
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
