/* A library with some of all that a library can hold, and all of it written down without the code that copies it. */
#ifndef LENS_TESTS_SUPPORT_COPY_H
#define LENS_TESTS_SUPPORT_COPY_H

#include "support_store.h"

enum { COPY_DIM = 12 };

/* Makes a library at PLACE with COUNT pictures of one model, and a few of all else: another model, one of sentences, failed pictures, names that are not UTF-8,
 * rules with settings, sources, captions, what was read, and ids whose pictures are gone. */
void test_copy_library(const char *place, size_t count);

/* All that the library in FOLDER holds, as text. The caller frees. */
char *test_copy_dump(const char *folder);

/* Fails unless what the two folders hold is the same, by their dumps. */
void test_copy_expect_same(const char *a, const char *b);

#endif
