#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char *test_folder_new(void)
{
    const char *base = getenv("TMPDIR");
    char *path = test_path(base && *base ? base : "/tmp", "memelens-test-XXXXXX");
    if (!mkdtemp(path))
        fail_msg("%s: %s", path, strerror(errno));
    return path;
}

void test_folder_remove(char *path)
{
    lens_error err;
    if (path && lens_folder_remove(path, &err) != 0)
        fprintf(stderr, "%s\n", err.message);
    free(path);
}

char *test_path(const char *folder, const char *format, ...)
{
    char name[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    char *path = lens_path_join(folder, name);
    assert_non_null(path);
    return path;
}

void test_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        fail_msg("%s: %s", path, strerror(errno));
}

void test_database_restore(const char *library, const lens_buffer *backup)
{
    static const char *const names[] = {"library.db", "library.db-wal", "library.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = test_path(library, "%s", names[i]);
        unlink(path);
        if (i == 0)
            test_write(path, backup->data, backup->size);
        free(path);
    }
}

/* A socket's address holds 107 bytes of a path: so it goes by the folder. */
void test_socket_make(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = strrchr(path, '/') + 1;
    char *above = strndup(path, (size_t)(name - path));
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), folder = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0 && folder >= 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%.64s", folder, name);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(folder);
    close(fd);
    free(above);
}

size_t test_count(const char *text, const char *words)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
        count++;
    return count;
}

void test_put(lens_buffer *out, const void *bytes, size_t size)
{
    assert_int_equal(lens_buffer_append(out, bytes, size), 0);
}

void test_put_number(lens_buffer *out, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        test_put(out, &(uint8_t){(uint8_t)(number >> 8 * i)}, 1);
}

void test_put_arrays(lens_buffer *out, size_t count)
{
    test_put(out, "[", 1);
    for (size_t i = 0; i < count; i++)
        test_put(out, i ? ",[]" : "[]", i ? 3 : 2);
    test_put(out, "]", 1);
}

lens_buffer test_read(const char *path)
{
    lens_buffer bytes = {0};
    lens_error err = {0};
    assert_done(lens_file_read(path, SIZE_MAX / 2, &bytes, &err), &err);
    return bytes;
}

char *test_shared(const char *name)
{
    const char *shared = getenv("MEMELENS_SHARED");
    char *path = test_path(shared && *shared ? shared : "../shared", "%s", name);
    if (!lens_file_exists(path)) {
        printf("skipped: no test data %s\n", name);
        fflush(stdout);
        free(path);
        skip();
    }
    return path;
}

char *test_real_model(const char *name)
{
    const char *models = getenv("MEMELENS_TEST_MODELS");
    char *path = test_path("/nonexistent", "%s", name);
    while (models && *models && !lens_file_exists(path)) {
        size_t length = strcspn(models, ":");
        char *folder = strndup(models, length);
        assert_non_null(folder);
        free(path);
        path = test_path(folder, "%s", name);
        free(folder);
        models += length + (models[length] == ':');
    }
    return path;
}

void test_need_model(const char *name)
{
    char *folder = test_real_model(name);
    bool there = lens_file_exists(folder);
    free(folder);
    if (!there) {
        printf("skipped: the model %s has not been pulled\n", name);
        fflush(stdout);
        skip();
    }
}

const char *test_program(void)
{
    const char *program = getenv("MEMELENS_PROGRAM");
    return program && *program ? program : "build/memelens";
}

static char **merged_environment(const char *const *extra)
{
    size_t count = 0, more = 0;
    while (environ[count])
        count++;
    while (extra && extra[more])
        more++;
    char **all = calloc(count + more + 1, sizeof *all);
    assert_non_null(all);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        for (size_t j = 0; j < more; j++) {
            size_t name = strcspn(extra[j], "=") + 1;
            replaced |= strncmp(environ[i], extra[j], name) == 0;
        }
        if (!replaced)
            all[n++] = environ[i];
    }
    for (size_t j = 0; j < more; j++)
        all[n++] = (char *)extra[j];
    return all;
}

test_run test_run_program(const char *const *argv, const char *const *environment, const lens_buffer *input)
{
    int in[2], out[2], err[2];
    assert_int_equal(pipe(in) | pipe(out) | pipe(err), 0);
    char **all = merged_environment(environment);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
        for (int i = 0; i < 2; i++)
            close(in[i]), close(out[i]), close(err[i]);
        alarm(120);
        execve(argv[0], (char *const *)argv, all);
        _exit(127);
    }
    free(all);
    close(in[0]), close(out[1]), close(err[1]);
    signal(SIGPIPE, SIG_IGN);

    test_run run = {0};
    size_t sent = 0;
    struct pollfd ends[3] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {in[1], POLLOUT, 0}};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        if (ends[2].fd >= 0 && (!input || sent == input->size)) {
            close(ends[2].fd);
            ends[2].fd = -1;
        }
        if (poll(ends, 3, -1) < 0)
            continue;
        for (int i = 0; i < 2; i++) {
            if (ends[i].fd < 0 || !ends[i].revents)
                continue;
            char bytes[65536];
            ssize_t got = read(ends[i].fd, bytes, sizeof bytes);
            if (got > 0) {
                assert_int_equal(lens_buffer_append(i ? &run.err : &run.out, bytes, (size_t)got), 0);
            } else {
                close(ends[i].fd);
                ends[i].fd = -1;
            }
        }
        if (ends[2].fd >= 0 && ends[2].revents) {
            ssize_t wrote = write(ends[2].fd, input->data + sent, input->size - sent);
            sent = wrote > 0 ? sent + (size_t)wrote : input->size;
        }
    }
    if (ends[2].fd >= 0)
        close(ends[2].fd);
    int status;
    while (waitpid(child, &status, 0) < 0)
        ;
    run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    lens_buffer_append(&run.out, "", 0);
    lens_buffer_append(&run.err, "", 0);
    return run;
}

void test_run_free(test_run *run)
{
    lens_buffer_free(&run->out);
    lens_buffer_free(&run->err);
}

void test_need_terminal(void)
{
    const char *argv[] = {"/bin/sh", "-c", "exec script -qec true /dev/null", NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    const bool able = run.status == 0;
    test_run_free(&run);
    if (!able) {
        printf("skipped: script(1) can make no terminal here\n");
        fflush(stdout);
        skip();
    }
}
