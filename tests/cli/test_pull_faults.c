/* `memelens pull` from a hub that cuts, stalls, lies and refuses, and pulls that are killed. Whatever happens, the models folder holds the whole
 * model or none. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pull_place.h"

static void test_a_cut_is_continued(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 2, .cut = true};
    expect(test_pull(here), 0, "trying again");
    assert_whole(here);
    char range[64];
    snprintf(range, sizeof range, "bytes=%zu-", test_place_weights.size / 2 + (test_place_weights.size - test_place_weights.size / 2) / 2);
    assert_string_equal(here->hub->range, range);
    assert_string_equal(here->hub->if_range, "\"store-0\"");
    assert_int_equal(here->hub->stored, 3);
}

/* ... also when a small file that came later is not what it should be: another time it may be. */
static void test_a_part_outlives_a_wrong_answer(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .cut = true};
    expect(test_pull(here), 2, "trying again");
    test_hub_add(here->hub, "preprocessor_config.json", NULL, "{}", 2);
    here->hub->fault = (test_hub_fault){.where = "/preprocessor_config.json", .times = TEST_HUB_FOREVER, .status = "200 OK", .headers = "Content-Length: 0\r\nX-Repo-Commit: "
                                        TEST_HUB_COMMIT "\r\nX-Linked-Size: 2\r\nX-Linked-Etag: \"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"\r\n"};
    expect(test_pull(here), 2, "preprocessor_config.json");
    here->hub->fault = (test_hub_fault){0};
    const int ranges = here->hub->ranges, stored = here->hub->stored;
    expect(test_pull(here), 0, " is in ");
    assert_int_equal(here->hub->ranges, ranges + 1);
    assert_int_equal(here->hub->stored, stored + 1);
}

static void test_parts_that_cannot_be_told_apart(void **state)
{
    const test_place *here = *state;
    here->hub->no_commit = true; /* a mirror that says neither a checksum nor an ETag */
    here->hub->fault = (test_hub_fault){.where = "GET /" REPOSITORY "/resolve/" TEST_HUB_COMMIT "/model.", .times = 1, .cut = true};
    expect(test_pull(here), 0, "trying again");
    assert_whole(here);
    /* Megabytes that come again and again are no headway: it gives up before the server gives in. */
    lens_error err;
    assert_done(lens_folder_remove(here->folder, &err), &err);
    here->hub->fault.times = 20;
    expect(test_pull(here), 2, "trying again");
    assert_none(here);
}

static void test_a_server_without_ranges(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .cut = true};
    here->hub->ignore_range = true;
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
    assert_int_equal(here->hub->ranges, 1);
}

static void test_a_file_that_changes_starts_anew(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .cut = true};
    here->hub->other_etag = true;
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
    assert_string_equal(here->hub->if_range, "\"store-1\"");
}

static void test_silence_is_not_waited_out(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .hang = true};
    expect(test_pull(here), 0, "silent");
    assert_whole(here);
    assert_int_equal(here->hub->ranges, 1);
}

/* As a power cut leaves it: of its length, and without some of its bytes. */
static void test_a_part_with_a_hole_is_begun_anew(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .cut = true};
    test_run run = test_pull(here);
    assert_int_equal(run.status, 2);
    test_run_free(&run);
    char *path = test_path(here->world->models, FOLDER ".part/model/model.safetensors.part");
    lens_buffer part = test_read(path);
    assert_true(part.size > 8192);
    memset(part.data + 4096, 0, 4096);
    test_write(path, part.data, part.size);
    lens_buffer_free(&part);
    free(path);
    here->hub->fault.times = 0;
    expect(test_pull(here), 0, "its checksum is right");
    assert_whole(here);
}

static void test_cuts_for_ever_keep_the_part(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .cut = true};
    test_run run = test_pull(here);
    assert_int_equal(run.status, 2);
    test_run_free(&run);
    assert_none(here);
    long kept = test_part_size(here);
    assert_true(kept > 0);
    here->hub->fault.times = 0;
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
    assert_int_equal(strtol(here->hub->range + strlen("bytes="), NULL, 10), kept);
}

