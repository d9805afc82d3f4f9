#include "silent_share.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES_MOST = 256, BUFFER = 1 << 20, FIRST_FILE = 2 }; /* node 1 is the folder itself */

typedef struct shared_file {
    char name[256];
    lens_buffer bytes;
} shared_file;

struct test_share {
    char *at;
    pid_t child;
    _Atomic int *silence; /* [3], shared with the child: what is silent, how many calls wait for an answer, and for how many seconds the kernel may remember */
    shared_file files[FILES_MOST];
    size_t count;
};

static void reply(int fd, uint64_t unique, int error, const void *bytes, size_t size)
{
    static char out[BUFFER + sizeof(struct fuse_out_header)];
    const struct fuse_out_header header = {.len = (uint32_t)(sizeof header + size), .error = -error, .unique = unique};
    memcpy(out, &header, sizeof header);
    if (size)
        memcpy(out + sizeof header, bytes, size);
    if (write(fd, out, header.len) < 0 && errno != ENOENT) /* ENOENT: nobody waits any more */
        _exit(1);
}

static struct fuse_attr attributes_of(const test_share *share, uint64_t node)
{
    struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096, .mtime = 1000000000};
    const bool folder = node == FUSE_ROOT_ID;
    attr.mode = folder ? S_IFDIR | 0755 : S_IFREG | 0644;
    attr.size = folder ? 0 : share->files[node - FIRST_FILE].bytes.size;
    return attr;
}

static void answer_lookup(const test_share *share, int fd, uint64_t unique, const char *name)
{
    for (size_t i = 0; i < share->count; i++)
        if (strcmp(share->files[i].name, name) == 0) {
            struct fuse_entry_out out = {.nodeid = FIRST_FILE + i, .attr = attributes_of(share, FIRST_FILE + i)};
            reply(fd, unique, 0, &out, sizeof out);
            return;
        }
    reply(fd, unique, ENOENT, NULL, 0);
}

static void answer_names(const test_share *share, int fd, uint64_t unique, const struct fuse_read_in *in)
{
    lens_buffer out = {0};
    for (size_t i = (size_t)in->offset; i < share->count; i++) {
        const size_t length = strlen(share->files[i].name);
        struct fuse_dirent entry = {.ino = FIRST_FILE + i, .off = i + 1, .namelen = (uint32_t)length, .type = DT_REG};
        const size_t padded = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
        if (out.size + padded > in->size)
            break;
        lens_buffer_append(&out, &entry, FUSE_NAME_OFFSET);
        lens_buffer_append(&out, share->files[i].name, length);
        lens_buffer_append(&out, "\0\0\0\0\0\0\0", padded - FUSE_NAME_OFFSET - length);
    }
    reply(fd, unique, 0, out.data, out.size);
    lens_buffer_free(&out);
}

static bool is_silent(const test_share *share, const struct fuse_in_header *header)
{
    const int silence = *share->silence;
    return header->opcode != FUSE_INIT && (silence == TEST_SILENT_ALL || (silence == TEST_SILENT_READ && header->opcode == FUSE_READ));
}

static void answer(const test_share *share, int fd, const struct fuse_in_header *header, const void *body)
{
    if (header->opcode == FUSE_FORGET || header->opcode == FUSE_BATCH_FORGET || header->opcode == FUSE_INTERRUPT)
        return;
    switch (header->opcode) {
    case FUSE_INIT: {
        const struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_readahead = 1 << 16, .max_write = 1 << 16};
        reply(fd, header->unique, 0, &out, sizeof out);
        break;
    }
    case FUSE_LOOKUP: answer_lookup(share, fd, header->unique, body); break;
    case FUSE_GETATTR: {
        const struct fuse_attr_out out = {.attr_valid = (uint64_t)share->silence[2], .attr = attributes_of(share, header->nodeid)};
        reply(fd, header->unique, 0, &out, sizeof out);
        break;
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
        const struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};
        reply(fd, header->unique, 0, &out, sizeof out);
        break;
    }
    case FUSE_READDIR: answer_names(share, fd, header->unique, body); break;
    case FUSE_READ: {
        const struct fuse_read_in *in = body;
        const lens_buffer *bytes = &share->files[header->nodeid - FIRST_FILE].bytes;
        const size_t from = in->offset < bytes->size ? (size_t)in->offset : bytes->size, left = bytes->size - from;
        reply(fd, header->unique, 0, bytes->data + from, left < in->size ? left : in->size);
        break;
    }
    case FUSE_STATFS: {
        const struct fuse_statfs_out out = {.st = {.bsize = 4096, .namelen = 255}};
        reply(fd, header->unique, 0, &out, sizeof out);
        break;
    }
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH: reply(fd, header->unique, 0, NULL, 0); break;
    default: reply(fd, header->unique, ENOSYS, NULL, 0);
    }
}

