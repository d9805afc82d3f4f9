/* The layers that networks are made of, behind one of two backends: oneDNN, or slow plain C that the tests compare it with.
 *
 *     lens_engine *engine = lens_engine_new(LENS_BACKEND_ONEDNN, &err);
 *     lens_layer *stem = lens_conv_new(engine, "stem", &spec, weights, bias, &err);     // packs the weights, once
 *     lens_stream *stream = lens_stream_new(engine, 1, &err);                           // in each thread
 *     lens_conv_run(stream, stem, count, in, out, &err);
 *
 * An engine and its layers are read-only once they are made: every thread shares them. Activations are channels last,
 * [count, height, width, channels], of a lens_type, in buffers of the caller's; lens_floats_new makes them well aligned. */
#ifndef LENS_NN_LAYERS_H
#define LENS_NN_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/packed.h"

typedef enum lens_backend { LENS_BACKEND_ONEDNN, LENS_BACKEND_PLAIN } lens_backend;

/* Owns its layers. */
typedef struct lens_engine lens_engine;

/* One operation with its weights, packed as the backend likes them. Lives as long as its engine. */
typedef struct lens_layer lens_layer;

/* One thread's place to run layers: plans for the counts it has met, and scratch memory. */
typedef struct lens_stream lens_stream;

/* NULL on failure. Free with lens_engine_free, after its streams. */
lens_engine *lens_engine_new(lens_backend backend, lens_error *err);
void lens_engine_free(lens_engine *engine);

/* ---- packed weights ---------------------------------------------------------------------------------------------- */

/* An engine is warm when its layers' numbers come out of PACKED, which it closes from now on: then every lens_..._new takes its numbers from
 * there and ignores its arguments, which may be NULL. The layers must be made in the order in which they were when the file was saved; where
 * one is not there, or does not suit this processor, making it is an error, and the file worth nothing. */
void lens_engine_warm(lens_engine *engine, lens_packed *packed);
bool lens_engine_is_warm(const lens_engine *engine);

/* NUMBERS [count], which belong to ENGINE from now on, as a table called NAME that goes into the file too; of a warm engine those of the
 * file. NULL on failure. */
const float *lens_engine_table(lens_engine *engine, const char *name, size_t count, float *numbers, lens_error *err);

/* Adds everything that a warm engine needs to PACKING. It lives in ENGINE. 0 or -1. */
int lens_engine_save(const lens_engine *engine, lens_packing *packing, lens_error *err);

/* What packed weights depend on besides the weights: the backend's version, and what it knows of this processor. Static or ENGINE's. */
const char *lens_engine_kind(const lens_engine *engine);

/* Computes on THREADS threads. Make it after the engine's layers, and use it from one thread at a time. NULL on failure.
 * Free with lens_stream_free. */
lens_stream *lens_stream_new(const lens_engine *engine, int threads, lens_error *err);
void lens_stream_free(lens_stream *stream);

/* COUNT floats on a boundary of 64 bytes. NULL when memory is short. Free with free. */
float *lens_floats_new(size_t count);

/* SIZE bytes, and as many more as what stands behind them needs to begin on such a boundary too. */
static inline size_t lens_aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

/* ---- types of activations ---------------------------------------------------------------------------------------- */

/* What the numbers between layers are kept in. A layer multiplies in the type that it gets: floats by floats, bytes by bytes. */
typedef enum lens_type {
    LENS_TYPE_F32,
    LENS_TYPE_BF16, /* the upper half of a 32-bit float, rounded to nearest even */
    LENS_TYPE_BYTES, /* value = (byte - zero) * factor: the bytes of all items (rows or pictures), and on the next boundary of 64
                        bytes behind them each item's factor, a float */
} lens_type;

enum { LENS_BYTE_ZERO = 128 }; /* the byte that stands for 0 in the rows of linear layers */

/* Bytes of COUNT items of EACH numbers. */
size_t lens_items_size(lens_type type, size_t count, size_t each);

/* The factors [count] of COUNT items of EACH bytes at ITEMS. */
float *lens_items_factors(void *items, size_t count, size_t each);

/* Whether this processor has instructions that multiply TYPE faster than floats. */
bool lens_type_is_fast(lens_type type);

/* ROWS [count, each] -> ITEMS of TYPE. Bytes are spread evenly over an item's largest magnitude, with 0 at LENS_BYTE_ZERO. */
void lens_items_store(lens_type type, const float *rows, size_t count, size_t each, void *items);

