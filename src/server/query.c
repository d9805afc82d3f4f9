#include "server/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/date.h"
#include "base/json.h"
#include "base/text.h"

enum { OFFSET_MOST = 100000000, VALUES_MOST = 10000, NAME_MOST = 255 /* bytes of a folder's name */, TEXT_MOST = 10000 /* bytes of a term's words */ };

const char *const lens_query_options[] = {"n",     "offset", "model", "min_score", "fold", "unhub", "exact", "path", "after",
                                          "before", "by",     "size",  "type",      "label", NULL};

void lens_query_init(lens_query *query)
{
    memset(query, 0, sizeof *query);
    query->options = lens_search_options_default();
    query->options.n = 20;
}

void lens_query_free(lens_query *query)
{
    for (size_t i = 0; i < query->count; i++) {
        free(query->terms[i].text);
        free(query->terms[i].bytes);
        lens_blob_release(query->terms[i].blob);
    }
    for (size_t i = 0; i < query->options.type_count; i++)
        free(query->types[i]);
    for (size_t i = 0; i < query->options.label_count; i++)
        free(query->labels[i]);
    free(query->model);
    free(query->path);
    query->count = query->options.type_count = query->options.label_count = 0;
    query->model = query->path = NULL;
}

int lens_query_add(lens_query *query, lens_asked_kind kind, const char *text, void *bytes, size_t size, int64_t id, double weight, lens_error *err)
{
    char *copy = text ? strdup(text) : NULL;
    int result = 0;
    if (query->count == LENS_QUERY_TERMS)
        result = lens_fail(err, LENS_E_ARGUMENT, "at most %d terms make a query", LENS_QUERY_TERMS);
    else if (text && kind == LENS_ASKED_TEXT && (strlen(text) > TEXT_MOST || !text[strspn(text, " \t\r\n")]))
        result = lens_fail(err, LENS_E_ARGUMENT, "text wants words, at most %d bytes of them", TEXT_MOST);
    else if (!isfinite(weight) || fabs(weight) > LENS_WEIGHT_MOST)
        result = lens_fail(err, LENS_E_ARGUMENT, "weight wants a number from -%d to %d", LENS_WEIGHT_MOST, LENS_WEIGHT_MOST);
    else if (text && !copy)
        result = lens_fail_memory(err);
    if (result != 0) {
        free(copy);
        free(bytes);
        return -1;
    }
    query->terms[query->count++] = (lens_asked){kind, copy, bytes, size, id, weight, NULL};
    return 0;
}

/* ---- options ---- */

static int set_text(char **slot, const char *value, const char **option, lens_error *err)
{
    free(*slot);
    *slot = strdup(value);
    *option = *slot;
    return *slot ? 0 : lens_fail_memory(err);
}

/* One more type or label: into SLOTS [LENS_QUERY_NAMES], of which there are *COUNT. */
static int add_name(char **slots, size_t *count, const char *value, const char *name, lens_error *err)
{
    if (!*value || strlen(value) > NAME_MOST || strchr(value, '/'))
        return lens_fail(err, LENS_E_ARGUMENT, "%s wants %s", name, *name == 't' ? "a type of pictures as jpeg" : "the name of a folder, without its path");
    if (*count == LENS_QUERY_NAMES)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: at most %d of them", name, LENS_QUERY_NAMES);
    slots[*count] = strdup(value);
    return slots[*count] ? (*count += 1, 0) : lens_fail_memory(err);
}

static int set_count(size_t *slot, double value, double least, double most, const char *name, lens_error *err)
{
    if (!(value >= least && value <= most) || value != floor(value))
        return lens_fail(err, LENS_E_ARGUMENT, "%s wants a whole number from %.0f to %.0f", name, least, most);
    *slot = (size_t)value;
    return 0;
}

/* A whole day, which begins at midnight in UTC. */
static int set_day(int64_t *slot, const char *value, const char *name, lens_error *err)
{
    if (strlen(value) != strlen("2024-05-01") || !lens_date_read(value, false, slot))
        return lens_fail(err, LENS_E_ARGUMENT, "%s wants a day as 2024-05-01", name);
    return 0;
}

