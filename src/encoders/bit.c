/* BigTransfer: Kolesnikov et al., "Big Transfer (BiT): General Visual Representation Learning" (2020), a ResNet of
 * pre-activation bottlenecks (He et al., "Identity Mappings in Deep Residual Networks", 2016) with group norm (Wu and He,
 * 2018) and standardised kernels (Qiao et al., "Micro-Batch Training with Batch-Channel Normalization and Weight
 * Standardization", 2019), under the tensor names of timm's resnetv2_*_bit. docs/MODELS.md describes the pass. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encoders/family.h"
#include "encoders/timm_config.h"

enum {
    STAGES = 4,
    GROUPS = 32,
    STEM_KERNEL = 7,
    NARROWING = 4, /* a bottleneck has a quarter of its block's channels */
    SLICE = 1,     /* pictures a pass: one to eight run equally fast, and one needs the least memory */
};

static const double kernel_epsilon = 1e-8, norm_epsilon = 1e-5;

/* What a configuration comes to. */
struct shape {
    int layers[STAGES], channels[STAGES], stem;
};

static const struct variant {
    const char *architecture;
    int layers[STAGES], width;
} variants[] = {{"resnetv2_50x1_bit", {3, 4, 6, 3}, 1},   {"resnetv2_50x3_bit", {3, 4, 6, 3}, 3},
                {"resnetv2_101x1_bit", {3, 4, 23, 3}, 1}, {"resnetv2_101x3_bit", {3, 4, 23, 3}, 3},
                {"resnetv2_152x2_bit", {3, 8, 36, 3}, 2}, {"resnetv2_152x4_bit", {3, 8, 36, 3}, 4}};

/* DOWNSAMPLE is NULL but in the first block of a stage, where it makes the shortcut. */
struct block {
    const lens_layer *norm1, *downsample, *conv1, *norm2, *conv2, *norm3, *conv3;
};

struct model {
    const lens_layer *stem, *norm;
    lens_pool_spec pool;
    struct block *blocks;
    int count;
    size_t pixels;                    /* numbers */
    lens_type map, normed_type;       /* of what convolutions give, and of what they get */
    size_t wide, normed, narrow;      /* bytes of the three buffers, one picture */
};

/* Where building has got to. */
struct builder {
    const lens_model_source *source;
    lens_engine *engine;
    struct model *model;
    int size, channels; /* of what the next layer gets */
};

/* The architecture's name may be followed by ".tag", which names the training. */
static const struct variant *variant_of(const json_t *config)
{
    const char *architecture = lens_timm_architecture(config);
    for (size_t i = 0; architecture && i < sizeof variants / sizeof *variants; i++) {
        size_t length = strlen(variants[i].architecture);
        if (strncmp(architecture, variants[i].architecture, length) == 0 &&
            (architecture[length] == '\0' || architecture[length] == '.'))
            return &variants[i];
    }
    return NULL;
}

static bool claims(const json_t *config)
{
    return variant_of(config) != NULL;
}

/* VALUE, an integer from 1 to 65536 that leaves nothing when divided by UNIT, times TIMES. */
static int read_number(const json_t *value, int unit, int times, const char *key, const char *path, int *out, lens_error *err)
{
    enum { MOST = 65536 };
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 1 || number > MOST || number * times % unit != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: %s is not made of whole numbers from 1 to %d%s", path, key, (int)MOST,
                         unit > 1 ? " that the groups of its norms divide" : "");
    *out = (int)number * times;
    return 0;
}

/* KEY of CONFIG, [STAGES], where it is there. */
static int read_list(const json_t *config, const char *key, int unit, int times, const char *path, int *out, lens_error *err)
{
    const json_t *list = json_object_get(config, key);
    if (list && json_array_size(list) != STAGES)
        return lens_fail(err, LENS_E_FORMAT, "%s: %s is not a list of %d numbers", path, key, (int)STAGES);
    for (size_t i = 0; list && i < STAGES; i++)
        if (read_number(json_array_get(list, i), unit, times, key, path, &out[i], err) != 0)
            return -1;
    return 0;
}

