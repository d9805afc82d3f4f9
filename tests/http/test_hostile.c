/* Requests that mean no good: each is refused with the status for it, and the server goes on. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "server.h"
#include "serving.h"

static test_world *world;
static test_serving serving;

static int setup(void **state)
{
    (void)state;
    world = test_world_new();
    for (unsigned i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "scene%u.png", i);
        test_world_picture(world, name, TEST_PNG, i);
    }
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    test_run_free(&run);
    const char *const more[] = {"--allow-urls", "--allow-path", world->pictures, "--max-upload", "1", "--max-megapixels", "4", NULL};
    serving = test_serving_start(world, more);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_serving_expect(&serving, 200, "GET", "/healthz", "", NULL);
    test_serving_stop(&serving);
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    test_world_free(world);
    return 0;
}

static void paths_lead_nowhere(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/js/../../etc/passwd", "/js/%2e%2e%2f..%2fmain.js",
        "/api/pictures/../../etc/passwd", "/api/pictures/1/file/../../../etc/passwd", "/api/pictures/-1/file", "/api/pictures/1e3/file",
        "/api/pictures/99999999999999999999/file", "/api/pictures/1%00/file", "/api/pictures//file", "/api/pictures/1/file/", "/js/", "/js/none.js",
        "/api/pictures/0x1", "/api/uploads/../../x/seen", "/api/uploads/ZZZ/seen", "/..\\..\\etc\\passwd", "/api/pictures/999/file", "/.git/config",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        test_serving_expect(&serving, 404, "GET", paths[i], "", NULL);
    test_reply reply = test_serving_ask(&serving, "GET", "http://example.org/etc/passwd", "", NULL, 0);
    assert_true(reply.status == 404 || reply.status == 400 || reply.status == 421);
    test_reply_free(&reply);
}

static void a_forged_host_is_misdirected(void **state)
{
    (void)state;
    static const char *const hosts[] = {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "evil.example:8080", "[::1", "127.0.0.1:80:80", "",
                                        "127.0.0.1@evil.example", "localhost:x"};
    char header[128];
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        snprintf(header, sizeof header, "Host: %s\r\n", hosts[i]);
        test_serving_expect(&serving, 421, "GET", "/api/status", header, NULL);
    }
    test_serving_expect(&serving, 200, "GET", "/api/status", "Host: localhost:1234\r\n", NULL);
    test_serving_expect(&serving, 200, "GET", "/api/status", "Host: [::1]:80\r\n", NULL);
}

static void pages_elsewhere_may_not_ask(void **state)
{
    (void)state;
    test_serving_expect(&serving, 403, "POST", "/api/index", "Origin: https://evil.example\r\n", "{}");
    test_serving_expect(&serving, 403, "GET", "/api/status", "Origin: https://evil.example\r\n", NULL);
    test_serving_expect(&serving, 403, "GET", "/api/status", "Origin: null\r\n", NULL);
    test_serving_expect(&serving, 403, "POST", "/api/index", "Sec-Fetch-Site: cross-site\r\n", "{}");
    test_reply reply = test_serving_ask(&serving, "GET", "/api/status", "", NULL, 0);
    assert_null(strstr(reply.head.data, "Access-Control-Allow-Origin"));
    assert_non_null(strstr(reply.head.data, "Content-Security-Policy: default-src 'none'"));
    assert_null(strstr(reply.head.data, "unsafe-inline"));
    test_reply_free(&reply);
}

static void wrong_methods(void **state)
{
    (void)state;
    test_serving_expect(&serving, 405, "DELETE", "/api/pictures/1", "", NULL);
    test_serving_expect(&serving, 405, "PUT", "/api/search", "", "{}");
    test_serving_expect(&serving, 405, "GET", "/search", "", NULL);
    test_serving_expect(&serving, 405, "POST", "/api/pictures/1/file", "", "x");
    test_serving_expect(&serving, 405, "BREW", "/", "", NULL);
}

static void malformed_queries(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "", "{", "[]", "null", "{}", "{\"terms\":[]}", "{\"terms\":{}}", "{\"terms\":[1]}", "{\"terms\":[{}]}", "{\"terms\":[{\"text\":1}]}",
        "{\"terms\":[{\"text\":\"\"}]}", "{\"terms\":[{\"text\":\"a\",\"id\":1}]}", "{\"terms\":[{\"id\":\"1\"}]}", "{\"terms\":[{\"id\":-1}]}",
        "{\"terms\":[{\"id\":1.5}]}", "{\"terms\":[{\"id\":1,\"weight\":\"x\"}]}", "{\"terms\":[{\"id\":1,\"weight\":1e300}]}",
        "{\"terms\":[{\"id\":1}],\"n\":0}", "{\"terms\":[{\"id\":1}],\"n\":1001}", "{\"terms\":[{\"id\":1}],\"n\":1.5}",
        "{\"terms\":[{\"id\":1}],\"offset\":-1}", "{\"terms\":[{\"id\":1}],\"unknown\":1}", "{\"terms\":[{\"id\":1}],\"fold\":\"yes\"}",
        "{\"terms\":[{\"id\":1}],\"model\":\"../../etc\"}", "{\"terms\":[{\"id\":1}],\"after\":\"2024-13-01\"}", "{\"terms\":[{\"id\":1}],\"min_score\":7}",
        "{\"terms\":[{\"image\":\"!!!!\"}]}", "{\"terms\":[{\"image\":\"\"}]}", "{\"terms\":[{\"image\":\"QUJD=Q==\"}]}", "{\"terms\":[{\"image\":\"data:image/png,xx\"}]}",
        "{\"terms\":[{\"text\":\"a\\u0000b\"}]}", "{\"terms\":[{\"text\":\"\xff\xfe\"}]}", "{\"terms\":[{\"url\":\"file:///etc/passwd\"}]}",
        "{\"terms\":[{\"url\":\"gopher://127.0.0.1/\"}]}", "{\"terms\":[{\"upload\":\"../../x\"}]}", "{\"terms\":[{\"id\":1}],\"terms\":[{\"id\":2}]}",
        "{\"terms\":[{\"id\":1},{\"id\":1,\"weight\":-1}]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        test_serving_expect(&serving, 400, "POST", "/api/search", "", bodies[i]);
    lens_buffer deep = {0};
    for (int i = 0; i < 100000; i++)
        lens_buffer_print(&deep, "[");
    test_serving_expect(&serving, 400, "POST", "/api/search", "", deep.data);
    lens_buffer_free(&deep);
    test_serving_expect(&serving, 400, "GET", "/api/search", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=%ff", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=a%00b", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=a&n=nan", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/pictures/1/thumb?side=7", "", NULL);
    test_serving_expect(&serving, 404, "POST", "/api/search", "", "{\"terms\":[{\"id\":999}]}");
    test_serving_expect(&serving, 415, "POST", "/api/search", "Content-Type: text/xml\r\n", "<a/>");
    test_serving_expect(&serving, 400, "POST", "/api/search", "Content-Type: multipart/form-data\r\n", "x");
    test_serving_expect(&serving, 400, "POST", "/api/search", "Content-Type: multipart/form-data; boundary=x\r\n", "--x\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nabc");
    test_serving_expect(&serving, 400, "POST", "/search", "", "{\"data\":[{\"uri\":7}]}");
    test_serving_expect(&serving, 400, "POST", "/search", "", "{\"data\":[\"a\"],\"top_k\":\"x\"}");
}

static void what_is_no_picture(void **state)
{
    (void)state;
    test_serving_expect(&serving, 422, "POST", "/api/search", "", "{\"terms\":[{\"image\":\"aGVsbG8=\"}]}");
    test_serving_expect(&serving, 422, "POST", "/api/uploads", "", "no picture at all");
    test_serving_expect(&serving, 400, "POST", "/api/uploads", "", "");
    /* A bomb: a small file that says it is enormous. */
    char *path = test_path(getenv("MEMELENS_SOURCE"), "tests/fuzz/corpus/picture/bomb.png");
    lens_buffer bomb = test_read(path);
    test_reply reply = test_serving_ask(&serving, "POST", "/api/uploads", "", bomb.data, bomb.size);
    assert_true(reply.status == 413 || reply.status == 422);
    test_reply_free(&reply);
    lens_buffer_free(&bomb);
    free(path);
}

