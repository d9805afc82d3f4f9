/* Bytes that are meant to be read: UTF-8, base64, and names made safe for a terminal. */
#ifndef LENS_BASE_TEXT_H
#define LENS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* Whether the SIZE bytes are well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool lens_utf8_valid(const char *bytes, size_t size);

/* Appends the SIZE bytes to OUT with control characters and bytes that are not UTF-8 written as \xNN, so that
 * no file name can steer a terminal or break a line. 0 or -1. */
int lens_text_printable(const char *bytes, size_t size, lens_buffer *out);

/* Whether TEXT begins as an address of http or https does, in whatever case: the only ones that anything is fetched from. */
bool lens_is_url(const char *text);

/* The letters A to Z in lower case, whatever the locale, and any other byte as it is. */
static inline char lens_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Appends the base64 form (RFC 4648, padded) of the SIZE bytes to OUT. 0 or -1. */
int lens_base64_encode(const void *bytes, size_t size, lens_buffer *out);

/* Appends what the SIZE bytes of TEXT, base64 (RFC 4648; blanks and line ends between are passed by, the padding may be missing), stand for to
 * OUT. 0, or -1: LENS_E_ARGUMENT when it is no base64. */
int lens_base64_decode(const char *text, size_t size, lens_buffer *out, lens_error *err);

#endif
