/* memelens models */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static bool as_json;

static const cli_option options[] = {
    {"json", 0, CLI_FLAG, &as_json, NULL, "one JSON object a line"},
};

static void print_json(const lens_catalogue_model *model)
{
    json_t *object = json_pack("{ss ss sb sb sb ss ss}", "family", model->family, "about", model->about, "present", model->present, "default",
                               model->standard, "own", model->own, "license", model->license, "source", model->source);
    lens_json_set_path(object, "model", model->name);
    if (model->bytes)
        json_object_set_new(object, "bytes", json_integer((json_int_t)model->bytes));
    if (*model->revision)
        json_object_set_new(object, "revision", lens_json_text(model->revision));
    cli_json(object);
}

static void print(const lens_catalogue_model *model)
{
    cli_put_path(model->name);
    printf("%*s  %-8s  %7s  %-10s  %s\n", (int)(strlen(model->name) < 26 ? 26 - strlen(model->name) : 0), "",
           model->present ? "here" : "to pull", model->bytes ? cli_bytes_text((int64_t)model->bytes) : "", model->license, model->about);
}

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
            print_json(model);
        else
            print(model);
    }
    lens_catalogue_free(models, count);
    return CLI_DONE;
}

const cli_command cli_models = {
    .name = "models",
    .summary = "the models that there are, and which are here",
    .usage = "[--json]",
    .details = "`memelens pull NAME` fetches one. Sizes are approximate; \"your own\" is what else is in the models folder,\n"
               "$MEMELENS_MODELS, else memelens/models in $XDG_DATA_HOME or ~/.local/share.\n"
               "Any folder with a model as published (config.json, model.safetensors) can be named too: --model ./folder.\n"
               "NAME@PREP prepares pictures in another way: @crop the middle square, @squash to a square whatever the shape,\n"
               "@pad to a square without loss, @64 squashed to 64 pixels first (8 to 4096), @jina96 the middle 96 pixels of 256\n"
               "(8 to 256). `index --model NAME@PREP` keeps it beside NAME, as a model of its own.",
    CLI_OPTIONS(options),
    .run = run,
};
