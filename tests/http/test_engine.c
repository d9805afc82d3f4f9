/* What the server does with models and runs: models of one's own, explanations, models that change under it, runs that fail, paths that are not told. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/text.h"
#include "random_clip.h"
#include "serving.h"
#include "weights.h"

enum { SCENES = 8 };

static test_world *world;
static test_serving serving, quiet; /* QUIET: it tells nobody paths of this machine */
static char *clip; /* the folder of a model of one's own */

static int setup(void **state)
{
    world = test_world_new();
    test_clip_draw(state);
    char *drawn = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, NULL);
    test_clip_write_vocabulary(drawn, "");
    clip = test_path(world->folder, "own-clip");
    assert_int_equal(rename(drawn, clip), 0);
    free(drawn);
    for (unsigned i = 0; i < SCENES; i++) {
        char name[32];
        snprintf(name, sizeof name, "scene%u.png", i);
        test_world_picture(world, name, TEST_PNG, i);
    }
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", "--model", "efficientnet-lite0", "--model", clip, world->pictures, NULL);
    test_run_free(&run);
    serving = test_serving_start(world, NULL);
    const char *const more[] = {"--listen", "0.0.0.0:0", "--no-auth", NULL};
    quiet = test_serving_start(world, more);
    return 0;
}

static int teardown(void **state)
{
    test_serving_stop(&quiet);
    test_serving_stop(&serving);
    test_clip_forget(state);
    free(clip);
    test_world_free(world);
    return 0;
}

static test_reply get(const test_serving *at, const char *path)
{
    test_reply reply = test_serving_ask(at, "GET", path, "", NULL, 0);
    if (reply.status != 200)
        fail_msg("GET %s: %d: %s", path, reply.status, reply.body.data ? reply.body.data : "");
    return reply;
}

/* TEXT as it stands in an address. Static. */
static const char *escaped(const char *text)
{
    static char out[3 * 4200];
    char *at = out;
    for (; *text; text++)
        at += snprintf(at, 4, strchr("/@#?&%+", *text) ? "%%%02X" : "%c", (unsigned char)*text);
    return out;
}

/* ---- models ---- */

static void every_model_answers_by_the_name_that_it_is_told_by(const test_serving *at)
{
    json_t *status = test_serving_json(at, 200, "GET", "/api/status", "", NULL), *model;
    size_t i;
    assert_int_equal(json_array_size(json_object_get(status, "models")), 3);
    json_array_foreach(json_object_get(status, "models"), i, model) {
        char path[16000];
        const char *name = json_string_value(json_object_get(model, "name"));
        snprintf(path, sizeof path, "/api/pictures/1/similar?model=%s", escaped(name));
        json_t *answer = test_serving_json(at, 200, "GET", path, "", NULL);
        assert_string_equal(json_string_value(json_object_get(answer, "model")), name);
        json_decref(answer);
        snprintf(path, sizeof path, "/api/pictures/1/seen?model=%s", escaped(name));
        test_reply reply = get(at, path);
        assert_memory_equal(reply.body.data, "\x89PNG", 4);
        test_reply_free(&reply);
        snprintf(path, sizeof path, "/api/pictures/2/explain?id=1&model=%s", escaped(name));
        answer = test_serving_json(at, 200, "GET", path, "", NULL);
        assert_string_equal(json_string_value(json_object_get(answer, "model")), name);
        json_decref(answer);
        json_t *query = json_pack("{s[{si}]ss}", "terms", "id", 1, "model", name);
        char *body = json_dumps(query, 0);
        answer = test_serving_json(at, 200, "POST", "/api/search", "", body);
        assert_string_equal(json_string_value(json_object_get(answer, "model")), name);
        json_decref(answer);
        json_decref(query);
        free(body);
    }
    json_decref(status);
}

static void a_model_of_ones_own_is_asked_by_its_name(void **state)
{
    (void)state;
    every_model_answers_by_the_name_that_it_is_told_by(&serving);
    every_model_answers_by_the_name_that_it_is_told_by(&quiet);
    test_serving_expect(&serving, 200, "GET", "/api/pictures/1/similar?model=own-clip", "", NULL);
    test_serving_expect(&serving, 422, "GET", "/api/pictures/1/similar?model=/etc", "", NULL);
    test_serving_expect(&serving, 400, "GET", "/api/pictures/1/similar?model=../own-clip", "", NULL);
    test_serving_expect(&serving, 422, "GET", "/api/pictures/1/similar?model=clip", "", NULL);
}

