/* BigTransfer against vectors that timm gave for a small checkpoint: needs ../shared. */
#include <math.h>

#include "encoders.h"
#include "golden.h"
#include "npy.h"
#include "support.h"

static void test_vectors(void **state)
{
    (void)state;
    char *folder = test_shared("golden/tiny-bit"), *path = test_path(folder, "image_embeds.npy");
    test_npy expected = test_npy_read(path);
    size_t dim = expected.shape[1];
    float *vector = lens_floats_new(dim);
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++) {
        lens_error err = {0};
        lens_encoder *encoder = test_encoder(folder, "tiny-bit", LENS_TOWER_PICTURES, (lens_backend)backend);
        const lens_encoder_info *info = lens_encoder_about(encoder);
        assert_string_equal(info->family, "bit");
        assert_int_equal(info->dim, dim);
        lens_session *session = test_session(encoder, 1, 1);
        test_closeness worst = {1, 0};
        for (size_t n = 0; n < expected.shape[0]; n++) {
            float *pixels = test_golden_pixels(folder, n, &info->preparation);
            assert_done(lens_session_run(session, pixels, 1, vector, &err), &err);
            test_golden_row(n, vector, expected.data + n * dim, dim, 0.999999, 2e-5, &worst);
            free(pixels);
        }
        printf("measured: tiny-bit %s: cosine at least %.9f to timm, numbers at most %.2g apart\n",
               backend == LENS_BACKEND_ONEDNN ? "on oneDNN" : "in plain C", worst.cosine, worst.difference);
        lens_session_free(session);
        lens_encoder_close(encoder);
    }
    free(vector), free(path), free(folder);
    test_npy_free(&expected);
}

static void test_prepared_pixels(void **state)
{
    (void)state;
    char *folder = test_shared("golden/tiny-bit");
    lens_encoder *encoder = test_encoder(folder, "tiny-bit", LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
    test_golden_prepared(folder, &lens_encoder_about(encoder)->preparation);
    lens_encoder_close(encoder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_prepared_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
