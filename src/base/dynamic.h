/* Libraries that are opened at the first need and not linked, because each brings many others along and most runs never need them.
 *
 *     #define FUNCTIONS(X) X(g_checksum_new) X(g_checksum_free)
 *     static struct { FUNCTIONS(LENS_DYNAMIC_SLOT) } lib;
 *     static const lens_dynamic_symbol symbols[] = {FUNCTIONS(LENS_DYNAMIC_SYMBOL)};
 *
 * The slots have the functions' own types, from the library's header: the compiler checks each call. */
#ifndef LENS_BASE_DYNAMIC_H
#define LENS_BASE_DYNAMIC_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lens_dynamic_symbol {
    const char *name;
    void *slot; /* of a pointer to the function */
} lens_dynamic_symbol;

#define LENS_DYNAMIC_SLOT(function) __typeof__(function) *function;
#define LENS_DYNAMIC_SYMBOL(function) {#function, &lib.function},

/* Opens the library FILE ("libcurl.so.4"), for good, and fills the slots of SYMBOLS [count]; functions of what it depends on are found too.
 * False when that cannot be, and WHY [size] then says why. */
bool lens_dynamic_open(const char *file, const lens_dynamic_symbol *symbols, size_t count, char *why, size_t size);

#endif
