/* A library copied into another place, folder or database, so that it is the same to the last bit; and two held against each other.
 *
 * Three walks through the parts. The first looks at what is there already, and when it is through, what is not as in the source is taken out: an index run
 * may have changed that since. It ends where the copy ends, so it costs nothing the first time, and what was copied before is not copied again. Where a whole
 * copy is there it goes on to the end of the source: what cannot be read or copied is found while that copy, which may be the only good one, is as it was.
 * The second brings what is missing, each batch a transaction, so a kill costs one batch. The third is the proof: all of both, held against each other. All
 * of it reads the source as it was at one moment. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "library/copies.h"
#include "library/internal.h"
#include "library/pairs.h"
#include "library/word_bridge.h"
#include "store/texts.h"

enum { BATCH_BYTES = 4 << 20, BATCH_RECORDS = 2048, MAP_BYTES_MOST = 256 << 20 };

static const double short_wait = 10; /* seconds, for another writer */

/* What the first walk saw of a step in the copy. */
typedef struct seen {
    lens_buffer end; /* its last record; empty: it has none */
    bool other;      /* it has some that the source has not, or not so */
} seen;

typedef struct copy {
    const lens_copy_options *options;
    lens_copy_report *report;
    lens_library_place from_place, to_place;
    lens_store *from, *to;
    lens_pair_steps steps;
    seen *seen;      /* [steps.count] */
    bool gaps;       /* it lacks some before the ends of those */
    bool may_remove; /* it is an unfinished copy, or one that is to be brought up to date */
    bool whole;      /* it is a library with something in it: nothing was written yet */
    bool marked;     /* as unfinished */
    bool brought_texts;
    int64_t version; /* of the copy, before it was looked at */
    double begun;
    int64_t done, looked;

    const lens_pair_step *step; /* under way */
    size_t step_at;
    lens_records batch;
} copy;

static int tell(copy *self, const char *step, lens_error *err)
{
    const lens_copy_event event = {step, self->done, 2 * self->steps.records, lens_seconds() - self->begun};
    if (!self->options->event || self->options->event(self->options->context, &event))
        return 0;
    return lens_fail(err, LENS_E_CANCELLED, "interrupted; the same command goes on where it was");
}

/* Says which records it was that could not be written. */
static int fail_batch(const copy *self, lens_error *err)
{
    lens_buffer name = {0};
    if (lens_record_name(self->step->part, lens_records_at(&self->batch, 0), &name) == 0 && self->batch.count > 1)
        lens_buffer_print(&name, " and the %zu behind it", self->batch.count - 1);
    if (name.data && err)
        lens_fail_in(err, name.data);
    lens_buffer_free(&name);
    return -1;
}

static bool is_full(const copy *self)
{
    return self->batch.bytes.size >= BATCH_BYTES || self->batch.count >= BATCH_RECORDS;
}

/* Before anything is written: from here on it is no library for anybody else until it is the same as the source. */
static int mark(copy *self, lens_error *err)
{
    int64_t now = 0;
    if (self->marked)
        return 0;
    if (lens_store_version(self->to, &now, err) != 0)
        return -1;
    if (now != self->version) /* in a database others could write so far */
        return lens_fail(err, LENS_E_BUSY, "%s: was written to while it was looked at; nothing was changed: try again", self->to_place.shown);
    if (lens_store_mark(self->to, self->from_place.shown, err) != 0)
        return -1;
    self->marked = true;
    self->whole = false;
    return 0;
}

/* ---- the first walk ---- */

/* Whether the source's record A can be copied: 0, or -1 and why not. */
static int check_record(const copy *self, const lens_record *a, lens_error *err)
{
    const char *fault = lens_record_fault(self->step->part, self->step->dim, *a);
    if (!fault)
        return 0;
    lens_buffer name = {0};
    lens_record_name(self->step->part, *a, &name);
    lens_fail(err, LENS_E_FORMAT, "%s: %s cannot be copied: %s; memelens check tells more%s%s", self->from_place.shown, name.data ? name.data : "", fault,
              self->whole ? ". Nothing was changed in " : "", self->whole ? self->to_place.shown : "");
    lens_buffer_free(&name);
    return -1;
}

