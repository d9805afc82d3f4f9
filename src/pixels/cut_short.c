#include "pixels/cut_short.h"

#include <string.h>

#include "base/bytes.h"
#include "pixels/segments.h"

/* Length, name, body, check sum; the last is named IEND. */
static bool png(const uint8_t *bytes, size_t size)
{
    for (size_t at = 8;;) {
        if (size - at < 12)
            return true;
        size_t length = lens_big_32(bytes + at);
        if (length > size - at - 12)
            return true;
        if (memcmp(bytes + at + 4, "IEND", 4) == 0)
            return false;
        at += 12 + length;
    }
}

static bool webp(const uint8_t *bytes, size_t size)
{
    size_t length = size < 8 ? 0 : lens_little_32(bytes + 4);
    return size < 12 || length > size - 8;
}

static bool boxes(const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint64_t length;
        if (lens_box_head(bytes + at, size - at, &length) == 0)
            return true;
        if (length < 8)
            return false;
        if (length > size - at)
            return true;
        at += (size_t)length;
    }
    return false;
}

bool lens_cut_short(lens_format format, const uint8_t *bytes, size_t size)
{
    switch (format) {
    case LENS_FORMAT_PNG: return size < 8 || png(bytes, size);
    case LENS_FORMAT_WEBP: return webp(bytes, size);
    case LENS_FORMAT_HEIC:
    case LENS_FORMAT_AVIF: return boxes(bytes, size);
    case LENS_FORMAT_JXL:
    case LENS_FORMAT_JP2: return size > 0 && bytes[0] == 0 && boxes(bytes, size); /* else a codestream without boxes */
    default: return false;
    }
}
