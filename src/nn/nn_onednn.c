/* The layers of layers.h on oneDNN's C API, and the only file that names it. Debian 12 has version 2.6, Debian 13 has 3.7:
 * what differs stands at the top.
 *
 * A layer keeps its weights in the layout that oneDNN asks for ("any") when run on one picture. A stream keeps a plan, a
 * primitive with its memory objects, for every layer and count it has met; a plan that wants the weights in another
 * layout keeps a copy of its own. Plans are cheap (0.2 ms) and so are made when they are first needed. */
#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nn/backend.h"

/* Debian's oneDNN runs on OpenMP, and takes the number of threads from the calling thread's setting. These two are all that
 * is needed of it, so that this file needs neither the compiler's OpenMP nor its header. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

/* From version 3 descriptors are opaque; before, they are structs, and a primitive's own descriptor comes in two steps. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t memory_desc;
typedef const_dnnl_memory_desc_t const_memory_desc;

static dnnl_status_t desc_new(memory_desc *desc, int dims, const dnnl_dims_t sizes, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(desc, dims, sizes, dnnl_f32, tag);
}

static dnnl_status_t desc_copy(memory_desc *copy, const_memory_desc desc)
{
    return dnnl_memory_desc_clone(copy, desc);
}

static void desc_free(memory_desc desc)
{
    if (desc)
        dnnl_memory_desc_destroy(desc);
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
}

static dnnl_status_t append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, beta);
}

static dnnl_status_t conv_desc_new(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const memory_desc descs[4],
                                   const dnnl_dims_t strides, const dnnl_dims_t before, const dnnl_dims_t after,
                                   dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t dilation = {0, 0};
    return dnnl_convolution_forward_primitive_desc_create(desc, engine, dnnl_forward_inference, dnnl_convolution_direct,
                                                          descs[0], descs[1], descs[2], descs[3], strides, dilation, before,
                                                          after, attr);
}
#else
typedef dnnl_memory_desc_t *memory_desc;
typedef const dnnl_memory_desc_t *const_memory_desc;

static dnnl_status_t desc_new(memory_desc *desc, int dims, const dnnl_dims_t sizes, dnnl_format_tag_t tag)
{
    *desc = malloc(sizeof **desc);
    return *desc ? dnnl_memory_desc_init_by_tag(*desc, dims, sizes, dnnl_f32, tag) : dnnl_out_of_memory;
}

static dnnl_status_t desc_copy(memory_desc *copy, const_memory_desc desc)
{
    *copy = malloc(sizeof **copy);
    if (!*copy)
        return dnnl_out_of_memory;
    **copy = *desc;
    return dnnl_success;
}

static void desc_free(memory_desc desc)
{
    free(desc);
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1);
}

static dnnl_status_t append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, 1, kind, alpha, beta);
}

static dnnl_status_t conv_desc_new(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const memory_desc descs[4],
                                   const dnnl_dims_t strides, const dnnl_dims_t before, const dnnl_dims_t after,
                                   dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t conv;
    dnnl_status_t status =
        dnnl_convolution_forward_desc_init(&conv, dnnl_forward_inference, dnnl_convolution_direct, descs[0], descs[1], descs[2],
                                           descs[3], strides, before, after);
    return status == dnnl_success ? dnnl_primitive_desc_create(desc, &conv, attr, engine, NULL) : status;
}
#endif

struct conv {
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

/* The weights' sizes as oneDNN counts them, with a dimension for groups where there are any. Returns how many. */
static int weight_sizes(const lens_conv_spec *spec, dnnl_dims_t sizes)
{
    int dims = 0;
    if (spec->groups > 1)
        sizes[dims++] = spec->groups;
    sizes[dims++] = spec->out / spec->groups;
    sizes[dims++] = spec->in / spec->groups;
    sizes[dims++] = spec->kernel;
    sizes[dims++] = spec->kernel;
    return dims;
}

