#include "text/unicode_text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

void lens_points_free(lens_points *points)
{
    free(points->items);
    *points = (lens_points){0};
}

static int reserve(lens_points *points, size_t more)
{
    if (more <= points->capacity - points->count)
        return 0;
    size_t limit = SIZE_MAX / sizeof *points->items / 2;
    if (more > limit - points->count)
        return -1;
    size_t capacity = points->count + more;
    if (capacity < points->capacity * 2)
        capacity = points->capacity * 2;
    if (capacity < 64)
        capacity = 64;
    int32_t *items = realloc(points->items, capacity * sizeof *items);
    if (!items)
        return -1;
    points->items = items;
    points->capacity = capacity;
    return 0;
}

int lens_points_push(lens_points *points, int32_t point)
{
    if (points->count == points->capacity && reserve(points, 1) != 0)
        return -1;
    points->items[points->count++] = point;
    return 0;
}

int lens_points_append(lens_points *points, const int32_t *items, size_t count)
{
    if (reserve(points, count) != 0)
        return -1;
    if (count)
        memcpy(points->items + points->count, items, count * sizeof *items);
    points->count += count;
    return 0;
}

/* One sequence at BYTES (SIZE at least 1) by table 3-7 of the Unicode standard. Returns how many bytes it, or its broken beginning, takes. */
static size_t read_point(const unsigned char *bytes, size_t size, int32_t *point)
{
    unsigned char lead = bytes[0];
    *point = lead;
    if (lead < 0x80)
        return 1;
    *point = 0xfffd;
    size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
    if (!length)
        return 1;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80, high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    int32_t value = lead & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if (i == size || bytes[i] < low || bytes[i] > high)
            return i;
        value = value << 6 | (bytes[i] & 0x3f);
        low = 0x80, high = 0xbf;
    }
    *point = value;
    return length;
}

int lens_points_read(lens_points *points, const char *bytes, size_t size)
{
    if (reserve(points, size) != 0)
        return -1;
    const unsigned char *at = (const unsigned char *)bytes;
    while (size) {
        size_t length = read_point(at, size, &points->items[points->count++]);
        at += length;
        size -= length;
    }
    return 0;
}

int lens_points_write(const int32_t *items, size_t count, lens_buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        if (lens_buffer_reserve(out, 4) != 0)
            return -1;
        out->size += (size_t)utf8proc_encode_char(items[i], (utf8proc_uint8_t *)out->data + out->size);
    }
    if (lens_buffer_reserve(out, 1) != 0)
        return -1;
    out->data[out->size] = '\0';
    return 0;
}

static int combining_class(int32_t point)
{
    return point < 0x300 ? 0 : utf8proc_get_property(point)->combining_class;
}

/* Puts each run of combining marks into the order of their classes, keeping equals as they are. utf8proc's own way moves marks
 * one by one, which a text of a million marks would make last for hours: this counts. */
static int order_marks(lens_points *points)
{
    lens_points sorted = {0};
    int32_t *items = points->items;
    int result = 0;
    for (size_t i = 0; i < points->count && result == 0;) {
        size_t end = i;
        bool ordered = true;
        for (int class, last = 0; end < points->count && (class = combining_class(items[end])) != 0; end++) {
            ordered = ordered && class >= last;
            last = class;
        }
        if (!ordered) {
            size_t starts[257] = {0};
            sorted.count = 0;
            result = reserve(&sorted, end - i);
            if (result == 0) {
                for (size_t j = i; j < end; j++)
                    starts[combining_class(items[j]) + 1]++;
                for (int class = 0; class < 256; class++)
                    starts[class + 1] += starts[class];
                for (size_t j = i; j < end; j++)
                    sorted.items[starts[combining_class(items[j])]++] = items[j];
                memcpy(items + i, sorted.items, (end - i) * sizeof *items);
            }
        }
        i = end == i ? i + 1 : end;
    }
    lens_points_free(&sorted);
    return result;
}

/* Canonical decomposition. */
static int points_nfd(lens_points *points)
{
    lens_points out = {0};
    for (size_t i = 0; i < points->count; i++) {
        utf8proc_int32_t parts[32];
        int boundary = 0;
        /* Nothing before U+00C0 decomposes canonically. */
        utf8proc_ssize_t count = points->items[i] < 0xc0 ? 0 : utf8proc_decompose_char(points->items[i], parts, 32, UTF8PROC_DECOMPOSE, &boundary);
        bool same = count <= 0 || count > 32;
        if (lens_points_append(&out, same ? &points->items[i] : parts, same ? 1 : (size_t)count) != 0) {
            lens_points_free(&out);
            return -1;
        }
    }
    lens_points_free(points);
    *points = out;
    return order_marks(points);
}

