/* Paths of this machine: which of them requests may name, and who is told of them. */
#include <sys/stat.h>
#include <unistd.h>

#include "serving.h"

static test_world *world;

static int setup(void **state)
{
    (void)state;
    world = test_world_of_scenes(6);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_world_free(world);
    return 0;
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
    const char *const more[] = {"--allow-path", world->pictures, NULL};
    test_serving serving = test_serving_start(world, more);
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
    test_serving_stop(&serving);
    lens_buffer_free(&body);
    lens_buffer_free(&picture);
    unlink(link);
    free(up);
    free(link);
    free(outside);
    free(scene);
}

static void expect_index(const test_serving *at, int status, const char *path)
{
    char body[4200];
    snprintf(body, sizeof body, "{\"path\":\"%s\"}", path);
    for (int i = 0;; i++) { /* an earlier run may be under way */
        test_reply reply = test_serving_ask(at, "POST", "/api/index", "", body, strlen(body));
        const int got = reply.status;
        test_reply_free(&reply);
        if (got == 409 && i < 600)
            usleep(50000);
        else if (got != status)
            fail_msg("%s: %d instead of %d", path, got, status);
        else
            return;
    }
}

static void what_the_owner_left_out_stays_out(void **state)
{
    (void)state;
    test_world *own = test_world_new();
    static const char *const folders[] = {"in", "in/deep", "private", "private/deep", ".hidden", "gone", "gone/deep"};
    char *paths[7], *alias = test_world_path(own, "alias"), *outside = test_path(own->folder, "outside"), *new = test_path(own->folder, "new"),
         *dark = test_path(own->folder, "new/.dark");
    for (size_t i = 0; i < 7; i++) {
        char name[64];
        paths[i] = test_world_path(own, folders[i]);
        assert_done(lens_folder_make(paths[i], NULL), &(lens_error){0});
        snprintf(name, sizeof name, "%s/a.png", folders[i]);
        test_world_picture(own, name, TEST_PNG, (unsigned)i);
    }
    assert_done(lens_folder_make(outside, NULL), &(lens_error){0});
    assert_done(lens_folder_make(dark, NULL), &(lens_error){0});
    test_run run = test_world_expect(own, 0, "index", "--model", "colour", "--exclude", "private", own->pictures, NULL);
    test_run_free(&run);
    run = test_world_expect(own, 0, "forget", paths[5], NULL);
    test_run_free(&run);
    assert_int_equal(symlink(paths[2], alias), 0);

    test_serving plain = test_serving_start(own, NULL);
    expect_index(&plain, 202, own->pictures);
    for (size_t i = 0; i < 7; i++)
        expect_index(&plain, 403, paths[i]);
    test_serving_stop(&plain);

    const char *const more[] = {"--allow-path", own->pictures, "--allow-path", new, NULL};
    test_serving may = test_serving_start(own, more);
    expect_index(&may, 202, paths[0]);
    expect_index(&may, 202, paths[1]);
    expect_index(&may, 202, new);
    for (size_t i = 2; i < 7; i++)
        expect_index(&may, 403, paths[i]);
    expect_index(&may, 403, alias);
    expect_index(&may, 403, outside);
    expect_index(&may, 403, dark);
    expect_index(&may, 202, own->pictures);
    test_serving_stop(&may);
    unlink(alias); /* a walk that comes by it takes it for a folder of its own */
    json_t *report = test_world_index(own);
    assert_int_equal(test_json_integer(report, "indexed") + test_json_integer(report, "unchanged"), 2);
    json_decref(report);
    for (size_t i = 0; i < 7; i++)
        free(paths[i]);
    free(alias);
    free(outside);
    free(dark);
    free(new);
    test_world_free(own);
}

static void paths_are_told_to_this_machine_alone(void **state)
{
    (void)state;
    test_world *own = test_world_new();
    char *folder = test_world_path(own, "Photos: 2020"), *broken = test_world_path(own, "Photos: 2020/broken.jpg"),
         *scene = test_world_path(own, "Photos: 2020/a.png");
    assert_done(lens_folder_make(folder, NULL), &(lens_error){0});
    test_world_picture(own, "Photos: 2020/a.png", TEST_PNG, 1);
    test_world_picture(own, "Photos: 2020/b.png", TEST_PNG, 2);
    test_write(broken, "\xff\xd8\xff no picture", 14);
    test_run run = test_world_expect(own, 0, "index", "--model", "colour", folder, NULL);
    test_run_free(&run);
    unlink(scene);
    static const char *const asked[] = {"/api/status", "/api/pictures/1", "/api/pictures/2", "/api/pictures/3", "/api/pictures/1/similar", "/api/pictures/3/similar",
                                        "/api/pictures/1/explain", "/api/pictures/1/seen", "/api/pictures/2/explain?term=id:1", "/api/pictures/1/thumb",
                                        "/api/pictures/1/file", "/api/search?text=a", "/api/search?text=a&model=none", "/metrics"};
    const char *const hosts[] = {"--host", "pictures.example", NULL}, *const shown[] = {"--host", "pictures.example", "--show-paths", NULL};
    const char *const *const more[] = {NULL, shown, hosts};
    for (size_t i = 0; i < 3; i++) { /* the last one tells none */
        test_serving at = test_serving_start(own, more[i]);
        size_t told = 0;
        for (size_t a = 0; a < sizeof asked / sizeof *asked; a++) {
            test_reply reply = test_serving_ask(&at, "GET", asked[a], "", NULL, 0);
            const bool tells = reply.body.data && (strstr(reply.body.data, own->folder) || strstr(reply.body.data, "2020/"));
            if (i == 2 && tells)
                fail_msg("%s: %s", asked[a], reply.body.data);
            told += tells;
            test_reply_free(&reply);
        }
        assert_true(i == 2 || told >= 3);
        test_serving_stop(&at);
    }
    free(folder);
    free(broken);
    free(scene);
    test_world_free(own);
}

