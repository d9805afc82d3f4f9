/* src/nn: the layers of transformers and of BigTransfer, on oneDNN against their plain twins, and the twins against sums done by hand. */
#include <math.h>

#include "nn/layers.h"
#include "support.h"
#include "typed.h"

static void run_linear(int backend, const lens_linear_spec *spec, int rows, int threads, const float *weights, const float *bias,
                       const float *in, float *out)
{
    lens_error err = {0};
    lens_engine *engine = test_engine((lens_backend)backend);
    lens_layer *layer = lens_linear_new(engine, "linear", spec, weights, bias, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = test_stream(engine, threads);
    assert_done(lens_linear_run(stream, layer, rows, in, out, &err), &err);
    test_engine_leave(engine, stream);
}

static void test_linear_layers_agree(void **state)
{
    (void)state;
    const lens_linear_spec specs[] = {
        {.in = 768, .out = 2304},
        {.in = 64, .out = 256, .activation = LENS_ACTIVATION_QUICK_GELU},
        {.in = 256, .out = 64, .sum = true},
        {.in = 384, .out = 1536, .activation = LENS_ACTIVATION_GELU},
        {.in = 31, .out = 17, .activation = LENS_ACTIVATION_RELU},
        {.in = 1, .out = 1, .sum = true, .activation = LENS_ACTIVATION_GELU},
        {.in = 40, .out = 7, .activation = LENS_ACTIVATION_CLIP6},
    };
    double worst = 0;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        for (int rows = 1; rows <= 50; rows += 7) {
            const lens_linear_spec *spec = &specs[i];
            uint64_t seed = 100 * i + (unsigned)rows;
            size_t count = (size_t)rows * (size_t)spec->out;
            float *weights = test_some(&seed, 4 / sqrtf((float)spec->in), (size_t)spec->in * (size_t)spec->out);
            float *bias = rows % 2 ? test_some(&seed, 2, (size_t)spec->out) : NULL;
            float *in = test_some(&seed, 2, (size_t)rows * (size_t)spec->in);
            float *fast = test_some(&seed, 3, count), *plain = lens_floats_new(count);
            for (size_t o = 0; o < count; o++)
                plain[o] = spec->sum ? fast[o] : (fast[o] = NAN); /* a layer that reads its output then shows */
            run_linear(LENS_BACKEND_ONEDNN, spec, rows, 1 + rows % 2, weights, bias, in, fast);
            run_linear(LENS_BACKEND_PLAIN, spec, rows, 1, weights, bias, in, plain);
            double difference = test_largest_difference(fast, plain, count);
            if (!(difference < 2e-5)) /* of outputs about as large as 5 */
                fail_msg("linear layer %zu, %d rows: %g apart", i, rows, difference);
            worst = fmax(worst, difference);
            free(weights), free(bias), free(in), free(fast), free(plain);
        }
    printf("measured: linear layers on oneDNN and in plain C are at most %.2g apart\n", worst);
}

static void test_a_linear_layer_by_hand(void **state)
{
    (void)state;
    const float weights[] = {1, 2, 3, -1, 0.5f, 0}; /* [2, 3] */
    const float bias[] = {10, -1}, in[] = {1, 1, 1, 2, 0, -1};
    /* Rows 1 1 1 and 2 0 -1; without the activation 16 -1.5 and 9 -3; before: 1 each. */
    const struct {
        lens_activation activation;
        float expected[4];
    } cases[] = {{LENS_ACTIVATION_NONE, {17, -0.5f, 10, -2}},
                 {LENS_ACTIVATION_RELU, {17, 0, 10, 0}},
                 {LENS_ACTIVATION_CLIP6, {6, 0, 6, 0}},
                 /* Phi(-0.5) = 0.3085375, Phi(-2) = 0.0227501; sigmoid(-0.851) = 0.2992234, sigmoid(-3.404) = 0.0321697 */
                 {LENS_ACTIVATION_GELU, {17, -0.15426877f, 10, -0.04550026f}},
                 {LENS_ACTIVATION_QUICK_GELU, {17, -0.14961169f, 9.9999996f, -0.06434142f}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
            const lens_linear_spec spec = {.in = 3, .out = 2, .sum = true, .activation = cases[i].activation};
            float out[] = {1, 1, 1, 1};
            run_linear(backend, &spec, 2, 1, weights, bias, in, out);
            if (!(test_largest_difference(out, cases[i].expected, 4) < 1e-5))
                fail_msg("activation %zu, backend %d: %.8g %.8g %.8g %.8g", i, backend, (double)out[0], (double)out[1], (double)out[2],
                         (double)out[3]);
        }
}

static void run_attention(int backend, const lens_attention_spec *spec, int count, int tokens, int threads, const float *qkv, float *out)
{
    lens_error err = {0};
    lens_engine *engine = test_engine((lens_backend)backend);
    lens_layer *layer = lens_attention_new(engine, "attention", spec, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = test_stream(engine, threads);
    assert_done(lens_attention_run(stream, layer, count, tokens, qkv, out, &err), &err);
    test_engine_leave(engine, stream);
}

static void test_attention_agrees(void **state)
{
    (void)state;
    const struct {
        lens_attention_spec spec;
        int count, tokens;
    } cases[] = {{{.heads = 12, .width = 64, .causal = false}, 2, 50}, {{.heads = 8, .width = 64, .causal = true}, 1, 77},  {{.heads = 4, .width = 16, .causal = false}, 3, 17}, {{.heads = 3, .width = 32, .causal = true}, 2, 1}, {{.heads = 2, .width = 16, .causal = true}, 1, 2},
                 {{.heads = 1, .width = 1, .causal = false}, 1, 33},   {{.heads = 5, .width = 7, .causal = false}, 2, 130}, {{.heads = 2, .width = 80, .causal = true}, 2, 31}};
    double worst = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const lens_attention_spec *spec = &cases[i].spec;
        size_t rows = (size_t)cases[i].count * (size_t)cases[i].tokens, width = (size_t)spec->heads * (size_t)spec->width;
        uint64_t seed = 7 * i + 1;
        float *qkv = test_some(&seed, 3, rows * 3 * width), *fast = lens_floats_new(rows * width), *plain = lens_floats_new(rows * width);
        for (size_t o = 0; o < rows * width; o++)
            fast[o] = plain[o] = NAN;
        run_attention(LENS_BACKEND_ONEDNN, spec, cases[i].count, cases[i].tokens, 1 + (int)i % 2, qkv, fast);
        run_attention(LENS_BACKEND_PLAIN, spec, cases[i].count, cases[i].tokens, 1, qkv, plain);
        double difference = test_largest_difference(fast, plain, rows * width);
        if (!(difference < 2e-5))
            fail_msg("attention %zu: %g apart", i, difference);
        worst = fmax(worst, difference);
        free(qkv), free(fast), free(plain);
    }
    printf("measured: attention on oneDNN and in plain C is at most %.2g apart\n", worst);
}

static void test_attention_by_hand(void **state)
{
    (void)state;
    /* Two heads of width 1, two tokens. Head 0: the queries are 0, so that everything seen counts alike. Head 1: scores of 0 and ln 3. */
    const float ln3 = 1.0986123f;
    const float qkv[] = {/* queries */ 0, 1, /* keys */ 5, 0, /* values */ 2, 10,
                         /* queries */ 0, 1, /* keys */ 7, ln3, /* values */ 4, 30};
    const float all[] = {3, 25, 3, 25}, causal[] = {2, 10, 3, 25};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        float out[4];
        run_attention(backend, &(lens_attention_spec){.heads = 2, .width = 1, .causal = false}, 1, 2, 1, qkv, out);
        assert_true(test_largest_difference(out, all, 4) < 1e-5);
        run_attention(backend, &(lens_attention_spec){.heads = 2, .width = 1, .causal = true}, 1, 2, 1, qkv, out);
        assert_true(test_largest_difference(out, causal, 4) < 1e-5);
    }
    /* Scores that differ by more than e^x can span: the largest takes all, and nothing overflows. */
    const float steep[] = {400, 0, 1, 1, 400, 2};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        float out[2];
        run_attention(backend, &(lens_attention_spec){.heads = 1, .width = 1, .causal = false}, 1, 2, 1, steep, out);
        assert_true(fabsf(out[0] - 2) < 1e-6f);
    }
}

