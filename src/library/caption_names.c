#include "library/caption_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/list.h"
#include "base/text.h"
#include "captions/captions.h"
#include "text/unicode_text.h"

enum { MOVED_MOST = 16 }; /* that may be what a name was moved to: each is asked for, for each of the name's captions */

typedef struct known {
    char *path;
    const char *base; /* in PATH */
    size_t size;      /* of PATH */
    int64_t id, content;
    bool named; /* by its exact path in the file of captions that is read */
} known;

struct lens_caption_names {
    known *items, **by_path; /* ITEMS are in order of BASE, then of PATH from its end */
    size_t count, capacity;
    int64_t *ids;
    size_t id_capacity;
    lens_names places; /* of the file of captions that is read, sorted */
    struct {
        char *name, *folder; /* NULL: nothing yet */
        lens_caption_found found;
    } last;         /* find's answer, which the next caption often asks for once more: IDS are its */
    char *stem;     /* that no picture beside a sidecar has, which the next sidecar often asks for */
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
    item->size = strlen(item->path);
    self->count++;
    return 0;
}

/* Compares A [a_size] and B [b_size] from their ends. */
static int compare_ends(const char *a, size_t a_size, const char *b, size_t b_size)
{
    while (a_size && b_size)
        if (a[--a_size] != b[--b_size])
            return (unsigned char)a[a_size] < (unsigned char)b[b_size] ? -1 : 1;
    return a_size ? 1 : b_size ? -1 : 0;
}

