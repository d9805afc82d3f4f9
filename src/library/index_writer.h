/* The thread that called lens_index: it tells events, and writes what the workers have finished. */
#ifndef LENS_LIBRARY_INDEX_WRITER_H
#define LENS_LIBRARY_INDEX_WRITER_H

#include "library/index_run.h"

typedef struct lens_teller {
    lens_run *run;
    int64_t done;       /* pictures, of run->found */
    double begun, last; /* lens_seconds: the run, and the last event of progress */
    double stopped;     /* when it was told to stop while it waited for its turn; 0: it was not */
} lens_teller;

/* Asks every thread to stop. */
void lens_run_stop(lens_run *run);

/* Tells the caller of the run (PATH and REASON may be NULL), and stops it where the caller wants that. */
void lens_tell(lens_teller *self, lens_index_event_kind kind, const char *path, const char *reason);

/* The same of progress with what comes after the pictures. Whether to go on. CONTEXT: the lens_teller. */
bool lens_tell_progress(void *context, int64_t done, int64_t total);

/* Tells of progress as it was while this thread waits for a disk, or for its turn to write, where what is encoded is worth a moment though the caller wants it
 * to stop. Whether to wait on. CONTEXT: the lens_teller. */
bool lens_tell_waiting(void *context);
bool lens_tell_waiting_to_write(void *context);

/* Receives finished jobs until the workers have ended, and writes them, counting in REPORT. What was encoded when a stop came is still written. What goes wrong
 * is the run's failure. */
void lens_index_write_all(lens_run *run, lens_teller *teller, lens_index_report *report);

#endif
