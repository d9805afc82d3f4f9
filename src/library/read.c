/* lens_read: what is written in the pictures of a library, as a pass of its own. Readers on all processors take contents that were not read yet; what they
 * read is kept every second or so, in a short visit as the library's writer, so that an index run never waits for a pass that may take hours. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/patience.h"
#include "base/processors.h"
#include "library/internal.h"
#include "library/sentences.h"
#include "ocr/ocr.h"
#include "pixels/apart.h"
#include "store/texts.h"
#include "words/tokens.h"

enum { CONTENTS = 256 /* that are listed at once */, KEPT_MOST = 256 /* readings of one transaction */ };
static const double keep_every = 1, look_every = 0.1; /* seconds */
static const double stopped_patience = 2; /* with another process that writes, once the caller wants it to stop: seconds */

lens_read_options lens_read_options_default(void)
{
    return (lens_read_options){.max_pixels = lens_decode_limits_default().max_pixels, .wait = 86400};
}

typedef struct reading {
    int64_t content;
    char *path; /* a picture that holds it; NULL: it is nowhere to be read now */
    int64_t size, mtime_ns;
    char *text; /* NULL: could not be read */
} reading;

typedef struct pass {
    const lens_read_options *options;
    reading *items; /* [count] */
    size_t count, next, done; /* handed out, and finished by the readers */
    size_t kept;              /* the first KEPT are in the library, or never will be */
    bool *finished;           /* [count] */
    lens_store_file library;  /* whose contents they are */
    pthread_mutex_t lock;
    atomic_bool stop;
    lens_error error;
    bool failed;
} pass;

static bool is_as_indexed(const reading *item)
{
    return item->path && lens_file_is(item->path, item->size, item->mtime_ns);
}

/* The text of ITEM, if it still is what was indexed: before and after it was opened, or the text may be another picture's. */
static char *read_one(const pass *self, lens_reader *reader, const reading *item)
{
    lens_image image = {0};
    lens_buffer text = {0};
    const lens_term term = {.kind = LENS_TERM_FILE, .text = item->path};
    if (!is_as_indexed(item))
        return NULL;
    const bool read = lens_decode_term(&term, self->options->max_pixels, &image, NULL) == 0 && is_as_indexed(item) && lens_reader_read(reader, &image, &text, NULL, NULL) == 0 &&
                      lens_buffer_append(&text, "", 0) == 0;
    lens_image_free(&image);
    if (read && text.data)
        return text.data;
    lens_buffer_free(&text);
    return read ? calloc(1, 1) : NULL;
}

static bool goes_on(void *argument)
{
    return !atomic_load(&((pass *)argument)->stop);
}

static void *work(void *argument)
{
    pass *self = argument;
    lens_patience_set((lens_disk_patience){.goes_on = goes_on, .context = self});
    lens_error error = {0};
    lens_reader *reader = lens_reader_open(self->options->languages, &error);
    pthread_mutex_lock(&self->lock);
    if (!reader && !self->failed) {
        self->failed = true;
        self->error = error;
    }
    while (reader && self->next < self->count && !atomic_load(&self->stop)) {
        const size_t at = self->next++;
        pthread_mutex_unlock(&self->lock);
        char *text = read_one(self, reader, &self->items[at]);
        pthread_mutex_lock(&self->lock);
        self->items[at].text = text;
        self->finished[at] = true;
        self->done++;
    }
    pthread_mutex_unlock(&self->lock);
    lens_reader_free(reader);
    return NULL;
}

/* ---- keeping ---- */

/* Whether the caller wants to wait on for a turn to write. */
static bool wait_on(void *context)
{
    const lens_read_options *options = context;
    const lens_index_event event = {.kind = LENS_INDEX_PROGRESS};
    return !options->event || options->event(options->context, &event);
}

/* A store to write to, where there still is a library; a turn that is not waited for any more is as one that others have. */
static lens_store *open_to_keep(const char *place, const lens_read_options *options, lens_error *err)
{
    lens_store *store = lens_store_open(place, LENS_STORE_CHANGE, 0, err);
    if (store)
        lens_store_wait_while(store, wait_on, (void *)options);
    return store;
}

