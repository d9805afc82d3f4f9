#include <string.h>

#include "base/bytes.h"
#include "captions/sayings.h"

/* One dataset at *AT: its number, record times 256 and all, and its bytes; *AT is behind it then. False when there is none. */
static bool next_dataset(const unsigned char **at, const unsigned char *end, unsigned *number, const unsigned char **value, size_t *size)
{
    if (end - *at < 5 || **at != 0x1c)
        return false;
    const unsigned char *p = *at;
    *number = lens_big_16(p + 1);
    *size = lens_big_16(p + 3);
    p += 5;
    if (*size & 0x8000) { /* a longer one: so many bytes tell its size */
        size_t bytes = *size & 0x7fff;
        if (bytes > 4 || (size_t)(end - p) < bytes)
            return false;
        for (*size = 0; bytes; bytes--)
            *size = *size << 8 | *p++;
    }
    if (*size > (size_t)(end - p))
        return false;
    *value = p;
    *at = p + *size;
    return true;
}

int lens_captions_iim(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    enum { OBJECT_NAME = 0x205, KEYWORDS = 0x219, HEADLINE = 0x269, CAPTION = 0x278 };
    const unsigned char *end = bytes + size, *value;
    unsigned number;
    size_t length;
    /* 1:90 tells the encoding, but many write UTF-8 without it: what is valid UTF-8 is hardly meant as anything else. */
    while (next_dataset(&bytes, end, &number, &value, &length)) {
        if (number != OBJECT_NAME && number != KEYWORDS && number != HEADLINE && number != CAPTION)
            continue;
        if (lens_sayings_add(sayings, number == KEYWORDS ? LENS_SAYING_WORD : LENS_SAYING_TEXT, value, length) != 0)
            return -1;
    }
    return 0;
}

int lens_captions_photoshop(const unsigned char *bytes, size_t size, lens_sayings *sayings)
{
    enum { IPTC = 0x404 };
    const unsigned char *end = bytes + size;
    while (end - bytes >= 12 && memcmp(bytes, "8BIM", 4) == 0) {
        const unsigned id = lens_big_16(bytes + 4);
        const size_t name = ((size_t)bytes[6] + 2) & ~(size_t)1; /* its length and itself, made even */
        bytes += 6;
        if ((size_t)(end - bytes) < name + 4)
            return 0;
        bytes += name;
        const size_t length = lens_big_32(bytes);
        bytes += 4;
        if (length > (size_t)(end - bytes))
            return 0;
        if (id == IPTC && lens_captions_iim(bytes, length, sayings) != 0)
            return -1;
        const size_t padded = length + (length & 1);
        bytes += padded < (size_t)(end - bytes) ? padded : (size_t)(end - bytes);
    }
    return 0;
}
