#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

enum { MOMENT = 200 }; /* milliseconds */

static volatile sig_atomic_t interrupted;
static atomic_llong first[2]; /* when it came, in milliseconds; 0: it did not. Of SIGINT, of SIGTERM */

void cli_note_interrupt(void)
{
    interrupted = 1;
}

bool cli_interrupt_again(int number)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    const long long now = (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000 + 1;
    long long before = 0;
    if (atomic_compare_exchange_strong(&first[number == SIGTERM], &before, now) || now - before < MOMENT)
        return false;
    signal(number, SIG_DFL);
    raise(number);
    return true;
}

static void note(int number)
{
    const int errnum = errno;
    cli_interrupt_again(number);
    cli_note_interrupt();
    errno = errnum;
}

void cli_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    /* A script's shell has its background jobs ignore the Ctrl-C that is meant for the script. */
    if (sigaction(SIGINT, NULL, &before) != 0 || before.sa_handler != SIG_IGN)
        sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

bool cli_go_on(void *context)
{
    (void)context;
    return !cli_interrupted();
}
