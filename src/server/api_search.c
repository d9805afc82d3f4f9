/* Searching: /api/search and /api/pictures/ID/similar. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "server/asking.h"
#include "server/form.h"
#include "server/picture.h"
#include "server/server.h"

static json_t *describe(const lens_asked *asked)
{
    char label[64];
    static const char *const kinds[] = {"text", "image", "id", "image", "image", "image"};
    snprintf(label, sizeof label, asked->kind == LENS_ASKED_ID ? "picture %lld" : "a picture", (long long)asked->id);
    return json_pack("{sssfss}", "kind", kinds[asked->kind], "weight", asked->weight, "label", asked->kind == LENS_ASKED_TEXT ? asked->text : label);
}

/* The ways of BY, a sum of LENS_BY_LOOK, … */
static json_t *by_json(int by)
{
    json_t *array = json_array();
    for (int way = 0; way < LENS_WAYS; way++)
        if (by & 1 << way)
            json_array_append_new(array, json_string(lens_way_name(way)));
    return array;
}

/* Where each way of finding has a result. */
static json_t *found_json(const lens_result *result)
{
    json_t *object = json_object();
    for (int way = 0; way < LENS_WAYS; way++)
        if (result->found[way].rank)
            json_object_set_new(object, lens_way_name(way),
                                json_pack("{sIsf}", "rank", (json_int_t)result->found[way].rank, "score", result->found[way].score));
    return object;
}

static json_t *result_json(const lens_exchange *exchange, const lens_query *query, const lens_result *result, size_t term_count)
{
    const lens_picture picture = {result->id,     result->path,   result->bytes, result->modified,
                                  result->width,  result->height, result->format, NULL};
    json_t *object = lens_picture_json(exchange, &picture);
    json_object_set_new(object, "score", json_real(result->score));
    json_object_set_new(object, "stands_for", json_integer(result->stands_for));
    json_t *shares = json_array();
    for (size_t t = 0; t < term_count; t++)
        json_array_append_new(shares, json_pack("{sfsf}", "cosine", result->terms[t].cosine, "share", result->terms[t].share));
    json_object_set_new(object, "terms", shares);
    bool words = false;
    for (size_t t = 0; t < query->count; t++)
        words |= query->terms[t].kind == LENS_ASKED_TEXT;
    if (words)
        json_object_set_new(object, "found_by", found_json(result));
    if (words && result->snippet)
        json_object_set_new(object, "snippet", json_string(result->snippet));
    return object;
}

/* Asks what QUERY says and answers. */
static void ask(lens_exchange *exchange, lens_query *query)
{
    lens_error error = {0};
    const double begun = lens_seconds();
    query->options.path_below = !exchange->server->show_paths;
    lens_results *results = lens_asking(exchange, query, &error);
    if (!results) {
        if (!exchange->response && error.code != LENS_E_NONE)
            lens_answer_failure(exchange, &error);
        return;
    }
    json_t *terms = json_array(), *items = json_array();
    for (size_t i = 0; i < query->count; i++)
        json_array_append_new(terms, describe(&query->terms[i]));
    for (size_t i = 0; i < results->count; i++)
        json_array_append_new(items, result_json(exchange, query, &results->items[i], results->term_count));
    lens_answer_json(exchange, 200,
                     json_pack("{sosfsIsIsbsbsososo}", "model", lens_path_or_name_json(exchange, results->model), "seconds",
                               lens_seconds() - begun, "compared", (json_int_t)results->compared, "offset", (json_int_t)query->options.offset, "more",
                               results->more, "approximate", results->approximate, "by", by_json(results->by), "terms", terms, "results", items));
    lens_results_free(results);
}

typedef struct option {
    lens_exchange *exchange;
    lens_query *query;
    const char *name;
} option;

static int take_option(void *context, const char *value)
{
    const option *self = context;
    lens_error error = {0};
    return lens_query_option(self->query, self->name, value, &error) == 1 ? 0 : lens_answer_failure(self->exchange, &error);
}

/* The options that the address itself carries, and nothing else but ALSO: a filter that is misspelt would let all in. 0 or -1 with an answer. */
static int take_options(lens_exchange *exchange, lens_query *query, const char *also)
{
    if (lens_parameters_known(exchange, lens_query_options, also) != 0)
        return -1;
    for (size_t i = 0; lens_query_options[i]; i++) {
        option one = {exchange, query, lens_query_options[i]};
        if (lens_parameter_each(exchange, one.name, take_option, &one) != 0)
            return -1;
    }
    return 0;
}

void lens_api_search_get(lens_exchange *exchange)
{
    lens_query query;
    lens_error error = {0};
    const char *text;
    lens_query_init(&query);
    if (lens_parameter(exchange, "text", &text) == 0 && take_options(exchange, &query, "text") == 0) {
        if (!text)
            lens_answer_error(exchange, 400, "bad_request", "text is missing: /api/search?text=a+cat");
        else if (lens_query_add(&query, LENS_ASKED_TEXT, text, NULL, 0, 0, 1, &error) != 0)
            lens_answer_failure(exchange, &error);
        else
            ask(exchange, &query);
    }
    lens_query_free(&query);
}

void lens_api_similar(lens_exchange *exchange)
{
    lens_query query;
    lens_query_init(&query);
    query.options.leave_out_terms = true;
    if (take_options(exchange, &query, NULL) == 0) {
        lens_query_add(&query, LENS_ASKED_ID, NULL, NULL, 0, exchange->id, 1, NULL);
        ask(exchange, &query);
    }
    lens_query_free(&query);
}

/* `curl -d '{...}'` calls JSON a form of another kind. */
static bool is_what_curl_sends(const lens_exchange *exchange, const char *type)
{
    const lens_buffer *body = &exchange->body;
    size_t at = 0;
    while (at < body->size && memchr(" \t\r\n", body->data[at], 4))
        at++;
    return at < body->size && body->data[at] == '{' && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
}

void lens_api_search_post(lens_exchange *exchange)
{
    lens_query query;
    lens_error error = {0};
    const char *type = lens_request_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    lens_query_init(&query);
    int result;
    if (lens_parameters_known(exchange, NULL, NULL) != 0) { /* all that is asked is in the body */
        result = -1;
    } else if (type && strncasecmp(type, "multipart/form-data", 19) == 0) {
        result = lens_query_form(exchange, &query, &error);
    } else if (!type || strncasecmp(type, "application/json", 16) == 0 || is_what_curl_sends(exchange, type)) {
        result = lens_query_json(&query, exchange->body.data ? exchange->body.data : "", exchange->body.size, &error);
    } else {
        result = lens_answer_error(exchange, 415, "unsupported_type", "a query is application/json or multipart/form-data");
    }
    if (result == 0)
        ask(exchange, &query);
    else if (!exchange->response)
        lens_answer_failure(exchange, &error);
    lens_query_free(&query);
}
