/* libmicrohttpd's side: one thread reads and writes the network, whatever takes time is handed to a worker while the connection sleeps. */
#define _GNU_SOURCE /* POLLRDHUP */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/server.h"

static const double fetching_factor = 15; /* of the patience: how long an answer may take to be fetched */
/* Whose side of a connection is shut has hung up, or has only said all it wanted to say and waits for the answer; it cannot be told, so that it is waited for a while. */
static const double waiting_most = 10;
static const double parting = 2; /* for the last answers to get away */
enum { CONNECTIONS_MOST = 1000 };

typedef enum phase { PHASE_IDLE, PHASE_ASKING, PHASE_WORKING, PHASE_FETCHING } phase;

typedef struct lens_connection {
    struct lens_connection *next, *previous;
    int fd;
    phase phase;
    double since;
    bool endless; /* a stream of events */
    double gone_since; /* since when we saw at each look that the other side has hung up; 0: it has not */
    lens_exchange *exchange; /* being worked on; else NULL */
} lens_connection;

static void enter_phase(lens_exchange *exchange, phase to)
{
    lens_server *server = exchange->server;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    lens_connection *self = info ? info->socket_context : NULL;
    if (!self)
        return;
    pthread_mutex_lock(&server->lock);
    self->phase = to;
    self->since = lens_seconds();
    self->exchange = to == PHASE_WORKING ? exchange : NULL;
    self->endless = to == PHASE_FETCHING && exchange->route && exchange->route->answer == lens_api_events;
    pthread_mutex_unlock(&server->lock);
}

static void meet(void *context, struct MHD_Connection *connection, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    lens_server *server = context;
    lens_connection *self = *socket_context;
    pthread_mutex_lock(&server->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        self = info ? calloc(1, sizeof *self) : NULL;
        if (self) {
            *self = (lens_connection){.next = server->connections, .fd = info->connect_fd, .since = lens_seconds()};
            if (self->next)
                self->next->previous = self;
            server->connections = self;
        }
        *socket_context = self;
    } else if (self) {
        *(self->previous ? &self->previous->next : &server->connections) = self->next;
        if (self->next)
            self->next->previous = self->previous;
        free(self);
        *socket_context = NULL;
    }
    pthread_mutex_unlock(&server->lock);
}

/* Whether nothing more will come from the other side, and all that came was read. */
static bool hung_up(int fd)
{
    int unread = 0;
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0 && ioctl(fd, FIONREAD, &unread) == 0 && unread == 0;
}

