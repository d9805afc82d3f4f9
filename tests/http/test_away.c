/* A server whose library is in a database that goes away under it: it says so, answers again when the database is back, and what is indexed through that is whole. */
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "serving.h"
#include "silent_proxy.h"

enum { SCENES = 12, ROUNDS = 3, PATIENCE = 60 /* seconds */ };
static const char json[] = "Content-Type: application/json\r\n", query[] = "{\"terms\":[{\"id\":3}],\"n\":5}";
static const char *const watched[] = {"--watch", NULL};

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
    test_world_free(world);
    return 0;
}

/* Asks until the answer is STATUS. */
static void wait_for(const test_serving *serving, int status)
{
    int last = 0;
    for (double end = lens_seconds() + PATIENCE; lens_seconds() < end && last != status; lens_sleep(0.05)) {
        test_reply reply = test_serving_ask(serving, "POST", "/api/search", json, query, sizeof query - 1);
        last = reply.status;
        test_reply_free(&reply);
    }
    assert_int_equal(last, status);
}

static void test_it_comes_back(void **state)
{
    (void)state;
    test_serving serving = test_serving_start(world, NULL);
    test_serving_expect(&serving, 200, "POST", "/api/search", json, query);
    for (int i = 0; i < ROUNDS; i++) {
        store_place_server(i % 2 ? "crash" : "stop");
        for (int asked = 0; asked < 3; asked++) {
            json_t *answer = test_serving_json(&serving, 503, "POST", "/api/search", json, query);
            assert_non_null(json_object_get(answer, "error"));
            json_decref(answer);
        }
        store_place_server("start");
        test_serving_expect(&serving, 200, "POST", "/api/search", json, query);
    }
    test_serving_stop(&serving);
}

/* How many pictures the server says that there are; -1 while it cannot say. */
static long known(const test_serving *serving)
{
    test_reply reply = test_serving_ask(serving, "GET", "/api/status", "", NULL, 0);
    json_t *status = reply.status == 200 ? json_loadb(reply.body.data, reply.body.size, 0, NULL) : NULL;
    const long count = status ? test_json_integer(status, "pictures") : -1;
    json_decref(status);
    test_reply_free(&reply);
    return count;
}

static void test_what_comes_meanwhile(void **state)
{
    (void)state;
    test_serving serving = test_serving_start(world, watched);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char name[32];
        store_place_server("stop");
        snprintf(name, sizeof name, "new%02u.png", i);
        test_world_picture(world, name, TEST_PNG, 100 + i);
        lens_sleep(0.5);
        store_place_server("start");
        wait_for(&serving, 200);
        const long wanted = SCENES + 1 + (long)i;
        long count = -1;
        for (double end = lens_seconds() + PATIENCE; lens_seconds() < end && count != wanted; lens_sleep(0.1))
            count = known(&serving);
        assert_int_equal(count, wanted);
    }
    test_serving_stop(&serving);
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
}

/* Whether the last run failed, as the server tells. */
static bool has_failed(const test_serving *serving)
{
    json_t *status = test_serving_json(serving, 200, "GET", "/api/status", "", NULL);
    const json_t *indexing = json_object_get(status, "indexing");
    const bool failed = json_is_false(json_object_get(indexing, "ok"));
    assert_int_equal(failed, json_object_get(indexing, "reason") != NULL);
    json_decref(status);
    return failed;
}

static void wait_until_failed(const test_serving *serving, bool wanted)
{
    const double end = lens_seconds() + PATIENCE;
    while (has_failed(serving) != wanted && lens_seconds() < end)
        lens_sleep(0.05);
    assert_int_equal(has_failed(serving), wanted);
}

/* Whether the database ends the connection of whoever writes a picture. */
static void end_writers(bool ends)
{
    free(store_place_ask(world->library, ends ? "CREATE FUNCTION public.end_writer() RETURNS trigger LANGUAGE plpgsql AS"
                                                " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';"
                                                " CREATE TRIGGER end_writer BEFORE INSERT ON memelens.picture EXECUTE FUNCTION public.end_writer()"
                                              : "DROP FUNCTION public.end_writer() CASCADE"));
}

