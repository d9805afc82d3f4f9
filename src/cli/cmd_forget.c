/* memelens forget */
#include "cli/command.h"

static const char *model, *captions;
static bool all;

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, &model, "NAME", "drop this model's vectors"},
    {"captions", 0, CLI_TEXT, &captions, "FILE", "drop what this file of captions said, and look at it no more"},
    {"all", 0, CLI_FLAG, &all, NULL, "empty the library"},
};

static int forget_paths(lens_library *library, const cli_list *paths)
{
    int status = CLI_DONE;
    for (size_t i = 0; i < paths->count; i++) {
        lens_error error = {0};
        int64_t removed;
        if (lens_forget_path(library, paths->items[i], &removed, &error) != 0)
            status = cli_fail_with(&error);
        else
            cli_note("%s: %s %s forgotten; it stays out until it is named again", paths->items[i], cli_count_text(removed),
                     removed == 1 ? "picture" : "pictures");
    }
    return status;
}

static int run(const cli_list *operands)
{
    if ((operands->count > 0) + (model != NULL) + (captions != NULL) + all != 1)
        return cli_fail("forget: name paths, or --model NAME, or --captions FILE, or --all");
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    int status = CLI_DONE;
    int64_t removed;
    lens_error error = {0};
    if (operands->count)
        status = forget_paths(library, operands);
    else if (model && lens_forget_model(library, model, &error) != 0)
        status = cli_fail_with(&error);
    else if (captions && lens_forget_captions(library, captions, &removed, &error) != 0)
        status = cli_fail_with(&error);
    else if (captions)
        cli_note("%s: %s %s forgotten; it is not looked at again until it is named", captions, cli_count_text(removed), removed == 1 ? "caption" : "captions");
    else if (all && lens_forget_all(library, &removed, &error) != 0)
        status = cli_fail_with(&error);
    else if (all)
        cli_note("%s pictures forgotten; the library is empty", cli_count_text(removed));
    lens_library_close(library);
    return status;
}

const cli_command cli_forget = {
    .name = "forget",
    .summary = "take pictures, captions or a model out of the library",
    .usage = "PATH...\n--model NAME\n--captions FILE\n--all",
    .details = "The files themselves are never touched. A path that was forgotten stays out until `memelens index` names it.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
