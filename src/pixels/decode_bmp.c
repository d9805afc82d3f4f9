/* Windows bitmaps, by hand: libvips reads them only through ImageMagick, which is too much to hand a stranger's file to.
 * All that is in use: 1 to 32 bits, palettes, bit fields, run lengths, either direction, with and without alpha. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "pixels/decoders.h"

enum { RGB = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, ALPHA_BITFIELDS = 6 }; /* how rows are stored */
enum { FILE_HEADER = 14, CORE_HEADER = 12 };

typedef struct dib {
    const uint8_t *bytes;
    size_t size, rows; /* rows: where the first one begins */
    int width, height;
    bool top_down, icon;
    unsigned bits, compression;
    size_t stride;
    uint32_t masks[4]; /* red, green, blue, alpha; of 16 and 32 bits */
    unsigned colours;
    uint8_t palette[256][3];
} dib;

static int truncated(lens_error *err)
{
    return lens_fail(err, LENS_E_FORMAT, "truncated BMP");
}

static int damaged(lens_error *err, const char *what)
{
    return lens_fail(err, LENS_E_FORMAT, "damaged BMP: %s", what);
}

/* Everything before the rows. */
static int read_header(dib *d, size_t rows, const lens_decode_limits *limits, lens_error *err)
{
    const uint8_t *p = d->bytes;
    if (d->size < 4)
        return truncated(err);
    size_t header = lens_little_32(p);
    if (header != CORE_HEADER && (header < 16 || header > 1024))
        return damaged(err, "a header of an unknown size");
    if (d->size < header)
        return truncated(err);
    bool core = header == CORE_HEADER;
    int64_t width = core ? (int64_t)lens_little_16(p + 4) : (int32_t)lens_little_32(p + 4);
    int64_t height = core ? (int64_t)lens_little_16(p + 6) : (int32_t)lens_little_32(p + 8);
    d->top_down = height < 0;
    height = height < 0 ? -height : height;
    if (d->icon)
        height /= 2;
    if (lens_decode_check_size(width, height, limits, err) != 0)
        return -1;
    d->width = (int)width;
    d->height = (int)height;
    d->bits = lens_little_16(p + (core ? 10 : 14));
    d->compression = header >= 20 ? lens_little_32(p + 16) : RGB;
    d->stride = ((size_t)width * d->bits + 31) / 32 * 4;

    switch (d->bits) {
    case 1: case 2: case 4: case 8: case 16: case 24: case 32: break;
    default: return damaged(err, "an odd number of bits a pixel");
    }
    bool fields = d->compression == BITFIELDS || d->compression == ALPHA_BITFIELDS;
    if (!(d->compression == RGB || (d->compression == RLE8 && d->bits == 8) || (d->compression == RLE4 && d->bits == 4) ||
          (fields && (d->bits == 16 || d->bits == 32))))
        return lens_fail(err, LENS_E_UNSUPPORTED, "BMP of a kind that is not supported (compression %u, %u bits)", d->compression,
                         d->bits);
    if (d->top_down && (d->compression == RLE8 || d->compression == RLE4))
        return damaged(err, "run lengths from top to bottom");

    size_t at = header;
    if (fields) {
        /* Inside the longer headers, behind the shortest. */
        size_t from = 40;
        unsigned count = header >= 56 || d->compression == ALPHA_BITFIELDS ? 4 : 3;
        if (d->size < from + 4 * count)
            return truncated(err);
        for (unsigned i = 0; i < count; i++)
            d->masks[i] = lens_little_32(p + from + 4 * i);
        if (at < from + 4 * count)
            at = from + 4 * count;
    } else if (d->bits == 16) {
        d->masks[0] = 0x7c00, d->masks[1] = 0x03e0, d->masks[2] = 0x001f;
    } else if (d->bits == 32) {
        d->masks[0] = 0xff0000, d->masks[1] = 0xff00, d->masks[2] = 0xff;
        if (d->icon)
            d->masks[3] = 0xff000000;
    }
    if (d->bits <= 8) {
        unsigned used = header >= 36 ? lens_little_32(p + 32) : 0, most = 1u << d->bits, each = core ? 3 : 4;
        d->colours = used && used < most ? used : most;
        /* A core header does not say how many: the rows begin behind the last. */
        if (rows > at && (rows - at) / each < d->colours)
            d->colours = (unsigned)((rows - at) / each);
        if ((d->size - at) / each < d->colours)
            return truncated(err);
        for (unsigned i = 0; i < d->colours; i++, at += each)
            for (int c = 0; c < 3; c++)
                d->palette[i][c] = p[at + (size_t)(2 - c)];
    } else if (header >= 36 && lens_little_32(p + 32) <= 256) {
        at += 4 * (size_t)lens_little_32(p + 32); /* colours meant for a poorer screen */
    }
    d->rows = rows ? rows : at;
    if (d->rows < header || d->rows > d->size)
        return truncated(err);
    return 0;
}

