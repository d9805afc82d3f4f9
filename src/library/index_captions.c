#include "library/index_captions.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "base/text.h"
#include "captions/captions.h"
#include "library/caption_names.h"
#include "library/caption_texts.h"
#include "words/tokens.h"

enum {
    PROBLEMS_MOST = 20, /* that are told of one file; the rest is counted */
    CAPTIONS_AT_ONCE = 1024,
    SIDECARS_AT_ONCE = 256, SIDECAR_BYTES_AT_ONCE = 16 << 20, /* that are written in one transaction: by the last of them these may be passed */
    COMPARED_MOST = 1 << 30, COMPARED_EACH = 1 << 10, /* bytes of texts that one file is compared with for what was moved, and of one at least */
    STOPPED = 2, /* what a reading returns that was stopped by the person */
};
static const double tell_every = 0.1; /* seconds between progress events */
static const double write_every = 1;  /* second after which what was read beside pictures is written */

/* ---- what the walk met ---- */

int lens_run_sidecar(lens_run *run, const lens_walk_file *file)
{
    lens_sidecar *items = lens_list_room(run->sidecars, run->sidecar_count, &run->sidecar_capacity, sizeof *items);
    if (!items)
        return -1;
    run->sidecars = items;
    lens_sidecar *item = &run->sidecars[run->sidecar_count];
    *item = (lens_sidecar){strdup(file->path), file->size, file->mtime_ns};
    run->sidecar_count += item->path != NULL;
    return item->path ? 0 : -1;
}

void lens_run_sidecars_free(lens_run *run)
{
    for (size_t i = 0; i < run->sidecar_count; i++)
        free(run->sidecars[i].path);
    free(run->sidecars);
}

/* ---- captions on their way ---- */

/* What a file beside pictures says, read and not written yet. */
typedef struct heard_sidecar {
    const lens_sidecar *sidecar;
    const lens_store_source *known; /* NULL: it is a new one */
    lens_caption_texts texts;
    bool stays; /* what it said before */
} heard_sidecar;

typedef struct importer {
    lens_run *run;
    lens_caption_names *names;
    const char *path;  /* of the file that is read */
    char *folder;
    const int64_t *ids; /* of a sidecar: the pictures that it is of */
    size_t id_count;
    lens_caption_texts texts;
    size_t unknown, ambiguous, captions, problems;
    size_t looked, compared; /* lines of the file's first reading, bytes of what is said already */
    size_t crowded; /* pictures of which not all captions were taken */
    heard_sidecar heard[SIDECARS_AT_ONCE];
    size_t heard_count, heard_bytes;
    double heard_since; /* the first of them was read then */
    double begun, told;
    bool named; /* by the person who waits for this run: what is left out is said */
    bool short_of_memory;
    lens_error *err; /* of the reading */
} importer;

/* The names are read when the first is asked for: most runs have no captions. NULL on failure. */
static lens_caption_names *names_of(importer *self, lens_error *err)
{
    if (!self->names && lens_store_names_begin(self->run->store, err) == 0)
        self->names = lens_caption_names_new(self->run->store, err);
    return self->names;
}

static void note(lens_run *run, const char *path, const char *reason)
{
    const lens_index_event event = {.kind = LENS_INDEX_NOTE, .path = path, .reason = reason};
    if (run->options->event && !run->options->event(run->options->context, &event))
        atomic_store(&run->stop, true);
}

/* Tells now and then that DONE of TOTAL are done. Whether to go on. */
static bool go_on(importer *self, size_t done, size_t total, bool counting)
{
    const double now = lens_seconds();
    if (now - self->told >= tell_every) {
        self->told = now;
        const lens_index_event event = {
            .kind = LENS_INDEX_PROGRESS, .done = (int64_t)done, .total = (int64_t)total, .counting = counting, .seconds = now - self->begun};
        if (self->run->options->event && !self->run->options->event(self->run->options->context, &event))
            atomic_store(&self->run->stop, true);
    }
    return !atomic_load(&self->run->stop);
}

/* Whether to go on among the captions of a file, or what is none. */
static bool go_on_in_file(importer *self)
{
    const size_t heard = self->captions + self->problems;
    return heard % CAPTIONS_AT_ONCE != 0 || go_on(self, heard, heard, true);
}

