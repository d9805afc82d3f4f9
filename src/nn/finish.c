/* What becomes of the whole-number sums of a linear layer of bytes, one row after the other while it is in the first cache: the steps, the
 * zeros, the bias, the activation, the residual, and the next layer's type. */
#include <math.h>
#include <string.h>

#include "base/clones.h"
#include "nn/backend.h"

LENS_CLONES static void scale_row(int width, const int32_t *sums, const int32_t *zeros, float factor, const float *scales, const float *bias,
                                  float *row)
{
    for (int i = 0; i < width; i++)
        row[i] = (float)(sums[i] - zeros[i]) * (scales[i] * factor) + bias[i];
}

/* x sigmoid(1.702 x), by the exponential of what is below zero. */
static inline float quick_gelu_of(float x)
{
    const float power = lens_exp_negative(-1.702f * fabsf(x));
    return x * (x < 0 ? power : 1) / (1 + power);
}

LENS_CLONES static void quick_gelu(int width, float *row)
{
    for (int i = 0; i < width; i++)
        row[i] = quick_gelu_of(row[i]);
}

/* scale_row and quick_gelu in one: most of what is between an int8 transformer's products. */
LENS_CLONES static void scale_and_quick_gelu(int width, const int32_t *sums, const int32_t *zeros, float factor, const float *scales,
                                             const float *bias, float *row)
{
    for (int i = 0; i < width; i++)
        row[i] = quick_gelu_of((float)(sums[i] - zeros[i]) * (scales[i] * factor) + bias[i]);
}

/* x (1 + erf(x / sqrt 2)) / 2; erf by Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 7.1.26, within 1.5e-7: bytes are
 * coarser. */
LENS_CLONES static void gelu(int width, float *row)
{
    for (int i = 0; i < width; i++) {
        float z = fabsf(row[i]) * 0.70710678f, t = 1 / (1 + 0.3275911f * z);
        float sum = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
        float tail = sum * lens_exp_negative(-z * z); /* 1 - erf(z) */
        row[i] *= 0.5f * (row[i] < 0 ? tail : 2 - tail);
    }
}

LENS_CLONES static void clip(int width, float most, float *row)
{
    for (int i = 0; i < width; i++)
        row[i] = row[i] < 0 ? 0 : row[i] > most ? most : row[i];
}

LENS_CLONES static void add_row(int width, const float *row, float *out)
{
    for (int i = 0; i < width; i++)
        out[i] += row[i];
}

static void activate(lens_activation activation, int width, float *row)
{
    switch (activation) {
    case LENS_ACTIVATION_CLIP6:
        clip(width, 6, row);
        break;
    case LENS_ACTIVATION_RELU:
        clip(width, INFINITY, row);
        break;
    case LENS_ACTIVATION_GELU:
        gelu(width, row);
        break;
    case LENS_ACTIVATION_QUICK_GELU:
        quick_gelu(width, row);
        break;
    case LENS_ACTIVATION_NONE:
        break;
    }
}

void lens_finish_rows(const lens_layer *layer, int threads, int rows, const int32_t *sums, const int32_t *zeros, const float *factors,
                      const float *scales, const float *bias, float *scratch, void *out, int count, int first)
{
    const lens_linear_spec *spec = &layer->linear;
    const size_t width = (size_t)spec->out;
    (void)threads; /* is not looked at in a build without OpenMP */
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int r = 0; r < rows; r++) {
        const size_t at = (size_t)(first + r);
        float *floats = (float *)out + at * width; /* where they are */
        float *row = spec->to == LENS_TYPE_F32 && !spec->sum ? floats : scratch + (size_t)lens_thread() * width;
        const bool gelu_too = spec->activation == LENS_ACTIVATION_QUICK_GELU && !spec->sum;
        (gelu_too ? scale_and_quick_gelu : scale_row)(spec->out, sums + (size_t)r * width, zeros, factors[r], scales, bias, row);
        if (spec->sum)
            add_row(spec->out, floats, row);
        if (!gelu_too)
            activate(spec->activation, spec->out, row);
        lens_items_store_one(spec->to, row, width, out, (size_t)count, at);
    }
}
