/* CLIP's byte-level byte pair encoding: a text is split into words by a regular expression, a word into its bytes, and the pair that
 * stands first in the list of merges is joined until none is left (Sennrich et al. 2016; Radford et al. 2021 for CLIP's form, where the
 * last symbol of a word carries "</w>"). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/tokenizer_internal.h"

/* Joining LEFT and RIGHT gives RESULT; its number in the list is its rank. */
typedef struct merge {
    int32_t left, right, result;
} merge;

struct lens_bpe {
    merge *merges;
    size_t count;
    uint32_t *slots; /* [mask + 1] open addressing by the pair: rank + 1, 0 for free */
    uint32_t mask;
    int32_t byte[256], last_byte[256]; /* the token of a byte, and of one that ends a word */
    pcre2_code *words;
    bool openclip;
    int32_t first, last; /* what OpenCLIP's own names for them stand for */
};

static const char end_of_word[] = "</w>";

/* The printable character that stands for BYTE in a vocabulary: itself where it is one, else the next free one from U+0100 up, as GPT-2's
 * authors chose. */
static int32_t byte_point(int byte)
{
    int32_t next = 0x100;
    for (int i = 0; i < 256; i++) {
        bool printable = (i >= '!' && i <= '~') || (i >= 0xa1 && i <= 0xff && i != 0xad);
        if (i == byte)
            return printable ? i : next;
        next += !printable;
    }
    return next;
}

static int find_bytes(lens_bpe *bpe, const lens_vocabulary *vocabulary, const char *what, lens_error *err)
{
    for (int i = 0; i < 256; i++) {
        char token[4 + sizeof end_of_word];
        size_t length = (size_t)utf8proc_encode_char(byte_point(i), (utf8proc_uint8_t *)token);
        memcpy(token + length, end_of_word, sizeof end_of_word);
        bpe->byte[i] = lens_vocabulary_find(vocabulary, token, length);
        bpe->last_byte[i] = lens_vocabulary_find(vocabulary, token, length + sizeof end_of_word - 1);
        bool within = bpe->byte[i] >= 0;
        if (!within)
            token[length] = '\0';
        if (!within || bpe->last_byte[i] < 0)
            return lens_fail(err, LENS_E_FORMAT, "%s: no token '%s', which CLIP's vocabulary needs for the byte 0x%02x%s", what, token, (unsigned)i,
                             within ? " at the end of a word" : "");
    }
    return 0;
}

static uint32_t pair_hash(int32_t left, int32_t right)
{
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32);
}

/* The rank of a pair, or UINT32_MAX. */
static uint32_t rank_of(const lens_bpe *bpe, int32_t left, int32_t right)
{
    for (uint32_t slot = pair_hash(left, right) & bpe->mask; bpe->slots[slot]; slot = (slot + 1) & bpe->mask) {
        const merge *found = &bpe->merges[bpe->slots[slot] - 1];
        if (found->left == left && found->right == right)
            return bpe->slots[slot] - 1;
    }
    return UINT32_MAX;
}

/* Room for the merges of a list of COUNT. */
static int reserve_merges(lens_bpe *bpe, size_t count, const char *what, lens_error *err)
{
    if (count > 1u << 24)
        return lens_fail(err, LENS_E_LIMIT, "%s: more than %u merges", what, 1u << 24);
    size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    bpe->merges = malloc((count + 1) * sizeof *bpe->merges);
    bpe->slots = calloc(slots, sizeof *bpe->slots);
    if (!bpe->merges || !bpe->slots)
        return lens_fail_memory(err);
    bpe->mask = (uint32_t)slots - 1;
    return 0;
}

