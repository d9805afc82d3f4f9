/* Who may ask: by the Host header (a page elsewhere may have its own name point here), by Origin, and by the token. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/server.h"

static const char cookie_name[] = "memelens";

/* The name in HOST without its port, in OUT; false when it is no such thing. */
static bool host_name(const char *host, char *out, size_t size)
{
    const char *end = host[0] == '[' ? strchr(host, ']') : host + strcspn(host, ":");
    if (!end)
        return false;
    end += host[0] == '[';
    if (*end && (*end != ':' || strlen(end + 1) > 5 || strspn(end + 1, "0123456789") != strlen(end + 1)))
        return false;
    if (end == host || (size_t)(end - host) >= size)
        return false;
    memcpy(out, host, (size_t)(end - host));
    out[end - host] = '\0';
    return true;
}

/* The bytes of the address that NAME is: 4, 16, or 0 where it is none. */
static size_t address_of(const char *name, unsigned char bytes[16])
{
    char inner[64];
    if (inet_pton(AF_INET, name, bytes) == 1)
        return 4;
    const size_t length = strlen(name);
    if (name[0] != '[' || length < 3 || length - 2 >= sizeof inner)
        return 0;
    memcpy(inner, name + 1, length - 2);
    inner[length - 2] = '\0';
    return inet_pton(AF_INET6, inner, bytes) == 1 ? 16 : 0;
}

/* Whether it is another spelling of loopback than 127.0.0.0/8 and ::1: 0.0.0.0, :: or IPv4 within IPv6. They lead to a server on loopback too, but to them
 * browsers do not say where a request comes from (Sec-Fetch-Site), and a page elsewhere would pass for nobody's. */
static bool is_odd_loopback(const unsigned char *bytes, size_t size)
{
    static const unsigned char none[16], mapped[12] = {[10] = 0xff, [11] = 0xff}, one[16] = {[15] = 1};
    if (size == 4)
        return bytes[0] == 0;
    return memcmp(bytes, mapped, sizeof mapped) == 0 || (memcmp(bytes, none, 12) == 0 && memcmp(bytes, one, sizeof one) != 0);
}

bool lens_guard_is_host(const char *host)
{
    unsigned char bytes[16];
    if (address_of(host, bytes) > 0 || inet_pton(AF_INET6, host, bytes) == 1)
        return true;
    return *host && !host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")];
}

/* Whether HOST is an address or name that this server goes by. */
static bool guard_host(const lens_server *server, const char *host)
{
    char name[256];
    unsigned char bytes[16];
    if (!host || !host_name(host, name, sizeof name))
        return false;
    /* Rebinding needs a name: an address is what it is. */
    const size_t size = address_of(name, bytes);
    if (size > 0 && !(server->loopback && is_odd_loopback(bytes, size)))
        return true;
    if (strcasecmp(name, "localhost") == 0 || (!server->loopback && strcasecmp(name, server->name) == 0))
        return true;
    for (size_t i = 0; i < server->options.hosts.count; i++)
        if (strcasecmp(name, server->options.hosts.items[i]) == 0)
            return true;
    return false;
}

static bool named_origin(const lens_server *server, const char *origin)
{
    for (size_t i = 0; i < server->options.origins.count; i++)
        if (strcmp(server->options.origins.items[i], origin) == 0)
            return true;
    return false;
}

