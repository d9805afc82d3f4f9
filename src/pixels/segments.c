#include "pixels/segments.h"

#include <string.h>

#include "base/bytes.h"

bool lens_segment_of_jpeg(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out)
{
    if (*at == 0)
        *at = 2; /* behind SOI */
    while (*at < size && bytes[*at] == 0xff) /* any number of them may stand before a marker */
        ++*at;
    if (*at >= size || size - *at < 3)
        return false;
    const uint8_t *marker = bytes + *at;
    const size_t length = lens_big_16(marker + 1);
    /* SOS: pixels follow. EOI, RSTn, TEM and a lone byte have no length: nothing sensible follows. */
    if (*marker == 0xda || *marker < 0xc0 || (*marker >= 0xd0 && *marker <= 0xd9) || length < 2 || length > size - *at - 1)
        return false;
    *out = (lens_segment){marker, marker + 3, length - 2};
    *at += 1 + length;
    return true;
}

bool lens_segment_of_png(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out)
{
    if (*at == 0)
        *at = 8;
    if (*at >= size || size - *at < 12)
        return false;
    const uint8_t *chunk = bytes + *at;
    const size_t length = lens_big_32(chunk);
    if (length > size - *at - 12)
        return false;
    *out = (lens_segment){chunk + 4, chunk + 8, length};
    *at += 12 + length; /* its checksum too */
    return true;
}

bool lens_segment_of_webp(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out)
{
    if (*at == 0)
        *at = 12;
    if (*at >= size || size - *at < 8)
        return false;
    const uint8_t *chunk = bytes + *at;
    const size_t length = lens_little_32(chunk + 4), rest = size - *at - 8;
    if (length > rest)
        return false;
    *out = (lens_segment){chunk, chunk + 8, length};
    *at += 8 + length + (length % 2 && length < rest); /* even, but for a last byte that some writers leave out */
    return true;
}

size_t lens_box_head(const uint8_t *box, size_t rest, uint64_t *length)
{
    if (rest < 8)
        return 0;
    *length = lens_big_32(box);
    if (*length == 0)
        *length = rest;
    else if (*length == 1 && rest < 16)
        return 0;
    else if (*length == 1) {
        *length = (uint64_t)lens_big_32(box + 8) << 32 | lens_big_32(box + 12);
        return 16;
    }
    return 8;
}

bool lens_segment_of_boxes(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out)
{
    if (*at >= size)
        return false;
    const uint8_t *box = bytes + *at;
    const size_t rest = size - *at;
    uint64_t length;
    const size_t head = lens_box_head(box, rest, &length);
    if (head == 0 || length < head || length > rest)
        return false;
    *out = (lens_segment){box + 4, box + head, (size_t)(length - head)};
    *at += (size_t)length;
    return true;
}

bool lens_segment_is(const lens_segment *segment, const char type[4])
{
    return memcmp(segment->type, type, 4) == 0;
}
