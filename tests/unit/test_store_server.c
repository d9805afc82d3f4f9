/* src/store: a database's server that crashes, is restarted, is not there or takes no password; and several who write at once. */
#include <libpq-fe.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/patience.h"
#include "silent_proxy.h"
#include "store/texts.h"
#include "support_store.h"

enum { DIM = 64, BATCH = 32, WRITERS = 3, NUMBERS = 10000000 /* of pictures, for each writer */ };

static lens_store *open_patiently(const char *place, lens_store_mode mode)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(place, mode, 30, &err);
    if (!store)
        fail_msg("%s", err.message);
    return store;
}

/* Writes batches of its own numbers until STOP is closed, through whatever happens to the server; each one that was taken goes down the pipe. */
static void write_through(const char *place, uint64_t first, int stop, int acknowledge)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(place, LENS_STORE_WRITE, 30, &err);
    int64_t model;
    if (!store || lens_store_add_model(store, "m", DIM, lens_hash_of("m", 1), &model, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        _exit(1);
    }
    for (; poll(&(struct pollfd){stop, POLLIN, 0}, 1, 0) == 0; first += BATCH)
        if (test_write_pictures(store, model, DIM, "/keep", first, BATCH, &err) != 0 || write(acknowledge, &first, sizeof first) != sizeof first) {
            fprintf(stderr, "the writer stopped: %s\n", err.message);
            _exit(2);
        }
    lens_store_close(store);
    _exit(0);
}

/* Takes what was acknowledged so far to ALL, and then as much as it takes until each writer has EACH more: what was lost once is written once more, and a writer
 * that is slow would be the one that loses it twice. */
static void take_acknowledged(int from, size_t each, lens_buffer *all)
{
    uint64_t first;
    size_t more[WRITERS] = {0};
    while (poll(&(struct pollfd){from, POLLIN, 0}, 1, 0) > 0 && read(from, &first, sizeof first) == sizeof first)
        test_put(all, &first, sizeof first);
    for (size_t left = WRITERS; each && left;) {
        if (poll(&(struct pollfd){from, POLLIN, 0}, 1, 60000) <= 0 || read(from, &first, sizeof first) != sizeof first)
            fail_msg("nobody writes any more");
        test_put(all, &first, sizeof first);
        left -= ++more[first / NUMBERS] == each;
    }
}

