/* SQLite's GLOB, which folders are searched with, as a regular expression of PostgreSQL: '*' is anything, '?' one character of UTF-8, [] a set of them.
 *
 * A path becomes text one character a byte, so that every path is text: what is not ASCII is written by its bytes, as Latin-1. So a set of characters is
 * runs of bytes, and a character ends where no more of its bytes follow. */
#include <ctype.h>
#include <stdlib.h>

#include "base/text.h"
#include "store/postgres/internal.h"

#define ANY_CHARACTER "(?:[\\u0001-\\u007f]|[\\u00c0-\\u00ff][\\u0080-\\u00bf]*(?![\\u0080-\\u00bf])|[\\u0080-\\u00bf])"
#define NONE "(?:(?=a)b)"

enum { POINT_MOST = 0x10ffff };

static int put_byte(lens_buffer *out, unsigned char byte)
{
    if (isalnum(byte) && byte < 0x80)
        return lens_buffer_append(out, &byte, 1);
    return lens_buffer_print(out, "\\u%04x", byte); /* within brackets too */
}

/* The character at *AT, as SQLite reads it: a first byte, and all that can follow one. */
static unsigned next_point(const char **at)
{
    const unsigned char first = (unsigned char)*(*at)++;
    if (first < 0xc0)
        return (unsigned char)lens_ascii_lower((char)first);
    unsigned point = first < 0xe0 ? first & 0x1f : first < 0xf0 ? first & 0x0f : first & 0x07;
    while (((unsigned char)**at & 0xc0) == 0x80)
        point = point << 6 | ((unsigned char)*(*at)++ & 0x3f);
    return point > POINT_MOST ? 0xfffd : point;
}

/* The bytes of POINT: how many. */
static int encode(unsigned point, unsigned char bytes[4])
{
    const int size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = size - 1; i > 0; i--, point >>= 6)
        bytes[i] = (unsigned char)(0x80 | (point & 0x3f));
    bytes[0] = (unsigned char)(marks[size] | point);
    return size;
}

/* LOW to HIGH, as alternatives with a '|' before each. Where their bytes are not those of one run, they are cut (as RE2 does). */
static int put_range(lens_buffer *out, unsigned low, unsigned high)
{
    static const unsigned ends[] = {0x7f, 0x7ff, 0xffff};
    for (int i = 0; i < 3; i++)
        if (low <= ends[i] && high > ends[i])
            return put_range(out, low, ends[i]) == 0 ? put_range(out, ends[i] + 1, high) : -1;
    for (int i = 1; i < 4 && high > 0x7f; i++) {
        const unsigned mask = (1u << (6 * i)) - 1;
        if ((low & ~mask) == (high & ~mask))
            continue;
        if (low & mask)
            return put_range(out, low, low | mask) == 0 ? put_range(out, (low | mask) + 1, high) : -1;
        if ((high & mask) != mask)
            return put_range(out, low, (high & ~mask) - 1) == 0 ? put_range(out, high & ~mask, high) : -1;
    }
    unsigned char first[4], last[4];
    const int size = encode(low, first);
    encode(high, last);
    int result = lens_buffer_print(out, "|");
    for (int i = 0; i < size && result == 0; i++) {
        result = lens_buffer_print(out, "[") == 0 ? put_byte(out, first[i]) : -1;
        if (result == 0 && last[i] != first[i])
            result = lens_buffer_print(out, "-") == 0 ? put_byte(out, last[i]) : -1;
        if (result == 0)
            result = lens_buffer_print(out, "]");
    }
    return result;
}

/* The set at *AT, behind its '['. A range after a range begins with a plain '-', one that runs backwards holds its first alone. 0; 1 when it never ends, so that it
 * matches nothing; -1. */
static int put_set(lens_buffer *out, const char **at)
{
    const char *from = *at;
    const bool negated = *from == '^';
    from += negated;
    lens_buffer ranges = {0};
    int result = 0;
    unsigned before = 0;
    for (bool first = true; result == 0 && *from && (*from != ']' || first); first = false) {
        if (*from == '-' && before && from[1] && from[1] != ']') {
            from++;
            const unsigned last = next_point(&from);
            if (last >= before)
                result = put_range(&ranges, before, last);
            before = 0;
        } else {
            const unsigned point = next_point(&from);
            result = put_range(&ranges, point, point);
            before = first && point == ']' ? 0 : point;
        }
    }
    const bool ends = *from == ']';
    const char *const alternatives = ranges.size ? ranges.data + 1 : NONE;
    if (result == 0 && ends)
        result = lens_buffer_print(out, negated ? "(?:(?!(?:%s)(?![\\u0080-\\u00bf]))" ANY_CHARACTER ")" : "(?:%s)", alternatives);
    lens_buffer_free(&ranges);
    *at = from + ends;
    return result != 0 ? -1 : !ends;
}

int lens_pg_put_glob(lens_buffer *out, const char *glob)
{
    int result = lens_buffer_print(out, "(?s)^"); /* '.' is a line's end too */
    for (const char *at = glob; *at && result == 0;) {
        const char byte = *at++;
        if (byte == '*') /* whole characters, where what follows could take up the rest of one */
            result = lens_buffer_print(out, *at == '?' || *at == '[' ? ANY_CHARACTER "*" : ".*");
        else if (byte == '?')
            result = lens_buffer_print(out, "%s", ANY_CHARACTER);
        else if (byte == '[') {
            const size_t before = out->size;
            if ((result = put_set(out, &at)) == 1) {
                out->size = before;
                return lens_buffer_print(out, "%s", NONE);
            }
        } else
            result = put_byte(out, (unsigned char)lens_ascii_lower(byte));
    }
    return result == 0 ? lens_buffer_print(out, "$") : -1;
}
