/* Records: put together, taken apart, compared, and said in words. */
#include "store/copying.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/text.h"

enum { FIELDS_MOST = 7 /* of a record */, SHOWN_MOST = 80 /* bytes of a field in a message */ };

static const struct {
    const char *name, *one;
    const char *fields[FIELDS_MOST];
    int says; /* the field that tells a person which one it is; 0: none but the key */
} parts[LENS_STORE_PARTS] = {
    [LENS_STORE_RULES] = {"rules", "rule", {"path", "out", "settings"}, 0},
    [LENS_STORE_MODELS] = {"models", "model", {"id", "name", "dim", "fingerprint", "sentences"}, 1},
    [LENS_STORE_CONTENTS] = {"contents", "content", {"id", "hash", "width", "height", "format"}, 0},
    [LENS_STORE_PICTURES] = {"pictures", "picture", {"id", "path", "size", "mtime_ns", "content", "reason"}, 1},
    [LENS_STORE_SOURCES] = {"sources", "source", {"id", "path", "kind", "size", "mtime_ns", "settings"}, 1},
    [LENS_STORE_TEXTS] = {"texts", "text", {"id", "picture", "content", "source", "version", "text", "folded"}, 5},
    [LENS_STORE_VECTORS] = {"vectors", "the vector of content", {"content", "values"}, 0},
};

/* ---- a record ---- */

static int64_t get_number(const char *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | (uint8_t)at[i];
    return (int64_t)value;
}

lens_field lens_record_field(lens_record record, int at)
{
    size_t from = 0;
    for (int i = 0; from < record.size; i++) {
        lens_field field = {.kind = record.bytes[from++]};
        if (field.kind != 'n') {
            field.number = get_number(record.bytes + from);
            from += 8;
        }
        if (field.kind == 'b') {
            field.bytes = record.bytes + from;
            field.size = (size_t)field.number;
            from += field.size;
        }
        if (i == at)
            return field;
    }
    return (lens_field){0};
}

int lens_record_order(lens_record a, lens_record b)
{
    const lens_field x = lens_record_field(a, 0), y = lens_record_field(b, 0);
    if (x.kind == 'b') {
        const int order = memcmp(x.bytes, y.bytes, x.size < y.size ? x.size : y.size);
        return order ? order : (x.size > y.size) - (x.size < y.size);
    }
    return (x.number > y.number) - (x.number < y.number);
}

