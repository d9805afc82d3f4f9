/* Searching by words over HTTP: the ways, the filters, what is written about a picture, and pictures that are read in the background. No model here
 * knows words, so that the text finds them. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "lettering.h"
#include "memelens.h"
#include "serving.h"

static test_world *world;
static test_serving serving;
static const char json[] = "Content-Type: application/json\r\n";

/* Saves a picture in which TEXT is written. */
static void lettered(const test_world *in, const char *name, const char *text)
{
    char *path = test_world_path(in, name);
    test_letter_file(path, text);
    free(path);
}

static int setup(void **state)
{
    (void)state;
    static const char table[] = "file\tcaption\n"
                                "cats/a.png\ta lighthouse in a storm\n"
                                "cats/b.jpg\tan old lighthouse\n"
                                "dogs/c.png\tthe harbour at noon\n"
                                "d.png\t\xd9\x85\xd9\x86\xd8\xa7\xd8\xb1\xd8\xa9 \xd9\x82\xd8\xaf\xd9\x8a\xd9\x85\xd8\xa9\n";
    world = test_world_new();
    char *cats = test_world_path(world, "cats"), *dogs = test_world_path(world, "dogs"), *captions = test_world_path(world, "captions.tsv");
    assert_int_equal(mkdir(cats, 0755), 0);
    assert_int_equal(mkdir(dogs, 0755), 0);
    test_world_picture(world, "cats/a.png", TEST_PNG, 1);
    test_world_picture(world, "cats/b.jpg", TEST_JPEG_420, 2);
    test_world_picture(world, "dogs/c.png", TEST_PNG, 3);
    test_world_picture(world, "d.png", TEST_PNG, 4);
    lettered(world, "e.png", "THE MOLE");
    test_write(captions, table, sizeof table - 1);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", "--captions", captions, world->pictures, NULL);
    test_run_free(&run);
    serving = test_serving_start(world, NULL);
    free(captions);
    free(cats);
    free(dogs);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_serving_stop(&serving);
    test_world_free(world);
    return 0;
}

/* The names of the results in the answer, a comma behind each. Free with lens_buffer_free. */
static lens_buffer names_of(json_t *answer)
{
    lens_buffer names = {0};
    size_t i;
    json_t *item;
    lens_buffer_append(&names, "", 0);
    json_array_foreach(json_object_get(answer, "results"), i, item)
        lens_buffer_print(&names, "%s,", json_string_value(json_object_get(item, "name")));
    json_decref(answer);
    return names;
}

/* METHOD PATH finds NAMES, in this order. */
static void finds(const char *names, const char *method, const char *path, const char *headers, const char *body)
{
    lens_buffer found = names_of(test_serving_json(&serving, 200, method, path, headers, body));
    if (strcmp(found.data, names) != 0)
        fail_msg("%s %s finds \"%s\" instead of \"%s\"", path, body ? body : "", found.data, names);
    lens_buffer_free(&found);
}

static void words_are_found_by_their_text(void **state)
{
    (void)state;
    json_t *answer = test_serving_json(&serving, 200, "GET", "/api/search?text=old+lighthouse", "", NULL);
    const json_t *results = json_object_get(answer, "results"), *result = json_array_get(results, 0), *found = json_object_get(result, "found_by");
    assert_int_equal(json_array_size(results), 2);
    assert_string_equal(json_string_value(json_object_get(result, "name")), "b.jpg");
    assert_string_equal(json_string_value(json_object_get(result, "snippet")), "an old lighthouse");
    assert_int_equal(json_object_size(found), 1);
    assert_int_equal(test_json_integer(json_object_get(found, "text"), "rank"), 1);
    assert_true(json_number_value(json_object_get(json_object_get(found, "text"), "score")) > 0.9);
    assert_int_equal(json_array_size(json_object_get(answer, "by")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "by"), 0)), "text");
    json_decref(answer);
    finds("d.png,", "POST", "/api/search", json, "{\"terms\": [{\"text\": \"\xd9\x82\xd8\xaf\xd9\x8a\xd9\x85\xd8\xa9\"}]}");
    /* Pictures go by their look, and nothing is said of words. */
    answer = test_serving_json(&serving, 200, "GET", "/api/pictures/1/similar?by=text", "", NULL);
    result = json_array_get(json_object_get(answer, "results"), 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "by"), 0)), "look");
    assert_null(json_object_get(result, "found_by"));
    assert_null(json_object_get(result, "snippet"));
    json_decref(answer);
}

