/* src/nn: linear layers and convolutions of halves and bytes, on oneDNN against their plain twins, and where every number is whole against
 * sums done here, to the last bit. */
#include <math.h>

#include "support.h"
#include "typed.h"

/* A float of 24 bits rounds by 2^-24 of itself; sums of a few hundred products round a few dozen times, up and down. */
static const double rounding = 16 / 16777216.0;

static float largest(const float *numbers, size_t count)
{
    float most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(numbers[i]));
    return most;
}

/* The largest sum of magnitudes of one of OUT rows of EACH weights. */
static double reach(const float *weights, size_t out, size_t each)
{
    double most = 0;
    for (size_t o = 0; o < out; o++) {
        double sum = 0;
        for (size_t i = 0; i < each; i++)
            sum += fabs((double)weights[o * each + i]);
        most = fmax(most, sum);
    }
    return most;
}

/* ---- linear layers ----------------------------------------------------------------------------------------------- */

static void run_linear(lens_backend backend, const lens_linear_spec *spec, int rows, int threads, const float *weights, const float *bias,
                       const void *in, void *out)
{
    lens_error err = {0};
    lens_engine *engine = test_engine(backend);
    lens_layer *layer = lens_linear_new(engine, "linear", spec, weights, bias, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = test_stream(engine, threads);
    assert_done(lens_linear_run(stream, layer, rows, in, out, &err), &err);
    test_engine_leave(engine, stream);
}

static void check_linear(const lens_linear_spec *spec, int rows, test_apart *apart)
{
    char what[160];
    snprintf(what, sizeof what, "linear layer %d to %d, %s to %s, activation %d%s, %d rows", spec->in, spec->out, test_type_name(spec->from),
             test_type_name(spec->to), (int)spec->activation, spec->sum ? ", sum" : "", rows);
    const size_t in = (size_t)spec->in, out = (size_t)spec->out, n = (size_t)rows;
    uint64_t seed = in * 1000 + (unsigned)rows;
    float *weights = test_some(&seed, 4 / sqrtf((float)in), in * out), *numbers = test_some(&seed, 2, n * in);
    float *bias = rows % 2 ? test_some(&seed, 2, out) : NULL, *before = test_some(&seed, 3, n * out);
    for (size_t i = 0; i < in && n > 1; i++)
        numbers[in + i] *= i % 2 ? 100 : -100; /* a row with a factor of its own */
    void *from = test_items(spec->from, numbers, n, in);
    void *fast = spec->sum ? test_items(spec->to, before, n, out) : test_items_room(spec->to, n, out);
    void *plain = spec->sum ? test_items(spec->to, before, n, out) : test_items_room(spec->to, n, out);
    run_linear(LENS_BACKEND_ONEDNN, spec, rows, 1 + rows % 2, weights, bias, from, fast);
    run_linear(LENS_BACKEND_PLAIN, spec, rows, 1, weights, bias, from, plain);
    apart->noise = rounding * ((double)largest(numbers, n * in) * reach(weights, out, in) + 5);
    apart->share = 0.02;
    test_items_apart(what, spec->to, fast, plain, n, out, apart);
    free(weights), free(numbers), free(bias), free(before), free(from), free(fast), free(plain);
}

static void check_linear_types(lens_type from, lens_type to)
{
    static const int shapes[][2] = {{64, 48}, {1, 1}, {31, 17}, {33, 65}, {129, 7}, {768, 130}, {2, 64}};
    static const int rows[] = {1, 2, 3, 17, 63, 64, 65, 66, 127, 128, 129, 130};
    test_apart apart = {0};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            lens_linear_spec spec = {.in = shapes[s][0], .out = shapes[s][1], .activation = (lens_activation)((s + r) % 5), .from = from,
                                     .to = to, .sum = to == LENS_TYPE_F32 && r % 3 == 1};
            check_linear(&spec, rows[r], &apart);
        }
    printf("measured: linear layers from %s to %s on oneDNN and in plain C: %.2g apart before they are rounded, %.2g %% to neighbours\n",
           test_type_name(from), test_type_name(to), apart.worst, 100 * apart.moved);
}

