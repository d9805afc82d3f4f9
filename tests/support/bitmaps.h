/* BMP and ICO made byte by byte from what their documents say: no library writes all that they may be. */
#ifndef LENS_TESTS_BITMAPS_H
#define LENS_TESTS_BITMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef struct test_bitmap {
    int header, width, height, bits, compression, colours; /* header: 12, 40, 56 */
    const uint32_t *masks;                                 /* four, for compression 3 and 6 */
    const char *palette;                                   /* COLOURS of four bytes: blue, green, red, nothing */
    const char *rows;
    size_t size; /* of ROWS */
    bool icon;
} test_bitmap;

#define TEST_ROWS(text) .rows = text, .size = sizeof(text) - 1

/* The file. The caller frees. */
lens_buffer test_bmp(const test_bitmap *bitmap);

/* BITMAP with MASK behind its rows, in an icon file beside a smaller one that must not be taken. The caller frees. */
lens_buffer test_ico(const test_bitmap *bitmap, const char *mask, size_t mask_size);

#endif
