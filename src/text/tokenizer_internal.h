/* What the files of the tokenizers share. */
#ifndef LENS_TEXT_TOKENIZER_INTERNAL_H
#define LENS_TEXT_TOKENIZER_INTERNAL_H

#include <stdbool.h>

#include "text/tokenizer.h"
#include "text/unicode_text.h"
#include "text/vocabulary.h"

/* The bytes of a vocabulary's files and their names for messages; a file that is not there is NULL. */
typedef struct lens_tokenizer_files {
    struct lens_tokenizer_file {
        const char *name;
        const char *bytes;
        size_t size;
    } vocabulary, merges, whole; /* vocab.json or vocab.txt; merges.txt; tokenizer.json */
} lens_tokenizer_files;

/* lens_tokenizer_open on bytes in memory, which may go afterwards. */
lens_tokenizer *lens_tokenizer_parse(const lens_tokenizer_files *files, lens_tokenizer_kind kind, int context, lens_error *err);

/* Ids as they come. Once it is full, the rest of the text does not matter. */
typedef struct lens_token_ids {
    int32_t *items;
    int count, limit;
} lens_token_ids;

static inline bool lens_token_ids_full(const lens_token_ids *ids)
{
    return ids->count >= ids->limit;
}

static inline void lens_token_ids_push(lens_token_ids *ids, int32_t id)
{
    if (ids->count < ids->limit)
        ids->items[ids->count++] = id;
}

/* ---- specials.c ---- */

/* A text that stands for a token wherever it occurs. */
typedef struct lens_special {
    char *text;
    size_t length;
    int32_t id;
    size_t shorter; /* once sorted: the place of the longest other that this one begins with, and 1; 0 for none */
} lens_special;

typedef struct lens_specials {
    lens_special *items;
    size_t count, capacity;
} lens_specials;

/* Adds a copy of TEXT, which is not empty. One that is there already changes nothing. 0 or -1. */
int lens_specials_add(lens_specials *specials, const char *text, int32_t id, lens_error *err);
/* Once all are added, and before any is looked for. */
void lens_specials_sort(lens_specials *specials);
/* The longest that TEXT [size] begins with, or NULL. */
const lens_special *lens_specials_at(const lens_specials *specials, const char *text, size_t size);
void lens_specials_free(lens_specials *specials);

/* ---- clip_bpe.c ---- */

typedef struct lens_bpe lens_bpe;

typedef struct lens_bpe_source {
    const lens_vocabulary *vocabulary;
    const char *name;        /* the vocabulary's file, for messages */
    const json_t *list;      /* tokenizer.json's array of merges, or NULL: */
    const char *text;        /* the lines of merges.txt [size] */
    size_t size;
    const char *merges_name; /* the file of the merges */
    bool openclip;           /* contractions in any case, and words that stand for the two ids below */
    int32_t first, last;
} lens_bpe_source;

/* NULL on failure. What SOURCE points to may go afterwards. */
lens_bpe *lens_bpe_new(const lens_bpe_source *source, lens_error *err);
void lens_bpe_free(lens_bpe *bpe);

/* Tokens of a cleaned text, appended to IDS. 0 or -1 and ERR. */
int lens_bpe_run(const lens_bpe *bpe, const char *text, size_t size, lens_token_ids *ids, lens_error *err);

/* ---- wordpiece.c ---- */

/* Appends the tokens of TEXT [size], any bytes, to IDS. UNKNOWN: the id of [UNK]. 0, or -1 when memory is short. */
int lens_wordpiece_run(const lens_vocabulary *vocabulary, int32_t unknown, const char *text, size_t size, lens_token_ids *ids);

#endif
