/* A person's machine and a hub that has a model for it: what the tests of pull share. */
#ifndef LENS_TESTS_PULL_PLACE_H
#define LENS_TESTS_PULL_PLACE_H

#include "hub_server.h"
#include "world.h"

#define REPOSITORY "ada/little-net"
#define FOLDER "ada--little-net"

typedef struct test_place {
    test_world *world;
    test_hub *hub;
    char *folder; /* of the model, once it is pulled */
    const char *patience; /* NAME=VALUE, static: six seconds of silence, as the hub is a thread of the test, which may be held up */
} test_place;

extern lens_buffer test_place_weights; /* the model's, made once for all tests of a program */

/* cmocka's fixtures: of the group, and of a test, whose *STATE is the place. The hub's file 0 is config.json, 1 model.safetensors. */
int test_place_make_weights(void **state);
int test_place_drop_weights(void **state);
int test_place_setup(void **state);
int test_place_teardown(void **state);

/* The environment of a pull: the world's, the hub's, and EXTRA (may be NULL). Static. */
const char *const *test_place_environment(const test_place *here, const char *extra);

test_run test_pull_named(const test_place *here, const char *name, const char *extra);
test_run test_pull(const test_place *here);

/* The model is there, and nothing else is; there is none. */
void assert_whole(const test_place *here);
void assert_none(const test_place *here);

/* The size of the part that a cut pull left, or -1. */
long test_part_size(const test_place *here);

/* RUN exited with STATUS and said WORDS (may be NULL). Frees it. */
void expect(test_run run, int status, const char *words);

/* Refused in one line that holds WORDS; nothing in place. Frees it. */
void expect_refused(const test_place *here, test_run run, const char *words);

#endif
