/* memelens check */
#include <stdio.h>

#include "cli/command.h"

static void fault(void *context, const char *line)
{
    (void)context;
    cli_put_path(line);
    putchar('\n');
}

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("check: takes no %s", operands->items[0]);
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    lens_error error = {0};
    int faults = lens_check(library, fault, NULL, &error);
    int status = CLI_DONE;
    if (faults < 0)
        status = cli_fail_with(&error);
    else if (faults > 0)
        status = cli_fail("%s: faults found: %d", lens_library_path(library), faults);
    else
        cli_note("%s: no fault", lens_library_path(library));
    lens_library_close(library);
    return status;
}

const cli_command cli_check = {
    .name = "check",
    .summary = "look for faults in the library's files",
    .usage = "",
    .details = "Reads everything: the database's own check, every vector file, the length of every vector, the index of words. Each fault is a line; the exit status\n"
               "is then 2.",
    .run = run,
};
