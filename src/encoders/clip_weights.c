#include "encoders/clip_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the tensors of a tower are called. Parts of a block stand behind BLOCKS, its number and a dot. */
struct names {
    const char *blocks, *norm1, *attention, *out, *norm2, *fc1, *fc2;
    const char *qkv[3];    /* the linear layers of queries, keys and values; or only the first: one that holds all three */
    const char *qkv_suffix; /* between such a layer's name and "weight" or "bias" */
    const char *qkv_name;  /* what the layer of all three is called here */
    const char *patches, *first, *before, *tokens; /* NULL where the tower has none */
    const char *positions, *after, *projection;
    const char *layers;    /* the field of the configuration, for messages */
    bool transposed;       /* the projection is [width, dim] */
};

#define HUGGING_FACE_BLOCK \
    .norm1 = "layer_norm1", .attention = "self_attn", .out = "self_attn.out_proj", .norm2 = "layer_norm2", .fc1 = "mlp.fc1", \
    .fc2 = "mlp.fc2", .qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, .qkv_suffix = ".", \
    .qkv_name = "self_attn.qkv_proj"

#define OPEN_BLOCK \
    .norm1 = "ln_1", .attention = "attn", .out = "attn.out_proj", .norm2 = "ln_2", .fc1 = "mlp.c_fc", .fc2 = "mlp.c_proj", \
    .qkv = {"attn.in_proj", NULL, NULL}, .qkv_suffix = "_", .qkv_name = "attn.in_proj"

static const struct names hugging_face_pictures = {
    HUGGING_FACE_BLOCK, .blocks = "vision_model.encoder.layers.",
    .patches = "vision_model.embeddings.patch_embedding", .first = "vision_model.embeddings.class_embedding",
    .before = "vision_model.pre_layrnorm" /* sic */, .positions = "vision_model.embeddings.position_embedding.weight",
    .after = "vision_model.post_layernorm", .projection = "visual_projection.weight", .layers = "vision_config.num_hidden_layers",
};

static const struct names hugging_face_words = {
    HUGGING_FACE_BLOCK, .blocks = "text_model.encoder.layers.",
    .tokens = "text_model.embeddings.token_embedding.weight", .positions = "text_model.embeddings.position_embedding.weight",
    .after = "text_model.final_layer_norm", .projection = "text_projection.weight", .layers = "text_config.num_hidden_layers",
};

static const struct names open_pictures = {
    OPEN_BLOCK, .blocks = "visual.transformer.resblocks.",
    .patches = "visual.conv1", .first = "visual.class_embedding", .before = "visual.ln_pre", .positions = "visual.positional_embedding",
    .after = "visual.ln_post", .projection = "visual.proj", .layers = "vision_cfg.layers", .transposed = true,
};

static const struct names open_words = {
    OPEN_BLOCK, .blocks = "transformer.resblocks.",
    .tokens = "token_embedding.weight", .positions = "positional_embedding", .after = "ln_final", .projection = "text_projection",
    .layers = "text_cfg.layers", .transposed = true,
};

enum { NAME = 96 };

/* What reading a tower needs at every step. */
struct reader {
    const lens_model_source *source;
    const struct names *names;
    const lens_clip_tower *shape;
    lens_engine *engine;
};

const char *lens_clip_embedding(const lens_clip_config *config)
{
    return config->open ? open_words.tokens : hugging_face_words.tokens;
}

/* ---- blocks that the configuration does not know of -------------------------------------------------------------- */

static bool is_weight_of(const char *name, const char *layer, const char *separator)
{
    size_t length = strlen(layer), more = strlen(separator);
    if (strncmp(name, layer, length) != 0 || strncmp(name + length, separator, more) != 0)
        return false;
    name += length + more;
    return strcmp(name, "weight") == 0 || strcmp(name, "bias") == 0;
}

/* Whether PART, as in "mlp.fc1.weight", is one that the pass uses. */
static bool knows(const struct names *names, const char *part)
{
    const char *const layers[] = {names->norm1, names->out, names->norm2, names->fc1, names->fc2};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (is_weight_of(part, layers[i], "."))
            return true;
    for (int i = 0; i < 3 && names->qkv[i]; i++)
        if (is_weight_of(part, names->qkv[i], names->qkv_suffix))
            return true;
    return false;
}

/* A tensor of a further block, or a further tensor of a block, means another network than the configuration's: what it does would be left
 * out, and the vectors be wrong without a word. */
