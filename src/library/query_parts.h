/* A query in the making: what ranking (query.c) leaves to telling (query_page.c). */
#ifndef LENS_LIBRARY_QUERY_PARTS_H
#define LENS_LIBRARY_QUERY_PARTS_H

#include "library/query_ways.h"
#include "library/ranker.h"
#include "library/text_search.h"

/* Where a picture stands in a ranking: AT, from 0. */
typedef struct lens_search_place {
    int64_t id;
    size_t at;
} lens_search_place;

typedef struct lens_search_query {
    lens_library *library;
    lens_store *store;
    const lens_search_options *options;
    lens_ways ways;
    lens_ranker look, meaning;        /* LOOK also says which pictures may be results */
    lens_text_hits *texts;            /* [word_count] */
    lens_fold_hit *ranked[LENS_WAYS]; /* [ranked_count]: of the look and of the meaning */
    size_t ranked_count[LENS_WAYS];
    double *sure[LENS_WAYS];              /* [ranked_count] */
    lens_search_place *places[LENS_WAYS]; /* [ranked_count]: in order of id */
    lens_search_place **text_places;      /* [word_count][texts[w].count]: likewise */
    size_t depth;                         /* of the rankings */
    bool cut;                             /* of what was ranked some was left out, or stands for another of its group */
    bool gone;                            /* a picture that was found is no longer there */
} lens_search_query;

/* A result in the making. */
typedef struct lens_search_hit {
    int64_t id, stands_for;
    double score;
    bool open; /* deeper rankings may put others before it */
} lens_search_hit;

/* The place of picture ID among PLACES [count], which are in order of id; NULL: it has none. */
lens_search_place *lens_search_find_place(const lens_search_place *places, size_t count, int64_t id);

/* Sees to it that the look knows the vectors of HITS. 0 or -1. */
int lens_search_fetch(lens_search_query *self, const lens_search_hit *hits, size_t count, lens_error *err);

/* The page of HITS that was asked for. SELF->gone is set where one of them, or of those before it, is no longer there. Free with lens_results_free. NULL on
 * failure. */
lens_results *lens_search_page(lens_search_query *self, const lens_search_hit *hits, size_t count, lens_error *err);

#endif
