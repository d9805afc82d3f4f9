/* Captions from outside: the files of captions that are named, were named once, or lie beside pictures (index_sidecars.c), and what is written in the pictures. */
#include "library/index_captions.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "captions/captions.h"
#include "library/caption_importer.h"
#include "words/tokens.h"

enum {
    CAPTIONS_AT_ONCE = 1024,
    COMPARED_MOST = 1 << 30, COMPARED_EACH = 1 << 10, /* bytes of texts that one file is compared with for what was moved, and of one at least */
    STOPPED = 2, /* what a reading returns that was stopped by the person */
};

/* ---- captions on their way ---- */

/* Of the file that is read. */
typedef struct reader {
    lens_caption_importer *importer;
    int64_t source; /* its number; 0: it is a new one */
    size_t unknown, ambiguous, captions, problems;
    size_t looked, compared; /* lines of the first reading, bytes of what is said already */
    lens_error *err;         /* of the reading */
} reader;

/* Whether to go on among the captions of a file, or what is none. */
static bool go_on_in_file(reader *self)
{
    const size_t heard = self->captions + self->problems;
    return heard % CAPTIONS_AT_ONCE != 0 || lens_importer_goes_on(self->importer, heard, heard, true);
}

static int hear_problem(void *context, const char *line)
{
    reader *self = context;
    if (self->problems++ < LENS_CAPTION_PROBLEMS_MOST && self->importer->named)
        lens_importer_note(self->importer->run, NULL, line);
    return go_on_in_file(self) ? 0 : STOPPED;
}

/* Whether to go on with a file's first reading, in which nothing is told of what is in it. */
static int look_on(void *context, const char *line)
{
    reader *self = context;
    (void)line;
    self->looked++;
    return self->looked % CAPTIONS_AT_ONCE != 0 || lens_importer_goes_on(self->importer, self->looked, self->looked, true) ? 0 : STOPPED;
}

static int look_at_name(void *context, const char *name, const char *text)
{
    reader *self = context;
    (void)text;
    self->importer->short_of_memory = lens_caption_names_look(self->importer->names, self->importer->folder, name) != 0;
    return self->importer->short_of_memory ? 1 : look_on(self, NULL);
}

typedef struct saying {
    reader *self;
    const char *caption;
} saying;

/* Whether TEXT is what the file said before, and has the caption: as whole lines of it. */
static int says(void *context, const lens_store_text *text)
{
    const saying *asked = context;
    const size_t size = strlen(asked->caption);
    if (!text->picture || text->source != asked->self->source)
        return 0;
    asked->self->compared += strlen(text->text);
    for (const char *at = strstr(text->text, asked->caption); at; at = strstr(at + 1, asked->caption))
        if ((at == text->text || at[-1] == '\n') && (at[size] == '\n' || !at[size]))
            return 1;
    return 0;
}

/* Adds TEXT to what is said of those of the COUNT pictures IDS of which the file said it before: they were moved, and their captions with them. How many these are;
 * -1 on error. */
static int add_to_moved(reader *self, const int64_t *ids, size_t count, const char *text)
{
    saying asked = {self, text};
    int added = 0;
    for (size_t i = 0; i < count && self->compared < COMPARED_MOST && !self->importer->short_of_memory; i++) {
        self->compared += COMPARED_EACH;
        const int said = lens_store_texts_of(self->importer->run->store, ids[i], says, &asked, self->err);
        if (said < 0)
            return -1;
        self->importer->short_of_memory = said && lens_caption_texts_add(&self->importer->texts, &ids[i], 1, text) != 0;
        added += said;
    }
    return added;
}

static int hear_caption(void *context, const char *name, const char *text)
{
    reader *self = context;
    const int64_t *ids;
    lens_caption_found found;
    self->captions++;
    if (!go_on_in_file(self))
        return STOPPED;
    self->importer->short_of_memory = lens_caption_names_find(self->importer->names, self->importer->folder, name, &ids, &found) != 0;
    if (self->importer->short_of_memory)
        return 1;
    const int moved = found.moved ? add_to_moved(self, ids, found.count, text) : 0;
    if (moved < 0)
        return -1;
    self->ambiguous += found.ambiguous;
    self->unknown += found.moved ? !moved : !found.count && !found.ambiguous;
    if (!found.moved)
        self->importer->short_of_memory = lens_caption_texts_add(&self->importer->texts, ids, found.count, text) != 0;
    return self->importer->short_of_memory;
}

/* ---- files of captions ---- */

static void tell_unknown(const reader *self)
{
    char line[256];
    if (self->unknown) {
        snprintf(line, sizeof line, "%zu of %zu captions are of pictures that are not in the library", self->unknown, self->captions);
        lens_importer_note(self->importer->run, self->importer->path, line);
    }
    if (self->ambiguous) {
        snprintf(line, sizeof line, "%zu captions are of names that several pictures have, and were left out: give paths", self->ambiguous);
        lens_importer_note(self->importer->run, self->importer->path, line);
    }
    if (self->problems > LENS_CAPTION_PROBLEMS_MOST) {
        snprintf(line, sizeof line, "and %zu more like these", self->problems - LENS_CAPTION_PROBLEMS_MOST);
        lens_importer_note(self->importer->run, self->importer->path, line);
    }
    if (self->importer->crowded > LENS_CAPTION_PROBLEMS_MOST) {
        snprintf(line, sizeof line, "captions of %zu more pictures were left out like these", self->importer->crowded - LENS_CAPTION_PROBLEMS_MOST);
        lens_importer_note(self->importer->run, self->importer->path, line);
    }
}

