/* Resampling against a plain twin of its definition: src/pixels/resample.c. With the passes for every kind of processor that this
 * one can stand in for. */
#include <math.h>
#include <sys/resource.h>

#include "pictures.h"
#include "pixels/resample_passes.h"
#include "support.h"

/* One axis by the book: a weight for every input, most of them 0. [out, in], 22 bits behind the point. */
static int32_t *weights_of(int in, int out, lens_filter filter)
{
    int32_t *weights = calloc((size_t)in * (size_t)out, sizeof *weights);
    double *exact = calloc((size_t)in, sizeof *exact);
    assert_true(weights && exact);
    double support = filter == LENS_FILTER_BILINEAR ? 1 : filter == LENS_FILTER_BICUBIC ? 2 : 3;
    double scale = (double)in / out, stretch = scale > 1 ? scale : 1;
    for (int o = 0; o < out; o++) {
        double centre = (o + 0.5) * scale, sum = 0;
        /* Pillow cuts the window to whole inputs before it weighs them. */
        int first = (int)(centre - support * stretch + 0.5), end = (int)(centre + support * stretch + 0.5);
        for (int i = first < 0 ? 0 : first; i < in && i < end; i++) {
            double x = fabs((i - centre + 0.5) * (1 / stretch)), w = 0;
            if (filter == LENS_FILTER_BILINEAR && x < 1)
                w = 1 - x;
            else if (filter == LENS_FILTER_BICUBIC && x < 1)
                w = ((-0.5 + 2) * x - (-0.5 + 3)) * x * x + 1;
            else if (filter == LENS_FILTER_BICUBIC && x < 2)
                w = (((x - 5) * x + 8) * x - 4) * -0.5;
            else if (filter == LENS_FILTER_LANCZOS && x < 3)
                w = x == 0 ? 1 : sin(x * M_PI) / (x * M_PI) * (sin(x / 3 * M_PI) / (x / 3 * M_PI));
            exact[i] = w;
            sum += w;
        }
        for (int i = first < 0 ? 0 : first; i < in && i < end; i++)
            weights[(size_t)o * (size_t)in + (size_t)i] = (int32_t)lround(exact[i] / sum * (1 << 22));
    }
    free(exact);
    return weights;
}

static uint8_t rounded(int64_t sum)
{
    sum = (sum + (1 << 21)) >> 22;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static lens_image twin_across(const lens_image *source, int width, lens_filter filter)
{
    lens_image out;
    lens_error err = {0};
    assert_done(lens_image_new(width, source->height, &out, &err), &err);
    int32_t *weights = weights_of(source->width, width, filter);
    for (int y = 0; y < source->height; y++) {
        for (int x = 0; x < width * 3; x++) {
            int64_t sum = 0;
            for (int i = 0; i < source->width; i++)
                sum += (int64_t)weights[x / 3 * source->width + i] * source->rgb[(y * source->width + i) * 3 + x % 3];
            out.rgb[y * width * 3 + x] = width == source->width ? source->rgb[y * width * 3 + x] : rounded(sum);
        }
    }
    free(weights);
    return out;
}

static lens_image twin_down(const lens_image *source, int height, lens_filter filter)
{
    lens_image out;
    lens_error err = {0};
    assert_done(lens_image_new(source->width, height, &out, &err), &err);
    int32_t *weights = weights_of(source->height, height, filter);
    int row = source->width * 3;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < row; x++) {
            int64_t sum = 0;
            for (int i = 0; i < source->height; i++)
                sum += (int64_t)weights[y * source->height + i] * source->rgb[i * row + x];
            out.rgb[y * row + x] = height == source->height ? source->rgb[y * row + x] : rounded(sum);
        }
    }
    free(weights);
    return out;
}

