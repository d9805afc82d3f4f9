/* src/store: batches, moves, and how the size and the speed of a library of 10,000 pictures come out. */
#include "base/clock.h"
#include "support_store.h"

enum { DIM = 5 };

static void test_a_path_keeps_its_id(void **state)
{
    (void)state;
    char *place = store_place("write");
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    int64_t model = test_model(store, "m", DIM);
    lens_error err;
    int64_t id = test_write_picture(store, model, DIM, "/p/x", 1, 0);
    assert_int_equal(test_write_picture(store, model, DIM, "/p/x", 2, 0), id);
    lens_store_entry bad = {.path = "/p/x", .size = 3, .reason = "now it is broken"};
    int64_t same;
    assert_done(lens_store_write(store, &bad, 1, &same, &err), &err);
    assert_int_equal(same, id);
    lens_store_picture p;
    assert_int_equal(lens_store_picture_by_id(store, id, &p, &err), 1);
    assert_string_equal(p.reason, "now it is broken");
    assert_true(p.content == 0 && p.size == 3);
    lens_store_picture_free(&p);
    assert_int_equal(test_write_picture(store, model, DIM, "/p/x", 2, 0), id);
    /* The same bytes at another path: no second vector. */
    test_write_picture(store, model, DIM, "/p/copy", 2, 0);
    lens_store_models models;
    assert_done(lens_store_models_list(store, &models, &err), &err);
    assert_int_equal(models.items[0].vectors, 2);
    if (store_place_is_folder())
        assert_int_equal(models.items[0].file_bytes, 64 + 2 * DIM * 4);
    lens_store_models_free(&models);
    /* A known content needs no vector; and its newest reading holds. */
    lens_store_entry known = {.path = "/p/third", .hash = test_hash(2), .width = 1, .height = 2, .format = "PNG"};
    assert_done(lens_store_write(store, &known, 1, NULL, &err), &err);
    assert_int_equal(lens_store_picture_by_path(store, "/p/copy", &p, &err), 1);
    assert_true(p.width == 1 && p.height == 2);
    assert_string_equal(p.format, "PNG");
    lens_store_picture_free(&p);
    lens_store_close(store);
    store_place_remove(place);
}

static void test_moves(void **state)
{
    (void)state;
    char *place = store_place("write");
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    int64_t model = test_model(store, "m", DIM);
    lens_error err;
    int64_t a = test_write_picture(store, model, DIM, "/p/a", 1, 0), b = test_write_picture(store, model, DIM, "/p/b", 2, 0);
    int64_t c = test_write_picture(store, model, DIM, "/p/c", 3, 0);
    assert_int_equal(test_write_picture(store, model, DIM, "/p/new", 1, a), a);
    assert_int_equal(test_id(store, "/p/a"), 0);
    /* Onto a path that is taken: the one that moved stays, the other goes. */
    assert_int_equal(test_write_picture(store, model, DIM, "/p/c", 1, a), a);
    assert_int_equal(test_id(store, "/p/c"), a);
    lens_store_picture p;
    assert_int_equal(lens_store_picture_by_id(store, c, &p, &err), 0);
    /* From an id that is gone: a new picture. */
    assert_true(test_write_picture(store, model, DIM, "/p/d", 3, c) > c);
    /* Two change places, in one batch. */
    lens_store_entry swap[] = {
        {.path = "/p/b", .hash = test_hash(1), .format = "JPEG", .moved_from = a},
        {.path = "/p/c", .hash = test_hash(2), .format = "JPEG", .moved_from = b},
        {.path = "/p/e", .hash = test_hash(2), .format = "JPEG", .moved_from = b}, /* the same one cannot be there too */
    };
    int64_t ids[3];
    assert_done(lens_store_write(store, swap, 3, ids, &err), &err);
    assert_true(ids[0] == a && ids[1] == b && ids[2] > c);
    assert_true(test_id(store, "/p/b") == a && test_id(store, "/p/c") == b && test_id(store, "/p/e") == ids[2]);
    /* Where it already is. */
    assert_int_equal(test_write_picture(store, model, DIM, "/p/b", 1, a), a);
    /* What was replaced on the way leaves no content behind. */
    int64_t removed, content;
    assert_int_equal(test_write_picture(store, model, DIM, "/p/d", 9, 0), test_id(store, "/p/d"));
    assert_done(lens_store_sweep(store, "/nowhere", &removed, &err), &err);
    assert_int_equal(lens_store_content_by_hash(store, test_hash(3), &content, &err), 0);
    assert_int_equal(lens_store_content_by_hash(store, test_hash(1), &content, &err), 1);
    test_store_sound(store, model, DIM);
    lens_store_close(store);
    store_place_remove(place);
}