static int refuse(const copy *self, const lens_record *a, const lens_record *b, lens_error *err)
{
    lens_buffer words = {0};
    int result = lens_record_name(self->step->part, *b, &words);
    if (result == 0 && a && lens_buffer_print(&words, " is another in %s: ", self->from_place.shown) == 0)
        result = lens_record_difference(self->step->part, *b, *a, &words);
    else if (result == 0)
        result = lens_buffer_print(&words, " is not in %s", self->from_place.shown);
    lens_fail(err, LENS_E_ARGUMENT, "%s: holds another library: %s; nothing was changed. If it is an earlier copy, --update makes it like this one", self->to_place.shown,
              result == 0 && words.data ? words.data : "");
    lens_buffer_free(&words);
    return -1;
}

/* Of a walk that brings nothing. */
static int tell_looked(copy *self, lens_error *err)
{
    return ++self->looked % BATCH_RECORDS == 0 ? tell(self, self->step->name, err) : 0;
}

static int look(void *context, const lens_record *a, const lens_record *b, bool more, lens_error *err)
{
    copy *self = context;
    seen *step = &self->seen[self->step_at];
    if (!b) {
        self->gaps |= more;
        if (!self->whole)
            return !more;
        return check_record(self, a, err) == 0 ? tell_looked(self, err) : -1;
    }
    step->end.size = 0;
    if (lens_buffer_append(&step->end, b->bytes, b->size) != 0)
        return lens_fail_memory(err);
    if (a && lens_record_same(*a, *b)) {
        self->report->there++;
        self->done++;
        return tell_looked(self, err);
    }
    if (a && check_record(self, a, err) != 0)
        return -1;
    if (!self->may_remove)
        return refuse(self, a, b, err);
    step->other = true;
    return tell_looked(self, err);
}

static int remove_batch(copy *self, lens_error *err)
{
    if (self->batch.count == 0)
        return 0;
    if (mark(self, err) != 0)
        return -1;
    const int result = lens_store_expunge(self->to, self->step->part, self->step->model, &self->batch, err);
    self->report->removed += (int64_t)self->batch.count;
    lens_records_clear(&self->batch);
    return result;
}

static int take_out(void *context, const lens_record *a, const lens_record *b, bool more, lens_error *err)
{
    copy *self = context;
    if (!b)
        return !more;
    if (a && lens_record_same(*a, *b))
        return tell_looked(self, err);
    if (lens_records_add(&self->batch, *b) != 0)
        return lens_fail_memory(err);
    return is_full(self) ? remove_batch(self, err) : 0;
}

static void set_step(copy *self, size_t at)
{
    self->step = &self->steps.items[at];
    self->step_at = at;
}

