/* A library as plain records, the same for every kind of store: so a library can be moved from one to another with every id as it was, and two be held against
 * each other.
 *
 * A library is its PARTS, each of them records in order of their key, the first field. A record is a run of bytes that is the same wherever it comes from: its
 * fields one behind the other, each a letter, then for 'i' the 8 bytes of a number, for 'b' the 8 bytes of a size and that many bytes, for 'n', none at all,
 * nothing. Numbers have the lowest byte first. What follows from the rest by itself is no part: the index of words and their list, copies of vectors in other
 * precisions, what is known of neighbours; nor is what belongs to the place: who writes, who has taken work. */
#ifndef LENS_STORE_COPYING_H
#define LENS_STORE_COPYING_H

#include "base/buffer.h"
#include "store/store.h"

/* In an order in which each can be written: what a record names is in a part before its own; texts come before vectors, as a text that comes takes the vectors
 * of sentences away that do not know it yet. */
typedef enum lens_store_part {
    LENS_STORE_RULES,    /* path, out, settings */
    LENS_STORE_MODELS,   /* id, name, dim, fingerprint, sentences */
    LENS_STORE_CONTENTS, /* id, hash, width, height, format */
    LENS_STORE_PICTURES, /* id, path, size, mtime_ns, content, reason */
    LENS_STORE_SOURCES,  /* id, path, kind, size, mtime_ns, settings */
    LENS_STORE_TEXTS,    /* id, picture, content, source, version, text, folded */
    LENS_STORE_VECTORS,  /* content, values: of one model, each number as the 4 bytes that it is */
    LENS_STORE_PARTS
} lens_store_part;

typedef struct lens_record {
    const char *bytes; /* somebody else's */
    size_t size;
} lens_record;

typedef struct lens_field {
    char kind; /* 'i', 'b', 'n'; 0: there is no such field */
    int64_t number;
    const char *bytes; /* in the record */
    size_t size;
} lens_field;

/* Field AT of RECORD, counted from 0. */
lens_field lens_record_field(lens_record record, int at);
/* Less than 0, 0, or more, as the key of A is before, at or behind that of B, both of one part. */
int lens_record_order(lens_record a, lens_record b);
bool lens_record_same(lens_record a, lens_record b);

/* "pictures"; "picture 17 (/a/b.jpg)", fit to be shown; and in which field A and B differ first, "size is 17 and 18". In OUT, appended: 0 or -1. */
const char *lens_store_part_name(lens_store_part part);
int lens_record_name(lens_store_part part, lens_record record, lens_buffer *out);
int lens_record_difference(lens_store_part part, lens_record a, lens_record b, lens_buffer *out);

/* What is wrong with RECORD, of vectors of DIM numbers, in words: "its hash has not 16 bytes". NULL: nothing that can be seen by itself. Static. */
const char *lens_record_fault(lens_store_part part, int dim, lens_record record);

/* A list of records. {0} is empty. */
typedef struct lens_records {
    lens_buffer bytes;
    size_t *ends; /* [count] */
    size_t count, capacity;
    bool failed; /* memory was short */
} lens_records;
lens_record lens_records_at(const lens_records *records, size_t at);
void lens_records_clear(lens_records *records);
void lens_records_free(lens_records *records);
int lens_records_add(lens_records *records, lens_record record); /* a copy; 0 or -1 */

/* Whether RECORDS of PART, read from what WHERE names, come in order of key, each behind the one before it and all behind AFTER (NULL: of nothing): where they
 * do not, who asks for what lies behind the last would be given the same for ever. 0, or -1 with LENS_E_FORMAT. */
int lens_records_rise(lens_store_part part, const lens_record *after, const lens_records *records, const char *where, lens_error *err);

/* Puts together one record, field by field; END gives 0, or -1 when memory was short. */
void lens_records_int(lens_records *records, int64_t value);
void lens_records_bytes(lens_records *records, const void *bytes, size_t size); /* BYTES NULL: 'n' */
void lens_records_null(lens_records *records);
int lens_records_end(lens_records *records);

/* ---- reading ---- */

/* From here to the end, what is exported is of one moment, however long it takes and whatever others write: of a store that was opened to read. A folder's log
 * does not shrink meanwhile, a database's dead rows stay, and no model of it can be forgotten. */
int lens_store_export_begin(lens_store *store, lens_error *err);
void lens_store_export_end(lens_store *store);

/* Some records of PART (of MODEL's vectors) behind AFTER (NULL: from the first one on), some megabytes of them, into OUT, emptied first. None: there are no
 * more. AFTER must not lie in OUT. */
int lens_store_export(lens_store *store, lens_store_part part, int64_t model, const lens_record *after, lens_records *out, lens_error *err);

/* ---- writing, into a store that was opened with LENS_STORE_COPY ---- */

/* Writes RECORDS, none of whose keys is there, with the ids that they have, in one transaction, on the disk when it returns. */
int lens_store_import(lens_store *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err);

/* Takes out what has the keys of RECORDS, and all that hangs on it. */
int lens_store_expunge(lens_store *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err);

/* Says of STORE that it is an unfinished copy of SOURCE, which nobody else opens, nor writes to who has opened it before; NULL: it is whole. LENS_E_BUSY while an
 * index run is at work there. And what was said: *SOURCE, NULL for nothing, which the caller frees. */
int lens_store_mark(lens_store *store, const char *source, lens_error *err);
int lens_store_marked(lens_store *store, char **source, lens_error *err);

/* The greatest id that was ever given, of models, contents, pictures, sources and texts: none is given twice, even if what it meant is gone. Raising lowers
 * none. */
typedef struct lens_store_ids {
    int64_t last[LENS_STORE_PARTS];
} lens_store_ids;
int lens_store_ids_given(lens_store *store, lens_store_ids *out, lens_error *err);
int lens_store_ids_raise(lens_store *store, const lens_store_ids *ids, lens_error *err);

/* A hash that is the same for two stores only when both are one library, by whatever name they were opened. */
int lens_store_identity(lens_store *store, lens_hash *identity, lens_error *err);

#endif
