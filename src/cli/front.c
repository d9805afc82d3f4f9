#include "cli/front.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/patience.h"
#include "cli/interrupt.h"
#include "cli/say.h"
#include "memelens.h"

static volatile sig_atomic_t behind; /* the child */

/* A terminal tells the child by itself, and so does who signals the group of both: what is passed on is a signal of its own, so that the child does not take
 * it for a second one. A second signal ends the front, and with it the child. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    const int errnum = errno;
    (void)context;
    if (!cli_interrupt_again(number) && info->si_code <= 0)
        sigqueue((pid_t)behind, SIGUSR1, (union sigval){.sival_int = number});
    errno = errnum;
}

/* In the child: what was passed on does what the signal itself would do here, the first time. */
static void take_over(int number, siginfo_t *info, void *context)
{
    const int errnum = errno, passed = info->si_code == SI_QUEUE ? info->si_value.sival_int : 0;
    struct sigaction action;
    (void)number;
    (void)context;
    if ((passed == SIGINT || passed == SIGTERM) && sigaction(passed, NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
        if (action.sa_handler == SIG_DFL)
            raise(passed);
        cli_note_interrupt();
    }
    errno = errnum;
}

/* What is done is told, and then the process is left to whatever holds it: with nothing open that others wait for. */
static _Noreturn void leave(int told, int status)
{
    const unsigned char byte = (unsigned char)status;
    lens_decode_apart_end(); /* they would wait for this process */
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    if (write(told, &byte, 1) < 0)
        _exit(status);
    _exit(status);
}

static int wait_for(pid_t child, int told)
{
    unsigned char byte;
    ssize_t size;
    int status;
    do /* ThreadSanitizer holds a signal back for as long as a read takes, but not a poll */
        size = poll(&(struct pollfd){told, POLLIN, 0}, 1, -1) < 0 ? -1 : read(told, &byte, 1);
    while (size < 0 && errno == EINTR);
    close(told);
    if (size == 1)
        return byte;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return CLI_ERROR;
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cli_run_behind_front(int (*run)(const cli_list *operands), const cli_list *operands)
{
    int ends[2];
    const pid_t front = getpid();
    if (pipe(ends) != 0)
        return run(operands);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_RESTART | SA_SIGINFO}, interrupt, terminate;
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGUSR1);
    sigemptyset(&action.sa_mask);
    sigprocmask(SIG_BLOCK, &held, &before);
    const pid_t child = fork();
    if (child == 0) {
        action.sa_sigaction = take_over;
        sigaction(SIGUSR1, &action, NULL);
        sigdelset(&before, SIGUSR1);
        sigprocmask(SIG_SETMASK, &before, NULL);
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != front)
            _exit(CLI_ERROR);
        const int status = cli_finish(run(operands));
        if (lens_errands_left() > 0)
            leave(ends[1], status);
        exit(status);
    }
    behind = child;
    sigaction(SIGINT, NULL, &interrupt);
    sigaction(SIGTERM, NULL, &terminate);
    if (child > 0 && interrupt.sa_handler != SIG_IGN)
        sigaction(SIGINT, &action, NULL);
    if (child > 0 && terminate.sa_handler != SIG_IGN)
        sigaction(SIGTERM, &action, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (child > 0)
        return wait_for(child, ends[0]);
    close(ends[0]);
    return run(operands);
}
