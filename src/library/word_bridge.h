/* Words for a model that knows pictures only: a sentence is encoded by the sentence model, and a map turns its vector into a query among the pictures'. */
#ifndef LENS_LIBRARY_WORD_BRIDGE_H
#define LENS_LIBRARY_WORD_BRIDGE_H

#include "encoders/word_map.h"
#include "library/internal.h"

/* The map for MODEL of LIBRARY: the one that was fitted on the library's own pictures, else the built-in one. NULL: there is none. It lives until the next
 * call with LIBRARY. */
const lens_word_map *lens_word_bridge(lens_library *library, const lens_store_model *model);

/* Whether there is one, for the library in FOLDER. */
bool lens_word_bridge_known(const char *folder, const lens_store_model *model);

/* Where the map that is fitted on the library in FOLDER lies. The caller frees. NULL when memory is short. */
char *lens_word_bridge_path(const char *folder, const lens_store_model *model);

/* Calls EACH with the path of every map in FOLDER until it returns other than 0, which is then returned. -1 on failure; where EACH fails for a map that is gone by
 * then, it goes on. */
int lens_word_bridge_each(const char *folder, int (*each)(void *context, const char *path, lens_error *err), void *context, lens_error *err);

/* The built-in map, if it is for MODEL; else, or when memory was short, NULL. It lives as long as the program. */
const lens_word_map *lens_word_bridge_base(const lens_store_model *model);

#endif
