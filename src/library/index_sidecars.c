/* Captions in files beside pictures: which the walk met, and what they say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "captions/captions.h"
#include "library/caption_importer.h"
#include "library/index_captions.h"
#include "store/texts.h"

enum { SIDECARS_AT_ONCE = 256, SIDECAR_BYTES_AT_ONCE = 16 << 20 }; /* that are written in one transaction: by the last of them these may be passed */
static const char looked_at_link[] = "{\"link\": true}"; /* settings of a link: where it leads has been looked at, as it was not always */
static const double write_every = 1; /* second after which what was read is written */

/* ---- what the walk met ---- */

int lens_run_sidecar(lens_run *run, const lens_walk_file *file)
{
    lens_sidecar *items = lens_list_room(run->sidecars, run->sidecar_count, &run->sidecar_capacity, sizeof *items);
    if (!items)
        return -1;
    run->sidecars = items;
    lens_sidecar *item = &run->sidecars[run->sidecar_count];
    *item = (lens_sidecar){strdup(file->path), file->size, file->mtime_ns, file->link};
    run->sidecar_count += item->path != NULL;
    return item->path ? 0 : -1;
}

void lens_run_sidecars_free(lens_run *run)
{
    for (size_t i = 0; i < run->sidecar_count; i++)
        free(run->sidecars[i].path);
    free(run->sidecars);
}

/* ---- what they say ---- */

/* What a file beside pictures says, read and not written yet. */
typedef struct heard_sidecar {
    const lens_sidecar *sidecar;
    const lens_store_source *known; /* NULL: it is a new one */
    lens_caption_texts texts;
    bool stays; /* what it said before */
} heard_sidecar;

typedef struct reader {
    lens_caption_importer *importer;
    const int64_t *ids; /* the pictures that the file is of */
    size_t id_count;
    heard_sidecar heard[SIDECARS_AT_ONCE];
    size_t heard_count, heard_bytes;
    double heard_since; /* the first of them was read then */
} reader;

static int hear_sidecar(void *context, const char *name, const char *text)
{
    reader *self = context;
    (void)name;
    self->importer->short_of_memory = lens_caption_texts_add(&self->importer->texts, self->ids, self->id_count, text) != 0;
    return self->importer->short_of_memory;
}

/* Keeps what was collected of SIDECAR until it is written with what others say. STAYS: with what it said before. */
static int keep_heard(reader *self, const lens_sidecar *sidecar, const lens_store_source *known, bool stays, lens_error *err)
{
    if (lens_importer_make(self->importer, err) != 0)
        return -1;
    if (self->heard_count == 0)
        self->heard_since = lens_seconds();
    for (size_t i = 0; i < self->importer->texts.group_count; i++)
        self->heard_bytes += self->importer->texts.groups[i].text.size;
    self->heard[self->heard_count++] = (heard_sidecar){sidecar, known, self->importer->texts, stays};
    self->importer->texts = (lens_caption_texts){0};
    return 0;
}

static bool heard_enough(const reader *self)
{
    return self->heard_count == SIDECARS_AT_ONCE || self->heard_bytes >= SIDECAR_BYTES_AT_ONCE ||
           (self->heard_count && lens_seconds() - self->heard_since >= write_every);
}

static void forget_heard(reader *self)
{
    while (self->heard_count > 0)
        lens_caption_texts_free(&self->heard[--self->heard_count].texts);
    self->heard_bytes = 0;
}

/* Whether KNOWN (may be NULL) was a link when it was read, and one that was looked at. */
static bool was_looked_at(const lens_store_source *known)
{
    return known && known->settings && strcmp(known->settings, looked_at_link) == 0;
}

static int put_heard(reader *self, const heard_sidecar *heard, int64_t *changed, lens_error *err)
{
    const lens_sidecar *sidecar = heard->sidecar;
    int64_t id = heard->known ? heard->known->id : 0;
    const char *settings = sidecar->link ? looked_at_link : was_looked_at(heard->known) ? "{}" : NULL; /* NULL: as they were */
    if ((!heard->known || settings) && lens_store_source_put(self->importer->run->store, sidecar->path, LENS_SOURCE_SIDECAR, settings, &id, err) != 0)
        return -1;
    return lens_importer_write(self->importer, &heard->texts, id, sidecar->size, sidecar->mtime_ns, !heard->stays, changed, err);
}

