/* What is in a library, wherever it is: in a folder (folder/: a SQLite database beside one append-only vector file a model) or in a database of PostgreSQL
 * (postgres/: rows and pgvector's vectors).
 *
 * Three tables carry the weight. A CONTENT is a run of bytes that is a picture, known by its hash; a PICTURE is a path
 * that holds (or failed to hold) a content; a VECTOR is a content as one model sees it, a slot in that model's vector
 * file. So a moved file, or the same file saved twice, is encoded once.
 *
 * Writing order: vectors are appended and synced before the transaction that names them commits. A kill at any moment
 * loses at most what was not yet written; what was appended without a row is cut off by the next writer. A slot that was
 * committed is never written again, so a reader's view stays true however long it is held.
 *
 * Words hang on both: what is said about a picture on the PICTURE, what was read in it on the CONTENT (texts.h).
 *
 * A store belongs to one thread at a time. Paths are absolute, as lens_path_absolute gives them, and bytes, not text. */
#ifndef LENS_STORE_STORE_H
#define LENS_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/names.h"

typedef struct lens_store lens_store;

typedef enum lens_store_mode {
    LENS_STORE_READ,   /* LENS_E_MISSING when there is no library in the folder */
    LENS_STORE_WRITE,  /* makes the library when it is missing, and takes the writer's lock */
    LENS_STORE_CHANGE, /* to write too, but LENS_E_MISSING when there is no library: another may be about to be put there */
    LENS_STORE_COPY,   /* as to write, for who copies another library there (copying.h), one at a time: an unfinished copy opens in no other way */
} lens_store_mode;

/* Whether PLACE is the address of a database, "postgresql://…" (or "postgres://…"), as libpq takes it; else it is a folder. */
bool lens_store_place_is_database(const char *place);

/* PLACE as it may be shown: without a password. NULL when memory is short. The caller frees. */
char *lens_store_place_shown(const char *place);

/* Opens the library at PLACE. In a folder, reading works where nothing can be written too (a folder of someone else's, a read-only
 * disk), as long as no interrupted run left rows in the log. One writer at a time, any number of readers beside it; when
 * another process writes, waits up to WAIT seconds for it, then fails with LENS_E_BUSY. In a database any number write, in turns, and WAIT is how long a
 * server that cannot be reached, now or later, is tried again. A library of a newer version is LENS_E_VERSION; an unfinished copy is LENS_E_UNSUPPORTED. */
lens_store *lens_store_open(const char *place, lens_store_mode mode, double wait, lens_error *err);

/* Asks GO_ON some times a second while STORE waits for its turn to write, or for a server that cannot be reached: false ends the wait, and what was asked for
 * fails with LENS_E_CANCELLED. In a folder nothing waits but lens_store_open. */
void lens_store_wait_while(lens_store *store, bool (*go_on)(void *context), void *context);
void lens_store_close(lens_store *store);

/* ---- folders ---------------------------------------------------------------------------------------------------- */

/* The folders and files that were named to be indexed, and the paths that were forgotten. Each is a rule for all that is
 * below it; the nearest rule wins. Absolute paths, sorted. */
int lens_store_roots(lens_store *store, lens_names *out, lens_error *err);
int lens_store_forgotten(lens_store *store, lens_names *out, lens_error *err);

/* Names PATH to be indexed: adds the root unless a root above covers it, with neither a forgotten rule nor a hidden name
 * (one that begins with a dot, which a walk passes by) between; drops the forgotten rule for PATH itself. Roots below
 * PATH stay: one of them may be a disk that is absent now, of which nothing must be lost. */
int lens_store_add_root(lens_store *store, const char *path, lens_error *err);

/* Drops the forgotten rule for PATH itself, if there is one, and adds no root: for what a walk from a root above comes by, whatever it is called. */
int lens_store_remember(lens_store *store, const char *path, lens_error *err);

/* How the root PATH is to be walked: text that means something to the library only. *SETTINGS: NULL when there is none
 * (or no such root); the caller frees. */
int lens_store_root_settings(lens_store *store, const char *path, char **settings, lens_error *err);
int lens_store_set_root_settings(lens_store *store, const char *path, const char *settings, lens_error *err);

/* Removes the pictures, the rules and what is known of files beside pictures, at or below PATH, and remembers that it stays out ("/": everything goes, where
 * words came from and the list of words too, and there is nothing to remember). *REMOVED: pictures. */
