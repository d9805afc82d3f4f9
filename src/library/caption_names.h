/* What captions call a picture -> which pictures of the library that are. */
#ifndef LENS_LIBRARY_CAPTION_NAMES_H
#define LENS_LIBRARY_CAPTION_NAMES_H

#include "store/store.h"

enum { LENS_CAPTION_BESIDE_MOST = 16 }; /* pictures that one sidecar is of */

typedef struct lens_caption_names lens_caption_names;

/* Of all pictures that STORE has now. NULL on failure. Free with lens_caption_names_free. */
lens_caption_names *lens_caption_names_new(lens_store *store, lens_error *err);
void lens_caption_names_free(lens_caption_names *names);

/* The pictures that NAME is in a file of captions in FOLDER: an absolute path; a path from FOLDER; the end of a path, or of a path from elsewhere the
 * last folder and the name; or of an address, or a bare name, whatever has the file's name. Where several pictures have it, those below FOLDER are
 * meant, and then only if they are one content. The ids in IDS [*COUNT], which live until the next call; none: there is no such picture, or
 * (*AMBIGUOUS) several. 0, or -1 when memory is short. */
int lens_caption_names_find(lens_caption_names *names, const char *folder, const char *name, const int64_t **ids, size_t *count, bool *ambiguous);

/* The pictures that lie beside the sidecar PATH and are called as it is: "dog.jpg" for dog.jpg.txt, dog.txt or dog.jpg.supplemental-metadata.json,
 * "dog(1).jpg" for dog.jpg(1).json. As above; *PICTURE is the path of the first, or NULL. Where
 * they are more than LENS_CAPTION_BESIDE_MOST there is *PICTURE, but none in IDS: it would be as many copies of what the sidecar says. */
int lens_caption_names_beside(lens_caption_names *names, const char *path, const int64_t **ids, size_t *count, const char **picture);

#endif
