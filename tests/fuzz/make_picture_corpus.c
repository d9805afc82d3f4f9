/* Writes the corpus of fuzz_picture: `make corpus` after a change to the formats. One small file of every kind, a few of them
 * turned and cut short, and what the tests know to be troublesome. */
#include "bitmaps.h"
#include "pictures.h"
#include "support.h"

static const char *folder = "tests/fuzz/corpus/picture";

static void put(const char *name, const char *ending, lens_buffer bytes)
{
    char *path = test_path(folder, "%s%s", name, ending);
    test_write(path, bytes.data, bytes.size);
    free(path);
    lens_buffer_free(&bytes);
}

static void put_text(const char *name, const char *text)
{
    lens_buffer bytes = {0};
    assert_int_equal(lens_buffer_append(&bytes, text, strlen(text)), 0);
    put(name, "", bytes);
}

/* What no encoder that the tests have writes: palettes of every depth, fields of bits, run lengths, icons with and without a mask. */
static void put_bitmaps(void)
{
    static const char palette[] = "\x00\x00\xff\x00" "\x00\xff\x00\x00" "\xff\x00\x00\x00" "\x11\x22\x33\x00";
    static const uint32_t five_six_five[4] = {0xf800, 0x07e0, 0x001f, 0}, alpha[4] = {0xff, 0xff00, 0xff0000, 0xff000000};
    static const test_bitmap bitmaps[] = {
        {40, 3, 2, 1, 0, 2, NULL, palette, TEST_ROWS("\xa0\0\0\0" "\x40\0\0\0")},
        {40, 5, 1, 2, 0, 4, NULL, palette, TEST_ROWS("\x1b\x40\0\0")},
        {40, 3, 1, 4, 0, 4, NULL, palette, TEST_ROWS("\x01\x30\0\0")},
        {12, 2, 1, 8, 0, 4, NULL, palette, TEST_ROWS("\x01\x02\0\0")},
        {40, 2, -2, 24, 0, 0, NULL, NULL, TEST_ROWS("\1\2\3\4\5\6\0\0" "\7\10\11\12\13\14\0\0")},
        {40, 2, 1, 16, 0, 0, NULL, NULL, TEST_ROWS("\xff\x7f" "\x0f\x00")},
        {40, 2, 1, 16, 3, 0, five_six_five, NULL, TEST_ROWS("\x00\xf8" "\xe0\x07")},
        {56, 3, 1, 32, 3, 0, alpha, NULL, TEST_ROWS("\x10\x20\x30\xff" "\x10\x20\x30\x00" "\x00\x00\x00\x80")},
        {40, 1, 1, 32, 6, 0, alpha, NULL, TEST_ROWS("\x10\x20\x30\x00" "")},
        {40, 3, 2, 8, 1, 4, NULL, palette, TEST_ROWS("\2\1\0\0" "\0\3\1\2\3\0\0\1")},
        {40, 3, 2, 8, 1, 4, NULL, palette, TEST_ROWS("\0\2\1\1" "\7\2\0\1")},
        {40, 5, 1, 4, 2, 4, NULL, palette, TEST_ROWS("\3\x12\0\4\x30\x12\0\1")},
    };
    char name[32];
    for (size_t i = 0; i < sizeof bitmaps / sizeof *bitmaps; i++) {
        snprintf(name, sizeof name, "bitmap_%zu", i);
        put(name, ".bmp", test_bmp(&bitmaps[i]));
    }
    const test_bitmap flat = {40, 2, 2, 8, 0, 2, NULL, palette, TEST_ROWS("\0\1\0\0" "\1\0\0\0"), true};
    const test_bitmap deep = {40, 2, 1, 32, 0, 0, NULL, NULL, TEST_ROWS("\1\2\3\xff" "\4\5\6\0"), true};
    put("icon_masked", ".ico", test_ico(&flat, "\x80\0\0\0\x40\0\0\0", 8));
    put("icon_bare", ".ico", test_ico(&flat, "", 0));
    put("icon_deep", ".ico", test_ico(&deep, "\0\0\0\0", 4));
}

static void make(void **state)
{
    (void)state;
    lens_error err = {0};
    assert_done(lens_folder_make(folder, &err), &err);
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        char name[64];
        put(test_kind_name(kind), test_kind_ending(kind), test_picture(kind, 20, 15, kind));
        lens_buffer cut = test_picture(kind, 20, 15, kind);
        cut.size = cut.size * 2 / 3;
        snprintf(name, sizeof name, "cut_%s", test_kind_name(kind));
        put(name, test_kind_ending(kind), cut);
        if (test_kind_turns(kind)) {
            snprintf(name, sizeof name, "turned_%s", test_kind_name(kind));
            put(name, test_kind_ending(kind), test_picture_turned(kind, 20, 15, kind, 2 + (int)kind % 7));
        }
    }
    put_bitmaps();
    put("bomb", ".png", test_png_bomb(60000, 60000));
    put("no_size", ".png", test_png_bomb(0, 5));
    put_text("plain.ppm", "P3\n# a comment\n3 2 15\n0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 0 15\n");
    put_text("plain.pbm", "P1 4 2\n1 0 1 0 0101\n");
    put_text("nothing.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='0' height='0'/>");
    put_text("vast.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1e9'/>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(make)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
