#include "nn/layers.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/backend.h"

lens_engine *lens_engine_new(lens_backend backend, lens_error *err)
{
    lens_engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory for an engine");
        return NULL;
    }
    engine->backend = backend == LENS_BACKEND_PLAIN ? &lens_backend_plain : &lens_backend_onednn;
    if (engine->backend->engine_open(engine, err) != 0) {
        lens_engine_free(engine);
        return NULL;
    }
    return engine;
}

static void free_layer(const lens_engine *engine, lens_layer *layer)
{
    engine->backend->unpack(layer);
    free(layer->in_scales);
    free(layer->out_scales);
    free(layer->gamma);
    free(layer->beta);
    free(layer->name);
    free(layer);
}

void lens_engine_free(lens_engine *engine)
{
    if (!engine)
        return;
    while (engine->layers) {
        lens_layer *layer = engine->layers;
        engine->layers = layer->next;
        free_layer(engine, layer);
    }
    while (engine->tables) {
        lens_table *table = engine->tables;
        engine->tables = table->next;
        free(table->numbers);
        free(table);
    }
    engine->backend->engine_close(engine);
    lens_packed_close(engine->packed);
    free(engine);
}

void lens_engine_warm(lens_engine *engine, lens_packed *packed)
{
    engine->packed = packed;
}

bool lens_engine_is_warm(const lens_engine *engine)
{
    return engine->packed;
}

const char *lens_engine_kind(const lens_engine *engine)
{
    return engine->backend->kind();
}

const float *lens_engine_table(lens_engine *engine, const char *name, size_t count, float *numbers, lens_error *err)
{
    if (engine->packed)
        return lens_packed_find_table(engine->packed, name, count * sizeof *numbers, err);
    lens_table *table = numbers && strlen(name) < LENS_PACKED_NAME ? calloc(1, sizeof *table) : NULL;
    if (!table) {
        free(numbers);
        lens_fail_memory_for(err, name);
        return NULL;
    }
    strcpy(table->name, name);
    table->numbers = numbers;
    table->count = count;
    table->next = engine->tables;
    engine->tables = table;
    return numbers;
}

void lens_run_name(const lens_layer *layer, const char *part, char name[LENS_PACKED_NAME])
{
    snprintf(name, LENS_PACKED_NAME, "%d %s", layer->index, part);
}

static int keep_norm(const lens_layer *layer, lens_packing *packing, lens_error *err)
{
    const size_t size = (size_t)layer->norm.channels * sizeof(float);
    char name[LENS_PACKED_NAME];
    lens_run_name(layer, "gamma", name);
    if (lens_packing_add(packing, name, layer->gamma, size, err) != 0)
        return -1;
    lens_run_name(layer, "beta", name);
    return lens_packing_add(packing, name, layer->beta, size, err);
}

/* Layers stand in the engine's list from the last to the first; a file has them in the order in which they will be asked for. */
static int keep_layers(const lens_engine *engine, const lens_layer *layer, lens_packing *packing, lens_error *err)
{
    const lens_layer **order = calloc((size_t)engine->count + 1, sizeof *order);
    int result = order ? 0 : lens_fail_memory(err);
    for (; order && layer; layer = layer->next)
        order[layer->index] = layer;
    for (int i = 0; result == 0 && i < engine->count; i++) {
        if (order[i]->kind == LENS_LAYER_NORM || order[i]->kind == LENS_LAYER_GROUP_NORM)
            result = keep_norm(order[i], packing, err);
        else if (order[i]->kind != LENS_LAYER_ATTENTION)
            result = engine->backend->keep(order[i], packing, err);
    }
    free(order);
    return result;
}

int lens_engine_save(const lens_engine *engine, lens_packing *packing, lens_error *err)
{
    for (const lens_table *table = engine->tables; table; table = table->next)
        if (lens_packing_add(packing, table->name, table->numbers, table->count * sizeof *table->numbers, err) != 0)
            return -1;
    return keep_layers(engine, engine->layers, packing, err);
}

