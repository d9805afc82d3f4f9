/* memelens: find a picture again by a picture.
 *
 *     lens_error error;
 *     lens_library *library = lens_library_open(NULL, &error);            // the default place
 *     const char *paths[] = {"/home/ada/Pictures"};
 *     lens_index_options index = lens_index_options_default();
 *     index.paths = paths, index.path_count = 1;
 *     lens_index_report report;
 *     lens_index(library, &index, &report, &error);
 *     lens_term term = {.kind = LENS_TERM_FILE, .text = "query.jpg", .weight = 1};
 *     lens_search_options search = lens_search_options_default();
 *     lens_results *results = lens_search(library, &term, 1, &search, &error);
 *     for (size_t i = 0; results && i < results->count; i++)
 *         printf("%.4f\t%s\n", results->items[i].score, results->items[i].path);
 *     lens_results_free(results);
 *     lens_library_close(library);
 *
 * Kept narrow on purpose: the command line, the server and the experiment see pictures, scores and reasons here, and no
 * tensors, SQL or file formats.
 *
 * Functions return 0 or -1 (or a pointer or NULL) and fill the caller's lens_error, which may be NULL. Nothing here prints
 * or exits. Paths are bytes ended by NUL, not necessarily UTF-8. Text is UTF-8. MAX_PIXELS are width times height of the
 * largest picture that is decoded, 0: 100 million. A lens_library may be used from one thread at a time; several processes
 * may hold the same library, one of them writing. */
#ifndef MEMELENS_H
#define MEMELENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memelens_error.h"
#include "memelens_models.h"

typedef struct lens_library lens_library;

/* ---- where things are -------------------------------------------------------------------------------------------- */

/* PLACE: a folder, or the address of a database; NULL: $MEMELENS_LIBRARY, else $XDG_DATA_HOME/memelens/library, else
 * ~/.local/share/memelens/library. Does not touch the disk beyond reading: a library that is not there yet is made by lens_index. */
lens_library *lens_library_open(const char *place, lens_error *err);
void lens_library_close(lens_library *library);

/* Its absolute folder, or the address of its database as it may be shown, without a password. Lives as long as LIBRARY. */
const char *lens_library_path(const lens_library *library);

/* The same as lens_library_open takes it: the address of a database with all that is in it, a password too. */
const char *lens_library_address(const lens_library *library);

/* What a program that answers many queries keeps between them, for one library: encoders, vectors, what terms came to. Any number of threads
 * may share one, each through a lens_library of its own, by which all the functions below work as ever and see what other processes write
 * within a fifth of a second (lens_warm_refresh: at once). PLACE as above. A library that is not there yet may come later;
 * one of a newer version is refused (LENS_E_VERSION). Close the libraries before the warm. */
typedef struct lens_warm lens_warm;
lens_warm *lens_warm_new(const char *place, lens_error *err);
void lens_warm_free(lens_warm *warm);
/* Nothing is read for it any more: who waits for that gets LENS_E_CANCELLED. For a program that ends, before it waits for its threads. */
void lens_warm_end(lens_warm *warm);
void lens_warm_refresh(lens_warm *warm);
lens_library *lens_library_open_warm(lens_warm *warm, lens_error *err);
/* Between two queries: where another library was put at the place of the one that LIBRARY has open, or none is there any more, that is what is asked from here on. All
 * until then is answered by one and the same, or fails with LENS_E_AWAY. Costs a microsecond or two. */
void lens_library_follow(lens_library *library);

/* ---- decoding apart ------------------------------------------------------------------------------------------------- */

/* For the first lines of main, before there is any thread: from then on pictures are decoded in processes of their own, which are this program started
 * once more, so that a fault in a decoder costs one picture. True in such a process: its work is done, and *STATUS is what main returns. SIGCHLD is not ignored
 * from then on. A program that does not call this decodes pictures in itself. */
bool lens_decode_apart(int argc, char **argv, int *status);

/* Ends those that have nothing to do and use a processor all the same, or have begun very many threads: for a program that runs for long, about once a second. */
void lens_decode_apart_look(void);

/* Ends those that have nothing to do. They end with the program by themselves; this is for one whose own end a silent disk may hold up. */
void lens_decode_apart_end(void);

