/* Any bytes as what a server answers to who fetches from it: a server of this machine says them, and is every other server's proxy too, so that
 * no redirect leads away from here. The first byte says what is asked: 'b' an answer into memory, 'f' a file of a checksum not known, 's' one of a
 * size and checksum, 'h' headers, 'p' a picture. What follows are the answers, one connection after the other, with a NUL between. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "fuzzing.h"
#include "memelens.h"
#include "net/download.h"

enum { LIMIT = 4096, HEAD_MOST = 8192 };

static int listening = -1, port;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fuzz_rest answers; /* that are left, under LOCK */
static char address[64], path[300];

static void hear_request(int fd)
{
    char head[HEAD_MOST + 1];
    size_t size = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (size < HEAD_MOST && poll(&ready, 1, 1000) > 0) {
        const ssize_t got = recv(fd, head + size, HEAD_MOST - size, 0);
        if (got <= 0)
            return;
        size += (size_t)got;
        head[size] = '\0';
        if (strstr(head, "\r\n\r\n"))
            return;
    }
}

static void *serve(void *context)
{
    (void)context;
    int fd;
    while ((fd = accept(listening, NULL, NULL)) >= 0) {
        const struct linger at_once = {.l_onoff = 1};
        hear_request(fd);
        pthread_mutex_lock(&lock);
        fuzz_rest answer = fuzz_part(&answers, 0);
        while (answer.size > 0) {
            const ssize_t sent = send(fd, answer.data, answer.size, MSG_NOSIGNAL);
            if (sent <= 0)
                break;
            answer.data += sent;
            answer.size -= (size_t)sent;
        }
        pthread_mutex_unlock(&lock);
        shutdown(fd, SHUT_WR);
        char rest[256];
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        while (poll(&ready, 1, 200) > 0 && recv(fd, rest, sizeof rest, 0) > 0)
            ;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
    return NULL;
}

static void end_server(void)
{
    shutdown(listening, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listening);
}

static void start_server(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(listening >= 0 && bind(listening, (struct sockaddr *)&own, sizeof own) == 0 && listen(listening, 16) == 0);
    expect(getsockname(listening, (struct sockaddr *)&own, &size) == 0);
    port = ntohs(own.sin_port);
    snprintf(address, sizeof address, "http://127.0.0.1:%d/owner/name", port);
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], address, 1);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    setenv("MEMELENS_PATIENCE", "0.002", 0);
    snprintf(path, sizeof path, "%s/file", fuzz_folder());
    expect(pthread_create(&thread, NULL, serve, NULL) == 0);
    atexit(end_server);
}

static bool go_on(void *context, uint64_t done, uint64_t total)
{
    (void)total; /* what the server says, before it is refused */
    expect(done <= LIMIT);
    return ++*(int *)context < 1000;
}

static void note(void *context, const char *words)
{
    (void)context;
    expect(*words && !strchr(words, '\n'));
}

static void fetch_picture(lens_error *err)
{
    void *bytes;
    size_t size;
    lens_fetch_options options = lens_fetch_options_default();
    options.max_bytes = LIMIT;
    options.seconds = 2;
    if (lens_fetch_picture(address, &options, &bytes, &size, err) == 0) {
        expect(size > 0 && size <= LIMIT && lens_picture_kind(bytes, size));
        free(bytes);
    } else {
        expect_words(err);
    }
}

static void fetch_file(lens_download *download, lens_error *err)
{
    char sha256[LENS_SHA256_DIGITS + 1], *part = lens_path_join(fuzz_folder(), "file.part"), *about = lens_path_join(fuzz_folder(), "file.part.of");
    expect(part && about);
    if (lens_download_file(download, sha256, err) == 0) {
        lens_buffer file = {0};
        expect(lens_file_read(path, LIMIT, &file, NULL) == 0 && strlen(sha256) == LENS_SHA256_DIGITS);
        expect(download->size == LENS_SIZE_UNKNOWN || file.size == download->size);
        lens_buffer_free(&file);
    } else {
        expect_words(err);
        expect(!lens_file_exists(path));
    }
    struct stat info;
    expect(stat(part, &info) != 0 || info.st_size <= LIMIT);
    unlink(path);
    unlink(part);
    unlink(about);
    free(part);
    free(about);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || !strchr("bfshp", data[0]))
        return 0;
    if (listening < 0)
        start_server();
    pthread_mutex_lock(&lock);
    answers = (fuzz_rest){data + 1, size - 1};
    pthread_mutex_unlock(&lock);
    int asked = 0;
    lens_error err = {0};
    lens_buffer out = {0};
    lens_http_answer answer;
    lens_download download = {.url = address, .token = data[0] == 's' ? NULL : "token", .path = path, .what = "a file", .size = LENS_SIZE_UNKNOWN,
                              .limit = LIMIT, .progress = go_on, .note = note, .context = &asked};
    switch (data[0]) {
    case 'b':
        if (lens_download_bytes(&download, &out, &err) != 0)
            expect_words(&err);
        expect(out.size <= LIMIT);
        lens_buffer_free(&out);
        break;
    case 'f': fetch_file(&download, &err); break;
    case 's': /* "hello" */
        download.size = 5;
        download.expected = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        fetch_file(&download, &err);
        break;
    case 'h':
        if (lens_download_head(&download, &answer, &err) != 0)
            expect_words(&err);
        break;
    default: fetch_picture(&err); break;
    }
    pthread_mutex_lock(&lock);
    answers = (fuzz_rest){0};
    pthread_mutex_unlock(&lock);
    return 0;
}
