/* CLIP with vision transformers: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021), from
 * checkpoints in Hugging Face's or in OpenCLIP's form. docs/MODELS.md describes the pass.
 *
 * Of the last block's output only one token is used, so what follows its attention is computed for that token alone. In the tower of words
 * attention is causal: what stands behind the token is not computed at all. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "encoders/clip_config.h"
#include "encoders/clip_pass.h"

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Hugging Face's preparation stands in a file of its own; newer transformers put it into that of the whole processor. */
static int read_processor(const char *folder, int size, lens_preparation *preparation, lens_error *err)
{
    static const char *const names[] = {"preprocessor_config.json", "processor_config.json"};
    int result = 1;
    for (int i = 0; i < 2 && result > 0; i++) {
        char *path = lens_path_join(folder, names[i]);
        if (!path)
            return lens_fail_memory_for(err, folder);
        if (lens_file_exists(path)) {
            json_t *file = lens_json_read_small(path, err);
            const json_t *processor = i == 0 ? file : json_object_get(file, "image_processor");
            if (!file)
                result = -1;
            else if (json_is_object(processor))
                result = lens_clip_preparation(processor, path, size, preparation, err);
            json_decref(file);
        }
        free(path);
    }
    if (result > 0) /* CLIP's own values would be a guess, and a wrong one would not fail, only find worse */
        return lens_fail(err, LENS_E_MISSING, "%s: no %s, which says how pictures are prepared", folder, names[0]);
    return result;
}

static int prepare(const lens_model_source *source, const lens_clip_config *config, lens_preparation *out, lens_error *err)
{
    return config->open ? lens_clip_open_preparation(source->config, source->config_path, config->size, out, err)
                        : read_processor(source->folder, config->size, out, err);
}

static int preparation(const lens_model_source *source, lens_preparation *out, lens_error *err)
{
    lens_clip_config config;
    return lens_clip_config_read(source->config, source->config_path, &config, err) == 0 ? prepare(source, &config, out, err) : -1;
}

static int describe(const lens_clip_config *config, lens_buffer *out)
{
    const lens_clip_tower *towers[2] = {&config->pictures, &config->words};
    for (int i = 0; i < 2; i++) {
        uint64_t epsilon; /* as bits: exact, in any locale */
        memcpy(&epsilon, &towers[i]->epsilon, sizeof epsilon);
        if (lens_buffer_print(out, "heads %d activation %d epsilon %016llx ", towers[i]->heads, (int)towers[i]->activation,
                              (unsigned long long)epsilon) != 0)
            return -1;
    }
    return lens_buffer_print(out, "end %d", config->end);
}

/* The buffers of a pass of COUNT times TOKENS through a tower, in one piece. */
struct buffers {
    float *stream; /* [count, tokens, width]: the residual */
    void *normed;  /* the same as rows: what a norm or the attention gave */
    void *wide;    /* rows [count, tokens, the widest of 3 * width and the MLP] */
    float *one;    /* [count, width]: the residual of the token that is used */
    void *other;   /* the same as rows, normed */
    float *pixels; /* [grid * grid, patch * patch * 3]: a picture's patches, as rows in WIDE then */
    size_t size;   /* bytes of all */
};

/* Lays the buffers out from WORKSPACE on; PATCHES, of a picture, each of so many numbers. */
static struct buffers divide(const lens_clip_model *model, const lens_clip_tower *shape, size_t count, size_t tokens, void *workspace)
{
    const bool pictures = shape == &model->config.pictures;
    const size_t patches = pictures ? tokens - 1 : 0, patch = pictures ? 3 * (size_t)model->config.patch * (size_t)model->config.patch : 0;
    const size_t rows = count * tokens, width = (size_t)shape->width;
    const size_t sizes[6] = {
        rows * width * sizeof(float),
        lens_items_size(model->row, rows, width),
        lens_larger(lens_larger(lens_items_size(model->qkv, rows, 3 * width), lens_items_size(model->row, rows, (size_t)shape->mlp)),
               lens_items_size(model->row, patches, patch)),
        count * width * sizeof(float),
        lens_items_size(model->row, count, width),
        model->row == LENS_TYPE_F32 ? 0 : patches * patch * sizeof(float),
    };
    size_t at[7] = {0};
    for (int i = 0; i < 6; i++)
        at[i + 1] = at[i] + lens_aligned(sizes[i]);
    char *base = workspace;
    struct buffers buffers = {.size = at[6]};
    if (base) {
        buffers.stream = (float *)(void *)base;
        buffers.normed = base + at[1];
        buffers.wide = base + at[2];
        buffers.one = (float *)(void *)(base + at[3]);
        buffers.other = base + at[4];
        buffers.pixels = model->row == LENS_TYPE_F32 ? buffers.wide : (float *)(void *)(base + at[5]);
    }
    return buffers;
}

