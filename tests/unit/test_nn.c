/* src/nn: each layer on oneDNN against its plain twin, and the plain twin against sums done by hand. */
#include <math.h>
#include <pthread.h>

#include "nn/layers.h"
#include "support.h"
#include "typed.h"

/* A layer's weights, bias and input, random but for SEED. */
struct numbers {
    float *weights, *bias, *in, *before; /* BEFORE: what a sum adds to */
    size_t in_count, out_count;
};

static struct numbers numbers_for(const lens_conv_spec *spec, int count, uint64_t seed)
{
    struct numbers numbers = {0};
    size_t taps = (size_t)spec->kernel * (size_t)spec->kernel * (size_t)(spec->in / spec->groups);
    numbers.in_count = (size_t)count * (size_t)spec->height * (size_t)spec->width * (size_t)spec->in;
    numbers.out_count =
        (size_t)count * (size_t)lens_conv_out_height(spec) * (size_t)lens_conv_out_width(spec) * (size_t)spec->out;
    numbers.weights = test_some(&seed, 4 / sqrtf((float)taps), taps * (size_t)spec->out);
    numbers.bias = test_some(&seed, 3, (size_t)spec->out);
    numbers.in = test_some(&seed, 3, numbers.in_count);
    numbers.before = test_some(&seed, 3, numbers.out_count);
    return numbers;
}

static void numbers_free(struct numbers *numbers)
{
    free(numbers->weights), free(numbers->bias), free(numbers->in), free(numbers->before);
}

/* The layer's output. The caller frees. */
static float *run(lens_backend backend, const lens_conv_spec *spec, const struct numbers *numbers, int count, int threads)
{
    lens_error err = {0};
    lens_engine *engine = test_engine(backend);
    lens_layer *layer = lens_conv_new(engine, "layer", spec, numbers->weights, numbers->bias, &err);
    assert_done(layer ? 0 : -1, &err);
    assert_string_equal(lens_layer_name(layer), "layer");
    lens_stream *stream = test_stream(engine, threads);
    /* NaN where nothing is to be added: a layer that reads its output then shows. */
    float *out = lens_floats_new(numbers->out_count);
    for (size_t i = 0; i < numbers->out_count; i++)
        out[i] = spec->sum ? numbers->before[i] : NAN;
    assert_done(lens_conv_run(stream, layer, count, numbers->in, out, &err), &err);
    lens_stream_free(stream);
    lens_engine_free(engine);
    return out;
}

