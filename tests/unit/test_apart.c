/* Decoding in processes of their own: src/pixels/apart.c, helper.c, helper_loop.c, confine.c. The decoder is one that does what it must not where a picture
 * asks for it by its words. What goes on at the same time is test_apart_together.c's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "misbehave.h"
#include "pictures.h"
#include "pixels/apart.h"
#include "pixels/confine.h"
#include "pixels/helper.h"
#include "pixels/helper_loop.h"
#include "processes.h"
#include "support.h"

/* Asks for WORDS as a file of SIZE bytes. */
static lens_error ask_at_length(const char *words, size_t size)
{
    lens_decode_limits limits = {test_ask_pixels};
    lens_image image;
    lens_error err = {0};
    char *bytes = calloc(1, size);
    assert_non_null(bytes);
    snprintf(bytes, size, "%s%s", TEST_ASK_JPEG, words);
    assert_int_equal(lens_decode(bytes, size, &limits, &image, NULL, &err), -1);
    free(bytes);
    return err;
}

static void test_every_kind_is_what_it_is_here(void **state)
{
    (void)state;
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        lens_buffer bytes = test_picture(kind, 83, 61, 5);
        test_decoded_the_same(bytes.data, bytes.size, test_kind_name(kind));
        test_decoded_the_same(bytes.data, bytes.size * 2 / 3, test_kind_name(kind));
        lens_buffer_free(&bytes);
        for (int orientation = 2; orientation <= 8 && test_kind_turns(kind); orientation += 3) {
            bytes = test_picture_turned(kind, 83, 61, 6, orientation);
            test_decoded_the_same(bytes.data, bytes.size, test_kind_name(kind));
            lens_buffer_free(&bytes);
        }
    }
    assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, NULL, 0), LENS_HELPER_KINDS); /* one after the other they need no second */
}

static void test_letters_of_a_drawing_are_what_they_are_here(void **state)
{
    (void)state;
    static const char text[] = "<svg xmlns='http://www.w3.org/2000/svg' width='640' height='520'>"
                               "<text x='20' y='200' font-size='90'>Gr\xc3\xbc\xc3\x9f dich</text></svg>";
    test_decoded_the_same(text, strlen(text), "letters");
}

static void test_a_jpeg_for_libvips_finds_it(void **state)
{
    (void)state;
    lens_buffer bytes = test_picture(TEST_JPEG_420, 64, 64, 1);
    uint8_t *frame = memmem(bytes.data, bytes.size, "\xff\xc0", 2);
    assert_non_null(frame);
    frame[11] = 0x14; /* a ratio that TurboJPEG has no name for */
    test_decoded_the_same(bytes.data, bytes.size, "an odd ratio");
    lens_buffer_free(&bytes);
}

static void test_more_room_than_at_first(void **state)
{
    (void)state;
    lens_image large, apart;
    lens_error err = {0};
    lens_decode_limits limits = {64 << 20};
    assert_done(lens_image_new(6000, 5000, &large, &err), &err);
    for (size_t i = 0; i < (size_t)large.width * (size_t)large.height * 3; i++)
        large.rgb[i] = (uint8_t)(i / 3000);
    lens_buffer bytes = test_png_of(&large);
    for (int i = 0; i < 2; i++) { /* once growing, once not */
        assert_done(lens_decode(bytes.data, bytes.size, &limits, &apart, NULL, &err), &err);
        assert_int_equal(apart.width, large.width);
        assert_memory_equal(apart.rgb, large.rgb, (size_t)large.width * (size_t)large.height * 3);
        lens_image_free(&apart);
    }
    lens_buffer_free(&bytes);
    lens_image_free(&large);
    test_decoding_goes_on();
}

/* The memory that is shared with helpers: their file descriptors here. */
static int shared_memory(int *found, int most)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], name[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, name, sizeof name - 1) > 0 && strstr(name, "memelens picture") && count < most)
            found[count++] = fd;
    }
    return count;
}

