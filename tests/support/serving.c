#include "serving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 32 };

unsigned test_serving_files;

test_serving test_serving_start(const test_world *world, const char *const *more)
{
    const char *argv[MOST] = {test_program(), "serve", "--listen", "127.0.0.1:0"};
    size_t count = 4;
    for (; more && *more; more++)
        argv[count++] = *more;
    assert_true(count < MOST);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    test_serving serving = {.pid = fork(), .out = pipes[0]};
    assert_true(serving.pid >= 0);
    if (serving.pid == 0) {
        const struct rlimit files = {test_serving_files, test_serving_files};
        if (test_serving_files)
            setrlimit(RLIMIT_NOFILE, &files);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed leaves no server behind */
        signal(SIGPIPE, SIG_DFL); /* as a shell starts it, whoever started us */
        for (const char *const *variable = test_world_environment(world); *variable; variable++)
            putenv((char *)*variable);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(pipes[1]);
    char line[1024];
    size_t size = 0;
    while (size + 1 < sizeof line && read(serving.out, line + size, 1) == 1 && line[size] != '\n')
        size++;
    line[size] = '\0';
    const char *at = strstr(line, "://"), *colon = at ? strchr(at + 3, ':') : NULL; /* its port: the last, of an address in brackets too */
    for (const char *next = colon; next; next = strchr(next + 1, ':'))
        colon = next;
    if (!colon || sscanf(colon, ":%d", &serving.port) != 1)
        fail_msg("it does not listen: %s", line);
    return serving;
}

void test_serving_stop(test_serving *serving)
{
    int status = 0;
    char said[4096];
    assert_true(serving->pid > 0); /* 0, of a setup that failed, would be all of us */
    kill(serving->pid, SIGTERM);
    assert_int_equal(waitpid(serving->pid, &status, 0), serving->pid);
    const ssize_t size = read(serving->out, said, sizeof said - 1);
    close(serving->out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        said[size > 0 ? size : 0] = '\0';
        fail_msg("it ended with %d: %s", status, said);
    }
}

int test_dial(int family, int port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback};
    struct timeval patience = {.tv_sec = 30};
    const int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6, family == AF_INET ? sizeof in : sizeof in6) == 0)
        return fd;
    close(fd);
    return -1;
}

test_reply test_serving_raw(const test_serving *serving, const void *request, size_t size, bool ends)
{
    test_reply reply = {0};
    lens_buffer all = {0};
    const int fd = test_dial(AF_INET, serving->port);
    assert_true(fd >= 0);
    for (size_t sent = 0; sent < size;) {
        const ssize_t step = send(fd, (const char *)request + sent, size - sent, MSG_NOSIGNAL);
        if (step <= 0)
            break; /* refused before it was all sent: the answer may be there all the same */
        sent += (size_t)step;
    }
    if (ends)
        shutdown(fd, SHUT_WR);
    char part[65536];
    ssize_t got;
    while ((got = recv(fd, part, sizeof part, 0)) > 0)
        assert_int_equal(lens_buffer_append(&all, part, (size_t)got), 0);
    close(fd);
    const char *end = all.data ? strstr(all.data, "\r\n\r\n") : NULL;
    if (end && sscanf(all.data, "HTTP/1.%*d %d", &reply.status) == 1) {
        lens_buffer_append(&reply.head, all.data, (size_t)(end + 2 - all.data));
        lens_buffer_append(&reply.body, end + 4, all.size - (size_t)(end + 4 - all.data));
    }
    lens_buffer_free(&all);
    return reply;
}

test_reply test_serving_ask(const test_serving *serving, const char *method, const char *path, const char *headers, const void *body, size_t size)
{
    lens_buffer request = {0};
    lens_buffer_print(&request, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, path);
    if (!strstr(headers, "Host:"))
        lens_buffer_print(&request, "Host: 127.0.0.1:%d\r\n", serving->port);
    if (body && !strstr(headers, "Content-Length:"))
        lens_buffer_print(&request, "Content-Length: %zu\r\n", size);
    lens_buffer_print(&request, "%s\r\n", headers);
    if (body)
        lens_buffer_append(&request, body, size);
    test_reply reply = test_serving_raw(serving, request.data, request.size, false);
    lens_buffer_free(&request);
    return reply;
}

void test_reply_free(test_reply *reply)
{
    lens_buffer_free(&reply->head);
    lens_buffer_free(&reply->body);
}

void test_serving_expect(const test_serving *serving, int status, const char *method, const char *path, const char *headers, const char *body)
{
    test_reply reply = test_serving_ask(serving, method, path, headers, body, body ? strlen(body) : 0);
    if (reply.status != status)
        fail_msg("%s %s: %d instead of %d: %s", method, path, reply.status, status, reply.body.data ? reply.body.data : "");
    test_reply_free(&reply);
}

json_t *test_serving_json(const test_serving *serving, int status, const char *method, const char *path, const char *headers, const char *body)
{
    test_reply reply = test_serving_ask(serving, method, path, headers, body, body ? strlen(body) : 0);
    json_t *object = reply.body.data ? json_loads(reply.body.data, 0, NULL) : NULL;
    if (reply.status != status || !object)
        fail_msg("%s %s: %d instead of %d: %s", method, path, reply.status, status, reply.body.data ? reply.body.data : "");
    test_reply_free(&reply);
    return object;
}