/* The shape of the variant, with what the configuration has of its own. Like timm's arguments, its channels are those of width 1. */
static int read_shape(const lens_model_source *source, const struct variant *variant, struct shape *shape, lens_error *err)
{
    static const int channels[STAGES] = {256, 512, 1024, 2048};
    const json_t *config = source->config, *stem = json_object_get(config, "stem_chs");
    const char *path = source->config_path;
    shape->stem = 64 * variant->width;
    for (int i = 0; i < STAGES; i++) {
        shape->layers[i] = variant->layers[i];
        shape->channels[i] = channels[i] * variant->width;
    }
    if (read_list(config, "layers", 1, 1, path, shape->layers, err) != 0 ||
        read_list(config, "channels", GROUPS * NARROWING, variant->width, path, shape->channels, err) != 0 ||
        (stem && read_number(stem, GROUPS, variant->width, "stem_chs", path, &shape->stem, err) != 0))
        return -1;
    return lens_timm_check(source, shape->channels[STAGES - 1], err);
}

/* Each of the OUT kernels of EACH numbers to mean 0 and variance 1. */
static void standardise(float *weights, int out, size_t each)
{
    for (int o = 0; o < out; o++, weights += each) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < each; i++)
            mean += (double)weights[i];
        mean /= (double)each;
        for (size_t i = 0; i < each; i++)
            variance += ((double)weights[i] - mean) * ((double)weights[i] - mean);
        double scale = 1 / sqrt(variance / (double)each + kernel_epsilon);
        for (size_t i = 0; i < each; i++)
            weights[i] = (float)(((double)weights[i] - mean) * scale);
    }
}

/* The convolution PREFIX.CONV of what BUILDER has got to, to OUT channels, with as many zeros around as keep the size at stride 1.
 * NULL on failure. *SIZE is that of its output, *ROOM at least its bytes for one picture. */
static const lens_layer *add_conv(const struct builder *builder, const char *prefix, const char *conv, int out, int kernel, int stride,
                                  bool sum, int *size, size_t *room, lens_error *err)
{
    char name[80];
    snprintf(name, sizeof name, "%s%s.weight", prefix, conv);
    const struct model *model = builder->model;
    const bool bytes = model->normed_type == LENS_TYPE_BYTES && kernel != STEM_KERNEL;
    int zeros = kernel / 2;
    lens_conv_spec spec = {.height = builder->size, .width = builder->size, .in = builder->channels, .out = out, .groups = 1,
                           .kernel = kernel, .stride = stride, .before = {zeros, zeros}, .after = {zeros, zeros}, .sum = sum,
                           .from = bytes ? LENS_TYPE_BYTES : model->map, .to = model->map, .factor = bytes};
    const bool warm = lens_engine_is_warm(builder->engine);
    float *weights = warm ? NULL : lens_weights_read(builder->source->weights, name, 4, (int64_t[]){out, spec.in, kernel, kernel}, err);
    if (!weights && !warm)
        return NULL;
    if (weights)
        standardise(weights, out, (size_t)spec.in * (size_t)kernel * (size_t)kernel);
    name[strlen(name) - strlen(".weight")] = '\0';
    const lens_layer *layer = lens_conv_new(builder->engine, name, &spec, weights, NULL, err);
    free(weights);
    *size = lens_conv_out_height(&spec);
    *room = lens_larger(*room, lens_items_size(spec.to, SLICE, (size_t)*size * (size_t)*size * (size_t)out));
    return layer;
}

/* The group norm PREFIX.NORM with the ReLU behind it, of what BUILDER has got to. NULL on failure. */
static const lens_layer *add_norm(const struct builder *builder, const char *prefix, const char *norm, lens_type to, lens_error *err)
{
    size_t *room = &builder->model->normed;
    static const char *const parts[2] = {"weight", "bias"};
    float *numbers[2] = {NULL};
    char name[80];
    const lens_layer *layer = NULL;
    const bool warm = lens_engine_is_warm(builder->engine);
    for (int i = 0; i < 2 && !warm; i++) {
        snprintf(name, sizeof name, "%s%s.%s", prefix, norm, parts[i]);
        numbers[i] = lens_weights_read(builder->source->weights, name, 1, (int64_t[]){builder->channels}, err);
        if (!numbers[i])
            break;
    }
    if (warm || (numbers[0] && numbers[1])) {
        snprintf(name, sizeof name, "%s%s", prefix, norm);
        lens_group_norm_spec spec = {.positions = builder->size * builder->size, .channels = builder->channels, .groups = GROUPS,
                                     .epsilon = norm_epsilon, .activation = LENS_ACTIVATION_RELU, .from = builder->model->map,
                                     .to = to};
        layer = lens_group_norm_new(builder->engine, name, &spec, numbers[0], numbers[1], err);
        *room = lens_larger(*room, lens_items_size(to, SLICE, (size_t)spec.positions * (size_t)spec.channels));
    }
    free(numbers[0]);
    free(numbers[1]);
    return layer;
}

