/* Much at once, connections that dawdle, and the end while requests are under way. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "memelens.h"
#include "processes.h"
#include "server/serve.h"
#include "serving.h"

static test_world *world;

static int setup(void **state)
{
    (void)state;
    world = test_world_of_scenes(3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_world_free(world);
    return 0;
}

/* Whether a request on FD is answered with 200. */
static bool asks(int fd)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[4096];
    return send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1 && recv(fd, answer, sizeof answer, 0) > 12 &&
           memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

/* How many of COUNT connections of one address that stay open are answered. */
static size_t answered(const test_serving *serving, size_t count)
{
    int fds[256];
    size_t right = 0;
    assert_true(count <= 256);
    for (size_t i = 0; i < count; i++) {
        fds[i] = test_dial(AF_INET, serving->port);
        assert_true(fds[i] >= 0);
        right += asks(fds[i]);
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return right;
}

static void one_address_does_not_take_all_connections(void **state)
{
    (void)state;
    const char *const open[] = {"--listen", ":0", "--no-auth", NULL};
    test_serving_files = 528; /* 200 connections */
    test_serving everywhere = test_serving_start(world, open), here = test_serving_start(world, NULL);
    test_serving_files = 0;
    assert_int_equal(answered(&everywhere, 150), 100);
    assert_int_equal(answered(&here, 150), 150); /* all may come by one proxy */
    test_serving_stop(&everywhere);
    test_serving_stop(&here);
}

/* The answer on FD begins as it should. */
static void expect_fine(int fd)
{
    char answer[12] = "";
    assert_int_equal(recv(fd, answer, sizeof answer, MSG_WAITALL), sizeof answer);
    assert_memory_equal(answer, "HTTP/1.1 200", sizeof answer);
}

/* Each connection holds a picture's file as well, which nobody reads: they are no more than there are files for, and the others are answered as ever. */
static void who_reads_no_pictures_takes_no_files_from_others(void **state)
{
    (void)state;
    enum { ASKED = 300 /* the rest waits: fewer than the smallest backlog has room for */, TAKEN = 180 /* of 200 */ };
    const size_t side = 2000, bytes = 3 * side * side; /* more than lies between the two of a connection */
    int fds[ASKED];
    test_world *own = test_world_of_scenes(1);
    char *path = test_world_path(own, "large.ppm"), *pixels = calloc(bytes, 1);
    lens_buffer large = {0};
    lens_buffer_print(&large, "P6 %zu %zu 255\n", side, side);
    lens_buffer_append(&large, pixels, bytes);
    test_write(path, large.data, large.size);
    test_run run = test_world_expect(own, 0, "index", "-q", "--model", "colour", own->pictures, NULL);
    test_run_free(&run);
    test_serving_files = 528; /* 200 connections */
    test_serving serving = test_serving_start(own, NULL);
    test_serving_files = 0;
    static const char request[] = "GET /api/pictures/2/file HTTP/1.1\r\nHost: localhost\r\n\r\n", small[] = "GET /api/pictures/1/file HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const int early = test_dial(AF_INET, serving.port); /* it has its connection already */
    assert_true(early >= 0 && asks(early));
    for (int i = 0; i < ASKED; i++) {
        fds[i] = test_dial(AF_INET, serving.port);
        assert_true(fds[i] >= 0);
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int)); /* else all of it fits */
        assert_int_equal(send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    }
    for (int i = 0; i < TAKEN; i++)
        expect_fine(fds[i]);
    poll(&(struct pollfd){fds[TAKEN], POLLIN, 0}, 1, 2000); /* the last of them wait until there is room: a moment is for those that do not */
    assert_int_equal(send(early, small, sizeof small - 1, MSG_NOSIGNAL), sizeof small - 1);
    expect_fine(early);
    close(early);
    for (int i = TAKEN; i < ASKED; i++)
        close(fds[i]);
    lens_buffer picture = test_picture(TEST_PNG, 30, 20, 5);
    test_reply reply = test_serving_ask(&serving, "POST", "/api/uploads", "", picture.data, picture.size);
    assert_int_equal(reply.status, 200);
    test_reply_free(&reply);
    test_serving_expect(&serving, 200, "GET", "/api/pictures/1/file", "", NULL);
    for (int i = 0; i < TAKEN; i++)
        close(fds[i]);
    test_serving_stop(&serving);
    lens_buffer_free(&picture);
    lens_buffer_free(&large);
    free(pixels), free(path);
    test_world_free(own);
}

