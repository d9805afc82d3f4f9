/* libcurl is opened at the first need and not linked: it and its thirty libraries cost a program 5.5 ms to start, where all else of
 * ours takes 3.5, and most runs never talk to anyone. */
#include "net/http.h"

#include <ctype.h>
#define CURL_DISABLE_TYPECHECK /* its macros would hide the pointers below */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dynamic.h"
#include "base/patience.h"
#include "base/text.h"

enum { MOST_REDIRECTS = 10, CONNECT_SECONDS = 30, SILENT_SECONDS = 60, MOST_UNWANTED = 1 << 20 /* bytes */ };

/* Every function that we call; the compiler checks each call against the library's own prototype. */
#define FUNCTIONS(X) \
    X(curl_global_init) X(curl_easy_init) X(curl_easy_setopt) X(curl_easy_perform) X(curl_easy_getinfo) X(curl_easy_cleanup) \
    X(curl_easy_strerror) X(curl_slist_append) X(curl_slist_free_all)

static struct {
    FUNCTIONS(LENS_DYNAMIC_SLOT)
} lib;
static const lens_dynamic_symbol symbols[] = {FUNCTIONS(LENS_DYNAMIC_SYMBOL)};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char cannot_open[256]; /* why libcurl is not there; empty when it is */

static void open_library(void)
{
    if (!lens_dynamic_open("libcurl.so.4", symbols, sizeof symbols / sizeof *symbols, cannot_open, sizeof cannot_open))
        return;
    if (lib.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        snprintf(cannot_open, sizeof cannot_open, "libcurl cannot be set up");
}

const char *lens_url_plain(const char *url, char *out, size_t size)
{
    const char *slashes = strstr(url, "://");
    const char *host = slashes ? slashes + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *from = host;
    for (const char *at = host; at < host + authority; at++)
        if (*at == '@')
            from = at + 1;
    snprintf(out, size, "%.*s%.*s", (int)(host - url), url, (int)(authority - (size_t)(from - host) + strcspn(host + authority, "?#")), from);
    return out;
}

/* One hop of a call. */
struct hop {
    const lens_http_request *request;
    lens_http_answer *answer;
    lens_error *err;
    CURL *curl;
    bool first_host; /* this hop's host is the first one's */
    bool begun, failed, found /* an address of the name */, refused, wrong_port, cancelled, silent;
    bool enough;     /* of a body that nobody asked for: the hop was ended, and its status counts */
    size_t unwanted; /* bytes of such a body */
    double unwanted_since;
    double heard;    /* when the last bytes came */
    double deadline; /* of all hops; 0: none */
    curl_off_t had;
};

/* A decimal number and nothing else, or LENS_SIZE_UNKNOWN. */
static uint64_t number(const char *text)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return LENS_SIZE_UNKNOWN;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    return errno || *end ? LENS_SIZE_UNKNOWN : value;
}

static void keep(char *out, size_t size, const char *value)
{
    snprintf(out, size, "%s", strlen(value) < size ? value : "");
}

static void read_header(struct hop *hop, const char *name, const char *value)
{
    lens_http_answer *answer = hop->answer;
    if (strcasecmp(name, "etag") == 0) {
        keep(answer->etag, sizeof answer->etag, value);
    } else if (strcasecmp(name, "content-type") == 0) {
        keep(answer->type, sizeof answer->type, value);
    } else if (strcasecmp(name, "content-length") == 0) {
        answer->length = number(value);
    } else if (strcasecmp(name, "retry-after") == 0) {
        uint64_t seconds = number(value);
        answer->retry_after = seconds == LENS_SIZE_UNKNOWN ? 0 : (double)seconds;
    } else if (strcasecmp(name, "content-range") == 0) {
        const char *slash = strchr(value, '/');
        char first[24] = "";
        if (strncasecmp(value, "bytes ", 6) == 0)
            snprintf(first, sizeof first, "%.*s", (int)strcspn(value + 6, "-") < 23 ? (int)strcspn(value + 6, "-") : 0, value + 6);
        answer->range_first = number(first);
        answer->range_total = slash ? number(slash + 1) : LENS_SIZE_UNKNOWN;
    } else if (hop->first_host && strcasecmp(name, "x-repo-commit") == 0) {
        keep(answer->commit, sizeof answer->commit, value);
    } else if (hop->first_host && strcasecmp(name, "x-error-code") == 0) {
        keep(answer->error_code, sizeof answer->error_code, value);
    } else if (hop->first_host && strcasecmp(name, "x-linked-size") == 0) {
        answer->linked_size = number(value);
    } else if (hop->first_host && strcasecmp(name, "x-linked-etag") == 0) {
        size_t length = strlen(value);
        bool quoted = length > 1 && value[0] == '"' && value[length - 1] == '"';
        snprintf(answer->linked_etag, sizeof answer->linked_etag, "%.*s", (int)(quoted ? length - 2 : length), value + quoted);
    }
}

