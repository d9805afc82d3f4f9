/* What happens to a library over time: new, changed, moved, copied, removed, absent, forgotten. Through the program. With several models: test_several_models.c. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"
#include "weights.h"
#include "world.h"

/* The names that a search finds, in order, must begin with FIRST; the library must hold COUNT pictures. */
static void expect_first(const test_world *world, const char *query, const char *first, size_t count)
{
    char *path = test_world_path(world, first);
    json_t *found = test_world_search(world, query);
    assert_int_equal(json_array_size(found), count);
    assert_string_equal(json_string_value(json_array_get(found, 0)), path);
    json_decref(found);
    free(path);
}

static void make_folder(const test_world *world, const char *name)
{
    char *path = test_world_path(world, name);
    assert_int_equal(mkdir(path, 0777), 0);
    free(path);
}

static void test_index_then_search(void **state)
{
    const test_world *world = *state;
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);
    char *query = test_path(world->folder, "query.jpg"); /* the scene of b.png, saved another way */
    test_picture_write(query, TEST_JPEG_420, 160, 120, 2);
    expect_first(world, query, "b.png", 5);
    test_world_expect_report(world, 0, 5, 0, 0, 0);
    test_world_expect_no_fault(world);
    free(query);
}

static void test_changed_moved_copied_removed(void **state)
{
    const test_world *world = *state;
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);

    make_folder(world, "sub");
    test_world_move(world, "a.jpg", "sub/renamed.jpg");
    test_world_expect_report(world, 0, 4, 1, 0, 0);

    test_world_picture(world, "b.png", TEST_PNG, 77); /* other content, same name */
    test_world_picture(world, "copy.jpg", TEST_JPEG_444, 5);
    test_world_remove(world, "c.webp");
    test_world_expect_report(world, 2, 3, 0, 1, 0);

    char *query = test_path(world->folder, "query.png");
    test_picture_write(query, TEST_PNG, 160, 120, 77);
    expect_first(world, query, "b.png", 5);
    test_picture_write(query, TEST_PNG, 160, 120, 1);
    expect_first(world, query, "sub/renamed.jpg", 5);
    test_world_expect_no_fault(world);
    free(query);
}

static void test_a_moved_picture_keeps_its_id(void **state)
{
    const test_world *world = *state;
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);
    char *old = test_world_path(world, "a.jpg"), *new = test_world_path(world, "z.jpg");
    test_run before = test_world_expect(world, 0, "search", "--json", "-n1", old, NULL);
    assert_int_equal(rename(old, new), 0);
    test_world_expect_report(world, 0, 4, 1, 0, 0);
    test_run after = test_world_expect(world, 0, "search", "--json", "-n1", new, NULL);
    json_t *a = test_json_lines(&before.out), *b = test_json_lines(&after.out);
    assert_int_equal(test_json_integer(json_array_get(a, 0), "id"), test_json_integer(json_array_get(b, 0), "id"));
    json_decref(a), json_decref(b);
    test_run_free(&before), test_run_free(&after);
    free(old), free(new);
}

static void test_two_same_files_that_move_at_once(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "1.jpg", TEST_JPEG_420, 9);
    test_world_picture(world, "2.jpg", TEST_JPEG_420, 9);
    test_world_picture(world, "3.jpg", TEST_JPEG_420, 9);
    test_world_expect_report(world, 3, 0, 0, 0, 0);
    test_world_move(world, "1.jpg", "x.jpg");
    test_world_move(world, "2.jpg", "y.jpg");
    test_world_picture(world, "4.jpg", TEST_JPEG_420, 9); /* a copy beside them: not moved, for only two are gone */
    test_world_expect_report(world, 1, 1, 2, 0, 0);
    test_world_expect_no_fault(world);
}

static void test_an_absent_folder_loses_nothing(void **state)
{
    const test_world *world = *state;
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);
    char *away = test_path(world->folder, "unmounted");
    assert_int_equal(rename(world->pictures, away), 0);
    test_run run = test_world_expect(world, 0, "index", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 0);
    assert_non_null(strstr(run.err.data, "is not there now"));
    json_decref(lines);
    test_run_free(&run);
    assert_int_equal(rename(away, world->pictures), 0);
    test_world_expect_report(world, 0, 5, 0, 0, 0);
    free(away);
}

