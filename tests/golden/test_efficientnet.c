/* The real EfficientNet-Lite0 and Lite2 against vectors and classes that PyTorch gave: needs ../shared and the fetched models. */
#include <jansson.h>
#include <math.h>

#include "encoders/encoder.h"
#include "encoders/family.h"
#include "encoders.h"
#include "golden.h"
#include "npy.h"
#include "support.h"

enum { CLASSES = 1000, BEST = 5 };

/* The published classifier, which the encoder itself has no use for: logits = weight features + bias. */
struct classifier {
    float *weight, *bias;
};

static struct classifier classifier_of(const char *folder, int dim)
{
    lens_error err = {0};
    char *path = test_path(folder, "model.safetensors");
    lens_weights *weights = lens_weights_open(path, &err);
    assert_done(weights ? 0 : -1, &err);
    struct classifier classifier = {
        lens_weights_read(weights, "classifier.weight", 2, (int64_t[]){CLASSES, dim}, &err),
        lens_weights_read(weights, "classifier.bias", 1, (int64_t[]){CLASSES}, &err),
    };
    assert_done(classifier.weight && classifier.bias ? 0 : -1, &err);
    lens_weights_close(weights);
    free(path);
    return classifier;
}

/* The five best classes and their logits against row N of logits.json. Returns the largest difference of a logit. */
static double check_classes(const json_t *expected, size_t n, const struct classifier *classifier, const float *features, int dim)
{
    double logits[CLASSES], worst = 0;
    for (int c = 0; c < CLASSES; c++) {
        logits[c] = (double)classifier->bias[c];
        for (int i = 0; i < dim; i++)
            logits[c] += (double)classifier->weight[c * dim + i] * (double)features[i];
    }
    const json_t *classes = json_array_get(json_object_get(expected, "top5_class"), n);
    const json_t *values = json_array_get(json_object_get(expected, "top5_logit"), n);
    for (size_t rank = 0; rank < BEST; rank++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (logits[c] > logits[best])
                best = c;
        assert_int_equal(best, json_integer_value(json_array_get(classes, rank)));
        worst = fmax(worst, fabs(logits[best] - json_number_value(json_array_get(values, rank))));
        logits[best] = -INFINITY;
    }
    return worst;
}

static void check_model(const char *name)
{
    test_need_model(name);
    char part[64];
    snprintf(part, sizeof part, "golden/%s", name);
    char *golden = test_shared(part), *folder = test_real_model(name);
    char *path = test_path(golden, "image_embeds.npy");
    test_npy vectors = test_npy_read(path);
    free(path);
    path = test_path(golden, "logits.json");
    json_t *expected = json_load_file(path, 0, NULL);
    assert_non_null(expected);
    free(path);

    lens_error err = {0};
    lens_encoder *encoder = test_encoder(folder, name, LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
    const lens_encoder_info *info = lens_encoder_about(encoder);
    assert_int_equal(info->dim, vectors.shape[1]);
    lens_session *session = test_session(encoder, 1, 1);
    struct classifier classifier = classifier_of(folder, info->dim);
    float *vector = lens_floats_new((size_t)info->dim), *features = lens_floats_new((size_t)info->dim);

    test_closeness worst = {1, 0};
    double logits = 0;
    for (size_t n = 0; n < vectors.shape[0]; n++) {
        float *pixels = test_golden_pixels(golden, n, &info->preparation);
        assert_done(lens_session_run(session, pixels, 1, vector, &err), &err);
        assert_done(lens_session_features(session, pixels, 1, features, &err), &err);
        test_golden_row(n, vector, vectors.data + n * vectors.shape[1], vectors.shape[1], 0.99999, 1e-4, &worst);
        logits = fmax(logits, check_classes(expected, n, &classifier, features, info->dim));
        free(pixels);
    }
    assert_true(logits < 1e-3);
    printf("measured: %s has a cosine of at least %.8f to PyTorch; of the five best classes, logits at most %.1g apart\n", name,
           worst.cosine, logits);
    free(features), free(vector), free(classifier.weight), free(classifier.bias);
    lens_session_free(session);
    lens_encoder_close(encoder);
    json_decref(expected);
    test_npy_free(&vectors);
    free(folder), free(golden);
}

static void test_lite0(void **state)
{
    (void)state;
    check_model("efficientnet-lite0");
}

static void test_lite2(void **state)
{
    (void)state;
    check_model("efficientnet-lite2");
}

/* The preparation in the catalogue is the one that the reference was made with. */
static void test_prepared_pixels(void **state)
{
    (void)state;
    test_need_model("efficientnet-lite0");
    char *golden = test_shared("golden/efficientnet-lite0");
    char *folder = test_real_model("efficientnet-lite0");
    lens_encoder *encoder = test_encoder(folder, "efficientnet-lite0", LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
    test_golden_prepared(golden, &lens_encoder_about(encoder)->preparation);
    lens_encoder_close(encoder);
    free(folder), free(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lite0),
        cmocka_unit_test(test_lite2),
        cmocka_unit_test(test_prepared_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