/* A block of OUT channels, whose first one in a stage makes its shortcut fit. */
static int add_block(struct builder *builder, const char *prefix, int out, int stride, bool first, struct block *block, lens_error *err)
{
    struct model *model = builder->model;
    int narrow = out / NARROWING, size;
    if (!(block->norm1 = add_norm(builder, prefix, "norm1", model->normed_type, err)))
        return -1;
    if (first && !(block->downsample = add_conv(builder, prefix, "downsample.conv", out, 1, stride, false, &size, &model->wide, err)))
        return -1;
    if (!(block->conv1 = add_conv(builder, prefix, "conv1", narrow, 1, 1, false, &size, &model->narrow, err)))
        return -1;
    builder->channels = narrow;
    if (!(block->norm2 = add_norm(builder, prefix, "norm2", model->normed_type, err)) ||
        !(block->conv2 = add_conv(builder, prefix, "conv2", narrow, 3, stride, false, &size, &model->narrow, err)))
        return -1;
    builder->size = size;
    if (!(block->norm3 = add_norm(builder, prefix, "norm3", model->normed_type, err)) ||
        !(block->conv3 = add_conv(builder, prefix, "conv3", out, 1, 1, true, &size, &model->wide, err)))
        return -1;
    builder->channels = out;
    return 0;
}

/* 7 x 7 with stride 2, then the largest of 3 x 3 with stride 2 in a frame of zeros. */
static int add_stem(struct builder *builder, int out, lens_error *err)
{
    struct model *model = builder->model;
    model->pixels = (size_t)builder->size * (size_t)builder->size * 3;
    model->normed = model->map == LENS_TYPE_F32 ? 0 : lens_items_size(model->map, SLICE, model->pixels);
    model->stem = add_conv(builder, "", "stem.conv", out, STEM_KERNEL, 2, false, &builder->size, &model->narrow, err);
    if (!model->stem)
        return -1;
    builder->channels = out;
    model->pool = (lens_pool_spec){.height = builder->size, .width = builder->size, .channels = out, .kernel = 3, .stride = 2,
                                   .before = 1, .after = 1, .type = model->map};
    builder->size = lens_pool_out_height(&model->pool);
    model->wide = lens_larger(model->wide, lens_items_size(model->map, SLICE, (size_t)builder->size * (size_t)builder->size * (size_t)out));
    return 0;
}

/* The weights must not go on where the configuration ends: the network would be another, and give vectors all the same. */
static int check_end(const struct builder *builder, int stage, int block, lens_error *err)
{
    char name[80];
    snprintf(name, sizeof name, "stages.%d.blocks.%d.conv1.weight", stage, block);
    return lens_timm_check_end(builder->source, name, err);
}

static int build(struct builder *builder, const struct shape *shape, lens_error *err)
{
    struct model *model = builder->model;
    model->map = lens_precision_maps(builder->source->precision);
    model->normed_type = lens_precision_rows(builder->source->precision);
    for (int stage = 0; stage < STAGES; stage++)
        model->count += shape->layers[stage];
    model->blocks = calloc((size_t)model->count, sizeof *model->blocks);
    if (!model->blocks)
        return lens_fail_memory_for(err, builder->source->folder);
    if (add_stem(builder, shape->stem, err) != 0)
        return -1;
    struct block *block = model->blocks;
    for (int stage = 0; stage < STAGES; stage++) {
        for (int i = 0; i < shape->layers[stage]; i++) {
            char prefix[48];
            snprintf(prefix, sizeof prefix, "stages.%d.blocks.%d.", stage, i);
            if (add_block(builder, prefix, shape->channels[stage], stage > 0 && i == 0 ? 2 : 1, i == 0, block++, err) != 0)
                return -1;
        }
        if (check_end(builder, stage, shape->layers[stage], err) != 0)
            return -1;
    }
    if (check_end(builder, STAGES, 0, err) != 0 || !(model->norm = add_norm(builder, "", "norm", LENS_TYPE_F32, err)))
        return -1;
    return 0;
}

