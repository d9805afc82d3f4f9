/* What a CLIP model's configuration says, in either of its forms: Hugging Face's config.json and preprocessor_config.json, or OpenCLIP's
 * open_clip_config.json, which holds both. Everything here takes JSON that others wrote. */
#ifndef LENS_ENCODERS_CLIP_CONFIG_H
#define LENS_ENCODERS_CLIP_CONFIG_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "nn/layers.h"
#include "pixels/prepare.h"

/* A transformer: LAYERS blocks of WIDTH floats a token. */
typedef struct lens_clip_tower {
    int width, layers, heads, mlp;
    lens_activation activation;
    double epsilon; /* of every norm */
} lens_clip_tower;

typedef struct lens_clip_config {
    bool open;                    /* OpenCLIP's form */
    lens_clip_tower pictures, words;
    int size, patch;              /* pixels: of the square that the network sees, and of a patch */
    int context, vocabulary;      /* tokens of a text at most, and tokens there are */
    int end;                      /* the token that stands for the text: the first that is END; -1: the first with the largest id */
    int dim;                      /* of the space that both towers share */
} lens_clip_config;

/* Whether CONFIG is that of a CLIP model. Looks, and judges nothing else. */
bool lens_clip_claims(const json_t *config);

/* CONFIG (an object, claimed) -> OUT. Fields that are absent or null have the reference's defaults. Every size is positive and bounded,
 * heads divide widths, a patch fits into the picture; what this build cannot do is refused by name. PATH stands in messages. 0 or -1. */
int lens_clip_config_read(const json_t *config, const char *path, lens_clip_config *out, lens_error *err);

/* Side of the grid of patches; what a patch does not fill is left out. */
int lens_clip_grid(const lens_clip_config *config);

/* How pictures are prepared for a network of SIZE pixels, from Hugging Face's preprocessor_config.json. 0 or -1. */
int lens_clip_preparation(const json_t *processor, const char *path, int size, lens_preparation *out, lens_error *err);

/* The same from OpenCLIP's CONFIG, whose "preprocess_cfg" it is. 0 or -1. */
int lens_clip_open_preparation(const json_t *config, const char *path, int size, lens_preparation *out, lens_error *err);

#endif