/* What the convolution does besides convolving. */
static dnnl_status_t attributes_new(dnnl_primitive_attr_t *attr, const lens_conv_spec *spec)
{
    dnnl_post_ops_t ops = NULL;
    *attr = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success && spec->sum)
        status = append_sum(ops);
    if (status == dnnl_success && spec->activation == LENS_ACTIVATION_CLIP6)
        status = append_eltwise(ops, dnnl_eltwise_clip, 0, 6);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

/* The primitive descriptor of LAYER for COUNT pictures, in whatever layout of weights suits it best. */
static dnnl_status_t describe(dnnl_engine_t engine, const lens_layer *layer, int count, dnnl_primitive_desc_t *desc)
{
    const lens_conv_spec *spec = &layer->conv;
    const dnnl_dims_t in = {count, spec->in, spec->height, spec->width}, bias = {spec->out};
    const dnnl_dims_t out = {count, spec->out, layer->out_height, layer->out_width};
    const dnnl_dims_t strides = {spec->stride, spec->stride};
    const dnnl_dims_t before = {spec->before[0], spec->before[1]}, after = {spec->after[0], spec->after[1]};
    dnnl_dims_t weights;
    int dims = weight_sizes(spec, weights);

    memory_desc descs[4] = {NULL};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = desc_new(&descs[0], 4, in, dnnl_nhwc);
    if (status == dnnl_success)
        status = desc_new(&descs[1], dims, weights, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = desc_new(&descs[2], 1, bias, dnnl_x);
    if (status == dnnl_success)
        status = desc_new(&descs[3], 4, out, dnnl_nhwc);
    if (status == dnnl_success)
        status = attributes_new(&attr, spec);
    if (status == dnnl_success)
        status = conv_desc_new(desc, engine, descs, strides, before, after, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
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

static int conv_pack(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    const lens_conv_spec *spec = &layer->conv;
    struct conv *conv = layer->packed = calloc(1, sizeof *conv);
    if (!conv || !(conv->bias = lens_floats_new((size_t)spec->out)))
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", layer->name);
    memcpy(conv->bias, bias, (size_t)spec->out * sizeof *bias);

    int before = enter(1);
    dnnl_dims_t sizes;
    int dims = weight_sizes(spec, sizes);
    memory_desc plain = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = desc_new(&plain, dims, sizes, dims == 5 ? dnnl_goihw : dnnl_oihw);
    if (status == dnnl_success)
        status = describe(engine->state, layer, 1, &desc);
    if (status == dnnl_success)
        status = desc_copy(&conv->desc, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
    if (status == dnnl_success)
        status = pack(engine->state, plain, weights, conv->desc, &conv->weights);
    desc_free(plain);
    dnnl_primitive_desc_destroy(desc);
    leave(1, before);
    return status == dnnl_success ? 0 : fail(err, layer->name, "pack this layer's weights", status);
}

static void conv_free(lens_layer *layer)
{
    struct conv *conv = layer->packed;
    if (conv) {
        desc_free(conv->desc);
        free(conv->weights);
        free(conv->bias);
        free(conv);
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
static dnnl_status_t use_weights(dnnl_engine_t engine, const struct conv *conv, struct plan *plan, dnnl_primitive_desc_t desc)
{
    const_memory_desc wanted = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    if (!dnnl_memory_desc_equal(wanted, conv->desc)) {
        dnnl_status_t status = pack(engine, conv->desc, conv->weights, wanted, &plan->own);
        if (status != dnnl_success)
            return status;
    }
    return dnnl_memory_create(&plan->weights, wanted, engine, plan->own ? plan->own : conv->weights);
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
    const struct conv *conv = layer->packed;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = describe(engine, layer, plan->count, &desc);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&plan->primitive, desc);
    if (status == dnnl_success)
        status = use_weights(engine, conv, plan, desc);
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->in, dnnl_primitive_desc_query_md(desc, dnnl_query_src_md, 0), engine, NULL);
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->out, dnnl_primitive_desc_query_md(desc, dnnl_query_dst_md, 0), engine, NULL);
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->bias, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1), engine,
                                    conv->bias);
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

static int conv_run(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err)
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

const lens_backend_functions lens_backend_onednn = {
    engine_open, engine_close, conv_pack, conv_free, stream_open, stream_close, conv_run,
};
