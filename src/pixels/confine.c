/* seccomp by a table of our own: the rules are a list of names and a handful of comparisons, which the kernel's own headers are enough for, and libseccomp
 * would be one more library at every start of the program. */
#define _GNU_SOURCE
#include "pixels/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/processors.h"
#include "pixels/helper_message.h"
#include "pixels/read_only.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#define ARCH 0
#endif

enum { MEMORY_A_PIXEL = 32 /* bytes: what the hungriest decoder takes, with room to spare */, FILES_MOST = 64, RULES_MOST = 512 };
static const uint64_t memory_least = (uint64_t)1 << 30, thread_stack = (uint64_t)16 << 20;

/* What every helper may call, with any arguments. None of these names a file, a process or an address on the network. */
static const int always[] = {
    __NR_read, __NR_munmap, __NR_mremap, __NR_brk, __NR_futex, __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn,
    __NR_sigaltstack, __NR_exit, __NR_exit_group, __NR_clock_gettime, __NR_clock_getres, __NR_clock_nanosleep, __NR_nanosleep, __NR_gettimeofday,
    __NR_getrandom, __NR_sched_yield, __NR_sched_getaffinity, __NR_getpid, __NR_gettid, __NR_getcpu, __NR_getrusage, __NR_sysinfo, __NR_uname,
    __NR_restart_syscall, __NR_set_robust_list, __NR_rseq, __NR_membarrier, __NR_set_tid_address, __NR_sendto, __NR_recvfrom, __NR_ppoll,
};

/* What reading files takes beside openat. */
static const int reading[] = {
    __NR_fstat, __NR_newfstatat, __NR_statx, __NR_lseek, __NR_pread64, __NR_readv, __NR_getdents64, __NR_readlinkat, __NR_faccessat, __NR_fstatfs, __NR_statfs,
    __NR_fadvise64, __NR_getcwd, __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid,
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
#ifdef __NR_access
    __NR_access, __NR_stat, __NR_lstat, __NR_readlink,
#endif
};

typedef struct rules {
    struct sock_filter items[RULES_MOST];
    unsigned short count;
} rules;

static void add(rules *to, struct sock_filter rule)
{
    if (to->count < RULES_MOST)
        to->items[to->count++] = rule;
}

static void load(rules *to, size_t offset)
{
    add(to, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

static void answer(rules *to, unsigned action)
{
    add(to, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void allow(rules *to, int call)
{
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1));
    answer(to, SECCOMP_RET_ALLOW);
}

/* CALL is allowed when the lower half of its argument AT, with only the bits of MASK, is VALUE; else it fails with EPERM. */
static void allow_if(rules *to, int call, int at, unsigned mask, unsigned value)
{
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 5));
    load(to, offsetof(struct seccomp_data, args) + 8 * (size_t)at);
    add(to, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    answer(to, SECCOMP_RET_ALLOW);
    answer(to, SECCOMP_RET_ERRNO | EPERM);
}

/* CALL is allowed unless the lower half of its first argument is VALUE. */
static void allow_unless(rules *to, int call, unsigned value)
{
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 4));
    load(to, offsetof(struct seccomp_data, args));
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    answer(to, SECCOMP_RET_ERRNO | EPERM);
    answer(to, SECCOMP_RET_ALLOW);
}

/* Of fcntl only what opening files takes: any other could send a signal to whom it likes (F_SETOWN, F_SETSIG) or seal the memory. */
static void allow_fcntl(rules *to)
{
    static const unsigned commands[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC};
    enum { COUNT = sizeof commands / sizeof *commands };
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fcntl, 0, 2 * COUNT + 2));
    load(to, offsetof(struct seccomp_data, args) + 8);
    for (size_t i = 0; i < COUNT; i++)
        allow(to, (int)commands[i]);
    answer(to, SECCOMP_RET_ERRNO | EPERM);
}

