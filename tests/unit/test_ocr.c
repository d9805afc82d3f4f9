/* Text inside pictures: lettering of our own, pictures without any, and pictures of absurd sizes. */
#include <dirent.h>
#include <pthread.h>

#include "base/text.h"
#include "lettering.h"
#include "ocr/lines.h"
#include "ocr/ocr.h"
#include "support.h"

/* A reader of English, or the test skips itself, saying why. */
static lens_reader *open_reader(void)
{
    lens_error error = {0};
    lens_reader *reader = lens_reader_open("eng", &error);
    if (!reader) {
        assert_true(error.code == LENS_E_UNSUPPORTED || error.code == LENS_E_MISSING);
        assert_says(&error, "apt-get install");
        printf("skipped: %s\n", error.message);
        skip();
    }
    return reader;
}

/* What READER makes of IMAGE. The caller frees. */
static lens_buffer text_of(lens_reader *reader, const lens_image *image, float *confidence)
{
    lens_buffer text = {0};
    lens_error error = {0};
    assert_done(lens_reader_read(reader, image, &text, confidence, &error), &error);
    return text;
}

/* Fails unless READER reads TEXT in IMAGE, and is sure of it. Frees IMAGE. */
static void expect(lens_reader *reader, lens_image *image, const char *text)
{
    float confidence = -1;
    lens_buffer found = text_of(reader, image, &confidence);
    assert_string_equal(found.data ? found.data : "", text);
    if (*text)
        assert_true(confidence > 0.6f && confidence <= 1);
    else
        assert_true(confidence == 0);
    lens_buffer_free(&found);
    lens_image_free(image);
}

static void test_outlined_letters_over_noise(void **state)
{
    (void)state;
    lens_reader *reader = open_reader();
    lens_image image = test_noise(520, 300, 1);
    test_letter(&image, "HELLO WORLD", 30, 12, 40, 255, 0);
    test_letter(&image, "NO TEA FOR ME", 20, 240, 36, 255, 0);
    expect(reader, &image, "HELLO WORLD\nNO TEA FOR ME");

    /* A light ground shines through where the outline closes around it. */
    image = test_plain(520, 80, 216);
    test_letter(&image, "NO DAD OR ROAD", 20, 20, 40, 255, 0);
    expect(reader, &image, "NO DAD OR ROAD");
    lens_reader_free(reader);
}

static void test_dark_letters_and_bright_ones(void **state)
{
    (void)state;
    lens_reader *reader = open_reader();
    lens_image image = test_plain(420, 80, 255);
    test_letter(&image, "HELLO WORLD", 20, 20, 30, 0, -1);
    expect(reader, &image, "HELLO WORLD");

    image = test_plain(420, 80, 40);
    test_letter(&image, "HELLO WORLD", 20, 20, 30, 250, -1);
    expect(reader, &image, "HELLO WORLD");

    /* Yellow, of which white has nothing. */
    image = test_plain(420, 80, 30);
    test_letter(&image, "HELLO WORLD", 20, 20, 30, 255, -1);
    for (size_t i = 2; i < (size_t)420 * 80 * 3; i += 3)
        image.rgb[i] = 30;
    expect(reader, &image, "HELLO WORLD");

    /* Two columns are read side by side, a dark row between bright ones in its place. */
    image = test_plain(700, 200, 255);
    memset(image.rgb + (size_t)700 * 80 * 3, 0, (size_t)700 * 50 * 3);
    test_letter(&image, "THE MAN", 440, 19, 30, 0, -1);
    test_letter(&image, "HELLO", 30, 22, 30, 0, -1);
    test_letter(&image, "TEA TIME", 30, 90, 30, 255, -1);
    test_letter(&image, "LATER", 30, 150, 30, 0, -1);
    expect(reader, &image, "HELLO\nTHE MAN\nTEA TIME\nLATER");
    lens_reader_free(reader);
}

static void test_text_is_appended(void **state)
{
    (void)state;
    lens_reader *reader = open_reader();
    lens_image image = test_plain(420, 80, 255);
    test_letter(&image, "HELLO", 20, 20, 30, 0, -1);
    lens_buffer text = {0};
    lens_error error = {0};
    lens_buffer_print(&text, "before: ");
    assert_done(lens_reader_read(reader, &image, &text, NULL, &error), &error);
    assert_string_equal(text.data, "before: HELLO");
    lens_buffer_free(&text);
    lens_image_free(&image);
    lens_reader_free(reader);
}

