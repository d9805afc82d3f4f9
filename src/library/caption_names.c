#include "library/caption_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/list.h"
#include "captions/captions.h"

typedef struct known {
    char *path;
    const char *base; /* in PATH */
    int64_t id, content;
} known;

struct lens_caption_names {
    known *items, **by_path; /* ITEMS are in order of BASE */
    size_t count, capacity;
    int64_t *ids;
    size_t id_capacity;
};

static int add(void *context, const lens_store_picture *picture)
{
    lens_caption_names *self = context;
    known *items = lens_list_room(self->items, self->count, &self->capacity, sizeof *items);
    if (!items)
        return -2;
    self->items = items;
    known *item = &self->items[self->count];
    *item = (known){.path = strdup(picture->path), .id = picture->id, .content = picture->content};
    if (!item->path)
        return -2;
    item->base = lens_path_name(item->path);
    self->count++;
    return 0;
}

static int compare_bases(const void *a, const void *b)
{
    const known *x = a, *y = b;
    const int order = strcmp(x->base, y->base);
    return order ? order : strcmp(x->path, y->path);
}

static int compare_paths(const void *a, const void *b)
{
    const known *const *x = a, *const *y = b;
    return strcmp((*x)->path, (*y)->path);
}

lens_caption_names *lens_caption_names_new(lens_store *store, lens_error *err)
{
    lens_caption_names *self = calloc(1, sizeof *self);
    int result = self ? lens_store_pictures_each(store, add, self, err) : -2;
    if (result == 0 && !(self->by_path = calloc(self->count + 1, sizeof *self->by_path)))
        result = -2;
    if (result != 0) {
        if (result == -2)
            lens_fail_memory(err);
        lens_caption_names_free(self);
        return NULL;
    }
    if (self->count)
        qsort(self->items, self->count, sizeof *self->items, compare_bases);
    for (size_t i = 0; i < self->count; i++)
        self->by_path[i] = &self->items[i];
    if (self->count)
        qsort(self->by_path, self->count, sizeof *self->by_path, compare_paths);
    return self;
}

void lens_caption_names_free(lens_caption_names *self)
{
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free(self->items[i].path);
    free(self->items);
    free(self->by_path);
    free(self->ids);
    free(self);
}