bool lens_guard_is_origin(const char *origin)
{
    const size_t scheme = strspn(origin, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    if (scheme == 0 || strncmp(origin + scheme, "://", 3) != 0)
        return false;
    const char *host = origin + scheme + 3, *port;
    char name[256];
    if (!host_name(host, name, sizeof name) || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_[:]")])
        return false;
    port = host + strlen(name);
    /* A browser leaves the scheme's own port out. */
    return !*port || (port[1] && strcmp(port, strncmp(origin, "https:", 6) == 0 ? ":443" : strncmp(origin, "http:", 5) == 0 ? ":80" : "") != 0);
}

/* Whether --allow-origin names the page that asks. What it shows as a picture it asks for without an Origin, but says where it is all the same. */
static bool named_page(const lens_exchange *exchange)
{
    const lens_serve_names *origins = &exchange->server->options.origins;
    const char *origin = lens_request_header(exchange, MHD_HTTP_HEADER_ORIGIN), *page = lens_request_header(exchange, MHD_HTTP_HEADER_REFERER);
    if (origin)
        return named_origin(exchange->server, origin);
    for (size_t i = 0; page && i < origins->count; i++) {
        const size_t length = strlen(origins->items[i]);
        if (strncmp(page, origins->items[i], length) == 0 && (page[length] == '/' || !page[length]))
            return true;
    }
    return false;
}

/* Whether a request may come from where its browser says that it does (Fetch Metadata): from our own page, from a person, or, for what may be led
 * to or shown, from a page elsewhere. What is no browser says nothing. */
static bool may_come(const lens_exchange *exchange)
{
    const char *site = lens_request_header(exchange, "Sec-Fetch-Site"), *mode = lens_request_header(exchange, "Sec-Fetch-Mode"),
               *what = lens_request_header(exchange, "Sec-Fetch-Dest");
    if (!site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0)
        return true;
    const lens_elsewhere may = exchange->route && strcmp(exchange->route->method, "GET") == 0 ? exchange->route->elsewhere : LENS_ELSEWHERE_NOTHING;
    if (may >= LENS_ELSEWHERE_LINK && mode && what && strcmp(mode, "navigate") == 0 && strcmp(what, "document") == 0)
        return true;
    return may == LENS_ELSEWHERE_SHOW && exchange->server->local && strcmp(site, "same-site") == 0 && what && strcmp(what, "image") == 0;
}

/* Whether ORIGIN is this server's own page. */
static bool own_origin(const char *origin, const char *host)
{
    const char *rest = strncmp(origin, "http://", 7) == 0 ? origin + 7 : strncmp(origin, "https://", 8) == 0 ? origin + 8 : NULL;
    return rest && strcasecmp(rest, host) == 0;
}

/* In a time that says nothing about how much of it was right. */
static bool is_token(const lens_server *server, const char *given, size_t size)
{
    const size_t length = strlen(server->token);
    volatile unsigned char different = size != length;
    for (size_t i = 0; i < size; i++)
        different |= (unsigned char)(given[i] ^ server->token[i % length]);
    return !different;
}

static bool has_token(lens_exchange *exchange)
{
    const lens_server *server = exchange->server;
    const char *header = lens_request_header(exchange, MHD_HTTP_HEADER_AUTHORIZATION);
    if (header && strncasecmp(header, "Bearer ", 7) == 0)
        return is_token(server, header + 7, strlen(header + 7));
    const char *cookie = MHD_lookup_connection_value(exchange->connection, MHD_COOKIE_KIND, cookie_name);
    return cookie && is_token(server, cookie, strlen(cookie));
}

static bool wants_page(const lens_exchange *exchange)
{
    const char *accept = lens_request_header(exchange, MHD_HTTP_HEADER_ACCEPT);
    return strcmp(exchange->method, "GET") == 0 && accept && strstr(accept, "text/html");
}

/* What a request may say once. A proxy before us that goes by the other of two lengths or hosts would take for one request what are two here, and give
 * the answer to somebody else's (request smuggling); a blank behind a name hides it from one of both. */
typedef struct said {
    unsigned hosts, origins, ends;
    bool blank;
} said;

static enum MHD_Result meet_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    said *self = context;
    (void)kind, (void)value;
    const size_t length = strlen(name);
    self->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    self->origins += strcasecmp(name, MHD_HTTP_HEADER_ORIGIN) == 0;
    self->ends += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 || strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    self->blank |= length && (name[length - 1] == ' ' || name[length - 1] == '\t');
    return MHD_YES;
}

static bool is_ambiguous(const lens_exchange *exchange)
{
    said all = {0};
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, meet_header, &all);
    return all.hosts > 1 || all.origins > 1 || all.ends > 1 || all.blank;
}

static unsigned refuse(lens_exchange *exchange, unsigned status, const char *code, const char *message)
{
    lens_answer_error(exchange, status, code, "%s", message);
    return status;
}

unsigned lens_guard(lens_exchange *exchange)
{
    const lens_server *server = exchange->server;
    const char *host = lens_request_header(exchange, MHD_HTTP_HEADER_HOST);
    const char *origin = lens_request_header(exchange, MHD_HTTP_HEADER_ORIGIN);
    if (is_ambiguous(exchange)) {
        refuse(exchange, 400, "bad_request", "the request says its Host, its Origin or where it ends twice, or has a blank behind a header's name");
        lens_answer_header(exchange, MHD_HTTP_HEADER_CONNECTION, "close"); /* what follows may be anything */
        return 400;
    }
    if (!guard_host(server, host))
        return refuse(exchange, 421, "misdirected", "this server does not go by that name: see --host");
    const bool allowed = named_page(exchange);
    if (origin && !allowed && !own_origin(origin, host))
        return refuse(exchange, 403, "forbidden", "pages of that origin may not ask here: see --allow-origin");
    if (!allowed && !may_come(exchange))
        return refuse(exchange, 403, "forbidden", "pages elsewhere may not ask here: see --allow-origin");
    if (!server->token || (exchange->route && exchange->route->open) || strcmp(exchange->method, "OPTIONS") == 0 || has_token(exchange))
        return 0;
    if (wants_page(exchange)) {
        lens_answer_bytes(exchange, 303, "text/plain; charset=utf-8", "", 0);
        lens_answer_header(exchange, MHD_HTTP_HEADER_LOCATION, "/login");
        return 303;
    }
    lens_answer_error(exchange, 401, "unauthorized", "who asks has to know the token");
    lens_answer_header(exchange, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"memelens\"");
    return 401;
}

