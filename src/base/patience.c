#include "base/patience.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/processors.h"

/* So many calls without an answer from one place, and it is not asked for more until one of them has come back. Behind symbolic links the place of a path is
 * its folder, of which there may be many on one disk: so many calls left in all, and those are not asked any more. So many under way in
 * all, or so many for each processor where that is more: each has a worker, which waits for one file at a time. */
enum { SILENT_MOST = 3, LEFT_MOST = 64, RUNNING_LEAST = 256, RUNNING_EACH = 4 };
static const double seconds_default = 60, look_every = 0.1, idle_most = 5;
enum { LOOKS_MISSED = 3 /* and more, one behind the other: the thread was held up */ };

struct lens_errand_state {
    lens_errand *errand;
    pthread_cond_t done_now;
    bool waited_for, done, sent;
    double begun;                   /* lens_seconds() */
    bool listed;                    /* PLACE is a mount that the kernel lists */
    char *place;                    /* once it was left: where it got no answer */
    struct lens_errand_state *next; /* in the queue, or among those that were left */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queued;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct lens_errand_state *first, *left; /* not begun; begun, and left by who waited for them */
static int waiting, idle, running;             /* errands in the queue; threads */
static int running_most;
static int sent;                               /* errands that nobody ever waited for, until they are ended */
static _Thread_local lens_disk_patience own;

static void begin_empty(void)
{
    lens_cond_init(&queued);
    first = left = NULL;
    waiting = idle = running = sent = 0;
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child has none of the threads. */
static void in_child(void)
{
    begin_empty();
    pthread_mutex_unlock(&lock);
}

static void begin(void)
{
    begin_empty();
    running_most = RUNNING_EACH * lens_processors();
    running_most = running_most < RUNNING_LEAST ? RUNNING_LEAST : running_most;
    pthread_atfork(before_fork, after_fork, in_child);
}

lens_disk_patience lens_patience_set(lens_disk_patience patience)
{
    const lens_disk_patience before = own;
    own = patience;
    return before;
}

bool lens_patience_ended(void)
{
    return own.goes_on && !own.goes_on(own.context);
}

double lens_patience(void)
{
    const char *set = getenv("MEMELENS_PATIENCE");
    double patience = set ? strtod(set, NULL) : 1;
    return patience > 0 && patience <= 1000 ? patience : 1;
}

static double seconds_of_own(void)
{
    const double most = own.seconds > 0 && own.seconds < seconds_default ? own.seconds : seconds_default, seconds = most * lens_patience();
    return seconds < 1 ? 1 : seconds; /* a busy machine is no silent disk */
}

static void free_state(struct lens_errand_state *state)
{
    pthread_cond_destroy(&state->done_now);
    free(state->place);
    free(state);
}

/* ---- places ---- */

/* Undoes the \040 of blanks in the kernel's list of mounts. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *at = text; *at; out++) {
        unsigned code;
        if (at[0] == '\\' && sscanf(at + 1, "%3o", &code) == 1) {
            *out = (char)code;
            at += 4;
        } else {
            *out = *at++;
        }
    }
    *out = '\0';
}

/* What goes silent together: the mount that PATH lies on, as the kernel lists it, for PATH itself cannot be asked; by its names alone it seems to lie on the
 * root's where a symbolic link leads elsewhere, and then it is its folder, and not LISTED. The caller frees; NULL when memory is short. */
static char *place_of(const char *path, bool *listed)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL, *best = NULL;
    size_t capacity = 0;
    while (mounts && getline(&line, &capacity, mounts) > 0) {
        char *at = line;
        for (int skipped = 0; skipped < 4 && (at = strchr(at, ' ')); skipped++)
            at++;
        if (!at)
            continue;
        at[strcspn(at, " ")] = '\0';
        unescape(at);
        const size_t length = strlen(at);
        if (length > 1 && strncmp(path, at, length) == 0 && (path[length] == '/' || path[length] == '\0') && (!best || length >= strlen(best))) {
            free(best);
            best = strdup(at);
        }
    }
    free(line);
    if (mounts)
        fclose(mounts);
    *listed = best != NULL;
    return best ? best : lens_path_folder(path);
}

/* With the lock held. */
static int silent_at(const char *place)
{
    int count = 0;
    for (const struct lens_errand_state *at = left; at; at = at->next)
        count += at->place && strcmp(at->place, place) == 0;
    return count;
}

/* With the lock held. */
static int silent_unlisted(void)
{
    int count = 0;
    for (const struct lens_errand_state *at = left; at; at = at->next)
        count += at->place && !at->listed;
    return count;
}

/* ---- threads ---- */

static void take_off_left(const struct lens_errand_state *state)
{
    for (struct lens_errand_state **at = &left; *at; at = &(*at)->next)
        if (*at == state) {
            *at = state->next;
            return;
        }
}

static void *serve(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        const double until = lens_seconds() + idle_most;
        idle++;
        while (!first && lens_cond_wait(&queued, &lock, until))
            ;
        idle--;
        struct lens_errand_state *state = first;
        if (!state)
            break;
        first = state->next;
        waiting--;
        pthread_mutex_unlock(&lock);
        state->errand->run(state->errand);
        pthread_mutex_lock(&lock);
        state->done = true;
        if (state->waited_for) {
            pthread_cond_signal(&state->done_now);
        } else {
            take_off_left(state);
            pthread_mutex_unlock(&lock);
            state->errand->end(state->errand);
            const bool was_sent = state->sent;
            free_state(state);
            pthread_mutex_lock(&lock);
            sent -= was_sent;
        }
    }
    running--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* With the lock held. Whether a thread will take what is queued; one more is started where fewer than MOST are there. */
static bool have_thread(int most)
{
    if (idle > waiting)
        return true;
    pthread_t thread;
    pthread_attr_t attributes;
    if (running >= most || pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const bool started = pthread_create(&thread, &attributes, serve, NULL) == 0;
    pthread_attr_destroy(&attributes);
    running += started;
    return started;
}

static struct lens_errand_state *state_of(lens_errand *errand, bool waited_for)
{
    struct lens_errand_state *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    lens_cond_init(&state->done_now);
    state->errand = errand;
    state->waited_for = waited_for;
    state->begun = lens_seconds();
    errand->state = state;
    return state;
}

/* With the lock held. */
static void put_in_queue(struct lens_errand_state *state)
{
    struct lens_errand_state **at = &first;
    while (*at)
        at = &(*at)->next;
    *at = state;
    waiting++;
    pthread_cond_signal(&queued);
}

/* With the lock held: waits until STATE is done. 0, or the code of what is to be said. Silence counts from when it began, but for a second more at least; and the
 * time does not count in which this thread could not look, as a program that was stopped (Ctrl-Z), or that had no processor, has heard nothing. */
static lens_error_code wait_for(struct lens_errand_state *state, double seconds)
{
    const double latest = lens_seconds() - seconds + 1;
    double since = state->begun < latest ? latest : state->begun, looked = lens_seconds();
    unsigned answers = 0;
    while (!state->done) {
        if (lens_cond_wait(&state->done_now, &lock, lens_seconds() + look_every) || state->done)
            continue;
        bool goes_on = true;
        if (own.goes_on) { /* it may ask for anything, so not under the lock */
            pthread_mutex_unlock(&lock);
            goes_on = own.goes_on(own.context);
            pthread_mutex_lock(&lock);
        }
        const double now = lens_seconds();
        if (now - looked > LOOKS_MISSED * look_every)
            since += now - looked - look_every;
        looked = now;
        const unsigned answered = atomic_load(&state->errand->answers);
        if (answered != answers)
            since = now;
        answers = answered;
        if (state->done)
            break;
        if (!goes_on)
            return LENS_E_CANCELLED;
        if (now - since > seconds)
            return LENS_E_SILENT;
    }
    return LENS_E_NONE;
}

int lens_errand_begin(lens_errand *errand, const char *path, lens_error *err)
{
    pthread_once(&once, begin);
    pthread_mutex_lock(&lock);
    bool listed = true;
    char *place = left ? place_of(path, &listed) : NULL;
    const bool silent = place && silent_at(place) >= SILENT_MOST, many = !listed && silent_unlisted() >= LEFT_MOST;
    struct lens_errand_state *state = silent || many ? NULL : state_of(errand, true);
    const bool starts = state && have_thread(running_most), full = running >= running_most;
    if (!starts) {
        pthread_mutex_unlock(&lock);
        if (silent)
            lens_fail(err, LENS_E_SILENT, "%s: not asked for, as %s gives no answer", path, place);
        else if (many || (state && full))
            lens_fail(err, LENS_E_SILENT, "%s: not asked for, as too many calls to disks have had no answer", path);
        else
            lens_fail(err, LENS_E_MEMORY, "%s: cannot start a thread", path);
        free(place);
        if (state)
            free_state(state);
        errand->end(errand);
        return -1;
    }
    free(place);
    put_in_queue(state);
    pthread_mutex_unlock(&lock);
    return 0;
}

int lens_errand_wait(lens_errand *errand, const char *path, lens_error *err)
{
    struct lens_errand_state *state = errand->state;
    const double seconds = seconds_of_own();
    pthread_mutex_lock(&lock);
    const lens_error_code code = wait_for(state, seconds);
    if (code == LENS_E_NONE) {
        pthread_mutex_unlock(&lock);
        free_state(state);
        errand->state = NULL;
        return 0;
    }
    state->waited_for = false;
    state->place = code == LENS_E_SILENT ? place_of(path, &state->listed) : NULL;
    bool begun = true;
    for (const struct lens_errand_state *at = first; at; at = at->next)
        begun &= at != state;
    if (begun) {
        state->next = left;
        left = state;
    }
    /* Before its thread can end the errand, which PATH may be a part of. */
    if (code == LENS_E_CANCELLED)
        lens_fail(err, code, "%s: interrupted", path);
    else
        lens_fail(err, code, "%s: no answer for %.0f s", path, seconds);
    pthread_mutex_unlock(&lock);
    return -1;
}

int lens_errand_do(lens_errand *errand, const char *path, lens_error *err)
{
    return lens_errand_begin(errand, path, err) == 0 ? lens_errand_wait(errand, path, err) : -1;
}

void lens_errand_send(lens_errand *errand)
{
    pthread_once(&once, begin);
    pthread_mutex_lock(&lock);
    struct lens_errand_state *state = left ? NULL : state_of(errand, false);
    const bool starts = state && have_thread(running_most / 2); /* the others are for those that are waited for */
    if (starts) {
        state->sent = true;
        sent++;
        put_in_queue(state);
    }
    pthread_mutex_unlock(&lock);
    if (starts)
        return;
    if (state)
        free_state(state);
    errand->end(errand);
}

int lens_errands_left(void)
{
    pthread_once(&once, begin);
    pthread_mutex_lock(&lock);
    int count = sent;
    for (const struct lens_errand_state *at = left; at; at = at->next)
        count++;
    pthread_mutex_unlock(&lock);
    return count;
}
