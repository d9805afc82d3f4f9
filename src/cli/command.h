/* A command of memelens: one file each, one line in the table of main.c. */
#ifndef LENS_CLI_COMMAND_H
#define LENS_CLI_COMMAND_H

#include "cli/args.h"
#include "cli/say.h"
#include "memelens.h"

typedef struct cli_command {
    const char *name;
    const char *summary;        /* one line for `memelens --help` */
    const char *usage;          /* what follows the name, one form a line */
    const char *details;        /* for `memelens NAME --help`; NULL for none */
    const cli_option *options;  /* its own; the ones that hold everywhere are main.c's */
    size_t option_count;
    int (*run)(const cli_list *operands); /* -> exit status */
    bool behind_front;          /* see front.h */
} cli_command;

extern const cli_command cli_index, cli_ocr, cli_fit, cli_search, cli_similar, cli_duplicates, cli_embed, cli_label, cli_status, cli_forget, cli_check, cli_copy, cli_models,
    cli_pull, cli_compare, cli_explain, cli_serve, cli_bench, cli_tokenize, cli_completion;

/* The table of commands, and the options that hold everywhere; for help and completion. */
extern const cli_command *const cli_commands[];
extern const size_t cli_command_count;
extern const cli_option cli_common_options[];
extern const size_t cli_common_count;

/* The library that --library or the environment names. NULL after saying why on stderr. */
lens_library *cli_open_library(void);

#define CLI_OPTIONS(table) .options = (table), .option_count = sizeof(table) / sizeof *(table)

#endif
