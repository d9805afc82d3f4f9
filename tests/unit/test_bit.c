/* src/encoders/bit.c on random weights: the whole pass against one that is written here from docs/MODELS.md, in double precision, and
 * every way its folder can lie. tests/golden/test_bit.c has vectors that timm gave. */
#include <math.h>

#include "encoders/family.h"
#include "encoders.h"
#include "support.h"
#include "weights.h"

/* A size that is odd at some steps and even at others: 45 -> 23 -> 12 -> 12, 6, 3, 2. */
enum { SIDE = 45, DIM = 256, PIXELS = SIDE * SIDE * 3, STAGES = 4, GROUPS = 32 };

static const int layers[STAGES] = {1, 2, 1, 2}, channels[STAGES] = {128, 128, 256, 256}, stem = 32;

#define PREPARATION "\"pretrained_cfg\":{\"input_size\":[3,45,45],\"interpolation\":\"bilinear\",\"crop_pct\":0.9," \
    "\"mean\":[0.5,0.5,0.5],\"std\":[0.5,0.5,0.5]}"
#define CONFIG(architecture, layers, channels, stem, rest) \
    "{\"architecture\":\"" architecture "\",\"layers\":" layers ",\"channels\":" channels ",\"stem_chs\":" stem rest "," PREPARATION "}"
#define GOOD_LAYERS "[1,2,1,2]"
#define GOOD_CHANNELS "[128,128,256,256]"
static const char good_config[] = CONFIG("resnetv2_50x1_bit.goog_in21k", GOOD_LAYERS, GOOD_CHANNELS, "32", ",\"num_features\":256");

static void add_conv(test_random_checkpoint *random, const char *prefix, const char *conv, int out, int in, int kernel)
{
    char name[80];
    snprintf(name, sizeof name, "%s%s.weight", prefix, conv);
    /* Away from zero on the average, so that a mean that is not taken out shows; some so small that epsilon does. */
    float range = strcmp(conv, "conv3") == 0 ? 0.0005f : 0.05f;
    test_random_add(random, name, 4, (int64_t[]){out, in, kernel, kernel}, -range, 2 * range);
}

static void add_norm(test_random_checkpoint *random, const char *prefix, const char *norm, int count)
{
    char name[80];
    /* What comes of a small norm makes the next one's epsilon show. */
    float size = strcmp(norm, "norm2") == 0 ? 0.001f : 1;
    snprintf(name, sizeof name, "%s%s.weight", prefix, norm);
    test_random_add(random, name, 1, (int64_t[]){count}, 0.5f * size, 1.5f * size);
    snprintf(name, sizeof name, "%s%s.bias", prefix, norm);
    test_random_add(random, name, 1, (int64_t[]){count}, -0.4f * size, 0.4f * size);
}

/* A new folder with a model of the shape above. Undo with test_folder_remove. */
static char *model_new(const char *config, const test_faults *faults)
{
    test_random_checkpoint random = {.seed = 1};
    if (faults)
        random.faults = *faults;
    add_conv(&random, "", "stem.conv", stem, 3, 7);
    int in = stem;
    for (int stage = 0; stage < STAGES; stage++)
        for (int i = 0; i < layers[stage]; i++) {
            char prefix[48];
            int out = channels[stage], narrow = out / 4;
            snprintf(prefix, sizeof prefix, "stages.%d.blocks.%d.", stage, i);
            add_norm(&random, prefix, "norm1", in);
            if (i == 0)
                add_conv(&random, prefix, "downsample.conv", out, in, 1);
            add_conv(&random, prefix, "conv1", narrow, in, 1);
            add_norm(&random, prefix, "norm2", narrow);
            add_conv(&random, prefix, "conv2", narrow, narrow, 3);
            add_norm(&random, prefix, "norm3", narrow);
            add_conv(&random, prefix, "conv3", out, narrow, 1);
            in = out;
        }
    add_norm(&random, "", "norm", in);
    char *folder = test_folder_new();
    char *path = test_path(folder, "model.safetensors");
    test_checkpoint_write(&random.checkpoint, path);
    free(path);
    path = test_path(folder, "config.json");
    test_write(path, config, strlen(config));
    free(path);
    return folder;
}

