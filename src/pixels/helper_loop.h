/* The life of a process that decodes (helper.h), as it lives it. */
#ifndef LENS_PIXELS_HELPER_LOOP_H
#define LENS_PIXELS_HELPER_LOOP_H

#include <stdbool.h>

#include "pixels/confine.h"
#include "pixels/decode.h"

/* The first word of a helper's command line; a kind and the most pixels follow it. */
#define LENS_HELPER_ARGUMENT "--decoder"

/* The last of the standard streams that lead nowhere. Sanitizers print what they find, and are meant to be read. */
enum { LENS_HELPER_SILENCED = LENS_CONFINE_SANITIZED ? 1 : 2 };

/* As lens_decode_here, which it is but in tests. */
typedef int lens_helper_decoder(const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);

/* Whether the program was started to be a helper. If so it has been one, decoding with DECODE, and *STATUS is what main returns. For the first line of
 * main, before there is any thread. */
bool lens_helper_was(int argc, char **argv, lens_helper_decoder *decode, int *status);

#endif
