#include "compare/model_look.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"

enum {
    SEEN_MOST = 4000,   /* pictures of all models together that are shown as those saw them: 6 kB each */
    SHARE_SAMPLE = 64,  /* pictures that the mean share is taken of */
    SEEN_SIDE = 128,    /* pixels; what is smaller is left as it is */
    QUALITY = 80,
};

struct look {
    const lens_model_run *run;
    const lens_answer *answers;
    lens_model *model; /* in f32, for the maps */
    json_t *query_share, *seen, *seen_query, *explain;
    size_t shown, most;
};

static lens_term file_term(const char *path)
{
    return (lens_term){.kind = LENS_TERM_FILE, .text = path, .weight = 1};
}

/* RGB [side, side, 3] -> at most SEEN_SIDE pixels along a side, by means of whole squares. Returns its side. */
static int shrink(uint8_t *rgb, int side)
{
    const int by = (side + SEEN_SIDE - 1) / SEEN_SIDE, out = side / by;
    for (int y = 0; by > 1 && y < out; y++)
        for (int x = 0; x < out; x++)
            for (int c = 0; c < 3; c++) {
                int sum = 0;
                for (int i = 0; i < by * by; i++)
                    sum += rgb[3 * ((y * by + i / by) * side + x * by + i % by) + c];
                rgb[3 * (y * out + x) + c] = (uint8_t)(sum / (by * by)); /* never ahead of what is read */
            }
    return by > 1 ? out : side;
}

/* SEEN as a data URI. NULL on failure. */
static json_t *data_of(lens_seen *seen, lens_error *err)
{
    void *bytes = NULL;
    size_t size;
    const int side = shrink(seen->rgb, seen->side);
    if (lens_jpeg(seen->rgb, side, side, QUALITY, &bytes, &size, err) != 0)
        return NULL;
    json_t *data = lens_json_data("image/jpeg", bytes, size);
    if (!data)
        lens_fail_memory(err);
    free(bytes);
    return data;
}

/* What the encoder saw of the file at PATH goes to TO as KEY. What cannot be read was said before. */
static int show(struct look *self, const char *path, size_t key_number, json_t *to, json_t *share, lens_error *err)
{
    char key[24];
    lens_seen seen;
    const lens_term term = file_term(path);
    snprintf(key, sizeof key, "%zu", key_number);
    if (json_object_get(to, key) || lens_model_seen(self->model, &term, 0, &seen, NULL) != 0)
        return 0;
    if (share)
        json_object_set_new(share, key, json_real(seen.share));
    int result = 0;
    if (self->shown < self->most) {
        json_t *data = data_of(&seen, err);
        result = data ? json_object_set_new(to, key, data) : -1;
        self->shown++;
    }
    lens_seen_free(&seen);
    return result;
}

/* Where the score of PICTURE for ASKED comes from, as an object; null for a model without a map, or a picture that is gone by now. */
static json_t *explain(struct look *self, const lens_term *asked, const char *path)
{
    const lens_term picture = file_term(path);
    lens_explanation *why = lens_model_explain(self->model, asked, &picture, 0, NULL);
    if (!why)
        return json_null();
    const size_t size = (size_t)why->picture.grid * (size_t)why->picture.grid;
    json_t *object = json_pack("{sf si so sf so}", "score", why->score, "grid", why->picture.grid, "parts", lens_json_numbers(why->picture.parts, size), "rest",
                               why->picture.rest, "window", lens_json_numbers(why->picture.seen.window, 4));
    if (why->query.grid) {
        json_object_set_new(object, "query_grid", json_integer(why->query.grid));
        json_object_set_new(object, "query_parts", lens_json_numbers(why->query.parts, size));
        json_object_set_new(object, "query_rest", json_real(why->query.rest));
        json_object_set_new(object, "query_window", lens_json_numbers(why->query.seen.window, 4));
    }
    lens_explanation_free(why);
    return object;
}

/* The first results of query Q. */
static void explain_all(struct look *self, size_t q)
{
    const lens_plan *plan = self->run->plan;
    const lens_plan_query *query = &plan->queries[q];
    const lens_answer *answer = &self->answers[q];
    const lens_term asked = query->path ? file_term(query->path) : (lens_term){.kind = LENS_TERM_WORDS, .text = query->text, .weight = 1};
    json_t *all = json_array();
    for (size_t i = 0; i < answer->count && i < LENS_VERDICT_TOP; i++)
        json_array_append_new(all, explain(self, &asked, plan->pictures[answer->top[i].picture].path));
    char key[24];
    snprintf(key, sizeof key, "%zu", q);
    json_object_set_new(self->explain, key, all);
}

static bool surprises(const lens_answer *answer)
{
    return answer->verdict == LENS_BAD || answer->verdict == LENS_UNEXPECTED;
}

/* The rows that surprise come first, as pictures may run out. */
static int look_at_rows(struct look *self, bool surprising, size_t *done, lens_error *err)
{
    const lens_plan *plan = self->run->plan;
    for (size_t q = 0; q < plan->query_count; q++) {
        const lens_answer *answer = &self->answers[q];
        if (answer->error || surprises(answer) != surprising)
            continue;
        if (plan->queries[q].path && show(self, plan->queries[q].path, q, self->seen_query, self->query_share, err) != 0)
            return -1;
        for (size_t i = 0; i < answer->count && i < plan->options->top && self->shown < self->most; i++)
            if (show(self, plan->pictures[answer->top[i].picture].path, answer->top[i].picture, self->seen, NULL, err) != 0)
                return -1;
        if (surprising)
            explain_all(self, q);
        if (lens_model_run_tell(self->run, NULL, ++*done, plan->query_count, err) != 0)
            return -1;
    }
    return 0;
}

/* The mean share of a picture that the preparation leaves, over an even choice of the library's; -1 when none can be read. */
static double mean_share(const struct look *self)
{
    const lens_plan *plan = self->run->plan;
    const size_t count = plan->picture_count < SHARE_SAMPLE ? plan->picture_count : SHARE_SAMPLE;
    double sum = 0;
    size_t read = 0;
    for (size_t i = 0; i < count; i++) {
        lens_seen seen;
        const lens_term term = file_term(plan->pictures[i * plan->picture_count / count].path);
        if (lens_model_seen(self->model, &term, 0, &seen, NULL) != 0)
            continue;
        sum += seen.share;
        read++;
        lens_seen_free(&seen);
    }
    return read ? sum / (double)read : -1;
}

int lens_model_look(const lens_model_run *run, const lens_answer *answers, json_t **out, lens_error *err)
{
    struct look self = {.run = run, .answers = answers, .query_share = json_object(), .seen = json_object(), .seen_query = json_object(),
                        .explain = json_object(), .most = SEEN_MOST / run->plan->options->model_count};
    bool words = false;
    for (size_t q = 0; q < run->plan->query_count; q++)
        words |= !run->plan->queries[q].path && !answers[q].error;
    self.model = lens_model_open(run->model, "f32", LENS_PICTURES | (words ? LENS_WORDS : 0), err);
    size_t done = 0;
    int result = self.model ? 0 : -1;
    const double share = result == 0 ? mean_share(&self) : -1;
    if (result == 0)
        result = look_at_rows(&self, true, &done, err);
    if (result == 0)
        result = look_at_rows(&self, false, &done, err);
    lens_model_close(self.model);
    *out = json_pack("{so so so so}", "query_share", self.query_share, "seen", self.seen, "seen_query", self.seen_query, "explain", self.explain);
    if (*out && share >= 0)
        json_object_set_new(*out, "seen_share", json_real(share));
    return result;
}
