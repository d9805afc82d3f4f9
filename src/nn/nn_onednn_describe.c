/* What a layer is to oneDNN: sizes, types, and what its product does besides multiplying. */
#include "nn/nn_onednn.h"

int lens_dnnl_weight_sizes(const lens_layer *layer, dnnl_dims_t sizes, dnnl_format_tag_t *plain)
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

bool lens_dnnl_is_rows_of_bytes(const lens_layer *layer)
{
    return layer->kind == LENS_LAYER_LINEAR && layer->from == LENS_TYPE_BYTES;
}

bool lens_dnnl_adds_behind(const lens_layer *layer)
{
    const lens_dnnl_packed *packed = layer->packed;
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
    if (status == dnnl_success && lens_dnnl_adds_behind(layer))
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
    const lens_dnnl_packed *packed = layer->packed;
    dnnl_post_ops_t ops = NULL;
    *attr = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && lens_dnnl_is_rows_of_bytes(layer))
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
    const bool sums = lens_dnnl_is_rows_of_bytes(layer);
    dnnl_status_t status = desc_new(&descs[0], 2, in, data_type(layer->from), dnnl_ab);
    if (status == dnnl_success && !sums)
        status = desc_new(&descs[2], 2, bias, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status = desc_new(&descs[3], 2, out, sums ? dnnl_s32 : data_type(layer->to), dnnl_ab);
    return status == dnnl_success ? matmul_desc_new(desc, engine, descs, attr) : status;
}

dnnl_status_t lens_dnnl_describe(dnnl_engine_t engine, const lens_layer *layer, int count, dnnl_primitive_desc_t *desc)
{
    memory_desc descs[4] = {NULL};
    dnnl_dims_t weights;
    dnnl_format_tag_t plain;
    int dims = lens_dnnl_weight_sizes(layer, weights, &plain);
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
