#include "encoders/fields.h"

#include <math.h>
#include <stdio.h>

#include "pixels/prepare.h"

int lens_field_fail(const lens_fields *fields, const char *key, lens_error_code code, const char *what, lens_error *err)
{
    return lens_fail(err, code, "%s: %s%s %s", fields->path, fields->section, key, what);
}

const json_t *lens_field(const lens_fields *fields, const char *key)
{
    const json_t *value = json_object_get(fields->object, key);
    return json_is_null(value) ? NULL : value;
}

int lens_field_section(const lens_fields *fields, const char *key, const char *section, lens_fields *out, lens_error *err)
{
    const json_t *value = lens_field(fields, key);
    *out = (lens_fields){value, fields->path, section};
    return !value || json_is_object(value) ? 0 : lens_field_fail(fields, key, LENS_E_FORMAT, "is not an object", err);
}

static int check_whole(const lens_fields *fields, const char *key, const json_t *value, int least, int most, int *out,
                       lens_error *err)
{
    char what[80];
    json_int_t number = json_integer_value(value);
    bool whole = json_is_integer(value);
    if (whole && number >= least && number <= most) {
        *out = (int)number;
        return 0;
    }
    snprintf(what, sizeof what, "is not a whole number from %d to %d", least, most);
    return lens_field_fail(fields, key, whole && number > most ? LENS_E_LIMIT : LENS_E_FORMAT, what, err);
}

int lens_field_whole(const lens_fields *fields, const char *key, int least, int most, int *value, lens_error *err)
{
    const json_t *field = lens_field(fields, key);
    return field ? check_whole(fields, key, field, least, most, value, err) : 0;
}

int lens_field_side(const lens_fields *fields, const char *key, int *value, lens_error *err)
{
    const json_t *field = lens_field(fields, key);
    if (!json_is_array(field))
        return lens_field_whole(fields, key, 1, LENS_PREPARE_MOST, value, err);
    size_t count = json_array_size(field);
    int sides[2] = {0};
    if (count < 1 || count > 2)
        return lens_field_fail(fields, key, LENS_E_FORMAT, "is not one side, or two", err);
    for (size_t i = 0; i < count; i++)
        if (check_whole(fields, key, json_array_get(field, i), 1, LENS_PREPARE_MOST, &sides[i], err) != 0)
            return -1;
    if (count == 2 && sides[0] != sides[1])
        return lens_field_fail(fields, key, LENS_E_UNSUPPORTED, "is not a square", err);
    *value = sides[0];
    return 0;
}

int lens_field_number(const lens_fields *fields, const char *key, double least, double most, double *value, lens_error *err)
{
    const json_t *field = lens_field(fields, key);
    if (!field)
        return 0;
    double number = json_number_value(field);
    if (!json_is_number(field) || !(number >= least && number <= most)) {
        char what[80];
        snprintf(what, sizeof what, "is not a number from %g to %g", least, most);
        return lens_field_fail(fields, key, LENS_E_FORMAT, what, err);
    }
    *value = number;
    return 0;
}

int lens_field_flag(const lens_fields *fields, const char *key, bool *value, lens_error *err)
{
    const json_t *field = lens_field(fields, key);
    if (!field)
        return 0;
    if (!json_is_boolean(field))
        return lens_field_fail(fields, key, LENS_E_FORMAT, "is neither true nor false", err);
    *value = json_is_true(field);
    return 0;
}

int lens_field_text(const lens_fields *fields, const char *key, const char **value, lens_error *err)
{
    const json_t *field = lens_field(fields, key);
    if (!field)
        return 0;
    if (!json_is_string(field))
        return lens_field_fail(fields, key, LENS_E_FORMAT, "is not a text", err);
    *value = json_string_value(field);
    return 0;
}

int lens_field_colour(const lens_fields *fields, const char *key, bool positive, float *value, lens_error *err)
{
    const json_t *field = lens_field(fields, key);
    if (!field)
        return 0;
    float colour[3];
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_is_array(field) ? json_array_get(field, i) : field;
        colour[i] = (float)json_number_value(one);
        if (!json_is_number(one) || !isfinite(colour[i]) || (positive && colour[i] <= 0) ||
            (json_is_array(field) && json_array_size(field) != 3))
            return lens_field_fail(fields, key, LENS_E_FORMAT,
                                   positive ? "is not a list of three positive numbers" : "is not a list of three numbers", err);
    }
    for (size_t i = 0; i < 3; i++)
        value[i] = colour[i];
    return 0;
}

int lens_field_refuse(const lens_fields *fields, const char *key, lens_error *err)
{
    const json_t *field = lens_field(fields, key);
    return !field || json_is_false(field) ? 0 : lens_field_fail(fields, key, LENS_E_UNSUPPORTED, "is not supported", err);
}
