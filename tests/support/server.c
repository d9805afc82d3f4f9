#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

struct test_server {
    int fd, port;
    void (*handler)(void *context, const test_request *request);
    void *context;
    pthread_t thread;
    atomic_bool stopping;
    atomic_int busy, requests;
};

struct connection {
    test_server *server;
    int fd;
};

const char *test_request_header(const test_request *request, const char *name, char *out, size_t size)
{
    *out = '\0';
    size_t length = strlen(name);
    for (const char *line = strchr(request->head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1 + strspn(line + length + 1, " ");
            snprintf(out, size, "%.*s", (int)strcspn(value, "\r\n"), value);
        }
    }
    return out;
}

static void send_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the other side has had enough */
        at += sent;
        size -= (size_t)sent;
    }
}

void test_answer(const test_request *request, const char *status, const char *headers, const void *body, size_t size)
{
    char head[4096];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\n%s\r\n", status, headers);
    send_all(request->fd, head, (size_t)length);
    if (strcmp(request->method, "HEAD") != 0)
        send_all(request->fd, body, size);
}

void test_server_hang(test_server *server, const test_request *request)
{
    struct pollfd end = {.fd = request->fd, .events = POLLIN};
    while (!atomic_load(&server->stopping))
        if (poll(&end, 1, 20) > 0)
            return;
}

static void *serve(void *argument)
{
    struct connection *connection = argument;
    test_server *server = connection->server;
    char head[16384];
    size_t size = 0;
    while (size + 1 < sizeof head) {
        ssize_t got = recv(connection->fd, head + size, sizeof head - 1 - size, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
        head[size] = '\0';
        if (!strstr(head, "\r\n\r\n"))
            continue;
        char method[16], path[4096];
        if (sscanf(head, "%15s %4095s", method, path) == 2) {
            test_request request = {method, path, head, connection->fd, atomic_fetch_add(&server->requests, 1) + 1};
            server->handler(server->context, &request);
        }
        break;
    }
    /* Read what is left, so that closing resets nothing that is still on its way. */
    shutdown(connection->fd, SHUT_WR);
    struct pollfd end = {.fd = connection->fd, .events = POLLIN};
    while (poll(&end, 1, 200) > 0 && recv(connection->fd, head, sizeof head, 0) > 0)
        ;
    close(connection->fd);
    free(connection);
    atomic_fetch_sub(&server->busy, 1);
    return NULL;
}

static void *listen_for(void *argument)
{
    test_server *server = argument;
    struct pollfd door = {.fd = server->fd, .events = POLLIN};
    while (!atomic_load(&server->stopping)) {
        if (poll(&door, 1, 20) <= 0)
            continue;
        struct connection *connection = malloc(sizeof *connection);
        int fd = accept(server->fd, NULL, NULL);
        pthread_t thread;
        if (!connection || fd < 0) {
            free(connection);
            continue;
        }
        *connection = (struct connection){server, fd};
        atomic_fetch_add(&server->busy, 1);
        if (pthread_create(&thread, NULL, serve, connection) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

test_server *test_server_start(void (*handler)(void *context, const test_request *request), void *context)
{
    test_server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->handler = handler;
    server->context = context;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, listen_for, server), 0);
    return server;
}

int test_server_port(const test_server *server)
{
    return server->port;
}

void test_server_stop(test_server *server)
{
    atomic_store(&server->stopping, true);
    pthread_join(server->thread, NULL);
    while (atomic_load(&server->busy))
        usleep(1000);
    close(server->fd);
    free(server);
}
