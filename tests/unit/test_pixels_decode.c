/* Any picture file to upright, opaque RGB: src/pixels/decode.c and what stands behind it. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/text.h"
#include "pictures.h"
#include "pixels/decode.h"
#include "support.h"

enum { WIDTH = 83, HEIGHT = 61 }; /* no multiple of any block */

static lens_image decode(const lens_buffer *bytes, lens_format *format)
{
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image image;
    lens_error err = {0};
    assert_done(lens_decode(bytes->data, bytes->size, &limits, &image, format, &err), &err);
    return image;
}

static int decode_code(const void *bytes, size_t size, uint64_t max_pixels, lens_error *err)
{
    lens_decode_limits limits = {max_pixels};
    lens_image image;
    if (lens_decode(bytes, size, &limits, &image, NULL, err) == 0) {
        lens_image_free(&image);
        return LENS_E_NONE;
    }
    assert_null(image.rgb);
    assert_true(strlen(err->message) > 0 && !strchr(err->message, '\n'));
    return err->code;
}

static void test_every_kind_gives_its_scene(void **state)
{
    (void)state;
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        lens_buffer bytes = test_picture(kind, WIDTH, HEIGHT, 5);
        lens_image scene = test_scene_of(kind, WIDTH, HEIGHT, 5);
        lens_format format = LENS_FORMAT_NONE;
        lens_image image = decode(&bytes, &format);
        assert_int_equal(format, test_kind_format(kind));
        if (test_kind_tolerance(kind) >= 0) {
            double difference = test_difference(&image, &scene);
            if (!(difference <= test_kind_tolerance(kind))) /* nor NaN */
                fail_msg("%s: %.2f from its scene", test_kind_name(kind), difference);
        }
        lens_image_free(&image);
        lens_image_free(&scene);
        lens_buffer_free(&bytes);
    }
}

static void test_every_orientation_comes_out_upright(void **state)
{
    (void)state;
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        lens_image scene = test_scene_of(kind, WIDTH, HEIGHT, 6);
        for (int orientation = 1; orientation <= 8 && test_kind_turns(kind); orientation++) {
            lens_buffer bytes = test_picture_turned(kind, WIDTH, HEIGHT, 6, orientation);
            lens_image image = decode(&bytes, NULL);
            double difference = test_difference(&image, &scene);
            if (!(difference <= test_kind_tolerance(kind))) /* nor NaN */
                fail_msg("%s turned by %d: %.2f from its scene", test_kind_name(kind), orientation, difference);
            lens_image_free(&image);
            lens_buffer_free(&bytes);
        }
        lens_image_free(&scene);
    }
}

static void test_svg_is_drawn_large_enough_and_not_larger(void **state)
{
    (void)state;
    const struct {
        const char *width, *height;
        int wide, high;
    } cases[] = {
        {"24", "24", 512, 512},          /* an icon */
        {"100", "50", 1024, 512},
        {"3000", "2000", 3000, 2000},    /* large enough as it is */
        {"60000", "30000", 4096, 2048},
        {"40000", "10", 4096, 1},
        {"100000", "10", 10000, 1}, /* a line stays one */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_buffer bytes = {0};
        lens_buffer_print(&bytes, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%s\" height=\"%s\"><rect width=\"50%%\" height=\"100%%\" fill=\"#c03\"/></svg>",
                          cases[i].width, cases[i].height);
        lens_image image = decode(&bytes, NULL);
        assert_int_equal(image.width, cases[i].wide);
        assert_int_equal(image.height, cases[i].high);
        if (cases[i].high > 1) { /* half of it is drawn on, the other shows the white it lies on */
            assert_memory_equal(image.rgb + 3 * 4, "\xcc\x00\x33", 3);
            assert_memory_equal(image.rgb + 3 * (image.width - 4), "\xff\xff\xff", 3);
        }
        lens_image_free(&image);
        lens_buffer_free(&bytes);
    }
    const char *none[] = {"<svg xmlns='http://www.w3.org/2000/svg' width='0' height='0'/>",
                          "<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1e9'/>"};
    for (size_t i = 0; i < 2; i++) {
        lens_error err = {0};
        assert_int_not_equal(decode_code(none[i], strlen(none[i]), 1 << 24, &err), LENS_E_NONE);
    }
}

