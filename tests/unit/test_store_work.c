/* src/store: what index runs that share a database have in hand, and what becomes of it when others write meanwhile or a clock was wrong. */
#include "store/texts.h"
#include "support_store.h"

enum { DIM = 64 };

static int64_t work_left(lens_store *store, int64_t worker, const char *folder, int64_t *own)
{
    lens_error err = {0};
    char *const items[] = {(char *)folder};
    const lens_names within = {.items = (char **)items, .count = 1};
    const int64_t left = lens_store_work_left(store, worker, &within, own, &err);
    assert_true(left >= 0);
    return left;
}

/* Puts PATH on the list, and takes it. */
static void take(lens_store *store, int64_t worker, const char *folder, const char *path)
{
    lens_error err = {0};
    char *const items[] = {(char *)folder};
    const lens_names within = {.items = (char **)items, .count = 1};
    const lens_store_work work = {(char *)path, 1000, 5};
    lens_store_work taken[4];
    assert_done(lens_store_work_offer(store, worker, &work, 1, &err), &err);
    assert_int_equal(lens_store_work_claim(store, worker, &within, taken, 4, &err), 1);
    assert_string_equal(taken[0].path, path);
    lens_store_work_free(taken, 1);
}

/* What others forget while a worker has it in hand stays out; what it takes for known and is not any more is work once more; and work for models that are
 * forgotten is none. */
static void test_what_changes_under_a_worker(void **state)
{
    (void)state;
    char *place = store_place("under");
    test_library_fill(place, DIM, 3);
    lens_error err = {0};
    int64_t worker, own, removed, id = 7;
    const int64_t models[] = {1};
    lens_store *here = test_store(place, LENS_STORE_WRITE), *there = test_store(place, LENS_STORE_WRITE);
    assert_done(lens_store_add_root(here, "/q", &err), &err);
    assert_done(lens_store_work_begin(here, "here", models, 1, 60, &worker, &err), &err);

    take(here, worker, "/q", "/q/copy.jpg");
    assert_done(lens_store_forget(there, "/p", &removed, &err), &err);
    assert_int_equal(removed, 3);
    const lens_store_entry copy = {.path = "/q/copy.jpg", .size = 1000, .mtime_ns = 5, .hash = test_hash(1), .format = "JPEG"};
    assert_done(lens_store_write(here, &copy, 1, &id, &err), &err);
    assert_int_equal(id, 0);
    assert_int_equal(test_id(there, "/q/copy.jpg"), 0);
    assert_int_equal(work_left(there, worker, "/q", &own), 1);
    assert_int_equal(own, 0);
    take(here, worker, "/q", "/q/copy.jpg");
    assert_true(test_write_picture(here, 1, DIM, "/q/copy.jpg", 1, 0) > 0);
    assert_int_equal(work_left(there, worker, "/q", &own), 0);

    take(here, worker, "/q", "/q/late.jpg");
    assert_done(lens_store_forget(there, "/q", &removed, &err), &err);
    assert_int_equal(removed, 1);
    assert_int_equal(test_write_picture(here, 1, DIM, "/q/late.jpg", 2, 0), 0);
    assert_int_equal(test_id(there, "/q/late.jpg"), 0);

    const lens_store_work work = {(char *)"/q/never.jpg", 1000, 5};
    assert_done(lens_store_work_offer(here, worker, &work, 1, &err), &err);
    assert_int_equal(work_left(there, worker, "/q", &own), 1);
    assert_done(lens_store_forget_model(there, "m", &err), &err);
    assert_int_equal(work_left(there, worker, "/q", &own), 0);
    assert_done(lens_store_work_end(here, worker, &err), &err);
    lens_store_close(here);
    assert_int_equal(test_store_sound(there, test_model(there, "m", DIM), DIM), 0);
    lens_store_close(there);
    store_place_remove(place);
}

/* The server's clock was ahead when pictures were written and a worker was killed, and is right again: what bears a time that is still to come is swept away,
 * moves and is taken as anything else, a year before that time. */
