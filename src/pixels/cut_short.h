/* Whether a picture's file ends before it should, told from its outer structure alone: libraries often say no more than
 * "read error", and a person who sees "truncated" knows to fetch the file again. */
#ifndef LENS_PIXELS_CUT_SHORT_H
#define LENS_PIXELS_CUT_SHORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pixels/sniff.h"

/* For the formats whose parts tell their lengths: PNG, WebP, and the boxes of HEIC, AVIF, JPEG XL and JPEG 2000. False for
 * any other, and for a file whose structure is broken in another way. */
bool lens_cut_short(lens_format format, const uint8_t *bytes, size_t size);

#endif
