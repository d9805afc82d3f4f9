/* Pictures by their address: `memelens search http://…`, and lens_fetch_picture by itself, which a server can keep off its own network. */
#include <sys/socket.h>

#include "memelens.h"
#include "server.h"
#include "world.h"

typedef struct place {
    test_world *world;
    test_server *server;
    lens_buffer picture;
} place;

/* A page without an end, which is sent until the other side hangs up. */
static void send_for_ever(const test_request *request)
{
    static const char line[] = "<p>more</p>";
    test_answer(request, "200 OK", "Content-Type: text/html\r\n", "<html>", 6);
    while (send(request->fd, line, sizeof line - 1, MSG_NOSIGNAL) > 0)
        ;
}

static void handler(void *context, const test_request *request)
{
    place *here = context;
    const char *path = request->path;
    char headers[256], token[64];
    snprintf(headers, sizeof headers, "Content-Type: image/jpeg\r\nContent-Length: %zu\r\n", here->picture.size);
    if (strcmp(path, "/a.jpg") == 0 || (strcmp(path, "/locked.jpg") == 0 && *test_request_header(request, "Authorization", token, sizeof token)))
        test_answer(request, "200 OK", headers, here->picture.data, here->picture.size);
    else if (strcmp(path, "/moved") == 0)
        test_answer(request, "302 Found", "Location: /a.jpg\r\nContent-Length: 0\r\n", "", 0);
    else if (strcmp(path, "/round") == 0)
        test_answer(request, "302 Found", "Location: /round\r\nContent-Length: 0\r\n", "", 0);
    else if (strcmp(path, "/away") == 0)
        test_answer(request, "302 Found", "Location: file:///etc/passwd\r\nContent-Length: 0\r\n", "", 0);
    else if (strcmp(path, "/page") == 0)
        test_answer(request, "200 OK", "Content-Type: text/html\r\nContent-Length: 15\r\n", "<title>x</title", 15);
    else if (strcmp(path, "/half.jpg") == 0)
        test_answer(request, "200 OK", "Content-Type: image/jpeg\r\n", here->picture.data, here->picture.size / 2);
    else if (strcmp(path, "/cut.jpg") == 0)
        test_answer(request, "200 OK", headers, here->picture.data, here->picture.size / 2);
    else if (strcmp(path, "/vast") == 0)
        test_answer(request, "200 OK", "Content-Length: 99999999999\r\n", here->picture.data, here->picture.size);
    else if (strcmp(path, "/empty") == 0)
        test_answer(request, "204 No Content", "", "", 0);
    else if (strcmp(path, "/endless") == 0)
        send_for_ever(request);
    else if (strcmp(path, "/slow") == 0)
        test_server_hang(here->server, request);
    else
        test_answer(request, "404 Not Found", "Content-Length: 0\r\n", "", 0);
}

static int set_up(void **state)
{
    place *here = calloc(1, sizeof *here);
    assert_non_null(here);
    here->world = test_world_new();
    here->picture = test_picture(TEST_JPEG_420, 160, 120, 3);
    here->server = test_server_start(handler, here);
    *state = here;
    return 0;
}

static int tear_down(void **state)
{
    place *here = *state;
    test_server_stop(here->server);
    test_world_free(here->world);
    lens_buffer_free(&here->picture);
    free(here);
    return 0;
}

static const char *address(const place *here, const char *path)
{
    static char text[256];
    snprintf(text, sizeof text, "http://127.0.0.1:%d%s", test_server_port(here->server), path);
    return text;
}

static void expect_refused(const place *here, const char *path, const char *words)
{
    test_run run = test_world_run(here->world, "search", address(here, path), NULL);
    if (run.status != 2 || !strstr(run.err.data, words) || strchr(run.err.data, '\n') != strrchr(run.err.data, '\n'))
        fail_msg("%s: exit 2 and '%s' were expected, got %d and: %s", path, words, run.status, run.err.data);
    test_run_free(&run);
}

