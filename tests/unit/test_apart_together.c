/* Decoding in processes of their own, several at a time: in two steps, by many threads, while they or the program are killed: src/pixels/apart.c, helper.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/patience.h"
#include "misbehave.h"
#include "pictures.h"
#include "pixels/apart.h"
#include "pixels/decoders.h"
#include "pixels/helper_loop.h"
#include "processes.h"
#include "support.h"

/* All helpers, which are MIN or more. */
static void kill_all(int min)
{
    pid_t helpers[64];
    const int count = test_processes_below(getpid(), TEST_ALIVE, helpers, 64);
    assert_true(count >= min);
    for (int i = 0; i < count; i++)
        kill(helpers[i], SIGKILL);
    test_processes_wait(getpid(), TEST_ZOMBIES, count, NULL); /* dead, and nobody has looked yet */
}

/* Two are decoded while this thread has time for other things, to the pixels that they have here; what happens to their processes meanwhile is up to BETWEEN. */
static void decode_two(void (*between)(void))
{
    lens_decode_limits limits = {test_ask_pixels};
    lens_decoding decodings[2];
    lens_buffer bytes[2] = {test_picture(TEST_JPEG_420, 83, 61, 3), test_picture(TEST_JPEG_420, 83, 61, 4)};
    lens_error err = {0};
    for (int i = 0; i < 2; i++)
        lens_decode_begin(&decodings[i], bytes[i].data, bytes[i].size, &limits);
    if (between)
        between();
    for (int i = 0; i < 2; i++) {
        lens_image image, here;
        assert_done(lens_decode_end(&decodings[i], &image, &err), &err);
        assert_done(lens_decode_here(bytes[i].data, bytes[i].size, &limits, &here, &err), &err);
        assert_memory_equal(image.rgb, here.rgb, 83 * 61 * 3);
        assert_int_equal(decodings[i].format, LENS_FORMAT_JPEG);
        lens_image_free(&image);
        lens_image_free(&here);
        lens_buffer_free(&bytes[i]);
    }
}

static void test_a_killed_helper_is_replaced(void **state)
{
    (void)state;
    decode_two(NULL); /* by two of one kind: the second try must not be another dead one's */
    kill_all(2);
    lens_buffer bytes = test_picture(TEST_JPEG_420, 83, 61, 3);
    test_decoded_the_same(bytes.data, bytes.size, "after a kill");
    lens_buffer_free(&bytes);
    lens_apart_end();
    test_decoding_goes_on_by_all();
}

static void kill_both(void)
{
    kill_all(2);
}

static void test_pictures_are_decoded_meanwhile(void **state)
{
    (void)state;
    decode_two(NULL);
    decode_two(kill_both); /* and what was at rest: whoever takes their place is a new one */
    lens_apart_end();
    decode_two(NULL);
    test_decoding_goes_on_by_all();
}

static void test_what_goes_wrong_meanwhile_is_told_at_the_end(void **state)
{
    (void)state;
    lens_decode_limits limits = {test_ask_pixels};
    lens_decoding decoding;
    lens_image image;
    lens_error err = {0};
    const struct {
        const char *words, *reason;
    } cases[] = {{"exit", "its decoder ended (status 7)"}, {"lie large", "its decoder gave an answer that cannot be"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[64];
        const int size = snprintf(bytes, sizeof bytes, "%s%s", TEST_ASK_JPEG, cases[i].words);
        lens_decode_begin(&decoding, bytes, (size_t)size, &limits);
        decode_two(NULL); /* by others */
        assert_int_equal(lens_decode_end(&decoding, &image, &err), -1);
        assert_string_equal(err.message, cases[i].reason);
        assert_null(image.rgb);
    }
    lens_decode_begin(&decoding, "GI", 2, &limits);
    assert_int_equal(lens_decode_end(&decoding, &image, &err), -1);
    assert_string_equal(err.message, "not a picture");
    test_decoding_goes_on();
}

static void test_what_is_expected_is_there(void **state)
{
    (void)state;
    lens_apart_end();
    lens_apart_expect(LENS_FORMAT_NONE);
    assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, NULL, 0), 0);
    lens_apart_expect(LENS_FORMAT_JPEG);
    pid_t expected, used;
    assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, &expected, 1), 1);
    lens_apart_expect(LENS_FORMAT_JPEG);
    test_decoding_goes_on();
    assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, &used, 1), 1);
    assert_int_equal(used, expected);
}

