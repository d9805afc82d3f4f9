/* A library that is exchanged under a server: removed or moved away, and another one made or put at its place. From then on the server answers as one that was
 * begun with the other, and in between as one that was begun with none. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "memelens.h"
#include "serving.h"

enum { FIRST = 12, OTHER = 7, ROUNDS = 12 /* more than there are workers, mostly */, PATIENCE = 60 /* seconds */, STILL = 4 /* seconds, for what must not come */ };

/* What the two libraries answer otherwise, by the same numbers of pictures. */
static const char *const questions[] = {"/api/pictures/2/similar?n=5", "/api/pictures/2/similar?n=5&unhub=true", "/api/pictures/2", "/api/pictures/2/thumb",
                                        "/api/pictures/11", "/api/pictures/11/file", "/api/search?text=scene"};
enum { QUESTIONS = sizeof questions / sizeof *questions };
static const char *const watched[] = {"--watch", NULL};

typedef struct place {
    test_world *world;
    char *other; /* a folder with other pictures */
} place;

/* Pictures of one size, and from one second, so that nothing but what is in them tells them apart. */
static void add(const place *self, const char *folder, unsigned number, unsigned seed)
{
    char name[64], *path;
    snprintf(name, sizeof name, "../%s/%u.bmp", folder, number);
    test_world_picture(self->world, name, TEST_BMP, seed);
    path = test_world_path(self->world, name);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){{.tv_sec = 1700000000}, {.tv_sec = 1700000000}}, 0), 0);
    free(path);
}

static void index_folder(const place *self, const char *folder)
{
    test_run run = test_world_expect(self->world, 0, "index", "--model", "colour", folder, NULL);
    test_run_free(&run);
}

static int setup(void **state)
{
    place *self = calloc(1, sizeof *self);
    self->world = test_world_new();
    self->other = test_path(self->world->folder, "other");
    assert_int_equal(mkdir(self->other, 0755), 0);
    for (unsigned i = 0; i < FIRST; i++)
        add(self, "pictures", i, i);
    for (unsigned i = 0; i < OTHER; i++)
        add(self, "other", i, 100 + i);
    index_folder(self, self->world->pictures);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    place *self = *state;
    test_world_free(self->world);
    free(self->other);
    free(self);
    return 0;
}

/* ---- answers ---- */

/* The answer to GET PATH, its status before it, without how long it took. The caller frees. */
static char *answer_of(const test_serving *serving, const char *path)
{
    test_reply reply = test_serving_ask(serving, "GET", path, "", NULL, 0);
    lens_buffer out = {0};
    json_t *object = reply.body.data ? json_loadb(reply.body.data, reply.body.size, 0, NULL) : NULL;
    json_object_del(object, "seconds");
    char *text = object ? json_dumps(object, JSON_SORT_KEYS) : NULL;
    const lens_hash sum = lens_hash_of(reply.body.data ? reply.body.data : "", reply.body.size);
    char name[33];
    lens_hash_hex(&sum, sizeof sum.bytes, name);
    lens_buffer_print(&out, "%d %s", reply.status, text ? text : name);
    free(text);
    json_decref(object);
    test_reply_free(&reply);
    return out.data;
}

static bool answers_alike(const test_serving *one, const test_serving *other, const char *path)
{
    char *a = answer_of(one, path), *b = answer_of(other, path);
    const bool alike = strcmp(a, b) == 0;
    free(a);
    free(b);
    return alike;
}

/* A database is asked five times a second whether it is another, a folder at each request. */
static void wait_for_database(const test_serving *serving, const test_serving *fresh)
{
    const double end = lens_seconds() + PATIENCE;
    for (size_t i = 0; i < QUESTIONS && !store_place_is_folder(); i++)
        while (!answers_alike(serving, fresh, questions[i]) && lens_seconds() < end)
            lens_sleep(0.05);
}

/* Whoever of its workers answers, SERVING says what a server says that is begun now. */
static void expect_as_fresh(const place *self, const test_serving *serving)
{
    test_serving fresh = test_serving_start(self->world, NULL);
    wait_for_database(serving, &fresh);
    for (size_t i = 0; i < QUESTIONS * ROUNDS; i++) {
        char *a = answer_of(serving, questions[i % QUESTIONS]), *b = answer_of(&fresh, questions[i % QUESTIONS]);
        if (strcmp(a, b) != 0)
            fail_msg("%s: it says %s, and one that is begun now %s", questions[i % QUESTIONS], a, b);
        free(a);
        free(b);
    }
    test_serving_stop(&fresh);
}

