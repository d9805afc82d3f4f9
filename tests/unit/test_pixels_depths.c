/* Pictures, most of them TIFFs, of unusual depths and colours, to 8-bit RGB: the second half of src/pixels/decode_vips.c, and
 * src/pixels/decode_jp2.c. */
#include <math.h>
#include <vips/vips.h>

#include "pictures.h"
#include "pixels/decode.h"
#include "support.h"

enum { WIDTH = 4 };

/* Decodes a TIFF of one row of WIDTH pixels, BANDS * WIDTH values of FORMAT at VALUES. The caller frees. */
static lens_image through_tiff(const void *values, int bands, VipsBandFormat format, VipsInterpretation meaning)
{
    assert_int_equal(vips_init("memelens-tests"), 0);
    size_t size = WIDTH * (size_t)bands * (size_t)vips_format_sizeof(format);
    VipsImage *raw = vips_image_new_from_memory_copy(values, size, WIDTH, 1, bands, format), *image;
    assert_non_null(raw);
    assert_int_equal(vips_copy(raw, &image, "interpretation", meaning, NULL), 0);
    void *bytes = NULL;
    size_t length = 0;
    if (vips_tiffsave_buffer(image, &bytes, &length, NULL) != 0)
        fail_msg("%s", vips_error_buffer());
    g_object_unref(image);
    g_object_unref(raw);
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image out;
    lens_error err = {0};
    assert_done(lens_decode(bytes, length, &limits, &out, NULL, &err), &err);
    g_free(bytes);
    assert_int_equal(out.width, WIDTH);
    assert_int_equal(out.height, 1);
    return out;
}

static void expect_grey(lens_image image, int a, int b, int c, int d)
{
    const int values[WIDTH] = {a, b, c, d};
    for (int i = 0; i < 3 * WIDTH; i++)
        if (image.rgb[i] != values[i / 3])
            fail_msg("%d instead of %d at %d", image.rgb[i], values[i / 3], i / 3);
    lens_image_free(&image);
}

static void test_16_bits_are_rounded(void **state)
{
    (void)state;
    const uint16_t values[WIDTH] = {0, 128, 129, 65535}; /* 257 is one step of 8 bits */
    expect_grey(through_tiff(values, 1, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_GREY16), 0, 0, 1, 255);
    const uint16_t inks[WIDTH][4] = {{0, 0, 0, 0}, {0, 0, 0, 65535}, {65535, 65535, 65535, 0}, {0, 0, 0, 128 * 257}};
    expect_grey(through_tiff(inks, 4, VIPS_FORMAT_USHORT, VIPS_INTERPRETATION_CMYK), 255, 0, 0, 127);
}

/* Two JPEG 2000 of four columns: 0, 1, 0, 1 of one bit, and 0, 5, 10, 15 of four. */
static const char begin[] = "\xff\x4f\xff\x51\x00\x29\x00\x00\x00\x00\x00\x04\x00\x00\x00\x04\x00"
                            "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x04"
                            "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01";
static const char one[] = "\x00\x01\x01\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x00\x04\x04\x00\x01\xff\x5c"
                          "\x00\x04\x40\x08\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x14\x00\x01\xff"
                          "\x93\xd2\x00\x11\x5e\xff\x7f\xff\xd9";
static const char four[] = "\x03\x01\x01\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x00\x04\x04\x00\x01\xff"
                           "\x5c\x00\x04\x40\x20\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x1a\x00\x01"
                           "\xff\x93\xdf\x20\x90\x11\x6a\x4a\x60\xa8\x06\xf5\x3f\x3f\xff\xd9";

/* Of few bits libvips makes the upper ones of eight. */
static void test_few_bits_of_a_jpeg_2000_are_spread(void **state)
{
    (void)state;
    const struct {
        const char *rest;
        size_t size;
        int grey[WIDTH];
    } pictures[] = {{one, sizeof one - 1, {0, 255, 0, 255}}, {four, sizeof four - 1, {0, 85, 170, 255}}};
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        uint8_t bytes[sizeof begin + sizeof four];
        memcpy(bytes, begin, sizeof begin - 1);
        memcpy(bytes + sizeof begin - 1, pictures[i].rest, pictures[i].size);
        lens_decode_limits limits = lens_decode_limits_default();
        lens_image out;
        lens_error err = {0};
        assert_done(lens_decode(bytes, sizeof begin - 1 + pictures[i].size, &limits, &out, NULL, &err), &err);
        const int *grey = pictures[i].grey;
        expect_grey(out, grey[0], grey[1], grey[2], grey[3]);
    }
}