static int check_blocks(const struct reader *reader, lens_error *err)
{
    const struct names *names = reader->names;
    size_t prefix = strlen(names->blocks), count = lens_weights_count(reader->source->weights);
    for (size_t i = 0; i < count; i++) {
        const char *name = lens_weights_at(reader->source->weights, i)->name;
        size_t digits = strncmp(name, names->blocks, prefix) == 0 ? strspn(name + prefix, "0123456789") : 0;
        if (digits == 0)
            continue;
        const char *part = name + prefix + digits;
        if (digits > 6 || atoi(name + prefix) >= reader->shape->layers)
            return lens_fail(err, LENS_E_FORMAT, "%s: %s is %d, but there is a tensor %.160s in %s", reader->source->config_path,
                             names->layers, reader->shape->layers, name, reader->source->folder);
        if (*part != '.' || !knows(names, part + 1))
            return lens_fail(err, LENS_E_UNSUPPORTED, "%s: tensor %.160s: no block of this build has such a part",
                             reader->source->folder, name);
    }
    return 0;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static float *read_vector(const struct reader *reader, const char *layer, const char *separator, const char *part, int size,
                          lens_error *err)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s%s%s", layer, separator, part);
    return lens_weights_read(reader->source->weights, name, 1, (int64_t[]){size}, err);
}

static float *read_matrix(const struct reader *reader, const char *name, int rows, int columns, lens_error *err)
{
    return lens_weights_read(reader->source->weights, name, 2, (int64_t[]){rows, columns}, err);
}

static lens_type row_type(const struct reader *reader)
{
    return lens_precision_rows(reader->source->precision);
}

static bool is_warm(const struct reader *reader)
{
    return lens_engine_is_warm(reader->engine);
}

static const lens_layer *add_norm(const struct reader *reader, const char *name, lens_type to, lens_error *err)
{
    int width = reader->shape->width;
    if (is_warm(reader))
        return lens_norm_new(reader->engine, name, width, reader->shape->epsilon, to, NULL, NULL, err);
    float *gamma = read_vector(reader, name, ".", "weight", width, err);
    float *beta = gamma ? read_vector(reader, name, ".", "bias", width, err) : NULL;
    const lens_layer *layer = beta ? lens_norm_new(reader->engine, name, width, reader->shape->epsilon, to, gamma, beta, err) : NULL;
    free(gamma);
    free(beta);
    return layer;
}

static const lens_layer *add_linear(const struct reader *reader, const char *name, int in, int out, bool sum,
                                    lens_activation activation, lens_error *err)
{
    char weight[NAME];
    snprintf(weight, sizeof weight, "%s.weight", name);
    const lens_linear_spec spec = {.in = in, .out = out, .sum = sum, .activation = activation, .from = row_type(reader),
                                   .to = sum ? LENS_TYPE_F32 : row_type(reader)};
    if (is_warm(reader))
        return lens_linear_new(reader->engine, name, &spec, NULL, NULL, err);
    float *weights = read_matrix(reader, weight, out, in, err);
    float *bias = weights ? read_vector(reader, name, ".", "bias", out, err) : NULL;
    const lens_layer *layer = bias ? lens_linear_new(reader->engine, name, &spec, weights, bias, err) : NULL;
    free(weights);
    free(bias);
    return layer;
}

/* Queries, keys and values as one layer [3 * width, width], from one tensor or from three. PREFIX: of the block's names. */
static const lens_layer *add_qkv(const struct reader *reader, const char *prefix, lens_error *err)
{
    const struct names *names = reader->names;
    int width = reader->shape->width, parts = names->qkv[1] ? 3 : 1, rows = 3 / parts * width;
    size_t each = (size_t)rows * (size_t)width;
    const lens_linear_spec spec = {.in = width, .out = 3 * width, .from = row_type(reader),
                                   .to = lens_precision_maps(reader->source->precision)};
    char layer_name[NAME], name[NAME];
    float *weights = NULL, *bias = NULL;
    int result = 0;
    for (int i = 0; i < parts && result == 0 && !is_warm(reader); i++) {
        snprintf(layer_name, sizeof layer_name, "%s%s", prefix, names->qkv[i]);
        snprintf(name, sizeof name, "%s%sweight", layer_name, names->qkv_suffix);
        float *part = read_matrix(reader, name, rows, width, err);
        float *part_bias = part ? read_vector(reader, layer_name, names->qkv_suffix, "bias", rows, err) : NULL;
        /* Room for all is made only once a part was there to say that its size is real. */
        if (!part_bias)
            result = -1;
        else if ((!weights && !(weights = lens_floats_new((size_t)parts * each))) ||
                 (!bias && !(bias = lens_floats_new((size_t)(parts * rows)))))
            result = lens_fail_memory_for(err, reader->source->folder);
        if (result == 0) {
            memcpy(weights + (size_t)i * each, part, each * sizeof *part);
            memcpy(bias + i * rows, part_bias, (size_t)rows * sizeof *part_bias);
        }
        free(part);
        free(part_bias);
    }
    snprintf(layer_name, sizeof layer_name, "%s%s", prefix, names->qkv_name);
    const lens_layer *layer = result == 0 ? lens_linear_new(reader->engine, layer_name, &spec, weights, bias, err) : NULL;
    free(weights);
    free(bias);
    return layer;
}