/* What of that this machine, or a program that did not ask for it, lacks: "the kernel has no seccomp". NULL: nothing. Static. */
const char *lens_decode_apart_lacks(void);

/* ---- indexing ---------------------------------------------------------------------------------------------------- */

typedef enum lens_index_event_kind {
    LENS_INDEX_PROGRESS, /* a few times a second */
    LENS_INDEX_FAILED,   /* a picture that could not be read, the first time it is met, or that a model could not have, each time: path, reason */
    LENS_INDEX_NOTE,     /* something else the person should know: reason (and path, or NULL) */
} lens_index_event_kind;

typedef struct lens_index_event {
    lens_index_event_kind kind;
    const char *path, *reason;
    int64_t done, total; /* pictures that need work: finished, and found so far */
    bool counting;       /* total is still growing */
    double seconds;      /* since the run began */
} lens_index_event;

typedef struct lens_index_options {
    const char *const *paths; /* none: every known folder is refreshed */
    size_t path_count;
    bool only_known; /* nobody names PATHS: what lies in no known folder, or was forgotten meanwhile, stays out, and where nothing is left nothing is looked at */
    const char *const *models; /* names, each may carry "@PREP"; none: those of the library that are here, or the default model */
    size_t model_count;
    const char *precision;      /* "auto", "f32", … */
    int threads;                /* 0: one for each processor this process may use */
    const char *const *exclude; /* glob patterns */
    size_t exclude_count;
    bool include_hidden;
    uint64_t max_pixels; /* of one picture */
    double wait;         /* seconds to wait for another writer, or for a database that is away */
    double lease;        /* in a database: seconds without a word from a run, after which others take up what it has in hand */
    const char *const *captions; /* files of captions to take in, and to look at again in every later run */
    size_t caption_count;
    const char *caption_file, *caption_text; /* their columns; NULL: guessed */
    int approximate; /* 1: make an approximate index of the vectors, now and in every later run in which it lags; -1: no more, and remove it; 0: as it was */
    /* Whether the file at PATH is to be taken in; what is in the library and is not wanted goes. NULL: every picture. Called from a thread of
     * its own. */
    bool (*wants)(void *context, const char *path);
    /* Called from the thread that called lens_index. Returning false stops the run: what is done is kept. */
    bool (*event)(void *context, const lens_index_event *event);
    void *context;
} lens_index_options;

lens_index_options lens_index_options_default(void);

typedef struct lens_index_report {
    int64_t indexed;   /* encoded by at least one model in this run */
    int64_t unchanged; /* known, and nothing to do */
    int64_t moved;     /* known under another name that is gone */
    int64_t removed;   /* gone */
    int64_t failed;    /* pictures that could not be read, or that a model could not have, now or earlier and still the same */
    double seconds;
    double pictures_per_second; /* of those indexed */
    int64_t library_bytes;
    int64_t captions;  /* that came, changed or went */
    bool stopped; /* by the event function */
} lens_index_report;

/* Brings the library up to date. 0 when the run reached its end or was stopped by the caller, whatever pictures failed. */
int lens_index(lens_library *library, const lens_index_options *options, lens_index_report *report, lens_error *err);

/* What the rules of LIBRARY say of PATH (absolute): it is a folder of the library, or a run over that folder comes by it; it is left out there, hidden
 * or forgotten; or nothing is known of it. -1: error. */
typedef enum lens_place { LENS_PLACE_IN, LENS_PLACE_OUT, LENS_PLACE_NEW } lens_place;
int lens_index_place(lens_library *library, const char *path, lens_error *err);

/* ---- reading what is written in pictures -------------------------------------------------------------------------- */

typedef struct lens_read_options {
    const char *languages; /* as tesseract names them: "eng", "eng+deu"; NULL: those of what was read last in the library, or else "eng" */
    int threads;           /* 0: one for each processor this process may use */
    uint64_t max_pixels;
    double wait;           /* seconds to wait for another writer, each time that something is kept */
    bool (*event)(void *context, const lens_index_event *event); /* as in lens_index_options */
    void *context;
} lens_read_options;

lens_read_options lens_read_options_default(void);

