#include "kept.h"

#include <dirent.h>
#include <math.h>
#include <sqlite3.h>

static char *kept_path(const char *name)
{
    const char *source = getenv("MEMELENS_SOURCE");
    return test_path(source && *source ? source : ".", "tests/kept/%s", name);
}

static void unpack(const char *name, const char *folder)
{
    char *archive = kept_path(name);
    const char *argv[] = {"/usr/bin/env", "tar", "-C", folder, "-xzf", archive, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    if (run.status != 0)
        fail_msg("%s: %s", archive, run.err.data);
    test_run_free(&run);
    free(archive);
}

json_t *test_kept_list(const char *kind)
{
    char *folder = kept_path(""), ending[64];
    snprintf(ending, sizeof ending, ".%s.tar.gz", kind);
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, alphasort);
    assert_true(count > 0);
    json_t *names = json_array();
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name, *end = strstr(name, ending);
        if (end && !end[strlen(ending)])
            json_array_append_new(names, json_string(name));
        free(entries[i]);
    }
    free(entries);
    free(folder);
    return names;
}

json_t *test_kept_libraries(void)
{
    return test_kept_list(store_place_is_folder() ? "folder" : "postgres");
}

/* The words behind NAME and a tab on a line of the library's answers. The caller frees. */
static char *noted(const char *answers, const char *name)
{
    const char *at = strstr(answers, name);
    assert_non_null(at);
    at += strlen(name) + 1;
    return strndup(at, strcspn(at, "\n"));
}

static lens_buffer answers_of(const test_world *world)
{
    char *path = test_path(world->folder, "answers");
    lens_buffer text = test_read(path);
    assert_int_equal(lens_buffer_append(&text, "", 1), 0);
    free(path);
    return text;
}

char *test_kept_models(const char *name)
{
    char *folder = test_folder_new();
    unpack(name, folder);
    return folder;
}

/* The rows of STATEMENT to OUT. */
static void rows_of(sqlite3 *db, sqlite3_stmt *statement, lens_buffer *out)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        lens_buffer_print(out, "%s\n", text ? text : "");
    }
    if (code != SQLITE_DONE)
        fail_msg("%s", sqlite3_errmsg(db));
}

char *test_kept_ask(const test_world *world, const char *folder_sql, const char *postgres_sql)
{
    if (!store_place_is_folder())
        return store_place_ask(world->library, postgres_sql);
    char *path = test_path(world->library, "library.db");
    sqlite3 *db;
    int keep = 1;
    lens_buffer out = {0};
    assert_int_equal(lens_buffer_append(&out, "", 0), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep), SQLITE_OK); /* as memelens leaves it */
    for (const char *at = folder_sql; *at;) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(db, at, -1, &statement, &at) != SQLITE_OK)
            fail_msg("%s: %s", at, sqlite3_errmsg(db));
        if (statement)
            rows_of(db, statement, &out);
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
    free(path);
    return out.data;
}

/* Every path of the library that begins with FROM begins with the world's folder. */
static void move_here(const test_world *world, const char *from)
{
    static const char *const tables[] = {"picture", "rule", "source"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char lite[600], postgres[600];
        const size_t n = strlen(from) + 1;
        snprintf(lite, sizeof lite, "UPDATE %s SET path = CAST('%s' || substr(CAST(path AS TEXT), %zu) AS BLOB)"
                 " WHERE substr(CAST(path AS TEXT), 1, %zu) = '%s/'",
                 tables[i], world->folder, n, n, from);
        snprintf(postgres, sizeof postgres, "UPDATE memelens.%s SET path = '%s'::bytea || substr(path, %zu)"
                 " WHERE substr(path, 1, %zu) = '%s/'::bytea", tables[i],
                 world->folder, n, n, from);
        if (i < 2 || !store_place_is_folder()) {
            free(test_kept_ask(world, lite, postgres));
            continue;
        }
        char *there = test_kept_ask(world, "SELECT 1 FROM sqlite_schema WHERE name = 'source'", ""); /* an older library has no words */
        if (*there)
            free(test_kept_ask(world, lite, ""));
        free(there);
    }
}

