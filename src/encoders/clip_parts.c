/* Where in a picture CLIP's vector comes from: Gandelsman, Efros and Steinhardt, "Interpreting CLIP's Image Representation via Text-Based
 * Decomposition" (2024), section 3.
 *
 * The class token's residual is a plain sum: what it began as, what each block's MLP adds, and what each block's attention adds, which is
 * itself a sum over tokens. The last norm is affine once the deviation of this picture's sum is known, and the projection is linear: so the
 * features split exactly into one part for each patch, all that it gives the class token by attention, and a rest (the MLPs, the
 * biases, the class token itself). It needs no gradient and no second pass, its parts add up, and it serves queries of pictures and of
 * words alike. What it does not show: what a patch's token had itself gathered from others in earlier blocks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encoders/clip_pass.h"

struct pass {
    const lens_clip_model *model;
    lens_stream *stream;
    size_t tokens, width;
    float *x;      /* [tokens, width]: the residual */
    float *normed; /* [tokens, width] */
    float *wide;   /* [tokens, the widest of 3 * width, the MLP and a patch's pixels] */
    float *given;  /* [tokens + 1, width]: each token's values, weighted as the class token attends to it; the last one zero */
    float *out;    /* [tokens + 1, width]: what becomes of them; the last one the bias alone */
    double *sums;  /* [tokens, width]: what each token gave over all blocks */
};

static void pass_free(struct pass *pass)
{
    free(pass->x);
    free(pass->normed);
    free(pass->wide);
    free(pass->given);
    free(pass->out);
    free(pass->sums);
}

static int pass_new(struct pass *pass, lens_error *err)
{
    const lens_clip_config *config = &pass->model->config;
    const size_t mlp = (size_t)config->pictures.mlp, patch = 3 * (size_t)config->patch * (size_t)config->patch;
    size_t widest = 3 * pass->width;
    widest = widest > mlp ? widest : mlp;
    widest = widest > patch ? widest : patch;
    pass->x = lens_floats_new(pass->tokens * pass->width);
    pass->normed = lens_floats_new(pass->tokens * pass->width);
    pass->wide = lens_floats_new(pass->tokens * widest);
    pass->given = lens_floats_new((pass->tokens + 1) * pass->width);
    pass->out = lens_floats_new((pass->tokens + 1) * pass->width);
    pass->sums = calloc(pass->tokens * pass->width, sizeof *pass->sums);
    if (pass->x && pass->normed && pass->wide && pass->given && pass->out && pass->sums)
        return 0;
    return lens_fail_memory(err);
}

/* The class token's attention: QKV [tokens, 3, heads, head width] -> GIVEN, each token's value times its weight, head by head. */
static void weigh(const struct pass *pass, const float *qkv, int heads, float *given)
{
    const size_t head = pass->width / (size_t)heads, row = 3 * pass->width;
    const double scale = 1 / sqrt((double)head);
    for (size_t h = 0; h < (size_t)heads; h++) {
        const float *query = qkv + h * head;
        double most = -INFINITY, sum = 0;
        for (size_t t = 0; t < pass->tokens; t++) {
            const float *key = qkv + t * row + pass->width + h * head;
            double score = 0;
            for (size_t i = 0; i < head; i++)
                score += (double)query[i] * (double)key[i];
            pass->out[t] = (float)(score * scale); /* not needed for anything else yet */
            most = fmax(most, (double)pass->out[t]);
        }
        for (size_t t = 0; t < pass->tokens; t++)
            sum += exp((double)pass->out[t] - most);
        for (size_t t = 0; t < pass->tokens; t++) {
            const float *value = qkv + t * row + 2 * pass->width + h * head;
            const double weight = exp((double)pass->out[t] - most) / sum;
            for (size_t i = 0; i < head; i++)
                given[t * pass->width + h * head + i] = (float)(weight * (double)value[i]);
        }
    }
}

