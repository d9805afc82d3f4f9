/* A tokenizer's vocabulary: tokens, which are bytes, and their ids, which are 0 to SIZE - 1 without gaps. */
#ifndef LENS_TEXT_VOCABULARY_H
#define LENS_TEXT_VOCABULARY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The most values and names in a vocabulary's JSON: a million tokens with their ids. The largest of these kinds, of 109 languages, has half as many. */
enum { LENS_VOCABULARY_VALUES = 1 << 21 };

typedef struct lens_vocabulary {
    char *bytes;      /* all tokens, one behind the other */
    uint32_t *starts; /* [size + 1] where each begins in BYTES, by id */
    uint32_t *slots;  /* [mask + 1] open addressing: id + 1, 0 for free */
    uint32_t mask;
    int size;
    size_t longest; /* bytes of the longest token */
} lens_vocabulary;

/* The object TOKENS, {"token": id, …}, and the array ADDED (may be NULL), [{"id": …, "content": "…"}, …], some of which TOKENS may hold too.
 * WHAT names the file. 0 or -1. Free with lens_vocabulary_free, also after a failure. */
int lens_vocabulary_from_json(lens_vocabulary *vocabulary, const json_t *tokens, const json_t *added, const char *what, lens_error *err);

/* The same object as a text, which is read here in a quarter of the time that a whole JSON reader takes: every query in words pays it. */
int lens_vocabulary_from_text(lens_vocabulary *vocabulary, const char *text, size_t size, const char *what, lens_error *err);

/* A text with one token a line, the first of which is number 0. */
int lens_vocabulary_from_lines(lens_vocabulary *vocabulary, const char *text, size_t size, const char *what, lens_error *err);

void lens_vocabulary_free(lens_vocabulary *vocabulary);

/* The id of a token, or -1. */
int32_t lens_vocabulary_find(const lens_vocabulary *vocabulary, const char *token, size_t length);

#endif