static int fail_exchanged(const char *place, lens_error *err)
{
    char *shown = lens_store_place_shown(place);
    const int result = lens_fail(err, LENS_E_AWAY, "%s: another library was put here while that was read which was here before", shown ? shown : "");
    free(shown);
    return result;
}

static void close_kept(lens_store *store, lens_error *err)
{
    lens_store_close(store);
    if (err->code == LENS_E_CANCELLED)
        err->code = LENS_E_BUSY;
}

/* Writes what is finished, from the first that is not kept up to the first that is not finished. LENS_E_BUSY when another process writes: nothing is lost,
 * and it is tried again. LENS_E_AWAY, or LENS_E_MISSING, where the library is no longer at PLACE. */
static int keep(pass *self, const char *place, const char *version, lens_read_report *report, lens_error *err)
{
    lens_store_reading readings[KEPT_MOST];
    size_t count = 0, failed = 0, absent = 0, end = self->kept;
    int result = 0;
    pthread_mutex_lock(&self->lock);
    while (end < self->count && self->finished[end] && end - self->kept < KEPT_MOST)
        end++;
    pthread_mutex_unlock(&self->lock);
    for (size_t i = self->kept; i < end && result == 0; i++) {
        const reading *item = &self->items[i];
        failed += !item->text && item->path;
        absent += !item->path;
        char *folded = item->text ? lens_text_folded(item->text) : NULL;
        if (folded) /* marks without a letter are nothing that could be looked for */
            readings[count++] = (lens_store_reading){item->content, *folded ? item->text : "", folded};
        else if (item->text)
            result = lens_fail_memory(err);
    }
    lens_store *store = count && result == 0 ? open_to_keep(place, self->options, err) : NULL;
    if (count && result == 0)
        result = store ? lens_store_readings_write(store, &self->library, version, readings, count, err) : -1;
    if (result > 0)
        result = fail_exchanged(place, err);
    close_kept(store, err);
    for (size_t i = 0; i < count; i++) {
        report->read += result == 0;
        report->with_text += result == 0 && *readings[i].folded;
        free((void *)readings[i].folded);
    }
    if (result == 0) {
        report->failed += (int64_t)failed;
        report->absent += (int64_t)absent;
        self->kept = end;
    }
    return result;
}

static bool tell(const lens_read_options *options, const lens_read_report *report, int64_t total, double begun)
{
    const lens_index_event event = {.kind = LENS_INDEX_PROGRESS, .done = report->read + report->failed + report->absent, .total = total, .seconds = lens_seconds() - begun};
    return !options->event || options->event(options->context, &event);
}

/* ---- one list of contents after the other ---- */

/* Takes the first file that is there. 1: a stop; -2: memory is short. */
static int hear_picture(void *context, const lens_store_picture *picture)
{
    reading *item = context;
    struct stat info;
    lens_error why = {0};
    if (item->path || lens_file_look(picture->path, &info, &why) != 0)
        return why.code == LENS_E_CANCELLED;
    if (!(item->path = strdup(picture->path)))
        return -2;
    item->size = picture->size;
    item->mtime_ns = picture->mtime_ns;
    return 0;
}

static int list(lens_store *reader, const char *version, int64_t last, pass *out, lens_error *err)
{
    int64_t contents[CONTENTS];
    const int count = lens_store_readings_missing(reader, version, last, contents, CONTENTS, err);
    if (count <= 0)
        return count;
    out->items = calloc((size_t)count, sizeof *out->items);
    out->finished = calloc((size_t)count, sizeof *out->finished);
    if (!out->items || !out->finished)
        return lens_fail_memory(err);
    out->count = (size_t)count;
    for (int i = 0; i < count; i++) {
        out->items[i].content = contents[i];
        const int heard = lens_store_pictures_of(reader, contents[i], hear_picture, &out->items[i], err);
        if (heard == -2)
            return lens_fail_memory(err);
        if (heard != 0)
            return heard < 0 ? -1 : lens_fail(err, LENS_E_CANCELLED, "interrupted");
    }
    return count;
}

