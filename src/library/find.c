/* Which files are pictures. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "files/walk.h"
#include "library/internal.h"
#include "memelens_study.h"

bool lens_is_picture_file(const char *path)
{
    if (lens_named_as_picture(path))
        return true;
    unsigned char head[LENS_SNIFF_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    ssize_t size;
    do
        size = read(fd, head, sizeof head);
    while (size < 0 && errno == EINTR);
    close(fd);
    return size > 0 && lens_sniff(head, (size_t)size) != LENS_FORMAT_NONE;
}

bool lens_viewer_sees_picture(const char *path)
{
    return lens_named_as_picture(path) || !strchr(lens_path_name(path), '.');
}

struct finder {
    int (*each)(void *context, const char *path);
    void *context;
    const char *root;
};

static int meet(void *context, const lens_walk_file *file)
{
    const struct finder *self = context;
    return strcmp(file->path, self->root) == 0 || file->wanted ? self->each(self->context, file->path) : 0;
}

int lens_find_pictures(const char *folder, int (*each)(void *context, const char *path), void *context, lens_error *err)
{
    char *root = lens_path_absolute(folder, err);
    if (!root)
        return -1;
    struct finder self = {each, context, root};
    lens_walk_visitor visitor = {.file = meet, .wants = lens_is_picture_file, .context = &self};
    int result = lens_walk(root, NULL, &visitor, err);
    free(root);
    return result;
}
