/* lens_duplicates: groups of the same bytes, and of near-identical pictures. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"
#include "base/processors.h"
#include "library/internal.h"
#include "library/view.h"
#include "search/fold.h"

/* A row of the view and the group it is in; sorting by group brings the groups together. */
typedef struct member {
    size_t group, row;
} member;

static int by_group(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int best_copy_first(const void *a, const void *b)
{
    const struct lens_group_picture *x = a, *y = b;
    int64_t x_pixels = (int64_t)x->width * x->height, y_pixels = (int64_t)y->width * y->height;
    size_t x_length = strlen(x->path), y_length = strlen(y->path);
    if (x_pixels != y_pixels)
        return x_pixels > y_pixels ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x_length != y_length)
        return x_length < y_length ? -1 : 1;
    return strcmp(x->path, y->path);
}

static int exact_then_largest(const void *a, const void *b)
{
    const lens_group *x = a, *y = b;
    if (x->exact != y->exact)
        return x->exact ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->pictures[0].path, y->pictures[0].path);
}

static void free_group(lens_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        free(group->pictures[i].path);
    free(group->pictures);
}

void lens_groups_free(lens_groups *groups)
{
    if (!groups)
        return;
    for (size_t i = 0; i < groups->count; i++)
        free_group(&groups->items[i]);
    free(groups->items);
    free(groups);
}

/* A picture and the file that its path leads to. Two are of one file when NUMBERS and NAME are the same. */
typedef struct named {
    char *file;       /* without symbolic links */
    const char *name; /* in FILE, or "" */
    /* The disk, the file there, its bytes and its time, for there are disks that give numbers anew; the disk and the number of its folder. */
    int64_t numbers[6];
    struct lens_group_picture picture;
} named;

static int by_file(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const int numbers = memcmp(x->numbers, y->numbers, sizeof x->numbers), names = strcmp(x->name, y->name);
    const bool x_links = strcmp(x->picture.path, x->file) != 0, y_links = strcmp(y->picture.path, y->file) != 0;
    return numbers ? numbers : names ? names : x_links != y_links ? x_links - y_links : best_copy_first(&x->picture, &y->picture);
}

/* Finds out which file PICTURE's path leads to: a disk that is mounted twice has two paths for each of its own. One that has several names, hard links, is each of
 * them: by its name in its folder. What is not there now, or has no number, is known by its path alone. 0, or -1 when memory is short. */
static int name_file(const struct lens_group_picture *picture, named *out)
{
    struct stat info, above;
    char *real = lens_file_real(picture->path, NULL);
    *out = (named){.file = real ? real : strdup(picture->path), .picture = *picture};
    if (!out->file)
        return -1;
    out->name = out->file;
    if (!real || lens_file_look(real, &info, NULL) != 0 || info.st_ino == 0)
        return 0;
    const int64_t numbers[] = {(int64_t)info.st_dev, (int64_t)info.st_ino, info.st_size, lens_file_mtime_ns(&info), 0, 0};
    if (info.st_nlink == 1) {
        memcpy(out->numbers, numbers, sizeof numbers);
        out->name = "";
        return 0;
    }
    char *folder = lens_path_folder(real);
    if (folder && lens_file_look(folder, &above, NULL) == 0 && above.st_ino != 0) {
        memcpy(out->numbers, numbers, sizeof numbers);
        out->numbers[4] = (int64_t)above.st_dev;
        out->numbers[5] = (int64_t)above.st_ino;
        out->name = lens_path_name(real);
    }
    free(folder);
    return folder ? 0 : -1;
}

/* Takes out of GROUP the paths that lead, by symbolic links or another mount, to a file that is in it already: who removes all copies but one would keep a link
 * to nothing, or remove the only one. */
static int leave_out_links(lens_group *group, lens_error *err)
{
    const size_t count = group->count;
    named *all = calloc(count + 1, sizeof *all);
    bool fine = all != NULL;
    for (size_t i = 0; fine && i < count; i++)
        fine = name_file(&group->pictures[i], &all[i]) == 0;
    if (fine) {
        group->count = 0;
        qsort(all, count, sizeof *all, by_file);
    }
    for (size_t i = 0; fine && i < count; i++) {
        if (i == 0 || strcmp(all[i].name, all[i - 1].name) != 0 || memcmp(all[i].numbers, all[i - 1].numbers, sizeof all[i].numbers) != 0)
            group->pictures[group->count++] = all[i].picture;
        else
            free(all[i].picture.path);
    }
    for (size_t i = 0; all && i < count; i++)
        free(all[i].file);
    free(all);
    return fine ? 0 : lens_fail_memory(err);
}

typedef struct maker {
    lens_store *store;
    lens_store_vectors vectors;
    lens_groups *out;
    size_t capacity;
} maker;