bool lens_record_same(lens_record a, lens_record b)
{
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

/* ---- in words ---- */

const char *lens_store_part_name(lens_store_part part)
{
    return parts[part].name;
}

static int say_field(lens_field field, lens_buffer *out)
{
    if (field.kind == 'i')
        return lens_buffer_print(out, "%" PRId64, field.number);
    if (field.kind != 'b')
        return lens_buffer_print(out, "none");
    if (lens_utf8_valid(field.bytes, field.size)) {
        size_t size = field.size;
        if (size > SHOWN_MOST)
            for (size = SHOWN_MOST; size > 0 && ((uint8_t)field.bytes[size] & 0xc0) == 0x80;)
                size--;
        return lens_text_printable(field.bytes, size, out) != 0 || lens_buffer_print(out, "%s", size < field.size ? "…" : "") != 0 ? -1 : 0;
    }
    int result = 0;
    for (size_t i = 0; i < field.size && i < SHOWN_MOST / 2 && result == 0; i++)
        result = lens_buffer_print(out, "%02x", (uint8_t)field.bytes[i]);
    return result == 0 && field.size > SHOWN_MOST / 2 ? lens_buffer_print(out, "…") : result;
}

int lens_record_name(lens_store_part part, lens_record record, lens_buffer *out)
{
    const int says = parts[part].says;
    if (lens_buffer_print(out, "%s ", parts[part].one) != 0 || say_field(lens_record_field(record, 0), out) != 0)
        return -1;
    return !says ? 0 : lens_buffer_print(out, " (") == 0 && say_field(lens_record_field(record, says), out) == 0 && lens_buffer_print(out, ")") == 0 ? 0 : -1;
}

static bool fields_same(lens_field x, lens_field y)
{
    return x.kind == y.kind && x.number == y.number && (x.kind != 'b' || memcmp(x.bytes, y.bytes, x.size) == 0);
}

/* The first number in which two vectors differ. */
static int say_numbers(lens_field x, lens_field y, lens_buffer *out)
{
    if (x.size != y.size)
        return lens_buffer_print(out, "it has %zu and %zu numbers", x.size / sizeof(float), y.size / sizeof(float));
    size_t at = 0;
    while (at + sizeof(float) < x.size && memcmp(x.bytes + at, y.bytes + at, sizeof(float)) == 0)
        at += sizeof(float);
    float a = 0, b = 0;
    memcpy(&a, x.bytes + at, sizeof a);
    memcpy(&b, y.bytes + at, sizeof b);
    return lens_buffer_print(out, "number %zu is %.9g and %.9g", at / sizeof(float), (double)a, (double)b);
}

int lens_record_difference(lens_store_part part, lens_record a, lens_record b, lens_buffer *out)
{
    for (int i = 0; i < FIELDS_MOST && parts[part].fields[i]; i++) {
        const lens_field x = lens_record_field(a, i), y = lens_record_field(b, i);
        if (fields_same(x, y))
            continue;
        if (part == LENS_STORE_VECTORS && i == 1)
            return say_numbers(x, y, out);
        return lens_buffer_print(out, "%s is ", parts[part].fields[i]) == 0 && say_field(x, out) == 0 && lens_buffer_print(out, " and ") == 0 && say_field(y, out) == 0 ? 0 : -1;
    }
    return 0;
}

static bool is_path(lens_field field)
{
    return field.kind == 'b' && field.size > 0 && field.bytes[0] == '/' && !memchr(field.bytes, 0, field.size);
}

static bool is_unit(lens_field field, int dim)
{
    float *values = malloc((size_t)dim * sizeof *values); /* a record is not aligned */
    if (values)
        memcpy(values, field.bytes, (size_t)dim * sizeof *values);
    const bool unit = !values || lens_store_is_unit(values, dim); /* who has no memory for one vector fails elsewhere */
    free(values);
    return unit;
}

const char *lens_record_fault(lens_store_part part, int dim, lens_record record)
{
    const lens_field first = lens_record_field(record, 0), second = lens_record_field(record, 1);
    switch (part) {
    case LENS_STORE_RULES:
        return is_path(first) ? NULL : "it has no absolute path";
    case LENS_STORE_MODELS:
        return lens_record_field(record, 3).size == sizeof(lens_hash) ? NULL : "its fingerprint has not 16 bytes";
    case LENS_STORE_CONTENTS:
        return second.size == sizeof(lens_hash) ? NULL : "its hash has not 16 bytes";
    case LENS_STORE_PICTURES:
        if (!is_path(second))
            return "it has no absolute path";
        return (lens_record_field(record, 4).kind == 'n') != (lens_record_field(record, 5).kind == 'n') ? NULL : "it has not one of a content and a reason";
    case LENS_STORE_VECTORS:
        if (second.size != (size_t)dim * sizeof(float))
            return "it has another length than its model's";
        return is_unit(second, dim) ? NULL : "it is not finite and of length 1";
    default:
        return NULL;
    }
}

/* ---- a list of them ---- */

lens_record lens_records_at(const lens_records *records, size_t at)
{
    const size_t begin = at ? records->ends[at - 1] : 0;
    return (lens_record){records->bytes.data + begin, records->ends[at] - begin};
}

void lens_records_clear(lens_records *records)
{
    records->bytes.size = 0;
    records->count = 0;
    records->failed = false;
}

void lens_records_free(lens_records *records)
{
    lens_buffer_free(&records->bytes);
    free(records->ends);
    *records = (lens_records){0};
}

static void append(lens_records *records, const void *bytes, size_t size)
{
    if (size > 0 && lens_buffer_append(&records->bytes, bytes, size) != 0)
        records->failed = true;
}

static void append_number(lens_records *records, char kind, uint64_t value)
{
    char text[9] = {kind};
    for (int i = 0; i < 8; i++)
        text[1 + i] = (char)(value >> (8 * i));
    append(records, text, sizeof text);
}

void lens_records_int(lens_records *records, int64_t value)
{
    append_number(records, 'i', (uint64_t)value);
}

void lens_records_bytes(lens_records *records, const void *bytes, size_t size)
{
    if (!bytes) {
        lens_records_null(records);
        return;
    }
    append_number(records, 'b', size);
    append(records, bytes, size);
}

void lens_records_null(lens_records *records)
{
    append(records, "n", 1);
}

int lens_records_end(lens_records *records)
{
    size_t *ends = lens_list_room(records->ends, records->count, &records->capacity, sizeof *ends);
    if (!ends) {
        records->failed = true;
        return -1;
    }
    records->ends = ends;
    records->ends[records->count++] = records->bytes.size;
    return records->failed ? -1 : 0;
}

int lens_records_add(lens_records *records, lens_record record)
{
    append(records, record.bytes, record.size);
    return lens_records_end(records);
}

int lens_records_rise(lens_store_part part, const lens_record *after, const lens_records *records, const char *where, lens_error *err)
{
    for (size_t i = 0; i < records->count; i++) {
        const lens_record now = lens_records_at(records, i), before = i ? lens_records_at(records, i - 1) : after ? *after : (lens_record){0};
        if ((i == 0 && !after) || lens_record_order(before, now) < 0)
            continue;
        lens_buffer name = {0};
        if (lens_record_name(part, now, &name) == 0)
            lens_fail(err, LENS_E_FORMAT, "%s: damaged (%s is there twice, or out of order); move it away and index again", where, name.data);
        else
            lens_fail_memory_for(err, where);
        lens_buffer_free(&name);
        return -1;
    }
    return 0;
}
