/* Fitting a map from words to pictures (word_map.h): ridge regression from centred sentences to centred pictures (Hoerl and Kennard, 1970), whose
 * answers are then whitened by how the set's own pictures are spread, shrunk towards a ball (Ledoit and Wolf, 2004, with a fixed share): a
 * direction in which all pictures differ tells little about one of them. docs/MODELS.md has the figures behind every number here. */
#ifndef LENS_ENCODERS_WORD_FIT_H
#define LENS_ENCODERS_WORD_FIT_H

#include "encoders/word_map.h"

/* What one's own pictures count for beside the built-in map, sentence by sentence. */
#define LENS_WORD_OWN_WEIGHT 3.0

/* Pictures with sentences that say what is on them. A picture may have none, or many. */
typedef struct lens_word_set {
    const float *pictures; /* [picture_count, dim], each of length 1 */
    size_t picture_count;
    int dim;
    const float *sentences; /* [sentence_count, words], each of length 1 */
    const size_t *owner;    /* [sentence_count]: the picture of each */
    size_t sentence_count;
    int words;
} lens_word_set;

/* What the picture model was trained to tell apart: rows of its classifier, and sentences with the names of the classes, in one or more wordings.
 * Each name and row count as a sentence and its picture. */
typedef struct lens_word_classes {
    const float *rows;      /* [count, dim] */
    const float *sentences; /* [wordings, count, words] */
    size_t count, wordings;
} lens_word_classes;

typedef struct lens_word_fit lens_word_fit;

/* NULL on failure. Free with lens_word_fit_free. */
lens_word_fit *lens_word_fit_new(int words, int dim, lens_error *err);
void lens_word_fit_free(lens_word_fit *fit);

/* Adds SET, and CLASSES (NULL: none) as seen beside its pictures; every sentence counts WEIGHT. 0 or -1: LENS_E_ARGUMENT for a set of fewer than two
 * different pictures or without a sentence. */
int lens_word_fit_add(lens_word_fit *fit, const lens_word_set *set, const lens_word_classes *classes, double weight, lens_error *err);

/* Adds all that went into MAP, WEIGHT times. What comes of it is what adding its sets here would have given, but for the rounding of its numbers. */
int lens_word_fit_add_map(lens_word_fit *fit, const lens_word_map *map, double weight, lens_error *err);

/* The map of all that was added. NULL on failure. */
lens_word_map *lens_word_fit_solve(const lens_word_fit *fit, const lens_word_map_about *about, lens_error *err);

/* All of it at once: SET, CLASSES beside it (may be NULL), and once what went into BASE (may be NULL). */
lens_word_map *lens_word_fit_set(const lens_word_set *set, const lens_word_classes *classes, const lens_word_map *base, double weight,
                                 const lens_word_map_about *about, lens_error *err);

/* ---- how good it is ---------------------------------------------------------------------------------------------- */

/* The share of sentences whose own picture is among the first 1, 5 and 10 of a gallery. */
typedef struct lens_word_recall {
    double at_1, at_5, at_10;
    size_t sentences, gallery; /* sentences asked; pictures of the largest gallery */
} lens_word_recall;

enum { LENS_WORD_FOLDS = 5 };

/* Cross-validation. The pictures (where there are very many, some of them, drawn by lot) are dealt into folds by lot of SEED; the sentences
 * of each fold's pictures look for them among that fold, by a map fitted on the others, with CLASSES, BASE and WEIGHT as above: AFTER. BEFORE
 * is what BASE alone finds in the same galleries. BASE, CLASSES and BEFORE may be NULL. 0 or -1: LENS_E_ARGUMENT for fewer than two pictures
 * a fold. */
int lens_word_cross(const lens_word_set *set, const lens_word_classes *classes, const lens_word_map *base, double weight, uint64_t seed,
                    lens_word_recall *before, lens_word_recall *after, lens_error *err);

#endif
