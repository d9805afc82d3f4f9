/* What there is: /api/status, /api/index, /healthz, and the description of all of it. */
#include <stdlib.h>
#include <string.h>

#include "base/built_in.h"
#include "base/file.h"
#include "base/json.h"
#include "server/picture.h"
#include "server/server.h"

enum { FAILURES_MOST = 500, SAMPLES = 6 };
LENS_BUILT_IN(lens_openapi, "src/server/openapi.json")

void lens_api_health(lens_exchange *exchange)
{
    lens_answer_bytes(exchange, 200, "text/plain; charset=utf-8", "ok\n", 3);
    lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
}

void lens_api_openapi(lens_exchange *exchange)
{
    lens_answer_bytes(exchange, 200, "application/json", lens_openapi_begin, (size_t)(lens_openapi_end - lens_openapi_begin));
}

static json_t *folders_json(const lens_exchange *exchange, const lens_status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->folder_count; i++)
        json_array_append_new(array, json_pack("{soso*sb}", "name", lens_name_json(status->folders[i]), "path",
                                               lens_path_json(exchange, status->folders[i]), "present", status->folder_present[i]));
    return array;
}

static json_t *models_json(const lens_exchange *exchange, const lens_status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->model_count; i++)
        json_array_append_new(array, json_pack("{sosisbsIsbso*}", "name", lens_path_or_name_json(exchange, status->models[i].name), "dim", status->models[i].dim,
                                               "present", status->models[i].present, "vectors", (json_int_t)status->models[i].vectors, "words",
                                               status->models[i].words, "approximate",
                                               status->models[i].approximate ? json_integer((json_int_t)status->models[i].approximate) : NULL));
    return array;
}

static json_t *failures_json(const lens_exchange *exchange, const lens_status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->failure_count && i < FAILURES_MOST; i++)
        json_array_append_new(array, json_pack("{soso*so}", "name", lens_name_json(status->failures[i].path), "path",
                                               lens_path_json(exchange, status->failures[i].path), "reason",
                                               lens_json_text(lens_answer_reason(exchange, status->failures[i].reason))));
    return array;
}

/* The ways in which words find pictures here. */
static json_t *by_json(const lens_status *status)
{
    json_t *array = json_array();
    bool looks = false;
    for (size_t i = 0; i < status->model_count; i++)
        looks |= status->models[i].words;
    const bool can[LENS_WAYS] = {looks, status->captions > 0 || status->with_text > 0, status->sentences > 0};
    for (int way = 0; way < LENS_WAYS; way++)
        if (can[way])
            json_array_append_new(array, json_string(lens_way_name(way)));
    return array;
}

/* Something to begin with: words where they find something, and pictures of the library. */
static json_t *samples_json(lens_exchange *exchange, const lens_status *status)
{
    static const char *const words[] = {"a cat", "someone laughing", "a dog outdoors", "food on a table"};
    json_t *array = json_array();
    int64_t ids[SAMPLES];
    bool knows = status->sentences > 0;
    for (size_t i = 0; i < status->model_count; i++)
        knows |= status->models[i].words;
    for (size_t i = 0; knows && i < sizeof words / sizeof *words; i++)
        json_array_append_new(array, json_pack("{ss}", "text", words[i]));
    const int count = lens_picture_some(exchange->library, ids, SAMPLES, NULL);
    for (int i = 0; i < count; i++) {
        lens_picture picture;
        if (lens_picture_get(exchange->library, ids[i], &picture, NULL) != 0)
            continue;
        json_array_append_new(array, lens_picture_json(exchange, &picture));
        lens_picture_free(&picture);
    }
    return array;
}