static void test_a_large_file_leaves_nothing(void **state)
{
    (void)state;
    const off_t kept = (off_t)64 << 20;
    lens_error err = ask_at_length("cursor", (size_t)kept + (32 << 20)); /* no picture, and its helper goes on */
    assert_string_equal(err.message, "two?lines, ?[2J and ?");
    int found[64], grown = 0;
    const int count = shared_memory(found, 64);
    for (int i = 0; i < count; i++) {
        struct stat info;
        assert_int_equal(fstat(found[i], &info), 0);
        grown += info.st_size > kept;
        if (info.st_blocks * 512 > kept)
            fail_msg("%ld bytes of %ld are left", (long)info.st_blocks * 512, (long)info.st_size);
        assert_int_equal(fcntl(found[i], F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_SEAL);
    }
    assert_true(grown > 0);
    test_decoding_goes_on();
}

static void test_at_rest_nothing_is_kept(void **state)
{
    (void)state;
    lens_image large, apart;
    lens_error err = {0};
    lens_decode_limits limits = {64 << 20};
    assert_done(lens_image_new(3000, 2000, &large, &err), &err);
    memset(large.rgb, 77, (size_t)3000 * 2000 * 3);
    lens_buffer bytes = test_png_of(&large);
    for (int rested = 0; rested < 2; rested++) {
        assert_done(lens_decode(bytes.data, bytes.size, &limits, &apart, NULL, &err), &err);
        assert_memory_equal(apart.rgb, large.rgb, (size_t)3000 * 2000 * 3);
        lens_image_free(&apart);
        long long held = 0;
        int found[64];
        if (rested)
            lens_apart_rest();
        for (int i = shared_memory(found, 64); i-- > 0;) {
            struct stat info;
            assert_int_equal(fstat(found[i], &info), 0);
            held += info.st_blocks * 512LL;
        }
        if (rested)
            assert_int_equal(held, 0);
        else
            assert_true(held >= 3000 * 2000 * 3);
    }
    lens_image_free(&large);
    lens_buffer_free(&bytes);
    test_decoding_goes_on();
}

static long addresses(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* The memory grows before what is mapped of it: a helper between the two would fail with every picture that is smaller than the one that was too large. */
static void test_no_room_is_for_one_picture(void **state)
{
    (void)state;
    if (LENS_CONFINE_SANITIZED) {
        printf("skipped: a sanitizer needs all addresses there are\n");
        skip();
    }
    pid_t helpers[64];
    for (int i = test_processes_below(getpid(), TEST_ALIVE, helpers, 64); i > 0; i--)
        kill(helpers[i - 1], SIGKILL);
    test_ask(TEST_ASK_PNG, "cursor"), test_ask(TEST_ASK_SVG, "cursor"); /* so that the dead are found */
    test_decoding_goes_on(); /* with no more room than at first */
    const size_t large = (size_t)256 << 20;
    struct rlimit before, narrow;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    narrow = before;
    narrow.rlim_cur = (rlim_t)addresses() + large + ((rlim_t)96 << 20); /* the file, and a helper, but not the file once more */
    assert_int_equal(setrlimit(RLIMIT_AS, &narrow), 0);
    lens_error err = ask_at_length("cursor", large);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(err.code, LENS_E_MEMORY);
    assert_says(&err, "no memory for its decoder");
    err = ask_at_length("cursor", large / 2);
    assert_string_equal(err.message, "two?lines, ?[2J and ?");
    test_decoding_goes_on();
}

static void test_crashes_cost_one_picture(void **state)
{
    (void)state;
    const struct {
        const char *words, *reason;
        lens_error_code code;
    } cases[] = {{"crash", "its decoder crashed (signal 11)", LENS_E_FORMAT},
                 {"abort", "its decoder crashed (signal 6)", LENS_E_FORMAT},
                 {"kill", "its decoder was killed (signal 9)", LENS_E_SYSTEM},
                 {"exit", "its decoder ended (status 7)", LENS_E_SYSTEM}};
    const char *heads[] = {TEST_ASK_JPEG, TEST_ASK_PNG, TEST_ASK_SVG};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t h = 0; h < 3; h++) {
            if (LENS_CONFINE_SANITIZED && i < 2)
                continue; /* a sanitizer makes another end of it */
            lens_error err = test_ask(heads[h], cases[i].words);
            assert_string_equal(err.message, cases[i].reason);
            assert_int_equal(err.code, cases[i].code);
            test_decoding_goes_on();
        }
}

static void test_hanging_is_ended(void **state)
{
    (void)state;
    const char *words[] = {"spin", "sleep"};
    for (size_t i = 0; i < 2; i++) {
        lens_apart_begin(1);
        lens_error err = test_ask(TEST_ASK_JPEG, words[i]);
        lens_apart_begin(LENS_APART_SECONDS);
        assert_string_equal(err.message, "its decoder took more than 1 seconds");
        assert_int_equal(err.code, LENS_E_LIMIT);
        test_decoding_goes_on();
    }
}

static void do_nothing(int number)
{
    (void)number;
}

static void *interrupt_soon(void *thread)
{
    lens_sleep(0.4);
    pthread_kill(*(pthread_t *)thread, SIGUSR2);
    return NULL;
}

/* The time of a picture is its own: what the helper took for others before is none of it, whatever wakes who waits for it, as a stop and going on does. */
static void test_an_interruption_takes_no_time_from_a_picture(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART}, before;
    pthread_t thread, self = pthread_self();
    sigaction(SIGUSR2, &action, &before);
    lens_apart_end();
    lens_apart_begin(3);
    for (int i = 0; i < 2; i++) {
        lens_error err = test_ask(TEST_ASK_JPEG, "work");
        assert_string_equal(err.message, "done");
    }
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &self), 0);
    lens_error err = test_ask(TEST_ASK_JPEG, "rest");
    pthread_join(thread, NULL);
    lens_apart_begin(LENS_APART_SECONDS);
    sigaction(SIGUSR2, &before, NULL);
    assert_string_equal(err.message, "done");
    test_decoding_goes_on();
}

