/* What the HTTP interface answers to well-meant requests, and the original client's own. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "serving.h"

static test_world *world;
static test_serving serving;
static lens_buffer query; /* of the picture label0.ppm */

static int setup(void **state)
{
    (void)state;
    world = test_world_of_scenes(12);
    char *path = test_world_path(world, "scene3.png");
    query = test_read(path);
    free(path);
    const char *const more[] = {"--allow-path", world->pictures, NULL};
    serving = test_serving_start(world, more);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_serving_stop(&serving);
    lens_buffer_free(&query);
    test_world_free(world);
    return 0;
}

/* The name of the first result. */
static const char *first(const json_t *answer)
{
    const char *name = json_string_value(json_object_get(json_array_get(json_object_get(answer, "results"), 0), "name"));
    return name ? name : "";
}

static void json_with_a_picture_finds_it(void **state)
{
    (void)state;
    lens_buffer body = {0};
    lens_buffer_print(&body, "{\"terms\":[{\"image\":\"data:image/png;base64,");
    lens_base64_encode(query.data, query.size, &body);
    lens_buffer_print(&body, "\"}],\"n\":3}");
    json_t *answer = test_serving_json(&serving, 200, "POST", "/api/search", "Content-Type: application/json\r\n", body.data);
    assert_string_equal(first(answer), "scene3.png");
    assert_int_equal(json_array_size(json_object_get(answer, "results")), 3);
    assert_true(json_is_true(json_object_get(answer, "more")));
    assert_true(json_is_false(json_object_get(answer, "approximate")));
    json_decref(answer);
    json_decref(test_serving_json(&serving, 200, "GET", "/api/pictures/1/similar?exact=true", "", NULL));
    json_decref(test_serving_json(&serving, 400, "GET", "/api/pictures/1/similar?exact=perhaps", "", NULL));
    lens_buffer_free(&body);
}

static void json_is_known_whatever_it_is_called(void **state)
{
    (void)state;
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";
    json_t *answer = test_serving_json(&serving, 200, "POST", "/api/search", form, " \n{\"terms\": [{\"id\": 1}]}"); /* curl -d */
    assert_int_equal(json_array_size(json_object_get(answer, "results")), 12);
    json_decref(answer);
    test_serving_expect(&serving, 415, "POST", "/api/search", form, "text=a");
    test_serving_expect(&serving, 415, "POST", "/api/search", form, "");
    test_serving_expect(&serving, 403, "POST", "/api/search", "Content-Type: application/x-www-form-urlencoded\r\nOrigin: null\r\n", "{\"terms\": [{\"id\": 1}]}");
}

static void a_form_with_a_picture_finds_it(void **state)
{
    (void)state;
    lens_buffer body = {0};
    lens_buffer_print(&body, "--xyz\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n");
    lens_buffer_append(&body, query.data, query.size);
    lens_buffer_print(&body, "\r\n--xyz\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--xyz--\r\n");
    test_reply reply = test_serving_ask(&serving, "POST", "/api/search", "Content-Type: multipart/form-data; boundary=xyz\r\n", body.data, body.size);
    assert_int_equal(reply.status, 200);
    json_t *answer = json_loads(reply.body.data, 0, NULL);
    assert_string_equal(first(answer), "scene3.png");
    assert_int_equal(json_array_size(json_object_get(answer, "results")), 2);
    json_decref(answer);
    test_reply_free(&reply);
    lens_buffer_free(&body);
}

static void an_upload_is_a_term_afterwards(void **state)
{
    (void)state;
    test_reply reply = test_serving_ask(&serving, "POST", "/api/uploads", "Content-Type: image/png\r\n", query.data, query.size);
    assert_int_equal(reply.status, 200);
    json_t *upload = json_loads(reply.body.data, 0, NULL);
    char body[128];
    snprintf(body, sizeof body, "{\"terms\":[{\"upload\":\"%s\"}]}", json_string_value(json_object_get(upload, "upload")));
    json_t *answer = test_serving_json(&serving, 200, "POST", "/api/search", "", body);
    assert_string_equal(first(answer), "scene3.png");
    json_decref(answer);
    json_decref(upload);
    test_reply_free(&reply);
    answer = test_serving_json(&serving, 404, "POST", "/api/search", "", "{\"terms\":[{\"upload\":\"00000000000000000000000000000000\"}]}");
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "error"), "code")), "upload_gone");
    json_decref(answer);
}

