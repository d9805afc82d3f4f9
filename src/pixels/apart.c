#include "pixels/apart.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/processors.h"
#include "pixels/confine.h"
#include "pixels/decoders.h"
#include "pixels/helper.h"

enum { IDLE_MOST = 32, TRIES = 2 };
static const double restless = 0.5; /* seconds of processor time at rest: some go to what a library's threads still put away */

static double patience; /* seconds; 0: pictures are decoded in this process */
static atomic_bool impossible;

/* Helpers with nothing to do. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct resting {
    lens_helper *helper;
    double spent; /* its processor time when it came to rest */
} idle[LENS_HELPER_KINDS][IDLE_MOST];
static size_t idle_count[LENS_HELPER_KINDS];

/* A process that forks (`memelens compare`) keeps its helpers to itself: its child starts some of its own. */
static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    for (int kind = 0; kind < LENS_HELPER_KINDS; kind++)
        while (idle_count[kind])
            lens_helper_forget(idle[kind][--idle_count[kind]].helper);
    lens_helper_forget_lifeline();
    pthread_mutex_unlock(&lock);
}

void lens_apart_begin(double seconds)
{
    if (!patience)
        pthread_atfork(before_fork, after_fork, after_fork_in_child);
    patience = seconds;
}

bool lens_apart(void)
{
    return patience > 0 && !atomic_load(&impossible);
}

const char *lens_apart_lacks(void)
{
    if (!lens_apart() || access("/proc/self/exe", X_OK) != 0)
        return "no process can be started for them";
    return lens_confine_lacks();
}

/* Whether one that has nothing to do works all the same, or has become many, as one that was taken over may. */
static bool is_restless(const struct resting *one)
{
    return lens_helper_spent(one->helper) - one->spent > restless || lens_helper_crowded(one->helper);
}

/* One at rest unless *FRESH; then it is whether it was started for this. */
static lens_helper *take(lens_helper_kind kind, uint64_t max_pixels, bool *fresh, lens_error *err)
{
    lens_helper *helper;
    struct resting resting = {0};
    pthread_mutex_lock(&lock);
    if (!*fresh && idle_count[kind])
        resting = idle[kind][--idle_count[kind]];
    pthread_mutex_unlock(&lock);
    helper = resting.helper;
    if (helper && (is_restless(&resting) || lens_helper_max_pixels(helper) < max_pixels)) { /* the memory of the last is bounded for less */
        lens_helper_end(helper);
        helper = NULL;
    }
    *fresh = !helper;
    return helper ? helper : lens_helper_start(kind, max_pixels, err);
}

static void give_back(lens_helper *helper, lens_helper_kind kind)
{
    const size_t processors = (size_t)lens_processors(), most = processors < IDLE_MOST ? processors : IDLE_MOST;
    pthread_mutex_lock(&lock);
    if (idle_count[kind] < most) {
        idle[kind][idle_count[kind]++] = (struct resting){helper, lens_helper_spent(helper)};
        helper = NULL;
    }
    pthread_mutex_unlock(&lock);
    lens_helper_end(helper);
}

void lens_apart_rest(void)
{
    pthread_mutex_lock(&lock);
    for (int kind = 0; kind < LENS_HELPER_KINDS; kind++)
        for (size_t i = 0; i < idle_count[kind]; i++)
            lens_helper_rest(idle[kind][i].helper);
    pthread_mutex_unlock(&lock);
}

void lens_apart_end(void)
{
    pthread_mutex_lock(&lock);
    for (int kind = 0; kind < LENS_HELPER_KINDS; kind++)
        while (idle_count[kind])
            lens_helper_end(idle[kind][--idle_count[kind]].helper);
    pthread_mutex_unlock(&lock);
}

