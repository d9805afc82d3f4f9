#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <xxhash.h>

#include "base/json.h"
#include "base/list.h"
#include "base/text.h"

/* Twice as many as the largest vocabulary of these kinds has; what is beyond is a broken file. */
enum { MAX_TOKENS = 1 << 20 };

typedef struct entry {
    const char *bytes;
    size_t length;
} entry;

/* TOKEN for a message, cut and harmless, in a buffer the caller frees. */
static const char *shown(entry token, lens_buffer *buffer)
{
    if (lens_text_printable(token.bytes, token.length < 60 ? token.length : 60, buffer) != 0)
        return "?";
    return buffer->data ? buffer->data : "";
}

static int fail_token(lens_error *err, const char *what, entry token, const char *why)
{
    lens_buffer buffer = {0};
    lens_fail(err, LENS_E_FORMAT, "%s: the token '%s' %s", what, shown(token, &buffer), why);
    lens_buffer_free(&buffer);
    return -1;
}

static uint32_t hash(const char *bytes, size_t length)
{
    return (uint32_t)XXH3_64bits(bytes, length);
}

int32_t lens_vocabulary_find(const lens_vocabulary *vocabulary, const char *bytes, size_t length)
{
    if (length > vocabulary->longest)
        return -1;
    for (uint32_t slot = hash(bytes, length) & vocabulary->mask; vocabulary->slots[slot]; slot = (slot + 1) & vocabulary->mask) {
        uint32_t id = vocabulary->slots[slot] - 1, start = vocabulary->starts[id];
        if (vocabulary->starts[id + 1] - start == length && memcmp(vocabulary->bytes + start, bytes, length) == 0)
            return (int32_t)id;
    }
    return -1;
}

/* Fills VOCABULARY with TOKENS [count], in the order of their ids. */
static int fill(lens_vocabulary *vocabulary, const entry *tokens, size_t count, const char *what, lens_error *err)
{
    if (count == 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: no tokens", what);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += tokens[i].length;
        if (total > UINT32_MAX / 2)
            return lens_fail(err, LENS_E_LIMIT, "%s: more than 2 GiB of tokens", what);
        if (tokens[i].length > vocabulary->longest)
            vocabulary->longest = tokens[i].length;
    }
    size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    vocabulary->bytes = malloc(total + 1);
    vocabulary->starts = malloc((count + 1) * sizeof *vocabulary->starts);
    vocabulary->slots = calloc(slots, sizeof *vocabulary->slots);
    if (!vocabulary->bytes || !vocabulary->starts || !vocabulary->slots)
        return lens_fail_memory(err);
    vocabulary->mask = (uint32_t)slots - 1;
    vocabulary->size = (int)count;
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        vocabulary->starts[i] = at;
        if (tokens[i].length)
            memcpy(vocabulary->bytes + at, tokens[i].bytes, tokens[i].length);
        at += (uint32_t)tokens[i].length;
        vocabulary->starts[i + 1] = at;
        if (lens_vocabulary_find(vocabulary, tokens[i].bytes, tokens[i].length) >= 0)
            return fail_token(err, what, tokens[i], "is there twice");
        uint32_t slot = hash(tokens[i].bytes, tokens[i].length) & vocabulary->mask;
        while (vocabulary->slots[slot])
            slot = (slot + 1) & vocabulary->mask;
        vocabulary->slots[slot] = (uint32_t)i + 1;
    }
    return 0;
}

/* Puts a token at its id. */
static int place(entry *tokens, size_t count, entry token, const json_t *id, const char *what, lens_error *err)
{
    if (!json_is_integer(id))
        return fail_token(err, what, token, "has an id that is no whole number");
    json_int_t value = json_integer_value(id);
    if (value < 0 || (uint64_t)value >= count) {
        char why[96];
        snprintf(why, sizeof why, "has id %lld, but the %zu ids must be 0 to %zu", (long long)value, count, count - 1);
        return fail_token(err, what, token, why);
    }
    if (tokens[value].bytes)
        return fail_token(err, what, token, "has an id that another one has too");
    tokens[value] = token;
    return 0;
}

