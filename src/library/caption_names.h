/* What captions call a picture -> which pictures of the library that are. */
#ifndef LENS_LIBRARY_CAPTION_NAMES_H
#define LENS_LIBRARY_CAPTION_NAMES_H

#include "base/names.h"
#include "store/store.h"

enum { LENS_CAPTION_BESIDE_MOST = 16 }; /* pictures that one sidecar is of */

typedef struct lens_caption_names lens_caption_names;

/* Of all pictures that STORE has now. NULL on failure. Free with lens_caption_names_free. */
lens_caption_names *lens_caption_names_new(lens_store *store, lens_error *err);
void lens_caption_names_free(lens_caption_names *names);

typedef struct lens_caption_found {
    size_t count;   /* pictures; 0: there is none */
    bool ambiguous; /* for there are several */
    bool moved;     /* they are this name's only if they were moved: those that the file already said this of */
} lens_caption_found;

/* The pictures that NAME is in a file of captions in FOLDER: an absolute path; a path from FOLDER; the end of a path, or of a path from elsewhere the
 * last folder and the name; or of an address, or a bare name, whatever has the file's name. Where several pictures have it, those below FOLDER are
 * meant, and then only if they are one content. The ids in IDS [FOUND->count], which live until the next call. 0, or -1 when memory is short. */
int lens_caption_names_find(lens_caption_names *names, const char *folder, const char *name, const int64_t **ids, lens_caption_found *found);

/* The places of a file of captions are the folders in which it called a picture by its exact path, now or when it was read before: there its names are exact. Where
 * the picture of one is gone or broken, another that is called the same is another picture, also when all that the folder held was forgotten: so the library
 * keeps the places with the file. Where a name lies in no place of its file, as in a file from another machine, for another layout of the folders, or among
 * other pictures in Downloads, nothing but its end can tell. It is not all names of a file or none: one file may be kept on two machines. That a folder
 * holds known pictures is not enough, for those in Downloads are others. Below a place names are looked for all the same, as who wrote bare names for a folder
 * with folders in it meant them.
 *
 * Before the first name of a file is found: begin, each place that was kept, a look at each name, and then all places, in order. NULL, and -1, when memory is
 * short. */
void lens_caption_names_begin(lens_caption_names *names);
int lens_caption_names_place(lens_caption_names *names, const char *place);
int lens_caption_names_look(lens_caption_names *names, const char *folder, const char *name);
const lens_names *lens_caption_names_places(lens_caption_names *names);

/* The pictures that lie beside the sidecar PATH and are called as it is: "dog.jpg" for dog.jpg.txt, dog.txt or dog.jpg.supplemental-metadata.json,
 * "dog(1).jpg" for dog.jpg(1).json. As above; *PICTURE is the path of the first, or NULL. Where
 * they are more than LENS_CAPTION_BESIDE_MOST there is *PICTURE, but none in IDS: it would be as many copies of what the sidecar says. */
int lens_caption_names_beside(lens_caption_names *names, const char *path, const int64_t **ids, size_t *count, const char **picture);

#endif
