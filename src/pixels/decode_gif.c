/* GIF through libvips, and what its first frame leaves open, as browsers show it: transparent, and so white. libvips makes it black where no colour
 * of the frame is transparent (8.14). */
#include <string.h>

#include "base/bytes.h"
#include "pixels/decoders.h"

enum {
    FIRST_BLOCK = 13, /* behind the screen's size and what its table of colours is like */
    TABLE = 10,       /* where that stands, as in a frame behind its place and size */
    EXTENSION = 0x21,
    FRAME = 0x2c,
    FRAME_BYTES = 10, /* its mark, its place and its size, of two bytes each, and its table */
};

/* The part of an image from LEFT, TOP up to but not with RIGHT, BOTTOM. */
typedef struct part {
    int left, top, right, bottom;
} part;

/* Finds where the first frame is (GIF89a, 20). False where the blocks before it make no sense. */
static bool find_frame(const uint8_t *bytes, size_t size, part *out)
{
    if (size < FIRST_BLOCK)
        return false;
    size_t at = FIRST_BLOCK;
    if (bytes[TABLE] & 0x80)
        at += (size_t)3 << ((bytes[TABLE] & 7) + 1);
    while (at < size && bytes[at] == EXTENSION) {
        for (at += 2; at < size && bytes[at] != 0;) /* pieces, each behind its length, up to an empty one */
            at += 1 + (size_t)bytes[at];
        at++;
    }
    if (at >= size || size - at < FRAME_BYTES || bytes[at] != FRAME)
        return false;
    out->left = (int)lens_little_16(bytes + at + 1);
    out->top = (int)lens_little_16(bytes + at + 3);
    out->right = out->left + (int)lens_little_16(bytes + at + 5);
    out->bottom = out->top + (int)lens_little_16(bytes + at + 7);
    return true;
}

/* Whitens what of the row Y is not in FRAME. */
static void whiten_row(const part *frame, int y, lens_image *image)
{
    uint8_t *row = image->rgb + 3 * (size_t)y * (size_t)image->width;
    int left = frame->left < image->width ? frame->left : image->width, right = frame->right < image->width ? frame->right : image->width;
    if (y < frame->top || y >= frame->bottom)
        left = right = image->width;
    memset(row, 255, 3 * (size_t)left);
    memset(row + 3 * (size_t)right, 255, 3 * (size_t)(image->width - right));
}

int lens_decode_gif(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    int orientation;
    part frame;
    if (lens_decode_vips(bytes, size, LENS_FORMAT_GIF, limits, out, &orientation, err) != 0)
        return -1;
    const bool found = find_frame(bytes, size, &frame);
    for (int y = 0; y < out->height && found; y++)
        whiten_row(&frame, y, out);
    return 0;
}
