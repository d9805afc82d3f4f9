/* Text inside pictures: captions, speech bubbles, screens. Tesseract reads; what is ours is to find the letters and to lay them
 * out as it likes them (docs/OCR.md). */
#ifndef LENS_OCR_OCR_H
#define LENS_OCR_OCR_H

#include "base/buffer.h"
#include "base/error.h"
#include "pixels/image.h"

typedef struct lens_reader lens_reader; /* one thread's at a time */

/* A reader of LANGUAGES, as tesseract names them: "eng", "eng+deu". NULL when tesseract is not on this machine (LENS_E_UNSUPPORTED) or
 * a language is not (LENS_E_MISSING); ERR then says what to install. Free with lens_reader_free. */
lens_reader *lens_reader_open(const char *languages, lens_error *err);
void lens_reader_free(lens_reader *reader); /* may be NULL */

/* "tesseract 5.3.0 eng 1": engine, languages, and the number of our own preparation. What was read under another version
 * can be read anew. Lives as long as READER. */
const char *lens_reader_version(const lens_reader *reader);

/* The languages in VERSION, such as "eng"; what was kept with a reading. The caller frees. NULL when there are none in it, or memory is short. */
char *lens_reader_languages(const char *version);

/* Appends what IMAGE says to TEXT: UTF-8, the lines separated by \n, only words that are sure; nothing when there is nothing to read.
 * CONFIDENCE (may be NULL) gets the mean of the words', 0 to 1, and 0 without words. The work is bounded whatever IMAGE is, and stays on the
 * calling thread. 0 or -1. */
int lens_reader_read(lens_reader *reader, const lens_image *image, lens_buffer *text, float *confidence, lens_error *err);

#endif
