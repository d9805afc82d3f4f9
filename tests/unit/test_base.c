/* src/base: what everything else stands on. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/hash.h"
#include "base/id_map.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/names.h"
#include "base/processors.h"
#include "base/queue.h"
#include "base/text.h"
#include "support.h"

static void test_errors_keep_the_reason(void **state)
{
    (void)state;
    lens_error err = {0};
    assert_int_equal(lens_fail(&err, LENS_E_FORMAT, "%s: odd", "a.jpg"), -1);
    assert_string_equal(err.message, "a.jpg: odd");
    assert_int_equal(lens_fail_errno(&err, ENOSPC, "lib"), -1);
    assert_int_equal(err.code, LENS_E_FULL);
    assert_string_equal(err.message, "lib: No space left on device");
    char prefix[3000];
    memset(prefix, 'p', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    lens_fail_in(&err, prefix);
    assert_says(&err, "No space left on device");
    lens_fail_errno(&err, ENOENT, "%s", prefix);
    assert_says(&err, "ppp: No such file or directory");
    assert_int_equal(lens_fail(NULL, LENS_E_FORMAT, "nobody listens"), -1);
}

static void test_utf8(void **state)
{
    (void)state;
    const char *good[] = {"", "plain", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x98\xb8", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    const char *bad[] = {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x98", "a\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(lens_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(lens_utf8_valid(bad[i], strlen(bad[i])));
}

static void test_printable_text_cannot_steer_a_terminal(void **state)
{
    (void)state;
    lens_buffer out = {0};
    const char text[] = "a\x1b[2J\n\xff gr\xc3\xbc\xc2\x9b";
    assert_int_equal(lens_text_printable(text, sizeof text - 1, &out), 0);
    assert_string_equal(out.data, "a\\x1b[2J\\x0a\\xff gr\xc3\xbc\\xc2\\x9b");
    lens_buffer_free(&out);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t utc;
    } good[] = {
        {"2024", 1704067200}, {"2024-05", 1714521600}, {"2024-05-17", 1715904000}, {"2024-5-7", 1715040000}, {"2024-02-29", 1709164800},
        {"2000-02-29", 951782400}, {"1970", -1}, {"1969-12-31", -86400}, {"0001", -62135596800}, {"9999-12-31", 253402214400},
    };
    static const char *const bad[] = {"", "24", "812", "0000", "20240", "2024-", "2024-00", "2024-13", "2024-05-00", "2024-05-32", "2024-04-31", "2023-02-29",
                                      "1900-02-29", "2024--5", "2024-05--7", "-2024", " 2024", "2024-+5", "2024-05-17T", "2024-05-17-1", "2024-05-170"};
    char out[LENS_DATE_SIZE];
    int64_t moment = 7;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(lens_date_read(good[i].text, false, &moment));
        assert_int_equal(moment, good[i].utc);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(lens_date_read(bad[i], false, &moment) || lens_date_read(bad[i], true, &moment));
    char *zone = getenv("TZ") ? strdup(getenv("TZ")) : NULL;
    setenv("TZ", "BRT+3BRST,M11.1.0/0,M2.3.0/0", 1); /* clocks go forward at midnight, as in Brazil in 2018 */
    tzset();
    assert_true(lens_date_read("2018-07-01", true, &moment));
    assert_int_equal(moment, 1530414000);
    assert_true(lens_date_read("2018-11-04", true, &moment));
    assert_int_equal(moment, 1541300400);
    assert_int_equal(zone ? setenv("TZ", zone, 1) : unsetenv("TZ"), 0);
    tzset();
    free(zone);
    lens_date_write(1715934600, out);
    assert_string_equal(out, "2024-05-17T08:30:00Z");
    lens_date_write(-1, out);
    assert_string_equal(out, "1969-12-31T23:59:59Z");
    lens_date_write(INT64_MAX, out);
    assert_string_equal(out, "");
}

