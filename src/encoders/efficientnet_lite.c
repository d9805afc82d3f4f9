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

/* What is narrow is kept in floats where it is the sum of several blocks; what is multiplied is of one type. */

/* An inverted residual: narrow -> wide by EXPAND (NULL in the first stage, which has no expansion), DEPTHWISE, and narrow
 * again by PROJECT, which adds the block's input where shapes allow. */
struct block {
    const lens_layer *expand, *depthwise, *project;
    int channels, positions; /* of the input */
    const float *steps;      /* in int8: by what the input is multiplied to be bytes, [channels]; the engine's */
    bool ready;              /* no block adds to the input: the one before has left it as it is multiplied */
};

struct model {
    const lens_layer *stem, *head;
    struct block *blocks;      /* [count], and one for the head, of which only the input is used */
    int count;
    lens_type type;            /* of what is multiplied */
    int size, before, framed;  /* of the pixels: without the zeros that the stem wants around them, the first ones, and with them */
    float *steps;              /* in int8: by what a line of pixels is multiplied to be bytes, [3 * size] */
    size_t narrow, input, wide, middle; /* bytes of the four buffers, one picture */
};

/* What a tensor's channels spread over, as far as the batch norms say: [channels] each. Behind a batch norm a channel's numbers have the
 * mean beta and the standard deviation gamma over the pictures of the training, and sums of such ones add both up: Nagel et al.,
 * "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019). */
struct spread {
    double *mean, *variance;
};

