/* What stands behind layers.h: the parts that layers.c, nn_onednn.c and nn_plain.c share. For no one else. */
#ifndef LENS_NN_BACKEND_H
#define LENS_NN_BACKEND_H

#include "nn/layers.h"

struct lens_layer {
    char *name;
    int index; /* 0, 1, ... within the engine */
    lens_conv_spec conv;
    int out_height, out_width;
    size_t in_size, out_size; /* floats a picture */
    void *packed;             /* the backend's */
    lens_layer *next;
};

/* Functions that can fail return 0 or -1 and fill ERR. Closing copes with what a failed opening left. */
typedef struct lens_backend_functions {
    int (*engine_open)(lens_engine *engine, lens_error *err);
    void (*engine_close)(lens_engine *engine);
    int (*conv_pack)(const lens_engine *engine, lens_layer *layer, const float *weights, const float *bias, lens_error *err);
    void (*conv_free)(lens_layer *layer);
    int (*stream_open)(lens_stream *stream, lens_error *err);
    void (*stream_close)(lens_stream *stream);
    int (*conv_run)(lens_stream *stream, const lens_layer *layer, int count, const float *in, float *out, lens_error *err);
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

#endif
