/* Packed weights: in the layout that oneDNN likes best ("any") when it runs a layer on one picture, made from plain ones, or taken from a file
 * and kept in one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn_onednn.h"

static size_t outputs_of(const lens_layer *layer)
{
    return (size_t)(layer->kind == LENS_LAYER_LINEAR ? layer->linear.out : layer->conv.out);
}

dnnl_status_t lens_dnnl_reorder(dnnl_engine_t engine, const_memory_desc from_desc, const void *from, const_memory_desc to_desc, void **to)
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
    lens_dnnl_packed *packed = layer->packed;
    const bool conv = layer->kind == LENS_LAYER_CONV;
    const size_t taps = conv ? (size_t)layer->conv.kernel * (size_t)layer->conv.kernel : 1;
    const size_t each = conv ? (size_t)(layer->conv.in / layer->conv.groups) * taps : (size_t)layer->linear.in;
    *bytes = (int8_t *)lens_floats_new(out * each / sizeof(float) + 1);
    packed->scales = lens_floats_new(out);
    packed->zeros = (int32_t *)lens_floats_new(out);
    float *lost = lens_floats_new(out);
    if (!*bytes || !packed->scales || !packed->zeros || !lost) {
        free(lost);
        return lens_fail_memory_for(err, layer->name);
    }
    lens_weights_to_bytes(layer, weights, *bytes, packed->scales, packed->zeros, lost);
    for (size_t o = 0; o < out; o++) {
        const float zeros = conv ? layer->conv.zero * (float)packed->zeros[o] : 0;
        packed->zeros[o] *= LENS_BYTE_ZERO;
        if (!conv)
            continue;
        float step = layer->out_scales ? layer->out_scales[o] : 1;
        float value = (bias[o] + lost[o] - zeros * packed->scales[o]) / step + (float)layer->conv.out_zero;
        packed->scales[o] /= step;
        packed->bias[o] = layer->conv.factor ? value : scaled_bias(value, packed->scales[o]);
    }
    free(lost);
    return 0;
}

/* The layout that suits LAYER's weights best, as it is run most, to its packed->desc. */
static dnnl_status_t choose_layout(dnnl_engine_t engine, const lens_layer *layer)
{
    lens_dnnl_packed *packed = layer->packed;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = lens_dnnl_describe(engine, layer, lens_dnnl_is_rows_of_bytes(layer) ? LENS_DNNL_CHUNK : 1, &desc);
    if (status == dnnl_success)
        status = desc_copy(&packed->desc, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0));
    dnnl_primitive_desc_destroy(desc);
    return status;
}

int lens_dnnl_pack(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err)
{
    size_t out = outputs_of(layer);
    const bool bytes = layer->from == LENS_TYPE_BYTES;
    lens_dnnl_packed *packed = layer->packed = calloc(1, sizeof *packed);
    int8_t *small = NULL;
    if (!packed || !(packed->bias = lens_floats_new(out)))
        return lens_fail_memory_for(err, layer->name);
    memset(packed->bias, 0, out * sizeof *bias);
    if (layer->from == LENS_TYPE_BF16)
        lens_weights_to_halves(layer, weights, packed->bias);
    for (size_t o = 0; o < out; o++)
        packed->bias[o] += bias[o];
    if (bytes && to_bytes(layer, weights, bias, out, &small, err) != 0) {
        free(small);
        return -1;
    }
    for (size_t o = 0; o < out; o++) /* what is added: OUT's zero and what rounding loses are in it */
        packed->biased |= packed->bias[o] != 0;
    int before = lens_dnnl_enter(1);
    dnnl_dims_t sizes;
    dnnl_format_tag_t tag;
    int dims = lens_dnnl_weight_sizes(layer, sizes, &tag);
    memory_desc plain = NULL;
    dnnl_status_t status = desc_new(&plain, dims, sizes, bytes ? dnnl_s8 : dnnl_f32, tag);
    if (status == dnnl_success)
        status = choose_layout(engine->state, layer);
    if (status == dnnl_success)
        status = lens_dnnl_reorder(engine->state, plain, bytes ? (const void *)small : weights, packed->desc, &packed->weights);
    desc_free(plain);
    lens_dnnl_leave(1, before);
    free(small);
    return status == dnnl_success ? 0 : lens_dnnl_fail(err, layer->name, "pack this layer's weights", status);
}

void lens_dnnl_unpack(lens_layer *layer)
{
    lens_dnnl_packed *packed = layer->packed;
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
        lens_fail_memory_for(err, layer->name);
    return copy ? memcpy(copy, bytes, size) : NULL;
}

/* Only what lies as this layer would lay it out now is taken, whatever the file says of it. */
static int take_weights(const lens_engine *engine, lens_layer *layer, lens_error *err)
{
    lens_dnnl_packed *packed = layer->packed;
    char name[LENS_PACKED_NAME];
    size_t size = 0;
    uint8_t *layout = desc_bytes(packed->desc, &size);
    if (!layout)
        return lens_fail_memory_for(err, layer->name);
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

int lens_dnnl_take(const lens_engine *engine, lens_layer *layer, lens_error *err)
{
    const size_t out = outputs_of(layer);
    const bool bytes = layer->from == LENS_TYPE_BYTES;
    lens_dnnl_packed *packed = layer->packed = calloc(1, sizeof *packed);
    if (!packed)
        return lens_fail_memory_for(err, layer->name);
    if (!(packed->bias = take_copy(engine, layer, "bias", out * sizeof(float), err)) ||
        (bytes && (!(packed->scales = take_copy(engine, layer, "scales", out * sizeof(float), err)) ||
                   !(packed->zeros = take_copy(engine, layer, "zeros", out * sizeof(int32_t), err)))))
        return -1;
    for (size_t o = 0; o < out; o++)
        packed->biased |= packed->bias[o] != 0;
    int before = lens_dnnl_enter(1);
    dnnl_status_t status = choose_layout(engine->state, layer);
    lens_dnnl_leave(1, before);
    return status == dnnl_success ? take_weights(engine, layer, err) : lens_dnnl_fail(err, layer->name, "describe this layer", status);
}

int lens_dnnl_keep(const lens_layer *layer, lens_packing *packing, lens_error *err)
{
    lens_dnnl_packed *packed = layer->packed;
    const size_t out = outputs_of(layer);
    size_t layout = 0;
    free(packed->layout);
    if (!(packed->layout = desc_bytes(packed->desc, &layout)))
        return lens_fail_memory_for(err, layer->name);
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
