/* The part of an index run that comes after the pictures: captions from outside. */
#ifndef LENS_LIBRARY_INDEX_CAPTIONS_H
#define LENS_LIBRARY_INDEX_CAPTIONS_H

#include "library/index_run.h"

/* A file beside pictures that the walk met. */
typedef struct lens_sidecar {
    char *path;
    int64_t size, mtime_ns;
    bool link; /* it is a symbolic link */
} lens_sidecar;

/* Keeps what the walk met. 0, or -1 when memory is short. */
int lens_run_sidecar(lens_run *run, const lens_walk_file *file);
void lens_run_sidecars_free(lens_run *run);

/* Whether the files of captions that the options name are there, and files: to be asked before hours of encoding. 0 or -1. */
int lens_run_captions_there(const lens_run *run, lens_error *err);

/* Reads the files of captions that the options name or the library knows, and the files beside pictures, where they are not what was read last.
 * WHOLE: the walk saw everything, and what it did not meet is gone. *CHANGED: captions. */
int lens_run_captions(lens_run *run, bool whole, int64_t *changed, lens_error *err);

/* Puts what is written in the bytes of each of JOBS' pictures into its entry of ENTRIES, before they are written: in one transaction with the picture,
 * which is not looked at again. The caller frees each FOLDED, whatever this returns. */
int lens_run_embedded(lens_run *run, lens_store_entry *entries, const lens_job *const *jobs, size_t count, lens_error *err);

#endif
