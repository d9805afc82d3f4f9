#include "pixels/apart.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/processors.h"
#include "pixels/confine.h"
#include "pixels/decoders.h"
#include "pixels/helper.h"

enum { IDLE_MOST = 32, TRIES = 2 };

static double patience; /* seconds; 0: pictures are decoded in this process */
static atomic_bool impossible;

/* Helpers with nothing to do. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lens_helper *idle[LENS_HELPER_KINDS][IDLE_MOST];
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
            lens_helper_forget(idle[kind][--idle_count[kind]]);
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

/* *FRESH: it was started for this. */
static lens_helper *take(lens_helper_kind kind, uint64_t max_pixels, bool *fresh, lens_error *err)
{
    lens_helper *helper = NULL;
    pthread_mutex_lock(&lock);
    if (idle_count[kind])
        helper = idle[kind][--idle_count[kind]];
    pthread_mutex_unlock(&lock);
    if (helper && lens_helper_max_pixels(helper) < max_pixels) { /* its memory is bounded for less */
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
        idle[kind][idle_count[kind]++] = helper;
        helper = NULL;
    }
    pthread_mutex_unlock(&lock);
    lens_helper_end(helper);
}

void lens_apart_end(void)
{
    pthread_mutex_lock(&lock);
    for (int kind = 0; kind < LENS_HELPER_KINDS; kind++)
        while (idle_count[kind])
            lens_helper_end(idle[kind][--idle_count[kind]]);
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

static int decode_by(lens_helper_kind kind, const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    const double usual = 100e6, seconds = limits->max_pixels > usual ? patience * (double)limits->max_pixels / usual : patience;
    lens_error error = {0};
    for (int i = 0; i < TRIES; i++) {
        bool fresh;
        lens_helper *helper = take(kind, limits->max_pixels, &fresh, &error);
        if (!helper && error.code == LENS_E_UNSUPPORTED)
            atomic_store(&impossible, true);
        if (!helper)
            break;
        const lens_helper_outcome outcome = lens_helper_decode(helper, bytes, size, limits, seconds, out, &error);
        /* Memory may be short because of what it had decoded before. */
        const bool again = outcome == LENS_HELPER_DIED || (outcome == LENS_HELPER_FAILED && error.code == LENS_E_MEMORY && !fresh);
        if (again || outcome == LENS_HELPER_HUNG)
            lens_helper_end(helper);
        else
            give_back(helper, kind);
        if (outcome == LENS_HELPER_DONE)
            return 0;
        if (!again)
            break;
    }
    if (err)
        *err = error;
    return -1;
}

int lens_apart_decode(const void *bytes, size_t size, lens_format format, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    lens_error error = {0};
    const lens_helper_kind kind = kind_for(format);
    *out = (lens_image){0};
    int result = decode_by(kind, bytes, size, limits, out, &error);
    /* A JPEG that TurboJPEG has no name for is libvips' business. */
    if (result != 0 && kind == LENS_HELPER_PLAIN && format == LENS_FORMAT_JPEG && error.code == LENS_E_UNSUPPORTED)
        result = decode_by(LENS_HELPER_VIPS, bytes, size, limits, out, &error);
    if (result != 0 && err)
        *err = error;
    return result;
}
