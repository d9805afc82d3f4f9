#include "base/clock.h"

#include <errno.h>
#include <time.h>

double lens_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void lens_sleep(double seconds)
{
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

void lens_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool lens_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, double until)
{
    const time_t whole = (time_t)until;
    const struct timespec moment = {whole, (long)((until - (double)whole) * 1e9)};
    return pthread_cond_timedwait(cond, lock, &moment) != ETIMEDOUT;
}
