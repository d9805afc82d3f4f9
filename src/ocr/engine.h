/* Tesseract, opened at the first need: a grey picture in, words out. */
#ifndef LENS_OCR_ENGINE_H
#define LENS_OCR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct lens_ocr_engine lens_ocr_engine;

/* How a picture's text is laid out. */
typedef enum lens_ocr_layout {
    LENS_OCR_LINE,   /* one line, and nothing else */
    LENS_OCR_BLOCK,  /* lines below each other */
    LENS_OCR_SPARSE, /* here and there */
} lens_ocr_layout;

typedef struct lens_ocr_word {
    char *text; /* UTF-8, without blanks */
    float confidence; /* 0 to 1 */
    bool known;       /* to tesseract's dictionary */
    int left, top, right, bottom;
    bool ends_line;
} lens_ocr_word;

typedef struct lens_ocr_words {
    lens_ocr_word *words;
    size_t count, capacity;
} lens_ocr_words;

/* As lens_reader_open says. */
lens_ocr_engine *lens_ocr_engine_open(const char *languages, lens_error *err);
void lens_ocr_engine_free(lens_ocr_engine *engine);

const char *lens_ocr_engine_version(void); /* "5.3.0"; once an engine was opened */

/* Appends what tesseract makes of GREY [height, width], on the calling thread alone. 0 or -1. */
int lens_ocr_engine_read(lens_ocr_engine *engine, const uint8_t *grey, int width, int height, lens_ocr_layout layout, lens_ocr_words *out,
                         lens_error *err);

void lens_ocr_words_free(lens_ocr_words *words);

#endif
