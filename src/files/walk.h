/* Walking folders. Nothing here opens a file: it tells which regular files there are, and what could not be looked at. */
#ifndef LENS_FILES_WALK_H
#define LENS_FILES_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct lens_walk_options {
    const char *const *exclude; /* glob patterns (fnmatch), against the name and against the path below the root */
    size_t exclude_count;
    bool include_hidden; /* names that begin with a dot */
} lens_walk_options;

typedef struct lens_walk_file {
    const char *path; /* absolute; lives during the call */
    int64_t size;     /* bytes */
    int64_t mtime_ns; /* since the epoch */
} lens_walk_file;

typedef struct lens_walk_visitor {
    /* A regular file (or a symbolic link to one). Other than 0 ends the walk, which returns it. */
    int (*file)(void *context, const lens_walk_file *file);
    /* A folder, asked before it is entered: false leaves it out. May be NULL. */
    bool (*enter)(void *context, const char *path);
    /* Something that could not be looked at: the walk goes on. The message names it. A folder that could not be read whole
     * must not lose the pictures known below it: PATH is that folder. */
    void (*problem)(void *context, const char *path, const lens_error *error);
    void *context;
} lens_walk_visitor;

/* Walks ROOT (absolute; a folder or a file), names in byte order, folders that are symbolic links after all real ones, every folder
 * once however many ways lead to it (so a loop ends). LENS_E_MISSING when ROOT is not there. */
int lens_walk(const char *root, const lens_walk_options *options, const lens_walk_visitor *visitor, lens_error *err);

#endif
