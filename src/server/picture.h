/* A picture of the library as JSON tells it, and what else has a path. */
#ifndef LENS_SERVER_PICTURE_H
#define LENS_SERVER_PICTURE_H

#include "server/server.h"

/* "cat.jpg" of PATH, in UTF-8 whatever its bytes are. All these give NULL when memory is short. */
json_t *lens_name_json(const char *path);

/* PATH where this server tells paths, else NULL for "leave it out". */
json_t *lens_path_json(const lens_exchange *exchange, const char *path);

/* PATH where this server tells paths, else its last name: also of a model, as one's own is named by its folder. */
json_t *lens_path_or_name_json(const lens_exchange *exchange, const char *path);

/* What the bytes in PICTURE's file are called: otherwise once they have changed, or another library is here, so that what was made of them may be kept for ever. */
enum { LENS_VERSION_SIZE = 48 };
void lens_picture_version(const lens_exchange *exchange, const lens_picture *picture, char version[LENS_VERSION_SIZE]);

/* {"id", "name", "path" where it is told, "width", "height", "bytes", "format", "modified", "file", "thumb"} */
json_t *lens_picture_json(const lens_exchange *exchange, const lens_picture *picture);

/* Picture ID of the exchange's library, to be freed with lens_picture_free. 0, or -1 with an answer. */
int lens_picture_find(lens_exchange *exchange, int64_t id, lens_picture *picture);

#endif