static void assert_refused(lens_store *store, lens_store_entry bad, const char *words)
{
    lens_error err = {0};
    float values[DIM];
    test_vector(77, values, DIM);
    lens_store_models models;
    assert_done(lens_store_models_list(store, &models, &err), &err);
    struct lens_store_vector vector = {models.items[0].id, values};
    lens_store_entry entries[] = {
        {.path = "/p/good", .hash = test_hash(77), .format = "JPEG", .vector_count = 1, .vectors = &vector},
        bad,
    };
    assert_int_equal(lens_store_write(store, entries, 2, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_says(&err, words);
    assert_int_equal(test_id(store, "/p/good"), 0);
    lens_store_models after;
    assert_done(lens_store_models_list(store, &after, &err), &err);
    assert_int_equal(after.items[0].vectors, models.items[0].vectors);
    if (store_place_is_folder())
        assert_int_equal(after.items[0].file_bytes, models.items[0].file_bytes);
    lens_store_models_free(&models);
    lens_store_models_free(&after);
}

static void test_all_or_nothing(void **state)
{
    (void)state;
    char *place = store_place("write");
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    int64_t model = test_model(store, "m", DIM);
    float values[DIM] = {1, 1};
    struct lens_store_vector vector = {model, values};
    lens_store_entry entry = {.path = "/p/bad", .hash = test_hash(1), .format = "JPEG", .vector_count = 1, .vectors = &vector};
    assert_refused(store, entry, "/p/bad: its vector is not");
    values[1] = 0;
    assert_true(lens_store_is_unit(values, DIM));
    values[1] = (float)(0.0 / (double)(values[1] * 0)); /* NaN */
    assert_false(lens_store_is_unit(values, DIM));
    assert_refused(store, entry, "/p/bad: its vector is not");
    values[1] = 0;
    vector.model = 99;
    assert_refused(store, entry, "the model is no longer in this library");
    vector.model = model;
    entry.vector_count = 0;
    assert_refused(store, entry, "/p/bad: a content that is not known");
    entry.vector_count = 1;
    entry.format = NULL;
    assert_refused(store, entry, "/p/bad: a picture needs a format");
    entry.format = "JPEG";
    entry.path = "relative";
    assert_refused(store, entry, "relative: not an absolute path");
    entry.path = "/p/fine";
    lens_error err;
    assert_done(lens_store_write(store, &entry, 1, NULL, &err), &err);

    lens_store *reader = test_store(place, LENS_STORE_READ);
    assert_int_equal(lens_store_write(reader, &entry, 1, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    int64_t n;
    assert_int_equal(lens_store_sweep(reader, "/", &n, &err), -1);
    assert_int_equal(lens_store_forget(reader, "/", &n, &err), -1);
    assert_int_equal(lens_store_add_root(reader, "/q", &err), -1);
    assert_int_equal(lens_store_compact(reader, true, &err), -1);
    assert_int_equal(lens_store_forget_model(reader, "m", &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_int_equal(test_store_sound(reader, model, DIM), 1);
    lens_store_close(reader);
    lens_store_close(store);
    store_place_remove(place);
}

static void test_ten_thousand(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    enum { COUNT = 2000, WIDE = 128, BATCH = 256 };
#else
    enum { COUNT = 10000, WIDE = 1280, BATCH = 256 };
#endif
    char *place = store_place("write");
    lens_error err;
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    int64_t model = test_model(store, "wide", WIDE);
    assert_done(lens_store_add_root(store, "/home/somebody/pictures", &err), &err);
    double spent = 0;
    for (size_t at = 0; at < COUNT; at += BATCH) {
        size_t count = COUNT - at < BATCH ? COUNT - at : BATCH;
        double start = lens_seconds();
        assert_done(test_write_pictures(store, model, WIDE, "/home/somebody/pictures/of/memes", at, count, &err), &err);
        spent += lens_seconds() - start;
    }
    printf("measured: %d x %d written in batches of %d: %.2f s, making the vectors included\n", COUNT, WIDE, BATCH, spent);
    lens_store_close(store);

    store = test_store(place, LENS_STORE_WRITE);
    double start = lens_seconds();
    assert_done(lens_store_met_clear(store, &err), &err);
    for (size_t i = 0; i < COUNT; i++) {
        char path[80];
        snprintf(path, sizeof path, "/home/somebody/pictures/of/memes/%05zu.jpg", i);
        assert_done(lens_store_met_mark(store, test_id(store, path), &err), &err);
    }
    int64_t removed;
    assert_done(lens_store_sweep(store, "/home/somebody/pictures", &removed, &err), &err);
    printf("measured: %d looked up and marked, then swept: %.0f ms\n", COUNT, (lens_seconds() - start) * 1e3);
    assert_int_equal(removed, 0);
    lens_store_close(store);

    store = test_store(place, LENS_STORE_READ);
    start = lens_seconds();
    lens_store_vectors view;
    assert_done(lens_store_vectors_open(store, model, NULL, 0, &view, &err), &err);
    printf("measured: the view of them opened: %.1f ms\n", (lens_seconds() - start) * 1e3);
    assert_int_equal(view.count, COUNT);
    lens_store_vectors_free(&view);
    start = lens_seconds();
    assert_done(lens_store_vectors_open(store, model, (const char *[]){"/home/somebody"}, 1, &view, &err), &err);
    printf("measured: the same by folder: %.1f ms\n", (lens_seconds() - start) * 1e3);
    assert_int_equal(view.count, COUNT);
    lens_store_vectors_free(&view);
    start = lens_seconds();
    assert_int_equal(test_store_sound(store, model, WIDE), COUNT);
    printf("measured: checked whole, each vector compared: %.0f ms\n", (lens_seconds() - start) * 1e3);
    lens_store_counts counts;
    assert_done(lens_store_count(store, &counts, &err), &err);
    int64_t vectors = 64 + (int64_t)COUNT * WIDE * 4;
    printf("measured: %.1f MB on the disk, %.1f of them vectors\n", (double)counts.bytes / 1e6, (double)vectors / 1e6);
    if (store_place_is_folder())
        assert_true(counts.bytes - vectors < (int64_t)COUNT * 400 + 200000);
    lens_store_close(store);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_keeps_its_id),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_ten_thousand),
    };
    return store_place_run(tests);
}