static void test_addresses(void **state)
{
    (void)state;
    const char *good[] = {"http://a", "https://a/b?c", "HTTP://A", "Https://", "http://"};
    const char *bad[] = {"", "http", "http:/a", "https:/a", "ftp://a", " http://a", "httpx://a", "file:///http://a", "a/http://b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(lens_is_url(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(lens_is_url(bad[i]));
}

static void test_base64(void **state)
{
    (void)state;
    /* RFC 4648, section 10. */
    const char *cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_buffer out = {0};
        assert_int_equal(lens_base64_encode(cases[i][0], strlen(cases[i][0]), &out), 0);
        assert_string_equal(out.data, cases[i][1]);
        lens_buffer_free(&out);
    }
}

static void test_paths(void **state)
{
    (void)state;
    const char *cases[][2] = {{"/a/b", "/a/b"},       {"/a//b/", "/a/b"}, {"/a/./b/../c", "/a/c"},
                              {"/../..", "/"},        {"/", "/"},         {"/a/..", "/"},
                              {"/a/...", "/a/..."}};
    assert_null(lens_path_absolute("", NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = lens_path_absolute(cases[i][0], NULL);
        assert_string_equal(path, cases[i][1]);
        free(path);
    }
    assert_true(lens_path_within("/a/b", "/a"));
    assert_true(lens_path_within("/a", "/a"));
    assert_true(lens_path_within("/a", "/"));
    assert_false(lens_path_within("/ab", "/a"));
}

static void test_files(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_error err = {0};
    char *deep = test_path(folder, "x/y/z");
    assert_done(lens_folder_make(deep, &err), &err);
    assert_done(lens_folder_make(deep, &err), &err);
    char *file = test_path(deep, "f");
    assert_done(lens_file_write(file, "hello", 5, &err), &err);
    assert_done(lens_file_write(file, "world!", 6, &err), &err);
    lens_buffer bytes = {0};
    assert_done(lens_file_read(file, 6, &bytes, &err), &err);
    assert_string_equal(bytes.data, "world!");
    assert_int_equal(lens_file_read(file, 5, &bytes, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    assert_int_equal(lens_file_read(deep, 5, &bytes, &err), -1);
    assert_says(&err, "is a folder");
    char *fifo = test_path(folder, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(lens_file_read(fifo, 5, &bytes, &err), -1); /* and does not wait for a writer */
    assert_says(&err, "not a regular file");
    assert_int_equal(lens_folder_make(file, &err), -1);
    const void *map;
    size_t size;
    assert_done(lens_file_map(file, &map, &size, &err), &err);
    assert_memory_equal(map, "world!", 6);
    lens_file_unmap(map, size);
    free(fifo), free(file), free(deep);
    test_folder_remove(folder);
}

static void test_times_of_files(void **state)
{
    (void)state;
    static const struct { int64_t seconds, expected; } cases[] = {
        {0, 5}, {1700000000, 1700000000000000005}, {-1, -999999995}, {9223372035, 9223372035000000005}, {9223372036, 9223372035000000005},
        {253402214400, 9223372035000000005}, {INT64_MAX, 9223372035000000005}, {-9223372036, -9223372034999999995}, {INT64_MIN, -9223372034999999995},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(lens_file_mtime_ns(&(struct stat){.st_mtim = {.tv_sec = cases[i].seconds, .tv_nsec = 5}}), cases[i].expected);
}

static void test_hash_is_canonical(void **state)
{
    (void)state;
    /* XXH3-128 of the empty input, from the xxHash specification's own test vectors: the big-endian form. */
    static const uint8_t empty[16] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8, 0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
    lens_hash hash = lens_hash_of("", 0);
    assert_memory_equal(hash.bytes, empty, 16);
}

static void *fill(void *queue)
{
    for (size_t i = 1; i <= 1000; i++)
        if (!lens_queue_push(queue, (void *)i))
            return NULL;
    lens_queue_close(queue);
    return NULL;
}

static void test_a_list_grows(void **state)
{
    (void)state;
    size_t capacity = 0;
    int *items = NULL;
    for (size_t count = 0; count < 1000; count++) {
        int *more = lens_list_room(items, count, &capacity, sizeof *items);
        assert_non_null(more);
        assert_true(capacity > count);
        assert_true(count == 0 || more == items || more[count - 1] == (int)count - 1);
        items = more;
        items[count] = (int)count;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    const size_t full = SIZE_MAX / 8 + 1; /* twice as many are 0 bytes, if nobody looks */
    capacity = full;
    assert_null(lens_list_room(items, full, &capacity, sizeof *items));
    assert_int_equal(capacity, full);
    free(items);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const given[] = {"/p/b", "/p", "/p/\303\244", "/p/b/c", "/p/B"};
    lens_names names = {0};
    lens_names_sort(&names); /* of none */
    assert_int_equal(lens_names_find(&names, "/p"), -1);
    assert_null(lens_names_nearest(&names, "/p"));
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_int_equal(lens_names_add(&names, strdup(given[i])), 0);
    assert_int_equal(lens_names_add(&names, NULL), -1);
    assert_true(lens_names_have(&names, "/p/B") && !lens_names_have(&names, "/p/"));

    static const char *const sorted[] = {"/p", "/p/B", "/p/b", "/p/b/c", "/p/\303\244"};
    lens_names_sort(&names);
    assert_int_equal(names.count, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(names.items[i], sorted[i]);
        assert_int_equal(lens_names_find(&names, sorted[i]), i);
    }
    assert_int_equal(lens_names_find(&names, "/p/b/"), -1);
    assert_int_equal(lens_names_find(&names, "/q"), -1);

    assert_string_equal(lens_names_nearest(&names, "/p/b/c/d.jpg"), "/p/b/c");
    assert_string_equal(lens_names_nearest(&names, "/p/b/cd"), "/p/b");
    assert_string_equal(lens_names_nearest(&names, "/p"), "/p");
    assert_null(lens_names_nearest(&names, "/pq"));
    lens_names_free(&names);
    assert_null(names.items);
}

static void test_ids(void **state)
{
    (void)state;
    int64_t ids[] = {INT64_MAX, 3, INT64_MIN, 3, -1};
    const size_t count = sizeof ids / sizeof *ids;
    lens_ids_sort(ids, count);
    for (size_t i = 1; i < count; i++)
        assert_true(ids[i - 1] <= ids[i]);
    assert_true(lens_ids_have(ids, count, INT64_MIN) && lens_ids_have(ids, count, INT64_MAX) && lens_ids_have(ids, count, 3));
    assert_false(lens_ids_have(ids, count, 0) || lens_ids_have(NULL, 0, 0));
    lens_ids_sort(NULL, 0);
}

static void test_an_id_map(void **state)
{
    (void)state;
    lens_id_map map = {0};
    assert_int_equal(lens_id_map_get(&map, 7, -1), -1);
    for (int round = 0; round < 2; round++) /* the second one writes over the first */
        for (int64_t id = 1; id <= 3000; id++)
            assert_int_equal(lens_id_map_put(&map, id * (INT64_C(1) << 33) + id % 3, id + round), 0);
    assert_int_equal(map.count, 3000);
    for (int64_t id = 1; id <= 3000; id++) {
        assert_int_equal(lens_id_map_get(&map, id * (INT64_C(1) << 33) + id % 3, -1), id + 1);
        assert_int_equal(lens_id_map_get(&map, id * (INT64_C(1) << 33) + 3, -1), -1);
    }
    lens_id_map_free(&map);
    assert_int_equal(lens_id_map_get(&map, 7, -1), -1);
}

static void test_queue(void **state)
{
    (void)state;
    lens_queue *queue = lens_queue_new(3);
    void *item = NULL;
    assert_false(lens_queue_pop_within(queue, &item, 0.01));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fill, queue), 0);
    size_t next = 1;
    while (lens_queue_pop(queue, &item))
        assert_int_equal((size_t)item, next++);
    assert_int_equal(next, 1001);
    pthread_join(thread, NULL);
    assert_false(lens_queue_push(queue, item));
    lens_queue_free(queue);
}

/* Given up at its moment and not before, on the clock that no one can set back. */
static void test_a_wait_ends(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    lens_cond_init(&never);
    for (int i = 0; i < 3; i++) { /* at whatever fraction of a second it begins */
        const double until = lens_seconds() + 0.4;
        pthread_mutex_lock(&lock);
        while (lens_cond_wait(&never, &lock, until))
            ;
        pthread_mutex_unlock(&lock);
        assert_true(lens_seconds() >= until - 1e-6);
    }
    pthread_cond_destroy(&never);
    pthread_mutex_destroy(&lock);
}

static void test_queue_is_shared_out(void **state)
{
    (void)state;
    lens_queue *queue = lens_queue_new(20);
    void *items[8];
    for (size_t i = 1; i <= 20; i++)
        assert_true(lens_queue_push(queue, (void *)i));
    const size_t expected[] = {7, 5, 3, 2, 1, 1, 1, 0}; /* a third of what is left each time, at most 7 */
    lens_queue_close(queue);
    for (size_t i = 0, next = 1; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(lens_queue_pop_share(queue, items, 7, 3), expected[i]);
        for (size_t j = 0; j < expected[i]; j++)
            assert_int_equal((size_t)items[j], next++);
    }
    lens_queue_free(queue);
    queue = lens_queue_new(3); /* does not wait */
    assert_int_equal(lens_queue_take_share(queue, items, 8, 2), 0);
    assert_true(lens_queue_push(queue, items) && lens_queue_push(queue, items));
    assert_int_equal(lens_queue_take_share(queue, items, 8, 1), 2);
    lens_queue_free(queue);
    queue = lens_queue_new(3); /* waits, and makes room for who pushes */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fill, queue), 0);
    size_t next = 1;
    for (size_t count; (count = lens_queue_pop_share(queue, items, 8, 2));)
        for (size_t i = 0; i < count; i++)
            assert_int_equal((size_t)items[i], next++);
    assert_int_equal(next, 1001);
    pthread_join(thread, NULL);
    lens_queue_free(queue);
}

static void test_bytes_as_text(void **state)
{
    (void)state;
    char hex[5];
    const lens_hash hash = {.bytes = {0x0f, 0xa0, 0xff}};
    lens_hash_hex(&hash, 2, hex);
    assert_string_equal(hex, "0fa0");
    json_t *object = json_object();
    json_object_set_new(object, "uri", lens_json_data("image/png", "memes", 5));
    assert_string_equal(json_string_value(json_object_get(object, "uri")), "data:image/png;base64,bWVtZXM=");
    json_object_del(object, "uri");
    json_object_set_new(object, "said", lens_json_text("a\xff: odd"));
    assert_string_equal(json_string_value(json_object_get(object, "said")), "a\\xff: odd");
    json_object_del(object, "said");
    lens_json_set_path(object, "plain", "/gr\xc3\xbc\xc3\x9f");
    lens_json_set_path(object, "odd", "a\xff");
    assert_string_equal(json_string_value(json_object_get(object, "plain")), "/gr\xc3\xbc\xc3\x9f");
    assert_string_equal(json_string_value(json_object_get(object, "odd_base64")), "Yf8=");
    assert_int_equal(json_object_size(object), 2);
    json_decref(object);
}

/* A machine of many processors gives a container the time of a few. */
static void test_processors(void **state)
{
    (void)state;
    static const struct {
        const char *group, *top, *inner, *innermost;
        double granted;
    } cases[] = {
        {"0::/a.slice/b\n", NULL, NULL, "200000 100000\n", 2},
        {"0::/a.slice/b\n", NULL, "150000 100000\n", "max 100000\n", 1.5},
        {"0::/a.slice/b\n", "50000 100000\n", "max 100000\n", "200000 100000\n", 0.5},
        {"0::/a.slice/b\n", NULL, NULL, "max 100000\n", HUGE_VAL},
        {"1:cpu:/elsewhere\n0::/\n", "300000 100000\n", "100000 100000\n", NULL, 3}, /* a container sees its own group as the topmost */
        {"0::/gone/b\n", "400000 100000\n", NULL, NULL, 4},
        {"0::/a.slice/b\n", NULL, NULL, "0 100000\n", HUGE_VAL},
        {"0::/a.slice/b\n", NULL, NULL, "100000 0\n", HUGE_VAL},
        {"0::/a.slice/b\n", NULL, NULL, "nonsense\n", HUGE_VAL},
        {"2:cpu:/a.slice/b\n", "100000 100000\n", NULL, NULL, HUGE_VAL}, /* of version 1 */
        {"", "100000 100000\n", NULL, NULL, HUGE_VAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *root = test_folder_new(), *membership = test_path(root, "self");
        const char *const quotas[] = {cases[i].top, cases[i].inner, cases[i].innermost}, *const folders[] = {"", "a.slice", "a.slice/b"};
        test_write(membership, cases[i].group, strlen(cases[i].group));
        for (int level = 0; level < 3; level++) {
            char *folder = test_path(root, "%s", folders[level]), *file = test_path(folder, "cpu.max");
            assert_true(level == 0 || mkdir(folder, 0777) == 0);
            if (quotas[level])
                test_write(file, quotas[level], strlen(quotas[level]));
            free(file);
            free(folder);
        }
        assert_true(lens_processors_granted(membership, root) == cases[i].granted);
        free(membership);
        test_folder_remove(root);
    }
    assert_true(lens_processors_granted("/nowhere", "/nowhere") == HUGE_VAL);
    assert_in_range(lens_processors(), 1, lens_processors_seen());
}

/* Waits until it was called as often as it is to be, then gives up or has the other one close. */
struct waiting {
    int calls, until;
    int other; /* is closed then; -1: gives up */
};

static int wait_a_while(void *context, lens_error *err)
{
    struct waiting *self = context;
    if (++self->calls < self->until)
        return 0;
    if (self->other < 0)
        return lens_fail(err, LENS_E_CANCELLED, "enough");
    assert_int_equal(close(self->other), 0);
    return 0;
}

static void test_a_lock_is_waited_for(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "lock");
    const int first = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), second = open(path, O_RDWR | O_CLOEXEC);
    lens_error err = {0};
    assert_true(first >= 0 && second >= 0);
    struct waiting gives_up = {0, 3, -1}, closes = {0, 3, first};
    assert_int_equal(lens_lock(first, path, 0.001, wait_a_while, &gives_up, &err), 0);
    assert_int_equal(gives_up.calls, 0);
    assert_int_equal(lens_lock(second, path, 0.001, wait_a_while, &gives_up, &err), -1);
    assert_int_equal(gives_up.calls, 3);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_string_equal(err.message, "enough");
    assert_int_equal(lens_lock(second, path, 0.001, wait_a_while, &closes, &err), 0);
    assert_int_equal(closes.calls, 3);
    assert_int_equal(close(second), 0);
    assert_int_equal(lens_lock(second, path, 0.001, wait_a_while, &gives_up, &err), -1); /* what is not open */
    assert_says(&err, "lock: cannot be locked");
    assert_int_equal(gives_up.calls, 3);
    free(path);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_keep_the_reason),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_printable_text_cannot_steer_a_terminal),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_processors),
        cmocka_unit_test(test_bytes_as_text),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_times_of_files),
        cmocka_unit_test(test_hash_is_canonical),
        cmocka_unit_test(test_a_lock_is_waited_for),
        cmocka_unit_test(test_a_list_grows),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_an_id_map),
        cmocka_unit_test(test_a_wait_ends),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_queue_is_shared_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
