/* Options of the command line. Each command keeps one table of them, from which parsing, --help and shell completion all come. */
#ifndef LENS_CLI_ARGS_H
#define LENS_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum cli_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char * */
    CLI_LIST,   /* cli_list: may be given again */
    CLI_COUNT,  /* long, from 1 to INT_MAX, so that it goes where an int is wanted too */
    CLI_NUMBER, /* double */
} cli_kind;

typedef struct cli_list {
    const char **items;
    size_t count;
} cli_list;

typedef struct cli_option {
    const char *name; /* "threads", given as --threads */
    char letter;      /* 'n', given as -n; 0 for none */
    cli_kind kind;
    void *target;         /* where the value goes, of KIND's type */
    const char *argument; /* "N", for the help; NULL for a flag */
    const char *help;
} cli_option;

/* Parses ARGV after the command's name. Options may stand between other arguments; after "--" nothing is an option; nor is "-",
 * nor a signed number with a colon ("-0.5:dog"): such a term is an operand wherever it stands. Operands go to *OPERANDS (room for
 * ARGC), in order. 0, or -1 after saying on stderr what is wrong. */
int cli_parse(int argc, char **argv, const cli_option *options, size_t option_count, cli_list *operands);

/* Prints the options as a table. */
void cli_print_options(const cli_option *options, size_t option_count);

/* Whether TEXT begins with a weight, a number with an optional sign and a colon: its length with the colon, else 0. */
size_t cli_weight_length(const char *text);

#endif
