/* Every address that this server answers at. openapi.json describes the same ones. */
#include <stdlib.h>
#include <string.h>

#include "server/server.h"

static const lens_route routes[] = {
    {"GET", "/api/search", lens_api_search_get, LENS_POOL_QUICK, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"POST", "/api/search", lens_api_search_post, LENS_POOL_QUICK, false, LENS_BODY_PICTURES, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/pictures/#", lens_api_picture, LENS_POOL_QUICK, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/pictures/#/file", lens_api_file, LENS_POOL_SLOW, false, LENS_BODY_SMALL, LENS_ELSEWHERE_SHOW},
    {"GET", "/api/pictures/#/thumb", lens_api_thumb, LENS_POOL_SLOW, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/pictures/#/similar", lens_api_similar, LENS_POOL_QUICK, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/pictures/#/explain", lens_api_explain, LENS_POOL_SLOW, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/pictures/#/seen", lens_api_seen, LENS_POOL_SLOW, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"POST", "/api/uploads", lens_api_upload, LENS_POOL_SLOW, false, LENS_BODY_PICTURES, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/uploads/*/seen", lens_api_upload_seen, LENS_POOL_SLOW, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"POST", "/api/index", lens_api_index, LENS_POOL_QUICK, false, 32768, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/index/events", lens_api_events, LENS_POOL_NONE, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/api/status", lens_api_status, LENS_POOL_QUICK, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"POST", "/search", lens_jina_search, LENS_POOL_QUICK, false, LENS_BODY_PICTURES, LENS_ELSEWHERE_NOTHING},
    {"GET", "/healthz", lens_api_health, LENS_POOL_NONE, true, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/metrics", lens_api_metrics, LENS_POOL_QUICK, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/openapi.json", lens_api_openapi, LENS_POOL_NONE, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/login", lens_answer_login, LENS_POOL_NONE, true, LENS_BODY_SMALL, LENS_ELSEWHERE_LINK},
    {"POST", "/login", lens_answer_login, LENS_POOL_NONE, true, 4096, LENS_ELSEWHERE_NOTHING},
    {"GET", "/style.css", lens_page_file, LENS_POOL_NONE, true, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/icon.svg", lens_page_file, LENS_POOL_NONE, true, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
    {"GET", "/", lens_page_file, LENS_POOL_NONE, false, LENS_BODY_SMALL, LENS_ELSEWHERE_LINK},
    {"GET", "/js/@", lens_page_file, LENS_POOL_NONE, false, LENS_BODY_SMALL, LENS_ELSEWHERE_NOTHING},
};

size_t lens_route_count(void)
{
    return sizeof routes / sizeof *routes;
}

const lens_route *lens_route_at(size_t at)
{
    return &routes[at];
}

/* Whether PATH is what PATTERN describes. */
static bool matches(const char *pattern, const char *path, lens_exchange *exchange)
{
    while (*pattern) {
        if (*pattern == '#') {
            const size_t digits = strspn(path, "0123456789");
            if (digits == 0 || digits > 18)
                return false;
            exchange->id = strtoll(path, NULL, 10);
            path += digits;
            pattern++;
        } else if (*pattern == '*') {
            if (strspn(path, "0123456789abcdef") != sizeof exchange->key - 1)
                return false;
            memcpy(exchange->key, path, sizeof exchange->key - 1);
            path += sizeof exchange->key - 1;
            pattern++;
        } else if (*pattern == '@') { /* the rest: looked up in a table */
            return *path != '\0';
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

const lens_route *lens_route_find(const char *method, const char *path, lens_exchange *exchange, char *allowed, size_t size)
{
    const char *asked = strcmp(method, "HEAD") == 0 ? "GET" : method;
    allowed[0] = '\0';
    for (size_t i = 0; i < lens_route_count(); i++) {
        if (!matches(routes[i].path, path, exchange))
            continue;
        if (strcmp(routes[i].method, asked) == 0)
            return &routes[i];
        if (allowed[0])
            strncat(allowed, ", ", size - strlen(allowed) - 1);
        strncat(allowed, strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method, size - strlen(allowed) - 1);
    }
    return NULL;
}
