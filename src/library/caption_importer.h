/* What reading captions from outside has in common, be they in files of their own or beside pictures. */
#ifndef LENS_LIBRARY_CAPTION_IMPORTER_H
#define LENS_LIBRARY_CAPTION_IMPORTER_H

#include "library/caption_names.h"
#include "library/caption_texts.h"
#include "library/index_run.h"

enum { LENS_CAPTION_PROBLEMS_MOST = 20 }; /* that are told of one file; the rest is counted */

typedef struct lens_caption_importer {
    lens_run *run;
    lens_caption_names *names; /* NULL: nobody has asked for them yet */
    const char *path;          /* of the file that is read */
    char *folder;              /* that it lies in */
    lens_caption_texts texts;  /* what it says */
    size_t crowded;            /* pictures of which not all captions were taken */
    double begun, told;
    bool named; /* by the person who waits for this run: what is left out is said */
    bool short_of_memory;
} lens_caption_importer;

/* The names are read when the first is asked for: most runs have no captions. NULL on failure. */
lens_caption_names *lens_importer_names(lens_caption_importer *self, lens_error *err);

/* Tells REASON of PATH (NULL: it names what it is of). */
void lens_importer_note(lens_run *run, const char *path, const char *reason);

/* Tells now and then that DONE of TOTAL are done. Whether to go on. */
bool lens_importer_goes_on(lens_caption_importer *self, size_t done, size_t total, bool counting);

/* Begins with the file at PATH, which must live as long as that is read; with "", ends. */
void lens_importer_begin(lens_caption_importer *self, const char *path);

/* Makes of what was collected what can be written. Before a transaction begins, since a large file takes its time, and what is left out is told. */
int lens_importer_make(lens_caption_importer *self, lens_error *err);

/* Writes TEXTS as what SOURCE says: WHOLE: all of it. */
int lens_importer_write(const lens_caption_importer *self, const lens_caption_texts *texts, int64_t source, int64_t size, int64_t mtime_ns, bool whole,
                        int64_t *changed, lens_error *err);

/* The one of SOURCES, as the store lists them, with PATH; NULL: there is none. */
const lens_store_source *lens_importer_source(const lens_store_sources *sources, const char *path);

/* index_sidecars.c: reads the files beside pictures that the walk met, where they are not what was read last. WHOLE: it met all there are. */
int lens_run_sidecars(lens_caption_importer *self, bool whole, int64_t *changed, lens_error *err);

#endif