/* Appends a box of TYPE around the SIZE bytes at BODY. */
static size_t put_box(uint8_t *to, const char *type, const void *body, size_t size)
{
    const size_t all = size + 8;
    memcpy(to, (const uint8_t[]){(uint8_t)(all >> 24), (uint8_t)(all >> 16), (uint8_t)(all >> 8), (uint8_t)all}, 4);
    memcpy(to + 4, type, 4);
    memcpy(to + 8, body, size);
    return all;
}

/* The picture of four bits, in boxes with the PALETTE and the CHANNELS that it is looked up by, into BYTES. */
static size_t put_in_boxes(const void *palette, size_t palette_size, const void *channels, size_t channels_size, uint8_t *bytes)
{
    static const uint8_t about[] = {0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 3, 7, 0, 0}, colours[] = {1, 0, 0, 0, 0, 0, 16};
    uint8_t inner[512], stream[sizeof begin + sizeof four];
    size_t used = put_box(inner, "ihdr", about, sizeof about);
    used += put_box(inner + used, "colr", colours, sizeof colours);
    used += put_box(inner + used, "pclr", palette, palette_size);
    used += put_box(inner + used, "cmap", channels, channels_size);
    memcpy(stream, begin, sizeof begin - 1);
    memcpy(stream + sizeof begin - 1, four, sizeof four - 1);
    size_t at = put_box(bytes, "jP  ", "\r\n\x87\n", 4);
    at += put_box(bytes + at, "ftyp", "jp2 \0\0\0\0jp2 ", 12);
    at += put_box(bytes + at, "jp2h", inner, used);
    return at + put_box(bytes + at, "jp2c", stream, sizeof begin + sizeof four - 2);
}

