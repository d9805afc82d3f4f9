#include "pixels/sniff.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

#define BEGINS(bytes, size, magic) begins(bytes, size, magic, sizeof(magic) - 1)

static bool begins(const uint8_t *bytes, size_t size, const char *magic, size_t length)
{
    return size >= length && memcmp(bytes, magic, length) == 0;
}

/* ISO base media files name what they are in a box "ftyp": one major brand, then those they are compatible with. The
 * major one often says only "some HEIF" (mif1, msf1), and the codec stands among the others. */
static lens_format sniff_brands(const uint8_t *bytes, size_t size)
{
    if (size < 16 || memcmp(bytes + 4, "ftyp", 4) != 0)
        return LENS_FORMAT_NONE;
    size_t end = lens_big_32(bytes);
    if (end < 16 || end % 4 != 0)
        return LENS_FORMAT_NONE;
    if (end > size)
        end = size;
    static const char avif[][5] = {"avif", "avis"};
    static const char heic[][5] = {"heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"};
    static const char either[][5] = {"mif1", "msf1", "mif2", "miaf"};
    lens_format found = LENS_FORMAT_NONE;
    for (size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) { /* after the major brand comes its version */
        for (size_t i = 0; i < sizeof avif / sizeof *avif; i++)
            if (memcmp(bytes + at, avif[i], 4) == 0)
                return LENS_FORMAT_AVIF;
        for (size_t i = 0; i < sizeof heic / sizeof *heic; i++)
            if (memcmp(bytes + at, heic[i], 4) == 0)
                found = LENS_FORMAT_HEIC;
        /* Without a codec's name the reader has to look: libheif does not mind what we called it. */
        for (size_t i = 0; i < sizeof either / sizeof *either; i++)
            if (found == LENS_FORMAT_NONE && memcmp(bytes + at, either[i], 4) == 0)
                found = LENS_FORMAT_HEIC;
    }
    return found;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static const uint8_t *find(const uint8_t *at, const uint8_t *end, const char *words)
{
    size_t length = strlen(words);
    for (; (size_t)(end - at) >= length; at++)
        if (memcmp(at, words, length) == 0)
            return at;
    return NULL;
}

/* Behind "<!DOCTYPE … [ … ] >": the brackets hold declarations with a ">" each. */
static const uint8_t *skip_doctype(const uint8_t *at, const uint8_t *end)
{
    bool inside = false;
    uint8_t quote = 0;
    for (; at < end; at++) {
        if (quote) {
            if (*at == quote)
                quote = 0;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (*at == '[') {
            inside = true;
        } else if (*at == ']') {
            inside = false;
        } else if (*at == '>' && !inside) {
            return at + 1;
        }
    }
    return NULL;
}

/* Whether the first element of an XML document is <svg>, perhaps behind a namespace: <svg:svg>. */
static bool is_svg(const uint8_t *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = bytes + size;
    if (BEGINS(bytes, size, "\xef\xbb\xbf"))
        at += 3;
    for (;;) {
        while (at < end && is_space(*at))
            at++;
        size_t left = (size_t)(end - at);
        if (BEGINS(at, left, "<?")) {
            at = find(at, end, "?>");
            at = at ? at + 2 : NULL;
        } else if (BEGINS(at, left, "<!--")) {
            at = find(at + 4, end, "-->");
            at = at ? at + 3 : NULL;
        } else if (left >= 9 && strncasecmp((const char *)at, "<!doctype", 9) == 0) {
            at = skip_doctype(at + 9, end);
        } else {
            break;
        }
        if (!at)
            return false;
    }
    if (at == end || *at++ != '<')
        return false;
    const uint8_t *name = at;
    while (at < end && !is_space(*at) && *at != '>' && *at != '/') {
        if (*at == ':')
            name = at + 1;
        at++;
    }
    return at < end && at - name == 3 && memcmp(name, "svg", 3) == 0;
}

/* Two letters are little to go by: the size of the header that follows them must be one that was ever in use. */
static bool is_bmp(const uint8_t *bytes, size_t size)
{
    if (size < 18 || memcmp(bytes, "BM", 2) != 0 || bytes[15] || bytes[16] || bytes[17])
        return false;
    switch (bytes[14]) {
    case 12: case 16: case 40: case 52: case 56: case 64: case 108: case 124: return true;
    default: return false;
    }
}

/* Icons begin with six bytes that many files could: the first entry must make sense too. */
static bool is_ico(const uint8_t *bytes, size_t size)
{
    if (size < 22 || memcmp(bytes, "\0\0\1\0", 4) != 0)
        return false;
    uint32_t count = lens_little_16(bytes + 4), offset = lens_little_32(bytes + 18);
    return count > 0 && bytes[9] == 0 && bytes[11] == 0 && offset >= 6 + 16 * count;
}

static bool is_pnm(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' && (is_space(bytes[2]) || bytes[2] == '#');
}

lens_format lens_sniff(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (BEGINS(bytes, size, "\xff\xd8\xff"))
        return LENS_FORMAT_JPEG;
    if (BEGINS(bytes, size, "\x89PNG\r\n\x1a\n"))
        return LENS_FORMAT_PNG;
    if (BEGINS(bytes, size, "GIF87a") || BEGINS(bytes, size, "GIF89a"))
        return LENS_FORMAT_GIF;
    if (BEGINS(bytes, size, "RIFF") && size >= 12 && memcmp(bytes + 8, "WEBP", 4) == 0)
        return LENS_FORMAT_WEBP;
    if (BEGINS(bytes, size, "II*\0") || BEGINS(bytes, size, "MM\0*") || BEGINS(bytes, size, "II+\0") || BEGINS(bytes, size, "MM\0+"))
        return LENS_FORMAT_TIFF;
    /* A naked codestream, or one in boxes. */
    if (BEGINS(bytes, size, "\xff\x0a") || BEGINS(bytes, size, "\0\0\0\x0cJXL \r\n\x87\n"))
        return LENS_FORMAT_JXL;
    if (BEGINS(bytes, size, "\xff\x4f\xff\x51") || BEGINS(bytes, size, "\0\0\0\x0cjP  \r\n\x87\n"))
        return LENS_FORMAT_JP2;
    if (is_bmp(bytes, size))
        return LENS_FORMAT_BMP;
    if (is_pnm(bytes, size))
        return LENS_FORMAT_PNM;
    if (is_ico(bytes, size))
        return LENS_FORMAT_ICO;
    if (is_svg(bytes, size))
        return LENS_FORMAT_SVG;
    return sniff_brands(bytes, size);
}

const char *lens_format_name(lens_format format)
{
    static const char *const names[LENS_FORMAT_COUNT] = {
        [LENS_FORMAT_NONE] = "unknown", [LENS_FORMAT_JPEG] = "JPEG", [LENS_FORMAT_PNG] = "PNG",
        [LENS_FORMAT_GIF] = "GIF",      [LENS_FORMAT_WEBP] = "WebP", [LENS_FORMAT_HEIC] = "HEIC",
        [LENS_FORMAT_AVIF] = "AVIF",    [LENS_FORMAT_TIFF] = "TIFF", [LENS_FORMAT_JXL] = "JPEG XL",
        [LENS_FORMAT_BMP] = "BMP",      [LENS_FORMAT_SVG] = "SVG",   [LENS_FORMAT_JP2] = "JPEG 2000",
        [LENS_FORMAT_PNM] = "PNM",      [LENS_FORMAT_ICO] = "ICO",
    };
    return (unsigned)format < LENS_FORMAT_COUNT ? names[format] : names[LENS_FORMAT_NONE];
}

/* How the names of files end. */
static const struct {
    const char *text;
    lens_format format;
} endings[] = {
    {"jpg", LENS_FORMAT_JPEG}, {"jpeg", LENS_FORMAT_JPEG}, {"jpe", LENS_FORMAT_JPEG},  {"jfif", LENS_FORMAT_JPEG}, {"png", LENS_FORMAT_PNG},
    {"apng", LENS_FORMAT_PNG}, {"gif", LENS_FORMAT_GIF},   {"webp", LENS_FORMAT_WEBP}, {"heic", LENS_FORMAT_HEIC}, {"heif", LENS_FORMAT_HEIC},
    {"hif", LENS_FORMAT_HEIC}, {"avif", LENS_FORMAT_AVIF}, {"tif", LENS_FORMAT_TIFF},  {"tiff", LENS_FORMAT_TIFF}, {"jxl", LENS_FORMAT_JXL},
    {"bmp", LENS_FORMAT_BMP},  {"dib", LENS_FORMAT_BMP},   {"svg", LENS_FORMAT_SVG},   {"jp2", LENS_FORMAT_JP2},   {"j2k", LENS_FORMAT_JP2},
    {"jpf", LENS_FORMAT_JP2},  {"jpx", LENS_FORMAT_JP2},   {"jpc", LENS_FORMAT_JP2},   {"j2c", LENS_FORMAT_JP2},   {"pnm", LENS_FORMAT_PNM},
    {"ppm", LENS_FORMAT_PNM},  {"pgm", LENS_FORMAT_PNM},   {"pbm", LENS_FORMAT_PNM},   {"ico", LENS_FORMAT_ICO},
};

lens_format lens_format_of(const char *name)
{
    for (int format = LENS_FORMAT_NONE + 1; format < LENS_FORMAT_COUNT; format++)
        if (strcasecmp(name, lens_format_name((lens_format)format)) == 0)
            return (lens_format)format;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(name, endings[i].text) == 0)
            return endings[i].format;
    return LENS_FORMAT_NONE;
}

bool lens_named_as_picture(const char *path)
{
    return lens_named_as_picture_sized(path, strlen(path));
}

bool lens_named_as_picture_sized(const char *path, size_t size)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t length = strlen(endings[i].text);
        if (size < length + 2 || path[size - length - 1] != '.' || path[size - length - 2] == '/') /* ".png" is a hidden file without an ending */
            continue;
        if (strncasecmp(path + size - length, endings[i].text, length) == 0)
            return true;
    }
    return false;
}