static void test_lies_about_length(void **state)
{
    const test_place *here = *state;
    here->hub->length_lie = -1000;
    expect_refused(here, test_pull(here), "where it should be");
    here->hub->length_lie = 1000;
    expect_refused(here, test_pull(here), "where it should be");
    here->hub->length_lie = 0;
    here->hub->linked_lie = 1000;
    expect_refused(here, test_pull(here), "where it should be");
    here->hub->linked_lie = 0;
    here->hub->no_length = true;
    here->hub->more = 100;
    expect_refused(here, test_pull(here), "sends more than");
    assert_int_equal(test_part_size(here), -1);
    here->hub->more = 0;
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
}

static void test_a_wrong_file(void **state)
{
    const test_place *here = *state;
    here->hub->other_bytes = true;
    expect_refused(here, test_pull(here), "not the file that was published");
    assert_int_equal(test_part_size(here), -1);
    here->hub->other_bytes = false;
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
}

static void test_a_part_of_another_file(void **state)
{
    const test_place *here = *state;
    /* What lies there from before has the right name and the wrong bytes. */
    here->hub->other_bytes = true;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .cut = true};
    test_run run = test_pull(here);
    assert_int_equal(run.status, 2);
    test_run_free(&run);
    assert_true(test_part_size(here) > 0);
    here->hub->other_bytes = false;
    here->hub->fault.times = 0;
    expect(test_pull(here), 0, NULL); /* begun anew when that shows */
    assert_whole(here);
}

static void test_refusals(void **state)
{
    const test_place *here = *state;
    static const struct {
        const char *where, *status, *headers, *words;
    } cases[] = {
        {"HEAD /" REPOSITORY "/resolve/", "403 Forbidden", NULL, "HTTP 403"},
        {"HEAD /" REPOSITORY "/resolve/", "401 Unauthorized", "X-Error-Code: GatedRepo\r\nContent-Length: 0\r\n", "agreed to its terms"},
        {"GET /store/", "404 Not Found", NULL, "model.safetensors of " REPOSITORY ": not there"},
        {"GET /store/", "403 Forbidden", NULL, "HTTP 403"},
        {"HEAD /", "429 Too Many Requests", "Retry-After: 3\r\nContent-Length: 0\r\n", "HTTP 429, too many requests"},
        {"GET /store/", "500 Internal Server Error", NULL, "HTTP 500"},
        {"GET /store/", "302 Found", "Location: /store/model.safetensors\r\nContent-Length: 0\r\n", "redirects more than"},
        {"GET /store/", "302 Found", "Location: file:///etc/passwd\r\nContent-Length: 0\r\n", "not http or https"},
        {"GET /" REPOSITORY, "302 Found", "Location: file:///etc/passwd\r\nContent-Length: 0\r\n", "not http or https"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        here->hub->fault = (test_hub_fault){.where = cases[i].where, .times = TEST_HUB_FOREVER, .status = cases[i].status,
                                            .headers = cases[i].headers};
        expect_refused(here, test_pull(here), cases[i].words);
    }
    here->hub->fault.times = 0;
    expect_refused(here, test_pull_named(here, "ada/no-such", NULL), "there is no such repository, or it is private");
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
}

/* What a refusal or a redirect says beside its headers is not listened to for ever. */
static void test_refusals_without_end(void **state)
{
    test_place *here = *state;
    here->patience = "MEMELENS_PATIENCE=0.02"; /* what trickles is listened to that long each time */
    static const struct {
        const char *where, *status, *headers, *words;
    } cases[] = {
        {"GET /api/", "404 Not Found", NULL, REPOSITORY ": not there (HTTP 404)"},
        {"GET /store/", "403 Forbidden", NULL, "HTTP 403"},
        {"GET /store/", "500 Internal Server Error", "Content-Length: 99999999999\r\n", "HTTP 500"},
        {"GET /store/", "302 Found", "Location: /store/model.safetensors\r\n", "redirects, with a body that does not end"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        here->hub->fault = (test_hub_fault){.where = cases[i / 2].where, .times = TEST_HUB_FOREVER, .status = cases[i / 2].status, .headers = cases[i / 2].headers,
                                            .endless = i % 2 == 0, .trickles = i % 2};
        expect_refused(here, test_pull(here), cases[i / 2].words);
    }
    here->hub->fault.times = 0;
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
}

static void test_waiting_helps(void **state)
{
    const test_place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "HEAD /", .times = 2, .status = "429 Too Many Requests",
                                        .headers = "Retry-After: 7\r\nContent-Length: 0\r\n"};
    expect(test_pull(here), 0, "trying again in 7 s");
    assert_whole(here);
    lens_error err;
    assert_done(lens_folder_remove(here->folder, &err), &err);
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 2, .status = "503 Service Unavailable"};
    expect(test_pull(here), 0, "HTTP 503");
    assert_whole(here);
}