/* The pads are TensorFlow's unless they are given. */
static void test_convolutions_agree(void **state)
{
    (void)state;
    const lens_conv_spec specs[] = {
        {.height = 224, .width = 224, .in = 3, .out = 32, .groups = 1, .kernel = 3, .stride = 2, .activation = LENS_ACTIVATION_CLIP6},
        {.height = 17, .width = 23, .in = 3, .out = 5, .groups = 1, .kernel = 3, .stride = 2},
        {.height = 14, .width = 14, .in = 24, .out = 24, .groups = 24, .kernel = 3, .stride = 1, .activation = LENS_ACTIVATION_CLIP6},
        {.height = 14, .width = 15, .in = 144, .out = 144, .groups = 144, .kernel = 5, .stride = 2},
        {.height = 13, .width = 14, .in = 7, .out = 7, .groups = 7, .kernel = 5, .stride = 2, .activation = LENS_ACTIVATION_CLIP6},
        {.height = 2, .width = 1, .in = 33, .out = 33, .groups = 33, .kernel = 5, .stride = 1},
        {.height = 1, .width = 1, .in = 1, .out = 1, .groups = 1, .kernel = 1, .stride = 1},
        {.height = 7, .width = 7, .in = 320, .out = 1280, .groups = 1, .kernel = 1, .stride = 1, .activation = LENS_ACTIVATION_CLIP6},
        {.height = 9, .width = 5, .in = 31, .out = 17, .groups = 1, .kernel = 1, .stride = 1, .sum = true},
        {.height = 28, .width = 28, .in = 240, .out = 40, .groups = 1, .kernel = 1, .stride = 1, .sum = true},
        {.height = 6, .width = 6, .in = 16, .out = 24, .groups = 1, .kernel = 3, .stride = 1, .sum = true,
         .activation = LENS_ACTIVATION_CLIP6},
        {.height = 11, .width = 6, .in = 20, .out = 20, .groups = 20, .kernel = 3, .stride = 1, .sum = true},
        {.height = 12, .width = 12, .in = 8, .out = 12, .groups = 4, .kernel = 3, .stride = 3},
        {.height = 32, .width = 32, .in = 3, .out = 19, .groups = 1, .kernel = 7, .stride = 2, .before = {3, 3}, .after = {3, 3}},
        {.height = 32, .width = 16, .in = 3, .out = 8, .groups = 1, .kernel = 16, .stride = 16, .before = {0, 0}, .after = {0, 0}},
        {.height = 4, .width = 9, .in = 5, .out = 6, .groups = 1, .kernel = 3, .stride = 1, .before = {2, 0}, .after = {0, 1}},
    };
    double worst = 0;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        for (int count = 1; count <= 5; count += 2) {
            lens_conv_spec spec = specs[i];
            if (i < 13)
                lens_conv_pad_same(&spec);
            struct numbers numbers = numbers_for(&spec, count, 17 * i + (unsigned)count);
            float *fast = run(LENS_BACKEND_ONEDNN, &spec, &numbers, count, 1 + count / 3);
            float *plain = run(LENS_BACKEND_PLAIN, &spec, &numbers, count, 1);
            double difference = test_largest_difference(fast, plain, numbers.out_count);
            if (!(difference < 1e-4)) /* of outputs about as large as 20 */
                fail_msg("convolution %zu, %d pictures: %g apart", i, count, difference);
            worst = fmax(worst, difference);
            free(fast), free(plain);
            numbers_free(&numbers);
        }
    printf("measured: convolutions on oneDNN and in plain C are at most %.2g apart\n", worst);
}

static void test_a_convolution_by_hand(void **state)
{
    (void)state;
    /* One row, two inputs, two outputs; a kernel of 3 is really one of 1 x 3 here, as the other rows meet zeros. */
    lens_conv_spec spec = {.height = 1, .width = 4, .in = 2, .out = 2, .groups = 1, .kernel = 3, .stride = 2};
    lens_conv_pad_same(&spec);
    /* Down: 1 output needs 1 + 1 zeros. Across: 2 outputs need (2 - 1) * 2 + 3 - 4 = 1 zero, on the right. */
    assert_int_equal(spec.before[0], 1);
    assert_int_equal(spec.after[0], 1);
    assert_int_equal(spec.before[1], 0);
    assert_int_equal(spec.after[1], 1);
    const float in[] = {1, 10, 2, 20, 3, 30, 4, 40}; /* [4, 2] */
    float weights[2 * 2 * 9] = {0};                  /* [out, in, 3, 3], the middle row used */
    weights[0 * 9 + 3] = 1, weights[0 * 9 + 5] = 0.5f; /* output 0 of input 0: left + right / 2 */
    weights[3 * 9 + 4] = 0.1f;                         /* output 1 of input 1: the centre / 10 */
    weights[2 * 9 + 0] = 99;                           /* meets the zeros above */
    const float bias[] = {0.25f, -1};
    const float expected[] = {1 + 1.5f + 0.25f, 1, 3 + 0.25f, 3};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        struct numbers numbers = {.weights = weights, .bias = (float *)bias, .in = (float *)in, .before = (float *)in, .out_count = 4};
        float *out = run((lens_backend)backend, &spec, &numbers, 1, 1);
        for (int i = 0; i < 4; i++)
            if (!(fabsf(out[i] - expected[i]) <= 1e-6f)) /* nor NaN */
                fail_msg("backend %d, output %d: %g, not %g", backend, i, (double)out[i], (double)expected[i]);
        free(out);
    }
}

