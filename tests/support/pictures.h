/* Test pictures, made on the spot: a scene drawn from a number, saved through libvips in every form that a picture
 * comes in. Nothing here goes through the code under test. */
#ifndef LENS_TESTS_PICTURES_H
#define LENS_TESTS_PICTURES_H

#include <stdbool.h>

#include "base/buffer.h"
#include "pixels/image.h"
#include "pixels/sniff.h"

typedef enum test_kind {
    TEST_JPEG_444, /* quality 95 */
    TEST_JPEG_420,
    TEST_JPEG_PROGRESSIVE, /* 420 too */
    TEST_JPEG_GREY,
    TEST_JPEG_CMYK, /* four inks, with Adobe's marker and so inverted */
    TEST_PNG,
    TEST_PNG_ALPHA, /* the scene fades out to the right */
    TEST_PNG_PALETTE,
    TEST_PNG_GREY,
    TEST_PNG_GREY_ALPHA,
    TEST_PNG_16, /* each value times 257 */
    TEST_PNG_INTERLACED,
    TEST_GIF,
    TEST_GIF_ANIMATED, /* three frames: the scene, then those of SEED + 1 and SEED + 2 */
    TEST_WEBP,         /* lossy, quality 90 */
    TEST_WEBP_LOSSLESS,
    TEST_WEBP_ALPHA, /* lossless */
    TEST_WEBP_ANIMATED,
    TEST_HEIC,
    TEST_AVIF,
    TEST_TIFF,
    TEST_TIFF_LZW,
    TEST_TIFF_16,
    TEST_TIFF_FLOAT, /* linear light, white is 1 */
    TEST_TIFF_CMYK,
    TEST_JXL,          /* lossy */
    TEST_JXL_LOSSLESS,
    TEST_BMP, /* 24 bits */
    TEST_SVG, /* the scene as 16 x 16 coloured fields */
    TEST_JP2, /* lossless */
    TEST_PPM,
    TEST_PGM, /* grey */
    TEST_ICO, /* a PNG in an icon file; at most 256 x 256 */
    TEST_KINDS
} test_kind;

/* "jpeg_444", …, and what such a file's name ends in, ".jpg". Static. */
const char *test_kind_name(test_kind kind);
const char *test_kind_ending(test_kind kind);
lens_format test_kind_format(test_kind kind);

/* How far the values of a decoded picture may be from the scene's, on the average: 0 for what is stored without loss. -1:
 * not comparable pixel by pixel (the SVG, which is rendered at another size). */
double test_kind_tolerance(test_kind kind);

/* The mean of the absolute differences of all values; fails the test when the sizes differ. */
double test_difference(const lens_image *a, const lens_image *b);

/* The scene of SEED, WIDTH x HEIGHT: a soft ground with a few shapes on it, told apart by their seeds even when small.
 * The caller frees with lens_image_free. */
lens_image test_scene(int width, int height, unsigned seed);

/* What a decoder ought to make of KIND: the scene, in grey, or on white where KIND has transparency. */
lens_image test_scene_of(test_kind kind, int width, int height, unsigned seed);

/* Whether KIND can say which way up it is. */
bool test_kind_turns(test_kind kind);

/* The file that holds the scene. ORIENTATION, 1 to 8, is stored as EXIF's (TIFF's) tag, and the pixels are stored turned
 * so that they come out upright; only 1 unless test_kind_turns. WIDTH x HEIGHT are upright. The caller frees
 * the bytes. Fails the test when this system's libvips cannot write KIND. */
lens_buffer test_picture_turned(test_kind kind, int width, int height, unsigned seed, int orientation);
lens_buffer test_picture(test_kind kind, int width, int height, unsigned seed);

/* The same, written to PATH. */
void test_picture_write(const char *path, test_kind kind, int width, int height, unsigned seed);

/* IMAGE as a file: for tests that made their own pixels. The caller frees the bytes. */
lens_buffer test_png_of(const lens_image *image);

/* A PNG of WIDTH x HEIGHT grey pixels that is small whatever its size: a header, and far too little behind it. */
lens_buffer test_png_bomb(uint32_t width, uint32_t height);

/* A minute's work for whoever draws it, and smaller than what is decoded one after the other. */
#define TEST_DEAR_DRAWING \
    "<svg xmlns='http://www.w3.org/2000/svg' width='3900' height='3900'><filter id='f' x='0' y='0' width='1' height='1'>" \
    "<feTurbulence baseFrequency='.9' numOctaves='99'/></filter><rect width='3900' height='3900' filter='url(#f)'/></svg>"

#endif
