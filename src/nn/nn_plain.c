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
                            .stride = 1, .sum = layer->linear.sum, .activation = layer->linear.activation,
                            .zero = layer->from == LENS_TYPE_BYTES ? LENS_BYTE_ZERO : 0};
}

struct conv {
    float *weights; /* [kernel, kernel, groups, in / groups, out / groups]: the innermost loop runs over outputs */
    float *bias;    /* [out] */
};

/* A copy of WEIGHTS [out, each], rounded as the type that they are multiplied in rounds them; what that changes goes to LOST [out]. NULL when
 * memory is short. */
static float *rounded(const lens_layer *layer, const float *weights, size_t out, size_t each, float *lost)
{
    const lens_conv_spec spec = conv_of(layer);
    const size_t taps = (size_t)spec.kernel * (size_t)spec.kernel, in = each / taps, group = out / (size_t)spec.groups;
    float *copy = lens_floats_new(out * each), *scales = lens_floats_new(out);
    int8_t *bytes = malloc(out * each);
    int32_t *sums = malloc(out * sizeof *sums);
    bool done = copy && scales && bytes && sums;
    if (done)
        memcpy(copy, weights, out * each * sizeof *copy);
    if (done && layer->from == LENS_TYPE_BF16) {
        uint16_t *halves = malloc(out * each * sizeof *halves);
        if ((done = halves)) {
            lens_weights_to_halves(layer, weights, lost);
            lens_items_store(LENS_TYPE_BF16, weights, out, each, halves);
            lens_items_load(LENS_TYPE_BF16, halves, out, each, 0, copy);
        }
        free(halves);
    }
    if (done && layer->from == LENS_TYPE_BYTES) {
        lens_weights_to_bytes(layer, weights, bytes, scales, sums, lost);
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < each; i++) {
                float step = layer->in_scales ? layer->in_scales[o / group * in + i / taps] : 1;
                copy[o * each + i] = (float)bytes[o * each + i] * scales[o] / step;
            }
    }
    free(scales);
    free(bytes);
    free(sums);
    if (!done) {
        free(copy);
        copy = NULL;
    }
    return copy;
}

static int pack_rounded(lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    const lens_conv_spec shape = conv_of(layer), *spec = &shape;
    size_t in = (size_t)(spec->in / spec->groups), out = (size_t)(spec->out / spec->groups);
    size_t taps = (size_t)spec->kernel * (size_t)spec->kernel;
    size_t count;
    struct conv *conv = layer->packed = calloc(1, sizeof *conv);
    if (!conv || __builtin_mul_overflow(taps * (size_t)spec->out, in, &count) || !(conv->weights = lens_floats_new(count)) ||
        !(conv->bias = lens_floats_new((size_t)spec->out)))
        return lens_fail_memory_for(err, layer->name);
    memcpy(conv->bias, bias, (size_t)spec->out * sizeof *bias);
    for (size_t g = 0; g < (size_t)spec->groups; g++)
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                for (size_t tap = 0; tap < taps; tap++)
                    conv->weights[((tap * (size_t)spec->groups + g) * in + i) * out + o] =
                        weights[((g * out + o) * in + i) * taps + tap];
    return 0;
}

static int pack(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    (void)engine;
    const lens_conv_spec spec = conv_of(layer);
    const size_t each = (size_t)(spec.in / spec.groups) * (size_t)spec.kernel * (size_t)spec.kernel;
    float *made_up = calloc((size_t)spec.out, sizeof *made_up);
    float *copy = made_up ? rounded(layer, weights, (size_t)spec.out, each, made_up) : NULL;
    for (int o = 0; copy && o < spec.out; o++)
        made_up[o] += bias[o];
    int result = copy ? pack_rounded(layer, copy, made_up, err) : lens_fail_memory_for(err, layer->name);
    free(made_up);
    free(copy);
    return result;
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

/* No file suits slow layers. */
static int take(const lens_engine *engine, lens_layer *layer, lens_error *err)
{
    (void)engine;
    return lens_fail(err, LENS_E_UNSUPPORTED, "%s: plain layers are not kept in files", layer->name);
}

static int keep(const lens_layer *layer, lens_packing *packing, lens_error *err)
{
    (void)packing;
    return lens_fail(err, LENS_E_UNSUPPORTED, "%s: plain layers are not kept in files", layer->name);
}

static const char *kind(void)
{
    return "plain";
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

/* COUNT items IN of LAYER's -> floats. NULL when memory is short. */
static float *load(const lens_layer *layer, int count, const void *in)
{
    const lens_conv_spec spec = layer->kind == LENS_LAYER_CONV || layer->kind == LENS_LAYER_LINEAR ? conv_of(layer) : (lens_conv_spec){0};
    float *floats = lens_floats_new((size_t)count * layer->in_size);
    if (floats && layer->kind == LENS_LAYER_CONV && layer->from == LENS_TYPE_BYTES && !spec.factor)
        for (size_t i = 0; i < (size_t)count * layer->in_size; i++) /* without factors, which may not even be there */
            floats[i] = (float)((const uint8_t *)in)[i] - spec.zero;
    else if (floats)
        lens_items_load(layer->from, in, (size_t)count, layer->in_size, spec.zero, floats);
    for (size_t i = 0; floats && layer->in_scales && i < (size_t)count * layer->in_size; i++)
        floats[i] *= layer->in_scales[i % (size_t)spec.in];
    return floats;
}

/* The other way round: FLOATS -> COUNT items OUT. */
static void store(const lens_layer *layer, int count, const float *floats, void *out)
{
    const size_t size = (size_t)count * layer->out_size;
    uint8_t *bytes = out;
    if (layer->kind != LENS_LAYER_CONV || layer->to != LENS_TYPE_BYTES) {
        lens_items_store(layer->to, floats, (size_t)count, layer->out_size, out);
        return;
    }
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)fmin(fmax(rint((double)floats[i] / (double)layer->out_scales[i % (size_t)layer->conv.out]) + layer->conv.out_zero, 0), 255);
    for (int n = 0; n < count; n++)
        lens_items_factors(out, (size_t)count, layer->out_size)[n] = 1;
}

static int convolve(const lens_layer *layer, int count, const float *in, float *out)
{
    const lens_conv_spec spec = conv_of(layer);
    const int height = lens_conv_out_height(&spec), width = lens_conv_out_width(&spec);
    double *sums = calloc((size_t)spec.out, sizeof *sums);
    if (!sums)
        return -1;
    for (int n = 0; n < count; n++, in += layer->in_size)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++, out += spec.out)
                convolve_at(&spec, layer->packed, in, y, x, sums, out);
    free(sums);
    return 0;
}

