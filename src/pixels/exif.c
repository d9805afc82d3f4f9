#include "pixels/exif.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "pixels/segments.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_BYTES = 12 };

static uint32_t get16(const uint8_t *p, bool big)
{
    return big ? lens_big_16(p) : lens_little_16(p);
}

static uint32_t get32(const uint8_t *p, bool big)
{
    return big ? lens_big_32(p) : lens_little_32(p);
}

uint32_t lens_exif_number(const uint8_t *block, size_t size, unsigned tag, uint32_t otherwise)
{
    if (size < 8)
        return otherwise;
    bool big = memcmp(block, "MM\0*", 4) == 0;
    if (!big && memcmp(block, "II*\0", 4) != 0)
        return otherwise;
    size_t at = get32(block + 4, big);
    if (at > size - 2)
        return otherwise;
    uint32_t count = get16(block + at, big);
    at += 2;
    for (; count > 0 && size - at >= ENTRY_BYTES; count--, at += ENTRY_BYTES) {
        const uint8_t *entry = block + at;
        if (get16(entry, big) != tag)
            continue;
        uint32_t type = get16(entry + 2, big);
        return type == TYPE_SHORT ? get16(entry + 8, big) : type == TYPE_LONG ? get32(entry + 8, big) : otherwise;
    }
    return otherwise;
}

int lens_exif_orientation(const uint8_t *block, size_t size)
{
    uint32_t value = lens_exif_number(block, size, TAG_ORIENTATION, 1);
    return value >= 1 && value <= 8 ? (int)value : 1;
}

int lens_exif_orientation_of_jpeg(const uint8_t *bytes, size_t size)
{
    lens_segment segment;
    for (size_t at = 0; lens_segment_of_jpeg(bytes, size, &at, &segment);)
        if (*segment.type == 0xe1 && segment.size >= 6 && memcmp(segment.body, "Exif\0\0", 6) == 0)
            return lens_exif_orientation(segment.body + 6, segment.size - 6);
    return 1;
}

int lens_exif_orientation_of_png(const uint8_t *bytes, size_t size)
{
    lens_segment chunk;
    for (size_t at = 0; lens_segment_of_png(bytes, size, &at, &chunk);)
        if (lens_segment_is(&chunk, "eXIf"))
            return lens_exif_orientation(chunk.body, chunk.size);
    return 1;
}