void lens_api_status(lens_exchange *exchange)
{
    lens_server *server = exchange->server;
    lens_error error = {0};
    lens_status *status = lens_status_get(exchange->library, &error);
    lens_status none = {0};
    if (!status && error.code != LENS_E_MISSING) {
        lens_answer_failure(exchange, &error);
        return;
    }
    const lens_status *from = status ? status : &none;
    bool told, timed;
    lens_indexer_watching(server->indexer, &told, &timed);
    json_t *forgotten = json_array();
    for (size_t i = 0; i < from->forgotten_count; i++)
        json_array_append_new(forgotten, lens_path_or_name_json(exchange, from->forgotten[i]));
    json_t *object = json_pack("{sssIsIsIsIsosbsbsbsbsb}", "version", lens_version(), "pictures", (json_int_t)from->pictures, "contents",
                               (json_int_t)from->contents, "failed", (json_int_t)from->failed, "bytes", (json_int_t)from->bytes, "indexing",
                               lens_indexer_state(server->indexer), "watching", told, "timed", timed, "may_add",
                               server->options.paths.count > 0, "urls", server->options.allow_urls, "paths", server->show_paths);
    json_object_set_new(object, "captions", json_integer((json_int_t)from->captions));
    json_object_set_new(object, "read", json_integer((json_int_t)from->read));
    json_object_set_new(object, "with_text", json_integer((json_int_t)from->with_text));
    json_object_set_new(object, "sentences", json_integer((json_int_t)from->sentences));
    json_object_set_new(object, "by", by_json(from));
    json_object_set_new(object, "folders", folders_json(exchange, from));
    json_object_set_new(object, "forgotten", forgotten);
    json_object_set_new(object, "models", models_json(exchange, from));
    json_object_set_new(object, "failures", failures_json(exchange, from));
    json_object_set_new(object, "failures_total", json_integer((json_int_t)from->failure_count));
    json_object_set_new(object, "samples", samples_json(exchange, from));
    lens_answer_json(exchange, 200, object);
    lens_status_free(status);
}

/* Whether *PATH_OF may be brought in, which is the caller's and is exchanged where the run is to be given another: a folder of the library may, and what lies below
 * one that was named for it, unless the owner left it out. Who names a path to an index run means it, so that what is hidden, excluded or forgotten would come in.
 * What becomes a root is named by where it is once links are followed: one of them could lead elsewhere in later runs. Where paths are not told, a guess at a
 * folder of the library is none that is answered. False with LENS_E_SILENT in ERR: its disk gives no answer; as with what else keeps that from being told. */
static bool may_index(lens_exchange *exchange, char **path_of, lens_error *err)
{
    const char *path = *path_of;
    lens_status *status = lens_status_get(exchange->library, err);
    bool may = false, shown;
    for (size_t i = 0; status && i < status->folder_count && !may && exchange->server->show_paths; i++)
        may = strcmp(path, status->folders[i]) == 0;
    lens_status_free(status);
    if (!status && err->code != LENS_E_MISSING)
        return false;
    *err = (lens_error){0};
    char *real = may ? NULL : lens_allowed_path(exchange->server, path, &shown, err);
    if (real) {
        const int place = lens_index_place(exchange->library, path, err), real_place = lens_index_place(exchange->library, real, err);
        may = place >= 0 && real_place >= 0 && place != LENS_PLACE_OUT && real_place != LENS_PLACE_OUT &&
              (shown || place == LENS_PLACE_IN || real_place == LENS_PLACE_IN);
        if (may && place != LENS_PLACE_IN) {
            free(*path_of);
            *path_of = real;
            real = NULL;
        }
    }
    free(real);
    return may;
}

void lens_api_index(lens_exchange *exchange)
{
    lens_error error = {0};
    json_t *object = exchange->body.size ? lens_json_parse(exchange->body.data, exchange->body.size, "the request", &error) : json_object();
    const json_t *path = json_object_get(object, "path"), *ocr = json_object_get(object, "ocr");
    const char *text = json_string_value(path);
    char *absolute = text && text[0] == '/' ? lens_path_absolute(text, NULL) : NULL;
    if (!object) {
        lens_answer_error(exchange, 400, "bad_request", "%s", error.message);
    } else if (!json_is_object(object) || json_object_size(object) > (size_t)(path != NULL) + (ocr != NULL) || (path && !absolute) || (ocr && !json_is_boolean(ocr))) {
        lens_answer_error(exchange, 400, "bad_request", "an index run wants {}, {\"path\": \"/a/folder\"} or {\"ocr\": true}");
    } else if (absolute && !may_index(exchange, &absolute, &error)) {
        if (error.code != LENS_E_NONE && error.code != LENS_E_MISSING)
            lens_answer_failure(exchange, &error);
        else
            lens_answer_error(exchange, 403, "forbidden", "that folder is not one of the library's: see --allow-path");
    } else {
        const int64_t number = lens_indexer_begin(exchange->server->indexer, absolute, json_is_true(ocr));
        if (number)
            lens_answer_json(exchange, 202, json_pack("{sI}", "run", (json_int_t)number));
        else
            lens_answer_error(exchange, 409, "conflict", "an index run is under way");
    }
    free(absolute);
    json_decref(object);
}
