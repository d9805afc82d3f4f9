/* One picture: what is known of it, the file, a small one. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/patience.h"
#include "server/picture.h"
#include "server/server.h"

enum { REMOTE_BYTES_MOST = 512 << 20 }; /* of a file on a disk of the network */
enum { HELD_BYTES_MOST = 256 << 20 };   /* of all such files that are being sent; one alone may be larger */

static const char for_ever[] = "private, max-age=31536000, immutable", ask_again[] = "private, no-cache";

void lens_api_picture(lens_exchange *exchange)
{
    lens_picture picture;
    if (lens_picture_find(exchange, exchange->id, &picture) != 0)
        return;
    lens_texts texts;
    lens_error error = {0};
    if (lens_texts_get(exchange->library, picture.id, &texts, &error) != 0) {
        lens_answer_failure(exchange, &error);
        lens_picture_free(&picture);
        return;
    }
    json_t *object = lens_picture_json(exchange, &picture), *captions = json_array();
    for (size_t i = 0; i < texts.caption_count; i++)
        json_array_append_new(captions, json_string(texts.captions[i]));
    json_object_set_new(object, "captions", captions);
    json_object_set_new(object, "read", json_string(texts.read));
    if (picture.reason)
        json_object_set_new(object, "reason", lens_json_text(lens_answer_reason(exchange, picture.reason)));
    lens_answer_json(exchange, 200, object);
    lens_texts_free(&texts);
    lens_picture_free(&picture);
}