/* What belongs to one answer and not to the call. Also for each of several answers in a hop ("100 Continue", a proxy's). */
static void new_answer(lens_http_answer *answer)
{
    answer->length = answer->range_first = answer->range_total = LENS_SIZE_UNKNOWN;
    answer->retry_after = 0;
    answer->etag[0] = answer->type[0] = '\0';
}

static size_t on_header(char *bytes, size_t one, size_t size, void *context)
{
    struct hop *hop = context;
    (void)one;
    char line[1024];
    if (size > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        new_answer(hop->answer);
    if (size >= sizeof line) /* cookies and policies: none of ours is so long */
        return size;
    memcpy(line, bytes, size);
    line[size] = '\0';
    char *value = strchr(line, ':');
    if (!value || strlen(line) != size)
        return size;
    *value++ = '\0';
    value += strspn(value, " \t");
    for (size_t length = strlen(value); length && isspace((unsigned char)value[length - 1]); length--)
        value[length - 1] = '\0';
    read_header(hop, line, value);
    return size;
}

/* Whether this answer's body is what was asked for; BEGIN is told once. */
static bool begin(struct hop *hop)
{
    long status = 0;
    lib.curl_easy_getinfo(hop->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206)
        return false;
    if (!hop->begun) {
        hop->begun = true;
        hop->answer->status = status;
        if (hop->request->begin && hop->request->begin(hop->request->context, hop->answer, hop->err) != 0)
            hop->failed = true;
    }
    return true;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *context)
{
    struct hop *hop = context;
    (void)one;
    const bool wanted = begin(hop);
    if (wanted && !hop->failed && hop->request->body &&
        hop->request->body(hop->request->context, bytes, size, hop->err) != 0)
        hop->failed = true;
    if (!wanted) { /* what a refusal or a redirect says beside its headers: some lines of HTML, or bytes without end */
        const double now = lens_seconds();
        if (hop->unwanted == 0)
            hop->unwanted_since = now;
        hop->unwanted += size;
        hop->enough = hop->unwanted > MOST_UNWANTED || now - hop->unwanted_since > SILENT_SECONDS * lens_patience();
    }
    return hop->failed || hop->enough ? 0 : size;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    struct hop *hop = context;
    (void)total, (void)up_total, (void)up;
    if (hop->request->go_on && !hop->request->go_on(hop->request->context))
        return hop->cancelled = true;
    double clock = lens_seconds();
    if (now != hop->had) {
        hop->had = now;
        hop->heard = clock;
    }
    return hop->silent = clock - hop->heard > SILENT_SECONDS * lens_patience();
}

/* libcurl asks here for each address that it is about to connect to, so a name that changes its address between two look-ups gains
 * nothing. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct hop *hop = context;
    (void)purpose;
    hop->found = true;
    if (!hop->request->allow_private) {
        const int port = lens_address_port(&address->addr);
        hop->refused = !lens_address_public(&address->addr) || lens_address_near(&address->addr);
        hop->wrong_port = port != 80 && port != 443; /* no picture is elsewhere, but many a service that takes orders is */
        if (hop->refused || hop->wrong_port)
            return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int explain(const struct hop *hop, const char *url, CURLcode code, const char *detail, bool *again)
{
    char plain[512];
    lens_url_plain(url, plain, sizeof plain);
    *again = false;
    if (hop->failed)
        return -1; /* said already */
    if (hop->cancelled)
        return lens_fail(hop->err, LENS_E_CANCELLED, "%s: stopped", plain);
    /* The same words whether a name means a machine inside or none at all: a stranger is not to learn which names there are. */
    const bool nowhere = !hop->request->allow_private && !hop->found && (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_OPERATION_TIMEDOUT);
    if (hop->refused || nowhere)
        return lens_fail(hop->err, LENS_E_ARGUMENT, "%s: cannot be found on the public internet, and only that is asked here", plain);
    if (hop->wrong_port)
        return lens_fail(hop->err, LENS_E_ARGUMENT, "%s: only ports 80 and 443 are asked here", plain);
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return lens_fail(hop->err, LENS_E_ARGUMENT, "%s: not an address of http or https", plain);
    case CURLE_OUT_OF_MEMORY: return lens_fail_memory_for(hop->err, plain);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: break; /* no second try makes a certificate right */
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT: hop->answer->unreachable = true; /* fall through */
    default: *again = true;
    }
    const char *reason = hop->silent ? "the server fell silent" : *detail ? detail : lib.curl_easy_strerror(code);
    return lens_fail(hop->err, LENS_E_SYSTEM, "%s: %s", plain, reason);
}

