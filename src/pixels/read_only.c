#define _GNU_SOURCE
#include "pixels/read_only.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Those of the first version: what came later is about files that cannot be opened to be written to anyhow. */
static const uint64_t all_rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                   LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                   LANDLOCK_ACCESS_FS_MAKE_SYM;

static void allow(int rules, const char *path)
{
    struct stat info;
    const int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return;
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE, .parent_fd = fd};
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    syscall(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
}

static void allow_below(int rules, const char *variable, const char *name)
{
    char path[4096];
    const char *folder = getenv(variable);
    if (folder && *folder == '/' && snprintf(path, sizeof path, "%s%s", folder, name) < (int)sizeof path)
        allow(rules, path);
}

void lens_read_only_fonts(void)
{
    static const char *const system[] = {"/usr", "/lib", "/lib64", "/opt", "/nix/store", "/gnu/store",
                                         "/etc/fonts", "/etc/ld.so.cache", "/var/cache/fontconfig"};
    static const char *const own[][2] = {{"HOME", "/.fonts"}, {"HOME", "/.fonts.conf"}, {"HOME", "/.local/share/fonts"}, {"HOME", "/.config/fontconfig"},
                                         {"HOME", "/.cache/fontconfig"}, {"XDG_DATA_HOME", "/fonts"}, {"XDG_CONFIG_HOME", "/fontconfig"},
                                         {"XDG_CACHE_HOME", "/fontconfig"}, {"FONTCONFIG_FILE", ""}, {"FONTCONFIG_PATH", ""}, {"GDK_PIXBUF_MODULE_FILE", ""}};
    const struct landlock_ruleset_attr handled = {.handled_access_fs = all_rights};
    const int rules = (int)syscall(__NR_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0)
        return;
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        allow(rules, system[i]);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        allow_below(rules, own[i][0], own[i][1]);
    syscall(__NR_landlock_restrict_self, rules, 0);
    close(rules);
}
