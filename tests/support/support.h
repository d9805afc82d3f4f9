/* What the tests share: folders of their own, the outside test data, and running the program as a person would. */
#ifndef LENS_TESTS_SUPPORT_H
#define LENS_TESTS_SUPPORT_H

/* cmocka asks for these before its own header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"

/* A new empty folder below $TMPDIR, or the test fails. The caller frees the path and removes the folder. */
char *test_folder_new(void);
void test_folder_remove(char *path); /* frees PATH too; may be NULL */

/* FOLDER/NAME, formatted. The caller frees. */
char *test_path(const char *folder, const char *format, ...) __attribute__((format(printf, 2, 3)));

void test_write(const char *path, const void *bytes, size_t size);
lens_buffer test_read(const char *path); /* the caller frees */

/* Puts BACKUP, of a library.db, in the place of the one in the folder LIBRARY, which nobody has open, beside whatever else there is. */
void test_database_restore(const char *library, const lens_buffer *backup);

/* Makes a socket that nobody listens at, however long PATH is. */
void test_socket_make(const char *path);

/* Appends SIZE bytes; a number in SIZE bytes, the lowest first. For files that a test puts together by hand. */
void test_put(lens_buffer *out, const void *bytes, size_t size);
void test_put_number(lens_buffer *out, uint64_t number, size_t size);

/* Appends a JSON array of COUNT empty arrays, which cost a reader 46 times their bytes. */
void test_put_arrays(lens_buffer *out, size_t count);

/* The path of NAME in the outside test data, or the test skips itself, saying so. The caller frees. */
char *test_shared(const char *name);

/* Skips the test, saying so, unless the model NAME was fetched into one of the folders of $MEMELENS_TEST_MODELS ("A:B"): before anything
 * is allocated. Then test_real_model is its folder, which the caller frees. */
void test_need_model(const char *name);
char *test_real_model(const char *name);

/* How often WORDS stand in TEXT. */
size_t test_count(const char *text, const char *words);

/* Fails the test with ERR's message unless RESULT is 0. */
#define assert_done(result, err) \
    do { \
        if ((result) != 0) \
            fail_msg("%s", (err)->message); \
    } while (0)

/* Fails unless ERR's message contains WORDS. */
#define assert_says(err, words) \
    do { \
        if (!strstr((err)->message, words)) \
            fail_msg("expected '%s' in: %s", words, (err)->message); \
    } while (0)

typedef struct test_run {
    int status; /* exit status; 128 + N when killed by signal N */
    lens_buffer out, err;
} test_run;

/* Runs ARGV (ended by NULL) with INPUT (may be NULL) on its standard input and ENVIRONMENT ("NAME=value" strings ended by NULL;
 * may be NULL) added to ours. Fails the test when it takes longer than two minutes. Free with test_run_free. */
test_run test_run_program(const char *const *argv, const char *const *environment, const lens_buffer *input);
void test_run_free(test_run *run);

/* Skips the test, saying so, where script(1) can make no terminal, as in a container without /dev/pts: before anything is allocated. */
void test_need_terminal(void);

/* The program under test. */
const char *test_program(void);

#endif
