/* Another process fits another map of words while a query is under way: the query keeps to the one that it began with, and what its words came to is not kept for
 * the other. */
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "encoders/word_map.h"
#include "library/word_bridge.h"
#include "memelens.h"
#include "world.h"

enum { PICTURES = 3, MOMENTS = 12 };
static const char sentences[] = "all-minilm-l6-v2";

static struct {
    char *path, *next; /* of the map, and of one that takes its place when it is looked at */
    int left;          /* looks until then; below 0 it has */
    lens_hash print;   /* of the model of pictures */
} map = {.left = -1};

int stat(const char *restrict path, struct stat *restrict info)
{
    int (*real)(const char *restrict, struct stat *restrict);
    void *address = dlsym(RTLD_NEXT, "stat");
    memcpy(&real, &address, sizeof real);
    if (map.path && strcmp(path, map.path) == 0 && map.left >= 0 && map.left-- == 0)
        assert_int_equal(rename(map.next, map.path), 0);
    return real(path, info);
}

/* Writes the built-in map to PATH, as one for the library's model, or one that leads to the opposite. */
static void put_map(const char *path, bool opposite)
{
    lens_error err = {0};
    lens_word_map *built_in = lens_word_map_built_in(&err);
    assert_done(built_in ? 0 : -1, &err);
    built_in->about.pictures_print = map.print;
    for (int i = 0; opposite && i < built_in->words * built_in->dim; i++)
        built_in->rows[i] = (int8_t)-built_in->rows[i];
    assert_done(lens_word_map_write(built_in, path, &err), &err);
    lens_word_map_free(built_in);
}

/* What two words find by their look, best first. */
static void search(lens_library *library, double scores[PICTURES])
{
    lens_error err = {0};
    const lens_term terms[] = {{.kind = LENS_TERM_WORDS, .text = "a mountain", .weight = 1}, {.kind = LENS_TERM_WORDS, .text = "water", .weight = 1}};
    lens_search_options options = lens_search_options_default();
    options.by = LENS_BY_LOOK;
    lens_results *results = lens_search(library, terms, 2, &options, &err);
    assert_done(results ? 0 : -1, &err);
    assert_int_equal(results->count, PICTURES);
    for (size_t i = 0; i < PICTURES; i++)
        scores[i] = results->items[i].score;
    lens_results_free(results);
}

/* The map of WORLD's library, which is made. */
static char *make_library(const test_world *world)
{
    lens_error err = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.paths = (const char *const[]){world->pictures};
    options.path_count = 1;
    for (unsigned i = 0; i < PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u.jpg", i);
        test_world_picture(world, name, TEST_JPEG_420, i);
    }
    lens_library *library = lens_library_open(world->library, &err);
    assert_done(library ? lens_index(library, &options, &report, &err) : -1, &err);
    lens_library_close(library);
    lens_store *store = lens_store_open(world->library, LENS_STORE_READ, 0, &err);
    lens_store_models models = {0};
    assert_done(store ? lens_store_models_list(store, &models, &err) : -1, &err);
    char *path = lens_word_bridge_path(world->library, &models.items[0]);
    map.print = models.items[0].fingerprint;
    lens_store_models_free(&models);
    lens_store_close(store);
    return path;
}

static void test_a_map_is_fitted_meanwhile(void **state)
{
    (void)state;
    test_need_model(sentences);
    test_world *world = test_world_new();
    for (const char *const *variable = test_world_environment(world); *variable; variable++)
        putenv((char *)*variable);
    lens_error err = {0};
    char *from = test_real_model(sentences), *to = test_path(world->models, "%s", sentences);
    assert_int_equal(symlink(from, to), 0);
    char *path = make_library(world), *next = test_path(world->folder, "next.map");
    double before[PICTURES], after[PICTURES], now[PICTURES];
    lens_library *fresh = lens_library_open(world->library, &err);
    put_map(path, false);
    search(fresh, before);
    put_map(path, true);
    search(fresh, after);
    assert_memory_not_equal(before, after, sizeof before);
    lens_library_close(fresh);
    map.path = path, map.next = next;
    bool acted = true;
    for (int moment = 0; acted && moment < MOMENTS; moment++) {
        put_map(path, false);
        put_map(next, true);
        lens_warm *warm = lens_warm_new(world->library, &err);
        lens_library *library = warm ? lens_library_open_warm(warm, &err) : NULL;
        assert_done(library ? 0 : -1, &err);
        map.left = moment;
        search(library, now);
        acted = map.left < 0;
        map.left = -1;
        if (memcmp(now, before, sizeof now) != 0 && memcmp(now, after, sizeof now) != 0)
            fail_msg("another map at moment %d: some of each", moment);
        search(library, now);
        if (memcmp(now, acted ? after : before, sizeof now) != 0)
            fail_msg("another map at moment %d: what words came to was kept for the wrong one", moment);
        lens_library_close(library);
        lens_warm_free(warm);
    }
    assert_false(acted);
    map.path = NULL;
    free(path), free(next), free(from), free(to);
    test_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_map_is_fitted_meanwhile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
