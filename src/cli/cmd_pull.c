/* memelens pull */
#include "cli/command.h"

static void say(void *context, const char *step)
{
    (void)context;
    cli_note("%s", step);
}

static int run(const cli_list *operands)
{
    if (operands->count != 1)
        return cli_fail("pull: which model? `memelens models` lists them");
    lens_error error = {0};
    if (lens_pull(operands->items[0], say, NULL, &error) != 0)
        return cli_fail_with(&error);
    return CLI_DONE;
}

const cli_command cli_pull = {
    .name = "pull",
    .summary = "get a model",
    .usage = "NAME",
    .details = "Downloads with your own pip, whose settings (mirror, proxy, cache) hold; checks the SHA-256; turns the checkpoint into\n"
               "safetensors; and puts it in place in one step.",
    .run = run,
};
