/* memelens fit on real photos with captions by people, when they and the real models are here. */
#include <dirent.h>
#include <unistd.h>

#include "world.h"

static test_world *captioned(void)
{
    test_need_model("efficientnet-lite0");
    test_need_model("all-minilm-l6-v2");
    char *photos = test_shared("photos"), *captions = test_shared("photos/captions.tsv"); /* or the test is skipped */
    test_world *world = test_world_new();
    char *model = test_real_model("efficientnet-lite0"), *sentences = test_real_model("all-minilm-l6-v2");
    /* Both in one folder, wherever they are. */
    char *first = test_path(world->folder, "real/efficientnet-lite0"), *second = test_path(world->folder, "real/all-minilm-l6-v2");
    char *real = test_path(world->folder, "real");
    lens_error err = {0};
    assert_done(lens_folder_make(real, &err), &err);
    assert_int_equal(symlink(model, first), 0);
    assert_int_equal(symlink(sentences, second), 0);
    free(world->models);
    world->models = real;
    test_run run = test_world_expect(world, 0, "index", "-q", "--captions", captions, photos, NULL);
    test_run_free(&run);
    free(model), free(sentences), free(first), free(second), free(photos), free(captions);
    return world;
}

/* The file in the library that fitting made. The caller frees. */
static char *fitted(const test_world *world)
{
    DIR *folder = opendir(world->library);
    char *path = NULL;
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (strncmp(entry->d_name, "words-", 6) == 0)
            path = test_path(world->library, "%s", entry->d_name);
    closedir(folder);
    return path;
}

static void test_a_fitted_map_answers_and_is_the_same_again(void **state)
{
    (void)state;
    test_world *world = captioned();
    test_run before = test_world_expect(world, 0, "search", "--by", "look", "-n3", "two dogs play", NULL);
    test_run run = test_world_expect(world, 0, "fit", "--anyway", "--json", NULL);
    json_t *report = json_loads(run.out.data, 0, NULL), *after = json_object_get(report, "after");
    assert_int_equal(test_json_integer(report, "pictures"), 500);
    assert_int_equal(test_json_integer(report, "sentences"), 2500);
    printf("measured: own picture among the first 10 of %ld: %.3f, the built-in map having seen them\n", test_json_integer(report, "gallery"),
           json_number_value(json_object_get(after, "r_at_10")));
    assert_true(json_number_value(json_object_get(after, "r_at_10")) > 0.8);
    json_decref(report);
    test_run_free(&run);
    test_run now = test_world_expect(world, 0, "search", "--by", "look", "-n3", "two dogs play", NULL);
    assert_string_not_equal(now.out.data, before.out.data);
    char *one = fitted(world), *other = test_path(world->folder, "other.map");
    assert_non_null(one);
    run = test_world_expect(world, 0, "fit", "--anyway", "-o", other, NULL);
    test_run_free(&run);
    lens_buffer first = test_read(one), second = test_read(other);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    /* A damaged one is passed by: the built-in one answers as before. */
    first.data[first.size / 2] ^= 1;
    test_write(other, first.data, first.size);
    assert_int_equal(rename(other, one), 0);
    run = test_world_expect(world, 0, "search", "--by", "look", "-n3", "two dogs play", NULL);
    assert_string_equal(run.out.data, before.out.data);
    test_run_free(&run);
    lens_buffer_free(&first);
    lens_buffer_free(&second);
    test_run_free(&before);
    test_run_free(&now);
    free(one), free(other);
    test_world_free(world);
}

static void test_without_captions_there_is_nothing_to_learn(void **state)
{
    (void)state;
    test_world *world = test_world_new();
    test_world_picture(world, "one.png", TEST_PNG, 1);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 2, "fit", NULL);
    assert_non_null(strstr(run.err.data, "0 pictures of this library have captions"));
    test_run_free(&run);
    test_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fitted_map_answers_and_is_the_same_again),
        cmocka_unit_test(test_without_captions_there_is_nothing_to_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