typedef struct lens_read_report {
    int64_t read, with_text; /* contents, and those in which there was something */
    int64_t failed;          /* whose files have changed since they were indexed, or cannot be read */
    int64_t absent;          /* whose files are not there now, as on a disk that is away */
    double seconds;
    bool stopped; /* by the event function */
} lens_read_report;

/* Reads every picture of the library that this version of the reader has not read yet. A kill loses a second of work, and nothing is read twice.
 * LENS_E_UNSUPPORTED where tesseract is not installed, LENS_E_MISSING where a language is not, or the library is not any more, LENS_E_AWAY where another one was put
 * in its place. 0 or -1. */
int lens_read(lens_library *library, const lens_read_options *options, lens_read_report *report, lens_error *err);

/* ---- watching ---------------------------------------------------------------------------------------------------- */

/* What changes below the folders of a library, also those that come to it later, as the kernel tells of it. Where the kernel does not (a disk
 * of the network, more folders than it watches for one user, no inotify), everything is asked for every ten minutes. */
typedef struct lens_watch lens_watch;

/* LIBRARY is the watch's alone until it is freed, and is closed after it. NULL on failure. */
lens_watch *lens_watch_new(lens_library *library, lens_error *err);
void lens_watch_free(lens_watch *watch);

/* Waits up to SECONDS. 1: something has changed and then was quiet for a second, or has been changing for ten: PATHS [COUNT] are what lens_index
 * is to look at, none for everything, and live until the next call. The first time that is everything. 0: nothing yet. -1: failed. */
int lens_watch_wait(lens_watch *watch, double seconds, const char *const **paths, size_t *count, lens_error *err);

/* The next wait asks for everything, as is right after a run that failed. */
void lens_watch_all(lens_watch *watch);

/* Why some folders are looked at every ten minutes only; NULL when none is. Lives until the next wait. */
const char *lens_watch_limit(const lens_watch *watch);

/* Whether the kernel tells of changes at all. Where it does not, it is asked again every minute. */
bool lens_watch_told(const lens_watch *watch);

/* ---- searching --------------------------------------------------------------------------------------------------- */

typedef enum lens_term_kind {
    LENS_TERM_FILE,  /* text: a path */
    LENS_TERM_BYTES, /* bytes, size: the picture itself */
    LENS_TERM_ID,    /* id: a picture of the library */
    LENS_TERM_WORDS, /* text: words */
} lens_term_kind;

enum { LENS_WEIGHT_MOST = 1000 };

typedef struct lens_term {
    lens_term_kind kind;
    const char *text;
    const void *bytes;
    size_t size;
    int64_t id;
    double weight; /* negative: away from it; LENS_WEIGHT_MOST at most, either way */
} lens_term;

/* Where pictures are decoded apart: starts the process that the first picture of TERMS needs, if there is one, which takes some milliseconds, in which the caller
 * opens a library. Nothing but time depends on it. */
void lens_decode_apart_expect(const lens_term *terms, size_t count);

/* The ways in which words find a picture. A query of words goes all ways that the library has, and the rankings are fused. */
typedef enum lens_way {
    LENS_WAY_LOOK,    /* how the picture looks: CLIP, or the map from words to what the library's model sees */
    LENS_WAY_TEXT,    /* the words themselves, in captions and in what was read in the picture */
    LENS_WAY_MEANING, /* what those mean */
    LENS_WAYS
} lens_way;
enum { LENS_BY_LOOK = 1 << LENS_WAY_LOOK, LENS_BY_TEXT = 1 << LENS_WAY_TEXT, LENS_BY_MEANING = 1 << LENS_WAY_MEANING, LENS_BY_ALL = 0 };

/* "look", "text", "meaning". Static. */
const char *lens_way_name(lens_way way);

/* One of those, or "all" -> *BY. 0 or -1. */
int lens_by_parse(const char *name, int *by, lens_error *err);

/* "800..", "..400", "400..800" or "800" (at least) -> pixels of the longer side, 0 for no bound. 0 or -1. */
int lens_size_parse(const char *text, int64_t *least, int64_t *most, lens_error *err);

