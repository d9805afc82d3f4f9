/* The formats that we read by hand: BMP, ICO and PNM, made byte by byte from what their documents say. */
#include "bitmaps.h"
#include "pictures.h"
#include "pixels/decode.h"
#include "support.h"

static int decode(const void *bytes, size_t size, lens_image *image, lens_error *err)
{
    lens_decode_limits limits = {1 << 20};
    uint8_t *exact = malloc(size ? size : 1); /* the sanitizer sees one byte too many */
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    int result = lens_decode(exact, size, &limits, image, NULL, err);
    free(exact);
    return result;
}

/* Decodes BYTES, which are freed, and expects the RGB values written in hexadecimal, rows from the top; then cuts the file
 * short everywhere: all of that must fail, except within the last SPARE bytes. */
static void expect(lens_buffer bytes, int width, int height, const char *hexadecimal, size_t spare)
{
    lens_image image;
    lens_error err = {0};
    assert_done(decode(bytes.data, bytes.size, &image, &err), &err);
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    char got[512] = "";
    for (int i = 0; i < width * height; i++)
        sprintf(got + strlen(got), "%s%02x%02x%02x", i ? " " : "", image.rgb[3 * i], image.rgb[3 * i + 1], image.rgb[3 * i + 2]);
    assert_string_equal(got, hexadecimal);
    lens_image_free(&image);
    for (size_t size = 0; size < bytes.size - spare; size++) {
        if (decode(bytes.data, size, &image, &err) == 0)
            fail_msg("taken with %zu of %zu bytes", size, bytes.size);
        assert_null(image.rgb);
    }
    lens_buffer_free(&bytes);
}

static void test_bmp_with_a_palette(void **state)
{
    (void)state;
    const char *palette = "\x00\x00\xff\x00" "\x00\xff\x00\x00" "\xff\x00\x00\x00" "\x11\x22\x33\x00";
    expect(test_bmp(&(test_bitmap){40, 3, 2, 1, 0, 2, NULL, palette, TEST_ROWS("\xa0\0\0\0" "\x40\0\0\0")}), 3, 2,
           "ff0000 00ff00 ff0000 00ff00 ff0000 00ff00", 3);
    expect(test_bmp(&(test_bitmap){40, 5, 1, 2, 0, 4, NULL, palette, TEST_ROWS("\x1b\x40\0\0")}), 5, 1, "ff0000 00ff00 0000ff 332211 00ff00", 2);
    expect(test_bmp(&(test_bitmap){40, 3, 1, 4, 0, 4, NULL, palette, TEST_ROWS("\x01\x30\0\0")}), 3, 1, "ff0000 00ff00 332211", 2);
    expect(test_bmp(&(test_bitmap){40, 3, 1, 8, 0, 4, NULL, palette, TEST_ROWS("\x02\x03\x09\0")}), 3, 1, "0000ff 332211 000000", 1);
    expect(test_bmp(&(test_bitmap){12, 2, 1, 8, 0, 4, NULL, palette, TEST_ROWS("\x01\x02\0\0")}), 2, 1, "00ff00 0000ff", 2);
}

static void test_bmp_with_true_colours(void **state)
{
    (void)state;
    expect(test_bmp(&(test_bitmap){40, 2, 2, 24, 0, 0, NULL, NULL, TEST_ROWS("\1\2\3\4\5\6\0\0" "\7\10\11\12\13\14\0\0")}), 2, 2,
           "090807 0c0b0a 030201 060504", 2);
    expect(test_bmp(&(test_bitmap){40, 2, -2, 24, 0, 0, NULL, NULL, TEST_ROWS("\1\2\3\4\5\6\0\0" "\7\10\11\12\13\14\0\0")}), 2, 2,
           "030201 060504 090807 0c0b0a", 2);
    /* Of 32 bits without fields the last eight mean nothing. */
    expect(test_bmp(&(test_bitmap){40, 2, 1, 32, 0, 0, NULL, NULL, TEST_ROWS("\1\2\3\0" "\4\5\6\xff")}), 2, 1, "030201 060504", 0);
    /* 16 bits: five each; Pillow cuts 15 * 255 / 31 to 123. */
    expect(test_bmp(&(test_bitmap){40, 2, 1, 16, 0, 0, NULL, NULL, TEST_ROWS("\xff\x7f" "\x0f\x00")}), 2, 1, "ffffff 00007b", 0);
    const uint32_t five_six_five[4] = {0xf800, 0x07e0, 0x001f, 0};
    expect(test_bmp(&(test_bitmap){40, 2, 1, 16, 3, 0, five_six_five, NULL, TEST_ROWS("\x00\xf8" "\xe0\x07")}), 2, 1, "ff0000 00ff00", 0);
}

