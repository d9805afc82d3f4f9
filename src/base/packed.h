/* A file of what was worked out once, so that the next run maps it instead of working it out again: packed weights, vectors in bytes.
 *
 * A file holds named runs of bytes, each on a boundary of 64, under one key: a hash of everything that they depend on. Whoever finds another
 * key, or a file that is damaged, makes a new one: nothing is lost with it. A header (magic, version, count, size, key, hash of the list)
 * is followed by the list (name, place, size, hash of the bytes) and the runs. Opening checks the header and the list against the size of
 * the file, and a run's hash is checked when it is found. */
#ifndef LENS_BASE_PACKED_H
#define LENS_BASE_PACKED_H

#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"

/* ---- reading ----------------------------------------------------------------------------------------------------- */

enum { LENS_PACKED_FORMAT = 1 }; /* the version of the format */

typedef struct lens_packed lens_packed;

/* Maps PATH. LENS_E_MISSING when there is none or it has another key, LENS_E_FORMAT when it is damaged. NULL on failure. Free with
 * lens_packed_close. */
lens_packed *lens_packed_open(const char *path, const lens_hash *key, lens_error *err);

/* The same for a file in memory, called PATH in messages. BYTES must outlive it. */
lens_packed *lens_packed_view(const void *bytes, size_t size, const char *path, const lens_hash *key, lens_error *err);

void lens_packed_close(lens_packed *packed);

/* The run NAME, which must be of SIZE bytes; lives as long as PACKED. Quickest in the order in which the runs were added. NULL on failure:
 * LENS_E_FORMAT. */
const void *lens_packed_find(lens_packed *packed, const char *name, size_t size, lens_error *err);

/* The same without looking at the bytes, for tables of which a few rows are read. */
const void *lens_packed_find_table(lens_packed *packed, const char *name, size_t size, lens_error *err);

/* ---- writing ----------------------------------------------------------------------------------------------------- */

typedef struct lens_packing lens_packing;

/* NULL when memory is short. Free with lens_packing_free. */
lens_packing *lens_packing_new(void);
void lens_packing_free(lens_packing *packing);

/* Adds the run NAME, of less than LENS_PACKED_NAME bytes. BYTES must live until the writing. 0 or -1. */
enum { LENS_PACKED_NAME = 64 };
int lens_packing_add(lens_packing *packing, const char *name, const void *bytes, size_t size, lens_error *err);

/* Puts all of it at PATH in one step. 0 or -1. */
int lens_packing_write(const lens_packing *packing, const char *path, const lens_hash *key, lens_error *err);

#endif
