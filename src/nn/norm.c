/* Norms: what a layer keeps of them, and the fast pass of the oneDNN backend.
 *
 * No mean or variance comes from the plain sums of x and x^2, which cancel where the mean is large. A layer norm's row is in the first
 * cache, and is gone through twice; a group norm's map may be megabytes, and is gone through once, by the distances from a first value. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clones.h"
#include "nn/backend.h"

enum { LANES = 16, RUN = 32 };

static lens_layer *norm_new(lens_engine *engine, const char *name, lens_layer_kind kind, const lens_group_norm_spec *spec,
                            const float *gamma, const float *beta, lens_error *err)
{
    enum { MOST = 1 << 24 };
    if (spec->channels < 1 || spec->channels > MOST || spec->positions < 1 || spec->positions > MOST || spec->groups < 1 ||
        spec->channels % spec->groups != 0 || !(spec->epsilon > 0) ||
        (spec->activation != LENS_ACTIVATION_NONE && spec->activation != LENS_ACTIVATION_RELU) || spec->from == LENS_TYPE_BYTES ||
        (spec->to == LENS_TYPE_BYTES && kind == LENS_LAYER_GROUP_NORM && spec->activation != LENS_ACTIVATION_RELU)) {
        lens_fail(err, LENS_E_ARGUMENT, "%s: an impossible norm of %d channels in %d groups", name, spec->channels, spec->groups);
        return NULL;
    }
    lens_layer *layer = lens_layer_add(engine, name, kind, err);
    if (!layer)
        return NULL;
    size_t channels = (size_t)spec->channels;
    layer->norm = *spec;
    layer->from = spec->from;
    layer->to = spec->to;
    layer->in_size = layer->out_size = channels * (size_t)spec->positions;
    layer->gamma = lens_floats_new(channels);
    layer->beta = lens_floats_new(channels);
    if (!layer->gamma || !layer->beta) {
        lens_fail_memory_for(err, name);
        return NULL;
    }
    char run[LENS_PACKED_NAME];
    if (engine->packed) {
        lens_run_name(layer, "gamma", run);
        gamma = lens_packed_find(engine->packed, run, channels * sizeof *gamma, err);
        lens_run_name(layer, "beta", run);
        beta = gamma ? lens_packed_find(engine->packed, run, channels * sizeof *beta, err) : NULL;
        if (!beta)
            return NULL;
    }
    memcpy(layer->gamma, gamma, channels * sizeof *gamma);
    memcpy(layer->beta, beta, channels * sizeof *beta);
    return layer;
}

lens_layer *lens_norm_new(lens_engine *engine, const char *name, int channels, double epsilon, lens_type to, const float *gamma,
                          const float *beta, lens_error *err)
{
    const lens_group_norm_spec spec = {.positions = 1, .channels = channels, .groups = 1, .epsilon = epsilon, .to = to};
    return norm_new(engine, name, LENS_LAYER_NORM, &spec, gamma, beta, err);
}

const float *lens_norm_gamma(const lens_layer *layer)
{
    return layer->gamma;
}

lens_layer *lens_group_norm_new(lens_engine *engine, const char *name, const lens_group_norm_spec *spec, const float *gamma,
                                const float *beta, lens_error *err)
{
    return norm_new(engine, name, LENS_LAYER_GROUP_NORM, spec, gamma, beta, err);
}

static int run(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    if (lens_layer_ready(stream, layer, count, err) != 0 || stream->engine->backend->norm(stream, layer, count, in, out, err) != 0)
        return -1;
    lens_layer_seen(stream, layer, count, out);
    return 0;
}

int lens_norm_run(lens_stream *stream, const lens_layer *layer, int rows, const float *in, void *out, lens_error *err)
{
    return run(stream, layer, rows, in, out, err);
}

int lens_group_norm_run(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    return run(stream, layer, count, in, out, err);
}

/* ---- layer norms: each sum in sixteen parts, as the compiler may not reorder one ----------------------------------- */

static inline float sum_of(const float sums[LANES])
{
    float parts[LANES];
    memcpy(parts, sums, sizeof parts);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            parts[lane] += parts[lane + half];
    return parts[0];
}

