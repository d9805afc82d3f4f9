/* A library that is moved away, or exchanged, under a pass that reads: what was read in its pictures is of no other, and no empty one is made where it was. */
#include <unistd.h>

#include "lettering.h"
#include "memelens.h"
#include "world.h"

enum { PICTURES = 192 /* with one thread some seconds: a pass first tells how it goes after a tenth of one, or later where it is held up */ };

/* Writes PICTURES pictures, "A" and two letters each, or "O" and two, and indexes them into a new library. */
static void fill(const test_world *world, char first)
{
    static const char letters[] = "ADEFHIKLMNORTW";
    for (unsigned i = 0; i < PICTURES; i++) {
        char name[32], text[] = {first, letters[i / 14], letters[i % 14], '\0'};
        snprintf(name, sizeof name, "%02u.png", i);
        char *path = test_world_path(world, name);
        test_letter_file(path, text);
        free(path);
    }
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    test_run_free(&run);
}

/* How many contents of the library at its place were read. */
static long count_read(const test_world *world)
{
    return test_world_status(world, "read");
}

/* What is done once, the first time that a pass tells how it goes. */
typedef struct moving {
    const test_world *world;
    const char *here; /* what is put there then; NULL: nothing */
    bool moved;
} moving;

static bool move(void *context, const lens_index_event *event)
{
    moving *self = context;
    if (event->kind == LENS_INDEX_PROGRESS && !self->moved) {
        self->moved = true;
        store_place_exchange(self->world->library, "first", self->here);
    }
    return true;
}

/* Reads the library, which is moved away meanwhile, and what lies at HERE put there. The code of the error. */
static lens_error_code read_moved(const test_world *world, const char *here, lens_error *error)
{
    moving self = {world, here, false};
    lens_read_report report;
    lens_read_options options = lens_read_options_default();
    lens_library *library = lens_library_open(world->library, error);
    assert_non_null(library);
    setenv("MEMELENS_MODELS", world->models, 1);
    options.languages = "eng";
    options.threads = 1;
    options.event = move;
    options.context = &self;
    const int result = lens_read(library, &options, &report, error);
    lens_library_close(library);
    assert_true(self.moved);
    return result == 0 ? LENS_E_NONE : error->code;
}

/* Numbers of contents are the same in both, and what is written in them is not. */
static void test_exchanged(void **state)
{
    const test_world *world = *state;
    lens_error error = {0};
    test_need_reader();
    fill(world, 'A');
    store_place_exchange(world->library, "other", NULL);
    fill(world, 'O');
    const lens_error_code code = read_moved(world, "other", &error);
    assert_int_equal(count_read(world), 0);
    assert_int_equal(code, LENS_E_AWAY);
    assert_says(&error, "another library was put here");
    /* That which the pass was about goes on where it ended. */
    store_place_exchange(world->library, "other", "first");
    test_run run = test_world_expect(world, 0, "ocr", "-q", NULL);
    test_run_free(&run);
    assert_int_equal(count_read(world), PICTURES);
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
}

static void test_moved_away(void **state)
{
    const test_world *world = *state;
    lens_error error = {0};
    test_need_reader();
    fill(world, 'A');
    const lens_error_code code = read_moved(world, NULL, &error);
    if (store_place_is_folder()) {
        assert_int_not_equal(access(world->library, F_OK), 0);
    } else {
        char *schemas = store_place_ask(world->library, "SELECT count(*) FROM pg_namespace WHERE nspname = 'memelens'");
        assert_string_equal(schemas, "0\n");
        free(schemas);
    }
    assert_int_equal(code, LENS_E_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exchanged, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_moved_away, test_world_setup, test_world_teardown),
    };
    return store_place_run(tests);
}