/* Tells how it goes, and of another process that writes. False once the caller wants it to stop. */
static bool go_on(pass *self, lens_read_report *report, int64_t total, double begun, bool busy, bool *busy_told)
{
    if (busy && !*busy_told && self->options->event) {
        const lens_index_event event = {.kind = LENS_INDEX_NOTE, .reason = "another run is writing to the library; what was read waits for it"};
        *busy_told = true;
        self->options->event(self->options->context, &event);
    }
    if (tell(self->options, report, total, begun))
        return true;
    atomic_store(&self->stop, true);
    report->stopped = true;
    return false;
}

static int run_list(pass *self, const char *place, const char *version, int threads, int64_t total, double begun, lens_read_report *report, lens_error *err)
{
    pthread_t *workers = calloc((size_t)threads, sizeof *workers);
    int started = 0, result = 0;
    bool busy_told = false;
    lens_error error = {0};
    if (!workers)
        return lens_fail_memory(err);
    while (started < threads && pthread_create(&workers[started], NULL, work, self) == 0)
        started++;
    if (started == 0)
        result = lens_fail(&error, LENS_E_SYSTEM, "cannot start a thread");
    double last = lens_seconds(), ended = 0;
    for (bool over = false; result == 0;) {
        lens_sleep(look_every);
        pthread_mutex_lock(&self->lock);
        over = over || self->failed || self->done == self->count || atomic_load(&self->stop);
        pthread_mutex_unlock(&self->lock);
        const double now = lens_seconds();
        if (over && ended == 0) { /* nothing more is handed out: what is being read is waited for */
            atomic_store(&self->stop, true);
            for (int i = 0; i < started; i++)
                pthread_join(workers[i], NULL);
            started = 0;
            ended = lens_seconds();
        }
        bool busy = false;
        if (over || now - last >= keep_every) {
            last = now;
            result = keep(self, place, version, report, &error);
            busy = result != 0 && error.code == LENS_E_BUSY;
            const double patience = report->stopped ? stopped_patience : self->options->wait;
            if (busy && (!over || lens_seconds() - ended < patience))
                result = 0;
        }
        if (over && !busy && result == 0 && (self->kept == self->count || !self->finished[self->kept]))
            break;
        if (!report->stopped)
            go_on(self, report, total, begun, busy, &busy_told);
    }
    atomic_store(&self->stop, true);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i], NULL);
    free(workers);
    if (result == 0 && self->failed) {
        error = self->error;
        result = -1;
    }
    if (result != 0 && err)
        *err = error;
    return result;
}

static void free_list(pass *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->items[i].path);
        free(self->items[i].text);
    }
    free(self->items);
    free(self->finished);
    pthread_mutex_destroy(&self->lock);
}

/* ---- what it means ---- */

/* One batch of sentences at a time, so that others come to write between two. */
typedef struct batch {
    const lens_read_options *options;
    lens_read_report *report;
    double begun;
} batch;

static bool tell_batch(void *context, int64_t done, int64_t total)
{
    batch *self = context;
    const lens_index_event event = {.kind = LENS_INDEX_PROGRESS, .done = done, .total = total, .seconds = lens_seconds() - self->begun};
    self->report->stopped |= self->options->event && !self->options->event(self->options->context, &event);
    return false;
}

/* What is written, as sentences, where the model for that is here: what an earlier pass left undone too. */
static int encode_all(const char *place, const lens_read_options *options, lens_read_report *report, double begun, lens_error *err)
{
    batch self = {options, report, begun};
    const int threads = options->threads > 0 ? options->threads : lens_processors();
    int64_t encoded = 1;
    for (double waited = 0; lens_sentence_model_here() && encoded > 0 && !report->stopped;) {
        lens_error error = {0};
        lens_store *store = open_to_keep(place, options, &error);
        int result = store ? lens_sentences_refresh(store, threads, tell_batch, &self, &encoded, &error) : -1;
        close_kept(store, &error);
        if (result != 0 && error.code == LENS_E_BUSY && waited < options->wait) {
            lens_sleep(look_every);
            waited += look_every;
            encoded = 1;
            tell_batch(&self, 0, 0);
        } else if (result != 0) {
            if (err)
                *err = error;
            return -1;
        }
    }
    return 0;
}

/* ---- the whole ---- */

/* Lists what is read next, and says whose it is; BEFORE: whose the list before was, NULL: there was none. *READER stays open until the next list is there, with
 * nothing under way, which would hold the log up: for so long no other library's file has its number. How many; -1 on error. */