static void run_norm(int backend, const lens_group_norm_spec *spec, int count, const float *gamma, const float *beta, const float *in,
                     float *out)
{
    lens_error err = {0};
    lens_engine *engine = test_engine((lens_backend)backend);
    bool layer_norm = spec->groups == 1 && spec->positions == 1;
    lens_layer *layer = layer_norm ? lens_norm_new(engine, "norm", spec->channels, spec->epsilon, LENS_TYPE_F32, gamma, beta, &err)
                                   : lens_group_norm_new(engine, "norm", spec, gamma, beta, &err);
    assert_done(layer ? 0 : -1, &err);
    lens_stream *stream = test_stream(engine, 1);
    assert_done(layer_norm ? lens_norm_run(stream, layer, count, in, out, &err) : lens_group_norm_run(stream, layer, count, in, out, &err),
                &err);
    test_engine_leave(engine, stream);
}

static void test_norms_agree(void **state)
{
    (void)state;
    const lens_group_norm_spec specs[] = {
        {.positions = 1, .channels = 768, .groups = 1, .epsilon = 1e-5, .activation = LENS_ACTIVATION_NONE},     {.positions = 1, .channels = 31, .groups = 1, .epsilon = 1e-12, .activation = LENS_ACTIVATION_NONE}, {.positions = 1, .channels = 1, .groups = 1, .epsilon = 1e-5, .activation = LENS_ACTIVATION_NONE},
        {.positions = 3136, .channels = 64, .groups = 32, .epsilon = 1e-5, .activation = LENS_ACTIVATION_RELU},  {.positions = 49, .channels = 96, .groups = 32, .epsilon = 1e-5, .activation = LENS_ACTIVATION_NONE}, {.positions = 7, .channels = 10, .groups = 5, .epsilon = 1e-3, .activation = LENS_ACTIVATION_RELU},
        {.positions = 12544, .channels = 256, .groups = 32, .epsilon = 1e-5, .activation = LENS_ACTIVATION_RELU}};
    double worst = 0;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        for (int count = 1; count <= 3; count += 2)
            for (int far = 0; far < 2; far++) {
                const lens_group_norm_spec *spec = &specs[i];
                size_t size = (size_t)count * (size_t)spec->positions * (size_t)spec->channels;
                uint64_t seed = 31 * i + (unsigned)count;
                float *gamma = test_some(&seed, 2, (size_t)spec->channels), *beta = test_some(&seed, 2, (size_t)spec->channels);
                float *in = test_some(&seed, 3, size), *fast = lens_floats_new(size), *plain = lens_floats_new(size);
                for (size_t n = 0; far && n < size; n++)
                    in[n] += 300; /* a mean far from 0, where the sums of squares would cancel */
                run_norm(LENS_BACKEND_PLAIN, spec, count, gamma, beta, in, plain);
                memcpy(fast, in, size * sizeof *in);
                run_norm(LENS_BACKEND_ONEDNN, spec, count, gamma, beta, fast, fast); /* in place */
                double difference = test_largest_difference(fast, plain, size);
                if (!(difference < (far ? 2e-3 : 2e-5))) /* 300 in 24 bits is exact to 3e-5, and gamma is up to 2 */
                    fail_msg("norm %zu%s: %g apart", i, far ? ", far" : "", difference);
                if (!far)
                    worst = fmax(worst, difference);
                free(gamma), free(beta), free(in), free(fast), free(plain);
            }
    printf("measured: norms in floats and in plain C are at most %.2g apart\n", worst);
}

