/* POST /search, as the gateway of the meme search answered it that this project follows (Jina 2, September 2021): what its client sends, and what
 * it reads of the answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/asking.h"
#include "server/picture.h"
#include "server/server.h"

/* The address of picture ID's file as the client's own machine can ask for it: by the name under which it asked us. */
static json_t *match(const lens_exchange *exchange, const lens_result *result)
{
    char id[32], address[512];
    const char *host = lens_request_header(exchange, MHD_HTTP_HEADER_HOST); /* was checked */
    snprintf(id, sizeof id, "%lld", (long long)result->id);
    const char *scheme = lens_guard_scheme(exchange);
    snprintf(address, sizeof address, "%s://%s/api/pictures/%s/file", scheme, host, id);
    /* Its client puts "http:" before image_url. */
    return json_pack("{sssss{ssssssso}s{s{sf}}}", "id", id, "uri", address, "tags", "uri", address, "uri_absolute", address, "image_url",
                     address + strlen(scheme) + 1, "name", lens_name_json(result->path), "scores", "cosine", "value", result->score);
}

void lens_jina_search(lens_exchange *exchange)
{
    lens_query query;
    lens_error error = {0};
    json_t *docs = json_array();
    lens_query_init(&query);
    int result = lens_query_jina(&query, exchange->body.data ? exchange->body.data : "", exchange->body.size, &error);
    for (size_t i = 0; result == 0 && i < query.count; i++) { /* every document is a query of its own */
        lens_query one = {.terms = {query.terms[i]}, .count = 1, .options = query.options};
        lens_results *results = lens_asking(exchange, &one, &error);
        query.terms[i] = one.terms[0];
        free(query.terms[i].bytes); /* what was fetched for it too: the next one may take as much */
        query.terms[i].bytes = NULL;
        lens_daemon_release(exchange);
        if (!results) {
            result = -1;
            break;
        }
        json_t *matches = json_array();
        for (size_t r = 0; r < results->count; r++)
            json_array_append_new(matches, match(exchange, &results->items[r]));
        lens_results_free(results);
        const lens_asked *asked = &query.terms[i];
        json_array_append_new(docs, json_pack("{ss*so}", "text", asked->kind == LENS_ASKED_TEXT ? asked->text : NULL, "matches", matches));
    }
    if (result == 0)
        lens_answer_json(exchange, 200, json_pack("{s{sO}}", "data", "docs", docs));
    else if (!exchange->response && error.code != LENS_E_NONE)
        lens_answer_failure(exchange, &error);
    json_decref(docs);
    lens_query_free(&query);
}
