/* What all models found, put together: the object that lens_compare gives. */
#ifndef LENS_COMPARE_FOUND_H
#define LENS_COMPARE_FOUND_H

#include "compare/answer.h"
#include "compare/model_run.h"

typedef struct lens_found_model {
    const char *name;
    char *error;    /* NULL: it was run */
    json_t *result; /* of model_run */
    lens_answer *answers; /* [queries] */
    double *values[2];    /* of each query and metric, [queries, LENS_METRICS]: plain, and after the correction; NaN: not judged */
} lens_found_model;

typedef struct lens_found {
    lens_plan *plan;
    lens_found_model *models;
    size_t count;
    json_t *shown;       /* a path in base64 -> its index into the report's pictures */
    json_t *shown_paths; /* those: [{"path", "label"}] */
} lens_found;

/* 0 or -1. Free with lens_found_free in any case. */
int lens_found_new(lens_plan *plan, lens_found *found, lens_error *err);
void lens_found_free(lens_found *found);

/* Adds MODEL with its RESULT, which FOUND owns from now on, or with the reason why there is none. 0 or -1. */
int lens_found_add(lens_found *found, const char *model, json_t *result, const char *error, lens_error *err);

/* Everything as one object. NULL on failure. */
json_t *lens_found_close(lens_found *found, lens_error *err);

/* Its parts, one file each: the models' figures, the pairs, and the rows. NULL on failure. */
json_t *lens_found_figures(lens_found *found, lens_error *err);
json_t *lens_found_pairs(const lens_found *found, lens_error *err);
json_t *lens_found_rows(lens_found *found, lens_error *err);

/* The index into the report's pictures of the file at PATH, which is given one when it has none yet; LABEL may be NULL. */
json_t *lens_found_shown(lens_found *found, const char *path, const char *label);

#endif