static void test_what_nobody_wants_is_ended(void **state)
{
    (void)state;
    lens_decode_limits limits = {test_ask_pixels};
    lens_decoding decoding;
    char bytes[64];
    const int size = snprintf(bytes, sizeof bytes, "%sspin", TEST_ASK_JPEG);
    test_decoding_goes_on();
    const int before = test_processes_below(getpid(), TEST_ALIVE, NULL, 0);
    lens_decode_begin(&decoding, bytes, (size_t)size, &limits); /* by the one at rest */
    lens_decode_drop(&decoding);
    assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, NULL, 0), before - 1);
    test_decoding_goes_on();
    lens_decode_begin(&decoding, "GI", 2, &limits);
    lens_decode_drop(&decoding);
}

static bool spins(pid_t process)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)process);
    FILE *file = fopen(path, "r");
    if (file && !fgets(name, sizeof name, file))
        *name = '\0';
    if (file)
        fclose(file);
    return strcmp(name, "spinning\n") == 0;
}

static void *spin_a_drawing(void *context)
{
    test_ask(TEST_ASK_SVG, "spin");
    return context;
}

/* One at rest and two in the middle of pictures, when what started them is killed. */
static void test_no_helper_survives_the_program(void **state)
{
    (void)state;
    test_decoding_goes_on();
    pid_t ours[64];
    const int before = test_processes_below(getpid(), TEST_ALIVE, ours, 64);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;
        test_ask(TEST_ASK_JPEG, "cursor"); /* by a helper of its own, now at rest */
        lens_apart_begin(1000);
        pthread_create(&thread, NULL, spin_a_drawing, NULL);
        test_ask(TEST_ASK_PNG, "spin");
        _exit(1);
    }
    pid_t theirs[3];
    test_processes_wait(child, TEST_ALIVE, 3, theirs);
    int spinning = 0;
    for (int i = 0; i < 6000 && spinning < 2; i++, lens_sleep(0.01))
        spinning = spins(theirs[0]) + spins(theirs[1]) + spins(theirs[2]);
    assert_int_equal(spinning, 2);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (int i = 0; i < 3; i++)
        test_process_wait_end(theirs[i]);
    assert_true(test_processes_below(getpid(), TEST_ALIVE, ours, 64) >= before); /* and ours were left alone */
    test_decoding_goes_on();
}

static void *ask_to_stay(void *head)
{
    test_ask(head, "stay");
    return NULL;
}

/* One that was taken over does what it can to outlive what started it, be that killed or through. */
static void outlive(char *head, bool killed)
{
    int through[2];
    assert_int_equal(pipe(through), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;
        char byte;
        close(through[1]); /* it ends with the test, too */
        lens_apart_begin(1000);
        pthread_create(&thread, NULL, ask_to_stay, head);
        _exit(read(through[0], &byte, 1) == 1 ? 0 : 1);
    }
    pid_t helper;
    test_processes_wait(child, TEST_ALIVE, 1, &helper);
    const double latest = lens_seconds() + 60;
    while (!spins(helper) && lens_seconds() < latest) /* it has done what it could */
        lens_sleep(0.01);
    assert_true(spins(helper));
    if (killed)
        kill(child, SIGKILL);
    else
        assert_int_equal(write(through[1], "", 1), 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    test_process_wait_end(helper);
    close(through[0]), close(through[1]);
}

static void test_none_that_was_taken_over_survives_the_program(void **state)
{
    (void)state;
    if (lens_apart_lacks()) { /* then it may close what ends it */
        print_message("skipped: %s\n", lens_apart_lacks());
        skip();
    }
    char jpeg[] = TEST_ASK_JPEG, png[] = TEST_ASK_PNG, svg[] = TEST_ASK_SVG, *heads[] = {jpeg, png, svg};
    for (int i = 0; i < 6; i++)
        outlive(heads[i % 3], i < 3);
    test_decoding_goes_on();
}

static void *many(void *context)
{
    for (int i = 0; i < 40; i++) {
        lens_buffer *bytes = context;
        lens_decode_limits limits = {test_ask_pixels};
        lens_image image;
        lens_error err = {0};
        char crash[64];
        const int size = snprintf(crash, sizeof crash, "%skill", TEST_ASK_JPEG);
        if (i % 10 == 0)
            lens_decode(crash, (size_t)size, &limits, &image, NULL, &err);
        if (lens_decode(bytes->data, bytes->size, &limits, &image, NULL, &err) != 0)
            return "failed";
        lens_image_free(&image);
    }
    return NULL;
}

enum { TIMED = 6 };

typedef struct timed {
    const char *words;
    lens_error found;
    long long begun, ended;
} timed;

static void *ask_for_time(void *context)
{
    timed *self = context;
    self->found = test_ask(TEST_ASK_JPEG, self->words);
    return NULL;
}

/* How many of TIMED large pictures at the same time, each of which asks for WORDS, were decoded at one moment. */
static int most_at_once(const char *words)
{
    pthread_t threads[TIMED];
    timed all[TIMED];
    int most = 0;
    for (int i = 0; i < TIMED; i++) {
        all[i] = (timed){.words = words};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_time, &all[i]), 0);
    }
    for (int i = 0; i < TIMED; i++) {
        pthread_join(threads[i], NULL);
        if (sscanf(all[i].found.message, "%lld to %lld", &all[i].begun, &all[i].ended) != 2)
            fail_msg("%s", all[i].found.message);
    }
    for (int i = 0; i < TIMED; i++) {
        int count = 0;
        for (int k = 0; k < TIMED; k++)
            count += all[k].begun <= all[i].begun && all[i].begun < all[k].ended;
        most = count > most ? count : most;
    }
    return most;
}