/* The other way round; ZERO: the byte that stands for 0. */
void lens_items_load(lens_type type, const void *items, size_t count, size_t each, float zero, float *rows);

/* Item AT of COUNT items of EACH numbers -> item TO_AT of TO_COUNT such items. */
void lens_items_copy(lens_type type, size_t each, const void *items, size_t count, size_t at, void *to, size_t to_count, size_t to_at);

/* IN [rows, channels] -> OUT: value * steps[channel] + zero, rounded to a byte. */
void lens_channels_to_bytes(size_t rows, int channels, const float *steps, float zero, const float *in, uint8_t *out);

typedef enum lens_activation {
    LENS_ACTIVATION_NONE,
    LENS_ACTIVATION_CLIP6,      /* min(max(x, 0), 6), "ReLU6" */
    LENS_ACTIVATION_RELU,       /* max(x, 0) */
    LENS_ACTIVATION_GELU,       /* x (1 + erf(x / sqrt 2)) / 2: Hendrycks and Gimpel (2016), exact, not the tanh form */
    LENS_ACTIVATION_QUICK_GELU, /* x sigmoid(1.702 x), as OpenAI's CLIP has it */
} lens_activation;

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

/* A convolution as PyTorch's Conv2d means it (a correlation), with what follows it:
 * out = activation(weights * in + bias [+ out]). */
typedef struct lens_conv_spec {
    int height, width;           /* of the input, positions */
    int in, out;                 /* channels */
    int groups;                  /* 1: dense; as many as channels: depthwise */
    int kernel, stride;          /* positions, the same in both directions */
    int before[2], after[2];     /* zeros around the input: top and left; bottom and right */
    bool sum;                    /* adds to what OUT holds: a residual, without a pass of its own */
    lens_activation activation;
    lens_type from, to;          /* of IN and of OUT; bytes only from bytes */
    float zero;                  /* of IN's bytes, 0 where there are zeros around the input: what surrounds it is the byte 0 */
    int out_zero;                /* of OUT's bytes: 0 behind an activation, as bytes end at 0 by themselves; else LENS_BYTE_ZERO */
    bool factor;                 /* whether IN's bytes have factors of their own, other than 1 */
    const float *in_means;       /* [in]: what is to be expected of IN: what rounding the weights then changes of the outputs' expectation
                                    goes into the bias. NULL: nothing is known */
    const float *in_scales, *out_scales; /* [in], [out]: by channel, what a step of IN's and OUT's bytes is worth (NULL: 1); copied */
} lens_conv_spec;

/* Fills BEFORE and AFTER as TensorFlow's 'SAME' does: ceil(input / stride) outputs, the odd zero right and bottom. */
void lens_conv_pad_same(lens_conv_spec *spec);

/* Positions of the output. 0 when the kernel does not fit in. */
int lens_conv_out_height(const lens_conv_spec *spec);
int lens_conv_out_width(const lens_conv_spec *spec);

/* WEIGHTS [out, in / groups, kernel, kernel] and BIAS [out] (NULL: zeros) are copied. NAME stands in messages. NULL on failure. */
lens_layer *lens_conv_new(lens_engine *engine, const char *name, const lens_conv_spec *spec, const float *weights,
                          const float *bias, lens_error *err);

/* IN [count, height, width, in] -> OUT [count, out height, out width, out]; they must not overlap. 0 or -1. */
int lens_conv_run(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err);

/* ---- pooling ----------------------------------------------------------------------------------------------------- */

/* The largest of each KERNEL x KERNEL window. Outside of the input are zeros, which take part: the padding of BigTransfer,
 * not the one of PyTorch's MaxPool2d. */
typedef struct lens_pool_spec {
    int height, width, channels; /* of the input */
    int kernel, stride;
    int before, after;           /* zeros at top and left; at bottom and right; fewer than KERNEL */
    lens_type type;              /* of both maps: not bytes */
} lens_pool_spec;

int lens_pool_out_height(const lens_pool_spec *spec);
int lens_pool_out_width(const lens_pool_spec *spec);

/* IN [count, height, width, channels] -> OUT [count, out height, out width, channels]; they must not overlap. */
void lens_max_pool(const lens_pool_spec *spec, int count, const void *in, void *out);