/* scheme://host:port of two addresses, as text: a port that is written out differs from one that is not, which only costs a token. */
static bool same_origin(const char *a, const char *b)
{
    const char *ends[2];
    const char *urls[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        const char *slashes = strstr(urls[i], "://");
        if (!slashes)
            return false;
        ends[i] = slashes + 3 + strcspn(slashes + 3, "/?#");
    }
    size_t length = (size_t)(ends[0] - a);
    return length == (size_t)(ends[1] - b) && strncasecmp(a, b, length) == 0;
}

/* Asks URL. The address that it redirects to goes to *NEXT, or NULL. */
static int ask(struct hop *hop, const char *url, char **next, bool *again)
{
    const lens_http_request *request = hop->request;
    struct curl_slist *headers = NULL;
    char detail[CURL_ERROR_SIZE] = "", line[512];
    bool ok = true;
    /* A packed body would have other lengths than the ones we hold against each other. */
    const char *lines[3] = {"Accept-Encoding: identity"};
    int count = 1;
    char bearer[2048];
    if (request->if_etag && request->from) {
        snprintf(line, sizeof line, "If-Range: %s", request->if_etag);
        lines[count++] = line;
    }
    if (request->token && hop->first_host) {
        if (snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", request->token) >= (int)sizeof bearer)
            return lens_fail(hop->err, LENS_E_ARGUMENT, "the token is too long to be one");
        lines[count++] = bearer;
    }
    for (int i = 0; i < count && ok; i++) {
        struct curl_slist *longer = lib.curl_slist_append(headers, lines[i]);
        ok = longer != NULL;
        headers = longer ? longer : headers;
    }
    CURL *curl = hop->curl;
    char range[32];
    snprintf(range, sizeof range, "%llu-", (unsigned long long)request->from);
    double patience = lens_patience();
#define SET(option, value) ok = ok && lib.curl_easy_setopt(curl, CURLOPT_##option, value) == CURLE_OK
    SET(URL, url);
    SET(PROTOCOLS_STR, "http,https");
    SET(FOLLOWLOCATION, 0L);
    SET(NOSIGNAL, 1L);
    SET(NOPROGRESS, 0L);
    SET(USERAGENT, "memelens/" LENS_VERSION);
    SET(HTTPHEADER, headers);
    SET(ERRORBUFFER, detail);
    SET(CONNECTTIMEOUT_MS, (long)(CONNECT_SECONDS * 1000 * (patience < 1 ? patience + 0.1 : patience)));
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, hop);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, hop);
    SET(XFERINFOFUNCTION, on_progress);
    SET(XFERINFODATA, hop);
    SET(OPENSOCKETFUNCTION, on_socket);
    SET(OPENSOCKETDATA, hop);
    if (!request->allow_private)
        SET(PROXY, ""); /* behind a proxy the address cannot be seen */
    if (request->head)
        SET(NOBODY, 1L);
    if (request->from)
        SET(RANGE, range);
    if (hop->deadline > 0) {
        double left = hop->deadline - lens_seconds();
        SET(TIMEOUT_MS, left > 0.001 ? (long)(left * 1000) : 1L);
    }
