/* JPEG 2000 through libvips, and its palettes by hand: OpenJPEG looks one up by itself, while libvips has room for what the codestream
 * holds, a third of what comes, and writes beyond it (8.14 does, with any such picture). So of a file that might have a palette libvips
 * gets the codestream alone, and knows of none. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "base/bytes.h"
#include "pixels/decoders.h"
#include "pixels/segments.h"

enum {
    COLOURS_MOST = 1024, /* in a palette (ISO/IEC 15444-1, I.5.3.4) */
    CHANNELS_MOST = 4,
    COMPONENTS = 40, /* where in a codestream their number is, and behind it the first one's bits, less 1 */
    DEPTH = 42,
};

typedef struct palette {
    int channels, colours; /* channels: 1 grey, 3 RGB, 4 with alpha; 0 where there is no palette */
    uint8_t values[COLOURS_MOST][CHANNELS_MOST];
} palette;

static int damaged(lens_error *err)
{
    return lens_fail(err, LENS_E_FORMAT, "damaged JPEG 2000: its palette makes no sense");
}

static int unsupported(lens_error *err)
{
    return lens_fail(err, LENS_E_UNSUPPORTED, "JPEG 2000 with a palette of a kind that is not supported");
}

/* The box that has the palette. */
static int read_colours(const lens_segment *box, palette *out, lens_error *err)
{
    if (box->size < 3)
        return damaged(err);
    const int colours = (int)lens_big_16(box->body), channels = box->body[2];
    if (colours < 1 || colours > COLOURS_MOST || channels < 1)
        return damaged(err);
    if (channels != 1 && channels != 3 && channels != 4)
        return unsupported(err);
    const uint8_t *bits = box->body + 3, *at = bits + channels, *end = box->body + box->size;
    if (box->size < 3 + (size_t)channels)
        return damaged(err);
    for (int i = 0; i < colours; i++)
        for (int c = 0; c < channels; c++) {
            if (bits[c] >= 16) /* signed ones too, whose highest bit says so */
                return unsupported(err);
            const unsigned most = (2U << bits[c]) - 1;
            const size_t each = bits[c] < 8 ? 1 : 2;
            if ((size_t)(end - at) < each)
                return damaged(err);
            const unsigned value = each == 1 ? at[0] : lens_big_16(at);
            out->values[i][c] = (uint8_t)(value >= most ? 255 : (value * 255 + most / 2) / most);
            at += each;
        }
    out->channels = channels;
    out->colours = colours;
    return 0;
}

/* The box that says which channel comes from where: all from the one component, in their order. */
static int check_channels(const lens_segment *box, const palette *colours, lens_error *err)
{
    enum { EACH = 4, BY_PALETTE = 1 };
    if (box->size != EACH * (size_t)colours->channels)
        return unsupported(err);
    for (int c = 0; c < colours->channels; c++) {
        const uint8_t *from = box->body + EACH * c;
        if (lens_big_16(from) != 0 || from[2] != BY_PALETTE || from[3] != c)
            return unsupported(err);
    }
    return 0;
}

/* The palette among the boxes in the header's BOX, if one is there. */
static int read_header(const lens_segment *box, palette *out, lens_error *err)
{
    lens_segment inner, channels = {0};
    for (size_t at = 0; lens_segment_of_boxes(box->body, box->size, &at, &inner);) {
        if (lens_segment_is(&inner, "pclr") && out->channels == 0 && read_colours(&inner, out, err) != 0)
            return -1;
        if (lens_segment_is(&inner, "cmap"))
            channels = inner;
    }
    return out->channels && channels.body ? check_channels(&channels, out, err) : 0;
}

/* Grey values of BITS, spread over 0 to 255, to the colours that they are the numbers of. */
static void look_up(const palette *colours, int bits, lens_image *image)
{
    const unsigned most = (1U << bits) - 1;
    const size_t count = (size_t)image->width * (size_t)image->height;
    uint8_t *rgb = image->rgb;
    for (size_t i = 0; i < count; i++, rgb += 3) {
        int number = (int)((rgb[0] * most + 127) / 255);
        number = number < colours->colours ? number : colours->colours - 1; /* as OpenJPEG has it */
        const uint8_t *values = colours->values[number];
        for (int c = 0; c < 3; c++)
            rgb[c] = values[colours->channels == 1 ? 0 : c];
        for (int c = 0; c < 3 && colours->channels == 4; c++)
            rgb[c] = lens_on_white(rgb[c], values[3]);
    }
}

int lens_decode_jp2(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    int orientation;
    *out = (lens_image){0};
    /* Wherever these letters are, and whatever they mean: OpenJPEG's idea of where a box begins need not be ours. */
    if (bytes[0] != 0 || !memmem(bytes, size, "pclr", 4))
        return lens_decode_vips(bytes, size, LENS_FORMAT_JP2, limits, out, &orientation, err);
    palette colours = {0};
    lens_segment box, codestream = {0};
    for (size_t at = 0; !codestream.body && lens_segment_of_boxes(bytes, size, &at, &box);) {
        if (lens_segment_is(&box, "jp2h") && read_header(&box, &colours, err) != 0)
            return -1;
        if (lens_segment_is(&box, "jp2c"))
            codestream = box;
    }
    if (!codestream.body || codestream.size <= DEPTH || memcmp(codestream.body, "\xff\x4f\xff\x51", 4) != 0)
        return lens_fail(err, LENS_E_FORMAT, "damaged or truncated JPEG 2000");
    const int bits = codestream.body[DEPTH] + 1;
    if (colours.channels && (lens_big_16(codestream.body + COMPONENTS) != 1 || bits > 8))
        return unsupported(err);
    if (lens_decode_vips(codestream.body, codestream.size, LENS_FORMAT_JP2, limits, out, &orientation, err) != 0)
        return -1;
    if (colours.channels)
        look_up(&colours, bits, out);
    return 0;
}
