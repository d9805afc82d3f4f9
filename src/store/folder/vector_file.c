#include "store/folder/vector_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

static const char magic[8] = {'L', 'E', 'N', 'S', 'V', 'E', 'C', '\n'};
static const char suffix[] = ".vectors";
enum { TYPE_F32 = 1, SUMMED = 56 };

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void header_of(const lens_vector_identity *identity, uint8_t header[LENS_VECTOR_HEADER])
{
    memset(header, 0, LENS_VECTOR_HEADER);
    memcpy(header, magic, sizeof magic);
    put_u32(header + 8, LENS_VECTOR_FORMAT);
    put_u32(header + 12, (uint32_t)identity->dim);
    put_u32(header + 16, TYPE_F32);
    put_u64(header + 24, (uint64_t)identity->generation);
    memcpy(header + 32, identity->fingerprint.bytes, 16);
    memcpy(header + 48, identity->mark, 8);
    lens_hash sum = lens_hash_of(header, SUMMED);
    memcpy(header + SUMMED, sum.bytes, LENS_VECTOR_HEADER - SUMMED);
}

void lens_vector_file_name(const char *model, int64_t generation, char name[LENS_VECTOR_NAME])
{
    char safe[LENS_VECTOR_NAME - 32];
    size_t length = 0;
    for (; *model && length + 1 < sizeof safe; model++) {
        unsigned char c = (unsigned char)*model;
        bool plain = c < 0x80 && (isalnum(c) || c == '_' || (c == '.' && length > 0));
        if (plain)
            safe[length++] = (char)c;
        else if (length > 0 && safe[length - 1] != '-')
            safe[length++] = '-';
    }
    safe[length] = '\0';
    snprintf(name, LENS_VECTOR_NAME, "%s-%" PRId64 "%s", length ? safe : "model", generation, suffix);
}

bool lens_vector_file_is_name(const char *name)
{
    size_t length = strlen(name);
    if (length >= LENS_VECTOR_NAME || length < sizeof suffix || strcmp(name + length - (sizeof suffix - 1), suffix) != 0)
        return false;
    size_t stem = length - (sizeof suffix - 1), digits = 0;
    while (digits < stem && name[stem - 1 - digits] >= '0' && name[stem - 1 - digits] <= '9')
        digits++;
    if (digits == 0 || digits > 19 || stem < digits + 2 || name[stem - 1 - digits] != '-' || name[0] == '.')
        return false;
    for (size_t i = 0; i < stem; i++)
        if ((unsigned char)name[i] >= 0x80 || !(isalnum((unsigned char)name[i]) || strchr("-_.", name[i])))
            return false;
    return true;
}

static const char *const suffixes[] = {[LENS_VECTOR_BYTES] = ".bytes", [LENS_VECTOR_NEAR] = ".near", [LENS_VECTOR_CELLS] = ".cells"};

void lens_vector_copy_name(const char *file, lens_vector_copy kind, char copy[LENS_VECTOR_COPY_NAME])
{
    snprintf(copy, LENS_VECTOR_COPY_NAME, "%s%s", file, suffixes[kind]);
}

bool lens_vector_copy_is_name(const char *name, char file[LENS_VECTOR_NAME])
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const size_t end = strlen(suffixes[i]);
        if (length <= end || length - end >= LENS_VECTOR_NAME || strcmp(name + length - end, suffixes[i]) != 0)
            continue;
        memcpy(file, name, length - end);
        file[length - end] = '\0';
        return lens_vector_file_is_name(file);
    }
    return false;
}

off_t lens_vector_offset(int dim, int64_t slot)
{
    return (off_t)LENS_VECTOR_HEADER + (off_t)slot * dim * (off_t)sizeof(float);
}

