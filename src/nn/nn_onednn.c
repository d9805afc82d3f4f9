/* The layers of layers.h on oneDNN's C API. Besides nn_onednn_version.h this is the only file that names it.
 *
 * A layer keeps its weights in the layout that oneDNN asks for ("any") when run on one picture. A stream keeps a plan, a
 * primitive with its memory objects, for every layer and count it has met; a plan that wants the weights in another
 * layout keeps a copy of its own. Plans are cheap (0.2 ms) and so are made when they are first needed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/backend.h"
#include "nn/nn_onednn_version.h"

/* Debian's oneDNN runs on OpenMP, and takes the number of threads from the calling thread's setting. These two are all that
 * is needed of it, so that this file needs neither the compiler's OpenMP nor its header. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

/* A layer's weights. */
struct packed {
    memory_desc desc; /* of the packed weights */
    void *weights;
    float *bias;    /* [out], as the layer's primitive wants it */
    float *scales;  /* [out] of a product of bytes: what a sum is multiplied by */
    int32_t *zeros; /* [out] of a linear layer of bytes: what IN's zeros come to */
    bool biased;    /* whether any of BIAS is not 0 */
    bool mapped;    /* whether WEIGHTS lie in the engine's file */
    uint8_t *layout; /* DESC as bytes, while they are being saved */
};

struct plan {
    int count;
    dnnl_primitive_t primitive;
    dnnl_memory_t in, weights, bias, out, scratch;
    dnnl_memory_t factor; /* of a picture of bytes */
    dnnl_memory_t scales; /* where SCALES_ARE_ARGUMENTS */
    void *own; /* the weights in this plan's layout, when that is not the layer's */
    struct plan *next;
};

struct state {
    dnnl_stream_t stream;
    struct plan **plans; /* [layers], each a list */
    float *scratch;
    size_t scratch_size; /* bytes */
    int32_t *sums;       /* of a linear layer of bytes */
    size_t sums_size;    /* bytes */
};

/* Rows of a linear layer of bytes at a time: their sums stay in the second cache. */
enum { CHUNK = 64 };

/* Takes the calling thread's number of threads for the time of a call; returns what it was. */
static int enter(int threads)
{
    int before = omp_get_max_threads();
    if (before != threads)
        omp_set_num_threads(threads);
    return before;
}

static void leave(int threads, int before)
{
    if (before != threads)
        omp_set_num_threads(before);
}

static int fail(lens_error *err, const char *name, const char *what, dnnl_status_t status)
{
    lens_error_code code = status == dnnl_out_of_memory   ? LENS_E_MEMORY
                           : status == dnnl_unimplemented ? LENS_E_UNSUPPORTED
                                                          : LENS_E_SYSTEM;
    return lens_fail(err, code, "%s: oneDNN cannot %s (status %d)", name, what, (int)status);
}

static int engine_open(lens_engine *engine, lens_error *err)
{
    dnnl_engine_t dnnl;
    dnnl_status_t status = dnnl_engine_create(&dnnl, dnnl_cpu, 0);
    if (status != dnnl_success)
        return fail(err, "engine", "start", status);
    engine->state = dnnl;
    return 0;
}

static void engine_close(lens_engine *engine)
{
    if (engine->state)
        dnnl_engine_destroy(engine->state);
}

/* The weights' sizes as oneDNN counts them, and the layout that layers.h takes them in: for a convolution with a dimension for groups
 * where there are any; a linear layer's are a matrix by which the rows are multiplied from the right. Returns how many sizes. */
static int weight_sizes(const lens_layer *layer, dnnl_dims_t sizes, dnnl_format_tag_t *plain)
{
    int dims = 0;
    if (layer->kind == LENS_LAYER_LINEAR) {
        sizes[dims++] = layer->linear.in;
        sizes[dims++] = layer->linear.out;
        *plain = dnnl_ba;
        return dims;
    }
    const lens_conv_spec *spec = &layer->conv;
    if (spec->groups > 1)
        sizes[dims++] = spec->groups;
    sizes[dims++] = spec->out / spec->groups;
    sizes[dims++] = spec->in / spec->groups;
    sizes[dims++] = spec->kernel;
    sizes[dims++] = spec->kernel;
    *plain = dims == 5 ? dnnl_goihw : dnnl_oihw;
    return dims;
}

