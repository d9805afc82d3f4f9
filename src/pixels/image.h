/* A decoded picture: upright, opaque, 8 bits, sRGB. Everything behind decoding sees only this. */
#ifndef LENS_PIXELS_IMAGE_H
#define LENS_PIXELS_IMAGE_H

#include <stdint.h>

typedef struct lens_image {
    int width, height; /* pixels, both at least 1 */
    uint8_t *rgb;      /* [height, width, 3], rows without padding */
} lens_image;

/* Frees the pixels and empties IMAGE. */
void lens_image_free(lens_image *image);

#endif