static void test_linear_layers_of_halves(void **state)
{
    (void)state;
    test_need_type(LENS_TYPE_BF16);
    check_linear_types(LENS_TYPE_BF16, LENS_TYPE_F32);
    check_linear_types(LENS_TYPE_BF16, LENS_TYPE_BF16);
}

static void test_linear_layers_of_bytes(void **state)
{
    (void)state;
    test_need_type(LENS_TYPE_BYTES);
    check_linear_types(LENS_TYPE_BYTES, LENS_TYPE_F32);
    check_linear_types(LENS_TYPE_BYTES, LENS_TYPE_BF16);
    check_linear_types(LENS_TYPE_BYTES, LENS_TYPE_BYTES);
}

/* COUNT whole numbers from -MOST to MOST, the first of each EACH being MOST: a step of them is 1 where MOST is 127. */
static float *whole(uint64_t *seed, int most, size_t count, size_t each)
{
    float *numbers = test_some(seed, (float)most, count);
    for (size_t i = 0; i < count; i++)
        numbers[i] = i % each == 0 ? (float)most : roundf(numbers[i]);
    return numbers;
}

/* Sums are below 2^24, so that floats hold them: nothing may be lost. */
static void check_whole_linear(lens_backend backend, lens_type from)
{
    enum { IN = 70, OUT = 19, ROWS = 67 };
    uint64_t seed = 9;
    float *weights = whole(&seed, 127, IN * OUT, IN), *in = whole(&seed, 127, ROWS * IN, IN), *bias = whole(&seed, 1000, OUT, OUT);
    float *before = whole(&seed, 99, ROWS * OUT, OUT);
    void *items = test_items(from, in, ROWS, IN);
    for (int sum = 0; sum < 2; sum++) {
        const lens_linear_spec spec = {.in = IN, .out = OUT, .sum = sum, .from = from};
        float *out = sum ? test_items(LENS_TYPE_F32, before, ROWS, OUT) : test_items_room(LENS_TYPE_F32, ROWS, OUT);
        run_linear(backend, &spec, ROWS, 1, weights, bias, items, out);
        for (int r = 0; r < ROWS; r++)
            for (int o = 0; o < OUT; o++) {
                float expected = bias[o] + (sum ? before[r * OUT + o] : 0);
                for (int i = 0; i < IN; i++)
                    expected += in[r * IN + i] * weights[o * IN + i];
                if (out[r * OUT + o] != expected)
                    fail_msg("%s, backend %d, row %d, output %d: %.9g, not %.9g", test_type_name(from), (int)backend, r, o,
                             (double)out[r * OUT + o], (double)expected);
            }
        free(out);
    }
    free(weights), free(in), free(bias), free(before), free(items);
}

static void test_whole_numbers_are_exact_in_rows(void **state)
{
    (void)state;
    for (int type = LENS_TYPE_BF16; type <= LENS_TYPE_BYTES; type++) {
        check_whole_linear(LENS_BACKEND_PLAIN, (lens_type)type);
        if (lens_type_is_fast((lens_type)type))
            check_whole_linear(LENS_BACKEND_ONEDNN, (lens_type)type);
        else
            printf("skipped: this processor has no instructions that multiply %s\n", test_type_name((lens_type)type));
    }
}

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