void lens_daemon_sweep(lens_server *server)
{
    /* libmicrohttpd's own limit is on silence, and a byte now and then is not silent. Its thread sees the shut socket and cleans up; until
     * it has told us, the socket is open and its number nobody else's. Nor does it always see that somebody hung up in the middle of a request:
     * the end that comes with the last bytes makes no event of its own. */
    const double now = lens_seconds(), patience = server->options.patience;
    pthread_mutex_lock(&server->lock);
    for (lens_connection *at = server->connections; at; at = at->next) {
        const double most = at->phase == PHASE_FETCHING ? patience * fetching_factor : patience;
        const bool was_gone = at->gone_since > 0, gone = at->phase != PHASE_FETCHING && hung_up(at->fd);
        at->gone_since = !gone ? 0 : was_gone ? at->gone_since : now;
        if (at->exchange && gone && now - at->gone_since > waiting_most)
            atomic_store(&at->exchange->gone, true);
        if (at->phase != PHASE_WORKING && !at->endless && (now - at->since > most || (was_gone && gone)))
            shutdown(at->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->lock);
}

/* What stands for an exchange that has not begun: its address was heard, and a NUL in it or not. */
static char address_heard, address_with_nul;

static bool has_begun(const void *request)
{
    return request && request != &address_heard && request != &address_with_nul;
}

static void forget(void *context, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    lens_exchange *exchange = *request;
    if (!has_begun(exchange))
        return;
    lens_server *server = exchange->server;
    if (exchange->route)
        lens_metrics_count(server->metrics, exchange->route, exchange->status, lens_seconds() - exchange->begun);
    enter_phase(exchange, PHASE_IDLE);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    atomic_fetch_sub(&server->bodies, (long long)exchange->body.capacity);
    lens_daemon_release(exchange);
    atomic_fetch_sub(&server->in_flight, 1);
    lens_buffer_free(&exchange->body);
    free(exchange);
    *request = NULL;
}

bool lens_daemon_hold(lens_exchange *exchange, size_t size)
{
    lens_server *server = exchange->server;
    if (size > exchange->body_most - exchange->held || atomic_load(&server->bodies) + (long long)size > server->bodies_most)
        return false;
    exchange->held += size;
    atomic_fetch_add(&server->bodies, (long long)size);
    return true;
}

void lens_daemon_release(lens_exchange *exchange)
{
    atomic_fetch_sub(&exchange->server->bodies, (long long)exchange->held);
    exchange->held = 0;
}

static enum MHD_Result send_answer(lens_exchange *exchange)
{
    enter_phase(exchange, PHASE_FETCHING);
    return exchange->response ? MHD_queue_response(exchange->connection, exchange->status, exchange->response) : MHD_NO;
}

/* The bytes that the request says its body has; -1: it does not say, or nothing that makes sense. */
static int64_t announced(const lens_exchange *exchange)
{
    const char *length = lens_request_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    char *end;
    errno = 0;
    const long long value = length ? strtoll(length, &end, 10) : -1;
    return length && *length && !*end && errno == 0 ? value : -1;
}

static void too_large(lens_exchange *exchange)
{
    lens_answer_error(exchange, 413, "too_large", "a request may have %zu bytes here%s", exchange->body_most,
                      exchange->route->body == LENS_BODY_PICTURES ? ": see --max-upload" : "");
}

/* The first look, at the request's lines alone. True when there is an answer already. */
static bool look(lens_exchange *exchange, const char *path)
{
    lens_server *server = exchange->server;
    char allowed[64];
    if (atomic_load(&server->ending)) {
        lens_answer_error(exchange, 503, "unavailable", "the server is ending");
        lens_answer_header(exchange, MHD_HTTP_HEADER_CONNECTION, "close");
        return true;
    }
    exchange->route = lens_route_find(exchange->method, exchange->has_nul ? "" : path, exchange, allowed, sizeof allowed);
    if (lens_guard(exchange) != 0)
        return true;
    if (strcmp(exchange->method, "OPTIONS") == 0) {
        lens_answer_bytes(exchange, 204, "text/plain", "", 0);
        return true;
    }
    if (!exchange->route && allowed[0]) {
        lens_answer_error(exchange, 405, "method_not_allowed", "this address takes %s", allowed);
        lens_answer_header(exchange, MHD_HTTP_HEADER_ALLOW, allowed);
        return true;
    }
    if (!exchange->route) {
        lens_answer_error(exchange, 404, "not_found", "there is nothing at this address");
        return true;
    }
    exchange->body_most = exchange->route->body == LENS_BODY_PICTURES ? server->body_most : (size_t)exchange->route->body;
    const int64_t length = announced(exchange);
    if (length > 0 && (uint64_t)length > exchange->body_most) {
        too_large(exchange);
        return true;
    }
    if (length > 0 && atomic_load(&server->bodies) + length > server->bodies_most) {
        lens_answer_error(exchange, 503, "unavailable", "too much is being sent at once: please try again");
        lens_answer_header(exchange, MHD_HTTP_HEADER_RETRY_AFTER, "2");
        return true;
    }
    return false;
}

static bool take(lens_exchange *exchange, const char *data, size_t size)
{
    lens_server *server = exchange->server;
    if (exchange->too_large || size > exchange->body_most - exchange->body.size) {
        exchange->too_large = true; /* what was announced was looked at before; who goes on for ever is cut off by time */
        return true;
    }
    const size_t had = exchange->body.capacity;
    const bool kept = lens_buffer_append(&exchange->body, data, size) == 0;
    atomic_fetch_add(&server->bodies, (long long)(exchange->body.capacity - had));
    return kept && atomic_load(&server->bodies) <= server->bodies_most + (server->bodies_most >> 2);
}

/* What runs where, once the whole request is there. */
static enum MHD_Result begin(lens_exchange *exchange)
{
    const lens_pool pool = exchange->route->pool;
    if (exchange->too_large) {
        too_large(exchange);
        return send_answer(exchange);
    }
    if (pool == LENS_POOL_NONE) {
        exchange->route->answer(exchange);
        return send_answer(exchange);
    }
    enter_phase(exchange, PHASE_WORKING);
    MHD_suspend_connection(exchange->connection);
    if (lens_workers_give(exchange, pool))
        return MHD_YES;
    lens_answer_error(exchange, 503, "unavailable", "the server is ending");
    exchange->worked = true;
    MHD_resume_connection(exchange->connection);
    return MHD_YES;
}

/* The first that is heard of a request, its address as it was sent. A NUL in the path would end it early. Nothing is made here that wants an end: of a
 * request that libmicrohttpd itself refuses after this, as one with too many arguments, it tells us nothing more. */
static void *meet_address(void *context, const char *address, struct MHD_Connection *connection)
{
    (void)context, (void)connection;
    const char *nul = strstr(address, "%00"), *query = strchr(address, '?');
    return nul && (!query || nul < query) ? &address_with_nul : &address_heard;
}

static lens_exchange *begin_exchange(lens_server *server, struct MHD_Connection *connection, bool has_nul)
{
    lens_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange) {
        *exchange = (lens_exchange){.server = server, .connection = connection, .begun = lens_seconds(), .has_nul = has_nul};
        atomic_fetch_add(&server->in_flight, 1);
    }
    return exchange;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *data, size_t *size, void **request)
{
    (void)version;
    if (*request && !has_begun(*request))
        *request = begin_exchange(context, connection, *request == &address_with_nul);
    lens_exchange *exchange = *request;
    if (!exchange)
        return MHD_NO;
    exchange->path = url;
    if (!exchange->method) {
        exchange->method = method;
        enter_phase(exchange, PHASE_ASKING);
        return look(exchange, url) ? send_answer(exchange) : MHD_YES;
    }
    if (*size > 0) {
        const bool kept = take(exchange, data, *size);
        *size = 0;
        return kept ? MHD_YES : MHD_NO;
    }
    return exchange->worked ? send_answer(exchange) : begin(exchange);
}

