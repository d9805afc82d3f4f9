#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/encoding.h"
#include "captions/captions.h"
#include "captions/sayings.h"

struct block {
    const unsigned char *bytes;
    size_t size;
    bool big_endian;
    lens_sayings *sayings;
};

static uint32_t get16(const struct block *block, size_t at)
{
    const unsigned char *p = block->bytes + at;
    return block->big_endian ? lens_big_16(p) : lens_little_16(p);
}

static uint32_t get32(const struct block *block, size_t at)
{
    const unsigned char *p = block->bytes + at;
    return block->big_endian ? lens_big_32(p) : lens_little_32(p);
}

/* Adds UTF-16 up to its NUL; C: what separates keywords, or 0. */
static int add_utf16(struct block *block, const unsigned char *value, size_t size, bool big_endian, char c)
{
    lens_buffer text = {0};
    size &= ~(size_t)1;
    for (size_t i = 0; i < size; i += 2)
        if (!value[i] && !value[i + 1])
            size = i;
    if (!c && size / 2 > LENS_CAPTION_MOST) { /* each two bytes are one at least */
        block->sayings->left_out = true;
        return 0;
    }
    int result = lens_utf16_read(value, size, big_endian, &text, NULL);
    if (result == 0 && text.size)
        result = c ? lens_sayings_add_parts(block->sayings, LENS_SAYING_WORD, text.data, text.size, c)
                   : lens_sayings_add(block->sayings, LENS_SAYING_TEXT, text.data, text.size);
    lens_buffer_free(&text);
    return result;
}

/* A comment with eight bytes before it that tell its encoding. */
static int add_comment(struct block *block, const unsigned char *value, size_t size)
{
    if (size < 8)
        return 0;
    const unsigned char *text = value + 8;
    size -= 8;
    if (memcmp(value, "UNICODE\0", 8) == 0) {
        if (size >= 2 && ((text[0] == 0xff && text[1] == 0xfe) || (text[0] == 0xfe && text[1] == 0xff)))
            return add_utf16(block, text + 2, size - 2, text[0] == 0xfe, 0);
        /* In the order of the block, but some writers have one order only: most texts have many characters below U+0100. */
        size_t even = 0, odd = 0;
        for (size_t i = 0; i + 1 < size; i += 2) {
            even += text[i] == 0;
            odd += text[i + 1] == 0;
        }
        return add_utf16(block, text, size, even == odd ? block->big_endian : even > odd, 0);
    }
    static const char japanese[8] = "JIS";
    if (memcmp(value, japanese, 8) == 0)
        return 0; /* which is not read here */
    const unsigned char *nul = memchr(text, '\0', size);
    return lens_sayings_add(block->sayings, LENS_SAYING_TEXT, text, nul ? (size_t)(nul - text) : size);
}

enum { DESCRIPTION = 0x10e, XMP = 0x2bc, IPTC = 0x83bb, PHOTOSHOP = 0x8649, COMMENT = 0x9286,
       XP_TITLE = 0x9c9b, XP_COMMENT = 0x9c9c, XP_KEYWORDS = 0x9c9e, XP_SUBJECT = 0x9c9f };

static bool is_read(uint32_t tag)
{
    static const uint16_t tags[] = {DESCRIPTION, XMP, IPTC, PHOTOSHOP, COMMENT, XP_TITLE, XP_COMMENT, XP_KEYWORDS, XP_SUBJECT};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

static int add_entry(struct block *block, uint32_t tag, const unsigned char *value, size_t size)
{
    const unsigned char *nul;
    switch (tag) {
    case DESCRIPTION:
        nul = memchr(value, '\0', size);
        return lens_sayings_add(block->sayings, LENS_SAYING_TEXT, value, nul ? (size_t)(nul - value) : size);
    case XMP: return lens_captions_xmp(value, size, block->sayings, NULL);
    case IPTC: return lens_captions_iim(value, size, block->sayings);
    case PHOTOSHOP: return lens_captions_photoshop(value, size, block->sayings);
    case COMMENT: return add_comment(block, value, size);
    case XP_TITLE:
    case XP_COMMENT:
    case XP_SUBJECT: return add_utf16(block, value, size, false, 0);
    case XP_KEYWORDS: return add_utf16(block, value, size, false, ';');
    }
    return 0;
}

/* The directory at AT; *EXIF is where EXIF's own is, if it tells. */
static int read_directory(struct block *block, size_t at, size_t *exif)
{
    static const unsigned char sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    if (block->size < 2 || at > block->size - 2)
        return 0;
    uint32_t count = get16(block, at);
    for (at += 2; count && block->size - at >= 12; count--, at += 12) {
        const uint32_t tag = get16(block, at), type = get16(block, at + 2);
        const uint64_t bytes = (uint64_t)get32(block, at + 4) * (type < sizeof sizes ? sizes[type] : 0);
        if (tag == 0x8769)
            *exif = get32(block, at + 8);
        const uint64_t place = bytes <= 4 ? at + 8 : get32(block, at + 8);
        if (!is_read(tag) || bytes == 0 || place > block->size || bytes > block->size - place || !lens_sayings_afford(block->sayings, (size_t)bytes))
            continue;
        if (add_entry(block, tag, block->bytes + place, (size_t)bytes) != 0)
            return -1;
    }
    return 0;
}

int lens_captions_tiff(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    if (size < 8 || (memcmp(bytes, "MM\0*", 4) != 0 && memcmp(bytes, "II*\0", 4) != 0))
        return 0;
    struct block block = {.bytes = bytes, .size = size, .big_endian = *bytes == 'M', .sayings = sayings};
    size_t exif = 0, none = 0;
    if (read_directory(&block, get32(&block, 4), &exif) != 0)
        return -1;
    return exif ? read_directory(&block, exif, &none) : 0;
}
