/* memelens bench */
#include <stdio.h>

#include "cli/command.h"

static const char *model_name, *precision = "auto";
static long batch = 32, threads;
static double seconds = 3;
static bool as_json;

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, &model_name, "NAME", "a model's name or folder (efficientnet-lite0)"},
    {"precision", 0, CLI_TEXT, &precision, "P", "auto, f32, bf16 or int8"},
    {"batch", 0, CLI_COUNT, &batch, "B", "pictures at once, cut among the threads (32)"},
    {"threads", 't', CLI_COUNT, &threads, "N", "use N processors instead of all that it may use"},
    {"seconds", 0, CLI_NUMBER, &seconds, "S", "how long (3)"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "end with one JSON object"},
};

static void print(const lens_model *model, int used, double rate)
{
    if (as_json) {
        json_t *object = json_object();
        lens_json_set_path(object, "model", lens_model_name(model));
        json_object_update_new(object, json_pack("{ss si si sf}", "precision", lens_model_precision(model), "batch", (int)batch, "threads", used,
                                                 "pictures_per_second", rate));
        cli_json(object);
        return;
    }
    cli_put_path(lens_model_name(model));
    printf("  %s  batch %ld  %d threads  %.1f pictures/s\n", lens_model_precision(model), batch, used, rate);
}

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("bench: takes no %s", operands->items[0]);
    lens_error error = {0};
    lens_model *model = lens_model_open(model_name, precision, LENS_PICTURES, &error);
    if (!model)
        return cli_fail_with(&error);
    double rate;
    int used = (int)threads ? (int)threads : lens_default_threads();
    int status = CLI_DONE;
    if (lens_model_bench(model, (int)batch, used, seconds, &rate, &error) != 0)
        status = cli_fail_with(&error);
    else
        print(model, used, rate);
    lens_model_close(model);
    return status;
}

const cli_command cli_bench = {
    .name = "bench",
    .summary = "how fast a model runs here",
    .usage = "[options]",
    .details = "The encoder alone, on prepared pixels: no disk, no decoding.",
    CLI_OPTIONS(options),
    .run = run,
};
