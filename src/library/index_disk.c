/* The disk that a root is on. Its number is another one after each start of some machines, and says nothing of a mount point; so it is also known by how many
 * folders above the root it begins. Where both are others than they were, the disk is another one: mostly none is mounted where one was. */
#include "base/buffer.h"
#include "base/file.h"
#include "library/index_run.h"
#include "library/root_settings.h"

/* How many folders above FOLDER its disk begins: 0, where it is mounted there. -1: FOLDER is none, or that cannot be told. */
static int level_of(const char *folder)
{
    struct stat info, above;
    lens_buffer path = {0};
    int level = -1;
    bool fine = lens_buffer_print(&path, "%s", folder) == 0 && lens_file_look(folder, &info, NULL) == 0;
    for (int climbed = 0; fine && level < 0; climbed++) {
        fine = lens_buffer_print(&path, "/..") == 0 && lens_file_look(path.data, &above, NULL) == 0; /* of what a link leads to, too */
        if (fine && (above.st_dev != info.st_dev || above.st_ino == info.st_ino))
            level = climbed;
        info = above;
    }
    lens_buffer_free(&path);
    return level;
}

lens_disk lens_disk_of(const json_t *settings)
{
    const json_t *level = json_object_get(settings, lens_level_key);
    return (lens_disk){.device = json_integer_value(json_object_get(settings, lens_device_key)), .level = level ? (int)json_integer_value(level) : -1};
}

void lens_disk_put(json_t *settings, const char *root, const struct stat *info)
{
    const int level = level_of(root);
    const lens_disk before = lens_disk_of(settings);
    if (level < 0 && before.level >= 0 && before.device != (int64_t)info->st_dev)
        return; /* what cannot be told now is no other disk */
    json_object_set_new(settings, lens_device_key, json_integer((json_int_t)info->st_dev));
    if (level >= 0)
        json_object_set_new(settings, lens_level_key, json_integer(level));
    else
        json_object_del(settings, lens_level_key);
}

bool lens_disk_exchanged(const char *root, const struct stat *info, const lens_disk *disk)
{
    return disk->device && disk->level >= 0 && disk->device != (int64_t)info->st_dev && level_of(root) != disk->level;
}
