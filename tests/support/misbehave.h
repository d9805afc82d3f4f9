/* A decoder for helpers that does what it must not. */
#ifndef LENS_TESTS_MISBEHAVE_H
#define LENS_TESTS_MISBEHAVE_H

#include "pixels/helper_loop.h"

/* For lens_helper_was. Where the bytes have "do:" with words behind it, it crashes, hangs, lies or tries what those words ask for, and fails with what came of
 * it; every other picture it decodes as lens_decode_here. */
lens_helper_decoder test_misbehave;

#endif
