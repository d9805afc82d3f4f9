#include "cli/args.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"

size_t cli_weight_length(const char *text)
{
    const char *at = text + (*text == '+' || *text == '-');
    size_t digits = 0, dots = 0;
    for (; isdigit((unsigned char)*at) || (*at == '.' && dots == 0); at++) {
        digits += *at != '.';
        dots += *at == '.';
    }
    return digits && *at == ':' ? (size_t)(at - text) + 1 : 0;
}

static int take(const cli_option *option, const char *value)
{
    char *end;
    errno = 0;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->target = true;
        return 0;
    case CLI_TEXT:
        *(const char **)option->target = value;
        return 0;
    case CLI_LIST: {
        cli_list *list = option->target;
        const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
        if (!items) {
            cli_fail("not enough memory");
            return -1;
        }
        list->items = items;
        list->items[list->count++] = value;
        return 0;
    }
    case CLI_COUNT: {
        long count = strtol(value, &end, 10);
        if (errno || end == value || *end || count < 1 || count > INT_MAX) {
            cli_fail("--%s %s: expected a whole number from 1 to %d", option->name, value, INT_MAX);
            return -1;
        }
        *(long *)option->target = count;
        return 0;
    }
    case CLI_NUMBER: {
        double number = strtod(value, &end);
        if (errno || end == value || *end || !isfinite(number)) {
            cli_fail("--%s %s: expected a number", option->name, value);
            return -1;
        }
        *(double *)option->target = number;
        return 0;
    }
    }
    return -1;
}

static const cli_option *find(const cli_option *options, size_t count, const char *name, size_t length, char letter)
{
    for (size_t i = 0; i < count; i++)
        if (letter ? options[i].letter == letter : strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

int cli_parse(int argc, char **argv, const cli_option *options, size_t option_count, cli_list *operands)
{
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (only_operands || word[0] != '-' || word[1] == '\0' || cli_weight_length(word)) {
            operands->items[operands->count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_operands = true;
            continue;
        }
        bool is_long = word[1] == '-';
        size_t length = is_long ? strcspn(word + 2, "=") : 1;
        const char *value = is_long ? (word[2 + length] == '=' ? word + 3 + length : NULL) : word[2] ? word + 2 : NULL;
        const cli_option *option = is_long ? find(options, option_count, word + 2, length, 0) : find(options, option_count, NULL, 0, word[1]);
        if (!option) {
            cli_fail("%.*s: no such option (--help lists them; for a term: --not TERM, or after --)", is_long ? (int)length + 2 : 2, word);
            return -1;
        }
        if (option->kind == CLI_FLAG && value) {
            cli_fail("--%s takes no value", option->name);
            return -1;
        }
        if (option->kind != CLI_FLAG && !value && ++i < argc)
            value = argv[i];
        if (option->kind != CLI_FLAG && !value) {
            cli_fail("--%s needs a value: %s", option->name, option->argument);
            return -1;
        }
        if (take(option, value) != 0)
            return -1;
    }
    return 0;
}

void cli_print_options(const cli_option *options, size_t option_count)
{
    for (size_t i = 0; i < option_count; i++) {
        char left[64];
        char letter[8] = "    ";
        if (options[i].letter)
            snprintf(letter, sizeof letter, "-%c, ", options[i].letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, options[i].name, options[i].argument ? " " : "",
                 options[i].argument ? options[i].argument : "");
        printf("  %-28s %s\n", left, options[i].help);
    }
}