static void test_pictures_without_text(void **state)
{
    (void)state;
    lens_reader *reader = open_reader();
    static const int tones[] = {0, 128, 255};
    for (size_t i = 0; i < 3; i++) {
        lens_image image = test_plain(300, 200, tones[i]);
        expect(reader, &image, "");
    }
    lens_image image = test_noise(300, 200, 2);
    expect(reader, &image, "");
    image = test_plain(300, 200, 255);
    for (int y = 40; y < 160; y++)
        memset(image.rgb + 3 * (300 * y + 50), 0, (size_t)3 * 120);
    expect(reader, &image, "");
    lens_reader_free(reader);
}

static void test_any_size(void **state)
{
    (void)state;
    lens_reader *reader = open_reader();
    static const int sizes[][2] = {{1, 1}, {1, 10000}, {10000, 1}, {2, 2}, {3, 40}, {60000, 12}, {12, 60000}, {5000, 4000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lens_image image = test_noise(sizes[i][0], sizes[i][1], (unsigned)i);
        lens_buffer text = text_of(reader, &image, NULL);
        lens_buffer_free(&text);
        lens_image_free(&image);
    }
    /* Nothing but letters, and nothing but what could be some, so that all bounds are met. */
    lens_image image = test_plain(1400, 1000, 255);
    for (int y = 0; y < 1000; y += 20)
        test_letter(&image, "TTHHMMKKRRLLWWIIEETTHHMMKKRRLLWWIIEETTHHMMKKRRLLWWIIEETTHHMMKKRRLLWWIIEETTHHMMKKRRLLWWIIEE", 0, y, 14, 0, -1);
    lens_buffer text = text_of(reader, &image, NULL);
    assert_true(text.size > 100 && lens_utf8_valid(text.data, text.size));
    lens_buffer_free(&text);
    lens_image_free(&image);
    image = test_plain(375, 4000, 255);
    for (int y = 0; y < 4000; y++)
        for (int x = 0; x < 375; x += 3)
            memset(image.rgb + 3 * (375 * y + x), y % 14 < 12 ? 0 : 255, 3);
    text = text_of(reader, &image, NULL);
    lens_buffer_free(&text);
    lens_image_free(&image);
    image = test_plain(4000, 5000, 90);
    test_letter(&image, "HELLO WORLD", 200, 1000, 400, 255, 0);
    expect(reader, &image, "HELLO WORLD");
    lens_reader_free(reader);
}

static size_t threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    size_t count = 0;
    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count;
}

/* Tesseract would start four, and two readers would keep eight busy with waiting. */
static void test_reading_starts_no_threads(void **state)
{
    (void)state;
    size_t before = threads();
    lens_reader *reader = open_reader();
    lens_image image = test_plain(420, 80, 255);
    test_letter(&image, "HELLO WORLD", 20, 20, 30, 0, -1);
    expect(reader, &image, "HELLO WORLD");
    assert_int_equal(threads(), before);
    lens_reader_free(reader);
}

static void *read_often(void *data)
{
    size_t *right = data;
    lens_error error = {0};
    lens_reader *reader = lens_reader_open("eng", &error);
    lens_image image = test_plain(420, 80, 255);
    test_letter(&image, "HELLO WORLD", 20, 20, 30, 0, -1);
    for (int i = 0; reader && i < 5; i++) {
        lens_buffer text = {0};
        *right += lens_reader_read(reader, &image, &text, NULL, &error) == 0 && text.data && strcmp(text.data, "HELLO WORLD") == 0;
        lens_buffer_free(&text);
    }
    lens_image_free(&image);
    lens_reader_free(reader);
    return NULL;
}

static void test_readers_side_by_side(void **state)
{
    (void)state;
    lens_reader_free(open_reader());
    pthread_t running[3];
    size_t right[3] = {0};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&running[i], NULL, read_often, &right[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(running[i], NULL);
        assert_int_equal(right[i], 5);
    }
}

