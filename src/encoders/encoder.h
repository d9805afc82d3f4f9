/* An encoder: prepared pixels, or words, -> unit vectors. One file a family; registry.c lists them. */
#ifndef LENS_ENCODERS_ENCODER_H
#define LENS_ENCODERS_ENCODER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "text/tokenizer.h"
#include "pixels/prepare.h"

typedef enum lens_precision { LENS_PRECISION_AUTO, LENS_PRECISION_F32, LENS_PRECISION_BF16, LENS_PRECISION_INT8 } lens_precision;

/* "auto", "f32", "bf16", "int8"; -1 for any other name. */
int lens_precision_parse(const char *name, lens_precision *precision, lens_error *err);
const char *lens_precision_name(lens_precision precision);

/* A model in memory: configuration and packed weights. Read-only after opening, so every thread shares it. */
typedef struct lens_encoder lens_encoder;

/* One thread's place to run an encoder: activations and scratch memory. */
typedef struct lens_session lens_session;

/* What an encoder is opened for: the weights of the other part are not kept in memory. */
typedef enum lens_tower { LENS_TOWER_PICTURES = 1, LENS_TOWER_WORDS = 2, LENS_TOWER_BOTH = 3 } lens_tower;

typedef struct lens_encoder_info {
    const char *name;             /* as it was asked for, without the preparation: "efficientnet-lite0", or the folder's name */
    const char *variant;          /* the same with "@PREP" where one was given */
    const char *family;           /* "efficientnet_lite" */
    const char *folder;           /* where its files are */
    int dim;                      /* length of a vector */
    bool pictures, words;         /* what the model can encode, whatever it was opened for */
    double logit_scale;           /* what cosines of pictures and words are multiplied by before a softmax over words; 0: no such thing */
    int grid;                     /* side of the map of lens_session_parts; 0: none */
    const char *method;           /* how its parts are found: "mean of positions"; static, NULL without a map */
    lens_precision precision;     /* what "auto" came to */
    lens_preparation preparation; /* of pictures */
    lens_hash fingerprint;        /* of weights, configuration and preparation: vectors are comparable only when it is equal */
} lens_encoder_info;

/* Opens the model in FOLDER, called NAME ("efficientnet-lite0", or "efficientnet-lite0@64" for another preparation), for TOWERS: one
 * that the model does not have is LENS_E_UNSUPPORTED, but of LENS_TOWER_BOTH one is enough. The family is found by asking each of the
 * registry. NULL on failure. Free with lens_encoder_close. */
lens_encoder *lens_encoder_open(const char *folder, const char *name, lens_precision precision, lens_tower towers, lens_error *err);
void lens_encoder_close(lens_encoder *encoder);

/* The same for what is called by its name alone and has no folder: NAME "colour" or "colour@crop". */
lens_encoder *lens_encoder_open_weightless(const char *name, lens_tower towers, lens_error *err);

/* Whether BASE, a name without "@PREP", is such a one. */
bool lens_encoder_is_weightless(const char *base);

/* Lives as long as ENCODER. */
const lens_encoder_info *lens_encoder_about(const lens_encoder *encoder);

/* A session for at most BATCH pictures a call, computing on THREADS threads of its own (1 for a worker that is one of many).
 * Use it from one thread at a time, the one that made it. NULL on failure. Free before the encoder. */
lens_session *lens_session_new(const lens_encoder *encoder, int batch, int threads, lens_error *err);
void lens_session_free(lens_session *session);

/* PIXELS [count, size, size, 3] as lens_prepare_pixels gives them -> VECTORS [count, dim], each of length 1.
 * COUNT is 1 to the session's batch. 0 or -1. */
int lens_session_run(lens_session *session, const float *pixels, int count, float *vectors, lens_error *err);

/* Where in a picture its vector comes from: PIXELS of one -> PARTS [grid * grid + 1, dim], which add up to the vector before it is made 1 long,
 * a row for each position of a GRID x GRID map of the prepared picture and one for what belongs to no position. LENS_E_UNSUPPORTED for an
 * encoder without a map, or not opened in f32. 0 or -1. */
int lens_session_parts(lens_session *session, const float *pixels, float *parts, lens_error *err);

/* TEXT, UTF-8 -> VECTOR [dim], of length 1. 0 or -1. */
int lens_session_run_words(lens_session *session, const char *text, float *vector, lens_error *err);

/* What the model in FOLDER can encode, by its configuration alone: a sum of lens_tower; 0: that cannot be told. */
int lens_encoder_towers(const char *folder);

/* Whether the model in FOLDER can be opened here, as far as its configuration and the small files beside it tell: its weights need not be there yet. 0, or
 * -1 with the reason. */
int lens_encoder_check(const char *folder, lens_error *err);

/* How the model in FOLDER gets its pictures, by its configuration alone; WAY: the "PREP" of a name, or NULL. LENS_E_UNSUPPORTED when it knows words
 * only. lens_encoder_preparation_weightless: the same of what has no folder. 0 or -1. */
int lens_encoder_preparation(const char *folder, const char *way, lens_preparation *preparation, lens_error *err);
int lens_encoder_preparation_weightless(const char *base, const char *way, lens_preparation *preparation, lens_error *err);

/* The tokenizer of the model in FOLDER, without opening its weights. LENS_E_UNSUPPORTED when the model knows no words. NULL on failure.
 * Free with lens_tokenizer_close. */
lens_tokenizer *lens_encoder_tokenizer(const char *folder, lens_error *err);

#endif