typedef struct lens_search_options {
    size_t n;
    size_t offset;         /* results to leave out at the head, for the next page */
    const char *model;     /* NULL: the library's first one, or the first that knows words where a term is words */
    const char *precision; /* of the query's encoding */
    double min_score;      /* below -1: none */
    bool fold;             /* one of each group of near-identical pictures */
    bool unhub;            /* pictures that lie near to many others stand back: ranked by the cosine less half the mean cosine to the
                              picture's ten nearest others (Conneau et al., 2018); scores stay cosines */
    const char *const *in; /* only pictures at or below these folders (see lens_index for bringing them in first) */
    size_t in_count;
    const char *path;       /* only pictures whose path matches this pattern (*, ?, [a-z]; without respect to the case of ASCII); NULL: all */
    bool path_below;        /* the pattern is held against what lies below the library's folders, as "/Pictures/2020/a.jpg", and not what is above */
    int64_t after, before;  /* only files changed at or after, and before, these moments, seconds since 1970; 0: at any time */
    int64_t size_least, size_most; /* pixels of the longer side; 0: any */
    const char *const *types;      /* "jpeg", "png": only these formats; none: any */
    size_t type_count;
    const char *const *labels;     /* only pictures that lie in a folder of one of these names; none: any */
    size_t label_count;
    int by;               /* the sum of LENS_BY_LOOK, …; LENS_BY_ALL: every way that there is */
    bool leave_out_terms; /* the terms' own pictures are no results (`memelens similar`) */
    bool exact;           /* hold the query against every picture, also where the library has an approximate index */
    uint64_t max_pixels;
} lens_search_options;

lens_search_options lens_search_options_default(void);

/* What one term did for a result: SHARE is weight * cosine over the length of the weighted sum, and the shares add up to the score. */
typedef struct lens_term_share {
    double cosine, share;
} lens_term_share;

/* Where one way of finding has a result. */
typedef struct lens_way_found {
    size_t rank;  /* 1: first; 0: not among its best */
    double score; /* look, meaning: cosine; text: 0 to 1, all words one behind the other */
} lens_way_found;

typedef struct lens_result {
    double score; /* cosine; where ways were fused, 0 to 1: first in every one of them */
    int64_t id;
    char *path;
    int64_t stands_for;     /* pictures of its group, itself included; 1 without fold */
    int64_t bytes, modified; /* of the file; seconds since 1970 */
    int width, height;
    char *format;           /* "JPEG" */
    lens_term_share *terms; /* [term_count], in the order of the terms; of how it looks */
    lens_way_found found[LENS_WAYS];
    char *snippet;          /* the text that was found, about the words that were; NULL: not found by its text */
} lens_result;

typedef struct lens_results {
    lens_result *items; /* best first */
    size_t count;
    size_t term_count;
    char *model;      /* that answered */
    size_t compared;  /* pictures the query was held against */
    bool more;        /* there are results behind these */
    int by;           /* the ways that were gone */
    bool approximate; /* found by way of an approximate index: each score is exact, but some of the best pictures may be missing */
} lens_results;

/* The normalised weighted sum of the terms' vectors against every picture, exactly (but see EXACT); for words also what is written in pictures and said about them
 * ("a phrase", prefi*, -without), and what that means. Pictures that others forget meanwhile are no results, and others stand in their
 * place. The caller frees with lens_results_free. NULL on failure: LENS_E_ARGUMENT for terms that make no query,
 * LENS_E_MISSING for a library, model, file or id that is not there, LENS_E_UNSUPPORTED where nothing here can answer words. */
lens_results *lens_search(lens_library *library, const lens_term *terms, size_t term_count, const lens_search_options *options,
                          lens_error *err);
void lens_results_free(lens_results *results);

/* The name of the model that would answer a query of LIBRARY: WANTED if the library has it (NULL: its first, or the first that knows words). One that
 * is a folder also goes by the folder's name alone. The caller frees. NULL on failure. */
char *lens_library_model_name(lens_library *library, const char *wanted, bool words, lens_error *err);

/* ---- groups of near-identical pictures --------------------------------------------------------------------------- */

typedef struct lens_group {
    bool exact; /* the same bytes; else near-identical */
    struct lens_group_picture {
        int64_t id;
        char *path;
        int64_t size; /* bytes */
        int width, height;
        double score; /* cosine to the first */
    } *pictures; /* best copy first: most pixels, then most bytes, then the shortest path */
    size_t count; /* at least 2 */
} lens_group;

