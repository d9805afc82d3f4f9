/* Any bytes as a request for a search: as JSON, as the original client's, and as one option. What is taken must be within its bounds. */
#include <math.h>

#include "fuzzing.h"
#include "server/query.h"

static void check(const lens_query *query)
{
    expect(query->count >= 1 && query->count <= LENS_QUERY_TERMS);
    expect(query->options.n >= 1 && query->options.n <= LENS_QUERY_RESULTS);
    expect(!query->options.model || query->options.model[0] == '/' || !strchr(query->options.model, '/')); /* a folder of one's own has its path */
    expect(query->options.by == LENS_BY_ALL || query->options.by == LENS_BY_LOOK || query->options.by == LENS_BY_TEXT || query->options.by == LENS_BY_MEANING);
    expect(query->options.size_least >= 0 && query->options.size_most >= 0);
    expect(query->options.type_count <= LENS_QUERY_NAMES && query->options.label_count <= LENS_QUERY_NAMES);
    for (size_t i = 0; i < query->options.label_count; i++)
        expect(query->options.labels[i][0] && !strchr(query->options.labels[i], '/'));
    for (size_t i = 0; i < query->count; i++) {
        const lens_asked *asked = &query->terms[i];
        expect(isfinite(asked->weight));
        expect(asked->kind != LENS_ASKED_IMAGE || (asked->bytes && asked->size));
        expect(asked->kind != LENS_ASKED_ID || asked->id > 0);
        expect(asked->kind != LENS_ASKED_UPLOAD || strlen(asked->text) == 32);
    }
}

static void one_option(const uint8_t *data, size_t size)
{
    size_t count = 0;
    while (lens_query_options[count])
        count++;
    char *value = size ? malloc(size) : NULL;
    if (!value)
        return;
    memcpy(value, data + 1, size - 1);
    value[size - 1] = '\0';
    lens_query query;
    lens_query_init(&query);
    if (lens_query_option(&query, lens_query_options[data[0] % count], value, NULL) == 1)
        expect(query.options.n >= 1 && query.options.n <= LENS_QUERY_RESULTS);
    lens_query_free(&query);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lens_query query;
    lens_query_init(&query);
    if (lens_query_json(&query, (const char *)data, size, NULL) == 0)
        check(&query);
    lens_query_free(&query);
    lens_query_init(&query);
    if (lens_query_jina(&query, (const char *)data, size, NULL) == 0)
        check(&query);
    lens_query_free(&query);
    one_option(data, size);
    return 0;
}
