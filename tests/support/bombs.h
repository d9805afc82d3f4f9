/* Pictures made to fill the memory or to keep a decoder busy for ever: small files of every format that is read. */
#ifndef LENS_TESTS_BOMBS_H
#define LENS_TESTS_BOMBS_H

#include "support.h"

typedef struct test_bomb {
    const char *name; /* of the file, with its ending */
    const char *says; /* in the reason for which it is refused; NULL: it is a picture after all, and cheap to read */
    bool either;      /* newer libraries than Debian 12's refuse it, where SAYS is NULL */
    lens_buffer bytes;
} test_bomb;

/* *COUNT bombs. Free with test_bombs_free. */
test_bomb *test_bombs(size_t *count);
void test_bombs_free(test_bomb *bombs, size_t count);

#endif