void lens_guard_headers(lens_exchange *exchange, struct MHD_Response *response)
{
    const char *origin = lens_request_header(exchange, MHD_HTTP_HEADER_ORIGIN);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    /* Not "no-referrer": under that a browser sends the login form with "Origin: null", which is refused. */
    MHD_add_response_header(response, "Referrer-Policy", "same-origin");
    MHD_add_response_header(response, "Content-Security-Policy",
                            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; manifest-src 'self'; "
                            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    /* Who may show it. What one page was given is not to come out of the cache for another. To a browser's mind http://127.0.0.1:1 and :2 are the
     * same site where it says who asks, but not where it holds an answer against "same-site": that we let it ask has to do. */
    const bool shown = exchange->route && exchange->route->elsewhere == LENS_ELSEWHERE_SHOW && exchange->server->local;
    const char *site = lens_request_header(exchange, "Sec-Fetch-Site");
    const bool let_in = named_page(exchange) || (shown && site && strcmp(site, "same-site") == 0);
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Origin, Sec-Fetch-Site");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", let_in ? "cross-origin" : shown && !site ? "same-site" : "same-origin");
    if (origin && named_origin(exchange->server, origin)) {
        MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
        MHD_add_response_header(response, "Access-Control-Allow-Headers", "Authorization, Content-Type");
        MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
        MHD_add_response_header(response, "Access-Control-Max-Age", "600");
    }
}

const char *lens_guard_scheme(const lens_exchange *exchange)
{
    const char *asked = exchange->server->options.hosts.count ? lens_request_header(exchange, "X-Forwarded-Proto") : NULL;
    return asked && strcasecmp(asked, "https") == 0 ? "https" : "http";
}

/* ---- logging in, for browsers ---- */

static const char login_page[] =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>memelens</title>"
    "<link rel=stylesheet href=/style.css><link rel=icon href=/icon.svg>"
    "<main class=login><h1>memelens</h1><form method=post action=/login>"
    "<label for=token>Token</label> <input id=token name=token type=password autocomplete=current-password autofocus required>"
    "<button>Open</button></form>%s</main></html>";

static enum MHD_Result form_token(void *context, enum MHD_ValueKind kind, const char *key, const char *file, const char *type, const char *encoding,
                                  const char *data, uint64_t offset, size_t size)
{
    (void)kind, (void)file, (void)type, (void)encoding, (void)offset;
    if (key && strcmp(key, "token") == 0)
        lens_buffer_append(context, data, size);
    return MHD_YES;
}

void lens_answer_login(lens_exchange *exchange)
{
    const lens_server *server = exchange->server;
    char page[sizeof login_page + 128];
    if (strcmp(exchange->method, "POST") == 0) {
        lens_buffer given = {0};
        struct MHD_PostProcessor *form = MHD_create_post_processor(exchange->connection, 1024, form_token, &given);
        if (form) {
            MHD_post_process(form, exchange->body.data ? exchange->body.data : "", exchange->body.size);
            MHD_destroy_post_processor(form);
        }
        if (!server->token || is_token(server, given.data ? given.data : "", given.size)) {
            lens_answer_bytes(exchange, 303, "text/plain; charset=utf-8", "", 0);
            if (server->token) {
                char cookie[512];
                snprintf(cookie, sizeof cookie, "%s=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000%s", cookie_name, server->token,
                         strcmp(lens_guard_scheme(exchange), "https") == 0 ? "; Secure" : "");
                lens_answer_header(exchange, MHD_HTTP_HEADER_SET_COOKIE, cookie);
            }
            lens_answer_header(exchange, MHD_HTTP_HEADER_LOCATION, "/");
        } else {
            snprintf(page, sizeof page, login_page, "<p role=alert>That is not the token.</p>");
            lens_answer_bytes(exchange, 401, "text/html; charset=utf-8", page, strlen(page));
        }
        lens_buffer_free(&given);
        return;
    }
    snprintf(page, sizeof page, login_page, "");
    lens_answer_bytes(exchange, 200, "text/html; charset=utf-8", page, strlen(page));
}
