/* What the files of src/store/folder share, and nobody else sees. */
#ifndef LENS_STORE_FOLDER_INTERNAL_H
#define LENS_STORE_FOLDER_INTERNAL_H

#include <sqlite3.h>
#include <string.h>

#include "store/folder/folder.h"
#include "store/folder/vector_file.h"
#include "store/met.h"
#include "store/path_range.h"

#define LENS_DATABASE "library.db"
#define LENS_LOCK "writer.lock"

enum { LENS_STATEMENTS_MAX = 96, LENS_SCHEMA_VERSION = 2, LENS_SCHEMA_WORDS = 2 /* the first that has words */ };

/* A model as the database has it. */
typedef struct lens_model_row {
    int64_t id;
    lens_vector_identity identity;
    char file[LENS_VECTOR_NAME];
    int64_t slots; /* that were ever committed to the file: the next vector goes there */
} lens_model_row;

/* A vector file that the writer holds open. */
typedef struct lens_writer {
    struct lens_writer *next;
    lens_model_row row;
    int fd;
    int64_t end; /* row.slots and what the transaction under way has put behind them */
} lens_writer;

/* A run of bytes in someone else's text. */
typedef struct lens_slice {
    const char *at;
    size_t size;
} lens_slice;

/* Who takes what the aggregate function lens_pairs(a, b) is given. TAKE: 0, or -1 when memory is short. */
typedef struct lens_pairs {
    int (*take)(void *context, int64_t a, int64_t b);
    void *context;
} lens_pairs;

struct lens_folder {
    char *folder; /* absolute, for messages */
    char *path;   /* of the database, through the folder as it is named */
    lens_store_file file; /* what lay there when it was opened */
    int dir;      /* the open folder */
    lens_store_mode mode; /* to read or to write */
    bool copies;          /* opened with LENS_STORE_COPY, which is to write */
    bool makes;           /* the library where it is missing */
    int lock; /* writer.lock, or -1 */
    sqlite3 *db;
    int version; /* of its schema: a reader may meet an older one */
    uint8_t mark[8]; /* of this library; every vector file carries it */
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[LENS_STATEMENTS_MAX];
    size_t statement_count;
    lens_writer *writers;
    lens_pairs pairs;
    bool batch; /* lens_folder_batch_begin */
    bool unwatched; /* read as on a disc that nobody writes to: what others write all the same is not seen, and tears what is read */
    int64_t looks;  /* at files that were just written (lens_folder_version) */

    /* A commit failed when its rows were in the log already, and only their sync did not come through. SQLite has dropped them, but whoever reads the log anew
     * after all have closed it finds them whole, and takes them for committed. So what they name stays on the disk until another commit has written over
     * them, which is the first thing that the next transaction does. A log that was there when we came may hold such rows too. */
    bool doubtful;

    lens_met met;

    /* Contents that may have lost their last picture. An interrupted run may have left more than we know of. */
    lens_id_list loose;
    bool loose_unknown;
};

/* ---- lock.c: one writer at a time ------------------------------------------------------------------------- */

int lens_writer_lock(lens_folder *store, double wait, lens_error *err);
void lens_writer_unlock(lens_folder *store);

/* ---- schema.c --------------------------------------------------------------------------------------------- */

/* The first bytes of a database. */
enum { LENS_SCHEMA_HEADER = 100 };

/* LENS_E_VERSION where they are a library's of a newer version than ours; else 0, whatever it is. */
int lens_schema_look_at_header(const lens_folder *store, const uint8_t header[LENS_SCHEMA_HEADER], lens_error *err);

/* Whether the database that STORE has just opened is a library: 1 yes, 0 it is empty, -1 anything else. */
int lens_schema_look(lens_folder *store, lens_error *err);
/* Makes an empty database a library, or an older library one of today. */
int lens_schema_raise(lens_folder *store, lens_error *err);
/* lens_store_mark, inside a transaction; lens_store_marked. */
int lens_schema_mark(lens_folder *store, const char *source, lens_error *err);
int lens_schema_marked(lens_folder *store, char **source, lens_error *err);

/* ---- sql.c: SQLite with our errors ------------------------------------------------------------------------ */

/* Fills ERR from the state of the database connection. Always -1. */
int lens_sql_fail(lens_folder *store, lens_error *err);

/* Runs SQL that gives no rows. */
int lens_sql_run(lens_folder *store, const char *sql, lens_error *err);

/* The statement SQL, ready to be bound; NULL with ERR. SQL is a string literal: it is prepared once and found again by its
 * address. Give it back with lens_sql_done, as soon as possible: an open SELECT holds old pages in the log.
 *
 * Callers bind numbers, and bytes that outlive the statement's use (SQLITE_STATIC): that allocates nothing, and so cannot
 * fail for any index that is in SQL. */
sqlite3_stmt *lens_sql(lens_folder *store, const char *sql, lens_error *err);
/* 1: a row; 0: done; -1: ERR. */
int lens_sql_step(lens_folder *store, sqlite3_stmt *statement, lens_error *err);
/* Steps to the end and gives the statement back. 0 or -1. */
int lens_sql_finish(lens_folder *store, sqlite3_stmt *statement, lens_error *err);
void lens_sql_done(lens_folder *store, sqlite3_stmt *statement);