static lens_image twin(const lens_image *source, int width, int height, lens_filter filter)
{
    int lower = source->height - height;
    bool columns_first = lower > 0 && lower > 2 * (source->width - width);
    lens_image half = columns_first ? twin_down(source, height, filter) : twin_across(source, width, filter);
    lens_image out = columns_first ? twin_across(&half, width, filter) : twin_down(&half, height, filter);
    lens_image_free(&half);
    return out;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static lens_image noise(int width, int height, unsigned *state)
{
    lens_image image;
    lens_error err = {0};
    assert_done(lens_image_new(width, height, &image, &err), &err);
    bool hard = next_random(state) % 3 == 0; /* black and white overshoot the most */
    for (int i = 0; i < width * height * 3; i++)
        image.rgb[i] = hard ? (uint8_t)(next_random(state) % 2 * 255) : (uint8_t)next_random(state);
    return image;
}

static void test_equal_to_the_definition(void **state)
{
    (void)state;
    unsigned random = 1;
    for (int i = 0; i < 300; i++) {
        int limit = i % 3 == 0 ? 5 : i % 3 == 1 ? 40 : 90;
        int width = 1 + (int)next_random(&random) % limit, height = 1 + (int)next_random(&random) % limit;
        int to_width = i % 7 == 0 ? width : 1 + (int)next_random(&random) % 70, to_height = i % 11 == 0 ? height : 1 + (int)next_random(&random) % 70;
        lens_filter filter = (lens_filter)(1 + next_random(&random) % 3);
        lens_image source = noise(width, height, &random), expected = twin(&source, to_width, to_height, filter), got;
        lens_window window = {(int)next_random(&random) % to_width, (int)next_random(&random) % to_height, 0, 0};
        window.width = 1 + (int)next_random(&random) % (to_width - window.x);
        window.height = 1 + (int)next_random(&random) % (to_height - window.y);
        if (i % 2)
            window = (lens_window){0, 0, to_width, to_height};
        lens_error err = {0};
        const lens_resampler *with;
        for (size_t n = 0; (with = lens_resampler_nth(n)); n++) {
            assert_done(lens_resample_with(with, &source, to_width, to_height, window, filter, &got, &err), &err);
            assert_int_equal(got.width, window.width);
            assert_int_equal(got.height, window.height);
            for (int y = 0; y < window.height; y++)
                if (memcmp(got.rgb + 3 * y * window.width, expected.rgb + 3 * ((window.y + y) * to_width + window.x), 3 * (size_t)window.width) != 0)
                    fail_msg("%s: %d x %d to %d x %d, filter %d: row %d of a window at %d, %d", with->name, width, height, to_width, to_height,
                             filter, y, window.x, window.y);
            lens_image_free(&got);
        }
        lens_image_free(&source);
        lens_image_free(&expected);
    }
}

/* The whole of a picture WIDTH x HEIGHT resized, by all passes. */
static void compare(int width, int height, int to_width, int to_height, lens_filter filter, lens_image *source)
{
    lens_image expected = twin(source, to_width, to_height, filter), got;
    lens_error err = {0};
    const lens_resampler *with;
    for (size_t n = 0; (with = lens_resampler_nth(n)); n++) {
        assert_done(lens_resample_with(with, source, to_width, to_height, (lens_window){0, 0, to_width, to_height}, filter, &got, &err), &err);
        if (memcmp(got.rgb, expected.rgb, (size_t)to_width * (size_t)to_height * 3) != 0)
            fail_msg("%s: %d x %d to %d x %d, filter %d", with->name, width, height, to_width, to_height, filter);
        lens_image_free(&got);
    }
    lens_image_free(&expected);
}

static void test_long_pictures_pass_through_little_memory(void **state)
{
    (void)state;
    /* Taller, or wider, than the first pass keeps at a time, in both directions of change. */
    unsigned random = 9;
    const int sides[][2] = {{3000, 50}, {700, 1200}, {1500, 1499}, {40, 900}, {4000, 7}, {9000, 3}};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        lens_image upright = noise(3, sides[i][0], &random), flat = noise(sides[i][0], 3, &random);
        compare(3, sides[i][0], 5, sides[i][1], LENS_FILTER_BICUBIC, &upright);
        compare(sides[i][0], 3, sides[i][1], 5, LENS_FILTER_BICUBIC, &flat);
        lens_image_free(&upright);
        lens_image_free(&flat);
    }
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* Where each output depends on millions of inputs, the weights are made for some outputs at a time: what comes is what windows of one output give. */
static void test_very_long_pictures(void **state)
{
    (void)state;
    enum { LONG = 12 * 1000 * 1000, TO = 9 };
    lens_image source, all, one;
    lens_error err = {0};
    unsigned random = 3;
    assert_done(lens_image_new(LONG, 2, &source, &err), &err);
    for (size_t i = 0; i < (size_t)LONG * 6; i++)
        source.rgb[i] = (uint8_t)(next_random(&random) & 255u >> i / 9000000 % 5); /* brighter and darker, so that outputs differ */
    const long before = peak_kilobytes();
    for (int upright = 0; upright < 2; upright++) {
        const int width = upright ? 3 : TO, height = upright ? TO : 3;
        if (upright)
            source.width = 2, source.height = LONG;
        assert_done(lens_resample(&source, width, height, (lens_window){0, 0, width, height}, LENS_FILTER_BICUBIC, &all, &err), &err);
        for (int i = 0; i < TO; i++) {
            const lens_window window = upright ? (lens_window){0, i, 3, 1} : (lens_window){i, 0, 1, 3};
            assert_done(lens_resample(&source, width, height, window, LENS_FILTER_BICUBIC, &one, &err), &err);
            for (size_t k = 0; k < 3; k++)
                assert_memory_equal(all.rgb + 3 * (upright ? (size_t)i * 3 + k : k * TO + (size_t)i), one.rgb + 3 * k, 3);
            lens_image_free(&one);
        }
        assert_true(all.rgb[0] != all.rgb[3 * (TO - 1)] || upright);
        lens_image_free(&all);
    }
    const long more = peak_kilobytes() - before;
    printf("measured: a picture of %d x 2 pixels (72 MB) is resized to %d x 3 and back with %.0f MB more\n", (int)LONG, (int)TO, (double)more / 1024);
#ifndef __SANITIZE_ADDRESS__
    assert_true(more < 220 * 1024);
#endif
    lens_image_free(&source);
}

static void test_extremes(void **state)
{
    (void)state;
    /* White and black side by side weigh the most, the widest filter has the largest weights at the borders of what it enlarges. */
    const int sides[] = {1, 2, 3, 21, 22, 43, 64, 300};
    enum { SIDES = sizeof sides / sizeof *sides };
    for (int i = 0; i < SIDES * SIDES * 3; i++) {
        int from = sides[i % SIDES], to = sides[i / SIDES % SIDES], cut = i / SIDES / SIDES;
        for (int across = 0; across < 2; across++) {
            int width = across ? from : 5, height = across ? 5 : from;
            lens_image source;
            lens_error err = {0};
            assert_done(lens_image_new(width, height, &source, &err), &err);
            for (int p = 0; p < width * height; p++) {
                int place = across ? p % width : p / width;
                memset(source.rgb + 3 * p, cut == 0 || place % 7 < 3 * cut ? 255 : 0, 3);
            }
            for (lens_filter filter = LENS_FILTER_BILINEAR; filter <= LENS_FILTER_LANCZOS; filter++)
                compare(width, height, across ? to : 4, across ? 6 : to, filter, &source);
            lens_image_free(&source);
        }
    }
}

static void test_there_is_always_a_way(void **state)
{
    (void)state;
    assert_non_null(lens_resampler_nth(0));
    size_t count = 0;
    while (lens_resampler_nth(count))
        printf("measured: passes for %s\n", lens_resampler_nth(count++)->name);
    assert_string_equal(lens_resampler_nth(count - 1)->name, "plain");
    assert_null(lens_resampler_nth(count + 1));
}

static void test_one_colour_stays(void **state)
{
    (void)state;
    lens_image source;
    lens_error err = {0};
    assert_done(lens_image_new(31, 17, &source, &err), &err);
    for (int value = 0; value < 256; value += 51) {
        memset(source.rgb, value, 31 * 17 * 3);
        for (lens_filter filter = LENS_FILTER_NEAREST; filter <= LENS_FILTER_LANCZOS; filter++) {
            lens_image got;
            assert_done(lens_resample(&source, 50, 9, (lens_window){0, 0, 50, 9}, filter, &got, &err), &err);
            for (int i = 0; i < 50 * 9 * 3; i++)
                assert_int_equal(got.rgb[i], value);
            lens_image_free(&got);
        }
    }
    lens_image_free(&source);
}

static void test_nearest_takes_the_pixel_at_the_middle(void **state)
{
    (void)state;
    lens_image source = test_scene(37, 23, 4), got;
    lens_error err = {0};
    lens_window window = {3, 2, 60, 30};
    assert_done(lens_resample(&source, 74, 46, window, LENS_FILTER_NEAREST, &got, &err), &err); /* each pixel twice, both ways */
    for (int y = 0; y < window.height; y++)
        for (int x = 0; x < window.width; x++)
            assert_memory_equal(got.rgb + 3 * (y * window.width + x), source.rgb + 3 * ((y + window.y) / 2 * 37 + (x + window.x) / 2), 3);
    lens_image_free(&got);
    assert_done(lens_resample(&source, 37, 23, (lens_window){0, 0, 37, 23}, LENS_FILTER_NEAREST, &got, &err), &err);
    assert_memory_equal(got.rgb, source.rgb, 37 * 23 * 3);
    lens_image_free(&got);
    lens_image_free(&source);
}

static void test_windows_outside_are_refused(void **state)
{
    (void)state;
    lens_image source = test_scene(10, 10, 4), got;
    lens_error err = {0};
    const lens_window windows[] = {{0, 0, 0, 1}, {0, 0, 1, 0}, {-1, 0, 1, 1}, {0, -1, 1, 1}, {5, 0, 6, 1}, {0, 5, 1, 6}, {INT32_MAX, 0, INT32_MAX, 1}};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        assert_int_equal(lens_resample(&source, 10, 10, windows[i], LENS_FILTER_BICUBIC, &got, &err), -1);
        assert_int_equal(err.code, LENS_E_ARGUMENT);
        assert_null(got.rgb);
    }
    assert_int_equal(lens_resample(&source, 0, 10, (lens_window){0, 0, 1, 1}, LENS_FILTER_BICUBIC, &got, &err), -1);
    lens_image empty = {0};
    assert_int_equal(lens_resample(&empty, 10, 10, (lens_window){0, 0, 1, 1}, LENS_FILTER_BICUBIC, &got, &err), -1);
    lens_image_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_to_the_definition),
        cmocka_unit_test(test_long_pictures_pass_through_little_memory),
        cmocka_unit_test(test_very_long_pictures),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_there_is_always_a_way),
        cmocka_unit_test(test_one_colour_stays),
        cmocka_unit_test(test_nearest_takes_the_pixel_at_the_middle),
        cmocka_unit_test(test_windows_outside_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
