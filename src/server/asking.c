#include "server/asking.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"

static const double fetch_seconds = 10, fetches_seconds = 20; /* for one address, for all that a request names */

/* Bytes that what a request names may still have. */
static size_t room(const lens_exchange *exchange)
{
    const size_t left = exchange->body_most - exchange->held, most = (size_t)exchange->server->options.max_upload;
    return left < most ? left : most;
}

/* ASKED's bytes, which were just gathered, are counted: 0, or they are freed and -1 with an answer. */
static int hold(lens_exchange *exchange, lens_asked *asked)
{
    if (lens_daemon_hold(exchange, asked->size))
        return 0;
    free(asked->bytes);
    asked->bytes = NULL;
    asked->size = 0;
    return lens_answer_error(exchange, 503, "unavailable", "too much is asked for at once: please try again");
}

static int too_large(lens_exchange *exchange)
{
    return lens_answer_error(exchange, 413, "too_large", "a picture may have %llu bytes, and all that a request names %zu",
                             (unsigned long long)exchange->server->options.max_upload, exchange->body_most);
}

static int fetch(lens_exchange *exchange, lens_asked *asked)
{
    const lens_serve_options *options = &exchange->server->options;
    if (!options->allow_urls)
        return lens_answer_error(exchange, 403, "forbidden", "this server fetches no addresses: see --allow-urls");
    if (!exchange->slow)
        return -1;
    lens_fetch_options limits = lens_fetch_options_default();
    lens_error error = {0};
    const double now = lens_seconds();
    if (exchange->until <= 0)
        exchange->until = now + fetches_seconds;
    if (now >= exchange->until)
        return lens_answer_error(exchange, 422, "unprocessable", "fetching what the request names takes too long");
    limits.max_bytes = room(exchange);
    limits.seconds = exchange->until - now < fetch_seconds ? exchange->until - now : fetch_seconds;
    limits.allow_private = false;
    if (lens_fetch_picture(asked->text, &limits, &asked->bytes, &asked->size, &error) == 0)
        return hold(exchange, asked);
    if (error.code == LENS_E_LIMIT)
        return too_large(exchange);
    return error.code == LENS_E_MEMORY ? lens_answer_failure(exchange, &error) : lens_answer_error(exchange, 422, "unprocessable", "%s", error.message);
}

/* A file that the request names. */
static int read_file(lens_exchange *exchange, lens_asked *asked)
{
    lens_buffer bytes = {0};
    lens_error error = {0};
    bool shown;
    char *real = lens_allowed_path(exchange->server, asked->text, &shown, &error);
    int result = -1;
    if (!real && error.code == LENS_E_MISSING) /* the same words whether there is such a file or not */
        lens_answer_error(exchange, 403, "forbidden", "this server reads no such files: see --allow-path");
    else if (real && lens_file_read(real, room(exchange), &bytes, &error) == 0)
        result = 0;
    else if (error.code == LENS_E_LIMIT)
        too_large(exchange);
    else if (error.code == LENS_E_MEMORY || error.code == LENS_E_CANCELLED)
        lens_answer_failure(exchange, &error);
    else if (error.code == LENS_E_SILENT)
        lens_answer_error(exchange, 503, "unavailable", "the disk with that file gives no answer");
    else
        lens_answer_error(exchange, 422, "unprocessable", "the file cannot be read");
    free(real);
    asked->bytes = bytes.data;
    asked->size = bytes.size;
    return result == 0 ? hold(exchange, asked) : -1;
}

int lens_asked_term(lens_exchange *exchange, lens_asked *asked, lens_term *term)
{
    lens_server *server = exchange->server;
    *term = (lens_term){.kind = LENS_TERM_BYTES, .weight = asked->weight};
    switch (asked->kind) {
    case LENS_ASKED_TEXT:
        term->kind = LENS_TERM_WORDS;
        term->text = asked->text;
        return 0;
    case LENS_ASKED_ID:
        term->kind = LENS_TERM_ID;
        term->id = asked->id;
        return 0;
    case LENS_ASKED_UPLOAD:
        if (!asked->blob && !(asked->blob = lens_cache_get(server->uploads, asked->text)))
            return lens_answer_error(exchange, 404, "upload_gone", "this picture is no longer held here: please give it again");
        term->bytes = asked->blob->bytes;
        term->size = asked->blob->size;
        return 0;
    case LENS_ASKED_URL:
        if (fetch(exchange, asked) != 0)
            return -1;
        break;
    case LENS_ASKED_FILE:
        if (read_file(exchange, asked) != 0)
            return -1;
        break;
    case LENS_ASKED_IMAGE:
        break;
    }
    if (asked->size > server->options.max_upload)
        return lens_answer_error(exchange, 413, "too_large", "a picture may have %llu bytes", (unsigned long long)server->options.max_upload);
    term->bytes = asked->bytes;
    term->size = asked->size;
    return 0;
}

int lens_asked_model(lens_exchange *exchange, const char *model)
{
    const bool may_be = !model || *model != '/' || exchange->server->show_paths;
    return may_be ? 0 : lens_answer_error(exchange, 400, "bad_request", "model wants the name of a model");
}

lens_results *lens_asking(lens_exchange *exchange, lens_query *query, lens_error *err)
{
    lens_term terms[LENS_QUERY_TERMS];
    if (lens_asked_model(exchange, query->model) != 0) /* before a picture is fetched */
        return NULL;
    for (size_t i = 0; i < query->count; i++)
        if (lens_asked_term(exchange, &query->terms[i], &terms[i]) != 0)
            return NULL;
    query->options.max_pixels = exchange->server->options.max_pixels;
    lens_results *results = lens_search(exchange->library, terms, query->count, &query->options, err);
    /* A library or a model that is not there is no fault of the address: what is missing is what could answer. */
    if (!results && err->code == LENS_E_MISSING) {
        bool id = false;
        for (size_t i = 0; i < query->count; i++)
            id |= query->terms[i].kind == LENS_ASKED_ID && strncmp(err->message, "id:", 3) == 0;
        if (!id)
            err->code = LENS_E_UNSUPPORTED;
    }
    return results;
}
