#include "cli/lost.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "cli/say.h"

/* In a handler nothing may be asked of the C library but calls of the system: so the kernel's own list of what is mapped is read byte by byte. */

static uintptr_t hexadecimal(const char **at)
{
    uintptr_t value = 0;
    for (;; ++*at) {
        const char c = **at;
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return value;
        value = value * 16 + (uintptr_t)digit;
    }
}

/* Whether LINE ("begin-end rights offset device inode   path") tells of ADDRESS. *PATH: in it, or empty. */
static bool is_mapped_by(const char *line, uintptr_t address, const char **path)
{
    const char *at = line;
    const uintptr_t begin = hexadecimal(&at);
    at += *at == '-';
    const uintptr_t end = hexadecimal(&at);
    *path = at + strcspn(at, "/");
    return address >= begin && address < end;
}

static void write_text(const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        const ssize_t wrote = write(STDERR_FILENO, text, left);
        if (wrote <= 0)
            return;
        text += wrote;
        left -= (size_t)wrote;
    }
}

static void tell(int number, siginfo_t *info, void *context)
{
    static char bytes[4096], line[8192];
    (void)number, (void)context;
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    const char *path = "";
    bool found = false;
    size_t length = 0;
    for (ssize_t size; fd >= 0 && !found && (size = read(fd, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < size && !found; i++) {
            if (bytes[i] != '\n' && length + 1 < sizeof line) {
                line[length++] = (unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f ? '?' : bytes[i];
                continue;
            }
            line[length] = '\0';
            length = 0;
            found = is_mapped_by(line, (uintptr_t)info->si_addr, &path);
        }
    write_text("memelens: ");
    write_text(found && *path ? path : "a file in use");
    write_text(": was cut short while it was in use, or its disk is full or cannot be read\n");
    _exit(CLI_ERROR);
}

void cli_catch_lost_files(void)
{
    struct sigaction action = {.sa_sigaction = tell, .sa_flags = (int)SA_RESETHAND | SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