static pid_t the_only_helper(void)
{
    pid_t found[2] = {0};
    assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, found, 2), 1);
    return found[0];
}

static double processor_time_of(pid_t process)
{
    clockid_t clock;
    struct timespec time;
    assert_int_equal(clock_getcpuclockid(process, &clock) | clock_gettime(clock, &time), 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* One that was taken over could use up a processor for as long as the program lives. */
static void test_one_that_works_at_rest_is_ended(void **state)
{
    (void)state;
    lens_apart_end();
    for (int i = 0; i < 2; i++) {
        assert_string_equal(test_ask(TEST_ASK_PNG, "busy").message, "busy");
        const pid_t busy = the_only_helper();
        for (int tick = 0; tick < 100 && i == 0 && test_processes_below(getpid(), TEST_ALIVE, NULL, 0); tick++) {
            lens_sleep(0.1);
            lens_apart_look();
        }
        if (i == 1) {
            for (int tick = 0; tick < 300 && processor_time_of(busy) < 2; tick++)
                lens_sleep(0.1);
            /* it is looked at when it is needed, too */
            assert_string_equal(test_ask(TEST_ASK_PNG, "cursor").message, "two?lines, ?[2J and ?");
            assert_int_not_equal(the_only_helper(), busy);
        } else {
            assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, NULL, 0), 0);
        }
    }
    const pid_t resting = the_only_helper();
    lens_apart_look(); /* who rests is left alone */
    assert_int_equal(the_only_helper(), resting);
    test_decoding_goes_on();
}

/* Threads that rest take no processor, but the user's other processes find no room beside very many of them. */
static void test_one_that_becomes_many_is_ended(void **state)
{
    (void)state;
    lens_apart_end();
    for (int i = 0; i < 2; i++) {
        const lens_error err = test_ask(TEST_ASK_PNG, "many");
        if (strcmp(err.message, "its decoder began too many threads") == 0)
            continue; /* which took it a second, and was seen */
        assert_string_equal(err.message, "many");
        const pid_t many = the_only_helper();
        if (i == 0) {
            lens_apart_look();
            assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, NULL, 0), 0);
        } else { /* it is looked at when it is needed, too */
            assert_string_equal(test_ask(TEST_ASK_PNG, "cursor").message, "two?lines, ?[2J and ?");
            assert_int_not_equal(the_only_helper(), many);
        }
    }
    assert_string_equal(test_ask(TEST_ASK_PNG, "many, and no answer").message, "its decoder began too many threads");
    test_decoding_goes_on();
}

static void test_few_files_are_called_that(void **state)
{
    (void)state;
    struct rlimit before, narrow;
    lens_error err = {0};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    narrow = before;
    narrow.rlim_cur = 14; /* which memory and socket fit below, but not where the helper has them */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &narrow), 0);
    lens_helper *helper = lens_helper_start(LENS_HELPER_PLAIN, 1000000, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(helper);
    assert_says(&err, "cannot start a decoder: Too many open files");
    test_decoding_goes_on();
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    if (LENS_CONFINE_SANITIZED) {
        printf("skipped: a sanitizer needs all addresses there are\n");
        skip();
    }
    lens_error err = test_ask(TEST_ASK_JPEG, "memory");
    assert_int_equal(err.code, LENS_E_MEMORY);
    test_decoding_goes_on();
}