static void run_conv(lens_backend backend, const lens_conv_spec *spec, int count, int threads, const float *weights, const float *bias,
                     const void *in, void *out)
{
    lens_error err = {0};
    lens_engine *engine = test_engine(backend);
    lens_layer *layer = lens_conv_new(engine, "convolution", spec, weights, bias, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = test_stream(engine, threads);
    assert_done(lens_conv_run(stream, layer, count, in, out, &err), &err);
    test_engine_leave(engine, stream);
}

/* COUNT pictures of EACH bytes, 0 to 255, with factors of their own; or with none, which a layer without them must not miss. */
static void *some_bytes(uint64_t *seed, bool factor, size_t count, size_t each)
{
    void *items = test_items_room(LENS_TYPE_BYTES, count, each);
    float *numbers = test_some(seed, 127.5f, count * each);
    for (size_t i = 0; i < count * each; i++)
        ((uint8_t *)items)[i] = (uint8_t)lrintf(numbers[i] + 127.5f);
    for (size_t n = 0; factor && n < count; n++)
        lens_items_factors(items, count, each)[n] = 0.004f * (float)(n + 1);
    free(numbers);
    return items;
}

/* What a layer does with its numbers, whatever its shape. */
struct variant {
    const char *name;
    lens_type from, to;
    bool sum, factor, bias, in_scales, means;
    float out_scale; /* 0: none */
    lens_activation activation;
    float zero; /* not where there are zeros around */
    int out_zero;
};

static const struct variant variants[] = {
    {"halves to floats", LENS_TYPE_BF16, LENS_TYPE_F32, .bias = true},
    {"halves to halves", LENS_TYPE_BF16, LENS_TYPE_BF16, .activation = LENS_ACTIVATION_CLIP6, .bias = true},
    {"halves, mended by their means", LENS_TYPE_BF16, LENS_TYPE_F32, .means = true},
    {"halves added to halves", LENS_TYPE_BF16, LENS_TYPE_BF16, .sum = true},
    {"halves, mended by their means, added to halves", LENS_TYPE_BF16, LENS_TYPE_BF16, .means = true, .sum = true},
    {"halves added to floats", LENS_TYPE_BF16, LENS_TYPE_F32, .sum = true, .activation = LENS_ACTIVATION_RELU, .bias = true},
    {"bytes to floats", LENS_TYPE_BYTES, LENS_TYPE_F32, .in_scales = true, .bias = true},
    {"bytes to floats without scales", LENS_TYPE_BYTES, LENS_TYPE_F32, .activation = LENS_ACTIVATION_RELU},
    {"bytes, mended by their means", LENS_TYPE_BYTES, LENS_TYPE_F32, .in_scales = true, .bias = true, .means = true},
    {"bytes added to floats", LENS_TYPE_BYTES, LENS_TYPE_F32, .in_scales = true, .bias = true, .sum = true},
    {"bytes with factors to halves", LENS_TYPE_BYTES, LENS_TYPE_BF16, .factor = true},
    {"bytes with factors and a bias to halves", LENS_TYPE_BYTES, LENS_TYPE_BF16, .factor = true, .bias = true},
    {"bytes with factors and a bias added to halves", LENS_TYPE_BYTES, LENS_TYPE_BF16, .factor = true, .bias = true, .sum = true},
    {"bytes with factors added to floats", LENS_TYPE_BYTES, LENS_TYPE_F32, .factor = true, .sum = true, .in_scales = true},
    {"bytes with factors, mended by their means", LENS_TYPE_BYTES, LENS_TYPE_BF16, .factor = true, .in_scales = true, .means = true},
    {"bytes with factors, mended by their means, added to floats", LENS_TYPE_BYTES, LENS_TYPE_F32, .factor = true, .in_scales = true, .means = true,
     .sum = true},
    {"bytes to bytes behind a ReLU6", LENS_TYPE_BYTES, LENS_TYPE_BYTES, .in_scales = true, .bias = true, .out_scale = 5.0f / 255,
     .activation = LENS_ACTIVATION_CLIP6},
    {"bytes to bytes behind a ReLU", LENS_TYPE_BYTES, LENS_TYPE_BYTES, .bias = true, .activation = LENS_ACTIVATION_RELU},
    {"bytes to bytes of both signs", LENS_TYPE_BYTES, LENS_TYPE_BYTES, .in_scales = true, .bias = true, .out_scale = 0.05f,
     .out_zero = LENS_BYTE_ZERO},
    {"bytes with factors to bytes of both signs", LENS_TYPE_BYTES, LENS_TYPE_BYTES, .factor = true, .out_scale = 0.05f,
     .out_zero = LENS_BYTE_ZERO},
    {"bytes around 128 to floats", LENS_TYPE_BYTES, LENS_TYPE_F32, .in_scales = true, .bias = true, .zero = LENS_BYTE_ZERO},
    {"bytes around 127.5 to bytes", LENS_TYPE_BYTES, LENS_TYPE_BYTES, .in_scales = true, .bias = true, .zero = 127.5f, .out_scale = 4.0f / 255,
     .activation = LENS_ACTIVATION_CLIP6},
};

static const lens_conv_spec shapes[] = {
    {.height = 9, .width = 7, .in = 40, .out = 24, .groups = 1, .kernel = 1, .stride = 1},
    {.height = 5, .width = 6, .in = 31, .out = 17, .groups = 1, .kernel = 1, .stride = 2},
    {.height = 12, .width = 11, .in = 16, .out = 20, .groups = 1, .kernel = 3, .stride = 1},
    {.height = 14, .width = 13, .in = 64, .out = 48, .groups = 1, .kernel = 3, .stride = 2},
    {.height = 10, .width = 10, .in = 48, .out = 48, .groups = 48, .kernel = 3, .stride = 1},
    {.height = 11, .width = 14, .in = 33, .out = 33, .groups = 33, .kernel = 5, .stride = 2},
    {.height = 7, .width = 7, .in = 96, .out = 96, .groups = 96, .kernel = 5, .stride = 1},
    {.height = 12, .width = 12, .in = 8, .out = 12, .groups = 4, .kernel = 3, .stride = 3},
    {.height = 23, .width = 23, .in = 3, .out = 32, .groups = 1, .kernel = 3, .stride = 2},
    /* Steps larger than the kernel, which a way of oneDNN has computed wrongly. */
    {.height = 28, .width = 28, .in = 64, .out = 128, .groups = 1, .kernel = 1, .stride = 2},
    {.height = 29, .width = 31, .in = 64, .out = 64, .groups = 1, .kernel = 2, .stride = 3},
    {.height = 64, .width = 64, .in = 32, .out = 64, .groups = 1, .kernel = 3, .stride = 4},
};

static void check_conv(const lens_conv_spec *shape, const struct variant *variant, int count, test_apart *apart)
{
    char what[160];
    snprintf(what, sizeof what, "convolution %d x %d of %d, stride %d, %d to %d: %s", shape->kernel, shape->kernel, shape->groups,
             shape->stride, shape->in, shape->out, variant->name);
    lens_conv_spec spec = *shape;
    if (variant->zero == 0)
        lens_conv_pad_same(&spec);
    spec.from = variant->from, spec.to = variant->to, spec.sum = variant->sum, spec.factor = variant->factor;
    spec.activation = variant->activation, spec.zero = variant->zero, spec.out_zero = variant->out_zero;
    const size_t each = (size_t)(spec.in / spec.groups * spec.kernel * spec.kernel), n = (size_t)count;
    const size_t in_size = (size_t)(spec.height * spec.width * spec.in);
    const size_t out_size = (size_t)(lens_conv_out_height(&spec) * lens_conv_out_width(&spec) * spec.out);
    uint64_t seed = each + (unsigned)variant->to;
    float *weights = test_some(&seed, 4 / sqrtf((float)each), each * (size_t)spec.out), *before = test_some(&seed, 3, n * out_size);
    float *bias = test_some(&seed, 2, (size_t)spec.out), *scales = test_some(&seed, 0.004f, (size_t)spec.in);
    float *out_scales = lens_floats_new((size_t)spec.out), *means = test_some(&seed, 2, (size_t)spec.in);
    for (int c = 0; c < spec.in; c++)
        scales[c] = 0.008f + scales[c]; /* so that 255 steps are 1 to 3 */
    for (int c = 0; c < spec.out; c++)
        out_scales[c] = variant->out_scale * (c % 2 ? 1 : 0.75f);
    spec.in_scales = variant->in_scales ? scales : NULL;
    spec.out_scales = variant->out_scale > 0 ? out_scales : NULL;
    spec.in_means = variant->means ? means : NULL;
    float *numbers = test_some(&seed, 2, n * in_size);
    void *in = spec.from == LENS_TYPE_BYTES ? some_bytes(&seed, spec.factor, n, in_size) : test_items(spec.from, numbers, n, in_size);
    void *fast = spec.sum ? test_items(spec.to, before, n, out_size) : test_items_room(spec.to, n, out_size);
    void *plain = spec.sum ? test_items(spec.to, before, n, out_size) : test_items_room(spec.to, n, out_size);
    run_conv(LENS_BACKEND_ONEDNN, &spec, count, 1 + count % 2, weights, variant->bias ? bias : NULL, in, fast);
    run_conv(LENS_BACKEND_PLAIN, &spec, count, 1, weights, variant->bias ? bias : NULL, in, plain);
    /* A byte may stand for 255 times its scale and its picture's factor. */
    const double most = spec.from == LENS_TYPE_BF16 ? 2 : 255 * (variant->in_scales ? 0.012 : 1) * (spec.factor ? 0.004 * count : 1);
    const double step = spec.to != LENS_TYPE_BYTES || !spec.out_scales ? 1 : (double)variant->out_scale * 0.75;
    apart->noise = rounding * (most * reach(weights, (size_t)spec.out, each) + 5) / step;
    apart->share = 0.02;
    test_items_apart(what, spec.to, fast, plain, n, out_size, apart);
    free(weights), free(before), free(bias), free(scales), free(out_scales), free(means), free(numbers), free(in), free(fast), free(plain);
}

static void check_convs(lens_type from)
{
    test_need_type(from);
    test_apart apart = {0};
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes && variants[v].from == from; s++)
            for (int count = 1; count <= 3; count += 2)
                check_conv(&shapes[s], &variants[v], count, &apart);
    printf("measured: convolutions of %s on oneDNN and in plain C: %.2g apart before they are rounded, %.2g %% to neighbours\n",
           test_type_name(from), apart.worst, 100 * apart.moved);
}