static void too_large(void **state)
{
    (void)state;
    const size_t size = 3 << 20;
    char *body = calloc(size, 1);
    test_reply reply = test_serving_ask(&serving, "POST", "/api/uploads", "", body, size);
    assert_int_equal(reply.status, 413);
    test_reply_free(&reply);
    reply = test_serving_ask(&serving, "POST", "/api/uploads", "Content-Length: 99999999999999\r\n", "x", 1);
    assert_int_equal(reply.status, 413);
    test_reply_free(&reply);
    /* Without saying so beforehand. */
    lens_buffer chunks = {0};
    lens_buffer_print(&chunks, "POST /api/uploads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < 48; i++) {
        lens_buffer_print(&chunks, "10000\r\n");
        lens_buffer_append(&chunks, body, 65536);
        lens_buffer_print(&chunks, "\r\n");
    }
    lens_buffer_print(&chunks, "0\r\n\r\n");
    reply = test_serving_raw(&serving, chunks.data, chunks.size, false);
    assert_int_equal(reply.status, 413);
    test_reply_free(&reply);
    lens_buffer_free(&chunks);
    free(body);
}

static void broken_off(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET", "GET / HTTP/1.1\r\nHost: loc", "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"terms\"",
        "POST /api/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        "\r\n\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\n{",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        test_reply reply = test_serving_raw(&serving, requests[i], strlen(requests[i]), true);
        if (reply.status != 0 && reply.status < 400)
            fail_msg("request %zu: %d", i, reply.status);
        test_reply_free(&reply);
    }
}

