/* What the scripts around the program do to a machine: each runs in a mount namespace of its own, where what it writes to is memory. */
#include "support.h"

/* Runs SCRIPT, a shell's, with the path of the source's file NAME as $1, and skips where that is not allowed. It fails the test with what it prints. */
static void expect_quiet(const char *script, const char *name)
{
    const char *source = getenv("MEMELENS_SOURCE");
    char *path = source ? test_path(source, "%s", name) : NULL;
    if (!path || !lens_file_exists(path)) {
        free(path);
        printf("skipped: no source here\n");
        fflush(stdout);
        skip();
    }
    const char *argv[] = {"/bin/sh", "-c", "exec unshare -m sh -c \"$@\"", "sh", script, "sh", path, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    free(path);
    if (run.status == 77 || (run.status != 0 && strstr(run.err.data, "unshare: "))) {
        test_run_free(&run);
        printf("skipped: nothing can be mounted here\n");
        fflush(stdout);
        skip();
    }
    if (run.status != 0 || run.out.size)
        fail_msg("exit %d: %s%s", run.status, run.out.size ? run.out.data : "", run.err.size ? run.err.data : "");
    test_run_free(&run);
}

/* Another folder of the same disk that is mounted below what the package kept is somebody's. No user is removed: in this /etc there is none. */
static void test_purging_removes_nothing_that_is_mounted(void **state)
{
    (void)state;
    static const char script[] =
        "postrm=$(cat \"$1\")\n"
        "mount -t tmpfs none /etc && mount -t tmpfs none /var || exit 77\n"
        "mkdir -p '/var/a lib' '/var/home/ada' /var/lib2 && ln -s 'a lib' /var/lib && touch /var/home/ada/cat.jpg || exit 77\n"
        "purge() { said=$(sh -c \"$postrm\" sh purge 2>&1) || echo \"failed: $said\"; }\n"
        "fill() { mkdir -p /var/lib/memelens/library '/var/lib/memelens/my pictures' /etc/memelens; touch /var/lib/memelens/library/library.db /etc/memelens/token; }\n"
        "expect_kept() {\n"
        "    case $said in *memelens/*is\\ mounted | *memelens\\ is\\ mounted) ;; *) echo \"said: $said\" ;; esac\n"
        "    [ \"$(echo \"$said\" | wc -l)\" -eq 1 ] || echo \"not one line: $said\"\n"
        "    [ -e /var/home/ada/cat.jpg ] || { echo 'a picture is gone'; touch /var/home/ada/cat.jpg; }\n"
        "    [ ! -e /etc/memelens ] || echo 'what nothing is mounted on is still there'\n"
        "}\n"
        "fill; mount --bind /var/home/ada '/var/lib/memelens/my pictures' || exit 77\n"
        "purge; expect_kept; [ -e /var/lib/memelens/library/library.db ] || echo 'a part was removed'\n"
        "umount '/var/lib/memelens/my pictures'\n"
        "fill; mount --bind /var/home/ada /var/lib/memelens || exit 77\n"
        "purge; expect_kept\n"
        "umount /var/lib/memelens\n"
        /* A mount elsewhere, whose name begins with the same letters, is in nobody's way. */
        "fill; mkdir /var/lib/memelens-other; mount --bind /var/home/ada /var/lib/memelens-other || exit 77\n"
        "purge; [ -z \"$said\" ] && [ ! -e /var/lib/memelens ] && [ ! -e /etc/memelens ] || echo \"not removed: $said\"\n"
        "[ -e /var/home/ada/cat.jpg ] || echo 'a picture is gone'\n";
    expect_quiet(script, "packaging/debian/memelens.postrm");
}

/* apt and its relatives are programs of the test's; what the real ones of Debian read is the same. */
static void test_a_server_for_the_tests_makes_no_cluster(void **state)
{
    (void)state;
    static const char script[] =
        "mount -t tmpfs none /etc && mkdir -p /etc/test/bin && echo ID=debian >/etc/os-release || exit 77\n"
        "program() { { echo '#!/bin/sh'; cat; } >/etc/test/bin/$1; chmod 755 /etc/test/bin/$1; }\n"
        "program dpkg-query <<'P'\n"
        "for name; do :; done\n"
        "case $name in postgresql-common) cat /etc/test/common ;; postgresql-*) ;; *) printf installed ;; esac\n"
        "P\n"
        "program dpkg <<'P'\n"
        "P\n"
        "program apt-cache <<'P'\n"
        "case \"$*\" in pkgnames*) echo postgresql-17-pgvector ;; *pgvector) echo 'Version: 0.8.0-1' ;; esac\n"
        "P\n"
        "program apt-get <<'P'\n"
        "case \"$*\" in *install*) ;; *) exit 0 ;; esac\n"
        "mkdir -p /etc/postgresql-common\n"
        "[ -e /etc/postgresql-common/createcluster.conf ] || echo '#create_main_cluster = true' >/etc/postgresql-common/createcluster.conf\n"
        "case \"$*\" in *postgresql-17*) grep -rh '^create_main_cluster' /etc/postgresql-common >/etc/test/seen; exit $(cat /etc/test/status) ;; esac\n"
        "P\n"
        "export MEMELENS_POSTGRES_BIN=/nowhere PATH=/etc/test/bin:$PATH\n"
        "deps() {\n"
        "    rm -rf /etc/postgresql-common; [ ! -s /etc/test/common ] || apt-get install\n"
        "    echo none >/etc/test/seen; echo $1 >/etc/test/status\n"
        "    \"$deps\" tests >/dev/null 2>&1; [ $? -eq $1 ] || echo \"$2: another exit than apt's\"\n"
        "    [ \"$(cat /etc/test/seen)\" = 'create_main_cluster = false' ] || echo \"$2: a cluster was made: $(cat /etc/test/seen)\"\n"
        "    ! grep -rq '^create_main_cluster' /etc/postgresql-common || echo \"$2: the setting is still there\"\n"
        "}\n"
        "deps=$1; : >/etc/test/common\n"
        "deps 0 'on a new machine'\n"
        "printf installed >/etc/test/common\n"
        "deps 0 'beside postgresql-common'\n"
        "deps 1 'when apt fails'\n"
        "[ ! -e /etc/postgresql-common/createcluster.d ] || echo 'a folder is left'\n";
    expect_quiet(script, "tools/deps.sh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_purging_removes_nothing_that_is_mounted),
        cmocka_unit_test(test_a_server_for_the_tests_makes_no_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
