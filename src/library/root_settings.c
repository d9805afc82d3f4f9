#include "library/root_settings.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

const char lens_device_key[] = "device", lens_level_key[] = "level", lens_mounts_key[] = "mounts", lens_links_key[] = "links";

json_t *lens_root_settings(lens_store *store, const char *root, lens_error *err)
{
    char *text = NULL;
    if (lens_store_root_settings(store, root, &text, err) != 0)
        return NULL;
    json_t *settings = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(text);
    if (!json_is_object(settings)) {
        json_decref(settings);
        settings = json_object();
    }
    if (!settings)
        lens_fail_memory(err);
    return settings;
}

int lens_root_walk_options(const json_t *settings, const char *base, lens_walk_options *out, lens_error *err)
{
    const json_t *patterns = json_object_get(settings, "exclude");
    const char **exclude = calloc(json_array_size(patterns) + 1, sizeof *exclude);
    *out = (lens_walk_options){.exclude = exclude, .include_hidden = json_is_true(json_object_get(settings, "hidden")), .base = base};
    if (!exclude)
        return lens_fail_memory(err);
    for (size_t i = 0; i < json_array_size(patterns); i++) {
        const char *pattern = json_string_value(json_array_get(patterns, i));
        if (pattern)
            exclude[out->exclude_count++] = pattern;
    }
    return 0;
}

int lens_root_comes_by(lens_store *store, const char *root, const char *path, lens_error *err)
{
    lens_walk_options walk;
    struct stat info;
    json_t *settings = lens_root_settings(store, root, err);
    if (!settings)
        return -1;
    int left_out = lens_root_walk_options(settings, root, &walk, err);
    if (left_out == 0)
        left_out = lens_walk_leaves_out(&walk, path, lens_file_look(path, &info, NULL) == 0 && S_ISDIR(info.st_mode), err);
    free((void *)walk.exclude);
    json_decref(settings);
    return left_out < 0 ? -1 : !left_out;
}
