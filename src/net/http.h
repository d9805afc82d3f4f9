/* One answer over HTTP: redirects followed by our own rules, a time limit on silence, and nothing kept between calls. libcurl does the
 * talking, and so the proxies of the environment hold (http_proxy, https_proxy, no_proxy). */
#ifndef LENS_NET_HTTP_H
#define LENS_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define LENS_SIZE_UNKNOWN UINT64_MAX

/* What the server said, over all redirects: a later header of the same name wins, but those of the hub are taken from the first host
 * only. Texts are empty where there was no such header. */
typedef struct lens_http_answer {
    long status;
    uint64_t length;          /* Content-Length of the last answer, or LENS_SIZE_UNKNOWN */
    uint64_t range_first;     /* Content-Range: the first byte, or LENS_SIZE_UNKNOWN */
    uint64_t range_total;     /* and the length of the whole, or LENS_SIZE_UNKNOWN */
    double retry_after;       /* seconds; 0 for none */
    char etag[256];           /* with its quotes, and W/ where it is weak */
    char type[128];           /* Content-Type */
    char commit[64];          /* X-Repo-Commit */
    char linked_etag[128];    /* X-Linked-Etag, without quotes */
    char error_code[64];      /* X-Error-Code: "GatedRepo", "RepoNotFound", … */
    uint64_t linked_size;     /* X-Linked-Size, or LENS_SIZE_UNKNOWN */
    bool unreachable;         /* no answer at all: the name means no machine, or no machine takes the call */
} lens_http_answer;

typedef struct lens_http_request {
    const char *url;    /* http or https; may hold "user:password@", which no message shows */
    bool head;          /* headers only; then only redirects on the same host are followed */
    const char *token;  /* sent as "Authorization: Bearer" to the url's own scheme, host and port alone; NULL for none */
    uint64_t from;      /* ask for the bytes from here on; 0: all of them */
    const char *if_etag;/* only if they are still of this ETag; NULL: in any case */
    bool allow_private; /* false: only ports 80 and 443 of the public internet, but no neighbour of this machine, and no proxy is used */
    double seconds;     /* all of it must be over by then; 0: no limit */

    /* Called once the last answer's headers are there and it is one of 200, 206; -1 with ERR filled ends the call. May be NULL. */
    int (*begin)(void *context, const lens_http_answer *answer, lens_error *err);
    /* Bytes of such an answer's body. The same. */
    int (*body)(void *context, const void *bytes, size_t size, lens_error *err);
    /* Asked about once a second and at every piece; false ends the call with LENS_E_CANCELLED. May be NULL. */
    bool (*go_on)(void *context);
    void *context;
} lens_http_request;

/* 0 when the server answered, whatever the status; *ANSWER then says what. -1: ERR names the address and the reason, and *AGAIN says
 * whether trying again may help (a connection that broke or fell silent, not a wrong address). */
int lens_http(const lens_http_request *request, lens_http_answer *answer, bool *again, lens_error *err);

/* URL without "user:password@", query and fragment, for messages. OUT has room for SIZE bytes. Returns OUT. */
const char *lens_url_plain(const char *url, char *out, size_t size);

/* Whether ADDRESS belongs to the public internet: not this machine, no local network, nothing reserved (RFC 6890, RFC 4291). */
bool lens_address_public(const struct sockaddr *address);

/* Whether ADDRESS is one of this machine's own, or of a network that it is on: with public addresses those are still next door. */
bool lens_address_near(const struct sockaddr *address);

/* The same for the machine whose INTERFACES these are. */
struct ifaddrs;
bool lens_address_among(const struct sockaddr *address, const struct ifaddrs *interfaces);

/* 0 where there is no such thing. */
int lens_address_port(const struct sockaddr *address);

#endif
