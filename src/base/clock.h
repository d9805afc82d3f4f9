/* Time for measuring and for waiting, never for dating: a clock that no one can set back. */
#ifndef LENS_BASE_CLOCK_H
#define LENS_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>

/* Seconds since some fixed moment. */
double lens_seconds(void);

/* Waits SECONDS, however often a signal comes by. */
void lens_sleep(double seconds);

/* Makes COND one that lens_cond_wait waits for. Ended with pthread_cond_destroy. */
void lens_cond_init(pthread_cond_t *cond);

/* pthread_cond_wait until lens_seconds() is UNTIL at the latest; false: it is. */
bool lens_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, double until);

#endif
