/* Dot products of bytes: rows of unsigned ones with a query of signed ones, by the widest arithmetic that this processor has. Whole numbers:
 * every kernel gives the same. */
#ifndef LENS_SEARCH_DOT_BYTES_H
#define LENS_SEARCH_DOT_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* SIZE: a multiple of 64, at most LENS_DOT_BYTES_MOST, so that the sum stays within 32 bits. */
enum { LENS_DOT_BYTES_MOST = 65536 };
typedef int32_t lens_dot_bytes(const uint8_t *row, const int8_t *query, size_t size);

/* The Nth of those that this processor can run, best first; NULL when there are no more. */
lens_dot_bytes *lens_dot_bytes_nth(size_t n);

#endif
