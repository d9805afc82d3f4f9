/* The page: the files of web/, built in. */
#include <stdio.h>
#include <string.h>

#include "base/built_in.h"
#include "base/hash.h"
#include "server/server.h"

LENS_BUILT_IN(lens_page_index, "web/index.html")
LENS_BUILT_IN(lens_page_style, "web/style.css")
LENS_BUILT_IN(lens_page_icon, "web/icon.svg")
LENS_BUILT_IN(lens_page_main, "web/js/main.js")
LENS_BUILT_IN(lens_page_api, "web/js/api.js")
LENS_BUILT_IN(lens_page_query, "web/js/query.js")
LENS_BUILT_IN(lens_page_make, "web/js/make.js")
LENS_BUILT_IN(lens_page_words, "web/js/words.js")
LENS_BUILT_IN(lens_page_grid, "web/js/grid.js")
LENS_BUILT_IN(lens_page_viewer, "web/js/viewer.js")
LENS_BUILT_IN(lens_page_library, "web/js/library.js")
LENS_BUILT_IN(lens_page_progress, "web/js/progress.js")

#define FILE_OF(path, type, name) {path, type, lens_page_##name##_begin, lens_page_##name##_end}
static const struct {
    const char *path, *type, *begin, *end;
} files[] = {
    FILE_OF("/", "text/html; charset=utf-8", index),
    FILE_OF("/style.css", "text/css; charset=utf-8", style),
    FILE_OF("/icon.svg", "image/svg+xml", icon),
    FILE_OF("/js/main.js", "text/javascript; charset=utf-8", main),
    FILE_OF("/js/api.js", "text/javascript; charset=utf-8", api),
    FILE_OF("/js/query.js", "text/javascript; charset=utf-8", query),
    FILE_OF("/js/make.js", "text/javascript; charset=utf-8", make),
    FILE_OF("/js/words.js", "text/javascript; charset=utf-8", words),
    FILE_OF("/js/grid.js", "text/javascript; charset=utf-8", grid),
    FILE_OF("/js/viewer.js", "text/javascript; charset=utf-8", viewer),
    FILE_OF("/js/library.js", "text/javascript; charset=utf-8", library),
    FILE_OF("/js/progress.js", "text/javascript; charset=utf-8", progress),
};

void lens_page_file(lens_exchange *exchange)
{
    const char *path = exchange->path;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        char key[17], etag[24];
        const size_t size = (size_t)(files[i].end - files[i].begin);
        const lens_hash hash = lens_hash_of(files[i].begin, size);
        lens_hash_hex(&hash, 8, key);
        snprintf(etag, sizeof etag, "\"%s\"", key);
        if (lens_answer_unchanged(exchange, etag, "no-cache"))
            return;
        lens_answer_bytes(exchange, 200, files[i].type, files[i].begin, size);
        lens_answer_header(exchange, MHD_HTTP_HEADER_ETAG, etag);
        lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
        return;
    }
    lens_answer_error(exchange, 404, "not_found", "there is nothing at this address");
}
