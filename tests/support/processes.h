/* Processes that others started, as /proc tells of them. */
#ifndef LENS_TESTS_PROCESSES_H
#define LENS_TESTS_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

typedef enum test_process_state { TEST_ALIVE, TEST_ZOMBIES } test_process_state;

/* How many children in that state PARENT has now; the first MOST are in FOUND. */
int test_processes_below(pid_t parent, test_process_state wanted, pid_t *found, int most);

/* Waits until it has COUNT of them, which are then in FOUND [COUNT] (may be NULL); fails the test when that takes a minute. */
void test_processes_wait(pid_t parent, test_process_state wanted, int count, pid_t *found);

/* Whether ARGUMENT is the first of PROCESS's own: one that was just made has its parent's, until it is another program. */
bool test_process_has_argument(pid_t process, const char *argument);

/* Stops PROCESS (SIGSTOP) and waits until all its threads stand still; fails the test when that takes a minute. */
void test_process_stop(pid_t process);

/* Waits until there is no such process, or only what is left for its parent to see; fails the test when that takes a minute. */
void test_process_wait_end(pid_t process);

#endif
