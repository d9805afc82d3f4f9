/* src/encoders/efficientnet_lite.c on random weights: layer by layer against plain C, and the whole against a pass that is
 * written here from docs/MODELS.md. tests/golden/test_efficientnet.c has the real weights. */
#include <math.h>

#include "encoders/family.h"
#include "encoders.h"
#include "support.h"
#include "weights.h"

enum { SIDE = TEST_MODEL_SIDE, DIM = TEST_MODEL_DIM, PIXELS = SIDE * SIDE * 3 };

static char *folder; /* of the model */

static lens_encoder *open_on(lens_backend backend)
{
    return test_encoder(folder, "random", LENS_TOWER_PICTURES, backend);
}

static float *random_pixels(uint64_t seed)
{
    float *pixels = lens_floats_new(PIXELS);
    assert_non_null(pixels);
    test_random_fill(&seed, -1, 1, PIXELS, pixels);
    return pixels;
}

/* What every layer gave, kept from one backend and compared with the other. */
struct trace {
    struct {
        char name[64];
        float *out;
        size_t size;
    } layers[64];
    size_t count, at;
    double worst; /* difference relative to the layer's largest number */
};

static void keep(void *context, const lens_layer *layer, int count, const float *out, size_t size)
{
    struct trace *trace = context;
    (void)count;
    assert_true(trace->count < 64);
    snprintf(trace->layers[trace->count].name, 64, "%s", lens_layer_name(layer));
    trace->layers[trace->count].out = malloc(size * sizeof *out);
    memcpy(trace->layers[trace->count].out, out, size * sizeof *out);
    trace->layers[trace->count++].size = size;
}

static void compare(void *context, const lens_layer *layer, int count, const float *out, size_t size)
{
    struct trace *trace = context;
    (void)count;
    assert_true(trace->at < trace->count);
    assert_string_equal(trace->layers[trace->at].name, lens_layer_name(layer));
    assert_int_equal(trace->layers[trace->at].size, size);
    const float *other = trace->layers[trace->at++].out;
    double largest = 0, difference = 0;
    for (size_t i = 0; i < size; i++) {
        largest = fmax(largest, fabs((double)other[i]));
        difference = fmax(difference, isnan(out[i]) ? INFINITY : fabs((double)out[i] - (double)other[i]));
    }
    if (!(largest > 0.01 && difference <= 1e-4 * largest))
        fail_msg("%s: %g apart, with numbers up to %g", lens_layer_name(layer), difference, largest);
    trace->worst = fmax(trace->worst, difference / largest);
}

static void test_every_layer_agrees_with_plain_c(void **state)
{
    (void)state;
    struct trace trace = {0};
    float *pixels = random_pixels(3), vectors[2][DIM];
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_encoder *encoder = open_on((lens_backend)backend);
        lens_session *session = test_session(encoder, 1, 1);
        lens_session_watch(session, backend == LENS_BACKEND_ONEDNN ? keep : compare, &trace);
        lens_error err = {0};
        assert_done(lens_session_run(session, pixels, 1, vectors[backend], &err), &err);
        lens_session_free(session);
        lens_encoder_close(encoder);
    }
    assert_int_equal(trace.count, 49);
    assert_int_equal(trace.at, 49);
    double cosine = 0;
    for (int i = 0; i < DIM; i++)
        cosine += (double)vectors[0][i] * (double)vectors[1][i];
    assert_true(cosine > 0.9999999);
    printf("measured: 49 layers on oneDNN and in plain C are at most %.2g of their largest number apart\n", trace.worst);
    for (size_t i = 0; i < trace.count; i++)
        free(trace.layers[i].out);
    free(pixels);
}

/* A map of double-precision numbers, [side, side, channels]. */
struct map {
    int side, channels;
    double *at;
};

/* The convolution PREFIX.CONV and its batch norm as the papers have them: not folded, and in no one's buffers but its own. */
static struct map reference_conv(const lens_weights *file, const char *prefix, const char *conv, const char *norm,
                                 const struct map *in, int out, int kernel, int stride, bool depthwise, bool clip)
{
    lens_error err = {0};
    char name[96];
    const char *parts[] = {"weight", "bias", "running_mean", "running_var"};
    float *of_norm[4];
    snprintf(name, sizeof name, "%s%s.weight", prefix, conv);
    int each = depthwise ? 1 : in->channels;
    float *weight = lens_weights_read(file, name, 4, (int64_t[]){out, each, kernel, kernel}, &err);
    assert_done(weight ? 0 : -1, &err);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s.%s", prefix, norm, parts[i]);
        of_norm[i] = lens_weights_read(file, name, 1, (int64_t[]){out}, &err);
        assert_done(of_norm[i] ? 0 : -1, &err);
    }
    struct map result = {(in->side + stride - 1) / stride, out, NULL};
    result.at = calloc((size_t)result.side * (size_t)result.side * (size_t)out, sizeof *result.at);
    assert_non_null(result.at);
    int zeros = (result.side - 1) * stride + kernel - in->side, first = zeros > 0 ? zeros / 2 : 0;
    for (int y = 0; y < result.side; y++)
        for (int x = 0; x < result.side; x++)
            for (int o = 0; o < out; o++) {
                double sum = 0;
                for (int ky = 0; ky < kernel; ky++)
                    for (int kx = 0; kx < kernel; kx++) {
                        int row = y * stride + ky - first, column = x * stride + kx - first;
                        if (row < 0 || column < 0 || row >= in->side || column >= in->side)
                            continue;
                        const double *pixel = in->at + (row * in->side + column) * in->channels + (depthwise ? o : 0);
                        for (int i = 0; i < each; i++)
                            sum += pixel[i] * (double)weight[((o * each + i) * kernel + ky) * kernel + kx];
                    }
                sum = (sum - (double)of_norm[2][o]) / sqrt((double)of_norm[3][o] + 0.001) * (double)of_norm[0][o] +
                      (double)of_norm[1][o];
                result.at[(y * result.side + x) * out + o] = clip ? fmin(fmax(sum, 0), 6) : sum;
            }
    for (int i = 0; i < 4; i++)
        free(of_norm[i]);
    free(weight);
    return result;
}

