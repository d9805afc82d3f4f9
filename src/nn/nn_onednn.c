/* The layers of layers.h on oneDNN's C API. Besides nn_onednn_version.h this is the only file that names it.
 *
 * A layer keeps its weights in the layout that oneDNN asks for ("any") when run on one picture. A stream keeps a plan, a
 * primitive with its memory objects, for every layer and count it has met; a plan that wants the weights in another
 * layout keeps a copy of its own. Plans are cheap (0.2 ms) and so are made when they are first needed. */
#include <math.h>
#include <stdint.h>
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
    float *weights;
    float *bias;
};

struct plan {
    int count;
    dnnl_primitive_t primitive;
    dnnl_memory_t in, weights, bias, out, scratch;
    float *own; /* the weights in this plan's layout, when that is not the layer's */
    struct plan *next;
};

struct state {
    dnnl_stream_t stream;
    struct plan **plans; /* [layers], each a list */
    float *scratch;
    size_t scratch_size; /* bytes */
};

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

/* What a product does besides multiplying. */
static dnnl_status_t attributes_new(dnnl_primitive_attr_t *attr, bool sum, lens_activation activation)
{
    dnnl_post_ops_t ops = NULL;
    *attr = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success && sum)
        status = append_sum(ops);
    if (status == dnnl_success)
        status = append_activation(ops, activation);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