static dnnl_data_type_t data_type(lens_type type)
{
    return type == LENS_TYPE_BF16 ? dnnl_bf16 : type == LENS_TYPE_BYTES ? dnnl_u8 : dnnl_f32;
}

static dnnl_data_type_t weight_type(const lens_layer *layer)
{
    return layer->from == LENS_TYPE_BF16 ? dnnl_bf16 : layer->from == LENS_TYPE_BYTES ? dnnl_s8 : dnnl_f32;
}

static size_t outputs_of(const lens_layer *layer)
{
    return (size_t)(layer->kind == LENS_LAYER_LINEAR ? layer->linear.out : layer->conv.out);
}

/* Whether SUMS of this layer are finished by lens_finish_rows. */
static bool is_rows_of_bytes(const lens_layer *layer)
{
    return layer->kind == LENS_LAYER_LINEAR && layer->from == LENS_TYPE_BYTES;
}

/* Whether the bias is added behind the factor: oneDNN's own comes before. */
static bool adds_behind(const lens_layer *layer)
{
    const struct packed *packed = layer->packed;
    return layer->kind == LENS_LAYER_CONV && layer->conv.factor && packed->biased;
}

static dnnl_status_t append_activation(dnnl_post_ops_t ops, lens_activation activation)
{
    switch (activation) {
    case LENS_ACTIVATION_CLIP6:
        return append_eltwise(ops, dnnl_eltwise_clip, 0, 6);
    case LENS_ACTIVATION_RELU:
        return append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
    case LENS_ACTIVATION_GELU:
        return append_eltwise(ops, dnnl_eltwise_gelu_erf, 0, 0);
    case LENS_ACTIVATION_QUICK_GELU:
        return append_eltwise(ops, dnnl_eltwise_swish, 1.702f, 0);
    case LENS_ACTIVATION_NONE:
        break;
    }
    return dnnl_success;
}

/* A post-op with a tensor of one number for everything, or with COUNT for each channel. */
static dnnl_status_t append_tensor(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, int count)
{
    const dnnl_dims_t sizes = {1, count, 1, 1};
    memory_desc desc = NULL;
    dnnl_status_t status = desc_new(&desc, 4, sizes, dnnl_f32, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnnl_post_ops_append_binary(ops, kind, desc);
    desc_free(desc);
    return status;
}

/* What LAYER's product does besides multiplying. The order is that of the arguments in arguments_of. */
static dnnl_status_t append_all(const lens_layer *layer, dnnl_post_ops_t ops)
{
    const bool conv = layer->kind == LENS_LAYER_CONV;
    dnnl_status_t status = dnnl_success;
    if (conv && layer->conv.factor)
        status = append_tensor(ops, dnnl_binary_mul, 1);
    if (status == dnnl_success && adds_behind(layer))
        status = append_tensor(ops, dnnl_binary_add, layer->conv.out);
    if (status == dnnl_success && (conv ? layer->conv.sum : layer->linear.sum))
        status = append_sum(ops);
    lens_activation activation = conv ? layer->conv.activation : layer->linear.activation;
    /* A byte ends at 0 and 255 by itself: a channel whose byte 255 is at most 6 needs no other clip. */
    if (status == dnnl_success && !(conv && layer->to == LENS_TYPE_BYTES))
        status = append_activation(ops, activation);
    return status;
}

static dnnl_status_t attributes_new(dnnl_primitive_attr_t *attr, const lens_layer *layer)
{
    const struct packed *packed = layer->packed;
    dnnl_post_ops_t ops = NULL;
    *attr = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && is_rows_of_bytes(layer))
        return status;
    if (status == dnnl_success && layer->from == LENS_TYPE_BYTES)
        status = set_scales(*attr, layer->conv.out, packed->scales, layer->conv.groups > 1);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success)
        status = append_all(layer, ops);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