int lens_store_forget(lens_store *store, const char *path, int64_t *removed, lens_error *err);

/* ---- models ----------------------------------------------------------------------------------------------------- */

typedef struct lens_store_model {
    int64_t id;
    char *name; /* with "@PREP" */
    int dim;
    lens_hash fingerprint;
    int64_t vectors;    /* rows */
    int64_t file_bytes; /* of its vector file */
} lens_store_model;

typedef struct lens_store_models {
    lens_store_model *items;
    size_t count;
} lens_store_models;
void lens_store_models_free(lens_store_models *models);

/* In the order in which they were added; those of sentences (see texts below) apart. */
int lens_store_models_list(lens_store *store, lens_store_models *out, lens_error *err);
int lens_store_sentence_models(lens_store *store, lens_store_models *out, lens_error *err);

/* The id of model NAME, added (with an empty vector file) when it is new. When NAME is there with another dimension or
 * fingerprint: LENS_E_FORMAT, and the message says how to begin anew. */
int lens_store_add_model(lens_store *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err);

int lens_store_add_sentence_model(lens_store *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err);

/* Removes model NAME with its vectors. LENS_E_MISSING when it is not there; in a database LENS_E_BUSY while others read its vectors, as a copy does. */
int lens_store_forget_model(lens_store *store, const char *name, lens_error *err);

/* ---- pictures --------------------------------------------------------------------------------------------------- */

typedef struct lens_store_picture {
    int64_t id;
    char *path;
    int64_t size;     /* bytes */
    int64_t mtime_ns; /* since the epoch */
    int64_t content;  /* 0 when it failed */
    int width, height;
    char *format; /* "JPEG"; NULL when it failed */
    char *reason; /* why it failed; NULL when it did not */
} lens_store_picture;
void lens_store_picture_free(lens_store_picture *picture);

/* 1 when found (OUT is then filled: free it), 0 when not, -1 on error. */
int lens_store_picture_by_path(lens_store *store, const char *path, lens_store_picture *out, lens_error *err);
int lens_store_picture_by_id(lens_store *store, int64_t id, lens_store_picture *out, lens_error *err);

/* The seconds of MTIME_NS, rounded down. */
static inline int64_t lens_store_seconds(int64_t mtime_ns)
{
    return mtime_ns / 1000000000 - (mtime_ns % 1000000000 < 0);
}

/* The nanoseconds of SECONDS, a bound for files' times: what lies beyond them is INT64_MIN or INT64_MAX. */
static inline int64_t lens_store_nanoseconds(int64_t seconds)
{
    const int64_t most = INT64_MAX / 1000000000;
    return seconds <= -most ? INT64_MIN : seconds >= most ? INT64_MAX : seconds * 1000000000;
}

/* The ids of up to COUNT pictures with a content, spread evenly, into IDS. How many; -1 on error. */
int lens_store_pictures_some(lens_store *store, int64_t *ids, int count, lens_error *err);

/* 1 and *CONTENT when a content with HASH is known, else 0; -1 on error. */
int lens_store_content_by_hash(lens_store *store, lens_hash hash, int64_t *content, lens_error *err);

/* Calls EACH for every picture of CONTENT (0: every picture that failed), in order of path, until it returns other than 0,
 * which is then returned. The picture lives during the call. EACH may read from the store, but not write to it. */
typedef int (*lens_store_each)(void *context, const lens_store_picture *picture);
int lens_store_pictures_of(lens_store *store, int64_t content, lens_store_each each, void *context, lens_error *err);

/* 1 and OUT, the picture of CONTENT with the smallest id above AFTER; 0 when there is none; -1 on error. */
int lens_store_picture_next(lens_store *store, int64_t content, int64_t after, lens_store_picture *out, lens_error *err);

/* Calls EACH, as above, for every picture that has a content, in no order. */
int lens_store_pictures_each(lens_store *store, lens_store_each each, void *context, lens_error *err);

/* 1 when CONTENT has a vector of MODEL, 0 when not, -1 on error. */
int lens_store_has_vector(lens_store *store, int64_t model, int64_t content, lens_error *err);

