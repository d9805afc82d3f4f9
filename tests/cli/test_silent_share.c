/* A share of the network that goes silent: what lies elsewhere is indexed and found all the same, what is known of the share is kept, Ctrl-C works, and a
 * server answers. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "memelens.h"
#include "ocr/ocr.h"
#include "processes.h"
#include "serving.h"
#include "silent_share.h"

enum { LOCAL = 3, SHARED = 6 };

typedef struct scene {
    test_world *world;
    char *source, *at; /* what is shared, and where: a folder within the pictures */
    test_share *share;
} scene;

static int setup(void **state)
{
    scene *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->world = test_world_new();
    self->source = test_path(self->world->folder, "source");
    self->at = test_world_path(self->world, "nas");
    assert_int_equal(mkdir(self->source, 0777), 0);
    assert_int_equal(mkdir(self->at, 0777), 0);
    for (unsigned i = 0; i < LOCAL; i++) {
        char name[32];
        snprintf(name, sizeof name, "local%u.png", i);
        test_world_picture(self->world, name, TEST_PNG, i);
    }
    for (unsigned i = 0; i < SHARED; i++) {
        char *path = test_path(self->source, "shared%u.png", i);
        test_picture_write(path, TEST_PNG, 160, 120, 100 + i);
        free(path);
    }
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    scene *self = *state;
    unsetenv("MEMELENS_PATIENCE");
    test_share_unmount(self->share);
    test_world_free(self->world);
    free(self->source);
    free(self->at);
    free(self);
    return 0;
}

static void patience(const char *times)
{
    setenv("MEMELENS_PATIENCE", times, 1);
}

/* Indexes with "colour", and fails unless so many were INDEXED, UNCHANGED and FAILED and none removed. What it said. */
static lens_buffer index_expecting(const scene *self, long indexed, long unchanged, long failed)
{
    test_run run = test_world_expect(self->world, 0, "index", "--json", "--model", "colour", self->world->pictures, NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *report = json_array_get(lines, 0);
    if (test_json_integer(report, "indexed") != indexed || test_json_integer(report, "unchanged") != unchanged || test_json_integer(report, "failed") != failed ||
        test_json_integer(report, "removed") != 0)
        fail_msg("%s%s", run.out.data, run.err.data);
    json_decref(lines);
    const lens_buffer said = run.err;
    run.err = (lens_buffer){0};
    test_run_free(&run);
    return said;
}

static void expect_said(lens_buffer said, const char *words)
{
    if (!strstr(said.data, words))
        fail_msg("expected '%s' in: %s", words, said.data);
    lens_buffer_free(&said);
}

static void test_files_without_an_answer_are_named(void **state)
{
    scene *self = *state;
    self->share = test_share_mount(self->at, self->source);
    test_share_silence(self->share, TEST_SILENT_READ);
    patience("0.05");
    lens_buffer said = index_expecting(self, LOCAL, 0, SHARED);
    assert_non_null(strstr(said.data, "shared5.png"));
    expect_said(said, "no answer for 3 s");
    /* It comes back. */
    test_share_silence(self->share, TEST_SILENT_NEVER);
    patience("1000"); /* it answers now, however busy the machine */
    said = index_expecting(self, SHARED, LOCAL, 0);
    lens_buffer_free(&said);
}

static void test_a_silent_share_loses_nothing(void **state)
{
    scene *self = *state;
    self->share = test_share_mount(self->at, self->source);
    lens_buffer said = index_expecting(self, LOCAL + SHARED, 0, 0);
    lens_buffer_free(&said);
    test_share_silence(self->share, TEST_SILENT_ALL);
    patience("0.05");
    expect_said(index_expecting(self, 0, LOCAL, 0), "no answer for 3 s");

    /* All that is known is found, and nothing of it is asked of the share. */
    patience("1000");
    char *local = test_world_path(self->world, "local0.png");
    json_t *found = test_world_search(self->world, local);
    assert_int_equal(json_array_size(found), LOCAL + SHARED);
    json_decref(found);
    test_run check = test_world_expect(self->world, 0, "check", NULL);
    test_run_free(&check);
    free(local);
    patience("0.05");
    test_run status = test_world_expect(self->world, 0, "status", "--json", NULL);
    json_t *lines = test_json_lines(&status.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "pictures"), LOCAL + SHARED);
    json_decref(lines);
    test_run_free(&status);

    /* The share itself, named: it is kept like a disk that is not there. */
    test_run run = test_world_expect(self->world, 0, "index", "--json", "--model", "colour", self->at, NULL);
    expect_said(run.err, "no answer");
    run.err = (lens_buffer){0};
    test_run_free(&run);
    test_share_silence(self->share, TEST_SILENT_NEVER);
    patience("1000"); /* it answers now, however busy the machine */
    said = index_expecting(self, 0, LOCAL + SHARED, 0);
    lens_buffer_free(&said);
}

