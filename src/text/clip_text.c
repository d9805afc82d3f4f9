#include "text/clip_text.h"

#include <string.h>
#include <utf8proc.h>

#include "base/encoding.h"
#include "text/html_text.h"

static void collapse_space(lens_points *points, bool (*is_space)(int32_t point), bool strip)
{
    size_t out = 0;
    bool space = strip;
    for (size_t i = 0; i < points->count; i++) {
        bool now = is_space(points->items[i]);
        if (!now || !space)
            points->items[out++] = now ? ' ' : points->items[i];
        space = now;
    }
    if (strip && out && points->items[out - 1] == ' ')
        out--;
    points->count = out;
}

int lens_clip_clean(lens_points *points)
{
    if (lens_points_nfc_9(points) != 0)
        return -1;
    collapse_space(points, lens_point_is_space, false);
    return lens_points_lower(points);
}

/* ---- what ftfy repairs (Robyn Speer's ftfy 6, fix_text with its defaults) ---- */

/* C as ftfy's rules for single characters have it, in their order: C1 controls are Windows-1252, Latin ligatures and digraphs are taken
 * apart, forms of another width become the ordinary ones, quotes straight, line breaks "\n", control characters nothing. OUT has room for 3.
 * Returns how many there are. */
static int repair_point(int32_t c, int32_t out[3])
{
    static const struct {
        uint16_t point;
        char parts[4];
    } ligatures[] = {
        {0x132, "IJ"},  {0x133, "ij"},  {0x149, "'n"},  {0x1f1, "DZ"},  {0x1f2, "Dz"},  {0x1f3, "dz"},  {0x1c4, "DZ"},   {0x1c5, "Dz"},
        {0x1c6, "dz"},  {0x1c7, "LJ"},  {0x1c8, "Lj"},  {0x1c9, "lj"},  {0x1ca, "NJ"},  {0x1cb, "Nj"},  {0x1cc, "nj"},   {0xfb00, "ff"},
        {0xfb01, "fi"}, {0xfb02, "fl"}, {0xfb03, "ffi"}, {0xfb04, "ffl"}, {0xfb05, "?t"}, {0xfb06, "st"},
    };
    if (c >= 0x80 && c <= 0x9f)
        c = lens_windows_1252(c);
    if (c >= 0x132 && c <= 0xfb06)
        for (size_t i = 0; i < sizeof ligatures / sizeof *ligatures; i++)
            if (ligatures[i].point == c) {
                int count = (int)strlen(ligatures[i].parts);
                for (int j = 0; j < count; j++)
                    out[j] = ligatures[i].parts[j];
                if (c >= 0x1c4 && c <= 0x1c6) /* with a caron */
                    out[1] = c == 0x1c4 ? 0x17d : 0x17e;
                if (c == 0xfb05) /* a long s */
                    out[0] = 0x17f;
                return count;
            }
    if (c == 0x3000) {
        c = ' ';
    } else if (c >= 0xff01 && c <= 0xffef) {
        utf8proc_int32_t wide[8];
        int boundary = 0;
        utf8proc_ssize_t count = utf8proc_decompose_char(c, wide, 8, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
        if (count == 2) { /* U+FFE3, a blank with a macron */
            out[0] = wide[0], out[1] = wide[1];
            return 2;
        }
        if (count == 1)
            c = wide[0];
    }
    if (c == 0x37e) /* what NFC makes of it anyway, but only after a whole pass: "&#x37e&#x37e…;" would take one for each */
        c = ';';
    if (c == 0x2bc || (c >= 0x2018 && c <= 0x201b))
        c = '\'';
    else if (c >= 0x201c && c <= 0x201f)
        c = '"';
    else if (c == '\r' || c == 0x2028 || c == 0x2029 || c == 0x85)
        c = '\n';
    if (c <= 8 || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f || (c >= 0x206a && c <= 0x206f) || c == 0xfeff ||
        (c >= 0xfff9 && c <= 0xfffc))
        return 0;
    out[0] = c;
    return 1;
}

static bool is_ascii_letter(int32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes out what steers a terminal: ESC [ digits and semicolons, a letter. */
static void remove_escapes(lens_points *points)
{
    size_t out = 0;
    for (size_t i = 0; i < points->count;) {
        size_t end = i + 2;
        if (points->items[i] == 0x1b && end < points->count && (points->items[i + 1] == '[' || points->items[i + 1] == 0xff3b)) {
            while (end < points->count && (points->items[end] == ';' || points->items[end] == 0xff1b ||
                                           utf8proc_category(points->items[end]) == UTF8PROC_CATEGORY_ND))
                end++;
            int32_t last[3] = {0};
            if (end < points->count && repair_point(points->items[end], last) == 1 && is_ascii_letter(last[0])) {
                i = end + 1;
                continue;
            }
        }
        points->items[out++] = points->items[i++];
    }
    points->count = out;
}

/* The entity of NAME in capitals, as ftfy understands "&EACUTE;": capitals of what the name in small letters stands for, where no name of
 * HTML begins like it. */
static int capital_entity(const char *name, size_t length, int32_t points[2])
{
    char small[32];
    for (size_t i = 0; i < length; i++) {
        if (name[i] >= 'a' && name[i] <= 'z')
            return 0;
        small[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
        if (i >= 1 && lens_html_entity(name, i + 1, true, points))
            return 0;
    }
    int count = lens_html_entity(small, length, false, points);
    if (count == 1 && points[0] == 0xdf) {
        points[0] = points[1] = 'S';
        return 2;
    }
    for (int i = 0; i < count; i++)
        points[i] = utf8proc_toupper(points[i]);
    return count;
}

/* The reference that the end of TEXT is, its last item being a semicolon: its length, 0 for none. */
static size_t reference_before(const lens_points *text, int32_t points[2], int *count)
{
    char name[26]; /* at most "#" and 24 letters or digits, read backwards */
    size_t length = 0, end = text->count - 1;
    for (;; length++) {
        if (length >= end || length > 25)
            return 0;
        int32_t c = text->items[end - 1 - length];
        if (c == '&')
            break;
        if (length == 25 || !(is_ascii_letter(c) || (c >= '0' && c <= '9') || c == '#'))
            return 0;
        name[sizeof name - 1 - length] = (char)c;
    }
    const char *begin = name + sizeof name - length;
    if (length == 0 || (length == 25 && *begin != '#') || memchr(begin + 1, '#', length - 1))
        return 0;
    if (*begin != '#') {
        *count = lens_html_entity(begin, length, false, points);
        if (!*count)
            *count = capital_entity(begin, length, points);
        return *count ? length + 2 : 0;
    }
    bool hex = length > 1 && (begin[1] == 'x' || begin[1] == 'X');
    uint32_t number = 0;
    for (size_t i = hex ? 2 : 1; i < length; i++) {
        char c = begin[i];
        int value = c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 16;
        if (value >= (hex ? 16 : 10))
            return 0;
        number = number > 0x10ffff ? number : number * (hex ? 16 : 10) + (uint32_t)value;
    }
    if (length == (hex ? 2u : 1u) || number == ';') /* ftfy leaves a reference that gives a semicolon */
        return 0;
    *count = lens_html_number(number, points);
    return length + 2;
}

/* One pass of the repairs over the COUNT items at ITEMS into OUT. A reference is resolved when its semicolon arrives, and what it gave
 * may end another one: so that "&amp;amp;…", however deep, takes one pass and not one each. */
static int repair_pass(const int32_t *items, size_t count, bool unescape, lens_points *out)
{
    for (size_t i = 0; i < count; i++) {
        int32_t pending[2] = {items[i]};
        int pending_count = 1;
        while (pending_count) {
            int32_t next[2];
            int next_count = 0;
            for (int j = 0; j < pending_count; j++) {
                int32_t parts[3];
                int part_count = repair_point(pending[j], parts);
                if (lens_points_append(out, parts, (size_t)part_count) != 0)
                    return -1;
            }
            size_t length = 0;
            if (unescape && out->count && out->items[out->count - 1] == ';')
                length = reference_before(out, next, &next_count);
            out->count -= length;
            memcpy(pending, next, sizeof pending);
            pending_count = length ? next_count : 0;
        }
    }
    return 0;
}

/* Repairs the COUNT items at ITEMS until nothing changes any more, and appends them to OUT. */
static int repair(const int32_t *items, size_t count, bool unescape, lens_points *out)
{
    lens_points now = {0}, next = {0};
    int result = lens_points_append(&now, items, count);
    if (result == 0)
        remove_escapes(&now);
    for (bool changed = true; changed && result == 0;) {
        next.count = 0;
        result = repair_pass(now.items, now.count, unescape, &next);
        if (result == 0)
            result = lens_points_nfc(&next);
        changed = next.count != now.count || (now.count && memcmp(next.items, now.items, now.count * sizeof *now.items) != 0);
        lens_points swap = now;
        now = next;
        next = swap;
    }
    if (result == 0)
        result = lens_points_append(out, now.items, now.count);
    lens_points_free(&now);
    lens_points_free(&next);
    return result;
}

/* ftfy resolves references up to the first line that holds a "<": what has tags is HTML, and meant to be. */
static int repair_text(lens_points *points)
{
    size_t plain = 0;
    for (size_t i = 0; i < points->count && points->items[i] != '<'; i++)
        if (points->items[i] == '\n' || i + 1 == points->count)
            plain = i + 1;
    lens_points out = {0};
    int result = repair(points->items, plain, true, &out);
    if (result == 0)
        result = repair(points->items + plain, points->count - plain, false, &out);
    lens_points_free(points);
    *points = out;
    return result;
}

/* str.isspace: \s and the four separators of ASCII. */
static bool is_python_space(int32_t point)
{
    return lens_point_is_space(point) || (point >= 0x1c && point <= 0x1f);
}

int lens_openclip_clean(lens_points *points)
{
    if (repair_text(points) != 0 || lens_html_unescape(points) != 0 || lens_html_unescape(points) != 0)
        return -1;
    collapse_space(points, is_python_space, true);
    return lens_points_lower_words(points);
}
