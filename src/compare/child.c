#include "compare/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static const double look_every = 0.05; /* seconds */

static void run(int (*body)(void *context, lens_error *err), void *context, int pipe, pid_t parent)
{
    lens_error error = {0};
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it was gone before that was asked for */
        _exit(2);
    int result = body(context, &error);
    fflush(stdout);
    fflush(stderr);
    /* Smaller than a pipe's buffer: it is written whole, whether anyone reads or not. */
    if (result != 0 && write(pipe, &error, sizeof error) != (ssize_t)sizeof error)
        _exit(2);
    _exit(result == 0 ? 0 : 1);
}

/* How CHILD ended, as waitpid tells it; -1, which is no end at all, where that cannot be known. */
static int wait_for(pid_t child, bool (*go_on)(void *context), void *context, bool *stopped)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            return ended == child ? status : -1;
        if (go_on && !*stopped && !go_on(context)) {
            *stopped = true;
            kill(child, SIGTERM);
        }
        lens_sleep(look_every);
    }
}

int lens_child_run(int (*body)(void *context, lens_error *err), void *context, bool (*go_on)(void *context), void *go_on_context, lens_error *err)
{
    int ends[2];
    fflush(stdout);
    fflush(stderr);
    if (pipe(ends) != 0)
        return lens_fail_errno(err, errno, "cannot make a pipe");
    const pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) {
        int errnum = errno;
        close(ends[0]);
        close(ends[1]);
        return lens_fail_errno(err, errnum, "cannot start a process");
    }
    if (child == 0) {
        close(ends[0]);
        run(body, context, ends[1], parent);
    }
    close(ends[1]);
    bool stopped = false;
    const int status = wait_for(child, go_on, go_on_context, &stopped);
    lens_error error = {0};
    const bool told = read(ends[0], &error, sizeof error) == (ssize_t)sizeof error;
    close(ends[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !stopped)
        return 0;
    if (stopped)
        return lens_fail(err, LENS_E_CANCELLED, "stopped");
    if (told) {
        if (err)
            *err = error;
        return -1;
    }
    if (WIFSIGNALED(status))
        return lens_fail(err, LENS_E_SYSTEM, "its process was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return lens_fail(err, LENS_E_SYSTEM, "its process ended without a word");
}
