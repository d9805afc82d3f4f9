/* A search as a person starts it: a process of its own. */
#ifndef BENCH_SUPPORT_COLD_H
#define BENCH_SUPPORT_COLD_H

#include <stdbool.h>
#include <stdint.h>

/* `PROGRAM search id:N` in the library at PLACE: seconds from start to end; *RESIDENT: the most memory that it had, in bytes. Ends this process when it fails. What
 * a child had resident is counted from what its parent had: ask in a process that was forked before anything was large. */
double bench_ask_cold(const char *program, const char *place, int64_t id, bool exact, int64_t *resident);

#endif