/* The first place whose path is not below PATH in order. */
static size_t place_of(const lens_caption_names *self, const char *path)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(self->by_path[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const known *at_path(const lens_caption_names *self, const char *path)
{
    const size_t at = place_of(self, path);
    return at < self->count && strcmp(self->by_path[at]->path, path) == 0 ? self->by_path[at] : NULL;
}

static int push(lens_caption_names *self, size_t *count, int64_t id)
{
    int64_t *ids = lens_list_room(self->ids, *count, &self->id_capacity, sizeof *ids);
    if (!ids)
        return -1;
    self->ids = ids;
    self->ids[(*count)++] = id;
    return 0;
}

/* A copy of the SIZE bytes NAME, with its %XX read where it is of an address. The caller frees. */
static char *copy(const char *name, size_t size, bool address)
{
    char *out = malloc(size + 1), *end = out;
    for (size_t i = 0; out && i < size; i++) {
        if (address && name[i] == '%' && i + 2 < size && isxdigit((unsigned char)name[i + 1]) && isxdigit((unsigned char)name[i + 2])) {
            const char digits[] = {name[i + 1], name[i + 2], '\0'};
            *end++ = (char)strtol(digits, NULL, 16);
            i += 2;
        } else {
            *end++ = name[i];
        }
    }
    if (out)
        *end = '\0';
    return out;
}

/* The file's name in an address or a path. The caller frees. */
static char *last_part(const char *name)
{
    const bool address = strstr(name, "://") != NULL;
    const size_t end = address ? strcspn(name, "?#") : strlen(name);
    size_t begin = end;
    while (begin > 0 && name[begin - 1] != '/' && name[begin - 1] != '\\')
        begin--;
    return copy(name + begin, end - begin, address);
}

/* Whether PATH ends with NAME, from a slash on. */
static bool ends_with(const char *path, const char *name)
{
    const size_t path_size = strlen(path), size = strlen(name);
    return path_size > size && path[path_size - size - 1] == '/' && strcmp(path + path_size - size, name) == 0;
}

/* Those called BASE that also TAKE: all (0), those below FOLDER, those whose path ends with NAME, or both. */
enum { TAKE_BELOW = 1, TAKE_END = 2 };
static int collect(lens_caption_names *self, size_t from, const char *base, int which, const char *folder, const char *name, size_t *count, bool *same)
{
    int64_t content = 0;
    *count = 0;
    *same = true;
    for (size_t i = from; i < self->count && strcmp(self->items[i].base, base) == 0; i++) {
        const known *item = &self->items[i];
        if (((which & TAKE_BELOW) && !lens_path_within(item->path, folder)) || ((which & TAKE_END) && !ends_with(item->path, name)))
            continue;
        *same &= *count == 0 || item->content == content;
        content = item->content;
        if (push(self, count, item->id) != 0)
            return -1;
    }
    return 0;
}

/* NAME from its last folder on: "x/dog.jpg" of "/a/x/dog.jpg", whichever way its slashes lean. NULL: it has no folders. The caller frees. */
static int last_folder(const char *name, char **out)
{
    const char *last = name + strlen(name), *before;
    while (last > name && last[-1] != '/' && last[-1] != '\\')
        last--;
    for (before = last > name ? last - 1 : name; before > name && before[-1] != '/' && before[-1] != '\\';)
        before--;
    *out = NULL;
    if (last <= name + 1)
        return 0;
    if (!(*out = strdup(before)))
        return -1;
    (*out)[last - 1 - before] = '/';
    return 0;
}

/* Looks among those whose name begins at place FROM of the list for what TAKES, below FOLDER first: 1 when that is settled, 0, or -1. */
static int settle(lens_caption_names *self, size_t from, const char *base, int takes, const char *folder, const char *name, size_t *count, bool *ambiguous)
{
    for (int below = TAKE_BELOW; below >= 0; below -= TAKE_BELOW) {
        bool same;
        if (collect(self, from, base, takes | below, folder, name, count, &same) != 0)
            return -1;
        if (*count == 0)
            continue;
        *ambiguous = !same;
        *count = same ? *count : 0;
        return 1;
    }
    return 0;
}

static int find_by_base(lens_caption_names *self, const char *folder, const char *name, const char *base, size_t *count, bool *ambiguous)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(self->items[middle].base, base) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    char *end = NULL;
    if (!strstr(name, "://") && last_folder(name, &end) != 0)
        return -1;
    /* Another picture of the same name in another folder is another picture. */
    int result = end ? settle(self, low, base, TAKE_END, folder, name, count, ambiguous) : settle(self, low, base, 0, folder, name, count, ambiguous);
    if (result == 0 && end)
        result = settle(self, low, base, TAKE_END, folder, end, count, ambiguous);
    free(end);
    return result < 0 ? -1 : 0;
}

int lens_caption_names_find(lens_caption_names *self, const char *folder, const char *name, const int64_t **ids, size_t *count, bool *ambiguous)
{
    lens_buffer path = {0};
    *count = 0;
    *ambiguous = false;
    const bool is_address = strncmp(name, "file://", 7) == 0;
    char *of_file = is_address ? copy(name + 7, strlen(name + 7), true) : NULL;
    const char *plain = of_file ? of_file : name;
    if (is_address && !of_file)
        return -1;
    while (strncmp(plain, "./", 2) == 0)
        plain += 2;
    int result = lens_buffer_print(&path, "%s%s%s", plain[0] == '/' ? "" : folder, plain[0] == '/' ? "" : "/", plain);
    char *absolute = result == 0 ? lens_path_absolute(path.data, NULL) : NULL;
    const known *exact = absolute ? at_path(self, absolute) : NULL;
    lens_buffer_free(&path);
    char *base = absolute ? last_part(plain) : NULL;
    free(absolute);
    if (!base) {
        free(of_file);
        return -1;
    }
    result = exact ? push(self, count, exact->id) : *base ? find_by_base(self, folder, plain, base, count, ambiguous) : 0;
    free(base);
    free(of_file);
    *ids = self->ids;
    return result;
}

/* Takes the pictures called STEM, a path, with or without an ending: "dog" is that of dog.jpg, but not of dog.old.jpg or dog-2.jpg. */
static int take_called(lens_caption_names *self, const char *stem, size_t *count, const char **picture)
{
    const size_t size = strlen(stem);
    for (size_t at = place_of(self, stem); at < self->count; at++) {
        const char *path = self->by_path[at]->path;
        if (strncmp(path, stem, size) != 0)
            break;
        if (path[size] && (path[size] != '.' || strchr(path + size + 1, '.') || strchr(path + size, '/')))
            continue;
        if (!*picture)
            *picture = path;
        if (push(self, count, self->by_path[at]->id) != 0)
            return -1;
    }
    return 0;
}

/* Takes the one that Google Takeout means by the sidecar FILE. Where several have names that it cuts to the same, it is none. */
static int take_takeout(lens_caption_names *self, const char *file, size_t *count, const char **picture)
{
    lens_buffer path = {0};
    bool begins;
    const int told = lens_captions_takeout_picture(file, &path, &begins);
    const known *found = NULL;
    for (size_t at = told > 0 ? place_of(self, path.data) : self->count; at < self->count; at++) {
        const char *rest = self->by_path[at]->path + path.size;
        if (strncmp(self->by_path[at]->path, path.data, path.size) != 0 || (!begins && *rest))
            break;
        if (strchr(rest, '/'))
            continue;
        if (found) {
            found = NULL;
            break;
        }
        found = self->by_path[at];
    }
    lens_buffer_free(&path);
    if (!found)
        return told < 0 ? -1 : 0;
    *picture = found->path;
    return push(self, count, found->id);
}

int lens_caption_names_beside(lens_caption_names *self, const char *path, const int64_t **ids, size_t *count, const char **picture)
{
    char *stem = strdup(path);
    int result = stem ? 0 : -1;
    *count = 0;
    *picture = NULL;
    for (int i = 0; i < 2 && result == 0 && *count == 0; i++) {
        char *slash = strrchr(stem, '/'), *dot = slash ? strrchr(slash, '.') : NULL;
        if (!dot || dot == slash + 1)
            break;
        *dot = '\0';
        result = take_called(self, stem, count, picture);
        if (result == 0 && *count == 0 && i == 0)
            result = take_takeout(self, path, count, picture);
    }
    free(stem);
    *ids = self->ids;
    return result;
}