/* Adds what each token gives the class token in BLOCK to the sums: the output projection, of which the bias is no one's. */
static int add_given(struct pass *pass, const lens_clip_block *block, lens_error *err)
{
    const size_t size = pass->tokens * pass->width;
    memset(pass->given + size, 0, pass->width * sizeof *pass->given);
    memset(pass->out, 0, (size + pass->width) * sizeof *pass->out);
    if (lens_linear_run(pass->stream, block->out, (int)pass->tokens + 1, pass->given, pass->out, err) != 0)
        return -1;
    for (size_t i = 0; i < size; i++)
        pass->sums[i] += (double)pass->out[i] - (double)pass->out[size + i % pass->width];
    return 0;
}

static int run_block(struct pass *pass, const lens_clip_block *block, lens_error *err)
{
    const int tokens = (int)pass->tokens;
    if (lens_norm_run(pass->stream, block->norm1, tokens, pass->x, pass->normed, err) != 0 ||
        lens_linear_run(pass->stream, block->qkv, tokens, pass->normed, pass->wide, err) != 0)
        return -1;
    weigh(pass, pass->wide, pass->model->config.pictures.heads, pass->given);
    if (add_given(pass, block, err) != 0 ||
        lens_attention_run(pass->stream, block->attention, 1, tokens, pass->wide, pass->normed, err) != 0 ||
        lens_linear_run(pass->stream, block->out, tokens, pass->normed, pass->x, err) != 0 ||
        lens_norm_run(pass->stream, block->norm2, tokens, pass->x, pass->normed, err) != 0 ||
        lens_linear_run(pass->stream, block->fc1, tokens, pass->normed, pass->wide, err) != 0)
        return -1;
    return lens_linear_run(pass->stream, block->fc2, tokens, pass->wide, pass->x, err);
}

/* The sums -> parts of the features: through the last norm, as it is for this picture, and the projection. FEATURES [dim], the whole. */
static int project(struct pass *pass, float *parts, float *features, lens_error *err)
{
    const lens_clip_layers *tower = &pass->model->pictures;
    const float *gamma = lens_norm_gamma(tower->after);
    const size_t width = pass->width, tokens = pass->tokens;
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; i++)
        mean += (double)pass->x[i] / (double)width;
    for (size_t i = 0; i < width; i++)
        variance += ((double)pass->x[i] - mean) * ((double)pass->x[i] - mean) / (double)width;
    const double deviation = sqrt(variance + tower->shape.epsilon);
    for (size_t t = 1; t < tokens; t++) {
        const double *sum = pass->sums + t * width;
        double own = 0;
        for (size_t i = 0; i < width; i++)
            own += sum[i] / (double)width;
        for (size_t i = 0; i < width; i++)
            pass->given[t * width + i] = (float)((double)gamma[i] * (sum[i] - own) / deviation);
    }
    if (lens_norm_run(pass->stream, tower->after, 1, pass->x, pass->given, err) != 0 ||
        lens_linear_run(pass->stream, tower->projection, 1, pass->given, features, err) != 0)
        return -1;
    return lens_linear_run(pass->stream, tower->projection, (int)tokens - 1, pass->given + width, parts, err);
}

int lens_clip_parts(const void *opened, lens_stream *stream, void *workspace, const float *pixels, float *parts, lens_error *err)
{
    const lens_clip_model *model = opened;
    const lens_clip_layers *tower = &model->pictures;
    struct pass pass = {.model = model, .stream = stream, .tokens = (size_t)model->tokens, .width = (size_t)tower->shape.width};
    const size_t dim = (size_t)model->config.dim;
    (void)workspace; /* it is laid out for passes that need less */
    float *rest = parts + (pass.tokens - 1) * dim;
    int result = pass_new(&pass, err);
    if (result == 0)
        result = lens_clip_embed(model, stream, pixels, pass.wide, pass.x, err);
    for (int i = 0; i < tower->shape.layers && result == 0; i++)
        result = run_block(&pass, &tower->blocks[i], err);
    if (result == 0)
        result = project(&pass, parts, rest, err);
    for (size_t t = 0; t + 1 < pass.tokens && result == 0; t++)
        for (size_t i = 0; i < dim; i++)
            rest[i] -= parts[t * dim + i];
    pass_free(&pass);
    return result;
}
