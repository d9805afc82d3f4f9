/* A decoder for helpers that does what it must not. */
#ifndef LENS_TESTS_MISBEHAVE_H
#define LENS_TESTS_MISBEHAVE_H

#include "pixels/helper_loop.h"
#include "support.h"

/* For lens_helper_was. Where the bytes have "do:" with words behind it, it crashes, hangs, lies or tries what those words ask for, and fails with what came of
 * it; every other picture it decodes as lens_decode_here. */
lens_helper_decoder test_misbehave;

/* For the first lines of main: true in a helper, whose work is done, *STATUS being what main returns. Else pictures are decoded apart from then on, by that
 * decoder. */
bool test_misbehaves(int argc, char **argv, int *status);

/* Heads of pictures of each kind of helper; behind them stand the words. */
#define TEST_ASK_JPEG "\xff\xd8\xff\xe0 do:"
#define TEST_ASK_PNG "\x89PNG\r\n\x1a\n do:"
#define TEST_ASK_SVG "<svg xmlns='http://www.w3.org/2000/svg'/> do:"

/* The most pixels that the functions below allow: 1 << 20. */
extern uint64_t test_ask_pixels;

/* Decodes a picture that begins as HEAD and asks for WORDS. Why it is none. */
lens_error test_ask(const char *head, const char *words);

/* Fails unless a picture is decoded as ever, and nobody is left to be reaped. */
void test_decoding_goes_on(void);

/* The same for one picture of each kind of helper. */
void test_decoding_goes_on_by_all(void);

/* Fails, with WHAT, unless BYTES come to the same picture, or the same words, as in this process. */
void test_decoded_the_same(const void *bytes, size_t size, const char *what);

#endif