static void test_search_by_address(void **state)
{
    const place *here = *state;
    for (unsigned i = 1; i <= 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u.jpg", i);
        test_world_picture(here->world, name, TEST_JPEG_420, i);
    }
    json_decref(test_world_index(here->world));
    const char *paths[] = {"/a.jpg", "/moved"};
    char *third = test_world_path(here->world, "3.jpg");
    for (size_t i = 0; i < 2; i++) {
        json_t *found = test_world_search(here->world, address(here, paths[i]));
        assert_string_equal(json_string_value(json_array_get(found, 0)), third);
        json_decref(found);
    }
    /* Weighed as any term is. */
    char term[300], *first = test_world_path(here->world, "1.jpg");
    snprintf(term, sizeof term, "-0.5:%s", address(here, "/a.jpg"));
    test_run run = test_world_expect(here->world, 0, "search", "--paths", "-n", "1", first, term, NULL);
    assert_memory_equal(run.out.data, first, strlen(first));
    test_run_free(&run);
    free(first);
    free(third);

    expect_refused(here, "/none.jpg", "/none.jpg: the server answered HTTP 404, not there");
    expect_refused(here, "/round", "redirects more than 10 times");
    expect_refused(here, "/away", "not http or https");
    expect_refused(here, "/page", "not a picture: the server sent text/html");
    expect_refused(here, "/empty", "HTTP 204");
    expect_refused(here, "/half.jpg", "/half.jpg: truncated JPEG");
    expect_refused(here, "/cut.jpg", "/cut.jpg: ");
    expect_refused(here, "/vast", "99999999999 bytes, more than the 536870912 allowed");
}

static void test_passwords_are_not_shown(void **state)
{
    const place *here = *state;
    char text[256];
    const char *paths[] = {"/none.jpg?key=secret", "/half.jpg?key=secret"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "http://ada:secret@127.0.0.1:%d%s", test_server_port(here->server), paths[i]);
        test_run run = test_world_expect(here->world, 2, "search", text, NULL);
        assert_non_null(strstr(run.err.data, "http://127.0.0.1:"));
        assert_null(strstr(run.err.data, "secret"));
        test_run_free(&run);
    }
}

static void test_a_server_keeps_off_its_own_network(void **state)
{
    const place *here = *state;
    lens_fetch_options options = lens_fetch_options_default();
    lens_error err = {0};
    void *bytes;
    size_t size;
    char text[256];
    assert_done(lens_fetch_picture(address(here, "/a.jpg"), &options, &bytes, &size, &err), &err);
    assert_int_equal(size, here->picture.size);
    assert_memory_equal(bytes, here->picture.data, size);
    free(bytes);
    options.allow_private = false;
    const char *names[] = {"127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "http://%s:%d/a.jpg", names[i], test_server_port(here->server));
        assert_int_equal(lens_fetch_picture(text, &options, &bytes, &size, &err), -1);
        assert_says(&err, "cannot be found on the public internet");
    }
    assert_int_equal(lens_fetch_picture("file:///etc/passwd", &options, &bytes, &size, &err), -1);
    assert_says(&err, "http");
}

static bool not_for_long(void *context)
{
    int *asked = context;
    return ++*asked < 3;
}

static void test_bounds(void **state)
{
    const place *here = *state;
    lens_fetch_options options = lens_fetch_options_default();
    lens_error err = {0};
    void *bytes;
    size_t size;
    options.max_bytes = here->picture.size - 1;
    assert_int_equal(lens_fetch_picture(address(here, "/a.jpg"), &options, &bytes, &size, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    options = lens_fetch_options_default();
    options.seconds = 0.2;
    assert_int_equal(lens_fetch_picture(address(here, "/slow"), &options, &bytes, &size, &err), -1);
    assert_int_equal(err.code, LENS_E_SYSTEM);
    int asked = 0;
    options = lens_fetch_options_default();
    options.go_on = not_for_long;
    options.context = &asked;
    assert_int_equal(lens_fetch_picture(address(here, "/slow"), &options, &bytes, &size, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
}

static void test_no_picture_is_fetched_to_its_end(void **state)
{
    const place *here = *state;
    lens_fetch_options options = lens_fetch_options_default();
    lens_error err = {0};
    void *bytes;
    size_t size;
    assert_int_equal(lens_fetch_picture(address(here, "/endless"), &options, &bytes, &size, &err), -1);
    assert_says(&err, "not a picture: the server sent text/html");
}

int main(void)
{
    setenv("no_proxy", "127.0.0.1", 1);
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_search_by_address),
        PLACE_TEST(test_passwords_are_not_shown),
        PLACE_TEST(test_a_server_keeps_off_its_own_network),
        PLACE_TEST(test_bounds),
        PLACE_TEST(test_no_picture_is_fetched_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
