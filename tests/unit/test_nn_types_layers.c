/* src/nn: attention, norms and pooling with numbers of every type, against their plain twins; what a watch sees of them; and which layers are
 * refused. None of it needs a processor with instructions for the smaller types, but for the products that are watched. */
#include <math.h>

#include "support.h"
#include "typed.h"

/* ---- attention --------------------------------------------------------------------------------------------------- */

static void run_attention(lens_backend backend, const lens_attention_spec *spec, int count, int tokens, int threads, const void *qkv, void *out)
{
    lens_error err = {0};
    lens_engine *engine = test_engine(backend);
    lens_layer *layer = lens_attention_new(engine, "attention", spec, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = test_stream(engine, threads);
    assert_done(lens_attention_run(stream, layer, count, tokens, qkv, out, &err), &err);
    test_engine_leave(engine, stream);
}

static void check_attention(const lens_attention_spec *spec, int count, int tokens, test_apart *apart)
{
    enum { RANGE = 3 };
    char what[160];
    snprintf(what, sizeof what, "attention, %s to %s%s, %d heads of %d, %d times %d tokens", test_type_name(spec->from),
             test_type_name(spec->to), spec->causal ? ", causal" : "", spec->heads, spec->width, count, tokens);
    const size_t rows = (size_t)count * (size_t)tokens, part = (size_t)spec->heads * (size_t)spec->width;
    uint64_t seed = (uint64_t)tokens * 100 + (uint64_t)spec->width;
    float *numbers = test_some(&seed, RANGE, rows * 3 * part);
    void *qkv = test_items(spec->from, numbers, rows, 3 * part);
    void *fast = test_items_room(spec->to, rows, part), *plain = test_items_room(spec->to, rows, part);
    run_attention(LENS_BACKEND_ONEDNN, spec, count, tokens, 1 + tokens % 2, qkv, fast);
    run_attention(LENS_BACKEND_PLAIN, spec, count, tokens, 1, qkv, plain);
    /* Pairs of halves are multiplied with the shares as halves too, each within 2^-8 of itself; all of them are 1. */
    const bool pairs = spec->from == LENS_TYPE_BF16 && spec->width % 2 == 0 && lens_type_is_fast(LENS_TYPE_BF16);
    apart->noise = pairs ? RANGE / 256.0 + 2e-5 : 2e-5;
    apart->share = pairs ? 1 : 0.02;
    test_items_apart(what, spec->to, fast, plain, rows, part, apart);
    free(numbers), free(qkv), free(fast), free(plain);
}

static void test_attention_of_every_type(void **state)
{
    (void)state;
    static const int tokens[] = {1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 31, 32, 33, 50, 64, 65, 77, 130};
    static const int widths[] = {2, 5, 7, 10, 16, 30, 31, 32, 33, 34, 62, 64, 66, 80};
    for (int from = LENS_TYPE_F32; from <= LENS_TYPE_BF16; from++)
        for (int to = LENS_TYPE_F32; to <= LENS_TYPE_BYTES; to++) {
            test_apart apart = {0};
            for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++)
                for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
                    for (int causal = 0; causal < 2; causal++) {
                        const lens_attention_spec spec = {.heads = 1 + (int)(t + w) % 3, .width = widths[w], .causal = causal,
                                                          .from = (lens_type)from, .to = (lens_type)to};
                        check_attention(&spec, 1 + (int)t % 2, tokens[t], &apart);
                    }
            printf("measured: attention from %s to %s, fast and in plain C: %.2g apart before it is rounded, %.2g %% to neighbours\n",
                   test_type_name((lens_type)from), test_type_name((lens_type)to), apart.worst, 100 * apart.moved);
        }
}

/* ---- norms ------------------------------------------------------------------------------------------------------- */