static const char *type_of(const char *kind)
{
    static const char *const types[][2] = {
        {"JPEG", "image/jpeg"}, {"PNG", "image/png"},   {"GIF", "image/gif"},   {"WebP", "image/webp"}, {"AVIF", "image/avif"},
        {"HEIC", "image/heic"}, {"TIFF", "image/tiff"}, {"BMP", "image/bmp"},   {"SVG", "image/svg+xml"}, {"ICO", "image/x-icon"},
        {"JPEG XL", "image/jxl"}, {"JPEG 2000", "image/jp2"}, {"PNM", "image/x-portable-anymap"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcasecmp(types[i][0], kind) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* "attachment; filename*=UTF-8''..." (RFC 8187). */
static void name_download(lens_exchange *exchange, const char *path)
{
    lens_buffer header = {0};
    lens_buffer_print(&header, "attachment; filename*=UTF-8''");
    for (const unsigned char *at = (const unsigned char *)lens_path_name(path); *at; at++) {
        const bool plain = (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') || strchr(".-_", *at);
        lens_buffer_print(&header, plain ? "%c" : "%%%02X", *at);
    }
    if (header.data)
        lens_answer_header(exchange, MHD_HTTP_HEADER_CONTENT_DISPOSITION, header.data);
    lens_buffer_free(&header);
}

/* A file that is to be sent: opened on a thread of its own, for its disk may be silent. */
typedef struct opening {
    lens_errand errand; /* first */
    int fd;
    struct stat info;
    bool remote;
    size_t size; /* of HEAD */
    char head[4096], path[];
} opening;

static void run_opening(lens_errand *errand)
{
    opening *self = (opening *)errand;
    struct statfs disk;
    self->fd = open(self->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (self->fd < 0 || fstat(self->fd, &self->info) != 0 || !S_ISREG(self->info.st_mode) || fstatfs(self->fd, &disk) != 0)
        return;
    self->remote = lens_disk_is_remote(&disk);
    const ssize_t size = pread(self->fd, self->head, sizeof self->head, 0);
    self->size = size > 0 ? (size_t)size : 0;
}

static void end_opening(lens_errand *errand)
{
    opening *self = (opening *)errand;
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

/* Bytes of files that are held while they are sent: clients may be as slow as they like. */
static atomic_size_t held;

typedef struct held_file {
    size_t counted;
    lens_buffer bytes;
} held_file;

static void free_held(void *context)
{
    held_file *self = context;
    atomic_fetch_sub(&held, self->counted);
    lens_buffer_free(&self->bytes);
    free(self);
}

/* Reads the file that FILE has opened, which began as a picture of KIND, and must do so still when its path is opened anew. NULL with an error: LENS_E_BUSY while too
 * much of others is held. */
static held_file *hold(const opening *file, const char *kind, lens_error *err)
{
    held_file *self = calloc(1, sizeof *self);
    if (!self) {
        lens_fail_memory(err);
        return NULL;
    }
    self->counted = (size_t)file->info.st_size;
    const size_t others = atomic_fetch_add(&held, self->counted);
    int result = 0;
    if (others > 0 && others + self->counted > HELD_BYTES_MOST)
        result = lens_fail(err, LENS_E_BUSY, "too much is being sent");
    else /* no more than what was counted, should it have grown */
        result = lens_file_read(file->path, self->counted < REMOTE_BYTES_MOST ? self->counted : REMOTE_BYTES_MOST, &self->bytes, err);
    const char *now = result == 0 ? lens_picture_kind(self->bytes.data, self->bytes.size < sizeof file->head ? self->bytes.size : sizeof file->head) : NULL;
    if (result == 0 && (!now || strcmp(now, kind) != 0))
        result = lens_fail(err, LENS_E_MISSING, "not there");
    if (result == 0)
        return self;
    free_held(self);
    return NULL;
}

/* What is sent of the file that SELF opened, which may take its descriptor. The network's thread reads what is sent, and must not meet a silent disk: what
 * lies on one that can be is read first. */
static struct MHD_Response *body_of(opening *self, const char *kind, lens_error *err)
{
    struct MHD_Response *response;
    held_file *file = self->remote ? hold(self, kind, err) : NULL;
    if (self->remote && !file)
        return NULL;
    if (file) {
        self->info.st_size = (off_t)file->bytes.size;
        response = MHD_create_response_from_buffer_with_free_callback_cls(file->bytes.size, file->bytes.data, free_held, file);
        if (!response)
            free_held(file);
    } else {
        response = MHD_create_response_from_fd64((uint64_t)self->info.st_size, self->fd);
        if (response)
            self->fd = -1;
    }
    if (!response)
        lens_fail_memory(err);
    return response;
}

/* Opens PATH if a regular file is there that still begins as a picture: what is put in a picture's place is not given away. Its KIND, or NULL. */
static const char *open_picture(const char *path, opening **out, lens_error *err)
{
    opening *self = calloc(1, sizeof *self + strlen(path) + 1);
    *out = NULL;
    if (!self) {
        lens_fail_memory(err);
        return NULL;
    }
    self->errand = (lens_errand){.run = run_opening, .end = end_opening};
    self->fd = -1;
    memcpy(self->path, path, strlen(path) + 1);
    if (lens_errand_do(&self->errand, path, err) != 0)
        return NULL;
    const char *kind = self->size > 0 ? lens_picture_kind(self->head, self->size) : NULL;
    if (kind) {
        *out = self;
        return kind;
    }
    end_opening(&self->errand);
    lens_fail(err, LENS_E_MISSING, "not there");
    return NULL;
}

static void answer_gone(lens_exchange *exchange, const lens_error *why)
{
    if (why->code == LENS_E_CANCELLED)
        lens_answer_failure(exchange, why);
    else if (why->code == LENS_E_SILENT)
        lens_answer_error(exchange, 503, "unavailable", "the disk with picture %lld gives no answer", (long long)exchange->id);
    else
        lens_answer_error(exchange, 404, "not_found", "the file of picture %lld is not there any more", (long long)exchange->id);
}

void lens_api_file(lens_exchange *exchange)
{
    lens_picture picture;
    const char *download;
    char etag[64];
    opening *file = NULL;
    lens_error error = {0};
    if (lens_parameter(exchange, "download", &download) != 0 || lens_picture_find(exchange, exchange->id, &picture) != 0)
        return;
    const char *kind = picture.reason ? NULL : open_picture(picture.path, &file, &error);
    if (!kind) {
        answer_gone(exchange, &error);
        lens_picture_free(&picture);
        return;
    }
    const struct stat *info = &file->info;
    snprintf(etag, sizeof etag, "\"%llx-%llx\"", (long long)lens_file_mtime_ns(info), (long long)info->st_size);
    if (lens_answer_unchanged(exchange, etag, ask_again)) {
        end_opening(&file->errand);
        lens_picture_free(&picture);
        return;
    }
    struct MHD_Response *response = body_of(file, kind, &error);
    end_opening(&file->errand);
    if (!response) {
        if (error.code == LENS_E_MEMORY)
            lens_answer_error(exchange, 500, "internal", "not enough memory");
        else if (error.code == LENS_E_BUSY)
            lens_answer_error(exchange, 503, "unavailable", "too much is being sent at once: please try again");
        else if (error.code == LENS_E_LIMIT)
            lens_answer_error(exchange, 413, "too_large", "the file of picture %lld is too large to be sent from a disk of the network",
                              (long long)exchange->id);
        else
            answer_gone(exchange, &error);
    } else {
        exchange->status = 200;
        exchange->response = response;
        lens_guard_headers(exchange, response);
        lens_answer_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, type_of(kind));
        lens_answer_header(exchange, MHD_HTTP_HEADER_ETAG, etag);
        lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, ask_again);
        if (strcasecmp(kind, "SVG") == 0) { /* it may hold a program */
            MHD_del_response_header(response, "Content-Security-Policy",
                                    MHD_get_response_header(response, "Content-Security-Policy"));
            lens_answer_header(exchange, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox");
        }
        if (download)
            name_download(exchange, picture.path);
    }
    lens_picture_free(&picture);
}

/* ---- small pictures ---- */

static int read_side(lens_exchange *exchange, int *side)
{
    static const int sides[] = {160, 320, 640, 1280};
    const char *value;
    if (lens_parameter(exchange, "side", &value) != 0)
        return -1;
    *side = 320;
    if (!value)
        return 0;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", sides[i]);
        if (strcmp(text, value) == 0) {
            *side = sides[i];
            return 0;
        }
    }
    return lens_answer_error(exchange, 400, "bad_request", "side wants one of 160, 320, 640, 1280");
}

static void free_blob(void *blob)
{
    lens_blob_release(blob);
}

/* What is sent is not copied: the blob is held until it is out. */
static void answer_blob(lens_exchange *exchange, const lens_blob *blob, const char *caching)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(blob->size, (void *)blob->bytes, free_blob, (void *)blob);
    if (!response) {
        lens_blob_release(blob);
        lens_answer_error(exchange, 500, "internal", "not enough memory");
        return;
    }
    exchange->status = 200;
    exchange->response = response;
    lens_guard_headers(exchange, response);
    lens_answer_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, "image/jpeg");
    lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, caching);
}

/* Makes the small picture and keeps it. NULL with an answer on failure. */
static const lens_blob *make_thumb(lens_exchange *exchange, const lens_picture *picture, int side, const char *name)
{
    lens_error error = {0};
    int width, height;
    void *bytes = NULL;
    size_t size = 0;
    uint8_t *rgb = lens_thumbnail(picture->path, side, exchange->server->pixels_most, &width, &height, &error);
    const int result = rgb ? lens_jpeg(rgb, width, height, 82, &bytes, &size, &error) : -1;
    free(rgb);
    if (result != 0 && (error.code == LENS_E_SILENT || error.code == LENS_E_CANCELLED)) {
        answer_gone(exchange, &error);
        return NULL;
    }
    if (result != 0) {
        lens_answer_error(exchange, 404, "not_found", error.code == LENS_E_LIMIT ? "picture %lld is larger than this server takes (--max-megapixels)"
                                                                                 : "picture %lld cannot be read any more", (long long)picture->id);
        return NULL;
    }
    lens_cache_put(exchange->server->thumbs, name, bytes, size);
    const lens_blob *blob = lens_cache_get(exchange->server->thumbs, name);
    if (!blob)
        lens_answer_error(exchange, 500, "internal", "not enough memory");
    return blob;
}

void lens_api_thumb(lens_exchange *exchange)
{
    lens_picture picture;
    const char *asked;
    char version[LENS_VERSION_SIZE], name[96], etag[112];
    int side;
    if (read_side(exchange, &side) != 0 || lens_parameter(exchange, "v", &asked) != 0 || lens_picture_find(exchange, exchange->id, &picture) != 0)
        return;
    lens_picture_version(exchange, &picture, version);
    snprintf(name, sizeof name, "%lld-%s-%d", (long long)picture.id, version, side);
    snprintf(etag, sizeof etag, "\"%s\"", name);
    /* Without a version, or with an old one, the address stays when the file changes. */
    const char *caching = asked && strcmp(asked, version) == 0 ? for_ever : ask_again;
    if (picture.reason) {
        lens_answer_error(exchange, 404, "not_found", "picture %lld cannot be read", (long long)exchange->id);
    } else if (!lens_answer_unchanged(exchange, etag, caching)) {
        const lens_blob *blob = lens_cache_get(exchange->server->thumbs, name);
        if (!blob)
            blob = make_thumb(exchange, &picture, side, name);
        if (blob) {
            answer_blob(exchange, blob, caching);
            lens_answer_header(exchange, MHD_HTTP_HEADER_ETAG, etag);
        }
    }
    lens_picture_free(&picture);
}
