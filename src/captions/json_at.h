/* JSON where it lies: values are found and gone into without being built up in memory, so that a file of captions takes no more of it than its bytes.
 * What is passed by is only looked at for where it ends. */
#ifndef LENS_CAPTIONS_JSON_AT_H
#define LENS_CAPTIONS_JSON_AT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* A value: its bytes, the first of which tells its kind, and the line that it begins on. As a place to read from: what is left. */
typedef struct lens_json_at {
    const char *at, *end;
    size_t line;
    bool first; /* nothing inside of it was taken yet */
} lens_json_at;

void lens_json_skip_blanks(lens_json_at *from);

/* The value at FROM, which is behind it then. False when there is none, or it has no end. */
bool lens_json_value(lens_json_at *from, lens_json_at *value);

/* The place before the first element or member of VALUE, an array or an object. */
lens_json_at lens_json_inside(const lens_json_at *value);

/* The next element or, with KEY not NULL, member: 1; 0 when there is none; -1 when what is there makes no sense. */
int lens_json_next(lens_json_at *inside, lens_json_at *key, lens_json_at *value);

/* Appends what the string VALUE stands for to OUT. 1; 0 when it is no string, or a broken one; -1 when memory is short. */
int lens_json_string(const lens_json_at *value, lens_buffer *out);

#endif
