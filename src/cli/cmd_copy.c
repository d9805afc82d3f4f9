/* memelens copy */
#include <stdio.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

static bool update, as_json;

static const cli_option options[] = {
    {"update", 0, CLI_FLAG, &update, NULL, "TO is an earlier copy: what FROM has no more, or has otherwise, goes from it"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "as one JSON object"},
};

static void print(const char *from, const char *to, const lens_copy_report *report)
{
    if (as_json) {
        json_t *object = json_pack("{sI sI sI sI ss sb sf}", "copied", (json_int_t)report->copied, "there", (json_int_t)report->there, "removed", (json_int_t)report->removed,
                                   "records", (json_int_t)report->same.records, "digest", report->same.digest, "changed_meanwhile", report->changed, "seconds", report->seconds);
        cli_json(object);
        return;
    }
    printf("%s records copied, %s were there", cli_count_text(report->copied), cli_count_text(report->there));
    if (report->removed)
        printf(", %s went", cli_count_text(report->removed));
    printf("; both hold the same %s (%s); %.1f s\n", cli_count_text(report->same.records), report->same.digest, report->seconds);
    if (report->changed)
        cli_note("%s was written to meanwhile, and %s is as it was in the beginning: `memelens copy --update` brings the rest", from, to);
}

static int run(const cli_list *operands)
{
    if (operands->count != 2)
        return cli_fail("copy: wants two libraries, the one to read and the one to make");
    lens_error error = {0};
    lens_copy_report report;
    const lens_copy_options copy = {.update = update, .event = cli_progress_copy};
    cli_catch_interrupt();
    const int result = lens_copy(operands->items[0], operands->items[1], &copy, &report, &error);
    cli_progress_end();
    if (result == 0) {
        print(operands->items[0], operands->items[1], &report);
        return CLI_DONE;
    }
    cli_fail_with(&error);
    return error.code == LENS_E_CANCELLED ? CLI_INTERRUPTED : CLI_ERROR;
}

const cli_command cli_copy = {
    .name = "copy",
    .summary = "copy a library into another folder or database",
    .usage = "[options] FROM TO",
    .details = "Folders or addresses of databases (postgresql://…), either way. All of it goes along, pictures with their ids and vectors to the last bit, and is compared\n"
               "in the end. FROM is only read, as it is when the copy begins. What was interrupted or killed goes on where it was; until then TO opens for nothing else.\n"
               "TO is empty, or holds nothing that FROM does not hold.",
    CLI_OPTIONS(options),
    .run = run,
};