static int set_score(lens_query *query, double value, lens_error *err)
{
    if (!(value >= -1 && value <= 1))
        return lens_fail(err, LENS_E_ARGUMENT, "min_score wants a number from -1 to 1");
    query->options.min_score = value;
    return 0;
}

/* An option whose value is text, in an address and in JSON. */
static int text_option(lens_query *query, const char *name, const char *value, lens_error *err)
{
    lens_search_options *options = &query->options;
    int result;
    if (strcmp(name, "model") == 0) {
        /* A model of one's own is named by its folder, an absolute path; it is held against the library's names, and never read. */
        if ((*value != '/' && strchr(value, '/')) || !*value || strlen(value) > 4096)
            return lens_fail(err, LENS_E_ARGUMENT, "model wants the name of a model");
        result = set_text(&query->model, value, &options->model, err);
    } else if (strcmp(name, "path") == 0) {
        if (!*value || strlen(value) > 1000)
            return lens_fail(err, LENS_E_ARGUMENT, "path wants a pattern as *holiday*");
        result = set_text(&query->path, value, &options->path, err);
    } else if (strcmp(name, "after") == 0) {
        result = set_day(&options->after, value, name, err);
    } else if (strcmp(name, "before") == 0) {
        result = set_day(&options->before, value, name, err);
    } else if (strcmp(name, "by") == 0) {
        result = lens_by_parse(value, &options->by, err);
    } else if (strcmp(name, "size") == 0) {
        result = lens_size_parse(value, &options->size_least, &options->size_most, err);
    } else if (strcmp(name, "type") == 0) {
        result = add_name(query->types, &options->type_count, value, name, err);
        options->types = (const char *const *)query->types;
    } else if (strcmp(name, "label") == 0) {
        result = add_name(query->labels, &options->label_count, value, name, err);
        options->labels = (const char *const *)query->labels;
    } else {
        return 0;
    }
    return result == 0 ? 1 : -1;
}

static int number_option(lens_query *query, const char *name, double value, lens_error *err)
{
    int result;
    if (strcmp(name, "n") == 0)
        result = set_count(&query->options.n, value, 1, LENS_QUERY_RESULTS, name, err);
    else if (strcmp(name, "offset") == 0)
        result = set_count(&query->options.offset, value, 0, OFFSET_MOST, name, err);
    else if (strcmp(name, "min_score") == 0)
        result = set_score(query, value, err);
    else
        return 0;
    return result == 0 ? 1 : -1;
}

static bool *flag_option(lens_query *query, const char *name)
{
    lens_search_options *options = &query->options;
    return strcmp(name, "fold") == 0    ? &options->fold
           : strcmp(name, "unhub") == 0 ? &options->unhub
           : strcmp(name, "exact") == 0 ? &options->exact
                                        : NULL;
}

int lens_query_option(lens_query *query, const char *name, const char *value, lens_error *err)
{
    static const char *const numbers[] = {"n", "offset", "min_score"};
    bool *flag = flag_option(query, name);
    if (flag) {
        const bool on = strcmp(value, "1") == 0 || strcmp(value, "true") == 0, off = strcmp(value, "0") == 0 || strcmp(value, "false") == 0;
        *flag = on;
        return on || off ? 1 : lens_fail(err, LENS_E_ARGUMENT, "%s wants true or false", name);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i]) == 0) {
            char *end;
            const double number = strtod(value, &end);
            if (!*value || *end || strspn(value, "+-.0123456789eE") != strlen(value))
                return lens_fail(err, LENS_E_ARGUMENT, "%s wants a number", name);
            return number_option(query, name, number, err);
        }
    return text_option(query, name, value, err);
}

