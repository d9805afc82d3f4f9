/* The vectors of large libraries once more, in bytes, beside the vector file: a search reads a quarter (src/search/scan_bytes.h). */
#ifndef LENS_LIBRARY_COPIES_H
#define LENS_LIBRARY_COPIES_H

#include "base/packed.h"
#include "search/scan_bytes.h"
#include "store/store.h"

/* The copies of VECTORS, in *VIEW, which lives as long as what is returned; the last slots may have none. NULL when there are none at all.
 * Free with lens_packed_close. */
lens_packed *lens_copies_open(const lens_store_vectors *vectors, lens_bytes_view *view);

/* Fewer numbers than that are scanned as floats in a few milliseconds. */
enum { LENS_COPIES_LEAST = 1 << 25 };

/* Makes the copies of a model's vectors, if these are LEAST numbers or more and more than an eighth of them has none yet. What keeps them from being made costs searches
 * time and nothing else, and is not said. */
void lens_copies_refresh(lens_store *store, int64_t model, size_t least);

/* Removes what is kept beside a model's vectors where it knows of more slots than there are: then the database is an older one, as of a backup, and these slots
 * will be written anew, under the same identity. Whoever is about to write vectors asks for it first. 0 or -1: then none may be written. */
int lens_copies_drop_untrue(lens_store *store, int64_t model, lens_error *err);

/* Makes them for all slots that are committed, of which there must be one at least. 0 or -1. */
int lens_copies_make(const lens_store_vectors *vectors, lens_error *err);

#endif