lens_stream *lens_stream_new(const lens_engine *engine, int threads, lens_error *err)
{
    if (threads < 1) {
        lens_fail(err, LENS_E_ARGUMENT, "%d threads", threads);
        return NULL;
    }
    lens_stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory for a stream");
        return NULL;
    }
    stream->engine = engine;
    stream->threads = threads;
    stream->layers = engine->count;
    if (engine->backend->stream_open(stream, err) != 0) {
        lens_stream_free(stream);
        return NULL;
    }
    return stream;
}

void lens_stream_free(lens_stream *stream)
{
    if (!stream)
        return;
    stream->engine->backend->stream_close(stream);
    free(stream->scratch);
    free(stream);
}

bool lens_type_is_fast(lens_type type)
{
    return lens_backend_onednn.is_fast(type);
}

float *lens_floats_new(size_t count)
{
    const size_t step = 64 / sizeof(float);
    if (count > SIZE_MAX / sizeof(float) - step)
        return NULL;
    size_t rounded = (count + step - 1) / step * step;
    return aligned_alloc(64, (rounded ? rounded : step) * sizeof(float));
}

void lens_conv_pad_same(lens_conv_spec *spec)
{
    const int sizes[2] = {spec->height, spec->width};
    for (int axis = 0; axis < 2; axis++) {
        int outputs = (sizes[axis] + spec->stride - 1) / spec->stride;
        int zeros = (outputs - 1) * spec->stride + spec->kernel - sizes[axis];
        if (zeros < 0)
            zeros = 0;
        spec->before[axis] = zeros / 2;
        spec->after[axis] = zeros - zeros / 2;
    }
}

static int outputs(const lens_conv_spec *spec, int axis, int size)
{
    int64_t room = (int64_t)size + spec->before[axis] + spec->after[axis] - spec->kernel;
    return room < 0 ? 0 : (int)(room / spec->stride) + 1;
}

int lens_conv_out_height(const lens_conv_spec *spec)
{
    return outputs(spec, 0, spec->height);
}

int lens_conv_out_width(const lens_conv_spec *spec)
{
    return outputs(spec, 1, spec->width);
}

enum {
    MOST = 1 << 24,       /* of anything that is counted: loops stay within int */
    MOST_TOKENS = 1 << 16 /* of one text or picture: their scores stay within size_t */
};

static bool is_size(int64_t size)
{
    return size >= 1 && size <= MOST;
}

/* Whether SPEC makes sense. */
static bool conv_is_sound(const lens_conv_spec *spec)
{
    const int positive[] = {spec->height, spec->width, spec->in, spec->out, spec->groups, spec->kernel, spec->stride};
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        if (!is_size(positive[i]))
            return false;
    for (int axis = 0; axis < 2; axis++)
        if (spec->before[axis] < 0 || spec->after[axis] < 0 || spec->before[axis] > MOST || spec->after[axis] > MOST)
            return false;
    bool bytes = spec->from == LENS_TYPE_BYTES;
    bool clipped = spec->activation == LENS_ACTIVATION_CLIP6 || spec->activation == LENS_ACTIVATION_RELU;
    bool padded = spec->before[0] || spec->before[1] || spec->after[0] || spec->after[1];
    if ((spec->to == LENS_TYPE_BYTES && (!bytes || spec->sum || (spec->out_zero == 0) != clipped)) || (spec->factor && spec->zero != 0) ||
        (spec->to != LENS_TYPE_BYTES && spec->out_zero != 0) || (padded && spec->zero != 0) ||
        (spec->from == LENS_TYPE_F32 && spec->to != LENS_TYPE_F32) || (!bytes && (spec->zero != 0 || spec->factor)))
        return false;
    /* Bytes end at 255 by themselves, which must not be above 6 then. */
    for (int c = 0; spec->to == LENS_TYPE_BYTES && spec->activation == LENS_ACTIVATION_CLIP6 && c < spec->out; c++)
        if (!spec->out_scales || spec->out_scales[c] * 255 > 6.0001f)
            return false;
    return spec->in % spec->groups == 0 && spec->out % spec->groups == 0;
}

