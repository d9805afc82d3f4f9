/* Requests that mean no good: each is refused with the status for it, and the server goes on. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "server.h"
#include "serving.h"
#include "started.h"

static test_world *world;
static test_serving serving;

static int setup(void **state)
{
    (void)state;
    world = test_world_of_scenes(6);
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

/* What is sent has the server's limit, what the library has taken in has no lower one than that it came in by. */
static void limits_are_for_what_is_sent(void **state)
{
    (void)state;
    test_world *own = test_world_new();
    lens_buffer large = test_picture(TEST_JPEG_420, 1200, 1000, 7);
    char *path = test_world_path(own, "large.jpg");
    test_write(path, large.data, large.size);
    test_run run = test_world_expect(own, 0, "index", "--model", "colour", own->pictures, NULL);
    test_run_free(&run);
    static const char *const more[] = {"--max-megapixels", "1", NULL};
    test_serving at = test_serving_start(own, more);
    test_serving_expect(&at, 200, "GET", "/api/pictures/1/thumb", "", NULL);
    test_serving_expect(&at, 200, "GET", "/api/pictures/1/seen", "", NULL);
    test_reply reply = test_serving_ask(&at, "POST", "/api/uploads", "Content-Type: image/jpeg\r\n", large.data, large.size);
    assert_int_equal(reply.status / 100, 4);
    assert_non_null(strstr(reply.body.data, "1200 x 1000 pixels, more than the 1000000 allowed"));
    test_reply_free(&reply);
    test_serving_stop(&at);
    lens_buffer_free(&large);
    free(path);
    test_world_free(own);
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
                                        "127.0.0.1@evil.example", "localhost:x",
                                        /* here too, but for a browser no loopback: it does not say who asks there */
                                        "0.0.0.0", "0.0.0.0:80", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]:80", "[::ffff:0:0]", "[::127.0.0.1]"};
    char header[128];
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        snprintf(header, sizeof header, "Host: %s\r\n", hosts[i]);
        test_serving_expect(&serving, 421, "GET", "/api/status", header, NULL);
    }
    test_serving_expect(&serving, 200, "GET", "/api/status", "Host: localhost:1234\r\n", NULL);
    test_serving_expect(&serving, 200, "GET", "/api/status", "Host: [::1]:80\r\n", NULL);
    test_serving_expect(&serving, 200, "GET", "/api/status", "Host: 127.0.0.2\r\n", NULL);
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

static void expect_from(const test_serving *at, int status, const char *site, const char *mode, const char *what, const char *path, const char *more)
{
    char headers[512];
    snprintf(headers, sizeof headers, "Sec-Fetch-Site: %s\r\nSec-Fetch-Mode: %s\r\nSec-Fetch-Dest: %s\r\n%s", site, mode, what, more);
    test_serving_expect(at, status, "GET", path, headers, NULL);
}

static void pages_elsewhere_may_lead_here_and_little_else(void **state)
{
    (void)state;
    static const char *const sites[] = {"cross-site", "same-site"};
    static const char *const paths[] = {"/api/status", "/api/pictures/1/thumb", "/api/pictures/1/explain", "/api/pictures/1/similar", "/js/main.js", "/none"};
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            expect_from(&serving, 403, sites[s], "no-cors", "image", paths[i], "");
            expect_from(&serving, 403, sites[s], "navigate", "document", paths[i], "");
        }
        expect_from(&serving, 200, sites[s], "navigate", "document", "/?q=id:1", "");
        expect_from(&serving, 200, sites[s], "navigate", "document", "/login", "");
        expect_from(&serving, 200, sites[s], "navigate", "document", "/api/pictures/1/file", "");
        expect_from(&serving, 403, sites[s], "no-cors", "image", "/", "");
        expect_from(&serving, 403, sites[s], "navigate", "iframe", "/", "");
        expect_from(&serving, 403, sites[s], "no-cors", "script", "/api/pictures/1/file", "");
    }
    test_serving_expect(&serving, 403, "POST", "/api/index", "Sec-Fetch-Site: same-site\r\n", "{}");
    expect_from(&serving, 200, "same-origin", "cors", "empty", "/api/status", "");
    expect_from(&serving, 200, "none", "navigate", "document", "/api/status", "");
    /* What another page of this machine may do, as the original client's: show a picture. */
    expect_from(&serving, 200, "same-site", "no-cors", "image", "/api/pictures/1/file", "");
    expect_from(&serving, 403, "cross-site", "no-cors", "image", "/api/pictures/1/file", "");
    test_reply reply = test_serving_ask(&serving, "GET", "/api/pictures/1/file", "", NULL, 0);
    assert_non_null(strstr(reply.head.data, "Cross-Origin-Resource-Policy: same-site\r\n"));
    test_reply_free(&reply);
    reply = test_serving_ask(&serving, "GET", "/api/pictures/1/thumb", "", NULL, 0);
    assert_non_null(strstr(reply.head.data, "Cross-Origin-Resource-Policy: same-origin\r\n"));
    test_reply_free(&reply);
}

