/* src/store/postgres: a database that searches by itself finds what looking at everything finds, and lets in what a folder lets in. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "search/scan.h"
#include "support_store.h"

enum { DIM = 48, COUNT = 600, BEST = 10 };

static int by_id(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The ids of the BEST rows of ALL by QUERY that LETS_IN, in order of id: how many. */
static size_t truth(const lens_store_vectors *all, const float *query, bool (*lets_in)(int64_t id), int64_t *ids)
{
    bool used[COUNT] = {false};
    size_t found = 0;
    for (; found < BEST; found++) {
        size_t best = all->count;
        float score = -2;
        for (size_t i = 0; i < all->count; i++) {
            const float own = lens_dot(query, all->data + (size_t)all->slots[i] * DIM, DIM);
            if (!used[i] && lets_in(all->ids[i]) && own > score) {
                best = i;
                score = own;
            }
        }
        if (best == all->count)
            break;
        used[best] = true;
        ids[found] = all->ids[best];
    }
    qsort(ids, found, sizeof *ids, by_id);
    return found;
}

static bool all_of_them(int64_t id)
{
    (void)id;
    return true;
}

static bool in_q(int64_t id) /* the second half lies in /p/q */
{
    return id > COUNT / 2;
}

static bool but_7(int64_t id)
{
    return id != 7;
}

/* The nearest in SCOPE, some more than are asked for, hold the best that LETS_IN, each with its whole vector. */
static void expect_nearest(lens_store *store, int64_t model, const lens_store_scope *scope, bool (*lets_in)(int64_t), bool exact, size_t missing_most)
{
    lens_error err = {0};
    lens_store_vectors all, near;
    size_t missing = 0;
    assert_done(lens_store_vectors_open(store, model, NULL, 0, &all, &err), &err);
    assert_int_equal(all.count, COUNT);
    for (uint64_t content = 0; content < COUNT; content += 37) {
        float query[DIM], own[DIM];
        int64_t best[BEST];
        test_vector(content, query, DIM);
        const size_t count = truth(&all, query, lets_in, best);
        assert_done(lens_store_nearest(store, model, query, DIM, scope, BEST, exact, &near, &err), &err);
        assert_true(near.count >= count && near.count < COUNT);
        for (size_t i = 0; i < count; i++)
            missing += !bsearch(&best[i], near.ids, near.count, sizeof *near.ids, by_id);
        for (size_t i = 0; i < near.count; i++) {
            assert_true(lets_in(near.ids[i]) && (i == 0 || near.ids[i] > near.ids[i - 1]));
            test_vector((uint64_t)near.ids[i] - 1, own, DIM);
            assert_memory_equal(own, near.data + (size_t)near.slots[i] * DIM, sizeof own);
        }
        lens_store_vectors_free(&near);
    }
    assert_true(missing <= missing_most);
    lens_store_vectors_free(&all);
}

static void test_the_nearest(void **state)
{
    (void)state;
    lens_error err = {0};
    char *place = store_place("nearest");
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    const int64_t model = test_model(store, "m", DIM), seven = 7;
    assert_done(test_write_pictures(store, model, DIM, "/p", 0, COUNT / 2, &err), &err);
    assert_done(test_write_pictures(store, model, DIM, "/p/q", COUNT / 2, COUNT / 2, &err), &err);
    const char *const folders[] = {"/p/q"};
    lens_store_filter filter = lens_store_filter_none;
    filter.pattern = "*/Q/*";
    const lens_store_scope all = {0}, below = {.folders = folders, .folder_count = 1}, like = {.filter = &filter}, without = {.without = &seven, .without_count = 1};
    for (int indexed = 0; indexed < 2; indexed++) {
        for (int exact = 1; exact >= 0; exact--) {
            const size_t most = exact || !indexed ? 0 : 17; /* of some 170 */
            expect_nearest(store, model, &all, all_of_them, exact, most);
            expect_nearest(store, model, &below, in_q, exact, most);
            expect_nearest(store, model, &like, in_q, exact, most);
            expect_nearest(store, model, &without, but_7, exact, most);
        }
        bool made = false;
        int64_t bytes = 0;
        assert_int_equal(lens_store_approximate_covered(store, model, &bytes, &err), indexed ? COUNT : 0);
        assert_done(lens_store_approximate_make(store, model, &made, &err), &err);
        assert_int_equal(made, !indexed); /* one that is there is left alone */
    }
    assert_done(lens_store_approximate_drop(store, model, &err), &err);
    int64_t count = 0, bytes = 1;
    assert_int_equal(lens_store_approximate_covered(store, model, &bytes, &err), 0);
    assert_done(lens_store_scope_count(store, model, &below, &count, &err), &err);
    assert_int_equal(count, COUNT / 2);
    assert_done(lens_store_scope_count(store, model, &without, &count, &err), &err);
    assert_int_equal(count, COUNT - 1);
    const int64_t twice[] = {seven, seven, INT64_MAX}; /* and one that is not there */
    assert_done(lens_store_scope_count(store, model, &(lens_store_scope){.without = twice, .without_count = 3}, &count, &err), &err);
    assert_int_equal(count, COUNT - 1);
    lens_store_close(store);
    store_place_remove(place);
}