/* libvips has room for one value a pixel there, and would put three. */
static void test_a_palette_of_a_jpeg_2000_is_looked_up(void **state)
{
    (void)state;
    static const uint8_t channels[] = {0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 2, 0, 0, 1, 3};
    uint8_t palette[3 + 4 + 16 * 4] = {0, 11, 3, 7, 7, 7}; /* eleven colours: the fifteenth is the last of them */
    for (uint8_t i = 0; i < 16; i++)
        memcpy(palette + 6 + 3 * i, (const uint8_t[]){i, (uint8_t)(100 + i), (uint8_t)(200 + i)}, 3);
    uint8_t bytes[1024];
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image out;
    lens_error err = {0};
    size_t size = put_in_boxes(palette, 6 + 11 * 3, channels, 12, bytes);
    assert_done(lens_decode(bytes, size, &limits, &out, NULL, &err), &err);
    static const uint8_t expected[] = {0, 100, 200, 5, 105, 205, 10, 110, 210, 10, 110, 210};
    assert_memory_equal(out.rgb, expected, sizeof expected);
    lens_image_free(&out);

    /* Sixteen greys of four bits each, and of sixteen. */
    uint8_t greys[4 + 2 * 16] = {0, 16, 1, 3};
    for (int i = 0; i < 16; i++)
        greys[4 + i] = (uint8_t)(15 - i);
    size = put_in_boxes(greys, 4 + 16, channels, 4, bytes);
    assert_done(lens_decode(bytes, size, &limits, &out, NULL, &err), &err);
    expect_grey(out, 255, 170, 85, 0);
    greys[3] = 15;
    for (int i = 0; i < 16; i++)
        greys[4 + 2 * i] = greys[5 + 2 * i] = (uint8_t)(16 * i);
    size = put_in_boxes(greys, 4 + 32, channels, 4, bytes);
    assert_done(lens_decode(bytes, size, &limits, &out, NULL, &err), &err);
    expect_grey(out, 0, 80, 160, 240);

    /* With coverage: nothing, half, all of it, and nothing. */
    palette[1] = 16, palette[2] = 4, palette[6] = 7;
    for (int i = 0; i < 16; i++)
        memcpy(palette + 7 + 4 * i, (const uint8_t[]){0, 0, 0, i == 5 ? 128 : i == 10 ? 255 : 0}, 4);
    size = put_in_boxes(palette, 7 + 16 * 4, channels, 16, bytes);
    assert_done(lens_decode(bytes, size, &limits, &out, NULL, &err), &err);
    expect_grey(out, 255, 127, 0, 255);

    /* Cut short; of too many channels; from another component; and no palette where the letters are. */
    assert_int_equal(lens_decode(bytes, put_in_boxes(palette, 30, channels, 16, bytes), &limits, &out, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_FORMAT);
    palette[2] = 9;
    assert_int_equal(lens_decode(bytes, put_in_boxes(palette, sizeof palette, channels, 16, bytes), &limits, &out, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    static const uint8_t other[] = {0, 1, 1, 0};
    assert_int_equal(lens_decode(bytes, put_in_boxes(greys, 4 + 32, other, 4, bytes), &limits, &out, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    size = put_in_boxes(greys, 4 + 32, channels, 4, bytes);
    memcpy(bytes + 36, "free", 4); /* the header's type */
    assert_done(lens_decode(bytes, size, &limits, &out, NULL, &err), &err);
    expect_grey(out, 0, 85, 170, 255);
}

/* Four pixels of three components in boxes, of which the header's is at HEADER and ends at HEADER_END; at COLOURS it says that they are luma and chromas. */
enum { HEADER = 32, HEADER_END = 77, COLOURS = 76 };
static const uint8_t of_three[] = {
    0, 0, 0, 12, 106, 80, 32, 32, 13, 10, 135, 10, 0, 0, 0, 20, 102, 116, 121, 112, 106, 112, 50, 32, 0, 0, 0, 0, 106, 112, 50, 32,
    0, 0, 0, 45, 106, 112, 50, 104, 0, 0, 0, 22, 105, 104, 100, 114, 0, 0, 0, 1, 0, 0, 0, 4, 0, 3, 7, 7, 0, 0, 0, 0,
    0, 15, 99, 111, 108, 114, 1, 0, 0, 0, 0, 0, 18, 0, 0, 0, 157, 106, 112, 50, 99, 255, 79, 255, 81, 0, 47, 0, 0, 0, 0, 0,
    4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 7,
    1, 1, 7, 1, 1, 7, 1, 1, 255, 82, 0, 12, 0, 0, 0, 1, 0, 0, 4, 4, 0, 1, 255, 92, 0, 4, 64, 64, 255, 100, 0, 37,
    0, 1, 67, 114, 101, 97, 116, 101, 100, 32, 98, 121, 32, 79, 112, 101, 110, 74, 80, 69, 71, 32, 118, 101, 114, 115, 105, 111, 110, 32, 50, 46,
    53, 46, 48, 255, 144, 0, 10, 0, 0, 0, 0, 0, 37, 0, 1, 255, 147, 207, 180, 20, 6, 106, 136, 219, 127, 199, 212, 8, 9, 29, 44, 127,
    199, 212, 10, 3, 229, 99, 254, 63, 255, 217,
};

static void test_luma_and_chromas_of_a_jpeg_2000_are_no_rgb(void **state)
{
    (void)state;
    static const uint8_t expected[WIDTH * 3] = {121, 33, 0, 124, 89, 0, 125, 145, 34, 127, 202, 72};
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image out;
    lens_error err = {0};
    assert_done(lens_decode(of_three, sizeof of_three, &limits, &out, NULL, &err), &err);
    for (int i = 0; i < WIDTH * 3; i++)
        assert_in_range(out.rgb[i] + 2, expected[i], expected[i] + 4);
    lens_image_free(&out);
}

/* The SIZE bytes of a codestream at STREAM in boxes, of which one says what its colours are, into BYTES. */
static size_t put_with_colours(const void *stream, size_t size, const void *colours, size_t colours_size, uint8_t *bytes)
{
    uint8_t inner[256];
    size_t at = put_box(bytes, "jP  ", "\r\n\x87\n", 4);
    at += put_box(bytes + at, "ftyp", "jp2 \0\0\0\0jp2 ", 12);
    at += put_box(bytes + at, "jp2h", inner, put_box(inner, "colr", colours, colours_size));
    return at + put_box(bytes + at, "jp2c", stream, size);
}

/* The SIZE bytes at BYTES are no picture that we can read, and not called damaged. */
static void expect_unsupported(const void *bytes, size_t size, const char *reason)
{
    const lens_decode_limits limits = lens_decode_limits_default();
    lens_image out;
    lens_error err = {0};
    assert_int_equal(lens_decode(bytes, size, &limits, &out, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    if (!strstr(err.message, reason))
        fail_msg("%s", err.message);
}

/* Four pixels of luma, with two of each chroma: libvips takes these for green and blue. */
static void test_chromas_of_half_the_columns_are_chromas(void **state)
{
    (void)state;
    static const uint8_t stream[] = {
        255, 79, 255, 81, 0, 47, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 7, 1, 1, 7, 2, 1, 7, 2, 1, 255, 82, 0, 12, 0, 0, 0, 1, 0, 0, 4, 4, 0,
        1, 255, 92, 0, 4, 64, 64, 255, 144, 0, 10, 0, 0, 0, 0, 0, 34, 0, 1, 255, 147, 207, 180, 20, 15, 5, 70, 76, 127, 199, 212, 6,
        5, 168, 47, 207, 180, 12, 9, 249, 191, 255, 217,
    };
    static const uint8_t expected[WIDTH * 3] = {0, 142, 13, 25, 182, 53, 255, 101, 199, 255, 141, 239}, luma[] = {1, 0, 0, 0, 0, 0, 18};
    uint8_t bytes[512];
    const size_t sizes[] = {sizeof stream, put_with_colours(stream, sizeof stream, luma, sizeof luma, bytes)};
    for (size_t i = 0; i < 2; i++) { /* alone, where nothing says what it is, and in boxes */
        lens_decode_limits limits = lens_decode_limits_default();
        lens_image out;
        lens_error err = {0};
        assert_done(lens_decode(i ? bytes : stream, sizes[i], &limits, &out, NULL, &err), &err);
        for (int v = 0; v < WIDTH * 3; v++)
            assert_in_range(out.rgb[v] + 1, expected[v], expected[v] + 2);
        lens_image_free(&out);
    }
    /* A tile of three columns has a value and a half of each chroma: libvips would read beyond it. */
    memcpy(bytes, stream, sizeof stream);
    bytes[27] = 3;
    expect_unsupported(bytes, sizeof stream, "tiles");
}

/* Where in the SIZE bytes at BYTES the LENGTH bytes at WHAT are. */
static uint8_t *find(uint8_t *bytes, size_t size, const void *what, size_t length)
{
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(bytes + i, what, length) == 0)
            return bytes + i;
    fail_msg("it is not there");
    return NULL;
}

/* Four bands are red, green, blue and coverage, unless a number or a profile says that they are inks. */
static void test_inks_of_a_jpeg_2000_are_no_coverage(void **state)
{
    (void)state;
    assert_int_equal(vips_init("memelens-tests"), 0);
    static const uint8_t inks[WIDTH][4] = {{0, 0, 0, 0}, {255, 255, 255, 0}, {255, 0, 0, 0}, {0, 0, 51, 204}};
    static const uint8_t expected[] = {255, 255, 255, 0, 0, 0, 0, 255, 255, 51, 51, 41}, covered[] = {255, 255, 255, 255, 255, 255};
    VipsImage *raw = vips_image_new_from_memory_copy(inks, sizeof inks, WIDTH, 1, 4, VIPS_FORMAT_UCHAR);
    void *file = NULL;
    size_t size = 0;
    assert_non_null(raw);
    assert_int_equal(vips_jp2ksave_buffer(raw, &file, &size, "lossless", TRUE, NULL), 0);
    g_object_unref(raw);
    const uint8_t *stream = find(file, size, "\xff\x4f\xff\x51", 4);
    size -= (size_t)(stream - (uint8_t *)file);
    uint8_t bytes[1024], profile[3 + 128] = {2};
    const uint8_t number[] = {1, 0, 0, 0, 0, 0, 12}, light[] = {1, 0, 0, 0, 0, 0, 16};
    memcpy(profile + 3 + 16, "CMYK", 4);
    const struct {
        const uint8_t *colours;
        size_t size;
        bool inks;
    } said[] = {{number, sizeof number, true}, {profile, sizeof profile, true}, {light, sizeof light, false}, {profile, 3 + 19, false}};
    assert_in_range(size, 1, 512);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        lens_decode_limits limits = lens_decode_limits_default();
        lens_image out;
        lens_error err = {0};
        const size_t all = put_with_colours(stream, size, said[i].colours, said[i].size, bytes);
        assert_done(lens_decode(bytes, all, &limits, &out, NULL, &err), &err);
        if (said[i].inks)
            assert_memory_equal(out.rgb, expected, sizeof expected);
        else
            assert_memory_equal(out.rgb, covered, sizeof covered);
        lens_image_free(&out);
    }
    g_free(file);
}

/* A file may have blue first, and say so. */
static void test_channels_of_a_jpeg_2000_are_put_in_order(void **state)
{
    (void)state;
    static const uint8_t orders[][20] = {{0, 3, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 3},  /* as they lie */
                                         {0, 3, 0, 0, 0, 0, 0, 3, 0, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 1},  /* the other way round */
                                         {0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 1}}; /* the first one is coverage */
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image plain, out;
    lens_error err = {0};
    uint8_t bytes[sizeof of_three + 28];
    memcpy(bytes, of_three, HEADER_END);
    bytes[COLOURS] = 16; /* RGB */
    bytes[HEADER + 3] += 28;
    memcpy(bytes + HEADER_END + 28, of_three + HEADER_END, sizeof of_three - HEADER_END);
    put_box(bytes + HEADER_END, "cdef", orders[0], 20);
    assert_done(lens_decode(bytes, sizeof bytes, &limits, &plain, NULL, &err), &err);
    assert_int_not_equal(plain.rgb[0], plain.rgb[2]);
    put_box(bytes + HEADER_END, "cdef", orders[1], 20);
    assert_done(lens_decode(bytes, sizeof bytes, &limits, &out, NULL, &err), &err);
    for (int i = 0; i < WIDTH * 3; i++)
        assert_int_equal(out.rgb[i], plain.rgb[i / 3 * 3 + 2 - i % 3]);
    lens_image_free(&plain);
    lens_image_free(&out);
    put_box(bytes + HEADER_END, "cdef", orders[2], 20);
    assert_int_equal(lens_decode(bytes, sizeof bytes, &limits, &out, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
}

/* libvips would take pixels from beyond the end. */
static void test_a_jpeg_2000_whose_pixels_lie_elsewhere_is_refused(void **state)
{
    (void)state;
    lens_decode_limits limits = lens_decode_limits_default();
    static const int places[] = {19, 23, 43, 44}; /* of the first one across and down, and from one to the next */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint8_t bytes[sizeof begin + sizeof four];
        memcpy(bytes, begin, sizeof begin - 1);
        memcpy(bytes + sizeof begin - 1, four, sizeof four - 1);
        bytes[places[i]] = places[i] < 40 ? 1 : 2;
        lens_image out;
        lens_error err = {0};
        assert_int_equal(lens_decode(bytes, sizeof begin + sizeof four - 2, &limits, &out, NULL, &err), -1);
        assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    }
}

static void test_signed_values_lie_around_the_middle(void **state)
{
    (void)state;
    const int8_t bytes[WIDTH] = {-128, -1, 0, 127};
    expect_grey(through_tiff(bytes, 1, VIPS_FORMAT_CHAR, VIPS_INTERPRETATION_B_W), 0, 127, 128, 255);
    const int16_t shorts[WIDTH] = {-32768, -129, 0, 32767};
    expect_grey(through_tiff(shorts, 1, VIPS_FORMAT_SHORT, VIPS_INTERPRETATION_B_W), 0, 127, 128, 255);
}

static void test_white_of_wide_values_is_found(void **state)
{
    (void)state;
    const uint32_t eight[WIDTH] = {0, 1, 128, 255}, sixteen[WIDTH] = {0, 257, 65535, 70000}, all[WIDTH] = {0, 0x80000000u, UINT32_MAX, UINT32_MAX};
    expect_grey(through_tiff(eight, 1, VIPS_FORMAT_UINT, VIPS_INTERPRETATION_B_W), 0, 1, 128, 255);
    expect_grey(through_tiff(sixteen, 1, VIPS_FORMAT_UINT, VIPS_INTERPRETATION_B_W), 0, 1, 255, 255);
    expect_grey(through_tiff(all, 1, VIPS_FORMAT_UINT, VIPS_INTERPRETATION_B_W), 0, 128, 255, 255);
    const int32_t below[WIDTH] = {-5, 0, 100, 300};
    expect_grey(through_tiff(below, 1, VIPS_FORMAT_INT, VIPS_INTERPRETATION_B_W), 0, 0, 100, 255);
    const float floats[WIDTH] = {0, 100.4f, 254.6f, 400};
    expect_grey(through_tiff(floats, 1, VIPS_FORMAT_FLOAT, VIPS_INTERPRETATION_B_W), 0, 100, 255, 255);
}

static void test_floats_to_one_are_linear_light(void **state)
{
    (void)state;
    /* A fifth of the light looks half as bright: 0.2159 is sRGB's 128, 0.0003 its 1. What is no number is black. */
    const float values[WIDTH] = {0.0003f, 0.2159f, NAN, 2.0f};
    expect_grey(through_tiff(values, 1, VIPS_FORMAT_FLOAT, VIPS_INTERPRETATION_B_W), 1, 128, 0, 255);
    /* Alpha is a share, not a light: half of black on white. */
    const float half[WIDTH][4] = {{0, 0, 0, 0.5f}, {0, 0, 0, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}};
    expect_grey(through_tiff(half, 4, VIPS_FORMAT_FLOAT, VIPS_INTERPRETATION_scRGB), 127, 0, 255, 255);
}

static void test_lab_is_converted(void **state)
{
    (void)state;
    const float values[WIDTH][3] = {{0, 0, 0}, {100, 0, 0}, {53.585f, 0, 0}, {0, 0, 0}};
    expect_grey(through_tiff(values, 3, VIPS_FORMAT_FLOAT, VIPS_INTERPRETATION_LAB), 0, 255, 128, 0);
}

static void test_bands_behind_alpha_are_ignored(void **state)
{
    (void)state;
    /* Five of them are no RGB with alpha: the fourth is some other light. */
    const uint8_t values[WIDTH][5] = {{9, 9, 9, 0, 0}, {8, 8, 8, 0, 1}, {7, 7, 7, 255, 2}, {6, 6, 6, 100, 3}};
    expect_grey(through_tiff(values, 5, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB), 9, 8, 7, 6);
}

/* A TIFF of WIDTH pixels, each of BANDS bytes, written by hand with tags that libvips does not write. EXTRA: what the fourth band is; -1: not said. */
static lens_image through_tags(const uint8_t *values, unsigned bands, unsigned photometric, unsigned compression, int extra)
{
    enum { TAGS = 12, DATA = 8, DEPTHS = DATA + 4 * WIDTH, DIRECTORY = DEPTHS + 8, SIZE = DIRECTORY + 2 + TAGS * 12 + 4, SHORT = 3 };
    const unsigned subsampling = 1 | 1 << 16;
    const unsigned tags[TAGS][3] = {{256, 1, WIDTH}, {257, 1, 1},     {258, bands, DEPTHS}, {259, 1, compression},
                                    {262, 1, photometric}, {273, 1, DATA}, {277, 1, bands}, {278, 1, 1},
                                    {279, 1, bands * WIDTH}, {284, 1, 1}, {338, 1, (unsigned)extra}, {530, 2, subsampling}};
    uint8_t bytes[SIZE] = {'I', 'I', '*', 0, DIRECTORY};
    memcpy(bytes + DATA, values, bands * WIDTH);
    for (unsigned b = 0; b < bands; b++)
        bytes[DEPTHS + 2 * b] = 8;
    uint8_t *to = bytes + DIRECTORY + 2;
    for (int i = 0; i < TAGS; i++) {
        if (tags[i][0] == 338 && extra < 0)
            continue;
        const unsigned parts[] = {tags[i][0] | SHORT << 16, tags[i][1], tags[i][2]};
        for (int k = 0; k < 12; k++)
            *to++ = (uint8_t)(parts[k / 4] >> 8 * (k % 4));
        bytes[DIRECTORY]++;
    }
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image out;
    lens_error err = {0};
    assert_done(lens_decode(bytes, sizeof bytes, &limits, &out, NULL, &err), &err);
    assert_int_equal(out.width, WIDTH);
    return out;
}

/* What is legal, and neither libvips nor TurboJPEG has code for. */
/* A TIFF of the 16-bit VALUES that says VALUE for TAG, of *SIZE bytes. The caller frees it with g_free. */
static void *tiff_that_says(const uint16_t values[WIDTH], uint16_t tag, uint8_t value, size_t *size)
{
    void *bytes = NULL;
    assert_int_equal(vips_init("memelens-tests"), 0);
    VipsImage *raw = vips_image_new_from_memory_copy(values, WIDTH * sizeof *values, WIDTH, 1, 1, VIPS_FORMAT_USHORT);
    assert_non_null(raw);
    assert_int_equal(vips_tiffsave_buffer(raw, &bytes, size, NULL), 0);
    g_object_unref(raw);
    const uint8_t head[] = {(uint8_t)tag, (uint8_t)(tag >> 8), 3, 0, 1, 0, 0, 0};
    find(bytes, *size, head, sizeof head)[sizeof head] = value;
    return bytes;
}

/* libvips reads them from 8.16 on. */
static void test_half_floats_are_read_or_not_supported(void **state)
{
    (void)state;
    enum { KIND = 339, FLOATS = 3 };
    static const uint16_t halves[WIDTH] = {0, 0x32e9, 0x7e00, 0x4000}; /* 0, 0.2159, no number, 2 */
    const lens_decode_limits limits = lens_decode_limits_default();
    size_t size;
    void *bytes = tiff_that_says(halves, KIND, FLOATS, &size);
    lens_image out;
    if (lens_decode(bytes, size, &limits, &out, NULL, NULL) == 0)
        expect_grey(out, 0, 128, 0, 255);
    else
        expect_unsupported(bytes, size, "TIFF of a kind that is not supported: ");
    g_free(bytes);
}

static void test_what_is_not_supported_is_not_damaged(void **state)
{
    (void)state;
    enum { DEPTH = 258 };
    static const uint16_t values[WIDTH] = {0, 1, 2, 3};
    size_t size;
    void *tiff = tiff_that_says(values, DEPTH, 12, &size);
    expect_unsupported(tiff, size, "TIFF of a kind that is not supported: ");
    g_free(tiff);
    /* A JPEG 2000 whose second component has fewer bits than the others, and a JPEG without loss. */
    static const uint8_t depths[] = {7, 1, 1, 7, 1, 1, 7, 1, 1};
    uint8_t bytes[sizeof of_three];
    memcpy(bytes, of_three, sizeof of_three);
    find(bytes, sizeof bytes, depths, sizeof depths)[3] = 6;
    expect_unsupported(bytes, sizeof bytes, "JPEG 2000 of a kind that is not supported: ");
    lens_buffer jpeg = test_picture(TEST_JPEG_444, 16, 8, 1);
    find((uint8_t *)jpeg.data, jpeg.size, "\xff\xc0", 2)[1] = 0xc3;
    expect_unsupported(jpeg.data, jpeg.size, "JPEG of a kind that is not supported: ");
    lens_buffer_free(&jpeg);
}

static void test_luma_and_chromas_are_no_rgb(void **state)
{
    (void)state;
    enum { RGB = 2, YCC = 6 };
    static const uint8_t values[WIDTH * 3] = {255, 128, 128, 76, 85, 255, 0, 128, 128, 150, 44, 21}; /* white, red, black, green */
    static const uint8_t expected[WIDTH * 3] = {255, 255, 255, 254, 0, 0, 0, 0, 0, 0, 255, 1};
    lens_image image = through_tags(values, 3, YCC, 1, -1);
    for (int i = 0; i < WIDTH * 3; i++)
        assert_in_range(image.rgb[i] + 1, expected[i], expected[i] + 2);
    lens_image_free(&image);
    image = through_tags(values, 3, RGB, 1, -1);
    assert_memory_equal(image.rgb, values, sizeof values);
    lens_image_free(&image);
}

static void test_a_fourth_band_that_is_not_said_to_be_alpha_is_none(void **state)
{
    (void)state;
    const uint8_t values[WIDTH * 4] = {9, 9, 9, 0, 8, 8, 8, 100, 7, 7, 7, 255, 255, 255, 255, 0};
    expect_grey(through_tags(values, 4, 2, 1, 0), 9, 8, 7, 255);
    expect_grey(through_tags(values, 4, 2, 1, 2), 255, 158, 7, 255);
    expect_grey(through_tags(values, 4, 2, 1, -1), 255, 158, 7, 255); /* as most have it that say nothing */
}

/* 16 x 16 pixels of 200, 100, 50 in an AVIF, the lower half half covered; the colours are multiplied by that already. */
static void test_colours_that_are_multiplied_already_are_not_once_more(void **state)
{
    (void)state;
    uint8_t bytes[] = {
        0, 0, 0, 32, 102, 116, 121, 112, 97, 118, 105, 102, 0, 0, 0, 0, 97, 118, 105, 102, 109, 105, 102, 49, 109, 105, 97, 102, 77, 65, 49, 65,
        0, 0, 1, 148, 109, 101, 116, 97, 0, 0, 0, 0, 0, 0, 0, 33, 104, 100, 108, 114, 0, 0, 0, 0, 0, 0, 0, 0, 112, 105, 99, 116,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 112, 105, 116, 109, 0, 0, 0, 0, 0, 1, 0, 0, 0, 44, 105,
        108, 111, 99, 0, 0, 0, 0, 68, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 1, 211, 0, 0, 0, 41, 0, 2, 0, 0, 0, 1, 0,
        0, 1, 188, 0, 0, 0, 23, 0, 0, 0, 66, 105, 105, 110, 102, 0, 0, 0, 0, 0, 2, 0, 0, 0, 26, 105, 110, 102, 101, 2, 0, 0,
        0, 0, 1, 0, 0, 97, 118, 48, 49, 67, 111, 108, 111, 114, 0, 0, 0, 0, 26, 105, 110, 102, 101, 2, 0, 0, 0, 0, 2, 0, 0, 97,
        118, 48, 49, 65, 108, 112, 104, 97, 0, 0, 0, 0, 40, 105, 114, 101, 102, 0, 0, 0, 0, 0, 0, 0, 14, 112, 114, 101, 109, 0, 1, 0,
        1, 0, 2, 0, 0, 0, 14, 97, 117, 120, 108, 0, 2, 0, 1, 0, 1, 0, 0, 0, 195, 105, 112, 114, 112, 0, 0, 0, 157, 105, 112, 99,
        111, 0, 0, 0, 20, 105, 115, 112, 101, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 16, 112, 105, 120, 105, 0, 0, 0,
        0, 3, 8, 8, 8, 0, 0, 0, 12, 97, 118, 49, 67, 129, 32, 0, 0, 0, 0, 0, 19, 99, 111, 108, 114, 110, 99, 108, 120, 0, 1, 0,
        13, 0, 6, 128, 0, 0, 0, 14, 112, 105, 120, 105, 0, 0, 0, 0, 1, 8, 0, 0, 0, 12, 97, 118, 49, 67, 129, 0, 28, 0, 0, 0,
        0, 56, 97, 117, 120, 67, 0, 0, 0, 0, 117, 114, 110, 58, 109, 112, 101, 103, 58, 109, 112, 101, 103, 66, 58, 99, 105, 99, 112, 58, 115, 121,
        115, 116, 101, 109, 115, 58, 97, 117, 120, 105, 108, 105, 97, 114, 121, 58, 97, 108, 112, 104, 97, 0, 0, 0, 0, 30, 105, 112, 109, 97, 0, 0,
        0, 0, 0, 0, 0, 2, 0, 1, 4, 1, 2, 131, 4, 0, 2, 4, 1, 5, 134, 7, 0, 0, 0, 72, 109, 100, 97, 116, 18, 0, 10, 5,
        24, 12, 255, 249, 84, 50, 12, 69, 144, 0, 0, 68, 176, 102, 145, 107, 157, 105, 128, 18, 0, 10, 8, 56, 12, 255, 219, 64, 67, 65, 164, 50,
        27, 69, 224, 152, 193, 48, 0, 12, 160, 0, 0, 0, 64, 177, 84, 65, 83, 168, 218, 206, 199, 78, 155, 142, 53, 240, 71, 176,
    };
    static const int whole[] = {200, 100, 50}, half[] = {228, 178, 152}, twice[] = {177, 152, 139};
    uint8_t *reference = find(bytes, sizeof bytes, "prem", 4);
    lens_decode_limits limits = lens_decode_limits_default();
    lens_error err = {0};
    for (int said = 1; said >= 0; said--) {
        lens_image out;
        assert_done(lens_decode(bytes, sizeof bytes, &limits, &out, NULL, &err), &err);
        for (int c = 0; c < 3; c++) {
            assert_in_range(out.rgb[c], whole[c] - 4, whole[c] + 4);
            const int below = said ? half[c] : twice[c];
            assert_in_range(out.rgb[3 * 15 * 16 + c], below - 4, below + 4);
        }
        lens_image_free(&out);
        memcpy(reference, "cdsc", 4); /* a reference of another kind */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_16_bits_are_rounded), cmocka_unit_test(test_few_bits_of_a_jpeg_2000_are_spread),
        cmocka_unit_test(test_a_palette_of_a_jpeg_2000_is_looked_up),
        cmocka_unit_test(test_luma_and_chromas_of_a_jpeg_2000_are_no_rgb),
        cmocka_unit_test(test_chromas_of_half_the_columns_are_chromas),
        cmocka_unit_test(test_inks_of_a_jpeg_2000_are_no_coverage),
        cmocka_unit_test(test_channels_of_a_jpeg_2000_are_put_in_order),
        cmocka_unit_test(test_a_jpeg_2000_whose_pixels_lie_elsewhere_is_refused),
        cmocka_unit_test(test_signed_values_lie_around_the_middle),
        cmocka_unit_test(test_white_of_wide_values_is_found),
        cmocka_unit_test(test_floats_to_one_are_linear_light),
        cmocka_unit_test(test_lab_is_converted),
        cmocka_unit_test(test_bands_behind_alpha_are_ignored),
        cmocka_unit_test(test_half_floats_are_read_or_not_supported),
        cmocka_unit_test(test_what_is_not_supported_is_not_damaged),
        cmocka_unit_test(test_luma_and_chromas_are_no_rgb),
        cmocka_unit_test(test_colours_that_are_multiplied_already_are_not_once_more),
        cmocka_unit_test(test_a_fourth_band_that_is_not_said_to_be_alpha_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
