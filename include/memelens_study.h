/* What an experiment asks of an indexed library: scores of every picture, not only of the best, neighbours, hubs. For src/compare.
 *
 *     lens_study *study = lens_study_open(library, "efficientnet-lite0", "auto", &error);
 *     float *vector = calloc(lens_study_about(study)->dim, sizeof *vector), *scores = calloc(lens_study_about(study)->count, sizeof *scores);
 *     lens_study_encode(study, &term, 0, vector, &error);
 *     lens_study_scores(study, vector, scores);          // scores[row] is of the picture at lens_study_path(study, row)
 *
 * Conventions as in memelens.h. */
#ifndef MEMELENS_STUDY_H
#define MEMELENS_STUDY_H

#include "memelens.h"

/* Calls EACH with the absolute path of every file at or below FOLDER that an index run would take for a picture, in order, until it returns
 * other than 0, which is then returned. -1 on failure. */
int lens_find_pictures(const char *folder, int (*each)(void *context, const char *path), void *context, lens_error *err);

/* Whether PATH ends as the name of a picture does (".jpg", ".HEIC", ...). */
bool lens_named_as_picture(const char *path);

/* A library as one of its models sees it, and that model opened once, for many queries. What changes in the library afterwards is not seen. */
typedef struct lens_study lens_study;

typedef struct lens_study_info {
    const char *model, *precision;
    char fingerprint[33]; /* of weights, configuration and preparation; hexadecimal */
    int dim;
    bool words;   /* whether it can be asked with words */
    size_t count; /* rows: pictures with a vector */
} lens_study_info;

/* MODEL NULL: the library's first. NULL on failure: LENS_E_BUSY when pictures went while it was opened. Free with lens_study_close. */
lens_study *lens_study_open(lens_library *library, const char *model, const char *precision, lens_error *err);
void lens_study_close(lens_study *study);
const lens_study_info *lens_study_about(const lens_study *study);

/* The absolute path of the picture in ROW; rows are in order of their paths. It lives as long as STUDY. */
const char *lens_study_path(const lens_study *study, size_t row);

/* VECTOR [dim], of length 1, of a query that is a file, bytes or words; always encoded, never looked up. 0 or -1. */
int lens_study_encode(lens_study *study, const lens_term *query, uint64_t max_pixels, float *vector, lens_error *err);

/* SCORES [count]: the cosine of VECTOR [dim] to every row. */
void lens_study_scores(const lens_study *study, const float *vector, float *scores);

/* What `search --unhub` takes off each row's cosine, [count]; lives as long as STUDY. NULL on failure. */
const float *lens_study_penalties(lens_study *study, lens_error *err);

/* Hubness, Radovanovic, Nanopoulos and Ivanovic (2010): LISTED [count], how often each row is among the K nearest of another, of which *ASKED
 * were asked: all of them, or of many an even choice. UNHUB: after the correction. LENS_E_ARGUMENT when there are too few pictures. */
int lens_study_hubs(lens_study *study, size_t k, bool unhub, uint32_t *listed, size_t *asked, lens_error *err);

#endif