static int measure(const lens_clip_model *model, const lens_model_source *source, size_t *workspace, lens_error *err)
{
    /* 16385 tokens of 131072 floats, eight times, are 64 GB: what a hostile configuration could ask for with tensors of a few megabytes. */
    const size_t most = (size_t)4 << 30;
    size_t pictures = divide(model, &model->config.pictures, (size_t)model->slice, (size_t)model->tokens, NULL).size;
    size_t words = divide(model, &model->config.words, 1, (size_t)model->config.context, NULL).size;
    *workspace = source->towers & LENS_TOWER_PICTURES ? pictures : 0;
    if (source->towers & LENS_TOWER_WORDS && words > *workspace)
        *workspace = words;
    if (*workspace > most)
        return lens_fail(err, LENS_E_LIMIT, "%s: a pass would need %zu bytes at once; the limit is %zu", source->config_path, *workspace,
                         most);
    return 0;
}

static void model_close(void *opened)
{
    lens_clip_model *model = opened;
    if (model) {
        lens_clip_layers_free(&model->pictures);
        lens_clip_layers_free(&model->words);
    }
    free(model);
}

/* Pictures a pass. It hardly matters: ViT-B/32 on one thread does 11.7 pictures a second one by one, 12.3 in twos, 12.8 in eights, 12.3 with all
 * of 32. About 400 rows are enough, and activations stay small. */
static int choose_slice(int tokens)
{
    int slice = 400 / tokens;
    return slice < 1 ? 1 : slice > 8 ? 8 : slice;
}

static int model_read(lens_clip_model *model, const lens_model_source *source, lens_engine *engine, lens_model_facts *facts,
                      lens_error *err)
{
    lens_clip_config *config = &model->config;
    if (lens_clip_config_read(source->config, source->config_path, config, err) != 0 ||
        prepare(source, config, &facts->preparation, err) != 0)
        return -1;
    model->tokens = lens_clip_grid(config) * lens_clip_grid(config) + 1;
    model->slice = choose_slice(model->tokens);
    model->row = lens_precision_rows(source->precision);
    model->qkv = lens_precision_maps(source->precision);
    if (measure(model, source, &facts->workspace, err) != 0 ||
        (source->towers & LENS_TOWER_PICTURES && lens_clip_pictures_read(source, config, engine, &model->pictures, err) != 0) ||
        (source->towers & LENS_TOWER_WORDS && lens_clip_words_read(source, config, engine, &model->words, err) != 0))
        return -1;
    facts->dim = config->dim;
    facts->grid = lens_clip_grid(config);
    facts->method = "decomposition by attention (Gandelsman et al., 2024)";
    facts->pictures = facts->words = true;
    facts->slice = model->slice;
    /* ViT-B/32, one picture, two threads for one: 47 ms for 86 on an idle machine, 120 for 90 on a busy one, as every layer waits for the
     * slower thread. One picture has work for many. */
    facts->threads = 16;
    facts->vocabulary = config->vocabulary;
    facts->embedding = lens_clip_embedding(config);
    if (describe(config, &facts->description) != 0)
        return lens_fail_memory_for(err, source->folder);
    if (lens_clip_logit_scale(source, engine, &facts->logit_scale, err) != 0)
        return -1;
    return 0;
}