#undef SET
    int result = 0;
    if (!ok) {
        result = lens_fail(hop->err, LENS_E_MEMORY, "not enough memory to ask a server");
    } else {
        hop->heard = lens_seconds();
        CURLcode code = lib.curl_easy_perform(curl);
        if (code == CURLE_WRITE_ERROR && hop->enough)
            code = CURLE_OK;
        /* An answer without a body never came to on_body. */
        if (code == CURLE_OK && !request->head && begin(hop) && hop->failed)
            result = -1;
        else if (code != CURLE_OK)
            result = explain(hop, url, code, detail, again);
        long status = 0;
        char *to = NULL;
        lib.curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        lib.curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &to);
        hop->answer->status = status;
        if (result == 0 && hop->enough && status / 100 == 3) { /* libcurl tells where to only behind the whole of it */
            char plain[512];
            result = lens_fail(hop->err, LENS_E_SYSTEM, "%s: redirects, with a body that does not end", lens_url_plain(url, plain, sizeof plain));
        }
        if (result == 0 && to && !(*next = strdup(to)))
            result = lens_fail_memory(hop->err);
    }
    lib.curl_slist_free_all(headers);
    return result;
}

int lens_http(const lens_http_request *request, lens_http_answer *answer, bool *again, lens_error *err)
{
    *answer = (lens_http_answer){.linked_size = LENS_SIZE_UNKNOWN};
    new_answer(answer);
    *again = false;
    pthread_once(&once, open_library);
    if (cannot_open[0])
        return lens_fail(err, LENS_E_MISSING, "libcurl (package libcurl4) is needed to ask a server and cannot be used: %s", cannot_open);
    char plain[512];
    double deadline = request->seconds > 0 ? lens_seconds() + request->seconds : 0;
    char *url = strdup(request->url);
    int result = url ? 0 : lens_fail_memory(err);
    for (int redirects = 0; result == 0; redirects++) {
        struct hop hop = {.request = request, .answer = answer, .err = err, .deadline = deadline, .first_host = same_origin(request->url, url)};
        if (!lens_is_url(url)) {
            char to[256];
            if (redirects == 0)
                result = lens_fail(err, LENS_E_ARGUMENT, "%s: not an address of http or https", lens_url_plain(url, plain, sizeof plain));
            else
                result = lens_fail(err, LENS_E_ARGUMENT, "%s: redirects to %s, which is not http or https",
                                   lens_url_plain(request->url, plain, sizeof plain), lens_url_plain(url, to, sizeof to));
            break;
        }
        if (redirects > MOST_REDIRECTS) {
            result = lens_fail(err, LENS_E_SYSTEM, "%s: redirects more than %d times", lens_url_plain(request->url, plain, sizeof plain),
                               MOST_REDIRECTS);
            break;
        }
        hop.curl = lib.curl_easy_init();
        if (!hop.curl) {
            result = lens_fail_memory(err);
            break;
        }
        char *next = NULL;
        result = ask(&hop, url, &next, again);
        lib.curl_easy_cleanup(hop.curl);
        bool stay = request->head && next && !same_origin(request->url, next);
        if (result != 0 || !next || stay) {
            free(next);
            break;
        }
        if (strncasecmp(url, "https://", 8) == 0 && strncasecmp(next, "https://", 8) != 0) {
            char to[256]; /* what was asked for in private is not told in the clear */
            result = lens_fail(err, LENS_E_ARGUMENT, "%s: redirects to %s, which is not https", lens_url_plain(request->url, plain, sizeof plain),
                               lens_url_plain(next, to, sizeof to));
        }
        free(url);
        url = next;
    }
    free(url);
    return result;
}