/* The value under MASK, 0 to 255; cut, not rounded, when widened from fewer bits: so does Pillow. */
static unsigned field(uint32_t pixel, uint32_t mask)
{
    if (!mask)
        return 0;
    int shift = __builtin_ctz(mask);
    uint64_t value = (pixel & mask) >> shift, most = mask >> shift;
    return (unsigned)(value * 255 / most);
}

/* RLE4 and RLE8 to one palette index a byte, rows from the bottom up. What no run touches stays 0. */
static int unpack_runs(const dib *d, uint8_t *indices, lens_error *err)
{
    const uint8_t *at = d->bytes + d->rows, *end = d->bytes + d->size;
    int x = 0, y = 0;
    while (y < d->height) {
        if (end - at < 2)
            return truncated(err);
        unsigned count = at[0], value = at[1];
        at += 2;
        bool literal = count == 0 && value > 2;
        if (count == 0 && value == 0) { /* end of the row */
            x = 0;
            y++;
            continue;
        }
        if (count == 0 && value == 1) /* end of the picture */
            return 0;
        if (count == 0 && value == 2) { /* a step to the right and up */
            if (end - at < 2)
                return truncated(err);
            x += at[0];
            y += at[1];
            at += 2;
            if (x > d->width)
                return damaged(err, "a run leaves the picture");
            continue;
        }
        const uint8_t *from = at - 1; /* a run repeats its one byte */
        if (literal) {
            count = value;
            size_t bytes = d->bits == 8 ? count : (count + 1) / 2;
            bytes += bytes % 2;
            if ((size_t)(end - at) < bytes)
                return truncated(err);
            from = at;
            at += bytes;
        }
        for (unsigned i = 0; i < count && x < d->width; i++, x++) { /* encoders run over the right edge: cut */
            uint8_t byte = from[!literal ? 0 : d->bits == 8 ? i : i / 2];
            indices[(size_t)y * (size_t)d->width + (size_t)x] = d->bits == 8 ? byte : i % 2 ? byte & 15 : byte >> 4;
        }
    }
    return 0;
}

static void put_colour(const dib *d, unsigned index, uint8_t *rgb)
{
    if (index < d->colours)
        memcpy(rgb, d->palette[index], 3);
    else
        memset(rgb, 0, 3);
}

/* Of 16 or 32 bits. */
static uint32_t pixel_at(const dib *d, const uint8_t *row, int x)
{
    return d->bits == 16 ? lens_little_16(row + 2 * (size_t)x) : lens_little_32(row + 4 * (size_t)x);
}

static void unpack_row(const dib *d, const uint8_t *row, bool alpha, uint8_t *rgb)
{
    for (int x = 0; x < d->width; x++, rgb += 3) {
        if (d->bits <= 8) {
            size_t bit = (size_t)x * d->bits;
            put_colour(d, row[bit / 8] >> (8 - d->bits - bit % 8) & ((1u << d->bits) - 1), rgb);
        } else if (d->bits == 24) {
            const uint8_t *bgr = row + 3 * (size_t)x;
            rgb[0] = bgr[2], rgb[1] = bgr[1], rgb[2] = bgr[0];
        } else {
            uint32_t pixel = pixel_at(d, row, x);
            unsigned cover = alpha ? field(pixel, d->masks[3]) : 255;
            for (int c = 0; c < 3; c++)
                rgb[c] = lens_on_white(field(pixel, d->masks[c]), cover);
        }
    }
}

