/* memelens label */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/terms.h"

static const char *model_name, *precision = "auto", *list;
static cli_list more;
static long most = 5;
static bool as_json;

static const cli_option options[] = {
    {"labels", 'l', CLI_TEXT, &list, "A,B,...", "the labels, separated by commas"},
    {"label", 0, CLI_LIST, &more, "TEXT", "one label more, in which commas mean nothing (may be given again)"},
    {"count", 'n', CLI_COUNT, &most, "N", "at most N labels a picture (5); --json tells all"},
    {"model", 'm', CLI_TEXT, &model_name, "NAME", "a model of words and pictures; else the first of the catalogue here"},
    {"precision", 0, CLI_TEXT, &precision, "P", "auto, f32, bf16 or int8"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "one JSON object a picture"},
};

/* The labels, what each scored for one picture, and in which order. */
typedef struct labels {
    char *copy; /* of the list, cut up */
    const char **names;
    size_t count;
    double *cosines, *probabilities;
    size_t *order;
} labels;

static void labels_free(labels *self)
{
    free(self->copy);
    free(self->names);
    free(self->cosines);
    free(self->probabilities);
    free(self->order);
}

/* Adds the text from START to END without the blanks around it; nothing when nothing is left. */
static void add_trimmed(labels *self, char *start, char *end)
{
    start += strspn(start, " \t");
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    if (*start)
        self->names[self->count++] = start;
}

static int labels_read(labels *self)
{
    size_t room = more.count + 1;
    for (const char *c = list ? list : ""; *c; c++)
        room += *c == ',';
    self->copy = strdup(list ? list : "");
    self->names = calloc(room + 1, sizeof *self->names);
    self->cosines = calloc(room, sizeof *self->cosines);
    self->probabilities = calloc(room, sizeof *self->probabilities);
    self->order = calloc(room, sizeof *self->order);
    if (!self->copy || !self->names || !self->cosines || !self->probabilities || !self->order)
        return cli_fail("not enough memory"), -1;
    for (char *start = self->copy, *end; start; start = end ? end + 1 : NULL) {
        end = strchr(start, ',');
        add_trimmed(self, start, end ? end : start + strlen(start));
    }
    for (size_t i = 0; i < more.count; i++)
        if (*more.items[i])
            self->names[self->count++] = more.items[i];
    if (self->count < 2)
        return cli_fail("label: with which labels? At least two: --labels \"a cat,a dog\""), -1;
    return 0;
}

static const labels *sorted; /* qsort takes no context */

static int by_probability(const void *a, const void *b)
{
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    double p = sorted->probabilities[i], q = sorted->probabilities[j];
    return p < q ? 1 : p > q ? -1 : (i > j) - (i < j);
}

static void print(const char *input, const lens_model *model, labels *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->order[i] = i;
    sorted = self;
    qsort(self->order, self->count, sizeof *self->order, by_probability);
    if (!as_json) {
        for (size_t i = 0; i < self->count && i < (size_t)most; i++) {
            printf("%.4f\t%s\t", self->probabilities[self->order[i]], self->names[self->order[i]]);
            cli_put_path(input);
            putchar('\n');
        }
        return;
    }
    json_t *object = json_object(), *array = json_array();
    for (size_t i = 0; i < self->count; i++) {
        size_t at = self->order[i];
        json_t *label = json_object();
        lens_json_set_path(label, "label", self->names[at]);
        json_object_set_new(label, "probability", json_real(self->probabilities[at]));
        json_object_set_new(label, "cosine", json_real(self->cosines[at]));
        json_array_append_new(array, label);
    }
    lens_json_set_path(object, "input", input);
    lens_json_set_path(object, "model", lens_model_name(model));
    json_object_set_new(object, "labels", array);
    cli_json(object);
}

static int label(lens_model *model, const char *input, labels *self)
{
    lens_error error = {0};
    cli_terms terms;
    int status = CLI_DONE;
    if (cli_terms_file(input, &terms) != 0)
        status = CLI_ERROR;
    else if (lens_model_label(model, &terms.items[0], self->names, self->count, 0, self->cosines, self->probabilities, &error) != 0)
        status = cli_fail_with(&error);
    else
        print(input, model, self);
    cli_terms_free(&terms);
    return status;
}

static int run(const cli_list *operands)
{
    if (operands->count == 0)
        return cli_fail("label: which pictures? `memelens label cat.jpg --labels \"a cat,a dog\"`");
    labels self = {0};
    lens_error error = {0};
    lens_model *model = NULL;
    int status = CLI_ERROR;
    if (labels_read(&self) == 0 && !(model = lens_model_open(model_name, precision, LENS_PICTURES | LENS_WORDS, &error)))
        cli_fail_with(&error);
    if (model)
        status = CLI_DONE;
    for (size_t i = 0; model && i < operands->count; i++)
        if (label(model, operands->items[i], &self) != CLI_DONE)
            status = CLI_ERROR; /* and the rest goes on */
    lens_model_close(model);
    labels_free(&self);
    return status;
}

const cli_command cli_label = {
    .name = "label",
    .summary = "say which of some words fits a picture best",
    .usage = "FILE... --labels \"a cat,a dog,…\" [options]",
    .details = "For each FILE (- is standard input) the labels, best first: the probability, a tab, the label, a tab, the name. The probabilities are\n"
               "among these labels alone and add up to 1: with none that fits, one of them still wins. Models are used to phrases:\n"
               "\"a photo of a cat\" works better than \"cat\". Needs a model that knows words: `memelens pull clip-vit-b-32`.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