/* Writes what was read, in one transaction, in which no file is read any more: others wait for their turn meanwhile, and a server ends one in which it is asked
 * nothing for half a minute, while a silent disk may take a whole one. */
static int write_heard(reader *self, int64_t *changed, lens_error *err)
{
    if (self->heard_count == 0)
        return 0;
    int result = lens_store_batch_begin(self->importer->run->store, err);
    const bool batch = result == 0;
    for (size_t i = 0; i < self->heard_count && result == 0; i++)
        result = put_heard(self, &self->heard[i], changed, err);
    if (batch)
        result = lens_store_batch_end(self->importer->run->store, result, err);
    forget_heard(self);
    return result;
}

/* A file that would be of more pictures than a file is of: it is of none, and told each time. */
static int leave_out_sidecar(reader *self, const lens_sidecar *sidecar, const lens_store_source *known, int64_t *changed, lens_error *err)
{
    char line[128];
    snprintf(line, sizeof line, "lies beside more than %d pictures that it could be of, and was left out", LENS_CAPTION_BESIDE_MOST);
    lens_importer_note(self->importer->run, sidecar->path, line);
    if (known && lens_store_source_remove(self->importer->run->store, known->id, err) != 0)
        return -1;
    *changed += known != NULL;
    return 0;
}

/* Whether PATH, without links, lies in a root, or in the folder that PICTURE lies in once links are followed. 1, 0, or -1 where that cannot be told. */
static int stays_inside(const lens_run *run, const char *path, const char *picture, lens_error *err)
{
    int inside = 0;
    for (size_t i = 0; i < run->roots.count && inside == 0; i++) {
        lens_error why = {0};
        char *root = lens_file_real(run->roots.items[i], &why);
        inside = root ? lens_path_within(path, root) : why.code == LENS_E_MISSING ? 0 : -1;
        if (inside < 0)
            *err = why;
        free(root);
    }
    if (inside != 0)
        return inside;
    char *real = lens_file_real(picture, err);
    if (!real)
        return err->code == LENS_E_MISSING ? 0 : -1;
    const size_t folder = (size_t)(lens_path_name(real) - real);
    inside = folder == (size_t)(lens_path_name(path) - path) && memcmp(path, real, folder) == 0;
    free(real);
    return inside;
}

/* Whether SIDECAR is a link by which a file elsewhere would be read: what a link leads to may be anything that its maker has a name for and cannot read, and what
 * is read of it everybody is shown who may search. 1, 0, or -1 with the reason. */
static int leads_out(const lens_run *run, const lens_sidecar *sidecar, const char *picture, lens_error *err)
{
    struct stat info;
    if (lens_file_look_at_link(sidecar->path, &info, err) != 0)
        return -1;
    if (!S_ISLNK(info.st_mode))
        return 0;
    char *real = lens_file_real(sidecar->path, err);
    const int inside = real ? stays_inside(run, real, picture, err) : -1;
    free(real);
    return inside < 0 ? -1 : !inside;
}

