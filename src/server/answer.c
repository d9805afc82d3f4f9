/* Filling in answers. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "server/server.h"

static void put(lens_exchange *exchange, unsigned status, struct MHD_Response *response)
{
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    exchange->response = response;
    exchange->status = status;
    if (response)
        lens_guard_headers(exchange, response);
}

void lens_answer_bytes(lens_exchange *exchange, unsigned status, const char *type, const void *bytes, size_t size)
{
    put(exchange, status, MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY));
    lens_answer_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, type);
}

void lens_answer_header(lens_exchange *exchange, const char *name, const char *value)
{
    if (exchange->response)
        MHD_add_response_header(exchange->response, name, value);
}

void lens_answer_json(lens_exchange *exchange, unsigned status, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL; /* what a float has, and half the time that 17 digits take */
    json_decref(object);
    if (!text) {
        static const char short_of_memory[] = "{\"error\":{\"code\":\"internal\",\"message\":\"not enough memory\"}}";
        lens_answer_bytes(exchange, 500, "application/json", short_of_memory, sizeof short_of_memory - 1);
    } else {
        put(exchange, status, MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
        lens_answer_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    }
    lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
}

int lens_answer_error(lens_exchange *exchange, unsigned status, const char *code, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    lens_buffer printable = {0};
    lens_text_printable(message, strlen(message), &printable);
    lens_answer_json(exchange, status, json_pack("{s{ssss}}", "error", "code", code, "message", printable.data ? printable.data : ""));
    lens_buffer_free(&printable);
    return -1;
}

/* Whether there may be a path in MESSAGE: a slash that is not an address's. */
static bool has_path(const char *message)
{
    const char *slash = strchr(message, '/');
    while (slash && slash > message && slash[-1] == ':' && slash[1] == '/')
        slash = strchr(slash + strcspn(slash, " "), '/');
    return slash != NULL;
}

const char *lens_answer_reason(const lens_exchange *exchange, const char *message)
{
    if (exchange->server->show_paths)
        return message;
    if (exchange->library)
        message = lens_error_without(message, lens_library_path(exchange->library));
    if (strncmp(message, "cannot connect: ", 16) == 0 || strncmp(message, "the connection is lost: ", 24) == 0)
        return "the database cannot be reached"; /* what follows tells where it is, and as whom */
    if (!has_path(message))
        return message;
    /* A path at the head ends at a colon; it may have one itself, and then the last one is after it in any case. */
    const char *reason = NULL;
    for (const char *colon = message[0] == '/' ? strstr(message, ": ") : NULL; colon; colon = strstr(reason, ": "))
        reason = colon + 2;
    return reason && !has_path(reason) ? reason : "it could not be done";
}

int lens_answer_failure(lens_exchange *exchange, const lens_error *error)
{
    static const struct {
        lens_error_code code;
        unsigned status;
        const char *name;
    } statuses[] = {
        {LENS_E_MISSING, 404, "not_found"},   {LENS_E_ARGUMENT, 400, "bad_request"}, {LENS_E_FORMAT, 422, "unprocessable"},
        {LENS_E_LIMIT, 413, "too_large"},     {LENS_E_UNSUPPORTED, 422, "unprocessable"}, {LENS_E_BUSY, 503, "unavailable"},
        {LENS_E_AWAY, 503, "unavailable"},    {LENS_E_CANCELLED, 503, "unavailable"}, {LENS_E_SILENT, 503, "unavailable"},
    };
    if (error->code == LENS_E_CANCELLED && exchange->late) /* a slow worker goes on with it, if this was none */
        return exchange->slow ? lens_answer_error(exchange, 503, "unavailable", "that takes too long") : -1;
    const char *message = lens_answer_reason(exchange, error->message);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].code == error->code)
            return lens_answer_error(exchange, statuses[i].status, statuses[i].name, "%s", message);
    return lens_answer_error(exchange, 500, "internal", "%s", message);
}

bool lens_answer_unchanged(lens_exchange *exchange, const char *etag, const char *caching)
{
    const char *had = lens_request_header(exchange, MHD_HTTP_HEADER_IF_NONE_MATCH);
    if (!had || !strstr(had, etag))
        return false;
    lens_answer_bytes(exchange, 304, "", "", 0);
    MHD_del_response_header(exchange->response, MHD_HTTP_HEADER_CONTENT_TYPE, "");
    lens_answer_header(exchange, MHD_HTTP_HEADER_ETAG, etag);
    lens_answer_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, caching);
    return true;
}

/* Whether the parameter NAME may say its *VALUE of SIZE bytes: 0, or -1 with an answer. NULL, of one without an equals sign, becomes "": what it says is
 * nothing, and not that it is not there. */
static int check_value(lens_exchange *exchange, const char *name, const char **value, size_t size)
{
    if (!*value) {
        *value = "";
        size = 0;
    }
    if (strlen(*value) == size && lens_utf8_valid(*value, size))
        return 0;
    return lens_answer_error(exchange, 400, "bad_request", "%s is not UTF-8", name);
}

int lens_parameter(lens_exchange *exchange, const char *name, const char **value)
{
    size_t size = 0;
    *value = NULL;
    if (MHD_lookup_connection_value_n(exchange->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), value, &size) == MHD_YES)
        return check_value(exchange, name, value, size);
    *value = NULL;
    return 0;
}

typedef struct values {
    lens_exchange *exchange;
    const char *name;
    int (*each)(void *context, const char *value);
    void *context;
    int result;
} values;

static enum MHD_Result meet_value(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value, size_t size)
{
    values *self = context;
    (void)kind;
    if (strlen(self->name) != name_size || memcmp(self->name, name, name_size) != 0)
        return MHD_YES;
    self->result = check_value(self->exchange, self->name, &value, size);
    if (self->result == 0)
        self->result = self->each(self->context, value);
    return self->result == 0 ? MHD_YES : MHD_NO;
}

int lens_parameter_each(lens_exchange *exchange, const char *name, int (*each)(void *context, const char *value), void *context)
{
    values self = {exchange, name, each, context, 0};
    MHD_get_connection_values_n(exchange->connection, MHD_GET_ARGUMENT_KIND, meet_value, &self);
    return self.result;
}

typedef struct known_names {
    const char *const *names;
    const char *also, *unknown;
} known_names;

static enum MHD_Result meet_name(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    known_names *self = context;
    (void)kind, (void)value;
    bool known = self->also && strcmp(name, self->also) == 0;
    for (size_t i = 0; self->names && self->names[i]; i++)
        known |= strcmp(name, self->names[i]) == 0;
    self->unknown = known ? NULL : name;
    return known ? MHD_YES : MHD_NO;
}

int lens_parameters_known(lens_exchange *exchange, const char *const *names, const char *also)
{
    known_names self = {names, also, NULL};
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, meet_name, &self);
    if (!self.unknown)
        return 0;
    lens_error error = {0};
    lens_fail(&error, LENS_E_ARGUMENT, "%.60s: no such option", self.unknown);
    return lens_answer_failure(exchange, &error);
}

const char *lens_request_header(const lens_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}