/* ---- the documented pass ----------------------------------------------------------------------------------------- */

/* A map of double-precision numbers, [side, side, channels]. */
struct map {
    int side, channels;
    double *at;
};

static struct map map_new(int side, int count)
{
    struct map map = {side, count, calloc((size_t)side * (size_t)side * (size_t)count, sizeof(double))};
    assert_non_null(map.at);
    return map;
}

/* The number at ROW, COLUMN, which may lie in the frame of zeros. */
static double at(const struct map *map, int row, int column, int channel)
{
    bool inside = row >= 0 && column >= 0 && row < map->side && column < map->side;
    return inside ? map->at[(row * map->side + column) * map->channels + channel] : 0;
}

/* The kernel of output O, brought to mean 0 and variance 1. */
static void standard_kernel(const float *weight, int each, double *kernel)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < each; i++)
        sum += (double)weight[i];
    for (int i = 0; i < each; i++)
        squares += pow((double)weight[i] - sum / each, 2);
    for (int i = 0; i < each; i++)
        kernel[i] = ((double)weight[i] - sum / each) / sqrt(squares / each + 1e-8);
}

static struct map conv(const lens_weights *file, const char *prefix, const char *conv_name, const struct map *in, int out, int kernel,
                       int stride)
{
    lens_error err = {0};
    char name[80];
    snprintf(name, sizeof name, "%s%s.weight", prefix, conv_name);
    float *weight = lens_weights_read(file, name, 4, (int64_t[]){out, in->channels, kernel, kernel}, &err);
    assert_done(weight ? 0 : -1, &err);
    int each = in->channels * kernel * kernel, zeros = kernel / 2;
    struct map result = map_new((in->side + 2 * zeros - kernel) / stride + 1, out);
    double *standard = malloc((size_t)each * sizeof *standard);
    assert_non_null(standard);
    for (int o = 0; o < out; o++) {
        standard_kernel(weight + o * each, each, standard);
        for (int y = 0; y < result.side; y++)
            for (int x = 0; x < result.side; x++) {
                double sum = 0;
                for (int i = 0; i < each; i++) /* [in, kernel, kernel] */
                    sum += standard[i] * at(in, y * stride - zeros + i / kernel % kernel, x * stride - zeros + i % kernel,
                                            i / (kernel * kernel));
                result.at[(y * result.side + x) * out + o] = sum;
            }
    }
    free(standard), free(weight);
    return result;
}

/* Group norm and ReLU, as a map of its own. */
static struct map normed(const lens_weights *file, const char *prefix, const char *norm, const struct map *in)
{
    lens_error err = {0};
    char name[80];
    float *numbers[2];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s.%s", prefix, norm, i ? "bias" : "weight");
        numbers[i] = lens_weights_read(file, name, 1, (int64_t[]){in->channels}, &err);
        assert_done(numbers[i] ? 0 : -1, &err);
    }
    struct map result = map_new(in->side, in->channels);
    int each = in->channels / GROUPS, positions = in->side * in->side;
    for (int g = 0; g < GROUPS; g++) {
        double sum = 0, squares = 0, count = (double)positions * each;
        for (int p = 0; p < positions; p++)
            for (int c = g * each; c < (g + 1) * each; c++)
                sum += in->at[p * in->channels + c];
        for (int p = 0; p < positions; p++)
            for (int c = g * each; c < (g + 1) * each; c++)
                squares += pow(in->at[p * in->channels + c] - sum / count, 2);
        for (int p = 0; p < positions; p++)
            for (int c = g * each; c < (g + 1) * each; c++) {
                double value = (in->at[p * in->channels + c] - sum / count) / sqrt(squares / count + 1e-5);
                result.at[p * in->channels + c] = fmax(value * (double)numbers[0][c] + (double)numbers[1][c], 0);
            }
    }
    free(numbers[0]), free(numbers[1]);
    return result;
}