static void test_norms_by_hand(void **state)
{
    (void)state;
    const float gamma[] = {1, 2, 1, 1}, beta[] = {0, 10, 0, -1};
    /* One row 1 3: mean 2, variance 1, and an epsilon of 3 makes the deviation 2. */
    const float row[] = {1, 3}, normed[] = {-0.5f, 11};
    /* Two positions of four channels in two groups: 1 3 1 3 (mean 2, variance 1) and 0 0 0 8 (mean 2, variance 12). */
    const float map[] = {1, 3, 0, 0, 1, 3, 0, 8};
    const float d = 2 / sqrtf(15), grouped[] = {-0.5f, 11, -d, -1 - d, -0.5f, 11, -d, 3 * d - 1};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        float out[8];
        run_norm(backend, &(lens_group_norm_spec){.positions = 1, .channels = 2, .groups = 1, .epsilon = 3, .activation = LENS_ACTIVATION_NONE}, 1, gamma, beta, row, out);
        assert_true(test_largest_difference(out, normed, 2) < 1e-6);
        run_norm(backend, &(lens_group_norm_spec){.positions = 2, .channels = 4, .groups = 2, .epsilon = 3, .activation = LENS_ACTIVATION_NONE}, 1, gamma, beta, map, out);
        assert_true(test_largest_difference(out, grouped, 8) < 1e-6);
        run_norm(backend, &(lens_group_norm_spec){.positions = 2, .channels = 4, .groups = 2, .epsilon = 3, .activation = LENS_ACTIVATION_RELU}, 1, gamma, beta, map, out);
        for (int i = 0; i < 8; i++)
            assert_true(fabsf(out[i] - fmaxf(grouped[i], 0)) < 1e-6f);
    }
}

