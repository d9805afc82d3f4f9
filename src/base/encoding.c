#include "base/encoding.h"

#include "base/bytes.h"

int32_t lens_windows_1252(int32_t byte)
{
    static const uint16_t table[32] = {
        0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
        0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
    };
    return table[byte - 0x80];
}

/* Appends POINT, no surrogate, as UTF-8. 0 or -1. */
static int utf8_append(lens_buffer *out, uint32_t point)
{
    char bytes[4];
    size_t size = 0;
    if (point < 0x80) {
        bytes[size++] = (char)point;
    } else if (point < 0x800) {
        bytes[size++] = (char)(0xc0 | point >> 6);
        bytes[size++] = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        bytes[size++] = (char)(0xe0 | point >> 12);
        bytes[size++] = (char)(0x80 | (point >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (point & 0x3f));
    } else {
        bytes[size++] = (char)(0xf0 | point >> 18);
        bytes[size++] = (char)(0x80 | (point >> 12 & 0x3f));
        bytes[size++] = (char)(0x80 | (point >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (point & 0x3f));
    }
    return lens_buffer_append(out, bytes, size);
}

int lens_windows_1252_read(const void *bytes, size_t size, lens_buffer *out)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        if (utf8_append(out, at[i] >= 0x80 && at[i] <= 0x9f ? (uint32_t)lens_windows_1252(at[i]) : at[i]) != 0)
            return -1;
    return 0;
}

static uint32_t unit(const uint8_t *at, bool big_endian)
{
    return big_endian ? lens_big_16(at) : lens_little_16(at);
}

int lens_utf16_read(const void *bytes, size_t size, bool big_endian, lens_buffer *out, bool *broken)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i += 2) {
        uint32_t point = size - i >= 2 ? unit(at + i, big_endian) : 0xdc00;
        if (point >= 0xd800 && point <= 0xdfff) {
            const uint32_t low = point < 0xdc00 && size - i >= 4 ? unit(at + i + 2, big_endian) : 0;
            if (low >= 0xdc00 && low <= 0xdfff) {
                point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            } else {
                point = 0xfffd;
                if (broken)
                    *broken = true;
            }
        }
        if (utf8_append(out, point) != 0)
            return -1;
    }
    return 0;
}
