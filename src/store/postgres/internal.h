/* What the files of src/store/postgres share, and nobody else sees. */
#ifndef LENS_STORE_POSTGRES_INTERNAL_H
#define LENS_STORE_POSTGRES_INTERNAL_H

#include <string.h>

#include "base/buffer.h"
#include "base/id_map.h"
#include "store/met.h"
#include "store/path_range.h"
#include "store/postgres/libpq.h"
#include "store/postgres/postgres.h"

enum { LENS_PG_SCHEMA = 1, LENS_PG_STATEMENTS = 192, LENS_PG_ARGUMENTS = 16, LENS_PG_DIM_MOST = 16000 /* pgvector's */ };
#define LENS_PG_COUNT_MOST (INT64_C(1) << 48) /* of anything: some of them can be added up */

struct lens_postgres {
    const lens_pq *pq;
    char *place; /* as it was given, with a password if there is one in it: never shown */
    char *name;  /* the same without, for messages */
    lens_store_mode mode; /* to read or to write */
    bool copies;          /* opened with LENS_STORE_COPY, which is to write */
    bool makes;           /* the library where it is missing */
    double patience; /* seconds that a lost connection is waited for */
    PGconn *connection;
    int depth;       /* of transactions in each other */
    bool writing;    /* the transaction is one to write */
    bool lost;       /* the last failure was one of the connection */
    bool cancelled;  /* within a transaction: a cancellation may still be on its way, which would end whatever is asked then */
    bool batch;      /* lens_store_batch_begin */
    int vector_type;     /* pgvector's, among the server's types */
    char *vector_schema; /* where it is, quoted */
    int64_t begun;   /* when lens_store_met_clear was called, by the server's clock: microseconds since 1970 */
    struct {
        int64_t begun;    /* when lens_store_names_begin was called, by the server's clock; 0: never */
        int64_t pictures; /* that there were then */
        int64_t change;   /* the library's, up to which no other one has changed them */
        bool looked;      /* in this transaction */
        bool old;         /* they are no longer those of the pictures */
    } names;
    struct {
        char *sql;
    } statements[LENS_PG_STATEMENTS]; /* prepared, number I as "sI" */
    size_t statement_count;
    lens_met met;
    lens_id_map made; /* the dimensions of each model that was added by this store, and is written to: the vectors are so long */
    bool loose_unknown; /* contents may have lost their last picture that we do not know of: in an interrupted run, or by what was written since a sweep */
    int64_t worker; /* lens_store_work_begin; 0: none */
    size_t worker_models;
    bool (*go_on)(void *context); /* lens_store_wait_while; NULL: nobody is asked */
    void *go_on_context;
};

/* ---- connection.c ------------------------------------------------------------------------------------------------ */

/* Connects, or connects again. 0 or -1. */
int lens_pg_connect(lens_postgres *store, lens_error *err);
/* Sets where names are looked for: in the library, and where pgvector is, if that is known. */
int lens_pg_set_path(lens_postgres *store, lens_error *err);
/* Whether a statement may be asked: connects again when the connection was lost outside a transaction. 0 or -1. */
int lens_pg_ready(lens_postgres *store, lens_error *err);

/* A transaction, or a part of one that is under way. END commits when RESULT is 0, else rolls back. WRITE: refuses a store that is open for reading, and
 * waits for other writers: writing takes turns, so that no two of them can wait for each other, and the numbers that triggers keep are not fought over. */
int lens_pg_begin(lens_postgres *store, lens_error *err);
int lens_pg_begin_read(lens_postgres *store, lens_error *err);
/* To write without waiting for a turn: rows that nothing else hangs on, and that nobody polls for. */
int lens_pg_begin_share(lens_postgres *store, lens_error *err);
int lens_pg_end(lens_postgres *store, int result, lens_error *err);

/* Whether a transaction that has come to RESULT was lost with its connection, outside of any other, and may be tried once more: on a new one, ERR being empty.
 * The same twice says the same, whether or not the server had committed it. */
bool lens_pg_once_more(lens_postgres *store, int result, lens_error *err);

/* What the statement comes to that was just SENT (what libpq gave for it); NULL with ERR where it failed, or nobody waits for it any more: the thread's
 * lens_patience is asked ten times a second. */
PGresult *lens_pg_answer(lens_postgres *store, int sent, lens_error *err);

/* Runs SQL, one statement or several, that takes no arguments and whose rows nobody wants. 0 or -1. */
int lens_pg_plain(lens_postgres *store, const char *sql, lens_error *err);

/* ---- ask.c: statements with arguments, all in PostgreSQL's binary formats ------------------------------------------ */