static void test_max_pool(void **state)
{
    (void)state;
    /* Two channels, the second the first times -10, so that the zeros outside win there. */
    const float values[] = {1, 2, 3, 4, -5, 6, 7, 8, 9};
    float in[18], out[8];
    for (int i = 0; i < 9; i++)
        in[2 * i] = values[i], in[2 * i + 1] = -10 * fabsf(values[i]);
    const lens_pool_spec inside = {.height = 3, .width = 3, .channels = 2, .kernel = 2, .stride = 1};
    const float within[] = {4, -10, 6, -20, 8, -40, 9, -50};
    assert_int_equal(lens_pool_out_height(&inside), 2);
    lens_max_pool(&inside, 1, in, out);
    assert_memory_equal(out, within, sizeof within);

    const lens_pool_spec padded = {.height = 3, .width = 3, .channels = 2, .kernel = 3, .stride = 2, .before = 1, .after = 1};
    const float corners[] = {4, 0, 6, 0, 8, 0, 9, 0};
    assert_int_equal(lens_pool_out_width(&padded), 2);
    lens_max_pool(&padded, 1, in, out);
    assert_memory_equal(out, corners, sizeof corners);
    lens_pool_spec lopsided = inside; /* the zeros are above and on the left only */
    lopsided.before = 1;
    const float cornered[] = {1, 0, 2, 0, 3, 0, 4, 0, 4, -10, 6, -20, 7, 0, 8, -40, 9, -50};
    float more[18];
    assert_int_equal(lens_pool_out_height(&lopsided), 3);
    lens_max_pool(&lopsided, 1, in, more);
    assert_memory_equal(more, cornered, sizeof cornered);
    const lens_pool_spec large = {.height = 2, .width = 9, .channels = 1, .kernel = 3, .stride = 1};
    assert_int_equal(lens_pool_out_height(&large), 0);
}

static void count_names(void *context, const lens_layer *layer, int count, const float *out, size_t size)
{
    (void)count, (void)out;
    *(size_t *)context += size * (lens_layer_name(layer)[0] == 'w' ? 1 : 1000);
}

