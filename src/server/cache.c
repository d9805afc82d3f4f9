#include "server/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { CHAINS = 4096, NAME = 64 };

typedef struct entry {
    lens_blob blob; /* first: a blob is its entry */
    atomic_int users;
    char name[NAME];
    struct entry *chain, *newer, *older;
} entry;

struct lens_cache {
    pthread_mutex_t lock;
    size_t most, size;
    entry *chains[CHAINS], *newest, *oldest;
};

static size_t chain_of(const char *name)
{
    const lens_hash hash = lens_hash_of(name, strlen(name));
    return ((size_t)hash.bytes[0] << 8 | hash.bytes[1]) % CHAINS;
}

lens_cache *lens_cache_new(size_t most)
{
    lens_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->most = most;
        pthread_mutex_init(&cache->lock, NULL);
    }
    return cache;
}

void lens_blob_release(const lens_blob *blob)
{
    entry *at = (entry *)blob;
    if (!at || atomic_fetch_sub(&at->users, 1) != 1)
        return;
    free((void *)at->blob.bytes);
    free(at);
}

static size_t cost_of(size_t size)
{
    return size + sizeof(entry);
}

static void unlink_entry(lens_cache *cache, entry *at)
{
    *(at->newer ? &at->newer->older : &cache->newest) = at->older;
    *(at->older ? &at->older->newer : &cache->oldest) = at->newer;
}

static void link_newest(lens_cache *cache, entry *at)
{
    at->newer = NULL;
    at->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = at;
    cache->newest = at;
}

static void drop(lens_cache *cache, entry *at)
{
    entry **link = &cache->chains[chain_of(at->name)];
    while (*link != at)
        link = &(*link)->chain;
    *link = at->chain;
    unlink_entry(cache, at);
    cache->size -= cost_of(at->blob.size);
    lens_blob_release(&at->blob);
}

static entry *find(lens_cache *cache, const char *name)
{
    entry *at = cache->chains[chain_of(name)];
    while (at && strcmp(at->name, name) != 0)
        at = at->chain;
    return at;
}

void lens_cache_free(lens_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop(cache, cache->oldest);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

const lens_blob *lens_cache_get(lens_cache *cache, const char *name)
{
    pthread_mutex_lock(&cache->lock);
    entry *at = find(cache, name);
    if (at) {
        atomic_fetch_add(&at->users, 1);
        unlink_entry(cache, at);
        link_newest(cache, at);
    }
    pthread_mutex_unlock(&cache->lock);
    return at ? &at->blob : NULL;
}

bool lens_cache_put(lens_cache *cache, const char *name, void *bytes, size_t size)
{
    entry *at = size < SIZE_MAX - sizeof *at && cost_of(size) <= cache->most && strlen(name) < NAME ? calloc(1, sizeof *at) : NULL;
    if (!at) {
        free(bytes);
        return false;
    }
    at->blob = (lens_blob){bytes, size};
    atomic_init(&at->users, 1);
    strcpy(at->name, name);
    pthread_mutex_lock(&cache->lock);
    entry *old = find(cache, name);
    if (old)
        drop(cache, old);
    while (cache->size > cache->most - cost_of(size))
        drop(cache, cache->oldest);
    entry **link = &cache->chains[chain_of(name)];
    at->chain = *link;
    *link = at;
    link_newest(cache, at);
    cache->size += cost_of(size);
    pthread_mutex_unlock(&cache->lock);
    return true;
}

size_t lens_cache_size(lens_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    const size_t size = cache->size;
    pthread_mutex_unlock(&cache->lock);
    return size;
}
