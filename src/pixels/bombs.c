/* Small files that keep a decoder busy for hours, or fill the memory, without claiming many pixels. */
#include "pixels/decoders.h"
#include "pixels/segments.h"

/* libvips asks for each frame of a WebP by its number, and libwebp counts from the first each time: 100,000 take minutes, and a file holds millions. */
enum { FRAMES_MOST = 10000 };
/* librsvg builds a tree that takes some forty times the file. */
enum { SVG_BYTES_MOST = 16 << 20 };

static int check_webp(const uint8_t *bytes, size_t size, lens_error *err)
{
    size_t frames = 0;
    lens_segment chunk;
    for (size_t at = 0; lens_segment_of_webp(bytes, size, &at, &chunk);) {
        frames += lens_segment_is(&chunk, "ANMF");
        if (frames > FRAMES_MOST)
            return lens_fail(err, LENS_E_LIMIT, "more than the %d frames allowed", FRAMES_MOST);
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
