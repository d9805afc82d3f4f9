/* JPEG 2000: its boxes by hand, and what is in them, the codestream, through libvips, which gets nothing else. For libvips (8.14)
 *  - has no room for a palette, which OpenJPEG looks up by itself, three values for one, and writes beyond what it has;
 *  - takes a picture's first pixel for the one at 0, 0, and the first component's values for one each pixel, and reads beyond what there is
 *    where they are not: such pictures are refused, which hardly any is;
 *  - takes a tile for one with whole steps of every component, and reads beyond it where it has not: refused, too;
 *  - takes luma and chromas for red, green and blue, unless the chromas have fewer values in both directions;
 *  - takes four inks for red, green, blue and coverage.
 * What is looked at here is what OpenJPEG reads then: there is no other idea of where a box begins. */
#include <string.h>

#include "base/bytes.h"
#include "pixels/cut_short.h"
#include "pixels/decoders.h"
#include "pixels/segments.h"

enum {
    COLOURS_MOST = 1024, /* in a palette (ISO/IEC 15444-1, I.5.3.4) */
    CHANNELS_MOST = 4,
    SIZE = 8,        /* where in a codestream the size of the picture is (A.5.1), across and down */
    FIRST = 16,      /* the place of its first pixel */
    TILE = 24,       /* the size of a tile */
    COMPONENTS = 40, /* the number of them, and behind it of each its bits, less 1, and how far its values are apart in both directions */
    DEPTH = 42,
    CHROMA = DEPTH + 3 + 1, /* how far the second one's values are apart */
    INKS = 12, LUMA = 18,   /* the colours of a file that has inks, or luma and chromas (I.5.3.3; ISO/IEC 15444-2, M.11.7.3) */
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

static int unordered(lens_error *err)
{
    return lens_fail(err, LENS_E_UNSUPPORTED, "JPEG 2000 whose channels are in an order that is not supported");
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
            return unordered(err);
    }
    return 0;
}

/* What the colours are that the BOX of them names, by a number or by a profile (I.5.3.3); 0: it does not say, or we do not know. */
static unsigned read_named(const lens_segment *box)
{
    enum { METHOD = 0, BY_NUMBER = 1, HEAD = 3, OF_PROFILE = HEAD + 16 }; /* where in a profile its colours are (ICC.1, 7.2) */
    if (box->size >= HEAD + 4 && box->body[METHOD] == BY_NUMBER)
        return lens_big_32(box->body + HEAD);
    return box->size >= OF_PROFILE + 4 && box->body[METHOD] != BY_NUMBER && memcmp(box->body + OF_PROFILE, "CMYK", 4) == 0 ? INKS : 0;
}

/* What the boxes in the header's BOX say. */
static int read_header(const lens_segment *box, palette *out, unsigned *colours, int order[3], lens_error *err)
{
    lens_segment inner, channels = {0};
    for (size_t at = 0; lens_segment_of_boxes(box->body, box->size, &at, &inner);) {
        if (lens_segment_is(&inner, "pclr") && out->channels == 0 && read_colours(&inner, out, err) != 0)
            return -1;
        if (lens_segment_is(&inner, "colr") && *colours == 0)
            *colours = read_named(&inner);
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

/* What the COMPONENTS of a codestream are whose colours a box has NAMED, or none (0). */
static lens_components components_of(const uint8_t *stream, unsigned named, int components)
{
    if (named == INKS && components >= 4)
        return LENS_COMPONENTS_INKS;
    const bool apart = components == 3 && (stream[CHROMA] > 1 || stream[CHROMA + 1] > 1); /* then it is chroma, whoever says nothing */
    return components >= 3 && (named == LUMA || (named == 0 && apart)) ? LENS_COMPONENTS_LUMA : LENS_COMPONENTS_LIGHT;
}

/* Whether of each of the COMPONENTS a whole number of values lies in every tile but the last ones, across and down. */
static bool tiles_are_whole(const uint8_t *stream, size_t size, int components)
{
    enum { EACH = 3, APART = DEPTH + 1 };
    for (int way = 0; way < 2; way++) {
        const uint32_t tile = lens_big_32(stream + TILE + 4 * way), all = lens_big_32(stream + SIZE + 4 * way);
        for (size_t i = 0; i < (size_t)components && APART + EACH * i + 1 < size && tile < all; i++) {
            const uint8_t step = stream[APART + EACH * i + (size_t)way];
            if (step > 1 && tile % step != 0)
                return false;
        }
    }
    return true;
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
    const lens_components kind = components >= 3 && codestream.size > CHROMA + 1 ? components_of(stream, named, components) : LENS_COMPONENTS_LIGHT;
    const bool in_order = order[0] == 0 && order[1] == 1 && order[2] == 2;
    if (kind != LENS_COMPONENTS_LIGHT && !in_order)
        return unordered(err);
    if (!tiles_are_whole(stream, codestream.size, components))
        return lens_fail(err, LENS_E_UNSUPPORTED, "JPEG 2000 whose tiles cut colours in two: that is not supported");
    if (lens_decode_vips_codestream(stream, codestream.size, kind, limits, out, err) != 0)
        return lens_cut_short(LENS_FORMAT_JP2, bytes, size) && err && err->code == LENS_E_FORMAT ? truncated(err) : -1;
    if (colours.channels)
        look_up(&colours, bits, out);
    if (components >= 3 || colours.channels >= 3)
        put_in_order(order, out);
    return 0;
}
