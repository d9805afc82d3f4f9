/* A picture from the web, as a term of a search. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "net/http.h"
#include "library/internal.h"
#include "pixels/sniff.h"

lens_fetch_options lens_fetch_options_default(void)
{
    return (lens_fetch_options){.max_bytes = LENS_MAX_FILE_BYTES, .seconds = 120, .allow_private = true};
}

typedef struct fetching {
    const lens_fetch_options *options;
    const char *plain; /* the address as messages show it */
    lens_buffer bytes;
    char type[128];
} fetching;

static int begin(void *context, const lens_http_answer *answer, lens_error *err)
{
    fetching *fetch = context;
    uint64_t most = fetch->options->max_bytes;
    memcpy(fetch->type, answer->type, sizeof fetch->type);
    if (answer->length != LENS_SIZE_UNKNOWN && answer->length > most)
        return lens_fail(err, LENS_E_LIMIT, "%s: %llu bytes, more than the %llu allowed", fetch->plain, (unsigned long long)answer->length,
                         (unsigned long long)most);
    return 0;
}

static int refuse(const fetching *fetch, lens_error *err)
{
    return lens_fail(err, LENS_E_FORMAT, "%s: not a picture%s%.100s", fetch->plain, *fetch->type ? ": the server sent " : "", fetch->type);
}

static int body(void *context, const void *bytes, size_t size, lens_error *err)
{
    fetching *fetch = context;
    size_t had = fetch->bytes.size;
    if (size > fetch->options->max_bytes - had)
        return lens_fail(err, LENS_E_LIMIT, "%s: more than the %llu bytes allowed", fetch->plain, (unsigned long long)fetch->options->max_bytes);
    if (lens_buffer_append(&fetch->bytes, bytes, size) != 0)
        return lens_fail_memory_for(err, fetch->plain);
    /* A web page or a film is told by its first bytes: the rest of it need not come. */
    if (had < LENS_SNIFF_BYTES && fetch->bytes.size >= LENS_SNIFF_BYTES &&
        lens_sniff(fetch->bytes.data, fetch->bytes.size) == LENS_FORMAT_NONE)
        return refuse(fetch, err);
    return 0;
}

static bool go_on(void *context)
{
    fetching *fetch = context;
    return !fetch->options->go_on || fetch->options->go_on(fetch->options->context);
}

int lens_fetch_picture(const char *url, const lens_fetch_options *options, void **bytes, size_t *size, lens_error *err)
{
    char plain[512];
    fetching fetch = {.options = options, .plain = lens_url_plain(url, plain, sizeof plain)};
    lens_http_request request = {.url = url,
                                 .allow_private = options->allow_private,
                                 .seconds = options->seconds,
                                 .begin = begin,
                                 .body = body,
                                 .go_on = go_on,
                                 .context = &fetch};
    lens_http_answer answer;
    bool again;
    int result = lens_http(&request, &answer, &again, err);
    if (result == 0 && answer.status != 200)
        result = lens_fail(err, answer.status == 404 || answer.status == 410 ? LENS_E_MISSING : LENS_E_SYSTEM, "%s: the server answered HTTP %ld%s",
                           plain, answer.status, answer.status == 404 || answer.status == 410 ? ", not there" : "");
    if (result == 0 && (!fetch.bytes.data || lens_sniff(fetch.bytes.data, fetch.bytes.size) == LENS_FORMAT_NONE))
        result = refuse(&fetch, err);
    if (result != 0) {
        lens_buffer_free(&fetch.bytes);
        return -1;
    }
    *bytes = fetch.bytes.data;
    *size = fetch.bytes.size;
    return 0;
}