/* PLACE: "line 7", for messages. */
static int add_merge(lens_bpe *bpe, const lens_bpe_source *source, const char *left, size_t left_length, const char *right,
                     size_t right_length, const char *place, size_t number, lens_error *err)
{
    const lens_vocabulary *vocabulary = source->vocabulary;
    const char *what = source->merges_name;
    char stack[512], *joined = stack;
    size_t length = left_length + right_length;
    if (length > vocabulary->longest) /* no token is that long, so none of the lookups below is in vain */
        return lens_fail(err, LENS_E_FORMAT, "%s: %s %zu joins two tokens to one that is not in the vocabulary", what, place, number);
    if (length > sizeof stack && !(joined = malloc(length)))
        return lens_fail_memory(err);
    memcpy(joined, left, left_length);
    memcpy(joined + left_length, right, right_length);
    merge found = {
        lens_vocabulary_find(vocabulary, joined, left_length),
        lens_vocabulary_find(vocabulary, joined + left_length, right_length),
        lens_vocabulary_find(vocabulary, joined, length),
    };
    if (joined != stack)
        free(joined);
    if (found.left < 0 || found.right < 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: %s %zu names a token that is not in the vocabulary", what, place, number);
    if (found.result < 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: %s %zu joins two tokens to one that is not in the vocabulary", what, place, number);
    uint32_t slot = pair_hash(found.left, found.right) & bpe->mask;
    for (; bpe->slots[slot]; slot = (slot + 1) & bpe->mask) {
        const merge *other = &bpe->merges[bpe->slots[slot] - 1];
        if (other->left == found.left && other->right == found.right)
            return lens_fail(err, LENS_E_FORMAT, "%s: %s %zu is there twice", what, place, number);
    }
    bpe->merges[bpe->count++] = found;
    bpe->slots[slot] = (uint32_t)bpe->count;
    return 0;
}

/* "LEFT RIGHT": one blank between two tokens that are not empty. */
static int add_line(lens_bpe *bpe, const lens_bpe_source *source, const char *line, size_t length, const char *place, size_t number,
                    lens_error *err)
{
    const char *blank = memchr(line, ' ', length);
    size_t left = blank ? (size_t)(blank - line) : 0, right = blank ? length - left - 1 : 0;
    if (!left || !right || memchr(blank + 1, ' ', right))
        return lens_fail(err, LENS_E_FORMAT, "%s: %s %zu is not two tokens with a blank between them", source->merges_name, place, number);
    return add_merge(bpe, source, line, left, blank + 1, right, place, number, err);
}

static int read_lines(lens_bpe *bpe, const lens_bpe_source *source, lens_error *err)
{
    const char *text = source->text;
    size_t lines = 1, size = source->size;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    if (reserve_merges(bpe, lines, source->merges_name, err) != 0)
        return -1;
    const char *at = text, *end = text + size;
    for (size_t number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t length = (size_t)(stop - at);
        if (length && at[length - 1] == '\r')
            length--;
        bool comment = number == 1 && length >= 8 && memcmp(at, "#version", 8) == 0;
        if (!comment && (length || end - stop > 1) && add_line(bpe, source, at, length, "line", number, err) != 0)
            return -1;
        at = stop < end ? stop + 1 : end;
    }
    return 0;
}

static int read_list(lens_bpe *bpe, const lens_bpe_source *source, lens_error *err)
{
    const json_t *list = source->list;
    const char *what = source->merges_name;
    if (!json_is_array(list))
        return lens_fail(err, LENS_E_FORMAT, "%s: 'merges' is not an array", what);
    size_t count = json_array_size(list);
    if (reserve_merges(bpe, count, what, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i), *left = json_array_get(item, 0), *right = json_array_get(item, 1);
        int result;
        if (json_is_string(item))
            result = add_line(bpe, source, json_string_value(item), json_string_length(item), "merge", i, err);
        else if (json_array_size(item) == 2 && json_is_string(left) && json_is_string(right))
            result = add_merge(bpe, source, json_string_value(left), json_string_length(left), json_string_value(right),
                               json_string_length(right), "merge", i, err);
        else
            result = lens_fail(err, LENS_E_FORMAT, "%s: merge %zu is neither a text nor two of them", what, i);
        if (result != 0)
            return -1;
    }
    return 0;
}

/* Letters and numbers up to Unicode 16, which the reference knows; PCRE2 may know those up to 14 only, which it writes \p{L} and \p{N}. */
#define LETTERS "\\p{L}" \
    "\\x{1c89}-\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}\\x{10d4a}-\\x{10d65}" \
    "\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138b}\\x{1138e}" \
    "\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}\\x{113d3}\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}" \
    "\\x{11f12}-\\x{11f33}\\x{1342f}\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}" \
    "\\x{16d40}-\\x{16d6c}\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}\\x{1e030}-\\x{1e06d}" \
    "\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"
#define NUMBERS "\\p{N}" \
    "\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}\\x{16130}-\\x{16139}" \
    "\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{1e5fa}"

/* The published patterns, but that \s is a blank: there is no other white space in a text that was cleaned, and what PCRE2 takes for it
 * is not what the others take. Python's regex finds U+0345 in no class when case does not matter, and passes over it. */
#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d|"
#define WORDS "[" LETTERS "]+|[" NUMBERS "]|"
static const char clip_words[] = "<\\|startoftext\\|>|<\\|endoftext\\|>|" CONTRACTIONS WORDS "[^ " LETTERS NUMBERS "]+";
static const char openclip_first[] = "<start_of_text>", openclip_last[] = "<end_of_text>";
static const char openclip_words[] = "<start_of_text>|<end_of_text>|" CONTRACTIONS WORDS "[^ \\x{345}" LETTERS NUMBERS "]+";

lens_bpe *lens_bpe_new(const lens_bpe_source *source, lens_error *err)
{
    lens_bpe *bpe = calloc(1, sizeof *bpe);
    if (!bpe) {
        lens_fail_memory(err);
        return NULL;
    }
    int code;
    PCRE2_SIZE where;
    const char *pattern = source->openclip ? openclip_words : clip_words;
    bpe->openclip = source->openclip;
    bpe->first = source->first;
    bpe->last = source->last;
    int result = find_bytes(bpe, source->vocabulary, source->name, err);
    if (result == 0)
        result = source->list ? read_list(bpe, source, err) : read_lines(bpe, source, err);
    if (result == 0) {
        bpe->words = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_UCP | (source->openclip ? PCRE2_CASELESS : 0), &code, &where, NULL);
        if (!bpe->words)
            result = lens_fail(err, LENS_E_UNSUPPORTED, "this PCRE2 (error %d) has no Unicode, which CLIP's tokenizer needs", code);
    }
    if (result != 0) {
        lens_bpe_free(bpe);
        bpe = NULL;
    }
    return bpe;
}

void lens_bpe_free(lens_bpe *bpe)
{
    if (!bpe)
        return;
    pcre2_code_free(bpe->words);
    free(bpe->merges);
    free(bpe->slots);
    free(bpe);
}

/* ---- a word ---- */

typedef struct symbol {
    int32_t id; /* -1: joined to the one before */
    uint32_t before, next;
} symbol;

/* Room that is used again from word to word. */
typedef struct scratch {
    symbol *symbols;
    uint64_t *heap; /* rank << 32 | place of the left symbol: the smallest first, ties from left to right */
    size_t capacity, heap_count;
} scratch;

static void heap_push(scratch *room, uint64_t value)
{
    size_t i = room->heap_count++;
    for (; i && room->heap[(i - 1) / 2] > value; i = (i - 1) / 2)
        room->heap[i] = room->heap[(i - 1) / 2];
    room->heap[i] = value;
}

static uint64_t heap_pop(scratch *room)
{
    uint64_t *heap = room->heap, top = heap[0], value = heap[--room->heap_count];
    size_t i = 0, count = room->heap_count;
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        child += child + 1 < count && heap[child + 1] < heap[child];
        if (heap[child] >= value)
            break;
        heap[i] = heap[child];
    }
    heap[i] = value;
    return top;
}