static void everywhere_is_both_kinds_of_address(void **state)
{
    (void)state;
    const char *const open[] = {"--listen", ":0", "--no-auth", NULL};
    test_serving everywhere = test_serving_start(world, open);
    const int old = test_dial(AF_INET, everywhere.port);
    assert_true(old >= 0 && asks(old));
    close(old);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    const int probe = socket(AF_INET6, SOCK_STREAM, 0);
    if (probe >= 0 && bind(probe, (struct sockaddr *)&any, sizeof any) == 0) {
        const int new = test_dial(AF_INET6, everywhere.port);
        assert_true(new >= 0 && asks(new));
        close(new);
    } else {
        print_message("skipped: no IPv6 here\n");
    }
    close(probe);
    test_serving_stop(&everywhere);
}

static void larger_pictures_are_taken_where_that_is_said(void **state)
{
    (void)state;
    const char *const more[] = {"--max-upload", "300", NULL};
    test_serving serving = test_serving_start(world, more);
    const size_t side = 4750, bytes = 3 * side * side; /* 67 MB */
    lens_buffer picture = {0};
    char *pixels = calloc(bytes, 1);
    lens_buffer_print(&picture, "P6 %zu %zu 255\n", side, side);
    lens_buffer_append(&picture, pixels, bytes);
    free(pixels);
    test_reply reply = test_serving_ask(&serving, "POST", "/api/uploads", "", picture.data, picture.size);
    assert_int_equal(reply.status, 200);
    test_reply_free(&reply);
    lens_buffer_free(&picture);
    static const char announced[] = "POST /api/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000000\r\n\r\n";
    reply = test_serving_raw(&serving, announced, sizeof announced - 1, true);
    assert_int_equal(reply.status, 0); /* waited for, not refused */
    test_reply_free(&reply);
    test_serving_stop(&serving);
}

/* ---- the end ---- */

static atomic_bool ends;

/* Asks and asks on one connection until it is refused. */
static void *flood(void *context)
{
    static const char request[] = "GET /api/pictures/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const test_serving *serving = context;
    char answers[65536];
    const int fd = test_dial(AF_INET, serving->port);
    while (fd >= 0 && !atomic_load(&ends) && send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0)
        if (recv(fd, answers, sizeof answers, atomic_load(&ends) ? MSG_DONTWAIT : 0) == 0)
            break;
    close(fd);
    return NULL;
}

static void it_ends_while_it_is_asked(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        enum { FLOODS = 16 };
        pthread_t threads[FLOODS];
        test_serving serving = test_serving_start(world, NULL);
        atomic_store(&ends, false);
        for (int i = 0; i < FLOODS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, flood, &serving), 0);
        usleep(200000);
        test_serving_stop(&serving);
        atomic_store(&ends, true);
        for (int i = 0; i < FLOODS; i++)
            pthread_join(threads[i], NULL);
    }
}

/* ---- patience, which is a second here ---- */

static atomic_int port;
static atomic_bool goes_on;

static void hear(void *context, const char *line)
{
    (void)context;
    const char *colon = strrchr(line, ':');
    if (strstr(line, "listening at ") && colon)
        atomic_store(&port, atoi(colon + 1));
}

static bool go_on(void *context)
{
    (void)context;
    return atomic_load(&goes_on);
}

static void *serve(void *context)
{
    lens_serve_options options = lens_serve_options_default();
    options.library = world->library;
    options.listen = "127.0.0.1:0";
    options.patience = 1;
    options.say = hear;
    options.go_on = go_on;
    return lens_serve(&options, context) == 0 ? NULL : context;
}