typedef struct lens_pg_args {
    int count;
    bool failed; /* memory was short */
    unsigned types[LENS_PG_ARGUMENTS];
    lens_buffer values[LENS_PG_ARGUMENTS];
    bool null[LENS_PG_ARGUMENTS];
    int elements[LENS_PG_ARGUMENTS]; /* of an array, so far */
} lens_pg_args;

void lens_pg_int(lens_pg_args *args, int64_t value);
void lens_pg_double(lens_pg_args *args, double value);
void lens_pg_bool(lens_pg_args *args, bool value);
void lens_pg_bytes(lens_pg_args *args, const void *bytes, size_t size);
void lens_pg_path(lens_pg_args *args, const char *path); /* NULL: none */
void lens_pg_text(lens_pg_args *args, const char *text); /* the same; bytes that are not UTF-8 are written as \xNN */
void lens_pg_ints(lens_pg_args *args, const int64_t *values, size_t count);
/* A vector as pgvector takes it; say $N::vector in the statement. */
void lens_pg_vector(lens_pg_args *args, const float *values, int dim);

/* An array, filled by what follows: bytes, text or (of ELEMENT: store->vector_type) vectors. The type of the array is 0 where it is pgvector's: say
 * $N::vector[]. */
enum { LENS_PG_BYTES = 17, LENS_PG_INT = 20, LENS_PG_TEXT = 25 };
void lens_pg_array(lens_pg_args *args, int element);
void lens_pg_add_bytes(lens_pg_args *args, const void *bytes, size_t size); /* BYTES NULL: a null */
void lens_pg_add_text(lens_pg_args *args, const char *text);
void lens_pg_add_int(lens_pg_args *args, int64_t value);
void lens_pg_add_vector(lens_pg_args *args, const float *values, int dim);
void lens_pg_args_free(lens_pg_args *args); /* of what is not asked after all */

/* Asks SQL with ARGS (NULL: none), which are freed. The rows, to be given back with lens_pg_done; NULL with ERR. SQL is prepared once a connection. */
PGresult *lens_pg_ask(lens_postgres *store, const char *sql, lens_pg_args *args, lens_error *err);
/* The same for a statement without rows. *ROWS (may be NULL): how many it changed. */
int lens_pg_run(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *rows, lens_error *err);
void lens_pg_done(lens_postgres *store, PGresult *rows);

/* What stands in ROW and COLUMN. */
int lens_pg_rows(const lens_postgres *store, const PGresult *rows);
bool lens_pg_is_null(const lens_postgres *store, const PGresult *rows, int row, int column);
int64_t lens_pg_int_at(const lens_postgres *store, const PGresult *rows, int row, int column);
/* The same for numbers that become a size, a bound or a place in an array: the database's server, and whoever else writes to it, may have given anything.
 * 0; or -1, LENS_E_FORMAT, where it is not from LEAST to MOST, or there is none. PLACE: *AT is where element number 1 to COUNT stands. */
int lens_pg_check_number(const lens_postgres *store, int64_t number, int64_t least, int64_t most, lens_error *err);
int lens_pg_within_at(const lens_postgres *store, const PGresult *rows, int row, int column, int64_t least, int64_t most, int64_t *number, lens_error *err);
/* COUNT columns from the first one on, each how many there are of something: the same. */
int lens_pg_counts_at(const lens_postgres *store, const PGresult *rows, int row, int column, int64_t *const *counts, int count, lens_error *err);
int lens_pg_place_at(const lens_postgres *store, const PGresult *rows, int row, int column, size_t count, size_t *at, lens_error *err);
double lens_pg_double_at(const lens_postgres *store, const PGresult *rows, int row, int column);
const char *lens_pg_bytes_at(const lens_postgres *store, const PGresult *rows, int row, int column, size_t *size); /* a NUL follows; "" for null */
/* A copy; NULL when it is null, or memory is short, which sets *SHORT_OF_MEMORY. */
char *lens_pg_copy_at(const lens_postgres *store, const PGresult *rows, int row, int column, bool *short_of_memory);
/* VALUES [dim] of a vector; false when it is another length. */
bool lens_pg_vector_at(const lens_postgres *store, const PGresult *rows, int row, int column, float *values, int dim);

/* PATHS [count] and the bounds of what is below each, as the next three arguments: arrays, side by side. */
void lens_pg_ranges(lens_pg_args *args, const char *const *paths, size_t count);

/* The server's clock: microseconds since 1970. */
#define LENS_PG_NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

/* That clock may have been ahead, and be right again, or the library have come from another server: a time that is more than an hour to come says nothing.
 * Whether AT is BEGUN or later, as far as that is known; and whether WORKER is there: who is renews its lease by the clock as it is now. */