static void test_lies_are_seen(void **state)
{
    (void)state;
    const char *lies[] = {"large", "negative", "kind", "room", "short", "code"};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char words[32];
        snprintf(words, sizeof words, "lie %s", lies[i]);
        lens_error err = test_ask(TEST_ASK_JPEG, words);
        if (strcmp(err.message, "its decoder gave an answer that cannot be") != 0)
            fail_msg("%s: %s", lies[i], err.message);
        test_decoding_goes_on();
    }
    /* A size that is allowed, and more than the memory holds: reading there would be the end of us. */
    lens_decode_limits limits = {1 << 30};
    lens_image image;
    lens_error err = {0};
    char bytes[64];
    const int size = snprintf(bytes, sizeof bytes, "%slie within limits", TEST_ASK_JPEG);
    assert_int_equal(lens_decode(bytes, (size_t)size, &limits, &image, NULL, &err), -1);
    assert_string_equal(err.message, "its decoder gave an answer that cannot be");
    err = test_ask(TEST_ASK_JPEG, "shrink"); /* under sanitizers nothing but the seals is against it */
    assert_string_equal(err.message, "shrunk 0 sealed 0");
    err = test_ask(TEST_ASK_JPEG, "lie deaf");
    assert_says(&err, "its decoder was killed");
    err = test_ask(TEST_ASK_JPEG, "cursor");
    assert_string_equal(err.message, "two?lines, ?[2J and ?");
    test_decoding_goes_on();
    err = test_ask(TEST_ASK_JPEG, "eight bits");
    assert_string_equal(err.message, "??2J \xc3\x9c \xc2");
    /* Nobody waits for one that reads no questions: once no more go to it another is asked. */
    lens_apart_end();
    test_ask(TEST_ASK_JPEG, "lie ahead");
    lens_buffer picture = test_picture(TEST_JPEG_420, 83, 61, 3);
    limits.max_pixels = test_ask_pixels; /* with more it would be another at once */
    int tries = 1;
    while (lens_decode(picture.data, picture.size, &limits, &image, NULL, &err) != 0 && tries++ < 10000)
        assert_int_equal(err.code, LENS_E_FORMAT);
    assert_in_range(tries, 1, 9999);
    lens_image_free(&image);
    lens_buffer_free(&picture);
    test_decoding_goes_on();
}

static void test_signals_for_the_program_are_not_for_its_helpers(void **state)
{
    (void)state;
    test_decoding_goes_on_by_all();
    pid_t before[64], after[64];
    const int count = test_processes_below(getpid(), TEST_ALIVE, before, 64);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (int i = 0; i < count; i++)
        for (size_t s = 0; s < sizeof signals / sizeof *signals; s++)
            kill(before[i], signals[s]);
    test_ask(TEST_ASK_JPEG, "cursor"), test_ask(TEST_ASK_PNG, "cursor"), test_ask(TEST_ASK_SVG, "cursor");
    assert_int_equal(test_processes_below(getpid(), TEST_ALIVE, after, 64), count);
    assert_memory_equal(before, after, (size_t)count * sizeof *before);
}

static void test_nothing_else_is_within_reach(void **state)
{
    (void)state;
    if (lens_confine_lacks()) {
        printf("skipped: %s\n", lens_confine_lacks());
        skip();
    }
    char *folder = test_folder_new(), *place = test_path(folder, "made"), words[300];
    snprintf(words, sizeof words, "forbidden %s", place);
    lens_error err = test_ask(TEST_ASK_JPEG, words);
    assert_string_equal(err.message, "open 1 write 1 socket 1 exec 1 fork 1 kill 1 trace 1 break 1 code 1");
    err = test_ask(TEST_ASK_PNG, words);
    assert_string_equal(err.message, "open 1 write 1 socket 1 exec 1 fork 1 kill 1 trace 1 break 1 code 0");
    err = test_ask(TEST_ASK_SVG, words); /* may read, but where the kernel has Landlock not that */
    const bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
    assert_int_equal(strncmp(err.message, landlock ? "open 13 " : "open 0 ", 7), 0);
    assert_says(&err, " write 1 socket 1 exec 1 fork 1 kill 1 trace 1 break 1 code 0");
    err = test_ask(TEST_ASK_JPEG, "signal");
    assert_string_equal(err.message, "ignored");
    snprintf(words, sizeof words, "more %s", place);
    err = test_ask(TEST_ASK_SVG, words);
#ifdef SYS_open
    assert_string_equal(err.message, "open 1 owner 1 signal 1 flags 1 seal 1, usual 1");
#else
    assert_string_equal(err.message, "open -1 owner 1 signal 1 flags 1 seal 1, usual 1");
#endif
    assert_false(lens_file_exists(place));
    free(place);
    test_folder_remove(folder);
    setenv("MEMELENS_TEST_SECRET", "one", 1);
    int extra = open("/dev/null", O_RDONLY); /* that is not closed by exec */
    pid_t helpers[64];
    for (int i = test_processes_below(getpid(), TEST_ALIVE, helpers, 64); i > 0; i--)
        kill(helpers[i - 1], SIGKILL);
    test_ask(TEST_ASK_JPEG, "surroundings"), test_ask(TEST_ASK_PNG, "surroundings"); /* so that the dead are found */
    err = test_ask(TEST_ASK_SVG, "surroundings");
    assert_string_equal(err.message, "files 6 secret none fonts 1");
    close(extra);
    unsetenv("MEMELENS_TEST_SECRET");
}

