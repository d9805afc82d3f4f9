/* Text as an array of code points, for what tokenizers do to it before they split it. */
#ifndef LENS_TEXT_UNICODE_TEXT_H
#define LENS_TEXT_UNICODE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Growable. Start with {0}; free with lens_points_free. All functions that return int give 0, or -1 when memory is short. */
typedef struct lens_points {
    int32_t *items;
    size_t count, capacity;
} lens_points;

void lens_points_free(lens_points *points);
int lens_points_push(lens_points *points, int32_t point);
int lens_points_append(lens_points *points, const int32_t *items, size_t count);

/* Appends the UTF-8 of SIZE bytes. Each longest beginning of a well-formed sequence that is not one becomes one U+FFFD, as
 * Unicode recommends and Python's "replace" does. */
int lens_points_read(lens_points *points, const char *bytes, size_t size);

/* Appends the COUNT points to OUT as UTF-8. None may be a surrogate. */
int lens_points_write(const int32_t *items, size_t count, lens_buffer *out);

/* Canonical decomposition and composition after it (Unicode annex 15), by the tables of utf8proc. Takes n log n even for a text
 * that is nothing but accents. */
int lens_points_nfc(lens_points *points);

/* The decomposition alone, and both, as Unicode 9 has them, where marks that are younger are ordinary characters: what Hugging Face's tokenizers do
 * to this day. */
int lens_points_nfd_9(lens_points *points);
int lens_points_nfc_9(lens_points *points);

/* Lower case, each character by itself: what Rust's char::to_lowercase gives. Only U+0130 becomes two. */
int lens_points_lower(lens_points *points);

/* The same as Python's str.lower has it: a capital sigma that ends a word becomes the final one. */
int lens_points_lower_words(lens_points *points);

/* White_Space of Unicode: what Rust's char::is_whitespace and a regular expression's \s take. */
bool lens_point_is_space(int32_t point);

#endif