/* What is kept is not read again: the folder may be away meanwhile. */
static void what_explains_is_kept(void **state)
{
    (void)state;
    char *away = test_path(world->folder, "away");
    static const char path[] = "/api/pictures/2/explain?text=a+cat&model=own-clip", other[] = "/api/pictures/2/explain?id=1&model=own-clip";
    json_t *before = test_serving_json(&serving, 200, "GET", path, "", NULL);
    json_t *pictures = test_serving_json(&serving, 200, "GET", other, "", NULL);
    assert_int_equal(rename(clip, away), 0);
    json_t *after = test_serving_json(&serving, 200, "GET", path, "", NULL);
    json_t *again = test_serving_json(&serving, 200, "GET", other, "", NULL);
    assert_true(json_equal(before, after));
    assert_true(json_equal(pictures, again));
    test_serving_expect(&serving, 200, "GET", "/api/pictures/2/explain?id=1&model=colour", "", NULL);
    /* It is the only one: now that another model was explained it would have to be read. */
    test_reply reply = test_serving_ask(&serving, "GET", path, "", NULL, 0);
    assert_int_not_equal(reply.status, 200);
    test_reply_free(&reply);
    assert_int_equal(rename(away, clip), 0);
    test_serving_expect(&serving, 200, "GET", path, "", NULL);
    json_decref(before);
    json_decref(pictures);
    json_decref(after);
    json_decref(again);
    free(away);
}

static void what_an_encoder_sees_is_shown_without_its_weights(void **state)
{
    (void)state;
    char *weights = test_path(world->models, "efficientnet-lite0/model.safetensors"), *away = test_path(world->folder, "away");
    test_reply before = get(&serving, "/api/pictures/1/seen?model=efficientnet-lite0");
    assert_int_equal(rename(weights, away), 0);
    test_reply after = get(&serving, "/api/pictures/1/seen?model=efficientnet-lite0");
    assert_int_equal(before.body.size, after.body.size);
    assert_memory_equal(before.body.data, after.body.data, after.body.size);
    assert_int_equal(rename(away, weights), 0);
    test_reply_free(&before);
    test_reply_free(&after);
    free(weights);
    free(away);
}

/* Asks with the scene of SEED, which is no picture of the library, and so has to be encoded. */
static int status_of_a_query(const test_serving *at, unsigned seed)
{
    test_world_picture(world, "../query.png", TEST_PNG, seed);
    char *path = test_path(world->folder, "query.png");
    lens_buffer picture = test_read(path), body = {0};
    lens_buffer_print(&body, "{\"model\":\"efficientnet-lite0\",\"terms\":[{\"image\":\"");
    lens_base64_encode(picture.data, picture.size, &body);
    lens_buffer_print(&body, "\"}]}");
    test_reply reply = test_serving_ask(at, "POST", "/api/search", "", body.data, body.size);
    const int status = reply.status;
    test_reply_free(&reply);
    lens_buffer_free(&picture);
    lens_buffer_free(&body);
    free(path);
    return status;
}

static void a_model_that_is_another_one_now_is_opened_again(void **state)
{
    (void)state;
    char *weights = test_path(world->models, "efficientnet-lite0/model.safetensors");
    static const char explain[] = "/api/pictures/2/explain?id=1&model=efficientnet-lite0";
    assert_int_equal(status_of_a_query(&serving, 100), 200);
    json_t *before = test_serving_json(&serving, 200, "GET", explain, "", NULL);
    test_efficientnet_write(weights, 2, NULL);
    assert_int_equal(status_of_a_query(&serving, 101), 200); /* the vectors are still the old ones', and so is what is open */
    test_run run = test_world_expect(world, 0, "forget", "--model", "efficientnet-lite0", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "index", "--model", "efficientnet-lite0", NULL);
    test_run_free(&run);
    int status = 0;
    for (unsigned i = 0; i < 100 && status != 200; i++) { /* within a fifth of a second */
        status = status_of_a_query(&serving, 102 + i);
        usleep(100000);
    }
    assert_int_equal(status, 200);
    json_t *after = test_serving_json(&serving, 200, "GET", explain, "", NULL);
    assert_false(json_equal(json_object_get(before, "score"), json_object_get(after, "score")));
    json_decref(before);
    json_decref(after);
    free(weights);
}

/* ---- runs ---- */

static int listen_to_events(const test_serving *at)
{
    static const char request[] = "GET /api/index/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const int fd = test_dial(AF_INET, at->port);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    return fd;
}

