/* The program run several times at once: started, and looked after while it runs. */
#ifndef LENS_TESTS_STARTED_H
#define LENS_TESTS_STARTED_H

#include <sys/types.h>

#include "world.h"

typedef struct test_started {
    pid_t pid; /* 0: none */
    int out, err;
    char command[24]; /* its first word, for messages */
} test_started;

/* Starts the program in WORLD with WORDS, ended by NULL. It dies with the test, and of SIGALRM when it runs for more than five minutes. */
test_started test_start_words(const test_world *world, const char *const *words);
#define test_start(world, ...) test_start_words(world, (const char *const[]){__VA_ARGS__, NULL})

/* Whether it has ended; RUN is then what it said, to be freed with test_run_free, and STARTED is none any more. */
bool test_started_ended(test_started *started, test_run *run);

/* What it has said so far on standard error. The caller frees. */
lens_buffer test_started_said(const test_started *started);

/* Waits until it has ended. Free with test_run_free. */
test_run test_started_wait(test_started *started);

/* The same, failing the test unless it ends with STATUS. */
test_run test_started_expect(test_started *started, int status);

#endif
