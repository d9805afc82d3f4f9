/* A CLIP model's tensors under the names of either form -> layers. */
#ifndef LENS_ENCODERS_CLIP_WEIGHTS_H
#define LENS_ENCODERS_CLIP_WEIGHTS_H

#include "encoders/clip_config.h"
#include "encoders/family.h"

/* One block: x += out(attention(qkv(norm1(x)))), then x += fc2(activation(fc1(norm2(x)))). */
typedef struct lens_clip_block {
    const lens_layer *norm1, *qkv, *attention, *out, *norm2, *fc1, *fc2;
} lens_clip_block;

/* A tower with its weights. Its layers are the engine's. */
typedef struct lens_clip_layers {
    lens_clip_tower shape;
    lens_clip_block *blocks;  /* [layers] */
    const lens_layer *patches, *before; /* of pictures only: each patch's pixels to a row, and the norm before the first block */
    const lens_layer *after;  /* the norm of the token that stands for the whole */
    const lens_layer *projection;
    const float *first;       /* of pictures only: the class token, [width]; this and the next two are the engine's */
    const float *positions;   /* [tokens, width] */
    const float *tokens;      /* of words only: [vocabulary, width] */
} lens_clip_layers;

/* Reads the tower of pictures, or that of words, from SOURCE's weights into layers of ENGINE, named like the tensors. Every shape is
 * checked against CONFIG; a block, or a part of one, that CONFIG does not know of is an error too. Free with lens_clip_layers_free,
 * whatever the result. 0 or -1. */
int lens_clip_pictures_read(const lens_model_source *source, const lens_clip_config *config, lens_engine *engine,
                            lens_clip_layers *layers, lens_error *err);
int lens_clip_words_read(const lens_model_source *source, const lens_clip_config *config, lens_engine *engine, lens_clip_layers *layers,
                         lens_error *err);
void lens_clip_layers_free(lens_clip_layers *layers);

/* The tensor with a row for each token. Static. */
const char *lens_clip_embedding(const lens_clip_config *config);

/* What cosines are multiplied by before a softmax over labels: exp of the tensor logit_scale. 0 or -1. */
int lens_clip_logit_scale(const lens_model_source *source, lens_engine *engine, double *scale, lens_error *err);

#endif
