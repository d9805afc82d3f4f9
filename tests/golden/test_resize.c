/* Decoding, resampling and preparation against what Pillow, timm and transformers gave: ../shared/golden. */
#include <math.h>

#include "golden.h"
#include "pictures.h"
#include "pixels/decode.h"
#include "pixels/prepare.h"
#include "support.h"

static lens_image decode(const char *path)
{
    lens_buffer bytes = test_read(path);
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image image;
    lens_error err = {0};
    if (lens_decode(bytes.data, bytes.size, &limits, &image, NULL, &err) != 0)
        fail_msg("%s: %s", path, err.message);
    lens_buffer_free(&bytes);
    return image;
}

static lens_image decode_in(const char *folder, const char *name)
{
    char *path = test_path(folder, "%s", name);
    lens_image image = decode(path);
    free(path);
    return image;
}

/* PICTURE of FOLDER, shortest side to 224 and the middle of it, against EXPECTED: to the last bit. */
static void compare(const char *folder, const char *picture, const char *filter, const char *expected)
{
    lens_image image = decode_in(folder, picture), wanted = decode_in(folder, expected), seen;
    lens_preparation p = {.size = 224, .resize = 224, .fit = LENS_FIT_CROP, .corner = LENS_CORNER_FLOOR};
    assert_true(strcmp(filter, "bicubic") == 0 || strcmp(filter, "bilinear") == 0);
    p.filter = strcmp(filter, "bicubic") == 0 ? LENS_FILTER_BICUBIC : LENS_FILTER_BILINEAR;
    lens_error err = {0};
    assert_done(lens_prepare_picture(&image, &p, &seen, &err), &err);
    double difference = test_difference(&seen, &wanted);
    if (difference > 0)
        fail_msg("%s, %s: %g from what Pillow gave", picture, filter, difference);
    lens_image_free(&image);
    lens_image_free(&wanted);
    lens_image_free(&seen);
}

static void test_resize_equals_pillow(void **state)
{
    (void)state;
    char *folder = test_shared("golden/resize"), *list = test_path(folder, "cases.tsv");
    lens_buffer cases = test_read(list);
    int count = 0;
    char *line = strtok(cases.data, "\n"); /* the heading */
    while ((line = strtok(NULL, "\n"))) {
        char picture[64], filter[64], expected[64];
        assert_int_equal(sscanf(line, "%63[^\t]\t%63[^\t]\t%63[^\t]", picture, filter, expected), 3);
        compare(folder, picture, filter, expected);
        count++;
    }
    assert_true(count > 0);
    printf("measured: %d resized pictures equal Pillow's to the last bit\n", count);
    lens_buffer_free(&cases);
    free(list);
    free(folder);
}

static void compare_pixels(const char *name, const lens_preparation *p)
{
    char *folder = test_shared(name);
    test_golden_prepared(folder, p);
    free(folder);
}

static void test_preparation_of_efficientnet(void **state)
{
    (void)state;
    compare_pixels("golden/efficientnet-lite0", &(lens_preparation){
        .size = 224, .resize = 224, .filter = LENS_FILTER_BICUBIC, .corner = LENS_CORNER_ROUND, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}});
}

static void test_preparation_of_clip(void **state)
{
    (void)state;
    compare_pixels("golden/tiny-clip", &(lens_preparation){
        .size = 64, .resize = 64, .filter = LENS_FILTER_BICUBIC, .corner = LENS_CORNER_FLOOR,
        .mean = {0.48145466f, 0.4578275f, 0.40821073f}, .std = {0.26862954f, 0.26130258f, 0.27577711f}});
}

static void test_preparation_of_bit(void **state)
{
    (void)state;
    compare_pixels("golden/tiny-bit", &(lens_preparation){
        .size = 96, .resize = (int)floor(96 / 0.875), .filter = LENS_FILTER_BILINEAR, .corner = LENS_CORNER_ROUND,
        .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize_equals_pillow),
        cmocka_unit_test(test_preparation_of_efficientnet),
        cmocka_unit_test(test_preparation_of_clip),
        cmocka_unit_test(test_preparation_of_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
