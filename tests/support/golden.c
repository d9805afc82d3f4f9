#include "golden.h"

#include <math.h>

#include "base/json.h"
#include "encoders/registry.h"
#include "npy.h"
#include "pixels/decode.h"
#include "support.h"

float *test_pixels(const char *path, const lens_preparation *preparation)
{
    lens_error err = {0};
    lens_buffer bytes = test_read(path);
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image picture, seen;
    assert_done(lens_decode(bytes.data, bytes.size, &limits, &picture, NULL, &err), &err);
    assert_done(lens_prepare_picture(&picture, preparation, &seen, &err), &err);
    float *pixels = lens_floats_new((size_t)seen.width * (size_t)seen.height * 3);
    assert_non_null(pixels);
    lens_prepare_pixels(&seen, preparation, pixels);
    lens_image_free(&picture), lens_image_free(&seen);
    lens_buffer_free(&bytes);
    return pixels;
}

float *test_golden_pixels(const char *folder, size_t n, const lens_preparation *preparation)
{
    char *path = test_path(folder, "picture%zu.png", n);
    float *pixels = test_pixels(path, preparation);
    free(path);
    return pixels;
}

double test_golden_apart(const float *pixels, const lens_preparation *preparation, const test_npy *expected)
{
    const size_t positions = (size_t)preparation->size * (size_t)preparation->size;
    double worst = 0;
    assert_int_equal(expected->count, 3 * positions); /* transformers keeps the batch's dimension */
    for (size_t c = 0; c < 3; c++)
        for (size_t p = 0; p < positions; p++) {
            const double apart = fabs((double)pixels[p * 3 + c] - (double)expected->data[c * positions + p]);
            if (!(apart <= 1e-6))
                fail_msg("number %zu of position %zu is %g and not %g", c, p, (double)pixels[p * 3 + c], (double)expected->data[c * positions + p]);
            worst = fmax(worst, apart);
        }
    return worst;
}

void test_golden_prepared(const char *folder, const lens_preparation *preparation)
{
    char *path = test_path(folder, "pixels0.npy");
    test_npy expected = test_npy_read(path); /* channels first */
    float *pixels = test_golden_pixels(folder, 0, preparation);
    printf("measured: %s: prepared pixels differ by at most %.2g\n", strrchr(folder, '/') + 1, test_golden_apart(pixels, preparation, &expected));
    free(pixels), free(path);
    test_npy_free(&expected);
}

void test_golden_row(size_t n, const float *vector, const float *expected, size_t dim, double cosine, double difference,
                     test_closeness *worst)
{
    double product = 0, length = 0, expected_length = 0, apart = 0;
    for (size_t i = 0; i < dim; i++) {
        product += (double)vector[i] * (double)expected[i];
        length += (double)vector[i] * (double)vector[i];
        expected_length += (double)expected[i] * (double)expected[i];
        apart = fmax(apart, isnan(vector[i]) ? INFINITY : fabs((double)vector[i] - (double)expected[i]));
    }
    if (!(fabs(length - 1) < 1e-6))
        fail_msg("row %zu has a length of %.8f", n, sqrt(length));
    product /= sqrt(length * expected_length); /* both are rounded to 32 bits: without this, cosines above 1 */
    if (!(product >= cosine && apart <= difference))
        fail_msg("row %zu: cosine %.8f, numbers up to %.3g apart", n, product, apart);
    worst->cosine = fmin(worst->cosine, product);
    worst->difference = fmax(worst->difference, apart);
}

test_words test_words_open(const char *folder, lens_backend backend)
{
    lens_error err = {0};
    test_words words = {.facts = {.slice = 1, .threads = 1}};
    char *config_path = test_path(folder, "config.json"), *path = test_path(folder, "model.safetensors");
    if (!lens_file_exists(config_path)) { /* OpenCLIP's form */
        free(config_path), free(path);
        config_path = test_path(folder, "open_clip_config.json"), path = test_path(folder, "open_clip_model.safetensors");
    }
    json_t *config = lens_json_read(config_path, &err);
    assert_done(config ? 0 : -1, &err);
    lens_weights *weights = lens_weights_open(path, &err);
    assert_done(weights ? 0 : -1, &err);
    words.family = lens_family_for(config);
    assert_non_null(words.family);
    words.engine = lens_engine_new(backend, &err);
    assert_done(words.engine ? 0 : -1, &err);
    const lens_model_source source = {folder, config_path, config, weights, LENS_TOWER_WORDS, LENS_PRECISION_F32};
    words.model = words.family->open(&source, words.engine, &words.facts, &err);
    assert_done(words.model ? 0 : -1, &err);
    words.stream = lens_stream_new(words.engine, 1, &err);
    assert_done(words.stream ? 0 : -1, &err);
    words.workspace = lens_floats_new(words.facts.workspace / sizeof(float) + 1);
    assert_non_null(words.workspace);
    lens_weights_close(weights);
    json_decref(config);
    free(config_path), free(path);
    return words;
}

void test_words_close(test_words *words)
{
    lens_stream_free(words->stream);
    words->family->close(words->model);
    lens_engine_free(words->engine);
    lens_buffer_free(&words->facts.description);
    free(words->workspace);
}

void test_words_run(const test_words *words, const int32_t *ids, int count, float *features)
{
    lens_error err = {0};
    assert_done(words->family->run_words(words->model, words->stream, words->workspace, ids, count, features, &err), &err);
}