/* One picture to be written. Strings and vectors are the caller's. */
typedef struct lens_store_entry {
    const char *path;
    int64_t size, mtime_ns;
    const char *reason; /* not NULL: it failed, and nothing below counts */
    lens_hash hash;
    int width, height; /* 0: not decoded, because the content is known; it keeps what is known of it */
    const char *format;
    int64_t moved_from; /* the id of the picture that this one was before it was renamed, else 0 */
    size_t vector_count; /* may be 0 when the content is known */
    const struct lens_store_vector {
        int64_t model;
        const float *values; /* [dim of the model] */
    } *vectors;
    /* What SOURCE (texts.h) says about it from now on, and its words as they are searched; "": nothing any more; NULL: as it was. */
    const char *text, *folded;
    int64_t source;
} lens_store_entry;

/* Writes COUNT entries in one transaction, after their vectors are on the disk; a path that is there is replaced and
 * keeps its id, and a picture that moved here keeps the id it had (moves within a batch may cross). A content that has a
 * vector of the model keeps it. IDS (may be NULL) gets the pictures' ids. All or nothing, and on the disk when it
 * returns. LENS_E_ARGUMENT for a vector that lens_store_is_unit refuses: ask before, so that one picture cannot sink its
 * batch. Between lens_store_work_begin and _end two kinds of entries are left out, with the id 0: what is forgotten, and what counts on a content that is
 * gone, which goes back on the list. */
int lens_store_write(lens_store *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err);

/* Whether VALUES [dim] is finite and of length 1 (to 0.0005), as every vector in a library is. */
bool lens_store_is_unit(const float *values, int dim);

/* Seen marks live with the open store: clear them, mark what a walk met, keep what lies at or below a path that it could
 * not look into, then sweep away the pictures at or below ROOT that were neither met nor kept, save those below a root
 * of their own further down. *REMOVED: pictures that are gone. Contents that no picture holds any more go with them. */
int lens_store_met_clear(lens_store *store, lens_error *err);
int lens_store_met_mark(lens_store *store, int64_t id, lens_error *err);
int lens_store_met_keep(lens_store *store, const char *path, lens_error *err);
int lens_store_sweep(lens_store *store, const char *root, int64_t *removed, lens_error *err);

/* ---- reading vectors -------------------------------------------------------------------------------------------- */

/* Every picture that has a vector of MODEL and lies at or below one of FOLDERS (all, when folder_count is 0), in order of
 * id. Row i: the dim floats at data + slots[i] * dim belong to picture ids[i]. Free with lens_store_vectors_free. */
typedef struct lens_store_vectors {
    const float *data; /* mapped, read-only */
    uint32_t *slots;
    int64_t *ids;
    size_t count;
    int dim;
    const void *map;
    size_t map_size;
    size_t committed;   /* slots that were ever written, dead ones with them: what is in them never changes */
    lens_hash identity; /* of the file: no two, ever, have the same */
    char *copy, *near, *cells; /* the paths of files beside it for what is worked out from it, in bytes, about neighbours, and how to find them; removed
                                   with it. NULL: there is no place for such files */
} lens_store_vectors;
int lens_store_vectors_open(lens_store *store, int64_t model, const char *const *folders, size_t folder_count,
                            lens_store_vectors *out, lens_error *err);
void lens_store_vectors_free(lens_store_vectors *vectors);
/* What lies in MODEL's file, and beside it, without any rows. LENS_E_UNSUPPORTED where there is no file. Free with lens_store_vectors_free. */
int lens_store_vectors_file(lens_store *store, int64_t model, lens_store_vectors *out, lens_error *err);

/* Whether picture ID has a row, and which; without, where it would stand. */
bool lens_store_vectors_row(const lens_store_vectors *vectors, int64_t id, size_t *row);

/* Whether they are of DIM numbers, as a model has that was asked for at another time: 0, or -1 with LENS_E_FORMAT. */
int lens_store_vectors_fit(const lens_store_vectors *vectors, int dim, lens_error *err);

/* Room for ROWS rows of VECTORS->dim numbers, in VECTORS, which are none: ids, slots and data, which is returned to be written to. NULL when memory is
 * short, or they would be more than there can be. */
float *lens_store_vectors_room(lens_store_vectors *vectors, size_t rows);

/* Fills SHAPES [vectors->count] with width / height of each row's picture. */
int lens_store_vectors_shapes(lens_store *store, const lens_store_vectors *vectors, float *shapes, lens_error *err);