static void test_convolutions_of_halves(void **state)
{
    (void)state;
    check_convs(LENS_TYPE_BF16);
}

static void test_convolutions_of_bytes(void **state)
{
    (void)state;
    check_convs(LENS_TYPE_BYTES);
}

/* Bytes by whole weights, to bytes of two: every step of it without a remainder, but for the last one, where halves go to the even byte. */
static void check_whole_conv(lens_backend backend, float zero, int out_zero)
{
    enum { SIDE = 5, IN = 6, OUT = 4, KERNEL = 3, EACH = IN * KERNEL * KERNEL };
    uint64_t seed = 4;
    float *weights = whole(&seed, 127, EACH * OUT, EACH), *bias = whole(&seed, 500, OUT, OUT), steps[OUT] = {512, 1024, 2048, 256};
    lens_conv_spec spec = {.height = SIDE, .width = SIDE, .in = IN, .out = OUT, .groups = 1, .kernel = KERNEL, .stride = 1,
                           .activation = out_zero ? LENS_ACTIVATION_NONE : LENS_ACTIVATION_RELU, .from = LENS_TYPE_BYTES,
                           .to = LENS_TYPE_BYTES, .zero = zero, .out_zero = out_zero, .out_scales = steps};
    const int before = zero == 0 ? 1 : 0, side = SIDE - KERNEL + 1 + 2 * before;
    for (int axis = 0; axis < 2; axis++)
        spec.before[axis] = spec.after[axis] = before;
    uint8_t *in = some_bytes(&seed, false, 1, SIDE * SIDE * IN), *out = test_items_room(LENS_TYPE_BYTES, 1, (size_t)(side * side * OUT));
    run_conv(backend, &spec, 1, 1, weights, bias, in, out);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int o = 0; o < OUT; o++) {
                double sum = (double)bias[o];
                for (int i = 0; i < EACH; i++) {
                    const int c = i / (KERNEL * KERNEL), row = y - before + i / KERNEL % KERNEL, column = x - before + i % KERNEL;
                    if (row >= 0 && row < SIDE && column >= 0 && column < SIDE)
                        sum += ((double)in[(row * SIDE + column) * IN + c] - (double)zero) * (double)weights[o * EACH + i];
                }
                const double expected = fmin(fmax(rint(sum / (double)steps[o] + out_zero), 0), 255);
                if (out[(y * side + x) * OUT + o] != expected)
                    fail_msg("backend %d, zero %g to %d, (%d, %d) channel %d: %d, not %g", (int)backend, (double)zero, out_zero, x, y, o,
                             out[(y * side + x) * OUT + o], expected);
            }
    assert_true(*lens_items_factors(out, 1, (size_t)(side * side * OUT)) == 1);
    free(weights), free(bias), free(in), free(out);
}

