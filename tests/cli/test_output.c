/* What search, similar, embed and status print, and the terms they take. */
#include <math.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "world.h"

static void three_pictures(const test_world *world)
{
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 2);
    test_world_picture(world, "c.jpg", TEST_JPEG_420, 3);
    json_decref(test_world_index(world));
}

static void test_plain_results_are_score_tab_path(void **state)
{
    const test_world *world = *state;
    three_pictures(world);
    char *a = test_world_path(world, "a.jpg");
    test_run run = test_world_expect(world, 0, "search", a, "-n", "2", NULL);
    double score;
    int used = 0;
    assert_int_equal(sscanf(run.out.data, "%lf\t%n", &score, &used), 1);
    assert_true(score > 0.9999 && score < 1.0001);
    assert_memory_equal(run.out.data + used, a, strlen(a));
    assert_int_equal(run.out.data[(size_t)used + strlen(a)], '\n');
    assert_int_equal(run.err.size, 0);
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", a, "--paths", "-n1", NULL);
    assert_int_equal(run.out.size, strlen(a) + 1);
    test_run_free(&run);
    free(a);
}

static void test_a_path_that_is_not_utf8_survives(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "caf\xe9 \xff\n.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "plain.jpg", TEST_JPEG_420, 2);
    json_decref(test_world_index(world));
    char *odd = test_world_path(world, "caf\xe9 \xff\n.jpg");

    test_run run = test_world_expect(world, 0, "search", "-0", odd, NULL);
    assert_true(run.out.size > strlen(odd) + 1);
    assert_memory_equal(run.out.data, odd, strlen(odd) + 1); /* with its NUL */
    test_run_free(&run);

    run = test_world_expect(world, 0, "search", "--json", "-n1", odd, NULL);
    json_t *lines = test_json_lines(&run.out);
    lens_buffer base64 = {0};
    assert_int_equal(lens_base64_encode(odd, strlen(odd), &base64), 0);
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "path_base64")), base64.data);
    assert_null(json_object_get(json_array_get(lines, 0), "path"));
    lens_buffer_free(&base64);
    json_decref(lines);
    test_run_free(&run);
    free(odd);
}