static int look_through(copy *self, lens_error *err)
{
    for (size_t i = 0; i < self->steps.count; i++) {
        set_step(self, i);
        if (lens_pairs_walk(self->from, self->to, self->step, NULL, look, self, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < self->steps.count; i++) { /* all that could be wrong with the source has been seen */
        set_step(self, i);
        if (self->seen[i].other && (lens_pairs_walk(self->from, self->to, self->step, NULL, take_out, self, err) < 0 || remove_batch(self, err) != 0))
            return -1;
    }
    return 0;
}

/* ---- the second walk ---- */

static int bring_batch(copy *self, lens_error *err)
{
    if (self->batch.count == 0)
        return 0;
    if (mark(self, err) != 0)
        return -1;
    if (lens_store_import(self->to, self->step->part, self->step->model, &self->batch, err) != 0)
        return fail_batch(self, err);
    self->report->copied += (int64_t)self->batch.count;
    self->done += (int64_t)self->batch.count;
    self->brought_texts |= self->step->part == LENS_STORE_TEXTS;
    lens_records_clear(&self->batch);
    return tell(self, self->step->name, err);
}

static int bring(void *context, const lens_record *a, const lens_record *b, bool more, lens_error *err)
{
    copy *self = context;
    (void)more;
    if (b) /* it is as it should be: the first walk saw to that */
        return 0;
    if (check_record(self, a, err) != 0)
        return -1;
    if (lens_records_add(&self->batch, *a) != 0)
        return lens_fail_memory(err);
    return is_full(self) ? bring_batch(self, err) : 0;
}

static int bring_all(copy *self, lens_error *err)
{
    const bool holes = self->gaps || self->report->removed > 0;
    for (size_t i = 0; i < self->steps.count; i++) {
        set_step(self, i);
        const lens_buffer *end = &self->seen[i].end;
        const lens_record last = {end->data, end->size};
        /* Where all that is missing lies behind what is there, nothing that is there is read. A text that came took away the vectors of sentences that it
         * made untrue. */
        const bool anew = end->size > 0 && (holes || (self->step->part == LENS_STORE_VECTORS && self->brought_texts));
        if (lens_pairs_walk(self->from, anew ? self->to : NULL, self->step, anew || !end->size ? NULL : &last, bring, self, err) < 0 || bring_batch(self, err) != 0)
            return -1;
    }
    lens_store_ids ids;
    return lens_store_ids_given(self->from, &ids, err) == 0 ? lens_store_ids_raise(self->to, &ids, err) : -1;
}

/* ---- the proof, and what lies beside ---- */

static void keep_first(void *context, const char *line)
{
    lens_buffer *first = context;
    if (first->size == 0)
        lens_buffer_print(first, "%s", line);
}

static bool tell_proof(void *context, const char *step, int64_t records)
{
    copy *self = context;
    (void)step;
    self->done = self->steps.records + records;
    return tell(self, "comparing", NULL) == 0;
}

static int prove(copy *self, lens_error *err)
{
    lens_buffer first = {0};
    const lens_pair_names names = {self->from_place.shown, self->to_place.shown};
    const int differ = lens_pairs_compare(self->from, self->to, names, keep_first, &first, tell_proof, self, &self->report->same, err);
    if (differ > 0)
        lens_fail(err, LENS_E_FORMAT, "%s: is not the same as %s yet: %s", names.b, names.a, first.data ? first.data : "");
    lens_buffer_free(&first);
    return differ == 0 ? 0 : -1;
}

/* A map from words to pictures that was fitted on the source's own captions. */
static int bring_map(void *context, const char *path, lens_error *err)
{
    const copy *self = context;
    lens_buffer map = {0};
    char *to = lens_path_join(self->to_place.folder, lens_path_name(path));
    int result = to ? lens_file_read(path, MAP_BYTES_MOST, &map, err) : lens_fail_memory(err);
    if (result == 0)
        result = lens_folder_make(self->to_place.folder, err);
    if (result == 0)
        result = lens_file_write(to, map.data ? map.data : "", map.size, err);
    lens_buffer_free(&map);
    free(to);
    return result;
}

/* One that the source has no more answers words otherwise than the source does. */
static int drop_map(void *context, const char *path, lens_error *err)
{
    const copy *self = context;
    struct stat info;
    lens_error why = {0};
    char *from = lens_path_join(self->from_place.folder, lens_path_name(path));
    int result = from ? 0 : lens_fail_memory(err);
    if (result == 0 && lens_file_look(from, &info, &why) != 0 && why.code == LENS_E_MISSING)
        result = lens_file_remove(path, err);
    free(from);
    return result;
}

static int copy_maps(copy *self, lens_error *err)
{
    if (lens_word_bridge_each(self->from_place.folder, bring_map, self, err) != 0)
        return -1;
    return self->may_remove ? lens_word_bridge_each(self->to_place.folder, drop_map, self, err) : 0;
}

/* ---- all of it ---- */

static int meet(void *context, const lens_record *a, const lens_record *b, bool more, lens_error *err)
{
    bool *any = context;
    (void)more, (void)err;
    *any |= b != NULL;
    return a && b && lens_record_same(*a, *b) ? 1 : 0;
}

/* An earlier copy has pictures of the source, however much has changed since. */
static int check_kin(copy *self, lens_error *err)
{
    bool any = false;
    const int met = lens_pairs_walk(self->from, self->to, &self->steps.items[LENS_STORE_CONTENTS], NULL, meet, &any, err);
    return met < 0 ? -1 : met || !any ? 0 : lens_fail(err, LENS_E_ARGUMENT, "%s: holds another library, and no copy of %s; nothing was changed", self->to_place.shown, self->from_place.shown);
}

static int check_mark(copy *self, lens_error *err)
{
    char *source = NULL;
    lens_store_counts counts;
    if (lens_store_version(self->to, &self->version, err) != 0 || lens_store_marked(self->to, &source, err) != 0)
        return -1;
    self->marked = source && strcmp(source, self->from_place.shown) == 0;
    int result = 0;
    if (source && !self->marked)
        result = lens_fail(err, LENS_E_ARGUMENT, "%s: an unfinished copy of another library, %s; nothing was changed", self->to_place.shown, source);
    self->may_remove = self->marked || self->options->update;
    free(source);
    if (result != 0 || self->marked)
        return result;
    result = lens_store_count(self->to, &counts, err);
    self->whole = result == 0 && counts.contents + counts.pictures + counts.failed > 0;
    return result == 0 && self->options->update ? check_kin(self, err) : result;
}

static int check_not_one(copy *self, lens_error *err)
{
    lens_hash a, b;
    if (lens_store_identity(self->from, &a, err) != 0 || lens_store_identity(self->to, &b, err) != 0)
        return -1;
    return memcmp(&a, &b, sizeof a) != 0 ? 0 : lens_fail(err, LENS_E_ARGUMENT, "%s and %s are one library", self->from_place.shown, self->to_place.shown);
}

static int fill(copy *self, lens_error *err)
{
    if (lens_pair_steps_of(self->from, &self->steps, err) != 0)
        return -1;
    if (!(self->seen = calloc(self->steps.count, sizeof *self->seen)))
        return lens_fail_memory(err);
    if (check_mark(self, err) != 0)
        return -1;
    for (size_t i = 0; i < self->steps.count; i++)
        if (self->steps.items[i].part == LENS_STORE_VECTORS && lens_copies_drop_untrue(self->to, self->steps.items[i].model, err) != 0)
            return -1;
    if (look_through(self, err) != 0 || bring_all(self, err) != 0 || lens_store_compact(self->to, false, err) != 0 || prove(self, err) != 0 ||
        copy_maps(self, err) != 0)
        return -1;
    return self->marked ? lens_store_mark(self->to, NULL, err) : 0;
}

static int copy_moment(copy *self, lens_error *err)
{
    int64_t before = 0, after = 0;
    if (lens_store_version(self->from, &before, err) != 0 || lens_store_export_begin(self->from, err) != 0)
        return -1;
    const int result = fill(self, err);
    lens_store_export_end(self->from);
    if (result == 0 && lens_store_version(self->from, &after, NULL) == 0)
        self->report->changed = before != after;
    return result;
}

int lens_copy(const char *from, const char *to, const lens_copy_options *options, lens_copy_report *report, lens_error *err)
{
    static const lens_copy_options none = {0};
    copy self = {.options = options ? options : &none, .report = report, .begun = lens_seconds()};
    *report = (lens_copy_report){0};
    int result = lens_library_place_of(from, &self.from_place, err);
    if (result == 0)
        result = lens_library_place_of(to, &self.to_place, err);
    if (result == 0 && strcmp(self.from_place.store, self.to_place.store) == 0)
        result = lens_fail(err, LENS_E_ARGUMENT, "%s: cannot be copied onto itself", self.from_place.shown);
    if (result == 0 && !(self.from = lens_store_open(self.from_place.store, LENS_STORE_READ, 0, err)))
        result = -1;
    if (result == 0 && !(self.to = lens_store_open(self.to_place.store, LENS_STORE_COPY, short_wait, err)))
        result = -1;
    if (result == 0)
        result = check_not_one(&self, err) == 0 ? copy_moment(&self, err) : -1;
    report->seconds = lens_seconds() - self.begun;
    for (size_t i = 0; self.seen && i < self.steps.count; i++)
        lens_buffer_free(&self.seen[i].end);
    free(self.seen);
    lens_records_free(&self.batch);
    lens_pair_steps_free(&self.steps);
    lens_store_close(self.to);
    lens_store_close(self.from);
    lens_library_place_free(&self.to_place);
    lens_library_place_free(&self.from_place);
    return result;
}

int lens_check_same(lens_library *library, const char *other, void (*difference)(void *context, const char *line), void *context, lens_same *out, lens_error *err)
{
    lens_library_place place;
    int differ = -1;
    if (lens_library_place_of(other, &place, err) != 0)
        return -1;
    lens_store *a = lens_store_open(library->place.store, LENS_STORE_READ, 0, err), *b = a ? lens_store_open(place.store, LENS_STORE_READ, 0, err) : NULL;
    if (b && lens_store_export_begin(a, err) == 0) {
        if (lens_store_export_begin(b, err) == 0) {
            differ = lens_pairs_compare(a, b, (lens_pair_names){library->place.shown, place.shown}, difference, context, NULL, NULL, out, err);
            lens_store_export_end(b);
        }
        lens_store_export_end(a);
    }
    lens_store_close(b);
    lens_store_close(a);
    lens_library_place_free(&place);
    return differ;
}
