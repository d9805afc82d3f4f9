/* Small files that keep a decoder busy for hours, or fill the memory, without claiming many pixels. */
#include <string.h>

#include "base/bytes.h"
#include "pixels/decoders.h"

/* libvips asks for each frame of a WebP by its number, and libwebp counts from the first each time: 100,000 take minutes, and a file holds millions. */
enum { FRAMES_MOST = 10000 };
/* librsvg builds a tree that takes some forty times the file. */
enum { SVG_BYTES_MOST = 16 << 20 };

static int check_webp(const uint8_t *bytes, size_t size, lens_error *err)
{
    size_t frames = 0;
    for (size_t at = 12; size > 8 && at < size - 8;) {
        const uint8_t *chunk = bytes + at;
        const size_t length = lens_little_32(chunk + 4);
        frames += memcmp(chunk, "ANMF", 4) == 0;
        if (frames > FRAMES_MOST)
            return lens_fail(err, LENS_E_LIMIT, "more than the %d frames allowed", FRAMES_MOST);
        at += 8 + length + length % 2;
    }
    return 0;
}

int lens_decode_check_bomb(const uint8_t *bytes, size_t size, lens_format format, lens_error *err)
{
    if (format == LENS_FORMAT_WEBP)
        return check_webp(bytes, size, err);
    if (format == LENS_FORMAT_SVG && size > SVG_BYTES_MOST)
        return lens_fail(err, LENS_E_LIMIT, "an SVG of %zu bytes, more than the %d allowed", size, SVG_BYTES_MOST);
    return 0;
}
