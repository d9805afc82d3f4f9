/* What the files of the oneDNN backend share. For them only. */
#ifndef LENS_NN_ONEDNN_H
#define LENS_NN_ONEDNN_H

#include "nn/backend.h"
#include "nn/nn_onednn_version.h"

/* Debian's oneDNN runs on OpenMP, and takes the number of threads from the calling thread's setting. These two are all that
 * is needed of it, so that no file needs the compiler's OpenMP or its header for oneDNN's sake. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

/* A layer's weights. */
typedef struct lens_dnnl_packed {
    memory_desc desc; /* of the packed weights */
    void *weights;
    float *bias;    /* [out], as the layer's primitive wants it */
    float *scales;  /* [out] of a product of bytes: what a sum is multiplied by */
    int32_t *zeros; /* [out] of a linear layer of bytes: what IN's zeros come to */
    bool biased;    /* whether any of BIAS is not 0 */
    bool mapped;    /* whether WEIGHTS lie in the engine's file */
    uint8_t *layout; /* DESC as bytes, while they are being saved */
} lens_dnnl_packed;

/* Rows of a linear layer of bytes at a time: their sums stay in the second cache. */
enum { LENS_DNNL_CHUNK = 64 };

/* Takes the calling thread's number of threads for the time of a call; returns what it was. */
static inline int lens_dnnl_enter(int threads)
{
    int before = omp_get_max_threads();
    if (before != threads)
        omp_set_num_threads(threads);
    return before;
}

static inline void lens_dnnl_leave(int threads, int before)
{
    if (before != threads)
        omp_set_num_threads(before);
}

/* Says that oneDNN cannot do WHAT with NAME. -1. */
int lens_dnnl_fail(lens_error *err, const char *name, const char *what, dnnl_status_t status);

/* Whether what LAYER's product gives are sums, which lens_finish_rows finishes. */
bool lens_dnnl_is_rows_of_bytes(const lens_layer *layer);

/* Whether the bias is added behind the factor: oneDNN's own comes before. */
bool lens_dnnl_adds_behind(const lens_layer *layer);

/* The weights' sizes as oneDNN counts them, and the layout that layers.h takes them in: for a convolution with a dimension for groups
 * where there are any; a linear layer's are a matrix by which the rows are multiplied from the right. Returns how many sizes. */
int lens_dnnl_weight_sizes(const lens_layer *layer, dnnl_dims_t sizes, dnnl_format_tag_t *plain);

/* The primitive descriptor of LAYER for COUNT pictures or rows, in whatever layout of weights suits it best. */
dnnl_status_t lens_dnnl_describe(dnnl_engine_t engine, const lens_layer *layer, int count, dnnl_primitive_desc_t *desc);

/* A new copy of the weights FROM, laid out as FROM_DESC says, in the layout TO_DESC. */
dnnl_status_t lens_dnnl_reorder(dnnl_engine_t engine, const_memory_desc from_desc, const void *from, const_memory_desc to_desc, void **to);

/* lens_backend_functions' own. */
int lens_dnnl_pack(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err);
void lens_dnnl_unpack(lens_layer *layer);
int lens_dnnl_take(const lens_engine *engine, lens_layer *layer, lens_error *err);
int lens_dnnl_keep(const lens_layer *layer, lens_packing *packing, lens_error *err);

#endif