/* The primitive descriptor of a convolution of COUNT pictures, from DESCS with the weights' at [1] made. */
static dnnl_status_t describe_conv(dnnl_engine_t engine, const lens_layer *layer, int count, memory_desc descs[4],
                                   dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *desc)
{
    const lens_conv_spec *spec = &layer->conv;
    const dnnl_dims_t in = {count, spec->in, spec->height, spec->width}, bias = {spec->out};
    const dnnl_dims_t out = {count, spec->out, lens_conv_out_height(spec), lens_conv_out_width(spec)};
    const dnnl_dims_t strides = {spec->stride, spec->stride};
    const dnnl_dims_t before = {spec->before[0], spec->before[1]}, after = {spec->after[0], spec->after[1]};
    dnnl_status_t status = desc_new(&descs[0], 4, in, data_type(layer->from), dnnl_nhwc);
    if (status == dnnl_success && !spec->factor)
        status = desc_new(&descs[2], 1, bias, dnnl_f32, dnnl_x);
    if (status == dnnl_success)
        status = desc_new(&descs[3], 4, out, data_type(layer->to), dnnl_nhwc);
    return status == dnnl_success ? conv_desc_new(desc, engine, descs, strides, before, after, attr) : status;
}

/* The same for a linear layer of COUNT rows. */
static dnnl_status_t describe_linear(dnnl_engine_t engine, const lens_layer *layer, int count, memory_desc descs[4],
                                     dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *desc)
{
    const lens_linear_spec *spec = &layer->linear;
    const dnnl_dims_t in = {count, spec->in}, bias = {1, spec->out}, out = {count, spec->out};
    const bool sums = is_rows_of_bytes(layer);
    dnnl_status_t status = desc_new(&descs[0], 2, in, data_type(layer->from), dnnl_ab);
    if (status == dnnl_success && !sums)
        status = desc_new(&descs[2], 2, bias, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status = desc_new(&descs[3], 2, out, sums ? dnnl_s32 : data_type(layer->to), dnnl_ab);
    return status == dnnl_success ? matmul_desc_new(desc, engine, descs, attr) : status;
}

/* The primitive descriptor of LAYER for COUNT pictures or rows, in whatever layout of weights suits it best. */
static dnnl_status_t describe(dnnl_engine_t engine, const lens_layer *layer, int count, dnnl_primitive_desc_t *desc)
{
    memory_desc descs[4] = {NULL};
    dnnl_dims_t weights;
    dnnl_format_tag_t plain;
    int dims = weight_sizes(layer, weights, &plain);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = desc_new(&descs[1], dims, weights, weight_type(layer), dnnl_format_tag_any);
    if (status == dnnl_success)
        status = attributes_new(&attr, layer);
    if (status == dnnl_success)
        status = (layer->kind == LENS_LAYER_LINEAR ? describe_linear : describe_conv)(engine, layer, count, descs, attr, desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    for (int i = 0; i < 4; i++)
        desc_free(descs[i]);
    return status;
}

/* A new copy of the weights FROM, laid out as FROM_DESC says, in the layout TO_DESC. */
static dnnl_status_t pack(dnnl_engine_t engine, const_memory_desc from_desc, const void *from, const_memory_desc to_desc, void **to)
{
    *to = lens_floats_new(dnnl_memory_desc_get_size(to_desc) / sizeof(float) + 1);
    if (!*to)
        return dnnl_out_of_memory;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = dnnl_memory_create(&source, from_desc, engine, (void *)from);
    if (status == dnnl_success)
        status = dnnl_memory_create(&target, to_desc, engine, *to);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&desc, from_desc, engine, to_desc, engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, desc);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    if (status == dnnl_success)
        status = dnnl_primitive_execute(reorder, stream, 2, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    dnnl_stream_destroy(stream);
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(desc);
    dnnl_memory_destroy(target);
    dnnl_memory_destroy(source);
    return status;
}

/* Turns weights and bias into those of a product of bytes: BYTES [out, each], and the packed bias, scales and zeros. */
static int to_bytes(const lens_layer *layer, const float *weights, const float *bias, size_t out, int8_t **bytes, lens_error *err)
{
    struct packed *packed = layer->packed;
    const bool conv = layer->kind == LENS_LAYER_CONV;
    const size_t taps = conv ? (size_t)layer->conv.kernel * (size_t)layer->conv.kernel : 1;
    const size_t each = conv ? (size_t)(layer->conv.in / layer->conv.groups) * taps : (size_t)layer->linear.in;
    *bytes = (int8_t *)lens_floats_new(out * each / sizeof(float) + 1);
    packed->scales = lens_floats_new(out);
    packed->zeros = (int32_t *)lens_floats_new(out);
    if (!*bytes || !packed->scales || !packed->zeros)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    lens_weights_to_bytes(layer, weights, *bytes, packed->scales, packed->zeros);
    for (size_t o = 0; o < out; o++) {
        const float zeros = conv ? layer->conv.zero * (float)packed->zeros[o] : 0;
        packed->zeros[o] *= LENS_BYTE_ZERO;
        if (!conv)
            continue;
        float step = layer->out_scales ? layer->out_scales[o] : 1;
        float value = (bias[o] - zeros * packed->scales[o]) / step + (float)layer->conv.out_zero;
        packed->scales[o] /= step;
        packed->bias[o] = layer->conv.factor ? value : scaled_bias(value, packed->scales[o]);
    }
    return 0;
}

/* LAYER's weights, PLAIN as described, in the layout that suits it best. */
static dnnl_status_t choose_layout(dnnl_engine_t engine, const lens_layer *layer, const_memory_desc plain, const void *weights)
{
    struct packed *packed = layer->packed;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = describe(engine, layer, is_rows_of_bytes(layer) ? CHUNK : 1, &desc);
    if (status == dnnl_success)
        status = desc_copy(&packed->desc, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
    if (status == dnnl_success)
        status = pack(engine, plain, weights, packed->desc, &packed->weights);
    dnnl_primitive_desc_destroy(desc);
    return status;
}

static int pack_layer(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    size_t out = outputs_of(layer);
    const bool bytes = layer->from == LENS_TYPE_BYTES;
    struct packed *packed = layer->packed = calloc(1, sizeof *packed);
    int8_t *small = NULL;
    if (!packed || !(packed->bias = lens_floats_new(out)))
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    memcpy(packed->bias, bias, out * sizeof *bias);
    for (size_t o = 0; o < out; o++)
        packed->biased |= bias[o] != 0;
    if (bytes && to_bytes(layer, weights, bias, out, &small, err) != 0) {
        free(small);
        return -1;
    }

    int before = enter(1);
    dnnl_dims_t sizes;
    dnnl_format_tag_t tag;
    int dims = weight_sizes(layer, sizes, &tag);
    memory_desc plain = NULL;
    dnnl_status_t status = desc_new(&plain, dims, sizes, bytes ? dnnl_s8 : dnnl_f32, tag);
    if (status == dnnl_success)
        status = choose_layout(engine->state, layer, plain, bytes ? (const void *)small : weights);
    desc_free(plain);
    leave(1, before);
    free(small);
    return status == dnnl_success ? 0 : fail(err, layer->name, "pack this layer's weights", status);
}

static void unpack(lens_layer *layer)
{
    struct packed *packed = layer->packed;
    if (packed) {
        desc_free(packed->desc);
        if (!packed->mapped)
            free(packed->weights);
        free(packed->layout);
        free(packed->bias);
        free(packed->scales);
        free(packed->zeros);
        free(packed);
    }
}

/* ---- packed weights in a file ------------------------------------------------------------------------------------ */

/* A copy of the run PART of LAYER's, of SIZE bytes. NULL on failure. */
static void *take_copy(const lens_engine *engine, const lens_layer *layer, const char *part, size_t size, lens_error *err)
{
    char name[LENS_PACKED_NAME];
    lens_run_name(layer, part, name);
    const void *bytes = lens_packed_find(engine->packed, name, size, err);
    void *copy = bytes ? lens_floats_new(size / sizeof(float) + 1) : NULL;
    if (bytes && !copy)
        lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    return copy ? memcpy(copy, bytes, size) : NULL;
}

/* Only what lies as this layer would lay it out now is taken, whatever the file says of it. */
static int take_weights(const lens_engine *engine, lens_layer *layer, lens_error *err)
{
    struct packed *packed = layer->packed;
    char name[LENS_PACKED_NAME];
    size_t size = 0;
    uint8_t *layout = desc_bytes(packed->desc, &size);
    if (!layout)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    lens_run_name(layer, "layout", name);
    const void *kept = lens_packed_find(engine->packed, name, size, err);
    int result = kept ? 0 : -1;
    if (kept && memcmp(kept, layout, size) != 0)
        result = lens_fail(err, LENS_E_MISSING, "%s: packed in another layout", layer->name);
    free(layout);
    if (result != 0)
        return -1;
    lens_run_name(layer, "weights", name);
    packed->mapped = true;
    packed->weights = (void *)lens_packed_find(engine->packed, name, dnnl_memory_desc_get_size(packed->desc), err);
    return packed->weights ? 0 : -1;
}

static int take(const lens_engine *engine, lens_layer *layer, lens_error *err)
{
    const size_t out = outputs_of(layer);
    const bool bytes = layer->from == LENS_TYPE_BYTES;
    struct packed *packed = layer->packed = calloc(1, sizeof *packed);
    if (!packed)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    if (!(packed->bias = take_copy(engine, layer, "bias", out * sizeof(float), err)) ||
        (bytes && (!(packed->scales = take_copy(engine, layer, "scales", out * sizeof(float), err)) ||
                   !(packed->zeros = take_copy(engine, layer, "zeros", out * sizeof(int32_t), err)))))
        return -1;
    for (size_t o = 0; o < out; o++)
        packed->biased |= packed->bias[o] != 0;
    int before = enter(1);
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = describe(engine->state, layer, is_rows_of_bytes(layer) ? CHUNK : 1, &desc);
    if (status == dnnl_success)
        status = desc_copy(&packed->desc, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
    dnnl_primitive_desc_destroy(desc);
    leave(1, before);
    return status == dnnl_success ? take_weights(engine, layer, err) : fail(err, layer->name, "describe this layer", status);
}

static int keep(const lens_layer *layer, lens_packing *packing, lens_error *err)
{
    struct packed *packed = layer->packed;
    const size_t out = outputs_of(layer);
    size_t layout = 0;
    free(packed->layout);
    if (!(packed->layout = desc_bytes(packed->desc, &layout)))
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    const struct {
        const char *part;
        const void *bytes;
        size_t size;
    } parts[] = {{"bias", packed->bias, out * sizeof(float)},
                 {"scales", packed->scales, out * sizeof(float)},
                 {"zeros", packed->zeros, out * sizeof(int32_t)},
                 {"layout", packed->layout, layout},
                 {"weights", packed->weights, dnnl_memory_desc_get_size(packed->desc)}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[LENS_PACKED_NAME];
        lens_run_name(layer, parts[i].part, name);
        if (parts[i].bytes && lens_packing_add(packing, name, parts[i].bytes, parts[i].size, err) != 0)
            return -1;
    }
    return 0;
}

static const char *kind(void)
{
    static _Thread_local char text[96];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d %.32s for %x", version->major, version->minor, version->patch, version->hash,
             (unsigned)dnnl_get_effective_cpu_isa());
    return text;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static int stream_open(lens_stream *stream, lens_error *err)
{
    struct state *state = stream->state = calloc(1, sizeof *state);
    if (!state || !(state->plans = calloc((size_t)stream->layers + 1, sizeof(struct plan *))))
        return lens_fail(err, LENS_E_MEMORY, "not enough memory for a stream");
    dnnl_status_t status = dnnl_stream_create(&state->stream, stream->engine->state, dnnl_stream_default_flags);
    return status == dnnl_success ? 0 : fail(err, "stream", "make one", status);
}

static void plan_free(struct plan *plan)
{
    dnnl_primitive_destroy(plan->primitive);
    const dnnl_memory_t memories[] = {plan->in, plan->weights, plan->bias, plan->out, plan->scratch, plan->factor, plan->scales};
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
        dnnl_memory_destroy(memories[i]);
    free(plan->own);
    free(plan);
}

static void stream_close(lens_stream *stream)
{
    struct state *state = stream->state;
    if (!state)
        return;
    for (int i = 0; state->plans && i < stream->layers; i++)
        while (state->plans[i]) {
            struct plan *plan = state->plans[i];
            state->plans[i] = plan->next;
            plan_free(plan);
        }
    free(state->plans);
    free(state->scratch);
    free(state->sums);
    dnnl_stream_destroy(state->stream);
    free(state);
}

/* Points PLAN at the layer's weights, or at a copy in the layout that DESC wants. */
static dnnl_status_t use_weights(dnnl_engine_t engine, const struct packed *packed, struct plan *plan, dnnl_primitive_desc_t desc)
{
    const_memory_desc wanted = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    if (!dnnl_memory_desc_equal(wanted, packed->desc)) {
        dnnl_status_t status = pack(engine, packed->desc, packed->weights, wanted, &plan->own);
        if (status != dnnl_success)
            return status;
    }
    return dnnl_memory_create(&plan->weights, wanted, engine, plan->own ? plan->own : packed->weights);
}

static int reserve(float **room, size_t *room_size, size_t size)
{
    if (size <= *room_size)
        return 0;
    float *more = lens_floats_new(size / sizeof *more + 1);
    if (!more)
        return -1;
    free(*room);
    *room = more;
    *room_size = size;
    return 0;
}

/* The memories of a vector of COUNT floats. */
static dnnl_status_t vector_new(dnnl_memory_t *memory, dnnl_engine_t engine, int dims, int count, void *floats)
{
    const dnnl_dims_t vector = {count}, channels = {1, count, 1, 1};
    memory_desc desc = NULL;
    dnnl_status_t status = desc_new(&desc, dims, dims == 1 ? vector : channels, dnnl_f32, dims == 1 ? dnnl_x : dnnl_nhwc);
    if (status == dnnl_success)
        status = dnnl_memory_create(memory, desc, engine, floats);
    desc_free(desc);
    return status;
}

/* The memories that only some plans have. */
static dnnl_status_t fill_extras(dnnl_engine_t engine, const lens_layer *layer, dnnl_primitive_desc_t desc, struct plan *plan)
{
    const struct packed *packed = layer->packed;
    const bool factor = layer->kind == LENS_LAYER_CONV && layer->conv.factor;
    dnnl_status_t status = dnnl_success;
    if (factor)
        status = vector_new(&plan->factor, engine, 4, 1, NULL);
    if (status == dnnl_success && factor && packed->biased)
        status = vector_new(&plan->bias, engine, 4, layer->conv.out, packed->bias);
    if (status == dnnl_success && !factor && !is_rows_of_bytes(layer))
        status = dnnl_memory_create(&plan->bias, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1), engine, packed->bias);
    if (status == dnnl_success && SCALES_ARE_ARGUMENTS && layer->kind == LENS_LAYER_CONV && layer->from == LENS_TYPE_BYTES)
        status = vector_new(&plan->scales, engine, 1, layer->conv.out, packed->scales);
    return status;
}

static dnnl_status_t plan_fill(dnnl_engine_t engine, struct state *state, const lens_layer *layer, struct plan *plan)
{
    const struct packed *packed = layer->packed;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = describe(engine, layer, plan->count, &desc);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&plan->primitive, desc);
    if (status == dnnl_success)
        status = use_weights(engine, packed, plan, desc);
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->in, dnnl_primitive_desc_query_md(desc, dnnl_query_src_md, 0), engine, NULL);
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->out, dnnl_primitive_desc_query_md(desc, dnnl_query_dst_md, 0), engine, NULL);
    if (status == dnnl_success)
        status = fill_extras(engine, layer, desc, plan);
    if (status == dnnl_success) {
        const_memory_desc scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
        if (reserve(&state->scratch, &state->scratch_size, dnnl_memory_desc_get_size(scratch)) != 0)
            status = dnnl_out_of_memory;
        else
            status = dnnl_memory_create(&plan->scratch, scratch, engine, NULL);
    }
    dnnl_primitive_desc_destroy(desc);
    return status;
}

