/* What a picture's file is put together from: the segments of a JPEG, the chunks of a PNG and of a WebP, the boxes of a JPEG 2000, HEIC
 * or AVIF. */
#ifndef LENS_PIXELS_SEGMENTS_H
#define LENS_PIXELS_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lens_segment {
    const uint8_t *type; /* the marker behind 0xff of a JPEG's, the four letters of a chunk */
    const uint8_t *body; /* into the file's bytes */
    size_t size;         /* of the body */
} lens_segment;

/* The next segment of the SIZE bytes of a whole file; *AT is 0 for the first, and moves on. False at the end, and where
 * one reaches beyond the file, or cannot begin: what is behind that makes no sense. A JPEG (ITU-T T.81, B.1.1) ends
 * with SOS here, where its pixels begin. The file's first bytes are not looked at: see lens_sniff. */
bool lens_segment_of_jpeg(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out);
bool lens_segment_of_png(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out);
bool lens_segment_of_webp(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out);

/* How many bytes come before the body of the box that begins at BOX, and in *LENGTH of how many it is in all, as it says: the 32 bits before its name, where
 * they are 1 the 64 behind it, and where they are 0 the REST that there is. 0: not even that is there. */
size_t lens_box_head(const uint8_t *box, size_t rest, uint64_t *length);

/* The next box (ISO/IEC 14496-12, 4.2) of the SIZE bytes of a whole file, or of a box's body. */
bool lens_segment_of_boxes(const uint8_t *bytes, size_t size, size_t *at, lens_segment *out);

/* Whether the chunk is of this type, as "eXIf". */
bool lens_segment_is(const lens_segment *segment, const char type[4]);

#endif
