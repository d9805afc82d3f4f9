#include "words/wanted.h"

#include <stdlib.h>
#include <string.h>

/* The bytes of a part of what was typed, up to a blank or, in quotes, up to the closing one. */
typedef struct part {
    const char *at;
    size_t size;
    bool quoted, without;
} part;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next part of TEXT, which moves on; false at its end. A quote that is never closed ends with the text. */
static bool next_part(const char **text, part *out)
{
    const char *at = *text;
    while (is_blank(*at))
        at++;
    if (!*at)
        return false;
    *out = (part){0};
    if (*at == '-' && at[1] && !is_blank(at[1]) && at[1] != '-') {
        out->without = true;
        at++;
    }
    out->quoted = *at == '"';
    at += out->quoted;
    out->at = at;
    while (*at && (out->quoted ? *at != '"' : !is_blank(*at) && *at != '"'))
        at++;
    out->size = (size_t)(at - out->at);
    *text = at + (out->quoted && *at == '"');
    return true;
}

/* Words that may still be taken: of what has to be there as it stands or must not be there, and of the rest. */
typedef struct room {
    size_t strict, loose;
} room;

static bool is_strict(const part *self)
{
    return self->quoted || self->without;
}

/* Keeps room for what is strict in TEXT, wherever in it that stands: 0 or -1. */
static int make_room(const char *text, room *out)
{
    part next;
    int result = 0;
    *out = (room){0};
    while (result == 0 && next_part(&text, &next)) {
        lens_tokens tokens = {0};
        if (is_strict(&next))
            result = lens_tokens_read(&tokens, next.at, next.size);
        if (out->strict + tokens.count <= LENS_WANTED_WORDS)
            out->strict += tokens.count;
        lens_tokens_free(&tokens);
    }
    out->loose = LENS_WANTED_WORDS - out->strict;
    return result;
}

/* Puts the words of TOKENS, read from FROM, into WANTED. Their texts are places in WANTED->memory, which has room for all. */
static void take(lens_wanted *wanted, const part *from, const lens_tokens *tokens, room *left, size_t *used)
{
    const bool fits = is_strict(from) && tokens->count <= left->strict;
    size_t *most = fits ? &left->strict : &left->loose;
    /* A part of what is to be left out would leave out more. */
    if (from->without && !fits)
        return;
    /* "-a-b" without a phrase would leave out all that has a or b. */
    const bool together = from->quoted || (from->without && tokens->count > 1);
    const int phrase = together && tokens->count && fits ? ++wanted->phrases : 0;
    for (size_t i = 0; i < tokens->count && *most > 0; i++, --*most) {
        const lens_token *token = &tokens->items[i];
        char *place = wanted->memory + *used;
        memcpy(place, tokens->folded.data + token->at, token->size);
        place[token->size] = '\0';
        *used += token->size + 1;
        lens_wanted_word *word = &wanted->words[wanted->count++];
        *word = (lens_wanted_word){.text = place, .size = token->size, .phrase = phrase, .without = from->without, .follows = token->joined};
        word->prefix = !from->quoted && i + 1 == tokens->count && token->to < from->size && from->at[token->to] == '*';
    }
}

int lens_wanted_read(lens_wanted *wanted, const char *text)
{
    *wanted = (lens_wanted){0};
    const size_t length = strlen(text);
    lens_buffer plain = {0};
    wanted->memory = malloc((LENS_TOKEN_MOST + 1) * (size_t)LENS_WANTED_WORDS);
    room left;
    int result = wanted->memory && lens_buffer_append(&plain, "", 0) == 0 ? make_room(text, &left) : -1;
    part next;
    size_t used = 0;
    for (const char *at = text; result == 0 && at <= text + length && next_part(&at, &next);) {
        lens_tokens tokens = {0};
        result = lens_tokens_read(&tokens, next.at, next.size);
        if (result == 0)
            take(wanted, &next, &tokens, &left, &used);
        lens_tokens_free(&tokens);
        size_t size = next.without ? 0 : next.size;
        while (size && next.at[size - 1] == '*')
            size--;
        if (result == 0 && size) {
            if (plain.size)
                result = lens_buffer_append(&plain, " ", 1);
            if (result == 0)
                result = lens_buffer_append(&plain, next.at, size);
        }
    }
    wanted->plain = plain.data;
    wanted->wants = plain.size > 0;
    return result;
}

void lens_wanted_free(lens_wanted *wanted)
{
    free(wanted->memory);
    free(wanted->plain);
    *wanted = (lens_wanted){0};
}