static int add_block(const struct reader *reader, int index, bool causal, lens_clip_block *block, lens_error *err)
{
    const struct names *names = reader->names;
    const lens_clip_tower *shape = reader->shape;
    const lens_attention_spec attention = {.heads = shape->heads, .width = shape->width / shape->heads, .causal = causal,
                                           .from = lens_precision_maps(reader->source->precision), .to = row_type(reader)};
    char prefix[48], name[NAME];
    snprintf(prefix, sizeof prefix, "%s%d.", names->blocks, index);
#define CALLED(part) (snprintf(name, sizeof name, "%s%s", prefix, part), name)
    bool done = (block->norm1 = add_norm(reader, CALLED(names->norm1), row_type(reader), err)) && (block->qkv = add_qkv(reader, prefix, err)) &&
                (block->attention = lens_attention_new(reader->engine, CALLED(names->attention), &attention, err)) &&
                (block->out = add_linear(reader, CALLED(names->out), shape->width, shape->width, true, LENS_ACTIVATION_NONE, err)) &&
                (block->norm2 = add_norm(reader, CALLED(names->norm2), row_type(reader), err)) &&
                (block->fc1 = add_linear(reader, CALLED(names->fc1), shape->width, shape->mlp, false, shape->activation, err)) &&
                (block->fc2 = add_linear(reader, CALLED(names->fc2), shape->mlp, shape->width, true, LENS_ACTIVATION_NONE, err));
#undef CALLED
    return done ? 0 : -1;
}

/* Without a bias. OpenCLIP's is a plain matrix, [width, dim]. */
static const lens_layer *add_projection(const struct reader *reader, int dim, lens_error *err)
{
    int width = reader->shape->width;
    bool transposed = reader->names->transposed;
    const lens_linear_spec spec = {.in = width, .out = dim, .from = row_type(reader)};
    if (is_warm(reader))
        return lens_linear_new(reader->engine, reader->names->projection, &spec, NULL, NULL, err);
    const lens_layer *layer = NULL;
    float *weights = read_matrix(reader, reader->names->projection, transposed ? width : dim, transposed ? dim : width, err);
    float *turned = weights && transposed ? lens_floats_new((size_t)width * (size_t)dim) : NULL;
    if (turned)
        for (int d = 0; d < dim; d++)
            for (int i = 0; i < width; i++)
                turned[(size_t)d * (size_t)width + (size_t)i] = weights[(size_t)i * (size_t)dim + (size_t)d];
    if (weights && transposed && !turned)
        lens_fail_memory_for(err, reader->source->folder);
    else if (weights)
        layer = lens_linear_new(reader->engine, reader->names->projection, &spec, transposed ? turned : weights, NULL, err);
    free(weights);
    free(turned);
    return layer;
}

/* What both towers have. */
static int read_tower(const struct reader *reader, bool causal, int dim, lens_clip_layers *layers, lens_error *err)
{
    layers->shape = *reader->shape;
    layers->blocks = calloc((size_t)reader->shape->layers, sizeof *layers->blocks);
    if (!layers->blocks)
        return lens_fail_memory_for(err, reader->source->folder);
    if (check_blocks(reader, err) != 0)
        return -1;
    for (int i = 0; i < reader->shape->layers; i++)
        if (add_block(reader, i, causal, &layers->blocks[i], err) != 0)
            return -1;
    layers->after = add_norm(reader, reader->names->after, row_type(reader), err);
    layers->projection = layers->after ? add_projection(reader, dim, err) : NULL;
    return layers->projection ? 0 : -1;
}

/* The convolution whose windows do not overlap, as a matrix for each patch's pixels: [width, patch, patch, 3]. It adds to the positions'
 * rows. */
