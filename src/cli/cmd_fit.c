/* memelens fit */
#include <stdio.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

static const char *model, *output;
static bool anyway, undo, as_json;

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, &model, "NAME", "for this model of pictures; else the library's first"},
    {"output", 'o', CLI_TEXT, &output, "FILE", "write the map there instead of into the library"},
    {"anyway", 0, CLI_FLAG, &anyway, NULL, "keep it, even if it finds no more than the built-in one"},
    {"built-in", 0, CLI_FLAG, &undo, NULL, "go back to the built-in map: remove the one that was fitted on this library"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "as one JSON object"},
};

static json_t *recall_json(const lens_fit_recall *recall)
{
    return json_pack("{sf sf sf}", "r_at_1", recall->at_1, "r_at_5", recall->at_5, "r_at_10", recall->at_10);
}

static void print(const lens_fit_report *report)
{
    printf("%s captions of %s pictures; own picture among the first 1, 5, 10 of %zu, by maps fitted without it\n", cli_count_text(report->sentences),
           cli_count_text(report->pictures), report->gallery);
    if (report->has_base)
        printf("built-in map  %.3f  %.3f  %.3f\n", report->before.at_1, report->before.at_5, report->before.at_10);
    printf("fitted map    %.3f  %.3f  %.3f\n", report->after.at_1, report->after.at_5, report->after.at_10);
    if (!report->kept)
        puts("not kept: it finds no more than the built-in one (--anyway keeps it)");
}

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("fit: takes no paths; it fits on all captioned pictures of the library");
    if (undo && (output || anyway || as_json))
        return cli_fail("--built-in: fits nothing, and takes none of --output, --anyway and --json");
    lens_library *library = cli_open_library();
    lens_error error = {0};
    lens_fit_report report = {0};
    const lens_fit_options fit = {.model = model, .out = output, .anyway = anyway, .event = cli_progress_event};
    int status = CLI_ERROR;
    if (library && undo) {
        status = lens_fit_undo(library, model, &error) == 0 ? CLI_DONE : cli_fail_with(&error);
        lens_library_close(library);
        return status;
    }
    cli_catch_interrupt();
    if (library && lens_fit_words(library, &fit, &report, &error) == 0) {
        cli_progress_end();
        status = report.kept ? CLI_DONE : CLI_NOTHING;
        if (as_json)
            cli_json(json_pack("{sI sI sI so* so sb}", "pictures", (json_int_t)report.pictures, "sentences", (json_int_t)report.sentences, "gallery",
                               (json_int_t)report.gallery, "before", report.has_base ? recall_json(&report.before) : NULL, "after",
                               recall_json(&report.after), "kept", report.kept));
        else
            print(&report);
    } else if (library) {
        cli_progress_end();
        status = error.code == LENS_E_CANCELLED ? CLI_INTERRUPTED : CLI_ERROR;
        cli_fail_with(&error);
    }
    lens_fit_report_free(&report);
    lens_library_close(library);
    return status;
}

const cli_command cli_fit = {
    .name = "fit",
    .summary = "learn from your captions what words look like",
    .usage = "[options]",
    .details = "Words find pictures by their look through CLIP, or without it through a map from sentences to what the model sees. The built-in map\n"
               "was fitted on photos of everyday life; this fits one on your own captioned pictures beside them (memelens index --captions), says how\n"
               "well both find pictures that they were not fitted on, and keeps the new one if it is better. Captions should say what is to be\n"
               "seen: what is written in a meme teaches it nothing.",
    CLI_OPTIONS(options),
    .run = run,
};