static int compare_bases(const void *a, const void *b)
{
    const known *x = a, *y = b;
    const int order = strcmp(x->base, y->base);
    return order ? order : compare_ends(x->path, x->size, y->path, y->size);
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
    lens_names_free(&self->places);
    free(self->last.name);
    free(self->last.folder);
    free(self->stem);
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

static known *at_path(const lens_caption_names *self, const char *path)
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

/* The first place of those called BASE whose path ends with END, which begins with a slash: all such follow each other. */
static size_t place_of_end(const lens_caption_names *self, const char *base, const lens_buffer *end)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const known *item = &self->items[middle];
        const int order = strcmp(item->base, base);
        if (order < 0 || (order == 0 && compare_ends(item->path, item->size, end->data, end->size) < 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those called BASE whose path ends with END, of them only those below FOLDER if it is not NULL; no more of them once they are not the SAME content and more
 * than MOST. */
static int collect(lens_caption_names *self, const char *base, const lens_buffer *end, const char *folder, size_t most, size_t *count, bool *same)
{
    int64_t content = 0;
    *count = 0;
    *same = true;
    for (size_t i = place_of_end(self, base, end); i < self->count && (*same || *count <= most); i++) {
        const known *item = &self->items[i];
        if (strcmp(item->base, base) != 0 || item->size < end->size || memcmp(item->path + item->size - end->size, end->data, end->size) != 0)
            break;
        if (folder && !lens_path_within(item->path, folder))
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

/* Looks among those called BASE for what ends with NAME, below FOLDER first: 1 when that is settled, 0, or -1. FOLDER is a PLACE of the file's: what
 * is called so elsewhere can only have been moved. */
static int settle(lens_caption_names *self, const char *base, const char *name, const char *folder, bool place, lens_caption_found *out)
{
    lens_buffer end = {0};
    bool same = true;
    int result = lens_buffer_print(&end, "/%s", name);
    if (result == 0)
        result = collect(self, base, &end, folder, 0, &out->count, &same);
    const bool below = out->count != 0;
    if (result == 0 && !below)
        result = collect(self, base, &end, NULL, place ? MOVED_MOST : 0, &out->count, &same);
    lens_buffer_free(&end);
    if (result != 0 || out->count == 0)
        return result;
    const bool elsewhere = place && !below;
    out->moved = elsewhere && out->count <= MOVED_MOST;
    out->ambiguous = !elsewhere && !same;
    if (elsewhere ? !out->moved : !same)
        out->count = 0;
    return 1;
}

static int find_by_base(lens_caption_names *self, const char *folder, bool place, const char *name, const char *base, lens_caption_found *out)
{
    char *end = NULL;
    if (!strstr(name, "://") && last_folder(name, &end) != 0)
        return -1;
    /* Another picture of the same name in another folder is another picture. */
    int result = settle(self, base, end ? name : base, folder, place, out);
    if (result == 0 && end)
        result = settle(self, base, end, folder, place, out);
    free(end);
    return result < 0 ? -1 : 0;
}

/* NAME without what only says that it is a path: "./", or "file://" and the %XX of such an address. NULL when memory is short. The caller frees. */
static char *plain_name(const char *name)
{
    const bool is_address = strncmp(name, "file://", 7) == 0;
    const char *begin = is_address ? name + 7 : name;
    char *plain = copy(begin, strlen(begin), is_address), *at = plain;
    while (plain && strncmp(at, "./", 2) == 0)
        at += 2;
    if (plain)
        memmove(plain, at, strlen(at) + 1);
    return plain;
}

/* The absolute path that PLAIN is from FOLDER. NULL when memory is short. The caller frees. */
static char *path_from(const char *folder, const char *plain)
{
    lens_buffer path = {0};
    const int result = lens_buffer_print(&path, "%s%s%s", plain[0] == '/' ? "" : folder, plain[0] == '/' ? "" : "/", plain);
    char *absolute = result == 0 ? lens_path_absolute(path.data, NULL) : NULL;
    lens_buffer_free(&path);
    return absolute;
}

/* What one form of a name is: find, or mark. 0 or -1. */
typedef int meaning(lens_caption_names *self, const char *folder, const char *name, lens_caption_found *out);

static int find(lens_caption_names *self, const char *folder, const char *name, lens_caption_found *out)
{
    *out = (lens_caption_found){0};
    char *plain = plain_name(name), *absolute = plain ? path_from(folder, plain) : NULL, *base = absolute ? last_part(plain) : NULL;
    char *its_folder = base ? lens_path_folder(absolute) : NULL;
    int result = its_folder ? 0 : -1;
    const known *exact = result == 0 ? at_path(self, absolute) : NULL;
    if (exact) {
        result = push(self, &out->count, exact->id);
    } else if (result == 0 && *base) {
        const bool place = lens_names_find(&self->places, its_folder) >= 0;
        result = find_by_base(self, place ? its_folder : folder, place, plain, base, out);
    }
    free(its_folder);
    free(base);
    free(absolute);
    free(plain);
    return result;
}

/* Marks the picture at NAME's exact path. */
static int mark(lens_caption_names *self, const char *folder, const char *name, lens_caption_found *out)
{
    char *plain = plain_name(name), *absolute = plain ? path_from(folder, plain) : NULL;
    known *exact = absolute ? at_path(self, absolute) : NULL;
    *out = (lens_caption_found){.count = exact != NULL};
    if (exact)
        exact->named = true;
    const int result = absolute ? 0 : -1;
    free(absolute);
    free(plain);
    return result;
}

/* The same with NAME as NORMALIZE leaves it, if that is another. */
static int in_form(lens_caption_names *self, const char *folder, const char *name, int (*normalize)(lens_points *points), meaning *mean, lens_caption_found *out)
{
    lens_points points = {0};
    lens_buffer other = {0};
    int result = lens_points_read(&points, name, strlen(name)) == 0 && normalize(&points) == 0 ? lens_points_write(points.items, points.count, &other) : -1;
    if (result == 0 && strcmp(other.data, name) != 0)
        result = mean(self, folder, other.data, out);
    lens_points_free(&points);
    lens_buffer_free(&other);
    return result;
}

/* Or, where nothing is called so, as some systems write it: macOS takes letters and their accents apart, most others do not, and who copied or unpacked the
 * pictures need not be who wrote the captions. */
static int in_any_form(lens_caption_names *self, const char *folder, const char *name, meaning *mean, lens_caption_found *out)
{
    int (*const forms[])(lens_points *points) = {lens_points_nfc, lens_points_nfd_9};
    int result = mean(self, folder, name, out);
    const bool valid = lens_utf8_valid(name, strlen(name)), moved = out->moved;
    for (size_t i = 0; i < sizeof forms / sizeof *forms && valid && result == 0 && (out->count == 0 || out->moved) && !out->ambiguous; i++)
        result = in_form(self, folder, name, forms[i], mean, out);
    /* No other form is at its own path: the very letters go first. */
    return result == 0 && moved && out->count == 0 && !out->ambiguous ? mean(self, folder, name, out) : result;
}

/* What was found is not what IDS are any more. */
static void forget_last(lens_caption_names *self)
{
    free(self->last.name);
    free(self->last.folder);
    self->last.name = self->last.folder = NULL;
}

int lens_caption_names_find(lens_caption_names *self, const char *folder, const char *name, const int64_t **ids, lens_caption_found *found)
{
    const bool again = self->last.name && strcmp(self->last.name, name) == 0 && strcmp(self->last.folder, folder) == 0;
    int result = 0;
    if (!again) {
        forget_last(self);
        result = in_any_form(self, folder, name, find, &self->last.found);
        self->last.name = result == 0 ? strdup(name) : NULL;
        self->last.folder = result == 0 ? strdup(folder) : NULL;
        if (!self->last.name || !self->last.folder) {
            forget_last(self);
            result = -1;
        }
    }
    *ids = self->ids;
    *found = self->last.found;
    return result;
}

/* ---- the places of a file ---- */

void lens_caption_names_begin(lens_caption_names *self)
{
    forget_last(self);
    lens_names_free(&self->places);
    for (size_t i = 0; i < self->count; i++)
        self->items[i].named = false;
}

int lens_caption_names_look(lens_caption_names *self, const char *folder, const char *name)
{
    lens_caption_found ignored;
    return in_any_form(self, folder, name, mark, &ignored);
}

int lens_caption_names_place(lens_caption_names *self, const char *place)
{
    return lens_names_add(&self->places, strdup(place));
}

/* Those of one folder mostly follow each other, but for what lies in folders between them. */
const lens_names *lens_caption_names_places(lens_caption_names *self)
{
    lens_names *places = &self->places;
    for (size_t i = 0; i < self->count; i++) {
        char *place = self->by_path[i]->named ? lens_path_folder(self->by_path[i]->path) : NULL;
        if (place && places->count && strcmp(places->items[places->count - 1], place) == 0)
            free(place);
        else if (self->by_path[i]->named && lens_names_add(places, place) != 0)
            return NULL;
    }
    lens_names_sort(places);
    size_t kept = 0;
    for (size_t i = 0; i < places->count; i++) {
        if (kept && strcmp(places->items[kept - 1], places->items[i]) == 0)
            free(places->items[i]);
        else
            places->items[kept++] = places->items[i];
    }
    places->count = kept;
    return places;
}

/* ---- beside pictures ---- */

static int take(lens_caption_names *self, const known *item, size_t *count, const char **picture)
{
    if (!*picture)
        *picture = item->path;
    return push(self, count, item->id);
}

/* Takes the pictures called STEM, a path, with or without an ending: "dog" is that of dog.jpg, but not of dog.old.jpg or dog-2.jpg. One more than there may
 * be is enough. */
static int take_called(lens_caption_names *self, const char *stem, size_t *count, const char **picture)
{
    if (self->stem && strcmp(self->stem, stem) == 0)
        return 0;
    lens_buffer begin = {0};
    const known *exact = at_path(self, stem);
    int result = exact ? take(self, exact, count, picture) : 0;
    if (result == 0)
        result = lens_buffer_print(&begin, "%s.", stem);
    for (size_t at = result == 0 ? place_of(self, begin.data) : self->count; at < self->count && *count <= LENS_CAPTION_BESIDE_MOST && result == 0; at++) {
        const char *path = self->by_path[at]->path;
        if (strncmp(path, begin.data, begin.size) != 0)
            break;
        if (!strpbrk(path + begin.size, "./"))
            result = take(self, self->by_path[at], count, picture);
    }
    lens_buffer_free(&begin);
    if (result == 0 && *count == 0) {
        free(self->stem);
        self->stem = strdup(stem);
    }
    return result;
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
    return found ? take(self, found, count, picture) : told < 0 ? -1 : 0;
}

int lens_caption_names_beside(lens_caption_names *self, const char *path, const int64_t **ids, size_t *count, const char **picture)
{
    char *stem = strdup(path);
    int result = stem ? 0 : -1;
    forget_last(self);
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
    if (*count > LENS_CAPTION_BESIDE_MOST)
        *count = 0;
    *ids = self->ids;
    return result;
}
