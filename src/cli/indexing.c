#include "cli/indexing.h"

#include "base/buffer.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/say.h"

static void append(lens_buffer *line, int64_t count, const char *word)
{
    if (count)
        lens_buffer_print(line, "%s%s %s", line->size ? ", " : "", cli_count_text(count), word);
}

static void summarise(const lens_index_report *report)
{
    lens_buffer line = {0};
    append(&line, report->indexed, "indexed");
    append(&line, report->unchanged, "unchanged");
    append(&line, report->moved, "moved");
    append(&line, report->removed, "removed");
    append(&line, report->failed, "failed (memelens status --failed)");
    append(&line, report->captions, "captions new or changed");
    if (!line.size)
        lens_buffer_print(&line, "no pictures");
    lens_buffer_print(&line, " in %.1f s", report->seconds);
    if (report->indexed)
        lens_buffer_print(&line, " (%.0f pictures/s)", report->pictures_per_second);
    if (report->library_bytes)
        lens_buffer_print(&line, "; library %s", cli_bytes_text(report->library_bytes));
    cli_note("%s", line.data ? line.data : "");
    lens_buffer_free(&line);
}

int cli_run_index(lens_library *library, lens_index_options *options, lens_index_report *report)
{
    lens_error error = {0};
    options->event = cli_progress_event;
    cli_catch_interrupt();
    int result = lens_index(library, options, report, &error);
    cli_progress_end();
    if (result != 0) {
        cli_fail_with(&error);
        if (report->indexed)
            cli_note("%s pictures of this run are kept; the same command goes on from there", cli_count_text(report->indexed));
        return CLI_ERROR;
    }
    summarise(report);
    if (!report->stopped)
        return CLI_DONE;
    cli_note("interrupted: all of that is kept; the same command goes on from there");
    return CLI_INTERRUPTED;
}

int cli_run_reading(lens_library *library, const char *languages, int threads, long megapixels, bool as_json)
{
    lens_error error = {0};
    lens_read_options options = lens_read_options_default();
    lens_read_report report;
    options.languages = languages;
    options.threads = threads;
    if (megapixels)
        options.max_pixels = (uint64_t)megapixels * 1000000;
    options.event = cli_progress_event;
    cli_catch_interrupt();
    const int result = lens_read(library, &options, &report, &error);
    cli_progress_end();
    if (result != 0)
        cli_fail_with(&error);
    if (report.read || result == 0) {
        lens_buffer line = {0};
        append(&line, report.read, "pictures read");
        append(&line, report.with_text, "with text in them");
        append(&line, report.failed, "passed by, as their files have changed, are larger than --max-megapixels or cannot be read");
        append(&line, report.absent, "not there now");
        if (!line.size)
            lens_buffer_print(&line, "nothing that was not read before");
        cli_note("%s in %.1f s%s", line.data ? line.data : "", report.seconds,
                 result != 0 || report.stopped ? "; all of that is kept, and the same command goes on from there" : "");
        lens_buffer_free(&line);
    }
    if (result == 0 && as_json)
        cli_json(json_pack("{sI sI sI sI sf}", "read", (json_int_t)report.read, "with_text", (json_int_t)report.with_text, "failed", (json_int_t)report.failed,
                           "absent", (json_int_t)report.absent, "seconds", report.seconds));
    return result != 0 ? CLI_ERROR : report.stopped ? CLI_INTERRUPTED : CLI_DONE;
}