static int hear_problem(void *context, const char *line)
{
    importer *self = context;
    if (self->problems++ < PROBLEMS_MOST && self->named)
        note(self->run, NULL, line);
    return go_on_in_file(self) ? 0 : STOPPED;
}

/* Whether to go on with a file's first reading, in which nothing is told of what is in it. */
static int look_on(void *context, const char *line)
{
    importer *self = context;
    (void)line;
    self->looked++;
    return self->looked % CAPTIONS_AT_ONCE != 0 || go_on(self, self->looked, self->looked, true) ? 0 : STOPPED;
}

static int look_at_name(void *context, const char *name, const char *text)
{
    importer *self = context;
    (void)text;
    self->short_of_memory = lens_caption_names_look(self->names, self->folder, name) != 0;
    return self->short_of_memory ? 1 : look_on(self, NULL);
}

typedef struct saying {
    importer *self;
    const char *caption;
} saying;

/* Whether TEXT says the caption: as whole lines of it. */
static int says(void *context, const lens_store_text *text)
{
    const saying *asked = context;
    const size_t size = strlen(asked->caption);
    asked->self->compared += strlen(text->text);
    for (const char *at = text->picture ? strstr(text->text, asked->caption) : NULL; at; at = strstr(at + 1, asked->caption))
        if ((at == text->text || at[-1] == '\n') && (at[size] == '\n' || !at[size]))
            return 1;
    return 0;
}

/* Adds TEXT to what is said of those of the COUNT pictures IDS of which it is said already: they were moved, and their captions with them. How many these are;
 * -1 on error. */
static int add_to_moved(importer *self, const int64_t *ids, size_t count, const char *text)
{
    saying asked = {self, text};
    int added = 0;
    for (size_t i = 0; i < count && self->compared < COMPARED_MOST && !self->short_of_memory; i++) {
        self->compared += COMPARED_EACH;
        const int said = lens_store_texts_of(self->run->store, ids[i], says, &asked, self->err);
        if (said < 0)
            return -1;
        self->short_of_memory = said && lens_caption_texts_add(&self->texts, &ids[i], 1, text) != 0;
        added += said;
    }
    return added;
}

static int hear_caption(void *context, const char *name, const char *text)
{
    importer *self = context;
    const int64_t *ids;
    lens_caption_found found;
    self->captions++;
    if (!go_on_in_file(self))
        return STOPPED;
    self->short_of_memory = lens_caption_names_find(self->names, self->folder, name, &ids, &found) != 0;
    if (self->short_of_memory)
        return 1;
    const int moved = found.moved ? add_to_moved(self, ids, found.count, text) : 0;
    if (moved < 0)
        return -1;
    self->ambiguous += found.ambiguous;
    self->unknown += found.moved ? !moved : !found.count && !found.ambiguous;
    if (!found.moved)
        self->short_of_memory = lens_caption_texts_add(&self->texts, ids, found.count, text) != 0;
    return self->short_of_memory;
}

static int hear_sidecar(void *context, const char *name, const char *text)
{
    importer *self = context;
    (void)name;
    self->short_of_memory = lens_caption_texts_add(&self->texts, self->ids, self->id_count, text) != 0;
    return self->short_of_memory;
}

static void hear_left_out(void *context, int64_t picture, size_t count)
{
    importer *self = context;
    lens_store_picture about = {0};
    char line[256];
    if (self->named && self->crowded++ < PROBLEMS_MOST && lens_store_picture_by_id(self->run->store, picture, &about, NULL) > 0) {
        snprintf(line, sizeof line, "%zu of its captions were left out, for it has %d lines or %d MiB of them", count, LENS_CAPTION_LINES_MOST,
                 LENS_CAPTION_MOST >> 20);
        note(self->run, about.path, line);
        lens_store_picture_free(&about);
    }
}

/* Makes of what was collected what can be written. Before a transaction begins, since a large file takes its time, and hear_left_out tells of it. */
static int make(importer *self, lens_error *err)
{
    return self->short_of_memory || lens_caption_texts_make(&self->texts, hear_left_out, self) != 0 ? lens_fail_memory(err) : 0;
}