static int status_of(const test_serving *at, const char *method, const char *path, const char *body)
{
    test_reply reply = test_serving_ask(at, method, path, "", body, body ? strlen(body) : 0);
    const int status = reply.status;
    test_reply_free(&reply);
    return status;
}

/* Where no path is told, who guesses one is not told that it was right. */
static void a_guess_at_a_path_is_not_proven(void **state)
{
    (void)state;
    char *elsewhere = test_path(world->folder, "elsewhere"), *paths[2] = {world->pictures, elsewhere};
    const char *const hosts[] = {"--host", "pictures.example", NULL};
    test_serving at = test_serving_start(world, hosts);
    int statuses[2][4];
    for (int i = 0; i < 2; i++) {
        char body[4200], search[4200], explain[4200];
        snprintf(body, sizeof body, "{\"path\":\"%s\"}", paths[i]);
        snprintf(search, sizeof search, "/api/search?text=a&model=%s", paths[i]);
        snprintf(explain, sizeof explain, "/api/pictures/1/explain?term=id:2&model=%s", paths[i]);
        statuses[i][0] = status_of(&at, "POST", "/api/index", body);
        statuses[i][1] = status_of(&at, "GET", search, NULL);
        statuses[i][2] = status_of(&at, "GET", explain, NULL);
        snprintf(body, sizeof body, "{\"data\":[\"a\"],\"parameters\":{\"model\":\"%s\"}}", paths[i]);
        statuses[i][3] = status_of(&at, "POST", "/search", body);
    }
    assert_memory_equal(statuses[0], statuses[1], sizeof statuses[0]);
    assert_int_equal(statuses[0][0], 403);
    assert_int_equal(statuses[0][1], 400);
    assert_int_equal(statuses[0][2], 400);
    test_serving_expect(&at, 202, "POST", "/api/index", "", "{}");
    test_serving_stop(&at);
    free(elsewhere);
}

/* A folder that was allowed by another name is indexed as what it is: the name may lead elsewhere tomorrow. */
static void a_link_that_was_allowed_leads_nowhere_else(void **state)
{
    (void)state;
    test_world *own = test_world_of_scenes(1);
    char *new = test_path(own->folder, "new"), *good = test_path(own->folder, "new/good"), *alias = test_path(own->folder, "new/alias"),
         *outside = test_path(own->folder, "outside"), *picture = test_path(good, "a.png"), *other = test_path(outside, "b.png");
    assert_done(lens_folder_make(good, NULL) | lens_folder_make(outside, NULL), &(lens_error){0});
    lens_buffer bytes = test_picture(TEST_PNG, 40, 30, 7), others = test_picture(TEST_PNG, 40, 30, 8);
    test_write(picture, bytes.data, bytes.size);
    test_write(other, others.data, others.size);
    assert_int_equal(symlink(good, alias), 0);
    const char *const more[] = {"--allow-path", new, NULL};
    test_serving may = test_serving_start(own, more);
    expect_index(&may, 202, alias);
    expect_index(&may, 202, alias); /* behind the first */
    assert_int_equal(unlink(alias) | symlink(outside, alias), 0);
    expect_index(&may, 403, alias);
    int status = 409;
    for (int i = 0; status == 409 && i < 600; i++) { /* what was asked for before is under way */
        status = status_of(&may, "POST", "/api/index", "{}");
        usleep(50000);
    }
    assert_int_equal(status, 202);
    test_serving_stop(&may);
    test_run run = test_world_expect(own, 0, "index", "-q", "--json", "--model", "colour", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 0);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "unchanged"), 2); /* scene0 and a.png, and no b.png */
    json_decref(lines);
    test_run_free(&run);
    lens_buffer_free(&bytes);
    lens_buffer_free(&others);
    free(new), free(good), free(alias), free(outside), free(picture), free(other);
    test_world_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_only_where_that_is_allowed),
        cmocka_unit_test(what_the_owner_left_out_stays_out),
        cmocka_unit_test(paths_are_told_to_this_machine_alone),
        cmocka_unit_test(a_guess_at_a_path_is_not_proven),
        cmocka_unit_test(a_link_that_was_allowed_leads_nowhere_else),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
