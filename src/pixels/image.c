#include "pixels/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static struct {
    uint8_t *bytes;
    size_t size;
    bool taken;
} place;

void lens_image_place(uint8_t *bytes, size_t size)
{
    place.bytes = bytes;
    place.size = size;
    place.taken = false;
}

int lens_image_new(int width, int height, lens_image *out, lens_error *err)
{
    *out = (lens_image){0};
    if (width < 1 || height < 1 || (size_t)height > SIZE_MAX / 3 / (size_t)width)
        return lens_fail(err, LENS_E_ARGUMENT, "%d x %d pixels", width, height);
    const size_t size = (size_t)width * (size_t)height * 3;
    uint8_t *rgb = NULL;
    if (place.bytes && !place.taken && size <= place.size) {
        rgb = place.bytes;
        place.taken = true;
    } else if (!(rgb = malloc(size)))
        return lens_fail(err, LENS_E_MEMORY, "not enough memory for %d x %d pixels", width, height);
    *out = (lens_image){width, height, rgb};
    return 0;
}

void lens_image_free(lens_image *image)
{
    if (image->rgb && image->rgb == place.bytes)
        place.taken = false;
    else
        free(image->rgb);
    *image = (lens_image){0};
}

/* Where the upright picture's pixels lie in the stored one: upright (x, y) is at first + x * across + y * down, counted
 * in pixels. */
typedef struct walk {
    ptrdiff_t first, across, down;
} walk;

static walk walk_of(int orientation, int stored_width, int stored_height)
{
    ptrdiff_t stride = stored_width, right = stored_width - 1, bottom = (ptrdiff_t)(stored_height - 1) * stride;
    switch (orientation) {
    case 2: return (walk){right, -1, stride};
    case 3: return (walk){bottom + right, -1, -stride};
    case 4: return (walk){bottom, 1, -stride};
    case 5: return (walk){0, stride, 1};
    case 6: return (walk){bottom, -stride, 1};
    case 7: return (walk){bottom + right, -stride, -1};
    case 8: return (walk){right, stride, -1};
    default: return (walk){0, 1, stride};
    }
}

int lens_image_turn_upright(lens_image *image, int orientation, lens_error *err)
{
    if (orientation <= 1 || orientation > 8)
        return 0;
    bool swapped = orientation >= 5;
    lens_image upright;
    if (lens_image_new(swapped ? image->height : image->width, swapped ? image->width : image->height, &upright, err) != 0)
        return -1;
    walk from = walk_of(orientation, image->width, image->height);
    /* In squares, so that the columns of the one and the rows of the other stay in the cache together. */
    enum { SQUARE = 32 };
    for (int top = 0; top < upright.height; top += SQUARE) {
        for (int left = 0; left < upright.width; left += SQUARE) {
            int bottom = upright.height - top < SQUARE ? upright.height : top + SQUARE;
            int right = upright.width - left < SQUARE ? upright.width : left + SQUARE;
            for (int y = top; y < bottom; y++) {
                ptrdiff_t at = from.first + left * from.across + y * from.down;
                uint8_t *out = upright.rgb + 3 * ((size_t)y * (size_t)upright.width + (size_t)left);
                for (int x = left; x < right; x++, at += from.across, out += 3) {
                    const uint8_t *in = image->rgb + 3 * at;
                    out[0] = in[0];
                    out[1] = in[1];
                    out[2] = in[2];
                }
            }
        }
    }
    lens_image_free(image);
    *image = upright;
    return 0;
}
