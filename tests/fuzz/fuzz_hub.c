/* Any bytes as each of the hub's three answers. Names that come through must be plain ones. */
#include <stdint.h>
#include <stdlib.h>

#include "net/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(lens_names *names, bool (*plain)(const char *name))
{
    for (size_t i = 0; i < names->count; i++)
        if (!plain(names->items[i]))
            abort();
    lens_names_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    char commit[LENS_COMMIT_DIGITS + 1];
    lens_error err = {0};
    lens_names names;
    if (lens_hub_read_listing(bytes, size, "input", &names, commit, &err) != 0 && !err.message[0])
        abort();
    check(&names, lens_hub_file_path);
    err.message[0] = '\0';
    if (lens_hub_read_index(bytes, size, "input", &names, &err) != 0 && !err.message[0])
        abort();
    check(&names, lens_hub_file_name);
    err.message[0] = '\0';
    if (lens_hub_read_conversion(bytes, size, "input", &err) < 0 && !err.message[0])
        abort();
    return 0;
}
