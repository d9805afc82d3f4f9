/* What a file is, told from its first bytes: names lie. */
#ifndef LENS_PIXELS_SNIFF_H
#define LENS_PIXELS_SNIFF_H

#include <stdbool.h>
#include <stddef.h>

typedef enum lens_format {
    LENS_FORMAT_NONE = 0, /* not a picture that we know */
    LENS_FORMAT_JPEG,
    LENS_FORMAT_PNG,
    LENS_FORMAT_GIF,
    LENS_FORMAT_WEBP,
    LENS_FORMAT_HEIC,
    LENS_FORMAT_AVIF,
    LENS_FORMAT_TIFF,
    LENS_FORMAT_JXL,
    LENS_FORMAT_BMP,
    LENS_FORMAT_SVG,
    LENS_FORMAT_JP2,
    LENS_FORMAT_PNM,
    LENS_FORMAT_ICO,
    LENS_FORMAT_COUNT
} lens_format;

enum { LENS_SNIFF_BYTES = 4096 }; /* how many bytes of a file are enough: drawing programs put long prologues before <svg> */

/* SIZE may be less than LENS_SNIFF_BYTES when the file is shorter. */
lens_format lens_sniff(const void *bytes, size_t size);

/* "JPEG", "PNG", …; "unknown" for LENS_FORMAT_NONE. Static. */
const char *lens_format_name(lens_format format);

/* The format that a person calls NAME, whatever the case: as above, or as files' names end ("jpg"). LENS_FORMAT_NONE: none. */
lens_format lens_format_of(const char *name);

/* Whether the file's name ends as a picture's does (".jpg", ".HEIC", …): such a file is expected to be one, and is
 * reported when it is not; any other file that is no picture is passed over without a word. */
bool lens_named_as_picture(const char *path);

/* The same of the SIZE bytes at PATH, which no NUL has to follow. */
bool lens_named_as_picture_sized(const char *path, size_t size);

#endif
