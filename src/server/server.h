/* What the files of src/server share: the server, and one exchange of a request for an answer. */
#ifndef LENS_SERVER_SERVER_H
#define LENS_SERVER_SERVER_H

#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/queue.h"
#include "memelens.h"
#include "server/cache.h"
#include "server/serve.h"

typedef struct lens_exchange lens_exchange;
typedef struct lens_events lens_events;
typedef struct lens_indexer lens_indexer;
typedef struct lens_metrics lens_metrics;
typedef struct lens_route lens_route;
typedef struct lens_worker lens_worker;

/* Who does the work of a route: the thread that reads the network, where it takes no time; the quick workers, one for each processor; or
 * the slow ones, so that pictures being shrunk, explained or fetched hold up no query. */
typedef enum lens_pool { LENS_POOL_QUICK, LENS_POOL_SLOW, LENS_POOLS, LENS_POOL_NONE } lens_pool;

typedef struct lens_server {
    lens_serve_options options;
    struct sockaddr_storage address; /* where it listens: looked up once, so that what was checked is what is opened */
    bool loopback;    /* that is for this machine only */
    bool local;       /* and no proxy stands before it, as far as --host tells */
    bool show_paths;
    char *token;      /* NULL: nobody is asked for one */
    char *name;       /* of this machine */
    uint64_t pixels_most; /* of a picture of the library: as many as of one that is sent, and never fewer than an index run takes by itself */
    lens_warm *warm;
    struct MHD_Daemon *daemon;
    unsigned port;
    lens_queue *queues[LENS_POOLS];
    lens_worker *workers;
    size_t worker_count;
    lens_cache *thumbs, *uploads;
    lens_events *events;
    lens_indexer *indexer;
    lens_metrics *metrics;
    size_t body_most;      /* bytes of a request that carries pictures */
    long long bodies_most; /* of all requests together */
    atomic_llong bodies;   /* bytes of requests that are held */
    atomic_int in_flight;  /* exchanges that are being worked on or sent */
    atomic_bool ending;    /* no new request is begun */
    atomic_bool overdue;   /* and what waits for a worker is no longer waited for */
    struct lens_connection *connections;
    pthread_mutex_t lock;  /* of CONNECTIONS */
} lens_server;

struct lens_exchange {
    lens_server *server;
    struct MHD_Connection *connection;
    const lens_route *route;
    const char *method;
    const char *path;  /* of the address, while the request is looked at by the thread that reads the network */
    int64_t id;        /* of the path */
    char key[33];      /* of the path: an upload's */
    lens_buffer body;
    size_t body_most;
    size_t held;       /* bytes that were gathered for it, besides the body */
    double until;      /* when what it names must have been fetched; 0: nothing was yet */
    bool has_nul, too_large, worked, slow;
    bool late;         /* it has had the time that its worker has for one */
    atomic_bool gone;  /* who asked has hung up */
    lens_library *library; /* of the worker that answers */
    unsigned status;
    struct MHD_Response *response; /* the answer, once there is one */
    double begun;
};

/* ---- routes.c ---- */

/* What a page elsewhere may do with a route without --allow-origin. */
typedef enum lens_elsewhere {
    LENS_ELSEWHERE_NOTHING,
    LENS_ELSEWHERE_LINK,  /* lead to it */
    LENS_ELSEWHERE_SHOW,  /* and show it as a picture, where page and server are this machine's */
} lens_elsewhere;

enum { LENS_BODY_SMALL = 65536, LENS_BODY_PICTURES = -1 };

struct lens_route {
    const char *method; /* "GET" stands for HEAD too */
    const char *path;   /* "#": an id; "*": the key of an upload; "@", at the end: whatever is left */
    void (*answer)(lens_exchange *exchange);
    lens_pool pool;
    bool open; /* to those without the token */
    int body;  /* bytes that a request may have; LENS_BODY_PICTURES: as many as pictures need */
    lens_elsewhere elsewhere;
};

/* The route of METHOD and PATH; what "#" and "*" stood for goes into EXCHANGE. NULL: there is none, and *ALLOWED [size] then names the methods
 * that the path has ("" for no such path). */
const lens_route *lens_route_find(const char *method, const char *path, lens_exchange *exchange, char *allowed, size_t size);
size_t lens_route_count(void);
const lens_route *lens_route_at(size_t at);

/* ---- daemon.c: libmicrohttpd's side ---- */

/* What the address to listen at says: fills ADDRESS and LOOPBACK. */
int lens_daemon_listen(lens_server *server, lens_error *err);
/* Listens there, and answers from then on. */
int lens_daemon_start(lens_server *server, lens_error *err);

/* Takes no new connections, lets those in flight end for at most SECONDS, and stops. */
void lens_daemon_stop(lens_server *server, double seconds);

/* Cuts off connections that have taken too long over a request. */
void lens_daemon_sweep(lens_server *server);

/* Counts SIZE bytes that were gathered for EXCHANGE: one request may name no more than it may carry. False: that is too much, for it or for all
 * together. */
bool lens_daemon_hold(lens_exchange *exchange, size_t size);
/* What was gathered for EXCHANGE is freed. */
void lens_daemon_release(lens_exchange *exchange);

/* ---- workers.c ---- */

int lens_workers_start(lens_server *server, lens_error *err);
/* Ends the workers. Requests may still come, and are refused. */
void lens_workers_end(lens_server *server);
/* Ends them and frees their queues: the daemon has stopped. */
void lens_workers_free(lens_server *server);

/* Hands EXCHANGE over; its connection is suspended. False when the workers are ending. */
bool lens_workers_give(lens_exchange *exchange, lens_pool pool);

/* ---- guard.c: who may ask ---- */

