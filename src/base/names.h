/* A list of names or paths, each for itself allocated. */
#ifndef LENS_BASE_NAMES_H
#define LENS_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* {0} is empty. */
typedef struct lens_names {
    char **items;
    size_t count, capacity;
} lens_names;

/* Takes NAME over, which was just allocated, also when memory is short: NAME may be NULL for that. 0 or -1. */
int lens_names_add(lens_names *names, char *name);

bool lens_names_have(const lens_names *names, const char *name);

/* By their bytes. */
void lens_names_sort(lens_names *names);
/* Where NAME is in NAMES, which are sorted; -1: nowhere. */
ptrdiff_t lens_names_find(const lens_names *names, const char *name);

/* Of PATHS the nearest that PATH is or lies below; NULL: none. It is the list's. */
const char *lens_names_nearest(const lens_names *paths, const char *path);

void lens_names_free(lens_names *names);

#endif