#define LENS_PG_SOON LENS_PG_NOW " + 3600000000::bigint"
#define LENS_PG_SINCE(at, begun) at " BETWEEN " begun " AND (SELECT " LENS_PG_SOON ")"
#define LENS_PG_LIVES(worker) worker ".lease > " LENS_PG_NOW " AND " worker ".heard <= " LENS_PG_NOW " + 60000000::bigint" /* clocks are set by seconds, too */

/* The first number of the first row of SQL, which there is: 0 or -1. */
int lens_pg_number(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *number, lens_error *err);
/* The same where it is how many there are of something. -1 on error. */
int64_t lens_pg_count(lens_postgres *store, const char *sql, lens_pg_args *args, lens_error *err);
/* The same where there may be no row: 1, 0 for none, -1 on error. */
int lens_pg_find(lens_postgres *store, const char *sql, lens_pg_args *args, int64_t *number, lens_error *err);
/* The first text of the first row of SQL: a copy that the caller frees, NULL for no row or null. 0 or -1. */
int lens_pg_find_text(lens_postgres *store, const char *sql, lens_pg_args *args, char **text, lens_error *err);

/* ---- schema.c ---------------------------------------------------------------------------------------------------- */

/* 1 when the database holds a library of today's version, 0 when it holds none, -1 with ERR. */
int lens_pg_schema_look(lens_postgres *store, lens_error *err);
/* LENS_E_MISSING: there is none. */
int lens_pg_missing(const lens_postgres *store, lens_error *err);
/* Makes it one, where STORE makes libraries, or raises it. */
int lens_pg_schema_raise(lens_postgres *store, lens_error *err);

/* ---- rules.c ----------------------------------------------------------------------------------------------------- */

/* lens_path_check, and whether PATH fits into an entry of an index. */
int lens_pg_path_check(const char *path, lens_error *err);

/* ---- models.c ---------------------------------------------------------------------------------------------------- */

/* 1 and the dimension of MODEL, from 1 to LENS_PG_DIM_MOST, 0 when there is none, -1 on error. */
int lens_pg_model(lens_postgres *store, int64_t model, int *dim, lens_error *err);
#define LENS_PG_MODEL_GONE "%s: the model is no longer in this library"
/* The same where there has to be one: 0, or -1 with the code ABSENT where there is none. */
int lens_pg_model_dim(lens_postgres *store, int64_t model, lens_error_code absent, int *dim, lens_error *err);

/* Adds a model, with the table of its vectors, as number ID. Inside a transaction. */
int lens_pg_model_put(lens_postgres *store, int64_t id, const char *name, bool sentences, int64_t dim, lens_hash fingerprint, lens_error *err);

/* SQL with MODEL's number in the place of each "%lld" (at most three), in a buffer of the caller's. */
enum { LENS_PG_SQL = 4096 };
const char *lens_pg_sql_of(char sql[LENS_PG_SQL], const char *format, int64_t model);

/* Writes vectors: $1 their contents, $2 themselves. A content that has one keeps it. For lens_pg_sql_of. */
#define LENS_PG_PUT_VECTORS \
    "INSERT INTO vector_%lld (content, half, exact) SELECT content, exact::halfvec, exact FROM unnest($1::bigint[], $2::vector[]) AS t (content, exact)" \
    " ON CONFLICT DO NOTHING"

/* ---- copying.c --------------------------------------------------------------------------------------------------- */

/* Lets nobody else copy into this library, if the store was opened to do so; else fails when it is an unfinished copy. */
int lens_pg_copying(lens_postgres *store, lens_error *err);

/* ---- texts.c ----------------------------------------------------------------------------------------------------- */

/* What SOURCE says about CAPTIONS [count] from now on ("": nothing). Inside a transaction. *CHANGED (may be NULL) grows by those that say something else. */
int lens_pg_captions_put(lens_postgres *store, int64_t source, const lens_store_caption *captions, size_t count, int64_t *changed, lens_error *err);
/* Files of captions count as not read (folder/texts.c tells why). Inside a transaction. */
int lens_pg_sources_unread(lens_postgres *store, lens_error *err);

/* ---- glob.c ------------------------------------------------------------------------------------------------------ */

/* Appends GLOB, of SQLite, as a regular expression for a path that is lower-case and read as Latin-1. Letters of ASCII count as lower-case. 0 or -1. */
int lens_pg_put_glob(lens_buffer *out, const char *glob);

/* ---- filter.c ---------------------------------------------------------------------------------------------------- */

/* Appends to SQL the conditions on `p` (a picture) and `c` (its content) that FOLDERS [folder_count], FILTER and WITHOUT [without_count] (ids) come to, each
 * with " AND " before it, and their arguments to ARGS. 0 or -1. */
int lens_pg_conditions(lens_buffer *sql, lens_pg_args *args, const lens_store_scope *scope, lens_error *err);

#endif