typedef struct lens_groups {
    lens_group *items; /* of each kind the largest first */
    size_t count;
} lens_groups;

/* Every group of the library: the exact ones first, then, unless ONLY_EXACT, the near-identical ones as MODEL sees them (NULL: the
 * library's first). NULL on failure. */
lens_groups *lens_duplicates(lens_library *library, const char *model, bool only_exact, lens_error *err);
void lens_groups_free(lens_groups *groups);

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

/* A model opened by itself, without a library: a name of the catalogue that was pulled, or a folder. */
typedef struct lens_model lens_model;

/* What a model is opened for; the sum of both for both. */
typedef enum lens_knows { LENS_PICTURES = 1, LENS_WORDS = 2 } lens_knows;

/* NAME NULL: the default model; for words, the first model of the catalogue that is here and knows pictures and words. NULL on failure.
 * Free with lens_model_close. */
lens_model *lens_model_open(const char *name, const char *precision, int knows, lens_error *err);
void lens_model_close(lens_model *model);
const char *lens_model_name(const lens_model *model);
const char *lens_model_precision(const lens_model *model);
int lens_model_dim(const lens_model *model);

/* VECTOR [dim], of length 1, of a term that is a file, bytes or words. */
int lens_model_embed(lens_model *model, const lens_term *term, uint64_t max_pixels, float *vector, lens_error *err);

/* Zero-shot classification, Radford et al. (2021), section 3.1.2: COSINES [count] of the picture TERM to each of the texts LABELS, and
 * their PROBABILITIES [count], the softmax of the cosines times the temperature that the model learnt. The labels' vectors are kept from
 * call to call while LABELS is the same array. 0 or -1. */
int lens_model_label(lens_model *model, const lens_term *term, const char *const *labels, size_t count, uint64_t max_pixels, double *cosines,
                     double *probabilities, lens_error *err);

/* The encoder alone on prepared pixels: BATCH pictures at a time, cut among THREADS workers, for about SECONDS.
 * *RATE: pictures a second. */
int lens_model_bench(lens_model *model, int batch, int threads, double seconds, double *rate, lens_error *err);

/* A picture of the library as it was when it was indexed. */
typedef struct lens_picture {
    int64_t id;
    char *path;
    int64_t bytes, modified; /* of the file; seconds since 1970 */
    int width, height;       /* upright; 0 when it failed */
    char *format;            /* "JPEG"; NULL when it failed */
    char *reason;            /* why it failed, else NULL */
} lens_picture;

/* Fills *OUT with picture ID: free it with lens_picture_free. 0, or -1: LENS_E_MISSING when there is none. */
int lens_picture_get(lens_library *library, int64_t id, lens_picture *out, lens_error *err);
void lens_picture_free(lens_picture *picture);

/* The ids of up to COUNT pictures, spread over the library, into IDS. How many; -1 on failure. */
int lens_picture_some(lens_library *library, int64_t *ids, int count, lens_error *err);

/* The upright sides of the picture that TERM, a file or bytes, is: it is decoded whole. 0 or -1. */
int lens_picture_size(const lens_term *term, uint64_t max_pixels, int *width, int *height, lens_error *err);

/* Whether the SIZE bytes begin as a picture of a kind that can be read: its name ("JPEG"), else NULL. Static. */
const char *lens_picture_kind(const void *bytes, size_t size);

/* Whether a viewer, which goes by names, would take the file at PATH for a picture too: its name ends as a picture's does (".jpg", ".HEIC", …), or has no ending. */
bool lens_viewer_sees_picture(const char *path);

/* A small upright picture of the file at PATH, within SIDE x SIDE: RGB rows without padding. The caller frees with free(). NULL on failure. */
uint8_t *lens_thumbnail(const char *path, int side, uint64_t max_pixels, int *width, int *height, lens_error *err);

/* ---- words for a model that knows pictures only -------------------------------------------------------------------- */

typedef struct lens_fit_options {
    const char *model; /* of pictures; NULL: the library's first */
    const char *out;   /* the file to write; NULL: the library's own, which queries of words take from then on */
    bool anyway;       /* write it, even where it finds no more than the built-in map */
    bool (*event)(void *context, const lens_index_event *event); /* progress; false stops */
    void *context;
} lens_fit_options;

