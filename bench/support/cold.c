#include "cold.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"

extern char **environ;

double bench_ask_cold(const char *program, const char *place, int64_t id, bool exact, int64_t *resident)
{
    char term[32];
    snprintf(term, sizeof term, "id:%lld", (long long)id);
    const char *argv[] = {program, "search", term, "--json", "--library", place, exact ? "--exact" : NULL, NULL};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int status = 0;
    struct rusage usage;
    const double begun = lens_seconds();
    if (posix_spawn(&child, program, &quiet, NULL, (char *const *)argv, environ) != 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
        fprintf(stderr, "bench: %s search %s failed\n", program, term);
        exit(2);
    }
    const double took = lens_seconds() - begun;
    posix_spawn_file_actions_destroy(&quiet);
    *resident = (int64_t)usage.ru_maxrss * 1024;
    return took;
}
