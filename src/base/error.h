/* Filling a lens_error. See memelens_error.h for the convention. */
#ifndef LENS_BASE_ERROR_H
#define LENS_BASE_ERROR_H

#include "memelens_error.h"

/* Fills ERR (may be NULL) with CODE and the formatted message. Always returns -1, so that
 * `return lens_fail(err, ...)` reads as one step. */
int lens_fail(lens_error *err, lens_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same where there is no memory for something, or for something of NAME. */
int lens_fail_memory(lens_error *err);
int lens_fail_memory_for(lens_error *err, const char *name);

/* The same for a failed system call: appends ": " and the words for ERRNUM, and picks
 * LENS_E_FULL for ENOSPC and EDQUOT, LENS_E_MISSING for ENOENT, LENS_E_MEMORY for ENOMEM,
 * else LENS_E_SYSTEM. */
int lens_fail_errno(lens_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "PREFIX: " before the message that ERR already holds. Always returns -1. */
int lens_fail_in(lens_error *err, const char *prefix);

/* MESSAGE without a "PREFIX: " at its head, in MESSAGE itself: for who tells PREFIX beside it. */
const char *lens_error_without(const char *message, const char *prefix);

#endif
