/* Where a picture's own bytes keep what was written about it. */
#define _GNU_SOURCE /* memmem */
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/bytes.h"
#include "captions/captions.h"
#include "captions/sayings.h"
#include "pixels/segments.h"
#include "pixels/sniff.h"

enum { XMP_MOST = 16 << 20 }; /* bytes of compressed XMP, inflated */

static bool begins(const unsigned char *bytes, size_t size, const char *with, size_t length)
{
    return size >= length && memcmp(bytes, with, length) == 0;
}

/* ---- JPEG -------------------------------------------------------------------------------------------------------- */

/* A piece of the XMP that did not fit into one segment: a digest, the size of it all, and where the piece belongs. Pieces come in their order. */
static int add_extension(lens_buffer *whole, const unsigned char *body, size_t size, lens_sayings *sayings)
{
    if (size < 40)
        return 0;
    const size_t full = lens_big_32(body + 32), offset = lens_big_32(body + 36);
    if (offset == 0)
        whole->size = 0;
    if (offset != whole->size || full > LENS_CAPTION_SIDE_MOST || size - 40 > full - offset)
        return 0;
    if (lens_buffer_append(whole, body + 40, size - 40) != 0)
        return -1;
    if (whole->size != full)
        return 0;
    whole->size = 0; /* a piece behind the end would make all of it be read again */
    return lens_captions_xmp(whole->data, full, sayings, NULL);
}

struct jpeg {
    lens_buffer photoshop, extension; /* put together from their segments */
};

static int add_segment(struct jpeg *jpeg, const lens_segment *segment, lens_sayings *sayings)
{
    const unsigned marker = *segment->type;
    const unsigned char *body = segment->body;
    const size_t size = segment->size;
    static const char exif[] = "Exif\0", photoshop[] = "Photoshop 3.0";
    static const char xmp[] = "http://ns.adobe.com/xap/1.0/", extension[] = "http://ns.adobe.com/xmp/extension/";
    if (marker == 0xe1 && begins(body, size, exif, sizeof exif))
        return lens_captions_tiff(body + sizeof exif, size - sizeof exif, sayings);
    if (marker == 0xe1 && begins(body, size, xmp, sizeof xmp))
        return lens_captions_xmp(body + sizeof xmp, size - sizeof xmp, sayings, NULL);
    if (marker == 0xe1 && begins(body, size, extension, sizeof extension))
        return add_extension(&jpeg->extension, body + sizeof extension, size - sizeof extension, sayings);
    if (marker == 0xed && begins(body, size, photoshop, sizeof photoshop))
        return lens_buffer_append(&jpeg->photoshop, body + sizeof photoshop, size - sizeof photoshop);
    return 0;
}

static int read_jpeg(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    struct jpeg jpeg = {0};
    lens_segment segment;
    int result = 0;
    for (size_t at = 0; result == 0 && lens_segment_of_jpeg(bytes, size, &at, &segment);)
        result = add_segment(&jpeg, &segment, sayings);
    if (result == 0 && jpeg.photoshop.size)
        result = lens_captions_photoshop((unsigned char *)jpeg.photoshop.data, jpeg.photoshop.size, sayings);
    lens_buffer_free(&jpeg.photoshop);
    lens_buffer_free(&jpeg.extension);
    return result;
}

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

/* Inflates the SIZE bytes into OUT. 1; 0 when they are not what they claim to be; -1 when memory is short; -2 when there are more than LIMIT. */
static int inflated(const unsigned char *bytes, size_t size, size_t limit, lens_buffer *out)
{
    z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)size};
    if (inflateInit(&stream) != Z_OK)
        return -1;
    int status = Z_OK, result = 1;
    while (status == Z_OK && result > 0 && out->size <= limit) {
        char piece[16384];
        stream.next_out = (Bytef *)piece;
        stream.avail_out = sizeof piece;
        status = inflate(&stream, Z_NO_FLUSH);
        if ((status == Z_OK || status == Z_STREAM_END) && lens_buffer_append(out, piece, sizeof piece - stream.avail_out) != 0)
            result = -1;
    }
    inflateEnd(&stream);
    return result < 0 ? -1 : out->size > limit ? -2 : status == Z_STREAM_END;
}

static int add_png_text(const char *key, const unsigned char *text, size_t size, lens_sayings *sayings)
{
    static const char *const keys[] = {"Title", "Description", "Comment", "Caption"};
    if (strcmp(key, "XML:com.adobe.xmp") == 0)
        return lens_captions_xmp(text, size, sayings, NULL);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcasecmp(key, keys[i]) == 0)
            return lens_sayings_add(sayings, LENS_SAYING_TEXT, text, size);
    return 0;
}

