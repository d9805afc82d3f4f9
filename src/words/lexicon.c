#define _GNU_SOURCE /* memmem */
#include "words/lexicon.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT = 4 /* letters: of fewer than these every other word is one off */ };
static const float like_prefix = 0.95f, like_one_off = 0.8f, like_two_off = 0.6f, like_held = 0.6f, like_short = 0.6f;

int lens_lexicon_add(lens_lexicon *self, const char *word, size_t size, int64_t texts)
{
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

/* Where in a word each byte stands, a bit for a place: made once for a word that is held against many. */
typedef struct places {
    uint64_t of[256];
    size_t size;
} places;

static void places_make(places *self, const char *word, size_t size)
{
    memset(self, 0, sizeof *self);
    self->size = size;
    for (size_t i = 0; i < size; i++)
        self->of[(uint8_t)word[i]] |= (uint64_t)1 << i;
}

/* Myers' bit-vectors: a column of the table of distances in two words, one step for each byte of the other word. */
static int apart(const places *a, const char *b, size_t b_size, int most)
{
    uint64_t up = ~(uint64_t)0, down = 0;
    const uint64_t last = (uint64_t)1 << (a->size - 1);
    int distance = (int)a->size;
    for (size_t j = 0; j < b_size; j++) {
        const uint64_t match = a->of[(uint8_t)b[j]], across = (((match & up) + up) ^ up) | match | down;
        uint64_t plus = down | ~(across | up), minus = up & across;
        distance += (plus & last) != 0;
        distance -= (minus & last) != 0;
        if (distance - (int)(b_size - j - 1) > most)
            return most + 1;
        plus = plus << 1 | 1;
        minus <<= 1;
        const uint64_t vertical = match | down;
        up = minus | ~(vertical | plus);
        down = plus & vertical;
    }
    return distance <= most ? distance : most + 1;
}

int lens_letters_apart(const char *a, size_t a_size, const char *b, size_t b_size, int most)
{
    places of_a;
    if (a_size == 0 || a_size > 64)
        return a_size == 0 && b_size <= (size_t)most ? (int)b_size : most + 1;
    places_make(&of_a, a, a_size);
    return apart(&of_a, b, b_size, most);
}

/* Letters of SIZE bytes of UTF-8. */
static size_t letters(const char *word, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((uint8_t)word[i] & 0xc0) != 0x80;
    return count;
}

static float likeness(const places *wanted, const char *word, size_t letter_count, int most, bool prefix, const char *at, size_t size)
{
    if (size == wanted->size && memcmp(at, word, size) == 0)
        return 1;
    if (prefix && size > wanted->size && memcmp(at, word, wanted->size) == 0)
        return like_prefix;
    /* The bytes of a letter that is not ASCII may all differ. */
    const int bytes = letter_count < wanted->size ? 2 * most : most;
    if (bytes && size + (size_t)bytes >= wanted->size && size <= wanted->size + (size_t)bytes) {
        const int distance = apart(wanted, at, size, bytes);
        if (distance <= bytes)
            return letter_count < SHORT ? like_short : distance * most <= bytes ? like_one_off : like_two_off;
    }
    if (letter_count >= 5 && size > wanted->size && memmem(at, size, word, wanted->size))
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
    if (size == 0 || size > 64)
        return 0;
    const size_t letter_count = letters(word, size);
    const int off = letter_count >= 8 ? 2 : letter_count >= SHORT - 1 ? 1 : 0;
    places wanted;
    places_make(&wanted, word, size);
    for (size_t i = 0, begin = 0; i < self->count; begin = self->ends[i++]) {
        const size_t here = self->ends[i] - begin;
        const char *at = self->bytes + begin;
        /* Most words are too short or too long to be near. */
        if (here + 2 * (size_t)off < size || (here > size + 2 * (size_t)off && !prefix && letter_count < 5))
            continue;
        const float like = likeness(&wanted, word, letter_count, off, prefix, at, here);
        if (like > 0)
            keep(out, &count, most, &(lens_near_word){at, here, like, self->texts[i]});
    }
    /* A short word that is there is what was meant. */
    while (letter_count < SHORT && count && out[0].likeness == 1 && out[count - 1].likeness < like_prefix)
        count--;
    return count;
}
