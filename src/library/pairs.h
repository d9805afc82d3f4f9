/* Two libraries side by side, as records (store/copying.h). */
#ifndef LENS_LIBRARY_PAIRS_H
#define LENS_LIBRARY_PAIRS_H

#include "memelens.h"
#include "store/copying.h"

/* A part as it is walked through: the vectors are one for each model. */
typedef struct lens_pair_step {
    lens_store_part part;
    int64_t model;
    int dim;
    char *name; /* "pictures", "vectors of clip-vit-b-32", fit to be shown */
    int64_t count; /* how many records there are, about */
} lens_pair_step;

/* The steps of STORE, in order of lens_store_part. The caller frees with lens_pair_steps_free, on failure too. */
typedef struct lens_pair_steps {
    lens_pair_step *items;
    size_t count;
    int64_t records; /* of all */
} lens_pair_steps;
int lens_pair_steps_of(lens_store *store, lens_pair_steps *out, lens_error *err);
void lens_pair_steps_free(lens_pair_steps *steps);

/* Calls EACH with every record of STEP that A or B (NULL: nothing is in it) has behind AFTER (NULL: with all), in order of key, until it returns other than 0,
 * which is then returned; -1 with ERR. Two of one key come together; what one of them has not is NULL. MORE: B has more behind this. EACH may write to B. */
typedef int (*lens_pair_each)(void *context, const lens_record *a, const lens_record *b, bool more, lens_error *err);
int lens_pairs_walk(lens_store *a, lens_store *b, const lens_pair_step *step, const lens_record *after, lens_pair_each each, void *context, lens_error *err);

/* Holds A, named A_NAME, against B. DIFFERENCE (may be NULL) gets a line for each step in which they are not the same. OUT (may be NULL): of A. TELL (may be
 * NULL) is called now and then with how many records were looked at, and ends it with LENS_E_CANCELLED by returning false. How many steps differ, or -1. */
typedef struct lens_pair_names {
    const char *a, *b;
} lens_pair_names;
typedef bool (*lens_pair_tell)(void *context, const char *step, int64_t records);
int lens_pairs_compare(lens_store *a, lens_store *b, lens_pair_names names, void (*difference)(void *context, const char *line), void *context, lens_pair_tell tell,
                       void *tell_context, lens_same *out, lens_error *err);

#endif
