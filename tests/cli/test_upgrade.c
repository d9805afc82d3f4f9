/* A library and models that another release wrote: older ones open and go on, a newer one is refused in a line and left as it is. What is kept of each release
 * is in tests/kept. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/packed.h"
#include "encoders/word_map.h"
#include "kept.h"
#include "memelens.h"
#include "store/folder/internal.h"
#include "store/postgres/internal.h"

/* Does TRY to each library that is kept for this store, in a world of its own. */
static void each_library(void (*try)(const test_world *world, const char *name, void *context), void *context)
{
    json_t *names = test_kept_libraries();
    assert_true(json_array_size(names) > 0);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        test_world *world = test_kept_world(name);
        printf("%s\n", name);
        fflush(stdout);
        try(world, name, context);
        test_world_free(world);
    }
    json_decref(names);
}

static const char schema_folder[] =
    "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name";
static const char schema_postgres[] =
    "SELECT line FROM (SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable"
    " || ' ' || coalesce(column_default, '') || ' ' || coalesce(generation_expression, '')"
    " FROM information_schema.columns WHERE table_schema = 'memelens' AND table_name NOT LIKE 'vector%'"
    " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'memelens' AND tablename NOT LIKE 'vector%'"
    " UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'memelens'::regnamespace"
    " UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
    " WHERE relnamespace = 'memelens'::regnamespace AND relname NOT LIKE 'vector%' AND NOT tgisinternal"
    " UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'memelens'::regnamespace"
    " AND conrelid::regclass::text NOT LIKE '%vector%') AS t (line) ORDER BY line COLLATE \"C\"";

/* ---- what is kept ------------------------------------------------------------------------------------------------ */

static long version_of(const test_world *world)
{
    char *said = test_kept_ask(world, "PRAGMA user_version", "SELECT version FROM memelens.library");
    const long version = strtol(said, NULL, 10);
    free(said);
    return version;
}

/* The little-endian number at AT in the file NAME of FOLDER. */
static uint32_t number_in(const char *folder, const char *name, size_t at)
{
    char *path = test_path(folder, "%s", name);
    lens_buffer bytes = test_read(path);
    uint32_t number;
    assert_true(bytes.size >= at + sizeof number);
    memcpy(&number, bytes.data + at, sizeof number);
    lens_buffer_free(&bytes);
    free(path);
    return number;
}

static void expect_each(const char *what, const bool *there, int last)
{
    for (int version = 1; version <= last; version++)
        if (!there[version])
            fail_msg("nothing in tests/kept has version %d of %s: `make kept`, and tests/kept/README.md", version, what);
}

typedef struct seen {
    bool schemas[LENS_SCHEMA_VERSION + LENS_PG_SCHEMA + 1], vectors[LENS_VECTOR_FORMAT + 1], packed[LENS_PACKED_FORMAT + 1], maps[LENS_WORD_MAP_FORMAT + 1];
    bool release;
} seen;

static int schema_of_today(void)
{
    return store_place_is_folder() ? LENS_SCHEMA_VERSION : LENS_PG_SCHEMA;
}

static void see(const test_world *world, const char *name, void *context)
{
    seen *all = context;
    const long schema = version_of(world);
    const uint32_t packed = number_in(world->models, "packed.bin", 8), map = number_in(world->models, "words.map", 8);
    const uint32_t vectors = store_place_is_folder() ? number_in(world->library, "colour-1.vectors", 8) : LENS_VECTOR_FORMAT;
    assert_in_range(schema, 1, schema_of_today());
    assert_true(vectors <= LENS_VECTOR_FORMAT && packed <= LENS_PACKED_FORMAT && map <= LENS_WORD_MAP_FORMAT);
    all->schemas[schema] = all->vectors[vectors] = all->packed[packed] = all->maps[map] = true;
    all->release |= strncmp(name, LENS_VERSION ".", strlen(LENS_VERSION ".")) == 0;
}

/* Whoever raises a version, or makes a release, has to keep what the one before wrote: today's is kept too, so that the next one finds it. */
static void test_something_of_every_version_is_kept(void **state)
{
    (void)state;
    seen all = {0};
    each_library(see, &all);
    expect_each("a library's schema", all.schemas, schema_of_today());
    expect_each("vector files", all.vectors, LENS_VECTOR_FORMAT);
    expect_each("packed files", all.packed, LENS_PACKED_FORMAT);
    expect_each("maps of words", all.maps, LENS_WORD_MAP_FORMAT);
    if (!all.release)
        fail_msg("nothing in tests/kept was written by " LENS_VERSION ": `make kept`, and tests/kept/README.md");
}

/* ---- older ones -------------------------------------------------------------------------------------------------- */

static void expect_clean(const test_world *world)
{
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
}

