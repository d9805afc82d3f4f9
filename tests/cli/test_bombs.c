/* Picture bombs of every format: each is refused in one line with its reason, or is a picture that costs no more than others; none takes much memory. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bombs.h"
#include "world.h"

/* Above what an ordinary picture takes; the address sanitizer holds back what was freed. A bomb that is decoded takes 300 MB and more, or has no end. */
#ifdef __SANITIZE_ADDRESS__
enum { MORE_MB = 700 };
#else
enum { MORE_MB = 130 };
#endif

static size_t helpers; /* that decoded, so far */

/* Embeds the picture at PATH: the exit status, the largest that the program or a process that decoded for it was (MB), and what was said. A process that takes a
 * minute of processor time is killed. */
static int embed(const test_world *world, const char *path, long *megabytes, char *said, size_t size)
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const int null = open("/dev/null", O_WRONLY);
        dup2(null, 1), dup2(out[1], 2);
        close(out[0]), close(out[1]);
        setrlimit(RLIMIT_CPU, &(struct rlimit){60, 60});
        for (const char *const *entry = test_world_environment(world); *entry; entry++)
            putenv((char *)*entry);
        execl(test_program(), test_program(), "embed", "--model", "colour", path, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    size_t length = 0;
    for (ssize_t got; length + 1 < size && (got = read(out[0], said + length, size - length - 1)) > 0;)
        length += (size_t)got;
    said[length] = '\0';
    close(out[0]);
    int status, ended;
    struct rusage usage;
    assert_true(wait4(child, &status, 0, &usage) == child);
    *megabytes = usage.ru_maxrss / 1024;
    while (wait4(-1, &ended, 0, &usage) > 0) { /* what the program leaves behind comes to us */
        *megabytes = usage.ru_maxrss / 1024 > *megabytes ? usage.ru_maxrss / 1024 : *megabytes;
        helpers++;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_one_by_one(void **state)
{
    const test_world *world = *state;
    char said[4096];
    long ordinary, worst = 0, megabytes;
    const char *worst_name = "";
    char *path = test_world_path(world, "ordinary.svg");
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    test_picture_write(path, TEST_SVG, 160, 120, 1);
    assert_int_equal(embed(world, path, &ordinary, said, sizeof said), 0);
    assert_int_equal(helpers, 1);
    free(path);
    size_t count;
    test_bomb *bombs = test_bombs(&count);
    for (size_t i = 0; i < count; i++) {
        path = test_world_path(world, bombs[i].name);
        test_write(path, bombs[i].bytes.data, bombs[i].bytes.size);
        const int status = embed(world, path, &megabytes, said, sizeof said);
        const bool refused = bombs[i].says || (bombs[i].either && status == 2);
        if (status != (refused ? 2 : 0) || (bombs[i].says && (!strstr(said, bombs[i].says) || !strstr(said, bombs[i].name))))
            fail_msg("%s: exit %d, expected '%s' in: %s", bombs[i].name, status, bombs[i].says ? bombs[i].says : "(nothing)", said);
        if (refused && strchr(said, '\n') != said + strlen(said) - 1)
            fail_msg("%s: not one line: %s", bombs[i].name, said);
        if (megabytes > ordinary + MORE_MB)
            fail_msg("%s: %ld MB, an ordinary picture takes %ld", bombs[i].name, megabytes, ordinary);
        if (megabytes > worst) {
            worst = megabytes;
            worst_name = bombs[i].name;
        }
        free(path);
    }
    printf("measured: %zu bombs, at most %ld MB (%s); an ordinary picture takes %ld MB\n", count, worst, worst_name, ordinary);
    test_bombs_free(bombs, count);
}

static void test_all_in_one_run(void **state)
{
    const test_world *world = *state;
    size_t count;
    long harmless = 0, either = 0;
    test_bomb *bombs = test_bombs(&count);
    test_world_picture(world, "ordinary.png", TEST_PNG, 1);
    for (size_t i = 0; i < count; i++) {
        char *path = test_world_path(world, bombs[i].name);
        test_write(path, bombs[i].bytes.data, bombs[i].bytes.size);
        free(path);
        harmless += !bombs[i].says && !bombs[i].either;
        either += bombs[i].either;
    }
    test_run index = test_world_expect(world, 0, "index", "--json", "--model", "colour", world->pictures, NULL);
    json_t *lines = test_json_lines(&index.out);
    const long indexed = test_json_integer(json_array_get(lines, 0), "indexed");
    assert_in_range(indexed, 1 + harmless, 1 + harmless + either);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), (long)count + 1 - indexed);
    json_decref(lines);
    for (size_t i = 0; i < count; i++)
        if (bombs[i].says && !strstr(index.err.data, bombs[i].name))
            fail_msg("%s was not named", bombs[i].name);
    test_run_free(&index);
    test_bombs_free(bombs, count);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, test_world_setup, test_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_one_by_one),
        WORLD_TEST(test_all_in_one_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
