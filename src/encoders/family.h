/* What a family of encoders is to encoder.c: one file that knows a forward pass, and one line in registry.c. */
#ifndef LENS_ENCODERS_FAMILY_H
#define LENS_ENCODERS_FAMILY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "encoders/encoder.h"
#include "nn/layers.h"
#include "nn/safetensors.h"

/* What a family opens its model from. Gone after opening: keep copies. */
typedef struct lens_model_source {
    const char *folder;
    const char *config_path;
    const json_t *config; /* an object */
    const lens_weights *weights; /* NULL when the engine is warm, and knows all numbers */
    lens_tower towers; /* what to make ready; of what the family does not have it makes nothing ready, and the caller fails */
    lens_precision precision; /* not LENS_PRECISION_AUTO */
} lens_model_source;

/* What it finds out on the way. */
typedef struct lens_model_facts {
    int dim;                      /* floats of a vector */
    lens_preparation preparation; /* as the model's own configuration has it */
    bool pictures, words;         /* what the model can encode; words: only with a tokenizer */
    int slice;                    /* pictures a pass that run it fastest: more are given in several passes */
    int threads;                  /* the most threads that one pass gains from; more are used by passes side by side */
    size_t workspace;             /* bytes of workspace for a pass of SLICE pictures, and for one of a text of CONTEXT tokens */
    int vocabulary;               /* rows of the embedding of tokens, which the tokenizer must fill */
    const char *embedding;        /* its tensor, for messages; static */
    double logit_scale;           /* what cosines of pictures and words are multiplied by before a softmax; 0: no such thing */
    int grid;                     /* side of the map that MAP gives or PARTS fills; 0: none */
    const char *method;           /* how it does, for the person; static */
    lens_buffer description;      /* what of the configuration changes the vectors, for the fingerprint */
} lens_model_facts;

typedef struct lens_family {
    const char *name; /* "efficientnet_lite" */
    lens_precision quickest; /* that was measured to keep the cosine which docs/MODELS.md promises: what "auto" takes at most */

    bool weightless; /* nothing but its code: it is called by its name, which no folder has, and computes in f32 */

    /* Whether CONFIG says that the model is one of this family. Looks, and judges nothing else. */
    bool (*claims)(const json_t *config);

    /* How pictures are prepared, by the configuration alone. NULL: a family that knows words only. 0 or -1. */
    int (*preparation)(const lens_model_source *source, lens_preparation *preparation, lens_error *err);

    /* Refuses what the configuration, or a file beside it, asks for and the family cannot do, before there are weights. 0 or -1. NULL: PREPARATION and
     * TOKENIZER look at all that there is. */
    int (*check)(const lens_model_source *source, lens_error *err);

    /* Reads the model's weights into layers of ENGINE and fills FACTS. NULL on failure. */
    void *(*open)(const lens_model_source *source, lens_engine *engine, lens_model_facts *facts, lens_error *err);
    void (*close)(void *model);

    /* The tokenizer of the model's words; the source's weights may be NULL. NULL: a family that knows pictures only. */
    lens_tokenizer *(*tokenizer)(const lens_model_source *source, lens_error *err);

    /* PIXELS [count, size, size, 3], COUNT at most the slice -> *MAP [count, grid * grid, dim], in WORKSPACE, whose mean over the positions the features are:
     * so each position's part in them is plain. Everything that changes is in STREAM and WORKSPACE, so that threads share MODEL. 0 or -1. NULL: see RUN. */
    int (*map)(const void *model, lens_stream *stream, void *workspace, const float *pixels, int count, const float **map, lens_error *err);

    /* Of a family whose features are something else: PIXELS -> FEATURES [count, dim], of any length. 0 or -1. NULL where there is MAP, or a family knows words
     * only. */
    int (*run)(const void *model, lens_stream *stream, void *workspace, const float *pixels, int count, float *features,
               lens_error *err);

    /* One picture's PIXELS -> PARTS [grid * grid + 1, dim]: rows that add up to what RUN gives, one for each position of the map, row by row,
     * and at last what belongs to none. In f32 only: elsewhere roundings are not spread over parts. 0 or -1. NULL where there is MAP, or no
     * such map. */
    int (*parts)(const void *model, lens_stream *stream, void *workspace, const float *pixels, float *parts, lens_error *err);

    /* The tokenizer's IDS [count] -> FEATURES [dim], of any length. NULL where there is no tokenizer. */
    int (*run_words)(const void *model, lens_stream *stream, void *workspace, const int32_t *ids, int count, float *features,
                     lens_error *err);
} lens_family;

/* What PRECISION comes to for FAMILY on this processor: "auto" becomes another one, and one that it has no instructions for is
 * LENS_E_UNSUPPORTED. NAME stands in messages. 0 or -1. */
int lens_precision_choose(const lens_family *family, const char *name, lens_precision *precision, lens_error *err);

/* What rows are multiplied as. */
lens_type lens_precision_rows(lens_precision precision);

/* What is kept of what is not multiplied by weights next, or not yet: in int8 halves, where this processor knows them. Not bytes. */
lens_type lens_precision_maps(lens_precision precision);

/* For tests, and for what looks into an encoder. */

/* lens_encoder_open on a backend of one's choice. */
lens_encoder *lens_encoder_open_on(const char *folder, const char *name, lens_precision precision, lens_tower towers,
                                   lens_backend backend, lens_error *err);

/* lens_session_run without the last step: FEATURES [count, dim] as the network gives them. */
int lens_session_features(lens_session *session, const float *pixels, int count, float *features, lens_error *err);

/* The same for lens_session_run_words: FEATURES [dim] of COUNT tokens. */
int lens_session_word_features(lens_session *session, const int32_t *ids, int count, float *features, lens_error *err);

/* lens_stream_watch on every stream of SESSION; with one thread, in the order of the network. */
void lens_session_watch(lens_session *session, lens_layer_watch *watch, void *context);

/* Of two rooms for activations the one that holds either. */
static inline size_t lens_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