static void the_way_can_be_chosen(void **state)
{
    (void)state;
    finds("c.png,", "GET", "/api/search?text=harbour&by=text", "", NULL);
    finds("c.png,", "GET", "/api/search?text=harbour&by=all", "", NULL);
    finds("c.png,", "POST", "/api/search", json, "{\"terms\": [{\"text\": \"harbour\"}], \"by\": \"text\"}");
    /* No model knows words, and none what they mean. */
    test_serving_expect(&serving, 422, "GET", "/api/search?text=harbour&by=look", "", NULL);
    test_serving_expect(&serving, 422, "GET", "/api/search?text=harbour&by=meaning", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/search?text=harbour&by=sound", "", NULL);
    test_serving_expect(&serving, 400, "POST", "/api/search", json, "{\"terms\": [{\"text\": \"harbour\"}], \"by\": [\"text\"]}");
}

/* The number of the picture that has NAME. */
static json_int_t id_of(const char *name)
{
    json_t *all = test_serving_json(&serving, 200, "POST", "/api/search", json, "{\"terms\": [{\"id\": 1}]}");
    json_int_t id = 0;
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(all, "results"), i, item)
        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
            id = json_integer_value(json_object_get(item, "id"));
    json_decref(all);
    assert_true(id > 0);
    return id;
}

static void size_type_and_label_narrow(void **state)
{
    (void)state;
    /* 160 x 120, and one that is 640 wide. */
    static const struct {
        const char *address, *names;
    } narrowed[] = {
        {"text=lighthouse&size=160..", "b.jpg,a.png,"},      {"text=lighthouse&size=161..", ""},
        {"text=lighthouse&size=..160", "b.jpg,a.png,"},      {"text=lighthouse&size=100..159", ""},
        {"text=lighthouse&type=png", "a.png,"},              {"text=lighthouse&type=jpeg", "b.jpg,"},
        {"text=lighthouse&type=JPG&type=png", "b.jpg,a.png,"}, {"text=lighthouse&type=gif", ""},
        {"text=lighthouse&label=dogs", ""},                  {"text=lighthouse&label=dogs&label=cats", "b.jpg,a.png,"},
        {"text=harbour&label=Dogs&size=160&type=png", "c.png,"},
    };
    for (size_t i = 0; i < sizeof narrowed / sizeof *narrowed; i++) {
        char path[256];
        snprintf(path, sizeof path, "/api/search?%s", narrowed[i].address);
        finds(narrowed[i].names, "GET", path, "", NULL);
    }
    char similar[64];
    snprintf(similar, sizeof similar, "/api/pictures/%lld/similar?size=600..", (long long)id_of("a.png"));
    finds("e.png,", "GET", similar, "", NULL);
    finds("a.png,", "POST", "/api/search", json, "{\"terms\": [{\"text\": \"lighthouse\"}], \"type\": \"png\", \"label\": \"cats\", \"size\": \"100..\"}");
    finds("b.jpg,a.png,", "POST", "/api/search", json,
          "{\"terms\": [{\"text\": \"lighthouse\"}], \"type\": [\"png\", \"jpeg\"], \"label\": [\"dogs\", \"cats\"], \"size\": null}");
    finds("b.jpg,a.png,", "POST", "/api/search", json, "{\"terms\": [{\"text\": \"lighthouse\"}], \"type\": [], \"label\": null}");
    static const char form[] = "--xyz\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nlighthouse\r\n"
                               "--xyz\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\njpeg\r\n"
                               "--xyz\r\nContent-Disposition: form-data; name=\"label\"\r\n\r\ndogs\r\n"
                               "--xyz\r\nContent-Disposition: form-data; name=\"label\"\r\n\r\ncats\r\n"
                               "--xyz\r\nContent-Disposition: form-data; name=\"by\"\r\n\r\ntext\r\n"
                               "--xyz\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\n..160\r\n--xyz--\r\n";
    finds("b.jpg,", "POST", "/api/search", "Content-Type: multipart/form-data; boundary=xyz\r\n", form);
}

