/* Which pictures may be results, as conditions of a query. */
#include <ctype.h>

#include "store/postgres/internal.h"

/* ---- patterns ---- */

/* A path becomes text one character a byte, so that every path is text: what is not ASCII is written by its bytes, as Latin-1. */
#define ANY_CHARACTER "(?:[\\u0001-\\u007f]|[\\u00c0-\\u00ff][\\u0080-\\u00bf]*|[\\u0080-\\u00bf])"

static int put_byte(lens_buffer *out, unsigned char byte)
{
    if (isalnum(byte) && byte < 0x80)
        return lens_buffer_append(out, &byte, 1);
    return lens_buffer_print(out, "\\u%04x", byte); /* within brackets too */
}

/* The character at *AT as a sequence of bytes; *AT moves behind it. *WIDE: it is not ASCII. */
static int put_character(lens_buffer *out, const char **at, bool *wide)
{
    const unsigned char first = (unsigned char)*(*at)++;
    int result = put_byte(out, first);
    *wide = first >= 0x80;
    while (result == 0 && first >= 0xc0 && ((unsigned char)**at & 0xc0) == 0x80)
        result = put_byte(out, (unsigned char)*(*at)++);
    return result;
}

/* The bracket expression at *AT, behind its '[', as alternatives: characters beyond ASCII are several of ours. (Of a range that has such an end both ends
 * count, and not what is between.) 0; 1 when it never ends, so that it matches nothing; -1. */
static int put_set(lens_buffer *out, const char **at)
{
    const char *from = *at;
    const bool negated = *from == '^';
    from += negated;
    int result = lens_buffer_print(out, negated ? "(?!" : "(?:");
    for (bool first = true; result == 0 && *from && (*from != ']' || first); first = false) {
        lens_buffer low = {0}, high = {0};
        bool wide, wide_too = false;
        result = put_character(&low, &from, &wide);
        const bool range = from[0] == '-' && from[1] && from[1] != ']';
        if (range && result == 0) {
            from++;
            result = put_character(&high, &from, &wide_too);
        }
        if (result == 0 && range && !wide && !wide_too)
            result = lens_buffer_print(out, "%s[%s-%s]", first ? "" : "|", low.data, high.data);
        else if (result == 0)
            result = lens_buffer_print(out, range ? "%s%s|%s" : "%s%s", first ? "" : "|", low.data, range ? high.data : "");
        lens_buffer_free(&low);
        lens_buffer_free(&high);
    }
    if (result == 0 && *from != ']')
        return 1;
    *at = from + 1;
    if (result == 0)
        result = lens_buffer_print(out, ")%s", negated ? ANY_CHARACTER : "");
    return result == 0 ? 0 : -1;
}

/* SQLite's GLOB as a regular expression: '*' is anything, '?' one character of UTF-8, [] a set. */
static int put_pattern(lens_buffer *out, const char *glob)
{
    int result = lens_buffer_print(out, "(?s)^"); /* '.' is a line's end too */
    for (const char *at = glob; *at && result == 0;) {
        const char byte = *at++;
        if (byte == '*')
            result = lens_buffer_print(out, ".*");
        else if (byte == '?')
            result = lens_buffer_print(out, "%s", ANY_CHARACTER);
        else if (byte == '[') {
            const size_t before = out->size;
            if ((result = put_set(out, &at)) == 1) { /* no set: nothing matches */
                out->size = before;
                return lens_buffer_print(out, "(?=a)b");
            }
        } else
            result = put_byte(out, (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte));
    }
    return result == 0 ? lens_buffer_print(out, "$") : -1;
}

/* ---- conditions ---- */

static void lower_args(lens_pg_args *args, const char *const *items, size_t count)
{
    lens_pg_array(args, LENS_PG_BYTES);
    for (size_t i = 0; i < count; i++) {
        lens_buffer low = {0};
        if (lens_buffer_append(&low, items[i], strlen(items[i])) != 0)
            args->failed = true;
        for (size_t j = 0; j < low.size; j++)
            if (low.data[j] >= 'A' && low.data[j] <= 'Z')
                low.data[j] = (char)(low.data[j] - 'A' + 'a');
        lens_pg_add_bytes(args, low.data ? low.data : "", low.size);
        lens_buffer_free(&low);
    }
}