/* A copy of SCALES [count], or ones. NULL when memory is short. */
static float *copy_scales(const float *scales, int count)
{
    float *copy = lens_floats_new((size_t)count);
    for (int i = 0; copy && i < count; i++)
        copy[i] = scales ? scales[i] : 1;
    return copy;
}

static bool map_size(int height, int width, int channels, size_t *size)
{
    size_t positions;
    return height > 0 && width > 0 && !__builtin_mul_overflow((size_t)height, (size_t)width, &positions) &&
           !__builtin_mul_overflow(positions, (size_t)channels, size) && *size <= PTRDIFF_MAX / sizeof(float);
}

lens_layer *lens_layer_add(lens_engine *engine, const char *name, lens_layer_kind kind, lens_error *err)
{
    lens_layer *layer = calloc(1, sizeof *layer);
    if (!layer || !(layer->name = strdup(name))) {
        free(layer);
        lens_fail_memory_for(err, name);
        return NULL;
    }
    layer->kind = kind;
    layer->index = engine->count++;
    layer->next = engine->layers;
    return engine->layers = layer;
}

int lens_layer_ready(const lens_stream *stream, const lens_layer *layer, int count, lens_error *err)
{
    if (count < 1 || layer->index >= stream->layers)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: run with %d pictures or rows, or made after its stream", layer->name, count);
    return 0;
}

/* The byte that stands for 0 in what LAYER gives. */
static int zero_of(const lens_layer *layer)
{
    return layer->kind == LENS_LAYER_CONV ? layer->conv.out_zero : layer->kind == LENS_LAYER_GROUP_NORM ? 0 : LENS_BYTE_ZERO;
}

void lens_layer_seen(const lens_stream *stream, const lens_layer *layer, int count, const void *out)
{
    if (!stream->watch)
        return;
    const size_t each = layer->out_size, size = (size_t)count * each;
    float *floats = lens_floats_new(size);
    if (floats) {
        lens_items_load(layer->to, out, (size_t)count, each, zero_of(layer), floats);
        for (size_t i = 0; layer->out_scales && i < size; i++)
            floats[i] *= layer->out_scales[i % (size_t)layer->conv.out];
        stream->watch(stream->watcher, layer, count, floats, size);
    }
    free(floats);
}

void *lens_stream_scratch(lens_stream *stream, size_t size)
{
    if (size > stream->scratch_size) {
        free(stream->scratch);
        stream->scratch = lens_floats_new(size / sizeof(float) + 1);
        stream->scratch_size = stream->scratch ? size : 0;
    }
    return stream->scratch;
}

/* Packs a layer with weights, BIAS [out] or NULL. NULL on failure. */
static lens_layer *pack(const lens_engine *engine, lens_layer *layer, int out, const float *weights, const float *bias, lens_error *err)
{
    if (engine->packed)
        return engine->backend->take(engine, layer, err) == 0 ? layer : NULL;
    float *zeros = NULL;
    if (!bias && (zeros = lens_floats_new((size_t)out)))
        bias = memset(zeros, 0, (size_t)out * sizeof *zeros);
    int result = bias ? engine->backend->pack(engine, layer, weights, bias, err)
                      : lens_fail_memory_for(err, layer->name);
    free(zeros);
    return result == 0 ? layer : NULL;
}

/* Runs a layer with weights. */
static int run_product(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    if (lens_layer_ready(stream, layer, count, err) != 0 ||
        stream->engine->backend->product(stream, layer, count, in, out, err) != 0)
        return -1;
    lens_layer_seen(stream, layer, count, out);
    return 0;
}

