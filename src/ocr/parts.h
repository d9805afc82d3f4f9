/* Connected runs of pixels of one tone: letters, and all that is no letter. */
#ifndef LENS_OCR_PARTS_H
#define LENS_OCR_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* How much of one tone there is at each pixel, 0 to 255. */
typedef struct lens_ocr_plane {
    int width, height;
    const uint8_t *at; /* [height, width] */
} lens_ocr_plane;

typedef struct lens_ocr_run {
    int y, left, right; /* right is behind it */
    int part;
} lens_ocr_run;

typedef struct lens_ocr_part {
    int left, top, right, bottom; /* right and bottom are behind it */
    int area;                     /* pixels */
    int tone;                     /* the mean away from its edge, or its most where it is all edge */
    float framed;                 /* the share of its edge that has ground near */
} lens_ocr_part;

typedef struct lens_ocr_parts {
    lens_ocr_part *parts;
    lens_ocr_run *runs; /* from top to bottom */
    size_t count, run_count;
} lens_ocr_parts;

/* The parts of INK that stand out from GROUND, which has the same size. 0, or -1 with OUT empty. Free with lens_ocr_parts_free. */
int lens_ocr_parts_find(const lens_ocr_plane *ink, const lens_ocr_plane *ground, lens_ocr_parts *out, lens_error *err);
void lens_ocr_parts_free(lens_ocr_parts *parts);

#endif
