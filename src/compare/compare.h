/* The experiment: the same queries asked of several encoders, over one's own pictures.
 *
 *     lens_compare_options options = lens_compare_options_default();
 *     options.queries = "queries.tsv"; ...
 *     json_t *found = lens_compare(&options, &error);      // docs/COMPARE.md describes it
 *     lens_compare_report(found, "report.html", &error);
 *     json_decref(found);
 *
 * Each encoder indexes the pictures into a library of its own and answers in a process of its own, so that its memory and processor time are
 * its alone. What is done is kept in a folder, and an interrupted experiment goes on from there. */
#ifndef LENS_COMPARE_COMPARE_H
#define LENS_COMPARE_COMPARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "memelens.h"

typedef struct lens_compare_options {
    const char *queries; /* a TSV with the columns query and expected, perhaps related, and any other */
    const char *labels;  /* a TSV with the columns file and template (or label); NULL: folders' and files' names are labels */
    const char *const *pictures; /* folders */
    size_t picture_count;
    const char *const *models; /* names, each may carry "@PREP" */
    size_t model_count;
    const char *precision;
    int threads;       /* of indexing; 0: all */
    uint64_t sample;   /* so many pictures, drawn by SEED; 0: all */
    uint64_t seed;     /* also of the bootstrap */
    size_t top;        /* results shown for each query */
    const char *work;  /* the folder of what is kept; NULL: below the user's cache */
    bool fresh;        /* forget what is kept */
    const char *command; /* the command line, for the report */
    /* What is being done, for the person: STEP is a line when something begins (then EVENT is NULL), or an index run's event; DONE of TOTAL
     * queries were asked when TOTAL is not 0. Called in the process that does it. False: stop. */
    bool (*tell)(void *context, const char *step, const lens_index_event *event, size_t done, size_t total);
    void *context;
} lens_compare_options;

lens_compare_options lens_compare_options_default(void);

/* Runs it. A model that cannot be run has its reason in the answer; NULL when there is no answer at all: LENS_E_CANCELLED when TELL stopped
 * it. Free with json_decref. Call it before other threads are started: it forks. */
json_t *lens_compare(const lens_compare_options *options, lens_error *err);

/* FOUND as the object that `compare --json` ends with: without the pictures of the report. The caller frees with json_decref. */
json_t *lens_compare_plain(const json_t *found);

/* FOUND as Markdown: the tables, and with ROWS every query. Appended to OUT. 0 or -1. */
int lens_compare_markdown(const json_t *found, bool rows, lens_buffer *out);

/* FOUND as one HTML page at PATH, with all its pictures. 0 or -1. */
int lens_compare_report(const json_t *found, const char *path, lens_error *err);

#endif