static void test_files_that_are_no_model(void **state)
{
    const test_place *here = *state;
    lens_buffer *served = &here->hub->files[1].bytes;
    lens_buffer_free(served);
    static const char page[] = "<!doctype html><title>Sign in</title>";
    assert_int_equal(lens_buffer_append(served, page, sizeof page - 1), 0);
    expect_refused(here, test_pull(here), "model.safetensors");
    lens_buffer_free(served);
    assert_int_equal(lens_buffer_append(served, test_place_weights.data, test_place_weights.size / 2), 0);
    expect_refused(here, test_pull(here), "model.safetensors");
    lens_buffer_free(&here->hub->files[0].bytes);
    static const char other[] = "{\"model_type\":\"wav2vec2\"}";
    assert_int_equal(lens_buffer_append(&here->hub->files[0].bytes, other, sizeof other - 1), 0);
    int stored = here->hub->stored;
    expect_refused(here, test_pull(here), "no encoder of this build knows");
    lens_buffer_free(&here->hub->files[0].bytes);
    static const char pooled[] = "{\"architecture\":\"tf_efficientnet_lite0\",\"global_pool\":\"max\",\"pretrained_cfg\":{\"input_size\":[3,61,61],"
                                 "\"interpolation\":\"bicubic\",\"mean\":[0.5,0.5,0.5],\"std\":[0.5,0.5,0.5],\"crop_pct\":1.0}}";
    assert_int_equal(lens_buffer_append(&here->hub->files[0].bytes, pooled, sizeof pooled - 1), 0);
    expect_refused(here, test_pull(here), "global_pool is 'max', not avg");
    assert_int_equal(here->hub->stored, stored); /* before its weights came */
    here->hub->listing = "[1,2";
    expect_refused(here, test_pull(here), "bad JSON");
    here->hub->listing = "{\"siblings\":[{\"rfilename\":\"pytorch_model.bin\"}]}";
    expect_refused(here, test_pull(here), "neither config.json nor");
}

/* What lies beside the weights is never as large as they are. */
static void test_a_side_file_without_bound(void **state)
{
    const test_place *here = *state;
    const size_t size = (64 << 20) + 1;
    char *large = calloc(1, size);
    assert_non_null(large);
    test_hub_add(here->hub, "tokenizer.json", NULL, large, size);
    free(large);
    expect_refused(here, test_pull(here), "tokenizer.json of " REPOSITORY ": 67108865 bytes, more than the 67108864 allowed");
    assert_int_equal(here->hub->stored, 0);
}

/* Starts a pull that does not end by itself. */
static pid_t pull_in_background(const test_place *here)
{
    const char *const *all = test_place_environment(here, "MEMELENS_PATIENCE=100");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (; *all; all++)
            putenv((char *)*all);
        signal(SIGINT, SIG_DFL); /* which who runs the tests in the background has ignored */
        FILE *nowhere = freopen("/dev/null", "w", stderr);
        execl(test_program(), test_program(), "pull", REPOSITORY, (char *)NULL);
        _exit(nowhere ? 127 : 126);
    }
    return child;
}

