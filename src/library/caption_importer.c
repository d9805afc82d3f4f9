#include "library/caption_importer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "captions/captions.h"
#include "store/texts.h"

static const double tell_every = 0.1; /* seconds between progress events */

lens_caption_names *lens_importer_names(lens_caption_importer *self, lens_error *err)
{
    if (!self->names && lens_store_names_begin(self->run->store, err) == 0)
        self->names = lens_caption_names_new(self->run->store, err);
    return self->names;
}

void lens_importer_note(lens_run *run, const char *path, const char *reason)
{
    const lens_index_event event = {.kind = LENS_INDEX_NOTE, .path = path, .reason = reason};
    if (run->options->event && !run->options->event(run->options->context, &event))
        atomic_store(&run->stop, true);
}

bool lens_importer_goes_on(lens_caption_importer *self, size_t done, size_t total, bool counting)
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

static void hear_left_out(void *context, int64_t picture, size_t count)
{
    lens_caption_importer *self = context;
    lens_store_picture about = {0};
    char line[256];
    if (self->named && self->crowded++ < LENS_CAPTION_PROBLEMS_MOST && lens_store_picture_by_id(self->run->store, picture, &about, NULL) > 0) {
        snprintf(line, sizeof line, "%zu of its captions were left out, for it has %d lines or %d MiB of them", count, LENS_CAPTION_LINES_MOST,
                 LENS_CAPTION_MOST >> 20);
        lens_importer_note(self->run, about.path, line);
        lens_store_picture_free(&about);
    }
}

int lens_importer_make(lens_caption_importer *self, lens_error *err)
{
    return self->short_of_memory || lens_caption_texts_make(&self->texts, hear_left_out, self) != 0 ? lens_fail_memory(err) : 0;
}

int lens_importer_write(const lens_caption_importer *self, const lens_caption_texts *texts, int64_t source, int64_t size, int64_t mtime_ns, bool whole, int64_t *changed, lens_error *err)
{
    int64_t changes = 0;
    const int result = lens_store_captions_write(self->run->store, source, size, mtime_ns, texts->items, texts->count, whole, &changes, err);
    *changed += changes;
    return result;
}

void lens_importer_begin(lens_caption_importer *self, const char *path)
{
    lens_caption_texts_free(&self->texts);
    free(self->folder);
    self->path = path;
    self->folder = strdup(path);
    self->short_of_memory = !self->folder;
    char *slash = self->folder ? strrchr(self->folder, '/') : NULL;
    if (slash)
        *slash = '\0';
    self->crowded = 0;
    self->named = false;
}

const lens_store_source *lens_importer_source(const lens_store_sources *sources, const char *path)
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