/* Several types or labels. */
static int json_names(lens_query *query, const char *name, const json_t *values, lens_error *err)
{
    size_t i;
    json_t *value;
    if (strcmp(name, "type") != 0 && strcmp(name, "label") != 0)
        return lens_fail(err, LENS_E_ARGUMENT, "%.60s: no such option, or it has one value", name);
    json_array_foreach(values, i, value)
        if (!json_is_string(value))
            return lens_fail(err, LENS_E_ARGUMENT, "%s wants names", name);
        else if (text_option(query, name, json_string_value(value), err) < 0)
            return -1;
    return 1;
}

static int json_option(lens_query *query, const char *name, const json_t *value, lens_error *err)
{
    bool *flag = flag_option(query, name);
    if (json_is_null(value))
        return 1;
    if (flag) {
        *flag = json_is_true(value);
        return json_is_boolean(value) ? 1 : lens_fail(err, LENS_E_ARGUMENT, "%s wants true or false", name);
    }
    if (json_is_array(value))
        return json_names(query, name, value, err);
    if (json_is_string(value)) {
        const int known = text_option(query, name, json_string_value(value), err);
        return known ? known : lens_fail(err, LENS_E_ARGUMENT, "%s is no text, or there is no such option", name);
    }
    const int known = json_is_number(value) ? number_option(query, name, json_number_value(value), err) : 0;
    return known ? known : lens_fail(err, LENS_E_ARGUMENT, "%.60s: no such option, or not such a value", name);
}

/* ---- terms ---- */

/* Base64, or a data URI of it -> a term. */
static int add_image(lens_query *query, const char *text, double weight, lens_error *err)
{
    lens_buffer bytes = {0};
    if (strncasecmp(text, "data:", 5) == 0) {
        const char *comma = strchr(text, ',');
        if (!comma || comma - text < 7 || strncasecmp(comma - 7, ";base64", 7) != 0)
            return lens_fail(err, LENS_E_ARGUMENT, "image: the data URI is not in base64");
        text = comma + 1;
    }
    if (lens_base64_decode(text, strlen(text), &bytes, err) != 0) {
        lens_buffer_free(&bytes);
        return lens_fail_in(err, "image");
    }
    if (!bytes.size) {
        lens_buffer_free(&bytes);
        return lens_fail(err, LENS_E_ARGUMENT, "image: there is nothing in it");
    }
    return lens_query_add(query, LENS_ASKED_IMAGE, NULL, bytes.data, bytes.size, 0, weight, err);
}

static int add_term(lens_query *query, const json_t *term, lens_error *err)
{
    static const struct {
        const char *name;
        lens_asked_kind kind;
    } kinds[] = {{"text", LENS_ASKED_TEXT}, {"image", LENS_ASKED_IMAGE}, {"id", LENS_ASKED_ID}, {"upload", LENS_ASKED_UPLOAD}, {"url", LENS_ASKED_URL}};
    const json_t *weight = json_object_get(term, "weight"), *value = NULL;
    const char *name = NULL;
    lens_asked_kind kind = LENS_ASKED_TEXT;
    size_t known = weight != NULL;
    if (!json_is_object(term))
        return lens_fail(err, LENS_E_ARGUMENT, "a term is an object");
    if (weight && !json_is_number(weight))
        return lens_fail(err, LENS_E_ARGUMENT, "weight wants a number");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (json_object_get(term, kinds[i].name)) {
            name = kinds[i].name;
            kind = kinds[i].kind;
            value = json_object_get(term, name);
            known++;
        }
    if (!name || known != json_object_size(term) || known != 1u + (weight != NULL))
        return lens_fail(err, LENS_E_ARGUMENT, "a term has one of text, image, id, upload, url, and may have a weight");
    const double by = weight ? json_number_value(weight) : 1;
    if (kind == LENS_ASKED_ID) {
        if (!json_is_integer(value) || json_integer_value(value) < 1)
            return lens_fail(err, LENS_E_ARGUMENT, "id wants the number of a picture");
        return lens_query_add(query, kind, NULL, NULL, 0, json_integer_value(value), by, err);
    }
    const char *text = json_string_value(value);
    if (!text || strlen(text) != json_string_length(value))
        return lens_fail(err, LENS_E_ARGUMENT, "%s wants text", name);
    if (kind == LENS_ASKED_IMAGE)
        return add_image(query, text, by, err);
    if (kind == LENS_ASKED_UPLOAD && (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32))
        return lens_fail(err, LENS_E_ARGUMENT, "upload wants what POST /api/uploads gave");
    if (kind == LENS_ASKED_URL && !lens_is_url(text))
        return lens_fail(err, LENS_E_ARGUMENT, "url wants an address that begins with http:// or https://");
    return lens_query_add(query, kind, text, NULL, 0, 0, by, err);
}