/* There is none: what is asked says so. A database says it in other words to who has known the library. */
static void expect_none(const place *self, const test_serving *serving)
{
    static const char *const both[] = {"/api/pictures/2/similar?n=5", "/api/pictures/2"};
    if (store_place_is_folder())
        expect_as_fresh(self, serving);
    test_serving fresh = test_serving_start(self->world, NULL);
    for (size_t i = 0; i < 2 * ROUNDS; i++) {
        test_reply a = test_serving_ask(serving, "GET", both[i % 2], "", NULL, 0), b = test_serving_ask(&fresh, "GET", both[i % 2], "", NULL, 0);
        assert_int_equal(a.status, b.status);
        test_reply_free(&a);
        test_reply_free(&b);
    }
    test_serving_stop(&fresh);
}

static long known(const test_serving *serving)
{
    json_t *status = test_serving_json(serving, 200, "GET", "/api/status", "", NULL);
    const long count = test_json_integer(status, "pictures");
    json_decref(status);
    return count;
}

static void wait_until_known(const test_serving *serving, long wanted)
{
    for (const double end = lens_seconds() + PATIENCE; lens_seconds() < end && known(serving) != wanted;)
        lens_sleep(0.1);
    assert_int_equal(known(serving), wanted);
}

/* ---- exchanging ---- */

static void remove_library(const place *self)
{
    if (store_place_is_folder())
        test_folder_remove(strdup(self->world->library));
    else
        free(store_place_ask(self->world->library, "DROP SCHEMA memelens CASCADE"));
}

static void move_away(const place *self)
{
    store_place_exchange(self->world->library, "old", NULL);
}

static void exchange(void **state, void (*away)(const place *self))
{
    const place *self = *state;
    test_serving serving = test_serving_start(self->world, NULL);
    expect_as_fresh(self, &serving);
    away(self);
    expect_none(self, &serving);
    index_folder(self, self->other);
    expect_as_fresh(self, &serving);
    assert_int_equal(known(&serving), OTHER);
    test_serving_stop(&serving);
}

static void test_moved_away_and_made_anew(void **state)
{
    exchange(state, move_away);
}

static void test_removed_and_made_anew(void **state)
{
    exchange(state, remove_library);
}

/* There and back, with nothing asked while there is none. Databases are as far in counting what changes. */
static void test_exchanged_at_once(void **state)
{
    const place *self = *state;
    store_place_exchange(self->world->library, "first", NULL);
    index_folder(self, self->other);
    if (!store_place_is_folder())
        free(store_place_ask(self->world->library, "UPDATE memelens.library SET change = (SELECT change FROM first.library)"));
    test_serving serving = test_serving_start(self->world, NULL);
    expect_as_fresh(self, &serving);
    for (int i = 0; i < 3; i++) {
        store_place_exchange(self->world->library, i % 2 ? "first" : "second", i % 2 ? "second" : "first");
        assert_int_equal(known(&serving), i % 2 ? OTHER : FIRST);
        expect_as_fresh(self, &serving);
    }
    test_serving_stop(&serving);
}

enum { ASKING = 3, LONGEST = 300 /* seconds until each has had an answer */ };

/* Asks SERVING while libraries are exchanged under it. */
typedef struct asking {
    const test_serving *serving;
    const char *either[2]; /* the answers of the two */
    atomic_bool over;
    atomic_long answers;
    _Atomic(char *) wrong; /* the first that is none of the two, and says not that there was no library just then */
} asking;

static void *keep_asking(void *context)
{
    asking *self = context;
    while (!atomic_load(&self->over) && !atomic_load(&self->wrong)) {
        char *answer = answer_of(self->serving, questions[0]);
        const bool known = strcmp(answer, self->either[0]) == 0 || strcmp(answer, self->either[1]) == 0;
        atomic_fetch_add(&self->answers, known);
        if (!known && strncmp(answer, "503 ", 4) != 0 && !strstr(answer, "there is no library here"))
            atomic_store(&self->wrong, answer);
        else
            free(answer);
    }
    return NULL;
}

