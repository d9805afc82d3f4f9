/* The layers of layers.h on oneDNN's C API, which the files nn_onednn* alone know of: here they run, nn_onednn_describe.c says what they are,
 * nn_onednn_weights.c packs their weights.
 *
 * A layer keeps its weights in the layout that oneDNN asks for ("any") when run on one picture. A stream keeps a plan, a
 * primitive with its memory objects, for every layer and count it has met; a plan that wants the weights in another
 * layout keeps a copy of its own. Plans are cheap (0.2 ms) and so are made when they are first needed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn_onednn.h"

struct plan {
    int count;
    dnnl_primitive_t primitive;
    dnnl_memory_t in, weights, bias, out, scratch;
    dnnl_memory_t factor; /* of a picture of bytes */
    dnnl_memory_t scales; /* where SCALES_ARE_ARGUMENTS */
    void *own; /* the weights in this plan's layout, when that is not the layer's */
    struct plan *next;
};

/* Memory that grows with what needs the most. */
struct room {
    void *memory;
    size_t size; /* bytes */
};

struct state {
    dnnl_stream_t stream;
    struct plan **plans; /* [layers], each a list */
    struct room scratch; /* oneDNN's own */
    struct room sums;    /* of a linear layer of bytes: int32_t */
};

int lens_dnnl_fail(lens_error *err, const char *name, const char *what, dnnl_status_t status)
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
        return lens_dnnl_fail(err, "engine", "start", status);
    engine->state = dnnl;
    return 0;
}

static void engine_close(lens_engine *engine)
{
    if (engine->state)
        dnnl_engine_destroy(engine->state);
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
    return status == dnnl_success ? 0 : lens_dnnl_fail(err, "stream", "make one", status);
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
    free(state->scratch.memory);
    free(state->sums.memory);
    dnnl_stream_destroy(state->stream);
    free(state);
}

/* Points PLAN at the layer's weights, or at a copy in the layout that DESC wants. */
static dnnl_status_t use_weights(dnnl_engine_t engine, const lens_dnnl_packed *packed, struct plan *plan, dnnl_primitive_desc_t desc)
{
    const_memory_desc wanted = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    if (!dnnl_memory_desc_equal(wanted, packed->desc)) {
        dnnl_status_t status = lens_dnnl_reorder(engine, packed->desc, packed->weights, wanted, &plan->own);
        if (status != dnnl_success)
            return status;
    }
    return dnnl_memory_create(&plan->weights, wanted, engine, plan->own ? plan->own : packed->weights);
}

/* SIZE bytes at least, without what was in them. 0, or -1 when memory is short. */
static int reserve(struct room *room, size_t size)
{
    if (size <= room->size)
        return 0;
    float *more = lens_floats_new(size / sizeof *more + 1);
    if (!more)
        return -1;
    free(room->memory);
    *room = (struct room){more, size};
    return 0;
}

/* The memory of a vector of COUNT floats: of one dimension, or of four, one number a channel. */
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
    const lens_dnnl_packed *packed = layer->packed;
    const bool factor = layer->kind == LENS_LAYER_CONV && layer->conv.factor;
    dnnl_status_t status = dnnl_success;
    if (factor)
        status = vector_new(&plan->factor, engine, 4, 1, NULL);
    if (status == dnnl_success && factor && packed->biased)
        status = vector_new(&plan->bias, engine, 4, layer->conv.out, packed->bias);
    if (status == dnnl_success && !factor && !lens_dnnl_is_rows_of_bytes(layer))
        status = dnnl_memory_create(&plan->bias, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1), engine, packed->bias);
    if (status == dnnl_success && SCALES_ARE_ARGUMENTS && layer->kind == LENS_LAYER_CONV && layer->from == LENS_TYPE_BYTES)
        status = vector_new(&plan->scales, engine, 1, layer->conv.out, packed->scales);
    return status;
}

static dnnl_status_t plan_fill(dnnl_engine_t engine, struct state *state, const lens_layer *layer, struct plan *plan)
{
    const lens_dnnl_packed *packed = layer->packed;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = lens_dnnl_describe(engine, layer, plan->count, &desc);
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
        if (reserve(&state->scratch, dnnl_memory_desc_get_size(scratch)) != 0)
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
        lens_fail_memory_for(err, layer->name);
        return NULL;
    }
    plan->count = count;
    dnnl_status_t status = plan_fill(stream->engine->state, state, layer, plan);
    if (status != dnnl_success) {
        plan_free(plan);
        lens_dnnl_fail(err, layer->name, "prepare this layer", status);
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
    if (lens_dnnl_adds_behind(layer))
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
        status = dnnl_memory_set_data_handle(plan->scratch, state->scratch.memory);
    if (status == dnnl_success && plan->factor)
        status = dnnl_memory_set_data_handle(plan->factor, factor);
    dnnl_exec_arg_t args[8];
    const int arguments = arguments_of(layer, plan, args);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(plan->primitive, state->stream, arguments, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(state->stream);
    return status == dnnl_success ? 0 : lens_dnnl_fail(err, layer->name, "run this layer", status);
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

/* Rows of COUNT at a time: as many each time, where that can be, so that all share one plan and none is short. */
static int chunk_of(int count)
{
    const int least = (count + LENS_DNNL_CHUNK - 1) / LENS_DNNL_CHUNK;
    for (int pieces = least; pieces <= least + least / 2; pieces++)
        if (count % pieces == 0)
            return count / pieces;
    return (count + least - 1) / least;
}

static int run_rows_of_bytes(lens_stream *stream, const lens_layer *layer, int count, const uint8_t *in, void *out, lens_error *err)
{
    struct state *state = stream->state;
    const lens_dnnl_packed *packed = layer->packed;
    const float *factors = lens_items_factors((void *)in, (size_t)count, layer->in_size);
    float *scratch = lens_stream_scratch(stream, (size_t)stream->threads * layer->out_size * sizeof *scratch);
    if (!scratch || reserve(&state->sums, LENS_DNNL_CHUNK * layer->out_size * sizeof(int32_t)) != 0)
        return lens_fail_memory_for(err, layer->name);
    const int chunk = chunk_of(count);
    for (int first = 0; first < count; first += chunk) {
        const int rows = count - first < chunk ? count - first : chunk;
        if (execute(stream, layer, rows, in + (size_t)first * layer->in_size, NULL, state->sums.memory, err) != 0)
            return -1;
        lens_finish_rows(layer, stream->threads, rows, state->sums.memory, packed->zeros, factors + first, packed->scales, packed->bias, scratch, out,
                         count, first);
    }
    return 0;
}

static int product(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err)
{
    int before = lens_dnnl_enter(stream->threads), result;
    if (lens_dnnl_is_rows_of_bytes(layer))
        result = run_rows_of_bytes(stream, layer, count, in, out, err);
    else if (layer->from == LENS_TYPE_BYTES)
        result = run_pictures_of_bytes(stream, layer, count, in, out, err);
    else
        result = execute(stream, layer, count, in, NULL, out, err);
    lens_dnnl_leave(stream->threads, before);
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
    .engine_open = engine_open, .engine_close = engine_close, .pack = lens_dnnl_pack, .unpack = lens_dnnl_unpack, .take = lens_dnnl_take, .keep = lens_dnnl_keep,
    .kind = kind, .stream_open = stream_open, .stream_close = stream_close, .product = product, .attention = lens_attention_fast, .norm = lens_norm_fast,
    .is_fast = is_fast,
};