/* The largest of 3 x 3 numbers every second position, zeros around. */
static struct map pooled(const struct map *in)
{
    struct map result = map_new((in->side - 1) / 2 + 1, in->channels);
    for (int y = 0; y < result.side; y++)
        for (int x = 0; x < result.side; x++)
            for (int c = 0; c < in->channels; c++) {
                double most = -INFINITY;
                for (int tap = 0; tap < 9; tap++)
                    most = fmax(most, at(in, 2 * y - 1 + tap / 3, 2 * x - 1 + tap % 3, c));
                result.at[(y * result.side + x) * in->channels + c] = most;
            }
    return result;
}

static struct map block(const lens_weights *file, const char *prefix, const struct map *in, int out, int stride, bool first)
{
    struct map n1 = normed(file, prefix, "norm1", in);
    struct map a = conv(file, prefix, "conv1", &n1, out / 4, 1, 1), n2 = normed(file, prefix, "norm2", &a);
    struct map b = conv(file, prefix, "conv2", &n2, out / 4, 3, stride), n3 = normed(file, prefix, "norm3", &b);
    struct map result = conv(file, prefix, "conv3", &n3, out, 1, 1);
    struct map made = {0};
    if (first)
        made = conv(file, prefix, "downsample.conv", &n1, out, 1, stride);
    const double *shortcut = first ? made.at : in->at;
    for (int i = 0; i < result.side * result.side * out; i++)
        result.at[i] += shortcut[i];
    free(n1.at), free(a.at), free(n2.at), free(b.at), free(n3.at), free(made.at);
    return result;
}

/* PIXELS [SIDE, SIDE, 3] -> FEATURES [DIM]. */
static void reference_features(const lens_weights *file, const float *pixels, double *features)
{
    struct map x = map_new(SIDE, 3), next;
    for (int i = 0; i < PIXELS; i++)
        x.at[i] = (double)pixels[i];
    next = conv(file, "", "stem.conv", &x, stem, 7, 2);
    free(x.at);
    x = pooled(&next);
    free(next.at);
    for (int stage = 0; stage < STAGES; stage++)
        for (int i = 0; i < layers[stage]; i++) {
            char prefix[48];
            snprintf(prefix, sizeof prefix, "stages.%d.blocks.%d.", stage, i);
            next = block(file, prefix, &x, channels[stage], stage && !i ? 2 : 1, i == 0);
            free(x.at);
            x = next;
        }
    next = normed(file, "", "norm", &x);
    for (int c = 0; c < DIM; c++) {
        features[c] = 0;
        for (int p = 0; p < next.side * next.side; p++)
            features[c] += next.at[p * DIM + c] / (next.side * next.side);
    }
    free(x.at), free(next.at);
}

