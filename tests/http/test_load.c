/* Many at once, some of them idle, slow or rude, and a server that is killed while it works: nothing is lost, and nobody is kept waiting for ever. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "serving.h"

enum { SCENES = 24, ROUNDS = 4, NEW = 6, IDLE = 200, SLOW = 16, QUERIES = 60 };

static test_world *world;

static int setup(void **state)
{
    (void)state;
    world = test_world_of_scenes(SCENES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    test_world_free(world);
    return 0;
}

/* A process that dies with this one, and is no test. */
static pid_t child(void)
{
    fflush(NULL);
    const pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Asks REQUEST again and again, whatever is answered. */
static pid_t asks_for_ever(const test_serving *at, const lens_buffer *request)
{
    const pid_t pid = child();
    while (pid == 0) {
        char part[65536];
        const int fd = test_dial(AF_INET, at->port);
        if (fd < 0 || send(fd, request->data, request->size, MSG_NOSIGNAL) < 0)
            usleep(1000);
        else
            while (recv(fd, part, sizeof part, 0) > 0)
                ;
        if (fd >= 0)
            close(fd);
    }
    return pid;
}

/* A query by the picture NAME, as its body. The caller frees. */
static lens_buffer query_by(const char *name)
{
    char *path = test_world_path(world, name);
    lens_buffer picture = test_read(path), body = {0};
    lens_buffer_print(&body, "{\"n\":1,\"terms\":[{\"image\":\"");
    lens_base64_encode(picture.data, picture.size, &body);
    lens_buffer_print(&body, "\"}]}");
    lens_buffer_free(&picture);
    free(path);
    return body;
}

static void is_found(const test_serving *at, const char *name)
{
    lens_buffer body = query_by(name);
    json_t *answer = test_serving_json(at, 200, "POST", "/api/search", "", body.data);
    const json_t *first = json_array_get(json_object_get(answer, "results"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), name);
    assert_true(json_number_value(json_object_get(first, "score")) > 0.999);
    json_decref(answer);
    lens_buffer_free(&body);
}

static lens_buffer request_of(const char *method, const char *path, const lens_buffer *body)
{
    lens_buffer request = {0};
    lens_buffer_print(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", method, path, body ? body->size : 0);
    if (body)
        lens_buffer_append(&request, body->data, body->size);
    return request;
}

static void killed_at_work_it_loses_nothing(void **state)
{
    (void)state;
    const char *const more[] = {"--watch", NULL};
    lens_buffer body = query_by("scene3.png");
    lens_buffer requests[] = {request_of("POST", "/api/search", &body), request_of("GET", "/api/pictures/1/similar?n=20&fold=1", NULL),
                              request_of("GET", "/api/pictures/2/thumb?side=160", NULL), request_of("POST", "/api/index", NULL)};
    enum { ASKERS = sizeof requests / sizeof *requests };
    unsigned count = SCENES;
    long stood = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t askers[ASKERS];
        int status;
        test_serving server = test_serving_start(world, more);
        for (size_t i = 0; i < ASKERS; i++) {
            test_reply reply = test_serving_raw(&server, requests[i].data, requests[i].size, false);
            assert_in_range(reply.status, 200, i == ASKERS - 1 ? 409 : 200); /* a run may be under way */
            test_reply_free(&reply);
            askers[i] = asks_for_ever(&server, &requests[i]);
        }
        for (int i = 0; i < NEW; i++, count++) {
            char name[32];
            snprintf(name, sizeof name, "scene%u.png", count);
            test_world_picture(world, name, TEST_PNG, count);
            usleep(40000u * (unsigned)(round + 1));
        }
        for (int i = 0; i < 600 && test_world_status(world, "pictures") <= (long)count - NEW; i++) /* until there is one of them at least */
            usleep(100000);
        kill(server.pid, SIGKILL);
        assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
        assert_true(WIFSIGNALED(status)); /* until then it lived */
        close(server.out);
        for (size_t i = 0; i < ASKERS; i++)
            end(askers[i]);
        test_run run = test_world_expect(world, 0, "check", NULL);
        test_run_free(&run);
        stood += test_world_status(world, "pictures") - (long)count + NEW;
    }
    printf("measured: %ld of %d new pictures stood when the server was killed\n", stood, ROUNDS * NEW);
    assert_true(stood > 0);
    test_serving server = test_serving_start(world, more);
    long pictures = -1;
    for (int i = 0; i < 600 && pictures != (long)count; i++) {
        json_t *now = test_serving_json(&server, 200, "GET", "/api/status", "", NULL);
        pictures = test_json_integer(now, "pictures");
        json_decref(now);
        usleep(50000);
    }
    assert_int_equal(pictures, count);
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "scene%u.png", i);
        is_found(&server, name);
    }
    test_serving_stop(&server);
    for (size_t i = 0; i < ASKERS; i++)
        lens_buffer_free(&requests[i]);
    lens_buffer_free(&body);
}

/* Holds connections over which requests come byte by byte: lines that never end, bodies that never end, and answers that nobody reads. */
static pid_t trickles(const test_serving *at)
{
    static const char *const beginnings[] = {"GET /api/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "G",
                                             "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n{\"terms\": [{\"text\": \"",
                                             "POST /api/uploads HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"};
    const pid_t pid = child();
    if (pid != 0)
        return pid;
    int fds[SLOW];
    for (size_t i = 0; i < SLOW; i++) {
        const char *text = beginnings[i % 4];
        const int room = 2048;
        fds[i] = test_dial(AF_INET, at->port);
        if (i % 8 == 7) { /* more requests than answers fit */
            setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
            for (int j = 0; j < 50; j++)
                send(fds[i], "GET /api/pictures/1/file HTTP/1.1\r\nHost: localhost\r\n\r\n", 54, MSG_NOSIGNAL | MSG_DONTWAIT);
        } else {
            send(fds[i], text, strlen(text), MSG_NOSIGNAL);
        }
    }
    for (;;) {
        for (size_t i = 0; i < SLOW; i++)
            send(fds[i], "E", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        usleep(20000);
    }
}

static void idle_and_slow_ones_disturb_nobody(void **state)
{
    (void)state;
    test_serving server = test_serving_start(world, NULL);
    int idle[IDLE];
    const double begun = lens_seconds();
    for (size_t i = 0; i < IDLE; i++) {
        idle[i] = test_dial(AF_INET, server.port);
        assert_true(idle[i] >= 0);
    }
    const pid_t slow = trickles(&server);
    for (unsigned i = 0; i < QUERIES && lens_seconds() - begun < 30; i++) { /* idle ones are let go after 60 s */
        char name[32];
        snprintf(name, sizeof name, "scene%u.png", i % SCENES);
        is_found(&server, name);
        usleep(10000);
    }
    /* Nor were the idle ones forgotten. */
    for (size_t i = 0; i < IDLE; i += 40) {
        static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        char answer[1024];
        assert_int_equal(send(idle[i], request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
        const ssize_t size = recv(idle[i], answer, sizeof answer - 1, 0);
        assert_true(size > 0);
        answer[size] = '\0';
        assert_non_null(strstr(answer, " 200 "));
    }
    end(slow);
    for (size_t i = 0; i < IDLE; i++)
        close(idle[i]);
    is_found(&server, "scene5.png");
    test_serving_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_work_it_loses_nothing),
        cmocka_unit_test(idle_and_slow_ones_disturb_nobody),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
