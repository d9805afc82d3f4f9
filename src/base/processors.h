#ifndef LENS_BASE_PROCESSORS_H
#define LENS_BASE_PROCESSORS_H

/* How many processors' time this process may use: those that it may run on, and no more than its control groups' quota comes to (a container of 2 on a machine
 * of 64 has 2). At least 1. The quota is that of the first call. */
int lens_processors(void);

/* How many processors this process may run on (its affinity, not the machine's size), whatever time it may use of them: how many threads the libraries that
 * decode pictures start. At least 1. */
int lens_processors_seen(void);

/* The least quota of the control groups that MEMBERSHIP (/proc/self/cgroup) names below ROOT (/sys/fs/cgroup), and of those that they are in, in processors;
 * HUGE_VAL where there is none. Version 2 alone (cgroups(7), cpu.max). */
double lens_processors_granted(const char *membership, const char *root);

#endif