/* Writes TEXTS as what SOURCE says: WHOLE: all of it. */
static int write(const importer *self, const lens_caption_texts *texts, int64_t source, int64_t size, int64_t mtime_ns, bool whole, int64_t *changed, lens_error *err)
{
    int64_t changes = 0;
    const int result = lens_store_captions_write(self->run->store, source, size, mtime_ns, texts->items, texts->count, whole, &changes, err);
    *changed += changes;
    return result;
}

static void begin(importer *self, const char *path)
{
    lens_caption_texts_free(&self->texts);
    free(self->folder);
    self->path = path;
    self->folder = strdup(path);
    self->short_of_memory = !self->folder;
    char *slash = self->folder ? strrchr(self->folder, '/') : NULL;
    if (slash)
        *slash = '\0';
    self->unknown = self->ambiguous = self->captions = self->crowded = self->looked = self->compared = 0;
    self->named = false;
    self->problems = 0;
}

/* ---- files of captions ---- */

static void tell_unknown(const importer *self)
{
    char line[256];
    if (self->unknown) {
        snprintf(line, sizeof line, "%zu of %zu captions are of pictures that are not in the library", self->unknown, self->captions);
        note(self->run, self->path, line);
    }
    if (self->ambiguous) {
        snprintf(line, sizeof line, "%zu captions are of names that several pictures have, and were left out: give paths", self->ambiguous);
        note(self->run, self->path, line);
    }
    if (self->problems > PROBLEMS_MOST) {
        snprintf(line, sizeof line, "and %zu more like these", self->problems - PROBLEMS_MOST);
        note(self->run, self->path, line);
    }
    if (self->crowded > PROBLEMS_MOST) {
        snprintf(line, sizeof line, "captions of %zu more pictures were left out like these", self->crowded - PROBLEMS_MOST);
        note(self->run, self->path, line);
    }
}