static void test_the_pass_is_the_documented_one(void **state)
{
    (void)state;
    lens_error err = {0};
    char *folder = model_new(good_config, NULL), *path = test_path(folder, "model.safetensors");
    lens_weights *file = lens_weights_open(path, &err);
    assert_done(file ? 0 : -1, &err);
    static float pixels[2 * PIXELS];
    uint64_t seed = 5;
    test_random_fill(&seed, -1, 1, 2 * PIXELS, pixels);
    double expected[2][DIM];
    for (int n = 0; n < 2; n++)
        reference_features(file, pixels + n * PIXELS, expected[n]);
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_encoder *encoder = test_encoder(folder, "random", LENS_TOWER_PICTURES, (lens_backend)backend);
        const lens_encoder_info *info = lens_encoder_about(encoder);
        assert_string_equal(info->family, "bit");
        assert_int_equal(info->dim, DIM);
        assert_true(info->pictures && !info->words);
        assert_int_equal(info->preparation.filter, LENS_FILTER_BILINEAR);
        assert_int_equal(info->preparation.resize, 50);
        lens_session *session = test_session(encoder, 2, 1);
        float features[2 * DIM];
        assert_done(lens_session_features(session, pixels, 2, features, &err), &err);
        double worst = 0, largest = 0, between = 0;
        for (int i = 0; i < 2 * DIM; i++) {
            double want = expected[i / DIM][i % DIM];
            worst = isnan(features[i]) ? INFINITY : fmax(worst, fabs((double)features[i] - want));
            largest = fmax(largest, want);
            between = fmax(between, fabs(expected[0][i % DIM] - expected[1][i % DIM]));
        }
        assert_true(largest > 0.5 && between > 0.1); /* the pictures are told apart */
        if (!(worst < 2e-5))
            fail_msg("features are up to %g apart", worst);
        if (backend == LENS_BACKEND_ONEDNN)
            printf("measured: BigTransfer's features, up to %.2g, are at most %.2g from a pass in double precision\n", largest, worst);
        lens_session_free(session);
        lens_encoder_close(encoder);
    }
    lens_weights_close(file);
    free(path);
    test_folder_remove(folder);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void test_lying_weights(void **state)
{
    (void)state;
    const struct {
        test_faults faults;
        const char *words;
    } cases[] = {
        {{.omit = "stem.conv.weight"}, "model.safetensors: no tensor stem.conv.weight"},
        {{.omit = "stages.2.blocks.0.downsample.conv.weight"}, "model.safetensors: no tensor stages.2.blocks.0.downsample.conv.weight"},
        {{.omit = "stages.3.blocks.1.norm3.bias"}, "model.safetensors: no tensor stages.3.blocks.1.norm3.bias"},
        {{.omit = "norm.weight"}, "model.safetensors: no tensor norm.weight"},
        {{.reshape = "stages.1.blocks.1.conv2.weight"},
         "model.safetensors: tensor stages.1.blocks.1.conv2.weight is [32, 33, 3, 3], not [32, 32, 3, 3]"},
        {{.reshape = "stem.conv.weight"}, "model.safetensors: tensor stem.conv.weight is [32, 4, 7, 7], not [32, 3, 7, 7]"},
        {{.nan_in = "stages.0.blocks.0.conv3.weight"},
         "model.safetensors: tensor stages.0.blocks.0.conv3.weight holds a number that is not finite"},
        {{.nan_in = "norm.bias"}, "model.safetensors: tensor norm.bias holds a number that is not finite"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = model_new(good_config, &cases[i].faults);
        test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_FORMAT, cases[i].words);
        test_folder_remove(folder);
    }
    char *folder = model_new(good_config, NULL), *path = test_path(folder, "model.safetensors");
    lens_buffer file = test_read(path);
    test_write(path, file.data, file.size - 4);
    test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_FORMAT, "model.safetensors: ");
    lens_buffer_free(&file);
    free(path);
    test_folder_remove(folder);
}

