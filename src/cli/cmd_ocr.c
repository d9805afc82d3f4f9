/* memelens ocr */
#include "cli/command.h"
#include "cli/indexing.h"

static const char *languages;
static long threads, megapixels;
static bool as_json;

static const cli_option options[] = {
    {"ocr-lang", 0, CLI_TEXT, &languages, "LANG", "the languages to read: eng, or eng+deu (those read last, or eng)"},
    {"threads", 't', CLI_COUNT, &threads, "N", "use N processors instead of all that it may use"},
    {"max-megapixels", 0, CLI_COUNT, &megapixels, "N", "pass by larger pictures (100)"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "end with one JSON object"},
};

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("ocr: reads all pictures of the library, and takes no paths; see --help");
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    const int status = cli_run_reading(library, languages, (int)threads, megapixels, as_json);
    lens_library_close(library);
    return status;
}

const cli_command cli_ocr = {
    .name = "ocr",
    .summary = "read what is written in the pictures, so that words find it",
    .usage = "[options]",
    .details = "Reads every picture of the library that was not read yet, with tesseract (Debian's packages tesseract-ocr and\n"
               "tesseract-ocr-eng; other languages are packages too). Index runs and searches go on meanwhile. What was read is kept every\n"
               "second: Ctrl-C and even kill -9 lose no more than that, and the same command goes on from there. With other languages,\n"
               "or a newer tesseract, pictures are read again.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