static int64_t id_of_first(void)
{
    json_t *answer = test_serving_json(&serving, 200, "POST", "/api/search", "", "{\"terms\":[{\"id\":1}],\"n\":1}");
    const int64_t id = json_integer_value(json_object_get(json_array_get(json_object_get(answer, "results"), 0), "id"));
    json_decref(answer);
    return id;
}

static void pages_follow_one_another(void **state)
{
    (void)state;
    json_t *all = test_serving_json(&serving, 200, "POST", "/api/search", "", "{\"terms\":[{\"id\":1}],\"n\":12}");
    json_t *second = test_serving_json(&serving, 200, "POST", "/api/search", "", "{\"terms\":[{\"id\":1}],\"n\":4,\"offset\":4}");
    assert_false(json_is_true(json_object_get(all, "more")));
    assert_int_equal(id_of_first(), 1);
    for (size_t i = 0; i < 4; i++)
        assert_true(json_equal(json_object_get(json_array_get(json_object_get(all, "results"), i + 4), "id"),
                               json_object_get(json_array_get(json_object_get(second, "results"), i), "id")));
    json_decref(all);
    json_decref(second);
}

static void filters_narrow(void **state)
{
    (void)state;
    json_t *answer = test_serving_json(&serving, 200, "GET", "/api/pictures/1/similar?path=*SCENE1*", "", NULL);
    assert_true(json_array_size(json_object_get(answer, "results")) >= 2); /* 1, 10, 11, or two of them */
    assert_true(json_array_size(json_object_get(answer, "results")) <= 3);
    json_decref(answer);
    answer = test_serving_json(&serving, 200, "GET", "/api/pictures/1/similar?before=2001-01-01", "", NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "results")), 0);
    json_decref(answer);
    answer = test_serving_json(&serving, 200, "GET", "/api/pictures/1/similar?after=2001-01-01", "", NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "results")), 11);
    json_decref(answer);
}

static void a_picture_its_file_and_its_thumbnail(void **state)
{
    (void)state;
    json_t *picture = test_serving_json(&serving, 200, "GET", "/api/pictures/1", "", NULL);
    char *path = test_world_path(world, json_string_value(json_object_get(picture, "name")));
    lens_buffer file = test_read(path);
    test_reply reply = test_serving_ask(&serving, "GET", "/api/pictures/1/file", "", NULL, 0);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.size, file.size);
    assert_memory_equal(reply.body.data, file.data, file.size);
    assert_non_null(strstr(reply.head.data, "Content-Type: image/png\r\n"));
    assert_non_null(strstr(reply.head.data, "X-Content-Type-Options: nosniff\r\n"));
    test_reply_free(&reply);
    reply = test_serving_ask(&serving, "GET", json_string_value(json_object_get(picture, "thumb")), "", NULL, 0);
    assert_int_equal(reply.status, 200);
    assert_memory_equal(reply.body.data, "\xff\xd8\xff", 3);
    assert_non_null(strstr(reply.head.data, "immutable"));
    const char *etag = strstr(reply.head.data, "ETag: ");
    assert_non_null(etag);
    char header[128];
    snprintf(header, sizeof header, "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r"), etag + 6);
    test_serving_expect(&serving, 304, "GET", json_string_value(json_object_get(picture, "thumb")), header, NULL);
    test_reply_free(&reply);
    /* An address that stays the same when the file changes is not kept for ever. */
    static const char *const others[] = {"/api/pictures/1/thumb", "/api/pictures/1/thumb?v=1-1", "/api/pictures/1/seen"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        reply = test_serving_ask(&serving, "GET", others[i], "", NULL, 0);
        assert_int_equal(reply.status, 200);
        assert_non_null(strstr(reply.head.data, "Cache-Control: private, no-cache\r\n"));
        test_reply_free(&reply);
    }
    lens_buffer_free(&file);
    free(path);
    json_decref(picture);
}