static void test_an_emptied_folder_is_empty(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_expect_report(world, 1, 0, 0, 0, 0);
    test_world_remove(world, "a.jpg");
    test_world_expect_report(world, 0, 0, 0, 1, 0);
    test_run run = test_world_expect(world, 2, "search", "id:1", NULL);
    test_run_free(&run);
}

static void test_a_folder_that_cannot_be_read_loses_nothing(void **state)
{
    const test_world *world = *state;
    make_folder(world, "closed");
    test_world_picture(world, "closed/a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 2);
    test_world_as_nobody(*state); /* for root reads every folder */
    test_world_expect_report(world, 2, 0, 0, 0, 0);
    char *closed = test_world_path(world, "closed");
    assert_int_equal(chmod(closed, 0), 0);
    test_world_expect_report(world, 0, 1, 0, 0, 0);
    assert_int_equal(chmod(closed, 0755), 0);
    test_world_expect_report(world, 0, 2, 0, 0, 0);
    free(closed);
}

/* The folder of what is learnt from the library, which is made when it is not there. */
static char *files_beside(const test_world *world)
{
    if (store_place_is_folder())
        return strdup(world->library);
    lens_error err = {0};
    char *shown = lens_store_place_shown(world->library);
    const lens_hash own = lens_hash_of(shown, strlen(shown));
    lens_buffer path = {0};
    lens_buffer_print(&path, "%s/data/memelens/databases/", world->folder);
    for (size_t i = 0; i < 8; i++)
        lens_buffer_print(&path, "%02x", own.bytes[i]);
    assert_done(lens_folder_make(path.data, &err), &err);
    free(shown);
    return path.data;
}

static void test_forgotten_stays_out_until_named(void **state)
{
    const test_world *world = *state;
    make_folder(world, "sub");
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 2);
    test_world_picture(world, "sub/c.jpg", TEST_JPEG_420, 3);
    test_world_expect_report(world, 3, 0, 0, 0, 0);

    char *sub = test_world_path(world, "sub"), *b = test_world_path(world, "b.jpg");
    test_run run = test_world_expect(world, 0, "forget", sub, b, NULL);
    test_run_free(&run);
    test_world_expect_report(world, 0, 1, 0, 0, 0); /* naming the folder above does not name them */
    run = test_world_expect(world, 0, "index", sub, NULL);
    test_run_free(&run);
    test_world_expect_report(world, 0, 2, 0, 0, 0);
    run = test_world_expect(world, 0, "index", b, NULL);
    test_run_free(&run);
    test_world_expect_report(world, 0, 3, 0, 0, 0);

    char *beside = files_beside(world), *map = test_path(beside, "words-0123abcd.map");
    test_write(map, "fitted on these", 15);
    run = test_world_expect(world, 2, "check", NULL);
    assert_non_null(strstr(run.out.data, "words-0123abcd.map"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "forget", "--all", NULL);
    test_run_free(&run);
    assert_false(lens_file_exists(map));
    free(map), free(beside);
    run = test_world_expect(world, 2, "search", b, NULL);
    assert_non_null(strstr(run.err.data, "nothing is indexed yet"));
    test_run_free(&run);
    test_world_expect_report(world, 3, 0, 0, 0, 0);
    test_world_expect_no_fault(world);
    free(sub), free(b);
}

static void test_search_in_indexes_first(void **state)
{
    const test_world *world = *state;
    make_folder(world, "one");
    make_folder(world, "two");
    test_world_picture(world, "one/a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "two/b.jpg", TEST_JPEG_420, 1);
    char *one = test_world_path(world, "one"), *two = test_world_path(world, "two"), *a = test_world_path(world, "one/a.jpg");
    test_run run = test_world_expect(world, 0, "index", one, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", "--paths", "--in", two, a, NULL);
    char *b = test_world_path(world, "two/b.jpg");
    const char *argv[] = {"/bin/sh", "-c", "cd \"$1\" && exec \"$0\" search --paths --in two/ id:1", test_program(), world->pictures, NULL};
    test_run again = test_run_program(argv, test_world_environment(world), NULL);
    assert_string_equal(again.out.data, run.out.data);
    test_run_free(&again);
    assert_int_equal(run.out.size, strlen(b) + 1);
    assert_memory_equal(run.out.data, b, strlen(b));
    test_run_free(&run);
    /* Of a weight that no float holds the score would be none. */
    run = test_world_expect(world, 2, "search", "1000000000000000000000000000000000000000:id:1", NULL);
    assert_non_null(strstr(run.err.data, "-1000 to 1000"));
    test_run_free(&run);
    free(one), free(two), free(a), free(b);
}

static void test_exclusions_are_kept(void **state)
{
    const test_world *world = *state;
    make_folder(world, "drafts");
    make_folder(world, ".hidden");
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "b.png", TEST_PNG, 2);
    test_world_picture(world, "drafts/c.jpg", TEST_JPEG_420, 3);
    test_world_picture(world, ".hidden/d.jpg", TEST_JPEG_420, 4);
    test_run run = test_world_expect(world, 0, "index", world->pictures, "-x", "*.png", "--exclude=drafts", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "index", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "unchanged"), 1);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 0);
    json_decref(lines);
    test_run_free(&run);
    char *hidden = test_world_path(world, ".hidden");
    run = test_world_expect(world, 0, "index", hidden, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "index", "--json", NULL); /* neither loses the other's */
    lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "unchanged"), 2);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 0);
    json_decref(lines);
    test_run_free(&run);
    free(hidden);
}

