/* A person's machine in small: a folder with pictures, models and a library of its own, and the program run in it. */
#ifndef LENS_TESTS_WORLD_H
#define LENS_TESTS_WORLD_H

#include <jansson.h>

#include "pictures.h"
#include "store_place.h"

typedef struct test_world {
    char *folder; /* of all */
    char *pictures, *library, *models; /* the library lies in the folder too, or is a database (store_place.h) */
    bool nobody; /* the program runs without root's rights */
} test_world;

/* Makes the world, with the default model in it: the true architecture with weights drawn by lot. */
test_world *test_world_new(void);
void test_world_free(test_world *world); /* removes the folder */

/* The same with the scenes 0 to COUNT - 1 as pictures/scene0.png and so on, indexed with the model "colour". */
test_world *test_world_of_scenes(unsigned count);

/* Writes COUNT pictures, pictures/000.jpg and so on from number FIRST. */
void test_world_pictures(const test_world *world, unsigned first, unsigned count);

/* cmocka's fixture: *STATE is the world. */
int test_world_setup(void **state);
int test_world_teardown(void **state);

/* From here on the program runs without root's rights, for which no file is unreadable. Skips the test, saying so, where that cannot
 * be done. Does nothing when we are not root. */
void test_world_as_nobody(test_world *world);

/* Runs the program in the world with the words that follow, ended by NULL, its working folder being ours. Free with test_run_free. */
test_run test_world_run(const test_world *world, const char *first, ...) __attribute__((sentinel));

/* The same, failing the test unless it exits with STATUS. */
test_run test_world_expect(const test_world *world, int status, const char *first, ...) __attribute__((sentinel));

/* The environment of the world, for other ways to run the program: "NAME=value" strings ended by NULL. Static. */
const char *const *test_world_environment(const test_world *world);

/* Saves the scene of SEED (160 x 120) as pictures/NAME. */
void test_world_picture(const test_world *world, const char *name, test_kind kind, unsigned seed);

/* Puts a drawing at pictures/NAME that whoever decodes it works at for a minute, and then gives up: until it is another one or gone, a run that came to it is
 * not over, however quick the machine is. */
void test_world_dear_drawing(const test_world *world, const char *name);

/* pictures/NAME. The caller frees. */
char *test_world_path(const test_world *world, const char *name);

/* Indexes the pictures and gives the JSON report, failing the test unless it exits with 0. The caller frees with json_decref. */
json_t *test_world_index(const test_world *world);

/* The integer NAME of OBJECT, or the test fails. */
long test_json_integer(const json_t *object, const char *name);

/* The integer NAME of `memelens status --json`, or the test fails. */
long test_world_status(const test_world *world, const char *name);

/* The objects of a text with one a line. The caller frees. */
json_t *test_json_lines(const lens_buffer *text);

/* The paths that a search for the picture at QUERY finds, best first, as a JSON array of strings. The caller frees. */
json_t *test_world_search(const test_world *world, const char *query);

/* Removes the picture, or whatever else, at NAME below the pictures; gives it another name there. */
void test_world_remove(const test_world *world, const char *name);
void test_world_move(const test_world *world, const char *from, const char *to);

/* Indexes the pictures and compares the report with what is expected; expects `check` to find nothing. */
void test_world_expect_report(const test_world *world, long indexed, long unchanged, long moved, long removed, long failed);
void test_world_expect_no_fault(const test_world *world);

/* Writes a.jpg, b.png, c.webp, d.jpg and e.jpg. */
void test_world_five_pictures(const test_world *world);

#endif