static _Noreturn void serve(const test_share *share, int fd)
{
    static _Alignas(8) char request[BUFFER];
    static struct fuse_in_header *waiting[1024]; /* what came in silence, with all that belongs to it */
    size_t count = 0;
    alarm(300); /* whatever becomes of the test */
    for (;;) {
        for (size_t i = 0; i < count; i++)
            if (waiting[i] && !is_silent(share, waiting[i])) {
                answer(share, fd, waiting[i], waiting[i] + 1);
                free(waiting[i]);
                waiting[i] = NULL;
                share->silence[1]--;
            }
        if (poll(&(struct pollfd){fd, POLLIN, 0}, 1, 50) == 0)
            continue;
        const ssize_t size = read(fd, request, sizeof request);
        if (size < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
            continue;
        if (size < (ssize_t)sizeof(struct fuse_in_header)) 
            _exit(0); /* unmounted */
        const struct fuse_in_header *header = (const struct fuse_in_header *)request;
        if (!is_silent(share, header)) {
            answer(share, fd, header, header + 1);
        } else if (count < sizeof waiting / sizeof *waiting && (waiting[count] = malloc((size_t)size))) {
            memcpy(waiting[count++], request, (size_t)size);
            share->silence[1]++;
        }
    }
}

static void take_files(test_share *share, const char *folder)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) && share->count < FILES_MOST) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = test_path(folder, "%s", entry->d_name);
        shared_file *file = &share->files[share->count++];
        snprintf(file->name, sizeof file->name, "%s", entry->d_name);
        file->bytes = test_read(path);
        free(path);
    }
    closedir(dir);
}

test_share *test_share_mount(const char *at, const char *folder)
{
    char options[128];
    const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other", fd, geteuid(), getegid());
    if (fd < 0 || mount("memelens-test", at, "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
        printf("skipped: a file system of the tests' own cannot be mounted here: %s\n", strerror(errno));
        fflush(stdout);
        if (fd >= 0)
            close(fd);
        skip();
    }
    test_share *share = calloc(1, sizeof *share);
    assert_non_null(share);
    share->at = strdup(at);
    share->silence = mmap(NULL, 3 * sizeof *share->silence, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(share->silence != MAP_FAILED);
    take_files(share, folder);
    share->child = fork();
    assert_true(share->child >= 0);
    if (share->child == 0)
        serve(share, fd);
    close(fd);
    return share;
}

void test_share_silence(test_share *share, test_silence what)
{
    *share->silence = what;
}

void test_share_remember(test_share *share, int seconds)
{
    share->silence[2] = seconds;
}

int test_share_waiting(const test_share *share)
{
    return share->silence[1];
}

void test_share_unmount(test_share *share)
{
    if (!share)
        return;
    kill(share->child, SIGKILL); /* its end ends every call that waits */
    waitpid(share->child, NULL, 0);
    umount2(share->at, MNT_DETACH);
    munmap((void *)share->silence, 3 * sizeof *share->silence);
    for (size_t i = 0; i < share->count; i++)
        lens_buffer_free(&share->files[i].bytes);
    free(share->at);
    free(share);
}
