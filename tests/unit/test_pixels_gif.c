/* GIFs whose first frame leaves some of the picture open: src/pixels/decode_gif.c. */
#include "pictures.h"
#include "pixels/decode.h"
#include "support.h"

enum { WIDTH = 4, HEIGHT = 3, WHITE = 255 };

/* Where the first frame is; MARK: its transparent colour, -1 for none; WORDS stand before it in a comment. */
typedef struct gif {
    int left, top, width, height, mark;
    const char *words;
} gif;

/* A picture of WIDTH x HEIGHT; each of its first frame's pixels, of which there may be six, is colour 1, 10, 20, 30. */
static size_t make(const gif *of, uint8_t *bytes)
{
    static const uint8_t begin[] = {'G', 'I', 'F', '8', '9', 'a', WIDTH, 0, HEIGHT, 0, 0x80, 0, 0, 90, 90, 90, 10, 20, 30};
    size_t at = sizeof begin;
    memcpy(bytes, begin, at);
    if (of->words) {
        const size_t length = strlen(of->words);
        memcpy(bytes + at, (const uint8_t[]){0x21, 0xfe, (uint8_t)length}, 3);
        memcpy(bytes + at + 3, of->words, length + 1);
        at += 3 + length + 1;
    }
    if (of->mark >= 0) {
        memcpy(bytes + at, (const uint8_t[]){0x21, 0xf9, 4, 1, 0, 0, (uint8_t)of->mark, 0}, 8);
        at += 8;
    }
    const uint8_t frame[] = {0x2c, (uint8_t)of->left, 0, (uint8_t)of->top, 0, (uint8_t)of->width, 0, (uint8_t)of->height, 0, 0, 2};
    memcpy(bytes + at, frame, sizeof frame);
    at += sizeof frame;
    /* Codes of three bits, the lowest first: 4 empties the list of runs, so that it stays three bits; 5 is the end. */
    unsigned codes = 0, used = 0;
    uint8_t *length = &bytes[at++];
    for (int i = 0; i <= of->width * of->height; i++) {
        const unsigned two = i < of->width * of->height ? 4 | 1 << 3 : 5;
        codes |= two << used;
        for (used += 6; used >= 8; used -= 8, codes >>= 8)
            bytes[at++] = (uint8_t)codes;
    }
    bytes[at++] = (uint8_t)codes;
    *length = (uint8_t)(&bytes[at] - length - 1);
    bytes[at++] = 0;
    bytes[at++] = 0x3b;
    return at;
}

static void test_what_the_first_frame_leaves_open_is_white(void **state)
{
    (void)state;
    static const gif gifs[] = {
        {0, 0, WIDTH, HEIGHT, -1, NULL}, {1, 1, 2, 1, -1, NULL}, {0, 0, 1, 1, -1, NULL}, {3, 2, 1, 1, -1, NULL}, {1, 0, 2, HEIGHT, -1, NULL},
        {1, 1, 2, 1, 0, NULL}, {1, 1, 2, 1, 1, NULL}, {1, 1, 2, 1, -1, "a , b"}, {1, 1, 2, 1, 0, ",,,,,,,,,,,,"},
    };
    for (size_t i = 0; i < sizeof gifs / sizeof *gifs; i++) {
        const gif *of = &gifs[i];
        uint8_t bytes[256];
        lens_decode_limits limits = lens_decode_limits_default();
        lens_image out;
        lens_error err = {0};
        assert_done(lens_decode(bytes, make(of, bytes), &limits, &out, NULL, &err), &err);
        assert_int_equal(out.width, WIDTH);
        assert_int_equal(out.height, HEIGHT);
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                const bool inside = x >= of->left && x < of->left + of->width && y >= of->top && y < of->top + of->height;
                const int expected = inside && of->mark != 1 ? 10 : WHITE;
                if (out.rgb[3 * (y * WIDTH + x)] != expected)
                    fail_msg("GIF %zu: %d instead of %d at %d, %d", i, out.rgb[3 * (y * WIDTH + x)], expected, x, y);
            }
        lens_image_free(&out);
    }
}

/* One that reaches over the edge makes the picture larger, as everywhere. */
static void test_a_frame_over_the_edge(void **state)
{
    (void)state;
    const gif of = {3, 0, 2, 3, -1, NULL};
    uint8_t bytes[256];
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image out;
    lens_error err = {0};
    assert_done(lens_decode(bytes, make(&of, bytes), &limits, &out, NULL, &err), &err);
    assert_in_range(out.width, WIDTH, WIDTH + 1);
    for (int y = 0; y < out.height; y++)
        for (int x = 0; x < out.width; x++)
            assert_int_equal(out.rgb[3 * (y * out.width + x)], x < of.left ? WHITE : 10);
    lens_image_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_first_frame_leaves_open_is_white),
        cmocka_unit_test(test_a_frame_over_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
