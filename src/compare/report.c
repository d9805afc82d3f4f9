#include "compare/compare.h"

int lens_compare_report(const json_t *found, const char *path, lens_error *err)
{
    (void)found, (void)path, (void)err;
    return 0;
}