/* The share of captions whose own picture is among the first 1, 5 and 10, by maps that were fitted without it. */
typedef struct lens_fit_recall {
    double at_1, at_5, at_10;
} lens_fit_recall;

typedef struct lens_fit_report {
    int64_t pictures, sentences; /* that were fitted on */
    size_t gallery;              /* pictures among which each caption's was looked for */
    bool has_base;               /* there is a built-in map for this model; else BEFORE says nothing */
    lens_fit_recall before, after;
    bool kept;                   /* the new map is better than the built-in one, and was written */
    char *path;                  /* where to; NULL: it was not */
} lens_fit_report;

/* Fits the map from words to pictures on the captions of LIBRARY (not on what was read in them), beside what the built-in map was fitted on. Twice the
 * same library gives twice the same bytes. LENS_E_ARGUMENT for fewer than ten captioned pictures, LENS_E_MISSING without the model of sentences, LENS_E_CANCELLED
 * when the event function stopped it. 0 or -1; free REPORT with lens_fit_report_free either way. */
int lens_fit_words(lens_library *library, const lens_fit_options *options, lens_fit_report *report, lens_error *err);
void lens_fit_report_free(lens_fit_report *report);

/* Removes the map that was fitted on LIBRARY for MODEL (NULL: its first), so that the built-in one answers again. 0 or -1: LENS_E_MISSING when there is none. */
int lens_fit_undo(lens_library *library, const char *model, lens_error *err);

/* ---- what an encoder saw, and where a score comes from ----------------------------------------------------------- */

typedef struct lens_seen {
    int side;          /* of the prepared picture, pixels */
    uint8_t *rgb;      /* [side, side, 3]: the very pixels that go into the network */
    int width, height; /* of the upright picture */
    double window[4];  /* x, y, width and height of what is in it, in units of the picture's sides: beyond 0..1 where it is padded */
    double share;      /* of the area that is in it, 0 to 1 */
    uint8_t *picture;  /* [shown_height, shown_width, 3]: the whole of it, small */
    int shown_width, shown_height;
} lens_seen;

/* What MODEL gets of TERM, a file or bytes. 0 or -1. Free with lens_seen_free. */
int lens_model_seen(const lens_model *model, const lens_term *term, uint64_t max_pixels, lens_seen *seen, lens_error *err);

/* The same for the model called NAME, of which only the configuration is read. */
int lens_seen_by(const char *name, const lens_term *term, uint64_t max_pixels, lens_seen *seen, lens_error *err);
void lens_seen_free(lens_seen *seen);

/* A share below this is worth a word: what the encoder takes for alike may be alike in that part alone. */
#define LENS_SEEN_LEAST 0.5

/* Where in one picture a score comes from. */
typedef struct lens_explained {
    int grid;       /* positions along a side of the map, which lies over the prepared picture; 0: words, which have no map */
    double *parts;  /* [grid, grid]: what each position adds to the score, or takes from it */
    double rest;    /* what belongs to no position */
    lens_seen seen; /* not of words */
} lens_explained;

/* Where the best quarter of SIDE's positions has its middle: "at the upper left", "in the middle", … in ninths of what was seen. Static. *SUM: what that
 * quarter adds up to. NULL: no position adds to the score, or memory is short. */
const char *lens_explained_place(const lens_explained *side, double *sum);

/* The score of a picture for a query: the sum of the picture's parts and rest, and as well that of the query's, where it is a picture. */
typedef struct lens_explanation {
    double score;       /* cosine, in f32 */
    const char *method; /* how the parts were found; static */
    lens_explained query, picture;
} lens_explanation;

/* For an encoder that takes the mean over positions the cosine splits exactly; CLIP's is split as Gandelsman, Efros and Steinhardt (2024) do.
 * MODEL must be opened in "f32". NULL on failure: LENS_E_UNSUPPORTED for a model without a map. Free with lens_explanation_free. */
lens_explanation *lens_model_explain(lens_model *model, const lens_term *query, const lens_term *picture, uint64_t max_pixels, lens_error *err);
/* The same for the model of LIBRARY that is called NAME (NULL: its first, or the first that knows words where QUERY is words), which must still be what
 * made its vectors. With a warm library it stays open until another one is explained. */
