/* The terms of a query -> their vectors, as one model of the library sees them. */
#ifndef LENS_LIBRARY_TERMS_H
#define LENS_LIBRARY_TERMS_H

#include "library/internal.h"

/* Where terms are looked up. */
typedef struct lens_terms_place {
    lens_library *library;
    lens_store *store;
    const lens_store_model *model;
    const lens_store_vectors *vectors; /* of the pictures that may be results */
    bool partly;                       /* those are not all the library's */
    const char *precision;
    uint64_t max_pixels;
} lens_terms_place;

/* VECTORS [count, dim] are filled, each of length 1, and OWN with the ids of the *OWN_COUNT (at most COUNT) pictures of the library that
 * terms are. A picture that the library knows gives its stored vector; the model is opened only for what is left, and only for that
 * (pictures, words). 0 or -1; the message names the term. */
int lens_terms_vectors(const lens_terms_place *place, const lens_term *terms, size_t count, float *vectors, int64_t *own,
                       size_t *own_count, lens_error *err);

#endif
