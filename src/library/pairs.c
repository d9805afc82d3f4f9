/* Walking through two libraries side by side, in memory that does not grow with them: pages of each, in order of key. */
#include "library/pairs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/texts.h"

/* ---- steps ---- */

static int add_step(lens_pair_steps *steps, lens_store_part part, const lens_store_model *model, int64_t count, lens_error *err)
{
    lens_pair_step *items = realloc(steps->items, (steps->count + 1) * sizeof *items);
    lens_buffer name = {0};
    if (items)
        steps->items = items;
    if (!items || lens_buffer_print(&name, model ? "%s of " : "%s", lens_store_part_name(part)) != 0 || (model && lens_text_printable(model->name, strlen(model->name), &name) != 0)) {
        lens_buffer_free(&name);
        return lens_fail_memory(err);
    }
    steps->items[steps->count++] = (lens_pair_step){part, model ? model->id : 0, model ? model->dim : 0, name.data, count};
    steps->records = count > INT64_MAX - steps->records ? INT64_MAX : steps->records + count; /* a database may give very many models of very many */
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const lens_store_model *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int add_models(lens_store *store, int (*list)(lens_store *, lens_store_models *, lens_error *), lens_pair_steps *steps, lens_error *err)
{
    lens_store_models models = {0};
    int result = list(store, &models, err);
    if (models.count)
        qsort(models.items, models.count, sizeof *models.items, by_id);
    for (size_t i = 0; i < models.count && result == 0; i++)
        result = add_step(steps, LENS_STORE_VECTORS, &models.items[i], models.items[i].vectors, err);
    lens_store_models_free(&models);
    return result;
}

int lens_pair_steps_of(lens_store *store, lens_pair_steps *out, lens_error *err)
{
    *out = (lens_pair_steps){0};
    lens_store_counts counts;
    const int64_t captions = lens_store_caption_count(store, err);
    int64_t read = 0, with_text = 0;
    if (captions < 0 || lens_store_count(store, &counts, err) != 0 || lens_store_readings_count(store, NULL, &read, &with_text, err) != 0)
        return -1;
    const int64_t of[LENS_STORE_VECTORS] = {[LENS_STORE_CONTENTS] = counts.contents, [LENS_STORE_PICTURES] = counts.pictures + counts.failed, [LENS_STORE_TEXTS] = captions + read};
    for (int part = 0; part < LENS_STORE_VECTORS; part++)
        if (add_step(out, (lens_store_part)part, NULL, of[part], err) != 0)
            return -1;
    return add_models(store, lens_store_models_list, out, err) == 0 ? add_models(store, lens_store_sentence_models, out, err) : -1;
}

void lens_pair_steps_free(lens_pair_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++)
        free(steps->items[i].name);
    free(steps->items);
    *steps = (lens_pair_steps){0};
}

/* ---- walking ---- */

/* One of the two: a page of records, and where in it we are. */
typedef struct cursor {
    lens_store *store;
    const lens_pair_step *step;
    lens_records page;
    size_t at;
    lens_buffer last; /* the record behind which the next page begins */
    bool begun, ended;
} cursor;

/* Sees to it that there is a record at the cursor, unless it has ended. */
static int settle(cursor *self, lens_error *err)
{
    if (self->ended || self->at < self->page.count)
        return 0;
    if (self->page.count) {
        const lens_record last = lens_records_at(&self->page, self->page.count - 1);
        self->last.size = 0;
        if (lens_buffer_append(&self->last, last.bytes, last.size) != 0)
            return lens_fail_memory(err);
        self->begun = true;
    }
    const lens_record after = {self->last.data, self->last.size};
    self->at = 0;
    if (lens_store_export(self->store, self->step->part, self->step->model, self->begun ? &after : NULL, &self->page, err) != 0)
        return -1;
    self->ended = self->page.count == 0;
    return 0;
}

static int begin(cursor *self, lens_store *store, const lens_pair_step *step, const lens_record *after, lens_error *err)
{
    *self = (cursor){.store = store, .step = step, .ended = !store, .begun = after != NULL};
    return after && lens_buffer_append(&self->last, after->bytes, after->size) != 0 ? lens_fail_memory(err) : 0;
}

static void end(cursor *self)
{
    lens_records_free(&self->page);
    lens_buffer_free(&self->last);
}

static int walk(cursor *a, cursor *b, lens_pair_each each, void *context, lens_error *err)
{
    for (;;) {
        if (settle(a, err) != 0 || settle(b, err) != 0)
            return -1;
        if (a->ended && b->ended)
            return 0;
        const lens_record x = a->ended ? (lens_record){0} : lens_records_at(&a->page, a->at), y = b->ended ? (lens_record){0} : lens_records_at(&b->page, b->at);
        const int order = a->ended ? 1 : b->ended ? -1 : lens_record_order(x, y);
        a->at += order <= 0;
        b->at += order >= 0;
        const int result = each(context, order <= 0 ? &x : NULL, order >= 0 ? &y : NULL, !b->ended, err);
        if (result != 0)
            return result;
    }
}