/* The primitive descriptor of a convolution of COUNT pictures, from DESCS with the weights' at [1] made. */
static dnnl_status_t describe_conv(dnnl_engine_t engine, const lens_conv_spec *spec, int count, memory_desc descs[4],
                                   dnnl_primitive_desc_t *desc)
{
    const dnnl_dims_t in = {count, spec->in, spec->height, spec->width}, bias = {spec->out};
    const dnnl_dims_t out = {count, spec->out, lens_conv_out_height(spec), lens_conv_out_width(spec)};
    const dnnl_dims_t strides = {spec->stride, spec->stride};
    const dnnl_dims_t before = {spec->before[0], spec->before[1]}, after = {spec->after[0], spec->after[1]};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = desc_new(&descs[0], 4, in, dnnl_nhwc);
    if (status == dnnl_success)
        status = desc_new(&descs[2], 1, bias, dnnl_x);
    if (status == dnnl_success)
        status = desc_new(&descs[3], 4, out, dnnl_nhwc);
    if (status == dnnl_success)
        status = attributes_new(&attr, spec->sum, spec->activation);
    if (status == dnnl_success)
        status = conv_desc_new(desc, engine, descs, strides, before, after, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

/* The same for a linear layer of COUNT rows. */
static dnnl_status_t describe_linear(dnnl_engine_t engine, const lens_linear_spec *spec, int count, memory_desc descs[4],
                                     dnnl_primitive_desc_t *desc)
{
    const dnnl_dims_t in = {count, spec->in}, bias = {1, spec->out}, out = {count, spec->out};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = desc_new(&descs[0], 2, in, dnnl_ab);
    if (status == dnnl_success)
        status = desc_new(&descs[2], 2, bias, dnnl_ab);
    if (status == dnnl_success)
        status = desc_new(&descs[3], 2, out, dnnl_ab);
    if (status == dnnl_success)
        status = attributes_new(&attr, spec->sum, spec->activation);
    if (status == dnnl_success)
        status = matmul_desc_new(desc, engine, descs, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

/* The primitive descriptor of LAYER for COUNT pictures or rows, in whatever layout of weights suits it best. */
static dnnl_status_t describe(dnnl_engine_t engine, const lens_layer *layer, int count, dnnl_primitive_desc_t *desc)
{
    memory_desc descs[4] = {NULL};
    dnnl_dims_t weights;
    dnnl_format_tag_t plain;
    int dims = weight_sizes(layer, weights, &plain);
    dnnl_status_t status = desc_new(&descs[1], dims, weights, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = layer->kind == LENS_LAYER_LINEAR ? describe_linear(engine, &layer->linear, count, descs, desc)
                                                  : describe_conv(engine, &layer->conv, count, descs, desc);
    for (int i = 0; i < 4; i++)
        desc_free(descs[i]);
    return status;
}

/* A new copy of the weights FROM, laid out as FROM_DESC says, in the layout TO_DESC. */
static dnnl_status_t pack(dnnl_engine_t engine, const_memory_desc from_desc, const float *from, const_memory_desc to_desc,
                          float **to)
{
    *to = lens_floats_new(dnnl_memory_desc_get_size(to_desc) / sizeof **to + 1);
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

static int pack_layer(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    size_t out = (size_t)(layer->kind == LENS_LAYER_LINEAR ? layer->linear.out : layer->conv.out);
    struct packed *packed = layer->packed = calloc(1, sizeof *packed);
    if (!packed || !(packed->bias = lens_floats_new(out)))
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    memcpy(packed->bias, bias, out * sizeof *bias);

    int before = enter(1);
    dnnl_dims_t sizes;
    dnnl_format_tag_t tag;
    int dims = weight_sizes(layer, sizes, &tag);
    memory_desc plain = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = desc_new(&plain, dims, sizes, tag);
    if (status == dnnl_success)
        status = describe(engine->state, layer, 1, &desc);
    if (status == dnnl_success)
        status = desc_copy(&packed->desc, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
    if (status == dnnl_success)
        status = pack(engine->state, plain, weights, packed->desc, &packed->weights);
    desc_free(plain);
    dnnl_primitive_desc_destroy(desc);
    leave(1, before);
    return status == dnnl_success ? 0 : fail(err, layer->name, "pack this layer's weights", status);
}

static void unpack(lens_layer *layer)
{
    struct packed *packed = layer->packed;
    if (packed) {
        desc_free(packed->desc);
        free(packed->weights);
        free(packed->bias);
        free(packed);
    }
}

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
    const dnnl_memory_t memories[] = {plan->in, plan->weights, plan->bias, plan->out, plan->scratch};
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

static int scratch_reserve(struct state *state, size_t size)
{
    if (size <= state->scratch_size)
        return 0;
    float *scratch = lens_floats_new(size / sizeof *scratch + 1);
    if (!scratch)
        return -1;
    free(state->scratch);
    state->scratch = scratch;
    state->scratch_size = size;
    return 0;
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
        status = dnnl_memory_create(&plan->bias, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1), engine,
                                    packed->bias);
    if (status == dnnl_success) {
        const_memory_desc scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
        if (scratch_reserve(state, dnnl_memory_desc_get_size(scratch)) != 0)
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

static int product(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
{
    struct state *state = stream->state;
    int before = enter(stream->threads);
    struct plan *plan = plan_for(stream, layer, count, err);
    int result = -1;
    if (plan) {
        dnnl_status_t status = dnnl_memory_set_data_handle(plan->in, (void *)in);
        if (status == dnnl_success)
            status = dnnl_memory_set_data_handle(plan->out, out);
        if (status == dnnl_success)
            status = dnnl_memory_set_data_handle(plan->scratch, state->scratch);
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, plan->in},
                                        {DNNL_ARG_WEIGHTS, plan->weights},
                                        {DNNL_ARG_BIAS, plan->bias},
                                        {DNNL_ARG_DST, plan->out},
                                        {DNNL_ARG_SCRATCHPAD, plan->scratch}};
        if (status == dnnl_success)
            status = dnnl_primitive_execute(plan->primitive, state->stream, sizeof args / sizeof *args, args);
        if (status == dnnl_success)
            status = dnnl_stream_wait(state->stream);
        result = status == dnnl_success ? 0 : fail(err, layer->name, "run this layer", status);
    }
    leave(stream->threads, before);
    return result;
}

/* One head after the other, so that its scores stay near the core; oneDNN's plain product reads queries, keys and values where they lie. */
static int attention(lens_stream *stream, const lens_layer *layer, int count, int tokens, const float *qkv, float *out, lens_error *err)
{
    struct state *state = stream->state;
    const lens_attention_spec *spec = &layer->attention;
    const dnnl_dim_t width = spec->width, part = (dnnl_dim_t)layer->out_size, stride = (dnnl_dim_t)layer->in_size;
    if (scratch_reserve(state, (size_t)tokens * (size_t)tokens * sizeof(float)) != 0)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    const float scale = 1 / sqrtf((float)spec->width);
    float *scores = state->scratch; /* [tokens, tokens] */
    dnnl_status_t status = dnnl_success;
    int before = enter(stream->threads);
    for (int n = 0; n < count; n++, qkv += (size_t)tokens * layer->in_size, out += (size_t)tokens * layer->out_size)
        for (int h = 0; h < spec->heads && status == dnnl_success; h++) {
            const float *query = qkv + h * width, *key = query + part, *value = key + part;
            status = dnnl_sgemm('N', 'T', tokens, tokens, width, 1, query, stride, key, stride, 0, scores, tokens);
            if (status != dnnl_success)
                break;
            lens_softmax_fast(scores, tokens, tokens, scale, spec->causal);
            status = dnnl_sgemm('N', 'N', tokens, width, tokens, 1, scores, tokens, value, stride, 0, out + h * width, part);
        }
    leave(stream->threads, before);
    return status == dnnl_success ? 0 : fail(err, layer->name, "run this layer", status);
}

const lens_backend_functions lens_backend_onednn = {
    engine_open, engine_close, pack_layer, unpack, stream_open, stream_close, product, attention, lens_norm_fast,
};