/* 0, or the status of a refusal that is already in EXCHANGE. */
unsigned lens_guard(lens_exchange *exchange);

/* The headers that every answer carries. */
void lens_guard_headers(lens_exchange *exchange, struct MHD_Response *response);

/* "http", or "https" where a proxy says that it was asked so. */
const char *lens_guard_scheme(const lens_exchange *exchange);

/* Whether ORIGIN is one as browsers send it, so that it can be compared: "https://page.example", "http://10.0.0.2:8501". */
bool lens_guard_is_origin(const char *origin);
/* Whether HOST is a name or an address alone, as --host takes it: with a scheme, a port or a star no request would ever come to it. */
bool lens_guard_is_host(const char *host);
void lens_answer_login(lens_exchange *exchange);

/* ---- allowed.c: files that requests may name ---- */

/* PATH without symbolic links, where it is absolute and lies below a folder of --allow-path; *SHOWN: with no hidden name on the way from there. The caller
 * frees. NULL with ERR: LENS_E_MISSING where it is not there as much as where it may not be named, LENS_E_SILENT where its disk gives no answer. */
char *lens_allowed_path(const lens_server *server, const char *path, bool *shown, lens_error *err);

/* ---- answer.c: filling in the answer. All may be called from any thread. ---- */

/* BYTES are copied. TYPE is the Content-Type. */
void lens_answer_bytes(lens_exchange *exchange, unsigned status, const char *type, const void *bytes, size_t size);
void lens_answer_header(lens_exchange *exchange, const char *name, const char *value);
/* OBJECT is taken over; NULL: memory was short. */
void lens_answer_json(lens_exchange *exchange, unsigned status, json_t *object);
/* {"error": {"code", "message"}}; always returns -1. */
int lens_answer_error(lens_exchange *exchange, unsigned status, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for an ERROR of the library, with the status that is its code's. */
int lens_answer_failure(lens_exchange *exchange, const lens_error *error);
/* What may be told of the library's MESSAGE: all of it, or where paths are not told its reason. A part of MESSAGE, or static. */
const char *lens_answer_reason(const lens_exchange *exchange, const char *message);
/* 304 when the request's If-None-Match holds ETAG: true, and the answer is there. Else false; ETAG is to be sent with the answer. */
bool lens_answer_unchanged(lens_exchange *exchange, const char *etag, const char *caching);

/* The request's query parameter NAME, valid UTF-8 without NUL, or NULL. -1 with an answer filled in where it is neither; else 0. One without an equals
 * sign has the value "". */
int lens_parameter(lens_exchange *exchange, const char *name, const char **value);
/* Calls EACH with every value of it, until it returns other than 0. -1 with an answer filled in where one is no UTF-8 without NUL; else what EACH
 * returned last. */
int lens_parameter_each(lens_exchange *exchange, const char *name, int (*each)(void *context, const char *value), void *context);
/* 0 where the address has no parameters but some of NAMES (ended by NULL; NULL: none) and ALSO (may be NULL); else -1 with an answer filled in. */
int lens_parameters_known(lens_exchange *exchange, const char *const *names, const char *also);
const char *lens_request_header(const lens_exchange *exchange, const char *name);

/* ---- the routes' answers ---- */

void lens_api_search_get(lens_exchange *exchange), lens_api_search_post(lens_exchange *exchange), lens_api_similar(lens_exchange *exchange),
    lens_api_picture(lens_exchange *exchange), lens_api_file(lens_exchange *exchange), lens_api_thumb(lens_exchange *exchange),
    lens_api_explain(lens_exchange *exchange), lens_api_seen(lens_exchange *exchange), lens_api_upload(lens_exchange *exchange),
    lens_api_upload_seen(lens_exchange *exchange), lens_api_index(lens_exchange *exchange), lens_api_events(lens_exchange *exchange),
    lens_api_status(lens_exchange *exchange), lens_api_health(lens_exchange *exchange), lens_api_metrics(lens_exchange *exchange),
    lens_api_openapi(lens_exchange *exchange), lens_jina_search(lens_exchange *exchange), lens_page_file(lens_exchange *exchange);

/* ---- indexer.c: index runs in the background, asked for or called for by what changes in watched folders, and pictures that are read ---- */

lens_indexer *lens_indexer_new(lens_server *server, lens_error *err);
/* Stops the run under way, keeping what it did. */
void lens_indexer_end(lens_indexer *indexer);
void lens_indexer_free(lens_indexer *indexer);
/* A run over PATH (NULL: every known folder), after which what is written in pictures is read if READS: its number, or 0 while another run is under
 * way. */
int64_t lens_indexer_begin(lens_indexer *indexer, const char *path, bool reads);
/* {"running", "doing", "done", "total", …} */
json_t *lens_indexer_state(lens_indexer *indexer);
/* Whether the kernel tells of what changes in the library's folders, and whether some or all of them are looked at every ten minutes for want of that. */
void lens_indexer_watching(lens_indexer *indexer, bool *told, bool *timed);

/* ---- events.c: telling those who listen to /api/index/events ---- */

lens_events *lens_events_new(void);
/* OBJECT is taken over. */
void lens_events_tell(lens_events *events, const char *event, json_t *object);
/* To be called now and then: streams are kept alive. */
void lens_events_beat(lens_events *events);
/* Ends the streams; freed once the daemon has stopped. */
void lens_events_end(lens_events *events);
void lens_events_free(lens_events *events);

/* ---- metrics.c ---- */

lens_metrics *lens_metrics_new(void);
void lens_metrics_free(lens_metrics *metrics);
void lens_metrics_count(lens_metrics *metrics, const lens_route *route, unsigned status, double seconds);

#endif
