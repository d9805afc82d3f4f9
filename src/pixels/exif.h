/* Which way up a picture was taken: the one EXIF tag that pixels depend on; and others of a TIFF's. */
#ifndef LENS_PIXELS_EXIF_H
#define LENS_PIXELS_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The orientation, 1 to 8 as EXIF 2.32 numbers it (tag 0x0112 of IFD0), of the SIZE bytes of a TIFF block, which EXIF
 * data is. 1, as it lies, when it has none or makes no sense: a picture is not refused for its metadata. */
int lens_exif_orientation(const uint8_t *block, size_t size);

/* The one number of TAG in IFD0 of a TIFF block, which a whole TIFF is; OTHERWISE where there is none (or the block is a BigTIFF). */
uint32_t lens_exif_number(const uint8_t *block, size_t size, unsigned tag, uint32_t otherwise);

/* The orientation of a whole JPEG (its APP1 segment "Exif") and a whole PNG (its chunk eXIf). */
int lens_exif_orientation_of_jpeg(const uint8_t *bytes, size_t size);
int lens_exif_orientation_of_png(const uint8_t *bytes, size_t size);

#endif
