/* memelens embed */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/terms.h"

static const char *model_name, *precision = "auto";
static cli_list texts;
static bool as_json;

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, &model_name, "NAME", "a model's name or folder (efficientnet-lite0; with --text the first of the catalogue here that knows both)"},
    {"precision", 0, CLI_TEXT, &precision, "P", "auto, f32, bf16 or int8"},
    {"text", 0, CLI_LIST, &texts, "STRING", "encode words (may be given again), with a model that knows them"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "one JSON object a line"},
};

static void print(const char *input, const lens_model *model, const float *vector)
{
    int dim = lens_model_dim(model);
    if (!as_json) {
        cli_put_path(input);
        for (int i = 0; i < dim; i++)
            printf("%c%.9g", i ? ' ' : '\t', (double)vector[i]);
        putchar('\n');
        return;
    }
    json_t *values = json_array(), *object = json_object();
    for (int i = 0; i < dim; i++)
        json_array_append_new(values, json_real((double)vector[i]));
    lens_json_set_path(object, "input", input);
    lens_json_set_path(object, "model", lens_model_name(model));
    json_object_set_new(object, "dim", json_integer(dim));
    json_object_set_new(object, "vector", values);
    cli_json(object);
}

static int embed(lens_model *model, const lens_term *term, float *vector)
{
    lens_error error = {0};
    if (lens_model_embed(model, term, 0, vector, &error) != 0)
        return cli_fail_with(&error);
    print(term->text, model, vector);
    return CLI_DONE;
}

static int run(const cli_list *operands)
{
    if (operands->count + texts.count == 0)
        return cli_fail("embed: what? Name files, or --text STRING");
    lens_error error = {0};
    int knows = (operands->count ? LENS_PICTURES : 0) | (texts.count ? LENS_WORDS : 0);
    lens_model *model = lens_model_open(model_name, precision, knows, &error);
    if (!model)
        return cli_fail_with(&error);
    float *vector = malloc((size_t)lens_model_dim(model) * sizeof *vector);
    int status = vector ? CLI_DONE : cli_fail("not enough memory");
    for (size_t i = 0; vector && i < operands->count; i++) {
        cli_terms terms;
        if (cli_terms_file(operands->items[i], &terms) != 0 || embed(model, &terms.items[0], vector) != CLI_DONE)
            status = CLI_ERROR; /* and the rest goes on */
        cli_terms_free(&terms);
    }
    for (size_t i = 0; vector && i < texts.count; i++) {
        lens_term words = {.kind = LENS_TERM_WORDS, .text = texts.items[i], .weight = 1};
        if (embed(model, &words, vector) != CLI_DONE)
            status = CLI_ERROR;
    }
    free(vector);
    lens_model_close(model);
    return status;
}

const cli_command cli_embed = {
    .name = "embed",
    .summary = "print the vectors of pictures and words",
    .usage = "(FILE | --text STRING)... [options]",
    .details = "One line for each FILE (- is standard input), then for each STRING: its name, a tab, the numbers. Vectors have length 1. A file\n"
               "that cannot be read is named, the rest goes on, and the exit status is 2.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
