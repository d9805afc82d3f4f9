/* Disks that are absent: what is only the empty folder that a disk was mounted on is not a folder that was emptied.
 *
 * A share of the network that is empty as a whole counts as absent, for the disk that went may be the other machine's, of which our number says nothing. Else a
 * root is known by its disk (index_disk.c), also where its mount point is not empty. A disk that is mounted further down is known by its place: a folder that was on
 * another disk than the one it lies in, and is empty now, and on the same. A link to a folder on another disk is known with the number of that. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "base/list.h"
#include "base/patience.h"
#include "library/index_run.h"
#include "library/root_settings.h"

enum { MOUNTS_MOST = 200 }; /* of one root: of more, the last are not known again */

const char lens_unmounted_words[] = "is empty, and a disk that was there is not; what is known of it is kept",
           lens_empty_share_words[] = "is a share of the network that is empty now; what is known of it is kept until it is not, or memelens forget takes it out",
           lens_exchanged_words[] = "is on another disk than it was, and none of its pictures is there; what is known of it is kept until they are, or memelens forget takes it out",
           lens_silent_words[] = "gives no answer; what is known of it is kept",
           lens_absent_words[] = "is not there now; what is known of it is kept",
           lens_disk_absent_words[] = "was on a disk that is not there now; what is known of it is kept until that is back, or memelens forget takes it out",
           lens_mount_gone_words[] = "was another disk and is not there now; what is known of it is kept until it is back, or memelens forget takes it out";

static bool is_empty_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    const struct dirent *entry;
    do
        entry = readdir(folder);
    while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    closedir(folder);
    return entry == NULL;
}

/* What is found out of a folder, whose disk may give no answer, be it that it has just told of the folder itself out of the kernel's memory. */
typedef struct emptiness {
    lens_errand errand; /* first */
    bool other;         /* it is to be looked into, whatever disk it is on */
    bool remote, empty;
    char path[];
} emptiness;

/* Whether FOLDER is a share, or what else is mounted there from elsewhere, as a whole: a folder within one would not be there without the disk that went. */
static bool is_share(const char *folder)
{
    struct statfs disk;
    struct stat info, above;
    char *outer = lens_path_join(folder, ".."); /* of what a link leads to, too */
    const bool is = outer && statfs(folder, &disk) == 0 && lens_disk_is_remote(&disk) && stat(folder, &info) == 0 && stat(outer, &above) == 0 &&
                    info.st_dev != above.st_dev;
    free(outer);
    return is;
}

static void run_emptiness(lens_errand *errand)
{
    emptiness *self = (emptiness *)errand;
    self->remote = !self->other && is_share(self->path);
    self->empty = (self->other || self->remote) && is_empty_folder(self->path);
}

static void end_emptiness(lens_errand *errand)
{
    free(errand);
}

/* Why what is known of FOLDER is to be kept: it is empty, and OTHER (where a disk was, and is not), or a share; or it gives no answer. NULL: it is not to be. */
static const char *why_left(const char *folder, bool other)
{
    const size_t length = strlen(folder);
    emptiness *self = calloc(1, sizeof *self + length + 1);
    if (!self)
        return lens_silent_words;
    self->errand = (lens_errand){.run = run_emptiness, .end = end_emptiness};
    self->other = other;
    memcpy(self->path, folder, length + 1);
    if (lens_errand_do(&self->errand, folder, NULL) != 0)
        return lens_silent_words;
    const char *why = !self->empty ? NULL : self->remote ? lens_empty_share_words : lens_unmounted_words;
    end_emptiness(&self->errand);
    return why;
}

const char *lens_folder_left(const char *folder, const struct stat *info, int64_t device)
{
    return S_ISDIR(info->st_mode) && device ? why_left(folder, device != (int64_t)info->st_dev) : NULL;
}

int lens_folder_there(const char *path, int64_t device)
{
    struct stat info;
    char *folder = lens_path_folder(path);
    if (!folder)
        return -1;
    const bool there = lens_file_look(folder, &info, NULL) == 0 && !lens_folder_left(folder, &info, device);
    free(folder);
    return there;
}

/* The root above PATH and the disk it was on. NULL: there is none. */
static const char *root_of(const lens_run *run, const char *path, lens_disk *disk)
{
    const char *root = lens_names_nearest(&run->roots, path);
    for (size_t i = 0; root && i < run->roots.count; i++)
        if (run->roots.items[i] == root)
            *disk = run->disks[i];
    return root;
}

/* Why what is known of ROOT, of which INFO tells, is to be kept while a run goes on that found it on DISK, whatever else is there now; else NULL. */
static const char *root_left(const char *root, const struct stat *info, const lens_disk *disk)
{
    const char *why = lens_folder_left(root, info, disk->device);
    return why || !lens_disk_exchanged(root, info, disk) ? why : lens_exchanged_words;
}