static void pages_of_an_allowed_origin_may_ask(void **state)
{
    (void)state;
    const char *const more[] = {"--host", "pictures.example", "--allow-origin", "https://page.example", NULL};
    static const char ours[] = "Referer: https://page.example/a\r\n", others[] = "Referer: https://page.example.evil.example/\r\n";
    test_serving behind = test_serving_start(world, more);
    test_serving_expect(&behind, 200, "GET", "/api/status", "Origin: https://page.example\r\nSec-Fetch-Site: cross-site\r\n", NULL);
    expect_from(&behind, 200, "cross-site", "no-cors", "image", "/api/pictures/1/file", ours);
    expect_from(&behind, 200, "cross-site", "no-cors", "image", "/api/pictures/1/thumb", ours);
    expect_from(&behind, 403, "cross-site", "no-cors", "image", "/api/pictures/1/file", others);
    expect_from(&behind, 403, "cross-site", "no-cors", "image", "/api/pictures/1/file", "");
    expect_from(&behind, 403, "same-site", "no-cors", "image", "/api/pictures/1/file", ""); /* behind a proxy that is not this machine alone */
    test_reply reply = test_serving_ask(&behind, "GET", "/api/pictures/1/file", ours, NULL, 0);
    assert_non_null(strstr(reply.head.data, "Cross-Origin-Resource-Policy: cross-origin\r\n"));
    test_reply_free(&reply);
    reply = test_serving_ask(&behind, "GET", "/api/pictures/1/file", "", NULL, 0);
    assert_non_null(strstr(reply.head.data, "Cross-Origin-Resource-Policy: same-origin\r\n"));
    test_reply_free(&reply);
    test_serving_stop(&behind);
    static const char *const wrong[] = {"page.example", "https://", "https://page.example/", "https://Page.example", "https://page.example:443", "*", "null",
                                        "http://10.0.0.2:80", "https://*.example", "https://a b", "https://me@page.example"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        test_run run = test_world_expect(world, 2, "serve", "--listen", "127.0.0.1:0", "--allow-origin", wrong[i], NULL);
        assert_non_null(strstr(run.err.data, "an origin is"));
        test_run_free(&run);
    }
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
    static const char *const bare[] = {"n", "min_score", "fold", "type", "label", "path", "size", "after", "by", "model"}; /* a filter would let all in */
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        char path[64];
        snprintf(path, sizeof path, "/api/pictures/1/similar?%s", bare[i]);
        test_serving_expect(&serving, 400, "GET", path, "", NULL);
    }
    static const char *const others[] = {"/api/pictures/1/thumb?side", "/api/pictures/1/seen?model", "/api/pictures/1/explain?id=1&text"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        test_serving_expect(&serving, 400, "GET", others[i], "", NULL);
    test_reply saved = test_serving_ask(&serving, "GET", "/api/pictures/1/file?download", "", NULL, 0);
    assert_non_null(strstr(saved.head.data, "Content-Disposition: attachment"));
    test_reply_free(&saved);
    lens_buffer deep = {0};
    for (int i = 0; i < 100000; i++)
        lens_buffer_print(&deep, "[");
    test_serving_expect(&serving, 400, "POST", "/api/search", "", deep.data);
    /* Each value costs a hundred times its byte, so they are counted first: those outside of strings. */
    deep.size = 0;
    lens_buffer_print(&deep, "{\"n\":1,\"terms\":[{\"text\":\"\\\"\"}");
    for (int i = 0; i < 300000; i++)
        lens_buffer_print(&deep, ",{}");
    lens_buffer_print(&deep, "]}");
    json_t *answer = test_serving_json(&serving, 400, "POST", "/api/search", "", deep.data);
    assert_non_null(strstr(json_string_value(json_object_get(json_object_get(answer, "error"), "message")), "values"));
    json_decref(answer);
    answer = test_serving_json(&serving, 400, "POST", "/search", "", deep.data);
    assert_non_null(strstr(json_string_value(json_object_get(json_object_get(answer, "error"), "message")), "values"));
    json_decref(answer);
    deep.size = 0;
    lens_buffer_print(&deep, "{\"terms\":[{\"text\":\"");
    for (int i = 0; i < 2400; i++)
        lens_buffer_print(&deep, ",[{:");
    lens_buffer_print(&deep, "\\\"\"}]}");
    test_serving_expect(&serving, 422, "POST", "/api/search", "", deep.data);
    lens_buffer_free(&deep);
    test_serving_expect(&serving, 413, "POST", "/api/index", "Content-Length: 40000\r\n", "{}");
    test_serving_expect(&serving, 400, "GET", "/api/search", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=%ff", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=a%00b", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=a&labels=cat", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=a&%ff=1", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/pictures/1/similar?text=a", "", NULL);
    test_serving_expect(&serving, 400, "POST", "/api/search?label=cat", "", "{\"terms\":[{\"id\":1}]}");
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
    assert_int_equal(reply.status, 413);
    test_reply_free(&reply);
    lens_buffer_free(&bomb);
    free(path);
}

static void a_drawing_runs_nothing(void **state)
{
    (void)state;
    test_world *own = test_world_new();
    test_world_picture(own, "drawing.svg", TEST_SVG, 1);
    test_run run = test_world_expect(own, 0, "index", "--model", "colour", own->pictures, NULL);
    test_run_free(&run);
    test_serving at = test_serving_start(own, NULL);
    test_reply reply = test_serving_ask(&at, "GET", "/api/pictures/1/file", "", NULL, 0);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head.data, "Content-Type: image/svg+xml\r\n"));
    assert_non_null(strstr(reply.head.data, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(reply.head.data, "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\r\n"));
    test_reply_free(&reply);
    test_serving_stop(&at);
    test_world_free(own);
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

static void documents_are_held_one_after_another(void **state)
{
    (void)state;
    const size_t side = 440, bytes = 3 * side * side; /* more than a third of what a request may hold here */
    char *path = test_world_path(world, "large.ppm"), *pixels = calloc(bytes, 1);
    lens_buffer picture = {0}, body = {0};
    lens_buffer_print(&picture, "P6 %zu %zu 255\n", side, side);
    lens_buffer_append(&picture, pixels, bytes);
    test_write(path, picture.data, picture.size);
    lens_buffer_print(&body, "{\"data\":[{\"uri\":\"%s\"}", path);
    for (int i = 0; i < 5; i++)
        lens_buffer_print(&body, ",{\"uri\":\"%s\"}", path);
    lens_buffer_print(&body, "]}");
    json_t *answer = test_serving_json(&serving, 200, "POST", "/search", "", body.data);
    assert_int_equal(json_array_size(json_object_get(json_object_get(answer, "data"), "docs")), 6);
    json_decref(answer);
    unlink(path);
    lens_buffer_free(&body);
    lens_buffer_free(&picture);
    free(pixels);
    free(path);
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

/* Of two lengths or hosts a proxy before us may go by the other one. Each is refused, and what follows it is no request. */
static void what_is_said_twice_is_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 6\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\ncontent-length: 0\r\n\r\ntoken=",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n\r\n",
    };
    static const char next[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        lens_buffer request = {0};
        assert_int_equal(lens_buffer_print(&request, "%s%s", heads[i], next), 0);
        test_reply reply = test_serving_raw(&serving, request.data, request.size, true);
        if (reply.status != 400 || (reply.body.data && strstr(reply.body.data, "HTTP/1.1")))
            fail_msg("request %zu: %d\n%s", i, reply.status, reply.body.data ? reply.body.data : "");
        test_reply_free(&reply);
        lens_buffer_free(&request);
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

/* ---- the token ---- */

static void a_token_that_everybody_can_read_is_told(void **state)
{
    (void)state;
    char *file = test_path(world->folder, "token");
    test_write(file, "0123456789abcdef0123\n", 21);
    const char *const more[] = {"--token-file", file, "--listen", "127.0.0.1:0", NULL};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(chmod(file, i ? 0640 : 0604), 0);
        test_started started = test_start(world, "serve", more[0], more[1], more[2], more[3], NULL);
        lens_buffer said = {0};
        for (int tick = 0; tick < 3000 && !(said.data && strstr(said.data, "listening")); tick++) {
            lens_buffer_free(&said);
            said = test_started_said(&started);
            usleep(20000);
        }
        kill(started.pid, SIGTERM);
        test_run run = test_started_expect(&started, 0);
        assert_int_equal(strstr(run.err.data, "can be read by every user of this machine") != NULL, i == 0);
        test_run_free(&run);
        lens_buffer_free(&said);
    }
    unlink(file);
    free(file);
}

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
    static const char *const open[] = {"/healthz", "/login", "/style.css", "/icon.svg"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        test_serving_expect(&closed, 200, "GET", open[i], "", NULL);
    test_serving_expect(&closed, 200, "GET", "/api/status", "Authorization: Bearer 0123456789abcdef0123\r\n", NULL);
    test_serving_expect(&closed, 200, "GET", "/api/status", "Cookie: other=1; memelens=0123456789abcdef0123\r\n", NULL);
    test_serving_expect(&closed, 303, "GET", "/", "Accept: text/html\r\n", NULL);
    test_serving_expect(&closed, 401, "POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\n", "token=wrong");
    test_reply reply = test_serving_ask(&closed, "POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\n", "token=0123456789abcdef0123", 26);
    assert_int_equal(reply.status, 303);
    assert_non_null(strstr(reply.head.data, "HttpOnly; SameSite=Strict"));
    assert_null(strstr(reply.head.data, "Secure"));
    test_reply_free(&reply);
    /* Who has not logged in yet may send little. */
    test_serving_expect(&closed, 413, "POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n", "token=");
    test_serving_stop(&closed);
    test_write(file, "short", 5);
    test_run run = test_world_expect(world, 2, "serve", "--listen", "127.0.0.1:0", "--token-file", file, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 2, "serve", "--listen", "0.0.0.0:0", NULL);
    assert_non_null(strstr(run.err.data, "--token-file"));
    test_run_free(&run);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_for_what_is_sent),
        cmocka_unit_test(paths_lead_nowhere),
        cmocka_unit_test(a_forged_host_is_misdirected),
        cmocka_unit_test(pages_elsewhere_may_not_ask),
        cmocka_unit_test(pages_elsewhere_may_lead_here_and_little_else),
        cmocka_unit_test(pages_of_an_allowed_origin_may_ask),
        cmocka_unit_test(wrong_methods),
        cmocka_unit_test(malformed_queries),
        cmocka_unit_test(what_is_no_picture),
        cmocka_unit_test(a_drawing_runs_nothing),
        cmocka_unit_test(too_large),
        cmocka_unit_test(documents_are_held_one_after_another),
        cmocka_unit_test(broken_off),
        cmocka_unit_test(what_is_said_twice_is_refused),
        cmocka_unit_test(addresses_inside_are_not_fetched),
        cmocka_unit_test(a_token_that_everybody_can_read_is_told),
        cmocka_unit_test(without_the_token_nobody_gets_in),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