static void what_is_put_in_a_pictures_place_is_not_given_away(void **state)
{
    (void)state;
    char *path = test_world_path(world, "scene11.png");
    json_t *all = test_serving_json(&serving, 200, "POST", "/api/search", "", "{\"terms\":[{\"id\":1}],\"n\":12}");
    char file[64] = "";
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(all, "results"), i, item)
        if (strcmp(json_string_value(json_object_get(item, "name")), "scene11.png") == 0)
            snprintf(file, sizeof file, "%s", json_string_value(json_object_get(item, "file")));
    lens_buffer before = test_read(path);
    test_serving_expect(&serving, 200, "GET", file, "", NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    test_serving_expect(&serving, 404, "GET", file, "", NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    test_serving_expect(&serving, 404, "GET", file, "", NULL);
    assert_int_equal(unlink(path), 0);
    test_serving_expect(&serving, 404, "GET", file, "", NULL);
    test_write(path, before.data, before.size);
    lens_buffer_free(&before);
    json_decref(all);
    free(path);
}

static void what_is_there_is_told(void **state)
{
    (void)state;
    json_t *status = test_serving_json(&serving, 200, "GET", "/api/status", "", NULL);
    assert_int_equal(test_json_integer(status, "pictures"), 12);
    assert_true(json_array_size(json_object_get(status, "samples")) > 0);
    assert_int_equal(json_array_size(json_object_get(status, "folders")), 1);
    json_decref(status);
    test_serving_expect(&serving, 200, "GET", "/healthz", "", NULL);
    test_serving_expect(&serving, 200, "HEAD", "/", "", NULL);
    json_decref(test_serving_json(&serving, 200, "GET", "/openapi.json", "", NULL));
    test_reply metrics = test_serving_ask(&serving, "GET", "/metrics", "", NULL, 0);
    assert_non_null(strstr(metrics.body.data, "\nmemelens_pictures 12\n"));
    assert_non_null(strstr(metrics.body.data, "memelens_requests_total{method=\"GET\",route=\"/healthz\",code=\"2xx\"} "));
    test_reply_free(&metrics);
}

static void a_new_picture_is_found_after_a_run(void **state)
{
    (void)state;
    test_world_picture(world, "new.png", TEST_PNG, 99);
    json_t *run = test_serving_json(&serving, 202, "POST", "/api/index", "", "{}");
    json_decref(run);
    json_t *status = NULL;
    for (int i = 0; i < 600; i++) {
        json_decref(status);
        status = test_serving_json(&serving, 200, "GET", "/api/status", "", NULL);
        if (test_json_integer(status, "pictures") == 13 && json_is_false(json_object_get(json_object_get(status, "indexing"), "running")))
            break;
        usleep(50000);
    }
    assert_int_equal(test_json_integer(status, "pictures"), 13);
    json_t *answer = test_serving_json(&serving, 200, "POST", "/api/search", "", "{\"terms\":[{\"id\":1}],\"n\":50}");
    assert_int_equal(json_array_size(json_object_get(answer, "results")), 13);
    json_decref(answer);
    json_decref(status);
}

/* ---- the original client, September 2021: two functions of a Streamlit page, as the HTTP requests that they make ---- */

static const json_t *matches_of(const json_t *answer)
{
    return json_object_get(json_array_get(json_object_get(json_object_get(answer, "data"), "docs"), 0), "matches");
}

static void the_original_client_searches_by_a_picture(void **state)
{
    (void)state;
    char *path = test_world_path(world, "scene3.png");
    lens_buffer body = {0};
    lens_buffer_print(&body, "{\"parameters\": {\"top_k\": 9}, \"mode\": \"search\", \"data\": [{\"uri\": \"%s\", \"mime_type\": \"image/png\"}]}", path);
    json_t *answer = test_serving_json(&serving, 200, "POST", "/search", "Content-Type: application/json\r\n", body.data);
    const json_t *match = json_array_get(matches_of(answer), 0), *tags = json_object_get(match, "tags");
    assert_int_equal(json_array_size(matches_of(answer)), 9);
    assert_true(json_number_value(json_object_get(json_object_get(json_object_get(match, "scores"), "cosine"), "value")) > 0.999);
    const char *uri = json_string_value(json_object_get(tags, "uri")), *image = json_string_value(json_object_get(tags, "image_url"));
    assert_string_equal(uri, json_string_value(json_object_get(match, "uri")));
    assert_string_equal(uri, json_string_value(json_object_get(tags, "uri_absolute")));
    assert_int_equal(strncmp(image, "//127.0.0.1:", 12), 0);
    assert_string_equal(image, uri + strlen("http:"));
    /* What Streamlit puts into its <img> is that address. */
    test_reply shown = test_serving_ask(&serving, "GET", strstr(uri, "/api/"), "", NULL, 0);
    assert_int_equal(shown.status, 200);
    assert_int_equal(shown.body.size, query.size);
    test_reply_free(&shown);
    json_decref(answer);
    lens_buffer_free(&body);
    free(path);
}

static void the_original_client_searches_by_words(void **state)
{
    (void)state;
    /* No model here knows words: it is told so, with the status for it. */
    json_t *answer = test_serving_json(&serving, 422, "POST", "/search", "Content-Type: application/json\r\n",
                                       "{\"top_k\": 9, \"mode\": \"search\", \"data\": [\"words\"]}");
    assert_non_null(strstr(json_string_value(json_object_get(json_object_get(answer, "error"), "message")), "not words"));
    json_decref(answer);
    test_serving_expect(&serving, 422, "POST", "/search", "", "{\"data\": [{\"text\": \"words\"}]}");
}

static void the_original_client_may_send_data_uris_and_limits(void **state)
{
    (void)state;
    lens_buffer body = {0};
    lens_buffer_print(&body, "{\"limit\": 2, \"data\": [{\"uri\": \"data:image/png;base64,");
    lens_base64_encode(query.data, query.size, &body);
    lens_buffer_print(&body, "\"}]}");
    json_t *answer = test_serving_json(&serving, 200, "POST", "/search", "", body.data);
    assert_int_equal(json_array_size(matches_of(answer)), 2);
    json_decref(answer);
    body.size = 0;
    lens_buffer_print(&body, "{\"limit\": 1, \"data\": [\"data:image/png;base64,");
    lens_base64_encode(query.data, query.size, &body);
    lens_buffer_print(&body, "\"]}");
    answer = test_serving_json(&serving, 200, "POST", "/search", "", body.data);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json_array_get(matches_of(answer), 0), "tags"), "name")), "scene3.png");
    json_decref(answer);
    lens_buffer_free(&body);
}