/* "HOST:PORT" -> where to listen; without HOST EVERYWHERE. */
static int parse_listen(lens_server *server, const char *everywhere, lens_error *err)
{
    const char *text = server->options.listen, *colon = strrchr(text, ':');
    char host[256] = "";
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || length >= sizeof host)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: --listen wants ADDRESS:PORT, as 127.0.0.1:8080", text);
    if (strlen(colon + 1) > 5 || strtol(colon + 1, NULL, 10) > 65535) /* getaddrinfo takes what is left of it in 16 bits */
        return lens_fail(err, LENS_E_ARGUMENT, "%s: a port is at most 65535", text);
    if (text[0] == '[' && length > 2 && text[length - 1] == ']')
        memcpy(host, text + 1, length -= 2);
    else
        memcpy(host, text, length);
    host[length] = '\0';
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    const int code = getaddrinfo(*host ? host : everywhere, colon + 1, &hints, &found);
    if (code != 0)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: %s", text, gai_strerror(code));
    server->address = (struct sockaddr_storage){0};
    memcpy(&server->address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (server->address.ss_family == AF_INET)
        server->loopback = ntohl(((struct sockaddr_in *)&server->address)->sin_addr.s_addr) >> 24 == 127;
    else
        server->loopback = IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&server->address)->sin6_addr);
    return 0;
}

/* Each connection may have a picture's file open for as long as it takes to be sent, so there are two descriptors for each, and some for the library, decoders and
 * folders that are walked. The usual 1,024 are what programs get that know of no more: what this one may have it takes. */
static unsigned connections_most(void)
{
    enum { OTHERS = 128, LEAST = 64 };
    const rlim_t wanted = 2 * CONNECTIONS_MOST + OTHERS;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return CONNECTIONS_MOST;
    if (files.rlim_cur < wanted) {
        const struct rlimit more = {.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted, .rlim_max = files.rlim_max};
        files = setrlimit(RLIMIT_NOFILE, &more) == 0 ? more : files;
    }
    if (files.rlim_cur >= wanted)
        return CONNECTIONS_MOST;
    return files.rlim_cur > OTHERS + 2 * LEAST ? (unsigned)(files.rlim_cur - OTHERS) / 2 : LEAST;
}

int lens_daemon_listen(lens_server *server, lens_error *err)
{
    return parse_listen(server, "::", err);
}

/* IPv6's "any" takes IPv4 too. NULL with errno. */
static struct MHD_Daemon *open_daemon(lens_server *server)
{
    const struct sockaddr_storage *address = &server->address;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    if (address->ss_family == AF_INET6)
        flags |= IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr) ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
    /* Nobody takes all the connections. On loopback everybody may come by one proxy. */
    const unsigned most = connections_most(), each = server->loopback ? 0 : most / 2;
    const unsigned silence = (unsigned)server->options.patience + 1; /* the sweep comes first, save where memory was too short to know the connection */
    errno = 0;
    return MHD_start_daemon(flags, 0, NULL, NULL, answer, server, MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)address,
                            MHD_OPTION_URI_LOG_CALLBACK, meet_address, server, MHD_OPTION_NOTIFY_COMPLETED, forget, server,
                            MHD_OPTION_NOTIFY_CONNECTION, meet, server, MHD_OPTION_CONNECTION_TIMEOUT, silence, MHD_OPTION_CONNECTION_LIMIT, most,
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT, each, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_END);
}

int lens_daemon_start(lens_server *server, lens_error *err)
{
    server->daemon = open_daemon(server);
    if (!server->daemon && server->options.listen[0] == ':' && errno != EADDRINUSE && errno != EACCES) { /* a machine without IPv6 */
        if (parse_listen(server, "0.0.0.0", err) != 0)
            return -1;
        server->daemon = open_daemon(server);
    }
    if (!server->daemon)
        return lens_fail_errno(err, errno ? errno : EADDRINUSE, "%s", server->options.listen);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info ? info->port : 0;
    return 0;
}

static void wait_for_flights(lens_server *server, double seconds)
{
    const double begun = lens_seconds();
    double swept = begun;
    while (atomic_load(&server->in_flight) > 0 && lens_seconds() - begun < seconds) {
        lens_sleep(0.02);
        if (lens_seconds() - swept < 1)
            continue;
        swept = lens_seconds();
        lens_daemon_sweep(server);
    }
}

void lens_daemon_stop(lens_server *server, double seconds)
{
    if (!server->daemon)
        return;
    atomic_store(&server->ending, true);
    const MHD_socket listening = MHD_quiesce_daemon(server->daemon);
    wait_for_flights(server, seconds);
    atomic_store(&server->overdue, true);
    lens_warm_end(server->warm);
    lens_workers_end(server); /* what was handed over is answered; nothing sleeps after that */
    wait_for_flights(server, parting);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
}