static struct plan *plan_for(const lens_stream *stream, const lens_layer *layer, int count, lens_error *err)
{
    struct state *state = stream->state;
    struct plan **list = &state->plans[layer->index];
    for (struct plan *plan = *list; plan; plan = plan->next)
        if (plan->count == count)
            return plan;
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
        return NULL;
    }
    plan->count = count;
    dnnl_status_t status = plan_fill(stream->engine->state, state, layer, plan);
    if (status != dnnl_success) {
        plan_free(plan);
        fail(err, layer->name, "prepare this layer", status);
        return NULL;
    }
    plan->next = *list;
    return *list = plan;
}

/* What PLAN's primitive is called with; returns how many. The post-ops are numbered as append_all appends them. */
static int arguments_of(const lens_layer *layer, const struct plan *plan, dnnl_exec_arg_t args[8])
{
    int count = 0, op = 0;
    args[count++] = (dnnl_exec_arg_t){DNNL_ARG_SRC, plan->in};
    args[count++] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, plan->weights};
    args[count++] = (dnnl_exec_arg_t){DNNL_ARG_DST, plan->out};
    args[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, plan->scratch};
    if (plan->factor)
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_MULTIPLE_POST_OP(op++) | DNNL_ARG_SRC_1, plan->factor};
    if (adds_behind(layer))
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_MULTIPLE_POST_OP(op++) | DNNL_ARG_SRC_1, plan->bias};
    else if (plan->bias)
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, plan->bias};
#if DNNL_VERSION_MAJOR >= 3
    if (plan->scales)
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, plan->scales};
#endif
    return count;
}