/* `index` of PATH, or of all (NULL), tells of so many pictures UNCHANGED, and of none that came or went. */
static void expect_unchanged(const test_world *world, const char *path, long unchanged)
{
    test_run run = test_world_expect(world, 0, "index", "--json", path, NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "unchanged"), unchanged);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 0);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 0);
    json_decref(lines);
    test_run_free(&run);
}

/* A walk of the root does not come by what such options brought in below it: the next run would take it out again, with all that was read and said of it. */
static void test_options_for_what_lies_below_a_root(void **state)
{
    const test_world *world = *state;
    static const char *const folders[] = {"sub", "sub/.x", "sub/drafts"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make_folder(world, folders[i]);
    test_world_picture(world, "b.png", TEST_PNG, 1);
    test_world_picture(world, "sub/c.tmp.jpg", TEST_JPEG_420, 2);
    test_world_picture(world, "sub/.x/a.jpg", TEST_JPEG_420, 3);
    test_world_picture(world, "sub/drafts/d.jpg", TEST_JPEG_420, 4);
    char *sub = test_world_path(world, "sub");
    test_run run = test_world_expect(world, 0, "index", world->pictures, "-x", "drafts", NULL);
    test_run_free(&run);
    const char *const refused[][2] = {{"--include-hidden", NULL}, {"--exclude=*.tmp.jpg", NULL}, {"--exclude=drafts", "--include-hidden"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        run = test_world_expect(world, 2, "index", sub, refused[i][0], refused[i][1], NULL);
        assert_non_null(strstr(run.err.data, "sub: lies in "));
        assert_non_null(strstr(run.err.data, world->pictures));
        test_run_free(&run);
        expect_unchanged(world, NULL, 2);
    }
    /* What is no other than the root's is none, and both may be named. */
    run = test_world_expect(world, 0, "index", sub, "-x", "drafts", NULL);
    test_run_free(&run);
    expect_unchanged(world, NULL, 2);
    run = test_world_expect(world, 0, "index", sub, world->pictures, "--include-hidden", NULL);
    test_run_free(&run);
    expect_unchanged(world, NULL, 3);
    run = test_world_expect(world, 0, "index", sub, "--include-hidden", NULL);
    test_run_free(&run);
    expect_unchanged(world, NULL, 3);
    free(sub);
}

/* A folder that begins with a dot is no root of its own where the one above it comes by: it would not go by what is kept with that. */
static void test_a_hidden_folder_of_a_root_that_has_them(void **state)
{
    const test_world *world = *state;
    static const char *const folders[] = {".h", ".h/.deep", ".h/drafts", ".left"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make_folder(world, folders[i]);
    test_world_picture(world, "b.png", TEST_PNG, 1);
    test_world_picture(world, ".h/.deep/a.jpg", TEST_JPEG_420, 2);
    test_world_picture(world, ".h/drafts/d.jpg", TEST_JPEG_420, 3);
    test_world_picture(world, ".left/e.jpg", TEST_JPEG_420, 4);
    char *hidden = test_world_path(world, ".h"), *left = test_world_path(world, ".left");
    test_run run = test_world_expect(world, 0, "index", world->pictures, "--include-hidden", "-x", "drafts", "-x", ".left", NULL);
    test_run_free(&run);
    expect_unchanged(world, hidden, 1);
    expect_unchanged(world, NULL, 2);
    run = test_world_expect(world, 0, "forget", hidden, NULL);
    test_run_free(&run);
    expect_unchanged(world, NULL, 1);
    run = test_world_expect(world, 0, "index", hidden, NULL); /* what was forgotten is named again */
    test_run_free(&run);
    expect_unchanged(world, NULL, 2);
    run = test_world_expect(world, 0, "index", left, NULL); /* by which the other does not come */
    test_run_free(&run);
    expect_unchanged(world, NULL, 3);
    free(hidden), free(left);
}

/* Width and height of the picture at NAME, as `duplicates` knows them; 0 when it is in no group. */
static void size_of(const test_world *world, const char *name, long *width, long *height)
{
    char *path = test_world_path(world, name);
    test_run run = test_world_run(world, "duplicates", "--json", NULL);
    json_t *groups = test_json_lines(&run.out);
    *width = *height = 0;
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *pictures = json_object_get(json_array_get(groups, i), "pictures");
        for (size_t j = 0; j < json_array_size(pictures); j++) {
            const json_t *picture = json_array_get(pictures, j);
            if (strcmp(json_string_value(json_object_get(picture, "path")), path) == 0) {
                *width = test_json_integer(picture, "width");
                *height = test_json_integer(picture, "height");
            }
        }
    }
    json_decref(groups);
    test_run_free(&run);
    free(path);
}

static void test_a_copy_leaves_what_is_known_of_the_content(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_expect_report(world, 1, 0, 0, 0, 0);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 1);
    test_world_expect_report(world, 1, 1, 0, 0, 0);
    test_world_move(world, "b.jpg", "c.jpg");
    test_world_expect_report(world, 0, 1, 1, 0, 0);
    long width, height;
    size_of(world, "a.jpg", &width, &height);
    assert_int_equal(width, 160);
    assert_int_equal(height, 120);
}

static void test_a_passing_failure_costs_nothing(void **state)
{
    const test_world *world = *state;
    char *disk = test_path(world->folder, "disk"), *away = test_path(world->folder, "away"), *target = test_path(disk, "p.jpg");
    char *link = test_world_path(world, "link.jpg");
    assert_int_equal(mkdir(disk, 0777), 0);
    test_picture_write(target, TEST_JPEG_420, 160, 120, 1);
    assert_int_equal(symlink(target, link), 0);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 2);
    test_world_expect_report(world, 2, 0, 0, 0, 0);
    assert_int_equal(rename(disk, away), 0); /* what the link leads to is absent now */
    test_world_expect_report(world, 0, 1, 0, 0, 1);
    assert_int_equal(rename(away, disk), 0);
    test_world_expect_report(world, 0, 2, 0, 0, 0);
    free(disk), free(away), free(target), free(link);
}