test_world *test_kept_world(const char *name)
{
    test_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->folder = test_folder_new();
    unpack(name, world->folder);
    world->pictures = test_path(world->folder, "pictures");
    world->models = test_path(world->folder, "models");
    lens_buffer answers = answers_of(world);
    char *models = noted(answers.data, "models"), *place = noted(answers.data, "place");
    unpack(models, world->folder);
    if (store_place_is_folder()) {
        world->library = test_path(world->folder, "library");
    } else {
        char *dump = test_path(world->folder, "library.sql");
        world->library = store_place("kept");
        store_place_restore(world->library, dump);
        free(dump);
    }
    move_here(world, place);
    free(models);
    free(place);
    lens_buffer_free(&answers);
    return world;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* The numbers of a status that a release counted are what is counted today; sizes may differ. */
static void expect_counts(const char *then, size_t length, const char *now)
{
    static const char *const counted[] = {"pictures", "failed", "captions", "read", "with_text"};
    json_t *old = json_loadb(then, length, 0, NULL), *new = json_loads(now, 0, NULL);
    assert_true(old && new);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        if (json_object_get(old, counted[i]) && test_json_integer(old, counted[i]) != test_json_integer(new, counted[i]))
            fail_msg("%s: %ld then, and %ld now", counted[i], test_json_integer(old, counted[i]), test_json_integer(new, counted[i]));
    const json_t *models = json_object_get(old, "models"), *here = json_object_get(new, "models");
    assert_int_equal(json_array_size(models), json_array_size(here));
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *a = json_array_get(models, i), *b = json_array_get(here, i);
        assert_true(json_equal(json_object_get(a, "model"), json_object_get(b, "model")));
        assert_true(json_equal(json_object_get(a, "dim"), json_object_get(b, "dim")));
        assert_true(json_equal(json_object_get(a, "vectors"), json_object_get(b, "vectors")));
    }
    assert_int_equal(json_array_size(json_object_get(old, "forgotten")), json_array_size(json_object_get(new, "forgotten")));
    json_decref(old);
    json_decref(new);
}

/* The numbers that two lines begin with are the same but for the rounding of their last digit, and all behind them is the same. */
static bool same_line(const char *then, size_t then_length, const char *now, size_t now_length)
{
    if (then_length == now_length && memcmp(then, now, now_length) == 0)
        return true;
    const size_t a = strcspn(then, "\t\n"), b = strcspn(now, "\t\n");
    char *end, *other;
    const double x = strtod(then, &end), y = strtod(now, &other);
    return end == then + a && other == now + b && fabs(x - y) < 0.00011 && then_length - a == now_length - b && memcmp(then + a, now + b, now_length - b) == 0;
}

static void expect_lines(const char *asked, size_t asked_length, const char *then, size_t length, const char *now)
{
    const char *const whole = now;
    for (const char *end = then + length; then < end || *now;) {
        const size_t a = then < end ? strcspn(then, "\n") : 0, b = strcspn(now, "\n");
        if (then == end || !*now || !same_line(then, a, now, b))
            fail_msg("%.*s: then\n%.*s\nand now\n%s", (int)asked_length, asked, (int)(end - then), then, whole);
        then += a + 1;
        now += b + (now[b] != '\0');
    }
}

/* TEXT with every PLACE in it made the world's folder. The caller frees. */
static char *with_here(const char *text, const char *place, const char *here)
{
    lens_buffer out = {0};
    for (const char *at; (at = strstr(text, place)); text = at + strlen(place))
        lens_buffer_print(&out, "%.*s%s", (int)(at - text), text, here);
    lens_buffer_print(&out, "%s", text);
    return out.data;
}

void test_kept_answers(const test_world *world)
{
    test_kept_answers_but(world, "");
}

void test_kept_answers_but(const test_world *world, const char *command)
{
    lens_buffer answers = answers_of(world);
    char *place = noted(answers.data, "place"), *text = with_here(answers.data, place, world->folder);
    int count = 0;
    for (const char *at = strstr(text, "\n$\t"), *next; at; at = next) {
        at++;
        next = strstr(at, "\n$\t");
        const size_t asked = strcspn(at, "\n"), length = (next ? (size_t)(next - at) + 1 : strlen(at)) - asked - 1;
        char *words = strndup(at, asked), *rest = words;
        const char *argv[24] = {test_program()};
        strsep(&rest, "\t"); /* the dollar */
        for (size_t i = 1; i + 1 < sizeof argv / sizeof *argv && (argv[i] = strsep(&rest, "\t")); i++)
            ;
        if (argv[1] && strcmp(argv[1], command) == 0) {
            free(words);
            continue;
        }
        test_run run = test_run_program(argv, test_world_environment(world), NULL);
        if (run.status > 1)
            fail_msg("%.*s: exit %d: %s", (int)asked, at, run.status, run.err.data);
        if (argv[2] && strcmp(argv[1], "status") == 0 && strcmp(argv[2], "--json") == 0)
            expect_counts(at + asked + 1, length, run.out.data);
        else
            expect_lines(at, asked, at + asked + 1, length, run.out.data);
        test_run_free(&run);
        free(words);
        count++;
    }
    assert_true(count >= 5);
    free(text);
    free(place);
    lens_buffer_free(&answers);
}
