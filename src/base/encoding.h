/* Text in other encodings than UTF-8, as files from outside hold it. */
#ifndef LENS_BASE_ENCODING_H
#define LENS_BASE_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* What Windows-1252 has at BYTE, 0x80 to 0x9f, or BYTE where it has nothing. */
int32_t lens_windows_1252(int32_t byte);

/* Appends the SIZE bytes, which are Windows-1252 (and so Latin-1 too, but for its controls), as UTF-8. 0 or -1. */
int lens_windows_1252_read(const void *bytes, size_t size, lens_buffer *out);

/* Appends the SIZE bytes, which are UTF-16, as UTF-8. Half a pair of surrogates, and half a unit at the end, become U+FFFD, and *BROKEN (may be
 * NULL) true. 0 or -1. */
int lens_utf16_read(const void *bytes, size_t size, bool big_endian, lens_buffer *out, bool *broken);

#endif
