/* Norms: what a layer keeps of them, and the fast pass of the oneDNN backend.
 *
 * Mean and variance come from the values themselves in two rounds, not from the sums of x and x^2, which cancel where the mean is
 * large; each sum is kept in sixteen parts, as the compiler may not reorder one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clones.h"
#include "nn/backend.h"

enum { LANES = 16 };

static lens_layer *norm_new(lens_engine *engine, const char *name, lens_layer_kind kind, const lens_group_norm_spec *spec,
                            const float *gamma, const float *beta, lens_error *err)
{
    enum { MOST = 1 << 24 };
    if (spec->channels < 1 || spec->channels > MOST || spec->positions < 1 || spec->positions > MOST || spec->groups < 1 ||
        spec->channels % spec->groups != 0 || !(spec->epsilon > 0) ||
        (spec->activation != LENS_ACTIVATION_NONE && spec->activation != LENS_ACTIVATION_RELU)) {
        lens_fail(err, LENS_E_ARGUMENT, "%s: an impossible norm of %d channels in %d groups", name, spec->channels, spec->groups);
        return NULL;
    }
    lens_layer *layer = lens_layer_add(engine, name, kind, err);
    if (!layer)
        return NULL;
    size_t channels = (size_t)spec->channels;
    layer->norm = *spec;
    layer->in_size = layer->out_size = channels * (size_t)spec->positions;
    layer->gamma = lens_floats_new(channels);
    layer->beta = lens_floats_new(channels);
    if (!layer->gamma || !layer->beta) {
        lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", name);
        return NULL;
    }
    memcpy(layer->gamma, gamma, channels * sizeof *gamma);
    memcpy(layer->beta, beta, channels * sizeof *beta);
    return layer;
}

lens_layer *lens_norm_new(lens_engine *engine, const char *name, int channels, double epsilon, const float *gamma, const float *beta,
                          lens_error *err)
{
    const lens_group_norm_spec spec = {.positions = 1, .channels = channels, .groups = 1, .epsilon = epsilon};
    return norm_new(engine, name, LENS_LAYER_NORM, &spec, gamma, beta, err);
}

lens_layer *lens_group_norm_new(lens_engine *engine, const char *name, const lens_group_norm_spec *spec, const float *gamma,
                                const float *beta, lens_error *err)
{
    return norm_new(engine, name, LENS_LAYER_GROUP_NORM, spec, gamma, beta, err);
}

static int run(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    if (lens_layer_ready(stream, layer, count, err) != 0 || stream->engine->backend->norm(stream, layer, count, in, out, err) != 0)
        return -1;
    lens_layer_seen(stream, layer, count, out, (size_t)count * layer->out_size);
    return 0;
}

int lens_norm_run(lens_stream *stream, const lens_layer *layer, int rows, const float *in, float *out, lens_error *err)
{
    return run(stream, layer, rows, in, out, err);
}

int lens_group_norm_run(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    return run(stream, layer, count, in, out, err);
}

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

/* The means over positions of groups of EACH channels of IN [positions, channels], or, with MEANS, of their squared distances from those.
 * SUMS [channels] is scratch; SHARES [groups] is filled. */
LENS_CLONES static void group_means(const lens_group_norm_spec *spec, const float *in, const float *means, float *sums, double *shares)
{
    const int channels = spec->channels, each = channels / spec->groups;
    for (int g = 0; g < spec->groups; g++)
        shares[g] = 0;
    /* In blocks of positions, so that no float sums more than some dozens of values of one sign. */
    for (int first = 0; first < spec->positions; first += 64) {
        int last = first + 64 < spec->positions ? first + 64 : spec->positions;
        memset(sums, 0, (size_t)channels * sizeof *sums);
        for (int p = first; p < last; p++) {
            const float *row = in + (size_t)p * (size_t)channels;
            if (means)
                for (int c = 0; c < channels; c++)
                    sums[c] += (row[c] - means[c]) * (row[c] - means[c]);
            else
                for (int c = 0; c < channels; c++)
                    sums[c] += row[c];
        }
        for (int g = 0; g < spec->groups; g++)
            for (int c = g * each; c < (g + 1) * each; c++)
                shares[g] += (double)sums[c];
    }
    for (int g = 0; g < spec->groups; g++)
        shares[g] /= (double)each * (double)spec->positions;
}

/* out = in * scale + shift, by channel, and nothing below FLOOR. */
LENS_CLONES static void scale_and_shift(int positions, int channels, const float *scale, const float *shift, float floor, const float *in,
                                        float *out)
{
    for (int p = 0; p < positions; p++, in += channels, out += channels)
        for (int c = 0; c < channels; c++) {
            float value = in[c] * scale[c] + shift[c];
            out[c] = value > floor ? value : floor;
        }
}

/* One picture. SCRATCH [3 * channels], SHARES [groups]. */
static void norm_groups(const lens_layer *layer, const float *in, float *out, float *scratch, double *shares)
{
    const lens_group_norm_spec *spec = &layer->norm;
    const int channels = spec->channels, each = channels / spec->groups;
    float *mean = scratch, *scale = mean + channels, *shift = scale + channels; /* SHIFT holds the sums first */
    group_means(spec, in, NULL, shift, shares);
    for (int c = 0; c < channels; c++)
        mean[c] = (float)shares[c / each];
    group_means(spec, in, mean, shift, shares);
    for (int c = 0; c < channels; c++) {
        double factor = (double)layer->gamma[c] / sqrt(shares[c / each] + spec->epsilon);
        scale[c] = (float)factor;
        shift[c] = (float)((double)layer->beta[c] - (double)mean[c] * factor);
    }
    scale_and_shift(spec->positions, channels, scale, shift, spec->activation == LENS_ACTIVATION_RELU ? 0 : -INFINITY, in, out);
}

int lens_norm_fast(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    (void)stream;
    size_t size = layer->in_size, channels = (size_t)layer->norm.channels;
    if (layer->kind == LENS_LAYER_NORM) {
        for (int n = 0; n < count; n++)
            norm_row(layer, in + (size_t)n * size, out + (size_t)n * size);
        return 0;
    }
    float *scratch = malloc(3 * channels * sizeof *scratch);
    double *shares = malloc((size_t)layer->norm.groups * sizeof *shares);
    int result = scratch && shares ? 0 : lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    for (int n = 0; result == 0 && n < count; n++)
        norm_groups(layer, in + (size_t)n * size, out + (size_t)n * size, scratch, shares);
    free(scratch);
    free(shares);
    return result;
}
