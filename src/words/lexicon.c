#define _GNU_SOURCE /* memmem */
#include "words/lexicon.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT = 4 /* letters: of fewer than these every other word is one off */ };
static const float like_prefix = 0.95f, like_one_off = 0.8f, like_two_off = 0.6f, like_held = 0.6f, like_short = 0.6f;

int lens_lexicon_add(lens_lexicon *self, const char *word, size_t size, int64_t texts)
{
    if (size == 0)
        return 0;
    if (self->count == self->capacity) {
        const size_t capacity = self->capacity ? 2 * self->capacity : 1024;
        uint32_t *ends = realloc(self->ends, capacity * sizeof *ends);
        if (ends)
            self->ends = ends;
        uint32_t *counts = ends ? realloc(self->texts, capacity * sizeof *counts) : NULL;
        if (!counts)
            return -1;
        self->texts = counts;
        self->capacity = capacity;
    }
    if (self->size + size > self->room) {
        const size_t room = 2 * (self->room + size) + 4096;
        char *bytes = room <= UINT32_MAX ? realloc(self->bytes, room) : NULL;
        if (!bytes)
            return -1;
        self->bytes = bytes;
        self->room = room;
    }
    memcpy(self->bytes + self->size, word, size);
    self->size += size;
    self->ends[self->count] = (uint32_t)self->size;
    self->texts[self->count++] = texts < 1 ? 1 : texts > UINT32_MAX ? UINT32_MAX : (uint32_t)texts;
    return 0;
}

void lens_lexicon_free(lens_lexicon *self)
{
    free(self->bytes);
    free(self->ends);
    free(self->texts);
    *self = (lens_lexicon){0};
}

bool lens_lexicon_has(const lens_lexicon *self, const char *word, size_t size)
{
    for (size_t i = 0, begin = 0; i < self->count; begin = self->ends[i++])
        if (self->ends[i] - begin == size && memcmp(self->bytes + begin, word, size) == 0)
            return true;
    return false;
}

enum { KEYS = 256, LETTERS_MOST = 64 };

/* Where in a word each letter stands, a bit for a place: made once for a word that is held against many. A letter of ASCII is its own key; the others of the
 * word have keys from 128 on, and a letter that is not in the word has none. */
typedef struct places {
    uint64_t of[KEYS];
    uint32_t others[LETTERS_MOST]; /* the letters whose keys are 128, 129, … */
    size_t other_count;
    size_t letters, size; /* SIZE: bytes */
} places;

/* The letter at AT, its bytes as they are, and its size. What is not UTF-8 is a letter a byte. */
static uint32_t letter_at(const char *at, size_t left, size_t *size)
{
    const uint8_t lead = (uint8_t)*at;
    const size_t whole = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t letter = lead;
    *size = 1;
    while (*size < whole && *size < left && ((uint8_t)at[*size] & 0xc0) == 0x80)
        letter = letter << 8 | (uint8_t)at[(*size)++];
    return letter;
}

/* The places of LETTER. */
static uint64_t places_of(const places *self, uint32_t letter)
{
    if (letter < 128)
        return self->of[letter];
    for (size_t i = 0; i < self->other_count; i++)
        if (self->others[i] == letter)
            return self->of[128 + i];
    return 0;
}

/* False for more than LETTERS_MOST letters. */
static bool places_make(places *self, const char *word, size_t size)
{
    memset(self, 0, sizeof *self);
    self->size = size;
    for (size_t at = 0, length; at < size; at += length, self->letters++) {
        const uint32_t letter = letter_at(word + at, size - at, &length);
        if (self->letters == LETTERS_MOST)
            return false;
        size_t key = letter;
        if (letter >= 128) {
            size_t i = 0;
            while (i < self->other_count && self->others[i] != letter)
                i++;
            if (i == self->other_count)
                self->others[self->other_count++] = letter;
            key = 128 + i;
        }
        self->of[key] |= (uint64_t)1 << self->letters;
    }
    return true;
}

