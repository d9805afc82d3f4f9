#include "server/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/patience.h"
#include "base/text.h"

enum {
    FORM_BUFFER = 4096, /* libmicrohttpd moves what is in it once for each line of a part's head: with a large one many short lines cost their square */
    FORM_PIECE = 1 << 18
};

typedef struct form {
    lens_query *query; /* NULL: only the picture is wanted */
    lens_error *err;
    char name[32];
    lens_buffer value;
    bool begun, failed;
    void *bytes; /* of the picture, without a query */
    size_t size;
} form;

static int end_field(form *self)
{
    if (!self->begun || self->failed)
        return self->failed ? -1 : 0;
    self->begun = false;
    lens_buffer value = self->value;
    self->value = (lens_buffer){0};
    int result = 0;
    if (strcmp(self->name, "image") == 0 && value.size) {
        if (!self->query) {
            free(self->bytes);
            self->bytes = value.data;
            self->size = value.size;
            return 0;
        }
        result = lens_query_add(self->query, LENS_ASKED_IMAGE, NULL, value.data, value.size, 0, 1, self->err);
        value = (lens_buffer){0};
    } else if (self->query && strcmp(self->name, "image") != 0) {
        const char *text = value.data ? value.data : "";
        if (strlen(text) != value.size || !lens_utf8_valid(text, value.size))
            result = lens_fail(self->err, LENS_E_ARGUMENT, "%s is not UTF-8", self->name);
        else if (strcmp(self->name, "text") == 0)
            result = *text ? lens_query_add(self->query, LENS_ASKED_TEXT, text, NULL, 0, 0, 1, self->err) : 0;
        else if (*text) {
            const int known = lens_query_option(self->query, self->name, text, self->err);
            result = known == 1 ? 0 : known == 0 ? lens_fail(self->err, LENS_E_ARGUMENT, "%s: there is no such field", self->name) : -1;
        }
    }
    lens_buffer_free(&value);
    self->failed = result != 0;
    return result;
}

static enum MHD_Result meet_part(void *context, enum MHD_ValueKind kind, const char *key, const char *file, const char *type,
                                 const char *encoding, const char *data, uint64_t offset, size_t size)
{
    (void)kind, (void)file, (void)type, (void)encoding;
    form *self = context;
    if (offset == 0) {
        if (end_field(self) != 0)
            return MHD_NO;
        snprintf(self->name, sizeof self->name, "%s", key ? key : "");
        self->begun = true;
    }
    if (lens_buffer_append(&self->value, data, size) == 0)
        return MHD_YES;
    lens_fail_memory(self->err);
    self->failed = true;
    return MHD_NO;
}

static int read_form(lens_exchange *exchange, form *self)
{
    struct MHD_PostProcessor *reader = MHD_create_post_processor(exchange->connection, FORM_BUFFER, meet_part, self);
    int result = reader ? 0 : lens_fail(self->err, LENS_E_ARGUMENT, "the form has no boundary");
    if (reader) {
        bool right = true, ended = false;
        for (size_t at = 0; right && at < exchange->body.size && !(ended = lens_patience_ended()); at += FORM_PIECE) {
            const size_t left = exchange->body.size - at;
            right = MHD_post_process(reader, exchange->body.data + at, left < FORM_PIECE ? left : FORM_PIECE) == MHD_YES;
        }
        const bool whole = MHD_destroy_post_processor(reader) == MHD_YES;
        if (self->failed)
            result = -1;
        else if (ended)
            result = lens_fail(self->err, LENS_E_CANCELLED, "interrupted");
        else if (!right || !whole)
            result = lens_fail(self->err, LENS_E_ARGUMENT, "the form is broken off");
        else
            result = end_field(self);
    }
    lens_buffer_free(&self->value);
    return result;
}

int lens_query_form(lens_exchange *exchange, lens_query *query, lens_error *err)
{
    form self = {.query = query, .err = err};
    if (read_form(exchange, &self) != 0)
        return -1;
    return query->count ? 0 : lens_fail(err, LENS_E_ARGUMENT, "the form has neither an image nor a text");
}

int lens_upload_body(lens_exchange *exchange, void **bytes, size_t *size)
{
    const char *type = lens_request_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    lens_error error = {0};
    if (type && strncasecmp(type, "multipart/form-data", 19) == 0) {
        form self = {.err = &error};
        if (read_form(exchange, &self) != 0) {
            free(self.bytes);
            return lens_answer_failure(exchange, &error);
        }
        *bytes = self.bytes;
        *size = self.size;
    } else {
        *bytes = malloc(exchange->body.size + 1);
        *size = exchange->body.size;
        if (*bytes && exchange->body.size)
            memcpy(*bytes, exchange->body.data, exchange->body.size);
    }
    if (*bytes && *size)
        return 0;
    if (*size)
        return lens_answer_error(exchange, 500, "internal", "not enough memory");
    free(*bytes);
    *bytes = NULL;
    return lens_answer_error(exchange, 400, "bad_request", "there is no picture in the request");
}