/* Where building has got to. */
struct builder {
    const lens_model_source *source;
    lens_engine *engine;
    struct model *model;
    int size, channels; /* of what the next layer gets */
    struct spread wide, narrow; /* of its input, if it is wide or narrow */
    float pixel_scale;
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
 * gamma * (w x - mean) / sqrt(variance + epsilon) + beta. What its output spreads over goes to SPREAD. */
static int fold_norm(const lens_model_source *source, const char *norm, int out, size_t each, float *weights, float *bias,
                     const struct spread *spread, lens_error *err)
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
        spread->mean[o] = (double)numbers[1][o];
        spread->variance[o] = (double)numbers[0][o] * (double)numbers[0][o];
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

static int spread_new(struct spread *spread, int channels)
{
    spread->mean = calloc((size_t)channels, sizeof *spread->mean);
    spread->variance = calloc((size_t)channels, sizeof *spread->variance);
    return spread->mean && spread->variance ? 0 : -1;
}

static void spread_free(struct spread *spread)
{
    free(spread->mean);
    free(spread->variance);
    *spread = (struct spread){NULL, NULL};
}

/* What a step of bytes is worth for a channel behind a ReLU6, or for one of a sum, which has both signs. Wider than REACH standard deviations
 * is cut off, and rounding gets finer; docs/MODELS.md has what measured best. */
static float wide_scale(const struct spread *spread, int channel)
{
    const double reach = 16, least = 1e-3;
    double most = spread->mean[channel] + reach * sqrt(spread->variance[channel]);
    return (float)(fmin(fmax(most, least), 6) / 255);
}

static float narrow_scale(const struct spread *spread, int channel)
{
    if (!spread->mean) /* of pixels */
        return 1;
    const double reach = 6, least = 1e-3;
    return (float)(fmax(fabs(spread->mean[channel]) + reach * sqrt(spread->variance[channel]), least) / 127);
}

/* The mean of a normal distribution that a ReLU6 cuts off. */
static float wide_mean(const struct spread *spread, int channel)
{
    const double mean = spread->mean[channel], deviation = fmax(sqrt(spread->variance[channel]), 1e-6);
    const double low = -mean / deviation, high = (6 - mean) / deviation, root = sqrt(2 * M_PI);
    const double below = erfc(-low / sqrt(2)) / 2, above = erfc(high / sqrt(2)) / 2; /* shares of what is cut off at 0 and at 6 */
    const double tails = (exp(-low * low / 2) - exp(-high * high / 2)) / root;
    return (float)(mean * (1 - below - above) + deviation * tails + 6 * above);
}

static float narrow_mean(const struct spread *spread, int channel)
{
    return spread->mean ? (float)spread->mean[channel] : 0;
}

/* What SCALE gives for each of SPREAD's channels. NULL when memory is short. */
static float *scales_of(const struct spread *spread, int channels, float (*scale)(const struct spread *spread, int channel))
{
    float *scales = lens_floats_new((size_t)channels);
    for (int c = 0; scales && c < channels; c++)
        scales[c] = scale(spread, c);
    return scales;
}

/* Where in a block a convolution is. */
enum part { STEM_PART, EXPAND, DEPTHWISE, PROJECT, HEAD_PART };

/* The byte that stands for 0 in the pixels: their own bytes come out, where mean and standard deviation are a half. */
static const float pixel_zero = 127.5f;

static float pixel_scale(const lens_preparation *preparation)
{
    double most = 0;
    for (int c = 0; c < 3; c++)
        most = fmax(most, fmax(fabs((double)preparation->mean[c]), fabs(1 - (double)preparation->mean[c])) / (double)preparation->std[c]);
    return (float)most / pixel_zero;
}

/* What rounding needs to know: by channel of the input, its scales and means, and of the output, its scales. */
struct scales {
    float *in, *means, *out;
};

/* Types and scales of a PART of the network; DIRECT: nothing is added to its output. SCALES are for the caller to free. 0 or -1. */
static int choose_types(const struct builder *builder, enum part part, bool direct, const struct spread *spread, lens_conv_spec *spec,
                        struct scales *scales)
{
    const lens_type type = builder->model->type;
    const bool wide_in = part == DEPTHWISE || part == PROJECT;
    spec->from = type;
    spec->to = part == HEAD_PART || (part == PROJECT && !direct) ? LENS_TYPE_F32 : type;
    if (type == LENS_TYPE_F32)
        return 0;
    const struct spread *from = wide_in ? &builder->wide : &builder->narrow;
    spec->in_means = scales->means = scales_of(from, spec->in, wide_in ? wide_mean : narrow_mean);
    if (type == LENS_TYPE_BF16)
        return scales->means ? 0 : -1;
    scales->in = scales_of(from, spec->in, wide_in ? wide_scale : narrow_scale);
    for (int c = 0; scales->in && part == STEM_PART && c < spec->in; c++)
        scales->in[c] = builder->pixel_scale;
    spec->zero = wide_in ? 0 : part == STEM_PART ? pixel_zero : LENS_BYTE_ZERO;
    if (spec->to == LENS_TYPE_BYTES)
        scales->out = scales_of(spread, spec->out, part == PROJECT ? narrow_scale : wide_scale);
    spec->out_zero = spec->to == LENS_TYPE_BYTES && part == PROJECT ? LENS_BYTE_ZERO : 0;
    spec->in_scales = scales->in;
    spec->out_scales = scales->out;
    return scales->in && scales->means && (scales->out || spec->to != LENS_TYPE_BYTES) ? 0 : -1;
}

/* The convolution CONV, already read, folded with the batch norm NORM_NAME, whose spread goes to SPREAD. NULL on failure. */
static const lens_layer *make_conv(const struct builder *builder, const char *name, const char *norm_name, enum part part, bool direct,
                                   lens_conv_spec *spec, float *weights, const struct spread *spread, lens_error *err)
{
    const size_t each = (size_t)(spec->in / spec->groups) * (size_t)spec->kernel * (size_t)spec->kernel;
    float *bias = lens_floats_new((size_t)spec->out);
    struct scales scales = {NULL, NULL, NULL};
    lens_layer *layer = NULL;
    if (!bias)
        lens_fail_memory_for(err, name);
    else if (lens_engine_is_warm(builder->engine) || fold_norm(builder->source, norm_name, spec->out, each, weights, bias, spread, err) == 0) {
        if (choose_types(builder, part, direct, spread, spec, &scales) == 0)
            layer = lens_conv_new(builder->engine, name, spec, weights, bias, err);
        else
            lens_fail_memory_for(err, name);
    }
    free(bias);
    free(scales.in);
    free(scales.means);
    free(scales.out);
    return layer;
}

/* Adds the convolution PREFIX.CONV with its batch norm PREFIX.NORM to SPEC's out channels, and moves on to its output. NULL on failure. The
 * bytes of its output for one picture are noted in *ROOM, when that is less. */
static const lens_layer *add_conv(struct builder *builder, const char *prefix, const char *conv, const char *norm, enum part part, bool direct,
                                  lens_conv_spec spec, size_t *room, lens_error *err)
{
    char name[64], norm_name[64];
    snprintf(name, sizeof name, "%s%s.weight", prefix, conv);
    snprintf(norm_name, sizeof norm_name, "%s%s", prefix, norm);
    spec.height = spec.width = builder->size;
    spec.in = builder->channels;
    spec.groups = part == DEPTHWISE ? spec.in : 1;
    if (part == STEM_PART && builder->model->type == LENS_TYPE_BYTES)
        spec.height = spec.width = builder->model->framed; /* the zeros are around the pixels already */
    else
        lens_conv_pad_same(&spec);
    const int64_t shape[4] = {spec.out, spec.in / spec.groups, spec.kernel, spec.kernel};
    const bool warm = lens_engine_is_warm(builder->engine);
    float *weights = warm ? NULL : lens_weights_read(builder->source->weights, name, 4, shape, err);
    if (!weights && !warm)
        return NULL;
    name[strlen(name) - strlen(".weight")] = '\0';
    struct spread spread = {NULL, NULL};
    const lens_layer *layer = NULL;
    if (spread_new(&spread, spec.out) != 0)
        lens_fail_memory_for(err, name);
    else
        layer = make_conv(builder, name, norm_name, part, direct, &spec, weights, &spread, err);
    free(weights);
    builder->size = lens_conv_out_height(&spec);
    builder->channels = spec.out;
    *room = lens_larger(*room, lens_items_size(spec.to, 1, (size_t)builder->size * (size_t)builder->size * (size_t)spec.out));
    struct spread *place = part == PROJECT ? &builder->narrow : &builder->wide;
    for (int c = 0; layer && spec.sum && c < spec.out; c++) {
        spread.mean[c] += place->mean[c];
        spread.variance[c] += place->variance[c];
    }
    spread_free(place);
    *place = spread;
    return layer;
}

/* What feeds a block, or the head: the steps of its bytes, and the room that they need. */
static int add_input(struct builder *builder, bool ready, struct block *block, lens_error *err)
{
    struct model *model = builder->model;
    block->channels = builder->channels;
    block->positions = builder->size * builder->size;
    block->ready = ready;
    if (model->type != LENS_TYPE_F32)
        model->input = lens_larger(model->input, lens_items_size(model->type, 1, (size_t)block->positions * (size_t)block->channels));
    if (model->type != LENS_TYPE_BYTES || ready)
        return 0;
    float *steps = scales_of(&builder->narrow, block->channels, narrow_scale);
    if (!steps)
        return lens_fail_memory_for(err, builder->source->folder);
    for (int c = 0; c < block->channels; c++)
        steps[c] = 1 / steps[c];
    if (lens_engine_is_warm(builder->engine)) { /* these are of no batch norm */
        free(steps);
        steps = NULL;
    }
    char name[LENS_PACKED_NAME];
    snprintf(name, sizeof name, "steps of input %d", (int)(block - model->blocks));
    block->steps = lens_engine_table(builder->engine, name, (size_t)block->channels, steps, err);
    return block->steps ? 0 : -1;
}

/* ALONE: nothing is added to the block's output, in it or behind it. */
static int add_block(struct builder *builder, int stage, int repeat, int channels, bool alone, struct block *block, lens_error *err)
{
    struct model *model = builder->model;
    const struct stage *shape = &stages[stage];
    int stride = repeat == 0 ? shape->stride : 1, wide = builder->channels * shape->expansion;
    bool residual = stride == 1 && channels == builder->channels;
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blocks.%d.%d.", stage, repeat);
    bool expands = shape->expansion > 1;
    if (expands && !(block->expand = add_conv(builder, prefix, "conv_pw", "bn1", EXPAND, false,
                                              (lens_conv_spec){.out = wide, .kernel = 1, .stride = 1, .activation = LENS_ACTIVATION_CLIP6},
                                              &model->wide, err)))
        return -1;
    block->depthwise = add_conv(builder, prefix, "conv_dw", expands ? "bn2" : "bn1", DEPTHWISE, false,
                                (lens_conv_spec){.out = wide, .kernel = shape->kernel, .stride = stride, .activation = LENS_ACTIVATION_CLIP6},
                                &model->middle, err);
    if (!block->depthwise)
        return -1;
    const bool direct = alone && !residual && model->type != LENS_TYPE_F32;
    block->project = add_conv(builder, prefix, expands ? "conv_pwl" : "conv_pw", expands ? "bn3" : "bn2", PROJECT, direct,
                              (lens_conv_spec){.out = channels, .kernel = 1, .stride = 1, .sum = residual},
                              direct ? &model->input : &model->narrow, err);
    return block->project ? add_input(builder, direct, block + 1, err) : -1;
}

static int add_stem(struct builder *builder, lens_error *err)
{
    struct model *model = builder->model;
    lens_conv_spec spec = {.height = builder->size, .width = builder->size, .out = STEM, .kernel = 3, .stride = 2,
                           .activation = LENS_ACTIVATION_CLIP6};
    lens_conv_pad_same(&spec);
    model->size = builder->size;
    model->before = spec.before[0];
    model->framed = spec.before[0] + builder->size + spec.after[0];
    if (model->type != LENS_TYPE_F32)
        model->input = lens_items_size(model->type, 1, (size_t)model->framed * (size_t)model->framed * 3);
    model->steps = model->type == LENS_TYPE_BYTES ? lens_floats_new(3 * (size_t)model->size) : NULL;
    if (model->type == LENS_TYPE_BYTES && !model->steps)
        return lens_fail_memory_for(err, builder->source->folder);
    for (size_t i = 0; model->steps && i < 3 * (size_t)model->size; i++)
        model->steps[i] = 1 / builder->pixel_scale;
    spec.before[0] = spec.before[1] = spec.after[0] = spec.after[1] = 0;
    model->stem = add_conv(builder, "", "conv_stem", "bn1", STEM_PART, false, spec, &model->wide, err);
    return model->stem ? 0 : -1;
}

/* The weights must not go on where the variant ends: a larger one's are of the same shapes as far as they go, and would give vectors all the same. */
static int check_end(const struct builder *builder, int stage, int repeat, lens_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%d.conv_dw.weight", stage, repeat);
    return lens_timm_check_end(builder->source, name, err);
}

static int build(struct builder *builder, const struct variant *variant, lens_error *err)
{
    struct model *model = builder->model;
    for (int stage = 0; stage < STAGES; stage++)
        model->count += scaled_repeats(stage, variant->depth);
    model->type = lens_precision_rows(builder->source->precision);
    model->blocks = calloc((size_t)model->count + 1, sizeof *model->blocks);
    if (!model->blocks)
        return lens_fail_memory_for(err, builder->source->folder);
    if (add_stem(builder, err) != 0)
        return -1;
    struct block *block = model->blocks;
    for (int stage = 0; stage < STAGES; stage++) {
        int channels = scaled_channels(stages[stage].channels, variant->width);
        int repeats = scaled_repeats(stage, variant->depth);
        for (int repeat = 0; repeat < repeats; repeat++)
            if (add_block(builder, stage, repeat, channels, repeats == 1, block++, err) != 0)
                return -1;
        if (check_end(builder, stage, repeats, err) != 0)
            return -1;
    }
    if (check_end(builder, STAGES, 0, err) != 0)
        return -1;
    model->head = add_conv(builder, "", "conv_head", "bn2", HEAD_PART, false,
                           (lens_conv_spec){.out = HEAD, .kernel = 1, .stride = 1, .activation = LENS_ACTIVATION_CLIP6}, &model->wide, err);
    return model->head ? 0 : -1;
}

static void model_close(void *opened)
{
    struct model *model = opened;
    if (model) {
        free(model->blocks);
        free(model->steps);
    }
    free(model);
}

static int preparation(const lens_model_source *source, lens_preparation *out, lens_error *err)
{
    return lens_timm_preparation(source->config, source->config_path, out, err);
}

static int check(const lens_model_source *source, lens_error *err)
{
    return lens_timm_check(source, HEAD, err);
}

static void *model_open(const lens_model_source *source, lens_engine *engine, lens_model_facts *facts, lens_error *err)
{
    const struct variant *variant = variant_of(source->config);
    if (check(source, err) != 0 || preparation(source, &facts->preparation, err) != 0)
        return NULL;
    struct model *model = calloc(1, sizeof *model);
    struct builder builder = {.source = source, .engine = engine, .model = model, .size = facts->preparation.size, .channels = 3,
                              .pixel_scale = pixel_scale(&facts->preparation)};
    if (!model || lens_buffer_print(&facts->description, "%s", variant->architecture) != 0) {
        lens_fail_memory_for(err, source->folder);
        free(model);
        return NULL;
    }
    int result = source->towers & LENS_TOWER_PICTURES ? build(&builder, variant, err) : 0;
    spread_free(&builder.wide);
    spread_free(&builder.narrow);
    if (result != 0) {
        model_close(model);
        return NULL;
    }
    model->narrow = lens_aligned(model->narrow);
    model->input = lens_aligned(model->input);
    model->wide = lens_aligned(model->wide);
    facts->dim = HEAD;
    facts->pictures = true;
    facts->grid = builder.size;
    facts->method = "mean of positions";
    facts->slice = 1;
    /* Two threads save 3 of 9 ms on an idle machine; on a busy one their 49 meetings a pass cost 300. */
    facts->threads = 1;
    facts->workspace = model->narrow + model->input + model->wide + model->middle;
    return model;
}

/* BLOCK's input as it is multiplied: NARROW itself, or what is or becomes of it at INPUT. */
static const void *take_input(const struct model *model, const struct block *block, int count, const float *narrow, void *input)
{
    const size_t rows = (size_t)count * (size_t)block->positions;
    if (model->type == LENS_TYPE_F32)
        return narrow;
    if (!block->ready && model->type == LENS_TYPE_BYTES)
        lens_channels_to_bytes(rows, block->channels, block->steps, LENS_BYTE_ZERO, narrow, input);
    else if (!block->ready)
        lens_items_store(model->type, narrow, rows, (size_t)block->channels, input);
    return input;
}

/* PIXELS as the stem takes them: themselves, or what becomes of them at INPUT. */
static const void *take_pixels(const struct model *model, int count, const float *pixels, void *input)
{
    const size_t line = 3 * (size_t)model->size, framed = 3 * (size_t)model->framed, size = (size_t)model->framed * framed;
    if (model->type == LENS_TYPE_F32)
        return pixels;
    if (model->type != LENS_TYPE_BYTES) {
        lens_items_store(model->type, pixels, (size_t)count * (size_t)model->size, line, input);
        return input;
    }
    memset(input, (int)lrintf(pixel_zero), (size_t)count * size);
    for (int n = 0; n < count; n++)
        for (int y = 0; y < model->size; y++, pixels += line) {
            uint8_t *to = (uint8_t *)input + (size_t)n * size + (size_t)(y + model->before) * framed + 3 * (size_t)model->before;
            lens_channels_to_bytes(1, (int)line, model->steps, pixel_zero, pixels, to);
        }
    return input;
}

static int run_map(const void *opened, lens_stream *stream, void *workspace, const float *pixels, int count, const float **map, lens_error *err)
{
    const struct model *model = opened;
    /* A block's input and output are both NARROW: the input was last needed where its residual is added, in place. */
    char *input = (char *)workspace + model->narrow, *wide = input + model->input, *middle = wide + model->wide;
    float *narrow = workspace;
    if (lens_conv_run(stream, model->stem, count, take_pixels(model, count, pixels, input), wide, err) != 0)
        return -1;
    const struct block *end = model->blocks + model->count;
    for (const struct block *block = model->blocks; block < end; block++) {
        /* The first block's expanded input is what the stem left in WIDE. */
        if (block->expand && lens_conv_run(stream, block->expand, count, take_input(model, block, count, narrow, input), wide, err) != 0)
            return -1;
        if (lens_conv_run(stream, block->depthwise, count, wide, middle, err) != 0 ||
            lens_conv_run(stream, block->project, count, middle, block[1].ready ? (void *)input : narrow, err) != 0)
            return -1;
    }
    if (lens_conv_run(stream, model->head, count, take_input(model, end, count, narrow, input), wide, err) != 0)
        return -1;
    *map = (const float *)(const void *)wide;
    return 0;
}

const lens_family lens_family_efficientnet_lite = {
    .name = "efficientnet_lite", .quickest = LENS_PRECISION_INT8, .claims = claims, .preparation = preparation, .check = check, .open = model_open,
    .close = model_close, .map = run_map,
};