int lens_points_nfc(lens_points *points)
{
    size_t i = 0;
    while (i < points->count && points->items[i] < 0x300)
        i++;
    if (i == points->count)
        return 0; /* composed already */
    if (points_nfd(points) != 0)
        return -1;
    utf8proc_ssize_t count =
        utf8proc_normalize_utf32(points->items, (utf8proc_ssize_t)points->count, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (count < 0)
        return -1;
    points->count = (size_t)count;
    return 0;
}

/* Marks that Unicode 9 does not know yet. */
static bool is_young_mark(int32_t point)
{
    static const struct {
        int32_t first, last;
    } young[] = {
        {0x7fd, 0x7fd}, {0x898, 0x89f}, {0x8ca, 0x8d3}, {0x9fe, 0x9fe}, {0xc3c, 0xc3c}, {0xd3b, 0xd3c}, {0xeba, 0xeba},
        {0x1715, 0x1715}, {0x1abf, 0x1ace}, {0x1df6, 0x1dfa}, {0xa82c, 0xa82c}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac},
        {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
        {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
        {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45},
        {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136},
        {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef},
    };
    size_t low = 0, high = sizeof young / sizeof *young;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (point > young[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof young / sizeof *young && point >= young[low].first;
}

/* A young mark joins nothing and lets nothing past: each stretch between two is normalised by itself. */
static int normalize_stretches(lens_points *points, int (*normalize)(lens_points *points))
{
    lens_points out = {0}, stretch = {0};
    int result = 0;
    for (size_t i = 0; i < points->count && result == 0;) {
        size_t end = i;
        while (end < points->count && !is_young_mark(points->items[end]))
            end++;
        stretch.count = 0;
        result = lens_points_append(&stretch, points->items + i, end - i);
        if (result == 0)
            result = normalize(&stretch);
        if (result == 0)
            result = lens_points_append(&out, stretch.items, stretch.count);
        if (result == 0 && end < points->count)
            result = lens_points_push(&out, points->items[end++]);
        i = end;
    }
    lens_points_free(&stretch);
    lens_points_free(points);
    *points = out;
    return result;
}

int lens_points_nfd_9(lens_points *points)
{
    return normalize_stretches(points, points_nfd);
}

int lens_points_nfc_9(lens_points *points)
{
    return normalize_stretches(points, lens_points_nfc);
}

/* Cased in the sense of Unicode's definition D135, but for the characters that are case-ignorable too, which are skipped before it matters. */
static bool is_cased(int32_t point)
{
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
        return true;
    default: /* Other_Uppercase and Other_Lowercase */
        return point == 0xaa || point == 0xba || (point >= 0x2160 && point <= 0x217f) || (point >= 0x24b6 && point <= 0x24e9) ||
               (point >= 0x1f130 && point <= 0x1f149) || (point >= 0x1f150 && point <= 0x1f169) || (point >= 0x1f170 && point <= 0x1f189);
    }
}

/* Definition D136. */
static bool is_case_ignorable(int32_t point)
{
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        break;
    }
    switch (point) { /* Word_Break is MidLetter, MidNumLet or Single_Quote */
    case '\'': case '.': case ':': case 0xb7: case 0x387: case 0x55f: case 0x5f4: case 0x2018: case 0x2019: case 0x2024: case 0x2027:
    case 0xfe13: case 0xfe52: case 0xfe55: case 0xff07: case 0xff0e: case 0xff1a:
        return true;
    default:
        return false;
    }
}

/* Whether the sigma at I ends a word: a cased letter stands before it and none behind. */
static bool ends_word(const lens_points *points, size_t i)
{
    size_t before = i, behind = i + 1;
    while (before && is_case_ignorable(points->items[before - 1]))
        before--;
    if (!before || !is_cased(points->items[before - 1]))
        return false;
    while (behind < points->count && is_case_ignorable(points->items[behind]))
        behind++;
    return behind == points->count || !is_cased(points->items[behind]);
}

static int lower(lens_points *points, bool words)
{
    lens_points out = {0};
    for (size_t i = 0; i < points->count; i++) {
        int32_t point = points->items[i];
        int32_t low = point < 0x80 ? point + (point >= 'A' && point <= 'Z' ? 32 : 0)
                      : point == 0x130 ? 'i'
                      : point == 0x3a3 && words && ends_word(points, i) ? 0x3c2
                                                                         : utf8proc_tolower(point);
        if (lens_points_push(&out, low) != 0 || (point == 0x130 && lens_points_push(&out, 0x307) != 0)) {
            lens_points_free(&out);
            return -1;
        }
    }
    lens_points_free(points);
    *points = out;
    return 0;
}

int lens_points_lower(lens_points *points)
{
    return lower(points, false);
}

int lens_points_lower_words(lens_points *points)
{
    return lower(points, true);
}

bool lens_point_is_space(int32_t point)
{
    return (point >= 9 && point <= 13) || point == ' ' || point == 0x85 || point == 0xa0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}
