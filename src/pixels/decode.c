/* What becomes of colours. The networks were trained on what Pillow's convert("RGB") gives, so for ordinary files that is
 * what we give, to the last bit where the format is lossless or JPEG:
 *  - Embedded profiles of RGB and grey pictures are ignored, as Pillow ignores them: values are taken for sRGB.
 *  - CMYK becomes RGB as (255 - ink) * (255 - black) / 255, without a profile, as in Pillow. JPEGs hold it inverted.
 *  - Grey is repeated three times; a palette is looked up; 1, 2 and 4 bits are spread over 0..255.
 * Where Pillow's answer would be poor, ours differs:
 *  - Transparency is laid on white, with each value rounded as Pillow's paste does; Pillow would drop the alpha channel
 *    and show whatever lies under it. What the first frame of an animation leaves open is transparent, as in browsers.
 *  - 16 bits are scaled to 8, rounding; Pillow clips grey ones at 255.
 *  - 32-bit integers and floating point are scaled so that white is 1 (floating point only), 255, 65535 or 2^32 - 1,
 *    whichever is the least that the picture's mean does not pass; with white at 1 it is linear light, as camera and HDR
 *    software writes it, and gets sRGB's curve.
 *  - Lab, XYZ and the like go through libvips' conversion to sRGB; YCbCr as in Pillow.
 * An SVG is rendered so that its shortest side is at least 512 pixels, or its longest 4096 where
 * that is less.
 *
 * libvips never chooses the reader: the format that was sniffed does. So its readers for PDF, ImageMagick's hundred
 * formats and the like cannot be reached with any bytes. */
#include "pixels/decode.h"

#include "pixels/apart.h"
#include "pixels/decoders.h"
#include "pixels/exif.h"

lens_decode_limits lens_decode_limits_default(void)
{
    return (lens_decode_limits){.max_pixels = 100 * 1000 * 1000};
}

static void (*before_large)(int64_t width, int64_t height);

void lens_decode_ask_before_large(void (*ask)(int64_t width, int64_t height))
{
    before_large = ask;
}

int lens_decode_check_size(int64_t width, int64_t height, const lens_decode_limits *limits, lens_error *err)
{
    if (width < 1 || height < 1)
        return lens_fail(err, LENS_E_FORMAT, "declares a size of %lld x %lld pixels", (long long)width, (long long)height);
    /* The pixels must fit a count of bytes in memory too, whatever the limit. */
    uint64_t most = limits->max_pixels < PTRDIFF_MAX / 8 ? limits->max_pixels : PTRDIFF_MAX / 8;
    if (width > INT32_MAX || height > INT32_MAX || (uint64_t)width > most / (uint64_t)height)
        return lens_fail(err, LENS_E_LIMIT, "%lld x %lld pixels, more than the %llu allowed", (long long)width, (long long)height,
                         (unsigned long long)most);
    if (before_large && width * height > LENS_LARGE_PIXELS)
        before_large(width, height);
    return 0;
}

static int decode(const uint8_t *bytes, size_t size, lens_format format, const lens_decode_limits *limits, lens_image *out,
                  int *orientation, lens_error *err)
{
    switch (format) {
    case LENS_FORMAT_JPEG:
        *orientation = lens_exif_orientation_of_jpeg(bytes, size);
        return lens_decode_jpeg(bytes, size, limits, out, err);
    case LENS_FORMAT_BMP: return lens_decode_bmp(bytes, size, limits, out, err);
    case LENS_FORMAT_ICO: return lens_decode_ico(bytes, size, limits, out, err);
    case LENS_FORMAT_PNM: return lens_decode_pnm(bytes, size, limits, out, err);
    case LENS_FORMAT_GIF: return lens_decode_gif(bytes, size, limits, out, err);
    case LENS_FORMAT_JP2: return lens_decode_jp2(bytes, size, limits, out, err);
    default: break;
    }
    if (lens_decode_vips(bytes, size, format, limits, out, orientation, err) != 0)
        return -1;
    /* Whether libvips tells a PNG's orientation depends on how it was built. */
    if (format == LENS_FORMAT_PNG)
        *orientation = lens_exif_orientation_of_png(bytes, size);
    return 0;
}

/* What can be told without decoding. */
static int check(lens_format format, size_t size, lens_error *err)
{
    if (size == 0)
        return lens_fail(err, LENS_E_FORMAT, "empty file");
    return format == LENS_FORMAT_NONE ? lens_fail(err, LENS_E_FORMAT, "not a picture") : 0;
}

int lens_decode_here(const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    const lens_format found = lens_sniff(bytes, size);
    *out = (lens_image){0};
    if (check(found, size, err) != 0)
        return -1;
    int orientation = 1;
    if (lens_decode_check_bomb(bytes, size, found, err) != 0)
        return -1;
    if (decode(bytes, size, found, limits, out, &orientation, err) != 0)
        return -1;
    if (lens_image_turn_upright(out, orientation, err) != 0) {
        lens_image_free(out);
        return -1;
    }
    return 0;
}

void lens_decode_begin(lens_decoding *self, const void *bytes, size_t size, const lens_decode_limits *limits)
{
    *self = (lens_decoding){.bytes = bytes, .size = size, .limits = *limits, .format = lens_sniff(bytes, size)};
    if (check(self->format, size, NULL) == 0 && lens_apart())
        lens_apart_ask(self);
}

int lens_decode_end(lens_decoding *self, lens_image *out, lens_error *err)
{
    *out = (lens_image){0};
    if (check(self->format, self->size, err) != 0)
        return -1;
    const int result = self->helper || lens_apart() ? lens_apart_hear(self, out, err) : 1;
    return result == 1 ? lens_decode_here(self->bytes, self->size, &self->limits, out, err) : result;
}

void lens_decode_drop(lens_decoding *self)
{
    lens_apart_drop(self);
}

int lens_decode(const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_format *format,
                lens_error *err)
{
    lens_decoding self;
    lens_decode_begin(&self, bytes, size, limits);
    if (format)
        *format = self.format;
    return lens_decode_end(&self, out, err);
}