static void offer(const lens_bpe *bpe, scratch *room, uint32_t left, uint32_t right)
{
    uint32_t rank = rank_of(bpe, room->symbols[left].id, room->symbols[right].id);
    if (rank != UINT32_MAX)
        heap_push(room, (uint64_t)rank << 32 | left);
}

/* The tokens of the word BYTES [size], in n log n. */
static int run_word(const lens_bpe *bpe, scratch *room, const unsigned char *bytes, size_t size, lens_token_ids *ids)
{
    const uint32_t none = UINT32_MAX;
    if (size >= UINT32_MAX / 4)
        return -1;
    if (size > room->capacity) {
        size_t capacity = size < 256 ? 256 : size;
        free(room->symbols);
        free(room->heap);
        room->symbols = malloc(capacity * sizeof *room->symbols);
        room->heap = malloc(3 * capacity * sizeof *room->heap); /* a pair each at first, and two for each joining */
        room->capacity = room->symbols && room->heap ? capacity : 0;
        if (!room->capacity)
            return -1;
    }
    symbol *symbols = room->symbols;
    room->heap_count = 0;
    for (uint32_t i = 0; i < size; i++)
        symbols[i] = (symbol){i + 1 == size ? bpe->last_byte[bytes[i]] : bpe->byte[bytes[i]], i ? i - 1 : none, i + 1 == size ? none : i + 1};
    for (uint32_t i = 0; i + 1 < size; i++)
        offer(bpe, room, i, i + 1);
    while (room->heap_count) {
        uint64_t top = heap_pop(room);
        const merge *joined = &bpe->merges[top >> 32];
        uint32_t at = (uint32_t)top, next = symbols[at].next;
        if (symbols[at].id != joined->left || next == none || symbols[next].id != joined->right)
            continue; /* one of the two was joined to another meanwhile */
        symbols[at].id = joined->result;
        symbols[at].next = symbols[next].next;
        symbols[next].id = -1;
        if (symbols[at].next != none) {
            symbols[symbols[at].next].before = at;
            offer(bpe, room, at, symbols[at].next);
        }
        if (symbols[at].before != none)
            offer(bpe, room, symbols[at].before, at);
    }
    for (uint32_t i = 0; i != none && size && !lens_token_ids_full(ids); i = symbols[i].next)
        lens_token_ids_push(ids, symbols[i].id);
    return 0;
}

