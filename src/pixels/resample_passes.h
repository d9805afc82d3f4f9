/* Inside resampling: the weights of an axis, and the passes over a picture, one set of them for each kind of processor. All give
 * the same bytes. */
#ifndef LENS_PIXELS_RESAMPLE_PASSES_H
#define LENS_PIXELS_RESAMPLE_PASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pixels/resample.h"

enum { LENS_WEIGHT_BITS = 32 - 8 - 2 }; /* behind the point: sums of weights times 255 stay within 32 bits, negative lobes included */

/* How the outputs of one axis are weighed: output i is the sum of weights[i * most + j] * input[first[i] + j], j < taps[i]. */
typedef struct lens_axis {
    int count, most;
    int *first, *taps;
    int32_t *weights;
} lens_axis;

/* What WINDOW of SOURCE resized by HORIZONTAL and VERTICAL is, into OUT, which has its size; an axis is NULL where the size stays.
 * The axes hold the window's outputs only. 0 or -1. */
typedef int lens_passes(const lens_image *source, const lens_axis *horizontal, const lens_axis *vertical, bool columns_first,
                        lens_window window, lens_image *out, lens_error *err);

typedef struct lens_resampler {
    const char *name;
    lens_passes *passes;
} lens_resampler;

lens_passes lens_passes_plain, lens_passes_vnni;

/* What of its input an axis' outputs depend on, from LOW to before HIGH, and how many of it the neediest; A is NULL for one that
 * keeps its size, of which COUNT from FROM on are taken. */
void lens_axis_needs(const lens_axis *a, int from, int count, int *low, int *high, int *most);

/* The Nth of those that this processor can run, best first; NULL when there are no more. */
const lens_resampler *lens_resampler_nth(size_t n);

/* lens_resample with the passes of WITH. */
int lens_resample_with(const lens_resampler *with, const lens_image *source, int width, int height, lens_window window,
                       lens_filter filter, lens_image *out, lens_error *err);

#endif