/* Brings the library up to date: INDEXED pictures are encoded, and all others are as they were. */
static void expect_indexed(const test_world *world, long indexed)
{
    test_run run = test_world_expect(world, 0, "index", "--json", "--precision", "f32", NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *report = json_array_get(lines, 0);
    assert_int_equal(test_json_integer(report, "indexed"), indexed);
    assert_int_equal(test_json_integer(report, "unchanged"), 12); /* a broken one is none */
    assert_int_equal(test_json_integer(report, "moved") + test_json_integer(report, "removed"), 0);
    json_decref(lines);
    test_run_free(&run);
}

static void read_as_it_lies(const test_world *world, const char *name, void *context)
{
    (void)name, (void)context;
    const long version = version_of(world);
    expect_clean(world);
    test_kept_answers(world);
    assert_int_equal(version_of(world), version); /* who only reads raises nothing */
}

static void test_it_is_read_as_it_lies(void **state)
{
    (void)state;
    each_library(read_as_it_lies, NULL);
}

static void go_on(const test_world *world, const char *name, void *context)
{
    (void)name, (void)context;
    expect_indexed(world, 0);
    assert_int_equal(version_of(world), schema_of_today());
    expect_clean(world);
    test_kept_answers(world);
    test_run run = test_world_expect(world, 0, "search", "simply walk", "--by", "text", "--paths", NULL);
    assert_non_null(strstr(run.out.data, "/02.png\n")); /* also where there were no words yet */
    test_run_free(&run);

    char *new = test_world_path(world, "new.png");
    test_world_picture(world, "new.png", TEST_PNG, 99);
    expect_indexed(world, 1);
    run = test_world_expect(world, 0, "search", new, "--model", "tiny-clip", "--paths", "-n", "1", NULL);
    assert_non_null(strstr(run.out.data, "/new.png\n"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "forget", new, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "index", "--approximate", "--precision", "f32", NULL);
    test_run_free(&run);
    expect_clean(world);
    test_kept_answers_but(world, "status"); /* which counts what was left out */
    free(new);
}

static void test_it_goes_on(void **state)
{
    (void)state;
    each_library(go_on, NULL);
}

static void compare_schema(const test_world *world, const char *name, void *context)
{
    expect_indexed(world, 0);
    char *schema = test_kept_ask(world, schema_folder, schema_postgres);
    if (strcmp(schema, context) != 0)
        fail_msg("%s: a step of the schema was changed: raised, it is\n%s\nand a new one\n%s", name, schema, (const char *)context);
    free(schema);
}

/* So that no step of the schema is changed after a release has gone it. */
static void test_a_raised_schema_is_that_of_a_new_library(void **state)
{
    (void)state;
    test_world *fresh = test_world_of_scenes(1);
    char *expected = test_kept_ask(fresh, schema_folder, schema_postgres);
    assert_true(strlen(expected) > 2000);
    each_library(compare_schema, expected);
    free(expected);
    test_world_free(fresh);
}

static void copy_it(const test_world *world, const char *name, void *context)
{
    (void)name, (void)context;
    char *copy = test_path(world->folder, "copy");
    test_run run = test_world_expect(world, 0, "copy", world->library, copy, NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "check", "--same-as", copy, NULL);
    test_run_free(&run);
    free(copy);
}

static void test_it_is_copied(void **state)
{
    (void)state;
    each_library(copy_it, NULL);
}

/* ---- a raise that is cut off ------------------------------------------------------------------------------------- */

static char *tables_of(const test_world *world)
{
    return test_kept_ask(world, "SELECT type || ' ' || name FROM sqlite_schema ORDER BY 1", "");
}

/* Raises the library in a process that the system kills when it writes beyond KILOBYTES into any file: the program itself would not let it. Whether it was
 * killed. */
static bool raise_and_kill(const test_world *world, int kilobytes)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (const char *const *entry = test_world_environment(world); *entry; entry++)
            putenv((char *)*entry);
        lens_error err = {0};
        lens_index_options options = lens_index_options_default();
        lens_index_report report;
        options.precision = "f32";
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)kilobytes << 10, (rlim_t)kilobytes << 10});
        lens_library *library = lens_library_open(world->library, &err);
        const bool raised = library && lens_index(library, &options, &report, &err) == 0;
        if (!raised)
            fprintf(stderr, "%d kB: %s\n", kilobytes, err.message);
        _exit(raised ? 0 : 2);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ;
    assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return killed;
}

/* Killed at each page that it writes, into the log or out of it, it is of the old version or of today's, whole, and the next run goes on. */
static void kill_at_each_page(const test_world *first, const char *name, void *context)
{
    int *at_work = context, kills = 0;
    const long version = version_of(first);
    if (version == LENS_SCHEMA_VERSION)
        return;
    char *old = tables_of(first);
    for (int kilobytes = 0;; kilobytes += 4) {
        test_world *world = test_kept_world(name);
        const bool killed = raise_and_kill(world, kilobytes);
        test_run run = test_world_expect(world, 0, "status", "--json", NULL); /* also what the log holds is read */
        test_run_free(&run);
        char *log = test_path(world->library, "library.db-wal");
        lens_buffer bytes = test_read(log);
        const long now = version_of(world);
        char *tables = tables_of(world);
        kills += killed;
        *at_work += killed && now == version && bytes.size > 4096;
        if (now == version)
            assert_string_equal(tables, old);
        else
            assert_int_equal(now, LENS_SCHEMA_VERSION);
        expect_clean(world);
        expect_indexed(world, 0);
        expect_clean(world);
        assert_int_equal(version_of(world), LENS_SCHEMA_VERSION);
        lens_buffer_free(&bytes);
        free(log);
        free(tables);
        test_world_free(world);
        if (!killed)
            break;
    }
    printf("measured: %s: %d kills, %d of them with a part of the raise in the log\n", name, kills, *at_work);
    free(old);
}

static void test_a_killed_raise_is_none(void **state)
{
    (void)state;
    int at_work = 0;
    if (!store_place_is_folder())
        skip(); /* there it is one transaction of the server's */
    each_library(kill_at_each_page, &at_work);
    assert_true(at_work > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_something_of_every_version_is_kept),
        cmocka_unit_test(test_it_is_read_as_it_lies),
        cmocka_unit_test(test_it_goes_on),
        cmocka_unit_test(test_a_raised_schema_is_that_of_a_new_library),
        cmocka_unit_test(test_it_is_copied),
        cmocka_unit_test(test_a_killed_raise_is_none),
    };
    return store_place_run(tests);
}