static void test_a_clock_that_was_ahead(void **state)
{
    (void)state;
    static const char ahead[] = "UPDATE memelens.picture SET written = written + 31536000000000; UPDATE memelens.worker SET heard = heard + 31536000000000,"
                                " lease = lease + 31536000000000 WHERE name = 'killed'";
    char *place = store_place("ahead"), *const root[] = {(char *)"/p"};
    const lens_names within = {.items = (char **)root, .count = 1};
    const int64_t models[] = {1};
    test_library_fill(place, DIM, 4);
    lens_error err = {0};
    int64_t killed, worker, source, removed, changed;
    lens_store_work taken[2];
    lens_store_workers workers;
    lens_store *here = test_store(place, LENS_STORE_WRITE), *there = test_store(place, LENS_STORE_WRITE);
    assert_done(lens_store_work_begin(there, "killed", models, 1, 60, &killed, &err), &err);
    take(there, killed, "/p", "/p/00004.jpg");
    assert_done(lens_store_source_put(here, "/captions.tsv", LENS_SOURCE_FILE, NULL, &source, &err), &err);
    const int64_t moves = test_id(here, "/p/00000.jpg"), stays = test_id(here, "/p/00001.jpg");
    const lens_store_caption captions[] = {{moves, "One", "one"}, {stays, "Two", "two"}};
    assert_done(lens_store_captions_write(here, source, 10, 20, captions, 2, true, &changed, &err), &err);
    assert_done(lens_store_work_begin(here, "alive", models, 1, 60, &worker, &err), &err);
    free(store_place_ask(place, ahead));

    assert_done(lens_store_met_clear(here, &err), &err);
    assert_int_equal(lens_store_work_claim(here, worker, &within, taken, 2, &err), 1);
    lens_store_work_free(taken, 1);
    assert_done(lens_store_workers_list(here, &workers, &err), &err);
    for (size_t i = 0; i < workers.count; i++)
        assert_int_equal(workers.items[i].lost, strcmp(workers.items[i].name, "killed") == 0);
    assert_int_equal(workers.count, 2);
    lens_store_workers_free(&workers);
    assert_done(lens_store_work_end(here, worker, &err), &err);
    assert_done(lens_store_work_begin(here, "next", models, 1, 60, &worker, &err), &err);
    assert_done(lens_store_workers_list(here, &workers, &err), &err);
    assert_int_equal(workers.count, 1);
    lens_store_workers_free(&workers);
    assert_done(lens_store_work_end(here, worker, &err), &err);

    assert_int_equal(test_write_picture(here, 1, DIM, "/p/new.jpg", 0, moves), moves);
    assert_done(lens_store_met_mark(here, moves, &err), &err);
    assert_done(lens_store_met_mark(here, stays, &err), &err);
    assert_done(lens_store_sweep(here, "/p", &removed, &err), &err);
    assert_int_equal(removed, 2);

    /* Another one writes after the names were read, so what is new is kept; nothing new has a name. */
    assert_done(lens_store_names_begin(here, &err), &err);
    assert_done(lens_store_add_root(there, "/q", &err), &err);
    assert_done(lens_store_captions_write(here, source, 10, 21, captions, 1, true, &changed, &err), &err);
    assert_int_equal(changed, 1);
    lens_store_sources sources;
    assert_done(lens_store_sources_list(here, LENS_SOURCE_FILE, &sources, &err), &err);
    assert_int_equal(sources.items[0].mtime_ns, 21);
    lens_store_sources_free(&sources);
    lens_store_close(there);
    lens_store_close(here);
    store_place_remove(place);
}

/* A clock that is set back by seconds while a worker lives, as clocks are, loses it nothing that it has in hand. */
static void test_a_clock_that_is_set_back_by_seconds(void **state)
{
    (void)state;
    char *place = store_place("back"), *const root[] = {(char *)"/p"};
    const lens_names within = {.items = (char **)root, .count = 1};
    const int64_t models[] = {1};
    test_library_fill(place, DIM, 4);
    lens_error err = {0};
    int64_t worker, other, own;
    lens_store_work taken[2];
    lens_store *here = test_store(place, LENS_STORE_WRITE), *there = test_store(place, LENS_STORE_WRITE);
    assert_done(lens_store_work_begin(here, "here", models, 1, 60, &worker, &err), &err);
    take(here, worker, "/p", "/p/00004.jpg");
    free(store_place_ask(place, "UPDATE memelens.worker SET heard = heard + 20000000, lease = lease + 20000000"));
    assert_done(lens_store_work_begin(there, "there", models, 1, 60, &other, &err), &err);
    assert_int_equal(lens_store_work_claim(there, other, &within, taken, 2, &err), 0);
    assert_int_equal(work_left(there, other, "/p", &own), 1);
    lens_store_close(there);
    lens_store_close(here);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_changes_under_a_worker), cmocka_unit_test(test_a_clock_that_was_ahead),
                                       cmocka_unit_test(test_a_clock_that_is_set_back_by_seconds)};
    return store_place_run_server(tests);
}
