/* One file of vectors, which belongs to one model of one library.
 *
 * A header of 64 bytes, then rows of DIM floats; slot s is the row at 64 + s * DIM * 4. All numbers are little-endian:
 *
 *     0   8  "LENSVEC\n"
 *     8   4  version of this format: LENS_VECTOR_FORMAT
 *    12   4  DIM
 *    16   4  element type: 1, IEEE 754 binary32
 *    20   4  zero
 *    24   8  generation: no two vector files of a library, ever, carry the same
 *    32  16  fingerprint of the model
 *    48   8  mark of the library, drawn when it was made
 *    56   8  the first bytes of the XXH3-128 of the 56 before
 *
 * Which slots count is the database's to say. A slot that was ever committed is never written again: a compaction makes a
 * new file. So whoever mapped the file may go on reading while others write. (Beside the database of a backup, which knows of fewer slots, the others are
 * written anew: what is worked out from slots is held against that, in library/copies.h.) */
#ifndef LENS_STORE_VECTOR_FILE_H
#define LENS_STORE_VECTOR_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/hash.h"

enum {
    LENS_VECTOR_FORMAT = 1,     /* the version of this format */
    LENS_VECTOR_HEADER = 64,    /* bytes */
    LENS_VECTOR_NAME = 96,      /* bytes of a file's name, NUL included */
    LENS_VECTOR_DIM_MAX = 65536,
};

/* What a header must say for the file to be the one that the database means. */
typedef struct lens_vector_identity {
    int dim;
    int64_t generation;
    lens_hash fingerprint;
    uint8_t mark[8];
} lens_vector_identity;

/* The name for the vectors of MODEL: "clip-vit-b-32@crop" and 7 give "clip-vit-b-32-crop-7.vectors". */
void lens_vector_file_name(const char *model, int64_t generation, char name[LENS_VECTOR_NAME]);

/* Whether NAME could have come from lens_vector_file_name: then it is safe to open, or to remove, in a library's folder. */
bool lens_vector_file_is_name(const char *name);

/* The name of what is worked out from the vector file FILE and kept beside it: COPY, "...-7.vectors.bytes". */
enum { LENS_VECTOR_COPY_NAME = LENS_VECTOR_NAME + 8 };
typedef enum lens_vector_copy { LENS_VECTOR_BYTES, LENS_VECTOR_NEAR, LENS_VECTOR_CELLS } lens_vector_copy;
void lens_vector_copy_name(const char *file, lens_vector_copy kind, char copy[LENS_VECTOR_COPY_NAME]);

/* Whether NAME is such a name; then FILE is the vector file's. */
bool lens_vector_copy_is_name(const char *name, char file[LENS_VECTOR_NAME]);

/* Makes the file NAME in the folder DIR (SHOWN in messages), over one that an interrupted run left. Not synced yet.
 * Returns the open file, or -1. */
int lens_vector_file_create(int dir, const char *shown, const char *name, const lens_vector_identity *identity,
                            lens_error *err);

/* Opens the file and compares its header with IDENTITY and its length with SLOTS, the number it must at least hold.
 * LENS_E_MISSING when it is not there, LENS_E_FORMAT or LENS_E_VERSION when it is not what it should be. Returns the open
 * file, or -1; *SIZE (may be NULL) gets its bytes. */
int lens_vector_file_open(int dir, const char *shown, const char *name, const lens_vector_identity *identity, int64_t slots,
                          bool writable, off_t *size, lens_error *err);

/* Where slot SLOT begins. */
off_t lens_vector_offset(int dim, int64_t slot);

/* Writes or reads COUNT rows of DIM floats from slot SLOT on, all or -1. */
int lens_vector_file_put(int fd, const char *shown, const char *name, int dim, int64_t slot, const float *values,
                         int64_t count, lens_error *err);
int lens_vector_file_get(int fd, const char *shown, const char *name, int dim, int64_t slot, float *values, int64_t count,
                         lens_error *err);

#endif
