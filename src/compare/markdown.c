/* What was found, as Markdown: to be read on a terminal as well as rendered. */
#include <stdio.h>
#include <string.h>

#include "compare/compare.h"
#include "compare/measure.h"

/* A table is made cell by cell, and set with columns of equal width, so that it can be read as it is. */
enum { COLUMNS_MOST = 12, CELL = 120 };

typedef struct table {
    json_t *rows; /* arrays of strings; the first one is the head */
} table;

static void add_row(table *self)
{
    json_array_append_new(self->rows, json_array());
}

/* Adds a cell to the last row; what would break the table in it is replaced. */
static void add_cell(table *self, const char *text)
{
    lens_buffer clean = {0};
    for (const char *at = text; *at; at++)
        lens_buffer_print(&clean, *at == '|' ? "\\|" : *at == '\n' ? " " : "%c", *at);
    json_array_append_new(json_array_get(self->rows, json_array_size(self->rows) - 1), json_string(clean.data ? clean.data : ""));
    lens_buffer_free(&clean);
}

/* How many places TEXT takes, near enough: its characters. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int set_row(const json_t *row, const size_t *widths, size_t columns, lens_buffer *out)
{
    int result = 0;
    for (size_t c = 0; c < columns; c++) {
        const char *text = json_string_value(json_array_get(row, c));
        text = text ? text : "";
        result |= lens_buffer_print(out, "| %s%*s ", text, (int)(widths[c] - width_of(text)), "");
    }
    return result | lens_buffer_print(out, "|\n");
}

static int set(table *self, lens_buffer *out)
{
    size_t widths[COLUMNS_MOST] = {0}, columns = 0, i;
    json_t *row;
    json_array_foreach(self->rows, i, row) {
        for (size_t c = 0; c < json_array_size(row) && c < COLUMNS_MOST; c++) {
            const size_t width = width_of(json_string_value(json_array_get(row, c)));
            widths[c] = width > widths[c] ? width : widths[c];
            columns = c + 1 > columns ? c + 1 : columns;
        }
    }
    int result = 0;
    json_array_foreach(self->rows, i, row) {
        result |= set_row(row, widths, columns, out);
        for (size_t c = 0; i == 0 && c < columns; c++) {
            char dashes[CELL + 1];
            const size_t width = widths[c] < CELL ? widths[c] : CELL;
            memset(dashes, '-', width);
            dashes[width] = '\0';
            result |= lens_buffer_print(out, "|-%s-%s", dashes, c + 1 == columns ? "|\n" : "");
        }
    }
    json_decref(self->rows);
    return result | lens_buffer_print(out, "\n");
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void add_number(table *self, const char *format, const json_t *value, double scale)
{
    char text[64] = "-";
    if (json_is_number(value))
        snprintf(text, sizeof text, format, scale * json_number_value(value)); /* one of ours */
    add_cell(self, text);
}

static int quality(const json_t *found, lens_buffer *out)
{
    static const char *const heads[] = {"model", "P@1", "hit@3", "hit@10", "MRR", "good", "kinda", "bad", "unexpected"};
    table self = {json_array()};
    size_t i;
    const json_t *model;
    add_row(&self);
    for (i = 0; i < sizeof heads / sizeof *heads; i++)
        add_cell(&self, heads[i]);
    json_array_foreach(json_object_get(found, "models"), i, model) {
        if (json_object_get(model, "error"))
            continue;
        add_row(&self);
        add_cell(&self, text_of(model, "model"));
        for (lens_metric metric = 0; metric < LENS_METRICS; metric++) {
            const char *name = lens_metric_names[metric];
            const json_t *value = json_object_get(model, name), *interval = json_object_get(json_object_get(model, "intervals"), name);
            char text[64] = "-";
            if (json_is_number(value))
                snprintf(text, sizeof text, "%.3f (%.3f to %.3f)", json_number_value(value), json_number_value(json_array_get(interval, 0)),
                         json_number_value(json_array_get(interval, 1)));
            add_cell(&self, text);
        }
        static const char *const verdicts[] = {"good", "kinda", "bad", "unexpected"};
        for (size_t v = 0; v < sizeof verdicts / sizeof *verdicts; v++)
            add_number(&self, "%.0f", json_object_get(json_object_get(model, "verdicts"), verdicts[v]), 1);
    }
    return set(&self, out);
}

