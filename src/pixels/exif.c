#include "pixels/exif.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_BYTES = 12 };

static uint32_t get16(const uint8_t *p, bool big)
{
    return big ? lens_big_16(p) : lens_little_16(p);
}

static uint32_t get32(const uint8_t *p, bool big)
{
    return big ? lens_big_32(p) : lens_little_32(p);
}

int lens_exif_orientation(const uint8_t *block, size_t size)
{
    if (size < 8)
        return 1;
    bool big = memcmp(block, "MM\0*", 4) == 0;
    if (!big && memcmp(block, "II*\0", 4) != 0)
        return 1;
    size_t at = get32(block + 4, big);
    if (at > size - 2)
        return 1;
    uint32_t count = get16(block + at, big);
    at += 2;
    for (; count > 0 && size - at >= ENTRY_BYTES; count--, at += ENTRY_BYTES) {
        const uint8_t *entry = block + at;
        if (get16(entry, big) != TAG_ORIENTATION)
            continue;
        uint32_t type = get16(entry + 2, big);
        uint32_t value = type == TYPE_SHORT ? get16(entry + 8, big) : type == TYPE_LONG ? get32(entry + 8, big) : 1;
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

int lens_exif_orientation_of_jpeg(const uint8_t *bytes, size_t size)
{
    size_t at = 2; /* behind SOI */
    for (;;) {
        while (at < size && bytes[at] == 0xff) /* any number of them may stand before a marker */
            at++;
        if (at >= size || size - at < 3)
            return 1;
        uint8_t marker = bytes[at];
        size_t length = lens_big_16(bytes + at + 1);
        /* SOS: pixels follow. EOI, RSTn, TEM and a lone byte have no length: nothing sensible follows. */
        if (marker == 0xda || marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd9) || length < 2 || length > size - at - 1)
            return 1;
        const uint8_t *body = bytes + at + 3;
        if (marker == 0xe1 && length >= 8 && memcmp(body, "Exif\0\0", 6) == 0)
            return lens_exif_orientation(body + 6, length - 8);
        at += 1 + length;
    }
}

int lens_exif_orientation_of_png(const uint8_t *bytes, size_t size)
{
    for (size_t at = 8; at < size && size - at >= 12;) {
        size_t length = lens_big_32(bytes + at);
        if (length > size - at - 12)
            return 1;
        if (memcmp(bytes + at + 4, "eXIf", 4) == 0)
            return lens_exif_orientation(bytes + at + 8, length);
        at += 12 + length;
    }
    return 1;
}