lens_layer *lens_conv_new(lens_engine *engine, const char *name, const lens_conv_spec *spec, const float *weights,
                          const float *bias, lens_error *err)
{
    size_t in_size, out_size;
    if (!conv_is_sound(spec)) {
        lens_fail(err, LENS_E_ARGUMENT, "%s: an impossible convolution", name);
        return NULL;
    }
    if (!map_size(spec->height, spec->width, spec->in, &in_size) ||
        !map_size(lens_conv_out_height(spec), lens_conv_out_width(spec), spec->out, &out_size)) {
        lens_fail(err, LENS_E_ARGUMENT, "%s: no convolution of %d x %d positions by a kernel of %d", name, spec->height,
                  spec->width, spec->kernel);
        return NULL;
    }
    lens_layer *layer = lens_layer_add(engine, name, LENS_LAYER_CONV, err);
    if (!layer)
        return NULL;
    layer->conv = *spec;
    layer->from = spec->from;
    layer->to = spec->to;
    layer->in_size = in_size;
    layer->out_size = out_size;
    layer->conv.in_scales = layer->in_scales = spec->from == LENS_TYPE_BYTES ? copy_scales(spec->in_scales, spec->in) : NULL;
    layer->conv.out_scales = layer->out_scales = spec->to == LENS_TYPE_BYTES ? copy_scales(spec->out_scales, spec->out) : NULL;
    if ((spec->from == LENS_TYPE_BYTES && !layer->in_scales) || (spec->to == LENS_TYPE_BYTES && !layer->out_scales)) {
        lens_fail_memory_for(err, name);
        return NULL;
    }
    lens_layer *packed = pack(engine, layer, spec->out, weights, bias, err);
    layer->conv.in_means = NULL; /* the caller's */
    return packed;
}

int lens_conv_run(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    return run_product(stream, layer, count, in, out, err);
}

lens_layer *lens_linear_new(lens_engine *engine, const char *name, const lens_linear_spec *spec, const float *weights,
                            const float *bias, lens_error *err)
{
    if (!is_size(spec->in) || !is_size(spec->out) || (spec->sum && spec->to != LENS_TYPE_F32) ||
        (spec->to == LENS_TYPE_BYTES && spec->from != LENS_TYPE_BYTES) || (spec->from == LENS_TYPE_F32 && spec->to != LENS_TYPE_F32)) {
        lens_fail(err, LENS_E_ARGUMENT, "%s: an impossible linear layer, %d to %d", name, spec->in, spec->out);
        return NULL;
    }
    lens_layer *layer = lens_layer_add(engine, name, LENS_LAYER_LINEAR, err);
    if (!layer)
        return NULL;
    layer->linear = *spec;
    layer->from = spec->from;
    layer->to = spec->to;
    layer->in_size = (size_t)spec->in;
    layer->out_size = (size_t)spec->out;
    return pack(engine, layer, spec->out, weights, bias, err);
}

int lens_linear_run(lens_stream *stream, const lens_layer *layer, int rows, const void *in, void *out, lens_error *err)
{
    return run_product(stream, layer, rows, in, out, err);
}

lens_layer *lens_attention_new(lens_engine *engine, const char *name, const lens_attention_spec *spec, lens_error *err)
{
    if (!is_size(spec->heads) || !is_size(spec->width) || !is_size((int64_t)spec->heads * spec->width) || spec->from == LENS_TYPE_BYTES) {
        lens_fail(err, LENS_E_ARGUMENT, "%s: impossible attention, %d heads of %d", name, spec->heads, spec->width);
        return NULL;
    }
    lens_layer *layer = lens_layer_add(engine, name, LENS_LAYER_ATTENTION, err);
    if (!layer)
        return NULL;
    layer->attention = *spec;
    layer->from = spec->from;
    layer->to = spec->to;
    layer->out_size = (size_t)spec->heads * (size_t)spec->width;
    layer->in_size = 3 * layer->out_size;
    return layer;
}

int lens_attention_run(lens_stream *stream, const lens_layer *layer, int count, int tokens, const void *qkv, void *out,
                       lens_error *err)
{
    if (lens_layer_ready(stream, layer, count, err) != 0)
        return -1;
    if (tokens < 1 || tokens > MOST_TOKENS)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: run with %d tokens", layer->name, tokens);
    if (stream->engine->backend->attention(stream, layer, count, tokens, qkv, out, err) != 0)
        return -1;
    lens_layer_seen(stream, layer, count * tokens, out);
    return 0;
}

const char *lens_layer_name(const lens_layer *layer)
{
    return layer->name;
}

void lens_stream_watch(lens_stream *stream, lens_layer_watch *watch, void *context)
{
    stream->watch = watch;
    stream->watcher = context;
}