static void behind_a_proxy_pictures_have_its_address(void **state)
{
    (void)state;
    char *token = test_path(world->folder, "token");
    test_write(token, "0123456789abcdef0123", 20);
    const char *const more[] = {"--host", "pictures.example", "--allow-path", world->pictures, "--token-file", token, NULL};
    static const char known[] = "Authorization: Bearer 0123456789abcdef0123\r\nHost: pictures.example\r\n";
    test_serving behind = test_serving_start(world, more);
    char *path = test_world_path(world, "scene3.png"), headers[512];
    lens_buffer body = {0};
    lens_buffer_print(&body, "{\"top_k\": 1, \"data\": [{\"uri\": \"%s\"}]}", path);
    for (int secure = 0; secure < 2; secure++) {
        snprintf(headers, sizeof headers, "%sX-Forwarded-Proto: %s\r\n", known, secure ? "https" : "http");
        json_t *answer = test_serving_json(&behind, 200, "POST", "/search", headers, body.data);
        const json_t *tags = json_object_get(json_array_get(matches_of(answer), 0), "tags");
        const char *start = secure ? "https://pictures.example/api/pictures/" : "http://pictures.example/api/pictures/";
        assert_int_equal(strncmp(json_string_value(json_object_get(tags, "uri")), start, strlen(start)), 0);
        assert_int_equal(strncmp(json_string_value(json_object_get(tags, "image_url")), "//pictures.example/", 19), 0);
        json_decref(answer);
        snprintf(headers, sizeof headers, "Content-Type: application/x-www-form-urlencoded\r\nHost: pictures.example\r\nX-Forwarded-Proto: %s\r\n", secure ? "https" : "http");
        test_reply reply = test_serving_ask(&behind, "POST", "/login", headers, "token=0123456789abcdef0123", 26);
        assert_int_equal(reply.status, 303);
        assert_int_equal(strstr(reply.head.data, "; Secure") != NULL, secure);
        test_reply_free(&reply);
    }
    test_serving_stop(&behind);
    lens_buffer_free(&body);
    free(path);
    free(token);
}

/* Waits until the library has COUNT pictures. */
static void until_pictures(const test_serving *at, long count)
{
    long found = -1;
    for (int i = 0; i < 1200 && found != count; i++) {
        json_t *status = test_serving_json(at, 200, "GET", "/api/status", "", NULL);
        found = test_json_integer(status, "pictures");
        assert_true(json_is_true(json_object_get(status, "watching")));
        json_decref(status);
        usleep(100000);
    }
    assert_int_equal(found, count);
}