static const lens_layer *add_patches(const struct reader *reader, const lens_clip_config *config, lens_error *err)
{
    const int width = reader->shape->width;
    const size_t area = (size_t)config->patch * (size_t)config->patch, each = 3 * area;
    const lens_linear_spec spec = {.in = (int)each, .out = width, .sum = true, .from = row_type(reader)};
    char name[NAME];
    if (is_warm(reader))
        return lens_linear_new(reader->engine, reader->names->patches, &spec, NULL, NULL, err);
    snprintf(name, sizeof name, "%s.weight", reader->names->patches);
    float *weights = lens_weights_read(reader->source->weights, name, 4, (int64_t[]){width, 3, config->patch, config->patch}, err);
    float *turned = weights ? lens_floats_new((size_t)width * each) : NULL;
    for (size_t o = 0; turned && o < (size_t)width; o++)
        for (size_t c = 0; c < 3; c++)
            for (size_t i = 0; i < area; i++)
                turned[o * each + 3 * i + c] = weights[o * each + c * area + i];
    if (weights && !turned)
        lens_fail_memory_for(err, reader->source->folder);
    const lens_layer *layer = turned ? lens_linear_new(reader->engine, reader->names->patches, &spec, turned, NULL, err) : NULL;
    free(weights);
    free(turned);
    return layer;
}

/* The tensor NAME, [rows, columns], or [columns] where ROWS is 0, as it is. */
static const float *add_table(const struct reader *reader, const char *name, int rows, int columns, lens_error *err)
{
    const int64_t shape[2] = {rows ? rows : columns, columns};
    const size_t count = (size_t)(rows ? rows : 1) * (size_t)columns;
    float *numbers = is_warm(reader) ? NULL : lens_weights_read(reader->source->weights, name, rows ? 2 : 1, shape, err);
    return numbers || is_warm(reader) ? lens_engine_table(reader->engine, name, count, numbers, err) : NULL;
}

int lens_clip_pictures_read(const lens_model_source *source, const lens_clip_config *config, lens_engine *engine,
                            lens_clip_layers *layers, lens_error *err)
{
    const struct names *names = config->open ? &open_pictures : &hugging_face_pictures;
    const struct reader reader = {source, names, &config->pictures, engine};
    int grid = lens_clip_grid(config), width = config->pictures.width;
    bool done = (layers->patches = add_patches(&reader, config, err)) &&
                (layers->first = add_table(&reader, names->first, 0, width, err)) &&
                (layers->positions = add_table(&reader, names->positions, grid * grid + 1, width, err)) &&
                (layers->before = add_norm(&reader, names->before, LENS_TYPE_F32, err));
    return done ? read_tower(&reader, false, config->dim, layers, err) : -1;
}

int lens_clip_words_read(const lens_model_source *source, const lens_clip_config *config, lens_engine *engine, lens_clip_layers *layers,
                         lens_error *err)
{
    const struct names *names = config->open ? &open_words : &hugging_face_words;
    const struct reader reader = {source, names, &config->words, engine};
    int width = config->words.width;
    bool done = (layers->tokens = add_table(&reader, names->tokens, config->vocabulary, width, err)) &&
                (layers->positions = add_table(&reader, names->positions, config->context, width, err));
    return done ? read_tower(&reader, true, config->dim, layers, err) : -1;
}

void lens_clip_layers_free(lens_clip_layers *layers)
{
    free(layers->blocks);
    *layers = (lens_clip_layers){0};
}

/* The tensor, or the logarithm of 100: the reference clips the factor to 100 in training, which is where the published models ended. */
static float *read_logit_scale(const lens_weights *weights, lens_error *err)
{
    static const char name[] = "logit_scale";
    const lens_tensor_view *view = lens_weights_find(weights, name);
    if (view) /* a scalar, or in some of OpenCLIP's a list of one */
        return lens_weights_read(weights, name, view->dims == 1, (int64_t[]){1}, err);
    float *value = lens_floats_new(1);
    if (value)
        *value = logf(100);
    else
        lens_fail_memory_for(err, name);
    return value;
}

int lens_clip_logit_scale(const lens_model_source *source, lens_engine *engine, double *scale, lens_error *err)
{
    float *read = lens_engine_is_warm(engine) ? NULL : read_logit_scale(source->weights, err);
    if (!read && !lens_engine_is_warm(engine))
        return -1;
    const float *value = lens_engine_table(engine, "logit_scale", 1, read, err);
    if (!value)
        return -1;
    *scale = *value == logf(100) ? 100 : exp((double)*value);
    return isfinite(*scale) ? 0 : lens_fail(err, LENS_E_FORMAT, "%s: tensor logit_scale: its exponential is not finite", source->folder);
}
