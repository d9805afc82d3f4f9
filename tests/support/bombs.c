#include "bombs.h"

#include <zlib.h>

#include "pictures.h"

enum { BOMBS_MOST = 64 };

typedef struct list {
    test_bomb *items;
    size_t count;
} list;

static void add(list *to, const char *name, const char *says, lens_buffer bytes)
{
    assert_true(to->count < BOMBS_MOST);
    to->items[to->count++] = (test_bomb){.name = name, .says = says, .bytes = bytes};
}

/* Texts and profiles that inflate to megabytes: libpng of Debian 12 passes them by, that of Debian 13 has a limit. */
static void add_either(list *to, const char *name, lens_buffer bytes)
{
    add(to, name, NULL, bytes);
    to->items[to->count - 1].either = true;
}

#define TEXT(out, text) test_put(out, text, sizeof(text) - 1)

static void big(lens_buffer *out, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;)
        test_put(out, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static void times(lens_buffer *out, const void *bytes, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_put(out, bytes, size);
}

static uint8_t *find(const lens_buffer *in, const char *what, size_t size, size_t from)
{
    for (size_t i = from; i + size <= in->size; i++)
        if (memcmp(in->data + i, what, size) == 0)
            return (uint8_t *)in->data + i;
    fail_msg("the bytes to be changed are not there");
    return NULL;
}

static void set_big(uint8_t *at, uint32_t value, size_t size)
{
    for (size_t i = size; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
}

/* ---- PNG ---- */

static void chunk(lens_buffer *out, const char *type, const void *bytes, size_t size)
{
    big(out, size, 4);
    const size_t from = out->size;
    test_put(out, type, 4);
    test_put(out, size ? bytes : "", size);
    big(out, crc32(0, (const Bytef *)out->data + from, (uInt)(out->size - from)), 4);
}

static lens_buffer zeros_compressed(size_t size)
{
    lens_buffer out = {0};
    static uint8_t bytes[1 << 16], packed[1 << 16];
    z_stream stream = {0};
    assert_int_equal(deflateInit(&stream, 9), Z_OK);
    for (int result = Z_OK; result != Z_STREAM_END;) {
        if (stream.avail_in == 0 && size > 0) {
            stream.next_in = bytes;
            stream.avail_in = (uInt)(size < sizeof bytes ? size : sizeof bytes);
            size -= stream.avail_in;
        }
        stream.next_out = packed;
        stream.avail_out = sizeof packed;
        result = deflate(&stream, size ? Z_NO_FLUSH : Z_FINISH);
        test_put(&out, packed, sizeof packed - stream.avail_out);
    }
    deflateEnd(&stream);
    return out;
}

static lens_buffer png_begun(uint32_t width, uint32_t height, uint8_t bits, uint8_t colours, bool interlaced)
{
    lens_buffer out = {0}, header = {0};
    TEXT(&out, "\x89PNG\r\n\x1a\n");
    big(&header, width, 4);
    big(&header, height, 4);
    test_put(&header, (uint8_t[]){bits, colours, 0, 0, interlaced}, 5);
    chunk(&out, "IHDR", header.data, header.size);
    lens_buffer_free(&header);
    return out;
}

/* A picture of one pixel ends it. */
static lens_buffer png_ended(lens_buffer out)
{
    lens_buffer pixel = zeros_compressed(4);
    chunk(&out, "IDAT", pixel.data, pixel.size);
    chunk(&out, "IEND", "", 0);
    lens_buffer_free(&pixel);
    return out;
}

static lens_buffer png_with_text(const char *type, const char *before, size_t size)
{
    lens_buffer out = png_begun(1, 1, 8, 2, false), text = {0}, packed = zeros_compressed((size_t)64 << 20);
    test_put(&text, before, size);
    test_put(&text, packed.data, packed.size);
    chunk(&out, type, text.data, text.size);
    lens_buffer_free(&text);
    lens_buffer_free(&packed);
    return png_ended(out);
}

static void add_pngs(list *to)
{
    add(to, "claim.png", "damaged PNG", test_png_bomb(INT32_MAX, INT32_MAX));
    add(to, "claim2.png", "60000 x 60000 pixels, more than the", test_png_bomb(60000, 60000));
    add(to, "interlaced.png", "PNG", png_ended(png_begun(10000, 10000, 16, 6, true)));
    add_either(to, "ztxt.png", png_with_text("zTXt", "a\0\0", 3));
    add_either(to, "itxt.png", png_with_text("iTXt", "XML:com.adobe.xmp\0\1\0\0\0", 22));
    add_either(to, "iccp.png", png_with_text("iCCP", "a\0\0", 3));
    lens_buffer out = png_begun(1, 1, 8, 2, false);
    for (int i = 0; i < 100000; i++)
        chunk(&out, "tEXt", "a\0b", 3);
    add_either(to, "texts.png", png_ended(out));
    out = png_begun(1, 1, 8, 2, false); /* an APNG */
    chunk(&out, "acTL", "\0\1\x86\xa0\0\0\0\0", 8);
    out = png_ended(out);
    out.size -= 12; /* its end */
    for (int i = 0; i < 100000; i++)
        chunk(&out, "fdAT", "\0\0\0\0", 4);
    chunk(&out, "IEND", "", 0);
    add(to, "frames.png", NULL, out);
}

/* ---- JPEG ---- */

static lens_buffer jpeg_of(test_kind kind, uint16_t width, uint16_t height)
{
    lens_buffer out = test_picture(kind, 64, 64, 1);
    uint8_t *frame = find(&out, kind == TEST_JPEG_PROGRESSIVE ? "\xff\xc2" : "\xff\xc0", 2, 2);
    set_big(frame + 5, height, 2);
    set_big(frame + 7, width, 2);
    return out;
}

static void add_jpegs(list *to)
{
    add(to, "claim.jpg", "65500 pixels", jpeg_of(TEST_JPEG_420, 65535, 65535));
    add(to, "claim2.jpg", "65000 x 65000 pixels, more than the", jpeg_of(TEST_JPEG_420, 65000, 65000));
    add(to, "claim3.jpg", "65000 x 65000 pixels, more than the", jpeg_of(TEST_JPEG_PROGRESSIVE, 65000, 65000));
    lens_buffer whole = jpeg_of(TEST_JPEG_PROGRESSIVE, 64, 64), out = {0};
    size_t scan = 0;
    for (size_t i = 2; i + 1 < whole.size; i++)
        if (memcmp(whole.data + i, "\xff\xda", 2) == 0)
            scan = i;
    test_put(&out, whole.data, scan);
    times(&out, whole.data + scan, whole.size - 2 - scan, 1000);
    TEXT(&out, "\xff\xd9");
    lens_buffer_free(&whole);
    add(to, "scans.jpg", "more than 500 scans", out);
}

/* ---- GIF, WebP, HEIC, AVIF ---- */

static lens_buffer gif_of(uint16_t canvas, uint16_t frame, size_t frames)
{
    lens_buffer out = {0}, one = {0};
    TEXT(&out, "GIF89a");
    test_put_number(&out, canvas, 2);
    test_put_number(&out, canvas, 2);
    TEXT(&out, "\x80\0\0\0\0\0\xff\xff\xff");
    TEXT(&one, "\x2c\0\0\0\0");
    test_put_number(&one, frame, 2);
    test_put_number(&one, frame, 2);
    TEXT(&one, "\0\2\2\x4c\1\0");
    times(&out, one.data, one.size, frames);
    TEXT(&out, ";");
    lens_buffer_free(&one);
    return out;
}

static lens_buffer webp_of(const lens_buffer *chunks)
{
    lens_buffer out = {0};
    TEXT(&out, "RIFF");
    test_put_number(&out, chunks->size + 4, 4);
    TEXT(&out, "WEBP");
    test_put(&out, chunks->data, chunks->size);
    return out;
}

static void add_animations(list *to)
{
    add(to, "claim.gif", "65535 x 65535 pixels, more than the", gif_of(1, 65535, 1));
    add(to, "frames.gif", NULL, gif_of(64, 1, 100000));

    lens_buffer whole = test_picture(TEST_WEBP_LOSSLESS, 64, 64, 1), chunks = {0};
    uint8_t *header = find(&whole, "VP8L", 4, 12) + 9;
    for (int i = 0; i < 4; i++)
        header[i] = (uint8_t)(0x0fffffffu >> 8 * i); /* 16384 x 16384 */
    add(to, "claim.webp", "WebP", whole);
    TEXT(&chunks, "VP8X\x0a\0\0\0\2\0\0\0\x3f\0\0\x3f\0\0" "ANIM\6\0\0\0\0\0\0\0\0\0");
    for (int i = 0; i < 100000; i++)
        TEXT(&chunks, "ANMF\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    add(to, "frames.webp", "more than the 10000 frames", webp_of(&chunks));
    lens_buffer_free(&chunks);

    static const test_kind kinds[] = {TEST_HEIC, TEST_AVIF};
    for (int i = 0; i < 2; i++) {
        whole = test_picture(kinds[i], 64, 64, 1);
        uint8_t *size = find(&whole, "ispe", 4, 0);
        set_big(size + 8, INT32_MAX, 4);
        set_big(size + 12, INT32_MAX, 4);
        add(to, i ? "claim.avif" : "claim.heic", i ? "AVIF" : "HEIC", whole);
    }
}

/* ---- TIFF ---- */

typedef struct tag {
    uint16_t tag, type;
    uint32_t count, value;
} tag;

static lens_buffer tiff_of(const tag *tags, uint16_t count, uint32_t next)
{
    lens_buffer out = {0};
    TEXT(&out, "II*\0\x08\0\0\0");
    test_put_number(&out, count, 2);
    for (uint16_t i = 0; i < count; i++) {
        test_put_number(&out, tags[i].tag, 2);
        test_put_number(&out, tags[i].type, 2);
        test_put_number(&out, tags[i].count, 4);
        test_put_number(&out, tags[i].value, 4);
    }
    test_put_number(&out, next, 4);
    return out;
}

#define TIFF(...) tiff_of((const tag[]){__VA_ARGS__}, sizeof((const tag[]){__VA_ARGS__}) / sizeof(tag), 0)
#define GREY(width, height) {256, 4, 1, width}, {257, 4, 1, height}, {258, 3, 1, 8}, {259, 3, 1, 1}, {262, 3, 1, 1}

static void add_tiffs(list *to)
{
    add(to, "claim.tif", "TIFF", TIFF(GREY(INT32_MAX, INT32_MAX), {273, 4, 1, 8}, {278, 4, 1, INT32_MAX}, {279, 4, 1, 100}));
    add(to, "strip.tif", "TIFF", TIFF(GREY(10000, 10000), {273, 4, 1, 8}, {278, 4, 1, 10000}, {279, 4, 1, 100}));
    add(to, "tiles.tif", "TIFF", TIFF(GREY(100, 100), {322, 4, 1, 1 << 20}, {323, 4, 1, 1 << 20}, {324, 4, 1, 8}, {325, 4, 1, 100}));
    add(to, "offsets.tif", "TIFF", TIFF(GREY(10, 10), {273, 4, 1 << 28, 8}, {278, 4, 1, 1}, {279, 4, 1 << 28, 8}));
    add(to, "tag.tif", "TIFF", TIFF(GREY(100, 100), {270, 2, 1 << 30, 8}, {273, 4, 1, 8}, {278, 4, 1, 100}, {279, 4, 1, 10000}));
    const tag page[] = {GREY(10, 10), {273, 4, 1, 8}, {278, 4, 1, 10}, {279, 4, 1, 90}};
    add(to, "loop.tif", NULL, tiff_of(page, sizeof page / sizeof *page, 8));
}

/* ---- the rest ---- */

static lens_buffer dib_of(int32_t width, int32_t height, uint16_t bits)
{
    lens_buffer out = {0};
    test_put_number(&out, 40, 4);
    test_put_number(&out, (uint32_t)width, 4);
    test_put_number(&out, (uint32_t)height, 4);
    test_put_number(&out, 1, 2);
    test_put_number(&out, bits, 2);
    times(&out, "", 1, 24);
    return out;
}

static lens_buffer bmp_of(int32_t width, int32_t height)
{
    lens_buffer out = {0}, dib = dib_of(width, height, 24);
    TEXT(&out, "BM\x36\0\0\0\0\0\0\0\x36\0\0\0");
    test_put(&out, dib.data, dib.size);
    lens_buffer_free(&dib);
    return out;
}

static lens_buffer ico_of(uint16_t entries, uint32_t size, uint32_t from, const lens_buffer *picture)
{
    lens_buffer out = {0};
    TEXT(&out, "\0\0\1\0");
    test_put_number(&out, entries, 2);
    for (unsigned i = 0; i < entries; i++) {
        TEXT(&out, "\0\0\0\0\1\0\x20\0");
        test_put_number(&out, size, 4);
        test_put_number(&out, from, 4);
    }
    test_put(&out, picture ? picture->data : "", picture ? picture->size : 0);
    return out;
}

#define SVG "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"512\" height=\"512\">"

static lens_buffer text_of(const char *text)
{
    lens_buffer out = {0};
    test_put(&out, text, strlen(text));
    return out;
}

static lens_buffer entities(void)
{
    lens_buffer out = text_of("<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY a0 \"aaaaaaaaaa\">");
    for (int i = 1; i < 10; i++) {
        lens_buffer_print(&out, "<!ENTITY a%d \"", i);
        for (int j = 0; j < 10; j++)
            lens_buffer_print(&out, "&a%d;", i - 1);
        lens_buffer_print(&out, "\">");
    }
    lens_buffer_print(&out, "]>" SVG "<text>&a9;</text></svg>");
    return out;
}

static void add_others(list *to)
{
    add(to, "claim.bmp", "pixels, more than the", bmp_of(INT32_MAX, INT32_MIN));
    add(to, "claim2.bmp", "truncated BMP", bmp_of(10000, 10000));
    lens_buffer dib = dib_of(65535, 2 * 65535, 32), png = test_png_bomb(60000, 60000);
    add(to, "claim.ico", "pixels, more than the", ico_of(1, (uint32_t)dib.size, 22, &dib));
    add(to, "png.ico", "pixels, more than the", ico_of(1, (uint32_t)png.size, 22, &png));
    add(to, "entries.ico", "truncated ICO", ico_of(65535, UINT32_MAX, UINT32_MAX, NULL));
    add(to, "self.ico", "not a picture", ico_of(1, 22, 0, NULL));
    lens_buffer_free(&dib);
    lens_buffer_free(&png);
    add(to, "claim.ppm", "pixels, more than the", text_of("P6 2147483647 2147483647 255\n"));
    add(to, "claim2.ppm", "truncated PNM", text_of("P6 10000 10000 255\n"));
    add(to, "plain.ppm", "truncated PNM", text_of("P3 10000 10000 255\n1 1 1 1"));

    lens_buffer whole = test_picture(TEST_JP2, 64, 64, 1);
    uint8_t *size = find(&whole, "\xff\x51", 2, 0), *box = find(&whole, "ihdr", 4, 0);
    for (int i = 0; i < 2; i++) {
        set_big(size + 6 + 4 * i, 60000, 4);  /* the picture */
        set_big(size + 22 + 4 * i, 60000, 4); /* its one tile */
        set_big(box + 4 + 4 * i, 60000, 4);
    }
    add(to, "claim.jp2", "60000 x 60000 pixels, more than the", whole);
    whole = test_picture(TEST_JXL, 64, 64, 1);
    whole.size /= 2;
    add(to, "cut.jxl", "JPEG XL", whole);

    add(to, "claim.svg", "claim.svg: ", text_of("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1e9\" height=\"1e9\"></svg>"));
    add(to, "entities.svg", "SVG", entities());
    add(to, "zero.svg", NULL, text_of(SVG "<image xlink:href=\"file:///dev/zero\" width=\"9\" height=\"9\"/></svg>"));
    lens_buffer large = text_of(SVG);
    while (large.size <= 16 << 20)
        TEXT(&large, "<path d=\"M0 0 L512 512 L0 512 Z\"/>");
    TEXT(&large, "</svg>");
    add(to, "large.svg", "an SVG of", large);
    lens_buffer deep = text_of(SVG);
    times(&deep, "<g>", 3, 100000);
    add(to, "deep.svg", "SVG", deep);
}

test_bomb *test_bombs(size_t *count)
{
    list all = {calloc(BOMBS_MOST, sizeof *all.items), 0};
    assert_non_null(all.items);
    add_pngs(&all);
    add_jpegs(&all);
    add_animations(&all);
    add_tiffs(&all);
    add_others(&all);
    *count = all.count;
    return all.items;
}

void test_bombs_free(test_bomb *bombs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        lens_buffer_free(&bombs[i].bytes);
    free(bombs);
}
