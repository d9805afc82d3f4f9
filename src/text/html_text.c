#include "text/html_text.h"

#include <string.h>

#include "base/encoding.h"

/* Compares NAME with the entry at AT, which ends its own name with "!" or "=". */
static int compare(const char *name, size_t length, const char *at)
{
    size_t own = strcspn(at, "!=");
    int order = memcmp(name, at, length < own ? length : own);
    return order ? order : length < own ? -1 : length > own;
}

int lens_html_entity(const char *name, size_t length, bool bare, int32_t points[2])
{
    const char *table = lens_html_entities;
    size_t low = 0, high = lens_html_entities_size; /* both at the beginning of an entry */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        while (middle > low && table[middle - 1] != ' ')
            middle--;
        int order = compare(name, length, table + middle);
        size_t next = middle + strcspn(table + middle, " ") + 1;
        if (order < 0) {
            high = middle;
        } else if (order > 0) {
            low = next;
        } else {
            const char *at = table + middle + length;
            if (bare && *at != '!')
                return 0;
            int count = 0;
            do {
                int32_t value = 0;
                for (at++; *at != '+' && *at != ' '; at++)
                    value = value * 16 + (*at <= '9' ? *at - '0' : *at - 'A' + 10);
                points[count++] = value;
            } while (*at == '+' && count < 2);
            return count;
        }
    }
    return 0;
}

int lens_html_number(uint32_t number, int32_t *point)
{
    *point = (int32_t)number;
    if (number == 0 || (number >= 0xd800 && number <= 0xdfff) || number > 0x10ffff)
        *point = 0xfffd;
    else if (number >= 0x80 && number <= 0x9f)
        *point = lens_windows_1252((int32_t)number);
    else if (number == 0x0d)
        return 1;
    else if (number <= 8 || number == 0x0b || (number >= 0x0e && number <= 0x1f) || number == 0x7f || (number >= 0xfdd0 && number <= 0xfdef) ||
             (number & 0xfffe) == 0xfffe)
        return 0;
    return 1;
}

static int digit(int32_t point, int base)
{
    int value = point >= '0' && point <= '9' ? point - '0'
                : point >= 'a' && point <= 'f' ? point - 'a' + 10
                : point >= 'A' && point <= 'F' ? point - 'A' + 10
                                               : 16;
    return value < base ? value : -1;
}

/* The reference at ITEMS [count], which begins with "&#": its length, or 0 when there is none. */
static size_t number_at(const int32_t *items, size_t count, int32_t *point, int *points)
{
    size_t i = 2;
    int base = 10;
    if (i < count && (items[i] == 'x' || items[i] == 'X'))
        base = 16, i++;
    size_t begin = i;
    uint32_t number = 0;
    for (int value; i < count && (value = digit(items[i], base)) >= 0; i++)
        number = number > 0x10ffff ? number : number * (uint32_t)base + (uint32_t)value;
    if (i == begin)
        return 0;
    *points = lens_html_number(number, point);
    return i + (i < count && items[i] == ';');
}

/* The same for "&" and a name. Without a semicolon, or with one but an unknown name, the longest beginning that may stand bare counts. */
static size_t name_at(const int32_t *items, size_t count, int32_t points[2], int *point_count)
{
    char name[33];
    size_t length = 0;
    bool ascii = true; /* what is not can be part of no name, but Python counts it among the 32 */
    size_t known = 0;
    for (size_t i = 1; i < count && length < 32; i++, length++) {
        int32_t c = items[i];
        if (c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' || c == '#' || c == ';')
            break;
        ascii = ascii && c < 0x80;
        if (ascii) {
            name[length] = (char)c;
            known = length + 1;
        }
    }
    if (ascii && length && 1 + length < count && items[1 + length] == ';' &&
        (*point_count = lens_html_entity(name, length, false, points)) > 0)
        return length + 2;
    for (size_t i = known; i >= 2; i--)
        if ((*point_count = lens_html_entity(name, i, true, points)) > 0)
            return i + 1;
    return 0;
}

int lens_html_unescape(lens_points *points)
{
    lens_points out = {0};
    const int32_t *items = points->items;
    size_t count = points->count, first = 0;
    while (first < count && items[first] != '&')
        first++;
    if (first == count)
        return 0;
    int result = lens_points_append(&out, items, first);
    for (size_t i = first; i < count && result == 0;) {
        int32_t found[2];
        int found_count = 1;
        size_t length = 0;
        if (items[i] == '&' && i + 1 < count)
            length = items[i + 1] == '#' ? number_at(items + i, count - i, found, &found_count)
                                         : name_at(items + i, count - i, found, &found_count);
        result = length ? lens_points_append(&out, found, (size_t)found_count) : lens_points_push(&out, items[i]);
        i += length ? length : 1;
    }
    if (result == 0) {
        lens_points old = *points;
        *points = out;
        out = old;
    }
    lens_points_free(&out);
    return result;
}