static void model_close(void *opened)
{
    struct model *model = opened;
    if (model)
        free(model->blocks);
    free(model);
}

static int describe(const struct shape *shape, lens_buffer *out)
{
    int result = lens_buffer_print(out, "bit stem %d", shape->stem);
    for (int i = 0; i < STAGES && result == 0; i++)
        result = lens_buffer_print(out, " %d x %d", shape->layers[i], shape->channels[i]);
    return result;
}

static int preparation(const lens_model_source *source, lens_preparation *out, lens_error *err)
{
    return lens_timm_preparation(source->config, source->config_path, out, err);
}

static int check(const lens_model_source *source, lens_error *err)
{
    struct shape shape;
    return read_shape(source, variant_of(source->config), &shape, err);
}

static void *model_open(const lens_model_source *source, lens_engine *engine, lens_model_facts *facts, lens_error *err)
{
    struct shape shape;
    if (read_shape(source, variant_of(source->config), &shape, err) != 0 ||
        preparation(source, &facts->preparation, err) != 0)
        return NULL;
    facts->pictures = true;
    struct model *model = calloc(1, sizeof *model);
    struct builder builder = {source, engine, model, facts->preparation.size, 3};
    if (!model || describe(&shape, &facts->description) != 0) {
        lens_fail_memory_for(err, source->folder);
        free(model);
        return NULL;
    }
    if ((source->towers & LENS_TOWER_PICTURES) && build(&builder, &shape, err) != 0) {
        model_close(model);
        return NULL;
    }
    model->wide = lens_aligned(model->wide);
    model->normed = lens_aligned(model->normed);
    model->narrow = lens_aligned(model->narrow);
    facts->dim = shape.channels[STAGES - 1];
    facts->slice = SLICE;
    facts->grid = builder.size;
    facts->method = "mean of positions";
    /* Two threads on one picture gain nothing on a machine that others use too. */
    facts->threads = 1;
    facts->workspace = model->wide + model->normed + model->narrow;
    return model;
}

/* WIDE, the block's input, becomes its output. */
static int run_block(const struct block *block, lens_stream *stream, int count, void *wide, void *normed, void *narrow, lens_error *err)
{
    if (lens_group_norm_run(stream, block->norm1, count, wide, normed, err) != 0)
        return -1;
    /* The shortcut is made from the normed input, so that the input itself is free for it. */
    if (block->downsample && lens_conv_run(stream, block->downsample, count, normed, wide, err) != 0)
        return -1;
    if (lens_conv_run(stream, block->conv1, count, normed, narrow, err) != 0 ||
        lens_group_norm_run(stream, block->norm2, count, narrow, normed, err) != 0 ||
        lens_conv_run(stream, block->conv2, count, normed, narrow, err) != 0 ||
        lens_group_norm_run(stream, block->norm3, count, narrow, normed, err) != 0)
        return -1;
    return lens_conv_run(stream, block->conv3, count, normed, wide, err);
}

static int run_map(const void *opened, lens_stream *stream, void *workspace, const float *pixels, int count, const float **map, lens_error *err)
{
    const struct model *model = opened;
    char *wide = workspace, *normed = wide + model->wide, *narrow = normed + model->normed;
    const void *from = pixels;
    if (model->map != LENS_TYPE_F32) {
        lens_items_store(model->map, pixels, (size_t)count, model->pixels, normed);
        from = normed;
    }
    if (lens_conv_run(stream, model->stem, count, from, narrow, err) != 0)
        return -1;
    lens_max_pool(&model->pool, count, narrow, wide);
    for (const struct block *block = model->blocks; block < model->blocks + model->count; block++)
        if (run_block(block, stream, count, wide, normed, narrow, err) != 0)
            return -1;
    if (lens_group_norm_run(stream, model->norm, count, wide, normed, err) != 0)
        return -1;
    *map = (const float *)(const void *)normed;
    return 0;
}

const lens_family lens_family_bit = {
    .name = "bit", .quickest = LENS_PRECISION_BF16, .claims = claims, .preparation = preparation, .check = check, .open = model_open, .close = model_close, .map = run_map,
};