static int list_of(const char *place, const char *version, int64_t last, const lens_store_file *before, pass *out, lens_store **reader, lens_error *err)
{
    lens_store_file now;
    *reader = lens_store_open(place, LENS_STORE_READ, 0, err);
    if (!*reader || lens_store_which(*reader, &out->library, err) != 0)
        return -1;
    const int count = list(*reader, version, last, out, err);
    if (count < 0 || lens_store_which(*reader, &now, err) != 0)
        return -1;
    const bool other = before && !lens_store_file_same(*before, now);
    return other || lens_store_moved(*reader) || !lens_store_file_same(out->library, now) ? fail_exchanged(place, err) : count;
}

static int read_all(const char *place, const char *version, const lens_read_options *options, lens_read_report *report, double begun, lens_error *err)
{
    const int threads = options->threads > 0 ? options->threads : lens_processors();
    int64_t last = 0, total = 0, read_before = 0, with_text;
    int result = 0;
    lens_store_counts counts;
    lens_store *held = NULL; /* of the list before */
    lens_store_file library;
    for (int count = 1; count > 0 && !report->stopped;) {
        pass self = {.options = options};
        pthread_mutex_init(&self.lock, NULL);
        lens_store *reader;
        count = list_of(place, version, last, held ? &library : NULL, &self, &reader, err);
        if (count > 0 && total == 0 && lens_store_count(reader, &counts, NULL) == 0 && lens_store_readings_count(reader, version, &read_before, &with_text, NULL) == 0)
            total = counts.contents - read_before;
        lens_store_close(held);
        held = reader;
        library = self.library;
        if (count > 0) {
            last = self.items[count - 1].content;
            if (run_list(&self, place, version, threads, total, begun, report, err) != 0 ||
                (!report->stopped && encode_all(place, options, report, begun, err) != 0))
                count = -1;
        }
        free_list(&self);
        result = count < 0 ? -1 : 0;
    }
    lens_store_close(held);
    return result;
}

/* The languages that are asked for, or else those of what was read last in the library at PLACE. The caller frees. NULL on failure. */
static char *choose_languages(const char *place, const char *asked, lens_error *err)
{
    char *version = NULL, *languages = NULL;
    if (!asked) {
        lens_store *store = lens_store_open(place, LENS_STORE_READ, 0, err);
        const int result = store ? lens_store_readings_version(store, &version, err) : -1;
        lens_store_close(store);
        if (result != 0)
            return NULL;
        languages = version ? lens_reader_languages(version) : NULL;
        free(version);
    }
    if (!languages && !(languages = strdup(asked ? asked : "eng")))
        lens_fail_memory(err);
    return languages;
}

int lens_read(lens_library *library, const lens_read_options *asked, lens_read_report *report, lens_error *err)
{
    *report = (lens_read_report){0};
    const double begun = lens_seconds();
    char *languages = choose_languages(library->place.store, asked->languages, err);
    if (!languages)
        return -1;
    lens_read_options chosen = *asked;
    const lens_read_options *options = &chosen;
    chosen.languages = languages;
    lens_reader *reader = lens_reader_open(options->languages, err); /* whether it can be done at all, and under which version */
    char *version = reader ? strdup(lens_reader_version(reader)) : NULL;
    const bool opened = reader != NULL;
    lens_reader_free(reader);
    if (!version) {
        free(languages);
        return opened ? lens_fail_memory(err) : -1;
    }
    const lens_disk_patience before = lens_patience_set((lens_disk_patience){.goes_on = wait_on, .context = &chosen});
    lens_error why = {0};
    int result = read_all(library->place.store, version, options, report, begun, &why);
    if (result != 0 && why.code == LENS_E_CANCELLED) { /* a stop, while a disk gave no answer */
        report->stopped = true;
        result = 0;
    } else if (result != 0 && err) {
        *err = why;
    }
    free(version);
    if (result == 0 && !report->stopped)
        result = encode_all(library->place.store, options, report, begun, err);
    lens_patience_set(before);
    free(languages);
    lens_apart_rest();
    report->seconds = lens_seconds() - begun;
    return result;
}
