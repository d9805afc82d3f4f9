#include "server/picture.h"

#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

json_t *lens_name_json(const char *path)
{
    const char *name = lens_path_name(path);
    return lens_json_text(*name ? name : path);
}

json_t *lens_path_json(const lens_exchange *exchange, const char *path)
{
    return exchange->server->show_paths ? lens_json_text(path) : NULL;
}

json_t *lens_path_or_name_json(const lens_exchange *exchange, const char *path)
{
    return exchange->server->show_paths ? lens_json_text(path) : lens_name_json(path);
}

void lens_picture_version(const lens_exchange *exchange, const lens_picture *picture, char version[LENS_VERSION_SIZE])
{
    /* Another library may give the same number to another file of the same size and second. Where paths are not told, a guess at one must not be proven by this either. */
    const char *told = exchange->server->show_paths ? picture->path : lens_path_name(picture->path);
    const lens_hash hash = lens_hash_of(told, strlen(told));
    char name[9];
    lens_hash_hex(&hash, 4, name);
    snprintf(version, LENS_VERSION_SIZE, "%llx-%llx-%s", (long long)picture->modified, (long long)picture->bytes, name);
}

json_t *lens_picture_json(const lens_exchange *exchange, const lens_picture *picture)
{
    char file[64], thumb[96], version[LENS_VERSION_SIZE], modified[LENS_DATE_SIZE];
    lens_date_write(picture->modified, modified);
    snprintf(file, sizeof file, "/api/pictures/%lld/file", (long long)picture->id);
    lens_picture_version(exchange, picture, version);
    snprintf(thumb, sizeof thumb, "/api/pictures/%lld/thumb?v=%s", (long long)picture->id, version);
    json_t *object = json_pack("{sIsisisIsossssssss}", "id", (json_int_t)picture->id, "width", picture->width, "height", picture->height, "bytes",
                               (json_int_t)picture->bytes, "name", lens_name_json(picture->path), "modified", modified, "file", file, "thumb", thumb,
                               "format", picture->format ? picture->format : "");
    json_t *path = lens_path_json(exchange, picture->path);
    if (object && path)
        json_object_set_new(object, "path", path);
    else
        json_decref(path);
    return object;
}

int lens_picture_find(lens_exchange *exchange, int64_t id, lens_picture *picture)
{
    lens_error error = {0};
    if (lens_picture_get(exchange->library, id, picture, &error) == 0)
        return 0;
    return error.code == LENS_E_MISSING ? lens_answer_error(exchange, 404, "not_found", "there is no picture %lld", (long long)id)
                                        : lens_answer_failure(exchange, &error);
}
