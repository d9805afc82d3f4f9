/* OpenAI's CLIP ViT-B/32 itself: its preparation, and as soon as its weights are here the figures that the original implementation gave for
 * one picture and two texts. Needs ../shared; the figures need `memelens pull clip-vit-b-32`. */
#include <math.h>

#include "base/json.h"
#include "encoders/clip_config.h"
#include "encoders/encoder.h"
#include "encoders.h"
#include "golden.h"
#include "npy.h"
#include "support.h"

enum { FIRST = 5, TEXTS = 2 };
static const char *const texts[TEXTS] = {"a photo of a man", "a photo of a woman"};

/* franz-kafka.jpg of FOLDER, prepared. The caller frees. */
static float *kafka(const char *folder, const lens_preparation *preparation)
{
    char *path = test_path(folder, "franz-kafka.jpg");
    float *pixels = test_pixels(path, preparation);
    free(path);
    return pixels;
}

static void test_preparation(void **state)
{
    (void)state;
    char *folder = test_shared("golden/clip-vit-b32"), *path = test_path(folder, "hf/preprocessor_config.json");
    lens_error err = {0};
    lens_preparation preparation;
    json_t *processor = lens_json_read(path, &err);
    assert_done(processor ? lens_clip_preparation(processor, path, 224, &preparation, &err) : -1, &err);
    free(path);
    path = test_path(folder, "expected_preprocessed_image.npy");
    test_npy expected = test_npy_read(path); /* [1, 3, 224, 224] */
    float *pixels = kafka(folder, &preparation);
    printf("measured: the picture as CLIP ViT-B/32 sees it: pixels at most %.2g from the original's\n", test_golden_apart(pixels, &preparation, &expected));
    json_decref(processor);
    test_npy_free(&expected);
    free(pixels), free(path), free(folder);
}

/* The COUNT numbers in the row of the ViT-B/32 whose second column is WHAT. */
static void figures(const char *folder, const char *what, int count, double *out)
{
    char *path = test_path(folder, "figures.tsv"), row[256];
    lens_buffer file = test_read(path);
    snprintf(row, sizeof row, "\nViT-B/32\t%s\t", what);
    const char *at = strstr(file.data, row);
    if (!at)
        fail_msg("%s: no row '%s'", path, what);
    at += strlen(row);
    for (int i = 0; i < count; i++) {
        char *end;
        out[i] = strtod(at, &end);
        assert_ptr_not_equal(end, at);
        at = end;
    }
    lens_buffer_free(&file);
    free(path);
}

static double near(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%s is %.7f, not %.7f", what, got, expected);
    return fabs(got - expected);
}

/* The sum of VECTOR and its first numbers, in the rows "NAME, sum" and "NAME, [0:5]" where they are there. */
static void check_vector(const char *folder, const char *name, bool first, const float *vector, int dim, double worst[2])
{
    char what[96];
    double expected[FIRST], sum = 0;
    for (int i = 0; i < dim; i++)
        sum += (double)vector[i];
    snprintf(what, sizeof what, "%s, sum", name);
    figures(folder, what, 1, expected);
    worst[0] = fmax(worst[0], near(what, sum, expected[0], 1e-3));
    if (!first)
        return;
    snprintf(what, sizeof what, "%s, [0:5]", name);
    figures(folder, what, FIRST, expected);
    for (int i = 0; i < FIRST; i++)
        worst[1] = fmax(worst[1], near(what, (double)vector[i], expected[i], 1e-4));
}

static double cosine(const float *a, const float *b, int dim)
{
    double product = 0, length_a = 0, length_b = 0;
    for (int i = 0; i < dim; i++) {
        product += (double)a[i] * (double)b[i];
        length_a += (double)a[i] * (double)a[i];
        length_b += (double)b[i] * (double)b[i];
    }
    return product / sqrt(length_a * length_b);
}

static void test_figures(void **state)
{
    (void)state;
    test_need_model("clip-vit-b-32");
    char *folder = test_shared("golden/clip-vit-b32"), *model = test_real_model("clip-vit-b-32");
    lens_error err = {0};
    lens_encoder *encoder = test_encoder(model, "clip-vit-b-32", LENS_TOWER_BOTH, LENS_BACKEND_ONEDNN);
    lens_session *session = test_session(encoder, 1, 1);
    lens_tokenizer *tokenizer = lens_encoder_tokenizer(model, &err);
    assert_done(tokenizer ? 0 : -1, &err);
    const lens_encoder_info *info = lens_encoder_about(encoder);
    assert_int_equal(info->dim, 512);
    float *pixels = kafka(folder, &info->preparation), picture[512], words[512];
    double worst[2] = {0}, logits[TEXTS], expected[TEXTS], far = 0, sum = 0;
    assert_done(lens_session_features(session, pixels, 1, picture, &err), &err);
    check_vector(folder, "image embedding", true, picture, 512, worst);
    for (int i = 0; i < TEXTS; i++) {
        int32_t ids[77];
        int count;
        char name[96];
        assert_int_equal(lens_tokenizer_context(tokenizer), 77);
        assert_done(lens_tokenizer_run(tokenizer, texts[i], ids, &count, &err), &err);
        assert_done(lens_session_word_features(session, ids, count, words, &err), &err);
        snprintf(name, sizeof name, "text embedding \"%s\"", texts[i]);
        check_vector(folder, name, i == 0, words, 512, worst);
        logits[i] = info->logit_scale * cosine(picture, words, 512);
    }
    figures(folder, "logits for \"a photo of a man\" / \"a photo of a woman\"", TEXTS, expected);
    for (int i = 0; i < TEXTS; i++) {
        far = fmax(far, near("a logit", logits[i], expected[i], 1e-3));
        sum += exp(logits[i] - logits[0]);
    }
    figures(folder, "probabilities", TEXTS, expected);
    for (int i = 0; i < TEXTS; i++)
        near("a probability", exp(logits[i] - logits[0]) / sum, expected[i], 2e-5);
    printf("measured: CLIP ViT-B/32 against the original: sums at most %.2g apart, numbers %.2g, logits %.2g\n", worst[0], worst[1], far);
    lens_tokenizer_close(tokenizer);
    lens_session_free(session);
    lens_encoder_close(encoder);
    free(pixels), free(folder), free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preparation),
        cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