static int add_compressed(const char *key, const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    lens_buffer text = {0};
    if (!lens_sayings_afford(sayings, 0))
        return 0;
    const int got = inflated(bytes, size, strcmp(key, "XML:com.adobe.xmp") == 0 ? (size_t)XMP_MOST : (size_t)LENS_CAPTION_MOST, &text);
    lens_sayings_afford(sayings, text.size);
    int result = got == -1 ? -1 : got == 1 && text.size ? add_png_text(key, (unsigned char *)text.data, text.size, sayings) : 0;
    if (got == -2)
        sayings->left_out = true;
    lens_buffer_free(&text);
    return result;
}

static int add_chunk(const lens_segment *chunk, lens_sayings *sayings)
{
    const unsigned char *body = chunk->body, *end = body + chunk->size;
    if (lens_segment_is(chunk, "eXIf"))
        return lens_captions_tiff(body, chunk->size, sayings);
    const bool plain = lens_segment_is(chunk, "tEXt"), packed = lens_segment_is(chunk, "zTXt"), international = lens_segment_is(chunk, "iTXt");
    const unsigned char *nul = plain || packed || international ? memchr(body, '\0', chunk->size) : NULL;
    if (!nul)
        return 0;
    const char *key = (const char *)body;
    const unsigned char *at = nul + 1;
    if (plain)
        return add_png_text(key, at, (size_t)(end - at), sayings);
    if (packed)
        return at < end && *at == 0 ? add_compressed(key, at + 1, (size_t)(end - at) - 1, sayings) : 0;
    if (end - at < 2)
        return 0;
    const bool compressed = *at == 1;
    at += 2;
    for (int i = 0; i < 2; i++) { /* the language, and the key in it */
        nul = memchr(at, '\0', (size_t)(end - at));
        if (!nul)
            return 0;
        at = nul + 1;
    }
    return compressed ? add_compressed(key, at, (size_t)(end - at), sayings) : add_png_text(key, at, (size_t)(end - at), sayings);
}

static int read_png(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    lens_segment chunk;
    for (size_t at = 0; lens_segment_of_png(bytes, size, &at, &chunk);)
        if (add_chunk(&chunk, sayings) != 0)
            return -1;
    return 0;
}

/* ---- others ------------------------------------------------------------------------------------------------------ */

static int read_webp(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    lens_segment chunk;
    int result = 0;
    for (size_t at = 0; result == 0 && lens_segment_of_webp(bytes, size, &at, &chunk);) {
        if (lens_segment_is(&chunk, "XMP ")) {
            result = lens_captions_xmp(chunk.body, chunk.size, sayings, NULL);
        } else if (lens_segment_is(&chunk, "EXIF")) {
            const size_t head = begins(chunk.body, chunk.size, "Exif\0\0", 6) ? 6 : 0; /* some writers keep JPEG's */
            result = lens_captions_tiff(chunk.body + head, chunk.size - head, sayings);
        }
    }
    return result;
}

/* XMP is made to be found in files whose form is not known. */
static int read_packet(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    static const char head[] = "<x:xmpmeta", tail[] = "</x:xmpmeta>";
    const unsigned char *start = memmem(bytes, size, head, strlen(head));
    const unsigned char *end = start ? memmem(start, size - (size_t)(start - bytes), tail, strlen(tail)) : NULL;
    return end ? lens_captions_xmp(start, (size_t)(end - start) + strlen(tail), sayings, NULL) : 0;
}

int lens_captions_embedded(const void *data, size_t size, lens_buffer *out, bool *left_out)
{
    const unsigned char *bytes = data;
    lens_sayings sayings = {0};
    int result;
    lens_format format = lens_sniff(bytes, size);
    if (format == LENS_FORMAT_TIFF && !memchr(bytes, '*', 4))
        format = LENS_FORMAT_NONE; /* a BigTIFF's directory is another */
    switch (format) {
    case LENS_FORMAT_JPEG: result = read_jpeg(bytes, size, &sayings); break;
    case LENS_FORMAT_PNG: result = read_png(bytes, size, &sayings); break;
    case LENS_FORMAT_WEBP: result = read_webp(bytes, size, &sayings); break;
    case LENS_FORMAT_TIFF: result = lens_captions_tiff(bytes, size, &sayings); break;
    default: result = read_packet(bytes, size, &sayings);
    }
    if (result == 0)
        result = lens_sayings_write(&sayings, out);
    if (left_out)
        *left_out = sayings.left_out;
    lens_sayings_free(&sayings);
    return result;
}