/* The content of ADDED's element I, or -1. */
static int added_token(const json_t *added, size_t i, entry *token, const char *what, lens_error *err)
{
    const json_t *content = json_object_get(json_array_get(added, i), "content");
    if (!json_is_string(content) || json_string_length(content) == 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: added_tokens[%zu] has no 'content'", what, i);
    token->bytes = json_string_value(content);
    token->length = json_string_length(content);
    return 0;
}

int lens_vocabulary_from_json(lens_vocabulary *vocabulary, const json_t *object, const json_t *added, const char *what, lens_error *err)
{
    *vocabulary = (lens_vocabulary){0};
    if (!json_is_object(object))
        return lens_fail(err, LENS_E_FORMAT, "%s: the vocabulary is not an object of tokens and ids", what);
    if (added && !json_is_array(added))
        return lens_fail(err, LENS_E_FORMAT, "%s: 'added_tokens' is not an array", what);
    size_t own = json_object_size(object), extra = 0;
    for (size_t i = 0; i < json_array_size(added); i++) {
        entry token;
        if (added_token(added, i, &token, what, err) != 0)
            return -1;
        const json_t *id = json_object_get(json_array_get(added, i), "id"), *known = json_object_get(object, token.bytes);
        if (known && !json_equal(known, id))
            return fail_token(err, what, token, "has another id among 'added_tokens'");
        extra += !known;
    }
    size_t count = own + extra;
    if (count > MAX_TOKENS)
        return lens_fail(err, LENS_E_LIMIT, "%s: more than %d tokens", what, MAX_TOKENS);
    entry *tokens = calloc(count + 1, sizeof *tokens);
    if (!tokens)
        return lens_fail_memory(err);
    int result = 0;
    for (void *at = json_object_iter((json_t *)object); at && result == 0; at = json_object_iter_next((json_t *)object, at)) {
        const char *key = json_object_iter_key(at);
        result = place(tokens, count, (entry){key, strlen(key)}, json_object_iter_value(at), what, err);
    }
    for (size_t i = 0; i < json_array_size(added) && result == 0; i++) {
        entry token;
        result = added_token(added, i, &token, what, err);
        if (result == 0 && !json_object_get(object, token.bytes))
            result = place(tokens, count, token, json_object_get(json_array_get(added, i), "id"), what, err);
    }
    if (result == 0)
        result = fill(vocabulary, tokens, count, what, err);
    free(tokens);
    return result;
}

/* ---- an object of strings and small whole numbers, and nothing else ---- */

typedef struct flat_reader {
    const char *at, *end;
    char *arena; /* what the strings say; never longer than how it is written */
    size_t used;
    struct flat_pair {
        size_t start, length;
        int32_t id;
    } *pairs;
    size_t count, capacity;
} flat_reader;

static bool flat_is(flat_reader *flat, char wanted)
{
    while (flat->at < flat->end && (*flat->at == ' ' || *flat->at == '\n' || *flat->at == '\r' || *flat->at == '\t'))
        flat->at++;
    if (flat->at == flat->end || *flat->at != wanted)
        return false;
    flat->at++;
    return true;
}

/* The four digits of "\uXXXX" at AT, or -1. */
static int32_t flat_hex(const char *at, const char *end)
{
    int32_t value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = at[i] >= '0' && at[i] <= '9' ? at[i] - '0' : (at[i] | 32) >= 'a' && (at[i] | 32) <= 'f' ? (at[i] | 32) - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* What follows a backslash. */
static bool flat_escape(flat_reader *flat)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (flat->at == flat->end)
        return false;
    char c = *flat->at++;
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        flat->arena[flat->used++] = to[found - from];
        return true;
    }
    int32_t point = c == 'u' ? flat_hex(flat->at, flat->end) : -1;
    if (point <= 0 || (point >= 0xd800 && point <= 0xdfff)) /* pairs of halves are left to the JSON reader */
        return false;
    flat->at += 4;
    flat->used += (size_t)utf8proc_encode_char(point, (utf8proc_uint8_t *)flat->arena + flat->used);
    return true;
}

