/* Comparing encoders with reference outputs. */
#ifndef LENS_TESTS_GOLDEN_H
#define LENS_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include "encoders/family.h"
#include "npy.h"

/* The picture at PATH -> pixels for an encoder. The caller frees. */
float *test_pixels(const char *path, const lens_preparation *preparation);

/* The same for FOLDER/pictureN.png. */
float *test_golden_pixels(const char *folder, size_t n, const lens_preparation *preparation);

/* How far PIXELS [size, size, 3] are from EXPECTED, the same with channels first; more than 1e-6 fails the test. */
double test_golden_apart(const float *pixels, const lens_preparation *preparation, const test_npy *expected);

/* The first picture of FOLDER as PREPARATION prepares it is FOLDER/pixels0.npy [3, size, size], or the test fails. */
void test_golden_prepared(const char *folder, const lens_preparation *preparation);

/* The worst of many rows. Start with {1, 0}. */
typedef struct test_closeness {
    double cosine;     /* the least */
    double difference; /* the largest */
} test_closeness;

/* Notes how far row N, VECTOR [dim] of length 1 (or the test fails), is from EXPECTED, which has length 1 too; fails the test when the
 * cosine is below COSINE or a number further away than DIFFERENCE. */
void test_golden_row(size_t n, const float *vector, const float *expected, size_t dim, double cosine, double difference,
                     test_closeness *worst);

/* The words of a model straight from its family, without the tokenizer. */
typedef struct test_words {
    const lens_family *family;
    lens_model_facts facts;
    lens_engine *engine;
    lens_stream *stream;
    void *workspace;
    void *model;
} test_words;

/* Opens the model in FOLDER (config.json, model.safetensors; or OpenCLIP's two) on BACKEND, or the test fails. Undo with test_words_close. */
test_words test_words_open(const char *folder, lens_backend backend);
void test_words_close(test_words *words);

/* FEATURES [dim] of IDS [count], or the test fails. */
void test_words_run(const test_words *words, const int32_t *ids, int count, float *features);

#endif