/* The machine that shares it came up without its disk, and shares the empty folder that is left: further down, and as a root of its own. */
static void test_an_empty_share_loses_nothing(void **state)
{
    scene *self = *state;
    char nothing[4200], *beside = test_path(self->source, "shared1.txt");
    snprintf(nothing, sizeof nothing, "%s/nothing", self->world->folder);
    assert_int_equal(mkdir(nothing, 0777), 0);
    test_write(beside, "a moose", 7);
    free(beside);
    for (int root = 0; root < 2; root++) {
        self->share = test_share_mount(self->at, self->source);
        if (root) {
            test_run run = test_world_expect(self->world, 0, "forget", self->world->pictures, NULL);
            test_run_free(&run);
            run = test_world_expect(self->world, 0, "index", "--model", "colour", self->at, NULL);
            test_run_free(&run);
        }
        lens_buffer said = root ? (lens_buffer){0} : index_expecting(self, LOCAL + SHARED, 0, 0);
        lens_buffer_free(&said);
        test_share_unmount(self->share);
        self->share = test_share_mount(self->at, nothing);
        for (int again = 0; again < 2; again++) {
            test_run run = test_world_expect(self->world, 0, "index", NULL);
            expect_said(run.err, "nas: is a share of the network that is empty now; what is known of it is kept");
            run.err = (lens_buffer){0};
            test_run_free(&run);
            assert_int_equal(test_world_status(self->world, "pictures"), root ? SHARED : LOCAL + SHARED);
            assert_int_equal(test_world_status(self->world, "captions"), 1);
        }
        test_share_unmount(self->share);
        self->share = test_share_mount(self->at, self->source);
        test_run run = test_world_expect(self->world, 0, "index", "--json", NULL);
        json_t *lines = test_json_lines(&run.out);
        assert_int_equal(test_json_integer(json_array_get(lines, 0), "unchanged"), root ? SHARED : LOCAL + SHARED);
        assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 0);
        json_decref(lines);
        test_run_free(&run);
        test_share_unmount(self->share);
        self->share = NULL;
    }
}

/* Nothing is kept of what was never known. */
static void test_an_empty_share_at_first(void **state)
{
    scene *self = *state;
    char nothing[4200];
    snprintf(nothing, sizeof nothing, "%s/nothing", self->world->folder);
    assert_int_equal(mkdir(nothing, 0777), 0);
    self->share = test_share_mount(self->at, nothing);
    test_run run = test_world_expect(self->world, 0, "index", "--model", "colour", self->at, NULL);
    assert_null(strstr(run.err.data, "kept"));
    test_run_free(&run);
}

/* The share, which the kernel knows the folder of for a minute, is indexed. */
static void index_remembered(scene *self)
{
    self->share = test_share_mount(self->at, self->source);
    test_share_remember(self->share, 60);
    test_run run = test_world_expect(self->world, 0, "index", "--model", "colour", self->at, NULL);
    test_run_free(&run);
}

/* Of the folder the kernel knows, and of nothing else. */
static void test_a_share_that_the_kernel_remembers(void **state)
{
    scene *self = *state;
    struct stat info;
    index_remembered(self);
    assert_int_equal(stat(self->at, &info), 0);
    test_share_silence(self->share, TEST_SILENT_ALL);
    assert_int_equal(stat(self->at, &info), 0);
    patience("0.02");
    test_run run = test_world_expect(self->world, 0, "index", NULL);
    expect_said(run.err, "no answer");
    run.err = (lens_buffer){0};
    test_run_free(&run);
    assert_int_equal(test_world_status(self->world, "pictures"), SHARED);
}

/* A file of captions on it is shown as not there, sooner than a run would give it up; and what only looks ends behind a front too. */
static void test_the_status_is_soon_there(void **state)
{
    scene *self = *state;
    lens_error err = {0};
    char *table = test_path(self->source, "captions.tsv"), *there = test_path(self->at, "captions.tsv"), *local = test_world_path(self->world, "local0.png");
    test_write(table, "shared0.png\ta cat\n", strlen("shared0.png\ta cat\n"));
    self->share = test_share_mount(self->at, self->source);
    test_run run = test_world_expect(self->world, 0, "index", "-q", "--model", "colour", "--captions", there, local, NULL);
    test_run_free(&run);
    lens_library *library = lens_library_open(self->world->library, &err);
    test_share_silence(self->share, TEST_SILENT_ALL);
    const double begun = lens_seconds();
    lens_status *status = lens_status_get(library, &err);
    assert_non_null(status);
    assert_true(lens_seconds() - begun < 30);
    assert_int_equal(status->caption_file_count, 1);
    assert_false(status->caption_file_present[0]);

    /* The commands end as well, though their calls do not. */
    test_run ended = test_world_expect(self->world, 0, "status", NULL);
    test_run_free(&ended);
    patience("0.05");
    ended = test_world_expect(self->world, 2, "search", "--model", "colour", there, NULL);
    expect_said(ended.err, "no answer for 3 s");
    ended.err = (lens_buffer){0};
    test_run_free(&ended);
    test_share_silence(self->share, TEST_SILENT_NEVER);
    lens_status_free(status);
    lens_library_close(library);
    free(local);
    free(there);
    free(table);
}