static void test_terms(void **state)
{
    const test_world *world = *state;
    three_pictures(world);
    char *a = test_world_path(world, "a.jpg");
    char away[4200];
    /* a - 0.9 a points where a does. */
    snprintf(away, sizeof away, "-0.9:%s", a);
    test_run run = test_world_expect(world, 0, "search", a, away, "--paths", "-n1", NULL);
    assert_memory_equal(run.out.data, a, strlen(a));
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", a, "--not", a, NULL);
    assert_non_null(strstr(run.err.data, "cancel each other out"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", "id:1", "--json", "-n1", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "id"), 1);
    json_decref(lines);
    test_run_free(&run);

    lens_buffer picture = test_read(a);
    const char *argv[] = {test_program(), "search", "-", "--paths", "-n1", NULL};
    run = test_run_program(argv, test_world_environment(world), &picture);
    assert_int_equal(run.status, 0);
    assert_memory_equal(run.out.data, a, strlen(a));
    test_run_free(&run);
    lens_buffer_free(&picture);

    const char *wrong[][2] = {{"id:0", "expected id:NUMBER"},
                              {"id:99", "no such picture"},
                              {"./nothing.jpg", "./nothing.jpg: No such file"},
                              {"a cat in a hat", "knows pictures, not words"},
                              {"", "a term is empty"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        run = test_world_expect(world, 2, "search", wrong[i][0], NULL);
        if (!strstr(run.err.data, wrong[i][1]))
            fail_msg("'%s': expected '%s' in: %s", wrong[i][0], wrong[i][1], run.err.data);
        test_run_free(&run);
    }
    free(a);
}

static void test_similar_leaves_the_picture_out(void **state)
{
    const test_world *world = *state;
    three_pictures(world);
    char *a = test_world_path(world, "a.jpg");
    test_run run = test_world_expect(world, 0, "similar", "--paths", a, NULL);
    assert_null(strstr(run.out.data, "a.jpg"));
    assert_non_null(strstr(run.out.data, "b.jpg"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "similar", "--paths", "-n2", "id:2", NULL);
    size_t lines = 0;
    for (size_t i = 0; i < run.out.size; i++)
        lines += run.out.data[i] == '\n';
    assert_int_equal(lines, 2);
    test_run_free(&run);
    free(a);
}

static void test_similar_to_the_only_picture(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    json_decref(test_world_index(world));
    char *a = test_world_path(world, "a.jpg");
    test_run run = test_world_expect(world, 1, "similar", a, NULL);
    assert_string_equal(run.err.data, "nothing found: there is no other picture\n");
    test_run_free(&run);
    run = test_world_expect(world, 1, "similar", "--path", "*.jpg", a, NULL);
    assert_string_equal(run.err.data, "nothing found: the filters let no picture in (--path matches the whole path: '*/cats/*')\n");
    test_run_free(&run);
    free(a);
}

static void test_min_score_and_nothing_found(void **state)
{
    const test_world *world = *state;
    three_pictures(world);
    char *a = test_world_path(world, "a.jpg");
    test_run run = test_world_expect(world, 0, "search", "--paths", "--min-score", "0.99999", a, NULL);
    assert_int_equal(run.out.size, strlen(a) + 1);
    test_run_free(&run);
    run = test_world_expect(world, 1, "search", "--min-score", "1.5", a, NULL);
    assert_int_equal(run.out.size, 0);
    assert_non_null(strstr(run.err.data, "nothing found among 3 pictures"));
    test_run_free(&run);
    run = test_world_expect(world, 1, "search", "-q", "--min-score", "1.5", a, NULL);
    assert_int_equal(run.err.size, 0);
    test_run_free(&run);
    free(a);
}

static void test_embed_gives_unit_vectors(void **state)
{
    const test_world *world = *state;
    three_pictures(world);
    char *a = test_world_path(world, "a.jpg"), *b = test_world_path(world, "b.jpg");
    test_run run = test_world_expect(world, 2, "embed", "--json", a, "nothing.jpg", b, NULL);
    assert_non_null(strstr(run.err.data, "nothing.jpg"));
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *line = json_array_get(lines, i), *vector = json_object_get(line, "vector");
        assert_string_equal(json_string_value(json_object_get(line, "input")), i ? b : a);
        assert_string_equal(json_string_value(json_object_get(line, "model")), "efficientnet-lite0");
        assert_int_equal(test_json_integer(line, "dim"), 1280);
        assert_int_equal(json_array_size(vector), 1280);
        double sum = 0;
        for (size_t j = 0; j < 1280; j++) {
            double value = json_number_value(json_array_get(vector, j));
            sum += value * value;
        }
        assert_true(fabs(sqrt(sum) - 1) < 1e-5);
    }
    json_decref(lines);
    test_run_free(&run);
    free(a), free(b);
}

static void test_status_counts(void **state)
{
    const test_world *world = *state;
    three_pictures(world);
    test_run run = test_world_expect(world, 0, "status", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *status = json_array_get(lines, 0);
    assert_int_equal(test_json_integer(status, "pictures"), 3);
    assert_int_equal(test_json_integer(status, "failed"), 0);
    assert_true(test_json_integer(status, "library_bytes") > 3 * 1280 * 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(status, "folders"), 0), "path")),
                        world->pictures);
    json_decref(lines);
    test_run_free(&run);
    run = test_world_expect(world, 0, "status", NULL);
    assert_non_null(strstr(run.out.data, "pictures  3"));
    test_run_free(&run);
}

static void test_duplicates_name_the_best_copy_first(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "one.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "one again.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "two.jpg", TEST_JPEG_420, 2);
    json_decref(test_world_index(world));
    test_run run = test_world_expect(world, 0, "duplicates", "--exact", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 1);
    const json_t *group = json_array_get(lines, 0), *pictures = json_object_get(group, "pictures");
    assert_string_equal(json_string_value(json_object_get(group, "kind")), "exact");
    assert_int_equal(json_array_size(pictures), 2);
    char *best = test_world_path(world, "one.jpg"); /* the same file: the shorter path */
    assert_string_equal(json_string_value(json_object_get(json_array_get(pictures, 0), "path")), best);
    json_decref(lines);
    test_run_free(&run);
    free(best);
}

/* Who keeps the first of each group, and removes the rest, keeps every picture. */
static void test_a_link_is_no_duplicate(void **state)
{
    const test_world *world = *state;
    char *folder = test_world_path(world, "a folder of a long name"), *file = test_path(folder, "one.jpg"), *link = test_world_path(world, "l.jpg"),
         *album = test_path(world->folder, "album");
    assert_int_equal(mkdir(folder, 0777), 0);
    test_picture_write(file, TEST_JPEG_420, 160, 120, 1);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(symlink(folder, album), 0);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, album, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 1, "duplicates", NULL);
    test_run_free(&run);
    test_world_picture(world, "copy of one picture in a folder.jpg", TEST_JPEG_420, 1);
    run = test_world_expect(world, 0, "index", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "duplicates", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 1);
    const json_t *pictures = json_object_get(json_array_get(lines, 0), "pictures");
    assert_int_equal(json_array_size(pictures), 2);
    for (size_t i = 0; i < 2; i++) {
        const char *path = json_string_value(json_object_get(json_array_get(pictures, i), "path"));
        assert_string_not_equal(path, link);
        assert_int_not_equal(strncmp(path, album, strlen(album)), 0);
    }
    json_decref(lines);
    test_run_free(&run);
    free(folder), free(file), free(link), free(album);
}

