/* What is asked for in words: words, "phrases", prefi* and -without. */
#ifndef LENS_WORDS_WANTED_H
#define LENS_WORDS_WANTED_H

#include "words/tokens.h"

enum { LENS_WANTED_WORDS = 32 }; /* that are looked for, phrases and what is to be left out before all; those behind them count for the meaning alone */

typedef struct lens_wanted_word {
    const char *text; /* folded, ended by NUL */
    size_t size;
    int phrase;       /* words of one number are to stand one behind the other, as they stand here; 0: of none */
    bool prefix;      /* any word that begins so */
    bool without;     /* no text may have it (or its phrase) */
    bool follows;     /* it is written without a blank behind the word before */
} lens_wanted_word;

typedef struct lens_wanted {
    lens_wanted_word words[LENS_WANTED_WORDS];
    size_t count;
    int phrases;     /* how many numbers were given out */
    bool wants;      /* something is looked for, and not only left out */
    char *plain;     /* the words that are wanted as they were typed, for what it means; "" when there is none */
    char *memory;    /* of the words */
} lens_wanted;

/* 0, or -1 when memory is short. Free WANTED with lens_wanted_free in any case. */
int lens_wanted_read(lens_wanted *wanted, const char *text);
void lens_wanted_free(lens_wanted *wanted);

#endif
