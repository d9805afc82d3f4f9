/* A picture that is sent ahead, and named by later queries: POST /api/uploads. It is held in memory, by its content. */
#include <stdlib.h>

#include "base/hash.h"
#include "server/form.h"
#include "server/server.h"

void lens_api_upload(lens_exchange *exchange)
{
    void *bytes = NULL;
    size_t size = 0;
    if (lens_upload_body(exchange, &bytes, &size) != 0)
        return;
    lens_error error = {0};
    int width, height;
    char key[33];
    const lens_hash hash = lens_hash_of(bytes, size);
    lens_hash_hex(&hash, sizeof hash.bytes, key);
    const lens_term term = {.kind = LENS_TERM_BYTES, .bytes = bytes, .size = size, .weight = 1};
    if (size > exchange->server->options.max_upload) {
        lens_answer_error(exchange, 413, "too_large", "a picture may have %llu bytes", (unsigned long long)exchange->server->options.max_upload);
    } else if (lens_picture_size(&term, exchange->server->options.max_pixels, &width, &height, &error) != 0) {
        lens_answer_failure(exchange, &error);
    } else {
        if (lens_cache_put(exchange->server->uploads, key, bytes, size))
            lens_answer_json(exchange, 200, json_pack("{sssisi}", "upload", key, "width", width, "height", height));
        else
            lens_answer_error(exchange, 413, "too_large", "the picture cannot be held");
        bytes = NULL;
    }
    free(bytes);
}
