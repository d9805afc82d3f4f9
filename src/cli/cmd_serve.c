/* memelens serve */
#include <stdio.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "server/serve.h"

enum { UPLOAD_MOST = 4096, MEGAPIXELS_MOST = 100000 };

static const char *listen_at = "127.0.0.1:8080", *token_file, *languages;
static bool watch, ocr, no_auth, allow_urls, show_paths;
static cli_list hosts, origins, paths;
static long max_upload = 32, max_pixels = 100;

static const cli_option options[] = {
    {"listen", 0, CLI_TEXT, &listen_at, "ADDRESS:PORT", "where to listen (127.0.0.1:8080); :8080 is everywhere"},
    {"watch", 'w', CLI_FLAG, &watch, NULL, "watch the library's folders and index what changes in them"},
    {"ocr", 0, CLI_FLAG, &ocr, NULL, "read what is written in pictures: in those that were not read yet, and those that come"},
    {"ocr-lang", 0, CLI_TEXT, &languages, "LANG", "the languages to read, here or when the page asks for it: eng, or eng+deu (those read last, or eng)"},
    {"token-file", 0, CLI_TEXT, &token_file, "FILE", "who asks has to know the token in it"},
    {"no-auth", 0, CLI_FLAG, &no_auth, NULL, "listen beyond this machine without a token"},
    {"host", 0, CLI_LIST, &hosts, "NAME", "a name that this server goes by, as behind a proxy (may be given again)"},
    {"allow-origin", 0, CLI_LIST, &origins, "ORIGIN", "pages of ORIGIN, as https://page.example, may ask too (may be given again)"},
    {"allow-path", 0, CLI_LIST, &paths, "DIR", "requests may name files below DIR (may be given again)"},
    {"allow-urls", 0, CLI_FLAG, &allow_urls, NULL, "fetch pictures from public addresses that a query names"},
    {"show-paths", 0, CLI_FLAG, &show_paths, NULL, "tell paths of this machine also beyond it, or with --host"},
    {"max-upload", 0, CLI_COUNT, &max_upload, "MB", "the largest picture that is taken (32)"},
    {"max-megapixels", 0, CLI_COUNT, &max_pixels, "N", "the same in millions of pixels (100); larger ones of the library are shown and read up to that, too"},
};

static void say(void *context, const char *line)
{
    (void)context;
    cli_note("memelens: %s", line);
}

static int run(const cli_list *operands)
{
    lens_error error = {0};
    if (operands->count)
        return cli_fail("serve: \"%s\": serve takes no FOLDER; index it first, with `memelens index %s`", operands->items[0], operands->items[0]);
    if (max_upload > UPLOAD_MOST)
        return cli_fail("--max-upload %ld: at most %d MB", max_upload, UPLOAD_MOST);
    if (max_pixels > MEGAPIXELS_MOST)
        return cli_fail("--max-megapixels %ld: at most %d", max_pixels, MEGAPIXELS_MOST);
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    lens_serve_options serve = lens_serve_options_default();
    serve.library = lens_library_address(library);
    serve.listen = listen_at;
    serve.token_file = token_file;
    serve.watch = watch;
    serve.ocr = ocr;
    serve.ocr_languages = languages;
    serve.no_auth = no_auth;
    serve.hosts = (lens_serve_names){hosts.items, hosts.count};
    serve.origins = (lens_serve_names){origins.items, origins.count};
    serve.paths = (lens_serve_names){paths.items, paths.count};
    serve.allow_urls = allow_urls;
    serve.show_paths = show_paths;
    serve.max_upload = (uint64_t)max_upload << 20;
    serve.max_pixels = (uint64_t)max_pixels * 1000000;
    serve.say = say;
    serve.go_on = cli_go_on;
    cli_catch_interrupt();
    const int result = lens_serve(&serve, &error);
    lens_library_close(library);
    return result == 0 ? CLI_DONE : cli_fail_with(&error);
}

const cli_command cli_serve = {
    .name = "serve",
    .summary = "search in a browser, and by programs over HTTP",
    .usage = "[--listen 127.0.0.1:8080] [options]",
    .details = "Serves the library as a page and as an HTTP interface until it is interrupted. Models stay loaded, and what other runs index is found\n"
               "at once. Only this machine can reach it unless --listen says otherwise, and then a token is asked for:\n"
               "\n"
               "  memelens serve --watch --ocr\n"
               "  openssl rand -hex 16 | install -m 600 /dev/stdin token\n"
               "  memelens serve --listen :8080 --token-file token\n"
               "\n"
               "The interface is described at /openapi.json and in docs/SERVER.md.",
    CLI_OPTIONS(options),
    .run = run,
};
