/* What a query asks, and which ways it goes for that: by the look, by what is written, by its meaning. */
#ifndef LENS_LIBRARY_QUERY_WAYS_H
#define LENS_LIBRARY_QUERY_WAYS_H

#include "library/internal.h"
#include "words/wanted.h"

typedef struct lens_ways {
    const lens_term *terms; /* [term_count] */
    size_t term_count;
    lens_term *look_terms;  /* [look_count]: those that the model of the look knows */
    size_t *look_at;        /* [look_count]: which of TERMS they are */
    size_t look_count;
    lens_term *words;       /* [word_count]: their wanted words as typed, for the meaning */
    lens_wanted *wanted;    /* [word_count] */
    double *word_weights;   /* [word_count] */
    size_t word_count;
    lens_term *meant;       /* [meant_count]: those of WORDS that want something */
    size_t meant_count;
    int by;                 /* LENS_BY_LOOK and so on, together */
    bool sifts;             /* words leave out pictures, or ask for a phrase, whatever the ways are */
} lens_ways;

/* What TERMS ask, which must outlive SELF. 0 or -1; free SELF in any case. */
int lens_ways_read(lens_ways *self, const lens_term *terms, size_t term_count, lens_error *err);

/* Which ways to go, SELF->by, and the models to ask: the name of LOOK, and of MEANING where that is a way, are the caller's to free. 0, or -1 with the reason
 * why no way leads there. */
int lens_ways_choose(lens_ways *self, lens_library *library, lens_store *store, const lens_search_options *options, lens_store_model *look,
                     lens_store_model *meaning, lens_error *err);

void lens_ways_free(lens_ways *self);

#endif