/* Until a call waits for the share, or none. */
static void await(const scene *self, bool wanted)
{
    const double begun = lens_seconds();
    while ((test_share_waiting(self->share) > 0) != wanted && lens_seconds() - begun < 60)
        lens_sleep(0.05);
    assert_true((test_share_waiting(self->share) > 0) == wanted);
}

/* Interrupts an index run, or a pass that READS, that waits for the share, with a patience of many hours. */
static void interrupt(const scene *self, bool reads, test_silence silence)
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    patience("1000");
    test_share_silence(self->share, silence);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(out[1], 1), dup2(out[1], 2);
        close(out[0]), close(out[1]);
        for (const char *const *entry = test_world_environment(self->world); *entry; entry++)
            putenv((char *)*entry);
        alarm(120);
        if (reads)
            execl(test_program(), test_program(), "ocr", (char *)NULL);
        execl(test_program(), test_program(), "index", "-t2", "--model", "colour", self->world->pictures, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    await(self, true);
    pid_t worker;
    test_processes_wait(child, TEST_ALIVE, 1, &worker);
    const double interrupted = lens_seconds();
    kill(child, SIGINT);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    printf("measured: ended %.2f s after Ctrl-C\n", lens_seconds() - interrupted);
    char said[4096];
    const ssize_t size = read(out[0], said, sizeof said - 1);
    said[size > 0 ? size : 0] = '\0';
    close(out[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 130)
        fail_msg("expected exit 130, got the status %x: %s", status, said);
    test_share_silence(self->share, TEST_SILENT_NEVER);
    test_process_wait_end(worker); /* which the share held, and which closes its files there */
    await(self, false);
}

static void test_ctrl_c_works(void **state)
{
    scene *self = *state;
    lens_buffer said = index_expecting(self, LOCAL, 0, 0);
    lens_buffer_free(&said);
    self->share = test_share_mount(self->at, self->source);
    interrupt(self, false, TEST_SILENT_READ);
    interrupt(self, false, TEST_SILENT_ALL);
    test_run check = test_world_expect(self->world, 0, "check", NULL);
    test_run_free(&check);
    json_t *report = test_world_index(self->world);
    assert_int_equal(test_json_integer(report, "indexed") + test_json_integer(report, "unchanged"), LOCAL + SHARED);
    assert_true(test_json_integer(report, "unchanged") >= LOCAL);
    json_decref(report);
}

static void test_ctrl_c_works_while_pictures_are_read(void **state)
{
    scene *self = *state;
    lens_error why = {0};
    lens_reader *reader = lens_reader_open("eng", &why);
    if (!reader) {
        printf("skipped: %s\n", why.message);
        skip();
    }
    lens_reader_free(reader);
    self->share = test_share_mount(self->at, self->source);
    lens_buffer said = index_expecting(self, LOCAL + SHARED, 0, 0);
    lens_buffer_free(&said);
    interrupt(self, true, TEST_SILENT_ALL);
}

static void test_the_server_answers(void **state)
{
    scene *self = *state;
    self->share = test_share_mount(self->at, self->source);
    lens_buffer said = index_expecting(self, LOCAL + SHARED, 0, 0);
    lens_buffer_free(&said);
    patience("0.3"); /* 10 seconds are three */
    const char *const more[] = {"--allow-path", self->at, NULL};
    test_serving serving = test_serving_start(self->world, more);
    char *named = test_path(self->at, "shared0.png"), *wanted = test_path(self->at, "new");
    lens_buffer document = {0}, folder = {0};
    lens_buffer_print(&document, "{\"data\":[{\"uri\":\"%s\"}]}", named);
    lens_buffer_print(&folder, "{\"path\":\"%s\"}", wanted);
    test_serving_expect(&serving, 200, "POST", "/search", "", document.data);
    test_share_silence(self->share, TEST_SILENT_ALL);
    for (int i = 0; i < 4; i++) { /* as many as would hold every worker */
        test_serving_expect(&serving, 503, "POST", "/search", "", document.data);
        test_serving_expect(&serving, 503, "POST", "/api/index", "", folder.data);
    }
    lens_buffer_free(&document);
    lens_buffer_free(&folder);
    free(named);
    free(wanted);
    unsigned silent = 0, there = 0;
    for (int id = 1; id <= LOCAL + SHARED; id++) {
        char path[64];
        snprintf(path, sizeof path, "/api/pictures/%d/%s", id, id % 2 ? "thumb" : "file");
        test_reply reply = test_serving_ask(&serving, "GET", path, "", NULL, 0);
        silent += reply.status == 503 && strstr(reply.body.data, "gives no answer");
        there += reply.status == 200;
        test_reply_free(&reply);
        test_serving_expect(&serving, 200, "GET", "/api/pictures/1/similar", "", NULL);
    }
    assert_int_equal(silent, SHARED);
    assert_int_equal(there, LOCAL);
    test_share_silence(self->share, TEST_SILENT_NEVER);
    test_share_unmount(self->share); /* the calls that wait hold the process */
    self->share = NULL;
    test_serving_stop(&serving);
}

/* Of what changes elsewhere, whatever a root on the share gives no answer to. */
static void test_a_server_goes_on_watching(void **state)
{
    scene *self = *state;
    struct stat info;
    index_remembered(self);
    lens_buffer said = index_expecting(self, LOCAL, SHARED, 0);
    lens_buffer_free(&said);
    assert_int_equal(stat(self->at, &info), 0);
    test_share_silence(self->share, TEST_SILENT_ALL);
    patience("0.05");
    const char *const more[] = {"--watch", NULL};
    test_serving serving = test_serving_start(self->world, more);
    test_world_picture(self->world, "new.png", TEST_PNG, LOCAL);
    long pictures = 0;
    for (int i = 0; i < 1200 && pictures <= LOCAL + SHARED; i++) {
        json_t *status = test_serving_json(&serving, 200, "GET", "/api/status", "", NULL);
        pictures = test_json_integer(status, "pictures");
        json_decref(status);
        lens_sleep(0.1);
    }
    assert_int_equal(pictures, LOCAL + SHARED + 1);
    test_share_silence(self->share, TEST_SILENT_NEVER);
    test_share_unmount(self->share); /* the calls that wait hold the process */
    self->share = NULL;
    test_serving_stop(&serving);
}

/* The status of the answer to a request for the file of picture ID. The connection stays open in FD, and reads no more than that. */
static int begin_file(const test_serving *serving, int id, int *fd)
{
    char text[128], answer[13] = "";
    *fd = test_dial(AF_INET, serving->port);
    assert_true(*fd >= 0);
    const int size = snprintf(text, sizeof text, "GET /api/pictures/%d/file HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", id, serving->port);
    assert_int_equal(write(*fd, text, (size_t)size), size);
    assert_int_equal(recv(*fd, answer, sizeof answer - 1, MSG_WAITALL), (ssize_t)sizeof answer - 1);
    return (int)strtol(answer + strlen("HTTP/1.1 "), NULL, 10);
}

/* What is read from a share is held until a client has taken it, however slow that is. */
static void test_files_for_slow_clients_are_bounded(void **state)
{
    enum { LARGE = 150 << 20 }; /* of these one fits */
    scene *self = *state;
    self->share = test_share_mount(self->at, self->source);
    char *only = test_world_path(self->world, "nas");
    test_run run = test_world_expect(self->world, 0, "index", "--model", "colour", only, NULL);
    test_run_free(&run);
    free(only);
    test_share_unmount(self->share); /* the kernel would still know the old sizes */
    for (unsigned i = 0; i < SHARED; i++) {
        char *path = test_path(self->source, "shared%u.png", i);
        assert_int_equal(truncate(path, LARGE), 0);
        free(path);
    }
    self->share = test_share_mount(self->at, self->source);
    test_serving serving = test_serving_start(self->world, NULL);
    int first, second;
    assert_int_equal(begin_file(&serving, 1, &first), 200);
    assert_int_equal(begin_file(&serving, 2, &second), 503);
    close(second);
    close(first);
    int status = 503;
    for (int i = 0; i < 600 && status == 503; i++) { /* once the server has seen that the first is gone */
        status = begin_file(&serving, 2, &second);
        close(second);
        lens_sleep(0.05);
    }
    assert_int_equal(status, 200);
    test_serving_stop(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_without_an_answer_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_share_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_share_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_share_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_share_that_the_kernel_remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_status_is_soon_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ctrl_c_works, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ctrl_c_works_while_pictures_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_server_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_server_goes_on_watching, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_for_slow_clients_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