static void test_same_padding(void **state)
{
    (void)state;
    const struct {
        int size, kernel, stride, out, before, after;
    } cases[] = {{224, 3, 2, 112, 0, 1}, {112, 3, 1, 112, 1, 1}, {56, 5, 2, 28, 1, 2}, {7, 5, 1, 7, 2, 2},
                 {113, 3, 2, 57, 1, 1},  {5, 1, 2, 3, 0, 0},     {1, 5, 2, 1, 2, 2},   {15, 5, 2, 8, 2, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_conv_spec spec = {.height = cases[i].size, .width = 1, .kernel = cases[i].kernel, .stride = cases[i].stride};
        lens_conv_pad_same(&spec);
        assert_int_equal(spec.before[0], cases[i].before);
        assert_int_equal(spec.after[0], cases[i].after);
        assert_int_equal(lens_conv_out_height(&spec), cases[i].out);
    }
}

static void test_one_stream_runs_any_count(void **state)
{
    (void)state;
    lens_conv_spec spec = {.height = 14, .width = 14, .in = 48, .out = 96, .groups = 1, .kernel = 1, .stride = 1};
    struct numbers numbers = numbers_for(&spec, 9, 5);
    size_t in_size = numbers.in_count / 9, out_size = numbers.out_count / 9;
    lens_error err = {0};
    lens_engine *engine = test_engine(LENS_BACKEND_ONEDNN);
    lens_layer *layer = lens_conv_new(engine, "layer", &spec, numbers.weights, numbers.bias, &err);
    lens_stream *stream = lens_stream_new(engine, 1, &err);
    assert_done(layer && stream ? 0 : -1, &err);
    float *whole = lens_floats_new(numbers.out_count), *parts = lens_floats_new(numbers.out_count);
    assert_done(lens_conv_run(stream, layer, 9, numbers.in, whole, &err), &err);
    const int counts[] = {1, 4, 3, 1};
    size_t at = 0;
    for (size_t i = 0; i < 4; at += (size_t)counts[i++])
        assert_done(lens_conv_run(stream, layer, counts[i], numbers.in + at * in_size, parts + at * out_size, &err), &err);
    double difference = test_largest_difference(whole, parts, numbers.out_count);
    assert_true(difference < 1e-5);
    assert_int_equal(lens_conv_run(stream, layer, 0, numbers.in, whole, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    free(whole), free(parts);
    lens_stream_free(stream);
    lens_engine_free(engine);
    numbers_free(&numbers);
}

struct worker {
    const lens_engine *engine;
    const lens_layer *layer;
    const struct numbers *numbers;
    float *out;
    int count, result;
    lens_error err;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    lens_stream *stream = lens_stream_new(worker->engine, 1, &worker->err);
    worker->result = stream ? 0 : -1;
    for (int i = 0; i < 5 && worker->result == 0; i++)
        worker->result = lens_conv_run(stream, worker->layer, worker->count, worker->numbers->in, worker->out, &worker->err);
    lens_stream_free(stream);
    return NULL;
}

static void test_threads_share_an_engine(void **state)
{
    (void)state;
    enum { THREADS = 4, COUNT = 3 };
    lens_conv_spec spec = {.height = 28, .width = 28, .in = 40, .out = 40, .groups = 40, .kernel = 5, .stride = 1};
    lens_conv_pad_same(&spec);
    struct numbers numbers = numbers_for(&spec, COUNT, 6);
    float *expected = run(LENS_BACKEND_ONEDNN, &spec, &numbers, COUNT, 1);
    lens_error err = {0};
    lens_engine *engine = test_engine(LENS_BACKEND_ONEDNN);
    lens_layer *layer = lens_conv_new(engine, "layer", &spec, numbers.weights, numbers.bias, &err);
    assert_done(layer ? 0 : -1, &err);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){engine, layer, &numbers, lens_floats_new(numbers.out_count), COUNT, -1, {0}};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_done(workers[i].result, &workers[i].err);
        assert_memory_equal(workers[i].out, expected, numbers.out_count * sizeof *expected);
        free(workers[i].out);
    }
    free(expected);
    lens_engine_free(engine);
    numbers_free(&numbers);
}

static void count_floats(void *context, const lens_layer *layer, int count, const float *out, size_t size)
{
    assert_string_equal(lens_layer_name(layer), "watched");
    assert_int_equal(count, 2);
    assert_true(out[size - 1] == 1.0f);
    *(size_t *)context += size;
}

static void test_a_watcher_sees_each_output(void **state)
{
    (void)state;
    lens_conv_spec spec = {.height = 2, .width = 3, .in = 1, .out = 4, .groups = 1, .kernel = 1, .stride = 1};
    const float weights[4] = {0}, bias[4] = {1, 1, 1, 1}, in[12] = {0};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_error err = {0};
        lens_engine *engine = lens_engine_new((lens_backend)backend, &err);
        lens_layer *layer = lens_conv_new(engine, "watched", &spec, weights, bias, &err);
        lens_stream *stream = lens_stream_new(engine, 1, &err);
        assert_done(stream ? 0 : -1, &err);
        size_t seen = 0;
        float out[48];
        lens_stream_watch(stream, count_floats, &seen);
        assert_done(lens_conv_run(stream, layer, 2, in, out, &err), &err);
        lens_stream_watch(stream, NULL, NULL);
        assert_done(lens_conv_run(stream, layer, 2, in, out, &err), &err);
        assert_int_equal(seen, 48);
        lens_stream_free(stream);
        lens_engine_free(engine);
    }
}