static void test_languages(void **state)
{
    (void)state;
    lens_reader *reader = open_reader();
    const char *version = lens_reader_version(reader);
    assert_memory_equal(version, "tesseract 5.", 12);
    assert_non_null(strstr(version, " eng 1"));
    lens_reader_free(reader);

    lens_error error = {0};
    static const char *const absent[] = {"xyz", "eng+xyz", "xyz+eng"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        assert_null(lens_reader_open(absent[i], &error));
        assert_int_equal(error.code, LENS_E_MISSING);
        assert_says(&error, "apt-get install tesseract-ocr-xyz");
    }
    static const char *const wrong[] = {"", "+", "eng+", "+eng", "eng++eng", "../eng", "eng deu", "~eng"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(lens_reader_open(wrong[i], &error));
        assert_int_equal(error.code, LENS_E_ARGUMENT);
    }
}

/* Without tesseract: the letters of outlined text stand in one line, and the noise between them in none. */
static void test_lines_are_found_in_noise(void **state)
{
    (void)state;
    enum { WIDTH = 520, HEIGHT = 100 };
    lens_image image = test_noise(WIDTH, HEIGHT, 3);
    test_letter(&image, "HELLO WORLD", 30, 30, 40, 255, 0);
    uint8_t white[WIDTH * HEIGHT], dark[WIDTH * HEIGHT];
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        const uint8_t *p = image.rgb + 3 * i;
        int low = p[0] < p[1] ? p[0] : p[1], high = p[0] > p[1] ? p[0] : p[1];
        white[i] = (uint8_t)(low < p[2] ? low : p[2]);
        dark[i] = (uint8_t)(255 - (high > p[2] ? high : p[2]));
    }
    lens_ocr_lines lines;
    lens_error error = {0};
    assert_done(lens_ocr_lines_find(&(lens_ocr_plane){WIDTH, HEIGHT, white}, &(lens_ocr_plane){WIDTH, HEIGHT, dark}, &lines, &error), &error);
    assert_int_equal(lines.count, 1);
    assert_int_equal(lines.lines[0].letters, 10);
    assert_in_range(lines.lines[0].height, 36, 44);
    uint8_t *grey;
    int width, height;
    assert_done(lens_ocr_line_draw(&lines, 0, &(lens_ocr_plane){WIDTH, HEIGHT, white}, 1, &grey, &width, &height, &error), &error);
    assert_true(height > 40 && height < 60 && width > height * 5);
    assert_int_equal(grey[0], 255);
    free(grey);
    lens_ocr_lines_free(&lines);
    lens_image_free(&image);
}

/* What shines through an outlined O is as bright as ink may be, but duller than the letter. */
static void test_what_shines_through_is_left_out(void **state)
{
    (void)state;
    enum { WIDTH = 300, HEIGHT = 80 };
    lens_image image = test_plain(WIDTH, HEIGHT, 216);
    test_letter(&image, "OOOO", 20, 20, 40, 255, 0);
    uint8_t white[WIDTH * HEIGHT], dark[WIDTH * HEIGHT];
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        white[i] = image.rgb[3 * i], dark[i] = (uint8_t)(255 - white[i]);
    lens_ocr_lines lines;
    lens_error error = {0};
    assert_done(lens_ocr_lines_find(&(lens_ocr_plane){WIDTH, HEIGHT, white}, &(lens_ocr_plane){WIDTH, HEIGHT, dark}, &lines, &error), &error);
    assert_int_equal(lines.count, 1);
    assert_int_equal(lines.lines[0].letters, 4);
    enum { THROUGH = 40 * WIDTH + 36, BESIDE = 40 * WIDTH + 25 };
    assert_int_equal(white[THROUGH], 216);
    assert_int_equal(lines.line_at[THROUGH], 0);
    assert_int_equal(white[BESIDE], 255);
    assert_int_equal(lines.line_at[BESIDE], 1);
    lens_ocr_lines_free(&lines);
    lens_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_starts_no_threads), /* first: threads that were started once stay */
        cmocka_unit_test(test_outlined_letters_over_noise), cmocka_unit_test(test_dark_letters_and_bright_ones),
        cmocka_unit_test(test_text_is_appended),            cmocka_unit_test(test_pictures_without_text),
        cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_readers_side_by_side),        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_lines_are_found_in_noise),    cmocka_unit_test(test_what_shines_through_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
