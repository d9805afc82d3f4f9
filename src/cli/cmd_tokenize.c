/* memelens tokenize */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

static const char *model_name;
static bool as_json, lines;

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, &model_name, "NAME", "a model that knows words: its name or folder"},
    {"lines", 0, CLI_FLAG, &lines, NULL, "also each line of standard input"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "one JSON object a line"},
};

static int tokenize(const lens_words *words, const char *text, int32_t *ids)
{
    lens_error error = {0};
    int count;
    if (lens_words_tokens(words, text, ids, &count, &error) != 0)
        return cli_fail_with(&error);
    if (!as_json) {
        for (int i = 0; i < count; i++)
            printf("%s%d", i ? " " : "", (int)ids[i]);
        putchar('\n');
        return CLI_DONE;
    }
    json_t *object = json_object(), *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_integer(ids[i]));
    lens_json_set_path(object, "text", text); /* it may be no more UTF-8 than a path is */
    json_object_set_new(object, "ids", array);
    cli_json(object);
    return CLI_DONE;
}

/* Each line of standard input. */
static int tokenize_lines(const lens_words *words, int32_t *ids)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    int status = CLI_DONE;
    while ((length = getline(&line, &room, stdin)) >= 0) {
        number++;
        if (length && line[length - 1] == '\n')
            line[--length] = '\0';
        if (strlen(line) != (size_t)length)
            status = cli_fail("tokenize: line %zu of standard input holds a NUL byte", number);
        else if (tokenize(words, line, ids) != CLI_DONE)
            status = CLI_ERROR;
    }
    if (ferror(stdin))
        status = cli_fail("tokenize: standard input cannot be read");
    free(line);
    return status;
}

static int run(const cli_list *operands)
{
    if (!operands->count && !lines)
        return cli_fail("tokenize: what? Name a text, or --lines for those of standard input");
    if (!model_name)
        return cli_fail("tokenize: which tokenizer? --model NAME");
    lens_error error = {0};
    lens_words *words = lens_words_open(model_name, &error);
    if (!words)
        return cli_fail_with(&error);
    int32_t *ids = malloc((size_t)lens_words_context(words) * sizeof *ids);
    int status = ids ? CLI_DONE : cli_fail("not enough memory");
    for (size_t i = 0; ids && i < operands->count; i++)
        if (tokenize(words, operands->items[i], ids) != CLI_DONE)
            status = CLI_ERROR; /* and the rest goes on */
    if (ids && lines && tokenize_lines(words, ids) != CLI_DONE)
        status = CLI_ERROR;
    free(ids);
    lens_words_close(words);
    return status;
}

const cli_command cli_tokenize = {
    .name = "tokenize",
    .summary = "print the numbers that a model makes of words",
    .usage = "--model NAME [--json] [--lines] -- STRING...",
    .details = "One line for each STRING: its token numbers, exactly as the model's own tokenizer gives them, with the ones that begin and end\n"
               "a text. The model's weights are not needed.",
    CLI_OPTIONS(options),
    .run = run,
};