static void *model_open(const lens_model_source *source, lens_engine *engine, lens_model_facts *facts, lens_error *err)
{
    lens_clip_model *model = calloc(1, sizeof *model);
    if (!model) {
        lens_fail_memory_for(err, source->folder);
        return NULL;
    }
    if (model_read(model, source, engine, facts, err) != 0) {
        model_close(model);
        return NULL;
    }
    return model;
}

static lens_tokenizer *tokenizer(const lens_model_source *source, lens_error *err)
{
    lens_clip_config config;
    if (lens_clip_config_read(source->config, source->config_path, &config, err) != 0)
        return NULL;
    return lens_tokenizer_open(source->folder, config.open ? LENS_TOKENIZER_OPENCLIP : LENS_TOKENIZER_CLIP, config.context, err);
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

/* Of each of COUNT runs of TOKENS rows of WIDTH, row TOKEN. */
static void gather(lens_type type, const void *rows, int count, int tokens, int token, int width, void *out)
{
    for (size_t n = 0; n < (size_t)count; n++)
        lens_items_copy(type, (size_t)width, rows, (size_t)count * (size_t)tokens, n * (size_t)tokens + (size_t)token, out, (size_t)count, n);
}

/* x += fc2(activation(fc1(norm(x)))) for ROWS rows. */
static int run_mlp(lens_stream *stream, const lens_clip_block *block, int rows, float *x, void *normed, void *wide, lens_error *err)
{
    return lens_norm_run(stream, block->norm2, rows, x, normed, err) == 0 &&
                   lens_linear_run(stream, block->fc1, rows, normed, wide, err) == 0 &&
                   lens_linear_run(stream, block->fc2, rows, wide, x, err) == 0
               ? 0
               : -1;
}

/* The blocks, the norm and the projection: the residual stream of BUFFERS [count, tokens, width], of which row TOKEN stands for the
 * whole -> FEATURES [count, dim]. */
static int run_blocks(const lens_clip_model *model, const lens_clip_layers *tower, lens_stream *stream, const struct buffers *buffers, int count,
                      int tokens, int token, float *features, lens_error *err)
{
    const int width = tower->shape.width, rows = count * tokens;
    for (int i = 0; i < tower->shape.layers; i++) {
        const lens_clip_block *block = &tower->blocks[i];
        if (lens_norm_run(stream, block->norm1, rows, buffers->stream, buffers->normed, err) != 0 ||
            lens_linear_run(stream, block->qkv, rows, buffers->normed, buffers->wide, err) != 0 ||
            lens_attention_run(stream, block->attention, count, tokens, buffers->wide, buffers->normed, err) != 0)
            return -1;
        float *x = buffers->stream;
        void *normed = buffers->normed;
        int left = rows;
        if (i == tower->shape.layers - 1) {
            gather(LENS_TYPE_F32, buffers->stream, count, tokens, token, width, buffers->one);
            gather(model->row, buffers->normed, count, tokens, token, width, buffers->other);
            x = buffers->one, normed = buffers->other;
            left = count;
        }
        if (lens_linear_run(stream, block->out, left, normed, x, err) != 0 ||
            run_mlp(stream, block, left, x, normed, buffers->wide, err) != 0)
            return -1;
    }
    if (lens_norm_run(stream, tower->after, count, buffers->one, buffers->other, err) != 0)
        return -1;
    return lens_linear_run(stream, tower->projection, count, buffers->other, features, err);
}

/* PICTURE [size, size, 3] -> its patches, each a row [patch, patch, 3]. */
static void cut(const lens_clip_config *config, const float *picture, float *rows)
{
    const size_t grid = (size_t)lens_clip_grid(config), patch = (size_t)config->patch, run = 3 * patch, line = 3 * (size_t)config->size;
    for (size_t y = 0; y < grid; y++)
        for (size_t x = 0; x < grid; x++)
            for (size_t row = 0; row < patch; row++, rows += run)
                memcpy(rows, picture + (y * patch + row) * line + x * run, run * sizeof *rows);
}

/* One picture's PIXELS -> X [tokens, width]: the class token and the patches, each with its position. ROOM: for the patches as floats; ROWS: as
 * they are multiplied, which may be the same. */
static int embed(const lens_clip_model *model, lens_stream *stream, const float *pixels, float *room, void *rows, float *x, lens_error *err)
{
    const lens_clip_layers *tower = &model->pictures;
    const lens_clip_config *config = &model->config;
    const int patches = model->tokens - 1;
    const size_t width = (size_t)tower->shape.width, patch = 3 * (size_t)config->patch * (size_t)config->patch;
    memcpy(x, tower->positions, (size_t)model->tokens * width * sizeof *x);
    for (size_t i = 0; i < width; i++)
        x[i] += tower->first[i];
    cut(config, pixels, room);
    if (model->row != LENS_TYPE_F32)
        lens_items_store(model->row, room, (size_t)patches, patch, rows);
    return lens_linear_run(stream, tower->patches, patches, rows, x + width, err);
}

int lens_clip_embed(const lens_clip_model *model, lens_stream *stream, const float *pixels, float *room, float *x, lens_error *err)
{
    if (embed(model, stream, pixels, room, room, x, err) != 0)
        return -1;
    return lens_norm_run(stream, model->pictures.before, model->tokens, x, x, err);
}

static int run(const void *opened, lens_stream *stream, void *workspace, const float *pixels, int count, float *features,
               lens_error *err)
{
    const lens_clip_model *model = opened;
    const lens_clip_layers *tower = &model->pictures;
    const lens_clip_config *config = &model->config;
    const int tokens = model->tokens;
    const size_t width = (size_t)tower->shape.width, side = (size_t)config->size;
    const struct buffers buffers = divide(model, &config->pictures, (size_t)model->slice, (size_t)tokens, workspace);
    float *x = buffers.stream;
    for (int n = 0; n < count; n++, x += (size_t)tokens * width, pixels += side * side * 3)
        if (embed(model, stream, pixels, buffers.pixels, buffers.wide, x, err) != 0)
            return -1;
    if (lens_norm_run(stream, tower->before, count * tokens, buffers.stream, buffers.stream, err) != 0)
        return -1;
    return run_blocks(model, tower, stream, &buffers, count, tokens, 0, features, err);
}

/* Where the token stands that is taken for the text. */
static int find_end(const lens_clip_config *config, const int32_t *ids, int count)
{
    int end = 0; /* also where there is none, as in the reference */
    for (int i = 0; i < count; i++) {
        if (config->end >= 0 && ids[i] == config->end)
            return i;
        if (config->end < 0 && ids[i] > ids[end])
            end = i;
    }
    return end;
}

/* A stream keeps a plan for each count of rows that it has met: texts of COUNT tokens and a few more share one. What is behind the end has no
 * say in what is before. */
static int padded(int count, int context)
{
    const int step = 8;
    int rounded = (count + step - 1) / step * step;
    return rounded < context ? rounded : context;
}

static int run_words(const void *opened, lens_stream *stream, void *workspace, const int32_t *ids, int count, float *features,
                     lens_error *err)
{
    const lens_clip_model *model = opened;
    const lens_clip_layers *tower = &model->words;
    const size_t width = (size_t)tower->shape.width;
    const struct buffers buffers = divide(model, &model->config.words, 1, (size_t)model->config.context, workspace);
    const int end = find_end(&model->config, ids, count), tokens = padded(end + 1, model->config.context);
    float *x = buffers.stream;
    for (int t = 0; t < tokens; t++, x += width) {
        const float *token = tower->tokens + (size_t)ids[t < end ? t : end] * width, *position = tower->positions + (size_t)t * width;
        for (size_t i = 0; i < width; i++)
            x[i] = token[i] + position[i];
    }
    return run_blocks(model, tower, stream, &buffers, 1, tokens, end, features, err);
}

const lens_family lens_family_clip = {
    .name = "clip", .quickest = LENS_PRECISION_BF16, .claims = lens_clip_claims, .preparation = preparation, .open = model_open, .close = model_close,
    .tokenizer = tokenizer, .run = run, .run_words = run_words, .parts = lens_clip_parts,
};
