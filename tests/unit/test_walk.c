/* src/files: every file once, in order, whatever the folders look like. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "files/walk.h"
#include "support.h"

typedef struct seen {
    const char *root, *refuse, *vanish, *becomes;
    lens_buffer files, folders, problems;
    lens_walk_file last;
    int stop_after, count;
} seen;

static const char *below(const seen *s, const char *path)
{
    size_t length = strlen(s->root);
    assert_int_equal(strncmp(path, s->root, length), 0);
    return path + length;
}

static int on_file(void *context, const lens_walk_file *file)
{
    seen *s = context;
    s->last = *file;
    assert_int_equal(lens_buffer_print(&s->files, "%s ", below(s, file->path)), 0);
    return ++s->count == s->stop_after ? 42 : 0;
}

static bool on_enter(void *context, const char *path)
{
    seen *s = context;
    assert_int_equal(lens_buffer_print(&s->folders, "%s/ ", below(s, path)), 0);
    if (s->vanish && strcmp(below(s, path), s->vanish) == 0)
        assert_int_equal(rmdir(path) | (s->becomes ? symlink(s->becomes, path) : 0), 0);
    return !s->refuse || strcmp(below(s, path), s->refuse) != 0;
}

static void on_problem(void *context, const char *path, const lens_error *error)
{
    seen *s = context;
    size_t length = strlen(path);
    assert_non_null(strstr(error->message, length > 800 ? path + length - 800 : path)); /* at least its end */
    assert_int_equal(lens_buffer_print(&s->problems, "%s:%s ", below(s, path), strrchr(error->message, ':') + 1), 0);
}

static void clear(seen *s)
{
    lens_buffer_free(&s->files), lens_buffer_free(&s->folders), lens_buffer_free(&s->problems);
    s->count = 0;
}

static int go(seen *s, const lens_walk_options *options, lens_error *err)
{
    clear(s);
    lens_buffer_append(&s->files, "", 0), lens_buffer_append(&s->folders, "", 0), lens_buffer_append(&s->problems, "", 0);
    lens_walk_visitor visitor = {.file = on_file, .enter = on_enter, .problem = on_problem, .context = s};
    return lens_walk(s->root, options, &visitor, err);
}

static void make(const char *root, const char *names) /* "a/ a/b.jpg": a slash at the end makes a folder */
{
    char *copy = strdup(names);
    for (char *name = strtok(copy, " "); name; name = strtok(NULL, " ")) {
        char *path = test_path(root, "%s", name);
        if (name[strlen(name) - 1] == '/')
            assert_int_equal(mkdir(path, 0755), 0);
        else
            test_write(path, "12345", 5);
        free(path);
    }
    free(copy);
}

static void make_link(const char *root, const char *to, const char *name)
{
    char *path = test_path(root, "%s", name);
    assert_int_equal(symlink(to, path), 0);
    free(path);
}

static void test_order(void **state)
{
    (void)state;
    char *root = test_folder_new();
    make(root, "b/ b/2 b/1 a/ a/x/ a/x/deep a/y a-1/ a-1/f Z \xff z .hidden .dot/ .dot/inside a/.h \xc3\xa4");
    seen s = {.root = root};
    lens_error err;
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, "/Z /z /\xc3\xa4 /\xff /a/y /a/x/deep /a-1/f /b/1 /b/2 ");
    assert_string_equal(s.folders.data, "/ /a/ /a/x/ /a-1/ /b/ ");
    assert_string_equal(s.problems.data, "");
    lens_walk_options hidden = {.include_hidden = true};
    assert_done(go(&s, &hidden, &err), &err);
    assert_string_equal(s.files.data, "/.hidden /Z /z /\xc3\xa4 /\xff /.dot/inside /a/.h /a/y /a/x/deep /a-1/f /b/1 /b/2 ");
    s.refuse = "/a";
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, "/Z /z /\xc3\xa4 /\xff /a-1/f /b/1 /b/2 ");
    s.stop_after = 2;
    assert_int_equal(go(&s, NULL, &err), 42);
    assert_string_equal(s.files.data, "/Z /z ");
    clear(&s);
    test_folder_remove(root);
}

