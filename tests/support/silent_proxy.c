#include "silent_proxy.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

enum { MOST = 64, LOOK_MS = 10 };

struct test_proxy {
    int door, port; /* of the server */
    pthread_t thread;
    atomic_bool silent, ends;
    int ends_of[MOST][2]; /* who asks, and the server; -1: it has none yet */
    size_t count;
};

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void drop(test_proxy *self, size_t at)
{
    for (int side = 0; side < 2; side++)
        if (self->ends_of[at][side] >= 0)
            close(self->ends_of[at][side]);
    self->count--;
    for (int side = 0; side < 2; side++)
        self->ends_of[at][side] = self->ends_of[self->count][side];
}

/* Passes on what FROM says to TO. False when one of them has gone. */
static bool pass(int from, int to)
{
    char bytes[65536];
    if (poll(&(struct pollfd){from, POLLIN, 0}, 1, 0) <= 0)
        return true;
    const ssize_t size = recv(from, bytes, sizeof bytes, 0);
    for (ssize_t sent = 0, step; sent < size; sent += step)
        if ((step = send(to, bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL)) <= 0)
            return false;
    return size > 0;
}

static void meet(test_proxy *self)
{
    const struct sockaddr_in address = loopback(self->port);
    for (size_t i = 0; i < self->count; i++)
        if (self->ends_of[i][1] < 0) {
            self->ends_of[i][1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (connect(self->ends_of[i][1], (const struct sockaddr *)&address, sizeof address) != 0)
                drop(self, i--);
        }
}

static void *work(void *context)
{
    test_proxy *self = context;
    while (!atomic_load(&self->ends)) {
        struct pollfd look[1 + 2 * MOST] = {{self->door, POLLIN, 0}};
        nfds_t looks = 1;
        const bool silent = atomic_load(&self->silent);
        for (size_t i = 0; i < self->count && !silent; i++)
            for (int side = 0; side < 2; side++)
                look[looks++] = (struct pollfd){self->ends_of[i][side], POLLIN, 0};
        poll(look, looks, LOOK_MS);
        if (look[0].revents && self->count < MOST) {
            self->ends_of[self->count][0] = accept(self->door, NULL, NULL);
            self->ends_of[self->count][1] = -1;
            self->count += self->ends_of[self->count][0] >= 0;
        }
        if (silent)
            continue;
        meet(self);
        for (size_t i = self->count; i-- > 0;)
            if (!pass(self->ends_of[i][0], self->ends_of[i][1]) || !pass(self->ends_of[i][1], self->ends_of[i][0]))
                drop(self, i);
    }
    while (self->count)
        drop(self, 0);
    close(self->door);
    return NULL;
}

test_proxy *test_proxy_start(const char *place, char **through)
{
    test_proxy *self = calloc(1, sizeof *self);
    const char *host = strrchr(place, '@'), *colon = host ? strchr(host, ':') : NULL, *slash = colon ? strchr(colon, '/') : NULL;
    struct sockaddr_in own = loopback(0);
    socklen_t size = sizeof own;
    assert_non_null(self);
    assert_non_null(slash);
    assert_int_equal(sscanf(colon, ":%d", &self->port), 1);
    self->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(self->door, (const struct sockaddr *)&own, sizeof own) | listen(self->door, MOST) | getsockname(self->door, (struct sockaddr *)&own, &size), 0);
    lens_buffer address = {0};
    assert_int_equal(lens_buffer_print(&address, "%.*s:%d%s", (int)(colon - place), place, ntohs(own.sin_port), slash), 0);
    *through = address.data;
    assert_int_equal(pthread_create(&self->thread, NULL, work, self), 0);
    return self;
}

void test_proxy_silence(test_proxy *proxy, bool silent)
{
    atomic_store(&proxy->silent, silent);
    usleep(5 * LOOK_MS * 1000); /* what was being passed on has gone */
}

void test_proxy_stop(test_proxy *proxy)
{
    if (!proxy)
        return;
    atomic_store(&proxy->ends, true);
    pthread_join(proxy->thread, NULL);
    free(proxy);
}
