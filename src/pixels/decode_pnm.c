/* Netpbm's PBM, PGM and PPM, plain and raw (P1 to P6), by hand: libvips' reader ignores the greatest value that the header
 * declares, and takes a broken header for a picture of no size. */
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "pixels/decoders.h"

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void skip_space(reader *from)
{
    while (from->at < from->end && (is_space(*from->at) || *from->at == '#')) {
        if (*from->at == '#') {
            const uint8_t *line = memchr(from->at, '\n', (size_t)(from->end - from->at));
            from->at = line ? line : from->end - 1;
        }
        from->at++;
    }
}

/* The next decimal number, -1 when there is none or it is absurd. */
static int64_t number(reader *from)
{
    skip_space(from);
    if (from->at == from->end || *from->at < '0' || *from->at > '9')
        return -1;
    int64_t value = 0;
    for (; from->at < from->end && *from->at >= '0' && *from->at <= '9'; from->at++) {
        value = value * 10 + (*from->at - '0');
        if (value > INT32_MAX)
            return -1;
    }
    return value;
}

/* The next of a plain bitmap's digits, which need no space between them. */
static int64_t digit(reader *from)
{
    skip_space(from);
    return from->at < from->end && (*from->at == '0' || *from->at == '1') ? *from->at++ - '0' : -1;
}

static int stop(const reader *from, lens_error *err)
{
    return lens_fail(err, LENS_E_FORMAT, from->at == from->end ? "truncated PNM" : "damaged PNM: not a number where one belongs");
}

static uint8_t to_8_bits(int64_t value, int64_t most)
{
    return (uint8_t)(value >= most ? 255 : (value * 255 + most / 2) / most);
}

/* One row, WIDTH * BANDS values of 0 to 255. BANDS 0: a bitmap, where 1 is black. */
static int read_row(reader *from, bool plain, int width, int bands, int64_t most, uint8_t *out, lens_error *err)
{
    size_t count = (size_t)width * (size_t)(bands ? bands : 1);
    if (plain) {
        for (size_t i = 0; i < count; i++) {
            int64_t value = bands ? number(from) : digit(from);
            if (value < 0)
                return stop(from, err);
            out[i] = bands ? to_8_bits(value, most) : value ? 0 : 255;
        }
        return 0;
    }
    size_t need = !bands ? (count + 7) / 8 : most > 255 ? count * 2 : count;
    if ((size_t)(from->end - from->at) < need)
        return lens_fail(err, LENS_E_FORMAT, "truncated PNM");
    if (bands && most == 255)
        memcpy(out, from->at, count);
    for (size_t i = 0; i < count && !(bands && most == 255); i++) {
        if (!bands)
            out[i] = from->at[i / 8] >> (7 - i % 8) & 1 ? 0 : 255;
        else if (most > 255)
            out[i] = to_8_bits(lens_big_16(from->at + 2 * i), most);
        else
            out[i] = to_8_bits(from->at[i], most);
    }
    from->at += need;
    return 0;
}

int lens_decode_pnm(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    if (size < 3)
        return lens_fail(err, LENS_E_FORMAT, "truncated PNM");
    reader from = {bytes + 2, bytes + size};
    int kind = bytes[1] - '0';
    bool plain = kind <= 3;
    int bands = (kind - 1) % 3 == 0 ? 0 : (kind - 1) % 3 == 1 ? 1 : 3;
    int64_t width = number(&from), height = width < 0 ? -1 : number(&from), most = 1;
    if (height >= 0 && bands)
        most = number(&from);
    if (width < 0 || height < 0 || most < 0)
        return stop(&from, err);
    if (most < 1 || most > 65535)
        return lens_fail(err, LENS_E_FORMAT, "damaged PNM: its greatest value is %lld", (long long)most);
    if (lens_decode_check_size(width, height, limits, err) != 0)
        return -1;
    if (!plain) {
        if (from.at == from.end || !is_space(*from.at))
            return stop(&from, err);
        from.at++; /* exactly one: the next byte is a pixel's, whatever it is */
    }
    if (lens_image_new((int)width, (int)height, out, err) != 0)
        return -1;
    for (int y = 0; y < out->height; y++) {
        uint8_t *row = out->rgb + (size_t)y * (size_t)out->width * 3;
        if (read_row(&from, plain, out->width, bands, most, row, err) != 0) {
            lens_image_free(out);
            return -1;
        }
        /* From the right, so that no grey value is overwritten before it is read. */
        for (int x = out->width - 1; x >= 0 && bands != 3; x--)
            memset(row + 3 * (size_t)x, row[x], 3);
    }
    return 0;
}