static void test_lying_configurations(void **state)
{
    (void)state;
    const struct {
        const char *config;
        lens_error_code code;
        const char *words;
    } cases[] = {
        {CONFIG("resnetv2_50x1_bit", "[1,3,1,2]", GOOD_CHANNELS, "32", ""), LENS_E_FORMAT,
         "model.safetensors: no tensor stages.1.blocks.2.norm1.weight"},
        {CONFIG("resnetv2_50x1_bit", "[1,1,1,2]", GOOD_CHANNELS, "32", ""), LENS_E_FORMAT,
         "config.json: tensor stages.1.blocks.1.conv1.weight is in the weights, but the configuration ends before it"},
        {CONFIG("resnetv2_50x1_bit", GOOD_LAYERS, "[128,128,128,256]", "32", ""), LENS_E_FORMAT,
         "tensor stages.2.blocks.0.downsample.conv.weight is [256, 128, 1, 1], not [128, 128, 1, 1]"},
        {CONFIG("resnetv2_50x1_bit", GOOD_LAYERS, GOOD_CHANNELS, "64", ""), LENS_E_FORMAT,
         "tensor stem.conv.weight is [32, 3, 7, 7], not [64, 3, 7, 7]"},
        /* As with timm's arguments, these are the channels of width 1. */
        {CONFIG("resnetv2_50x3_bit", GOOD_LAYERS, GOOD_CHANNELS, "32", ""), LENS_E_FORMAT,
         "tensor stem.conv.weight is [32, 3, 7, 7], not [96, 3, 7, 7]"},
        {"{\"architecture\":\"resnetv2_101x1_bit.goog_in21k_ft_in1k\"," PREPARATION "}", LENS_E_FORMAT,
         "tensor stem.conv.weight is [32, 3, 7, 7], not [64, 3, 7, 7]"},
        {CONFIG("resnetv2_50x1_bit", GOOD_LAYERS, GOOD_CHANNELS, "32", ",\"num_features\":2048"), LENS_E_FORMAT,
         "config.json: num_features is not the 256 of resnetv2_50x1_bit"},
        {CONFIG("resnetv2_50x1_bit", GOOD_LAYERS, "[128,128,256,192]", "32", ""), LENS_E_FORMAT,
         "config.json: channels is not made of whole numbers from 1 to 65536 that the groups of its norms divide"},
        {CONFIG("resnetv2_50x1_bit", GOOD_LAYERS, GOOD_CHANNELS, "33", ""), LENS_E_FORMAT, "config.json: stem_chs is not made of"},
        {CONFIG("resnetv2_50x1_bit", "[1,2,1]", GOOD_CHANNELS, "32", ""), LENS_E_FORMAT, "config.json: layers is not a list of 4 numbers"},
        {CONFIG("resnetv2_50x1_bit", "[1,2,1,0]", GOOD_CHANNELS, "32", ""), LENS_E_FORMAT, "config.json: layers is not made of"},
        {CONFIG("resnetv2_50x1_bit", "[1,2,1,1e3]", GOOD_CHANNELS, "32", ""), LENS_E_FORMAT, "config.json: layers is not made of"},
        {CONFIG("resnetv2_50x1_bit", "[1,2,1,65537]", GOOD_CHANNELS, "32", ""), LENS_E_FORMAT, "config.json: layers is not made of"},
        {CONFIG("resnetv2_50x1_bit", GOOD_LAYERS, GOOD_CHANNELS, "32", ",\"global_pool\":\"max\""), LENS_E_UNSUPPORTED,
         "config.json: global_pool is 'max', not avg"},
        {CONFIG("resnetv2_50x1_bit", GOOD_LAYERS, GOOD_CHANNELS, "32", ",\"model_args\":{\"stem_type\":\"same\"}"), LENS_E_UNSUPPORTED,
         "config.json: model_args are not supported"},
        {"{\"architecture\":\"resnetv2_50x1_bit\"}", LENS_E_FORMAT, "config.json: no pretrained_cfg"},
        {CONFIG("resnetv2_50", GOOD_LAYERS, GOOD_CHANNELS, "32", ""), LENS_E_UNSUPPORTED,
         "config.json: no encoder of this build knows the architecture resnetv2_50"},
        {CONFIG("resnetv2_50x1_bitter", GOOD_LAYERS, GOOD_CHANNELS, "32", ""), LENS_E_UNSUPPORTED,
         "config.json: no encoder of this build knows the architecture resnetv2_50x1_bitter"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = model_new(cases[i].config, NULL);
        test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_PICTURES, cases[i].code, cases[i].words);
        test_folder_remove(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_pass_is_the_documented_one),
        cmocka_unit_test(test_lying_weights),
        cmocka_unit_test(test_lying_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