/* Where paths are not told, nobody finds out the name of the folder that a file was indexed out of. */
static void a_label_tells_nothing_of_what_is_above(void **state)
{
    (void)state;
    static const char *const hidden[] = {"--host", "pictures.example", NULL};
    test_world *alone = test_world_new();
    test_world_picture(alone, "one.png", TEST_PNG, 1);
    char *path = test_world_path(alone, "one.png");
    test_run run = test_world_expect(alone, 0, "index", "--model", "colour", path, NULL);
    test_run_free(&run);
    for (int i = 0; i < 2; i++) {
        test_serving server = test_serving_start(alone, i ? hidden : NULL);
        char body[128];
        snprintf(body, sizeof body, "{\"terms\": [{\"id\": 1}], \"label\": \"%s\"}", strrchr(alone->pictures, '/') + 1);
        json_t *answer = test_serving_json(&server, 200, "POST", "/api/search", json, body);
        assert_int_equal(json_array_size(json_object_get(answer, "results")), i ? 0 : 1);
        json_decref(answer);
        test_serving_stop(&server);
    }
    free(path);
    test_world_free(alone);
}

static void filters_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const addresses[] = {"size=", "size=wide", "size=..", "size=0..", "size=9..8", "size=-1", "size=1...2", "type=", "type=nose",
                                            "type=png&type=nose", "label=", "label=a/b", "type=image/png", "label=%ff", "label=a%00b", "by="};
    static const char *const options[] = {"\"size\": 800", "\"size\": [\"800..\"]", "\"type\": 3", "\"type\": [3]", "\"type\": [null]", "\"type\": [[\"png\"]]",
                                          "\"label\": {}", "\"label\": [\"\"]", "\"n\": [3]", "\"model\": [\"colour\"]"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char path[256];
        snprintf(path, sizeof path, "/api/search?text=lighthouse&%s", addresses[i]);
        test_serving_expect(&serving, 400, "GET", path, "", NULL);
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"terms\": [{\"text\": \"lighthouse\"}], %s}", options[i]);
        test_serving_expect(&serving, 400, "POST", "/api/search", json, body);
    }
    lens_buffer many = {0};
    lens_buffer_print(&many, "/api/search?text=lighthouse");
    for (int i = 0; i < 32; i++)
        lens_buffer_print(&many, "&label=%d", i);
    finds("", "GET", many.data, "", NULL);
    lens_buffer_print(&many, "&label=cats");
    test_serving_expect(&serving, 400, "GET", many.data, "", NULL);
    lens_buffer_free(&many);
}

static json_t *picture_called(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/api/pictures/%lld", (long long)id_of(name));
    return test_serving_json(&serving, 200, "GET", path, "", NULL);
}

static void what_is_written_is_told(void **state)
{
    (void)state;
    json_t *picture = picture_called("a.png");
    assert_int_equal(json_array_size(json_object_get(picture, "captions")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(picture, "captions"), 0)), "a lighthouse in a storm");
    assert_string_equal(json_string_value(json_object_get(picture, "read")), "");
    json_decref(picture);
    picture = picture_called("e.png");
    assert_int_equal(json_array_size(json_object_get(picture, "captions")), 0);
    json_decref(picture);
    json_t *status = test_serving_json(&serving, 200, "GET", "/api/status", "", NULL);
    assert_int_equal(test_json_integer(status, "captions"), 4);
    assert_int_equal(test_json_integer(status, "read"), 0);
    assert_int_equal(test_json_integer(status, "with_text"), 0);
    assert_int_equal(test_json_integer(status, "sentences"), 0);
    assert_int_equal(json_array_size(json_object_get(status, "by")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(status, "by"), 0)), "text");
    json_decref(status);
}

