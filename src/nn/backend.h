/* What stands behind layers.h: the parts that layers.c, norm.c and the two backends share. For no one else. */
#ifndef LENS_NN_BACKEND_H
#define LENS_NN_BACKEND_H

#include <stdint.h>

#include "nn/layers.h"

typedef enum lens_layer_kind {
    LENS_LAYER_CONV,
    LENS_LAYER_LINEAR,
    LENS_LAYER_ATTENTION,
    LENS_LAYER_NORM,
    LENS_LAYER_GROUP_NORM,
} lens_layer_kind;

struct lens_layer {
    char *name;
    int index; /* 0, 1, ... within the engine */
    lens_layer_kind kind;
    union {
        lens_conv_spec conv;
        lens_linear_spec linear;
        lens_attention_spec attention;
        lens_group_norm_spec norm; /* of both kinds; a layer norm is one group of one position */
    };
    lens_type from, to;
    size_t in_size, out_size; /* numbers a picture, row or (attention) token */
    float *gamma, *beta;      /* [channels] of a norm */
    float *in_scales, *out_scales; /* of a convolution of bytes: its spec's own copies */
    void *packed;             /* the backend's */
    lens_layer *next;
};

/* Functions that can fail return 0 or -1 and fill ERR. Closing and freeing cope with what a failure left. */
typedef struct lens_backend_functions {
    int (*engine_open)(lens_engine *engine, lens_error *err);
    void (*engine_close)(lens_engine *engine);

    /* Of a convolution (WEIGHTS as lens_conv_new takes them) or a linear layer. */
    int (*pack)(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err);
    void (*unpack)(lens_layer *layer);

    /* The same out of ENGINE's file, and into one. Names of runs: lens_run_name. */
    int (*take)(const lens_engine *engine, lens_layer *layer, lens_error *err);
    int (*keep)(const lens_layer *layer, lens_packing *packing, lens_error *err);
    const char *(*kind)(void);

    int (*stream_open)(lens_stream *stream, lens_error *err);
    void (*stream_close)(lens_stream *stream);

    /* COUNT pictures of a convolution, rows of a linear layer. */
    int (*product)(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err);
    int (*attention)(lens_stream *stream, const lens_layer *layer, int count, int tokens, const void *qkv, void *out, lens_error *err);
    int (*norm)(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err);

    bool (*is_fast)(lens_type type); /* lens_type_is_fast */
} lens_backend_functions;

/* Numbers besides the layers' own. */
typedef struct lens_table {
    char name[LENS_PACKED_NAME];
    float *numbers;
    size_t count;
    struct lens_table *next;
} lens_table;

struct lens_engine {
    const lens_backend_functions *backend;
    lens_layer *layers;
    lens_table *tables;
    lens_packed *packed; /* of a warm one */
    int count;
    void *state; /* the backend's */
};

struct lens_stream {
    const lens_engine *engine;
    int threads;
    int layers;  /* of the engine when the stream was made */
    void *scratch;
    size_t scratch_size; /* bytes */
    void *state; /* the backend's */
    lens_layer_watch *watch;
    void *watcher;
};

extern const lens_backend_functions lens_backend_onednn, lens_backend_plain;

/* A layer with a copy of NAME, owned by ENGINE from now on, so that whatever fails later frees it too. NULL on failure. */
lens_layer *lens_layer_add(lens_engine *engine, const char *name, lens_layer_kind kind, lens_error *err);

/* What PART of LAYER's numbers is called in a file. */
void lens_run_name(const lens_layer *layer, const char *part, char name[LENS_PACKED_NAME]);

/* Whether LAYER can run on STREAM with COUNT of what it counts. 0 or -1. */
int lens_layer_ready(const lens_stream *stream, const lens_layer *layer, int count, lens_error *err);

/* Tells the watch what is in OUT, COUNT items of the layer's. */
void lens_layer_seen(const lens_stream *stream, const lens_layer *layer, int count, const void *out);

/* The fast twins of nn_plain.c beside the products, the oneDNN backend's: in norm.c, attention.c and finish.c. */
int lens_norm_fast(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err);
int lens_attention_fast(lens_stream *stream, const lens_layer *layer, int count, int tokens, const void *qkv, void *out, lens_error *err);

/* What follows a product of bytes: SUMS [rows, out] of a linear layer's products, of which ZEROS [out] is what the bytes' zeros come to;
 * FACTORS [rows] of the bytes; SCALES and BIAS [out] -> rows FIRST to FIRST + ROWS of COUNT at OUT. SCRATCH [threads, out]. */
void lens_finish_rows(const lens_layer *layer, int threads, int rows, const int32_t *sums, const int32_t *zeros, const float *factors, const float *scales,
                      const float *bias, float *scratch, void *out, int count, int first);

/* ROW [each] -> item AT of COUNT at ITEMS, as lens_items_store does it; floats that are there already stay where they are. */
void lens_items_store_one(lens_type type, const float *row, size_t each, void *items, size_t count, size_t at);

/* The calling thread's number among those of an OpenMP loop, 0 outside. The passes around the products use the threads that oneDNN has
 * anyhow, when a stream has several. */
static inline int lens_thread(void)
{
    extern int omp_get_thread_num(void);
    return omp_get_thread_num();
}

/* The weights of a product of bytes, [out, each] -> [out, each] of -127 to 127, each output's by a step of its own, SCALES [out]. IN_SCALES
 * of the layer are in them. SUMS [out]: of each output's. LOST [out]: what the expected outputs lose by the rounding, which the bias makes
 * up for: Nagel et al. (2019). */
void lens_weights_to_bytes(const lens_layer *layer, const float *weights, int8_t *bytes, float *scales, int32_t *sums, float *lost);

/* What the expected outputs of LAYER lose when its weights are rounded to halves -> LOST [out], which stays as it is where nothing is known. */
void lens_weights_to_halves(const lens_layer *layer, const float *weights, float *lost);

/* SIZE bytes of scratch memory, until the next call. NULL when memory is short. */
void *lens_stream_scratch(lens_stream *stream, size_t size);

/* e^x for x <= 0, within 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series to the seventh
 * power, 2^n by its bits. Below -87 it is 0. Plain enough for the compiler to vectorise, which libm's is not. */
static inline float lens_exp_negative(float x)
{
    const float clipped = x > -87 ? x : -87;
    /* Adding 1.5 * 2^23 rounds to a whole number. */
    const float n = clipped * 1.44269504f + 12582912.0f - 12582912.0f;
    const float r = clipped - n * 0.693359375f + n * 2.12194440e-4f; /* ln 2 in two parts, the first of few bits */
    float sum = 1.0f / 5040;
    sum = sum * r + 1.0f / 720;
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * r + 1;
    sum = sum * r + 1;
    union {
        uint32_t bits;
        float value;
    } power = {.bits = (uint32_t)((int32_t)n + 127) << 23};
    return x > -87 ? sum * power.value : 0;
}

#endif
