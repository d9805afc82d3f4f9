/* The layers of layers.h in plain C: slow, and plain enough to be believed. Sums are kept in double precision, so that
 * what separates the two backends is the fast one's rounding. One thread, whatever a stream was asked for. */
#include <math.h>
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

/* A linear layer is a convolution of a row at a time. */
static lens_conv_spec conv_of(const lens_layer *layer)
{
    if (layer->kind == LENS_LAYER_CONV)
        return layer->conv;
    return (lens_conv_spec){.height = 1, .width = 1, .in = layer->linear.in, .out = layer->linear.out, .groups = 1, .kernel = 1,
                            .stride = 1, .sum = layer->linear.sum, .activation = layer->linear.activation};
}

struct conv {
    float *weights; /* [kernel, kernel, groups, in / groups, out / groups]: the innermost loop runs over outputs */
    float *bias;    /* [out] */
};

static int pack(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    (void)engine;
    const lens_conv_spec shape = conv_of(layer), *spec = &shape;
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

static void unpack(lens_layer *layer)
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
    switch (activation) {
    case LENS_ACTIVATION_CLIP6:
        return value < 0 ? 0 : value > 6 ? 6 : value;
    case LENS_ACTIVATION_RELU:
        return value < 0 ? 0 : value;
    case LENS_ACTIVATION_GELU:
        return value * 0.5 * (1 + erf(value / sqrt(2)));
    case LENS_ACTIVATION_QUICK_GELU:
        return value / (1 + exp(-1.702 * value));
    case LENS_ACTIVATION_NONE:
        break;
    }
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

static int product(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    (void)stream;
    const lens_conv_spec spec = conv_of(layer);
    const int height = lens_conv_out_height(&spec), width = lens_conv_out_width(&spec);
    double *sums = calloc((size_t)spec.out, sizeof *sums);
    if (!sums)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    for (int n = 0; n < count; n++, in += layer->in_size)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++, out += spec.out)
                convolve_at(&spec, layer->packed, in, y, x, sums, out);
    free(sums);
    return 0;
}

/* What token R of a text or picture sees through one head: QKV begins at that head's first query, rows are STRIDE floats apart, keys and
 * values PART and 2 * PART further on. SHARES [tokens] is scratch, OUT [width]. */
static void attend(const lens_attention_spec *spec, int tokens, int r, const float *qkv, size_t stride, size_t part, double *shares,
                   float *out)
{
    const float *query = qkv + (size_t)r * stride;
    int seen = spec->causal ? r + 1 : tokens;
    double top = -INFINITY, sum = 0;
    for (int t = 0; t < seen; t++) {
        const float *key = qkv + (size_t)t * stride + part;
        shares[t] = 0;
        for (int i = 0; i < spec->width; i++)
            shares[t] += (double)query[i] * (double)key[i];
        shares[t] /= sqrt(spec->width);
        top = fmax(top, shares[t]);
    }
    for (int t = 0; t < seen; t++)
        sum += shares[t] = exp(shares[t] - top);
    for (int i = 0; i < spec->width; i++) {
        double value = 0;
        for (int t = 0; t < seen; t++)
            value += shares[t] / sum * (double)qkv[(size_t)t * stride + 2 * part + (size_t)i];
        out[i] = (float)value;
    }
}

static int attention(lens_stream *stream, const lens_layer *layer, int count, int tokens, const float *qkv, float *out, lens_error *err)
{
    (void)stream;
    const lens_attention_spec *spec = &layer->attention;
    const size_t part = layer->out_size, stride = layer->in_size, width = (size_t)spec->width;
    double *shares = calloc((size_t)tokens, sizeof *shares);
    if (!shares)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    for (int n = 0; n < count; n++, qkv += (size_t)tokens * stride)
        for (int r = 0; r < tokens; r++, out += part)
            for (int h = 0; h < spec->heads; h++)
                attend(spec, tokens, r, qkv + (size_t)h * width, stride, part, shares, out + (size_t)h * width);
    free(shares);
    return 0;
}

/* The group of channels FIRST to LAST (exclusive) of one picture. */
static void norm_group(const lens_layer *layer, int first, int last, const float *in, float *out)
{
    const lens_group_norm_spec *spec = &layer->norm;
    const size_t channels = (size_t)spec->channels, positions = (size_t)spec->positions;
    const double count = (double)(last - first) * spec->positions;
    double mean = 0, variance = 0;
    for (size_t p = 0; p < positions; p++)
        for (int c = first; c < last; c++)
            mean += (double)in[p * channels + (size_t)c] / count;
    for (size_t p = 0; p < positions; p++)
        for (int c = first; c < last; c++)
            variance += pow((double)in[p * channels + (size_t)c] - mean, 2) / count;
    for (size_t p = 0; p < positions; p++)
        for (int c = first; c < last; c++) {
            double value = ((double)in[p * channels + (size_t)c] - mean) / sqrt(variance + spec->epsilon);
            out[p * channels + (size_t)c] = (float)activate(spec->activation, value * (double)layer->gamma[c] + (double)layer->beta[c]);
        }
}

static int norm(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    (void)stream, (void)err;
    const int each = layer->norm.channels / layer->norm.groups;
    for (int n = 0; n < count; n++, in += layer->in_size, out += layer->out_size)
        for (int g = 0; g < layer->norm.groups; g++)
            norm_group(layer, g * each, (g + 1) * each, in, out);
    return 0;
}

const lens_backend_functions lens_backend_plain = {
    engine_open, engine_close, pack, unpack, stream_open, stream_close, product, attention, norm,
};