/* A drawing of nothing but the picture at ADDRESS, and how many of its values are not white. */
static int drawn_from(const char *address)
{
    lens_buffer bytes = {0};
    lens_buffer_print(&bytes, "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"600\" height=\"600\">"
                      "<image xlink:href=\"%s\" width=\"600\" height=\"600\"/></svg>", address);
    lens_image image = decode(&bytes, NULL);
    int count = 0;
    for (int i = 0; i < image.width * image.height * 3; i++)
        count += image.rgb[i] != 255;
    lens_image_free(&image);
    lens_buffer_free(&bytes);
    return count;
}

static void test_svg_reaches_no_other_file(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *inner = test_path(folder, "inner.png"), *address = test_path("file:///", "%s", inner + 1);
    test_picture_write(inner, TEST_PNG, 64, 64, 1);
    lens_buffer png = test_read(inner), within = {0};
    lens_buffer_print(&within, "data:image/png;base64,");
    assert_int_equal(lens_base64_encode(png.data, png.size, &within), 0);
    assert_true(drawn_from(within.data) > 600 * 600); /* it would be drawn, if it were reached */
    assert_int_equal(drawn_from(address), 0);
    assert_int_equal(drawn_from(inner), 0);
    lens_buffer_free(&png), lens_buffer_free(&within);
    free(inner), free(address);
    test_folder_remove(folder);
}

/* What is written to standard error while this runs goes to a file; its size is returned at the end. */
static int silence_begin(const char *path)
{
    fflush(stderr);
    int saved = dup(2), file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(saved >= 0 && file >= 0);
    dup2(file, 2);
    close(file);
    return saved;
}

static lens_buffer silence_end(int saved, const char *path)
{
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    return test_read(path);
}

/* Cuts a file of KIND at many places. NULL when all is well; nothing is asserted, for standard error is not there. */
static const char *cut_everywhere(test_kind kind)
{
    static char wrong[300];
    const int cuts = 24;
    lens_decode_limits limits = lens_decode_limits_default();
    lens_buffer bytes = test_picture(kind, WIDTH, HEIGHT, 7);
    lens_image whole = decode(&bytes, NULL);
    int refused = 0, said = 0;
    wrong[0] = '\0';
    for (int i = 1; i < cuts; i++) {
        size_t size = bytes.size * (size_t)i / (size_t)cuts;
        char *exact = malloc(size);
        memcpy(exact, bytes.data, size);
        lens_image image;
        lens_error err = {0};
        if (lens_decode(exact, size, &limits, &image, NULL, &err) == 0) {
            /* Right only where the first frame is all there. */
            if (kind != TEST_GIF_ANIMATED || test_difference(&image, &whole) != 0)
                snprintf(wrong, sizeof wrong, "%s: taken with %zu of %zu bytes", test_kind_name(kind), size, bytes.size);
            lens_image_free(&image);
        } else {
            refused++;
            said += strstr(err.message, "truncated") != NULL;
            if (err.code != LENS_E_FORMAT || strchr(err.message, '\n'))
                snprintf(wrong, sizeof wrong, "%s: %s", test_kind_name(kind), err.message);
        }
        free(exact);
    }
    if (refused < cuts / 8)
        snprintf(wrong, sizeof wrong, "%s: %d refused", test_kind_name(kind), refused);
    /* The first few bytes alone may not even be known for a picture. */
    if (said < refused - 1)
        snprintf(wrong, sizeof wrong, "%s: %d of %d refusals name the reason", test_kind_name(kind), said, refused);
    lens_image_free(&whole);
    lens_buffer_free(&bytes);
    return wrong[0] ? wrong : NULL;
}

static void test_truncated_files_are_refused_without_a_sound(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "stderr");
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        int saved = silence_begin(path);
        const char *wrong = cut_everywhere(kind);
        lens_buffer printed = silence_end(saved, path);
        if (wrong)
            fail_msg("%s", wrong);
        /* libjxl's own words cannot be helped; see decode_vips.c. */
        if (printed.size && strncmp(printed.data, "./lib/jxl/", 10) != 0)
            fail_msg("%s printed: %s", test_kind_name(kind), printed.data);
        lens_buffer_free(&printed);
    }
    free(path);
    test_folder_remove(folder);
}