/* The mean over positions: IN [count, positions, channels] -> OUT [count, channels]. */
void lens_mean_positions(int count, int positions, int channels, const float *in, float *out);

/* The mean as the sum of its parts: IN [positions, channels] -> PARTS [positions + 1, channels], each row over POSITIONS, and a row of zeros,
 * as nothing belongs to no position. */
void lens_mean_parts(int positions, int channels, const float *in, float *parts);

/* ---- transformers ------------------------------------------------------------------------------------------------ */

/* out = activation(weights * in + bias [+ out]) for each row. */
typedef struct lens_linear_spec {
    int in, out; /* numbers of a row */
    bool sum;    /* adds to what OUT holds, as in lens_conv_spec; OUT is floats then */
    lens_activation activation;
    lens_type from, to; /* of the rows of IN and of OUT; bytes only from bytes */
} lens_linear_spec;

/* WEIGHTS [out, in] as PyTorch's Linear has them, and BIAS [out] (NULL: zeros) are copied. NULL on failure. */
lens_layer *lens_linear_new(lens_engine *engine, const char *name, const lens_linear_spec *spec, const float *weights,
                            const float *bias, lens_error *err);

/* IN [rows, in] -> OUT [rows, out]; they must not overlap. 0 or -1. */
int lens_linear_run(lens_stream *stream, const lens_layer *layer, int rows, const void *in, void *out, lens_error *err);

/* Scaled dot-product attention, Vaswani et al., "Attention Is All You Need" (2017): softmax(q k' / sqrt(width)) v, each head
 * for itself. */
typedef struct lens_attention_spec {
    int heads, width; /* of one head */
    bool causal;      /* a token sees itself and those before it */
    lens_type from, to; /* of QKV, not bytes; of OUT's rows */
} lens_attention_spec;

lens_layer *lens_attention_new(lens_engine *engine, const char *name, const lens_attention_spec *spec, lens_error *err);

/* QKV [count, tokens, 3, heads, width]: every token's query, then its key, then its value -> OUT [count, tokens, heads, width]. They
 * must not overlap. 0 or -1. */
int lens_attention_run(lens_stream *stream, const lens_layer *layer, int count, int tokens, const void *qkv, void *out,
                       lens_error *err);

/* ---- norms ------------------------------------------------------------------------------------------------------- */

/* Layer norm, Ba, Kiros and Hinton (2016): each row to mean 0 and variance 1, times GAMMA [channels], plus BETA [channels]; both are
 * copied. EPSILON is added to the (biased) variance. OUT's rows are of the type TO. */
lens_layer *lens_norm_new(lens_engine *engine, const char *name, int channels, double epsilon, lens_type to, const float *gamma,
                          const float *beta, lens_error *err);

/* The GAMMA [channels] of a norm; lives as long as it. */
const float *lens_norm_gamma(const lens_layer *layer);

/* IN [rows, channels] -> OUT [rows, channels], which may be IN where it is of floats too. 0 or -1. */
int lens_norm_run(lens_stream *stream, const lens_layer *layer, int rows, const float *in, void *out, lens_error *err);

/* Group norm, Wu and He (2018): the same for each picture's GROUPS runs of channels over all positions, then ACTIVATION. */
typedef struct lens_group_norm_spec {
    int positions, channels, groups;
    double epsilon;
    lens_activation activation; /* LENS_ACTIVATION_NONE or LENS_ACTIVATION_RELU */
    lens_type from, to;         /* of IN, not bytes; of OUT, bytes only behind a ReLU: their zero is the byte 0 */
} lens_group_norm_spec;

lens_layer *lens_group_norm_new(lens_engine *engine, const char *name, const lens_group_norm_spec *spec, const float *gamma,
                                const float *beta, lens_error *err);

/* IN [count, positions, channels] -> OUT [count, positions, channels], which may be IN where the types are equal. 0 or -1. */
int lens_group_norm_run(lens_stream *stream, const lens_layer *layer, int count, const void *in, void *out, lens_error *err);

const char *lens_layer_name(const lens_layer *layer);

/* Calls WATCH with what each layer gave, as SIZE floats at OUT, after it has run: for comparing it with a reference. NULL: no more. Where memory for
 * those floats is short it is not called. */
typedef void lens_layer_watch(void *context, const lens_layer *layer, int count, const float *out, size_t size);
void lens_stream_watch(lens_stream *stream, lens_layer_watch *watch, void *context);

#endif
