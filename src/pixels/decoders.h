/* The decoders behind lens_decode, one a file, and what they share. Each takes the SIZE bytes of a whole file and gives
 * the pixels as they are stored: lens_decode turns them upright. 0, or -1 with OUT empty and ERR filled. */
#ifndef LENS_PIXELS_DECODERS_H
#define LENS_PIXELS_DECODERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pixels/decode.h"
#include "pixels/image.h"
#include "pixels/sniff.h"

/* lens_decode in this process, whatever apart.h says. */
int lens_decode_here(const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);

int lens_decode_jpeg(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);
int lens_decode_bmp(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);
int lens_decode_gif(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);
int lens_decode_ico(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);
int lens_decode_jp2(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);
int lens_decode_pnm(const uint8_t *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err);

/* A bitmap without the file's header, as BMP and ICO hold it: PIXELS is where in BYTES its rows begin, 0 for right behind
 * the palette. In an ICON twice the height is declared, and a mask of one bit a pixel follows. */
int lens_decode_dib(const uint8_t *bytes, size_t size, size_t pixels, bool icon, const lens_decode_limits *limits, lens_image *out,
                    lens_error *err);

/* Through libvips: any FORMAT but BMP, ICO, PNM and JPEG 2000. ORIENTATION gets EXIF's, where this format's reader tells it, else 1. */
int lens_decode_vips(const uint8_t *bytes, size_t size, lens_format format, const lens_decode_limits *limits, lens_image *out,
                     int *orientation, lens_error *err);

/* What the components of a JPEG 2000 are, which its codestream does not say. */
typedef enum lens_components {
    LENS_COMPONENTS_LIGHT, /* grey, or red, green and blue */
    LENS_COMPONENTS_LUMA,  /* the first three are luma and chromas */
    LENS_COMPONENTS_INKS,  /* the first four are cyan, magenta, yellow and black */
} lens_components;

/* The codestream of a JPEG 2000 through libvips, looked at by lens_decode_jp2. */
int lens_decode_vips_codestream(const uint8_t *bytes, size_t size, lens_components components, const lens_decode_limits *limits, lens_image *out,
                                lens_error *err);

/* For a process that decodes one picture after the other on one thread: ASK (NULL: nothing is) is called before a picture of more than
 * LENS_LARGE_PIXELS is decoded, perhaps more than once. */
void lens_decode_ask_before_large(void (*ask)(int64_t width, int64_t height));

/* Opens libvips at the first need. False when it is not there; *WHY then says why; it is static. */
bool lens_vips_ready(const char **why);

/* Opens libvips with all that its loaders open at their first use, for a process that can open no file later. */
void lens_vips_warm(void);

/* Fails with LENS_E_LIMIT for what would keep a decoder of FORMAT for hours, or fill the memory, however few its pixels. */
int lens_decode_check_bomb(const uint8_t *bytes, size_t size, lens_format format, lens_error *err);

/* Fails with LENS_E_FORMAT for a side of 0 or less, with LENS_E_LIMIT for more pixels than LIMITS allow. For the size that
 * a header declares, before anything is allocated for it. */
int lens_decode_check_size(int64_t width, int64_t height, const lens_decode_limits *limits, lens_error *err);

/* A times B, both 0 to 255 for 0 to 1, rounded. */
static inline uint8_t lens_multiply_255(unsigned a, unsigned b)
{
    unsigned product = a * b + 128;
    return (uint8_t)((product + (product >> 8)) >> 8);
}

/* VALUE with coverage ALPHA, on white. */
static inline uint8_t lens_on_white(unsigned value, unsigned alpha)
{
    unsigned sum = value * alpha + 255 * (255 - alpha) + 128;
    return (uint8_t)((sum + (sum >> 8)) >> 8);
}

/* Luma and the chromas YCC, of 8 bits each (JFIF's, ITU-T T.871), to RGB, which may be YCC. */
static inline void lens_from_luma(const uint8_t *ycc, uint8_t *rgb)
{
    const double y = ycc[0] + 0.5, blue = ycc[1] - 128.0, red = ycc[2] - 128.0;
    const double light[3] = {y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue};
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(light[c] < 0 ? 0 : light[c] > 255 ? 255 : light[c]);
}

/* One of the inks CMY at INK over black at BLACK, 255 the most of it: the light that is left, as Pillow reckons it. */
static inline uint8_t lens_light_of_ink(unsigned ink, unsigned black)
{
    unsigned white = 255 - black;
    return (uint8_t)(white - lens_multiply_255(ink, white));
}

#endif
