/* Pixels -> the bytes of a picture file, to be shown or kept. */
#ifndef LENS_PIXELS_ENCODE_H
#define LENS_PIXELS_ENCODE_H

#include <stddef.h>

#include "base/error.h"
#include "pixels/image.h"

/* JPEG of QUALITY 1 to 100, with TurboJPEG; colours are halved in both directions. *BYTES: the caller frees with free(). 0 or -1. */
int lens_encode_jpeg(const lens_image *image, int quality, void **bytes, size_t *size, lens_error *err);

/* PNG, with libvips. As lens_encode_jpeg; LENS_E_UNSUPPORTED where libvips is not there. */
int lens_encode_png(const lens_image *image, void **bytes, size_t *size, lens_error *err);

#endif