/* ---- filters ---- */

static const char *const paths[] = {"/Pictures/Cats/One.JPG", "/Pictures/cats/two.jpg", "/Pictures/2020/a[1].jpg", "/Pictures/2020/a1.jpg", "/Pictures/2020/a-b.png", "/Pictures/\xc3\x84rger/x.jpg",
                                    "/Pictures/bad\xff\xfe/y.jpg", "/Pictures/line\nend/z.jpg", "/Pictures/it's \"so\\odd\"/w.jpg", "/Pictures/a]b/v.jpg", "/other/2020/u.jpg", "/Pictures/x"};
static const char *const patterns[] = {"*", "", "*cats*", "*/CATS/*", "/pictures/*", "*a[1]*", "*a[[]1]*", "*/a?.jpg", "*/a[!x].jpg", "*/a[^x].jpg", "*/a[0-9].jpg", "*/a[a-]b*", "*[-a]b.png", "*rger/?.jpg",
                                       "*/?rger/*", "*/\xc3\x84rger/*", "*/[\xc3\x84]rger/*", "*bad?\?/*", "*bad\xff*", "*line?end*", "*line\nend*", "*it's*", "*odd\"*", "*so\\odd*", "*\\*", "*[]]b*", "*[a", "*[", "[/]*",
                                       "*.jpg", "*.(jpg|png)", "*a+b*", "*.{1,}", "$", "^*", "/2020/*", "*/2020/*", "?pictures*"};

static void fill(lens_store *store)
{
    lens_error err = {0};
    const int64_t model = test_model(store, "m", DIM);
    assert_done(lens_store_add_root(store, "/Pictures", &err), &err);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(test_write_picture(store, model, DIM, paths[i], i, 0), i + 1);
}

/* How many pictures both let in. */
static size_t same_let_in(lens_store *database, lens_store *folder, const lens_store_filter *filter, const char *what)
{
    lens_error err = {0};
    lens_store_vectors a, b;
    assert_done(lens_store_vectors_open(database, 1, NULL, 0, &a, &err), &err);
    assert_done(lens_store_vectors_open(folder, 1, NULL, 0, &b, &err), &err);
    assert_done(lens_store_vectors_narrow(database, &a, filter, &err), &err);
    assert_done(lens_store_vectors_narrow(folder, &b, filter, &err), &err);
    if (a.count != b.count || memcmp(a.ids, b.ids, a.count * sizeof *a.ids) != 0)
        fail_msg("%s: the database lets in %zu, the folder %zu", what, a.count, b.count);
    const size_t count = a.count;
    lens_store_vectors_free(&a);
    lens_store_vectors_free(&b);
    return count;
}

static void test_filters(void **state)
{
    (void)state;
    enum { ALL = sizeof paths / sizeof *paths };
    size_t parted = 0, count;
    char *place = store_place("filters"), *folder = test_folder_new();
    lens_store *database = test_store(place, LENS_STORE_WRITE), *other = test_store(folder, LENS_STORE_WRITE);
    fill(database);
    fill(other);
    for (int below = 0; below < 2; below++) {
        for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
            lens_store_filter filter = lens_store_filter_none;
            filter.pattern = patterns[i];
            filter.below = below;
            count = same_let_in(database, other, &filter, patterns[i]);
            parted += count > 0 && count < ALL;
        }
        static const char *const labels[] = {"CATS", "2020", "pictures", "other", "\xc3\x84rger", "bad\xff\xfe", "line\nend", "", "it's \"so\\odd\""};
        for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
            lens_store_filter filter = lens_store_filter_none;
            filter.labels = &labels[i];
            filter.label_count = 1;
            filter.below = below;
            count = same_let_in(database, other, &filter, labels[i]);
            parted += count > 0 && count < ALL;
        }
    }
    static const char *const formats[] = {"jpeg", "PNG"};
    lens_store_filter filter = lens_store_filter_none;
    filter.formats = formats;
    filter.format_count = 2;
    filter.size_least = 640;
    filter.after = 0;
    filter.before = 1;
    assert_int_equal(same_let_in(database, other, &filter, "formats, sizes and times"), ALL);
    filter.size_most = 639;
    assert_int_equal(same_let_in(database, other, &filter, "sizes"), 0);
    assert_true(parted > 30); /* most of what is asked for lets in some, and some not */
    lens_store_close(other);
    lens_store_close(database);
    test_folder_remove(folder);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_nearest), cmocka_unit_test(test_filters)};
    return store_place_run_server(tests);
}
