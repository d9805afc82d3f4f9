/* Why a result came up, and what an encoder sees of a picture. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "server/asking.h"
#include "server/picture.h"
#include "server/server.h"

enum { SIDE = 336 }; /* pixels of each of the four pictures of an explanation */

static json_t *side_json(const lens_explained *explained)
{
    if (!explained->grid)
        return json_null();
    const size_t grid = (size_t)explained->grid;
    return json_pack("{sisosfsosf}", "grid", explained->grid, "parts", lens_json_rows(explained->parts, grid, grid), "rest", explained->rest, "window",
                     lens_json_numbers(explained->seen.window, 4), "seen_share", explained->seen.share);
}

/* Where what adds to the score lies, in a sentence. */
static json_t *sentence(const lens_explanation *why)
{
    double sum;
    const char *place = lens_explained_place(&why->picture, &sum);
    if (!place)
        return json_sprintf("No place in this picture adds to its score of %.3f.", why->score);
    return json_sprintf("Score %.3f. The best quarter of what the encoder saw gives %+.3f of it, mostly %s; it saw %.0f %% of the picture.",
                        why->score, sum, place, 100 * fmin(1, why->picture.seen.share));
}

/* The drawing as a data URI. NULL on failure. */
static json_t *drawing(const lens_explanation *why, lens_error *err)
{
    int width, height;
    void *bytes = NULL;
    size_t size = 0;
    json_t *data = NULL;
    uint8_t *rgb = lens_explanation_draw(why, SIDE, &width, &height, err);
    if (rgb && lens_jpeg(rgb, width, height, 88, &bytes, &size, err) == 0 && !(data = lens_json_data("image/jpeg", bytes, size)))
        lens_fail_memory(err);
    free(bytes);
    free(rgb);
    return data;
}

/* The term of the address: text, id or upload. 0, or -1 with an answer. */
static int read_asked(lens_exchange *exchange, lens_query *query)
{
    const char *text, *id, *upload;
    lens_error error = {0};
    int result;
    if (lens_parameter(exchange, "text", &text) != 0 || lens_parameter(exchange, "id", &id) != 0 || lens_parameter(exchange, "upload", &upload) != 0)
        return -1;
    if (!!text + !!id + !!upload != 1)
        return lens_answer_error(exchange, 400, "bad_request", "one of text, id and upload is what to explain it by");
    if (text)
        result = lens_query_add(query, LENS_ASKED_TEXT, text, NULL, 0, 0, 1, &error);
    else if (upload)
        result = lens_query_add(query, LENS_ASKED_UPLOAD, upload, NULL, 0, 0, 1, &error);
    else if (strspn(id, "0123456789") != strlen(id) || !*id || strlen(id) > 18)
        return lens_answer_error(exchange, 400, "bad_request", "id wants the number of a picture");
    else
        result = lens_query_add(query, LENS_ASKED_ID, NULL, NULL, 0, strtoll(id, NULL, 10), 1, &error);
    return result == 0 ? 0 : lens_answer_failure(exchange, &error);
}

/* A picture of the library becomes the file that it is; *PICTURE is to be freed. 0, or -1 with an answer. */
static int file_of(lens_exchange *exchange, int64_t id, lens_picture *picture, lens_term *term)
{
    if (lens_picture_find(exchange, id, picture) != 0)
        return -1;
    *term = (lens_term){.kind = LENS_TERM_FILE, .text = picture->path, .weight = 1};
    return 0;
}

/* The model that answers: the one named, or the library's first that can. *NAME is the caller's. 0, or -1 with an answer. */
static int choose_model(lens_exchange *exchange, bool words, char **name)
{
    const char *wanted;
    lens_error error = {0};
    lens_query query;
    if (lens_parameter(exchange, "model", &wanted) != 0)
        return -1;
    lens_query_init(&query);
    const int named = wanted ? lens_query_option(&query, "model", wanted, &error) : 1;
    lens_query_free(&query);
    if (named != 1)
        return lens_answer_failure(exchange, &error);
    if (lens_asked_model(exchange, wanted) != 0)
        return -1;
    *name = lens_library_model_name(exchange->library, wanted, words, &error);
    if (*name)
        return 0;
    error.code = error.code == LENS_E_MISSING ? LENS_E_UNSUPPORTED : error.code;
    return lens_answer_failure(exchange, &error);
}