/* An answer is the one library's or the other's, whenever they are exchanged. */
static void test_never_mixed(void **state)
{
    enum { EXCHANGES = 200 };
    const place *self = *state;
    pthread_t threads[ASKING];
    asking asks[ASKING];
    char *either[2];
    store_place_exchange(self->world->library, "first", NULL);
    index_folder(self, self->other);
    test_serving serving = test_serving_start(self->world, NULL);
    for (int i = 0; i < 2; i++) {
        either[i] = answer_of(&serving, questions[0]);
        store_place_exchange(self->world->library, i ? "first" : "second", i ? "second" : "first");
    }
    assert_string_not_equal(either[0], either[1]);
    for (int i = 0; i < ASKING; i++) {
        asks[i] = (asking){.serving = &serving, .either = {either[0], either[1]}};
        assert_int_equal(pthread_create(&threads[i], NULL, keep_asking, &asks[i]), 0);
    }
    const double begun = lens_seconds();
    bool all = false, wrong = false;
    for (int i = 0; !wrong && (i < EXCHANGES || (!all && lens_seconds() - begun < LONGEST)); i++) {
        store_place_exchange(self->world->library, i % 2 ? "first" : "second", i % 2 ? "second" : "first");
        lens_sleep(0.01);
        all = true;
        for (int asked = 0; asked < ASKING; asked++) {
            all = all && atomic_load(&asks[asked].answers) > 0; /* many rightly find none there */
            wrong = wrong || atomic_load(&asks[asked].wrong);
        }
    }
    for (int i = 0; i < ASKING; i++)
        atomic_store(&asks[i].over, true);
    for (int i = 0; i < ASKING; i++) {
        pthread_join(threads[i], NULL);
        if (asks[i].wrong)
            fail_msg("neither of the two: %s", asks[i].wrong);
        assert_true(asks[i].answers > 0);
    }
    test_serving_stop(&serving);
    free(either[0]);
    free(either[1]);
}

/* ---- watching ---- */

/* An index run that nobody named anything for does nothing, and makes no library. */
static void expect_no_run(const place *self)
{
    lens_error error = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    lens_library *library = lens_library_open(self->world->library, &error);
    options.only_known = true;
    assert_non_null(library);
    assert_done(lens_index(library, &options, &report, &error), &error);
    assert_null(lens_status_get(library, &error));
    assert_int_equal(error.code, LENS_E_MISSING);
    lens_library_close(library);
}

/* A server that watches makes no library where nobody asked for one, and follows the folders of the new one, and those alone. */
static void watch(void **state, void (*away)(const place *self))
{
    const place *self = *state;
    test_serving serving = test_serving_start(self->world, watched);
    add(self, "pictures", FIRST, FIRST);
    wait_until_known(&serving, FIRST + 1);
    away(self);
    add(self, "pictures", FIRST + 1, FIRST + 1);
    lens_sleep(STILL);
    expect_no_run(self);
    expect_none(self, &serving);
    index_folder(self, self->other);
    wait_until_known(&serving, OTHER);
    lens_sleep(STILL); /* it has seen it */
    add(self, "pictures", FIRST + 2, FIRST + 2);
    add(self, "other", OTHER, 100 + OTHER);
    wait_until_known(&serving, OTHER + 1);
    expect_as_fresh(self, &serving);
    test_serving_stop(&serving);
    test_run run = test_world_expect(self->world, 0, "check", NULL);
    test_run_free(&run);
}

static void test_watched_and_moved(void **state)
{
    watch(state, move_away);
}

static void test_watched_and_removed(void **state)
{
    watch(state, remove_library);
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define ANYWHERE PLACE_TEST(test_moved_away_and_made_anew), PLACE_TEST(test_removed_and_made_anew), PLACE_TEST(test_exchanged_at_once), \
    PLACE_TEST(test_watched_and_moved), PLACE_TEST(test_watched_and_removed)
    const struct CMUnitTest folders[] = {ANYWHERE, PLACE_TEST(test_never_mixed)};
    const struct CMUnitTest databases[] = {ANYWHERE};
    return store_place_is_folder() ? store_place_run(folders) : store_place_run(databases);
}