/* One row [channels], a layer norm. */
LENS_CLONES static void norm_row(const lens_layer *layer, const float *in, float *out)
{
    const int channels = layer->norm.channels, whole = channels / LANES * LANES;
    float sums[LANES] = {0};
    for (int c = 0; c < whole; c += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += in[c + lane];
    for (int c = whole; c < channels; c++)
        sums[c - whole] += in[c];
    const float mean = sum_of(sums) / (float)channels;
    memset(sums, 0, sizeof sums);
    for (int c = 0; c < whole; c += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += (in[c + lane] - mean) * (in[c + lane] - mean);
    for (int c = whole; c < channels; c++)
        sums[c - whole] += (in[c] - mean) * (in[c] - mean);
    const float scale = 1 / sqrtf(sum_of(sums) / (float)channels + (float)layer->norm.epsilon);
    for (int c = 0; c < channels; c++)
        out[c] = (in[c] - mean) * scale * layer->gamma[c] + layer->beta[c];
}

/* ---- group norms ------------------------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) float number_at(lens_type type, const void *in, size_t i)
{
    if (type == LENS_TYPE_F32)
        return ((const float *)in)[i];
    const uint32_t bits = (uint32_t)((const uint16_t *)in)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What one pass over a picture finds out of each channel. The values' distances from its first one are summed, and their squares: near
 * enough to the mean that nothing cancels, and known beforehand. */
struct channels {
    float *pivot;
    float *least, *most; /* for bytes only */
    double *all, *all_squares;
};

/* Channels FIRST to FIRST + RUN, at most, of the positions from P on: sums stay in registers. EXTREMES: whether least and most are wanted. */
static inline __attribute__((always_inline)) void look_at_run(lens_type type, int p, int last, int channels, int first, int run, bool extremes,
                                                              const void *in, struct channels *c)
{
    float pivot[RUN], sums[RUN] = {0}, squares[RUN] = {0}, least[RUN], most[RUN];
    for (int i = 0; i < run; i++) {
        pivot[i] = c->pivot[first + i];
        least[i] = c->least[first + i];
        most[i] = c->most[first + i];
    }
    for (; p < last; p++)
        for (int i = 0; i < run; i++) {
            const float value = number_at(type, in, (size_t)p * (size_t)channels + (size_t)(first + i)), distance = value - pivot[i];
            sums[i] += distance;
            squares[i] += distance * distance;
            if (extremes) {
                least[i] = value < least[i] ? value : least[i];
                most[i] = value > most[i] ? value : most[i];
            }
        }
    for (int i = 0; i < run; i++) {
        c->all[first + i] += (double)sums[i];
        c->all_squares[first + i] += (double)squares[i];
        c->least[first + i] = least[i];
        c->most[first + i] = most[i];
    }
}

/* In blocks of positions, so that no float sums more than some dozens of values. */
static inline __attribute__((always_inline)) void look(lens_type type, int positions, int channels, bool extremes, const void *in,
                                                       struct channels *c)
{
    enum { BLOCK = 64 };
    for (int i = 0; i < channels; i++) {
        c->pivot[i] = c->least[i] = c->most[i] = number_at(type, in, (size_t)i);
        c->all[i] = c->all_squares[i] = 0;
    }
    for (int p = 0; p < positions; p += BLOCK) {
        const int last = p + BLOCK < positions ? p + BLOCK : positions;
        int first = 0;
        for (; first + RUN <= channels; first += RUN)
            look_at_run(type, p, last, channels, first, RUN, extremes, in, c);
        for (; first < channels; first++)
            look_at_run(type, p, last, channels, first, 1, extremes, in, c);
    }
}

#define LOOK(name, type, extremes)                                                                                                     \
    LENS_CLONES static void name(int positions, int channels, const void *in, struct channels *c)                                      \
    {                                                                                                                                  \
        look(type, positions, channels, extremes, in, c);                                                                              \
    }
LOOK(look_floats, LENS_TYPE_F32, false)
LOOK(look_halves, LENS_TYPE_BF16, false)
LOOK(look_floats_for_bytes, LENS_TYPE_F32, true)
LOOK(look_halves_for_bytes, LENS_TYPE_BF16, true)
#undef LOOK

typedef void looker(int positions, int channels, const void *in, struct channels *c);

static looker *const lookers[2][2] = {{look_floats, look_floats_for_bytes}, {look_halves, look_halves_for_bytes}};

/* out = in * scale + shift, by channel, and nothing below FLOOR; for bytes the shift is in their steps already. */
static inline __attribute__((always_inline)) void spread(lens_type from, lens_type to, int positions, int channels, const float *scale,
                                                         const float *shift, float floor, const void *in, void *out)
{
    for (size_t p = 0; p < (size_t)positions; p++) {
/* OUT may be IN, but never some of it further on. */
#ifdef __clang__
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
        for (int i = 0; i < channels; i++) {
            const size_t at = p * (size_t)channels + (size_t)i;
            float value = number_at(from, in, at) * scale[i] + shift[i];
            value = value < floor ? floor : value; /* and what is no number stays so */
            if (to == LENS_TYPE_F32) {
                ((float *)out)[at] = value;
            } else if (to == LENS_TYPE_BF16) {
                uint32_t bits;
                memcpy(&bits, &value, sizeof bits);
                ((uint16_t *)out)[at] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
            } else {
                value = value < 255 ? value : 255; /* where a mean is large the largest may be rounded to more */
                ((uint8_t *)out)[at] = (uint8_t)(int)(value + 0.5f);
            }
        }
    }
}

#define SPREAD(name, from, to)                                                                                                        \
    LENS_CLONES static void name(int positions, int channels, const float *scale, const float *shift, float floor, const void *in,     \
                                 void *out)                                                                                           \
    {                                                                                                                                 \
        spread(from, to, positions, channels, scale, shift, floor, in, out);                                                          \
    }
SPREAD(floats_to_floats, LENS_TYPE_F32, LENS_TYPE_F32)
SPREAD(floats_to_halves, LENS_TYPE_F32, LENS_TYPE_BF16)
SPREAD(floats_to_bytes, LENS_TYPE_F32, LENS_TYPE_BYTES)
SPREAD(halves_to_floats, LENS_TYPE_BF16, LENS_TYPE_F32)
SPREAD(halves_to_halves, LENS_TYPE_BF16, LENS_TYPE_BF16)
SPREAD(halves_to_bytes, LENS_TYPE_BF16, LENS_TYPE_BYTES)
#undef SPREAD

typedef void spreader(int positions, int channels, const float *scale, const float *shift, float floor, const void *in, void *out);

static spreader *const spreaders[2][3] = {{floats_to_floats, floats_to_halves, floats_to_bytes},
                                          {halves_to_floats, halves_to_halves, halves_to_bytes}};

/* The mean and the squared distance from it over the channels FIRST to LAST of C. */
static void moments(const struct channels *c, int first, int last, int positions, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (int i = first; i < last; i++)
        sum += (double)c->pivot[i] + c->all[i] / positions;
    *mean = sum / (last - first);
    for (int i = first; i < last; i++) {
        double part = c->all[i] / positions, apart = (double)c->pivot[i] + part - *mean;
        squares += fmax(c->all_squares[i] / positions - part * part, 0) + apart * apart;
    }
    *variance = squares / (last - first);
}

/* One picture. SCALE and SHIFT [channels] are scratch. Returns the factor of bytes. */
static float norm_groups(const lens_layer *layer, const void *in, void *out, struct channels *c, float *scale, float *shift)
{
    const lens_group_norm_spec *spec = &layer->norm;
    const int channels = spec->channels, each = channels / spec->groups;
    lookers[spec->from == LENS_TYPE_BF16][spec->to == LENS_TYPE_BYTES](spec->positions, channels, in, c);
    float most = 0;
    bool numbers = true;
    for (int first = 0; first < channels; first += each) {
        double mean, variance;
        moments(c, first, first + each, spec->positions, &mean, &variance);
        for (int i = first; i < first + each; i++) {
            double by = (double)layer->gamma[i] / sqrt(variance + spec->epsilon);
            scale[i] = (float)by;
            shift[i] = (float)((double)layer->beta[i] - mean * by);
            most = fmaxf(most, fmaxf(c->least[i] * scale[i], c->most[i] * scale[i]) + shift[i]);
            numbers &= isfinite(shift[i]) != 0;
        }
    }
    if (spec->to == LENS_TYPE_BYTES) {
        const float steps = most > 0 && isfinite(255 / most) ? 255 / most : 0;
        for (int i = 0; i < channels; i++) {
            scale[i] *= steps;
            shift[i] *= steps;
        }
    }
    const float floor = spec->activation == LENS_ACTIVATION_RELU ? 0 : -INFINITY;
    spreaders[spec->from == LENS_TYPE_BF16][spec->to](spec->positions, channels, scale, shift, floor, in, out);
    return numbers ? most / 255 : NAN; /* which shows in whatever is made of bytes */
}

static int group_norm(lens_stream *stream, const lens_layer *layer, int count, const char *in, char *out, lens_error *err)
{
    const size_t channels = (size_t)layer->norm.channels, size = layer->in_size;
    double *scratch = lens_stream_scratch(stream, channels * (2 * sizeof(double) + 5 * sizeof(float)));
    if (!scratch)
        return lens_fail_memory_for(err, layer->name);
    float *floats = (float *)(scratch + 2 * channels);
    struct channels c = {floats, floats + channels, floats + 2 * channels, scratch, scratch + channels};
    const size_t in_step = lens_items_size(layer->from, 1, size), out_step = layer->to == LENS_TYPE_BYTES ? size : lens_items_size(layer->to, 1, size);
    for (int n = 0; n < count; n++) {
        float factor = norm_groups(layer, in + (size_t)n * in_step, out + (size_t)n * out_step, &c, floats + 3 * channels, floats + 4 * channels);
        if (layer->to == LENS_TYPE_BYTES)
            lens_items_factors(out, (size_t)count, size)[n] = factor;
    }
    return 0;
}

int lens_norm_fast(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    if (layer->kind == LENS_LAYER_GROUP_NORM)
        return group_norm(stream, layer, count, in, out, err);
    const size_t size = layer->in_size;
    float *scratch = layer->to == LENS_TYPE_F32 ? NULL : lens_stream_scratch(stream, (size_t)stream->threads * size * sizeof *scratch);
    if (layer->to != LENS_TYPE_F32 && !scratch)
        return lens_fail_memory_for(err, layer->name);
#pragma omp parallel for num_threads(stream->threads) if (stream->threads > 1 && count > 1)
    for (int n = 0; n < count; n++) {
        float *row = scratch ? scratch + (size_t)lens_thread() * size : (float *)out + (size_t)n * size;
        norm_row(layer, (const float *)in + (size_t)n * size, row);
        lens_items_store_one(layer->to, row, size, out, (size_t)count, (size_t)n);
    }
    return 0;
}