/* From here on seccomp, asked for OPERATION, fails with ERRNUM. */
static void refuse_seccomp(unsigned operation, unsigned errnum)
{
    struct sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 3),
                                  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
                                  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, operation, 0, 1),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        _exit(2);
}

static void test_nothing_is_decoded_without_the_confinement_there_could_be(void **state)
{
    (void)state;
    if (lens_confine_lacks()) {
        printf("skipped: %s\n", lens_confine_lacks());
        skip();
    }
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        refuse_seccomp(SECCOMP_SET_MODE_FILTER, EPERM); /* it is there, and lets nobody forbid anything more */
        lens_error first = test_ask(TEST_ASK_JPEG, "cursor"), second = test_ask(TEST_ASK_JPEG, "cursor");
        const char reason[] = "the system does not let its decoder be confined (no seccomp, or no way to close what it inherited)";
        _exit(first.code != LENS_E_SYSTEM || strcmp(first.message, reason) != 0 || strcmp(second.message, reason) != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    test_decoding_goes_on();
}

/* As Linux before 4.14 does, and gVisor. */
static void test_a_kernel_that_cannot_say_what_it_knows_confines_all_the_same(void **state)
{
    (void)state;
    if (lens_confine_lacks()) {
        printf("skipped: %s\n", lens_confine_lacks());
        skip();
    }
    char *folder = test_folder_new(), *place = test_path(folder, "made"), words[300];
    int status;
    snprintf(words, sizeof words, "forbidden %s", place);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        refuse_seccomp(SECCOMP_GET_ACTION_AVAIL, EINVAL);
        lens_error err = test_ask(TEST_ASK_JPEG, words);
        _exit(lens_confine_lacks() != NULL || strcmp(err.message, "open 1 write 1 socket 1 exec 1 fork 1 kill 1 trace 1 break 1 code 1") != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(lens_file_exists(place));
    free(place);
    test_folder_remove(folder);
}

int main(int argc, char **argv)
{
    int status;
    if (test_misbehaves(argc, argv, &status))
        return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_what_it_is_here),
        cmocka_unit_test(test_letters_of_a_drawing_are_what_they_are_here),
        cmocka_unit_test(test_a_jpeg_for_libvips_finds_it),
        cmocka_unit_test(test_more_room_than_at_first),
        cmocka_unit_test(test_a_large_file_leaves_nothing),
        cmocka_unit_test(test_at_rest_nothing_is_kept),
        cmocka_unit_test(test_no_room_is_for_one_picture),
        cmocka_unit_test(test_crashes_cost_one_picture),
        cmocka_unit_test(test_hanging_is_ended),
        cmocka_unit_test(test_an_interruption_takes_no_time_from_a_picture),
        cmocka_unit_test(test_one_that_works_at_rest_is_ended),
        cmocka_unit_test(test_one_that_becomes_many_is_ended),
        cmocka_unit_test(test_few_files_are_called_that),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_lies_are_seen),
        cmocka_unit_test(test_signals_for_the_program_are_not_for_its_helpers),
        cmocka_unit_test(test_nothing_else_is_within_reach),
        cmocka_unit_test(test_nothing_is_decoded_without_the_confinement_there_could_be),
        cmocka_unit_test(test_a_kernel_that_cannot_say_what_it_knows_confines_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