static void test_a_named_file_that_was_removed_is_gone(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 2);
    char *a = test_world_path(world, "a.jpg"), *b = test_world_path(world, "b.jpg");
    test_run run = test_world_expect(world, 0, "index", a, b, NULL);
    test_run_free(&run);
    test_world_remove(world, "a.jpg");
    run = test_world_expect(world, 0, "index", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 1);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), 0);
    json_decref(lines);
    test_run_free(&run);
    free(a), free(b);
}

static void test_patterns_are_relative_to_the_folder_they_were_given_for(void **state)
{
    const test_world *world = *state;
    make_folder(world, "sub");
    make_folder(world, "sub/raw");
    make_folder(world, "sub/private");
    test_world_picture(world, "sub/a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "sub/raw/b.jpg", TEST_JPEG_420, 2);
    test_world_picture(world, "sub/private/c.jpg", TEST_JPEG_420, 3);
    test_run run = test_world_expect(world, 0, "index", world->pictures, "-x", "/raw/", "-x", "sub/private", NULL);
    test_run_free(&run);
    char *sub = test_world_path(world, "sub");
    run = test_world_expect(world, 0, "index", "--json", sub, NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "unchanged"), 2);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 0);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 0);
    json_decref(lines);
    test_run_free(&run);
    free(sub);
}

