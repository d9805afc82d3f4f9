#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int lens_process_run(const char *const *argv, int *status, lens_error *err)
{
    posix_spawn_file_actions_t actions;
    int errnum = posix_spawn_file_actions_init(&actions);
    if (errnum == 0) {
        errnum = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (errnum == 0)
            errnum = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        pid_t child = 0;
        if (errnum == 0)
            errnum = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        int raw = 0;
        while (errnum == 0 && waitpid(child, &raw, 0) < 0)
            errnum = errno == EINTR ? 0 : errno;
        *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    }
    return errnum == 0 ? 0 : lens_fail_errno(err, errnum, "%s", argv[0]);
}