static void test_what_is_no_picture_is_refused(void **state)
{
    (void)state;
    lens_error err = {0};
    assert_int_equal(decode_code("", 0, 1000, &err), LENS_E_FORMAT);
    assert_string_equal(err.message, "empty file");
    assert_int_equal(decode_code("some text", 9, 1000, &err), LENS_E_FORMAT);
    assert_string_equal(err.message, "not a picture");
    /* The first bytes of each format, and nothing that goes on from there. */
    const char *beginnings[] = {"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF89a", "RIFF\x10\1\1\1WEBPVP8 ", "\1\1\1 ftypheic\1\1\1\1",
                                "MM\1*", "\xff\x0a", "BM", "P6\n", "<svg>", "\xff\x4f\xff\x51"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        for (size_t more = 0; more < 40; more += 13) {
            char bytes[80] = {0};
            size_t length = strlen(beginnings[i]);
            memset(bytes, 'x', sizeof bytes);
            memcpy(bytes, beginnings[i], length);
            assert_int_not_equal(decode_code(bytes, length + more, 1000, &err), LENS_E_NONE);
        }
    }
}

static void test_size_is_limited_for_every_kind(void **state)
{
    (void)state;
    lens_error err = {0};
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        lens_buffer bytes = test_picture(kind, WIDTH, HEIGHT, 8);
        if (decode_code(bytes.data, bytes.size, WIDTH * HEIGHT - 1, &err) != LENS_E_LIMIT)
            fail_msg("%s: %s", test_kind_name(kind), err.message);
        assert_says(&err, "pixels, more than the 5062 allowed");
        if (kind != TEST_SVG)
            assert_int_equal(decode_code(bytes.data, bytes.size, WIDTH * HEIGHT, &err), LENS_E_NONE);
        lens_buffer_free(&bytes);
    }
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void test_bombs_are_refused_from_their_headers(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_buffer png = test_png_bomb(60000, 60000), none = test_png_bomb(0, 1000), jpeg = test_picture(TEST_JPEG_444, 16, 16, 1);
    assert_int_equal(decode_code(none.data, none.size, 100000000, &err), LENS_E_FORMAT);
    long before = peak_kilobytes();
    assert_int_equal(decode_code(png.data, png.size, 100000000, &err), LENS_E_LIMIT);
    assert_string_equal(err.message, "60000 x 60000 pixels, more than the 100000000 allowed");
    for (size_t i = 0; i + 9 < jpeg.size; i++) /* the size behind SOF0 */
        if (memcmp(jpeg.data + i, "\xff\xc0\0\x11\x08", 5) == 0)
            memcpy(jpeg.data + i + 5, "\xff\xdc\xff\xdc", 4);
    assert_int_equal(decode_code(jpeg.data, jpeg.size, 100000000, &err), LENS_E_LIMIT);
    assert_says(&err, "65500 x 65500 pixels");
    const char *bmp = "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\0\0\1\0\0\0\1\0\1\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_int_equal(decode_code(bmp, 56, 100000000, &err), LENS_E_LIMIT);
    const char *pnm = "P6 60000 60000 255\n";
    assert_int_equal(decode_code(pnm, strlen(pnm), 100000000, &err), LENS_E_LIMIT);
    long more = peak_kilobytes() - before;
    printf("measured: %ld kB more to refuse four bombs\n", more);
    assert_true(more < 64 * 1024); /* one of them decoded would take gigabytes */
    lens_buffer_free(&png);
    lens_buffer_free(&none);
    lens_buffer_free(&jpeg);
}

/* A JPEG whose colours are sampled 1x1, 2x1, 1x1, which TurboJPEG has no name for; all its coefficients are zero. */
static void test_jpeg_of_odd_sampling(void **state)
{
    (void)state;
    lens_buffer jpeg = test_picture(TEST_JPEG_444, 16, 8, 1);
    size_t scan = 0;
    for (size_t i = 0; i + 20 < jpeg.size; i++) {
        if (memcmp(jpeg.data + i, "\xff\xc0\0\x11\x08", 5) == 0)
            jpeg.data[i + 14] = 0x21;
        if (memcmp(jpeg.data + i, "\xff\xda\0\x0c\x03", 5) == 0)
            scan = i + 14;
    }
    assert_true(scan > 0);
    jpeg.size = scan;
    assert_int_equal(lens_buffer_append(&jpeg, "\x28\x00\x3f\xff\xd9", 5), 0);
    lens_image image = decode(&jpeg, NULL);
    assert_int_equal(image.width, 16);
    assert_int_equal(image.height, 8);
    for (int i = 0; i < 16 * 8 * 3; i++)
        assert_int_equal(image.rgb[i], 128);
    lens_image_free(&image);
    lens_buffer_free(&jpeg);
}