static void who_dawdles_is_cut_off(void **state)
{
    (void)state;
    static const char events[] = "HEAD /api/index/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char *const begun[] = {"", "GET", "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{", events};
    lens_error error = {0};
    pthread_t thread;
    void *failed;
    char answer[4096];
    atomic_store(&goes_on, true);
    assert_int_equal(pthread_create(&thread, NULL, serve, &error), 0);
    for (int i = 0; i < 600 && !atomic_load(&port); i++)
        usleep(50000);
    assert_true(atomic_load(&port) > 0);
    for (size_t i = 0; i < sizeof begun / sizeof *begun; i++) {
        const int fd = test_dial(AF_INET, atomic_load(&port));
        assert_true(fd >= 0);
        assert_int_equal(send(fd, begun[i], strlen(begun[i]), MSG_NOSIGNAL), (ssize_t)strlen(begun[i]));
        if (begun[i] == events) /* which has no end where it is a GET */
            assert_true(recv(fd, answer, sizeof answer, 0) > 0);
        int sent = 0; /* a byte now and then */
        while (sent < 200 && send(fd, "G", 1, MSG_NOSIGNAL) == 1 && recv(fd, answer, sizeof answer, MSG_DONTWAIT) != 0) {
            usleep(100000);
            sent++;
        }
        if (sent == 200)
            fail_msg("%s goes on for ever", begun[i]);
        close(fd);
    }
    atomic_store(&goes_on, false);
    pthread_join(thread, &failed);
    if (failed)
        fail_msg("%s", error.message);
}

static void who_hangs_up_is_let_go(void **state)
{
    (void)state;
    static const char *const begun[] = {"GET", "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"terms\"", "\x16\x03\x01\x02\x00\x01"};
    test_serving serving = test_serving_start(world, NULL);
    for (int i = 0; i < 9; i++) {
        char byte;
        const char *request = begun[i % 3];
        const int fd = test_dial(AF_INET, serving.port);
        assert_true(fd >= 0);
        send(fd, request, strlen(request), MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        if (recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN)
            fail_msg("it still waits for the rest of: %s", request);
        close(fd);
    }
    test_serving_stop(&serving);
}

/* ---- what libmicrohttpd refuses by itself, and what takes long ---- */

static double gauge(const test_serving *serving, const char *name)
{
    test_reply reply = test_serving_ask(serving, "GET", "/metrics", "", NULL, 0);
    char line[64];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = reply.body.data ? strstr(reply.body.data, line) : NULL;
    assert_non_null(at);
    const double value = strtod(at + strlen(line), NULL);
    test_reply_free(&reply);
    return value;
}

static void wait_until_nothing_is_in_flight(const test_serving *serving)
{
    for (int i = 0; i < 150 && gauge(serving, "memelens_in_flight") > 1; i++) /* one asks that */
        usleep(200000);
    assert_true(gauge(serving, "memelens_in_flight") == 1);
}

static void more_arguments_than_fit_leave_nothing_behind(void **state)
{
    (void)state;
    lens_buffer request = {0};
    assert_int_equal(lens_buffer_print(&request, "GET /?x"), 0);
    for (int i = 0; i < 1500; i++)
        assert_int_equal(lens_buffer_print(&request, "&x"), 0);
    assert_int_equal(lens_buffer_print(&request, " HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0);
    test_serving serving = test_serving_start(world, NULL);
    for (int i = 0; i < 20; i++) {
        const int fd = test_dial(AF_INET, serving.port);
        assert_true(fd >= 0);
        assert_int_equal(send(fd, request.data, request.size, MSG_NOSIGNAL), (ssize_t)request.size);
        usleep(20000);
        close(fd);
    }
    wait_until_nothing_is_in_flight(&serving);
    test_serving_stop(&serving);
    lens_buffer_free(&request);
}

/* As many dear drawings as there are quick workers, and more: others' queries are answered, and when their senders hang up nobody draws any more. */
static void what_takes_long_holds_up_no_query(void **state)
{
    (void)state;
    enum { DEAR_MOST = 64 };
    const int threads = lens_default_threads(), dear = threads < 2 ? 3 : threads + 1;
    if (dear > DEAR_MOST) {
        printf("skipped: more than %d processors\n", DEAR_MOST - 1);
        skip();
    }
    static const char picture[] = TEST_DEAR_DRAWING;
    test_serving serving = test_serving_start(world, NULL);
    int fds[DEAR_MOST];
    lens_buffer request = {0};
    assert_int_equal(lens_buffer_print(&request, "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=part\r\nContent-Length: %zu\r\n\r\n"
                                                 "--part\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n%s\r\n--part--\r\n",
                                       sizeof picture - 1 + strlen("--part\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n\r\n--part--\r\n"), picture), 0);
    for (int i = 0; i < dear; i++) {
        fds[i] = test_dial(AF_INET, serving.port);
        assert_true(fds[i] >= 0);
        assert_int_equal(send(fds[i], request.data, request.size, MSG_NOSIGNAL), (ssize_t)request.size);
    }
    usleep(200000);
    json_decref(test_serving_json(&serving, 200, "GET", "/api/pictures/1/similar", "", NULL)); /* within half a minute */
    for (int i = 0; i < dear; i++) {
        char byte;
        assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), -1); /* it is still being drawn */
        close(fds[i]);
    }
    wait_until_nothing_is_in_flight(&serving);
    test_serving_stop(&serving);
    lens_buffer_free(&request);
}

/* 40 megabytes of lines, each of which libmicrohttpd takes out of its buffer by moving the rest. */
static void a_form_of_short_lines_is_read_in_time(void **state)
{
    (void)state;
    if (strstr(test_program(), "/sanitize")) {
        printf("skipped: a sanitizer looks at each byte that is moved\n");
        skip();
    }
    static const char begin[] = "--part\r\n", end[] = "\r\n\r\n\r\n--part--\r\n";
    lens_buffer body = {0};
    assert_int_equal(lens_buffer_append(&body, begin, sizeof begin - 1), 0);
    for (int i = 0; i < 20 << 20; i++)
        assert_int_equal(lens_buffer_append(&body, "x\n", 2), 0);
    assert_int_equal(lens_buffer_append(&body, end, sizeof end - 1), 0);
    test_serving serving = test_serving_start(world, NULL);
    test_reply reply = test_serving_ask(&serving, "POST", "/api/search", "Content-Type: multipart/form-data; boundary=part\r\n", body.data, body.size);
    assert_int_equal(reply.status, 400);
    test_reply_free(&reply);
    test_serving_stop(&serving);
    lens_buffer_free(&body);
}

static void a_head_of_events_has_no_body(void **state)
{
    (void)state;
    static const char request[] = "HEAD /api/index/events HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    test_serving serving = test_serving_start(world, NULL);
    test_reply reply = test_serving_raw(&serving, request, sizeof request - 1, false);
    assert_int_equal(reply.status, 200);
    assert_int_equal(strncmp(reply.body.data ? reply.body.data : "", "HTTP/1.1 200", 12), 0); /* the next answer, at once */
    test_reply_free(&reply);
    test_serving_stop(&serving);
}

/* Whether PROCESS ignores SIGNAL. */
static bool ignores(pid_t process, int number)
{
    char path[64], line[256];
    unsigned long long ignored = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "SigIgn: %llx", &ignored) != 1)
        continue;
    fclose(file);
    return ignored >> (number - 1) & 1;
}

