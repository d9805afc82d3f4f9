/* JPEG through TurboJPEG, with the settings that make its pixels equal Pillow's: the accurate inverse transform
 * and smooth ("fancy") upsampling of colour. A decompressor is made for each call: that costs microseconds, keeps no
 * memory between pictures, and no two threads ever share one. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#include "base/bytes.h"
#include "pixels/decoders.h"

/* Whether the picture's own end marker is there. libjpeg tells the first of its warnings only, so one about something
 * harmless can hide that the data ended too soon. */
static bool has_end(const uint8_t *bytes, size_t size)
{
    size_t at = 2;
    while (at < size) {
        const uint8_t *mark = memchr(bytes + at, 0xff, size - at);
        if (!mark)
            return false;
        at = (size_t)(mark - bytes) + 1;
        while (at < size && bytes[at] == 0xff)
            at++;
        if (at >= size)
            return false;
        uint8_t marker = bytes[at++];
        if (marker == 0xd9)
            return true;
        if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8))
            continue; /* these have no body; 0 stands for a data byte of 255 */
        if (size - at < 2)
            return false;
        size_t length = lens_big_16(bytes + at);
        if (length > size - at)
            return false;
        at += length;
    }
    return false;
}

static int fail(tjhandle handle, lens_error *err)
{
    const char *reason = tjGetErrorStr2(handle);
    if (strstr(reason, "Premature end") || strstr(reason, "Input file is empty") || strstr(reason, "read error"))
        return lens_fail(err, LENS_E_FORMAT, "truncated JPEG: %s", reason);
    if (strstr(reason, "Unsupported JPEG")) /* of 12 bits, or without loss */
        return lens_fail(err, LENS_E_UNSUPPORTED, "JPEG of a kind that is not supported: %s", reason);
    return lens_fail(err, LENS_E_FORMAT, "damaged JPEG: %s", reason);
}

/* libjpeg decodes what it can and warns: a picture that ended too soon is refused, other faults are let pass, as in
 * every viewer. */
static int check(tjhandle handle, int result, const uint8_t *bytes, size_t size, lens_error *err)
{
    if (result == 0)
        return 0;
    if (tjGetErrorCode(handle) != TJERR_WARNING)
        return fail(handle, err);
    if (strstr(tjGetErrorStr2(handle), "Premature end"))
        return fail(handle, err);
    if (!has_end(bytes, size))
        return lens_fail(err, LENS_E_FORMAT, "truncated JPEG: no end marker (%s)", tjGetErrorStr2(handle));
    return 0;
}

/* Four inks, stored inverted by Adobe's convention, which Pillow takes for granted too. */
static void inks_to_rgb(const uint8_t *inverted, size_t count, uint8_t *rgb)
{
    for (size_t i = 0; i < count; i++, inverted += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = lens_light_of_ink(255u - inverted[c], 255u - inverted[3]);
}

static int decompress(tjhandle handle, const uint8_t *bytes, size_t size, int colours, lens_image *out, lens_error *err)
{
    bool inks = colours == TJCS_CMYK || colours == TJCS_YCCK;
    size_t count = (size_t)out->width * (size_t)out->height;
    uint8_t *pixels = inks ? malloc(count * 4) : out->rgb;
    if (!pixels)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory for %d x %d pixels", out->width, out->height);
    /* A progressive file can ask for thousands of passes over the picture. */
    int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    int result = tjDecompress2(handle, bytes, size, pixels, out->width, 0, out->height, inks ? TJPF_CMYK : TJPF_RGB, flags);
    result = check(handle, result, bytes, size, err);
    if (inks && result == 0)
        inks_to_rgb(pixels, count, out->rgb);
    if (inks)
        free(pixels);
    return result;
}

int lens_decode_jpeg(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    tjhandle handle = tjInitDecompress();
    if (!handle)
        return lens_fail(err, LENS_E_MEMORY, "TurboJPEG: %s", tjGetErrorStr2(NULL));
    int width = 0, height = 0, sampling = 0, colours = 0;
    int result = tjDecompressHeader3(handle, bytes, size, &width, &height, &sampling, &colours);
    if (result != 0 && tjGetErrorCode(handle) != TJERR_WARNING && width > 0 && height > 0) {
        /* The header was read, but its ratio of colour to grey pixels, or its colours, have no name in TurboJPEG. */
        tjDestroy(handle);
        int orientation;
        return lens_decode_vips(bytes, size, LENS_FORMAT_JPEG, limits, out, &orientation, err);
    }
    result = check(handle, result, bytes, size, err);
    if (result == 0 && (width < 1 || height < 1)) /* tables alone are no fault to libjpeg */
        result = lens_fail(err, LENS_E_FORMAT, "%s JPEG: no picture in it", has_end(bytes, size) ? "damaged" : "truncated");
    if (result == 0)
        result = lens_decode_check_size(width, height, limits, err);
    if (result == 0)
        result = lens_image_new(width, height, out, err);
    if (result == 0)
        result = decompress(handle, bytes, size, colours, out, err);
    if (result != 0)
        lens_image_free(out);
    tjDestroy(handle);
    return result;
}
