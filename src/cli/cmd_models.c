/* memelens models */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"

static bool as_json;

static const cli_option options[] = {
    {"json", 0, CLI_FLAG, &as_json, NULL, "one JSON object a line"},
};

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("models: takes no %s", operands->items[0]);
    lens_error error = {0};
    size_t count;
    lens_catalogue_model *models = lens_catalogue(&count, &error);
    if (!models)
        return cli_fail_with(&error);
    for (size_t i = 0; i < count; i++) {
        const lens_catalogue_model *model = &models[i];
        if (as_json)
            cli_json(json_pack("{ss ss sI sb sb ss ss ss}", "model", model->name, "family", model->family, "bytes",
                               (json_int_t)model->bytes, "present", model->present, "default", model->standard, "license",
                               model->license, "source", model->source, "about", model->about));
        else
            printf("%-20s  %-8s  %7s  %-10s  %s\n", model->name, model->present ? "here" : "to pull", cli_bytes_text((int64_t)model->bytes),
                   model->license, model->about);
    }
    free(models);
    return CLI_DONE;
}

const cli_command cli_models = {
    .name = "models",
    .summary = "the models that there are, and which are here",
    .usage = "[--json]",
    .details = "Any folder with a model as published (config.json, model.safetensors) can be named too: --model ./folder.\n"
               "NAME@PREP prepares pictures in another way: @crop, @squash, @pad, @64 (any side), @jina96.",
    CLI_OPTIONS(options),
    .run = run,
};