void lens_apart_look(void)
{
    pthread_mutex_lock(&lock);
    for (int kind = 0; kind < LENS_HELPER_KINDS; kind++)
        for (size_t i = idle_count[kind]; i-- > 0;)
            if (is_restless(&idle[kind][i])) {
                lens_helper_end(idle[kind][i].helper);
                idle[kind][i] = idle[kind][--idle_count[kind]];
            }
    pthread_mutex_unlock(&lock);
}

static lens_helper_kind kind_for(lens_format format)
{
    switch (format) {
    case LENS_FORMAT_JPEG: case LENS_FORMAT_BMP: case LENS_FORMAT_PNM: return LENS_HELPER_PLAIN;
    case LENS_FORMAT_SVG: return LENS_HELPER_SVG;
    default: return LENS_HELPER_VIPS;
    }
}

/* Asks a process of KIND. 1: none can be started on this machine; -1: for another reason there is none. */
static int ask(lens_decoding *self, lens_helper_kind kind, lens_error *err)
{
    lens_error error = {0};
    self->helper = take(kind, self->limits.max_pixels, &self->fresh, &error);
    if (self->helper) {
        lens_helper_ask(self->helper, self->bytes, self->size, &self->limits);
        return 0;
    }
    *err = error;
    if (error.code != LENS_E_UNSUPPORTED)
        return -1;
    atomic_store(&impossible, true);
    return 1;
}

/* What comes of what a process of KIND was asked, or of asking one now. */
static int hear(lens_decoding *self, lens_helper_kind kind, lens_image *out, lens_error *err)
{
    const uint64_t max_pixels = self->limits.max_pixels;
    const double usual = 100e6, seconds = max_pixels > usual ? patience * (double)max_pixels / usual : patience;
    for (int i = 0; i < TRIES; i++) {
        self->fresh |= i > 0; /* those at rest may have come to the same end */
        const int asked = self->helper ? 0 : ask(self, kind, err);
        if (asked != 0)
            return i == 0 ? asked : -1; /* what a process died of is not for this one */
        const lens_helper_outcome outcome = lens_helper_hear(self->helper, seconds, out, err);
        /* Memory may be short because of what it had decoded before. */
        const bool again = outcome == LENS_HELPER_DIED || (outcome == LENS_HELPER_FAILED && err->code == LENS_E_MEMORY && !self->fresh);
        if (again || outcome == LENS_HELPER_HUNG)
            lens_helper_end(self->helper);
        else
            give_back(self->helper, kind);
        self->helper = NULL;
        if (outcome == LENS_HELPER_DONE)
            return 0;
        if (!again)
            break;
    }
    return -1;
}

void lens_apart_ask(lens_decoding *self)
{
    lens_error error = {0};
    ask(self, kind_for(self->format), &error); /* the next try, by lens_apart_hear, has the reason */
}

int lens_apart_hear(lens_decoding *self, lens_image *out, lens_error *err)
{
    lens_error error = {0};
    const lens_helper_kind kind = kind_for(self->format);
    *out = (lens_image){0};
    int result = hear(self, kind, out, &error);
    /* A JPEG that TurboJPEG has no name for is libvips' business. */
    if (result != 0 && kind == LENS_HELPER_PLAIN && self->format == LENS_FORMAT_JPEG && error.code == LENS_E_UNSUPPORTED) {
        self->fresh = false; /* that was one of the other kind */
        result = hear(self, LENS_HELPER_VIPS, out, &error);
    }
    if (result != 0 && err)
        *err = error;
    return result;
}

void lens_apart_drop(lens_decoding *self)
{
    lens_helper_end(self->helper);
    self->helper = NULL;
}

void lens_apart_expect(lens_format format)
{
    if (format == LENS_FORMAT_NONE || !lens_apart())
        return;
    bool fresh = false;
    lens_error error;
    const lens_helper_kind kind = kind_for(format);
    lens_helper *helper = take(kind, lens_decode_limits_default().max_pixels, &fresh, &error);
    if (helper)
        give_back(helper, kind);
}
