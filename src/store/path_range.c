#include "store/path_range.h"

#include <stdlib.h>
#include <string.h>

int lens_path_range_of(const char *path, lens_path_range *out)
{
    size_t length = strlen(path);
    if (length == 1) /* "/": the bounds are "/" and "0" themselves */
        length = 0;
    out->from = malloc(length + 2);
    out->to = malloc(length + 2);
    if (!out->from || !out->to) {
        lens_path_range_free(out);
        return -1;
    }
    memcpy(out->from, path, length);
    memcpy(out->to, path, length);
    memcpy(out->from + length, "/", 2);
    memcpy(out->to + length, "0", 2);
    return 0;
}

void lens_path_range_free(lens_path_range *range)
{
    free(range->from);
    free(range->to);
    *range = (lens_path_range){0};
}
