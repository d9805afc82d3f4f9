/* SHA-256 and SHA-1, against files that are not what was published. (base/hash.h tells contents apart, and is much faster.) */
#ifndef LENS_NET_CHECKSUM_H
#define LENS_NET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct lens_checksum lens_checksum;

enum { LENS_SHA256_DIGITS = 64, LENS_SHA1_DIGITS = 40 };

/* NULL on failure. Free with lens_checksum_free. */
lens_checksum *lens_checksum_sha256(lens_error *err);

/* As git names a file of SIZE bytes: SHA-1 over "blob SIZE", a NUL and the bytes. */
lens_checksum *lens_checksum_git(uint64_t size, lens_error *err);

void lens_checksum_add(lens_checksum *checksum, const void *bytes, size_t size);

/* The digits, in lower case. Nothing can be added after it. Lives as long as CHECKSUM. */
const char *lens_checksum_digits(lens_checksum *checksum);
void lens_checksum_free(lens_checksum *checksum);

/* Adds the first SIZE bytes of the open file FD, from its beginning. 0 or -1; PATH is for the message. */
int lens_checksum_add_file(lens_checksum *checksum, int fd, uint64_t size, const char *path, lens_error *err);

#endif