static void test_bmp_with_alpha_lies_on_white(void **state)
{
    (void)state;
    const uint32_t masks[4] = {0xff, 0xff00, 0xff0000, 0xff000000};
    expect(test_bmp(&(test_bitmap){56, 3, 1, 32, 3, 0, masks, NULL, TEST_ROWS("\x10\x20\x30\xff" "\x10\x20\x30\x00" "\x00\x00\x00\x80")}), 3, 1,
           "102030 ffffff 7f7f7f", 0);
    expect(test_bmp(&(test_bitmap){40, 1, 1, 32, 6, 0, masks, NULL, TEST_ROWS("\x10\x20\x30\x00" "")}), 1, 1, "102030", 0); /* no alpha anywhere: opaque */
}

static void test_bmp_with_run_lengths(void **state)
{
    (void)state;
    const char *palette = "\x00\x00\xff\x00" "\x00\xff\x00\x00" "\xff\x00\x00\x00" "\x11\x22\x33\x00";
    /* Two of colour 1, the end of the row; three written out, filled up; the end. */
    expect(test_bmp(&(test_bitmap){40, 3, 2, 8, 1, 4, NULL, palette, TEST_ROWS("\2\1\0\0" "\0\3\1\2\3\0\0\1")}), 3, 2,
           "00ff00 0000ff 332211 00ff00 00ff00 ff0000", 0);
    /* A step of one to the right and one up, then a run that goes on over the edge. */
    expect(test_bmp(&(test_bitmap){40, 3, 2, 8, 1, 4, NULL, palette, TEST_ROWS("\0\2\1\1" "\7\2\0\1")}), 3, 2,
           "ff0000 0000ff 0000ff ff0000 ff0000 ff0000", 0);
    expect(test_bmp(&(test_bitmap){40, 5, 1, 4, 2, 4, NULL, palette, TEST_ROWS("\3\x12\0\4\x30\x12\0\1")}), 5, 1,
           "00ff00 0000ff 00ff00 332211 ff0000", 0);
    /* Without an end, but every row is there. */
    expect(test_bmp(&(test_bitmap){40, 2, 1, 8, 1, 4, NULL, palette, TEST_ROWS("\2\3\0\0")}), 2, 1, "332211 332211", 0);

    lens_image image;
    lens_error err = {0};
    lens_buffer outside = test_bmp(&(test_bitmap){40, 3, 2, 8, 1, 4, NULL, palette, TEST_ROWS("\0\2\7\0\1\1\0\1")});
    assert_int_equal(decode(outside.data, outside.size, &image, &err), -1);
    assert_says(&err, "leaves the picture");
    lens_buffer_free(&outside);
}