static json_t *parse(const char *text, size_t size, lens_error *err)
{
    json_t *object = lens_json_parse_small(text, size, VALUES_MOST, "the request", err);
    if (!object && err)
        err->code = LENS_E_ARGUMENT;
    return object;
}

int lens_query_json(lens_query *query, const char *text, size_t size, lens_error *err)
{
    json_t *object = parse(text, size, err);
    if (!object)
        return -1;
    const json_t *terms = json_object_get(object, "terms");
    int result = 0;
    if (!json_is_array(terms) || json_array_size(terms) == 0)
        result = lens_fail(err, LENS_E_ARGUMENT, "the request wants terms: {\"terms\": [{\"text\": \"a cat\"}]}");
    for (size_t i = 0; result == 0 && i < json_array_size(terms); i++)
        result = add_term(query, json_array_get(terms, i), err);
    const char *name;
    json_t *value;
    if (result == 0)
        json_object_foreach(object, name, value)
            if (result == 0 && strcmp(name, "terms") != 0)
                result = json_option(query, name, value, err) == 1 ? 0 : -1;
    json_decref(object);
    return result;
}

/* ---- the original client ---- */

/* What a document of its DATA names. */
static int add_document(lens_query *query, const json_t *document, lens_error *err)
{
    const json_t *value = json_is_object(document) ? json_object_get(document, "text") : document;
    const char *text = json_string_value(value), *uri = json_string_value(json_object_get(document, "uri"));
    if (json_is_string(document) && strncasecmp(text, "data:", 5) == 0)
        uri = text; /* as its client takes one */
    else if (text && *text)
        return lens_query_add(query, LENS_ASKED_TEXT, text, NULL, 0, 0, 1, err);
    if (!uri)
        return lens_fail(err, LENS_E_ARGUMENT, "what is in data is words, or an object with text or uri");
    if (strncasecmp(uri, "data:", 5) == 0)
        return add_image(query, uri, 1, err);
    if (lens_is_url(uri))
        return lens_query_add(query, LENS_ASKED_URL, uri, NULL, 0, 0, 1, err);
    if (strncasecmp(uri, "file://", 7) == 0)
        uri += 7;
    return lens_query_add(query, LENS_ASKED_FILE, uri, NULL, 0, 0, 1, err);
}

int lens_query_jina(lens_query *query, const char *text, size_t size, lens_error *err)
{
    static const char *const counts[] = {"top_k", "limit"};
    json_t *object = parse(text, size, err);
    if (!object)
        return -1;
    const json_t *data = json_object_get(object, "data"), *parameters = json_object_get(object, "parameters");
    int result = 0;
    query->options.n = 10;
    for (size_t i = 0; result == 0 && i < 4; i++) {
        const json_t *count = json_object_get(i < 2 ? object : parameters, counts[i % 2]);
        if (count && !json_is_null(count))
            result = json_is_number(count) ? number_option(query, "n", json_number_value(count), err) == 1 ? 0 : -1
                                           : lens_fail(err, LENS_E_ARGUMENT, "%s wants a number", counts[i % 2]);
    }
    if (result == 0 && (!json_is_array(data) || json_array_size(data) == 0))
        result = lens_fail(err, LENS_E_ARGUMENT, "the request wants data: {\"data\": [\"words\"]}");
    for (size_t i = 0; result == 0 && i < json_array_size(data); i++)
        result = add_document(query, json_array_get(data, i), err);
    json_decref(object);
    return result;
}
