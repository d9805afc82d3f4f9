/* What is asked, and what is expected. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "compare/plan.h"
#include "memelens_study.h"

struct reader {
    lens_plan *plan;
    char *folder; /* of the table: what paths are relative to */
    int query, expected, related;
};

/* The parts of TEXT between semicolons, one by one: the next from *AT on, of *LENGTH bytes without blanks around it; false at the end. */
static bool next_part(const char **at, const char **part, size_t *length)
{
    while (**at) {
        *part = *at + strspn(*at, " ;");
        *length = strcspn(*part, ";");
        *at = *part + *length;
        while (*length && (*part)[*length - 1] == ' ')
            --*length;
        if (*length)
            return true;
    }
    return false;
}

static size_t count_parts(const char *text)
{
    size_t count = 1;
    for (; *text; text++)
        count += *text == ';';
    return count;
}

/* One thing that is expected: a label, a picture, or words that are neither. */
static int add_expected(struct reader *self, lens_plan_query *query, const char *text, lens_error *err)
{
    const lens_plan *plan = self->plan;
    json_array_append_new(query->expected, json_string(text));
    const int label = lens_plan_label(plan, text);
    if (label != LENS_NO_LABEL) {
        query->wanted[query->wanted_count++] = label;
        return 0;
    }
    char *path = lens_plan_beside(self->folder, text, err);
    if (!path)
        return -1;
    const size_t picture = lens_plan_find(plan, path);
    free(path);
    if (picture != SIZE_MAX)
        query->pictures[query->picture_count++] = picture;
    else
        json_array_append_new(query->unknown, json_string(text));
    return 0;
}

/* Calls ADD for every part of TEXT. */
static int read_parts(struct reader *self, lens_plan_query *query, const char *text, bool related, lens_error *err)
{
    const char *at = text, *part;
    size_t length;
    while (next_part(&at, &part, &length)) {
        char *copy = strndup(part, length);
        if (!copy)
            return lens_fail_memory(err);
        int result = 0;
        if (!related) {
            result = add_expected(self, query, copy, err);
        } else {
            const int label = lens_plan_label(self->plan, copy);
            json_array_append_new(query->kindred, json_string(copy));
            if (label != LENS_NO_LABEL)
                query->related[query->related_count++] = label;
        }
        free(copy);
        if (result != 0)
            return -1;
    }
    return 0;
}

/* Whether the query is a picture (its path then) or words, and whether it can be asked. */
static int read_kind(struct reader *self, lens_plan_query *query, lens_error *err)
{
    char *path = lens_plan_beside(self->folder, query->text, err);
    if (!path)
        return -1;
    const bool there = lens_file_exists(path);
    if (!there && !lens_named_as_picture(query->text) && query->text[0] != '/' && strncmp(query->text, "./", 2) != 0 &&
        strncmp(query->text, "../", 3) != 0) {
        free(path);
        if (!lens_utf8_valid(query->text, strlen(query->text)) && !(query->error = strdup("neither a picture nor words in UTF-8")))
            return lens_fail_memory(err);
        return 0;
    }
    query->path = path;
    query->own = lens_plan_find(self->plan, path);
    if (!there && !(query->error = strdup("no such file")))
        return lens_fail_memory(err);
    return 0;
}

static int read_others(struct reader *self, lens_plan_query *query, const lens_tsv_row *row, lens_error *err)
{
    const lens_tsv *table = &self->plan->table;
    for (size_t c = 0; c < table->columns; c++) {
        if ((int)c == self->query || (int)c == self->expected || (int)c == self->related || !*row->cells[c])
            continue;
        lens_buffer name = {0}, text = {0};
        int result = lens_text_printable(table->names[c], strlen(table->names[c]), &name) == 0 &&
                             lens_text_printable(row->cells[c], strlen(row->cells[c]), &text) == 0
                         ? 0
                         : lens_fail_memory(err);
        if (result == 0)
            json_object_set_new(query->other, name.data ? name.data : "", json_string(text.data ? text.data : ""));
        lens_buffer_free(&name);
        lens_buffer_free(&text);
        if (result != 0)
            return -1;
    }
    return 0;
}

