/* Fields of a model's configuration: each is checked as it is read, and a message names the file, the section and the field. A
 * field that is absent or null keeps the value it had, so that the caller's defaults stand. */
#ifndef LENS_ENCODERS_FIELDS_H
#define LENS_ENCODERS_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* One object of a configuration file. */
typedef struct lens_fields {
    const json_t *object; /* NULL: no field is there */
    const char *path;     /* of the file, for messages */
    const char *section;  /* "vision_config.", with its dot; "" at the top */
} lens_fields;

/* The field KEY, or NULL when it is absent or null. Lives as long as the object. */
const json_t *lens_field(const lens_fields *fields, const char *key);

/* The object called KEY as a section of its own, called SECTION; without fields when it is absent or null. 0 or -1. */
int lens_field_section(const lens_fields *fields, const char *key, const char *section, lens_fields *out, lens_error *err);

/* A whole number of LEAST to MOST. 0 or -1: LENS_E_LIMIT for one above, else LENS_E_FORMAT. */
int lens_field_whole(const lens_fields *fields, const char *key, int least, int most, int *value, lens_error *err);

/* The side of a square, 1 to LENS_PREPARE_MOST: a whole number, or a list of one or of two that are equal. 0 or -1: LENS_E_UNSUPPORTED for
 * two that differ. */
int lens_field_side(const lens_fields *fields, const char *key, int *value, lens_error *err);

/* A number of LEAST to MOST. 0 or -1. */
int lens_field_number(const lens_fields *fields, const char *key, double least, double most, double *value, lens_error *err);

/* True or false. 0 or -1. */
int lens_field_flag(const lens_fields *fields, const char *key, bool *value, lens_error *err);

/* A text. *VALUE lives as long as the object. 0 or -1. */
int lens_field_text(const lens_fields *fields, const char *key, const char **value, lens_error *err);

/* A finite number for each of the three colours, above 0 when POSITIVE; one number stands for all three. 0 or -1. */
int lens_field_colour(const lens_fields *fields, const char *key, bool positive, float *value, lens_error *err);

/* Fails, calling the field unsupported, unless KEY is absent, null or false. 0 or -1. */
int lens_field_refuse(const lens_fields *fields, const char *key, lens_error *err);

/* Fails with CODE: "PATH: SECTIONKEY WHAT". Always -1. */
int lens_field_fail(const lens_fields *fields, const char *key, lens_error_code code, const char *what, lens_error *err);

#endif
