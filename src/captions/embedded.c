/* Where a picture's own bytes keep what was written about it. */
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/bytes.h"
#include "captions/captions.h"
#include "captions/sayings.h"

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

static int add_segment(struct jpeg *jpeg, unsigned marker, const unsigned char *body, size_t size, lens_sayings *sayings)
{
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
    int result = 0;
    size_t at = 2; /* behind SOI */
    while (result == 0) {
        while (at < size && bytes[at] == 0xff)
            at++;
        if (at >= size || size - at < 3)
            break;
        const unsigned marker = bytes[at];
        const size_t length = lens_big_16(bytes + at + 1);
        if (marker == 0xda || marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd9) || length < 2 || length > size - at - 1)
            break;
        result = add_segment(&jpeg, marker, bytes + at + 3, length - 2, sayings);
        at += 1 + length;
    }
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

static int add_chunk(const unsigned char *type, const unsigned char *body, size_t size, lens_sayings *sayings)
{
    if (memcmp(type, "eXIf", 4) == 0)
        return lens_captions_tiff(body, size, sayings);
    const bool plain = memcmp(type, "tEXt", 4) == 0, packed = memcmp(type, "zTXt", 4) == 0, international = memcmp(type, "iTXt", 4) == 0;
    const unsigned char *nul = plain || packed || international ? memchr(body, '\0', size) : NULL, *end = body + size;
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
    for (size_t at = 8; at < size && size - at >= 12;) {
        const size_t length = lens_big_32(bytes + at);
        if (length > size - at - 12)
            return 0;
        if (add_chunk(bytes + at + 4, bytes + at + 8, length, sayings) != 0)
            return -1;
        at += 12 + length;
    }
    return 0;
}

/* ---- others ------------------------------------------------------------------------------------------------------ */

static int read_webp(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    for (size_t at = 12; at < size && size - at >= 8;) {
        const unsigned char *body = bytes + at + 8;
        const size_t length = lens_little_32(bytes + at + 4);
        if (length > size - at - 8)
            return 0;
        int result = 0;
        if (memcmp(bytes + at, "XMP ", 4) == 0) {
            result = lens_captions_xmp(body, length, sayings, NULL);
        } else if (memcmp(bytes + at, "EXIF", 4) == 0) {
            const size_t head = begins(body, length, "Exif\0\0", 6) ? 6 : 0; /* some writers keep JPEG's */
            result = lens_captions_tiff(body + head, length - head, sayings);
        }
        if (result != 0)
            return -1;
        const size_t padded = 8 + length + (length & 1);
        if (padded > size - at)
            return 0;
        at += padded;
    }
    return 0;
}

static const unsigned char *find(const unsigned char *bytes, size_t size, const char *text)
{
    const size_t length = strlen(text);
    while (size >= length) {
        const unsigned char *at = memchr(bytes, *text, size - length + 1);
        if (!at)
            return NULL;
        if (memcmp(at, text, length) == 0)
            return at;
        size -= (size_t)(at + 1 - bytes);
        bytes = at + 1;
    }
    return NULL;
}

/* XMP is made to be found in files whose form is not known. */
static int read_packet(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    const unsigned char *start = find(bytes, size, "<x:xmpmeta");
    const unsigned char *end = start ? find(start, size - (size_t)(start - bytes), "</x:xmpmeta>") : NULL;
    return end ? lens_captions_xmp(start, (size_t)(end - start) + strlen("</x:xmpmeta>"), sayings, NULL) : 0;
}

int lens_captions_embedded(const void *data, size_t size, lens_buffer *out, bool *left_out)
{
    const unsigned char *bytes = data;
    lens_sayings sayings = {0};
    int result;
    if (begins(bytes, size, "\xff\xd8\xff", 3))
        result = read_jpeg(bytes, size, &sayings);
    else if (begins(bytes, size, "\x89PNG\r\n\x1a\n", 8))
        result = read_png(bytes, size, &sayings);
    else if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
        result = read_webp(bytes, size, &sayings);
    else if (begins(bytes, size, "II*\0", 4) || begins(bytes, size, "MM\0*", 4))
        result = lens_captions_tiff(bytes, size, &sayings);
    else
        result = read_packet(bytes, size, &sayings);
    if (result == 0)
        result = lens_sayings_write(&sayings, out);
    if (left_out)
        *left_out = sayings.left_out;
    lens_sayings_free(&sayings);
    return result;
}
