/* Time for measuring and for waiting, never for dating: a clock that no one can set back. */
#ifndef LENS_BASE_CLOCK_H
#define LENS_BASE_CLOCK_H

/* Seconds since some fixed moment. */
double lens_seconds(void);

/* Waits SECONDS, however often a signal comes by. */
void lens_sleep(double seconds);

#endif