/* One run of the primitive for COUNT pictures or rows. FACTOR: of the one picture of bytes, where they have factors. */
static int execute(lens_stream *stream, const lens_layer *layer, int count, const void *in, float *factor, void *out, lens_error *err)
{
    struct state *state = stream->state;
    struct plan *plan = plan_for(stream, layer, count, err);
    if (!plan)
        return -1;
    dnnl_status_t status = dnnl_memory_set_data_handle(plan->in, (void *)in);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(plan->out, out);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(plan->scratch, state->scratch);
    if (status == dnnl_success && plan->factor)
        status = dnnl_memory_set_data_handle(plan->factor, factor);
    dnnl_exec_arg_t args[8];
    const int arguments = arguments_of(layer, plan, args);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(plan->primitive, state->stream, arguments, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(state->stream);
    return status == dnnl_success ? 0 : fail(err, layer->name, "run this layer", status);
}

/* A convolution of bytes, picture by picture, as each may have a factor. */
static int run_pictures_of_bytes(lens_stream *stream, const lens_layer *layer, int count, const char *in, char *out, lens_error *err)
{
    const size_t step = layer->to == LENS_TYPE_BYTES ? layer->out_size : lens_items_size(layer->to, 1, layer->out_size);
    float *factors = lens_items_factors((void *)in, (size_t)count, layer->in_size);
    for (size_t n = 0; n < (size_t)count; n++)
        if (execute(stream, layer, 1, in + n * layer->in_size, factors + n, out + n * step, err) != 0)
            return -1;
    for (size_t n = 0; layer->to == LENS_TYPE_BYTES && n < (size_t)count; n++)
        lens_items_factors(out, (size_t)count, layer->out_size)[n] = 1;
    return 0;
}

static int run_rows_of_bytes(lens_stream *stream, const lens_layer *layer, int count, const uint8_t *in, void *out, lens_error *err)
{
    struct state *state = stream->state;
    const struct packed *packed = layer->packed;
    const float *factors = lens_items_factors((void *)in, (size_t)count, layer->in_size);
    float *scratch = lens_stream_scratch(stream, (size_t)stream->threads * layer->out_size * sizeof *scratch);
    if (!scratch || reserve((float **)&state->sums, &state->sums_size, CHUNK * layer->out_size * sizeof *state->sums) != 0)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    for (int first = 0; first < count; first += CHUNK) {
        const int rows = count - first < CHUNK ? count - first : CHUNK;
        if (execute(stream, layer, rows, in + (size_t)first * layer->in_size, NULL, state->sums, err) != 0)
            return -1;
        lens_finish_rows(layer, stream->threads, rows, state->sums, packed->zeros, factors + first, packed->scales, packed->bias, scratch, out,
                         count, first);
    }
    return 0;
}

static int product(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    int before = enter(stream->threads), result;
    if (is_rows_of_bytes(layer))
        result = run_rows_of_bytes(stream, layer, count, in, out, err);
    else if (layer->from == LENS_TYPE_BYTES)
        result = run_pictures_of_bytes(stream, layer, count, in, out, err);
    else
        result = execute(stream, layer, count, in, NULL, out, err);
    leave(stream->threads, before);
    return result;
}

static bool is_fast(lens_type type)
{
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    switch (type) {
    case LENS_TYPE_BF16:
        return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
    case LENS_TYPE_BYTES:
        return (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni ||
               (isa & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni;
    case LENS_TYPE_F32:
        break;
    }
    return true;
}

const lens_backend_functions lens_backend_onednn = {
    engine_open, engine_close, pack_layer, unpack, take, keep, kind, stream_open, stream_close, product, lens_attention_fast, lens_norm_fast, is_fast,
};
