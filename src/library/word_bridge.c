#include "library/word_bridge.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"

static lens_word_map *base;
static pthread_once_t base_once = PTHREAD_ONCE_INIT;

static void read_base(void)
{
    base = lens_word_map_built_in(NULL);
}

static bool is_for(const lens_word_map *map, const lens_store_model *model)
{
    return map && map->dim == model->dim && memcmp(&map->about.pictures_print, &model->fingerprint, sizeof model->fingerprint) == 0;
}

const lens_word_map *lens_word_bridge_base(const lens_store_model *model)
{
    pthread_once(&base_once, read_base);
    return is_for(base, model) ? base : NULL;
}

char *lens_word_bridge_path(const char *folder, const lens_store_model *model)
{
    lens_buffer path = {0};
    char name[2 * 4 + 1];
    lens_hash_hex(&model->fingerprint, 4, name);
    if (lens_buffer_print(&path, "%s/words-%s.map", folder, name) == 0)
        return path.data;
    lens_buffer_free(&path);
    return NULL;
}

int lens_word_bridge_each(const char *folder, int (*each)(void *context, const char *path, lens_error *err), void *context, lens_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir && errno == ENOENT) /* that of a database is made when it is needed */
        return 0;
    if (!dir)
        return lens_fail_errno(err, errno, "%s", folder);
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(dir));) {
        if (fnmatch("words-*.map", entry->d_name, 0) != 0)
            continue;
        char *path = lens_path_join(folder, entry->d_name);
        lens_error why = {0};
        result = path ? each(context, path, &why) : lens_fail_memory(&why);
        if (result < 0 && path && !lens_file_exists(path)) /* another process has removed it since it was listed */
            result = 0;
        else if (result < 0 && err)
            *err = why;
        free(path);
    }
    closedir(dir);
    return result;
}

bool lens_word_bridge_known(const char *folder, const lens_store_model *model)
{
    struct stat info;
    char *path = lens_word_bridge_path(folder, model);
    const bool own = path && stat(path, &info) == 0;
    free(path);
    return own || lens_word_bridge_base(model);
}

const lens_word_map *lens_word_bridge(lens_library *library, const lens_store_model *model)
{
    struct stat info;
    char *path = lens_word_bridge_path(library->place.folder, model);
    if (path && stat(path, &info) == 0) {
        const bool same = is_for(library->map, model) && info.st_ino == library->map_number && info.st_mtim.tv_sec == library->map_time;
        if (!same) { /* fitting puts another file in its place */
            lens_word_map_free(library->map);
            library->map = lens_word_map_read(path, NULL);
            library->map_number = info.st_ino;
            library->map_time = info.st_mtim.tv_sec;
        }
        if (is_for(library->map, model)) {
            free(path);
            return library->map;
        }
    }
    free(path);
    return lens_word_bridge_base(model);
}