/* The whole pass as docs/MODELS.md tells it: PIXELS [SIDE, SIDE, 3] -> FEATURES [DIM]. */
static void reference_features(const lens_weights *file, const float *pixels, double *features)
{
    const int stages[7][5] = {{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2}, {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                              {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
    struct map x = {SIDE, 3, malloc(PIXELS * sizeof(double))};
    for (int i = 0; i < PIXELS; i++)
        x.at[i] = (double)pixels[i];
    struct map next = reference_conv(file, "", "conv_stem", "bn1", &x, 32, 3, 2, false, true);
    free(x.at);
    x = next;
    for (int stage = 0; stage < 7; stage++)
        for (int repeat = 0; repeat < stages[stage][4]; repeat++) {
            char prefix[32];
            snprintf(prefix, sizeof prefix, "blocks.%d.%d.", stage, repeat);
            bool expands = stages[stage][0] > 1;
            int stride = repeat ? 1 : stages[stage][2];
            struct map wide = expands ? reference_conv(file, prefix, "conv_pw", "bn1", &x, 6 * x.channels, 1, 1, false, true) : x;
            struct map middle = reference_conv(file, prefix, "conv_dw", expands ? "bn2" : "bn1", &wide, wide.channels,
                                               stages[stage][1], stride, true, true);
            struct map narrow = reference_conv(file, prefix, expands ? "conv_pwl" : "conv_pw", expands ? "bn3" : "bn2", &middle,
                                               stages[stage][3], 1, 1, false, false);
            if (stride == 1 && narrow.channels == x.channels)
                for (int i = 0; i < x.side * x.side * x.channels; i++)
                    narrow.at[i] += x.at[i];
            if (expands)
                free(wide.at);
            free(middle.at), free(x.at);
            x = narrow;
        }
    struct map head = reference_conv(file, "", "conv_head", "bn2", &x, DIM, 1, 1, false, true);
    for (int c = 0; c < DIM; c++) {
        features[c] = 0;
        for (int p = 0; p < head.side * head.side; p++)
            features[c] += head.at[p * DIM + c] / (head.side * head.side);
    }
    free(x.at), free(head.at);
}

static void test_the_pass_is_the_documented_one(void **state)
{
    (void)state;
    lens_error err = {0};
    char *path = test_path(folder, "model.safetensors");
    lens_weights *file = lens_weights_open(path, &err);
    assert_done(file ? 0 : -1, &err);
    lens_encoder *encoder = open_on(LENS_BACKEND_ONEDNN);
    lens_session *session = test_session(encoder, 1, 1);
    float *pixels = random_pixels(5), features[DIM], vector[DIM];
    double expected[DIM], length = 0, worst = 0, largest = 0;
    reference_features(file, pixels, expected);
    assert_done(lens_session_features(session, pixels, 1, features, &err), &err);
    assert_done(lens_session_run(session, pixels, 1, vector, &err), &err);
    for (int i = 0; i < DIM; i++) {
        worst = isnan(features[i]) ? INFINITY : fmax(worst, fabs((double)features[i] - expected[i]));
        largest = fmax(largest, expected[i]);
        length += expected[i] * expected[i];
    }
    assert_true(largest > 0.1);
    if (!(worst < 1e-4))
        fail_msg("features are up to %g apart", worst);
    for (int i = 0; i < DIM; i++)
        assert_true(fabs((double)vector[i] - expected[i] / sqrt(length)) < 1e-5);
    printf("measured: pooled features are at most %.2g from an unfolded pass in double precision\n", worst);
    free(pixels), free(path);
    lens_session_free(session);
    lens_encoder_close(encoder);
    lens_weights_close(file);
}

static int set_up(void **state)
{
    (void)state;
    folder = test_model_new(TEST_MODEL_CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0"), 1, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layer_agrees_with_plain_c),
        cmocka_unit_test(test_the_pass_is_the_documented_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
