/* What stands behind layers.h: the parts that layers.c, norm.c and the two backends share. For no one else. */
#ifndef LENS_NN_BACKEND_H
#define LENS_NN_BACKEND_H

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
    size_t in_size, out_size; /* floats a picture, row or (attention) token */
    float *gamma, *beta;      /* [channels] of a norm */
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

    int (*stream_open)(lens_stream *stream, lens_error *err);
    void (*stream_close)(lens_stream *stream);

    /* COUNT pictures of a convolution, rows of a linear layer. */
    int (*product)(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err);
    int (*attention)(lens_stream *stream, const lens_layer *layer, int count, int tokens, const float *qkv, float *out, lens_error *err);
    int (*norm)(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err);
} lens_backend_functions;

struct lens_engine {
    const lens_backend_functions *backend;
    lens_layer *layers;
    int count;
    void *state; /* the backend's */
};

struct lens_stream {
    const lens_engine *engine;
    int threads;
    int layers;  /* of the engine when the stream was made */
    void *state; /* the backend's */
    lens_watch *watch;
    void *watcher;
};

extern const lens_backend_functions lens_backend_onednn, lens_backend_plain;

/* A layer with a copy of NAME, owned by ENGINE from now on, so that whatever fails later frees it too. NULL on failure. */
lens_layer *lens_layer_add(lens_engine *engine, const char *name, lens_layer_kind kind, lens_error *err);

/* Whether LAYER can run on STREAM with COUNT of what it counts. 0 or -1. */
int lens_layer_ready(const lens_stream *stream, const lens_layer *layer, int count, lens_error *err);

/* Tells the watch. */
void lens_layer_seen(const lens_stream *stream, const lens_layer *layer, int count, const float *out, size_t size);

/* The fast norm, in norm.c: the oneDNN backend's. */
int lens_norm_fast(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err);

/* SCORES [rows, columns] -> softmax(scale * scores) of each row, in place. CAUSAL: row r has its first r + 1 columns only, the others
 * become 0. In softmax.c: the oneDNN backend's. */
void lens_softmax_fast(float *scores, int rows, int columns, float scale, bool causal);

#endif