static void serve_a_redirect(void *context, const test_request *request)
{
    const int *port = context;
    char header[128];
    snprintf(header, sizeof header, "Location: http://127.0.0.1:%d/secret\r\n", *port);
    test_answer(request, "302 Found", header, "", 0);
}

static void addresses_inside_are_not_fetched(void **state)
{
    (void)state;
    int port = 0;
    test_server *inside = test_server_start(serve_a_redirect, &port);
    port = test_server_port(inside);
    char own[64];
    snprintf(own, sizeof own, "http://127.0.0.1:%d/a.png", port);
    const char *const urls[] = {own, "http://localhost/a.png", "http://[::1]/a.png", "http://[::ffff:127.0.0.1]/a.png", "http://10.0.0.1/a.png",
                                "http://169.254.169.254/latest/meta-data/", "http://192.168.1.1/", "http://0.0.0.0/", "http://2130706433/", "http://0x7f.1/",
                                "http://127.1/", "http://user:pass@127.0.0.1/", "http://100.64.0.1/", "http://ip6-localhost/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"terms\":[{\"url\":\"%s\"}]}", urls[i]);
        test_serving_expect(&serving, 422, "POST", "/api/search", "", body);
        snprintf(body, sizeof body, "{\"data\":[{\"uri\":\"%s\"}]}", urls[i]);
        test_serving_expect(&serving, 422, "POST", "/search", "", body);
    }
    test_server_stop(inside);
}

static void files_are_read_only_where_that_is_allowed(void **state)
{
    (void)state;
    char *link = test_world_path(world, "link.png"), *outside = test_path(world->folder, "outside.png"), *scene = test_world_path(world, "scene0.png");
    lens_buffer picture = test_read(scene);
    test_write(outside, picture.data, picture.size);
    assert_int_equal(symlink(outside, link), 0);
    char *up = test_path(world->pictures, "../outside.png");
    const char *const uris[] = {"/etc/passwd", outside, link, up, "scene0.png", "../scene0.png", "file:///etc/passwd", "/none", "/dev/zero"};
    lens_buffer body = {0};
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        body.size = 0;
        lens_buffer_print(&body, "{\"data\":[{\"uri\":\"%s\"}]}", uris[i]);
        test_serving_expect(&serving, 403, "POST", "/search", "", body.data);
    }
    body.size = 0;
    lens_buffer_print(&body, "{\"data\":[{\"uri\":\"file://%s\"}]}", scene);
    test_serving_expect(&serving, 200, "POST", "/search", "", body.data);
    test_serving_expect(&serving, 403, "POST", "/api/index", "", "{\"path\":\"/etc\"}");
    test_serving_expect(&serving, 400, "POST", "/api/index", "", "{\"path\":\"relative\"}");
    lens_buffer_free(&body);
    lens_buffer_free(&picture);
    unlink(link);
    free(up);
    free(link);
    free(outside);
    free(scene);
}