static bool flat_string(flat_reader *flat)
{
    if (!flat_is(flat, '"'))
        return false;
    while (flat->at < flat->end && *flat->at != '"') {
        unsigned char c = (unsigned char)*flat->at++;
        if (c < 0x20 || (c == '\\' && !flat_escape(flat)))
            return false;
        if (c != '\\')
            flat->arena[flat->used++] = (char)c;
    }
    return flat_is(flat, '"');
}

static bool flat_number(flat_reader *flat, int32_t *value)
{
    while (flat->at < flat->end && *flat->at == ' ')
        flat->at++;
    const char *begin = flat->at;
    *value = 0;
    for (; flat->at < flat->end && *flat->at >= '0' && *flat->at <= '9' && flat->at - begin < 9; flat->at++)
        *value = *value * 10 + (*flat->at - '0');
    return flat->at > begin && (*begin != '0' || flat->at - begin == 1); /* what may follow is looked at by the caller */
}

static bool flat_read(flat_reader *flat)
{
    if (!flat_is(flat, '{'))
        return false;
    do {
        if (flat->count == MAX_TOKENS)
            return false;
        struct flat_pair *pairs = lens_list_room(flat->pairs, flat->count, &flat->capacity, sizeof *pairs);
        if (!pairs)
            return false;
        flat->pairs = pairs;
        struct flat_pair *pair = &flat->pairs[flat->count++];
        pair->start = flat->used;
        if (!flat_string(flat) || !flat_is(flat, ':') || !flat_number(flat, &pair->id))
            return false;
        pair->length = flat->used - pair->start;
    } while (flat_is(flat, ','));
    if (!flat_is(flat, '}'))
        return false;
    flat_is(flat, ' '); /* goes past white space */
    return flat->at == flat->end;
}

int lens_vocabulary_from_text(lens_vocabulary *vocabulary, const char *text, size_t size, const char *what, lens_error *err)
{
    *vocabulary = (lens_vocabulary){0};
    flat_reader flat = {.at = text, .end = text + size, .arena = malloc(size + 1)};
    entry *tokens = NULL;
    bool done = flat.arena && lens_utf8_valid(text, size) && flat_read(&flat) && (tokens = calloc(flat.count, sizeof *tokens));
    for (size_t i = 0; i < flat.count && done; i++) {
        const struct flat_pair *pair = &flat.pairs[i];
        done = (size_t)pair->id < flat.count && !tokens[pair->id].bytes;
        if (done)
            tokens[pair->id] = (entry){flat.arena + pair->start, pair->length};
    }
    int result = done ? fill(vocabulary, tokens, flat.count, what, err) : -1;
    free(tokens);
    free(flat.pairs);
    free(flat.arena);
    if (done)
        return result;
    /* Not what we can read, or not right: the JSON reader can, or knows what is wrong. */
    json_t *object = lens_json_parse_small(text, size, LENS_VOCABULARY_VALUES, what, err);
    result = object ? lens_vocabulary_from_json(vocabulary, object, NULL, what, err) : -1;
    json_decref(object);
    return result;
}

int lens_vocabulary_from_lines(lens_vocabulary *vocabulary, const char *text, size_t size, const char *what, lens_error *err)
{
    *vocabulary = (lens_vocabulary){0};
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n' || i + 1 == size;
    if (count > MAX_TOKENS)
        return lens_fail(err, LENS_E_LIMIT, "%s: more than %d tokens", what, MAX_TOKENS);
    entry *tokens = calloc(count + 1, sizeof *tokens);
    if (!tokens)
        return lens_fail_memory(err);
    const char *at = text, *end = text + size;
    for (size_t i = 0; i < count; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t length = (size_t)(stop - at);
        tokens[i] = (entry){at, length - (length && at[length - 1] == '\r')};
        at = stop < end ? stop + 1 : end;
    }
    int result = fill(vocabulary, tokens, count, what, err);
    free(tokens);
    return result;
}

void lens_vocabulary_free(lens_vocabulary *vocabulary)
{
    free(vocabulary->bytes);
    free(vocabulary->starts);
    free(vocabulary->slots);
    *vocabulary = (lens_vocabulary){0};
}
