/* A decoded picture: upright, opaque, 8 bits, sRGB. Everything behind decoding sees only this. */
#ifndef LENS_PIXELS_IMAGE_H
#define LENS_PIXELS_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct lens_image {
    int width, height; /* pixels, both at least 1 */
    uint8_t *rgb;      /* [height, width, 3], rows without padding */
} lens_image;

/* Pixels of any value. 0, or -1 when memory is short; OUT is then empty. Free with lens_image_free. */
int lens_image_new(int width, int height, lens_image *out, lens_error *err);

/* Has the next picture's pixels lie at BYTES, if SIZE is enough, until that picture is freed: for a process that decodes one picture at a time and hands it
 * over in memory that is shared. NULL: in memory of their own, as in every other process. */
void lens_image_place(uint8_t *bytes, size_t size);

/* Frees the pixels and empties IMAGE. */
void lens_image_free(lens_image *image);

/* Turns and mirrors IMAGE, whose pixels lie as EXIF's ORIENTATION (1 to 8) says, upright. 0, or -1 when memory is short;
 * IMAGE is then unchanged. */
int lens_image_turn_upright(lens_image *image, int orientation, lens_error *err);

#endif
