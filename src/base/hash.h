/* Content hashes: XXH3, 128 bits. Tells contents apart; says nothing against someone who forges on purpose. */
#ifndef LENS_BASE_HASH_H
#define LENS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct lens_hash {
    uint8_t bytes[16]; /* canonical (big-endian) form: the same on every machine */
} lens_hash;

lens_hash lens_hash_of(const void *bytes, size_t size);

/* The first COUNT bytes of HASH in hexadecimal, and a NUL: OUT has room for 2 * COUNT + 1. */
void lens_hash_hex(const lens_hash *hash, size_t count, char *out);

#endif