static void answer_explanation(lens_exchange *exchange, const char *model, const lens_explanation *why)
{
    lens_error error = {0};
    json_t *image = drawing(why, &error);
    if (!image) {
        lens_answer_failure(exchange, &error);
        return;
    }
    json_t *object = side_json(&why->picture);
    json_object_set_new(object, "model", lens_path_or_name_json(exchange, model));
    json_object_set_new(object, "score", json_real(why->score));
    json_object_set_new(object, "method", json_string(why->method));
    json_object_set_new(object, "text", sentence(why));
    json_object_set_new(object, "query", side_json(&why->query));
    json_object_set_new(object, "image", image);
    lens_answer_json(exchange, 200, object);
}

void lens_api_explain(lens_exchange *exchange)
{
    lens_query query;
    lens_picture picture = {0}, other = {0};
    lens_term terms[2];
    lens_error error = {0};
    char *name = NULL;
    lens_query_init(&query);
    if (read_asked(exchange, &query) == 0 && lens_asked_term(exchange, &query.terms[0], &terms[0]) == 0 &&
        (terms[0].kind != LENS_TERM_ID || file_of(exchange, terms[0].id, &other, &terms[0]) == 0) &&
        file_of(exchange, exchange->id, &picture, &terms[1]) == 0) {
        const bool words = terms[0].kind == LENS_TERM_WORDS;
        if (choose_model(exchange, words, &name) == 0) {
            const bool sent = !words && !other.path; /* the query is no picture of the library */
            const uint64_t most = sent ? exchange->server->options.max_pixels : exchange->server->pixels_most;
            lens_explanation *why = lens_explain(exchange->library, name, &terms[0], &terms[1], most, &error);
            if (why)
                answer_explanation(exchange, name, why);
            else
                lens_answer_failure(exchange, &error);
            lens_explanation_free(why);
        }
    }
    free(name);
    lens_picture_free(&picture);
    lens_picture_free(&other);
    lens_query_free(&query);
}

static void answer_seen(lens_exchange *exchange, const lens_term *term, uint64_t most)
{
    lens_error error = {0};
    lens_seen seen = {0};
    char *name = NULL, share[32];
    void *bytes = NULL;
    size_t size = 0;
    if (choose_model(exchange, false, &name) != 0)
        return;
    if (lens_seen_by(name, term, most, &seen, &error) == 0 &&
        lens_png(seen.rgb, seen.side, seen.side, &bytes, &size, &error) == 0) {
        snprintf(share, sizeof share, "%.4f", seen.share);
        lens_answer_bytes(exchange, 200, "image/png", bytes, size);
        lens_answer_header(exchange, "X-Seen-Share", share);
        lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, "private, no-cache"); /* the address stays when the file changes */
    } else {
        lens_answer_failure(exchange, &error);
    }
    free(bytes);
    free(name);
    lens_seen_free(&seen);
}

void lens_api_seen(lens_exchange *exchange)
{
    lens_picture picture = {0};
    lens_term term;
    if (file_of(exchange, exchange->id, &picture, &term) == 0)
        answer_seen(exchange, &term, exchange->server->pixels_most);
    lens_picture_free(&picture);
}

void lens_api_upload_seen(lens_exchange *exchange)
{
    lens_asked asked = {.kind = LENS_ASKED_UPLOAD, .text = exchange->key, .weight = 1};
    lens_term term;
    if (lens_asked_term(exchange, &asked, &term) == 0)
        answer_seen(exchange, &term, exchange->server->options.max_pixels);
    lens_blob_release(asked.blob);
}
