/* Runs of bytes by name, the least recently used ones leaving when there are too many. For any number of threads. */
#ifndef LENS_SERVER_CACHE_H
#define LENS_SERVER_CACHE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lens_cache lens_cache;

/* What is in the cache lives as long as someone holds it. */
typedef struct lens_blob {
    const void *bytes;
    size_t size;
} lens_blob;

/* MOST: bytes, with what is kept about each run of them, so that very many small ones are bounded too. NULL when memory is short. */
lens_cache *lens_cache_new(size_t most);
void lens_cache_free(lens_cache *cache); /* no blob of it may be held any more */

/* NULL when it is not there. Give it back with lens_blob_release (NULL allowed). */
const lens_blob *lens_cache_get(lens_cache *cache, const char *name);
void lens_blob_release(const lens_blob *blob);

/* Takes BYTES (of malloc) over, in any case. False when they were too many to be kept or memory was short. */
bool lens_cache_put(lens_cache *cache, const char *name, void *bytes, size_t size);
size_t lens_cache_size(lens_cache *cache); /* bytes, counted in the same way */

#endif