static void test_a_watcher_sees_every_kind(void **state)
{
    (void)state;
    const float numbers[64] = {0};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_error err = {0};
        lens_engine *engine = test_engine((lens_backend)backend);
        lens_layer *linear = lens_linear_new(engine, "w1", &(lens_linear_spec){.in = 2, .out = 3}, numbers, NULL, &err);
        lens_layer *attention = lens_attention_new(engine, "w2", &(lens_attention_spec){.heads = 2, .width = 2, .causal = false}, &err);
        lens_layer *norm = lens_norm_new(engine, "w3", 5, 1e-5, LENS_TYPE_F32, numbers, numbers, &err);
        lens_layer *groups = lens_group_norm_new(engine, "w4", &(lens_group_norm_spec){.positions = 2, .channels = 4, .groups = 2, .epsilon = 1e-5, .activation = LENS_ACTIVATION_NONE}, numbers,
                                                 numbers, &err);
        assert_done(linear && attention && norm && groups ? 0 : -1, &err);
        lens_stream *stream = test_stream(engine, 1);
        size_t seen = 0;
        float out[64];
        lens_stream_watch(stream, count_names, &seen);
        assert_done(lens_linear_run(stream, linear, 4, numbers, out, &err), &err);        /* 12 */
        assert_done(lens_attention_run(stream, attention, 1, 3, numbers, out, &err), &err); /* 12 */
        assert_done(lens_norm_run(stream, norm, 2, numbers, out, &err), &err);            /* 10 */
        assert_done(lens_group_norm_run(stream, groups, 2, numbers, out, &err), &err);    /* 16 */
        assert_int_equal(seen, 50);
        test_engine_leave(engine, stream);
    }
}

static void test_impossible_layers_are_refused(void **state)
{
    (void)state;
    const float numbers[64] = {0};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_error err = {0};
        lens_engine *engine = test_engine((lens_backend)backend);
        assert_null(lens_linear_new(engine, "odd one", &(lens_linear_spec){.in = 0, .out = 3}, numbers, NULL, &err));
        assert_says(&err, "odd one: ");
        assert_null(lens_linear_new(engine, "odd one", &(lens_linear_spec){.in = 1 << 30, .out = 3}, numbers, NULL, &err));
        assert_null(lens_attention_new(engine, "odd one", &(lens_attention_spec){.heads = 1 << 20, .width = 1 << 20, .causal = false}, &err));
        assert_null(lens_attention_new(engine, "odd one", &(lens_attention_spec){.heads = -1, .width = -1, .causal = false}, &err));
        assert_null(lens_norm_new(engine, "odd one", 0, 1e-5, LENS_TYPE_F32, numbers, numbers, &err));
        assert_null(lens_norm_new(engine, "odd one", 4, 0, LENS_TYPE_F32, numbers, numbers, &err));
        assert_null(lens_group_norm_new(engine, "odd one", &(lens_group_norm_spec){.positions = 4, .channels = 6, .groups = 4, .epsilon = 1e-5, .activation = LENS_ACTIVATION_NONE}, numbers, numbers, &err));
        assert_int_equal(err.code, LENS_E_ARGUMENT);
        lens_layer *attention = lens_attention_new(engine, "late", &(lens_attention_spec){.heads = 2, .width = 2, .causal = false}, &err);
        lens_stream *stream = test_stream(engine, 1);
        lens_layer *norm = lens_norm_new(engine, "late", 4, 1e-5, LENS_TYPE_F32, numbers, numbers, &err);
        float out[64];
        assert_int_equal(lens_norm_run(stream, norm, 1, numbers, out, &err), -1);
        assert_int_equal(lens_attention_run(stream, attention, 1, 0, numbers, out, &err), -1);
        assert_int_equal(lens_attention_run(stream, attention, 1, 1 << 20, numbers, out, &err), -1);
        assert_says(&err, "late: ");
        test_engine_leave(engine, stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_layers_agree), cmocka_unit_test(test_a_linear_layer_by_hand),
        cmocka_unit_test(test_attention_agrees),    cmocka_unit_test(test_attention_by_hand),
        cmocka_unit_test(test_norms_agree),         cmocka_unit_test(test_norms_by_hand),
        cmocka_unit_test(test_max_pool),            cmocka_unit_test(test_a_watcher_sees_every_kind),
        cmocka_unit_test(test_impossible_layers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