static void test_harmless_faults_of_a_jpeg_pass(void **state)
{
    (void)state;
    lens_buffer jpeg = test_picture(TEST_JPEG_420, WIDTH, HEIGHT, 2);
    lens_image whole = decode(&jpeg, NULL);
    /* Bytes that belong to nothing, between two segments and behind the end. */
    lens_buffer odd = {0};
    lens_buffer_append(&odd, jpeg.data, 2);
    lens_buffer_append(&odd, "\xff\xe5\0\4ab...", 9);
    lens_buffer_append(&odd, jpeg.data + 2, jpeg.size - 2);
    lens_buffer_append(&odd, "trailing bytes", 14);
    lens_image image = decode(&odd, NULL);
    assert_true(test_difference(&image, &whole) == 0);
    lens_image_free(&image);
    /* The same fault and a missing end: libjpeg tells only the first of the two. */
    odd.size -= 14 + jpeg.size / 4;
    lens_error err = {0};
    assert_int_equal(decode_code(odd.data, odd.size, 1 << 20, &err), LENS_E_FORMAT);
    assert_says(&err, "truncated JPEG");
    lens_image_free(&whole);
    lens_buffer_free(&odd);
    lens_buffer_free(&jpeg);
}

typedef struct worker {
    test_kind kind;
    lens_buffer good, bad;
    lens_image image;   /* of GOOD, and the reason against BAD, both got while no one else was at it */
    char reason[sizeof ((lens_error *)0)->message];
    int wrong;
    pthread_t thread;
} worker;

static void *work(void *data)
{
    worker *w = data;
    lens_decode_limits limits = lens_decode_limits_default();
    for (int i = 0; i < 60; i++) {
        lens_image image;
        lens_error err = {0};
        if (lens_decode(w->bad.data, w->bad.size, &limits, &image, NULL, &err) == 0 || strcmp(err.message, w->reason) != 0)
            w->wrong++;
        if (lens_decode(w->good.data, w->good.size, &limits, &image, NULL, &err) != 0 || image.width != w->image.width ||
            memcmp(image.rgb, w->image.rgb, (size_t)image.width * (size_t)image.height * 3) != 0)
            w->wrong++;
        lens_image_free(&image);
    }
    return NULL;
}

static void test_threads_keep_their_pictures_and_reasons_apart(void **state)
{
    (void)state;
    worker workers[] = {{.kind = TEST_PNG}, {.kind = TEST_GIF}, {.kind = TEST_TIFF}, {.kind = TEST_SVG}, {.kind = TEST_JP2}, {.kind = TEST_BMP}};
    const size_t count = sizeof workers / sizeof *workers;
    for (size_t i = 0; i < count; i++) {
        worker *w = &workers[i];
        w->good = test_picture(w->kind, WIDTH, HEIGHT, (unsigned)i);
        w->bad = test_picture(w->kind, WIDTH, HEIGHT, (unsigned)i);
        w->bad.size = w->bad.size * 3 / 4;
        w->image = decode(&w->good, NULL);
        lens_error err = {0};
        assert_int_equal(decode_code(w->bad.data, w->bad.size, 1 << 20, &err), LENS_E_FORMAT);
        snprintf(w->reason, sizeof w->reason, "%s", err.message);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(w->reason, workers[j].reason);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (size_t i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < count; i++) {
        if (workers[i].wrong)
            fail_msg("%s: %d wrong", test_kind_name(workers[i].kind), workers[i].wrong);
        lens_buffer_free(&workers[i].good);
        lens_buffer_free(&workers[i].bad);
        lens_image_free(&workers[i].image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bombs_are_refused_from_their_headers), /* first, while the process is small */
        cmocka_unit_test(test_every_kind_gives_its_scene),
        cmocka_unit_test(test_every_orientation_comes_out_upright),
        cmocka_unit_test(test_svg_is_drawn_large_enough_and_not_larger),
        cmocka_unit_test(test_svg_reaches_no_other_file),
        cmocka_unit_test(test_truncated_files_are_refused_without_a_sound),
        cmocka_unit_test(test_what_is_no_picture_is_refused),
        cmocka_unit_test(test_size_is_limited_for_every_kind),
        cmocka_unit_test(test_jpeg_of_odd_sampling),
        cmocka_unit_test(test_harmless_faults_of_a_jpeg_pass),
        cmocka_unit_test(test_threads_keep_their_pictures_and_reasons_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
