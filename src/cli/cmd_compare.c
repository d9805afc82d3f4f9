/* memelens compare */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "compare/compare.h"

static cli_list pictures, models;
static const char *labels, *report, *precision = "auto", *work;
static long threads, sample, seed = 42, top = 3;
static bool as_json, as_markdown, fresh;

static const cli_option options[] = {
    {"pictures", 'p', CLI_LIST, &pictures, "DIR", "the pictures to search in (may be given again); else the library's folders"},
    {"labels", 'l', CLI_TEXT, &labels, "TSV", "what each is: columns file and template; else folders' or files' names"},
    {"model", 'm', CLI_LIST, &models, "NAME", "a model, perhaps with @PREP (may be given again); else the default one, and colour"},
    {"output", 'o', CLI_TEXT, &report, "HTML", "write the report, one page with all its pictures"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "everything as one JSON object"},
    {"markdown", 0, CLI_FLAG, &as_markdown, NULL, "everything as Markdown"},
    {"top", 0, CLI_COUNT, &top, "N", "show N results of each model (3)"},
    {"sample", 0, CLI_COUNT, &sample, "N", "take only N of the pictures, drawn by lot"},
    {"seed", 0, CLI_COUNT, &seed, "S", "which lot: the same S draws the same (42)"},
    {"precision", 0, CLI_TEXT, &precision, "P", "auto, f32, bf16 or int8"},
    {"threads", 't', CLI_COUNT, &threads, "N", "index with N processors instead of all that it may use"},
    {"work", 0, CLI_TEXT, &work, "DIR", "keep what is done in DIR; else in memelens/compare below $XDG_CACHE_HOME or ~/.cache"},
    {"fresh", 0, CLI_FLAG, &fresh, NULL, "begin anew: forget what is kept of these models"},
};

static bool tell(void *context, const char *step, const lens_index_event *event, size_t done, size_t total)
{
    (void)context;
    if (cli_interrupted())
        cli_progress_end();
    if (event)
        return cli_progress_event(NULL, event);
    if (step) {
        cli_progress_end();
        cli_note("%s", step);
    } else if (total) {
        cli_progress_queries(done, total);
    }
    return !cli_interrupted();
}

/* The words of the command line, as a person would type them again. */
static char *command_line(const cli_list *operands)
{
    lens_buffer line = {0};
    const struct {
        const char *name;
        const cli_list *values;
    } lists[] = {{"--pictures", &pictures}, {"--model", &models}};
    const struct {
        const char *name, *value;
    } texts[] = {{"--labels", labels}, {"--precision", strcmp(precision, "auto") ? precision : NULL}};
    lens_buffer_print(&line, "memelens compare %s", operands->items[0]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t j = 0; j < lists[i].values->count; j++)
            lens_buffer_print(&line, " %s %s", lists[i].name, lists[i].values->items[j]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value)
            lens_buffer_print(&line, " %s %s", texts[i].name, texts[i].value);
    if (sample)
        lens_buffer_print(&line, " --sample %ld", sample);
    lens_buffer_print(&line, " --seed %ld --top %ld", seed, top);
    return line.data;
}

static int put(const json_t *found)
{
    lens_buffer text = {0};
    if (as_json) {
        cli_json(lens_compare_plain(found));
        return CLI_DONE;
    }
    const bool done = lens_compare_markdown(found, as_markdown, &text) == 0;
    for (char *line = text.data, *end; done && line && (end = strchr(line, '\n')); line = end + 1) { /* labels are names of folders, which may hold anything */
        *end = '\0';
        cli_put_path(line);
        putchar('\n');
    }
    lens_buffer_free(&text);
    return done ? CLI_DONE : cli_fail("not enough memory");
}

static int compare(const lens_compare_options *compare_options)
{
    lens_error error = {0};
    cli_catch_interrupt();
    json_t *found = lens_compare(compare_options, &error);
    cli_progress_end();
    if (!found && error.code == LENS_E_CANCELLED) {
        cli_note("interrupted: what is done is kept; the same command goes on from there");
        return CLI_INTERRUPTED;
    }
    if (!found)
        return cli_fail_with(&error);
    size_t i;
    const json_t *note;
    json_array_foreach(json_object_get(found, "notes"), i, note)
        cli_note("memelens: %s", json_string_value(note));
    int status = put(found);
    if (report && lens_compare_report(found, report, &error) != 0)
        status = cli_fail_with(&error);
    else if (report)
        cli_note("report: %s", report);
    else if (!as_json && !as_markdown)
        cli_note("with -o report.html all of it comes as a page, query by query, with pictures");
    json_decref(found);
    return status;
}

/* The folders that the library knows, when none is named. */
static int own_folders(lens_status **status)
{
    lens_error error = {0};
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    *status = lens_status_get(library, &error);
    lens_library_close(library);
    if (!*status)
        return cli_fail("compare: in which pictures? --pictures DIR (%s)", error.message);
    if ((*status)->folder_count == 0)
        return cli_fail("compare: in which pictures? --pictures DIR");
    return CLI_DONE;
}

static int run(const cli_list *operands)
{
    static const char *const usual[] = {"efficientnet-lite0", "colour"};
    if (operands->count != 1)
        return cli_fail("compare: which queries? `memelens compare QUERIES.tsv --pictures DIR`; see --help");
    if (as_json && as_markdown)
        return cli_fail("--json and --markdown: one of them");
    if (cli_spare(report, operands->items[0]) != CLI_DONE || cli_spare(report, labels) != CLI_DONE)
        return CLI_ERROR;
    lens_status *status = NULL;
    if (pictures.count == 0 && own_folders(&status) != CLI_DONE) {
        lens_status_free(status);
        return CLI_ERROR;
    }
    lens_compare_options all = lens_compare_options_default();
    char *command = command_line(operands);
    all.queries = operands->items[0];
    all.labels = labels;
    all.pictures = status ? (const char *const *)status->folders : pictures.items;
    all.picture_count = status ? status->folder_count : pictures.count;
    all.models = models.count ? models.items : usual;
    all.model_count = models.count ? models.count : sizeof usual / sizeof *usual;
    all.precision = precision;
    all.threads = (int)threads;
    all.sample = (uint64_t)sample;
    all.seed = (uint64_t)seed;
    all.top = (size_t)top;
    all.work = work;
    all.fresh = fresh;
    all.command = command ? command : "";
    all.tell = tell;
    int result = top > 100 ? cli_fail("--top %ld: at most 100", top) : compare(&all);
    free(command);
    lens_status_free(status);
    return result;
}

const cli_command cli_compare = {
    .name = "compare",
    .summary = "say which encoder serves your pictures best, and why",
    .usage = "QUERIES.tsv [--pictures DIR]... [--labels LABELS.tsv] --model A --model B [-o report.html]",
    .details = "QUERIES.tsv is a table with tabs between its columns: `query` (a picture, relative to the table, or words), `expected` (the\n"
               "label it should find; any of several with ;), perhaps `related` (kindred labels that are not it), and what you like.\n"
               "Labels come from LABELS.tsv (`file`, `template`), else from the names of folders, else of files. Each model indexes the\n"
               "pictures, is timed and asked every query. NAME@PREP is a model with another preparation (@crop, @squash, @64, @jina96);\n"
               "`colour` is no network at all, but a picture's colours on a grid: what a network must beat.\n"
               "Ctrl-C keeps what is done; the same command goes on from there.",
    CLI_OPTIONS(options),
    .run = run,
};