/* The places of the file's names that were kept in its SETTINGS. */
static int begin_places(reader *self, const json_t *settings, lens_error *err)
{
    const json_t *kept = json_object_get(settings, "places");
    lens_caption_names_begin(self->importer->names);
    for (size_t i = 0; i < json_array_size(kept); i++) {
        const char *place = json_string_value(json_array_get(kept, i));
        if (place && lens_caption_names_place(self->importer->names, place) != 0)
            return lens_fail_memory(err);
    }
    return 0;
}

/* Keeps them all there. JSON has no words for a path that is not UTF-8: such a place is one for as long as it holds pictures that the file names. */
static int keep_places(reader *self, json_t *settings, lens_error *err)
{
    const lens_names *places = lens_caption_names_places(self->importer->names);
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
static int read_file(reader *self, const char *path, int64_t source, json_t *settings, bool named, struct stat *info, lens_error *err)
{
    const lens_caption_options options = {json_string_value(json_object_get(settings, "file")), json_string_value(json_object_get(settings, "text"))};
    const lens_caption_visitor look = {look_at_name, look_on, self}, visitor = {hear_caption, hear_problem, self};
    *self = (reader){.importer = self->importer, .source = source, .err = err};
    lens_importer_begin(self->importer, path);
    self->importer->named = named;
    int result = lens_file_look(path, info, err);
    if (result == 0)
        result = lens_importer_names(self->importer, err) ? begin_places(self, settings, err) : -1;
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
static int write_file(reader *self, const char *path, int64_t id, const json_t *settings, const struct stat *info, int64_t *changed, lens_error *err)
{
    lens_store *store = self->importer->run->store;
    char *text = json_dumps(settings, JSON_COMPACT);
    int result = text ? lens_importer_make(self->importer, err) : lens_fail_memory(err);
    if (result == 0)
        result = lens_store_batch_begin(store, err);
    if (result == 0) {
        result = id ? lens_store_source_settings(store, id, text, err) : lens_store_source_put(store, path, LENS_SOURCE_FILE, text, &id, err);
        if (result == 0)
            result = lens_importer_write(self->importer, &self->importer->texts, id, info->st_size, lens_file_mtime_ns(info), true, changed, err);
        result = lens_store_batch_end(store, result, err);
    }
    free(text);
    return result;
}

/* A file that the person names, which is one that later runs look at too once it was read: with COLUMNS, which replace those that KNOWN has (NULL: it is new). */
static int import_named(reader *self, const char *path, json_t *columns, const lens_store_source *known, int64_t *changed, lens_error *err)
{
    struct stat info;
    json_t *before = settings_of(known), *settings = json_copy(columns), *places = json_object_get(before, "places");
    int result = settings && (!places || json_object_set(settings, "places", places) == 0) ? 0 : lens_fail_memory(err);
    if (result == 0)
        result = read_file(self, path, known ? known->id : 0, settings, true, &info, err);
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
static void tell_missing(const reader *self, const lens_store_source *source, const lens_error *why)
{
    if (self->importer->run->options->caption_count && why->code == LENS_E_MISSING)
        lens_importer_note(self->importer->run, source->path, "is not there; its captions are kept, and memelens forget --captions takes them out");
}

/* One that was read once, if it is another now. */
static int import_known(reader *self, const lens_store_source *source, int64_t *changed, lens_error *err)
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
    int result = settings ? read_file(self, source->path, source->id, settings, false, &info, &error) : lens_fail_memory(&error);
    if (result < 0) { /* it was fine once: what it said stays, and the rest goes on */
        lens_importer_note(self->importer->run, NULL, error.message);
        result = 0;
    } else { /* stopped, the next run reads it: nothing is written of half a file */
        result = result == STOPPED ? 0 : write_file(self, source->path, source->id, settings, &info, changed, err);
    }
    json_decref(settings);
    return result;
}

static int import_files(lens_caption_importer *importer, int64_t *changed, lens_error *err)
{
    reader self = {.importer = importer};
    const lens_index_options *options = importer->run->options;
    lens_names named = {0};
    lens_store_sources sources = {0};
    json_t *columns = json_pack("{so*so*}", "file", options->caption_file ? json_string(options->caption_file) : NULL, "text",
                                options->caption_text ? json_string(options->caption_text) : NULL);
    int result = columns ? lens_store_sources_list(importer->run->store, LENS_SOURCE_FILE, &sources, err) : lens_fail_memory(err);
    for (size_t i = 0; i < options->caption_count && result == 0 && lens_importer_goes_on(importer, i, options->caption_count, false); i++) {
        char *path = lens_path_absolute(options->captions[i], err);
        if (!path)
            result = -1;
        else if (lens_names_add(&named, path) != 0)
            result = lens_fail_memory(err);
        else
            result = import_named(&self, path, columns, lens_importer_source(&sources, path), changed, err);
    }
    json_decref(columns);
    for (size_t i = 0; i < sources.count && result == 0 && lens_importer_goes_on(importer, i, sources.count, false); i++) {
        if (!lens_names_have(&named, sources.items[i].path))
            result = import_known(&self, &sources.items[i], changed, err);
    }
    lens_store_sources_free(&sources);
    lens_importer_begin(importer, ""); /* the path that it had is freed here */
    lens_names_free(&named);
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
    lens_caption_importer importer = {.run = run, .begun = lens_seconds()};
    *changed = 0;
    int result = import_files(&importer, changed, err);
    if (result == 0)
        result = lens_run_sidecars(&importer, whole, changed, err);
    lens_importer_begin(&importer, "");
    free(importer.folder);
    lens_caption_names_free(importer.names);
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
