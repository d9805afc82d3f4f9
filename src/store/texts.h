/* The words of a library: captions from outside, what was read in pictures, and the vectors of both as sentences. A library of a version without
 * words has none, and gives none. */
#ifndef LENS_STORE_TEXTS_H
#define LENS_STORE_TEXTS_H

#include "store/store.h"

/* ---- sources: the files that captions come from ------------------------------------------------------------------ */

typedef enum lens_source_kind {
    LENS_SOURCE_FILE = 1, /* captions of many pictures */
    LENS_SOURCE_SIDECAR,  /* of the picture that it lies beside */
    LENS_SOURCE_EMBEDDED, /* the pictures' own files; its path is "" */
} lens_source_kind;

typedef struct lens_store_source {
    int64_t id;
    char *path;
    lens_source_kind kind;
    int64_t size, mtime_ns; /* when it was read last; -1: not yet */
    char *settings;         /* the library's own text, or NULL */
} lens_store_source;

typedef struct lens_store_sources {
    lens_store_source *items;
    size_t count;
} lens_store_sources;
void lens_store_sources_free(lens_store_sources *sources);

/* All of KIND, in order of path. */
int lens_store_sources_list(lens_store *store, lens_source_kind kind, lens_store_sources *out, lens_error *err);

/* The id of the source at PATH, which is of KIND from now on (but a file of captions of many pictures stays one), added when it is new. SETTINGS (may be NULL: as it was) replace those it had. */
int lens_store_source_put(lens_store *store, const char *path, lens_source_kind kind, const char *settings, int64_t *id, lens_error *err);

/* SETTINGS replace those of the source, if it is still there. */
int lens_store_source_settings(lens_store *store, int64_t id, const char *settings, lens_error *err);

/* Takes a source out, with all that it said. */
int lens_store_source_remove(lens_store *store, int64_t id, lens_error *err);

/* ---- captions ---------------------------------------------------------------------------------------------------- */

typedef struct lens_store_caption {
    int64_t picture;
    const char *text, *folded; /* UTF-8; FOLDED: its words as they are searched, a blank between */
} lens_store_caption;

/* To be called before the names of pictures are read that captions are then told apart by: what another process names or takes out after that is nothing that
 * lens_store_captions_write knows of. */
int lens_store_names_begin(lens_store *store, lens_error *err);

/* All that SOURCE says from now on, in one transaction, with the size and time that its file had: at most one caption a picture. What is as it was
 * is left alone. WHOLE: what else it said before goes; else it stays, and a caption that is "" takes what was said about its picture away. *CHANGED (may be NULL): captions that came, went or changed.
 * Where others name pictures at the same time (lens_store_names_begin), what is said of those that they named stays, and the file counts as not yet read; what is said of pictures
 * that they took out, or by a source that they did, is left out. */
int lens_store_captions_write(lens_store *store, int64_t source, int64_t size, int64_t mtime_ns, const lens_store_caption *captions, size_t count,
                              bool whole, int64_t *changed, lens_error *err);

/* Between the two, what is written of sources and captions is one transaction, which costs a tenth where there are many: all or nothing, and after a
 * failure there must be no more writing before the end. Nothing else that may take long stands between them, least of all a person's disk: others wait for
 * their turn, and a server ends one in which it is asked nothing for half a minute. RESULT other than 0: nothing of it stays. */
int lens_store_batch_begin(lens_store *store, lens_error *err);
int lens_store_batch_end(lens_store *store, int result, lens_error *err);

/* ---- reading what is written in pictures ------------------------------------------------------------------------- */

typedef struct lens_store_reading {
    int64_t content;
    const char *text, *folded; /* "" when there is nothing to be read */
} lens_store_reading;

/* Keeps what VERSION of a reader read, instead of what another one read before, in one transaction. OF (may be NULL): the library whose contents they are
 * (lens_store_which); where STORE is another, which has other contents by these numbers, nothing is written. 0; 1: it is another; -1. */
int lens_store_readings_write(lens_store *store, const lens_store_file *of, const char *version, const lens_store_reading *readings, size_t count, lens_error *err);

/* Up to COUNT contents behind AFTER that VERSION has not read, in order, into CONTENTS. How many; -1 on error. */
int lens_store_readings_missing(lens_store *store, const char *version, int64_t after, int64_t *contents, int count, lens_error *err);

/* The version that read last; *VERSION is NULL when nothing was ever read. The caller frees. */
int lens_store_readings_version(lens_store *store, char **version, lens_error *err);

/* How many contents VERSION (NULL: any) has read, and in how many there was something. */
int lens_store_readings_count(lens_store *store, const char *version, int64_t *read, int64_t *with_text, lens_error *err);

/* How many captions there are. -1 on error. */
int64_t lens_store_caption_count(lens_store *store, lens_error *err);

/* ---- searching --------------------------------------------------------------------------------------------------- */

typedef struct lens_store_text {
    int64_t id;
    int64_t picture; /* of a caption, else 0 */
    int64_t content; /* of what was read, else 0 */
    int64_t source;  /* of a caption, else 0 */
    const char *text, *folded;
} lens_store_text;

/* Calls EACH with the texts that MATCH, an expression of FTS5 over folded words, until it returns other than 0, which is then returned. RANKED:
 * the best by BM25 first (Robertson and Zaragoza, 2009), which looks at all of them before the first comes. */
typedef int (*lens_store_text_each)(void *context, const lens_store_text *text);
int lens_store_texts_match(lens_store *store, const char *match, bool ranked, lens_store_text_each each, void *context, lens_error *err);

/* The same for what is said about picture ID, and what was read in it. */
int lens_store_texts_of(lens_store *store, int64_t id, lens_store_text_each each, void *context, lens_error *err);

/* Calls EACH with every word of the texts, in order of bytes, and how many texts have it. */
typedef int (*lens_store_word_each)(void *context, const char *word, size_t size, int64_t texts);
int lens_store_words(lens_store *store, lens_store_word_each each, void *context, lens_error *err);

/* Makes the index of the texts' words anew when it is not like the texts, which lens_store_check says too. */
int lens_store_texts_mend(lens_store *store, bool *mended, lens_error *err);

/* How many texts there are that say something; 0: no words in this library. -1 on error. */
int64_t lens_store_text_count(lens_store *store, lens_error *err);

/* Calls EACH with the id of every picture that holds CONTENT. */
int lens_store_picture_ids(lens_store *store, int64_t content, int (*each)(void *context, int64_t id), void *context, lens_error *err);

/* ---- sentences --------------------------------------------------------------------------------------------------- */

/* Up to COUNT contents behind AFTER that have texts, but no vector of MODEL (of sentences), in order, into CONTENTS. How many; -1 on error. */
int lens_store_sentences_missing(lens_store *store, int64_t model, int64_t after, int64_t *contents, int count, lens_error *err);

/* Calls EACH with every text of CONTENT that says something: what was read, and the captions of all its pictures. */
int lens_store_texts_of_content(lens_store *store, int64_t content, lens_store_text_each each, void *context, lens_error *err);

/* Writes VECTORS [count, dim], each of length 1, of CONTENTS as MODEL sees them, in one transaction. In a database those that are gone are left out. */
int lens_store_sentences_write(lens_store *store, int64_t model, const int64_t *contents, const float *vectors, size_t count, lens_error *err);

#endif