/* ---- reading ---- */

/* Waits until AT has read COUNT contents and does nothing. */
static void until_read(const test_serving *at, long count)
{
    long read = -1;
    for (int i = 0; i < 3600; i++) { /* three minutes: a pass that found the library busy rests for one */
        json_t *status = test_serving_json(at, 200, "GET", "/api/status", "", NULL);
        const json_t *indexing = json_object_get(status, "indexing");
        read = test_json_integer(status, "read");
        const bool running = json_is_true(json_object_get(indexing, "running"));
        if (!running && !json_is_true(json_object_get(indexing, "ok")))
            fail_msg("it could not be read: %s", json_string_value(json_object_get(indexing, "reason")));
        json_decref(status);
        if (read == count && !running)
            return;
        usleep(50000);
    }
    fail_msg("%ld read instead of %ld", read, count);
}

static void pictures_are_read_when_it_is_asked_for(void **state)
{
    (void)state;
    static const char *const wrong[] = {"{\"ocr\": 1}", "{\"ocr\": \"eng\"}", "{\"ocr\": null}", "{\"ocr\": true, \"more\": 1}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        test_serving_expect(&serving, 400, "POST", "/api/index", json, wrong[i]);
    test_need_reader();
    finds("", "GET", "/api/search?text=mole", "", NULL);
    test_serving_expect(&serving, 202, "POST", "/api/index", json, "{\"ocr\": false}");
    until_read(&serving, 0);
    test_serving_expect(&serving, 202, "POST", "/api/index", json, "{\"ocr\": true}");
    until_read(&serving, 5);
    json_t *answer = test_serving_json(&serving, 200, "GET", "/api/search?text=mole", "", NULL);
    const json_t *first = json_array_get(json_object_get(answer, "results"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "e.png");
    assert_string_equal(json_string_value(json_object_get(first, "snippet")), "THE MOLE");
    json_decref(answer);
    json_t *picture = picture_called("e.png");
    assert_string_equal(json_string_value(json_object_get(picture, "read")), "THE MOLE");
    json_decref(picture);
    /* Nothing is read twice, and what is new is. */
    lettered(world, "f.png", "A WOMAN");
    test_serving_expect(&serving, 202, "POST", "/api/index", json, "{\"ocr\": true}");
    until_read(&serving, 6);
    finds("f.png,", "GET", "/api/search?text=woman", "", NULL);
}

static void what_comes_is_read(void **state)
{
    (void)state;
    test_need_reader();
    static const char *const more[] = {"--watch", "--ocr", NULL};
    test_world *watched = test_world_new();
    lettered(watched, "one.png", "THE MOLE");
    test_run run = test_world_expect(watched, 0, "index", "--model", "colour", watched->pictures, NULL);
    test_run_free(&run);
    test_serving server = test_serving_start(watched, more);
    until_read(&server, 1);
    lettered(watched, "two.png", "A WOMAN");
    until_read(&server, 2);
    json_t *answer = test_serving_json(&server, 200, "GET", "/api/search?text=woman", "", NULL);
    lens_buffer names = names_of(answer);
    assert_string_equal(names.data, "two.png,");
    lens_buffer_free(&names);
    test_serving_stop(&server);
    test_world_free(watched);
}

/* Reads what AT tells those who listen until PARTS, ended by NULL, came in one line; EVENTS is such a connection. */
static void until_told(int events, const char *const *parts)
{
    char line[4096], c;
    const double end = lens_seconds() + 60;
    for (size_t size = 0; lens_seconds() < end && read(events, &c, 1) == 1;) {
        if (c != '\n') {
            assert_true(size + 1 < sizeof line);
            line[size++] = c;
            continue;
        }
        line[size] = '\0';
        size = 0;
        const char *const *part = parts;
        while (*part && strstr(line, *part))
            part++;
        if (!*part)
            return;
    }
    fail_msg("it was not told: %s", *parts);
}

/* Has AT read, and waits until it says that it has come to the end of that. */
static void read_now(const test_serving *at)
{
    static const char request[] = "GET /api/index/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const int events = test_dial(AF_INET, at->port);
    assert_true(events >= 0);
    assert_int_equal(write(events, request, sizeof request - 1), sizeof request - 1);
    until_told(events, (const char *const[]){"\"running\"", NULL}); /* it listens */
    int status = 409; /* a run of its own is under way */
    for (int i = 0; i < 600 && status == 409; i++) {
        test_reply reply = test_serving_ask(at, "POST", "/api/index", json, "{\"ocr\": true}", strlen("{\"ocr\": true}"));
        status = reply.status;
        test_reply_free(&reply);
        usleep(50000);
    }
    assert_int_equal(status, 202);
    until_told(events, (const char *const[]){"\"doing\":\"reading\"", "\"watched\":false", NULL});
    close(events);
}

/* A world with one picture that says something, indexed and not read. */
static test_world *world_to_read(void)
{
    test_world *fresh = test_world_new();
    lettered(fresh, "one.png", "THE MOLE");
    test_run run = test_world_expect(fresh, 0, "index", "--model", "colour", fresh->pictures, NULL);
    test_run_free(&run);
    return fresh;
}

/* A disk that is away when the server begins, as at a machine's start, is read once it is there, though no picture on it is new. */
static void what_comes_back_is_read(void **state)
{
    (void)state;
    test_need_reader();
    static const char *const more[] = {"--watch", "--ocr", NULL};
    test_world *watched = world_to_read();
    char *away = test_path(watched->folder, "away");
    assert_int_equal(rename(watched->pictures, away), 0);
    test_serving server = test_serving_start(watched, more);
    read_now(&server);
    until_read(&server, 0);
    assert_int_equal(rename(away, watched->pictures), 0);
    until_read(&server, 1);
    test_serving_stop(&server);
    test_world_free(watched);
    free(away);
}

/* A picture that somebody else indexes, before the server comes to it, is new to no run of the server's. */
static void what_others_index_is_read(void **state)
{
    (void)state;
    test_need_reader();
    static const char *const more[] = {"--watch", "--ocr", NULL};
    test_world *watched = world_to_read();
    test_serving server = test_serving_start(watched, more);
    until_read(&server, 1);
    lettered(watched, "two.png", "A WOMAN");
    test_run run = test_world_expect(watched, 0, "index", "--model", "colour", watched->pictures, NULL);
    test_run_free(&run);
    until_read(&server, 2);
    test_serving_stop(&server);
    test_world_free(watched);
}

static void a_reading_that_cannot_be_done_is_told(void **state)
{
    (void)state;
    test_need_reader();
    static const char *const more[] = {"--ocr-lang", "xyz", NULL};
    test_serving server = test_serving_start(world, more);
    test_serving_expect(&server, 202, "POST", "/api/index", json, "{\"ocr\": true}");
    const char *reason = NULL;
    json_t *status = NULL;
    for (int i = 0; i < 300 && !reason; i++) {
        json_decref(status);
        status = test_serving_json(&server, 200, "GET", "/api/status", "", NULL);
        reason = json_string_value(json_object_get(json_object_get(status, "indexing"), "reason"));
        usleep(50000);
    }
    assert_non_null(reason);
    assert_non_null(strstr(reason, "xyz"));
    assert_false(json_is_true(json_object_get(json_object_get(status, "indexing"), "running")));
    json_decref(status);
    test_serving_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_by_their_text),
        cmocka_unit_test(the_way_can_be_chosen),
        cmocka_unit_test(size_type_and_label_narrow),
        cmocka_unit_test(a_label_tells_nothing_of_what_is_above),
        cmocka_unit_test(filters_that_are_none_are_refused),
        cmocka_unit_test(what_is_written_is_told),
        cmocka_unit_test(pictures_are_read_when_it_is_asked_for),
        cmocka_unit_test(what_comes_is_read),
        cmocka_unit_test(what_comes_back_is_read),
        cmocka_unit_test(what_others_index_is_read),
        cmocka_unit_test(a_reading_that_cannot_be_done_is_told),
    };
    return store_place_run_group(tests, setup, teardown);
}
