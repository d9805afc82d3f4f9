/* Weights files made by the tests: honest ones tensor by tensor, and lying ones from a header of one's own. */
#ifndef LENS_TESTS_WEIGHTS_H
#define LENS_TESTS_WEIGHTS_H

#include <stdint.h>

#include "base/buffer.h"

/* A safetensors file whose header is the text HEADER, whatever it says, with SIZE bytes of DATA (NULL: zeros) behind it.
 * The caller frees. */
lens_buffer test_safetensors(const char *header, const void *data, size_t size);

/* A checkpoint as it is put together. Start with {0}. */
typedef struct test_checkpoint {
    lens_buffer header, data;
} test_checkpoint;

/* Adds a tensor of 32-bit floats, COPYING the numbers. */
void test_checkpoint_add(test_checkpoint *checkpoint, const char *name, int dims, const int64_t *shape, const float *numbers);

/* Numbers that repeat with SEED (which moves on), evenly spread over [LOW, HIGH]. */
void test_random_fill(uint64_t *seed, float low, float high, size_t count, float *out);

/* Writes it to PATH and empties it. */
void test_checkpoint_write(test_checkpoint *checkpoint, const char *path);

/* What is wrong with a checkpoint: each names a tensor, or is NULL. */
typedef struct test_faults {
    const char *omit;     /* left out */
    const char *reshape;  /* has one row too many in its second dimension */
    const char *nan_in;   /* its last number is NaN */
    const char *negative; /* its first number is -2 */
    const char *zero;     /* every tensor whose name begins so holds zeros */
    const char *further;  /* is there too, with one number */
} test_faults;

/* A checkpoint of random numbers, with FAULTS. */
typedef struct test_random_checkpoint {
    test_checkpoint checkpoint;
    uint64_t seed;
    test_faults faults;
} test_random_checkpoint;

/* Adds a tensor of at most four dimensions with numbers from LOW to HIGH, and the faults that name it. Write .checkpoint in the end. */
void test_random_add(test_random_checkpoint *random, const char *name, int dims, const int64_t *shape, float low, float high);

/* Every tensor of timm's tf_efficientnet_lite0 but the classifier, with random numbers that keep its activations alive,
 * and FAULTS (may be NULL). */
void test_efficientnet_write(const char *path, uint64_t seed, const test_faults *faults);

/* A small configuration for it: REST is more of "pretrained_cfg", as in ",\"crop_pct\":1.0". */
enum { TEST_MODEL_SIDE = 61, TEST_MODEL_DIM = 1280 };
#define TEST_MODEL_CONFIG(architecture, rest) \
    "{\"architecture\":\"" architecture "\",\"pretrained_cfg\":{\"input_size\":[3,61,61],\"interpolation\":\"bicubic\"," \
    "\"mean\":[0.5,0.5,0.5],\"std\":[0.5,0.5,0.5]" rest "}}"

/* A new folder that holds such a model, with CONFIG as its config.json. Undo with test_folder_remove. */
char *test_model_new(const char *config, uint64_t seed, const test_faults *faults);

#endif
