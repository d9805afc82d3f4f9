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
