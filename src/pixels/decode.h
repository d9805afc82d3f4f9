/* File bytes -> lens_image. JPEG goes through TurboJPEG, BMP, ICO and PNM through our own hands, all else through libvips. */
#ifndef LENS_PIXELS_DECODE_H
#define LENS_PIXELS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pixels/image.h"
#include "pixels/sniff.h"

typedef struct lens_decode_limits {
    uint64_t max_pixels; /* width times height, checked before pixels are decoded */
} lens_decode_limits;

/* What has more waits for its turn (helper.c): memory is for one picture of the largest, or some of these, and not for as many as there are processors. */
enum { LENS_LARGE_PIXELS = 16 << 20 };

/* 100 megapixels. */
lens_decode_limits lens_decode_limits_default(void);

/* Decodes the SIZE bytes of a whole file. FORMAT (may be NULL) gets what it was. EXIF orientation is applied,
 * transparency laid on white, of an animation the first frame taken, CMYK, grey, palette, 16-bit and floating-point
 * pictures and embedded colour profiles turned as decode.c says. ERR's message gives the reason without the file's
 * name (the caller knows it): "not a picture", "truncated JPEG: …", "60000 x 60000 pixels, more than the … allowed".
 * 0, or -1 with OUT empty. Safe to call from several threads. */
int lens_decode(const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_format *format,
                lens_error *err);

/* The same in two steps, for a thread that does other things while a process decodes (apart.h); where none does, lens_decode_end does it all. */
typedef struct lens_decoding {
    const void *bytes;
    size_t size;
    lens_decode_limits limits;
    lens_format format;
    struct lens_helper *helper; /* apart.c's: the process that was asked; NULL: none was */
    bool fresh;                 /* it was started for this */
} lens_decoding;

/* SELF needs no beginning; BYTES stay until the end, which has to follow: lens_decode_end, as lens_decode, or lens_decode_drop, when nobody wants it. */
void lens_decode_begin(lens_decoding *self, const void *bytes, size_t size, const lens_decode_limits *limits);
int lens_decode_end(lens_decoding *self, lens_image *out, lens_error *err);
void lens_decode_drop(lens_decoding *self);

#endif
