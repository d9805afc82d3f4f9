/* memelens index */
#include <stdio.h>

#include "cli/command.h"
#include "cli/indexing.h"

static cli_list models, exclude;
static const char *precision = "auto";
static long threads, megapixels;
static bool include_hidden, as_json;

static const cli_option options[] = {
    {"model", 'm', CLI_LIST, &models, "NAME", "encode with this model (may be given again); else with those of the library"},
    {"threads", 't', CLI_COUNT, &threads, "N", "use N processors instead of all"},
    {"precision", 0, CLI_TEXT, &precision, "P", "auto, f32, bf16 or int8"},
    {"exclude", 'x', CLI_LIST, &exclude, "GLOB", "leave out names or paths below the folder that match (may be given again)"},
    {"include-hidden", 0, CLI_FLAG, &include_hidden, NULL, "also what begins with a dot"},
    {"max-megapixels", 0, CLI_COUNT, &megapixels, "N", "refuse larger pictures (100)"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "end with one JSON object"},
};

static int run(const cli_list *operands)
{
    lens_index_options index = lens_index_options_default();
    index.paths = operands->items;
    index.path_count = operands->count;
    index.models = models.items;
    index.model_count = models.count;
    index.precision = precision;
    index.threads = (int)threads;
    index.exclude = exclude.items;
    index.exclude_count = exclude.count;
    index.include_hidden = include_hidden;
    if (megapixels)
        index.max_pixels = (uint64_t)megapixels * 1000000;
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    lens_index_report report;
    int status = cli_run_index(library, &index, &report);
    if (status != CLI_ERROR && as_json)
        cli_json(json_pack("{sI sI sI sI sI sf sf sI}", "indexed", (json_int_t)report.indexed, "unchanged", (json_int_t)report.unchanged,
                           "moved", (json_int_t)report.moved, "removed", (json_int_t)report.removed, "failed",
                           (json_int_t)report.failed, "seconds", report.seconds, "pictures_per_second", report.pictures_per_second,
                           "library_bytes", (json_int_t)report.library_bytes));
    lens_library_close(library);
    return status;
}

const cli_command cli_index = {
    .name = "index",
    .summary = "bring folders of pictures in, or up to date",
    .usage = "[PATH...] [options]",
    .details = "Without PATH, every folder that was indexed before is brought up to date. What is unchanged is not read\n"
               "again; a moved picture is recognised. A picture that cannot be read is named and the rest goes on;\n"
               "`memelens status --failed` lists them later. A folder that is not there (an unmounted disk) loses nothing.\n"
               "Exclusions and --include-hidden are kept with the folder; naming it with others replaces them.\n"
               "Ctrl-C keeps what is done; the same command goes on from there.",
    CLI_OPTIONS(options),
    .run = run,
};
