/* The part of a query that looks for words in what is written: captions, and what was read in the pictures. */
#ifndef LENS_LIBRARY_TEXT_SEARCH_H
#define LENS_LIBRARY_TEXT_SEARCH_H

#include "library/internal.h"
#include "words/match.h"

/* A library's words, kept between the queries of one lens_library. */
typedef struct lens_word_memory lens_word_memory;
void lens_word_memory_free(lens_word_memory *memory);

typedef struct lens_text_hit {
    int64_t id; /* of a picture */
    double score;
    char *text;
    lens_match match; /* of TEXT, for its snippet */
    unsigned stage;   /* how deep it was looked for: what was found first comes first */
} lens_text_hit;

typedef struct lens_text_hits {
    lens_text_hit *items; /* best first, each picture once */
    size_t count;
    int64_t *left_out; /* [left_out_count]: pictures that -word leaves out, in order */
    size_t left_out_count;
} lens_text_hits;
void lens_text_hits_free(lens_text_hits *hits);

/* Whether HITS leave out picture ID, because of a -word or a -"phrase". */
bool lens_text_leaves_out(const lens_text_hits *hits, int64_t id);

/* How many texts LIBRARY has, as of a moment ago. -1 on error. */
int64_t lens_text_count(lens_library *library, lens_store *store, lens_error *err);

/* Whether picture ID may be a result. */
typedef bool lens_may_be(void *context, int64_t id);

/* The pictures of LIBRARY in whose texts WANTED stands, at most MOST. 0 or -1; free OUT with lens_text_hits_free in any case. */
int lens_text_search(lens_library *library, lens_store *store, const lens_wanted *wanted, lens_may_be *may_be, void *context, size_t most,
                     lens_text_hits *out, lens_error *err);

#endif
