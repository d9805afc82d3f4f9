/* memelens index */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/indexing.h"

static cli_list models, exclude, captions;
static const char *caption_columns, *languages;
static const char *precision = "auto";
static long threads, megapixels, lease;
static bool include_hidden, read_too, approximate, no_approximate, as_json;

static const cli_option options[] = {
    {"model", 'm', CLI_LIST, &models, "NAME", "encode with this model (may be given again); else with those of the library"},
    {"threads", 't', CLI_COUNT, &threads, "N", "use N processors instead of all that it may use"},
    {"precision", 0, CLI_TEXT, &precision, "P", "auto, f32, bf16 or int8"},
    {"exclude", 'x', CLI_LIST, &exclude, "GLOB", "leave out names or paths below the folder that match (may be given again)"},
    {"include-hidden", 0, CLI_FLAG, &include_hidden, NULL, "also what begins with a dot"},
    {"max-megapixels", 0, CLI_COUNT, &megapixels, "N", "refuse larger pictures (100)"},
    {"captions", 0, CLI_LIST, &captions, "FILE", "take in the captions of FILE: TSV, CSV or JSON (may be given again)"},
    {"caption-columns", 0, CLI_TEXT, &caption_columns, "FILE,TEXT", "the columns of the file's name and of the text, where they are not found by themselves"},
    {"ocr", 0, CLI_FLAG, &read_too, NULL, "then read what is written in the pictures, as `memelens ocr` does"},
    {"ocr-lang", 0, CLI_TEXT, &languages, "LANG", "in these languages: eng, or eng+deu (those read last, or eng)"},
    {"approximate", 0, CLI_FLAG, &approximate, NULL, "make an approximate index for searches of very many pictures, and keep it up to date from now on"},
    {"no-approximate", 0, CLI_FLAG, &no_approximate, NULL, "remove it, and make none any more"},
    {"lease", 0, CLI_COUNT, &lease, "SECONDS", "in a database: without a word from this run for so long, others take up what it has in hand (10)"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "end with one JSON object, and with --ocr another one about the reading"},
};

static int run(const cli_list *operands)
{
    if (languages && !read_too)
        return cli_fail("--ocr-lang %s: reads nothing without --ocr", languages);
    if (caption_columns && !captions.count)
        return cli_fail("--caption-columns %s: are of no file without --captions", caption_columns);
    if (approximate && no_approximate)
        return cli_fail("--approximate and --no-approximate: one of them");
    lens_index_options index = lens_index_options_default();
    index.approximate = approximate - no_approximate;
    index.paths = operands->items;
    index.path_count = operands->count;
    index.models = models.items;
    index.model_count = models.count;
    index.precision = precision;
    index.threads = (int)threads;
    index.exclude = exclude.items;
    index.exclude_count = exclude.count;
    index.include_hidden = include_hidden;
    index.captions = captions.items;
    index.caption_count = captions.count;
    char *columns = caption_columns ? strdup(caption_columns) : NULL, *comma = columns ? strchr(columns, ',') : NULL;
    if (caption_columns && (!comma || comma == columns || !comma[1]))
        return free(columns), cli_fail("--caption-columns %s: expected two names or numbers: file,caption", caption_columns);
    if (comma) {
        *comma = '\0';
        index.caption_file = columns;
        index.caption_text = comma + 1;
    }
    if (lease)
        index.lease = (double)lease;
    if (megapixels)
        index.max_pixels = (uint64_t)megapixels * 1000000;
    lens_library *library = cli_open_library();
    if (!library)
        return free(columns), CLI_ERROR;
    lens_index_report report;
    int status = cli_run_index(library, &index, &report);
    if (status != CLI_ERROR && as_json)
        cli_json(json_pack("{sI sI sI sI sI sI sf sf sI}", "indexed", (json_int_t)report.indexed, "unchanged", (json_int_t)report.unchanged,
                           "moved", (json_int_t)report.moved, "removed", (json_int_t)report.removed, "failed",
                           (json_int_t)report.failed, "captions", (json_int_t)report.captions, "seconds", report.seconds, "pictures_per_second", report.pictures_per_second,
                           "library_bytes", (json_int_t)report.library_bytes));
    if (status == CLI_DONE && read_too)
        status = cli_run_reading(library, languages, (int)threads, megapixels, as_json);
    lens_library_close(library);
    free(columns);
    return status;
}

const cli_command cli_index = {
    .name = "index",
    .summary = "bring folders of pictures in, or up to date",
    .usage = "[PATH...] [options]",
    .details = "Without PATH, every folder that was indexed before is brought up to date. What is unchanged is not read\n"
               "again; a moved picture is recognised. A picture that cannot be read is named and the rest goes on;\n"
               "`memelens status --failed` lists them later, but for those that only some of the models cannot have, which each run tells.\n"
               "A folder that is not there (an unmounted disk) loses nothing.\n"
               "Exclusions and --include-hidden are kept with the folder; naming it with others replaces them. What lies below goes by them.\n"
               "Captions may also lie beside a picture (picture.jpg.txt, .json, .xmp) or in it (XMP, IPTC, EXIF): they are found by themselves, and\n"
               "so is what changes in them later. A name in a file of captions is a path, from that file on, or the file's name.\n"
               "--approximate is for libraries of hundreds of thousands of pictures: searches then look at a small part of them, and miss one in a hundred of\n"
               "the results or so; `memelens check --recall` says how many, `memelens search --exact` looks at all.\n"
               "Ctrl-C keeps what is done; the same command goes on from there.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
