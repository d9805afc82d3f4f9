#include "store_place.h"

#include <ctype.h>
#include <unistd.h>

#include "base/clock.h"

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool store_place_is_folder(void)
{
    const char *store = setting("MEMELENS_TEST_STORE");
    if (store && strcmp(store, "folder") != 0 && strcmp(store, "postgres") != 0)
        fail_msg("MEMELENS_TEST_STORE is folder or postgres, not '%s'", store);
    return !store || strcmp(store, "folder") == 0;
}

/* The address SERVER with DATABASE in it, to which `postgres`, where databases are made and dropped from, gives way. */
static char *address_at(const char *server, const char *database)
{
    const char *host = server ? strstr(server, "://") : NULL;
    if (!host)
        fail_msg("MEMELENS_POSTGRES is not the address of a server (tests/postgres.py run)");
    host += 3;
    const size_t before = strcspn(host, "/?");
    const char *after = strchr(host + before, '?');
    lens_buffer address = {0};
    assert_int_equal(lens_buffer_print(&address, "%.*s/%s%s", (int)(host - server + (ptrdiff_t)before), server, database, after ? after : ""), 0);
    return address.data;
}

static char *address_of(const char *database)
{
    return address_at(setting("MEMELENS_POSTGRES"), database);
}

/* psql, which knows nothing of our ways to ask a server. */
static char *ask(const char *address, const char *option, const char *const *lines)
{
    const char *programs = setting("MEMELENS_POSTGRES_BIN");
    char *psql = programs ? test_path(programs, "psql") : NULL;
    const char *argv[32] = {psql ? psql : "/usr/bin/env", psql ? "-XqAt" : "psql", psql ? NULL : "-XqAt"};
    size_t count = psql ? 2 : 3;
    argv[count++] = "-vON_ERROR_STOP=1";
    for (; *lines && count + 3 < sizeof argv / sizeof *argv; lines++)
        argv[count++] = option, argv[count++] = *lines;
    assert_null(*lines);
    argv[count++] = address;
    test_run run = test_run_program(argv, NULL, NULL);
    if (run.status != 0)
        fail_msg("psql %s: %s", address, run.err.data);
    free(psql);
    lens_buffer_free(&run.err);
    return run.out.data;
}

char *store_place_ask(const char *place, const char *sql)
{
    return ask(place, "-c", (const char *[]){sql, NULL});
}

void store_place_settle(const char *place)
{
    static const char others[] = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    bool any = !store_place_is_folder();
    for (const double end = lens_seconds() + 60; any;) {
        char *answer = store_place_ask(place, others);
        any = strcmp(answer, "0\n") != 0;
        free(answer);
        if (any && lens_seconds() > end)
            fail_msg("%s: somebody stays connected", place);
    }
}

void store_place_restore(const char *place, const char *file)
{
    free(ask(place, "-f", (const char *[]){file, NULL}));
}

char *store_place(const char *name)
{
    static unsigned number;
    if (store_place_is_folder())
        return test_folder_new();
    char database[64], sql[128];
    int length = snprintf(database, sizeof database, "memelens_test_%ld_%u_%.24s", (long)getpid(), ++number, name);
    for (int i = 0; i < length; i++)
        database[i] = isalnum((unsigned char)database[i]) ? (char)tolower((unsigned char)database[i]) : '_';
    char *server = address_of("postgres"), *place = address_of(database);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", database);
    free(ask(server, "-c", (const char *[]){sql, NULL}));
    free(store_place_ask(place, "CREATE EXTENSION IF NOT EXISTS vector"));
    free(server);
    return place;
}

void store_place_remove(char *place)
{
    const char *name = place ? strstr(place, "/memelens_test_") : NULL;
    if (!place || store_place_is_folder()) {
        test_folder_remove(place);
        return;
    }
    assert_non_null(name);
    char sql[160], *server = address_of("postgres");
    snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %.*s WITH (FORCE)", (int)strcspn(name + 1, "?"), name + 1);
    free(ask(server, "-c", (const char *[]){sql, NULL}));
    free(server);
    free(place);
}

/* The folder NAME beside PLACE. The caller frees. */
static char *beside(const char *place, const char *name)
{
    char *parent = strndup(place, (size_t)(strrchr(place, '/') - place)), *path = test_path(parent, "%s", name);
    free(parent);
    return path;
}

void store_place_exchange(const char *place, const char *away, const char *here)
{
    if (store_place_is_folder()) {
        char *to = beside(place, away), *from = here ? beside(place, here) : NULL;
        assert_int_equal(rename(place, to), 0);
        if (from)
            assert_int_equal(rename(from, place), 0);
        free(from);
        free(to);
    } else {
        char sql[160];
        const int length = snprintf(sql, sizeof sql, "ALTER SCHEMA memelens RENAME TO %s;", away);
        if (here)
            snprintf(sql + length, sizeof sql - (size_t)length, "ALTER SCHEMA %s RENAME TO memelens", here);
        free(store_place_ask(place, sql));
    }
}

char *store_place_by_password(const char *place)
{
    const char *server = setting("MEMELENS_POSTGRES_TCP"), *name = strstr(place, "/memelens_test_");
    char database[64];
    if (!server || !name)
        return NULL;
    snprintf(database, sizeof database, "%.*s", (int)strcspn(name + 1, "?"), name + 1);
    return address_at(server, database);
}

void store_place_server(const char *what)
{
    const char *source = setting("MEMELENS_SOURCE");
    if (!setting("MEMELENS_POSTGRES_DATA")) {
        printf("skipped: the server is somebody else's\n");
        fflush(stdout);
        skip();
    }
    char *script = test_path(source ? source : ".", "tests/postgres.py");
    const char *argv[] = {"/usr/bin/env", "python3", script, what, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    if (run.status != 0)
        fail_msg("%s %s: %s", script, what, run.err.data);
    test_run_free(&run);
    free(script);
}

static void no_server(void **state)
{
    (void)state;
    skip();
}

int store_place_run_tests(const char *name, const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup, CMFixtureFunction teardown)
{
    struct CMUnitTest *all = calloc(count, sizeof *all);
    if (!all)
        return 1;
    const bool able = store_place_is_folder() || setting("MEMELENS_POSTGRES");
    for (size_t i = 0; i < count; i++)
        all[i] = able ? tests[i] : (struct CMUnitTest){.name = tests[i].name, .test_func = no_server};
    if (!able)
        printf("skipped: no PostgreSQL server (tests/postgres.py run)\n");
    fflush(stdout);
    const int failed = _cmocka_run_group_tests(name, all, count, able ? setup : NULL, able ? teardown : NULL);
    free(all);
    return failed;
}
