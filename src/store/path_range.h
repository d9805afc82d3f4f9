/* What lies below a path, as a range of bytes that an index can walk. */
#ifndef LENS_STORE_PATH_RANGE_H
#define LENS_STORE_PATH_RANGE_H

/* Everything below a path P: from "P/" to "P0", both outside of it, '0' being the byte after '/'. P itself is outside too. */
typedef struct lens_path_range {
    char *from, *to;
} lens_path_range;

/* -1: memory is short. Ended with lens_path_range_free. */
int lens_path_range_of(const char *path, lens_path_range *out);
void lens_path_range_free(lens_path_range *range);

#endif