static int product(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    (void)stream;
    float *from = load(layer, count, in), *to = lens_floats_new((size_t)count * layer->out_size);
    int result = from && to ? 0 : -1;
    if (result == 0 && conv_of(layer).sum)
        lens_items_load(layer->to, out, (size_t)count, layer->out_size, 0, to);
    if (result == 0)
        result = convolve(layer, count, from, to);
    if (result == 0)
        store(layer, count, to, out);
    free(from);
    free(to);
    return result == 0 ? 0 : lens_fail_memory_for(err, layer->name);
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

static int attention(lens_stream *stream, const lens_layer *layer, int count, int tokens, const void *qkv, void *out, lens_error *err)
{
    (void)stream;
    const lens_attention_spec *spec = &layer->attention;
    const size_t part = layer->out_size, stride = layer->in_size, width = (size_t)spec->width, rows = (size_t)count * (size_t)tokens;
    double *shares = calloc((size_t)tokens, sizeof *shares);
    float *from = load(layer, count * tokens, qkv), *to = lens_floats_new(rows * part);
    int result = shares && from && to ? 0 : lens_fail_memory_for(err, layer->name);
    for (size_t row = 0; result == 0 && row < rows; row++)
        for (int h = 0; h < spec->heads; h++) {
            const size_t first = row / (size_t)tokens * (size_t)tokens;
            attend(spec, tokens, (int)(row - first), from + first * stride + (size_t)h * width, stride, part, shares,
                   to + row * part + (size_t)h * width);
        }
    if (result == 0)
        lens_items_store(layer->to, to, rows, part, out);
    free(shares);
    free(from);
    free(to);
    return result;
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

/* Behind a ReLU bytes begin at 0, and the largest number of a picture is 255. */
static void store_positive(const lens_layer *layer, int count, const float *floats, void *out)
{
    const size_t size = layer->out_size;
    for (size_t n = 0; n < (size_t)count; n++) {
        double most = 0;
        for (size_t i = 0; i < size; i++)
            if (isnan(floats[n * size + i]) || (double)floats[n * size + i] > most)
                most = (double)floats[n * size + i]; /* what is no number stays: nothing is above it */
        for (size_t i = 0; i < size; i++)
            ((uint8_t *)out)[n * size + i] = (uint8_t)(most > 0 ? rint((double)floats[n * size + i] * 255 / most) : 0);
        lens_items_factors(out, (size_t)count, size)[n] = (float)(most / 255);
    }
}

static int norm(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    (void)stream;
    const int each = layer->norm.channels / layer->norm.groups;
    const size_t size = layer->in_size;
    float *from = load(layer, count, in), *to = lens_floats_new((size_t)count * size);
    int result = from && to ? 0 : lens_fail_memory_for(err, layer->name);
    for (size_t n = 0; result == 0 && n < (size_t)count; n++)
        for (int g = 0; g < layer->norm.groups; g++)
            norm_group(layer, g * each, (g + 1) * each, from + n * size, to + n * size);
    if (result == 0 && layer->kind == LENS_LAYER_GROUP_NORM && layer->to == LENS_TYPE_BYTES)
        store_positive(layer, count, to, out);
    else if (result == 0)
        lens_items_store(layer->to, to, (size_t)count, size, out);
    free(from);
    free(to);
    return result;
}

/* Any is as slow as the others. */
static bool is_fast(lens_type type)
{
    (void)type;
    return true;
}

const lens_backend_functions lens_backend_plain = {
    .engine_open = engine_open, .engine_close = engine_close, .pack = pack, .unpack = unpack, .take = take, .keep = keep, .kind = kind,
    .stream_open = stream_open, .stream_close = stream_close, .product = product, .attention = attention, .norm = norm, .is_fast = is_fast,
};