/* Pictures of DISK that `duplicates --exact` lists in one group; 0 where it lists none, and -1 where one is in another folder, or there is another group. */
static int listed_of(const test_run *run, const char *disk)
{
    json_t *lines = test_json_lines(&run->out);
    const json_t *pictures = json_object_get(json_array_get(lines, 0), "pictures");
    int listed = json_array_size(lines) < 2 ? (int)json_array_size(pictures) : -1;
    for (size_t i = 0; i < json_array_size(pictures); i++)
        if (strncmp(json_string_value(json_object_get(json_array_get(pictures, i), "path")), disk, strlen(disk)) != 0)
            listed = -1;
    json_decref(lines);
    return listed;
}

/* One file that two mounts lead to is one; two names of one file are two. */
static void test_a_second_mount_is_no_duplicate(void **state)
{
    const test_world *world = *state;
    char *disk = test_path(world->folder, "disk"), *again = test_path(world->folder, "second mount");
    char *file = test_path(disk, "a.jpg"), *name = test_path(disk, "name.jpg");
    assert_int_equal(mkdir(disk, 0777) | mkdir(again, 0777), 0);
    test_picture_write(file, TEST_JPEG_420, 160, 120, 1);
    if (mount(disk, again, NULL, MS_BIND, NULL) != 0) {
        printf("skipped: a second mount of a folder needs root\n");
        free(disk), free(again), free(file), free(name);
        skip();
    }
    test_run index = test_world_run(world, "index", "--model", "colour", disk, again, NULL);
    test_run one = test_world_run(world, "duplicates", "--exact", "--json", NULL);
    const int linked = link(file, name);
    test_run more = test_world_run(world, "index", NULL), two = test_world_run(world, "duplicates", "--exact", "--json", NULL);
    test_run near = test_world_run(world, "duplicates", "--json", NULL);
    assert_int_equal(umount2(again, MNT_DETACH), 0);
    assert_int_equal(linked, 0);
    assert_true(index.status == 0 && more.status == 0 && two.status == 0 && near.status == 0);
    assert_int_equal(one.status, 1);
    assert_int_equal(one.out.size, 0);
    assert_int_equal(listed_of(&two, disk), 2);
    assert_int_equal(listed_of(&near, disk), 2);
    test_run_free(&index), test_run_free(&one), test_run_free(&more), test_run_free(&two), test_run_free(&near);
    free(disk), free(again), free(file), free(name);
}

static void test_stdout_that_cannot_be_written_is_an_error(void **state)
{
    const test_world *world = *state;
    if (access("/dev/full", W_OK) != 0) {
        printf("skipped: no /dev/full here\n");
        skip();
    }
    three_pictures(world);
    const char *argv[] = {"/bin/sh", "-c", "\"$0\" search id:1 >/dev/full", test_program(), NULL};
    test_run run = test_run_program(argv, test_world_environment(world), NULL);
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.err.data, "could not be written"));
    test_run_free(&run);
}

/* Nor is it written to what the program has open for itself, where the shell closed all that it could be written to. */
static void test_a_closed_stdout_is_an_error(void **state)
{
    const test_world *world = *state;
    three_pictures(world);
    for (int i = 0; i < 2; i++) {
        const char *argv[] = {"/bin/sh", "-c", i ? "exec \"$0\" search id:1 <&- >&-" : "exec \"$0\" status <&- >&-", test_program(), NULL};
        test_run run = test_run_program(argv, test_world_environment(world), NULL);
        assert_int_equal(run.status, 2);
        assert_non_null(strstr(run.err.data, "could not be written"));
        test_run_free(&run);
    }
}

static void test_a_model_in_a_folder_that_is_not_utf8(void **state)
{
    const test_world *world = *state;
    char *folder = test_path(world->folder, "m\xff"), *model = test_path(world->models, "efficientnet-lite0");
    test_world_picture(world, "a.png", TEST_PNG, 1);
    test_world_picture(world, "b.png", TEST_PNG, 2);
    char *a = test_world_path(world, "a.png"), *b = test_world_path(world, "b.png");
    assert_int_equal(rename(model, folder), 0);
    test_run run = test_world_expect(world, 0, "index", "--model", folder, world->pictures, NULL);
    test_run_free(&run);
    const char *const asked[][8] = {
        {"status", "--json"},
        {"embed", "--json", "--model", folder, a},
        {"bench", "--json", "--model", folder, "--seconds", "0.01"},
        {"explain", "--json", "--model", folder, a, b},
        {"check", "--recall", "--json"},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        run = test_world_run(world, asked[i][0], asked[i][1], asked[i][2], asked[i][3], asked[i][4], asked[i][5], NULL);
        if (run.status > 1 || !run.out.data || !strstr(run.out.data, "\"model_base64\":\""))
            fail_msg("%s: %d: %s%s", asked[i][0], run.status, run.out.data ? run.out.data : "", run.err.data ? run.err.data : "");
        test_run_free(&run);
    }
    free(folder);
    free(model);
    free(a);
    free(b);
}

