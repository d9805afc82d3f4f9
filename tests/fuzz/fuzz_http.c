/* Any bytes as what comes over a connection to the server: a real one, on a port of its own of this machine, over a small library. The first byte
 * says which of two: '0' asks nobody for anything, '1' wants a token ("Bearer fuzzing-fuzzing-fuzzing"). Behind a NUL comes the next piece, sent by
 * itself. Each answer is one of HTTP, and never 500. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "server/serve.h"
#include "small_library.h"

enum { SERVERS = 2, PATIENCE_MS = 300, HEALTH_MS = 20000 };

static struct server {
    lens_serve_options options;
    pthread_t thread;
    _Atomic int port;
    lens_error err;
} servers[SERVERS];
static _Atomic bool ending;

/* "listening at http://127.0.0.1:4711/ …" */
static void hear(void *context, const char *line)
{
    struct server *server = context;
    static const char before[] = "listening at http://127.0.0.1:";
    if (strncmp(line, before, sizeof before - 1) == 0)
        server->port = atoi(line + sizeof before - 1);
}

static bool go_on(void *context)
{
    (void)context;
    return !ending;
}

static void *serve(void *context)
{
    struct server *server = context;
    if (lens_serve(&server->options, &server->err) != 0)
        server->port = -1;
    return NULL;
}

static int connect_to(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct linger at_once = {.l_onoff = 1}; /* no port is to rest a minute after each input */
    expect(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    int connected;
    do /* libFuzzer's clock interrupts it, and what was begun goes on */
        connected = connect(fd, (const struct sockaddr *)&address, sizeof address);
    while (connected != 0 && errno == EINTR);
    expect(connected == 0 || errno == EISCONN);
    return fd;
}

/* What the server says until it hangs up or falls silent for PATIENCE_MS milliseconds. */
static size_t hear_out(int fd, char *out, size_t room, int patience_ms)
{
    size_t size = 0;
    char more[4096];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    for (int can; (can = poll(&ready, 1, patience_ms)) > 0 || (can < 0 && errno == EINTR);) { /* libFuzzer's clock */
        const ssize_t got = can > 0 ? recv(fd, more, sizeof more, 0) : -1;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        const size_t keep = (size_t)got < room - size ? (size_t)got : room - size;
        memcpy(out + size, more, keep);
        size += keep;
    }
    return size;
}

/* An input may rightly get no answer: that is nothing wrong only where this gets one. */
static void expect_health(int i)
{
    static const char *const requests[SERVERS] = {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                                                  "GET /healthz HTTP/1.1\r\nHost: fuzz.example\r\nConnection: close\r\n\r\n"};
    static const char right[] = "HTTP/1.1 200";
    char answer[4096];
    const int fd = connect_to(servers[i].port);
    expect(send(fd, requests[i], strlen(requests[i]), MSG_NOSIGNAL) == (ssize_t)strlen(requests[i]));
    const size_t got = hear_out(fd, answer, sizeof answer - 1, HEALTH_MS);
    answer[got] = '\0';
    close(fd);
    if (strncmp(answer, right, sizeof right - 1) != 0)
        dprintf(fuzz_said, "server %d is not well, and answers %zu bytes:\n%s\n", i, got, answer);
    expect(strncmp(answer, right, sizeof right - 1) == 0);
}

static void end_servers(void)
{
    for (int i = 0; i < SERVERS; i++)
        expect_health(i);
    ending = true;
    for (int i = 0; i < SERVERS; i++)
        pthread_join(servers[i].thread, NULL);
}

static void start_servers(void)
{
    static char library[300], token[300], pictures[300];
    static const char *const paths[] = {pictures}, *const hosts[] = {"fuzz.example"}, *const origins[] = {"https://page.example"};
    small_library_make(fuzz_folder());
    snprintf(library, sizeof library, "%s/library", fuzz_folder());
    snprintf(pictures, sizeof pictures, "%s/pictures", fuzz_folder());
    snprintf(token, sizeof token, "%s/token", fuzz_folder());
    fuzz_put(token, "fuzzing-fuzzing-fuzzing", strlen("fuzzing-fuzzing-fuzzing"));
    for (int i = 0; i < SERVERS; i++) {
        struct server *server = &servers[i];
        server->options = lens_serve_options_default();
        server->options.library = library;
        server->options.listen = "127.0.0.1:0";
        server->options.paths = (lens_serve_names){paths, 1};
        server->options.max_upload = 1 << 16;
        server->options.max_pixels = 1 << 16;
        server->options.say = hear;
        server->options.go_on = go_on;
        server->options.context = server;
        if (i == 1) {
            server->options.token_file = token;
            server->options.hosts = (lens_serve_names){hosts, 1};
            server->options.origins = (lens_serve_names){origins, 1};
        }
        expect(pthread_create(&server->thread, NULL, serve, server) == 0);
    }
    atexit(end_servers);
    for (int i = 0; i < SERVERS; i++)
        while (servers[i].port == 0)
            usleep(1000);
    expect_done(servers[0].port > 0, &servers[0].err);
    expect_done(servers[1].port > 0, &servers[1].err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || (data[0] != '0' && data[0] != '1'))
        return 0;
    if (!servers[0].port)
        start_servers();
    const int fd = connect_to(servers[data[0] - '0'].port);
    fuzz_rest rest = {data + 1, size - 1};
    while (rest.size > 0) {
        const fuzz_rest piece = fuzz_part(&rest, 0);
        if (piece.size && send(fd, piece.data, piece.size, MSG_NOSIGNAL) < 0)
            break;
    }
    shutdown(fd, SHUT_WR);
    char answer[16384];
    const size_t got = hear_out(fd, answer, sizeof answer - 1, PATIENCE_MS);
    answer[got] = '\0';
    close(fd);
    if (!got)
        return 0;
    const int status = strncmp(answer, "HTTP/1.", 7) == 0 && got > 12 ? atoi(answer + 9) : 0;
    if (status < 100 || status >= 600 || status == 500)
        dprintf(fuzz_said, "it answers %zu bytes:\n%.1000s\n", got, answer);
    expect(status >= 100 && status < 600 && status != 500);
    return 0;
}