static int read_sidecar(reader *self, const lens_sidecar *sidecar, const lens_store_source *known, int64_t *changed, lens_error *err)
{
    const char *picture;
    lens_importer_begin(self->importer, sidecar->path);
    if (!lens_importer_names(self->importer, err))
        return -1;
    if (lens_caption_names_beside(self->importer->names, sidecar->path, &self->ids, &self->id_count, &picture) != 0)
        return lens_fail_memory(err);
    if (self->id_count == 0 && picture)
        return leave_out_sidecar(self, sidecar, known, changed, err);
    if (self->id_count == 0) /* of no picture: what it said once went with one that was renamed, until it is changed */
        return known ? keep_heard(self, sidecar, known, known->mtime_ns == -1 && known->size == sidecar->size, err) : 0;
    const lens_caption_visitor visitor = {hear_sidecar, NULL, self};
    lens_error why = {0};
    int out = sidecar->link ? leads_out(self->importer->run, sidecar, picture, &why) : 0, result = out < 0 ? -1 : 0;
    if (out == 0) {
        result = lens_captions_beside(sidecar->path, picture, &visitor, &why);
        if (result == 0) /* whoever can put a link here may have done so since the walk, or just then */
            out = leads_out(self->importer->run, sidecar, picture, &why);
        result = out < 0 ? -1 : result;
    }
    if (out > 0) { /* it is one that says nothing, so that it is told once */
        lens_importer_begin(self->importer, sidecar->path);
        lens_importer_note(self->importer->run, sidecar->path, "is a link that leads out of the indexed folders, and was left out");
        return keep_heard(self, sidecar, known, false, err);
    }
    if (result > 0)
        lens_fail_memory_for(&why, sidecar->path); /* all that hear_sidecar stops for */
    if (result != 0) {
        const bool own_fault = why.code == LENS_E_FORMAT || why.code == LENS_E_MEMORY;
        if (own_fault || (known && why.code != LENS_E_MISSING && why.code != LENS_E_CANCELLED))
            lens_importer_note(self->importer->run, NULL, why.message);
        return 0; /* it cannot be read now: what it said stays, the next run looks again, and the others are read */
    }
    if (self->importer->texts.group_count == 0 && !known)
        return 0; /* it says nothing */
    return keep_heard(self, sidecar, known, false, err);
}

static int compare_sidecars(const void *a, const void *b)
{
    return strcmp(((const lens_sidecar *)a)->path, ((const lens_sidecar *)b)->path);
}

/* Takes out what lay beside pictures and is gone. */
static int sweep_sidecars(reader *self, const lens_store_sources *sources, int64_t *changed, lens_error *err)
{
    lens_run *run = self->importer->run;
    for (size_t i = 0; i < sources->count; i++) {
        const lens_sidecar wanted = {.path = sources->items[i].path};
        if (run->sidecar_count && bsearch(&wanted, run->sidecars, run->sidecar_count, sizeof *run->sidecars, compare_sidecars))
            continue;
        bool walked = false;
        for (size_t t = 0; t < run->target_count && !walked; t++)
            walked = !run->targets[t].absent && !run->targets[t].removed && lens_path_within(wanted.path, run->targets[t].path);
        struct stat info;
        lens_error why = {0};
        if (!walked || lens_file_look(wanted.path, &info, &why) == 0 || why.code != LENS_E_MISSING || !lens_root_present(run, wanted.path))
            continue;
        if (lens_store_source_remove(run->store, sources->items[i].id, err) != 0)
            return -1;
        ++*changed;
    }
    return 0;
}

int lens_run_sidecars(lens_caption_importer *importer, bool whole, int64_t *changed, lens_error *err)
{
    lens_run *run = importer->run;
    reader *self = calloc(1, sizeof *self);
    if (!self)
        return lens_fail_memory(err);
    self->importer = importer;
    lens_store_sources sources = {0}, files = {0};
    int result = lens_store_sources_list(run->store, LENS_SOURCE_SIDECAR, &sources, err);
    if (result == 0)
        result = lens_store_sources_list(run->store, LENS_SOURCE_FILE, &files, err);
    if (run->sidecar_count)
        qsort(run->sidecars, run->sidecar_count, sizeof *run->sidecars, compare_sidecars);
    for (size_t i = 0; i < run->sidecar_count && result == 0 && lens_importer_goes_on(self->importer, i, run->sidecar_count, false); i++) {
        const lens_sidecar *sidecar = &run->sidecars[i];
        const lens_store_source *known = lens_importer_source(&sources, sidecar->path);
        /* What was named as captions of many pictures is not read once more as those of the one that it lies beside. */
        if (lens_importer_source(&files, sidecar->path))
            continue;
        if (!known || (sidecar->link && !was_looked_at(known)) || known->size != sidecar->size || known->mtime_ns != sidecar->mtime_ns)
            result = read_sidecar(self, sidecar, known, changed, err);
        if (result == 0 && heard_enough(self))
            result = write_heard(self, changed, err);
    }
    if (result == 0)
        result = write_heard(self, changed, err); /* also of a run that was stopped: what was read is read */
    forget_heard(self);
    if (result == 0 && whole && !atomic_load(&run->stop))
        result = sweep_sidecars(self, &sources, changed, err);
    lens_store_sources_free(&files);
    lens_store_sources_free(&sources);
    free(self);
    return result;
}
