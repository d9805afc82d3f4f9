/* What there is in one folder, read by an errand (base/patience.h), as a disk may never answer: so a listing has nothing in it that is anybody else's. */
#ifndef LENS_FILES_LISTING_H
#define LENS_FILES_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/patience.h"

typedef struct lens_listing_entry {
    char *name; /* in the listing's names; while they grow, how far from their beginning */
    struct timespec time;
    off_t size;
    int failed;         /* errno */
    unsigned char kind; /* as dirent's: DT_REG, DT_DIR, DT_LNK, and DT_CHR for all else */
    bool asked, wanted; /* ASKED, by the caller: lens_listing_ask is to find out whether it is WANTED */
} lens_listing_entry;

typedef struct lens_listing {
    lens_errand errand; /* first */
    bool (*wants)(const char *path);
    bool include_hidden, link; /* LINK: the folder itself may be a symbolic link */
    int not_opened, not_read;  /* errno */
    struct stat info;          /* of the folder */
    lens_buffer names;
    lens_listing_entry *entries; /* [count], in byte order of their names */
    size_t count, capacity;
    bool any;     /* there is something in it, be it hidden */
    bool starved; /* memory was short */
    char path[];
} lens_listing;

/* Of the folder PATH, with an errand that will read it. WANTS (may be NULL) says whether a file is wanted, and may open it. NULL when memory is short. Free
 * with lens_listing_free. */
lens_listing *lens_listing_new(const char *path, bool include_hidden, bool link, bool (*wants)(const char *path));
void lens_listing_free(lens_listing *listing);

/* For the errand of a listing that has been read, where the caller wants it: WANTS is asked of the entries that are to be ASKED. */
void lens_listing_ask(lens_errand *listing);

/* "FOLDER/NAME": lens_path_join for NAMEs without slashes, at a tenth of its time, as a walk makes two for each file. The caller frees; NULL when memory is
 * short. */
char *lens_listing_path(const char *folder, const char *name);

#endif
