/* Libraries and models that releases wrote, as tests/kept/ keeps them (README.md there), unpacked into a world of their own. */
#ifndef LENS_TESTS_KEPT_H
#define LENS_TESTS_KEPT_H

#include "world.h"

/* The names of the archives in tests/kept that end in ".KIND.tar.gz", in order of release, as a JSON array of strings. The caller frees. */
json_t *test_kept_list(const char *kind);

/* The libraries for the store that is tested: of kind "folder" or "postgres". */
json_t *test_kept_libraries(void);

/* The library NAME with its pictures, models and captions, all of them here: the paths in it are made to begin with the world's folder, which is where it
 * would be had it been made here. Nothing else is changed. Free with test_world_free. */
test_world *test_kept_world(const char *name);

/* The models of NAME alone. The caller removes the folder. */
char *test_kept_models(const char *name);

/* Asks again what the release was asked, and fails unless all is answered as it was: the same pictures in the same order, scores to the last digit that is
 * printed (which may round to the one beside it), the same counts. */
void test_kept_answers(const test_world *world);
/* The same without what was asked of COMMAND. */
void test_kept_answers_but(const test_world *world, const char *command);

/* What FILE_SQL asks of a library in a folder, or POSTGRES_SQL of one in a database: rows ended by a newline. The caller frees. */
char *test_kept_ask(const test_world *world, const char *folder_sql, const char *postgres_sql);

#endif
