/* From a picture to what a network sees: src/pixels/prepare.c. */
#include <math.h>

#include "pictures.h"
#include "pixels/prepare.h"
#include "support.h"

static lens_preparation usual(void)
{
    return (lens_preparation){
        .size = 64, .resize = 64, .fit = LENS_FIT_CROP, .filter = LENS_FILTER_BICUBIC, .corner = LENS_CORNER_ROUND,
        .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f},
    };
}

static lens_image resampled(const lens_image *image, int width, int height, int x, int y, int side_x, int side_y, lens_filter filter)
{
    lens_image out;
    lens_error err = {0};
    assert_done(lens_resample(image, width, height, (lens_window){x, y, side_x, side_y}, filter, &out, &err), &err);
    return out;
}

/* Prepares a scene of WIDTH x HEIGHT and expects EXPECTED, which is freed. */
static void expect_seen(const lens_image *scene, const lens_preparation *preparation, lens_image expected)
{
    lens_image seen;
    lens_error err = {0};
    assert_done(lens_prepare_picture(scene, preparation, &seen, &err), &err);
    assert_int_equal(seen.width, preparation->size);
    assert_int_equal(seen.height, preparation->size);
    assert_int_equal(expected.width, seen.width);
    assert_memory_equal(seen.rgb, expected.rgb, (size_t)seen.width * (size_t)seen.height * 3);
    lens_image_free(&seen);
    lens_image_free(&expected);
}

static void test_crop_cuts_the_long_side_and_takes_the_middle(void **state)
{
    (void)state;
    const struct {
        int width, height, resize;
        lens_corner corner;
        int to_width, to_height, x, y;
    } cases[] = {
        /* 64 * 101 / 77 = 83.9; 19 pixels too many: 9.5 is 10 to the even, 9 to the floor. */
        {101, 77, 64, LENS_CORNER_ROUND, 83, 64, 10, 0},
        {101, 77, 64, LENS_CORNER_FLOOR, 83, 64, 9, 0},
        /* 64 * 100 / 79 = 81.01; 17: 8.5 is 8 both ways. */
        {79, 100, 64, LENS_CORNER_ROUND, 64, 81, 0, 8},
        {79, 100, 64, LENS_CORNER_FLOOR, 64, 81, 0, 8},
        /* crop_pct 0.875 of 64 is 73: 4.5 both ways. */
        {90, 90, 73, LENS_CORNER_ROUND, 73, 73, 4, 4},
        {90, 90, 75, LENS_CORNER_ROUND, 75, 75, 6, 6}, /* 5.5 */
        {90, 90, 75, LENS_CORNER_FLOOR, 75, 75, 5, 5},
        {64, 64, 64, LENS_CORNER_ROUND, 64, 64, 0, 0},
        {30, 20, 64, LENS_CORNER_ROUND, 96, 64, 16, 0}, /* enlarged */
        {1, 50, 64, LENS_CORNER_FLOOR, 64, 3200, 0, 1568},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_image scene = test_scene(cases[i].width, cases[i].height, (unsigned)i);
        lens_preparation p = usual();
        p.resize = cases[i].resize;
        p.corner = cases[i].corner;
        expect_seen(&scene, &p, resampled(&scene, cases[i].to_width, cases[i].to_height, cases[i].x, cases[i].y, 64, 64, p.filter));
        lens_image_free(&scene);
    }
}

static void test_squash_and_sides_before(void **state)
{
    (void)state;
    lens_image scene = test_scene(150, 90, 3);
    lens_error err = {0};
    lens_preparation p = usual();
    p.filter = LENS_FILTER_BILINEAR;
    assert_done(lens_preparation_override(&p, "squash", &err), &err);
    expect_seen(&scene, &p, resampled(&scene, 64, 64, 0, 0, 64, 64, LENS_FILTER_BILINEAR));

    assert_done(lens_preparation_override(&p, "24", &err), &err);
    lens_image small = resampled(&scene, 24, 24, 0, 0, 24, 24, LENS_FILTER_BILINEAR);
    expect_seen(&scene, &p, resampled(&small, 64, 64, 0, 0, 64, 64, LENS_FILTER_BILINEAR));
    lens_image_free(&small);
    lens_image_free(&scene);
}

static void test_jina_sees_the_middle_only(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_preparation p = usual();
    assert_done(lens_preparation_override(&p, "jina96", &err), &err);
    /* 300 * (256 / 171) = 449.1; 449 - 96 = 353, of which the half is cut. */
    lens_image scene = test_scene(300, 171, 3), small = resampled(&scene, 449, 256, 176, 80, 96, 96, LENS_FILTER_LANCZOS);
    expect_seen(&scene, &p, resampled(&small, 64, 64, 0, 0, 64, 64, LENS_FILTER_BICUBIC));
    lens_image_free(&small);
    lens_image_free(&scene);
    /* Rounded, not cut: 100 * (256 / 71) = 360.56 becomes 361. */
    scene = test_scene(71, 100, 3);
    small = resampled(&scene, 256, 361, 80, 132, 96, 96, LENS_FILTER_LANCZOS);
    expect_seen(&scene, &p, resampled(&small, 64, 64, 0, 0, 64, 64, LENS_FILTER_BICUBIC));
    lens_image_free(&small);
    lens_image_free(&scene);
}

