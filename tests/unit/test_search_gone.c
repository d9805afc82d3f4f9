/* What is forgotten while a search is under way, between the vectors that it ranks and the page that it tells: the page is full all the same, of what stays. */
#include <dlfcn.h>
#include <string.h>
#include <turbojpeg.h>

#include "memelens.h"
#include "world.h"

enum { KEPT = 16, MOVING = 20 };

static struct {
    lens_library *library;
    char *folder; /* is forgotten out of it when the next JPEG is decoded; NULL: nothing is */
    int64_t removed;
} forgetting;

/* In the place of libjpeg-turbo's: the query is decoded when the vectors are known. */
int tjDecompress2(tjhandle handle, const unsigned char *bytes, unsigned long size, unsigned char *pixels, int width, int pitch, int height, int format, int flags)
{
    int (*real)(tjhandle, const unsigned char *, unsigned long, unsigned char *, int, int, int, int, int);
    void *address = dlsym(RTLD_NEXT, "tjDecompress2");
    memcpy(&real, &address, sizeof real);
    if (forgetting.folder) {
        lens_error error = {0};
        assert_done(lens_forget_path(forgetting.library, forgetting.folder, &forgetting.removed, &error), &error);
        forgetting.folder = NULL;
    }
    return real(handle, bytes, size, pixels, width, pitch, height, format, flags);
}

enum { QUERY = 50 }; /* its scene */

/* COUNT pictures FOLDER/00.jpg and so on, indexed: of as many scenes, or all of the query's, each of another size. */
static void add_pictures(const test_world *world, const char *folder, unsigned count, bool query)
{
    lens_error error = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    char *path = test_world_path(world, folder);
    assert_done(lens_folder_make(path, &error), &error);
    for (unsigned i = 0; i < count; i++) {
        char *picture = test_path(path, "%02u.jpg", i);
        test_picture_write(picture, TEST_JPEG_420, 160 + 4 * (int)i, 120 + 3 * (int)i, query ? QUERY : i);
        free(picture);
    }
    options.models = (const char *const[]){"colour"};
    options.model_count = 1;
    options.paths = (const char *const[]){path};
    options.path_count = 1;
    assert_done(lens_index(forgetting.library, &options, &report, &error), &error);
    free(path);
}

/* The query is nearest to those that go. What is found is what a search finds that begins when they are gone. */
static void search(const test_world *world, lens_library *library, bool unhub, bool fold, size_t offset)
{
    lens_error error = {0};
    char *moving = test_world_path(world, "moving"), *query = test_path(world->folder, "query.jpg");
    const lens_term term = {.kind = LENS_TERM_FILE, .text = query, .weight = 1};
    lens_search_options options = lens_search_options_default();
    options.n = KEPT;
    options.unhub = unhub;
    options.fold = fold;
    options.offset = offset;
    forgetting.folder = moving;
    forgetting.removed = 0;
    lens_results *results = lens_search(library, &term, 1, &options, &error);
    assert_done(results ? 0 : -1, &error);
    assert_null(forgetting.folder);
    assert_int_equal(forgetting.removed, MOVING);
    lens_library *later = lens_library_open(world->library, &error);
    lens_results *found = later ? lens_search(later, &term, 1, &options, &error) : NULL;
    assert_done(found ? 0 : -1, &error);
    assert_true(fold || found->count == (offset < KEPT ? KEPT - offset : 0)); /* these are much alike */
    assert_int_equal(results->count, found->count);
    assert_int_equal(results->compared, KEPT);
    assert_false(results->more);
    for (size_t i = 0; i < found->count; i++) {
        assert_string_equal(results->items[i].path, found->items[i].path);
        assert_true(results->items[i].score == found->items[i].score && results->items[i].stands_for == found->items[i].stands_for);
    }
    lens_results_free(found);
    lens_results_free(results);
    lens_library_close(later);
    free(moving), free(query);
}

/* WARM: on a view of them all that somebody else has made. */
static void search_while_they_go(bool warm, bool unhub, bool fold, size_t offset)
{
    test_world *world = test_world_new();
    lens_error error = {0};
    for (const char *const *variable = test_world_environment(world); *variable; variable++)
        putenv((char *)*variable);
    char *query = test_path(world->folder, "query.jpg");
    test_picture_write(query, TEST_JPEG_420, 320, 240, QUERY);
    free(query);
    forgetting.library = lens_library_open(world->library, &error);
    assert_done(forgetting.library ? 0 : -1, &error);
    add_pictures(world, "moving", MOVING, true);
    add_pictures(world, "kept", KEPT, false); /* behind them: all rows move */
    lens_warm *all = warm ? lens_warm_new(world->library, &error) : NULL;
    assert_done(all || !warm ? 0 : -1, &error);
    lens_library *library = all ? lens_library_open_warm(all, &error) : lens_library_open(world->library, &error);
    assert_done(library ? 0 : -1, &error);
    search(world, library, unhub, fold, offset);
    lens_library_close(library);
    lens_warm_free(all);
    lens_library_close(forgetting.library);
    test_world_free(world);
}

static void test_a_search(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++)
        search_while_they_go(false, way & 1, way & 2, 0);
    search_while_they_go(false, false, false, 3);
    search_while_they_go(false, false, false, MOVING); /* nothing of that page goes, but all of those before it */
}

static void test_a_search_of_a_warm_library(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++)
        search_while_they_go(true, way & 1, way & 2, 0);
    search_while_they_go(true, false, false, 3);
    search_while_they_go(true, false, false, MOVING); /* nothing of that page goes, but all of those before it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_search), cmocka_unit_test(test_a_search_of_a_warm_library)};
    return store_place_run(tests);
}
