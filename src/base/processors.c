#define _GNU_SOURCE /* sched_getaffinity */
#include "base/processors.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What stands behind BEGIN in the first line of the file at PATH, one of the kernel's, that begins so. False: none does. */
static bool read_line(const char *path, const char *begin, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, (int)size, file))
        found = strncmp(line, begin, strlen(begin)) == 0;
    if (file)
        fclose(file);
    if (found) {
        memmove(line, line + strlen(begin), strlen(line + strlen(begin)) + 1);
        line[strcspn(line, "\n")] = '\0';
    }
    return found;
}

/* Of one group: "50000 100000" is half a processor, "max 100000" no limit. */
static double quota_of(const char *folder)
{
    char path[4200], line[64];
    long long used, period;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_line(path, "", line, sizeof line) || sscanf(line, "%lld %lld", &used, &period) != 2 || used <= 0 || period <= 0)
        return HUGE_VAL;
    return (double)used / (double)period;
}

double lens_processors_granted(const char *membership, const char *root)
{
    char group[2048], folder[4096];
    if (!read_line(membership, "0::/", group, sizeof group))
        return HUGE_VAL;
    snprintf(folder, sizeof folder, "%s/%s", root, group);
    double least = quota_of(folder);
    for (const size_t end = strlen(root); strlen(folder) > end;) { /* each group within what the one above it has */
        *strrchr(folder, '/') = '\0';
        least = fmin(least, quota_of(folder));
    }
    return least;
}

static double granted;

static void look_at_quota(void)
{
    granted = lens_processors_granted("/proc/self/cgroup", "/sys/fs/cgroup");
}

int lens_processors_seen(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        if (count > 0)
            return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than a cpu_set_t holds */
    return online > 0 ? (int)online : 1;
}

int lens_processors(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_at_quota);
    const int seen = lens_processors_seen();
    return granted < seen ? (int)ceil(granted) : seen;
}
