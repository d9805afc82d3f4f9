/* Where the libraries of tests lie, so that what is true of every store is tested on each: in folders, or, with MEMELENS_TEST_STORE=postgres, in databases
 * of the server that tests/postgres.py runs. */
#ifndef LENS_TESTS_STORE_PLACE_H
#define LENS_TESTS_STORE_PLACE_H

#include "support.h"

/* A place without a library: an empty folder, or the address of a new database with pgvector. NAME: letters and digits, to know it by. */
char *store_place(const char *name);
void store_place_remove(char *place); /* with all that is in it; frees PLACE too; may be NULL */

/* Moves the library at PLACE to AWAY, and, where HERE is not NULL, the one that was moved to HERE to its place: folders beside it, or schemas. */
void store_place_exchange(const char *place, const char *away, const char *here);

/* Whether places are folders, where files can be looked at. */
bool store_place_is_folder(void);

/* The answer of the database at PLACE to SQL, behind the store's back: rows ended by a newline, columns parted by '|'. The caller frees. */
char *store_place_ask(const char *place, const char *sql);

/* Waits until nobody is connected to the database at PLACE: the server goes on for a moment with what a process had sent that was killed. */
void store_place_settle(const char *place);

/* Runs the SQL in FILE, a dump, in the database at PLACE. */
void store_place_restore(const char *place, const char *file);

/* Tells the server to "stop", "start", "restart" or "crash" (tests/postgres.py); skips the test where it is not ours to tell. */
void store_place_server(const char *what);

/* PLACE as it is reached over loopback, with a password; NULL where it is not. The caller frees. */
char *store_place_by_password(const char *place);

/* Instead of cmocka_run_group_tests, where all of TESTS go by store_place. tests/run.sh runs such a program once for each store; without a server
 * all of it is skipped. */
#define store_place_run(tests) store_place_run_group(tests, NULL, NULL)
/* The same for tests of nothing but databases, which are not run for folders. */
#define store_place_run_server(tests) store_place_run_server_group(tests, NULL, NULL)
#define store_place_run_server_group(tests, setup, teardown) (store_place_is_folder() ? 0 : store_place_run_group(tests, setup, teardown))
#define store_place_run_group(tests, setup, teardown) store_place_run_tests(#tests, tests, sizeof(tests) / sizeof *(tests), setup, teardown)
int store_place_run_tests(const char *name, const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup, CMFixtureFunction teardown);

#endif
