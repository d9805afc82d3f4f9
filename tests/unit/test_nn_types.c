/* src/nn in halves and in bytes: the layers on oneDNN against their plain twins, which round as they do and sum in double precision, and
 * the types themselves. */
#include <math.h>

#include "nn/layers.h"
#include "support.h"
#include "weights.h"

static float *some(uint64_t *seed, float range, size_t count)
{
    float *numbers = lens_floats_new(count);
    assert_non_null(numbers);
    test_random_fill(seed, -range, range, count, numbers);
    return numbers;
}

static void *room(lens_type type, size_t count, size_t each)
{
    void *items = aligned_alloc(64, (lens_items_size(type, count, each) + 63) / 64 * 64 + 64);
    assert_non_null(items);
    return memset(items, 0, lens_items_size(type, count, each));
}

/* ROWS as items of TYPE; the caller frees. */
static void *items_of(lens_type type, const float *rows, size_t count, size_t each)
{
    void *items = room(type, count, each);
    lens_items_store(type, rows, count, each, items);
    return items;
}

static bool can(lens_type type)
{
    if (lens_type_is_fast(type))
        return true;
    printf("skipped: this processor has no instructions for %s\n", type == LENS_TYPE_BF16 ? "bf16" : "int8");
    return false;
}

/* ---- the types --------------------------------------------------------------------------------------------------- */