static void test_impossible_layers_are_refused(void **state)
{
    (void)state;
    const lens_conv_spec good = {.height = 4, .width = 4, .in = 4, .out = 4, .groups = 2, .kernel = 3, .stride = 1};
    lens_conv_spec bad[9];
    for (size_t i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].kernel = 5;
    bad[1].groups = 3;
    bad[2].stride = 0;
    bad[3].in = 0;
    bad[4].out = -4;
    bad[5].before[0] = -1;
    bad[6].height = bad[6].width = 1 << 24, bad[6].in = bad[6].out = 1 << 24; /* 2^72 floats */
    bad[7].height = 2;
    bad[8].width = 1 << 30;
    const float weights[4 * 2 * 25] = {0}, bias[4] = {0};
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_error err = {0};
        lens_engine *engine = lens_engine_new((lens_backend)backend, &err);
        for (size_t i = 0; i < 9; i++) {
            err = (lens_error){0};
            if (lens_conv_new(engine, "odd one", &bad[i], weights, bias, &err))
                fail_msg("convolution %zu was taken", i);
            assert_int_equal(err.code, LENS_E_ARGUMENT);
            assert_says(&err, "odd one: ");
        }
        assert_null(lens_stream_new(engine, 0, &err));
        lens_stream *stream = lens_stream_new(engine, 1, &err);
        lens_layer *late = lens_conv_new(engine, "late", &good, weights, bias, &err);
        float in[64] = {0}, out[16];
        assert_int_equal(lens_conv_run(stream, late, 1, in, out, &err), -1);
        assert_says(&err, "late: ");
        lens_stream_free(stream);
        lens_engine_free(engine);
    }
    lens_engine_free(NULL);
    lens_stream_free(NULL);
    assert_null(lens_floats_new(SIZE_MAX / 4));
}

static void test_mean_of_positions(void **state)
{
    (void)state;
    const float in[] = {1, 10, 100, 3, 30, 300, -1, -10, -100, -2, -20, -200}; /* [2, 2, 3] */
    const float expected[] = {2, 20, 200, -1.5f, -15, -150};
    float out[6];
    lens_mean_positions(2, 2, 3, in, out);
    assert_memory_equal(out, expected, sizeof expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions_agree),      cmocka_unit_test(test_a_convolution_by_hand),
        cmocka_unit_test(test_same_padding),            cmocka_unit_test(test_one_stream_runs_any_count),
        cmocka_unit_test(test_threads_share_an_engine), cmocka_unit_test(test_a_watcher_sees_each_output),
        cmocka_unit_test(test_impossible_layers_are_refused), cmocka_unit_test(test_mean_of_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
