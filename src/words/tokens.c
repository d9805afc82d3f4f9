#include "words/tokens.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/list.h"

enum { FOLDED_MOST = 64 }; /* code points that one can become; Unicode's longest is 18 */

typedef enum kind { BETWEEN, LETTER, ALONE, MARK /* of what stands alone */, NOTHING } kind;

static bool in(int32_t point, const int32_t (*ranges)[2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i][0] && point <= ranges[i][1])
            return true;
    return false;
}
#define IN(point, ranges) in(point, ranges, sizeof ranges / sizeof *ranges)

/* Accents, Hebrew points (but not the hyphen and the stops among them), Arabic vowels: what people leave out when they type. In other scripts marks
 * are letters. */
static const int32_t dropped[][2] = {{0x300, 0x36f}, {0x591, 0x5bd}, {0x5bf, 0x5bf}, {0x5c1, 0x5c2}, {0x5c4, 0x5c5}, {0x5c7, 0x5c7},
                                     {0x610, 0x61a}, {0x640, 0x640}, {0x64b, 0x65f}, {0x670, 0x670},
                                     {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
/* Scripts without blanks between words. */
static const int32_t unspaced[][2] = {{0xe00, 0xeff}, {0x1000, 0x109f}, {0x1780, 0x17ff}, {0x2e80, 0x2fdf}, {0x3005, 0x3007}, {0x3021, 0x3029},
                                      {0x3041, 0x30ff}, {0x31f0, 0x31ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}};
static const int32_t apostrophes[][2] = {{'\'', '\''}, {0x2bc, 0x2bc}, {0x2018, 0x2019}, {0xff07, 0xff07}};
/* What is not seen: hyphens where a word may be broken, joiners, marks of direction and of the beginning. */
static const int32_t unseen[][2] = {{0xad, 0xad}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};
/* Symbols below U+1F000 among which emoji are. */
static const int32_t symbols[][2] = {{0x2300, 0x23ff}, {0x25b6, 0x25b6}, {0x25c0, 0x25c0}, {0x2600, 0x27bf}, {0x2b00, 0x2bff}};

/* Of a point that is folded already. */
static kind kind_of(int32_t point)
{
    if (point < 0x80)
        return (point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') ? LETTER
               : point == '\'' ? NOTHING : BETWEEN;
    if (IN(point, dropped) || IN(point, apostrophes) || IN(point, unseen))
        return NOTHING;
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return IN(point, unspaced) ? ALONE : LETTER;
    case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME:
        return IN(point, unspaced) ? MARK : LETTER;
    case UTF8PROC_CATEGORY_SO:
        return point >= 0x1f000 || IN(point, symbols) ? ALONE : BETWEEN;
    default:
        return BETWEEN;
    }
}

void lens_tokens_free(lens_tokens *tokens)
{
    lens_buffer_free(&tokens->folded);
    free(tokens->items);
    *tokens = (lens_tokens){0};
}

static int begin(lens_tokens *self, size_t from, bool joined)
{
    lens_token *items = lens_list_room(self->items, self->count, &self->capacity, sizeof *items);
    if (!items)
        return -1;
    self->items = items;
    if (self->count && lens_buffer_append(&self->folded, " ", 1) != 0)
        return -1;
    self->items[self->count++] = (lens_token){.at = (uint32_t)self->folded.size, .from = (uint32_t)from, .joined = joined};
    return 0;
}

typedef struct reader {
    lens_tokens *tokens;
    bool open, between; /* a word is being read; something stood since the last one */
} reader;

/* One folded point, which comes from the bytes FROM to TO. */
static int take(reader *self, int32_t point, size_t from, size_t to)
{
    const kind is = kind_of(point);
    lens_tokens *tokens = self->tokens;
    if (is == NOTHING)
        return 0;
    if (is == BETWEEN) {
        self->open = false;
        self->between = true;
        return 0;
    }
    uint8_t bytes[4];
    const size_t size = (size_t)utf8proc_encode_char(point, bytes);
    const bool goes_on = is == MARK ? tokens->count > 0 && !self->between : self->open && is == LETTER;
    if (!goes_on || tokens->items[tokens->count - 1].size + size > LENS_TOKEN_MOST) {
        if (begin(tokens, from, tokens->count > 0 && !self->between) != 0)
            return -1;
        self->between = false;
    }
    self->open = is == LETTER;
    lens_token *token = &tokens->items[tokens->count - 1];
    token->size += (uint32_t)size;
    token->to = (uint32_t)to;
    return lens_buffer_append(&tokens->folded, bytes, size);
}

int lens_tokens_read(lens_tokens *tokens, const char *text, size_t size)
{
    reader self = {tokens, false, false};
    if (lens_buffer_append(&tokens->folded, "", 0) != 0 || size > UINT32_MAX)
        return -1;
    for (size_t at = 0; at < size;) {
        int32_t point, folded[FOLDED_MOST];
        const utf8proc_ssize_t length = utf8proc_iterate((const uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &point);
        int boundary = 0;
        if (length <= 0) {
            if (take(&self, ' ', at, at + 1) != 0)
                return -1;
            at++;
            continue;
        }
        const utf8proc_ssize_t count = point < 0x80 ? 1 : utf8proc_decompose_char(point, folded, FOLDED_MOST, UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD, &boundary);
        if (point < 0x80)
            folded[0] = point >= 'A' && point <= 'Z' ? point + 32 : point;
        for (utf8proc_ssize_t i = 0; i < count && i < FOLDED_MOST; i++)
            if (take(&self, folded[i], at, at + (size_t)length) != 0)
                return -1;
        at += (size_t)length;
    }
    return 0;
}

char *lens_text_folded(const char *text)
{
    lens_tokens tokens = {0};
    char *folded = NULL;
    if (lens_tokens_read(&tokens, text, strlen(text)) == 0) {
        folded = tokens.folded.data;
        tokens.folded = (lens_buffer){0};
    }
    lens_tokens_free(&tokens);
    return folded;
}