lens_explanation *lens_explain(lens_library *library, const char *name, const lens_term *query, const lens_term *picture, uint64_t max_pixels, lens_error *err);
void lens_explanation_free(lens_explanation *explanation);

/* EXPLANATION as one picture, RGB rows: the query at the left (unless it is words), the result at the right; above with the map laid over what
 * was seen and the rest dimmed, below as the network got them. What adds to the score is warm, what takes from it cold. SIDE: pixels of
 * each of the four. The caller frees with free(). NULL on failure. */
uint8_t *lens_explanation_draw(const lens_explanation *explanation, int side, int *width, int *height, lens_error *err);

/* RGB rows as the bytes of a file; the caller frees *BYTES with free(). 0 or -1. */
int lens_png(const uint8_t *rgb, int width, int height, void **bytes, size_t *size, lens_error *err);
int lens_jpeg(const uint8_t *rgb, int width, int height, int quality, void **bytes, size_t *size, lens_error *err);

/* ---- what there is ----------------------------------------------------------------------------------------------- */

typedef struct lens_status {
    char *library;
    int64_t pictures, contents, failed, bytes; /* contents: pictures that differ in their bytes */
    char **folders, **forgotten;
    bool *folder_present; /* whether each folder is there now */
    size_t folder_count, forgotten_count;
    struct lens_status_model {
        char *name;
        int dim;
        int64_t vectors, bytes;
        bool present; /* it is here; else nothing new is indexed with it */
        bool words; /* it can answer queries of words */
        int64_t approximate, approximate_bytes; /* vectors in its approximate index; 0: it has none */
    } *models;
    size_t model_count;
    struct lens_status_failure {
        char *path, *reason;
    } *failures;
    size_t failure_count;
    int64_t captions;        /* texts that came from outside */
    int64_t read, with_text; /* contents that were read, and those in which there was something */
    char **caption_files;    /* that were taken in, and are looked at in every run */
    bool *caption_file_present;
    size_t caption_file_count;
    int64_t sentences;       /* contents whose texts can be found by what they mean */
    struct lens_status_worker { /* of a library that many index into */
        char *name;             /* "MACHINE:PROCESS" */
        int64_t taken, written; /* pictures that it has in hand; that it has written in this run */
        double per_second;      /* written, since it began */
        double heard;           /* seconds since it was last heard of */
        bool lost;              /* for so long that what it has taken is anyone's */
    } *workers;
    size_t worker_count;
    int64_t waiting; /* pictures that are found and that no worker has taken */
} lens_status;

/* NULL on failure. LENS_E_MISSING when there is no library. */
lens_status *lens_status_get(lens_library *library, lens_error *err);
void lens_status_free(lens_status *status);

/* What is written about a picture: the captions, a line each, and what was read in it; "" for none. */
typedef struct lens_written {
    int64_t id;
    const char *path, *captions, *read; /* while the function runs */
} lens_written;

/* Calls EACH for every picture about which something is written, until it returns other than 0, which is then returned. -1 on failure. */
int lens_written_each(lens_library *library, int (*each)(void *context, const lens_written *written), void *context, lens_error *err);

/* The same about picture ID, caption by caption. Free with lens_texts_free. 0, also when nothing is written, or -1. */
typedef struct lens_texts {
    char **captions;
    size_t caption_count;
    char *read; /* "" for nothing */
} lens_texts;

int lens_texts_get(lens_library *library, int64_t id, lens_texts *out, lens_error *err);
void lens_texts_free(lens_texts *texts);

/* Takes pictures out of the library; the files stay. *REMOVED: pictures. A path that nothing is known of is LENS_E_MISSING. -1 with *REMOVED pictures, and a
 * message that says so: they are forgotten, and the room they took could not be given back, mostly for want of some. */
int lens_forget_path(lens_library *library, const char *path, int64_t *removed, lens_error *err);
int lens_forget_model(lens_library *library, const char *model, lens_error *err);

/* Takes out what the file of captions at PATH said, and looks at it no more. *REMOVED: captions. LENS_E_MISSING when the library knows of no such file. */
int lens_forget_captions(lens_library *library, const char *path, int64_t *removed, lens_error *err);
int lens_forget_all(lens_library *library, int64_t *removed, lens_error *err);

