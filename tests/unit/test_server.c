/* What the server decides without a connection: what may be told, what is an origin, how much a request may name. */
#include "server/asking.h"
#include "server/server.h"
#include "support.h"

static void paths_are_cut_off_messages(void **state)
{
    (void)state;
    lens_server server = {0};
    const lens_exchange exchange = {.server = &server};
    static const char *const messages[][2] = {
        {"n wants a whole number", "n wants a whole number"},
        {"/srv/a.jpg: damaged JPEG", "damaged JPEG"},
        {"/srv/Photos: 2020/x.jpg: cannot be read: Permission denied", "Permission denied"},
        {"/srv/Photos: 2020/x.jpg", "it could not be done"},
        {"/srv/a.jpg", "it could not be done"},
        {"/srv/lib: not indexed with x (but with /srv/model)", "it could not be done"},
        {"cannot open /srv/a.jpg", "it could not be done"},
        {"model:/srv/a: no such model", "it could not be done"},
        {"//srv/a", "it could not be done"},
        {"url wants an address that begins with http:// or https://", "url wants an address that begins with http:// or https://"},
        {"http://a.example/b/c.png: not a picture", "http://a.example/b/c.png: not a picture"},
        {"http://a.example/b /srv/c", "it could not be done"},
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_string_equal(lens_answer_reason(&exchange, messages[i][0]), messages[i][1]);
    server.show_paths = true;
    assert_string_equal(lens_answer_reason(&exchange, "/srv/a.jpg: damaged"), "/srv/a.jpg: damaged");
}

static void origins_are_what_browsers_send(void **state)
{
    (void)state;
    static const char *const right[] = {"https://page.example", "http://localhost:8501", "http://[::1]:8080", "https://10.0.0.2:80", "http://a:443",
                                        "chrome-extension://abcdef"};
    static const char *const wrong[] = {"", "null", "*", "https:", "https://", "https://a/", "https://a:", "https://a:x", "https://A", "HTTPS://a", "http://a:80",
                                        "https://a:443", "https://u@a", "://a", "https://a?b", "https://a#b"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!lens_guard_is_origin(right[i]))
            fail_msg("%s", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (lens_guard_is_origin(wrong[i]))
            fail_msg("%s", wrong[i]);
}

static void hosts_are_names_alone(void **state)
{
    (void)state;
    static const char *const right[] = {"pictures.example", "Pictures", "my_box-2", "10.0.0.2", "[::1]", "2001:db8::1"};
    static const char *const wrong[] = {"", "*", "*.example", "a:80", "[::1]:80", "http://a", "a/", "a b", ("b\xc3\xbc" "cher.example")};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!lens_guard_is_host(right[i]))
            fail_msg("%s", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (lens_guard_is_host(wrong[i]))
            fail_msg("%s", wrong[i]);
}

/* The status of what SERVER says to a term of KIND and TEXT; 0: it may be asked for. */
static unsigned ask(lens_exchange *exchange, lens_asked_kind kind, char *text)
{
    lens_asked asked = {.kind = kind, .text = text};
    lens_term term;
    exchange->response = NULL;
    const int result = lens_asked_term(exchange, &asked, &term);
    free(asked.bytes);
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    return result == 0 ? 0 : exchange->status;
}

static void what_a_request_names_is_counted(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "a");
    char bytes[600] = "";
    const char *const allowed[] = {folder};
    lens_server server = {.options = {.paths = {allowed, 1}, .max_upload = 1000, .allow_urls = true}, .bodies_most = 1500};
    lens_exchange exchange = {.server = &server, .body_most = 1400, .slow = true}, other = exchange;
    test_write(path, bytes, sizeof bytes);
    assert_int_equal(ask(&exchange, LENS_ASKED_FILE, path), 0);
    assert_int_equal(ask(&exchange, LENS_ASKED_FILE, path), 0);
    assert_int_equal(ask(&exchange, LENS_ASKED_FILE, path), 413); /* a third one is more than one request may carry */
    assert_int_equal(ask(&other, LENS_ASKED_FILE, path), 503);    /* and a second request more than all may */
    assert_int_equal(atomic_load(&server.bodies), 1200);
    lens_daemon_release(&exchange);
    assert_int_equal(atomic_load(&server.bodies), 0);
    assert_int_equal(ask(&exchange, LENS_ASKED_FILE, path), 0);
    /* One deadline for all addresses. */
    exchange.until = 1e-9;
    assert_int_equal(ask(&exchange, LENS_ASKED_URL, "http://192.0.2.1/a.png"), 422);
    exchange.until = 0;
    assert_int_equal(ask(&exchange, LENS_ASKED_URL, "http://127.0.0.1:1/a.png"), 422); /* refused at once: the time runs from here */
    assert_true(exchange.until > 0);
    lens_daemon_release(&exchange);
    free(path);
    test_folder_remove(folder);
}

/* Very many small runs of bytes are bounded by what is kept about them. */
static void small_blobs_are_counted_too(void **state)
{
    (void)state;
    lens_cache *cache = lens_cache_new(10000);
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(lens_cache_put(cache, name, calloc(1, 1), 1));
        assert_in_range(lens_cache_size(cache), 1, 10000);
    }
    size_t kept = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        const lens_blob *blob = lens_cache_get(cache, name);
        kept += blob != NULL;
        assert_true(blob || i < 999);
        lens_blob_release(blob);
    }
    assert_in_range(kept, 10, 200);
    assert_false(lens_cache_put(cache, "large", malloc(10000), 10000));
    lens_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_cut_off_messages),
        cmocka_unit_test(origins_are_what_browsers_send),
        cmocka_unit_test(hosts_are_names_alone),
        cmocka_unit_test(what_a_request_names_is_counted),
        cmocka_unit_test(small_blobs_are_counted_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
