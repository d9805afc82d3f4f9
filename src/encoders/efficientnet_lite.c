/* EfficientNet-Lite: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in the
 * Lite form that TensorFlow published (no squeeze-excitation, ReLU6, stem and head unscaled), with the tensor names of
 * timm's tf_efficientnet_lite0 to 4. docs/MODELS.md describes the pass.
 *
 * One picture a pass: the activations of the early layers (up to 5 MB a picture) then stay near the core, which is worth
 * more than a larger matrix product. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encoders/family.h"
#include "encoders/timm_config.h"

enum { STEM = 32, HEAD = 1280, STAGES = 7 };

/* The models were trained with TensorFlow's batch norm. */
static const double epsilon = 1e-3;

static const struct stage {
    int expansion, kernel, stride, channels, repeats;
} stages[STAGES] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                    {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

static const struct variant {
    const char *architecture;
    double width, depth;
} variants[] = {{"tf_efficientnet_lite0", 1.0, 1.0},
                {"tf_efficientnet_lite1", 1.0, 1.1},
                {"tf_efficientnet_lite2", 1.1, 1.2},
                {"tf_efficientnet_lite3", 1.2, 1.4},
                {"tf_efficientnet_lite4", 1.4, 1.8}};

/* An inverted residual: narrow -> wide by EXPAND (NULL in the first stage, which has no expansion), DEPTHWISE, and narrow
 * again by PROJECT, which adds the block's input where shapes allow. */
struct block {
    const lens_layer *expand, *depthwise, *project;
};

struct model {
    const lens_layer *stem, *head;
    struct block *blocks;
    int count;
    int positions;                   /* of the head */
    size_t narrow, wide, middle;     /* floats of the three buffers, one picture */
};

/* Where building has got to. */
struct builder {
    const lens_model_source *source;
    lens_engine *engine;
    struct model *model;
    int size, channels; /* of what the next layer gets */
};

static const struct variant *variant_of(const json_t *config)
{
    const char *architecture = lens_timm_architecture(config);
    for (size_t i = 0; architecture && i < sizeof variants / sizeof *variants; i++)
        if (strcmp(architecture, variants[i].architecture) == 0)
            return &variants[i];
    return NULL;
}

static bool claims(const json_t *config)
{
    return variant_of(config) != NULL;
}

/* CHANNELS times WIDTH to the nearest multiple of eight, but never below nine tenths of it. */
static int scaled_channels(int channels, double width)
{
    double wanted = channels * width;
    int rounded = (int)(wanted + 4) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return rounded < 0.9 * wanted ? rounded + 8 : rounded;
}

static int scaled_repeats(int stage, double depth)
{
    bool fixed = stage == 0 || stage == STAGES - 1;
    return fixed ? stages[stage].repeats : (int)ceil(stages[stage].repeats * depth);
}

/* Folds the batch norm called NORM into WEIGHTS [OUT, EACH] and BIAS [OUT]:
 * gamma * (w x - mean) / sqrt(variance + epsilon) + beta. */
static int fold_norm(const lens_model_source *source, const char *norm, int out, size_t each, float *weights, float *bias,
                     lens_error *err)
{
    static const char *const parts[4] = {"weight", "bias", "running_mean", "running_var"};
    float *numbers[4] = {NULL};
    const int64_t shape[1] = {out};
    int result = 0;
    char name[96];
    for (int i = 0; i < 4 && result == 0; i++) {
        snprintf(name, sizeof name, "%s.%s", norm, parts[i]);
        numbers[i] = lens_weights_read(source->weights, name, 1, shape, err);
        result = numbers[i] ? 0 : -1;
    }
    for (int o = 0; o < out && result == 0; o++) {
        double scale = (double)numbers[0][o] / sqrt((double)numbers[3][o] + epsilon);
        bias[o] = (float)((double)numbers[1][o] - (double)numbers[2][o] * scale);
        bool finite = isfinite(scale) && isfinite(bias[o]);
        float *row = weights + (size_t)o * each;
        for (size_t i = 0; i < each; i++) {
            row[i] = (float)((double)row[i] * scale);
            finite &= isfinite(row[i]) != 0;
        }
        if (!finite)
            result = lens_fail(err, LENS_E_FORMAT, "%s: tensors %s.*: the batch norm of channel %d is not finite",
                               source->folder, norm, o);
    }
    for (int i = 0; i < 4; i++)
        free(numbers[i]);
    return result;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Adds the convolution PREFIX.CONV with its batch norm PREFIX.NORM to OUT channels, and moves on to its output. NULL on
 * failure. The floats of its output for one picture are noted in *ROOM, when that is less. */
static const lens_layer *add_conv(struct builder *builder, const char *prefix, const char *conv, const char *norm, int out,
                                  int kernel, int stride, int groups, bool sum, lens_activation activation, size_t *room,
                                  lens_error *err)
{
    char name[64], norm_name[64];
    snprintf(name, sizeof name, "%s%s.weight", prefix, conv);
    snprintf(norm_name, sizeof norm_name, "%s%s", prefix, norm);
    lens_conv_spec spec = {.height = builder->size, .width = builder->size, .in = builder->channels, .out = out,
                           .groups = groups, .kernel = kernel, .stride = stride, .sum = sum, .activation = activation};
    lens_conv_pad_same(&spec);
    const int64_t shape[4] = {out, spec.in / groups, kernel, kernel};
    float *weights = lens_weights_read(builder->source->weights, name, 4, shape, err);
    if (!weights)
        return NULL;
    float *bias = lens_floats_new((size_t)out);
    lens_layer *layer = NULL;
    name[strlen(name) - strlen(".weight")] = '\0';
    if (!bias)
        lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", name);
    else if (fold_norm(builder->source, norm_name, out, (size_t)(shape[1] * kernel * kernel), weights, bias, err) == 0)
        layer = lens_conv_new(builder->engine, name, &spec, weights, bias, err);
    free(weights);
    free(bias);
    builder->size = lens_conv_out_height(&spec);
    builder->channels = out;
    *room = larger(*room, (size_t)builder->size * (size_t)builder->size * (size_t)out);
    return layer;
}

static int add_block(struct builder *builder, int stage, int repeat, int channels, struct block *block, lens_error *err)
{
    struct model *model = builder->model;
    const struct stage *shape = &stages[stage];
    int stride = repeat == 0 ? shape->stride : 1, wide = builder->channels * shape->expansion;
    bool residual = stride == 1 && channels == builder->channels;
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blocks.%d.%d.", stage, repeat);
    bool expands = shape->expansion > 1;
    if (expands && !(block->expand = add_conv(builder, prefix, "conv_pw", "bn1", wide, 1, 1, 1, false, LENS_ACTIVATION_CLIP6,
                                              &model->wide, err)))
        return -1;
    block->depthwise = add_conv(builder, prefix, "conv_dw", expands ? "bn2" : "bn1", wide, shape->kernel, stride, wide, false,
                                LENS_ACTIVATION_CLIP6, &model->middle, err);
    if (!block->depthwise)
        return -1;
    block->project = add_conv(builder, prefix, expands ? "conv_pwl" : "conv_pw", expands ? "bn3" : "bn2", channels, 1, 1, 1,
                              residual, LENS_ACTIVATION_NONE, &model->narrow, err);
    return block->project ? 0 : -1;
}

static int build(struct builder *builder, const struct variant *variant, lens_error *err)
{
    struct model *model = builder->model;
    for (int stage = 0; stage < STAGES; stage++)
        model->count += scaled_repeats(stage, variant->depth);
    model->blocks = calloc((size_t)model->count, sizeof *model->blocks);
    if (!model->blocks)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", builder->source->folder);
    model->stem = add_conv(builder, "", "conv_stem", "bn1", STEM, 3, 2, 1, false, LENS_ACTIVATION_CLIP6, &model->wide, err);
    if (!model->stem)
        return -1;
    struct block *block = model->blocks;
    for (int stage = 0; stage < STAGES; stage++) {
        int channels = scaled_channels(stages[stage].channels, variant->width);
        int repeats = scaled_repeats(stage, variant->depth);
        for (int repeat = 0; repeat < repeats; repeat++)
            if (add_block(builder, stage, repeat, channels, block++, err) != 0)
                return -1;
    }
    model->head = add_conv(builder, "", "conv_head", "bn2", HEAD, 1, 1, 1, false, LENS_ACTIVATION_CLIP6, &model->wide, err);
    model->positions = builder->size * builder->size;
    return model->head ? 0 : -1;
}

static void model_close(void *opened)
{
    struct model *model = opened;
    if (model)
        free(model->blocks);
    free(model);
}

/* Floats for a buffer of COUNT, so that the next one begins on a boundary of 64 bytes. */
static size_t aligned(size_t count)
{
    return (count + 15) / 16 * 16;
}

static void *model_open(const lens_model_source *source, lens_engine *engine, lens_model_facts *facts, lens_error *err)
{
    const struct variant *variant = variant_of(source->config);
    const json_t *features = json_object_get(source->config, "num_features");
    if (features && json_integer_value(features) != HEAD) {
        lens_fail(err, LENS_E_FORMAT, "%s: num_features is not the %d of %s", source->config_path, (int)HEAD,
                  variant->architecture);
        return NULL;
    }
    if (lens_timm_preparation(source->config, source->config_path, &facts->preparation, err) != 0)
        return NULL;
    struct model *model = calloc(1, sizeof *model);
    struct builder builder = {source, engine, model, facts->preparation.size, 3};
    if (!model || lens_buffer_print(&facts->description, "%s", variant->architecture) != 0) {
        lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", source->folder);
        free(model);
        return NULL;
    }
    if (build(&builder, variant, err) != 0) {
        model_close(model);
        return NULL;
    }
    model->narrow = aligned(model->narrow);
    model->wide = aligned(model->wide);
    facts->dim = HEAD;
    facts->pictures = true;
    facts->slice = 1;
    /* Two threads save 3 of 9 ms on an idle machine; on a busy one their 49 meetings a pass cost 300. */
    facts->threads = 1;
    facts->workspace = (model->narrow + model->wide + model->middle) * sizeof(float);
    return model;
}

static int run(const void *opened, lens_stream *stream, void *workspace, const float *pixels, int count, float *features,
               lens_error *err)
{
    const struct model *model = opened;
    /* A block's input and output are both NARROW: the input was last needed where its residual is added, in place. */
    float *narrow = workspace, *wide = narrow + model->narrow, *middle = wide + model->wide;
    if (lens_conv_run(stream, model->stem, count, pixels, wide, err) != 0)
        return -1;
    for (const struct block *block = model->blocks; block < model->blocks + model->count; block++) {
        /* The first block's expanded input is what the stem left in WIDE. */
        if (block->expand && lens_conv_run(stream, block->expand, count, narrow, wide, err) != 0)
            return -1;
        if (lens_conv_run(stream, block->depthwise, count, wide, middle, err) != 0 ||
            lens_conv_run(stream, block->project, count, middle, narrow, err) != 0)
            return -1;
    }
    if (lens_conv_run(stream, model->head, count, narrow, wide, err) != 0)
        return -1;
    lens_mean_positions(count, model->positions, HEAD, wide, features);
    return 0;
}

const lens_family lens_family_efficientnet_lite = {
    .name = "efficientnet_lite", .quickest = LENS_PRECISION_F32, .claims = claims, .open = model_open, .close = model_close, .run = run,
};
