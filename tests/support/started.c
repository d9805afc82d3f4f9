#include "started.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file without a name, which nobody has to remove and no child waits at, as at the end of a pipe. */
static int nameless(const test_world *world)
{
    char *path = test_path(world->folder, "said-XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    free(path);
    assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    return fd;
}

test_started test_start_words(const test_world *world, const char *const *words)
{
    const char *argv[64] = {test_program()};
    size_t count = 0;
    for (; words[count]; count++)
        argv[count + 1] = words[count];
    assert_true(count + 1 < sizeof argv / sizeof *argv);
    fflush(NULL);
    test_started started = {.out = nameless(world), .err = nameless(world)};
    snprintf(started.command, sizeof started.command, "%s", words[0]);
    started.pid = fork();
    assert_true(started.pid >= 0);
    if (started.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL); /* which who runs the tests in the background has ignored */
        for (const char *const *variable = test_world_environment(world); *variable; variable++)
            putenv((char *)*variable);
        dup2(started.out, STDOUT_FILENO);
        dup2(started.err, STDERR_FILENO);
        alarm(300);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    setpgid(started.pid, started.pid); /* whoever of the two comes first */
    return started;
}

static lens_buffer text_of(int fd)
{
    lens_buffer text = {0};
    char part[65536];
    ssize_t got;
    while ((got = pread(fd, part, sizeof part, (off_t)text.size)) > 0)
        assert_int_equal(lens_buffer_append(&text, part, (size_t)got), 0);
    assert_int_equal(lens_buffer_append(&text, "", 0), 0);
    return text;
}

lens_buffer test_started_said(const test_started *started)
{
    return text_of(started->err);
}

static bool ended(test_started *started, test_run *run, int options)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(started->pid, &status, options)) < 0 && errno == EINTR)
        continue;
    assert_true(pid >= 0);
    if (pid == 0)
        return false;
    *run = (test_run){.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), .out = text_of(started->out), .err = text_of(started->err)};
    close(started->out);
    close(started->err);
    started->pid = 0;
    return true;
}

bool test_started_ended(test_started *started, test_run *run)
{
    return ended(started, run, WNOHANG);
}

test_run test_started_wait(test_started *started)
{
    test_run run = {0};
    ended(started, &run, 0);
    return run;
}

test_run test_started_expect(test_started *started, int status)
{
    test_run run = test_started_wait(started);
    if (run.status != status)
        fail_msg("memelens %s: expected exit %d, got %d\n%s%s", started->command, status, run.status, run.out.data, run.err.data);
    return run;
}
