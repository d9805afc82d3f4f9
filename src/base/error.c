#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int lens_fail(lens_error *err, lens_error_code code, const char *format, ...)
{
    if (!err)
        return -1;
    va_list args;
    va_start(args, format);
    err->code = code;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return -1;
}

int lens_fail_memory(lens_error *err)
{
    return lens_fail(err, LENS_E_MEMORY, "not enough memory");
}

int lens_fail_memory_for(lens_error *err, const char *name)
{
    return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", name);
}

int lens_fail_errno(lens_error *err, int errnum, const char *format, ...)
{
    if (!err)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    switch (errnum) {
    case ENOSPC:
    case EDQUOT: err->code = LENS_E_FULL; break;
    case ENOENT: err->code = LENS_E_MISSING; break;
    case ENOMEM: err->code = LENS_E_MEMORY; break;
    default: err->code = LENS_E_SYSTEM;
    }
    char words[128];
    if (strerror_r(errnum, words, sizeof words) != 0)
        snprintf(words, sizeof words, "error %d", errnum);
    /* The reason is kept whole: a path of 4 KB gives way. */
    size_t used = strlen(err->message), room = sizeof err->message - strlen(words) - 3;
    if (used > room)
        used = room;
    snprintf(err->message + used, sizeof err->message - used, ": %s", words);
    return -1;
}

int lens_fail_in(lens_error *err, const char *prefix)
{
    if (!err)
        return -1;
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    /* The reason matters more than a long prefix: cut the prefix first. */
    size_t reason = strlen(old);
    size_t room = sizeof err->message - 3;
    int cut = (int)(reason < room ? room - reason : 0);
    snprintf(err->message, sizeof err->message, "%.*s: %s", cut, prefix, old);
    return -1;
}

const char *lens_error_without(const char *message, const char *prefix)
{
    const size_t length = strlen(prefix);
    return length && strncmp(message, prefix, length) == 0 && strncmp(message + length, ": ", 2) == 0 ? message + length + 2 : message;
}
