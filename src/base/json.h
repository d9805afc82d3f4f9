/* Reading JSON that others wrote: doubled keys are an error, and a message names the file and the place. And writing our own, with paths and numbers in it. */
#ifndef LENS_BASE_JSON_H
#define LENS_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

/* The value that the SIZE bytes hold; WHAT names them in messages. NULL on failure. Free with json_decref. */
json_t *lens_json_parse(const char *bytes, size_t size, const char *what, lens_error *err);

/* The same where whole numbers may be too large for 64 bits: all numbers are reals then. */
json_t *lens_json_parse_reals(const char *bytes, size_t size, const char *what, lens_error *err);

/* As lens_json_parse for what a stranger sent: more than MOST values and names are refused before memory is taken for them, of which each costs far
 * more than its bytes. */
json_t *lens_json_parse_small(const char *bytes, size_t size, size_t most, const char *what, lens_error *err);

/* The same for the file PATH, whose top must be an object: one that we wrote. */
json_t *lens_json_read(const char *path, lens_error *err);

/* The same for a file that came with a model, from whoever made it: no more than LENS_JSON_BYTES bytes and LENS_JSON_VALUES values and names. Each
 * of these costs up to 120 bytes, and honest files have some thousands: the names of 21,000 classes, there and back, are 90,000. */
enum { LENS_JSON_BYTES = 64 << 20, LENS_JSON_VALUES = 1 << 20 };
json_t *lens_json_read_small(const char *path, lens_error *err);

/* Puts VALUE, printed with jansson's FLAGS, at PATH in one step, as lens_file_write does. 0 or -1; a VALUE of NULL is one for which memory was short. */
int lens_json_write(const char *path, const json_t *value, size_t flags, lens_error *err);

/* TEXT, in which there may be a path, as a value: as it is, or, when it is not UTF-8, with \xNN for the bytes that are not. NULL when memory is short. */
json_t *lens_json_text(const char *text);

/* The SIZE bytes of a file of TYPE, "image/jpeg", as a data URI (RFC 2397). NULL when memory is short. */
json_t *lens_json_data(const char *type, const void *bytes, size_t size);

/* COUNT numbers as an array, and ROWS of COLUMNS of them as an array of arrays. NULL, or fewer, when memory is short. */
json_t *lens_json_numbers(const double *values, size_t count);
json_t *lens_json_rows(const double *values, size_t rows, size_t columns);

/* PATH as a value of OBJECT: as NAME, or, when it is not UTF-8, as NAME_base64. Nothing where memory is short. */
void lens_json_set_path(json_t *object, const char *name, const char *path);

#endif
