/* Pooling over positions, the same for both backends: exact but for the order of a sum. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/clones.h"
#include "nn/layers.h"

static int outputs(const lens_pool_spec *spec, int size)
{
    int room = size + spec->before + spec->after - spec->kernel;
    return room < 0 ? 0 : room / spec->stride + 1;
}

int lens_pool_out_height(const lens_pool_spec *spec)
{
    return outputs(spec, spec->height);
}

int lens_pool_out_width(const lens_pool_spec *spec)
{
    return outputs(spec, spec->width);
}

/* A number's bits so that larger numbers have larger ones, and 0 has 0: for halves, which the compiler cannot compare. Its own inverse. */
static inline int16_t in_order(int16_t half)
{
    return half < 0 ? (int16_t)(half ^ 0x7fff) : half;
}

/* One window of PICTURE, its first position at (TOP, LEFT). HALVES: of 16 bits each, else floats. */
static inline __attribute__((always_inline)) void pool_window(const lens_pool_spec *spec, bool halves, const void *picture, int top, int left,
                                                              void *best)
{
    const int channels = spec->channels;
    int last_row = top + spec->kernel < spec->height ? top + spec->kernel : spec->height;
    int last_column = left + spec->kernel < spec->width ? left + spec->kernel : spec->width;
    int first_row = top > 0 ? top : 0, first_column = left > 0 ? left : 0;
    const bool zeros = top < 0 || left < 0 || top + spec->kernel > spec->height || left + spec->kernel > spec->width;
    float *most = best;
    int16_t *half_most = best;
    for (int c = 0; c < channels; c++)
        if (halves)
            half_most[c] = zeros ? 0 : INT16_MIN;
        else
            most[c] = zeros ? 0 : -INFINITY;
    for (int row = first_row; row < last_row; row++)
        for (int column = first_column; column < last_column; column++) {
            const size_t at = ((size_t)row * (size_t)spec->width + (size_t)column) * (size_t)channels;
            const float *values = (const float *)picture + at;
            const int16_t *half_values = (const int16_t *)picture + at;
            for (int c = 0; c < channels; c++)
                if (halves)
                    half_most[c] = in_order(half_values[c]) > half_most[c] ? in_order(half_values[c]) : half_most[c];
                else
                    most[c] = values[c] > most[c] ? values[c] : most[c];
        }
    for (int c = 0; halves && c < channels; c++)
        half_most[c] = in_order(half_most[c]);
}

LENS_CLONES static void pool_floats(const lens_pool_spec *spec, const void *picture, int top, int left, void *best)
{
    pool_window(spec, false, picture, top, left, best);
}

LENS_CLONES static void pool_halves(const lens_pool_spec *spec, const void *picture, int top, int left, void *best)
{
    pool_window(spec, true, picture, top, left, best);
}

void lens_max_pool(const lens_pool_spec *spec, int count, const void *in, void *out)
{
    const size_t channels = lens_items_size(spec->type, 1, (size_t)spec->channels);
    const size_t size = (size_t)spec->height * (size_t)spec->width * channels;
    const int height = lens_pool_out_height(spec), width = lens_pool_out_width(spec);
    char *to = out;
    for (int n = 0; n < count; n++)
        for (int row = 0; row < height; row++)
            for (int column = 0; column < width; column++, to += channels)
                (spec->type == LENS_TYPE_BF16 ? pool_halves : pool_floats)(spec, (const char *)in + (size_t)n * size,
                                                                           row * spec->stride - spec->before,
                                                                           column * spec->stride - spec->before, to);
}

LENS_CLONES void lens_mean_positions(int count, int positions, int channels, const float *in, float *out)
{
    const float share = 1.0f / (float)positions;
    for (int n = 0; n < count; n++) {
        const float *map = in + (size_t)n * (size_t)positions * (size_t)channels; /* [positions, channels] */
        float *mean = out + (size_t)n * (size_t)channels;
        memset(mean, 0, (size_t)channels * sizeof *mean);
        for (int p = 0; p < positions; p++, map += channels)
            for (int c = 0; c < channels; c++)
                mean[c] += map[c];
        for (int c = 0; c < channels; c++)
            mean[c] *= share;
    }
}

void lens_mean_parts(int positions, int channels, const float *in, float *parts)
{
    const size_t count = (size_t)positions * (size_t)channels;
    for (size_t i = 0; i < count; i++)
        parts[i] = in[i] / (float)positions;
    memset(parts + count, 0, (size_t)channels * sizeof *parts);
}
