/* Preparation: from a picture to exactly the pixels that a model expects. It is data that belongs to the model; a wrong
 * detail here does not fail, it only finds worse. */
#ifndef LENS_PIXELS_PREPARE_H
#define LENS_PIXELS_PREPARE_H

#include "base/buffer.h"
#include "base/error.h"
#include "pixels/image.h"
#include "pixels/resample.h"

enum { LENS_PREPARE_MOST = 4096 }; /* pixels of any side that a preparation names */

typedef enum lens_fit {
    LENS_FIT_CROP,   /* shortest side to RESIZE, centre crop of SIZE */
    LENS_FIT_SQUASH, /* straight to SIZE x SIZE */
    LENS_FIT_PAD,    /* longest side to SIZE, the rest filled with the mean colour */
} lens_fit;

typedef enum lens_corner {
    LENS_CORNER_ROUND, /* round((side - size) / 2), half to even: torchvision, so timm and OpenCLIP */
    LENS_CORNER_FLOOR, /* (side - size) / 2, rounded down: transformers */
} lens_corner;

typedef struct lens_preparation {
    int size;             /* side of the square the network sees, pixels */
    int resize;           /* LENS_FIT_CROP: the shortest side before the crop (size / crop_pct, rounded down) */
    lens_fit fit;
    lens_filter filter;
    lens_corner corner;
    float mean[3], std[3]; /* per channel, in units of 0..1 */
    int before;           /* when not 0: first squashed to before x before (the override "@64") */
    int jina;             /* when not 0: shortest side to 256 (Lanczos), centre crop of jina x jina, enlarged to SIZE ("@jina96") */
} lens_preparation;

/* Changes PREPARATION as NAME says: "crop", "squash", "pad", a side as in "64", "jina96". 0 or -1. */
int lens_preparation_override(lens_preparation *preparation, const char *name, lens_error *err);

/* Appends a line that two preparations share exactly when they prepare alike; it is part of a model's fingerprint. */
int lens_preparation_describe(const lens_preparation *preparation, lens_buffer *out);

/* What the network will see, as a picture: size x size, 8 bits. The caller frees SEEN. 0 or -1. */
int lens_prepare_picture(const lens_image *image, const lens_preparation *preparation, lens_image *seen, lens_error *err);

/* Which part of a picture of WIDTH x HEIGHT the network sees: WINDOW is x, y, width and height in units of the picture's sides, beyond 0..1 where
 * it is padded. Returns the share of the picture's area that is in it, 0 to 1. */
double lens_preparation_window(const lens_preparation *preparation, int width, int height, double window[4]);

/* SEEN (size x size) -> PIXELS, [size, size, 3] (channels last), each (value / 255 - mean) / std. */
void lens_prepare_pixels(const lens_image *seen, const lens_preparation *preparation, float *pixels);

#endif
