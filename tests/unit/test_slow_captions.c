/* Captions on a disk that takes its time, of a library in a database: nobody else waits for that disk. */
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "library/index_captions.h"
#include "silent_share.h"
#include "support_texts.h"

enum { FILES = 3 };
static const double patience = 60; /* seconds until what has to come counts as not coming */
static const char *const said[FILES] = {"first", "", "third"}; /* Google Takeout's say nothing as a rule */

typedef struct scene {
    texts_fixture *library;
    char *source, *at; /* what is shared, and where */
    test_share *share;
} scene;

static int setup(void **state)
{
    static scene self;
    void *library = NULL;
    self = (scene){0};
    if (texts_setup(&library) != 0)
        return -1;
    self.library = library;
    self.source = test_folder_new();
    self.at = test_folder_new();
    *state = &self;
    return 0;
}

static int teardown(void **state)
{
    scene *self = *state;
    void *library = self->library;
    test_share_unmount(self->share);
    test_folder_remove(self->source);
    test_folder_remove(self->at);
    return texts_teardown(&library);
}

typedef struct reading {
    lens_run run;
    lens_index_options options;
    int result;
    int64_t changed;
    lens_error err;
} reading;

static void *read_captions(void *context)
{
    reading *self = context;
    self->result = lens_run_captions(&self->run, true, &self->changed, &self->err);
    return NULL;
}

/* What an index run does about the captions beside pictures in the folder AT, by the process that has STORE. */
static void begin_reading(reading *self, lens_store *store, const char *at)
{
    *self = (reading){.options = lens_index_options_default(), .run = {.store = store}};
    self->run.options = &self->options;
    for (int i = 0; i < FILES; i++) {
        char *path = test_path(at, "%d.txt", i + 1);
        assert_int_equal(lens_run_sidecar(&self->run, &(lens_walk_file){.path = path, .size = (int64_t)strlen(said[i]), .mtime_ns = 1}), 0);
        free(path);
    }
}

/* How many have their turn to write in the database at PLACE now. */
static long turns(const char *place)
{
    char *answer = store_place_ask(place, "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                                          " WHERE datname = current_database() AND locktype = 'advisory' AND granted");
    const long count = strtol(answer, NULL, 10);
    free(answer);
    return count;
}

/* While a file gives no answer, others write: a server ends a turn in which nothing is asked of it for half a minute, and a disk may take a whole one. */
static void test_nobody_waits_for_a_slow_disk(void **state)
{
    scene *self = *state;
    texts_fixture *f = self->library;
    for (int i = 0; i < FILES; i++) {
        char *path = test_path(self->source, "%d.txt", i + 1), *picture = test_path(self->at, "%d.jpg", i + 1);
        test_write(path, said[i], strlen(said[i]));
        texts_picture(f, picture, (uint64_t)i + 1);
        free(picture), free(path);
    }
    self->share = test_share_mount(self->at, self->source);
    test_share_silence(self->share, TEST_SILENT_READ);
    reading captions;
    pthread_t reader;
    begin_reading(&captions, f->store, self->at);
    assert_int_equal(pthread_create(&reader, NULL, read_captions, &captions), 0);
    const double end = lens_seconds() + patience;
    while (test_share_waiting(self->share) == 0 && lens_seconds() < end)
        lens_sleep(0.01);
    const int waiting = test_share_waiting(self->share);
    const long held = turns(f->place);
    test_share_silence(self->share, TEST_SILENT_NEVER);
    pthread_join(reader, NULL);
    lens_run_sidecars_free(&captions.run);
    assert_true(waiting > 0);
    assert_int_equal(held, 0);
    assert_done(captions.result, &captions.err);
    assert_int_equal(captions.changed, 2);
    texts_expect(f, "first", "first;");
    texts_expect(f, "third", "third;");
    texts_sound(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_nobody_waits_for_a_slow_disk, setup, teardown)};
    return store_place_run_server(tests);
}