static void make_rules(rules *to, lens_helper_kind kind)
{
    load(to, offsetof(struct seccomp_data, arch));
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
    answer(to, SECCOMP_RET_KILL_PROCESS); /* numbers of another kind of processor mean other calls */
    load(to, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        allow(to, always[i]);
    allow_unless(to, __NR_close, LENS_HELPER_LIFELINE);
    /* Nothing is run that was not there before; but decoders of pixels may write themselves some code, as ORC does for libvips. */
    const unsigned forbidden = kind == LENS_HELPER_PLAIN ? PROT_EXEC : 0;
    allow_if(to, __NR_mmap, 2, forbidden, 0);
    allow_if(to, __NR_mprotect, 2, forbidden, 0);
    allow_if(to, __NR_madvise, 2, ~63U, 0); /* what is above lets root take memory from the machine, as if it were broken */
    allow_if(to, __NR_tgkill, 0, ~0U, (unsigned)getpid()); /* abort */
    allow_if(to, __NR_prctl, 0, ~0U, PR_SET_NAME);
    /* Threads, and no processes. What the C library asks with lies in memory, where no filter sees it: it asks the other way when there is no such call. */
    if (kind != LENS_HELPER_PLAIN)
        allow_if(to, __NR_clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
    add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 0, 1));
    answer(to, SECCOMP_RET_ERRNO | ENOSYS);
    if (kind == LENS_HELPER_SVG) {
        const unsigned changing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
        for (size_t i = 0; i < sizeof reading / sizeof *reading; i++)
            allow(to, reading[i]);
        allow_fcntl(to);
        allow_if(to, __NR_openat, 2, changing, O_RDONLY);
#ifdef __NR_open
        allow_if(to, __NR_open, 1, changing, O_RDONLY);
#endif
    }
    answer(to, SECCOMP_RET_ERRNO | EPERM);
}

const char *lens_confine_lacks(void)
{
    unsigned action = SECCOMP_RET_ERRNO;
    if (ARCH == 0)
        return "there are no rules for this kind of processor";
    if (LENS_CONFINE_SANITIZED)
        return "this is a build for tests";
    if (syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        return NULL;
    /* Linux before 4.14 and gVisor forbid calls and know no such question: what takes rules sees first that here there are none to read. */
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) != 0 && errno == EFAULT)
        return NULL;
    return errno == EPERM || errno == EACCES ? "seccomp is not allowed here" : "the kernel has no seccomp";
}

/* Bytes of addresses in use now. */
static uint64_t addresses(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%llu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit(int resource, uint64_t most)
{
    struct rlimit now;
    if (getrlimit(resource, &now) != 0 || (now.rlim_max != RLIM_INFINITY && now.rlim_max <= most))
        return;
    now.rlim_cur = now.rlim_max = (rlim_t)most;
    setrlimit(resource, &now);
}

bool lens_confine(lens_helper_kind kind, uint64_t max_pixels)
{
    limit(RLIMIT_CORE, 0);
    if (LENS_CONFINE_SANITIZED)
        return true;
    /* Each thread would take 64 MB of addresses for itself, on a large machine more than there are then. */
    mallopt(M_ARENA_MAX, 1);
    const uint64_t spare = max_pixels < UINT64_MAX / 4 / MEMORY_A_PIXEL ? max_pixels * MEMORY_A_PIXEL : UINT64_MAX / 4;
    limit(RLIMIT_AS, addresses() + memory_least + (uint64_t)lens_processors_seen() * thread_stack + spare);
    limit(RLIMIT_NOFILE, FILES_MOST);
    limit(RLIMIT_FSIZE, 0);
    signal(SIGXFSZ, SIG_IGN); /* refused is enough: an emulator writes what is read of /proc/cpuinfo */
    prctl(PR_SET_DUMPABLE, 0);
    const bool settled = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (settled && kind == LENS_HELPER_SVG)
        lens_read_only_fonts();
    if (lens_confine_lacks())
        return true;
    rules all = {.count = 0};
    make_rules(&all, kind);
    const struct sock_fprog program = {all.count, all.items};
    return settled && syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}