/* Reads from FD until EVENT is told. The caller frees. */
static json_t *next_event(int fd, const char *event)
{
    char mark[64], *found = NULL, *end = NULL;
    lens_buffer heard = {0};
    snprintf(mark, sizeof mark, "event: %s\ndata: ", event);
    while (!found || !(end = strchr(found, '\n'))) {
        char part[4096];
        const ssize_t size = recv(fd, part, sizeof part, 0);
        if (size <= 0)
            fail_msg("no event %s: %s", event, heard.data ? heard.data : "");
        lens_buffer_append(&heard, part, (size_t)size);
        found = strstr(heard.data, mark);
        found = found ? found + strlen(mark) : NULL;
    }
    json_t *object = json_loadb(found, (size_t)(end - found), 0, NULL);
    assert_non_null(object);
    lens_buffer_free(&heard);
    return object;
}

/* What a run of AT comes to. */
static json_t *run_to_its_end(const test_serving *at)
{
    const int fd = listen_to_events(at);
    json_t *now = next_event(fd, "progress");
    json_decref(now);
    test_serving_expect(at, 202, "POST", "/api/index", "", "{}");
    json_t *done = next_event(fd, "done");
    close(fd);
    return done;
}

/* What a run notes may name files; beyond this machine only the reason is told. */
static void notes_tell_paths_to_this_machine_alone(void **state)
{
    (void)state;
    test_world *own = test_world_of_scenes(2);
    char *captions = test_path(own->folder, "captions.tsv");
    static const char table[] = "file\tcaption\nscene0.png\tone\n";
    test_write(captions, table, sizeof table - 1);
    test_run run = test_world_expect(own, 0, "index", "--captions", captions, NULL);
    test_run_free(&run);
    unlink(captions);
    assert_int_equal(mkdir(captions, 0777), 0);
    const char *const beyond[] = {"--host", "pictures.example", NULL}, *const *const more[] = {NULL, beyond};
    for (int i = 0; i < 2; i++) {
        test_serving at = test_serving_start(own, more[i]);
        const int fd = listen_to_events(&at);
        json_decref(next_event(fd, "progress"));
        test_serving_expect(&at, 202, "POST", "/api/index", "", "{}");
        json_t *note = next_event(fd, "note");
        char *told = json_dumps(note, JSON_COMPACT);
        assert_non_null(strstr(told, "is a folder"));
        if ((strstr(told, own->folder) == NULL) != (i == 1))
            fail_msg("%s", told);
        free(told);
        json_decref(note);
        close(fd);
        test_serving_stop(&at);
    }
    free(captions);
    test_world_free(own);
}

/* Whether AT tells that the model of one's own is here. */
static bool tells_clip(const test_serving *at)
{
    json_t *status = test_serving_json(at, 200, "GET", "/api/status", "", NULL), *model;
    size_t i;
    int told = -1;
    json_array_foreach(json_object_get(status, "models"), i, model)
        if (strstr(json_string_value(json_object_get(model, "name")), "own-clip"))
            told = json_is_true(json_object_get(model, "present"));
    assert_true(told >= 0);
    json_decref(status);
    return told;
}

static void a_model_that_is_away_stops_no_other(void **state)
{
    (void)state;
    const test_serving *const both[] = {&serving, &quiet};
    char *away = test_path(world->folder, "away");
    assert_int_equal(rename(clip, away), 0);
    for (unsigned i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "meanwhile%u.png", i);
        test_world_picture(world, name, TEST_PNG, 60 + i);
        const int fd = listen_to_events(both[i]), end = listen_to_events(both[i]);
        json_decref(next_event(fd, "progress"));
        json_decref(next_event(end, "progress"));
        test_serving_expect(both[i], 202, "POST", "/api/index", "", "{}");
        json_t *done = next_event(end, "done"); /* first: of a run that fails there is no note */
        assert_true(json_is_true(json_object_get(done, "ok")));
        assert_int_equal(test_json_integer(done, "indexed"), 1);
        json_t *note = next_event(fd, "note");
        close(fd), close(end);
        json_decref(done);
        assert_string_equal(json_string_value(json_object_get(note, "name")), "own-clip");
        assert_non_null(strstr(json_string_value(json_object_get(note, "reason")), "memelens forget --model"));
        assert_int_equal(json_object_get(note, "path") != NULL, i == 0);
        json_decref(note);
        assert_false(tells_clip(both[i]));
    }
    assert_int_equal(rename(away, clip), 0);
    json_t *done = run_to_its_end(&serving);
    assert_true(json_is_true(json_object_get(done, "ok")));
    assert_int_equal(test_json_integer(done, "indexed"), 2);
    json_decref(done);
    assert_true(tells_clip(&serving));
    free(away);
}