static void test_few_large_pictures_are_decoded_at_a_time(void **state)
{
    (void)state;
    const uint64_t before = test_ask_pixels;
    test_ask_pixels = 100 << 20;
    assert_int_equal(most_at_once("time"), 1); /* of 80 million pixels */
    int most = 0; /* four of 24 million, once the machine has time for so many */
    for (int i = 0; i < 50 && most < 4; i++) {
        const int now = most_at_once("time together");
        most = now > most ? now : most;
    }
    assert_int_equal(most, 4);
    lens_error err = test_ask(TEST_ASK_JPEG, "lie small");
    assert_string_equal(err.message, "its decoder gave an answer that cannot be");
    const char *lies[] = {"lie again", "lie at once", "lie room at once", "lie larger"};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        err = test_ask(TEST_ASK_JPEG, lies[i]);
        assert_string_equal(err.message, "its decoder gave an answer that cannot be");
    }
    test_ask_pixels = before;
    test_decoding_goes_on(); /* nobody holds what is for one */
    err = test_ask(TEST_ASK_JPEG, "time");
    assert_says(&err, "pixels, more than the");
}

static bool goes_on(void *stop)
{
    return !atomic_load((atomic_bool *)stop);
}

typedef struct asking {
    atomic_bool *stop;
    const char *words;
    lens_error found;
} asking;

static void *ask_until_stop(void *context)
{
    asking *self = context;
    lens_patience_set((lens_disk_patience){.goes_on = goes_on, .context = self->stop});
    self->found = test_ask(TEST_ASK_JPEG, self->words);
    return NULL;
}

/* Two wait for their turn with a large picture, or one has it, and its helper does nothing more; a third waits for a small one. */
static void test_a_stop_ends_the_waiting(void **state)
{
    (void)state;
    const uint64_t before = test_ask_pixels;
    atomic_bool stop = false;
    asking all[] = {{.stop = &stop, .words = "lie turn"}, {.stop = &stop, .words = "lie turn"}, {.stop = &stop, .words = "sleep"}};
    pthread_t threads[3];
    test_ask_pixels = 100 << 20;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_until_stop, &all[i]), 0);
    lens_sleep(1);
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(all[i].found.message, "interrupted");
        assert_int_equal(all[i].found.code, LENS_E_CANCELLED);
    }
    lens_error err = test_ask(TEST_ASK_JPEG, "time"); /* nobody has it now */
    assert_says(&err, " to ");
    test_ask_pixels = before;
    test_decoding_goes_on();
}

static void test_threads_have_helpers_of_their_own(void **state)
{
    (void)state;
    lens_buffer bytes[] = {test_picture(TEST_JPEG_420, 83, 61, 3), test_picture(TEST_PNG, 83, 61, 3)};
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many, &bytes[i % 2]), 0);
    for (int i = 0; i < 6; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    lens_buffer_free(&bytes[0]);
    lens_buffer_free(&bytes[1]);
    test_decoding_goes_on();
}

int main(int argc, char **argv)
{
    int status;
    if (test_misbehaves(argc, argv, &status))
        return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_killed_helper_is_replaced),
        cmocka_unit_test(test_pictures_are_decoded_meanwhile),
        cmocka_unit_test(test_what_goes_wrong_meanwhile_is_told_at_the_end),
        cmocka_unit_test(test_what_is_expected_is_there),
        cmocka_unit_test(test_what_nobody_wants_is_ended),
        cmocka_unit_test(test_no_helper_survives_the_program),
        cmocka_unit_test(test_none_that_was_taken_over_survives_the_program),
        cmocka_unit_test(test_few_large_pictures_are_decoded_at_a_time),
        cmocka_unit_test(test_a_stop_ends_the_waiting),
        cmocka_unit_test(test_threads_have_helpers_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
