/* What is asked of which pictures: the same for every model. */
#ifndef LENS_COMPARE_PLAN_H
#define LENS_COMPARE_PLAN_H

#include "base/names.h"
#include "compare/compare.h"
#include "compare/tsv.h"

enum { LENS_NO_LABEL = -1 };

typedef struct lens_plan_picture {
    char *path; /* absolute */
    int label;  /* of the plan's labels */
} lens_plan_picture;

/* One line of the queries. */
typedef struct lens_plan_query {
    size_t line;
    const char *text; /* as it was written */
    char *path;       /* absolute, of a picture; NULL: words */
    char *error;      /* why it cannot be asked; NULL: it can */
    int *wanted, *related;       /* labels, [wanted_count], [related_count] */
    size_t wanted_count, related_count;
    size_t *pictures;            /* expected themselves, [picture_count] */
    size_t picture_count;
    json_t *expected, *kindred;  /* as they were written: arrays of strings */
    json_t *unknown;             /* of the expected ones those that no picture has */
    json_t *other;               /* the further columns: an object */
    size_t own;                  /* the query's own picture, which is no result; SIZE_MAX: it is none of them */
    bool judged;                 /* something is expected that is there */
} lens_plan_query;

typedef struct lens_plan {
    const lens_compare_options *options;
    lens_plan_picture *pictures; /* sorted by path */
    size_t picture_count;
    size_t found;  /* before the sample was drawn */
    lens_names labels; /* sorted */
    lens_tsv table; /* what the queries' texts lie in */
    lens_plan_query *queries;
    size_t query_count;
    json_t *notes; /* what the person must know: an array of strings */
} lens_plan;

/* Finds the pictures, draws the sample, labels them and reads the queries. 0 or -1. Free with lens_plan_free. */
int lens_plan_make(const lens_compare_options *options, lens_plan *plan, lens_error *err);
void lens_plan_free(lens_plan *plan);

/* Adds a line to the plan's notes; what is no UTF-8 in it is written as \xNN. */
void lens_plan_note(lens_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The picture at PATH, or SIZE_MAX. */
size_t lens_plan_find(const lens_plan *plan, const char *path);

/* The folder that the file TABLE lies in, absolute; the absolute path of what a table there calls NAME. NULL on failure. The caller frees. */
char *lens_plan_folder(const char *table, lens_error *err);
char *lens_plan_beside(const char *folder, const char *name, lens_error *err);

/* The label NAME, or LENS_NO_LABEL. */
int lens_plan_label(const lens_plan *plan, const char *name);

/* Whether QUERY expects PICTURE; whether it is kindred. */
bool lens_plan_wants(const lens_plan *plan, const lens_plan_query *query, size_t picture);
bool lens_plan_relates(const lens_plan *plan, const lens_plan_query *query, size_t picture);

/* The steps of lens_plan_make, one file each. */
int lens_plan_pictures(lens_plan *plan, lens_error *err);
int lens_plan_labels(lens_plan *plan, lens_error *err);
int lens_plan_queries(lens_plan *plan, lens_error *err);

#endif
