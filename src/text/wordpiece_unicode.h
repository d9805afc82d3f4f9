/* The classes of characters as the tokenizers of BERT's family have them. */
#ifndef LENS_TEXT_WORDPIECE_UNICODE_H
#define LENS_TEXT_WORDPIECE_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* Accents that are taken off: Mn. */
bool lens_wordpiece_is_mark(int32_t point);

/* What stands by itself: P, and every sign of ASCII. */
bool lens_wordpiece_is_punctuation(int32_t point);

/* What is left out: Cc but for tab and line breaks, Cf, Co, U+FFFD. */
bool lens_wordpiece_is_removed(int32_t point);

/* Ideographs, each of which is a word. */
bool lens_wordpiece_is_ideograph(int32_t point);

#endif