/* Several write, while the server is told WHAT now and then (NULL: nothing), and go on each time. What was acknowledged is there, whole, and nothing is off. */
static void write_while(const char *place, const char *what)
{
    enum { TIMES = 4, EACH = 3 };
    int ends[2], stop[2], status;
    pid_t writers[WRITERS];
    lens_buffer taken = {0};
    assert_int_equal(pipe(ends) | pipe(stop), 0);
    for (uint64_t w = 0; w < WRITERS; w++)
        if ((writers[w] = fork()) == 0) {
            close(ends[0]), close(stop[1]);
            write_through(place, w * NUMBERS, stop[0], ends[1]);
        }
    close(ends[1]), close(stop[0]);
    take_acknowledged(ends[0], what ? EACH : 10 * EACH, &taken);
    for (int i = 0; what && i < TIMES; i++) {
        store_place_server(what);
        if (strcmp(what, "crash") == 0)
            store_place_server("start");
        take_acknowledged(ends[0], EACH, &taken);
    }
    close(stop[1]);
    for (size_t w = 0; w < WRITERS; w++) {
        assert_int_equal(waitpid(writers[w], &status, 0), writers[w]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    take_acknowledged(ends[0], 0, &taken);
    close(ends[0]);
    lens_store *store = open_patiently(place, LENS_STORE_READ);
    lens_error err = {0};
    const size_t count = taken.size / sizeof(uint64_t);
    for (size_t i = 0; i < count; i++) {
        uint64_t first;
        memcpy(&first, taken.data + i * sizeof first, sizeof first);
        for (uint64_t n = first; n < first + BATCH; n += BATCH - 1) {
            char path[64];
            snprintf(path, sizeof path, "/keep/%05llu.jpg", (unsigned long long)n);
            if (test_id(store, path) == 0)
                fail_msg("%s was acknowledged and is not there", path);
        }
    }
    lens_store_counts counts;
    assert_done(lens_store_count(store, &counts, &err), &err);
    assert_int_equal(counts.pictures % BATCH, 0);
    assert_true((size_t)counts.pictures >= count * BATCH);
    assert_int_equal(test_store_sound(store, 1, DIM), counts.pictures);
    lens_store_close(store);
    lens_buffer_free(&taken);
    printf("measured: %zu batches by %d writers, none lost; the server was told %d times to %s\n", count, WRITERS, what ? TIMES : 0, what ? what : "do nothing");
}

static void test_several_writers(void **state)
{
    (void)state;
    char *place = store_place("writers");
    free(store_place_ask(place, "DROP EXTENSION vector")); /* they find nothing at all */
    write_while(place, NULL);
    store_place_remove(place);
}

static void test_a_server_that_crashes(void **state)
{
    (void)state;
    char *place = store_place("crash");
    write_while(place, "crash");
    store_place_remove(place);
}

static void test_a_server_that_is_restarted(void **state)
{
    (void)state;
    char *place = store_place("restart");
    write_while(place, "restart");
    store_place_remove(place);
}

/* Who has a library open sees the end of a connection only at the next question, which is asked again. */
static void test_a_reader_lives_on(void **state)
{
    (void)state;
    char *place = store_place("reader");
    test_library_fill(place, DIM, 5);
    lens_store *patient = open_patiently(place, LENS_STORE_READ), *hasty = test_store(place, LENS_STORE_READ), *hasty_too = test_store(place, LENS_STORE_READ);
    lens_error err = {0};
    lens_store_picture picture;
    assert_true(test_id(patient, "/p/00001.jpg") && test_id(hasty, "/p/00001.jpg"));
    store_place_server("restart");
    assert_true(test_id(patient, "/p/00001.jpg") != 0);
    assert_true(test_id(hasty, "/p/00001.jpg") != 0);
    assert_int_equal(test_store_sound(patient, 1, DIM), 5);
    store_place_server("stop");
    assert_int_equal(lens_store_picture_by_path(hasty, "/p/00001.jpg", &picture, &err), -1);
    assert_int_equal(lens_store_picture_by_path(hasty_too, "/p/00001.jpg", &picture, &err), -1);
    assert_null(lens_store_open(place, LENS_STORE_READ, 0, &err));
    assert_true(err.code != LENS_E_MISSING); /* a library may well be there */
    store_place_server("start");
    assert_true(test_id(hasty, "/p/00001.jpg") != 0);
    assert_done(lens_store_moment_begin(hasty_too, &err), &err); /* whatever comes first */
    lens_store_moment_end(hasty_too);
    lens_store_close(hasty_too);
    assert_int_equal(test_store_sound(patient, 1, DIM), 5);
    lens_store_close(patient);
    lens_store_close(hasty);
    store_place_remove(place);
}

static void test_who_may_not_come_in(void **state)
{
    (void)state;
    char *place = store_place("password"), *right = store_place_by_password(place);
    if (!right) {
        store_place_remove(place);
        printf("skipped: the server is not reached by password\n");
        fflush(stdout);
        skip();
    }
    lens_error err = {0};
    lens_store *store = test_store(right, LENS_STORE_WRITE);
    test_model(store, "m", DIM);
    lens_store_close(store);
    char *shown = lens_store_place_shown(right), *secret = strchr(right + strlen("postgresql://"), ':') + 1;
    const size_t length = strcspn(secret, "@");
    char password[64];
    snprintf(password, sizeof password, "%.*s", (int)length, secret);
    assert_null(strstr(shown, password));
    free(shown);
    /* A wrong one is refused, at once and not only when no more patience is left, and neither is told. */
    char *wrong = strdup(right);
    wrong[secret - right] = wrong[secret - right] == 'x' ? 'y' : 'x';
    alarm(120);
    for (int mode = 0; mode < 2; mode++) {
        assert_null(lens_store_open(wrong, mode ? LENS_STORE_WRITE : LENS_STORE_READ, 1e6, &err));
        assert_says(&err, "password authentication failed");
        assert_null(strstr(err.message, password + 1));
    }
    alarm(0);
    /* A database that is not there, and an address that is none. */
    char *name = strstr(place, "/memelens_test_");
    name[1] = 'M';
    assert_null(lens_store_open(place, LENS_STORE_WRITE, 0, &err));
    assert_says(&err, "does not exist");
    name[1] = 'm';
    assert_null(lens_store_open("postgresql://a@b@c:d:e/?nonsense=1", LENS_STORE_READ, 0, &err));
    assert_true(err.message[0] != '\0');
    free(wrong), free(right);
    store_place_remove(place);
}

/* A role that may look is enough to search, and one line says that it may not write: SECURITY.md promises both. */
static void test_a_role_that_may_only_look(void **state)
{
    (void)state;
    char *place = store_place("looks"), role[64];
    test_library_fill(place, DIM, 5);
    snprintf(role, sizeof role, "memelens_test_looks_%ld", (long)getpid());
    lens_buffer sql = {0}, address = {0};
    lens_buffer_print(&sql, "CREATE ROLE %s; GRANT USAGE ON SCHEMA memelens TO %s; GRANT SELECT ON ALL TABLES IN SCHEMA memelens TO %s", role, role, role);
    free(store_place_ask(place, sql.data));
    lens_buffer_print(&address, "%s%coptions=-c%%20role%%3D%s", place, strchr(place, '?') ? '&' : '?', role);
    lens_error err = {0};
    lens_store_vectors near;
    float query[DIM];
    test_vector(3, query, DIM);
    lens_store *store = test_store(address.data, LENS_STORE_READ);
    assert_int_equal(test_store_sound(store, 1, DIM), 5);
    assert_done(lens_store_nearest(store, 1, query, DIM, &(lens_store_scope){0}, 1, true, &near, &err), &err);
    assert_true(near.count > 0);
    lens_store_vectors_free(&near);
    assert_int_equal(lens_store_add_root(store, "/q", &err), -1);
    lens_store_close(store);
    assert_null(lens_store_open(address.data, LENS_STORE_WRITE, 0, &err));
    assert_says(&err, "may only read this library");
    assert_null(strchr(err.message, '\n'));
    sql.size = 0;
    lens_buffer_print(&sql, "DROP OWNED BY %s; DROP ROLE %s", role, role);
    free(store_place_ask(place, sql.data));
    lens_buffer_free(&sql), lens_buffer_free(&address);
    store_place_remove(place);
}

/* Whatever a password did to the address that it was written into, no message and nothing that is shown has a part of it. */
static void test_addresses_keep_their_secrets(void **state)
{
    (void)state;
    static const char *const places[] = {
        "postgresql://who:sec%zzret@127.0.0.1:1/db", "postgresql://who:sec/ret@127.0.0.1:1/db", "postgresql://who:sec@ret@127.0.0.1:1/db",
        "postgresql://who:secret@[::1/db", "postgresql://who:secret@127.0.0.1:1/db?password=sec&ret=1", "postgresql://who:secret@127.0.0.1:1/db?ret",
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        lens_error err = {0};
        assert_null(lens_store_open(places[i], LENS_STORE_READ, 0, &err));
        assert_says(&err, "cannot be understood");
        char *shown = lens_store_place_shown(places[i]);
        if (strstr(err.message, "sec") || strstr(err.message, "ret") || strstr(shown, "sec") || strstr(shown, "ret@"))
            fail_msg("%s: shown as %s, and said: %s", places[i], shown, err.message);
        free(shown);
    }
}

/* Whoever holds the writers' turn, as another connection that is stuck in its own. */
static PGconn *hold_turn(const char *place)
{
    PGconn *connection = PQconnectdb(place);
    assert_int_equal(PQstatus(connection), CONNECTION_OK);
    PGresult *result = PQexec(connection, "SELECT pg_advisory_lock(7308604897285829)");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    return connection;
}

static bool three_times(void *context)
{
    int *asked = context;
    return ++*asked < 3;
}

/* Who waits for a turn can be told to wait no longer, and the store is as good as before. */
static void test_a_wait_that_is_given_up(void **state)
{
    (void)state;
    char *place = store_place("turn");
    test_library_fill(place, DIM, 3);
    lens_error err = {0};
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    int asked = 0;
    lens_store_wait_while(store, three_times, &asked);
    PGconn *other = hold_turn(place);
    assert_int_equal(test_write_pictures(store, 1, DIM, "/late", 100, 4, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_int_equal(asked, 3);
    PQfinish(other);
    asked = -1000; /* the server may take a moment to see that */
    assert_int_equal(test_id(store, "/late/00100.jpg"), 0);
    assert_done(test_write_pictures(store, 1, DIM, "/late", 100, 4, &err), &err);
    assert_int_equal(test_store_sound(store, 1, DIM), 7);
    lens_store_close(store);
    /* The server itself may end a wait: that is no reason to fail from then on. */
    lens_buffer name = {0};
    const char *at = strstr(place, "/memelens_test_") + 1;
    lens_buffer_print(&name, "ALTER DATABASE %.*s SET lock_timeout = '2s'", (int)strcspn(at, "?"), at);
    free(store_place_ask(place, name.data));
    lens_buffer_free(&name);
    store = test_store(place, LENS_STORE_WRITE);
    other = hold_turn(place);
    assert_int_equal(test_write_pictures(store, 1, DIM, "/later", 200, 4, &err), -1);
    assert_says(&err, "lock timeout");
    PQclear(PQexec(other, "SELECT pg_advisory_unlock_all()")); /* the server may take longer than that timeout to see that a connection has ended */
    PQfinish(other);
    assert_done(test_write_pictures(store, 1, DIM, "/later", 200, 4, &err), &err);
    assert_int_equal(test_store_sound(store, 1, DIM), 11);
    lens_store_close(store);
    store_place_remove(place);
}

/* Nor need a server be waited for that has gone. */
static void test_a_wait_for_the_server_that_is_given_up(void **state)
{
    (void)state;
    char *place = store_place("gone");
    test_library_fill(place, DIM, 3);
    lens_error err = {0};
    lens_store *store = open_patiently(place, LENS_STORE_WRITE);
    int asked = 0;
    lens_store_wait_while(store, three_times, &asked);
    store_place_server("stop");
    const double begun = lens_seconds();
    assert_int_equal(test_write_pictures(store, 1, DIM, "/late", 100, 4, &err), -1);
    const double waited = lens_seconds() - begun;
    store_place_server("start");
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_int_equal(asked, 3);
    assert_true(waited < 10);
    err = (lens_error){0};
    assert_done(test_write_pictures(store, 1, DIM, "/late", 100, 4, &err), &err);
    assert_int_equal(test_store_sound(store, 1, DIM), 7);
    lens_store_close(store);
    store_place_remove(place);
}

/* A server that falls silent, its connections being as good as ever, is waited for no longer than whoever asks wants to wait: for an answer, for a turn, for a
 * connection. */
static void test_a_server_that_falls_silent(void **state)
{
    (void)state;
    char *place = store_place("silent"), *over = store_place_by_password(place), *through;
    if (!over) {
        store_place_remove(place);
        printf("skipped: the server is not reached over loopback\n");
        fflush(stdout);
        skip();
    }
    test_library_fill(place, DIM, 3);
    test_proxy *proxy = test_proxy_start(over, &through);
    lens_error err = {0};
    lens_store_picture picture;
    int asked;
    lens_store *reader = test_store(through, LENS_STORE_READ), *writer = test_store(through, LENS_STORE_WRITE);
    assert_true(test_id(reader, "/p/00001.jpg") && test_id(writer, "/p/00001.jpg"));
    test_proxy_silence(proxy, true);
    alarm(120);
    const lens_disk_patience before = lens_patience_set((lens_disk_patience){.goes_on = three_times, .context = &asked});
    asked = 0;
    assert_int_equal(lens_store_picture_by_path(reader, "/p/00001.jpg", &picture, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_int_equal(asked, 3);
    asked = 0;
    assert_int_equal(lens_store_picture_by_path(writer, "/p/00001.jpg", &picture, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    asked = 0;
    assert_int_equal(lens_store_picture_by_path(reader, "/p/00001.jpg", &picture, &err), -1); /* on a connection that is not to be had */
    assert_int_equal(err.code, LENS_E_CANCELLED);
    asked = 0;
    assert_null(lens_store_open(through, LENS_STORE_READ, 1e6, &err));
    assert_int_equal(err.code, LENS_E_CANCELLED);
    lens_patience_set(before);
    test_proxy_silence(proxy, false);
    assert_true(test_id(reader, "/p/00001.jpg") && test_id(writer, "/p/00001.jpg"));
    test_proxy_silence(proxy, true);
    asked = 0;
    lens_store_wait_while(writer, three_times, &asked);
    assert_int_equal(test_write_pictures(writer, 1, DIM, "/late", 100, 4, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    test_proxy_silence(proxy, false);
    assert_done(test_write_pictures(writer, 1, DIM, "/late", 100, 4, &err), &err);
    alarm(0);
    assert_int_equal(test_store_sound(writer, 1, DIM), 7);
    lens_store_close(reader);
    test_proxy_silence(proxy, true); /* nor is it waited for to say goodbye */
    lens_store_close(writer);
    test_proxy_stop(proxy);
    free(through), free(over);
    store_place_remove(place);
}

/* From here on the first row of TABLE that is to be inserted or removed ends the connection that does it, once. */
static void break_at(const char *place, const char *table)
{
    lens_buffer sql = {0};
    lens_buffer_print(&sql, "CREATE SEQUENCE once_%s; CREATE FUNCTION break_%s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                            " IF nextval('public.once_%s') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN coalesce(NEW, OLD); END $$;"
                            " CREATE TRIGGER break_%s BEFORE INSERT OR DELETE ON memelens.%s FOR EACH ROW EXECUTE FUNCTION break_%s()",
                      table, table, table, table, table, table);
    free(store_place_ask(place, sql.data));
    lens_buffer_free(&sql);
}

/* How often the connection was to be broken at TABLE, or would have been since. */
static long met_at(const char *place, const char *table)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT last_value FROM once_%s WHERE is_called", table);
    char *answer = store_place_ask(place, sql);
    const long count = strtol(answer, NULL, 10);
    free(answer);
    return count;
}

/* Whatever is written when the connection is lost is written once more. */
static void test_a_connection_that_is_lost_in_the_middle(void **state)
{
    (void)state;
    char *place = store_place("middle");
    test_library_fill(place, DIM, 6);
    lens_error err = {0};
    lens_store *store = open_patiently(place, LENS_STORE_WRITE);
    int64_t model, source, changed, removed;
    break_at(place, "model");
    assert_done(lens_store_add_model(store, "another", DIM, lens_hash_of("another", 7), &model, &err), &err);
    assert_true(met_at(place, "model") > 1);
    assert_done(lens_store_source_put(store, "/captions.tsv", LENS_SOURCE_FILE, NULL, &source, &err), &err);
    break_at(place, "text");
    const lens_store_caption caption = {test_id(store, "/p/00001.jpg"), "a boat", "a boat"};
    assert_done(lens_store_captions_write(store, source, 1, 1, &caption, 1, true, &changed, &err), &err);
    assert_int_equal(changed, 1);
    assert_true(met_at(place, "text") > 1);
    break_at(place, "picture");
    assert_done(lens_store_met_clear(store, &err), &err);
    for (unsigned n = 0; n < 3; n++) {
        char path[32];
        snprintf(path, sizeof path, "/p/%05u.jpg", n);
        assert_done(lens_store_met_mark(store, test_id(store, path), &err), &err);
    }
    assert_done(lens_store_sweep(store, "/p", &removed, &err), &err);
    assert_int_equal(removed, 3);
    assert_true(met_at(place, "picture") > 1);
    assert_int_equal(test_store_sound(store, 1, DIM), 3);
    lens_store_close(store);
    store_place_remove(place);
}

/* LENGTH random bytes of a path, which no compression makes shorter. */
static char *long_path(size_t length)
{
    uint64_t lot = length;
    char *path = malloc(length + 1);
    assert_non_null(path);
    for (size_t i = 0; i < length; i++) {
        lot = lot * 6364136223846793005u + 1442695040888963407u;
        path[i] = (char)(128 | (lot >> 57));
    }
    path[0] = '/';
    path[length] = '\0';
    return path;
}

/* The longest path that a store says it takes is taken everywhere, and a longer one is refused in words. */
static void test_long_paths(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 7, 8, 9, 40, 200};
    char *place = store_place("long");
    lens_error err = {0};
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    int64_t models[200], worker, source, removed;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        models[i] = (int64_t)(i * 123456789 + 1);
    char *most = long_path(lens_store_path_most(store)), *more = long_path(3000);
    assert_true(strlen(most) >= 2500);
    assert_done(lens_store_source_put(store, most, LENS_SOURCE_FILE, NULL, &source, &err), &err);
    assert_done(lens_store_add_root(store, most, &err), &err);
    assert_done(lens_store_forget(store, most, &removed, &err), &err);
    assert_int_equal(lens_store_source_put(store, more, LENS_SOURCE_FILE, NULL, &source, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    assert_int_equal(lens_store_add_root(store, more, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    assert_int_equal(lens_store_forget(store, more, &removed, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    free(most), free(more);
    assert_done(lens_store_add_root(store, "/", &err), &err);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char *const root[] = {(char *)"/"};
        const lens_names within = {.items = (char **)root, .count = 1};
        assert_done(lens_store_work_begin(store, "here", models, counts[i], 60, &worker, &err), &err);
        most = long_path(lens_store_path_most(store));
        const lens_store_work work = {most, 1000, 5};
        lens_store_work taken[2];
        assert_done(lens_store_work_offer(store, worker, &work, 1, &err), &err);
        assert_int_equal(lens_store_work_claim(store, worker, &within, taken, 2, &err), 1);
        assert_string_equal(taken[0].path, most);
        lens_store_work_free(taken, 1);
        assert_done(lens_store_work_drop(store, worker, most, &err), &err);
        assert_done(lens_store_work_end(store, worker, &err), &err);
        free(most);
    }
    lens_store_close(store);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_several_writers), cmocka_unit_test(test_a_server_that_crashes),
                                       cmocka_unit_test(test_a_server_that_is_restarted), cmocka_unit_test(test_a_reader_lives_on),
                                       cmocka_unit_test(test_who_may_not_come_in),
                                       cmocka_unit_test(test_a_role_that_may_only_look),
                                       cmocka_unit_test(test_addresses_keep_their_secrets),
                                       cmocka_unit_test(test_a_wait_that_is_given_up), cmocka_unit_test(test_a_wait_for_the_server_that_is_given_up),
                                       cmocka_unit_test(test_a_server_that_falls_silent),
                                       cmocka_unit_test(test_a_connection_that_is_lost_in_the_middle),
                                       cmocka_unit_test(test_long_paths)};
    return store_place_run_server(tests);
}