static void test_halves(void **state)
{
    (void)state;
    /* Ties go to the even half; what overflows is infinite; what is no number stays none. */
    const struct {
        uint32_t bits;
        uint16_t half;
    } cases[] = {{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x80000000, 0x8000},
                 {0x7f7fffff, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0xffffffff, 0xffff}, {0x00008001, 0x0001}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float value, back;
        uint16_t half;
        memcpy(&value, &cases[i].bits, sizeof value);
        lens_items_store(LENS_TYPE_BF16, &value, 1, 1, &half);
        assert_int_equal(half, cases[i].half);
        lens_items_load(LENS_TYPE_BF16, &half, 1, 1, 0, &back);
        uint32_t bits;
        memcpy(&bits, &back, sizeof bits);
        assert_int_equal(bits, (uint32_t)half << 16);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    enum { COUNT = 3, EACH = 131 };
    uint64_t seed = 1;
    float *rows = some(&seed, 5, COUNT * EACH), back[COUNT * EACH];
    memset(rows + EACH, 0, EACH * sizeof *rows);
    uint8_t *items = items_of(LENS_TYPE_BYTES, rows, COUNT, EACH);
    const float *factors = lens_items_factors(items, COUNT, EACH);
    lens_items_load(LENS_TYPE_BYTES, items, COUNT, EACH, LENS_BYTE_ZERO, back);
    for (size_t n = 0; n < COUNT; n++) {
        float most = 0;
        for (size_t i = 0; i < EACH; i++)
            most = fmaxf(most, fabsf(rows[n * EACH + i]));
        assert_true(factors[n] == most / 127);
        for (size_t i = 0; i < EACH; i++)
            assert_true(fabsf(rows[n * EACH + i] - back[n * EACH + i]) <= factors[n] * 0.5001f);
    }
    uint8_t *to = room(LENS_TYPE_BYTES, 2, EACH);
    lens_items_copy(LENS_TYPE_BYTES, EACH, items, COUNT, 2, to, 2, 1);
    assert_memory_equal(to + EACH, items + 2 * EACH, EACH);
    assert_true(lens_items_factors(to, 2, EACH)[1] == factors[2]);
    rows[7] = INFINITY; /* shows in whatever is made of the row */
    lens_items_store(LENS_TYPE_BYTES, rows, 1, EACH, items);
    assert_true(isinf(lens_items_factors(items, 1, EACH)[0]));
    free(to);
    free(items);
    free(rows);
}

static void test_channels_to_bytes(void **state)
{
    (void)state;
    for (int channels = 1; channels < 70; channels++) {
        uint64_t seed = (uint64_t)channels;
        float *in = some(&seed, 3, (size_t)channels * 5), *steps = some(&seed, 60, (size_t)channels);
        uint8_t out[70 * 5 + 1];
        out[channels * 5] = 77;
        lens_channels_to_bytes(5, channels, steps, 128, in, out);
        assert_int_equal(out[channels * 5], 77); /* not one too many */
        for (int i = 0; i < channels * 5; i++) {
            double exact = (double)in[i] * (double)steps[i % channels] + 128;
            assert_true(fabs(fmin(fmax(exact, 0), 255) - out[i]) <= 0.5001);
        }
        free(in);
        free(steps);
    }
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Makes and runs a layer on BACKEND; OUT holds what is added to, and gets the result. */
struct trial {
    const lens_conv_spec *conv; /* or: */
    const lens_linear_spec *linear;
    const float *weights, *bias;
    int count, threads;
    const void *in;
};

static void run(int backend, const struct trial *trial, void *out)
{
    lens_error err = {0};
    lens_engine *engine = lens_engine_new((lens_backend)backend, &err);
    assert_done(engine ? 0 : -1, &err);
    lens_layer *layer = trial->conv ? lens_conv_new(engine, "conv", trial->conv, trial->weights, trial->bias, &err)
                                    : lens_linear_new(engine, "linear", trial->linear, trial->weights, trial->bias, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = lens_stream_new(engine, trial->threads, &err);
    assert_done(stream ? 0 : -1, &err);
    assert_done(trial->conv ? lens_conv_run(stream, layer, trial->count, trial->in, out, &err)
                            : lens_linear_run(stream, layer, trial->count, trial->in, out, &err),
                &err);
    lens_stream_free(stream);
    lens_engine_free(engine);
}

/* The largest difference between the backends, over the largest number. Of bytes: between what the bytes stand for. */
static double difference(const struct trial *trial, lens_type to, size_t each, float zero, const float *added)
{
    const size_t count = (size_t)trial->count, all = count * each;
    float *floats[2];
    double most = 0, worst = 0;
    for (int backend = 0; backend < 2; backend++) {
        void *out = added ? items_of(to, added, count, each) : room(to, count, each);
        run(backend, trial, out);
        floats[backend] = lens_floats_new(all);
        lens_items_load(to, out, count, each, zero, floats[backend]);
        free(out);
    }
    for (size_t i = 0; i < all; i++) {
        assert_true(isfinite(floats[0][i]) && isfinite(floats[1][i]));
        most = fmax(most, fabs((double)floats[1][i]));
        worst = fmax(worst, fabs((double)floats[0][i] - (double)floats[1][i]));
    }
    free(floats[0]);
    free(floats[1]);
    return most > 0 ? worst / most : worst;
}

/* What two right answers may be apart: a rounding of the type that they are stored in. */
static double allowed(lens_type to)
{
    return to == LENS_TYPE_BYTES ? 1.01 / 127 : to == LENS_TYPE_BF16 ? 1.01 / 128 : 5e-6;
}

static void test_linear(void **state)
{
    (void)state;
    static const lens_activation activations[] = {LENS_ACTIVATION_NONE, LENS_ACTIVATION_QUICK_GELU, LENS_ACTIVATION_GELU,
                                                  LENS_ACTIVATION_RELU, LENS_ACTIVATION_CLIP6};
    static const int shapes[][3] = {{50, 768, 96}, {1, 64, 64}, {130, 33, 70}, {64, 128, 17}, {65, 12, 40}, {400, 16, 24}};
    double worst[3] = {0};
    for (lens_type from = LENS_TYPE_BF16; from <= LENS_TYPE_BYTES; from++) {
        if (!can(from))
            continue;
        for (size_t i = 0; i < 90; i++) {
            const int *shape = shapes[i % 6];
            lens_linear_spec spec = {.in = shape[1], .out = shape[2], .activation = activations[i / 6 % 5], .from = from,
                                     .to = (lens_type)(i / 30)};
            spec.sum = spec.to == LENS_TYPE_F32 && i % 4 == 1;
            if (spec.to == LENS_TYPE_BYTES && from != LENS_TYPE_BYTES)
                continue;
            uint64_t seed = i;
            const size_t rows = (size_t)shape[0], in = (size_t)shape[1], out = (size_t)shape[2];
            float *weights = some(&seed, 4 / sqrtf((float)in), in * out), *bias = some(&seed, 1, out), *x = some(&seed, 2, rows * in);
            float *added = some(&seed, 1, rows * out);
            void *items = items_of(from, x, rows, in);
            const struct trial trial = {.linear = &spec, .weights = weights, .bias = i % 3 ? bias : NULL, .count = shape[0],
                                 .threads = 1 + (int)(i % 2), .in = items};
            double apart = difference(&trial, spec.to, out, LENS_BYTE_ZERO, spec.sum ? added : NULL);
            worst[spec.to] = fmax(worst[spec.to], apart);
            if (!(apart <= allowed(spec.to)))
                fail_msg("linear %zu: from %d to %d: %g apart", i, (int)from, (int)spec.to, apart);
            free(items);
            free(added);
            free(x);
            free(bias);
            free(weights);
        }
    }
    printf("measured: linear layers of halves and bytes are at most %.2g (floats), %.2g (halves), %.2g (bytes) from plain C\n", worst[0],
           worst[1], worst[2]);
}

static float *positive(uint64_t *seed, float range, size_t count)
{
    float *numbers = some(seed, range, count);
    for (size_t i = 0; i < count; i++)
        numbers[i] = fabsf(numbers[i]) + 0.01f;
    return numbers;
}

/* A convolution of bytes whose bytes, scales and factor are random. */
static void test_convolutions_of_bytes(void **state)
{
    (void)state;
    if (!can(LENS_TYPE_BYTES))
        return;
    double worst[3] = {0};
    for (size_t i = 0; i < 60; i++) {
        uint64_t seed = 50 + i;
        const int kernels[] = {1, 3, 5, 1}, kernel = kernels[i % 4], in = i % 3 ? 24 : 16, pad = i % 5 == 4 ? 0 : kernel / 2;
        const bool depthwise = kernel > 1 && i % 2, zeros = pad == 0 && i % 3 == 1, factor = !zeros && i % 7 == 2;
        lens_conv_spec spec = {.height = 9, .width = 7, .in = in, .out = depthwise ? in : 40, .groups = depthwise ? in : 1, .kernel = kernel,
                               .stride = 1 + (int)(i / 4 % 2), .before = {pad, pad}, .after = {pad, pad}, .from = LENS_TYPE_BYTES,
                               .to = (lens_type)(i % 3), .factor = factor, .zero = zeros ? (i % 2 ? 127.5f : 128) : 0};
        spec.activation = spec.to == LENS_TYPE_BYTES && i % 4 ? LENS_ACTIVATION_CLIP6 : LENS_ACTIVATION_NONE;
        spec.out_zero = spec.to == LENS_TYPE_BYTES && spec.activation == LENS_ACTIVATION_NONE ? LENS_BYTE_ZERO : 0;
        spec.sum = spec.to != LENS_TYPE_BYTES && i % 2;
        const size_t each = 9 * 7 * (size_t)in, taps = (size_t)(kernel * kernel) * (size_t)(in / spec.groups), count = 2;
        const size_t outs = (size_t)(lens_conv_out_height(&spec) * lens_conv_out_width(&spec) * spec.out);
        float *weights = some(&seed, 1 / sqrtf((float)taps), (size_t)spec.out * taps), *bias = some(&seed, 0.5f, (size_t)spec.out);
        float *in_scales = positive(&seed, 0.02f, (size_t)in), *out_scales = positive(&seed, 0.02f, (size_t)spec.out);
        float *means = some(&seed, 1, (size_t)in), *added = some(&seed, 1, count * outs);
        spec.in_scales = i % 2 ? in_scales : NULL;
        spec.in_means = i % 4 == 1 ? means : NULL;
        for (int o = 0; o < spec.out; o++) /* bytes end where a ReLU6 does, or before */
            out_scales[o] = fminf(out_scales[o], 6.0f / 255);
        spec.out_scales = out_scales;
        uint8_t *bytes = room(LENS_TYPE_BYTES, count, each);
        for (size_t b = 0; b < count * each; b++)
            bytes[b] = (uint8_t)(fabsf(weights[b % ((size_t)spec.out * taps)]) * 9001);
        for (size_t n = 0; n < count; n++)
            lens_items_factors(bytes, count, each)[n] = factor ? 0.25f + (float)n : 1;
        const struct trial trial = {.conv = &spec, .weights = weights, .bias = i % 3 ? bias : NULL, .count = (int)count, .threads = 1, .in = bytes};
        double apart = difference(&trial, spec.to, outs, (float)spec.out_zero, spec.sum ? added : NULL);
        worst[spec.to] = fmax(worst[spec.to], apart);
        if (!(apart <= (spec.to == LENS_TYPE_BYTES ? 1.01 / 100 : allowed(spec.to))))
            fail_msg("convolution %zu to %d: %g apart", i, (int)spec.to, apart);
        free(bytes);
        free(added);
        free(means);
        free(out_scales);
        free(in_scales);
        free(bias);
        free(weights);
    }
    printf("measured: convolutions of bytes are at most %.2g (floats), %.2g (halves), %.2g (bytes) from plain C\n", worst[0], worst[1], worst[2]);
}

static void test_convolutions_of_halves(void **state)
{
    (void)state;
    if (!can(LENS_TYPE_BF16))
        return;
    double worst = 0;
    for (size_t i = 0; i < 24; i++) {
        uint64_t seed = 500 + i;
        const int kernel = i % 2 ? 3 : 1, in = i % 3 ? 24 : 3;
        const bool depthwise = in == 24 && i % 4 == 1;
        lens_conv_spec spec = {.height = 8, .width = 11, .in = in, .out = depthwise ? in : 32, .groups = depthwise ? in : 1, .kernel = kernel,
                               .stride = 1 + (int)(i / 8 % 2), .before = {kernel / 2, kernel / 2}, .after = {kernel / 2, kernel / 2},
                               .from = LENS_TYPE_BF16, .to = i % 2 ? LENS_TYPE_BF16 : LENS_TYPE_F32, .sum = i % 3 == 2,
                               .activation = i % 5 ? LENS_ACTIVATION_NONE : LENS_ACTIVATION_CLIP6};
        const size_t each = 8 * 11 * (size_t)in, taps = (size_t)(kernel * kernel) * (size_t)(in / spec.groups), count = 2;
        const size_t outs = (size_t)(lens_conv_out_height(&spec) * lens_conv_out_width(&spec) * spec.out);
        float *weights = some(&seed, 3 / sqrtf((float)taps), (size_t)spec.out * taps), *bias = some(&seed, 0.5f, (size_t)spec.out);
        float *x = some(&seed, 2, count * each), *added = some(&seed, 1, count * outs), *means = some(&seed, 1, (size_t)in);
        spec.in_means = i % 4 == 3 ? means : NULL;
        void *items = items_of(LENS_TYPE_BF16, x, count, each);
        const struct trial trial = {.conv = &spec, .weights = weights, .bias = bias, .count = (int)count, .threads = 1, .in = items};
        double apart = difference(&trial, spec.to, outs, 0, spec.sum ? added : NULL);
        worst = fmax(worst, spec.to == LENS_TYPE_F32 ? apart : 0);
        if (!(apart <= allowed(spec.to)))
            fail_msg("convolution %zu to %d: %g apart", i, (int)spec.to, apart);
        free(items);
        free(means);
        free(added);
        free(x);
        free(bias);
        free(weights);
    }
    printf("measured: convolutions of halves to floats are at most %.2g from plain C\n", worst);
}

/* COUNT texts of TOKENS on both backends. */
static double attention_apart(const lens_attention_spec *spec, int count, int tokens, int threads)
{
    const size_t rows = (size_t)count * (size_t)tokens, part = (size_t)spec->heads * (size_t)spec->width;
    uint64_t seed = rows + part;
    float *qkv = some(&seed, 2, rows * 3 * part), *floats[2];
    void *items = items_of(spec->from, qkv, rows, 3 * part);
    double worst = 0, most = 0;
    for (int backend = 0; backend < 2; backend++) {
        lens_error err = {0};
        lens_engine *engine = lens_engine_new((lens_backend)backend, &err);
        lens_layer *layer = lens_attention_new(engine, "attention", spec, &err);
        assert_done(layer ? 0 : -1, &err);
        lens_stream *stream = lens_stream_new(engine, threads, &err);
        void *out = room(spec->to, rows, part);
        assert_done(lens_attention_run(stream, layer, count, tokens, items, out, &err), &err);
        floats[backend] = lens_floats_new(rows * part);
        lens_items_load(spec->to, out, rows, part, LENS_BYTE_ZERO, floats[backend]);
        free(out);
        lens_stream_free(stream);
        lens_engine_free(engine);
    }
    for (size_t i = 0; i < rows * part; i++) {
        worst = fmax(worst, fabs((double)floats[0][i] - (double)floats[1][i]));
        most = fmax(most, fabs((double)floats[1][i]));
        assert_true(isfinite(floats[0][i]));
    }
    free(floats[0]);
    free(floats[1]);
    free(items);
    free(qkv);
    return worst / most;
}

static void test_attention(void **state)
{
    (void)state;
    static const int tokens[] = {1, 2, 3, 5, 6, 7, 16, 31, 32, 33, 50, 77, 130}, widths[] = {1, 2, 6, 31, 32, 34, 64, 80};
    double floats = 0, halves = 0;
    for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (int kind = 0; kind < 6; kind++) {
                lens_attention_spec spec = {.heads = 3, .width = widths[w], .causal = (t + w) % 2, .to = (lens_type)(kind % 3),
                                            .from = kind < 3 ? LENS_TYPE_F32 : LENS_TYPE_BF16};
                double apart = attention_apart(&spec, 2, tokens[t], 1 + (int)(w % 3));
                /* Halves: the shares are rounded to halves before they are multiplied, where the processor has such products. */
                double most = spec.to == LENS_TYPE_F32 ? (kind < 3 ? 5e-6 : 1.0 / 256) : allowed(spec.to) + 1.0 / 256;
                if (!(apart <= most))
                    fail_msg("%d tokens of width %d, kind %d: %g apart", tokens[t], widths[w], kind, apart);
                if (kind == 0)
                    floats = fmax(floats, apart);
                if (kind == 3)
                    halves = fmax(halves, apart);
            }
    printf("measured: attention is at most %.2g (floats), %.2g (halves) from plain C\n", floats, halves);
}

/* Norms of either kind on both backends. */
static double norm_apart(const lens_group_norm_spec *spec, bool layer_norm, int count, const float *x, bool in_place)
{
    const size_t each = (size_t)spec->positions * (size_t)spec->channels, all = (size_t)count * each;
    uint64_t seed = all;
    float *gamma = some(&seed, 2, (size_t)spec->channels), *beta = some(&seed, 1, (size_t)spec->channels), *floats[2];
    double worst = 0, most = 0;
    for (int backend = 0; backend < 2; backend++) {
        lens_error err = {0};
        lens_engine *engine = lens_engine_new((lens_backend)backend, &err);
        lens_layer *layer = layer_norm ? lens_norm_new(engine, "norm", spec->channels, spec->epsilon, spec->to, gamma, beta, &err)
                                       : lens_group_norm_new(engine, "norm", spec, gamma, beta, &err);
        assert_done(layer ? 0 : -1, &err);
        lens_stream *stream = lens_stream_new(engine, 1, &err);
        void *in = items_of(spec->from, x, (size_t)count, each), *out = in_place ? in : room(spec->to, (size_t)count, each);
        assert_done(layer_norm ? lens_norm_run(stream, layer, count, in, out, &err) : lens_group_norm_run(stream, layer, count, in, out, &err),
                    &err);
        floats[backend] = lens_floats_new(all);
        lens_items_load(spec->to, out, (size_t)count, each, layer_norm ? LENS_BYTE_ZERO : 0, floats[backend]);
        if (!in_place)
            free(out);
        free(in);
        lens_stream_free(stream);
        lens_engine_free(engine);
    }
    for (size_t i = 0; i < all; i++) {
        worst = fmax(worst, fabs((double)floats[0][i] - (double)floats[1][i]));
        most = fmax(most, fabs((double)floats[1][i]));
    }
    free(floats[0]);
    free(floats[1]);
    free(gamma);
    free(beta);
    return worst / most;
}

static void test_norms(void **state)
{
    (void)state;
    for (int to = LENS_TYPE_F32; to <= LENS_TYPE_BYTES; to++)
        for (int channels = 8; channels < 300; channels = channels * 3 + 8) {
            uint64_t seed = (uint64_t)channels;
            float *x = some(&seed, 3, 200 * (size_t)channels);
            const lens_group_norm_spec row = {.positions = 1, .channels = channels, .groups = 1, .epsilon = 1e-5, .to = (lens_type)to};
            double apart = norm_apart(&row, true, 7, x, to == LENS_TYPE_F32);
            if (!(apart <= allowed(row.to)))
                fail_msg("layer norm of %d to %d: %g apart", channels, to, apart);
            for (int from = LENS_TYPE_F32; from <= LENS_TYPE_BF16; from++)
                for (int shifted = 0; shifted < 2; shifted++) {
                    for (size_t i = 0; shifted && from == LENS_TYPE_F32 && i < 200 * (size_t)channels; i++)
                        x[i] += 1000; /* sums of squares would cancel */
                    const lens_group_norm_spec spec = {.positions = 100, .channels = channels, .groups = 4, .epsilon = 1e-5,
                                                       .activation = LENS_ACTIVATION_RELU, .from = (lens_type)from, .to = (lens_type)to};
                    apart = norm_apart(&spec, false, 2, x, from == to);
                    double most = to == LENS_TYPE_F32 ? shifted ? 3e-4 : 5e-6 : to == LENS_TYPE_BYTES ? 1.01 / 255 : allowed(LENS_TYPE_BF16);
                    if (!(apart <= most))
                        fail_msg("group norm of %d from %d to %d: %g apart", channels, from, to, apart);
                    for (size_t i = 0; shifted && from == LENS_TYPE_F32 && i < 200 * (size_t)channels; i++)
                        x[i] -= 1000;
                }
            free(x);
        }
}

static void test_max_pool_of_halves(void **state)
{
    (void)state;
    const lens_pool_spec floats = {.height = 6, .width = 5, .channels = 9, .kernel = 3, .stride = 2, .before = 1, .after = 1};
    lens_pool_spec halves = floats;
    halves.type = LENS_TYPE_BF16;
    const size_t in = 6 * 5 * 9, out = (size_t)(lens_pool_out_height(&floats) * lens_pool_out_width(&floats)) * 9;
    uint64_t seed = 2;
    float *x = some(&seed, 2, 2 * in), *a = lens_floats_new(2 * out), *b = lens_floats_new(2 * out);
    uint16_t *small = items_of(LENS_TYPE_BF16, x, 2, in), *pooled = room(LENS_TYPE_BF16, 2, out);
    for (size_t i = 0; i < 2 * in; i += 17)
        small[i] = 0x8000; /* minus zero */
    lens_items_load(LENS_TYPE_BF16, small, 2, in, 0, x);
    lens_max_pool(&floats, 2, x, a);
    lens_max_pool(&halves, 2, small, pooled);
    lens_items_load(LENS_TYPE_BF16, pooled, 2, out, 0, b);
    for (size_t i = 0; i < 2 * out; i++)
        assert_true(a[i] == b[i]);
    free(pooled);
    free(small);
    free(b);
    free(a);
    free(x);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    lens_error err = {0};
    const float numbers[64] = {0};
    lens_engine *engine = lens_engine_new(LENS_BACKEND_PLAIN, &err);
    const lens_linear_spec linear[] = {{.in = 4, .out = 4, .sum = true, .from = LENS_TYPE_BF16, .to = LENS_TYPE_BF16},
                                       {.in = 4, .out = 4, .from = LENS_TYPE_BF16, .to = LENS_TYPE_BYTES},
                                       {.in = 4, .out = 4, .to = LENS_TYPE_BF16}};
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++)
        assert_null(lens_linear_new(engine, "odd", &linear[i], numbers, NULL, &err));
    const lens_conv_spec good = {.height = 2, .width = 2, .in = 4, .out = 4, .groups = 1, .kernel = 1, .stride = 1, .from = LENS_TYPE_BYTES};
    lens_conv_spec bad[6] = {good, good, good, good, good, good};
    bad[0].to = LENS_TYPE_BYTES; /* of both signs, with 0 as the byte 0 */
    bad[1].zero = 128, bad[1].before[0] = 1;
    bad[2].zero = 128, bad[2].factor = true;
    bad[3].from = LENS_TYPE_F32, bad[3].to = LENS_TYPE_BF16;
    bad[4].from = LENS_TYPE_BF16, bad[4].factor = true;
    bad[5].to = LENS_TYPE_BYTES, bad[5].activation = LENS_ACTIVATION_RELU, bad[5].sum = true;
    assert_non_null(lens_conv_new(engine, "good", &good, numbers, NULL, &err));
    for (size_t i = 0; i < 6; i++)
        assert_null(lens_conv_new(engine, "odd", &bad[i], numbers, NULL, &err));
    const lens_attention_spec attention = {.heads = 1, .width = 4, .from = LENS_TYPE_BYTES};
    assert_null(lens_attention_new(engine, "odd", &attention, &err));
    const lens_group_norm_spec norm = {.positions = 1, .channels = 4, .groups = 2, .epsilon = 1e-5, .to = LENS_TYPE_BYTES};
    assert_null(lens_group_norm_new(engine, "odd", &norm, numbers, numbers, &err));
    lens_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_channels_to_bytes),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_convolutions_of_bytes),
        cmocka_unit_test(test_convolutions_of_halves),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_max_pool_of_halves),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