/* Whether there is only the empty folder of the disk that was mounted on FOLDER, below a root. *GONE: not even that. */
static bool is_mount_left(const char *folder, bool *gone)
{
    struct stat info, above;
    lens_error why = {0};
    const bool there = lens_file_look(folder, &info, &why) == 0;
    *gone = !there && why.code == LENS_E_MISSING;
    char *outer = there ? lens_path_folder(folder) : NULL;
    const bool left = outer && lens_file_look(outer, &above, NULL) == 0 && S_ISDIR(info.st_mode) && why_left(folder, info.st_dev == above.st_dev);
    free(outer);
    return left;
}

const char *lens_disk_left(const lens_run *run, const char *path)
{
    lens_disk disk = {.level = -1};
    struct stat info;
    const char *root = root_of(run, path, &disk);
    return root && lens_file_look(root, &info, NULL) == 0 ? root_left(root, &info, &disk) : NULL;
}

/* Whether there is only LINK itself, or the empty folder of the disk that it led to. */
static bool is_link_left(const lens_mount *link)
{
    struct stat info;
    if (lens_file_look(link->path, &info, NULL) == 0)
        return lens_folder_left(link->path, &info, link->device);
    return lens_file_look_at_link(link->path, &info, NULL) == 0;
}

/* The same of any link that leads to PATH: one may lead to the disk that another lies on. */
static bool is_link_above_left(const lens_run *run, const char *path)
{
    for (size_t i = 0; i < run->link_count; i++)
        if (lens_path_within(path, run->links[i].path) && is_link_left(&run->links[i]))
            return true;
    return false;
}

/* Whether the root above PATH, and the disk further down that PATH was on, are there. MOVED: where the folder of that disk is gone, it may have another name. */
static bool is_present(const lens_run *run, const char *path, bool moved)
{
    lens_disk disk = {.level = -1};
    struct stat info;
    bool gone = false;
    const char *root = root_of(run, path, &disk), *mount = lens_names_nearest(&run->mounts, path);
    if (!root)
        return false;
    if (lens_file_look(root, &info, NULL) != 0)
        return strcmp(root, path) == 0 && lens_folder_there(path, disk.device) > 0; /* it is gone itself */
    return !root_left(root, &info, &disk) && !(mount && (is_mount_left(mount, &gone) || (gone && !moved))) && !is_link_above_left(run, path);
}

bool lens_root_present(const lens_run *run, const char *path)
{
    return is_present(run, path, false);
}

bool lens_may_have_moved(const lens_run *run, const char *path)
{
    return is_present(run, path, true);
}

/* ---- what a walk meets ---- */

/* The disk that the folder of PATH is on; the target's own is the first of its list. */
static int64_t device_above(const lens_target *target, const char *path)
{
    const lens_mount *nearest = NULL;
    for (size_t i = 0; i < target->mount_count; i++) {
        const lens_mount *mount = &target->mounts[i];
        if (mount->device && lens_path_within(path, mount->path) && (!nearest || strlen(mount->path) > strlen(nearest->path)))
            nearest = mount;
    }
    return nearest ? nearest->device : 0;
}

/* Where memory is short the disk is not known again, and no worse off than before. */
static void add_mount(lens_target *target, lens_mount mount)
{
    lens_mount *mounts = target->mount_count < MOUNTS_MOST ? lens_list_room(target->mounts, target->mount_count, &target->mount_capacity, sizeof *mounts) : NULL;
    char *copy = mounts ? strdup(mount.path) : NULL;
    if (mounts)
        target->mounts = mounts;
    mount.path = copy;
    if (copy)
        mounts[target->mount_count++] = mount;
}

/* What is known of the link PATH. NULL: nothing, or it is none. */
static const lens_mount *link_at(const lens_run *run, const char *path)
{
    for (size_t i = 0; i < run->link_count; i++)
        if (strcmp(run->links[i].path, path) == 0)
            return &run->links[i];
    return NULL;
}

const char *lens_mounts_meet(lens_run *run, lens_target *target, const char *path, const lens_walk_folder *folder)
{
    const bool known = lens_names_find(&run->mounts, path) >= 0;
    const lens_mount *link = folder->link ? link_at(run, path) : NULL;
    const char *why = link && folder->empty ? why_left(path, link->device != folder->device) : NULL;
    if (why) {
        add_mount(target, *link);
        return why;
    }
    if (target->mount_count == 0 || device_above(target, path) != folder->device) {
        add_mount(target, (lens_mount){.path = (char *)path, .device = folder->device, .link = folder->link});
        return known && folder->empty ? why_left(path, false) : NULL;
    }
    if (known || link)
        add_mount(target, (lens_mount){.path = (char *)path, .ordinary = !known || !folder->empty});
    return known && folder->empty ? lens_unmounted_words : NULL;
}

