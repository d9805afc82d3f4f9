/* How well a text says what was asked for, and the part of it that does. FTS5 finds the texts; this orders them: by how much of the query is there, the
 * rarer words counting more, and by how much of it stands together in the query's order. */
#ifndef LENS_WORDS_MATCH_H
#define LENS_WORDS_MATCH_H

#include "words/lexicon.h"
#include "words/wanted.h"

enum { LENS_NEAR_MOST = 12 };

/* A query made ready: each of its words with those that may be meant by it. */
typedef struct lens_matcher {
    const lens_wanted *wanted;
    struct lens_matcher_word {
        lens_near_word near[LENS_NEAR_MOST];
        size_t near_count;
        double weight; /* by how rare it is (Robertson and Sparck Jones, 1976); the wanted ones' add up to 1 */
        uint64_t texts; /* about how many have it or what is near to it */
        size_t before, earlier; /* the wanted words before it, what is left out not counted; LENS_WANTED_WORDS: none */
    } words[LENS_WANTED_WORDS];
} lens_matcher;

/* TEXTS: how many there are. WANTED and LEXICON must outlive MATCHER. */
void lens_matcher_make(lens_matcher *matcher, const lens_wanted *wanted, const lens_lexicon *lexicon, int64_t texts);

typedef struct lens_match {
    double score;      /* 0 to 1: every word, one behind the other, letter for letter */
    size_t from, to;   /* the first and the last word of the text that matter, as numbers of folded words; FROM > TO: none */
    bool left_out;     /* it has what no text may have, or lacks a phrase */
} lens_match;

/* FOLDED: the words of a text with a blank between. */
lens_match lens_match_text(const lens_matcher *matcher, const char *folded);

/* The part of TEXT about MATCH in one line, some 90 bytes, with "…" where something is left out. The caller frees; NULL when memory is short. */
char *lens_match_snippet(const char *text, const lens_match *match);

#endif