static void test_pad_keeps_all_of_it_on_the_mean_colour(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_preparation p = usual();
    memcpy(p.mean, (float[3]){0.25f, 0.5f, 1.5f}, sizeof p.mean);
    assert_done(lens_preparation_override(&p, "pad", &err), &err);
    const struct {
        int width, height, to_width, to_height, left, top;
    } cases[] = {
        {100, 60, 64, 38, 0, 13}, /* 38.4 */
        {60, 99, 39, 64, 12, 0},  /* 38.8; 25 left over: the odd one goes right */
        {50, 50, 64, 64, 0, 0},
        {5000, 3, 64, 1, 0, 31},  /* nothing would be left of it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_image scene = test_scene(cases[i].width, cases[i].height, (unsigned)i), expected;
        lens_image inner = resampled(&scene, cases[i].to_width, cases[i].to_height, 0, 0, cases[i].to_width, cases[i].to_height, p.filter);
        assert_done(lens_image_new(64, 64, &expected, &err), &err);
        for (int j = 0; j < 64 * 64; j++) {
            int x = j % 64 - cases[i].left, y = j / 64 - cases[i].top;
            bool inside = x >= 0 && x < inner.width && y >= 0 && y < inner.height;
            memcpy(expected.rgb + 3 * j, inside ? inner.rgb + 3 * (y * inner.width + x) : (const uint8_t[]){64, 128, 255}, 3);
        }
        expect_seen(&scene, &p, expected);
        lens_image_free(&inner);
        lens_image_free(&scene);
    }
}

static void test_overrides_are_read_strictly(void **state)
{
    (void)state;
    const char *good[] = {"crop", "squash", "pad", "8", "64", "4096", "jina8", "jina96", "jina256"};
    const char *bad[] = {"", "Crop", "crop ", "64x64", "7", "4097", "064", "+64", "-64", " 64", "64 ", "99999999999999999999", "jina", "jina7",
                         "jina257", "jina 96", "jina0096", "jina-96", "0", "6.4"};
    lens_error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        lens_preparation p = usual();
        if (lens_preparation_override(&p, good[i], &err) != 0)
            fail_msg("%s", err.message);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lens_preparation p = usual(), before = p;
        if (lens_preparation_override(&p, bad[i], &err) == 0)
            fail_msg("taken: '%s'", bad[i]);
        assert_int_equal(err.code, LENS_E_ARGUMENT);
        assert_memory_equal(&p, &before, sizeof p);
    }
    /* The last one holds. */
    lens_preparation p = usual();
    p.fit = LENS_FIT_SQUASH;
    p.resize = 0;
    assert_int_equal(lens_preparation_override(&p, "jina96", &err) | lens_preparation_override(&p, "32", &err), 0);
    assert_true(p.before == 32 && p.jina == 0);
    assert_int_equal(lens_preparation_override(&p, "crop", &err), 0);
    assert_true(p.fit == LENS_FIT_CROP && p.before == 0 && p.resize == p.size);
}

static char *described(const lens_preparation *p)
{
    lens_buffer out = {0};
    assert_int_equal(lens_preparation_describe(p, &out), 0);
    assert_ptr_equal(strchr(out.data, '\n'), out.data + out.size - 1);
    return out.data;
}

static void expect_alike(lens_preparation a, lens_preparation b, bool alike)
{
    char *one = described(&a), *two = described(&b);
    if ((strcmp(one, two) == 0) != alike)
        fail_msg("%s%s", one, two);
    free(one);
    free(two);
}

static void test_descriptions_tell_apart_what_differs(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_preparation p = usual(), q;
    expect_alike(p, p, true);
    q = p, q.size = 65, expect_alike(p, q, false);
    q = p, q.resize = 70, expect_alike(p, q, false);
    q = p, q.fit = LENS_FIT_PAD, expect_alike(p, q, false);
    q = p, q.filter = LENS_FILTER_LANCZOS, expect_alike(p, q, false);
    q = p, q.corner = LENS_CORNER_FLOOR, expect_alike(p, q, false);
    q = p, q.mean[2] = nextafterf(0.5f, 1), expect_alike(p, q, false);
    q = p, q.std[0] = nextafterf(0.5f, 1), expect_alike(p, q, false);
    const char *names[] = {"squash", "pad", "64", "63", "jina64", "jina63"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        q = p;
        assert_done(lens_preparation_override(&q, names[i], &err), &err);
        expect_alike(p, q, false);
        /* How a crop would lie has no say any more. */
        lens_preparation r = q;
        r.resize = 99;
        r.corner = LENS_CORNER_FLOOR;
        expect_alike(q, r, true);
        for (size_t j = i + 1; j < sizeof names / sizeof *names; j++) {
            r = p;
            assert_done(lens_preparation_override(&r, names[j], &err), &err);
            expect_alike(q, r, false);
        }
    }
}

static void test_pixels_are_normalised(void **state)
{
    (void)state;
    lens_preparation p = usual();
    memcpy(p.mean, (float[3]){0.48145466f, 0.4578275f, 0.40821073f}, sizeof p.mean);
    memcpy(p.std, (float[3]){0.26862954f, 0.26130258f, 0.27577711f}, sizeof p.std);
    lens_image seen;
    lens_error err = {0};
    assert_done(lens_image_new(16, 16, &seen, &err), &err);
    for (int i = 0; i < 16 * 16; i++)
        for (int c = 0; c < 3; c++)
            seen.rgb[3 * i + c] = (uint8_t)(i + 85 * c);
    float pixels[16 * 16 * 3];
    lens_prepare_pixels(&seen, &p, pixels);
    for (int i = 0; i < 16 * 16 * 3; i++) {
        double expected = (seen.rgb[i] / 255.0 - (double)p.mean[i % 3]) / (double)p.std[i % 3];
        if (!(fabs((double)pixels[i] - expected) <= 1e-6)) /* nor NaN */
            fail_msg("%.9f instead of %.9f", (double)pixels[i], expected);
    }
    lens_image_free(&seen);
}

/* To the last bit what two divisions give, for the means and deviations that models have, and for some that no model has. */
static void test_pixels_are_two_divisions(void **state)
{
    (void)state;
    const float usual_ones[][2][3] = {
        {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}},
        {{0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}},
        {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}},
        {{0, 0, 0}, {1, 1, 1}},
        {{0, 0, 0}, {0x1.fffffep-1f, 0x1.fffffep-3f, 0x1.fffffep+5f}}, /* the hardest to divide by */
        {{0.1f, 2, -1}, {1e-38f, 1e-42f, 1e38f}},
        {{0.5f, 0.5f, 0.5f}, {0, 1, -1}},
    };
    unsigned random = 5;
    for (int i = 0; i < 400; i++) {
        lens_preparation p = usual();
        for (int c = 0; c < 3; c++) {
            bool known = (size_t)i < sizeof usual_ones / sizeof *usual_ones;
            random = random * 1664525u + 1013904223u;
            p.mean[c] = known ? usual_ones[i][0][c] : (float)(random >> 8) / (float)(1 << 24);
            random = random * 1664525u + 1013904223u;
            p.std[c] = known ? usual_ones[i][1][c] : (float)(1 + (random >> 8)) / (float)(1 << 24);
        }
        lens_image seen; /* 17 x 17: no whole number of vectors */
        lens_error err = {0};
        assert_done(lens_image_new(17, 17, &seen, &err), &err);
        float pixels[17 * 17 * 3 + 1];
        for (int j = 0; j < 17 * 17 * 3; j++)
            seen.rgb[j] = (uint8_t)(j / 3);
        pixels[17 * 17 * 3] = 7;
        lens_prepare_pixels(&seen, &p, pixels);
        for (int j = 0; j < 17 * 17 * 3; j++) {
            volatile float share = (float)seen.rgb[j] / 255.0f, above = share - p.mean[j % 3], expected = above / p.std[j % 3];
            float wanted = expected;
            if (memcmp(&pixels[j], &wanted, sizeof wanted) != 0)
                fail_msg("(%d / 255 - %a) / %a: %a instead of %a", seen.rgb[j], (double)p.mean[j % 3], (double)p.std[j % 3],
                         (double)pixels[j], (double)wanted);
        }
        assert_true(pixels[17 * 17 * 3] == 7);
        lens_image_free(&seen);
    }
}