/* ---- the token ---- */

static void without_the_token_nobody_gets_in(void **state)
{
    (void)state;
    char *file = test_path(world->folder, "token");
    test_write(file, "0123456789abcdef0123\n", 21);
    const char *const more[] = {"--token-file", file, NULL};
    test_serving closed = test_serving_start(world, more);
    static const char *const paths[] = {"/api/status", "/api/pictures/1", "/api/pictures/1/file", "/api/pictures/1/thumb", "/metrics", "/openapi.json", "/", "/js/main.js",
                                        "/api/index/events", "/api/pictures/1/similar", "/none"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        test_serving_expect(&closed, 401, "GET", paths[i], "", NULL);
        test_serving_expect(&closed, 401, "GET", paths[i], "Authorization: Bearer 0123456789abcdef0124\r\n", NULL);
        test_serving_expect(&closed, 401, "GET", paths[i], "Authorization: Bearer \r\nCookie: memelens=0123456789abcdef012\r\n", NULL);
    }
    test_serving_expect(&closed, 401, "POST", "/search", "", "{\"data\":[\"a\"]}");
    test_serving_expect(&closed, 200, "GET", "/healthz", "", NULL);
    test_serving_expect(&closed, 200, "GET", "/api/status", "Authorization: Bearer 0123456789abcdef0123\r\n", NULL);
    test_serving_expect(&closed, 200, "GET", "/api/status", "Cookie: other=1; memelens=0123456789abcdef0123\r\n", NULL);
    test_serving_expect(&closed, 303, "GET", "/", "Accept: text/html\r\n", NULL);
    test_serving_expect(&closed, 200, "GET", "/login", "", NULL);
    test_serving_expect(&closed, 401, "POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\n", "token=wrong");
    test_reply reply = test_serving_ask(&closed, "POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\n", "token=0123456789abcdef0123", 26);
    assert_int_equal(reply.status, 303);
    assert_non_null(strstr(reply.head.data, "HttpOnly; SameSite=Strict"));
    test_reply_free(&reply);
    test_serving_stop(&closed);
    test_write(file, "short", 5);
    test_run run = test_world_expect(world, 2, "serve", "--listen", "127.0.0.1:0", "--token-file", file, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 2, "serve", "--listen", "0.0.0.0:0", NULL);
    assert_non_null(strstr(run.err.data, "--token-file"));
    test_run_free(&run);
    free(file);
}

static void killed_and_started_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        test_serving mortal = test_serving_start(world, NULL);
        test_serving_expect(&mortal, 202, "POST", "/api/index", "", "{}");
        kill(mortal.pid, SIGKILL);
        int status;
        waitpid(mortal.pid, &status, 0);
        close(mortal.out);
        test_run run = test_world_expect(world, 0, "check", NULL);
        test_run_free(&run);
    }
    json_t *now = test_serving_json(&serving, 200, "GET", "/api/status", "", NULL);
    assert_int_equal(test_json_integer(now, "pictures"), 6);
    json_decref(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_nowhere),
        cmocka_unit_test(a_forged_host_is_misdirected),
        cmocka_unit_test(pages_elsewhere_may_not_ask),
        cmocka_unit_test(wrong_methods),
        cmocka_unit_test(malformed_queries),
        cmocka_unit_test(what_is_no_picture),
        cmocka_unit_test(too_large),
        cmocka_unit_test(broken_off),
        cmocka_unit_test(addresses_inside_are_not_fetched),
        cmocka_unit_test(files_are_read_only_where_that_is_allowed),
        cmocka_unit_test(without_the_token_nobody_gets_in),
        cmocka_unit_test(killed_and_started_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
