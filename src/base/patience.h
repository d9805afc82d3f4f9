/* Calls of the system that may never return, as on a share of the network whose server has gone: such a call can neither be interrupted nor given a time,
 * so it is made on a thread of its own, and whoever waits for it waits for so long and no longer. A call that has had no answer keeps its thread, and all
 * that it may still touch, until the answer comes or the process ends. */
#ifndef LENS_BASE_PATIENCE_H
#define LENS_BASE_PATIENCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

/* What is to be done, at the beginning of a structure with all that it needs; nothing in it may be the caller's own. */
typedef struct lens_errand {
    void (*run)(struct lens_errand *self);
    void (*end)(struct lens_errand *self); /* frees it, once nobody waits for it any more */
    atomic_uint answers;                   /* RUN counts what comes, so that only silence is waited out */
    struct lens_errand_state *state;       /* patience.c's */
} lens_errand;

/* Runs ERRAND, which is on the heap and begins with zeros, for the sake of PATH. 0: it has run, and is the caller's to end. -1: it is not the caller's
 * any more; ERR, with PATH in it, has LENS_E_SILENT (no answer for as long as one waits, or so many calls beside PATH, or in all, have had none that it was not asked),
 * LENS_E_CANCELLED (the thread's lens_patience said so), or LENS_E_MEMORY. */
int lens_errand_do(lens_errand *errand, const char *path, lens_error *err);

/* The same in two steps: the caller does other things meanwhile. Where it could not begin (-1, as above), there is nothing to wait for; where it did, it must
 * be waited for, with the same PATH. */
int lens_errand_begin(lens_errand *errand, const char *path, lens_error *err);
int lens_errand_wait(lens_errand *errand, const char *path, lens_error *err);

/* Runs ERRAND with nobody waiting for it; ends it unrun where too much is under way. */
void lens_errand_send(lens_errand *errand);

/* How many were sent, or left without an answer, and have none yet: the process cannot end before they do where the system is stubborn (FUSE). */
int lens_errands_left(void);

/* How the calling thread waits: 60 seconds, or SECONDS (0: no matter) where that is less, times lens_patience(); and no longer than GOES_ON (may be NULL),
 * asked ten times a second, says so. */
typedef struct lens_disk_patience {
    double seconds;
    bool (*goes_on)(void *context);
    void *context;
} lens_disk_patience;

/* Sets that of the calling thread, and gives what it was. */
lens_disk_patience lens_patience_set(lens_disk_patience patience);

/* Whether that GOES_ON says now that the calling thread is to wait no longer: for what is waited for in other ways. */
bool lens_patience_ended(void);

/* Waiting is multiplied by this in tests: $MEMELENS_PATIENCE, else 1. */
double lens_patience(void);

#endif
