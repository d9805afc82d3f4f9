/* Tesseract, opened at the first need: a line of text in, its words out. */
#ifndef LENS_OCR_ENGINE_H
#define LENS_OCR_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct lens_ocr_engine lens_ocr_engine;

typedef struct lens_ocr_word {
    char *text;       /* UTF-8, without blanks */
    float confidence; /* 0 to 1 */
} lens_ocr_word;

typedef struct lens_ocr_words {
    lens_ocr_word *words;
    size_t count, capacity;
} lens_ocr_words;

/* As lens_reader_open says. */
lens_ocr_engine *lens_ocr_engine_open(const char *languages, lens_error *err);
void lens_ocr_engine_free(lens_ocr_engine *engine);

const char *lens_ocr_engine_version(void); /* "5.3.0"; once an engine was opened */

/* Appends the words of GREY [height, width], which is one line, dark on light, and nothing else. The calling thread does it alone. 0 or -1. */
int lens_ocr_engine_read(lens_ocr_engine *engine, const uint8_t *grey, int width, int height, lens_ocr_words *out, lens_error *err);

void lens_ocr_words_free(lens_ocr_words *words);

#endif
