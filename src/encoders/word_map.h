/* Words for an encoder that knows none: a linear map from the vectors of a sentence model to queries among the vectors of a picture model.
 *
 *     query = unit((sentence - mean) W)
 *
 * A map keeps what went into it, so that fitting goes on from there (word_fit.h): the scatter of its sentences and the weight they had. The file:
 * magic, version, sizes, names, numbers, and a hash of all of it; little-endian. W lies in it in bytes, each row with a step of its own. */
#ifndef LENS_ENCODERS_WORD_MAP_H
#define LENS_ENCODERS_WORD_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

/* The names of the two models, as they are asked for, and their fingerprints: the map means nothing for others. */
typedef struct lens_word_map_about {
    const char *words_model, *pictures_model;
    lens_hash words_print, pictures_print;
    const char *fitted_on; /* a line for people */
} lens_word_map_about;

enum { LENS_WORD_MAP_FORMAT = 1 }; /* the version of the file */

typedef struct lens_word_map {
    lens_word_map_about about; /* the strings are the map's own */
    int words, dim;            /* length of a sentence's vector, and of a picture's */
    double ridge;              /* what was added to the diagonal of the scatter */
    double weight;             /* of all sentences that were pairs with pictures, added up */
    float *mean;               /* [words] */
    float *scatter;            /* [words * (words + 1) / 2]: the upper triangle, row by row */
    float *steps;              /* [words] */
    int8_t *rows;              /* [words, dim]: W is steps[i] * rows[i] */
} lens_word_map;

/* A map of these sizes with zeros in it, and copies of the strings. NULL on failure. Free with lens_word_map_free. */
lens_word_map *lens_word_map_new(const lens_word_map_about *about, int words, int dim, lens_error *err);
void lens_word_map_free(lens_word_map *map);

/* The map in the SIZE bytes, called PATH in messages: copied, every size and number checked. NULL on failure: LENS_E_FORMAT, LENS_E_VERSION. */
lens_word_map *lens_word_map_view(const void *bytes, size_t size, const char *path, lens_error *err);

lens_word_map *lens_word_map_read(const char *path, lens_error *err);

/* The one that is built in, for all-MiniLM-L6-v2 and EfficientNet-Lite0. NULL on failure. */
lens_word_map *lens_word_map_built_in(lens_error *err);

/* Puts MAP at PATH in one step. 0 or -1. */
int lens_word_map_write(const lens_word_map *map, const char *path, lens_error *err);

/* SENTENCE [words], of length 1 -> QUERY [dim], of length 1. 0, or -1: LENS_E_ARGUMENT when the map sees nothing in the sentence. */
int lens_word_map_apply(const lens_word_map *map, const float *sentence, float *query, lens_error *err);

#endif
