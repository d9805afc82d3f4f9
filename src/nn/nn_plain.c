/* The layers of layers.h in plain C: slow, and plain enough to be believed. Sums are kept in double precision, so that
 * what separates the two backends is the fast one's rounding. One thread, whatever a stream was asked for. */
#include <stdlib.h>
#include <string.h>

#include "nn/backend.h"

static int engine_open(lens_engine *engine, lens_error *err)
{
    (void)engine, (void)err;
    return 0;
}

static void engine_close(lens_engine *engine)
{
    (void)engine;
}

struct conv {
    float *weights; /* [kernel, kernel, groups, in / groups, out / groups]: the innermost loop runs over outputs */
    float *bias;    /* [out] */
};

static int conv_pack(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    (void)engine;
    const lens_conv_spec *spec = &layer->conv;
    size_t in = (size_t)(spec->in / spec->groups), out = (size_t)(spec->out / spec->groups);
    size_t taps = (size_t)spec->kernel * (size_t)spec->kernel;
    size_t count;
    struct conv *conv = layer->packed = calloc(1, sizeof *conv);
    if (!conv || __builtin_mul_overflow(taps * (size_t)spec->out, in, &count) || !(conv->weights = lens_floats_new(count)) ||
        !(conv->bias = lens_floats_new((size_t)spec->out)))
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    memcpy(conv->bias, bias, (size_t)spec->out * sizeof *bias);
    for (size_t g = 0; g < (size_t)spec->groups; g++)
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                for (size_t tap = 0; tap < taps; tap++)
                    conv->weights[((tap * (size_t)spec->groups + g) * in + i) * out + o] =
                        weights[((g * out + o) * in + i) * taps + tap];
    return 0;
}

static void conv_free(lens_layer *layer)
{
    struct conv *conv = layer->packed;
    if (conv) {
        free(conv->weights);
        free(conv->bias);
        free(conv);
    }
}

static int stream_open(lens_stream *stream, lens_error *err)
{
    (void)stream, (void)err;
    return 0;
}

static void stream_close(lens_stream *stream)
{
    (void)stream;
}

/* Adds to SUMS [out] what one PIXEL [in] gives through the weights of one tap. */
static void add_tap(const lens_conv_spec *spec, const float *weights, const float *pixel, double *sums)
{
    int in = spec->in / spec->groups, out = spec->out / spec->groups;
    for (int g = 0; g < spec->groups; g++)
        for (int i = 0; i < in; i++, weights += out)
            for (int o = 0; o < out; o++)
                sums[g * out + o] += (double)pixel[g * in + i] * (double)weights[o];
}

static double activate(lens_activation activation, double value)
{
    if (activation == LENS_ACTIVATION_CLIP6)
        return value < 0 ? 0 : value > 6 ? 6 : value;
    return value;
}

/* One position (Y, X) of one picture's output, [out]. */
static void convolve_at(const lens_conv_spec *spec, const struct conv *conv, const float *picture, int y, int x, double *sums,
                        float *out)
{
    for (int o = 0; o < spec->out; o++)
        sums[o] = (double)conv->bias[o] + (spec->sum ? (double)out[o] : 0);
    for (int ky = 0; ky < spec->kernel; ky++)
        for (int kx = 0; kx < spec->kernel; kx++) {
            int row = y * spec->stride + ky - spec->before[0], column = x * spec->stride + kx - spec->before[1];
            if (row < 0 || row >= spec->height || column < 0 || column >= spec->width)
                continue;
            const float *pixel = picture + ((size_t)row * (size_t)spec->width + (size_t)column) * (size_t)spec->in;
            size_t tap = (size_t)ky * (size_t)spec->kernel + (size_t)kx;
            add_tap(spec, conv->weights + tap * (size_t)(spec->in / spec->groups) * (size_t)spec->out, pixel, sums);
        }
    for (int o = 0; o < spec->out; o++)
        out[o] = (float)activate(spec->activation, sums[o]);
}

static int conv_run(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    (void)stream;
    double *sums = calloc((size_t)layer->conv.out, sizeof *sums);
    if (!sums)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    for (int n = 0; n < count; n++, in += layer->in_size)
        for (int y = 0; y < layer->out_height; y++)
            for (int x = 0; x < layer->out_width; x++, out += layer->conv.out)
                convolve_at(&layer->conv, layer->packed, in, y, x, sums, out);
    free(sums);
    return 0;
}

const lens_backend_functions lens_backend_plain = {
    engine_open, engine_close, conv_pack, conv_free, stream_open, stream_close, conv_run,
};