static void test_bmp_that_makes_no_sense(void **state)
{
    (void)state;
    const struct {
        test_bitmap of;
        const char *words;
        lens_error_code code;
    } cases[] = {
        {{40, 1, 1, 7, 0, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "number of bits", LENS_E_FORMAT},
        {{40, 1, 1, 24, 4, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "not supported", LENS_E_UNSUPPORTED},
        {{40, 1, 1, 24, 3, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "not supported", LENS_E_UNSUPPORTED},
        {{40, 0, 1, 24, 0, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "0 x 1", LENS_E_FORMAT},
        {{40, -5, 1, 24, 0, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "-5 x 1", LENS_E_FORMAT},
        {{40, 1, INT32_MIN, 24, 0, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "allowed", LENS_E_LIMIT},
        {{40, 1, -1, 8, 1, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "top to bottom", LENS_E_FORMAT},
        {{40, 10000, 10000, 24, 0, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "allowed", LENS_E_LIMIT},
        {{40, 1000, 1000, 24, 0, 0, NULL, NULL, TEST_ROWS("\0\0\0\0")}, "truncated", LENS_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_buffer bytes = test_bmp(&cases[i].of);
        lens_image image;
        lens_error err = {0};
        assert_int_equal(decode(bytes.data, bytes.size, &image, &err), -1);
        assert_says(&err, cases[i].words);
        assert_int_equal(err.code, cases[i].code);
        lens_buffer_free(&bytes);
    }
}

static void test_icons(void **state)
{
    (void)state;
    const char *palette = "\x00\x00\xff\x00" "\x00\xff\x00\x00";
    /* With a mask: where its bit is set nothing is painted. */
    test_bitmap one = {40, 2, 2, 8, 0, 2, NULL, palette, TEST_ROWS("\0\1\0\0" "\1\0\0\0"), true};
    expect(test_ico(&one, "\x80\0\0\0\x40\0\0\0", 8), 2, 2, "00ff00 ffffff ffffff 00ff00", 0);
    test_bitmap bare = {40, 2, 2, 8, 0, 2, NULL, palette, TEST_ROWS("\0\1\0\0" "\1\0\0\0"), true};
    expect(test_ico(&bare, "", 0), 2, 2, "00ff00 ff0000 ff0000 00ff00", 0);
    /* 32 bits have alpha of their own, unless all of it is 0. */
    test_bitmap deep = {40, 2, 1, 32, 0, 0, NULL, NULL, TEST_ROWS("\1\2\3\xff" "\4\5\6\0"), true};
    expect(test_ico(&deep, "\0\0\0\0", 4), 2, 1, "030201 ffffff", 0);
    test_bitmap flat = {40, 2, 1, 32, 0, 0, NULL, NULL, TEST_ROWS("\1\2\3\0" "\4\5\6\0"), true};
    expect(test_ico(&flat, "\x40\0\0\0", 4), 2, 1, "030201 ffffff", 0);
}

static lens_buffer text_of(const char *text, size_t size)
{
    lens_buffer out = {0};
    assert_int_equal(lens_buffer_append(&out, text, size), 0);
    return out;
}

#define PNM(text) text_of(text, sizeof(text) - 1)

static void test_pnm(void **state)
{
    (void)state;
    expect(PNM("P1\n# a comment\n3 2\n1 0 1\n0#0\n10"), 3, 2, "000000 ffffff 000000 ffffff 000000 ffffff", 0);
    expect(PNM("P2 3 1 15 0 5 15"), 3, 1, "000000 555555 ffffff", 1); /* the last number may be cut */
    expect(PNM("P3\n2 1\n255\n1 2 3\t4 5 6 "), 2, 1, "010203 040506", 1);
    expect(PNM("P4 9 2\n\xaa\x80\x55\x00"), 9, 2,
           "000000 ffffff 000000 ffffff 000000 ffffff 000000 ffffff 000000 ffffff 000000 ffffff 000000 ffffff 000000 ffffff 000000 ffffff", 0);
    expect(PNM("P5 3 1 255\n\n \x80"), 3, 1, "0a0a0a 202020 808080", 0); /* one space ends the header */
    expect(PNM("P5 2 1 100 \x32\x64"), 2, 1, "808080 ffffff", 0);
    expect(PNM("P5 2 1 65535\n\x80\x00\xff\xff"), 2, 1, "808080 ffffff", 0);
    expect(PNM("P6 1 1 1023\n\x03\xff\x00\x00\x02\x00"), 1, 1, "ff0080", 0);

    const char *bad[] = {"P5 2 1 0\n..", "P5 2 1 70000\n....", "P5 -2 1 255\n..", "P5 0 1 255\n..", "P5 99999999999 1 255\n..", "P2 2 1 255\n1 x",
                         "P1 2 1\n1 2", "P5 2 1 255#", "P5 x", "P3 2 1 99999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lens_image image;
        lens_error err = {0};
        if (decode(bad[i], strlen(bad[i]), &image, &err) == 0)
            fail_msg("taken: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bmp_with_a_palette),
        cmocka_unit_test(test_bmp_with_true_colours),
        cmocka_unit_test(test_bmp_with_alpha_lies_on_white),
        cmocka_unit_test(test_bmp_with_run_lengths),
        cmocka_unit_test(test_bmp_that_makes_no_sense),
        cmocka_unit_test(test_icons),
        cmocka_unit_test(test_pnm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
