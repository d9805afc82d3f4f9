/* Every word that stands in a library's texts, in memory, and those near to a word that was typed: letters read or typed wrongly, words run together.
 * All of them are looked at: a hundred thousand take some milliseconds, and nothing near is missed. */
#ifndef LENS_WORDS_LEXICON_H
#define LENS_WORDS_LEXICON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lens_lexicon {
    char *bytes;   /* the words one behind the other */
    uint32_t *ends; /* [count]: where each ends; it begins where the one before it does */
    uint32_t *texts; /* [count]: about how many texts have it */
    size_t count, capacity, size, room;
} lens_lexicon;

/* Start with {0}. 0, or -1 when memory is short or the words have 4 GiB. */
int lens_lexicon_add(lens_lexicon *lexicon, const char *word, size_t size, int64_t texts);
void lens_lexicon_free(lens_lexicon *lexicon);

bool lens_lexicon_has(const lens_lexicon *lexicon, const char *word, size_t size);

typedef struct lens_near_word {
    const char *text; /* in LEXICON, not ended by NUL */
    size_t size;
    float likeness;   /* 1: it is the word */
    uint32_t texts;
} lens_near_word;

/* The words most like WORD, best first, at most MOST into OUT: the word itself; with PREFIX what begins with it; of words of four letters and more (of
 * three, where no text has the word itself) what is one letter off, of eight and more two (Levenshtein, by Myers, 1999); and what holds it, when it has five. How many. */
size_t lens_lexicon_near(const lens_lexicon *lexicon, const char *word, size_t size, bool prefix, lens_near_word *out, size_t most);

/* How many letters A and B are apart; MOST + 1 for more than MOST, or where A has more than 64 letters. What is not UTF-8 is a letter a byte. */
int lens_letters_apart(const char *a, size_t a_size, const char *b, size_t b_size, int most);

#endif
