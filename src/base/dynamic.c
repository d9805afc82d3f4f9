#include "base/dynamic.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

bool lens_dynamic_open(const char *file, const lens_dynamic_symbol *symbols, size_t count, char *why, size_t size)
{
    void *handle = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    for (size_t i = 0; handle && i < count; i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (!found)
            handle = NULL; /* dlerror says which */
        else
            memcpy(symbols[i].slot, &found, sizeof found);
    }
    if (!handle)
        snprintf(why, size, "%s", dlerror());
    return handle != NULL;
}