static void what_comes_into_a_watched_folder_is_found_and_what_goes_is_not(void **state)
{
    (void)state;
    test_world *watched = test_world_new();
    const char *const more[] = {"--watch", NULL};
    test_world_picture(watched, "one.png", TEST_PNG, 40);
    test_run run = test_world_expect(watched, 0, "index", "--model", "colour", watched->pictures, NULL);
    test_run_free(&run);
    test_world_picture(watched, "while-away.png", TEST_PNG, 41);
    test_serving server = test_serving_start(watched, more);
    until_pictures(&server, 2);
    test_world_picture(watched, "two.png", TEST_PNG, 42);
    until_pictures(&server, 3);
    json_t *answer = test_serving_json(&server, 200, "GET", "/api/pictures/3/similar?n=3", "", NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "results")), 2); /* the other two */
    json_decref(answer);
    char *path = test_world_path(watched, "one.png");
    assert_int_equal(unlink(path), 0);
    free(path);
    until_pictures(&server, 2);
    test_serving_stop(&server);
    test_world_free(watched);
}

/* Waits until a run is under way, or none is. */
static void until_running(const test_serving *at, bool wanted)
{
    bool runs = !wanted;
    for (int i = 0; i < 1200 && runs != wanted; i++) {
        json_t *status = test_serving_json(at, 200, "GET", "/api/status", "", NULL);
        runs = json_is_true(json_object_get(json_object_get(status, "indexing"), "running"));
        json_decref(status);
        usleep(100000);
    }
    assert_int_equal(runs, wanted);
}

/* It is the kernel that named the folder, and nobody else has. */
static void what_is_forgotten_before_a_watched_change_is_indexed_stays_out(void **state)
{
    (void)state;
    if (!store_place_is_folder())
        skip(); /* there no run waits for another */
    test_world *watched = test_world_new();
    const char *const more[] = {"--watch", NULL};
    char *below = test_world_path(watched, "below"), *kept = test_path(watched->folder, "kept"), *lock_path = test_path(watched->library, "writer.lock");
    assert_int_equal(mkdir(below, 0755), 0);
    assert_int_equal(mkdir(kept, 0755), 0);
    test_world_picture(watched, "below/one.png", TEST_PNG, 40);
    test_run run = test_world_expect(watched, 0, "index", "--model", "colour", watched->pictures, kept, NULL);
    test_run_free(&run);
    test_serving server = test_serving_start(watched, more);
    test_world_picture(watched, "two.png", TEST_PNG, 41);
    until_pictures(&server, 2); /* it watches */
    until_running(&server, false);

    const int lock = open(lock_path, O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0);
    while (flock(lock, LOCK_EX | LOCK_NB) != 0)
        usleep(10000);
    test_world_picture(watched, "below/three.png", TEST_PNG, 42);
    until_running(&server, true); /* behind whoever has the lock */
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(server.pid, NULL, WUNTRACED), server.pid); /* else it might still take the lock */
    close(lock);
    run = test_world_expect(watched, 0, "forget", watched->pictures, NULL);
    test_run_free(&run);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    until_running(&server, false);
    until_pictures(&server, 0);
    test_serving_stop(&server);

    /* Who names it has it back. */
    run = test_world_expect(watched, 0, "index", below, NULL);
    test_run_free(&run);
    assert_int_equal(test_world_status(watched, "pictures"), 2);
    free(lock_path), free(kept), free(below);
    test_world_free(watched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_with_a_picture_finds_it),
        cmocka_unit_test(json_is_known_whatever_it_is_called),
        cmocka_unit_test(a_form_with_a_picture_finds_it),
        cmocka_unit_test(an_upload_is_a_term_afterwards),
        cmocka_unit_test(pages_follow_one_another),
        cmocka_unit_test(filters_narrow),
        cmocka_unit_test(a_picture_its_file_and_its_thumbnail),
        cmocka_unit_test(what_is_put_in_a_pictures_place_is_not_given_away),
        cmocka_unit_test(what_is_there_is_told),
        cmocka_unit_test(the_original_client_searches_by_a_picture),
        cmocka_unit_test(the_original_client_searches_by_words),
        cmocka_unit_test(the_original_client_may_send_data_uris_and_limits),
        cmocka_unit_test(behind_a_proxy_pictures_have_its_address),
        cmocka_unit_test(a_new_picture_is_found_after_a_run),
        cmocka_unit_test(what_comes_into_a_watched_folder_is_found_and_what_goes_is_not),
        cmocka_unit_test(what_is_forgotten_before_a_watched_change_is_indexed_stays_out),
    };
    return store_place_run_group(tests, setup, teardown);
}
