/* What a newer release wrote is refused in one line that says so, and left as it is to the last byte; what it had only worked out for speed is made anew. */
#include <unistd.h>

#include "base/hash.h"
#include "base/packed.h"
#include "encoders/word_map.h"
#include "kept.h"
#include "store/folder/internal.h"
#include "store/postgres/internal.h"

/* The release of today's library. */
static test_world *world_of_today(void)
{
    json_t *names = test_kept_libraries();
    const char *name = NULL;
    for (size_t i = 0; i < json_array_size(names); i++)
        if (strncmp(json_string_value(json_array_get(names, i)), LENS_VERSION ".", strlen(LENS_VERSION ".")) == 0)
            name = json_string_value(json_array_get(names, i));
    assert_non_null(name);
    test_world *world = test_kept_world(name);
    json_decref(names);
    return world;
}

/* Each row of TABLE, and which transaction wrote it. */
#define ROWS(table) "SELECT '" table "', count(*), md5(string_agg(t.xmin || ' ' || t, ' ' ORDER BY t.ctid)) FROM memelens." table " t UNION ALL "
/* All that can be seen of the library: of a folder each name, size, bytes and when any of that was changed; of a database each row. The caller frees. */
static char *sight_of(const test_world *world)
{
    if (!store_place_is_folder())
        return store_place_ask(world->library, ROWS("library") ROWS("rule") ROWS("model") ROWS("content") ROWS("picture") ROWS("source") ROWS("text") ROWS("word") ROWS("worker")
                                                   ROWS("work") ROWS("vector_1") ROWS("vector_2") "SELECT 'relations', count(*), '' FROM pg_class");
    char command[4200];
    snprintf(command, sizeof command, "cd '%s' && find . -printf '%%p %%s %%T@ %%C@\\n' | sort && find . -type f -exec md5sum {} + | sort", world->library);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    assert_int_equal(run.status, 0);
    lens_buffer_free(&run.err);
    return run.out.data;
}

static void expect_unchanged(const test_world *world, const char *before, const char *what)
{
    char *after = sight_of(world);
    if (strcmp(before, after) != 0)
        fail_msg("%s: before\n%safter\n%s", what, before, after);
    free(after);
}

static size_t lines_in(const char *text)
{
    size_t count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

enum { WORDS_MOST = 8 };

/* The program, asked ARGUMENTS, exits with 2 after one line that holds SAYS and a hint what to do, and changes nothing. */
static void expect_refused(const test_world *world, const char *const *arguments, const char *says)
{
    const char *argv[WORDS_MOST + 2] = {test_program()};
    for (size_t i = 0; i < WORDS_MOST && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    char *before = sight_of(world);
    test_run run = test_run_program(argv, test_world_environment(world), NULL);
    if (run.status != 2 || lines_in(run.err.data) != 1 || !strstr(run.err.data, says) || !strstr(run.err.data, "use a newer one") || run.out.size)
        fail_msg("%s %s: exit %d: %s%s", argv[1], argv[2] ? argv[2] : "", run.status, run.out.data, run.err.data);
    expect_unchanged(world, before, argv[1]);
    test_run_free(&run);
    free(before);
}

/* Every command that opens a library refuses it. */
static void expect_all_refused(const test_world *world, const char *says)
{
    char *picture = test_world_path(world, "00.png"), *other = test_path(world->folder, "other"), *empty = test_path(world->folder, "empty");
    const char *own[] = {test_program(), "--library", other, "index", "-q", "--model", "colour", world->pictures, NULL};
    test_run run = test_run_program(own, test_world_environment(world), NULL);
    assert_int_equal(run.status, 0);
    test_run_free(&run);
    const char *const commands[][WORDS_MOST] = {
        {"status"}, {"status", "--json"}, {"status", "--failed"}, {"status", "--texts"}, {"check"}, {"check", "--recall"}, {"check", "--same-as", other},
        {"search", picture, "--model", "colour"}, {"search", "jogging"}, {"search", picture, "--in", world->pictures}, {"similar", picture}, {"duplicates"},
        {"explain", picture, "id:1"}, {"index", world->pictures}, {"index"}, {"index", "--approximate"}, {"ocr"}, {"fit"}, {"forget", picture}, {"forget", "--all"},
        {"forget", "--model", "colour"}, {"copy", world->library, empty}, {"copy", other, world->library}, {"copy", "--update", other, world->library},
        {"serve", "--listen", "127.0.0.1:0"}, {"serve", "--watch", "--listen", "127.0.0.1:0"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_refused(world, commands[i], says);
    free(picture);
    free(other);
    free(empty);
}

/* Makes the library one of VERSION. */
static void set_version(const test_world *world, int version)
{
    char lite[120], postgres[80];
    snprintf(lite, sizeof lite, "PRAGMA user_version = %d; PRAGMA wal_checkpoint(TRUNCATE)", version);
    snprintf(postgres, sizeof postgres, "UPDATE memelens.library SET version = %d", version);
    free(test_kept_ask(world, lite, postgres));
}

static void test_a_newer_library_is_refused(void **state)
{
    (void)state;
    test_world *world = world_of_today();
    const int version = store_place_is_folder() ? LENS_SCHEMA_VERSION : LENS_PG_SCHEMA;
    char says[120];
    snprintf(says, sizeof says, "a library of version %d, and this memelens knows up to version %d", version + 1, version);
    set_version(world, version + 1);
    expect_all_refused(world, says);
    set_version(world, version);
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    test_kept_answers(world);
    test_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_newer_library_is_refused),
    };
    return store_place_run(tests);
}