/* A layer norm where SPEC is of one position and one group, else a group norm. OUT may be IN. */
static void run_norm(lens_backend backend, const lens_group_norm_spec *spec, bool rows, int count, int threads, const float *gamma,
                     const float *beta, const void *in, void *out)
{
    lens_error err = {0};
    lens_engine *engine = test_engine(backend);
    lens_layer *layer = rows ? lens_norm_new(engine, "norm", spec->channels, spec->epsilon, spec->to, gamma, beta, &err)
                             : lens_group_norm_new(engine, "norm", spec, gamma, beta, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = test_stream(engine, threads);
    assert_done(rows ? lens_norm_run(stream, layer, count, in, out, &err) : lens_group_norm_run(stream, layer, count, in, out, &err), &err);
    test_engine_leave(engine, stream);
}

static void check_norm(const char *what, const lens_group_norm_spec *spec, bool rows, int count, const float *gamma, const float *beta,
                       const float *numbers, test_apart *apart)
{
    const size_t size = (size_t)spec->positions * (size_t)spec->channels, n = (size_t)count;
    void *in = test_items(spec->from, numbers, n, size), *plain = test_items_room(spec->to, n, size);
    void *fast = spec->from == spec->to ? test_items(spec->from, numbers, n, size) : test_items_room(spec->to, n, size);
    run_norm(LENS_BACKEND_PLAIN, spec, rows, count, 1, gamma, beta, in, plain);
    run_norm(LENS_BACKEND_ONEDNN, spec, rows, count, 1 + count % 2, gamma, beta, spec->from == spec->to ? fast : in, fast);
    test_items_apart(what, spec->to, fast, plain, n, size, apart);
    free(in), free(plain), free(fast);
}

static void test_layer_norms_to_every_type(void **state)
{
    (void)state;
    static const int widths[] = {1, 2, 15, 16, 17, 31, 63, 65, 384, 768};
    test_apart apart = {0};
    for (int to = LENS_TYPE_F32; to <= LENS_TYPE_BYTES; to++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (int count = 1; count <= 5; count += 2)
                for (int far = 0; far < 2; far++) {
                    char what[96];
                    snprintf(what, sizeof what, "layer norm of %d to %s%s", widths[w], test_type_name((lens_type)to), far ? ", far" : "");
                    const lens_group_norm_spec spec = {.positions = 1, .channels = widths[w], .groups = 1, .epsilon = 1e-5,
                                                       .to = (lens_type)to};
                    uint64_t seed = (uint64_t)widths[w];
                    float *gamma = test_some(&seed, 2, (size_t)widths[w]), *beta = test_some(&seed, 2, (size_t)widths[w]);
                    float *in = test_some(&seed, 3, (size_t)(count * widths[w]));
                    for (int i = 0; far && i < count * widths[w]; i++)
                        in[i] += 300;
                    /* 300 in 24 bits is exact to 3e-5, and gamma is up to 2; two channels may be near one another. */
                    apart.noise = far ? (widths[w] == 2 ? 2e-2 : 2e-3) : 2e-5, apart.share = 0.02;
                    check_norm(what, &spec, true, count, gamma, beta, in, &apart);
                    free(gamma), free(beta), free(in);
                }
    printf("measured: layer norms, fast and in plain C: %.2g apart before they are rounded, %.2g %% to neighbours\n", apart.worst, 100 * apart.moved);
}

static const lens_group_norm_spec maps[] = {
    {.positions = 1, .channels = 32, .groups = 32}, {.positions = 7, .channels = 10, .groups = 5},   {.positions = 49, .channels = 96, .groups = 32},
    {.positions = 64, .channels = 33, .groups = 1}, {.positions = 65, .channels = 64, .groups = 32}, {.positions = 400, .channels = 16, .groups = 2},
};

enum { NEAR, FAR, CONSTANT, CONDITIONS };

static void check_group_norms(lens_type from, lens_type to, lens_activation activation, int condition, test_apart *apart)
{
    static const char *const names[CONDITIONS] = {"", ", far", ", constant"};
    for (size_t m = 0; m < sizeof maps / sizeof *maps; m++)
        for (int count = 1; count <= 3; count += 2) {
            lens_group_norm_spec spec = maps[m];
            spec.epsilon = 1e-5, spec.activation = activation, spec.from = from, spec.to = to;
            char what[128];
            snprintf(what, sizeof what, "group norm of %d x %d by %d from %s to %s%s", spec.positions, spec.channels, spec.groups,
                     test_type_name(from), test_type_name(to), names[condition]);
            const size_t channels = (size_t)spec.channels, each = channels / (size_t)spec.groups;
            uint64_t seed = 10 * m + (unsigned)count;
            float *gamma = test_some(&seed, 2, channels), *beta = test_some(&seed, 2, channels);
            float *in = test_some(&seed, 3, (size_t)count * (size_t)spec.positions * channels);
            for (size_t i = 0; condition != NEAR && i < (size_t)count * (size_t)spec.positions * channels; i++)
                in[i] = condition == FAR ? in[i] + 300 : 300 + (float)(i % channels / each);
            /* Around 300 the 24 bits of a float are exact to 3e-5. A constant is divided by the root of epsilon, and 332 times 632 is 2 * 10^5: what
             * floats do with it is exact to 1e-2, twice. A group of one number is a constant too. */
            const bool alone = condition == CONSTANT || (spec.positions == 1 && each == 1 && condition == FAR);
            apart->noise = alone ? 4e-2 : condition == FAR ? 2e-3 : 2e-5;
            if (spec.positions == 1 && each == 1 && condition == NEAR)
                apart->noise = 1e-3; /* 3 times 632 */
            apart->share = condition == NEAR && spec.positions > 1 ? 0.02 : 1;
            check_norm(what, &spec, false, count, gamma, beta, in, apart);
            free(gamma), free(beta), free(in);
        }
}

static void test_group_norms_of_every_type(void **state)
{
    (void)state;
    for (int condition = NEAR; condition < CONDITIONS; condition++) {
        test_apart apart = {0};
        for (int from = LENS_TYPE_F32; from <= LENS_TYPE_BF16; from++)
            for (int to = LENS_TYPE_F32; to <= LENS_TYPE_BYTES; to++)
                for (int relu = to == LENS_TYPE_BYTES; relu < 2; relu++)
                    check_group_norms((lens_type)from, (lens_type)to, relu ? LENS_ACTIVATION_RELU : LENS_ACTIVATION_NONE, condition, &apart);
        static const char *const names[CONDITIONS] = {"", " of means of 300", " of constants of 300"};
        printf("measured: group norms%s, fast and in plain C: %.2g apart before they are rounded, %.2g %% to neighbours\n", names[condition],
               apart.worst, 100 * apart.moved);
    }
}

/* What is no number, or an infinity, makes its whole group none: nothing behind a ReLU may hide that. */
static void test_what_is_no_number_shows_behind_group_norms(void **state)
{
    (void)state;
    enum { POSITIONS = 5, CHANNELS = 8, SIZE = POSITIONS * CHANNELS };
    const float odd[] = {NAN, INFINITY, -INFINITY}, gamma[CHANNELS] = {1, 1, 1, 1, 1, 1, 1, 1}, beta[CHANNELS] = {0};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++)
        for (size_t o = 0; o < sizeof odd / sizeof *odd; o++)
            for (int to = LENS_TYPE_F32; to <= LENS_TYPE_BYTES; to++)
                for (int at = 0; at < SIZE; at += 13) {
                    uint64_t seed = 3;
                    float *in = test_some(&seed, 3, SIZE);
                    in[at] = odd[o];
                    const lens_group_norm_spec spec = {.positions = POSITIONS, .channels = CHANNELS, .groups = 4, .epsilon = 1e-5,
                                                       .activation = LENS_ACTIVATION_RELU, .to = (lens_type)to};
                    void *out = test_items_room((lens_type)to, 1, SIZE);
                    memset(out, 0, lens_items_size((lens_type)to, 1, SIZE));
                    run_norm((lens_backend)backend, &spec, false, 1, 1, gamma, beta, in, out);
                    float *floats = test_items_floats((lens_type)to, out, 1, SIZE, 0);
                    for (int i = 0; i < SIZE; i++)
                        if (isfinite(floats[i]) && (to == LENS_TYPE_BYTES || i % CHANNELS / 2 == at % CHANNELS / 2))
                            fail_msg("backend %d, %g at %d, to %s: number %d is %g", backend, (double)odd[o], at, test_type_name((lens_type)to), i,
                                     (double)floats[i]);
                    free(in), free(out), free(floats);
                }
}

/* ---- pooling ----------------------------------------------------------------------------------------------------- */

static void test_max_pool_of_halves(void **state)
{
    (void)state;
    const lens_pool_spec specs[] = {{.height = 9, .width = 8, .channels = 33, .kernel = 3, .stride = 2, .before = 1, .after = 1},
                                    {.height = 6, .width = 6, .channels = 64, .kernel = 2, .stride = 2},
                                    {.height = 5, .width = 7, .channels = 1, .kernel = 3, .stride = 1, .before = 0, .after = 2},
                                    {.height = 1, .width = 1, .channels = 20, .kernel = 1, .stride = 1}};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++)
        for (int shift = -4; shift <= 4; shift += 4) {
            enum { COUNT = 2 };
            lens_pool_spec spec = specs[s];
            const size_t size = (size_t)(spec.height * spec.width * spec.channels);
            const size_t out_size = (size_t)(lens_pool_out_height(&spec) * lens_pool_out_width(&spec) * spec.channels);
            uint64_t seed = s;
            float *in = test_some(&seed, 3, COUNT * size), *out = test_items_room(LENS_TYPE_F32, COUNT, out_size);
            for (size_t i = 0; i < COUNT * size; i++)
                in[i] = i % 11 == 0 ? -0.0f : i % 13 == 0 ? -INFINITY : i % 97 == 0 ? INFINITY : in[i] + (float)shift;
            void *halves = test_items(LENS_TYPE_BF16, in, COUNT, size), *half_out = test_items_room(LENS_TYPE_BF16, COUNT, out_size);
            lens_items_load(LENS_TYPE_BF16, halves, COUNT, size, 0, in);
            lens_max_pool(&spec, COUNT, in, out);
            spec.type = LENS_TYPE_BF16;
            lens_max_pool(&spec, COUNT, halves, half_out);
            float *found = test_items_floats(LENS_TYPE_BF16, half_out, COUNT, out_size, 0);
            for (size_t i = 0; i < COUNT * out_size; i++)
                if (!(found[i] == out[i])) /* -0 is 0 */
                    fail_msg("pool %zu, number %zu: %g, not %g", s, i, (double)found[i], (double)out[i]);
            free(in), free(out), free(halves), free(half_out), free(found);
        }
}

