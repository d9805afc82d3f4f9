/* How weights are rounded to the type that they are multiplied in, and what the outputs lose by it on average, which the bias makes up for:
 * Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019). */
#include <math.h>
#include <string.h>

#include "nn/backend.h"

void lens_weights_to_bytes(const lens_layer *layer, const float *weights, int8_t *bytes, float *scales, int32_t *sums, float *lost)
{
    const bool conv = layer->kind == LENS_LAYER_CONV;
    const size_t out = (size_t)(conv ? layer->conv.out : layer->linear.out);
    const size_t taps = conv ? (size_t)layer->conv.kernel * (size_t)layer->conv.kernel : 1;
    const size_t in = (size_t)(conv ? layer->conv.in / layer->conv.groups : layer->linear.in), each = in * taps;
    const size_t group = conv ? out / (size_t)layer->conv.groups : out;
    const float *means = conv ? layer->conv.in_means : NULL;
    for (size_t o = 0; o < out; o++, weights += each, bytes += each) {
        const size_t first = o / group * in;
        const float *steps = layer->in_scales ? layer->in_scales + first : NULL;
        float most = 0;
        for (size_t i = 0; i < each; i++)
            most = fmaxf(most, fabsf(weights[i] * (steps ? steps[i / taps] : 1)));
        scales[o] = most > 0 ? most / 127 : 1;
        sums[o] = 0;
        double missing = 0;
        for (size_t i = 0; i < each; i++) {
            const float step = steps ? steps[i / taps] : 1;
            bytes[i] = (int8_t)lrintf(weights[i] * step / scales[o]);
            sums[o] += bytes[i];
            if (means)
                missing += ((double)weights[i] - (double)bytes[i] * (double)scales[o] / (double)step) * (double)means[first + i / taps];
        }
        lost[o] = (float)missing;
    }
}

static float nearest_half(float value)
{
    uint16_t half;
    lens_items_store(LENS_TYPE_BF16, &value, 1, 1, &half);
    lens_items_load(LENS_TYPE_BF16, &half, 1, 1, 0, &value);
    return value;
}

void lens_weights_to_halves(const lens_layer *layer, const float *weights, float *lost)
{
    const lens_conv_spec *spec = &layer->conv;
    if (layer->kind != LENS_LAYER_CONV || !spec->in_means)
        return;
    const size_t taps = (size_t)spec->kernel * (size_t)spec->kernel, in = (size_t)(spec->in / spec->groups);
    const size_t group = (size_t)(spec->out / spec->groups);
    for (size_t o = 0; o < (size_t)spec->out; o++) {
        const float *means = spec->in_means + o / group * in;
        double missing = 0;
        for (size_t i = 0; i < in * taps; i++, weights++)
            missing += ((double)*weights - (double)nearest_half(*weights)) * (double)means[i / taps];
        lost[o] = (float)missing;
    }
}
