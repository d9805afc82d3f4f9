#include "processes.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "support.h"

static const double wait_most = 60, look_every = 0.01; /* seconds */

/* What PATH, a file "stat", says. False: there is none. */
static bool look_into(const char *path, char *state, pid_t *parent)
{
    char line[512] = "";
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    const bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *name_end = strrchr(line, ')');
    int above = 0;
    if (!read || !name_end || sscanf(name_end, ") %c %d", state, &above) != 2)
        return false;
    *parent = above;
    return true;
}

/* False: there is none. */
static bool look(pid_t process, char *state, pid_t *parent)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    return look_into(path, state, parent);
}

static bool is(char state, test_process_state wanted)
{
    const bool dead = state == 'Z' || state == 'X';
    return wanted == TEST_ZOMBIES ? dead : !dead;
}

int test_processes_below(pid_t parent, test_process_state wanted, pid_t *found, int most)
{
    int count = 0;
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char state;
        pid_t above, process = (pid_t)atoi(entry->d_name);
        if (!isdigit((unsigned char)entry->d_name[0]) || !look(process, &state, &above) || above != parent || !is(state, wanted))
            continue;
        if (count < most)
            found[count] = process;
        count++;
    }
    if (folder)
        closedir(folder);
    return count;
}

void test_processes_wait(pid_t parent, test_process_state wanted, int count, pid_t *found)
{
    const double begun = lens_seconds();
    while (test_processes_below(parent, wanted, found, found ? count : 0) < count) {
        if (lens_seconds() - begun > wait_most)
            fail_msg("process %d has no %d children of that kind", (int)parent, count);
        lens_sleep(look_every);
    }
}

static bool all_stand_still(pid_t process)
{
    char path[320];
    bool still = true;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; still && (entry = readdir(folder));) {
        char state;
        pid_t above;
        snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)process, entry->d_name);
        still = !isdigit((unsigned char)entry->d_name[0]) || !look_into(path, &state, &above) || state == 'T';
    }
    closedir(folder);
    return still;
}

void test_process_stop(pid_t process)
{
    const double begun = lens_seconds();
    assert_int_equal(kill(process, SIGSTOP), 0);
    while (!all_stand_still(process)) {
        if (lens_seconds() - begun > wait_most)
            fail_msg("process %d does not stop", (int)process);
        lens_sleep(look_every);
    }
}

void test_process_wait_end(pid_t process)
{
    const double begun = lens_seconds();
    char state;
    pid_t parent;
    while (look(process, &state, &parent) && is(state, TEST_ALIVE)) {
        if (lens_seconds() - begun > wait_most)
            fail_msg("process %d is still there", (int)process);
        lens_sleep(look_every);
    }
}

bool test_process_has_argument(pid_t process, const char *argument)
{
    char path[32], words[256] = "";
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)process);
    FILE *file = fopen(path, "r");
    const size_t size = file ? fread(words, 1, sizeof words - 1, file) : 0;
    if (file)
        fclose(file);
    const size_t first = strlen(words) + 1;
    return first < size && strcmp(words + first, argument) == 0;
}
