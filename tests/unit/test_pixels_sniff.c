/* Telling what a file is: src/pixels/sniff.c. */
#include "pictures.h"
#include "pixels/sniff.h"
#include "support.h"

static lens_format sniff_text(const char *text)
{
    return lens_sniff(text, strlen(text));
}

static void test_every_kind_is_told_from_its_bytes(void **state)
{
    (void)state;
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        lens_buffer bytes = test_picture(kind, 20, 15, 1);
        size_t size = bytes.size < LENS_SNIFF_BYTES ? bytes.size : LENS_SNIFF_BYTES;
        lens_format found = lens_sniff(bytes.data, size);
        if (found != test_kind_format(kind))
            fail_msg("%s taken for %s", test_kind_name(kind), lens_format_name(found));
        /* And its name is one that a picture has. */
        char *path = test_path("/some/where", "%s%s", test_kind_name(kind), test_kind_ending(kind));
        assert_true(lens_named_as_picture(path));
        free(path);
        lens_buffer_free(&bytes);
    }
}

static void test_no_byte_is_read_behind_the_end(void **state)
{
    (void)state;
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        lens_buffer bytes = test_picture(kind, 20, 15, 1);
        for (size_t size = 0; size <= 200 && size <= bytes.size; size++) {
            char *exact = malloc(size ? size : 1); /* the sanitizer sees one byte too many */
            assert_non_null(exact);
            memcpy(exact, bytes.data, size);
            lens_format found = lens_sniff(exact, size);
            assert_true(found == LENS_FORMAT_NONE || found == test_kind_format(kind));
            free(exact);
        }
        lens_buffer_free(&bytes);
    }
}

static void test_svg_is_found_behind_its_prologue(void **state)
{
    (void)state;
    const char *good[] = {
        "<svg/>",
        "<svg>",
        "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<svg width='1'>",
        "  \r\n\t<!-- a > b, <html> --><!-- more --><svg ",
        "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://x/svg11.dtd\"><svg\n",
        "<!doctype svg [ <!ENTITY a \"]>\"> <!ENTITY b 'c'> ]><svg>",
        "<?xml?><svg:svg xmlns:svg='http://www.w3.org/2000/svg'>",
    };
    const char *bad[] = {
        "",
        "<",
        "<svg", /* the name may go on */
        "<svgs>",
        "<html><svg></svg></html>",
        "<!-- <svg> -->",
        "<!-- <svg> ",
        "<?xml version='1.0' <svg>",
        "<!DOCTYPE svg [ <svg>",
        "text <svg>",
        "<svg:g>",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (sniff_text(good[i]) != LENS_FORMAT_SVG)
            fail_msg("not taken for an SVG: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sniff_text(bad[i]) != LENS_FORMAT_NONE)
            fail_msg("taken for a picture: %s", bad[i]);
}

#define BOX(length, rest) "\0\0\0" length "ftyp" rest

static void test_brands_tell_avif_from_heic(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        size_t size;
        lens_format format;
    } cases[] = {
#define CASE(bytes, format) {bytes, sizeof(bytes) - 1, format}
        CASE(BOX("\x14", "heic\0\0\0\0mif1"), LENS_FORMAT_HEIC),
        CASE(BOX("\x14", "mif1\0\0\0\0heic"), LENS_FORMAT_HEIC),
        CASE(BOX("\x18", "mif1\0\0\0\0miafavif"), LENS_FORMAT_AVIF),
        CASE(BOX("\x14", "avis\0\0\0\0msf1"), LENS_FORMAT_AVIF),
        CASE(BOX("\x14", "msf1\0\0\0\0hevc"), LENS_FORMAT_HEIC),
        CASE(BOX("\x10", "mif1\0\0\0\0"), LENS_FORMAT_HEIC),
        CASE(BOX("\x10", "mif1\0\0\0\0avif"), LENS_FORMAT_HEIC), /* that brand lies behind the box */
        CASE(BOX("\x14", "isom\0\0\0\0mp42"), LENS_FORMAT_NONE), /* a film */
        CASE(BOX("\x14", "isomavif\0\0\0\0"), LENS_FORMAT_NONE), /* that is its version */
        CASE(BOX("\x13", "heic\0\0\0\0mif"), LENS_FORMAT_NONE),
        CASE("\0\0\0\x0c" "ftypheic", LENS_FORMAT_NONE),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (lens_sniff(cases[i].bytes, cases[i].size) != cases[i].format)
            fail_msg("case %zu", i);
}

static void test_naked_codestreams(void **state)
{
    (void)state;
    assert_int_equal(lens_sniff("\xff\x0a\x00", 3), LENS_FORMAT_JXL);
    assert_int_equal(lens_sniff("\xff\x4f\xff\x51", 4), LENS_FORMAT_JP2);
    assert_int_equal(lens_sniff("II+\0\x08\0\0\0", 8), LENS_FORMAT_TIFF);
}

static void test_what_is_no_picture(void **state)
{
    (void)state;
    const char *texts[] = {"hello", "BM is not always a bitmap, it may begin a sentence", "P7\n332", "P60 is a car", "GIF8", "%PDF-1.4", "RIFF....WAVEfmt "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (sniff_text(texts[i]) != LENS_FORMAT_NONE)
            fail_msg("taken for %s: %s", lens_format_name(sniff_text(texts[i])), texts[i]);
    uint8_t zeros[LENS_SNIFF_BYTES] = {0};
    assert_int_equal(lens_sniff(zeros, sizeof zeros), LENS_FORMAT_NONE);
    zeros[2] = 1; /* an icon file without icons */
    assert_int_equal(lens_sniff(zeros, sizeof zeros), LENS_FORMAT_NONE);
}

static void test_names(void **state)
{
    (void)state;
    const char *good[] = {"a.jpg", "A.JPEG", "/x/y.z/photo.HEIC", "b.c.webp", "é.png", "x.TiF"};
    const char *bad[] = {"", "jpg", "a.jpg/b", ".png", "/home/.jpg", "a.txt", "a.jpg.txt", "a.", "a.jpgs", "notes.md"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!lens_named_as_picture(good[i]))
            fail_msg("%s", good[i]);
    assert_true(lens_named_as_picture_sized("a.jpg#0", 5));
    assert_false(lens_named_as_picture_sized("a.jpg", 4));
    assert_false(lens_named_as_picture_sized("", 0));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (lens_named_as_picture(bad[i]))
            fail_msg("%s", bad[i]);
}

static void test_formats_have_names(void **state)
{
    (void)state;
    assert_string_equal(lens_format_name(LENS_FORMAT_JPEG), "JPEG");
    assert_string_equal(lens_format_name(LENS_FORMAT_NONE), "unknown");
    assert_string_equal(lens_format_name(LENS_FORMAT_COUNT), "unknown");
    for (lens_format f = LENS_FORMAT_JPEG; f < LENS_FORMAT_COUNT; f++)
        assert_string_not_equal(lens_format_name(f), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_told_from_its_bytes),
        cmocka_unit_test(test_no_byte_is_read_behind_the_end),
        cmocka_unit_test(test_svg_is_found_behind_its_prologue),
        cmocka_unit_test(test_brands_tell_avif_from_heic),
        cmocka_unit_test(test_naked_codestreams),
        cmocka_unit_test(test_what_is_no_picture),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_formats_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
