/* Text -> words as they are searched: compatibility forms and cases made alike (Unicode NFKD and case folding, by the tables of utf8proc), accents and
 * vowel points dropped, apostrophes too ("don't" is "dont"). What is written without blanks (Chinese, Japanese, Thai, Lao, Khmer, Burmese) has a word
 * for each character with its marks, and so has each emoji. */
#ifndef LENS_WORDS_TOKENS_H
#define LENS_WORDS_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum { LENS_TOKEN_MOST = 64 }; /* bytes of a word; a longer run of letters is several */

typedef struct lens_token {
    uint32_t at, size;  /* in FOLDED */
    uint32_t from, to;  /* in the text, bytes */
    bool joined;        /* nothing stands between it and the word before */
} lens_token;

typedef struct lens_tokens {
    lens_buffer folded; /* the words with a blank between, ended by NUL */
    lens_token *items;
    size_t count, capacity;
} lens_tokens;

/* The words of the SIZE bytes of TEXT, at most 4 GiB; what is not UTF-8 parts words. 0, or -1 when memory is short. Start with {0}; free with
 * lens_tokens_free. */
int lens_tokens_read(lens_tokens *tokens, const char *text, size_t size);
void lens_tokens_free(lens_tokens *tokens);

/* The folded words of TEXT as a string: the caller frees. NULL when memory is short. */
char *lens_text_folded(const char *text);

#endif
