/* memelens check */
#include <stdio.h>

#include "cli/command.h"

static const char *other;

static const cli_option options[] = {
    {"same-as", 0, CLI_TEXT, &other, "LIBRARY", "instead, hold the library against this one, a folder or the address of a database: do both hold the same?"},
};

static void fault(void *context, const char *line)
{
    (void)context;
    cli_put_path(line);
    putchar('\n');
}

static int check_faults(lens_library *library)
{
    lens_error error = {0};
    const int faults = lens_check(library, fault, NULL, &error);
    if (faults < 0)
        return cli_fail_with(&error);
    if (faults > 0)
        return cli_fail("%s: faults found: %d", lens_library_path(library), faults);
    cli_note("%s: no fault", lens_library_path(library));
    return CLI_DONE;
}

static int check_same(lens_library *library)
{
    lens_error error = {0};
    lens_same same;
    const int differ = lens_check_same(library, other, fault, NULL, &same, &error);
    if (differ < 0)
        return cli_fail_with(&error);
    if (differ > 0)
        return cli_fail("%s: parts that are not the same: %d", lens_library_path(library), differ);
    cli_note("%s: both hold the same %s records (%s)", lens_library_path(library), cli_count_text(same.records), same.digest);
    return CLI_DONE;
}

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("check: takes no %s", operands->items[0]);
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    const int status = other ? check_same(library) : check_faults(library);
    lens_library_close(library);
    return status;
}

const cli_command cli_check = {
    .name = "check",
    .summary = "look for faults in the library's files",
    .usage = "\n--same-as LIBRARY",
    .details = "Reads everything: the database's own check, every vector file, the length of every vector, the index of words. Each fault is a line; the exit status\n"
               "is then 2. With --same-as, each part that is not the same in both is a line, which names the first record.",
    CLI_OPTIONS(options),
    .run = run,
};