static const lens_store_source *find_source(const lens_store_sources *sources, const char *path)
{
    size_t low = 0, high = sources->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(sources->items[middle].path, path);
        if (order == 0)
            return &sources->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The places of the file's names that were kept in its SETTINGS. */
static int begin_places(importer *self, const json_t *settings, lens_error *err)
{
    const json_t *kept = json_object_get(settings, "places");
    lens_caption_names_begin(self->names);
    for (size_t i = 0; i < json_array_size(kept); i++) {
        const char *place = json_string_value(json_array_get(kept, i));
        if (place && lens_caption_names_place(self->names, place) != 0)
            return lens_fail_memory(err);
    }
    return 0;
}

/* Keeps them all there. JSON has no words for a path that is not UTF-8: such a place is one for as long as it holds pictures that the file names. */
static int keep_places(importer *self, json_t *settings, lens_error *err)
{
    const lens_names *places = lens_caption_names_places(self->names);
    json_t *kept = places ? json_array() : NULL;
    int result = kept ? 0 : -1;
    for (size_t i = 0; result == 0 && i < places->count; i++)
        if (lens_utf8_valid(places->items[i], strlen(places->items[i])))
            result = json_array_append_new(kept, json_string(places->items[i]));
    if (result == 0 && json_array_size(kept))
        result = json_object_set(settings, "places", kept);
    json_decref(kept);
    return result == 0 ? 0 : lens_fail_memory(err);
}

/* Reads the captions of the file PATH by SETTINGS, which are then what is to be kept of it. It is read twice, for only after the last name is it known where its
 * names are. 0, STOPPED or -1; or 1, of which make tells that memory is short. */
static int read_file(importer *self, const char *path, json_t *settings, bool named, struct stat *info, lens_error *err)
{
    const lens_caption_options options = {json_string_value(json_object_get(settings, "file")), json_string_value(json_object_get(settings, "text"))};
    const lens_caption_visitor look = {look_at_name, look_on, self}, visitor = {hear_caption, hear_problem, self};
    begin(self, path);
    self->named = named;
    self->err = err;
    int result = lens_file_look(path, info, err);
    if (result == 0)
        result = names_of(self, err) ? begin_places(self, settings, err) : -1;
    if (result == 0)
        result = lens_captions_read(path, &options, &look, err);
    if (result == 0)
        result = keep_places(self, settings, err);
    if (result == 0)
        result = lens_captions_read(path, &options, &visitor, err);
    return result;
}

/* The settings of SOURCE (NULL: none yet). NULL when memory is short. Free with json_decref. */
static json_t *settings_of(const lens_store_source *source)
{
    json_t *settings = source && source->settings ? json_loads(source->settings, 0, NULL) : NULL;
    return settings ? settings : json_object();
}

/* Writes what was read of the file PATH, with what is to be kept of it; it is the source ID, or (0) the one at PATH from now on. */
static int write_file(importer *self, const char *path, int64_t id, const json_t *settings, const struct stat *info, int64_t *changed, lens_error *err)
{
    lens_store *store = self->run->store;
    char *text = json_dumps(settings, JSON_COMPACT);
    int result = text ? make(self, err) : lens_fail_memory(err);
    if (result == 0)
        result = lens_store_batch_begin(store, err);
    if (result == 0) {
        result = id ? lens_store_source_settings(store, id, text, err) : lens_store_source_put(store, path, LENS_SOURCE_FILE, text, &id, err);
        if (result == 0)
            result = write(self, &self->texts, id, info->st_size, lens_file_mtime_ns(info), true, changed, err);
        result = lens_store_batch_end(store, result, err);
    }
    free(text);
    return result;
}

/* A file that the person names, which is one that later runs look at too once it was read: with COLUMNS, which replace those that KNOWN has (NULL: it is new). */
static int import_named(importer *self, const char *path, json_t *columns, const lens_store_source *known, int64_t *changed, lens_error *err)
{
    struct stat info;
    json_t *before = settings_of(known), *settings = json_copy(columns), *places = json_object_get(before, "places");
    int result = settings && (!places || json_object_set(settings, "places", places) == 0) ? 0 : lens_fail_memory(err);
    if (result == 0)
        result = read_file(self, path, settings, true, &info, err);
    const bool stopped = result == STOPPED;
    if (result >= 0 && !stopped)
        result = write_file(self, path, 0, settings, &info, changed, err);
    if (result == 0)
        tell_unknown(self);
    json_decref(settings);
    json_decref(before);
    return stopped ? 0 : result;
}

/* The captions of a file that is not there stay, as those of pictures on an absent disk do. Who names others is told so, for one of them may be this file, renamed:
 * its old captions would be found beside the new ones. In every run it would be told for as long as the disk is away, and a server that watches has many. */
static void tell_missing(const importer *self, const lens_store_source *source, const lens_error *why)
{
    if (self->run->options->caption_count && why->code == LENS_E_MISSING)
        note(self->run, source->path, "is not there; its captions are kept, and memelens forget --captions takes them out");
}

/* One that was read once, if it is another now. */
static int import_known(importer *self, const lens_store_source *source, int64_t *changed, lens_error *err)
{
    struct stat info;
    lens_error error = {0};
    if (lens_file_look(source->path, &info, &error) != 0) {
        tell_missing(self, source, &error);
        return 0;
    }
    error = (lens_error){0};
    if (info.st_size == source->size && lens_file_mtime_ns(&info) == source->mtime_ns)
        return 0;
    json_t *settings = settings_of(source);
    int result = settings ? read_file(self, source->path, settings, false, &info, &error) : lens_fail_memory(&error);
    if (result < 0) { /* it was fine once: what it said stays, and the rest goes on */
        note(self->run, NULL, error.message);
        result = 0;
    } else { /* stopped, the next run reads it: nothing is written of half a file */
        result = result == STOPPED ? 0 : write_file(self, source->path, source->id, settings, &info, changed, err);
    }
    json_decref(settings);
    return result;
}

static int import_files(importer *self, int64_t *changed, lens_error *err)
{
    const lens_index_options *options = self->run->options;
    lens_names named = {0};
    lens_store_sources sources = {0};
    json_t *columns = json_pack("{so*so*}", "file", options->caption_file ? json_string(options->caption_file) : NULL, "text",
                                options->caption_text ? json_string(options->caption_text) : NULL);
    int result = columns ? lens_store_sources_list(self->run->store, LENS_SOURCE_FILE, &sources, err) : lens_fail_memory(err);
    for (size_t i = 0; i < options->caption_count && result == 0 && go_on(self, i, options->caption_count, false); i++) {
        char *path = lens_path_absolute(options->captions[i], err);
        if (!path)
            result = -1;
        else if (lens_names_add(&named, path) != 0)
            result = lens_fail_memory(err);
        else
            result = import_named(self, path, columns, find_source(&sources, path), changed, err);
    }
    json_decref(columns);
    for (size_t i = 0; i < sources.count && result == 0 && go_on(self, i, sources.count, false); i++) {
        if (!lens_names_have(&named, sources.items[i].path))
            result = import_known(self, &sources.items[i], changed, err);
    }
    lens_store_sources_free(&sources);
    begin(self, ""); /* the path that it had is freed here */
    lens_names_free(&named);
    return result;
}

/* ---- files beside pictures ---- */

/* Keeps what was collected of SIDECAR until it is written with what others say. STAYS: with what it said before. */
static int keep_heard(importer *self, const lens_sidecar *sidecar, const lens_store_source *known, bool stays, lens_error *err)
{
    if (make(self, err) != 0)
        return -1;
    if (self->heard_count == 0)
        self->heard_since = lens_seconds();
    for (size_t i = 0; i < self->texts.group_count; i++)
        self->heard_bytes += self->texts.groups[i].text.size;
    self->heard[self->heard_count++] = (heard_sidecar){sidecar, known, self->texts, stays};
    self->texts = (lens_caption_texts){0};
    return 0;
}

static bool heard_enough(const importer *self)
{
    return self->heard_count == SIDECARS_AT_ONCE || self->heard_bytes >= SIDECAR_BYTES_AT_ONCE ||
           (self->heard_count && lens_seconds() - self->heard_since >= write_every);
}

static void forget_heard(importer *self)
{
    while (self->heard_count > 0)
        lens_caption_texts_free(&self->heard[--self->heard_count].texts);
    self->heard_bytes = 0;
}

static int put_heard(importer *self, const heard_sidecar *heard, int64_t *changed, lens_error *err)
{
    const lens_sidecar *sidecar = heard->sidecar;
    int64_t id = heard->known ? heard->known->id : 0;
    if (!heard->known && lens_store_source_put(self->run->store, sidecar->path, LENS_SOURCE_SIDECAR, NULL, &id, err) != 0)
        return -1;
    return write(self, &heard->texts, id, sidecar->size, sidecar->mtime_ns, !heard->stays, changed, err);
}

/* Writes what was read, in one transaction, in which no file is read any more: others wait for their turn meanwhile, and a server ends one in which it is asked
 * nothing for half a minute, while a silent disk may take a whole one. */
static int write_heard(importer *self, int64_t *changed, lens_error *err)
{
    if (self->heard_count == 0)
        return 0;
    int result = lens_store_batch_begin(self->run->store, err);
    const bool batch = result == 0;
    for (size_t i = 0; i < self->heard_count && result == 0; i++)
        result = put_heard(self, &self->heard[i], changed, err);
    if (batch)
        result = lens_store_batch_end(self->run->store, result, err);
    forget_heard(self);
    return result;
}

/* A file that would be of more pictures than a file is of: it is of none, and told each time. */
static int leave_out_sidecar(importer *self, const lens_sidecar *sidecar, const lens_store_source *known, int64_t *changed, lens_error *err)
{
    char line[128];
    snprintf(line, sizeof line, "lies beside more than %d pictures that it could be of, and was left out", LENS_CAPTION_BESIDE_MOST);
    note(self->run, sidecar->path, line);
    if (known && lens_store_source_remove(self->run->store, known->id, err) != 0)
        return -1;
    *changed += known != NULL;
    return 0;
}

static int read_sidecar(importer *self, const lens_sidecar *sidecar, const lens_store_source *known, int64_t *changed, lens_error *err)
{
    const char *picture;
    begin(self, sidecar->path);
    if (!names_of(self, err))
        return -1;
    if (lens_caption_names_beside(self->names, sidecar->path, &self->ids, &self->id_count, &picture) != 0)
        return lens_fail_memory(err);
    if (self->id_count == 0 && picture)
        return leave_out_sidecar(self, sidecar, known, changed, err);
    if (self->id_count == 0) /* of no picture: what it said once went with one that was renamed, until it is changed */
        return known ? keep_heard(self, sidecar, known, known->mtime_ns == -1 && known->size == sidecar->size, err) : 0;
    const lens_caption_visitor visitor = {hear_sidecar, NULL, self};
    lens_error why = {0};
    const int result = lens_captions_beside(sidecar->path, picture, &visitor, &why);
    if (result > 0)
        lens_fail_memory_for(&why, sidecar->path); /* all that hear_sidecar stops for */
    if (result != 0) {
        const bool own_fault = why.code == LENS_E_FORMAT || why.code == LENS_E_MEMORY;
        if (own_fault || (known && why.code != LENS_E_MISSING && why.code != LENS_E_CANCELLED))
            note(self->run, NULL, why.message);
        return 0; /* it cannot be read now: what it said stays, the next run looks again, and the others are read */
    }
    if (self->texts.group_count == 0 && !known)
        return 0; /* it says nothing */
    return keep_heard(self, sidecar, known, false, err);
}

static int compare_sidecars(const void *a, const void *b)
{
    return strcmp(((const lens_sidecar *)a)->path, ((const lens_sidecar *)b)->path);
}

/* Takes out what lay beside pictures and is gone. */
static int sweep_sidecars(importer *self, const lens_store_sources *sources, int64_t *changed, lens_error *err)
{
    lens_run *run = self->run;
    for (size_t i = 0; i < sources->count; i++) {
        const lens_sidecar wanted = {sources->items[i].path, 0, 0};
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

static int import_sidecars(importer *self, bool whole, int64_t *changed, lens_error *err)
{
    lens_run *run = self->run;
    lens_store_sources sources = {0}, files = {0};
    int result = lens_store_sources_list(run->store, LENS_SOURCE_SIDECAR, &sources, err);
    if (result == 0)
        result = lens_store_sources_list(run->store, LENS_SOURCE_FILE, &files, err);
    if (run->sidecar_count)
        qsort(run->sidecars, run->sidecar_count, sizeof *run->sidecars, compare_sidecars);
    for (size_t i = 0; i < run->sidecar_count && result == 0 && go_on(self, i, run->sidecar_count, false); i++) {
        const lens_sidecar *sidecar = &run->sidecars[i];
        const lens_store_source *known = find_source(&sources, sidecar->path);
        /* What was named as captions of many pictures is not read once more as those of the one that it lies beside. */
        if (find_source(&files, sidecar->path))
            continue;
        if (!known || known->size != sidecar->size || known->mtime_ns != sidecar->mtime_ns)
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
    return result;
}

int lens_run_captions_there(const lens_run *run, lens_error *err)
{
    struct stat info;
    for (size_t i = 0; i < run->options->caption_count; i++) {
        char *path = lens_path_absolute(run->options->captions[i], err);
        int result = path ? lens_file_look(path, &info, err) : -1;
        if (result == 0 && !S_ISREG(info.st_mode))
            result = lens_fail(err, LENS_E_FORMAT, "%s: %s", path, S_ISDIR(info.st_mode) ? "is a folder" : "not a regular file");
        free(path);
        if (result != 0)
            return -1;
    }
    return 0;
}

int lens_run_captions(lens_run *run, bool whole, int64_t *changed, lens_error *err)
{
    importer self = {.run = run, .begun = lens_seconds()};
    *changed = 0;
    int result = import_files(&self, changed, err);
    if (result == 0)
        result = import_sidecars(&self, whole, changed, err);
    begin(&self, "");
    free(self.folder);
    lens_caption_names_free(self.names);
    return result;
}

/* ---- inside pictures ---- */

int lens_run_embedded(lens_run *run, lens_store_entry *entries, const lens_job *const *jobs, size_t count, lens_error *err)
{
    int64_t source = 0;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        const lens_job *job = jobs[i];
        /* A picture that is new and says nothing has nothing to be changed. */
        if (entries[i].reason || !job->embedded || (!*job->embedded && !job->known_id))
            continue;
        if (!source)
            result = lens_store_source_put(run->store, "", LENS_SOURCE_EMBEDDED, NULL, &source, err);
        entries[i].source = source;
        entries[i].text = job->embedded;
        entries[i].folded = lens_text_folded(job->embedded);
        if (!entries[i].folded)
            result = lens_fail_memory(err);
    }
    return result;
}