/* Says what cannot be judged. */
static void note(struct reader *self, const lens_plan_query *query)
{
    lens_plan *plan = self->plan;
    const char *table = plan->options->queries;
    if (query->error)
        lens_plan_note(plan, "%s, line %zu: %s: %s; the query is left out", table, query->line, query->text, query->error);
    for (size_t i = 0; i < json_array_size(query->unknown); i++)
        lens_plan_note(plan, "%s, line %zu: %s: no picture here is labelled '%s'%s", table, query->line, query->text,
                       json_string_value(json_array_get(query->unknown, i)), query->judged ? "" : "; the query is asked, but not judged");
    if (query->own != SIZE_MAX)
        lens_plan_note(plan, "%s, line %zu: %s is one of the pictures; it is left out of its own results", table, query->line, query->text);
}

static int read_query(struct reader *self, const lens_tsv_row *row, lens_error *err)
{
    lens_plan *plan = self->plan;
    const char *expected = self->expected >= 0 ? row->cells[self->expected] : "";
    const char *related = self->related >= 0 ? row->cells[self->related] : "";
    lens_plan_query *query = &plan->queries[plan->query_count];
    *query = (lens_plan_query){.line = row->line, .text = row->cells[self->query], .own = SIZE_MAX, .expected = json_array(),
                               .kindred = json_array(), .unknown = json_array(), .other = json_object()};
    plan->query_count++;
    query->wanted = calloc(count_parts(expected), sizeof *query->wanted);
    query->pictures = calloc(count_parts(expected), sizeof *query->pictures);
    query->related = calloc(count_parts(related), sizeof *query->related);
    if (!query->wanted || !query->pictures || !query->related)
        return lens_fail_memory(err);
    if (read_kind(self, query, err) != 0 || read_parts(self, query, expected, false, err) != 0 ||
        read_parts(self, query, related, true, err) != 0 || read_others(self, query, row, err) != 0)
        return -1;
    query->judged = !query->error && query->wanted_count + query->picture_count > 0;
    note(self, query);
    return 0;
}

static int read_all(struct reader *self, lens_error *err)
{
    lens_plan *plan = self->plan;
    const lens_tsv *table = &plan->table;
    const char *name = plan->options->queries;
    self->query = lens_tsv_column(table, "query");
    self->expected = lens_tsv_column(table, "expected");
    self->related = lens_tsv_column(table, "related");
    if (self->query < 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: its first line must name its columns, tab-separated, one of them query", name);
    if (self->expected < 0)
        lens_plan_note(plan, "%s: has no column expected, so nothing can be judged: results are shown as they are", name);
    plan->queries = calloc(table->count + 1, sizeof *plan->queries);
    if (!plan->queries)
        return lens_fail_memory(err);
    size_t judged = 0;
    for (size_t i = 0; i < table->count; i++) {
        const lens_tsv_row *row = &table->rows[i];
        if (row->extra || !*row->cells[self->query]) {
            lens_plan_note(plan, "%s, line %zu: %s; left out", name, row->line, row->extra ? "more cells than the first line has" : "no query");
            continue;
        }
        if (read_query(self, row, err) != 0)
            return -1;
        judged += plan->queries[plan->query_count - 1].judged;
    }
    if (plan->query_count == 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: no query in it", name);
    if (self->expected >= 0 && judged == 0)
        lens_plan_note(plan, "no query expects anything that is among the labels, so nothing can be judged: results are shown as they are");
    if (!plan->options->labels && self->expected >= 0 && plan->labels.count * 10 > plan->picture_count * 9)
        lens_plan_note(plan, "nearly every picture has a label of its own, its file's name: sort pictures into a folder for each label, or give a table with --labels");
    return 0;
}

int lens_plan_queries(lens_plan *plan, lens_error *err)
{
    if (lens_tsv_read(plan->options->queries, &plan->table, err) != 0)
        return -1;
    struct reader self = {.plan = plan, .folder = lens_plan_folder(plan->options->queries, err)};
    const int result = self.folder ? read_all(&self, err) : -1;
    free(self.folder);
    return result;
}