/* Runs SQL, which wants NUMBER as ?1 and gives no rows that matter. 0 or -1. */
int lens_sql_run_with(lens_folder *store, const char *sql, int64_t number, lens_error *err);
/* *NUMBER: the first that SQL gives, 0 when it gives no row. 0 or -1. */
int lens_sql_number(lens_folder *store, const char *sql, int64_t *number, lens_error *err);

void lens_sql_bind_path(sqlite3_stmt *statement, int index, const char *path);
/* A copy of a column's bytes with a NUL behind; NULL when the column is NULL (*SHORT unchanged) or memory is (*SHORT
 * set). */
char *lens_sql_text(sqlite3_stmt *statement, int column, bool *short_of_memory);
int lens_sql_memory(lens_folder *store, lens_error *err);

/* A transaction. lens_sql_end commits when RESULT is 0, else (or when that fails) rolls back; returns 0 or -1. */
int lens_sql_begin(lens_folder *store, lens_error *err); /* to write: refuses a store that is open for reading */
int lens_sql_begin_read(lens_folder *store, lens_error *err);
int lens_sql_end(lens_folder *store, int result, lens_error *err);

/* Binds PATH to ?1, and its range to ?2 and ?3. */
void lens_path_range_bind(sqlite3_stmt *statement, const char *path, const lens_path_range *range);

/* ---- models.c --------------------------------------------------------------------------------------------- */

/* 1 when the model is there, 0 when not, -1 on error. */
int lens_model_load(lens_folder *store, int64_t id, lens_model_row *row, lens_error *err);
/* Adds a model with an empty vector file, as number ID (0: the next one). Inside a transaction; the file is a stray when that comes to nothing. */
int lens_model_put(lens_folder *store, int64_t id, const char *name, bool sentences, int64_t dim, lens_hash fingerprint, lens_error *err);
/* The open vector file of a model; NULL with ERR. It lives until lens_writer_drop. */
lens_writer *lens_writer_of(lens_folder *store, int64_t model, lens_error *err);
/* Cuts off what was appended and never committed: readers do not look there. */
void lens_writer_trim(const lens_folder *store, lens_writer *writer);
/* Closes the vector file of MODEL (0: of all). */
void lens_writer_drop(lens_folder *store, int64_t model);
/* A number that no vector file of this library has carried. Inside a transaction. */
int lens_generation_next(lens_folder *store, int64_t *generation, lens_error *err);
int lens_folder_sync(lens_folder *store, lens_error *err);
/* LENS_E_VERSION where the vectors of any model are of a newer format: then no row is to be written either. Other faults are told where they matter. */
int lens_models_refuse_newer(lens_folder *store, lens_error *err);
/* Removes vector files that no model names: what an interrupted compaction left. */
void lens_strays_remove(lens_folder *store);

/* ---- write.c: vectors and the rows that name them ---------------------------------------------------------- */

/* Puts VALUES behind the vectors of WRITER as CONTENT's. Inside a transaction. */
int lens_vector_append(lens_folder *store, lens_writer *writer, int64_t content, const float *values, lens_error *err);
/* What was appended is on the disk, and counted in the transaction. */
int lens_writers_sync(lens_folder *store, lens_error *err);
/* lens_sql_end, and what was appended counts, or is cut off again. */
int lens_writers_end(lens_folder *store, int result, lens_error *err);

/* ---- texts.c ---------------------------------------------------------------------------------------------- */

/* What SOURCE says about one picture from now on ("": nothing). Inside a transaction. *CHANGED is raised when that is something else. */
int lens_caption_put(lens_folder *store, int64_t source, const lens_store_caption *caption, int64_t *changed, lens_error *err);
/* Files of captions and files beside pictures count as not read, for other pictures bear the names in them now. Inside the transaction that made that so:
 * a run may end before it comes to them. */
int lens_sources_unread(lens_folder *store, lens_error *err);

/* ---- text_index.c ----------------------------------------------------------------------------------------- */

/* Each gives one row that says what is wrong when it is. */
enum { LENS_TEXTS_FAULTS = 3 };
extern const char *const lens_texts_faults[LENS_TEXTS_FAULTS];

/* Brings the index of words up to what became of the texts in this transaction. */
int lens_texts_follow(lens_folder *store, lens_error *err);

/* ---- text_search.c ---------------------------------------------------------------------------------------- */

/* Whether this library is of a version that has words. */
bool lens_words_here(lens_folder *store);
/* The first column of STATEMENT (NULL: -1) with NUMBER as ?1 and TEXT, if there is one, as ?2: up to COUNT into IDS. How many, or -1. */
int lens_ids(lens_folder *store, sqlite3_stmt *statement, int64_t number, const char *text, int64_t *ids, int count, lens_error *err);

/* ---- sweep.c ---------------------------------------------------------------------------------------------- */

/* Notes that CONTENT may have lost a picture. */
void lens_loose_note(lens_folder *store, int64_t content);

/* ---- vectors.c -------------------------------------------------------------------------------------------- */

/* The aggregate function lens_pairs, which gives its pairs to the store's own TAKE, and NULL. */
void lens_pairs_step(sqlite3_context *context, int count, sqlite3_value **values);
void lens_pairs_end(sqlite3_context *context);

/* Loads MODEL and opens its vector file for reading, inside a read transaction that it begins (and the caller ends when
 * this returns other than -1). A compaction may remove the file between the two: then it looks again.
 * The file, or -1. */
int lens_vectors_begin(lens_folder *store, int64_t model, lens_model_row *row, off_t *size, lens_error *err);

#endif
