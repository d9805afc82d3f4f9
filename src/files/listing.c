#include "files/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"

char *lens_listing_path(const char *folder, const char *name)
{
    size_t length = strlen(folder), more = strlen(name);
    if (length == 1)
        length = 0; /* "/" */
    char *path = malloc(length + more + 2);
    if (path) {
        memcpy(path, folder, length);
        path[length] = '/';
        memcpy(path + length + 1, name, more + 1);
    }
    return path;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const lens_listing_entry *)a)->name, ((const lens_listing_entry *)b)->name); /* compares as unsigned char: byte order */
}

static int add_entry(lens_listing *self, const char *name, unsigned char kind)
{
    lens_listing_entry *entries = lens_list_room(self->entries, self->count, &self->capacity, sizeof *entries);
    if (!entries)
        return -1;
    self->entries = entries;
    self->entries[self->count] = (lens_listing_entry){.name = (char *)self->names.size, .kind = kind};
    if (lens_buffer_append(&self->names, name, strlen(name) + 1) != 0)
        return -1;
    self->count++;
    return 0;
}

static int read_names(lens_listing *self, DIR *stream)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            self->not_read = errno;
            break;
        }
        atomic_fetch_add(&self->errand.answers, 1);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        self->any = true;
        /* The most frequent case first: what is hidden need not be kept. */
        if (entry->d_name[0] == '.' && !self->include_hidden)
            continue;
        switch (entry->d_type) {
        case DT_FIFO:
        case DT_SOCK:
        case DT_CHR:
        case DT_BLK: continue;
        default: break;
        }
        if (add_entry(self, entry->d_name, entry->d_type) != 0)
            return -1;
    }
    for (size_t i = 0; i < self->count; i++)
        self->entries[i].name = self->names.data + (size_t)self->entries[i].name;
    if (self->count > 1)
        qsort(self->entries, self->count, sizeof *self->entries, compare_entries);
    return 0;
}

/* A folder is not asked: where one on another disk gives no answer, those beside it are read all the same. Nor is what a link leads to. */
static void look(lens_listing *self, int fd, lens_listing_entry *entry)
{
    struct stat info;
    if (entry->kind == DT_DIR || entry->kind == DT_LNK)
        return;
    entry->failed = fstatat(fd, entry->name, &info, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    atomic_fetch_add(&self->errand.answers, 1);
    if (entry->failed)
        return;
    entry->kind = S_ISREG(info.st_mode) ? DT_REG : S_ISDIR(info.st_mode) ? DT_DIR : S_ISLNK(info.st_mode) ? DT_LNK : DT_CHR;
    entry->size = info.st_size;
    entry->time = info.st_mtim;
    entry->wanted = true;
}

void lens_listing_ask(lens_errand *errand)
{
    lens_listing *self = (lens_listing *)errand;
    for (size_t i = 0; i < self->count && !self->starved; i++) {
        lens_listing_entry *entry = &self->entries[i];
        char *path = entry->asked ? lens_listing_path(self->path, entry->name) : NULL;
        self->starved = entry->asked && !path;
        if (path)
            entry->wanted = self->wants(path);
        free(path);
        atomic_fetch_add(&self->errand.answers, 1);
    }
}

/* What a listing's errand runs first: files with their sizes and times, folders and links by their names alone. What could not be read is said in the listing. */
static void listing_read(lens_errand *errand)
{
    lens_listing *self = (lens_listing *)errand;
    /* What was a folder a moment ago may be a link now: only links may be followed as such. */
    const int fd = open(self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (self->link ? 0 : O_NOFOLLOW));
    DIR *stream = fd >= 0 && fstat(fd, &self->info) == 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        self->not_opened = errno;
        if (fd >= 0)
            close(fd);
        return;
    }
    self->starved = read_names(self, stream) != 0;
    for (size_t i = 0; i < self->count && !self->starved; i++) {
        look(self, fd, &self->entries[i]);
        if (self->entries[i].failed == EACCES) { /* names can be read but not followed */
            self->count = i + 1;
            break;
        }
    }
    closedir(stream);
}

static void end(lens_errand *errand)
{
    lens_listing_free((lens_listing *)errand);
}

lens_listing *lens_listing_new(const char *path, bool include_hidden, bool link, bool (*wants)(const char *path))
{
    const size_t length = strlen(path);
    lens_listing *self = calloc(1, sizeof *self + length + 1);
    if (!self)
        return NULL;
    self->errand = (lens_errand){.run = listing_read, .end = end};
    self->wants = wants;
    self->include_hidden = include_hidden;
    self->link = link;
    memcpy(self->path, path, length + 1);
    return self;
}

void lens_listing_free(lens_listing *self)
{
    lens_buffer_free(&self->names);
    free(self->entries);
    free(self);
}