/* Whoever starts us may ignore that children end, and hand that on. */
static void test_a_run_whose_parent_ignores_children_ends_well(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.png", TEST_PNG, 1);
    const char *argv[] = {"/usr/bin/env", "--ignore-signal=CHLD", test_program(), "index", world->pictures, NULL};
    test_run run = test_run_program(argv, test_world_environment(world), NULL);
    assert_int_equal(run.status, 0);
    test_run_free(&run);
}

/* Nor does JSON, to which U+009B is a letter and to a terminal the beginning of a command. */
static void test_json_has_no_controls(void **state)
{
    const test_world *world = *state;
    static const char name[] = "\xc2\x9b" "31m \x7f \x1b \xc2\xa0 \xc3\x9b \xc2\x80.jpg";
    test_world_picture(world, name, TEST_JPEG_420, 1);
    json_decref(test_world_index(world));
    char *path = test_world_path(world, name);
    test_run run = test_world_expect(world, 0, "search", "--json", "id:1", NULL);
    for (size_t i = 0; i + 1 < run.out.size; i++) {
        const unsigned char c = (unsigned char)run.out.data[i], next = (unsigned char)run.out.data[i + 1];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0))
            fail_msg("at byte %zu: %s", i, run.out.data);
    }
    json_t *lines = test_json_lines(&run.out);
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "path")), path);
    json_decref(lines);
    test_run_free(&run);
    free(path);
}

/* A picture may be a program as well, whose name says so: such a one is found, and not handed to what goes by names. */
static void test_only_what_is_called_a_picture_is_opened(void **state)
{
    const test_world *world = *state;
    static const char *const names[] = {"a.JPG", "plain", "cat.jar", "cat.jpg.desktop", "page.html", ".jar"};
    char *folder = test_path(world->folder, "bin"), *viewer = test_path(folder, "xdg-open"), path[8192];
    assert_int_equal(lens_folder_make(folder, NULL), 0);
    static const char script[] = "#!/bin/sh\necho \"opened $1\"\n";
    test_write(viewer, script, sizeof script - 1);
    assert_int_equal(chmod(viewer, 0755), 0);
    snprintf(path, sizeof path, "%s:%s", folder, getenv("PATH"));
    char *before = strdup(getenv("PATH"));
    setenv("PATH", path, 1);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        test_world_picture(world, names[i], TEST_JPEG_420, i);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char *file = test_world_path(world, names[i]);
        test_run run = test_world_expect(world, 0, "index", "--quiet", "--model", "colour", file, NULL);
        test_run_free(&run);
        run = test_world_expect(world, i < 2 ? 0 : 2, "search", "--open", "-n1", file, NULL);
        assert_non_null(strstr(run.out.data, names[i]));
        assert_true((strstr(run.out.data, "opened") != NULL) == (i < 2));
        assert_true((strstr(run.err.data, "not called as a picture is") != NULL) == (i >= 2));
        test_run_free(&run);
        free(file);
    }
    setenv("PATH", before, 1);
    free(before), free(viewer), free(folder);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_plain_results_are_score_tab_path),
        WORLD_TEST(test_a_path_that_is_not_utf8_survives),
        WORLD_TEST(test_terms),
        WORLD_TEST(test_json_has_no_controls),
        WORLD_TEST(test_only_what_is_called_a_picture_is_opened),
        WORLD_TEST(test_similar_leaves_the_picture_out),
        WORLD_TEST(test_similar_to_the_only_picture),
        WORLD_TEST(test_min_score_and_nothing_found),
        WORLD_TEST(test_embed_gives_unit_vectors),
        WORLD_TEST(test_status_counts),
        WORLD_TEST(test_duplicates_name_the_best_copy_first),
        WORLD_TEST(test_a_link_is_no_duplicate),
        WORLD_TEST(test_a_second_mount_is_no_duplicate),
        WORLD_TEST(test_stdout_that_cannot_be_written_is_an_error),
        WORLD_TEST(test_a_closed_stdout_is_an_error),
        WORLD_TEST(test_a_model_in_a_folder_that_is_not_utf8),
        WORLD_TEST(test_a_run_whose_parent_ignores_children_ends_well),
    };
    return store_place_run(tests);
}
