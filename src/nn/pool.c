/* Pooling over positions, the same for both backends: exact but for the order of a sum. */
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

/* BEST [channels] = max(BEST, VALUES). */
static inline void take_larger(int channels, const float *values, float *best)
{
    for (int c = 0; c < channels; c++)
        best[c] = values[c] > best[c] ? values[c] : best[c];
}

/* One window of PICTURE, its first position at (TOP, LEFT). */
LENS_CLONES static void pool_window(const lens_pool_spec *spec, const float *picture, int top, int left, float *best)
{
    const size_t channels = (size_t)spec->channels;
    int last_row = top + spec->kernel < spec->height ? top + spec->kernel : spec->height;
    int last_column = left + spec->kernel < spec->width ? left + spec->kernel : spec->width;
    int first_row = top > 0 ? top : 0, first_column = left > 0 ? left : 0;
    const float *first = picture + ((size_t)first_row * (size_t)spec->width + (size_t)first_column) * channels;
    memcpy(best, first, channels * sizeof *best);
    for (int row = first_row; row < last_row; row++)
        for (int column = first_column; column < last_column; column++)
            take_larger(spec->channels, picture + ((size_t)row * (size_t)spec->width + (size_t)column) * channels, best);
    bool zeros = top < 0 || left < 0 || top + spec->kernel > spec->height || left + spec->kernel > spec->width;
    for (int c = 0; zeros && c < spec->channels; c++)
        best[c] = best[c] > 0 ? best[c] : 0;
}

void lens_max_pool(const lens_pool_spec *spec, int count, const float *in, float *out)
{
    const size_t size = (size_t)spec->height * (size_t)spec->width * (size_t)spec->channels;
    const int height = lens_pool_out_height(spec), width = lens_pool_out_width(spec);
    for (int n = 0; n < count; n++, in += size)
        for (int row = 0; row < height; row++)
            for (int column = 0; column < width; column++, out += spec->channels)
                pool_window(spec, in, row * spec->stride - spec->before, column * spec->stride - spec->before, out);
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
