/* Windows icons: a list of bitmaps and PNGs of which the largest is taken, of those the one with the most colours. */
#include "base/bytes.h"
#include "pixels/decoders.h"

enum { HEADER = 6, ENTRY = 16 };

int lens_decode_ico(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    unsigned count = size < HEADER ? 0 : lens_little_16(bytes + 4);
    if (size < HEADER + (size_t)ENTRY * count)
        return lens_fail(err, LENS_E_FORMAT, "truncated ICO");
    const uint8_t *best = NULL;
    unsigned most = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *entry = bytes + HEADER + (size_t)ENTRY * i;
        unsigned width = entry[0] ? entry[0] : 256, height = entry[1] ? entry[1] : 256, bits = entry[6];
        unsigned worth = width * height * 256 + bits;
        if (!best || worth > most) {
            best = entry;
            most = worth;
        }
    }
    if (!best)
        return lens_fail(err, LENS_E_FORMAT, "damaged ICO: no picture inside");
    size_t length = lens_little_32(best + 8), from = lens_little_32(best + 12);
    if (from > size || length > size - from)
        return lens_fail(err, LENS_E_FORMAT, "truncated ICO");
    if (lens_sniff(bytes + from, length) == LENS_FORMAT_PNG) {
        int orientation;
        return lens_decode_vips(bytes + from, length, LENS_FORMAT_PNG, limits, out, &orientation, err);
    }
    return lens_decode_dib(bytes + from, length, 0, true, limits, out, err);
}