static const uint8_t *row_at(const dib *d, int y)
{
    return d->bytes + d->rows + d->stride * (size_t)(d->top_down ? y : d->height - 1 - y);
}

/* Many writers leave the fourth byte at 0 and mean an opaque picture. */
static bool has_alpha(const dib *d)
{
    if (!d->masks[3])
        return false;
    for (int y = 0; y < d->height; y++) {
        const uint8_t *row = row_at(d, y);
        for (int x = 0; x < d->width; x++)
            if (field(pixel_at(d, row, x), d->masks[3]))
                return true;
    }
    return false;
}

/* The mask behind an icon's rows: where a bit is set, the background shows. */
static void lay_mask(const dib *d, lens_image *out)
{
    size_t stride = ((size_t)d->width + 31) / 32 * 4, from = d->rows + d->stride * (size_t)d->height;
    if (from > d->size || (d->size - from) / stride < (size_t)d->height)
        return; /* some lack it */
    for (int y = 0; y < d->height; y++) {
        const uint8_t *row = d->bytes + from + stride * (size_t)(d->top_down ? y : d->height - 1 - y);
        for (int x = 0; x < d->width; x++)
            if (row[x / 8] >> (7 - x % 8) & 1)
                memset(out->rgb + 3 * ((size_t)y * (size_t)d->width + (size_t)x), 255, 3);
    }
}

static int unpack_indices(const dib *d, lens_image *out, lens_error *err)
{
    size_t count = (size_t)d->width * (size_t)d->height;
    uint8_t *indices = calloc(count, 1);
    if (!indices)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory for %d x %d pixels", d->width, d->height);
    int result = unpack_runs(d, indices, err);
    for (int y = 0; y < d->height && result == 0; y++)
        for (int x = 0; x < d->width; x++)
            put_colour(d, indices[(size_t)(d->height - 1 - y) * (size_t)d->width + (size_t)x],
                       out->rgb + 3 * ((size_t)y * (size_t)d->width + (size_t)x));
    free(indices);
    return result;
}

int lens_decode_dib(const uint8_t *bytes, size_t size, size_t pixels, bool icon, const lens_decode_limits *limits, lens_image *out,
                    lens_error *err)
{
    dib d = {.bytes = bytes, .size = size, .icon = icon};
    if (read_header(&d, pixels, limits, err) != 0)
        return -1;
    bool runs = d.compression == RLE8 || d.compression == RLE4;
    size_t row_bytes = ((size_t)d.width * d.bits + 7) / 8; /* the last row's padding may be missing */
    if (!runs && (d.size - d.rows < row_bytes || (d.size - d.rows - row_bytes) / d.stride < (size_t)d.height - 1))
        return truncated(err);
    if (lens_image_new(d.width, d.height, out, err) != 0)
        return -1;
    int result = 0;
    if (runs) {
        result = unpack_indices(&d, out, err);
    } else {
        bool alpha = has_alpha(&d);
        for (int y = 0; y < d.height; y++)
            unpack_row(&d, row_at(&d, y), alpha, out->rgb + (size_t)y * (size_t)d.width * 3);
        if (icon && !alpha)
            lay_mask(&d, out);
    }
    if (result != 0)
        lens_image_free(out);
    return result;
}

int lens_decode_bmp(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    if (size < FILE_HEADER + CORE_HEADER)
        return truncated(err);
    size_t pixels = lens_little_32(bytes + 10);
    if (pixels < FILE_HEADER || pixels > size)
        return truncated(err);
    return lens_decode_dib(bytes + FILE_HEADER, size - FILE_HEADER, pixels - FILE_HEADER, false, limits, out, err);
}
