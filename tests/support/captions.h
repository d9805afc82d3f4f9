/* Captions as one line to compare: "name|text;…", and problems, a line each. */
#ifndef LENS_TESTS_CAPTIONS_H
#define LENS_TESTS_CAPTIONS_H

#include "captions/captions.h"

typedef struct test_captions {
    lens_buffer given, problems;
    int stop_after; /* captions, after which `each` returns 7; 0: never */
    int stop_after_problems, problem_count; /* the same of problems, and 8 */
    size_t count;
} test_captions;

/* A visitor that writes to HEARD; what it is given must hold what captions.h promises. */
lens_caption_visitor test_captions_visitor(test_captions *heard);

/* The captions of TEXT [size], called "t". Fails the test unless that ends in RESULT. Free with test_captions_free. */
test_captions test_captions_of(const void *text, size_t size, const lens_caption_options *options, int result, lens_error *err);
void test_captions_free(test_captions *heard);

/* TEXT gives exactly the captions GIVEN ("a.jpg|text;b.jpg|text;") and the problems PROBLEMS ("t: line 2: …\n"). */
void test_captions_expect(const char *text, const char *given, const char *problems);
void test_captions_expect_bytes(const void *text, size_t size, const char *given, const char *problems);

#endif