/* Until half of the weights has come. */
static void wait_for_half(const test_place *here)
{
    for (int i = 0; i < 6000 && test_part_size(here) < (long)test_place_weights.size / 2; i++)
        usleep(10000);
    assert_int_equal(test_part_size(here), test_place_weights.size / 2);
}

static void stop_and_go_on(const test_place *here, int number, int expected)
{
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .hang = true};
    pid_t child = pull_in_background(here);
    wait_for_half(here);
    assert_int_equal(kill(child, number), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), expected);
    assert_none(here);
    assert_int_equal(test_part_size(here), test_place_weights.size / 2);
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
    char range[64];
    snprintf(range, sizeof range, "bytes=%zu-", test_place_weights.size / 2);
    assert_string_equal(here->hub->range, range);
}

static void test_killed_in_the_middle(void **state)
{
    stop_and_go_on(*state, SIGKILL, 128 + SIGKILL);
}

static void test_interrupted_in_the_middle(void **state)
{
    stop_and_go_on(*state, SIGINT, 130);
}

static void test_two_at_once(void **state)
{
    const test_place *here = *state;
    pid_t first = pull_in_background(here), second = pull_in_background(here);
    int status;
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(second, &status, 0), second);
    assert_int_equal(status, 0);
    assert_whole(here);
    assert_int_equal(here->hub->stored, 1); /* the second found it there */
}

static void test_a_full_disk(void **state)
{
    const test_place *here = *state;
    lens_error err;
    char command[8400];
    /* A disk of 8 MB in a name space of its own, where that can be had. */
    snprintf(command, sizeof command,
             "exec unshare -m sh -c 'mount -t tmpfs -o size=8m none \"$MEMELENS_MODELS\" || exit 77; \"%s\" pull " REPOSITORY
             "; status=$?; ls \"$MEMELENS_MODELS\"; exit $status'",
             test_program());
    assert_done(lens_folder_make(here->world->models, &err), &err);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    const char *words[] = {"and the disk of", "No space left on device"};
    for (int i = 0; i < 2; i++) {
        here->hub->no_commit = here->hub->no_length = i == 1; /* whose lengths are known beforehand, and not */
        test_run run = test_run_program(argv, test_place_environment(here, NULL), NULL);
        if (!strstr(run.err.data, "memelens: ")) {
            test_run_free(&run);
            printf("skipped: no small disk can be made here\n");
            fflush(stdout);
            skip();
        }
        expect(run, 2, words[i]);
    }
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, test_place_setup, test_place_teardown)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_a_cut_is_continued),
        PLACE_TEST(test_a_part_outlives_a_wrong_answer),
        PLACE_TEST(test_parts_that_cannot_be_told_apart),
        PLACE_TEST(test_a_server_without_ranges),
        PLACE_TEST(test_a_file_that_changes_starts_anew),
        PLACE_TEST(test_silence_is_not_waited_out),
        PLACE_TEST(test_a_part_with_a_hole_is_begun_anew),
        PLACE_TEST(test_cuts_for_ever_keep_the_part),
        PLACE_TEST(test_lies_about_length),
        PLACE_TEST(test_a_wrong_file),
        PLACE_TEST(test_a_part_of_another_file),
        PLACE_TEST(test_refusals),
        PLACE_TEST(test_refusals_without_end),
        PLACE_TEST(test_waiting_helps),
        PLACE_TEST(test_files_that_are_no_model),
        PLACE_TEST(test_a_side_file_without_bound),
        PLACE_TEST(test_killed_in_the_middle),
        PLACE_TEST(test_interrupted_in_the_middle),
        PLACE_TEST(test_two_at_once),
        PLACE_TEST(test_a_full_disk),
    };
    return cmocka_run_group_tests(tests, test_place_make_weights, test_place_drop_weights);
}