static void test_what_cannot_be_prepared_is_refused(void **state)
{
    (void)state;
    lens_image scene = test_scene(10, 10, 1), seen, empty = {0};
    lens_error err = {0};
    lens_preparation p = usual();
    p.resize = 63; /* the crop would reach outside */
    assert_int_equal(lens_prepare_picture(&scene, &p, &seen, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    p = usual();
    p.size = 0;
    assert_int_equal(lens_prepare_picture(&scene, &p, &seen, &err), -1);
    p = usual();
    assert_int_equal(lens_prepare_picture(&empty, &p, &seen, &err), -1);
    lens_image_free(&scene);
    /* A line whose long side passes what can be counted when its short one is resized. */
    lens_image line;
    assert_done(lens_image_new(40000000, 1, &line, &err), &err);
    memset(line.rgb, 7, 3 * 40000000u);
    assert_int_equal(lens_prepare_picture(&line, &p, &seen, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    p.jina = 96;
    assert_int_equal(lens_prepare_picture(&line, &p, &seen, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    lens_image_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop_cuts_the_long_side_and_takes_the_middle),
        cmocka_unit_test(test_squash_and_sides_before),
        cmocka_unit_test(test_jina_sees_the_middle_only),
        cmocka_unit_test(test_pad_keeps_all_of_it_on_the_mean_colour),
        cmocka_unit_test(test_overrides_are_read_strictly),
        cmocka_unit_test(test_descriptions_tell_apart_what_differs),
        cmocka_unit_test(test_pixels_are_normalised),
        cmocka_unit_test(test_pixels_are_two_divisions),
        cmocka_unit_test(test_what_cannot_be_prepared_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
