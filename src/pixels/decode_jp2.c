/* JPEG 2000: its boxes by hand, and what is in them, the codestream, through libvips, which gets nothing else. For libvips (8.14)
 *  - has no room for a palette, which OpenJPEG looks up by itself, three values for one, and writes beyond what it has;
 *  - takes a picture's first pixel for the one at 0, 0, and the first component's values for one each pixel, and reads beyond what there is
 *    where they are not: such pictures are refused, which hardly any is;
 *  - takes luma and chromas for red, green and blue.
 * What is looked at here is what OpenJPEG reads then: there is no other idea of where a box begins. */
#include <string.h>

#include "base/bytes.h"
#include "pixels/cut_short.h"
#include "pixels/decoders.h"
#include "pixels/segments.h"

enum {
    COLOURS_MOST = 1024, /* in a palette (ISO/IEC 15444-1, I.5.3.4) */
    CHANNELS_MOST = 4,
    FIRST = 16,      /* where in a codestream the place of the first pixel is (A.5.1), across and down */
    COMPONENTS = 40, /* the number of them, and behind it of each its bits, less 1, and how far its values are apart in both directions */
    DEPTH = 42,
    CHROMA = DEPTH + 3 + 1, /* how far the second one's values are apart: of some that are, libvips makes RGB by itself */
    LUMA = 18, /* the colours of a file that has luma and chromas (I.5.3.3) */
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

/* The box that says which channel is which (I.5.3.6): ORDER gets where red, green and blue are. */
static int read_order(const lens_segment *box, int order[3], lens_error *err)
{
    enum { EACH = 6, COLOUR = 0, COVERAGE = 1 };
    for (size_t at = 2; at + EACH <= box->size; at += EACH) {
        const unsigned channel = lens_big_16(box->body + at), kind = lens_big_16(box->body + at + 2), of = lens_big_16(box->body + at + 4);
        if (kind == COLOUR && of >= 1 && of <= 3 && channel < 3)
            order[of - 1] = (int)channel;
        else if ((kind == COLOUR && of >= 1 && of <= 3) || (kind == COVERAGE && channel != 1 && channel != 3))
            return lens_fail(err, LENS_E_UNSUPPORTED, "JPEG 2000 whose channels are in an order that is not supported");
    }
    return 0;
}

/* What the boxes in the header's BOX say. */
static int read_header(const lens_segment *box, palette *out, unsigned *colours, int order[3], lens_error *err)
{
    lens_segment inner, channels = {0};
    for (size_t at = 0; lens_segment_of_boxes(box->body, box->size, &at, &inner);) {
        if (lens_segment_is(&inner, "pclr") && out->channels == 0 && read_colours(&inner, out, err) != 0)
            return -1;
        if (lens_segment_is(&inner, "colr") && *colours == 0 && inner.size >= 7 && inner.body[0] == 1)
            *colours = lens_big_32(inner.body + 3);
        if (lens_segment_is(&inner, "cmap"))
            channels = inner;
        if (lens_segment_is(&inner, "cdef") && read_order(&inner, order, err) != 0)
            return -1;
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

/* Red, green and blue to their places. */
static void put_in_order(const int order[3], lens_image *image)
{
    uint8_t *end = image->rgb + 3 * (size_t)image->width * (size_t)image->height;
    for (uint8_t *rgb = image->rgb; rgb < end; rgb += 3) {
        const uint8_t values[3] = {rgb[0], rgb[1], rgb[2]};
        for (int c = 0; c < 3; c++)
            rgb[c] = values[order[c]];
    }
}

/* Luma and chromas to RGB, where they are. */
static void from_luma(lens_image *image)
{
    const size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++)
        lens_from_luma(image->rgb + 3 * i, image->rgb + 3 * i);
}

/* Finds the codestream, and reads what the boxes before it say. */
static int read_boxes(const uint8_t *bytes, size_t size, palette *colours, unsigned *named, int order[3], lens_segment *codestream, lens_error *err)
{
    lens_segment box;
    size_t at = 0;
    while (lens_segment_of_boxes(bytes, size, &at, &box)) {
        if (lens_segment_is(&box, "jp2h") && read_header(&box, colours, named, order, err) != 0)
            return -1;
        if (lens_segment_is(&box, "jp2c")) {
            *codestream = box;
            return 0;
        }
    }
    if (size - at > 8 && memcmp(bytes + at + 4, "jp2c", 4) == 0) /* it reaches beyond the file: perhaps enough is there */
        *codestream = (lens_segment){bytes + at + 4, bytes + at + 8, size - at - 8};
    return 0;
}

static int truncated(lens_error *err)
{
    return lens_fail(err, LENS_E_FORMAT, "truncated JPEG 2000");
}

int lens_decode_jp2(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    int orientation;
    *out = (lens_image){0};
    palette colours = {0};
    unsigned named = 0;
    int order[3] = {0, 1, 2};
    lens_segment codestream = {bytes, bytes, size};
    if (bytes[0] == 0) {
        codestream = (lens_segment){0};
        if (read_boxes(bytes, size, &colours, &named, order, &codestream, err) != 0)
            return -1;
    }
    const uint8_t *stream = codestream.body;
    if (!stream || codestream.size < DEPTH + 3)
        return lens_cut_short(LENS_FORMAT_JP2, bytes, size) || stream ? truncated(err) : lens_fail(err, LENS_E_FORMAT, "damaged JPEG 2000: no picture in it");
    if (memcmp(stream, "\xff\x4f\xff\x51", 4) != 0)
        return lens_fail(err, LENS_E_FORMAT, "damaged JPEG 2000: its codestream does not begin as one");
    if (lens_big_32(stream + FIRST) != 0 || lens_big_32(stream + FIRST + 4) != 0 || stream[DEPTH + 1] != 1 || stream[DEPTH + 2] != 1)
        return lens_fail(err, LENS_E_UNSUPPORTED, "JPEG 2000 whose pixels do not begin at 0, 0, or lie apart: that is not supported");
    const int components = (int)lens_big_16(stream + COMPONENTS), bits = (stream[DEPTH] & 0x7f) + 1;
    if (colours.channels && (components != 1 || stream[DEPTH] >= 8))
        return unsupported(err);
    if (lens_decode_vips(stream, codestream.size, LENS_FORMAT_JP2, limits, out, &orientation, err) != 0)
        return lens_cut_short(LENS_FORMAT_JP2, bytes, size) && err && err->code == LENS_E_FORMAT ? truncated(err) : -1;
    if (colours.channels)
        look_up(&colours, bits, out);
    if (components >= 3 || colours.channels >= 3)
        put_in_order(order, out);
    if (!colours.channels && named == LUMA && components == 3 && codestream.size > CHROMA + 1 && stream[CHROMA] == 1 && stream[CHROMA + 1] == 1)
        from_luma(out);
    return 0;
}