/* Which pictures may be results. Start with lens_store_filter_none. */
typedef struct lens_store_filter {
    const char *pattern;    /* of paths (NULL: any): SQLite's GLOB, without respect to the case of ASCII */
    bool below;             /* it is held against a path from the name of the root that it lies in, as "/Pictures/2020/a.jpg", so that nobody finds out by
                               patterns what is above */
    int64_t after, before;  /* the file was changed at or after, and before, seconds since 1970 */
    int64_t size_least, size_most; /* pixels of the longer side */
    const char *const *formats;    /* "JPEG", one of them, whatever the case; none: any */
    size_t format_count;
    const char *const *labels;     /* the name of the folder that it lies in, one of them, whatever the case of ASCII; none: any */
    size_t label_count;
} lens_store_filter;
#define lens_store_filter_none ((lens_store_filter){.after = INT64_MIN, .before = INT64_MAX, .size_most = INT64_MAX})

/* Leaves in VECTORS, which must own its rows, only the pictures that FILTER lets in. */
int lens_store_vectors_narrow(lens_store *store, lens_store_vectors *vectors, const lens_store_filter *filter, lens_error *err);

/* ---- searching where the vectors are ----------------------------------------------------------------------------- */

/* Whether STORE searches by itself, as a database does; the functions of this part are for those alone. Else all vectors are here to be looked at. */
bool lens_store_searches(const lens_store *store);

/* Which pictures may be results: those at or below one of FOLDERS (all, when there are none) that FILTER (NULL: any) lets in, and not WITHOUT (ids). */
typedef struct lens_store_scope {
    const char *const *folders;
    size_t folder_count;
    const lens_store_filter *filter;
    const int64_t *without;
    size_t without_count;
} lens_store_scope;

/* The WANTED pictures of SCOPE, or some more, whose vectors of MODEL are nearest to QUERY [dim], as lens_store_vectors_open gives them. EXACT: by looking at
 * all of them; else by the approximate index, where there is one. LENS_E_FORMAT where MODEL has another number of dimensions than DIM. */
int lens_store_nearest(lens_store *store, int64_t model, const float *query, int dim, const lens_store_scope *scope, size_t wanted, bool exact,
                       lens_store_vectors *out, lens_error *err);

/* Those of the pictures IDS [count] that lie in SCOPE, the same way. */
int lens_store_vectors_of(lens_store *store, int64_t model, const int64_t *ids, size_t count, const lens_store_scope *scope, lens_store_vectors *out,
                          lens_error *err);

/* How many pictures lie in SCOPE; and their ids, in order, which the caller frees. */
int lens_store_scope_count(lens_store *store, int64_t model, const lens_store_scope *scope, int64_t *count, lens_error *err);
int lens_store_scope_ids(lens_store *store, int64_t model, const lens_store_scope *scope, int64_t **ids, size_t *count, lens_error *err);

/* Mean and deviation of the cosines of QUERY [dim] with the vectors of MODEL, from some 500 of them. */
int lens_store_spread(lens_store *store, int64_t model, const float *query, int dim, double *mean, double *deviation, lens_error *err);

/* Whether the library wants approximate indices of its vectors, and saying so; making MODEL's, which may take long, where there is none (*MADE); removing it;
 * and how many vectors it covers, with its bytes: 0 when there is none, -1 on error. */
int lens_store_approximate_wanted(lens_store *store, bool *wanted, lens_error *err);
int lens_store_approximate_want(lens_store *store, bool wanted, lens_error *err);
int lens_store_approximate_make(lens_store *store, int64_t model, bool *made, lens_error *err);
int lens_store_approximate_drop(lens_store *store, int64_t model, lens_error *err);
int64_t lens_store_approximate_covered(lens_store *store, int64_t model, int64_t *bytes, lens_error *err);

/* ---- work that many share ---------------------------------------------------------------------------------------- */

/* Whether many may index into STORE at once, as into a database; the functions of this part are for those alone. */
bool lens_store_shares_work(const lens_store *store);

/* A file that is to be looked at. */
typedef struct lens_store_work {
    char *path;
    int64_t size, mtime_ns;
} lens_store_work;
void lens_store_work_free(lens_store_work *items, size_t count); /* the paths only */

/* Makes this store a worker called NAME, whose lease must be renewed every LEASE seconds: what a worker without one has taken is free to be taken again.
 * It works for MODELS [model_count] only, with others that do. *WORKER: its number, by which other stores of the same process take work for it. Ended by
 * lens_store_work_end, or by letting the lease run out. */
