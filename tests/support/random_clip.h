/* Small CLIP models with weights drawn by lot, in both of their forms: the folders, and the numbers themselves.
 *
 * Nothing about them is what a published model has, so that nothing can be hard-coded: a side that patches do not fill, three heads, another
 * epsilon and another width of the MLP in each tower. */
#ifndef LENS_TESTS_RANDOM_CLIP_H
#define LENS_TESTS_RANDOM_CLIP_H

#include <stdbool.h>

#include "vocabulary.h"

enum {
    CLIP_SIDE = 20,
    CLIP_PATCH = 6,
    CLIP_GRID = 3,
    CLIP_TOKENS = CLIP_GRID * CLIP_GRID + 1, /* of a picture */
    CLIP_CONTEXT = 21,
    CLIP_DIM = 12, /* and TEST_CLIP_SIZE tokens in the vocabulary */
};

/* A tower. */
typedef struct test_clip_shape {
    const char *prefix, *before, *positions, *after, *projection; /* names of tensors; the projection's is whole, the others follow PREFIX */
    int width, layers, heads, mlp, rows;
    double epsilon;
} test_clip_shape;

extern const test_clip_shape test_clip_shapes[2]; /* of pictures (QuickGELU), of words (GELU) */

/* Configurations in Hugging Face's form: the good one, and what it is made of, for others. All of them texts. */
#define CLIP_VISION(size, patch, layers, heads) \
    "\"vision_config\":{\"hidden_size\":24,\"intermediate_size\":40,\"num_hidden_layers\":" layers ",\"num_attention_heads\":" heads "," \
    "\"image_size\":" size ",\"patch_size\":" patch ",\"layer_norm_eps\":0.01,\"hidden_act\":\"quick_gelu\"}"
#define CLIP_TEXT(vocabulary, end) \
    "\"text_config\":{\"hidden_size\":16,\"intermediate_size\":48,\"num_hidden_layers\":2,\"num_attention_heads\":4," \
    "\"max_position_embeddings\":21,\"vocab_size\":" vocabulary ",\"eos_token_id\":" end ",\"hidden_act\":\"gelu\"}"
#define CLIP_CONFIG(dim, vision, text) "{\"model_type\":\"clip\",\"projection_dim\":" dim "," vision "," text "}"
#define CLIP_GOOD_CONFIG CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "3"), CLIP_TEXT("527", "29"))
#define CLIP_GOOD_PROCESSOR \
    "{\"size\":{\"shortest_edge\":20},\"crop_size\":20,\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.5,0.25,0.5]}"

/* cmocka's fixture: draws the weights, the same in every run, and forgets them. */
int test_clip_draw(void **state);
int test_clip_forget(void **state);

/* The tensor PREFIX + NAME, under Hugging Face's names; it must be there. Lives until test_clip_forget. */
const float *test_clip_numbers(const char *prefix, const char *name);

/* What is wrong with the weights of a folder. */
typedef struct test_clip_faults {
    const char *omit, *reshape, *nan_in; /* name a tensor: left out; with one dimension more, of the same numbers; its last number is NaN */
    const char *more;                    /* a tensor that is there besides */
    bool cut;                            /* the file ends too early */
    bool half;                           /* no fault: 16 bits a number, which hold every number exactly */
} test_clip_faults;

/* A new folder with such a model in Hugging Face's form, PROCESSOR (may be NULL) being its preprocessor_config.json, and FAULTS (may be
 * NULL). Undo with test_folder_remove. */
char *test_clip_folder(const char *config, const char *processor, const test_clip_faults *faults);

/* The same weights in OpenCLIP's form, where both towers have one activation: QuickGELU or GELU. */
char *test_open_clip_folder(bool quick);

/* Puts the vocabulary of vocabulary.h into FOLDER, LAST (as in ",\"more\":527") behind its last token. */
void test_clip_write_vocabulary(const char *folder, const char *last);

#endif