/* Myers' bit-vectors: a column of the table of distances in two words, one step for each letter of the other word. */
static int apart(const places *a, const char *b, size_t b_size, int most)
{
    uint64_t up = ~(uint64_t)0, down = 0;
    const uint64_t last = (uint64_t)1 << (a->letters - 1);
    int distance = (int)a->letters;
    for (size_t j = 0, length; j < b_size; j += length) {
        const uint64_t match = places_of(a, letter_at(b + j, b_size - j, &length)), across = (((match & up) + up) ^ up) | match | down;
        uint64_t plus = down | ~(across | up), minus = up & across;
        distance += (plus & last) != 0;
        distance -= (minus & last) != 0;
        if (distance - (int)(b_size - j - length) > most)
            return most + 1;
        plus = plus << 1 | 1;
        minus <<= 1;
        const uint64_t vertical = match | down;
        up = minus | ~(vertical | plus);
        down = plus & vertical;
    }
    return distance <= most ? distance : most + 1;
}

/* Letters of SIZE bytes. */
static size_t letters(const char *word, size_t size)
{
    size_t count = 0;
    for (size_t at = 0, length; at < size; at += length, count++)
        letter_at(word + at, size - at, &length);
    return count;
}

int lens_letters_apart(const char *a, size_t a_size, const char *b, size_t b_size, int most)
{
    places of_a;
    if (a_size == 0)
        return letters(b, b_size) <= (size_t)most ? (int)letters(b, b_size) : most + 1;
    return places_make(&of_a, a, a_size) ? apart(&of_a, b, b_size, most) : most + 1;
}

static float likeness(const places *wanted, const char *word, int most, bool prefix, const char *at, size_t size)
{
    if (size == wanted->size && memcmp(at, word, size) == 0)
        return 1;
    if (prefix && size > wanted->size && memcmp(at, word, wanted->size) == 0)
        return like_prefix;
    const int distance = most ? apart(wanted, at, size, most) : 1;
    if (distance <= most)
        return wanted->letters < SHORT ? like_short : distance == 1 ? like_one_off : like_two_off;
    if (wanted->letters >= 5 && size > wanted->size && memmem(at, size, word, wanted->size))
        return like_held * ((float)wanted->size / (float)size * 0.5f + 0.5f);
    return 0;
}

/* Puts WORD among the best COUNT, of at most MOST. */
static void keep(lens_near_word *out, size_t *count, size_t most, const lens_near_word *word)
{
    size_t at = *count;
    while (at > 0 && (out[at - 1].likeness < word->likeness || (out[at - 1].likeness == word->likeness && out[at - 1].texts < word->texts)))
        at--;
    if (at >= most)
        return;
    if (*count < most)
        ++*count;
    memmove(out + at + 1, out + at, (*count - at - 1) * sizeof *out);
    out[at] = *word;
}

size_t lens_lexicon_near(const lens_lexicon *self, const char *word, size_t size, bool prefix, lens_near_word *out, size_t most)
{
    size_t count = 0;
    places wanted;
    if (size == 0 || !places_make(&wanted, word, size))
        return 0;
    const int off = wanted.letters >= 8 ? 2 : wanted.letters >= SHORT - 1 ? 1 : 0;
    const size_t slack = (wanted.other_count ? 4 : 2) * (size_t)off; /* bytes that so many letters can be longer or shorter */
    for (size_t i = 0, begin = 0; i < self->count; begin = self->ends[i++]) {
        const size_t here = self->ends[i] - begin;
        const char *at = self->bytes + begin;
        /* Most words are too short or too long to be near. */
        if (here + slack < size || (here > size + slack && !prefix && wanted.letters < 5))
            continue;
        const float like = likeness(&wanted, word, off, prefix, at, here);
        if (like > 0)
            keep(out, &count, most, &(lens_near_word){at, here, like, self->texts[i]});
    }
    /* A short word that is there is what was meant. */
    while (wanted.letters < SHORT && count && out[0].likeness == 1 && out[count - 1].likeness < like_prefix)
        count--;
    return count;
}