/* Has a run done that fails, and is told of where the server was started; what was asked for before is done. */
static void fail_a_run(const test_serving *serving)
{
    int status = 0;
    for (const double end = lens_seconds() + 60; lens_seconds() < end && status != 202; lens_sleep(0.02)) {
        test_reply reply = test_serving_ask(serving, "POST", "/api/index", "Content-Type: application/json\r\n", "{}", 2);
        status = reply.status;
        test_reply_free(&reply);
    }
    assert_int_equal(status, 202);
}

/* Who has read what it says may go, which does not end it; what it starts takes the signal as ever. */
static void nobody_reads_what_it_says(void **state)
{
    (void)state;
    pid_t helper;
    test_world *own = test_world_of_scenes(2);
    char *database = test_path(own->library, "library.db");
    test_serving serving = test_serving_start(own, NULL);
    test_serving_expect(&serving, 200, "GET", "/api/pictures/1/thumb", "", NULL);
    test_processes_wait(serving.pid, TEST_ALIVE, 1, &helper);
    assert_false(ignores(helper, SIGPIPE));
    close(serving.out);
    serving.out = open("/dev/null", O_RDONLY);
    assert_int_equal(unlink(database), 0);
    test_write(database, "no library, and not a database of anything else either", 54);
    for (int i = 0; i < 3; i++)
        fail_a_run(&serving);
    test_serving_expect(&serving, 200, "GET", "/healthz", "", NULL);
    test_serving_stop(&serving);
    free(database);
    test_world_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_does_not_take_all_connections),
        cmocka_unit_test(who_reads_no_pictures_takes_no_files_from_others),
        cmocka_unit_test(everywhere_is_both_kinds_of_address),
        cmocka_unit_test(larger_pictures_are_taken_where_that_is_said),
        cmocka_unit_test(it_ends_while_it_is_asked),
        cmocka_unit_test(who_dawdles_is_cut_off),
        cmocka_unit_test(who_hangs_up_is_let_go),
        cmocka_unit_test(more_arguments_than_fit_leave_nothing_behind),
        cmocka_unit_test(what_takes_long_holds_up_no_query),
        cmocka_unit_test(a_form_of_short_lines_is_read_in_time),
        cmocka_unit_test(a_head_of_events_has_no_body),
        cmocka_unit_test(nobody_reads_what_it_says),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