/* ---- the watch --------------------------------------------------------------------------------------------------- */

struct seen {
    float *floats;
    size_t size;
};

static void keep(void *context, const lens_layer *layer, int count, const float *out, size_t size)
{
    (void)layer, (void)count;
    struct seen *seen = context;
    free(seen->floats);
    seen->floats = lens_floats_new(size);
    seen->size = size;
    memcpy(seen->floats, out, size * sizeof *out);
}

/* What SEEN has is what ITEMS say, each number times its channel's STEPS [channels] (NULL: 1). */
static void expect_seen(const struct seen *seen, lens_type type, const void *items, size_t count, size_t each, float zero, const float *steps,
                        size_t channels)
{
    assert_int_equal(seen->size, count * each);
    float *floats = test_items_floats(type, items, count, each, zero);
    bool any = false;
    for (size_t i = 0; i < count * each; i++) {
        const float expected = steps ? floats[i] * steps[i % channels] : floats[i];
        if (seen->floats[i] != expected)
            fail_msg("number %zu of %s: the watch has %g, not %g", i, test_type_name(type), (double)seen->floats[i], (double)expected);
        any |= expected != 0;
    }
    assert_true(any);
    free(floats);
}

static void test_the_watch_sees_floats(void **state)
{
    (void)state;
    enum { ROWS = 3, WIDTH = 12, SIDE = 2 };
    uint64_t seed = 8;
    float *numbers = test_some(&seed, 2, WIDTH * WIDTH), *in = test_some(&seed, 2, 3 * ROWS * WIDTH), steps[WIDTH], ones[WIDTH];
    for (int i = 0; i < WIDTH; i++)
        steps[i] = 0.01f * (float)(1 + i), ones[i] = 1;
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++)
        for (int to = LENS_TYPE_BF16; to <= LENS_TYPE_BYTES; to++) {
            const lens_type type = (lens_type)to;
            const bool products = backend == LENS_BACKEND_PLAIN || lens_type_is_fast(type);
            lens_error err = {0};
            lens_engine *engine = test_engine((lens_backend)backend);
            const lens_group_norm_spec groups = {.positions = ROWS, .channels = WIDTH, .groups = 2, .epsilon = 1e-5,
                                                 .activation = LENS_ACTIVATION_RELU, .to = type};
            const lens_linear_spec linear = {.in = WIDTH, .out = WIDTH, .from = type, .to = type};
            const lens_conv_spec conv = {.height = SIDE, .width = 1, .in = WIDTH, .out = WIDTH, .groups = 1, .kernel = 1, .stride = 1,
                                         .from = type, .to = type, .out_zero = type == LENS_TYPE_BYTES ? LENS_BYTE_ZERO : 0,
                                         .out_scales = type == LENS_TYPE_BYTES ? steps : NULL, .in_scales = steps};
            lens_layer *a = lens_norm_new(engine, "a", WIDTH, 1e-5, type, ones, steps, &err);
            lens_layer *b = lens_group_norm_new(engine, "b", &groups, ones, steps, &err);
            lens_layer *c = lens_attention_new(engine, "c", &(lens_attention_spec){.heads = 3, .width = 4, .to = type}, &err);
            lens_layer *d = products ? lens_linear_new(engine, "d", &linear, numbers, NULL, &err) : NULL;
            lens_layer *e = products ? lens_conv_new(engine, "e", &conv, numbers, NULL, &err) : NULL;
            assert_done(a && b && c && (!products || (d && e)) ? 0 : -1, &err);
            lens_stream *stream = test_stream(engine, 1);
            struct seen seen = {NULL, 0};
            lens_stream_watch(stream, keep, &seen);
            void *out = test_items_room(type, ROWS, WIDTH), *rows = test_items(type, in, ROWS, WIDTH), *maps_in = test_items(type, in, 1, SIDE * WIDTH);
            assert_done(lens_norm_run(stream, a, ROWS, in, out, &err), &err);
            expect_seen(&seen, type, out, ROWS, WIDTH, LENS_BYTE_ZERO, NULL, 1);
            assert_done(lens_group_norm_run(stream, b, 1, in, out, &err), &err);
            expect_seen(&seen, type, out, 1, ROWS * WIDTH, 0, NULL, 1);
            assert_done(lens_attention_run(stream, c, 1, ROWS, in, out, &err), &err);
            expect_seen(&seen, type, out, ROWS, WIDTH, LENS_BYTE_ZERO, NULL, 1);
            if (products) {
                assert_done(lens_linear_run(stream, d, ROWS, rows, out, &err), &err);
                expect_seen(&seen, type, out, ROWS, WIDTH, LENS_BYTE_ZERO, NULL, 1);
                assert_done(lens_conv_run(stream, e, 1, maps_in, out, &err), &err);
                expect_seen(&seen, type, out, 1, SIDE * WIDTH, LENS_BYTE_ZERO, type == LENS_TYPE_BYTES ? steps : NULL, WIDTH);
            }
            free(seen.floats), free(out), free(rows), free(maps_in);
            test_engine_leave(engine, stream);
        }
    free(numbers), free(in);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static void test_impossible_types_are_refused(void **state)
{
    (void)state;
    const float numbers[4 * 4 * 9] = {0}, wide[4] = {1, 1, 1, 1};
    const lens_conv_spec base = {.height = 4, .width = 4, .in = 4, .out = 4, .groups = 1, .kernel = 3, .stride = 1};
    static const lens_type F32 = LENS_TYPE_F32, BF16 = LENS_TYPE_BF16, BYTES = LENS_TYPE_BYTES;
    const struct {
        lens_type from, to;
        bool sum, factor, padded;
        lens_activation activation;
        float zero;
        int out_zero;
        const float *out_scales;
    } convs[] = {
        {F32, BF16, .sum = false}, {F32, BYTES, .activation = LENS_ACTIVATION_RELU}, {BF16, BYTES, .activation = LENS_ACTIVATION_RELU},
        {BYTES, BYTES, .sum = true, .activation = LENS_ACTIVATION_RELU},      /* a sum of bytes */
        {BYTES, BYTES, .activation = LENS_ACTIVATION_NONE},                    /* no room below 0 */
        {BYTES, BYTES, .activation = LENS_ACTIVATION_GELU},
        {BYTES, BYTES, .activation = LENS_ACTIVATION_RELU, .out_zero = 128},  /* room below 0 that nothing uses */
        {BYTES, F32, .out_zero = 128}, {BYTES, BF16, .out_zero = 128}, {F32, F32, .out_zero = 128},
        {BYTES, F32, .factor = true, .zero = 128}, {BYTES, F32, .zero = 127.5f, .padded = true}, {BYTES, F32, .zero = 128, .padded = true},
        {F32, F32, .zero = 1}, {BF16, F32, .factor = true}, {F32, F32, .factor = true}, {BF16, BF16, .zero = 128},
        {BYTES, BYTES, .activation = LENS_ACTIVATION_CLIP6},                   /* without scales 255 is 255: nothing would end at 6 */
        {BYTES, BYTES, .activation = LENS_ACTIVATION_CLIP6, .out_scales = wide},
    };
    const struct {
        lens_type from, to;
        bool sum;
    } linears[] = {{F32, BF16, false}, {F32, BYTES, false}, {BF16, BYTES, false}, {BF16, BF16, true}, {BYTES, BF16, true}, {BYTES, BYTES, true}};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_engine *engine = test_engine((lens_backend)backend);
        for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
            lens_error err = {0};
            lens_conv_spec spec = base;
            spec.from = convs[i].from, spec.to = convs[i].to, spec.sum = convs[i].sum, spec.factor = convs[i].factor;
            spec.activation = convs[i].activation, spec.zero = convs[i].zero, spec.out_zero = convs[i].out_zero;
            spec.out_scales = convs[i].out_scales;
            spec.before[0] = spec.after[1] = convs[i].padded;
            if (lens_conv_new(engine, "odd one", &spec, numbers, NULL, &err))
                fail_msg("convolution %zu was taken", i);
            assert_int_equal(err.code, LENS_E_ARGUMENT);
            assert_says(&err, "odd one: an impossible convolution");
        }
        for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) {
            lens_error err = {0};
            const lens_linear_spec spec = {.in = 4, .out = 4, .from = linears[i].from, .to = linears[i].to, .sum = linears[i].sum};
            if (lens_linear_new(engine, "odd one", &spec, numbers, NULL, &err))
                fail_msg("linear layer %zu was taken", i);
            assert_int_equal(err.code, LENS_E_ARGUMENT);
            assert_says(&err, "odd one: an impossible linear layer");
        }
        lens_error err = {0};
        assert_null(lens_attention_new(engine, "odd one", &(lens_attention_spec){.heads = 1, .width = 4, .from = LENS_TYPE_BYTES}, &err));
        assert_says(&err, "odd one: impossible attention");
        lens_group_norm_spec norm = {.positions = 4, .channels = 4, .groups = 2, .epsilon = 1e-5, .to = LENS_TYPE_BYTES};
        assert_null(lens_group_norm_new(engine, "odd one", &norm, numbers, numbers, &err)); /* bytes below 0 */
        norm.to = LENS_TYPE_F32, norm.from = LENS_TYPE_BYTES;
        assert_null(lens_group_norm_new(engine, "odd one", &norm, numbers, numbers, &err));
        norm.from = LENS_TYPE_BF16, norm.activation = LENS_ACTIVATION_GELU;
        assert_null(lens_group_norm_new(engine, "odd one", &norm, numbers, numbers, &err));
        assert_says(&err, "odd one: an impossible norm");
        lens_engine_free(engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_of_every_type),   cmocka_unit_test(test_layer_norms_to_every_type),
        cmocka_unit_test(test_group_norms_of_every_type), cmocka_unit_test(test_what_is_no_number_shows_behind_group_norms),
        cmocka_unit_test(test_max_pool_of_halves),        cmocka_unit_test(test_the_watch_sees_floats),
        cmocka_unit_test(test_impossible_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