static int costs(const json_t *found, lens_buffer *out)
{
    static const struct {
        const char *head, *name, *format;
        double scale;
    } columns[] = {
        {"pictures/s", "pictures_per_second", "%.0f", 1},   {"index s", "index_seconds", "%.1f", 1},
        {"processor s", "processor_seconds", "%.1f", 1},    {"peak MB", "peak_memory_bytes", "%.0f", 1e-6},
        {"library MB", "library_bytes", "%.1f", 1e-6},      {"query ms", "query_ms", "%.1f", 1},
        {"seen %", "seen_share", "%.0f", 100},
    };
    enum { COUNT = sizeof columns / sizeof *columns };
    table self = {json_array()};
    size_t i;
    const json_t *model;
    add_row(&self);
    add_cell(&self, "model");
    for (size_t c = 0; c < COUNT; c++)
        add_cell(&self, columns[c].head);
    add_cell(&self, "hubness (unhub)");
    json_array_foreach(json_object_get(found, "models"), i, model) {
        if (json_object_get(model, "error"))
            continue;
        add_row(&self);
        add_cell(&self, text_of(model, "model"));
        for (size_t c = 0; c < COUNT; c++)
            add_number(&self, columns[c].format, json_object_get(model, columns[c].name), columns[c].scale);
        const json_t *hubness = json_object_get(model, "hubness");
        char text[64] = "-";
        if (hubness)
            snprintf(text, sizeof text, "%.2f (%.2f)", number_of(hubness, "skew"), number_of(json_object_get(hubness, "unhub"), "skew"));
        add_cell(&self, text);
    }
    return set(&self, out);
}

/* "A finds more than B", where the queries can carry it. */
static int pairs(const json_t *found, lens_buffer *out)
{
    size_t i, told = 0;
    const json_t *pair;
    int result = 0;
    json_array_foreach(json_object_get(found, "pairs"), i, pair) {
        const char *a = text_of(pair, "a"), *b = text_of(pair, "b");
        const json_t *best = NULL;
        lens_metric by = 0;
        for (lens_metric metric = 0; metric < LENS_METRICS && !best; metric++)
            if (json_is_string(json_object_get(json_object_get(pair, lens_metric_names[metric]), "better")))
                best = json_object_get(pair, lens_metric_names[by = metric]);
        if (!best)
            continue;
        static const char *const words[LENS_METRICS] = {"P@1", "hit@3", "hit@10", "MRR"};
        const char *better = text_of(best, "better");
        const json_t *interval = json_object_get(best, "interval");
        const double turned = strcmp(better, a) == 0 ? 1 : -1;
        const double low = turned * json_number_value(json_array_get(interval, turned > 0 ? 0 : 1));
        const double high = turned * json_number_value(json_array_get(interval, turned > 0 ? 1 : 0));
        result |= lens_buffer_print(out, "- %s finds more than %s: %s by %.3f (%.3f to %.3f; sign test %.2g)\n", better, turned > 0 ? b : a, words[by],
                                    turned * number_of(best, "difference"), low, high, number_of(best, "p"));
        told++;
    }
    const size_t all = json_array_size(json_object_get(found, "pairs"));
    if (all > told)
        result |= all == 1 ? lens_buffer_print(out, "- too few queries to tell which is better\n")
                           : lens_buffer_print(out, "- %s %zu pair%s of models: too few queries to tell which is better\n", told ? "the other" : "all",
                                               all - told, all - told == 1 ? "" : "s");
    return result | (all ? lens_buffer_print(out, "\n") : 0);
}

static int notes(const json_t *found, lens_buffer *out)
{
    size_t i, m;
    const json_t *note, *model;
    int result = 0;
    json_array_foreach(json_object_get(found, "notes"), i, note)
        result |= lens_buffer_print(out, "- %s\n", json_string_value(note));
    json_array_foreach(json_object_get(found, "models"), m, model)
        if (json_object_get(model, "seen_note"))
            result |= lens_buffer_print(out, "- %s\n", text_of(model, "seen_note"));
    return result | lens_buffer_print(out, "\n");
}