/* One that can be read and ends whoever writes: a watched run is not begun again and again for ever, and somebody who asks for one is not told meanwhile that one
 * is under way. */
static void test_it_goes_away_in_every_run(void **state)
{
    (void)state;
    test_serving serving = test_serving_start(world, watched);
    const long wanted = known(&serving) + 1;
    end_writers(true);
    test_world_picture(world, "ended.png", TEST_PNG, 200);
    wait_until_failed(&serving, true);
    int answered = 0;
    for (double end = lens_seconds() + PATIENCE; lens_seconds() < end && answered != 202; lens_sleep(0.05)) {
        test_reply reply = test_serving_ask(&serving, "POST", "/api/index", json, "{}", 2);
        answered = reply.status;
        test_reply_free(&reply);
    }
    assert_int_equal(answered, 202);
    end_writers(false);
    wait_until_failed(&serving, false);
    assert_int_equal(known(&serving), wanted);
    test_serving_stop(&serving);
}

/* Whether the world's database lets anybody in, told to its server by another one; who is in is put out. */
static void let_in(bool lets)
{
    char sql[512];
    const char *name = strstr(world->library, "/memelens_test_") + 1;
    const int length = (int)strcspn(name, "?");
    snprintf(sql, sizeof sql, "ALTER DATABASE %.*s ALLOW_CONNECTIONS %s;"
                              " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%.*s' AND %s",
             length, name, lets ? "true" : "false", length, name, lets ? "false" : "true");
    free(store_place_ask(getenv("MEMELENS_POSTGRES"), sql));
}

/* A server that is there and lets nobody in is as far away: that is no fault of ours, and passes when it is mended. */
static void test_nobody_is_let_in(void **state)
{
    (void)state;
    test_serving serving = test_serving_start(world, NULL);
    test_serving_expect(&serving, 200, "POST", "/api/search", json, query);
    let_in(false);
    json_t *answer = test_serving_json(&serving, 503, "POST", "/api/search", json, query);
    const char *reason = json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
    assert_non_null(strstr(reason, "not currently accepting connections"));
    json_decref(answer);
    let_in(true);
    wait_for(&serving, 200);
    test_serving_stop(&serving);
}

static void *ask_in_silence(void *context)
{
    static test_reply reply;
    const test_serving *serving = context;
    reply = test_serving_ask(serving, "POST", "/api/search", json, query, sizeof query - 1);
    return &reply;
}

/* One whose connections stay and that says nothing more is as far away: who asked is told so, and the server ends when it is to, whoever of its threads is
 * waiting. */
static void test_it_falls_silent(void **state)
{
    (void)state;
    char *through, *own = world->library, *over = store_place_by_password(own);
    if (!over) {
        printf("skipped: the server is not reached over loopback\n");
        fflush(stdout);
        skip();
    }
    test_proxy *proxy = test_proxy_start(over, &through);
    world->library = through;
    test_serving serving = test_serving_start(world, watched);
    world->library = own;
    test_serving_expect(&serving, 200, "POST", "/api/search", json, query);
    test_proxy_silence(proxy, true);
    alarm(240);
    test_serving_expect(&serving, 503, "POST", "/api/search", json, query); /* on a connection that is there */
    test_proxy_silence(proxy, false);
    wait_for(&serving, 200);
    test_proxy_silence(proxy, true);
    pthread_t asking;
    void *reply;
    assert_int_equal(pthread_create(&asking, NULL, ask_in_silence, &serving), 0);
    lens_sleep(1); /* it is under way, and the library is being looked after */
    test_serving_stop(&serving);
    alarm(0);
    assert_int_equal(pthread_join(asking, &reply), 0);
    assert_int_equal(((test_reply *)reply)->status, 503);
    test_reply_free(reply);
    test_proxy_stop(proxy);
    free(through), free(over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_it_comes_back), cmocka_unit_test(test_nobody_is_let_in),
                                       cmocka_unit_test(test_what_comes_meanwhile), cmocka_unit_test(test_it_goes_away_in_every_run),
                                       cmocka_unit_test(test_it_falls_silent)};
    return store_place_run_server_group(tests, setup, teardown);
}
