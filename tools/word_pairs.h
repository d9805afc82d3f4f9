/* Pictures with captions, and the classes of the picture model, as vectors: what the map that is built in is fitted on. */
#ifndef LENS_TOOLS_WORD_PAIRS_H
#define LENS_TOOLS_WORD_PAIRS_H

#include "encoders/word_fit.h"

enum { LENS_WORD_WORDINGS = 2 }; /* "NAME" and "a photo of a NAME" */

typedef struct lens_word_pairs {
    lens_word_set set;
    lens_word_classes classes; /* rows: the weights of the classifier */
    float *bias;               /* [classes.count] */
    lens_hash words_print, pictures_print;
} lens_word_pairs;

/* Encodes the pictures and captions of the table at CAPTIONS (columns file, from the table's own folder, and caption), and the names of classes in
 * CLASSES (a line each), by WORDS_MODEL and PICTURES_MODEL, names or folders; the latter has a classifier. 0 or -1. Free with
 * lens_word_pairs_free. */
int lens_word_pairs_read(const char *captions, const char *classes, const char *words_model, const char *pictures_model, const char *precision,
                         lens_word_pairs *out, lens_error *err);
void lens_word_pairs_free(lens_word_pairs *pairs);

#endif