int lens_pairs_walk(lens_store *a, lens_store *b, const lens_pair_step *step, const lens_record *after, lens_pair_each each, void *context, lens_error *err)
{
    cursor x, y = {0};
    int result = begin(&x, a, step, after, err);
    if (result == 0)
        result = begin(&y, b, step, after, err);
    if (result == 0)
        result = walk(&x, &y, each, context, err);
    end(&x);
    end(&y);
    return result;
}

/* ---- comparing ---- */

enum { TELL_EVERY = 256 };

typedef struct comparison {
    lens_store_part part;
    const char *step;
    int64_t only_a, only_b, other, looked_at;
    lens_buffer first; /* what is first not the same, in words */
    lens_pair_names names;
    lens_hash digest; /* of A's records so far */
    int64_t records;
    lens_pair_tell tell;
    void *tell_context;
} comparison;

static int say_first(comparison *self, const lens_record *a, const lens_record *b)
{
    if (lens_record_name(self->part, a ? *a : *b, &self->first) != 0)
        return -1;
    if (!a || !b)
        return lens_buffer_print(&self->first, " is only in %s", a ? self->names.a : self->names.b);
    return lens_buffer_print(&self->first, ": ") == 0 ? lens_record_difference(self->part, *a, *b, &self->first) : -1;
}

static int compare(void *context, const lens_record *a, const lens_record *b, bool more, lens_error *err)
{
    comparison *self = context;
    (void)more;
    if (a) { /* the digest of all: of what it was, and of this */
        lens_hash both[2] = {self->digest, lens_hash_of(a->bytes, a->size)};
        self->digest = lens_hash_of(both, sizeof both);
        self->records++;
    }
    if (++self->looked_at % TELL_EVERY == 0 && self->tell && !self->tell(self->tell_context, self->step, self->records))
        return lens_fail(err, LENS_E_CANCELLED, "interrupted; the same command goes on where it was");
    if (a && b && lens_record_same(*a, *b))
        return 0;
    const bool first = self->only_a + self->only_b + self->other == 0;
    self->only_a += !b;
    self->only_b += !a;
    self->other += a && b;
    return first && say_first(self, a, b) != 0 ? lens_fail_memory(err) : 0;
}

static int say_step(const comparison *self, void (*difference)(void *context, const char *line), void *context, lens_error *err)
{
    lens_buffer line = {0};
    int result = lens_buffer_print(&line, "%s:", self->step);
    const struct {
        int64_t count;
        const char *what, *where;
    } counts[] = {{self->other, "not the same", ""}, {self->only_a, "only in ", self->names.a}, {self->only_b, "only in ", self->names.b}};
    for (size_t i = 0, said = 0; i < sizeof counts / sizeof *counts && result == 0; i++)
        if (counts[i].count)
            result = lens_buffer_print(&line, "%s %" PRId64 " %s%s", said++ ? "," : "", counts[i].count, counts[i].what, counts[i].where);
    if (result == 0)
        result = lens_buffer_print(&line, "; first: %s", self->first.data ? self->first.data : "");
    if (result == 0)
        difference(context, line.data);
    lens_buffer_free(&line);
    return result == 0 ? 0 : lens_fail_memory(err);
}

int lens_pairs_compare(lens_store *a, lens_store *b, lens_pair_names names, void (*difference)(void *context, const char *line), void *context, lens_pair_tell tell,
                       void *tell_context, lens_same *out, lens_error *err)
{
    lens_pair_steps steps;
    comparison self = {.names = names, .tell = tell, .tell_context = tell_context};
    int result = lens_pair_steps_of(a, &steps, err), differ = 0;
    for (size_t i = 0; i < steps.count && result == 0; i++) {
        self.part = steps.items[i].part;
        self.step = steps.items[i].name;
        self.only_a = self.only_b = self.other = 0;
        self.first.size = 0;
        result = lens_pairs_walk(a, b, &steps.items[i], NULL, compare, &self, err);
        if (result == 0 && self.only_a + self.only_b + self.other) {
            differ++;
            result = difference ? say_step(&self, difference, context, err) : 0;
        }
    }
    if (result == 0 && out) {
        *out = (lens_same){.records = self.records};
        lens_hash_hex(&self.digest, sizeof self.digest.bytes, out->digest);
    }
    lens_buffer_free(&self.first);
    lens_pair_steps_free(&steps);
    return result == 0 ? differ : -1;
}