static void test_what_a_file_is(void **state)
{
    (void)state;
    char *root = test_folder_new();
    char *file = test_path(root, "one.jpg"), *fifo = test_path(root, "fifo"), *plug = test_path(root, "socket");
    make(root, "one.jpg");
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = -5, .tv_nsec = 123456789}};
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    test_socket_make(plug);
    make_link(root, "fifo", "link to fifo");
    make_link(root, "one.jpg", "alias");
    seen s = {.root = root};
    lens_error err;
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, "/alias /one.jpg ");
    assert_string_equal(s.problems.data, "");
    struct stat info; /* a file system may hold neither parts of a second nor what was before 1970 */
    assert_int_equal(stat(file, &info), 0);
    const int64_t mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    if (mtime_ns != -5000000000 + 123456789)
        printf("a file's time is %lld here\n", (long long)mtime_ns);
    assert_true(s.last.size == 5 && s.last.mtime_ns == mtime_ns);
    /* A root that is a file, or a link, or nothing that can be walked. */
    s.root = file;
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, " ");
    assert_string_equal(s.folders.data, "");
    s.root = fifo;
    assert_int_equal(go(&s, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_FORMAT);
    char *missing = test_path(root, "missing"), *under = test_path(root, "one.jpg/under");
    s.root = missing;
    assert_int_equal(go(&s, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_MISSING);
    assert_says(&err, missing);
    s.root = under;
    assert_int_equal(go(&s, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_MISSING);
    s.root = "relative";
    assert_int_equal(go(&s, NULL, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    clear(&s);
    free(file), free(fifo), free(plug), free(missing), free(under);
    test_folder_remove(root);
}

static void test_links(void **state)
{
    (void)state;
    char *top = test_folder_new(), *root = test_path(top, "root"), *alias = test_path(top, "alias");
    make(top, "root/ root/r/ root/r/1 beside/ beside/2 beside/in/ beside/in/3 outside/ outside/4");
    make_link(root, "r", "a-to-r");       /* real folders win, though the link sorts first */
    make_link(root, "../beside", "b-to-beside");
    make_link(root, "../beside/in", "c-to-in");
    make_link(root, "..", "up");          /* leads to all that lies beside the root */
    make_link(root, "/", "slash");
    make_link(root, ".", "self");
    make_link(root, "loop2", "loop1");
    make_link(root, "loop1", "loop2");
    make_link(root, "nowhere", "dangling");
    make_link(root, "r/1/x", "through a file");
    make_link(top, "../outside", "beside/further"); /* a link within what a link leads to */
    make_link(top, "root", "alias");
    seen s = {.root = root};
    lens_error err;
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, "/r/1 /b-to-beside/2 /b-to-beside/in/3 /b-to-beside/further/4 ");
    assert_string_equal(s.problems.data, "/dangling: a symbolic link to nothing /loop1: Too many levels of symbolic links "
                                         "/loop2: Too many levels of symbolic links /through a file: Not a directory ");
    s.root = alias; /* a root that is a link itself */
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, "/r/1 /b-to-beside/2 /b-to-beside/in/3 /b-to-beside/further/4 ");
    clear(&s);
    free(root), free(alias);
    test_folder_remove(top);
}

static void test_exclusions(void **state)
{
    (void)state;
    char *root = test_folder_new();
    make(root, "a/ a/1.jpg a/1.png a/thumbs/ a/thumbs/2.jpg thumbs b/ b/a/ b/a/3.jpg b/\xff.bak keep/ keep/4.jpg");
    static const struct {
        const char *patterns[3];
        const char *files;
    } cases[] = {
        {{NULL}, "/thumbs /a/1.jpg /a/1.png /a/thumbs/2.jpg /b/\xff.bak /b/a/3.jpg /keep/4.jpg "},
        {{"*.jpg"}, "/thumbs /a/1.png /b/\xff.bak "},
        {{"thumbs"}, "/a/1.jpg /a/1.png /b/\xff.bak /b/a/3.jpg /keep/4.jpg "},
        {{"thumbs/"}, "/thumbs /a/1.jpg /a/1.png /b/\xff.bak /b/a/3.jpg /keep/4.jpg "},
        {{"a"}, "/thumbs /b/\xff.bak /keep/4.jpg "},
        {{"/a"}, "/thumbs /b/\xff.bak /b/a/3.jpg /keep/4.jpg "},
        {{"b/a/*"}, "/thumbs /a/1.jpg /a/1.png /a/thumbs/2.jpg /b/\xff.bak /keep/4.jpg "},
        {{"*.bak", "[at]*"}, "/keep/4.jpg "},
        {{"", "/", "?"}, "/thumbs /keep/4.jpg "},
        {{"a/*", "*/thumbs/"}, "/thumbs /b/\xff.bak /b/a/3.jpg /keep/4.jpg "},
    };
    seen s = {.root = root};
    lens_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_walk_options options = {.exclude = cases[i].patterns};
        while (options.exclude_count < 3 && cases[i].patterns[options.exclude_count])
            options.exclude_count++;
        assert_done(go(&s, &options, &err), &err);
        assert_string_equal(s.files.data, cases[i].files);
    }
    /* What is left out is not entered, nor are its problems told. */
    make_link(root, "nowhere", "dangling.lnk");
    lens_walk_options options = {.exclude = (const char *[]){"*.lnk", "a"}, .exclude_count = 2};
    assert_done(go(&s, &options, &err), &err);
    assert_string_equal(s.problems.data, "");
    assert_null(strstr(s.folders.data, "/a/"));
    clear(&s);
    test_folder_remove(root);
}

static lens_buffer asked_of;

static bool on_wants(const char *path)
{
    assert_int_equal(lens_buffer_print(&asked_of, "%s ", strrchr(path, '/')), 0);
    return false;
}

static bool on_passes_by(void *context, const char *path)
{
    return strcmp(below(context, path), "/forgotten") == 0;
}

static int on_unwanted(void *context, const lens_walk_file *file)
{
    assert_int_equal(file->wanted, on_passes_by(context, file->path));
    return on_file(context, file);
}

/* Whoever is asked may open the file. */
static void test_what_is_left_out_is_not_asked_of(void **state)
{
    (void)state;
    char *root = test_folder_new();
    make(root, "a/ a/secret.key forgotten note");
    make_link(root, "a/secret.key", "z.key");
    make_link(root, "note", "z.note");
    seen s = {.root = root};
    lens_error err;
    const lens_walk_options options = {.exclude = (const char *[]){"*.key"}, .exclude_count = 1};
    const lens_walk_visitor visitor = {.file = on_unwanted, .wants = on_wants, .passes_by = on_passes_by, .context = &s};
    assert_done(lens_walk(root, &options, &visitor, &err), &err);
    assert_string_equal(s.files.data, "/forgotten /note /z.note ");
    assert_string_equal(asked_of.data, "/note /z.note ");
    lens_buffer_free(&asked_of);
    clear(&s);
    test_folder_remove(root);
}

static void test_what_a_walk_leaves_out_is_told_without_walking(void **state)
{
    (void)state;
    const char *const exclude[] = {"cache", "/top", "thumbs/", "a/*.png"};
    static const struct {
        const char *path;
        bool folder;
        int out;
    } cases[] = {
        {"/r", true, 0},           {"/r/x", true, 0},      {"/r/x/y.png", false, 0},   {"/r/cache", true, 1},   {"/r/x/cache", false, 1}, {"/r/x/cache/y", false, 1},
        {"/r/top", true, 1},       {"/r/top/x", false, 1}, {"/r/x/top", true, 0},      {"/r/thumbs", true, 1},  {"/r/thumbs", false, 0},  {"/r/thumbs/x", false, 1},
        {"/r/a/b.png", false, 1},  {"/r/a/b.jpg", false, 0}, {"/r/.h", true, 1},       {"/r/.h/x", false, 1},   {"/r/x.y", false, 0},
    };
    lens_walk_options options = {.exclude = exclude, .exclude_count = 4, .base = "/r"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (lens_walk_leaves_out(&options, cases[i].path, cases[i].folder, NULL) != cases[i].out)
            fail_msg("%s", cases[i].path);
    options.include_hidden = true;
    assert_int_equal(lens_walk_leaves_out(&options, "/r/.h/x", false, NULL), 0);
    options.base = "/";
    assert_int_equal(lens_walk_leaves_out(&options, "/top/x", false, NULL), 1);
    assert_int_equal(lens_walk_leaves_out(&options, "/r/top", true, NULL), 0);
    assert_int_equal(lens_walk_leaves_out(&options, "/", true, NULL), 0);
}

static void test_folders_that_vanish(void **state)
{
    (void)state;
    char *root = test_folder_new();
    make(root, "a/ b/ b/1 c");
    seen s = {.root = root, .vanish = "/a"};
    lens_error err;
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, "/c /b/1 ");
    assert_string_equal(s.problems.data, "/a: No such file or directory ");
    /* A link put in the place of a folder at the last moment does not lead out. */
    make(root, "a/");
    s.becomes = "/";
    assert_done(go(&s, NULL, &err), &err);
    assert_string_equal(s.files.data, "/c /b/1 ");
    assert_string_equal(s.problems.data, "/a: Not a directory ");
    clear(&s);
    test_folder_remove(root);
}

static int closed_folders(const char *root)
{
    seen s = {.root = root};
    lens_error err;
    if (go(&s, NULL, &err) != 0)
        return 1;
    bool right = strcmp(s.files.data, "/c /open/1 ") == 0 &&
                 strcmp(s.problems.data, "/no names: Permission denied /only names: Permission denied ") == 0;
    if (!right)
        fprintf(stderr, "%s\n%s\n", s.files.data, s.problems.data);
    clear(&s);
    return right ? 0 : 2;
}

static void test_folders_that_are_closed(void **state)
{
    (void)state;
    char *root = test_folder_new();
    char *first = test_path(root, "no names"), *second = test_path(root, "only names"), *third = test_path(root, "only names/1");
    char *fourth = test_path(root, "only names/2");
    make(root, "open/ open/1 c");
    assert_int_equal(mkdir(first, 0700) | mkdir(second, 0700), 0);
    test_write(third, "", 0), test_write(fourth, "", 0);
    assert_int_equal(chmod(root, 0755) | chmod(first, 0311) | chmod(second, 0444), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        _exit(closed_folders(root));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(chmod(first, 0700) | chmod(second, 0700), 0);
    free(first), free(second), free(third), free(fourth);
    test_folder_remove(root);
}

static void test_very_deep(void **state)
{
    (void)state;
    char *root = test_folder_new();
    enum { LEVELS = 1200 };
    char name[11] = "dddddddddd";
    int fd = open(root, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    for (int i = 0; i < LEVELS; i++) {
        assert_int_equal(mkdirat(fd, name, 0755), 0);
        int file = openat(fd, "f", O_CREAT | O_WRONLY, 0644);
        close(file);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    close(fd);
    seen s = {.root = root};
    lens_error err;
    assert_done(go(&s, NULL, &err), &err);
    printf("measured: %d files told of %d levels\n", s.count, LEVELS);
    const int most = (PATH_MAX - 1 - (int)strlen(root) - 2 /* "/f" */) / 11 + 1; /* whose paths are no longer than that */
    assert_in_range(s.count, most - 10, most);
    assert_true(s.problems.size > 8 && strstr(s.problems.data, "File name too long"));
    clear(&s);
    /* No path reaches down there, but rm does. */
    test_run rm = test_run_program((const char *[]){"/bin/rm", "-rf", root, NULL}, NULL, NULL);
    assert_int_equal(rm.status, 0);
    test_run_free(&rm);
    free(root);
}

typedef struct crowd {
    char last[32];
    unsigned count;
} crowd;

static int on_one_of_many(void *context, const lens_walk_file *file)
{
    crowd *all = context;
    assert_true(strcmp(all->last, strrchr(file->path, '/')) < 0);
    snprintf(all->last, sizeof all->last, "%s", strrchr(file->path, '/'));
    all->count++;
    return 0;
}

static void test_a_crowded_folder(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    char *root = test_folder_new();
    crowd all = {0};
    int fd = open(root, O_RDONLY | O_DIRECTORY);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "%08x", i * 2654435761u);
        int file = openat(fd, name, O_CREAT | O_WRONLY, 0644);
        assert_true(file >= 0);
        close(file);
    }
    lens_walk_visitor visitor = {.file = on_one_of_many, .context = &all};
    lens_error err;
    double start = lens_seconds();
    assert_done(lens_walk(root, NULL, &visitor, &err), &err);
    printf("measured: a folder of %d files walked in %.0f ms\n", COUNT, (lens_seconds() - start) * 1e3);
    assert_int_equal(all.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "%08x", i * 2654435761u);
        unlinkat(fd, name, 0);
    }
    close(fd);
    test_folder_remove(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_what_a_file_is),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_exclusions),
        cmocka_unit_test(test_what_is_left_out_is_not_asked_of),
        cmocka_unit_test(test_what_a_walk_leaves_out_is_told_without_walking),
        cmocka_unit_test(test_folders_that_vanish),
        cmocka_unit_test(test_folders_that_are_closed),
        cmocka_unit_test(test_very_deep),
        cmocka_unit_test(test_a_crowded_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
