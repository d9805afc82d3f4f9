#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

static json_t *parse(const char *bytes, size_t size, size_t flags, const char *what, lens_error *err)
{
    json_error_t where;
    json_t *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | flags, &where);
    if (!value) {
        /* What jansson says ends in " near" and bytes of the input, which are nothing for a terminal. */
        char *near = strstr(where.text, " near ");
        if (near)
            *near = '\0';
        if (json_error_code(&where) == json_error_out_of_memory)
            lens_fail_memory_for(err, what);
        else
            lens_fail(err, LENS_E_FORMAT, "%s: bad JSON at line %d, column %d: %s", what, where.line, where.column, where.text);
    }
    return value;
}

json_t *lens_json_parse(const char *bytes, size_t size, const char *what, lens_error *err)
{
    return parse(bytes, size, 0, what, err);
}

json_t *lens_json_parse_reals(const char *bytes, size_t size, const char *what, lens_error *err)
{
    return parse(bytes, size, JSON_DECODE_INT_AS_REAL, what, err);
}

/* The values and names in BYTES, by the signs between them; counted no further than MOST. */
static size_t count_values(const char *bytes, size_t size, size_t most)
{
    size_t count = 1;
    bool quoted = false;
    for (size_t i = 0; i < size && count <= most; i++) {
        if (quoted && bytes[i] == '\\')
            i++;
        else if (bytes[i] == '"')
            quoted = !quoted;
        else if (!quoted && memchr(",:[{", bytes[i], 4))
            count++;
    }
    return count;
}

json_t *lens_json_parse_small(const char *bytes, size_t size, size_t most, const char *what, lens_error *err)
{
    if (count_values(bytes, size, most) <= most)
        return lens_json_parse(bytes, size, what, err);
    lens_fail(err, LENS_E_LIMIT, "%s: more than %zu values", what, most);
    return NULL;
}

/* PATH of no more than LARGEST bytes and MOST values and names. */
static json_t *read_object(const char *path, size_t largest, size_t most, lens_error *err)
{
    lens_buffer bytes = {0};
    if (lens_file_read(path, largest, &bytes, err) != 0)
        return NULL;
    json_t *value = lens_json_parse_small(bytes.data, bytes.size, most, path, err);
    lens_buffer_free(&bytes);
    if (value && !json_is_object(value)) {
        lens_fail(err, LENS_E_FORMAT, "%s: not a JSON object", path);
        json_decref(value);
        value = NULL;
    }
    return value;
}

json_t *lens_json_read(const char *path, lens_error *err)
{
    return read_object(path, SIZE_MAX / 2, SIZE_MAX, err);
}

json_t *lens_json_read_small(const char *path, lens_error *err)
{
    return read_object(path, LENS_JSON_BYTES, LENS_JSON_VALUES, err);
}

int lens_json_write(const char *path, const json_t *value, size_t flags, lens_error *err)
{
    char *text = value ? json_dumps(value, flags) : NULL;
    const int result = text ? lens_file_write(path, text, strlen(text), err) : lens_fail_memory(err);
    free(text);
    return result;
}

json_t *lens_json_text(const char *text)
{
    const size_t length = strlen(text);
    lens_buffer out = {0};
    if (lens_utf8_valid(text, length))
        return json_stringn(text, length);
    json_t *string = lens_text_printable(text, length, &out) == 0 ? json_stringn(out.data, out.size) : NULL;
    lens_buffer_free(&out);
    return string;
}

json_t *lens_json_data(const char *type, const void *bytes, size_t size)
{
    lens_buffer text = {0};
    json_t *string = lens_buffer_print(&text, "data:%s;base64,", type) == 0 && lens_base64_encode(bytes, size, &text) == 0 ? json_stringn(text.data, text.size) : NULL;
    lens_buffer_free(&text);
    return string;
}

json_t *lens_json_numbers(const double *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

json_t *lens_json_rows(const double *values, size_t rows, size_t columns)
{
    json_t *array = json_array();
    for (size_t i = 0; i < rows; i++)
        json_array_append_new(array, lens_json_numbers(values + i * columns, columns));
    return array;
}

void lens_json_set_path(json_t *object, const char *name, const char *path)
{
    const size_t length = strlen(path);
    if (lens_utf8_valid(path, length)) {
        json_object_set_new(object, name, json_stringn(path, length));
        return;
    }
    char key[64];
    snprintf(key, sizeof key, "%s_base64", name);
    lens_buffer text = {0};
    if (lens_base64_encode(path, length, &text) == 0)
        json_object_set_new(object, key, json_string(text.data));
    lens_buffer_free(&text);
}
