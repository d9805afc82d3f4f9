#include "base/hash.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

lens_hash lens_hash_of(const void *bytes, size_t size)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    lens_hash hash;
    memcpy(hash.bytes, canonical.digest, sizeof hash.bytes);
    return hash;
}

void lens_hash_hex(const lens_hash *hash, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++)
        snprintf(out + 2 * i, 3, "%02x", hash->bytes[i]);
}
