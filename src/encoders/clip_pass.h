/* A CLIP model in memory, for the files that run it: clip.c, and clip_parts.c that looks into it. */
#ifndef LENS_ENCODERS_CLIP_PASS_H
#define LENS_ENCODERS_CLIP_PASS_H

#include "encoders/clip_config.h"
#include "encoders/clip_weights.h"
#include "encoders/family.h"

typedef struct lens_clip_model {
    lens_clip_config config;
    lens_clip_layers pictures, words; /* empty unless it was opened for them */
    int tokens;                       /* of a picture */
    int slice;
    lens_type row, qkv;               /* of the rows that are multiplied, and of the attention's */
} lens_clip_model;

/* One picture's PIXELS -> X [tokens, width], as the first block gets it, in f32. ROOM: [tokens, patch * patch * 3]. 0 or -1. */
int lens_clip_embed(const lens_clip_model *model, lens_stream *stream, const float *pixels, float *room, float *x, lens_error *err);

/* The family's `parts`. */
int lens_clip_parts(const void *model, lens_stream *stream, void *workspace, const float *pixels, float *parts, lens_error *err);

#endif
