/* An encoder: prepared pixels -> unit vectors. One file a family; registry.c lists them. */
#ifndef LENS_ENCODERS_ENCODER_H
#define LENS_ENCODERS_ENCODER_H

#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "pixels/prepare.h"

typedef enum lens_precision { LENS_PRECISION_AUTO, LENS_PRECISION_F32, LENS_PRECISION_BF16, LENS_PRECISION_INT8 } lens_precision;

/* "auto", "f32", "bf16", "int8"; -1 for any other name. */
int lens_precision_parse(const char *name, lens_precision *precision, lens_error *err);
const char *lens_precision_name(lens_precision precision);

/* A model in memory: configuration and packed weights. Read-only after opening, so every thread shares it. */
typedef struct lens_encoder lens_encoder;

/* One thread's place to run an encoder: activations and scratch memory. */
typedef struct lens_session lens_session;

typedef struct lens_encoder_info {
    const char *name;             /* as it was asked for, without the preparation: "efficientnet-lite0", or the folder's name */
    const char *variant;          /* the same with "@PREP" where one was given */
    const char *family;           /* "efficientnet_lite" */
    const char *folder;           /* where its files are */
    int dim;                      /* length of a vector */
    lens_precision precision;     /* what "auto" came to */
    lens_preparation preparation;
    lens_hash fingerprint;        /* of weights, configuration and preparation: vectors are comparable only when it is equal */
} lens_encoder_info;

/* Opens the model in FOLDER, called NAME ("efficientnet-lite0", or "efficientnet-lite0@64" for another preparation).
 * The family is found by asking each of the registry. NULL on failure. Free with lens_encoder_close. */
lens_encoder *lens_encoder_open(const char *folder, const char *name, lens_precision precision, lens_error *err);
void lens_encoder_close(lens_encoder *encoder);

/* Lives as long as ENCODER. */
const lens_encoder_info *lens_encoder_about(const lens_encoder *encoder);

/* A session for at most BATCH pictures a call, computing on THREADS threads of its own (1 for a worker that is one of many).
 * Use it from one thread at a time, the one that made it. NULL on failure. Free before the encoder. */
lens_session *lens_session_new(const lens_encoder *encoder, int batch, int threads, lens_error *err);
void lens_session_free(lens_session *session);

/* PIXELS [count, size, size, 3] as lens_prepare_pixels gives them -> VECTORS [count, dim], each of length 1.
 * COUNT is 1 to the session's batch. 0 or -1. */
int lens_session_run(lens_session *session, const float *pixels, int count, float *vectors, lens_error *err);

#endif
