/* Any bytes as a picture: decoded, and prepared for a network when that works. */
#include <stdint.h>
#include <stdlib.h>

#include "pixels/decode.h"
#include "pixels/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lens_decode_limits limits = {.max_pixels = 1 << 20};
    lens_image image, seen;
    lens_error err = {0};
    if (lens_decode(data, size, &limits, &image, NULL, &err) != 0) {
        if (image.rgb || err.code == LENS_E_NONE || !err.message[0])
            abort(); /* a failure leaves nothing behind, and says why */
        return 0;
    }
    if (image.width < 1 || image.height < 1 || (uint64_t)image.width * (uint64_t)image.height > limits.max_pixels)
        abort();
    /* What to prepare for is told by the last byte: no picture's beginning is spoilt by it. */
    static const char *const names[] = {"crop", "squash", "pad", "64", "jina96"};
    unsigned choice = data[size - 1];
    lens_preparation preparation = {
        .size = 32, .resize = 36, .filter = (lens_filter)(choice % 4), .corner = choice & 4 ? LENS_CORNER_ROUND : LENS_CORNER_FLOOR,
        .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f},
    };
    if (lens_preparation_override(&preparation, names[choice / 8 % 5], &err) != 0)
        abort();
    float pixels[32 * 32 * 3];
    if (lens_prepare_picture(&image, &preparation, &seen, &err) == 0)
        lens_prepare_pixels(&seen, &preparation, pixels);
    lens_image_free(&seen);
    lens_image_free(&image);
    return 0;
}
