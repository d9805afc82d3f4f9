/* Antialiased resampling, equal to the Image.resize of Pillow 13 to the last bit (its 8-bit fixed-point convolution; Pillow up
 * to 12 took the passes of some portraits in the other order, and differs there by a few levels). */
#ifndef LENS_PIXELS_RESAMPLE_H
#define LENS_PIXELS_RESAMPLE_H

#include "base/error.h"
#include "pixels/image.h"

typedef enum lens_filter {
    LENS_FILTER_NEAREST,
    LENS_FILTER_BILINEAR, /* triangle, support 1 */
    LENS_FILTER_BICUBIC,  /* a = -0.5, support 2 */
    LENS_FILTER_LANCZOS,  /* support 3 */
} lens_filter;

typedef struct lens_window {
    int x, y, width, height;
} lens_window;

/* Resizes SOURCE to WIDTH x HEIGHT, of which only WINDOW (inside it) is computed: the same pixels as resizing first and
 * cropping then, without the work for what is cropped away. OUT is WINDOW's size; the caller frees. 0 or -1. */
int lens_resample(const lens_image *source, int width, int height, lens_window window, lens_filter filter,
                  lens_image *out, lens_error *err);

#endif