static void a_run_that_fails_says_so_and_why(void **state)
{
    (void)state;
    char *config = test_path(clip, "config.json");
    lens_buffer whole = test_read(config);
    test_write(config, "{", 1);
    test_world_picture(world, "new.png", TEST_PNG, 50);
    json_t *done = run_to_its_end(&serving), *hidden = run_to_its_end(&quiet);
    assert_true(json_is_false(json_object_get(done, "ok")));
    assert_non_null(strstr(json_string_value(json_object_get(done, "reason")), clip));
    assert_true(json_is_false(json_object_get(hidden, "ok")));
    assert_non_null(json_object_get(hidden, "reason"));
    assert_null(strchr(json_string_value(json_object_get(hidden, "reason")), '/'));
    json_decref(done);
    json_decref(hidden);
    json_t *status = test_serving_json(&serving, 200, "GET", "/api/status", "", NULL);
    assert_true(json_is_false(json_object_get(json_object_get(status, "indexing"), "ok")));
    json_decref(status);
    test_write(config, whole.data, whole.size);
    done = run_to_its_end(&serving);
    assert_true(json_is_true(json_object_get(done, "ok")));
    assert_null(json_object_get(done, "reason"));
    assert_int_equal(test_json_integer(done, "indexed"), 1);
    json_decref(done);
    status = test_serving_json(&serving, 200, "GET", "/api/status", "", NULL);
    assert_true(json_is_true(json_object_get(json_object_get(status, "indexing"), "ok")));
    json_decref(status);
    lens_buffer_free(&whole);
    free(config);
}

/* ---- paths ---- */

static size_t found_by(const test_serving *at, const char *pattern)
{
    char path[16000];
    snprintf(path, sizeof path, "/api/pictures/1/similar?n=100&model=colour&path=%s", escaped(pattern));
    json_t *answer = test_serving_json(at, 200, "GET", path, "", NULL);
    const size_t count = json_array_size(json_object_get(answer, "results"));
    json_decref(answer);
    return count;
}

/* Whether picture 1, which is no result of its own, is a scene with one of these DIGITS. */
static bool is_one_of(const char *digits)
{
    json_t *picture = test_serving_json(&serving, 200, "GET", "/api/pictures/1", "", NULL);
    char digit = '\0';
    sscanf(json_string_value(json_object_get(picture, "name")), "scene%c", &digit);
    json_decref(picture);
    return digit && strchr(digits, digit);
}

static void patterns_find_out_nothing_about_what_is_above(void **state)
{
    (void)state;
    char above[4200], whole[4200];
    snprintf(above, sizeof above, "*%s*", strrchr(world->folder, '/') + 1);
    snprintf(whole, sizeof whole, "%s/*", world->pictures);
    assert_true(found_by(&serving, above) >= SCENES - 1);
    assert_true(found_by(&serving, whole) >= SCENES - 1);
    assert_int_equal(found_by(&quiet, above), 0);
    assert_int_equal(found_by(&quiet, whole), 0);
    assert_int_equal(found_by(&quiet, "/[a-z]*/*/*"), 0);
    assert_true(found_by(&quiet, "/pictures/*") >= SCENES - 1);
    assert_true(found_by(&quiet, "*/SCENE*") >= SCENES - 1);
    assert_int_equal(found_by(&quiet, "*scene[45].PNG") + found_by(&quiet, "*scene[67].PNG"), 4 - is_one_of("4567"));
    assert_int_equal(found_by(&serving, "*scene[45].PNG") + found_by(&serving, "*scene[67].PNG"), 4 - is_one_of("4567"));
}

static void what_is_quiet_tells_no_path(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/status", "/api/pictures/1", "/api/pictures/1/similar", "/api/pictures/1/similar?model=own-clip",
                                        "/api/pictures/2/explain?id=1&model=own-clip"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        test_reply reply = get(&quiet, paths[i]);
        if (strstr(reply.body.data, world->folder))
            fail_msg("%s: %s", paths[i], reply.body.data);
        test_reply_free(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_of_ones_own_is_asked_by_its_name),
        cmocka_unit_test(what_explains_is_kept),
        cmocka_unit_test(what_an_encoder_sees_is_shown_without_its_weights),
        cmocka_unit_test(a_model_that_is_another_one_now_is_opened_again),
        cmocka_unit_test(notes_tell_paths_to_this_machine_alone),
        cmocka_unit_test(a_model_that_is_away_stops_no_other),
        cmocka_unit_test(a_run_that_fails_says_so_and_why),
        cmocka_unit_test(patterns_find_out_nothing_about_what_is_above),
        cmocka_unit_test(what_is_quiet_tells_no_path),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