/* Turns COUNT MEMBERS of one group into a lens_group. */
static int add_group(maker *self, bool exact, const member *members, size_t count, lens_error *err)
{
    lens_groups *out = self->out;
    lens_group *items = lens_list_room(out->items, out->count, &self->capacity, sizeof *items);
    if (!items)
        return lens_fail_memory(err);
    out->items = items;
    lens_group group = {.exact = exact, .pictures = calloc(count, sizeof *group.pictures)};
    if (!group.pictures)
        return lens_fail_memory(err);
    int result = 0;
    for (size_t i = 0; result >= 0 && i < count; i++) {
        lens_store_picture picture;
        result = lens_store_picture_by_id(self->store, self->vectors.ids[members[i].row], &picture, err);
        if (result != 1)
            continue; /* gone meanwhile */
        /* The score's place holds the row until the best copy is known. */
        group.pictures[group.count++] = (struct lens_group_picture){picture.id,    picture.path,   picture.size,
                                                                    picture.width, picture.height, (double)members[i].row};
        picture.path = NULL;
        lens_store_picture_free(&picture);
    }
    if (result >= 0)
        result = leave_out_links(&group, err);
    if (result < 0 || group.count < 2) {
        free_group(&group);
        return result < 0 ? -1 : 0;
    }
    qsort(group.pictures, group.count, sizeof *group.pictures, best_copy_first);
    lens_view view = lens_vectors_view(&self->vectors);
    const float *best = lens_view_row(&view, (size_t)group.pictures[0].score);
    for (size_t i = 0; i < group.count; i++)
        group.pictures[i].score = (double)lens_dot(best, lens_view_row(&view, (size_t)group.pictures[i].score), view.dim);
    out->items[out->count++] = group;
    return 0;
}

/* Every run of two or more MEMBERS with the same group. */
static int add_runs(maker *self, bool exact, member *members, lens_error *err)
{
    size_t count = self->vectors.count;
    qsort(members, count, sizeof *members, by_group);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && members[to].group == members[from].group; to++)
            ;
        if (to - from > 1 && add_group(self, exact, members + from, to - from, err) != 0)
            return -1;
    }
    return 0;
}

static int add_near(maker *self, member *members, lens_error *err)
{
    size_t count = self->vectors.count;
    lens_view view = lens_vectors_view(&self->vectors);
    float *shapes = malloc((count + 1) * sizeof *shapes);
    size_t *groups = malloc((count + 1) * sizeof *groups);
    int result = -1;
    if (!shapes || !groups)
        lens_fail_memory(err);
    else if (lens_store_vectors_shapes(self->store, &self->vectors, shapes, err) == 0)
        result = lens_fold_groups(&view, shapes, lens_processors(), groups, err);
    for (size_t i = 0; result == 0 && i < count; i++)
        members[i] = (member){groups[i], i};
    free(groups);
    free(shapes);
    /* A group of nothing but the same bytes stands among the exact ones already. */
    size_t first = self->out->count;
    if (result == 0)
        result = add_runs(self, false, members, err);
    for (size_t i = first; result == 0 && i < self->out->count;) {
        lens_group *group = &self->out->items[i];
        bool differs = false;
        lens_store_picture picture;
        int64_t content = 0;
        for (size_t j = 0; result == 0 && !differs && j < group->count; j++) {
            int known = lens_store_picture_by_id(self->store, group->pictures[j].id, &picture, err);
            result = known < 0 ? -1 : 0;
            if (known != 1)
                continue;
            differs = content && picture.content != content;
            content = picture.content;
            lens_store_picture_free(&picture);
        }
        if (differs || result != 0) {
            i++;
        } else {
            free_group(group);
            *group = self->out->items[--self->out->count];
        }
    }
    return result;
}

lens_groups *lens_duplicates(lens_library *library, const char *model, bool only_exact, lens_error *err)
{
    lens_store_model chosen = {0};
    maker self = {.store = lens_store_open(library->place.store, LENS_STORE_READ, 0, err)};
    member *members = NULL;
    int result = -1;
    if (self.store && lens_library_model(self.store, &library->place, model, false, &chosen, err) == 0 &&
        lens_store_vectors_open(self.store, chosen.id, NULL, 0, &self.vectors, err) == 0) {
        self.out = calloc(1, sizeof *self.out);
        members = malloc((self.vectors.count + 1) * sizeof *members);
        if (!self.out || !members) {
            lens_fail_memory(err);
        } else {
            for (size_t i = 0; i < self.vectors.count; i++)
                members[i] = (member){self.vectors.slots[i], i};
            result = add_runs(&self, true, members, err);
            if (result == 0 && !only_exact)
                result = add_near(&self, members, err);
        }
    }
    free(members);
    free(chosen.name);
    lens_store_vectors_free(&self.vectors);
    lens_store_close(self.store);
    if (result != 0) {
        lens_groups_free(self.out);
        return NULL;
    }
    if (self.out->count)
        qsort(self.out->items, self.out->count, sizeof *self.out->items, exact_then_largest);
    return self.out;
}