static int64_t ns_of(int64_t seconds)
{
    const int64_t most = INT64_MAX / 1000000000;
    return seconds <= -most ? INT64_MIN : seconds >= most ? INT64_MAX : seconds * 1000000000;
}

static int put_folders(lens_buffer *sql, lens_pg_args *args, const lens_store_scope *scope, lens_error *err)
{
    int result = lens_buffer_print(sql, " AND (false");
    for (int part = 0; part < 3; part++) {
        lens_pg_array(args, LENS_PG_BYTES);
        for (size_t i = 0; i < scope->folder_count; i++) {
            const char *folder = scope->folders[i];
            lens_buffer bound = {0};
            if (lens_path_check(folder, err) != 0)
                return -1;
            if (lens_buffer_print(&bound, "%s%s", part && folder[1] == '\0' ? "" : folder, part == 0 ? "" : part == 1 ? "/" : "0") != 0)
                args->failed = true;
            lens_pg_add_bytes(args, bound.data ? bound.data : "", bound.size);
            lens_buffer_free(&bound);
        }
    }
    if (result == 0)
        result = lens_buffer_print(sql, " OR EXISTS (SELECT FROM unnest($%d::bytea[], $%d::bytea[], $%d::bytea[]) AS f (at, low, high) WHERE p.path = at OR"
                                        " (p.path > low AND p.path < high)))", args->count - 2, args->count - 1, args->count);
    return result == 0 ? 0 : lens_pg_memory(err);
}

/* Lower-case by ASCII alone, whatever the database's language. */
#define LOWER_PATH(path) "lower(convert_from(" path ", 'LATIN1') COLLATE \"C\")"

static int put_filter(lens_buffer *sql, lens_pg_args *args, const lens_store_filter *filter, lens_error *err)
{
    int result = 0;
    const char *const seen = filter->below ? "from_root(p.path)" : "p.path";
    if (filter->after != INT64_MIN || filter->before != INT64_MAX) {
        lens_pg_int(args, ns_of(filter->after));
        lens_pg_int(args, ns_of(filter->before));
        result |= lens_buffer_print(sql, " AND p.mtime_ns >= $%d AND p.mtime_ns < $%d", args->count - 1, args->count);
    }
    if (filter->size_least > 0 || filter->size_most != INT64_MAX) {
        lens_pg_int(args, filter->size_least);
        lens_pg_int(args, filter->size_most);
        result |= lens_buffer_print(sql, " AND greatest(c.width, c.height)::bigint BETWEEN $%d AND $%d", args->count - 1, args->count);
    }
    if (filter->format_count) {
        lower_args(args, filter->formats, filter->format_count);
        result |= lens_buffer_print(sql, " AND convert_to(lower(c.format), 'UTF8') = ANY ($%d)", args->count);
    }
    if (filter->label_count) { /* the name of the folder that it lies in; where paths are not told, nothing above a root has a name */
        lower_args(args, filter->labels, filter->label_count);
        result |= lens_buffer_print(sql, " AND convert_to(substring(" LOWER_PATH("%s") " from '([^/]+)/[^/]*$'), 'LATIN1') = ANY ($%d)", seen, args->count);
    }
    if (filter->pattern) {
        lens_buffer pattern = {0};
        result |= put_pattern(&pattern, filter->pattern);
        lens_pg_text(args, pattern.data ? pattern.data : "");
        result |= lens_buffer_print(sql, " AND " LOWER_PATH("%s") " ~ $%d", seen, args->count);
        lens_buffer_free(&pattern);
    }
    return result == 0 ? 0 : lens_pg_memory(err);
}

int lens_pg_conditions(lens_buffer *sql, lens_pg_args *args, const lens_store_scope *scope, lens_error *err)
{
    if (scope->folder_count && put_folders(sql, args, scope, err) != 0)
        return -1;
    if (scope->filter && put_filter(sql, args, scope->filter, err) != 0)
        return -1;
    if (!scope->without_count)
        return 0;
    lens_pg_ints(args, scope->without, scope->without_count);
    return lens_buffer_print(sql, " AND p.id <> ALL ($%d)", args->count) == 0 ? 0 : lens_pg_memory(err);
}