/* Whether PATH is a folder below TARGET that its walk should have come to, and has not. */
static bool is_missed(const lens_run *run, const lens_target *target, const char *path)
{
    for (size_t i = 0; i < target->mount_count; i++)
        if (strcmp(target->mounts[i].path, path) == 0)
            return false;
    for (size_t i = 0; i < run->target_count; i++) /* one of those below has it */
        if (&run->targets[i] != target && lens_path_within(run->targets[i].path, target->path) && lens_path_within(path, run->targets[i].path))
            return false;
    const char *rule = lens_names_nearest(&run->forgotten, path);
    return lens_path_within(path, target->path) && !(rule && lens_path_within(rule, target->path)) && lens_walk_leaves_out(&target->walk, path, true, NULL) == 0;
}

bool lens_mounts_miss(lens_run *run, lens_target *target, const char *path)
{
    struct stat info;
    lens_error why = {0};
    if (!is_missed(run, target, path))
        return false;
    add_mount(target, (lens_mount){.path = (char *)path});
    return lens_file_look(path, &info, &why) != 0 && why.code == LENS_E_MISSING;
}

void lens_links_miss(lens_run *run, lens_target *target)
{
    for (size_t i = 0; i < run->link_count; i++) {
        struct stat info;
        lens_error why = {0};
        const lens_mount *link = &run->links[i];
        if (!is_missed(run, target, link->path))
            continue;
        const bool there = lens_file_look_at_link(link->path, &info, &why) == 0;
        if (there ? S_ISLNK(info.st_mode) : why.code != LENS_E_MISSING || !lens_root_present(run, link->path))
            add_mount(target, *link);
    }
}

/* ---- what is kept of them ---- */

/* Puts VALUE, which it takes, into SETTINGS as KEY, if it is another than before. Whether it was. */
static bool put_other(json_t *settings, const char *key, json_t *value)
{
    const json_t *before = json_object_get(settings, key);
    const bool other = value && (before ? !json_equal(before, value) : json_array_size(value) + json_object_size(value) > 0);
    if (other)
        json_object_set(settings, key, value);
    json_decref(value);
    return other;
}

bool lens_mounts_keep(const lens_target *target, json_t *settings)
{
    json_t *paths = json_array(), *links = json_object();
    for (size_t i = 0; i < target->mount_count; i++) { /* a path that is not UTF-8 is none */
        const lens_mount *mount = &target->mounts[i];
        if (strcmp(mount->path, target->path) == 0 || mount->ordinary)
            continue;
        if (mount->link)
            json_object_set_new(links, mount->path, json_integer((json_int_t)mount->device));
        else
            json_array_append_new(paths, json_string(mount->path));
    }
    const bool other_paths = put_other(settings, lens_mounts_key, paths);
    return put_other(settings, lens_links_key, links) || other_paths;
}

static int add_known(lens_names *known, const json_t *paths, lens_error *err)
{
    for (size_t i = 0; i < json_array_size(paths); i++) {
        const char *path = json_string_value(json_array_get(paths, i));
        if (path && path[0] == '/' && lens_names_add(known, strdup(path)) != 0)
            return lens_fail_memory(err);
    }
    return 0;
}

static int add_links(lens_run *run, json_t *links, lens_error *err)
{
    const char *path;
    json_t *device;
    json_object_foreach(links, path, device) {
        lens_mount *items = lens_list_room(run->links, run->link_count, &run->link_capacity, sizeof *items);
        if (!items)
            return lens_fail_memory(err);
        run->links = items;
        items[run->link_count] = (lens_mount){.path = strdup(path), .device = (int64_t)json_integer_value(device), .link = true};
        if (!items[run->link_count].path)
            return lens_fail_memory(err);
        run->link_count++;
    }
    return 0;
}

/* Of every root, not of the targets alone: a picture may be taken for one that has moved from any of them. */
int lens_mounts_load(lens_run *run, lens_error *err)
{
    run->disks = calloc(run->roots.count + 1, sizeof *run->disks);
    if (!run->disks)
        return lens_fail_memory(err);
    int result = 0;
    for (size_t r = 0; result == 0 && r < run->roots.count; r++) {
        json_t *settings = lens_root_settings(run->store, run->roots.items[r], err);
        if (!settings)
            return -1;
        run->disks[r] = lens_disk_of(settings);
        result = add_known(&run->mounts, json_object_get(settings, lens_mounts_key), err);
        if (result == 0)
            result = add_links(run, json_object_get(settings, lens_links_key), err);
        json_decref(settings);
    }
    lens_names_sort(&run->mounts);
    return result;
}

void lens_mounts_free(lens_run *run)
{
    free(run->disks);
    lens_names_free(&run->mounts);
    for (size_t i = 0; i < run->link_count; i++)
        free(run->links[i].path);
    free(run->links);
}