int lens_store_work_begin(lens_store *store, const char *name, const int64_t *models, size_t model_count, double lease, int64_t *worker, lens_error *err);
int lens_store_work_renew(lens_store *store, int64_t worker, double lease, lens_error *err);
int lens_store_work_end(lens_store *store, int64_t worker, lens_error *err);

/* Gives back what WORKER has taken. */
int lens_store_work_release(lens_store *store, int64_t worker, lens_error *err);

/* Puts ITEMS [count] on WORKER's list; one that is there stays as it is. */
int lens_store_work_offer(lens_store *store, int64_t worker, const lens_store_work *items, size_t count, lens_error *err);

/* Takes up to COUNT of the items at or below one of WITHIN for WORKER, in order of path, into ITEMS. How many; -1 on error. lens_store_write takes them off
 * the list in the transaction that writes them. */
int lens_store_work_claim(lens_store *store, int64_t worker, const lens_names *within, lens_store_work *items, int count, lens_error *err);

/* Takes PATH off WORKER's list: there is nothing to be written. */
int lens_store_work_drop(lens_store *store, int64_t worker, const char *path, lens_error *err);

/* How many items at or below one of WITHIN are on WORKER's list, whoever has taken them, and *OWN of them it has taken itself. -1 on error. */
int64_t lens_store_work_left(lens_store *store, int64_t worker, const lens_names *within, int64_t *own, lens_error *err);

/* The longest path, in bytes, that STORE takes: a little less while it is a worker for many models. */
size_t lens_store_path_most(const lens_store *store);

typedef struct lens_store_worker {
    char *name;
    int64_t taken, written; /* items that it holds, and has written since it began */
    double seconds;         /* since it began */
    double heard;           /* seconds since its lease was renewed */
    bool lost;              /* its lease ran out */
} lens_store_worker;
typedef struct lens_store_workers {
    lens_store_worker *items;
    size_t count;
    int64_t free; /* items that nobody has taken */
} lens_store_workers;
int lens_store_workers_list(lens_store *store, lens_store_workers *out, lens_error *err);
void lens_store_workers_free(lens_store_workers *workers);

/* ---- the library as others change it ------------------------------------------------------------------------------ */

/* A number that is another one after another connection has written to the library; where that cannot be told, on a read-only disk within a second of it, at
 * each look. */
int lens_store_version(lens_store *store, int64_t *version, lens_error *err);

/* Which library is read: the disk and the number of its file, which no other has while this one is open. Of a database 0: there the version is another one too where
 * the library was dropped and made anew. */
typedef struct lens_store_file {
    uint64_t device, number;
} lens_store_file;
lens_store_file lens_store_file_of(const lens_store *store);
bool lens_store_file_same(lens_store_file a, lens_store_file b);

/* The same of a database too, as it is now: the numbers of it and of its table; and of a folder that is written to. 0 or -1. */
int lens_store_which(lens_store *store, lens_store_file *which, lens_error *err);

/* Whether what STORE reads lies at its place no more: it was moved away or removed, and maybe another library was put there. That costs a microsecond or two; of a
 * database it is never so. */
bool lens_store_moved(const lens_store *store);

/* From here to the end all that is read is of one moment, and reading many rows costs a third: each statement by itself takes and drops locks. Not
 * for long: a log that is being read does not shrink. Not twice at once. */
int lens_store_moment_begin(lens_store *store, lens_error *err);
void lens_store_moment_end(lens_store *store);

/* ---- the whole -------------------------------------------------------------------------------------------------- */

typedef struct lens_store_counts {
    int64_t pictures; /* with a content */
    int64_t failed;
    int64_t contents;
    int64_t bytes; /* of the library's files */
} lens_store_counts;
int lens_store_count(lens_store *store, lens_store_counts *out, lens_error *err);

/* Rewrites vector files in which more than a quarter (ALWAYS: any) of the slots are dead, each switched in one
 * transaction. */
int lens_store_compact(lens_store *store, bool always, lens_error *err);

/* Looks at everything: the database's own check, every vector file's header and length, every vector finite and of
 * length 1, no slot used twice, nothing pointing nowhere, every text in the index of words. Calls FAULT with one line each. Returns the number of faults,
 * or -1. */
int lens_store_check(lens_store *store, void (*fault)(void *context, const char *line), void *context, lens_error *err);

#endif