/* Looks for faults in the library, calling FAULT (may be NULL) with a line for each. The number of faults, or -1. */
int lens_check(lens_library *library, void (*fault)(void *context, const char *line), void *context, lens_error *err);

/* How much of the truth the approximate index of a model finds, on the library's own vectors: some pictures are queries, themselves left out, by way of the
 * index and exactly, in turns. */
typedef struct lens_recall {
    char *model;
    int64_t vectors, covered; /* of the model; in its approximate index, 0: there is none, and what follows says nothing */
    size_t queries;
    double recall;            /* of the ten best of each, the share that was found */
    double exact_seconds, approximate_seconds; /* of a query */
} lens_recall;

/* Measures MODEL (NULL: the library's first) by QUERIES pictures. 0 or -1; free OUT with lens_recall_free. */
int lens_check_recall(lens_library *library, const char *model, size_t queries, lens_recall *out, lens_error *err);
void lens_recall_free(lens_recall *recall);

/* ---- moving a library -------------------------------------------------------------------------------------------- */

typedef struct lens_same {
    int64_t records;
    char digest[33]; /* of all of them, in order: two libraries with one digest hold the same */
} lens_same;

/* Holds LIBRARY against the library OTHER, a folder or the address of a database: rules, models, contents, pictures, sources, texts and vectors, each with its
 * ids and to the last bit. Calls DIFFERENCE with a line for each part that is not the same. *OUT (may be NULL): about LIBRARY. How many parts differ, or -1. */
int lens_check_same(lens_library *library, const char *other, void (*difference)(void *context, const char *line), void *context, lens_same *out, lens_error *err);

typedef struct lens_copy_event {
    const char *step;    /* "pictures" */
    int64_t done, total; /* records, about: each is brought, and then compared */
    double seconds;      /* so far */
} lens_copy_event;

typedef struct lens_copy_options {
    bool update; /* TO is an earlier copy of FROM: what FROM has no more, or has otherwise, goes from it */
    bool (*event)(void *context, const lens_copy_event *event); /* may be NULL; false: stop, keeping what was copied. LENS_E_CANCELLED */
    void *context;
} lens_copy_options;

typedef struct lens_copy_report {
    int64_t there, copied, removed; /* records that TO had already, got, and lost */
    lens_same same;                 /* what both hold now */
    bool changed;                   /* FROM was written to meanwhile: TO is as FROM was in the beginning */
    double seconds;
} lens_copy_report;

/* Makes a library TO that is the same as FROM in everything that lens_check_same looks at, which it does in the end; FROM is only read. Folders or databases,
 * either way. A copy that was killed or interrupted while it wrote is gone on with by the next call, and until it is whole nobody else can open it. TO is empty, or
 * has nothing that FROM has not: else LENS_E_ARGUMENT, and nothing was changed. An earlier copy is written to only when all of FROM has been read: where that has a
 * record that cannot be read or copied (LENS_E_FORMAT), the earlier copy stays as it is. */
int lens_copy(const char *from, const char *to, const lens_copy_options *options, lens_copy_report *report, lens_error *err);

/* ---- pictures of the web, and what else there is ------------------------------------------------------------------ */

typedef struct lens_fetch_options {
    uint64_t max_bytes;
    double seconds;     /* all of it must be over by then */
    bool allow_private; /* also from this machine, its networks, and other ports than 80 and 443; a server that fetches for strangers says false */
    bool (*go_on)(void *context); /* asked about once a second; false: LENS_E_CANCELLED. May be NULL */
    void *context;
} lens_fetch_options;

/* 512 MiB, two minutes, private addresses too. */
lens_fetch_options lens_fetch_options_default(void);

/* The picture at URL, http or https, into *BYTES (the caller frees) and *SIZE. What does not begin as a picture of some known kind is
 * refused. Messages name the address without passwords. */
int lens_fetch_picture(const char *url, const lens_fetch_options *options, void **bytes, size_t *size, lens_error *err);

/* How many threads are used where none are asked for: the processors that this process may run on. */
int lens_default_threads(void);

/* "0.1.0" */
const char *lens_version(void);

#endif