static bool is_word(const char *word, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(word, name, length) == 0;
}

/* The tokens of what the pattern found. */
static int run_match(const lens_bpe *bpe, scratch *room, const char *word, size_t length, lens_token_ids *ids)
{
    if (bpe->openclip && (is_word(word, length, openclip_first) || is_word(word, length, openclip_last))) {
        lens_token_ids_push(ids, word[1] == 's' ? bpe->first : bpe->last);
        return 0;
    }
    const unsigned char *bytes = (const unsigned char *)word;
    /* Hugging Face's pattern keeps "<|endoftext|>" together where it was written in capitals, and so no special token; the second pattern
     * of its byte level then takes it apart. */
    if (!bpe->openclip && length > 4 && bytes[0] == '<' && bytes[length - 1] == '>' && bytes[2] >= 'a' && bytes[2] <= 'z')
        return run_word(bpe, room, bytes, 2, ids) != 0 || run_word(bpe, room, bytes + 2, length - 4, ids) != 0 ||
                       run_word(bpe, room, bytes + length - 2, 2, ids) != 0 ? -1 : 0;
    return run_word(bpe, room, bytes, length, ids);
}

int lens_bpe_run(const lens_bpe *bpe, const char *text, size_t size, lens_token_ids *ids, lens_error *err)
{
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    scratch room = {0};
    int result = match ? 0 : -1;
    size_t at = 0;
    while (result == 0 && at < size && !lens_token_ids_full(ids)) {
        /* The text is UTF-8 that we wrote: to check it again for every word would take the square of its length. */
        int found = pcre2_match(bpe->words, (PCRE2_SPTR)text, size, at, PCRE2_NO_UTF_CHECK, match, NULL);
        if (found == PCRE2_ERROR_NOMATCH)
            break;
        if (found < 0) {
            result = lens_fail(err, LENS_E_LIMIT, "the text could not be split into words (PCRE2 error %d)", found);
            break;
        }
        const PCRE2_SIZE *range = pcre2_get_ovector_pointer(match);
        result = run_match(bpe, &room, text + range[0], range[1] - range[0], ids);
        if (result != 0)
            lens_fail_memory(err);
        at = range[1];
    }
    if (!match)
        lens_fail_memory(err);
    pcre2_match_data_free(match);
    free(room.symbols);
    free(room.heap);
    return result;
}