static void test_a_mistake_leaves_nothing_behind(void **state)
{
    const test_world *world = *state;
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);
    test_run run = test_world_expect(world, 2, "index", "--model", "efficientnet-lite0@64", "/no/such/folder", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", "", NULL);
    assert_non_null(strstr(run.err.data, "empty"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "forget", "/no/such/folder", NULL);
    assert_non_null(strstr(run.err.data, "not in the library"));
    test_run_free(&run);
    /* What a shell makes of a variable that is not set is not the current folder. */
    assert_int_equal(chdir(world->pictures), 0);
    run = test_world_expect(world, 2, "forget", "", NULL);
    assert_int_equal(chdir(world->folder), 0);
    assert_non_null(strstr(run.err.data, "empty"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "status", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(json_object_get(json_array_get(lines, 0), "models")), 1);
    assert_int_equal(json_array_size(json_object_get(json_array_get(lines, 0), "folders")), 1);
    assert_int_equal(json_array_size(json_object_get(json_array_get(lines, 0), "forgotten")), 0);
    json_decref(lines);
    test_run_free(&run);
    test_world_expect_report(world, 0, 5, 0, 0, 0);
}

static void test_other_weights_are_an_error_not_a_wrong_answer(void **state)
{
    const test_world *world = *state;
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);
    char *config = test_path(world->models, "efficientnet-lite0/config.json");
    lens_buffer text = test_read(config);
    char *at = strstr(text.data, "\"crop_pct\": 1");
    assert_non_null(at);
    memcpy(at, "\"crop_pct\":0.9", 14);
    test_write(config, text.data, text.size);
    char *query = test_path(world->folder, "query.jpg");
    test_picture_write(query, TEST_JPEG_420, 160, 120, 2);
    test_run run = test_world_expect(world, 2, "search", query, NULL);
    assert_non_null(strstr(run.err.data, "have changed since this library was indexed"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", NULL);
    assert_non_null(strstr(run.err.data, "efficientnet-lite0"));
    test_run_free(&run);
    lens_buffer_free(&text);
    free(config), free(query);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_index_then_search),
        WORLD_TEST(test_changed_moved_copied_removed),
        WORLD_TEST(test_a_moved_picture_keeps_its_id),
        WORLD_TEST(test_two_same_files_that_move_at_once),
        WORLD_TEST(test_an_absent_folder_loses_nothing),
        WORLD_TEST(test_an_emptied_folder_is_empty),
        WORLD_TEST(test_a_folder_that_cannot_be_read_loses_nothing),
        WORLD_TEST(test_forgotten_stays_out_until_named),
        WORLD_TEST(test_search_in_indexes_first),
        WORLD_TEST(test_exclusions_are_kept),
        WORLD_TEST(test_options_for_what_lies_below_a_root),
        WORLD_TEST(test_a_hidden_folder_of_a_root_that_has_them),
        WORLD_TEST(test_a_copy_leaves_what_is_known_of_the_content),
        WORLD_TEST(test_a_passing_failure_costs_nothing),
        WORLD_TEST(test_a_named_file_that_was_removed_is_gone),
        WORLD_TEST(test_patterns_are_relative_to_the_folder_they_were_given_for),
        WORLD_TEST(test_a_mistake_leaves_nothing_behind),
        WORLD_TEST(test_other_weights_are_an_error_not_a_wrong_answer),
    };
    return store_place_run(tests);
}