static int unexpected(const json_t *found, lens_buffer *out)
{
    size_t m, i;
    const json_t *model, *edge;
    int result = 0;
    bool begun = false;
    json_array_foreach(json_object_get(found, "models"), m, model) {
        json_array_foreach(json_object_get(model, "taken_for"), i, edge) {
            const json_t *row = json_array_get(json_object_get(found, "rows"), (size_t)json_integer_value(json_object_get(edge, "query")));
            if (!begun)
                result |= lens_buffer_print(out, "## The Bloody Unexpected\n\n");
            begun = true;
            result |= lens_buffer_print(out, "- %s: %s (%s) -> %s\n", text_of(model, "model"), text_of(edge, "from"), text_of(row, "query"),
                                        text_of(edge, "to"));
        }
    }
    return result | (begun ? lens_buffer_print(out, "\n") : 0);
}

static void add_results(table *self, const json_t *results)
{
    size_t i;
    const json_t *result;
    lens_buffer text = {0};
    json_array_foreach(results, i, result)
        lens_buffer_print(&text, "%s%s %.3f", i ? ", " : "", *text_of(result, "label") ? text_of(result, "label") : text_of(result, "path"),
                          number_of(result, "score"));
    add_cell(self, text.data ? text.data : "");
    lens_buffer_free(&text);
}

static void add_list(table *self, const json_t *list)
{
    size_t i;
    const json_t *item;
    lens_buffer text = {0};
    json_array_foreach(list, i, item)
        lens_buffer_print(&text, "%s%s", i ? "; " : "", json_string_value(item));
    add_cell(self, text.data ? text.data : "");
    lens_buffer_free(&text);
}

static int every_query(const json_t *found, lens_buffer *out)
{
    size_t i;
    const json_t *row;
    int result = lens_buffer_print(out, "## Query by query\n\n");
    json_array_foreach(json_object_get(found, "rows"), i, row) {
        result |= lens_buffer_print(out, "### %s\n\n", text_of(row, "query"));
        if (json_object_get(row, "error")) {
            result |= lens_buffer_print(out, "%s\n\n", text_of(row, "error"));
            continue;
        }
        table self = {json_array()};
        add_row(&self);
        add_cell(&self, "expected");
        add_list(&self, json_object_get(row, "expected"));
        add_cell(&self, "rank");
        add_cell(&self, "verdict");
        const char *name;
        json_t *results;
        json_object_foreach(json_object_get(row, "results"), name, results) {
            add_row(&self);
            add_cell(&self, name);
            add_results(&self, results);
            add_number(&self, "%.0f", json_object_get(json_object_get(row, "rank"), name), 1);
            add_cell(&self, text_of(json_object_get(row, "verdict"), name));
        }
        result |= set(&self, out);
    }
    return result;
}

int lens_compare_markdown(const json_t *found, bool rows, lens_buffer *out)
{
    const json_t *pictures = json_object_get(found, "pictures"), *queries = json_object_get(found, "queries"), *machine = json_object_get(found, "machine");
    int result = 0;
    if (rows)
        result |= lens_buffer_print(out, "# Which encoder serves these pictures?\n\n");
    result |= lens_buffer_print(out, "%.0f pictures with %.0f labels, %.0f queries (%.0f judged); 95 %% intervals in brackets\n\n", number_of(pictures, "count"),
                                number_of(pictures, "labels"), number_of(queries, "count"), number_of(queries, "judged"));
    result |= quality(found, out);
    result |= pairs(found, out);
    result |= costs(found, out);
    if (json_array_size(json_object_get(found, "notes")) || rows)
        result |= notes(found, out);
    result |= unexpected(found, out);
    if (rows) {
        result |= every_query(found, out);
        result |= lens_buffer_print(out, "## How\n\n    %s\n\nmemelens %s, seed %.0f, %s, %.0f processors, %s\n", text_of(found, "command"),
                                    text_of(found, "memelens"), number_of(found, "seed"), text_of(machine, "processor"),
                                    number_of(machine, "processors"), text_of(machine, "system"));
    }
    return result ? -1 : 0;
}

json_t *lens_compare_plain(const json_t *found)
{
    json_t *plain = json_copy((json_t *)found);
    json_object_del(plain, "thumbs");
    json_object_del(plain, "seen");
    return plain;
}
