/* Walking folders. Nothing here opens a file: it tells which regular files there are, and what could not be looked at. Folders are read with the patience of
 * base/patience.h: one that gives no answer is a problem (LENS_E_SILENT), and the walk goes on. */
#ifndef LENS_FILES_WALK_H
#define LENS_FILES_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct lens_walk_options {
    /* Glob patterns (fnmatch, where * matches slashes too), against the name and against the path below the root: what
     * matches is left out, a folder with all that it holds. One that begins with a slash counts against the path alone;
     * one that ends in a slash, for folders alone. The root itself is never left out. */
    const char *const *exclude;
    size_t exclude_count;
    bool include_hidden; /* names that begin with a dot */
    const char *base; /* what the patterns are relative to: ROOT or a folder above it; NULL: ROOT */
} lens_walk_options;

typedef struct lens_walk_file {
    const char *path; /* absolute; lives during the call */
    int64_t size;     /* bytes */
    int64_t mtime_ns; /* since the epoch */
    bool wanted;      /* what the visitor's WANTS said of it; true without one */
    bool link;        /* a symbolic link leads to it from PATH; not known of ROOT itself */
} lens_walk_file;

typedef struct lens_walk_folder {
    int64_t device; /* the disk that it is on, as in st_dev */
    bool link;      /* it was come to by a symbolic link */
    bool empty;     /* nothing is in it, hidden or not */
} lens_walk_folder;

typedef struct lens_walk_visitor {
    /* A regular file (or a symbolic link to one). Other than 0 ends the walk, which returns it. */
    int (*file)(void *context, const lens_walk_file *file);
    /* A folder, the root too, asked before it is entered: false leaves it out. May be NULL. */
    bool (*enter)(void *context, const char *path);
    /* A folder that was entered, the root too, before anything in it. May be NULL. */
    void (*folder)(void *context, const char *path, const lens_walk_folder *folder);
    /* Something that could not be looked at: the walk goes on. The message names it. May be NULL. What is known at or
     * below PATH must not be taken for gone: PATH is the folder that could not be read whole, or the file, or the link
     * that leads nowhere (perhaps to a disk that is not there today). */
    void (*problem)(void *context, const char *path, const lens_error *error);
    /* Whether the file at PATH, below ROOT, is one that the visitor wants, which it may open for that: asked on another thread, that may never come back, as
     * the file system that it asks may not. May be NULL. Nothing is asked of what PASSES_BY (may be NULL too) says, which itself opens nothing. */
    bool (*wants)(const char *path);
    bool (*passes_by)(void *context, const char *path);
    void *context;
} lens_walk_visitor;

/* Walks ROOT (absolute; a folder, a file or a link to one): of each folder the files, then the folders, both in byte
 * order of their names; folders that are symbolic links after all real ones. Every folder is entered once however many
 * ways lead to it, and a link to a folder above ROOT is not followed, so a loop ends. What is neither a file nor a
 * folder is passed by. OPTIONS may be NULL. LENS_E_MISSING when ROOT is not there. */
int lens_walk(const char *root, const lens_walk_options *options, const lens_walk_visitor *visitor, lens_error *err);

/* Whether a walk of OPTIONS' base, which is absolute, passes by PATH, below it and a folder or not: it or a folder between is hidden or excluded.
 * 1, 0, or -1. */
int lens_walk_leaves_out(const lens_walk_options *options, const char *path, bool folder, lens_error *err);

#endif
