/* memelens: which command, and the options that hold everywhere. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/front.h"
#include "cli/lost.h"

const cli_command *const cli_commands[] = {
    &cli_index, &cli_ocr, &cli_search, &cli_similar, &cli_duplicates, &cli_embed, &cli_label, &cli_status,
    &cli_forget, &cli_check,  &cli_copy,  &cli_models,  &cli_pull,       &cli_explain, &cli_fit, &cli_compare, &cli_serve, &cli_bench, &cli_tokenize, &cli_completion,
};
const size_t cli_command_count = sizeof cli_commands / sizeof *cli_commands;

static const char *library_place;
static bool wants_help, wants_version;

const cli_option cli_common_options[] = {
    {"library", 0, CLI_TEXT, &library_place, "PLACE",
     "the library, a folder or postgresql://… (else $MEMELENS_LIBRARY, else below $XDG_DATA_HOME or ~/.local/share)"},
    {"quiet", 'q', CLI_FLAG, &cli_quiet, NULL, "say nothing but results and errors"},
    {"help", 'h', CLI_FLAG, &wants_help, NULL, "show this"},
    {"version", 0, CLI_FLAG, &wants_version, NULL, "show the version"},
};
const size_t cli_common_count = sizeof cli_common_options / sizeof *cli_common_options;

lens_library *cli_open_library(void)
{
    lens_error error = {0};
    lens_library *library = lens_library_open(library_place, &error);
    if (!library)
        cli_fail_with(&error);
    return library;
}

static void print_help(void)
{
    puts("memelens finds pictures in your folders again, by a picture or by words.\n"
         "\n"
         "  memelens pull                       once: get the models for pictures and words (110 MB)\n"
         "  memelens index ~/Pictures --ocr     bring a folder in, or up to date, and read what is written in its pictures\n"
         "  memelens search ./query.jpg         what looks like this?\n"
         "  memelens search \"a dog in the snow\" what shows, says or means this?\n"
         "\n"
         "commands:");
    for (size_t i = 0; i < cli_command_count; i++)
        printf("  %-12s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    puts("\noptions that hold everywhere:");
    cli_print_options(cli_common_options, cli_common_count);
    puts("\n`memelens COMMAND --help` says more. Results go to stdout, all else to stderr.\n"
         "Exit status: 0 done, 1 nothing found, 2 an error, 130 interrupted.");
}

static void print_command_help(const cli_command *command)
{
    printf("memelens %s: %s\n\n", command->name, command->summary);
    for (const char *line = command->usage; *line;) {
        size_t length = strcspn(line, "\n");
        printf("  memelens %s%s%.*s\n", command->name, length ? " " : "", (int)length, line);
        line += length + (line[length] == '\n');
    }
    if (!*command->usage)
        printf("  memelens %s\n", command->name);
    if (command->details)
        printf("\n%s\n", command->details);
    puts("\noptions:");
    cli_print_options(command->options, command->option_count);
    cli_print_options(cli_common_options, cli_common_count);
}

static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

/* The command's own options and the common ones, as one table. The caller frees. */
static cli_option *all_options(const cli_command *command, size_t *count)
{
    size_t own = command ? command->option_count : 0;
    *count = own + cli_common_count;
    cli_option *all = calloc(*count, sizeof *all);
    if (all && own)
        memcpy(all, command->options, own * sizeof *all);
    if (all)
        memcpy(all + own, cli_common_options, cli_common_count * sizeof *all);
    return all;
}

/* Where one of the three is closed, nothing that is opened here may take its place: results would be written into it. To read or write there fails as it
 * did. */
static void hold_standard_places(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

int main(int argc, char **argv)
{
    int decoded;
    if (lens_decode_apart(argc, argv, &decoded))
        return decoded;
    hold_standard_places();
    cli_catch_lost_files();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a reason to be told */
    /* The command is the first word that is no common option, so that `memelens --library X search …` works too. */
    int at = 1;
    while (at < argc && argv[at][0] == '-' && argv[at][1])
        at += strcmp(argv[at], "--library") == 0 ? 2 : 1;
    const cli_command *command = NULL;
    if (at < argc) {
        if (strcmp(argv[at], "help") == 0 && at + 1 < argc)
            argv[at] = argv[at + 1], argv[at + 1] = "--help";
        command = find_command(argv[at]);
        if (!command && strcmp(argv[at], "help") == 0)
            wants_help = true;
        else if (!command)
            return cli_fail("%s: no such command; `memelens --help` lists them", argv[at]);
    }
    size_t option_count;
    cli_option *options = all_options(command, &option_count);
    cli_list operands = {calloc((size_t)argc + 1, sizeof *operands.items), 0};
    if (!options || !operands.items)
        return cli_fail("not enough memory");
    int before = at < argc ? at - 1 : argc - 1;
    int status = CLI_DONE;
    if (cli_parse(before, argv + 1, cli_common_options, cli_common_count, &operands) != 0 ||
        (command && cli_parse(argc - at - 1, argv + at + 1, options, option_count, &operands) != 0)) {
        status = CLI_ERROR;
    } else if (wants_version) {
        printf("memelens %s\n", lens_version());
    } else if (wants_help && command) {
        print_command_help(command);
    } else if (wants_help) {
        print_help();
    } else if (!command) {
        print_help();
        status = CLI_ERROR;
    } else {
        status = command->behind_front ? cli_run_behind_front(command->run, &operands) : command->run(&operands);
    }
    free(operands.items);
    free(options);
    return cli_finish(status);
}
