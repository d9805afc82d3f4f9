/* Watching folders: which of them changed, as the kernel tells (inotify). A folder is watched by itself; what lies below it is watched when it
 * is added too. */
#ifndef LENS_FILES_WATCH_H
#define LENS_FILES_WATCH_H

#include <stdbool.h>

#include "base/error.h"

typedef struct lens_folder_watch lens_folder_watch;

typedef enum lens_watch_kind {
    LENS_WATCH_FILE,   /* NAME in FOLDER was written, came, changed its name or its rights */
    LENS_WATCH_GONE,   /* NAME, a file or a folder, is no longer in FOLDER; a folder's watches are dropped */
    LENS_WATCH_FOLDER, /* a folder NAME came, or its rights changed: add it if it is wanted */
    LENS_WATCH_SELF,   /* FOLDER itself is gone, its disk was unmounted, or it has moved; NAME is NULL and its watch is dropped */
    LENS_WATCH_LOST    /* events were lost: anything may have changed; FOLDER and NAME are NULL */
} lens_watch_kind;

typedef void lens_watch_function(void *context, lens_watch_kind kind, const char *folder, const char *name);

/* NULL on failure: LENS_E_LIMIT when this user has too many of them. */
lens_folder_watch *lens_folder_watch_new(lens_error *err);
void lens_folder_watch_free(lens_folder_watch *watch);

/* Begins to watch FOLDER, which is absolute; again is harmless. *OTHER: another path that it was watched under and that leads there too, as a link does,
 * for the caller to free, else NULL; the kernel tells of a folder once, and from now on it is told of as FOLDER. LENS_E_LIMIT when the kernel watches no more
 * folders for this user, LENS_E_MISSING when it is not there, LENS_E_SYSTEM when it cannot be read, LENS_E_SILENT when its disk gives no answer. */
int lens_folder_watch_add(lens_folder_watch *watch, const char *folder, char **other, lens_error *err);

/* Forgets all folders. */
void lens_folder_watch_clear(lens_folder_watch *watch);

/* Waits up to SECONDS for changes and tells of each; FUNCTION may add folders. A file that someone still writes is told of when it is
 * closed. The number of events, 0 when nothing came, -1. */
int lens_folder_watch_wait(lens_folder_watch *watch, double seconds, lens_watch_function *function, void *context, lens_error *err);

/* Whether changes in FOLDER made elsewhere are not told of, because it lies on a disk of the network or in a program (FUSE); true too where
 * there is no answer. */
bool lens_folder_is_remote(const char *folder);

#endif