static int put_bytes(int fd, const char *shown, const char *name, const void *bytes, size_t size, off_t at, lens_error *err)
{
    const char *from = bytes;
    while (size > 0) {
        ssize_t wrote = pwrite(fd, from, size, at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return lens_fail_errno(err, errno, "%s/%s: cannot be written", shown, name);
        from += wrote;
        at += wrote;
        size -= (size_t)wrote;
    }
    return 0;
}

static int get_bytes(int fd, const char *shown, const char *name, void *bytes, size_t size, off_t at, lens_error *err)
{
    char *to = bytes;
    while (size > 0) {
        ssize_t got = pread(fd, to, size, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lens_fail_errno(err, errno, "%s/%s: cannot be read", shown, name);
        if (got == 0)
            return lens_fail(err, LENS_E_FORMAT, "%s/%s: ends too early", shown, name);
        to += got;
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

int lens_vector_file_put(int fd, const char *shown, const char *name, int dim, int64_t slot, const float *values,
                         int64_t count, lens_error *err)
{
    size_t size = (size_t)count * (size_t)dim * sizeof(float);
    return put_bytes(fd, shown, name, values, size, lens_vector_offset(dim, slot), err);
}

int lens_vector_file_get(int fd, const char *shown, const char *name, int dim, int64_t slot, float *values, int64_t count,
                         lens_error *err)
{
    size_t size = (size_t)count * (size_t)dim * sizeof(float);
    return get_bytes(fd, shown, name, values, size, lens_vector_offset(dim, slot), err);
}

int lens_vector_file_create(int dir, const char *shown, const char *name, const lens_vector_identity *identity,
                            lens_error *err)
{
    uint8_t header[LENS_VECTOR_HEADER];
    header_of(identity, header);
    unlinkat(dir, name, 0);
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return lens_fail_errno(err, errno, "%s/%s: cannot be made", shown, name);
    if (put_bytes(fd, shown, name, header, sizeof header, 0, err) != 0) {
        close(fd);
        unlinkat(dir, name, 0);
        return -1;
    }
    return fd;
}

/* Says what is wrong with HEADER, or 0. */
static int compare(const uint8_t *header, const lens_vector_identity *identity, const char *shown, const char *name,
                   lens_error *err)
{
    uint8_t wanted[LENS_VECTOR_HEADER];
    header_of(identity, wanted);
    if (memcmp(header, wanted, sizeof wanted) == 0)
        return 0;
    if (memcmp(header, magic, sizeof magic) != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: not a file of vectors", shown, name);
    lens_hash sum = lens_hash_of(header, SUMMED);
    if (memcmp(header + SUMMED, sum.bytes, LENS_VECTOR_HEADER - SUMMED) != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: its header is damaged", shown, name);
    if (lens_little_32(header + 8) > LENS_VECTOR_FORMAT)
        return lens_fail(err, LENS_E_VERSION, "%s/%s: vectors of version %" PRIu32 ", and this memelens knows up to version %d; use a newer one", shown,
                         name, lens_little_32(header + 8), LENS_VECTOR_FORMAT);
    if (lens_little_32(header + 12) != (uint32_t)identity->dim)
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: holds vectors of %" PRIu32 " numbers where the library says %d", shown,
                         name, lens_little_32(header + 12), identity->dim);
    if (memcmp(header + 32, wanted + 32, 16) != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: made with other weights than the library says", shown, name);
    if (memcmp(header + 48, wanted + 48, 8) != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: belongs to another library", shown, name);
    return lens_fail(err, LENS_E_FORMAT, "%s/%s: not the file that the library means", shown, name);
}

int lens_vector_file_open(int dir, const char *shown, const char *name, const lens_vector_identity *identity, int64_t slots,
                          bool writable, off_t *size, lens_error *err)
{
    /* O_NONBLOCK so that a FIFO of this name cannot hold us. */
    int fd = openat(dir, name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return lens_fail_errno(err, errno, "%s/%s", shown, name);
    struct stat info;
    uint8_t header[LENS_VECTOR_HEADER];
    if (fstat(fd, &info) != 0) {
        lens_fail_errno(err, errno, "%s/%s", shown, name);
    } else if (!S_ISREG(info.st_mode)) {
        lens_fail(err, LENS_E_FORMAT, "%s/%s: not a regular file", shown, name);
    } else if (get_bytes(fd, shown, name, header, sizeof header, 0, err) == 0 &&
               compare(header, identity, shown, name, err) == 0) {
        if (info.st_size >= lens_vector_offset(identity->dim, slots)) {
            if (size)
                *size = info.st_size;
            return fd;
        }
        lens_fail(err, LENS_E_FORMAT, "%s/%s: has lost its end: %lld bytes where the library says at least %lld", shown, name,
                  (long long)info.st_size, (long long)lens_vector_offset(identity->dim, slots));
    }
    close(fd);
    return -1;
}