static void test_whole_numbers_are_exact_in_pictures(void **state)
{
    (void)state;
    const float zeros[] = {0, 127.5f, LENS_BYTE_ZERO};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++)
        for (int z = 0; z < 3; z++)
            for (int out_zero = 0; out_zero <= LENS_BYTE_ZERO; out_zero += LENS_BYTE_ZERO)
                if (backend == LENS_BACKEND_PLAIN || lens_type_is_fast(LENS_TYPE_BYTES))
                    check_whole_conv((lens_backend)backend, zeros[z], out_zero);
    if (!lens_type_is_fast(LENS_TYPE_BYTES))
        printf("skipped: this processor has no instructions that multiply bytes\n");
}

/* One weight a channel, so that nothing is rounded: what a step of its bytes is worth must be its own channel's. */
static void test_each_group_has_its_own_scales(void **state)
{
    (void)state;
    enum { CHANNELS = 4 };
    const float scales[CHANNELS] = {0.5f, 2, 0.25f, 8}, weights[CHANNELS] = {3, -5, 7, 1};
    const lens_conv_spec spec = {.height = 1, .width = 1, .in = CHANNELS, .out = CHANNELS, .groups = CHANNELS, .kernel = 1, .stride = 1,
                                 .from = LENS_TYPE_BYTES, .in_scales = scales};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        if (backend == LENS_BACKEND_ONEDNN && !lens_type_is_fast(LENS_TYPE_BYTES)) {
            printf("skipped: this processor has no instructions that multiply bytes\n");
            continue;
        }
        uint8_t *in = test_items_room(LENS_TYPE_BYTES, 1, CHANNELS);
        float out[CHANNELS];
        for (int c = 0; c < CHANNELS; c++)
            in[c] = (uint8_t)(100 + c);
        run_conv((lens_backend)backend, &spec, 1, 1, weights, NULL, in, out);
        for (int c = 0; c < CHANNELS; c++) {
            const float expected = (float)(100 + c) * scales[c] * weights[c];
            if (!(fabsf(out[c] - expected) <= 1e-6f * fabsf(expected)))
                fail_msg("backend %d, channel %d: %.9g, not %.9g", backend, c, (double)out[c], (double)expected);
        }
        free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_layers_of_halves),         cmocka_unit_test(test_linear_layers_of_bytes),
        cmocka_unit_test(test_whole_numbers_are_exact_in_rows), cmocka_unit_test(test_convolutions_of_halves),
        cmocka_unit_test(test_convolutions_of_bytes),           cmocka_unit_test(test_whole_numbers_are_exact_in_pictures),
        cmocka_unit_test(test_each_group_has_its_own_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
