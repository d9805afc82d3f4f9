#include "nn/layers.h"

#include <limits.h>
#include <stdint.h>
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
    engine->backend->conv_free(layer);
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
    engine->backend->engine_close(engine);
    free(engine);
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
    free(stream);
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

/* Whether SPEC makes sense: every loop over it stays within int, every buffer within size_t. */
static bool spec_is_sound(const lens_conv_spec *spec)
{
    enum { MOST = 1 << 24 };
    const int positive[] = {spec->height, spec->width, spec->in, spec->out, spec->groups, spec->kernel, spec->stride};
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        if (positive[i] < 1 || positive[i] > MOST)
            return false;
    for (int axis = 0; axis < 2; axis++)
        if (spec->before[axis] < 0 || spec->after[axis] < 0 || spec->before[axis] > MOST || spec->after[axis] > MOST)
            return false;
    return spec->in % spec->groups == 0 && spec->out % spec->groups == 0;
}

static bool map_size(int height, int width, int channels, size_t *size)
{
    size_t positions;
    return height > 0 && width > 0 && !__builtin_mul_overflow((size_t)height, (size_t)width, &positions) &&
           !__builtin_mul_overflow(positions, (size_t)channels, size) && *size <= PTRDIFF_MAX / sizeof(float);
}

lens_layer *lens_conv_new(lens_engine *engine, const char *name, const lens_conv_spec *spec, const float *weights,
                          const float *bias, lens_error *err)
{
    if (!spec_is_sound(spec)) {
        lens_fail(err, LENS_E_ARGUMENT, "%s: an impossible convolution", name);
        return NULL;
    }
    lens_layer *layer = calloc(1, sizeof *layer);
    if (!layer || !(layer->name = strdup(name))) {
        free(layer);
        lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", name);
        return NULL;
    }
    layer->conv = *spec;
    layer->index = engine->count;
    layer->out_height = lens_conv_out_height(spec);
    layer->out_width = lens_conv_out_width(spec);
    int result = 0;
    if (!map_size(spec->height, spec->width, spec->in, &layer->in_size) ||
        !map_size(layer->out_height, layer->out_width, spec->out, &layer->out_size))
        result = lens_fail(err, LENS_E_ARGUMENT, "%s: no convolution of %d x %d positions by a kernel of %d", name,
                           spec->height, spec->width, spec->kernel);
    else
        result = engine->backend->conv_pack(engine, layer, weights, bias, err);
    if (result != 0) {
        free_layer(engine, layer);
        return NULL;
    }
    layer->next = engine->layers;
    engine->layers = layer;
    engine->count++;
    return layer;
}

int lens_conv_run(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    if (count < 1 || layer->index >= stream->layers)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: run with %d pictures, or made after its stream", layer->name, count);
    if (stream->engine->backend->conv_run(stream, layer, count, in, out, err) != 0)
        return -1;
    if (stream->watch)
        stream->watch(stream->watcher, layer, count, out, (size_t)count * layer->out_size);
    return 0;
}

void lens_mean_positions(int count, int positions, int channels, const float *in, float *out)
{
    const float share = 1.0f / (float)positions;
    for (int n = 0; n < count; n++) {
        const float *map = in + (size_t)n * (size_t)positions * (size_t)channels; /* [positions, channels] */
        float *mean = out + (size_t)n * (size_t)channels;
        memset(mean, 0, (size_t)channels * sizeof *mean);
        for (int p = 0; p < positions; p++, map += channels)
            for (int c = 0; c < channels; c++)
                mean[c] += map[c];
        for (int c = 0; c < channels; c++)
            mean[c] *= share;
    }
}

const char *lens_layer_name(const lens_layer *layer)
{
    return layer->name;
}

void lens_stream_watch(lens_stream *stream, lens_watch *watch, void *context)
{
    stream->watch = watch;
    stream->watcher = context;
}
