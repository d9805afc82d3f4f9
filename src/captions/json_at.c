#include "captions/json_at.h"

#include <jansson.h>
#include <string.h>

void lens_json_skip_blanks(lens_json_at *from)
{
    for (; from->at < from->end && (*from->at == ' ' || *from->at == '\t' || *from->at == '\r' || *from->at == '\n'); from->at++)
        from->line += *from->at == '\n';
}

/* Goes behind the string that begins here. Its end is on its line: JSON has no line ends in strings, and a missing quote shall not turn all that
 * follows inside out. */
static bool skip_string(lens_json_at *from)
{
    for (const char *at = from->at + 1; at < from->end && *at != '\n'; at++) {
        if (*at == '\\') {
            if (++at == from->end)
                return false;
        } else if (*at == '"') {
            from->at = at + 1;
            return true;
        }
    }
    return false;
}

static bool skip_brackets(lens_json_at *from)
{
    size_t depth = 0;
    while (from->at < from->end) {
        const char c = *from->at;
        if (c == '"') {
            if (!skip_string(from))
                return false;
            continue;
        }
        from->at++;
        from->line += c == '\n';
        depth += c == '{' || c == '[';
        if ((c == '}' || c == ']') && --depth == 0)
            return true;
    }
    return false;
}

bool lens_json_value(lens_json_at *from, lens_json_at *value)
{
    lens_json_skip_blanks(from);
    if (from->at == from->end)
        return false;
    *value = *from;
    const char first = *from->at;
    bool whole = true;
    if (first == '"')
        whole = skip_string(from);
    else if (first == '{' || first == '[')
        whole = skip_brackets(from);
    else
        while (from->at < from->end && !memchr(" \t\r\n,:[]{}\"", *from->at, 11))
            from->at++;
    value->end = from->at;
    return whole && value->end > value->at;
}

lens_json_at lens_json_inside(const lens_json_at *value)
{
    return (lens_json_at){value->at + 1, value->end, value->line, true};
}

int lens_json_next(lens_json_at *inside, lens_json_at *key, lens_json_at *value)
{
    lens_json_skip_blanks(inside);
    if (inside->at < inside->end && *inside->at == (key ? '}' : ']'))
        return inside->at + 1 == inside->end ? 0 : -1;
    if (!inside->first && (inside->at == inside->end || *inside->at++ != ','))
        return -1;
    inside->first = false;
    lens_json_skip_blanks(inside);
    if (key) {
        if (inside->at == inside->end || *inside->at != '"' || !lens_json_value(inside, key))
            return -1;
        lens_json_skip_blanks(inside);
        if (inside->at == inside->end || *inside->at++ != ':')
            return -1;
    }
    return lens_json_value(inside, value) ? 1 : -1;
}

int lens_json_string(const lens_json_at *value, lens_buffer *out)
{
    const size_t size = (size_t)(value->end - value->at);
    if (size < 2 || *value->at != '"')
        return 0;
    bool plain = true;
    for (const char *at = value->at + 1; at < value->end - 1 && plain; at++)
        plain = (unsigned char)*at >= 0x20 && *at != '\\';
    if (plain)
        return lens_buffer_append(out, value->at + 1, size - 2) == 0 ? 1 : -1;
    json_t *string = json_loadb(value->at, size, JSON_DECODE_ANY, NULL);
    if (!string)
        return 0;
    const int result = lens_buffer_append(out, json_string_value(string), json_string_length(string)) == 0 ? 1 : -1;
    json_decref(string);
    return result;
}
