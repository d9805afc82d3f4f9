/* Words -> the numbers of their tokens, exactly as a model's own tokenizer gives them. */
#ifndef LENS_TEXT_TOKENIZER_H
#define LENS_TEXT_TOKENIZER_H

#include <stdint.h>

#include "base/error.h"

typedef enum lens_tokenizer_kind {
    LENS_TOKENIZER_CLIP,      /* byte-level BPE as Hugging Face's CLIPTokenizer does it */
    LENS_TOKENIZER_OPENCLIP,  /* the same on text that is first unescaped from HTML, as OpenCLIP does */
    LENS_TOKENIZER_WORDPIECE, /* BERT's, lower-cased */
} lens_tokenizer_kind;

/* Read-only once it is open: every thread shares it. */
typedef struct lens_tokenizer lens_tokenizer;

/* Opens the vocabulary in FOLDER: vocab.json with merges.txt, or tokenizer.json alone; for WORDPIECE vocab.txt, or tokenizer.json
 * alone. CONTEXT: the most tokens of a text, with its first and its last (at least 2). NULL on failure. Free with lens_tokenizer_close. */
lens_tokenizer *lens_tokenizer_open(const char *folder, lens_tokenizer_kind kind, int context, lens_error *err);
void lens_tokenizer_close(lens_tokenizer *tokenizer);

/* The largest id plus one: the rows that a model's embedding must have. */
int lens_tokenizer_size(const lens_tokenizer *tokenizer);
int lens_tokenizer_context(const lens_tokenizer *tokenizer);

/* The file that the vocabulary was read from, for messages. Lives as long as TOKENIZER. */
const char *lens_tokenizer_path(const lens_tokenizer *tokenizer);

/* IDS [context] are filled with *COUNT numbers (at least 2), the first and last of which begin and end the text: a longer text is
 * cut, and its last token kept. TEXT is UTF-8; what is not comes as U+FFFD, as in Python's "replace". 0 or -1. */
int lens_tokenizer_run(const lens_tokenizer *tokenizer, const char *text, int32_t *ids, int *count, lens_error *err);

#endif
