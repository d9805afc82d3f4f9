/* What differs between the versions of oneDNN, behind one set of names: Debian 12 has 2.6, Debian 13 has 3.7. For the files nn_onednn* only. */
#ifndef LENS_NN_ONEDNN_VERSION_H
#define LENS_NN_ONEDNN_VERSION_H

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* oneDNN's general convolution by AMX, "brgconv:avx512_core_amx_bf16" or, in 3.7, "brg_conv_fwd:avx10_1_512_amx". In 2.6 making one reads behind the end of its own
 * memory (the address sanitizer ends our tests there on a Sapphire Rapids), and it computes wrongly with steps larger than the kernel (test_nn_types_products.c;
 * by its makers corrected in 3.13, of July 2026). The next best is taken instead. */
static inline bool is_unsound(const_dnnl_primitive_desc_t desc)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name && strstr(name, "amx") &&
           (strncmp(name, "brgconv:", 8) == 0 || strncmp(name, "brg_conv_fwd:", 13) == 0);
}

/* From version 3 descriptors are opaque; before, they are structs, and a primitive's own descriptor comes in two steps. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t memory_desc;
typedef const_dnnl_memory_desc_t const_memory_desc;

static inline dnnl_status_t desc_new(memory_desc *desc, int dims, const dnnl_dims_t sizes, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(desc, dims, sizes, type, tag);
}

static inline dnnl_status_t desc_copy(memory_desc *copy, const_memory_desc desc)
{
    return dnnl_memory_desc_clone(copy, desc);
}

static inline void desc_free(memory_desc desc)
{
    if (desc)
        dnnl_memory_desc_destroy(desc);
}

/* DESC as bytes, to be freed. NULL when memory is short. */
static inline uint8_t *desc_bytes(const_memory_desc desc, size_t *size)
{
    if (dnnl_memory_desc_get_blob(NULL, size, desc) != dnnl_success)
        return NULL;
    uint8_t *bytes = malloc(*size ? *size : 1);
    if (bytes && dnnl_memory_desc_get_blob(bytes, size, desc) != dnnl_success) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static inline dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
}

static inline dnnl_status_t append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, beta);
}

/* What an output channel's whole-number sum is multiplied by stands in the primitive's arguments... */
enum { SCALES_ARE_ARGUMENTS = 1 };

static inline dnnl_status_t set_scales(dnnl_primitive_attr_t attr, int count, const float *scales, bool groups)
{
    (void)count, (void)scales;
    return dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_WEIGHTS, groups ? 3 : 1);
}

/* ...and the bias is added after it. */
static inline float scaled_bias(float bias, float scale)
{
    (void)scale;
    return bias;
}

static inline dnnl_status_t conv_desc_new(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const memory_desc descs[4],
                                   const dnnl_dims_t strides, const dnnl_dims_t before, const dnnl_dims_t after,
                                   dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t dilation = {0, 0};
    dnnl_status_t status = dnnl_convolution_forward_primitive_desc_create(desc, engine, dnnl_forward_inference, dnnl_convolution_direct,
                                                                          descs[0], descs[1], descs[2], descs[3], strides, dilation, before,
                                                                          after, attr);
    while (status == dnnl_success && is_unsound(*desc))
        status = dnnl_primitive_desc_next_impl(*desc) == dnnl_success ? dnnl_success : dnnl_unimplemented;
    return status;
}

static inline dnnl_status_t matmul_desc_new(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const memory_desc descs[4],
                                            dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(desc, engine, descs[0], descs[1], descs[2], descs[3], attr);
}
#else
typedef dnnl_memory_desc_t *memory_desc;
typedef const dnnl_memory_desc_t *const_memory_desc;

static inline dnnl_status_t desc_new(memory_desc *desc, int dims, const dnnl_dims_t sizes, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    *desc = malloc(sizeof **desc);
    return *desc ? dnnl_memory_desc_init_by_tag(*desc, dims, sizes, type, tag) : dnnl_out_of_memory;
}

static inline dnnl_status_t desc_copy(memory_desc *copy, const_memory_desc desc)
{
    *copy = malloc(sizeof **copy);
    if (!*copy)
        return dnnl_out_of_memory;
    **copy = *desc;
    return dnnl_success;
}

static inline void desc_free(memory_desc desc)
{
    free(desc);
}

/* DESC as bytes, to be freed: it is a struct without pointers, zero where nothing is. NULL when memory is short. */
static inline uint8_t *desc_bytes(const_memory_desc desc, size_t *size)
{
    uint8_t *bytes = malloc(*size = sizeof *desc);
    return bytes ? memcpy(bytes, desc, sizeof *desc) : NULL;
}

static inline dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1);
}

static inline dnnl_status_t append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, 1, kind, alpha, beta);
}

/* What an output channel's whole-number sum is multiplied by is known to the primitive... */
enum { SCALES_ARE_ARGUMENTS = 0 };

static inline dnnl_status_t set_scales(dnnl_primitive_attr_t attr, int count, const float *scales, bool groups)
{
    (void)groups;
    return dnnl_primitive_attr_set_output_scales(attr, count, 1 << 1, scales);
}

/* ...and the bias is added before it. */
static inline float scaled_bias(float bias, float scale)
{
    return bias / scale;
}

static inline dnnl_status_t conv_desc_new(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const memory_desc descs[4],
                                   const dnnl_dims_t strides, const dnnl_dims_t before, const dnnl_dims_t after,
                                   dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t conv;
    dnnl_primitive_desc_iterator_t all = NULL;
    dnnl_status_t status =
        dnnl_convolution_forward_desc_init(&conv, dnnl_forward_inference, dnnl_convolution_direct, descs[0], descs[1], descs[2],
                                           descs[3], strides, before, after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_iterator_create(&all, &conv, attr, engine, NULL);
    while (status == dnnl_success) {
        *desc = dnnl_primitive_desc_iterator_fetch(all);
        if (*desc && !is_unsound(*desc))
            break;
        dnnl_primitive_desc_destroy(*desc);
        *desc = NULL;
        status = dnnl_primitive_desc_iterator_next(all) == dnnl_success ? dnnl_success : dnnl_unimplemented;
    }
    if (all)
        dnnl_primitive_desc_iterator_destroy(all);
    return status;
}

static inline dnnl_status_t matmul_desc_new(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const memory_desc descs[4],
                                            dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t matmul;
    dnnl_status_t status = dnnl_matmul_desc_init(&matmul, descs[0], descs[1], descs[2], descs[3]);
    return status == dnnl_success ? dnnl_primitive_desc_create(desc, &matmul, attr, engine, NULL) : status;
}
#endif

#endif
