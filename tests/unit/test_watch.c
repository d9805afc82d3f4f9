/* lens_watch: what changes below the folders of a library, and what a run is told to look at. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memelens.h"
#include "server/server.h"
#include "support.h"

static bool none_left; /* no inotify instances */

/* In the place of the C library's. */
int inotify_init1(int flags);
int inotify_init1(int flags)
{
    if (!none_left)
        return (int)syscall(SYS_inotify_init1, flags);
    errno = EMFILE;
    return -1;
}

typedef struct place {
    char *folder, *pictures;
    lens_library *library, *watched;
    lens_watch *watch;
} place;

static void put(const char *folder, const char *name, int value)
{
    char *path = test_path(folder, "%s", name);
    char picture[64 + 3 * 64];
    int size = snprintf(picture, sizeof picture, "P6 8 8 255\n");
    for (int i = 0; i < 3 * 64; i++)
        picture[size++] = (char)(value * 31 + i * value);
    test_write(path, picture, (size_t)size);
    free(path);
}

static lens_index_report index_paths(lens_library *library, const char *const *paths, size_t count, const char *const *exclude)
{
    static const char *const models[] = {"colour"};
    lens_error error = {0};
    lens_index_options options = lens_index_options_default();
    lens_index_report report;
    options.paths = paths;
    options.path_count = count;
    options.models = models;
    options.model_count = 1;
    options.exclude = exclude;
    options.exclude_count = exclude != NULL;
    assert_done(lens_index(library, &options, &report, &error), &error);
    return report;
}

static place begin(const char *const *exclude)
{
    lens_error error = {0};
    place self = {.folder = test_folder_new()};
    char *library = test_path(self.folder, "library");
    self.pictures = test_path(self.folder, "pictures");
    assert_int_equal(mkdir(self.pictures, 0755), 0);
    char *below = test_path(self.pictures, "below");
    assert_int_equal(mkdir(below, 0755), 0);
    free(below);
    put(self.pictures, "a.ppm", 1);
    put(self.pictures, "below/b.ppm", 2);
    self.library = lens_library_open(library, &error);
    index_paths(self.library, (const char *const *)&self.pictures, 1, exclude);
    self.watched = lens_library_open(library, &error);
    self.watch = lens_watch_new(self.watched, &error);
    assert_done(self.watch ? 0 : -1, &error);
    free(library);
    return self;
}

static void end(place *self)
{
    lens_watch_free(self->watch);
    lens_library_close(self->watched);
    lens_library_close(self->library);
    free(self->pictures);
    test_folder_remove(self->folder);
}

/* What is to be looked at, below the pictures: "all", "", "/below /more", or "nothing" within SECONDS. The caller frees. */
static char *wait_for(place *self, double seconds)
{
    lens_error error = {0};
    const char *const *paths;
    size_t count;
    lens_buffer line = {0};
    int changed = lens_watch_wait(self->watch, seconds, &paths, &count, &error);
    assert_done(changed < 0 ? -1 : 0, &error);
    lens_buffer_print(&line, "%s", !changed ? "nothing" : count == 0 ? "all" : "");
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strncmp(paths[i], self->pictures, strlen(self->pictures)), 0);
        lens_buffer_print(&line, "%s%s", i ? " " : "", paths[i] + strlen(self->pictures));
    }
    return line.data;
}

static void expect(place *self, double seconds, const char *wanted)
{
    char *got = wait_for(self, seconds);
    assert_string_equal(got, wanted);
    free(got);
}

static void at_first_everything_then_what_changes(void **state)
{
    (void)state;
    place self = begin(NULL);
    expect(&self, 20, "all");
    expect(&self, 1.5, "nothing");
    put(self.pictures, "below/c.ppm", 3);
    expect(&self, 20, "/below");
    expect(&self, 1.5, "nothing");
    put(self.pictures, "d.ppm", 4);
    put(self.pictures, "below/e.ppm", 5);
    expect(&self, 20, ""); /* the folder above stands for both */
    end(&self);
}

static void what_goes_moves_or_is_linked_is_told(void **state)
{
    (void)state;
    place self = begin(NULL);
    expect(&self, 20, "all");
    char *b = test_path(self.pictures, "below/b.ppm"), *a = test_path(self.pictures, "a.ppm"), *link_path = test_path(self.pictures, "below/l.ppm");
    assert_int_equal(unlink(b), 0);
    expect(&self, 20, "/below");
    assert_int_equal(link(a, link_path), 0);
    expect(&self, 20, "/below");
    assert_int_equal(rename(link_path, b), 0);
    expect(&self, 20, "/below");
    put(self.pictures, "below/.hidden.ppm", 6);
    put(self.pictures, "below/words.dat", 7); /* its bytes say that it is a picture... */
    expect(&self, 20, "/below");
    char *text = test_path(self.pictures, "below/words.dat");
    test_write(text, "no picture", 10); /* ...and now they do not */
    put(self.pictures, "below/.hidden.ppm", 8);
    expect(&self, 2, "nothing");
    free(text), free(a), free(b), free(link_path);
    end(&self);
}

static void captions_are_watched_too(void **state)
{
    (void)state;
    place self = begin(NULL);
    expect(&self, 20, "all");
    char *beside = test_path(self.pictures, "below/b.txt"), *table = test_path(self.folder, "table.tsv"), *other = test_path(self.folder, "other.tsv");
    test_write(beside, "beside it", 9);
    expect(&self, 20, "/below");
    assert_int_equal(unlink(beside), 0);
    expect(&self, 20, "/below");
    /* A file of captions may lie anywhere. */
    test_write(table, "a.ppm\tone\n", 10);
    lens_error error = {0};
    lens_index_options options = lens_index_options_default();
    lens_index_report report;
    options.captions = (const char *const *)&table;
    options.caption_count = 1;
    assert_done(lens_index(self.library, &options, &report, &error), &error);
    expect(&self, 20, "all"); /* a rule more */
    test_write(other, "a.ppm\tone\n", 10);
    expect(&self, 2, "nothing");
    test_write(table, "a.ppm\ttwo\n", 10);
    expect(&self, 20, "all");
    free(beside), free(table), free(other);
    end(&self);
}

static void folders_that_come_are_watched_and_those_that_move_are_found(void **state)
{
    (void)state;
    place self = begin(NULL);
    expect(&self, 20, "all");
    char *new = test_path(self.pictures, "new"), *moved = test_path(self.pictures, "moved"), *deep = test_path(self.pictures, "new/deep");
    assert_int_equal(mkdir(new, 0755), 0);
    assert_int_equal(mkdir(deep, 0755), 0);
    put(self.pictures, "new/deep/f.ppm", 9);
    expect(&self, 20, "");
    put(self.pictures, "new/deep/g.ppm", 10);
    expect(&self, 20, "/new/deep");
    assert_int_equal(rename(new, moved), 0);
    expect(&self, 20, "");
    put(self.pictures, "moved/deep/h.ppm", 11);
    expect(&self, 20, "/moved/deep");
    put(self.pictures, "moved/deep/i.ppm", 12);
    char *gone = test_path(self.pictures, "moved/deep");
    test_folder_remove(gone);
    expect(&self, 20, "/moved");
    free(new), free(moved), free(deep);
    end(&self);
}

static void what_is_left_out_is_not_watched(void **state)
{
    (void)state;
    static const char *const exclude[] = {"below"};
    place self = begin(exclude);
    expect(&self, 20, "all");
    put(self.pictures, "below/c.ppm", 3);
    expect(&self, 2, "nothing");
    /* Until another run says otherwise. */
    lens_error error = {0};
    char *other = test_path(self.folder, "other");
    assert_int_equal(mkdir(other, 0755), 0);
    put(other, "o.ppm", 13);
    index_paths(self.library, (const char *const *)&other, 1, NULL);
    expect(&self, 20, "all");
    const char *const *paths;
    size_t count;
    put(other, "p.ppm", 14);
    assert_int_equal(lens_watch_wait(self.watch, 20, &paths, &count, &error), 1);
    assert_int_equal(count, 1);
    assert_string_equal(paths[0], other);
    free(other);
    end(&self);
}

static void where_links_lead_about_the_whole_root_is_looked_at(void **state)
{
    (void)state;
    place self = begin(NULL);
    char *link_path = test_path(self.pictures, "below/back"), *other = test_path(self.pictures, "target");
    assert_int_equal(mkdir(other, 0755) | symlink(other, link_path), 0);
    expect(&self, 20, "all");
    put(self.pictures, "below/c.ppm", 3);
    expect(&self, 20, "");
    free(link_path), free(other);
    end(&self);
}

static void a_link_to_a_folder_that_comes_is_one(void **state)
{
    (void)state;
    place self = begin(NULL);
    char *other = test_path(self.folder, "elsewhere"), *link_path = test_path(self.pictures, "below/linked");
    expect(&self, 20, "all");
    assert_int_equal(mkdir(other, 0755), 0);
    put(other, "c.ppm", 3);
    assert_int_equal(symlink(other, link_path), 0);
    char *came = wait_for(&self, 20);
    assert_string_not_equal(came, "nothing");
    put(other, "d.ppm", 4); /* and what it leads to is watched */
    char *changed = wait_for(&self, 20);
    assert_string_not_equal(changed, "nothing");
    free(came), free(changed);
    free(other), free(link_path);
    end(&self);
}

/* Nobody tells of what is above a folder that a link leads to: it is the folder itself that says that it is another one now. */
static void what_a_link_leads_to_is_exchanged(void **state)
{
    (void)state;
    place self = begin(NULL);
    char *other = test_path(self.folder, "elsewhere"), *before = test_path(self.folder, "before"), *link_path = test_path(self.pictures, "below/linked");
    assert_int_equal(mkdir(other, 0755) | symlink(other, link_path), 0);
    put(other, "c.ppm", 3);
    expect(&self, 20, "all");
    assert_int_equal(rename(other, before) | mkdir(other, 0755), 0);
    expect(&self, 20, "");
    put(other, "d.ppm", 4);
    expect(&self, 20, "");
    free(other), free(before), free(link_path);
    end(&self);
}

/* The kernel tells of a folder once, whatever paths lead to it: from a root that is a link to the other, and from a link in one root to the other. */
static void a_folder_of_two_roots_is_told_of_for_both(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        place self = begin(NULL);
        char *second = test_path(self.folder, "pictures-too"), *link_path = test_path(second, "linked");
        assert_int_equal(i ? mkdir(second, 0755) | symlink(self.pictures, link_path) : symlink(self.pictures, second), 0);
        index_paths(self.library, (const char *const *)&second, 1, NULL);
        expect(&self, 20, "all");
        put(self.pictures, "below/c.ppm", 3);
        expect(&self, 20, "all");
        char *b = test_path(self.pictures, "below/b.ppm");
        assert_int_equal(unlink(b), 0);
        expect(&self, 20, "all");
        lens_error error = {0};
        assert_done(lens_forget_path(self.library, second, &(int64_t){0}, &error), &error);
        expect(&self, 20, "all");
        put(self.pictures, "below/d.ppm", 4);
        expect(&self, 20, "/below");
        free(b), free(second), free(link_path);
        end(&self);
    }
}

static void a_root_that_goes_and_comes_back_is_watched_again(void **state)
{
    (void)state;
    place self = begin(NULL);
    char *away = test_path(self.folder, "away");
    expect(&self, 20, "all");
    assert_int_equal(rename(self.pictures, away), 0);
    expect(&self, 3, "nothing"); /* a disk that went is not to be swept away */
    put(self.folder, "away/q.ppm", 15);
    assert_int_equal(rename(away, self.pictures), 0);
    expect(&self, 20, "");
    put(self.pictures, "below/r.ppm", 16);
    expect(&self, 20, "/below");
    free(away);
    end(&self);
}

static void after_a_failed_run_everything_is_asked_for(void **state)
{
    (void)state;
    place self = begin(NULL);
    expect(&self, 20, "all");
    lens_watch_all(self.watch);
    expect(&self, 20, "all");
    expect(&self, 1.5, "nothing");
    end(&self);
}

static void a_library_that_comes_later_is_watched(void **state)
{
    (void)state;
    place self = begin(NULL);
    lens_error error = {0};
    const char *const *paths;
    size_t count;
    char *later = test_path(self.folder, "later");
    lens_library *library = lens_library_open(later, &error), *watched = lens_library_open(later, &error);
    lens_watch *watch = lens_watch_new(watched, &error);
    assert_int_equal(lens_watch_wait(watch, 1.5, &paths, &count, &error), 0);
    index_paths(library, (const char *const *)&self.pictures, 1, NULL);
    assert_int_equal(lens_watch_wait(watch, 20, &paths, &count, &error), 1);
    lens_watch_free(watch);
    lens_library_close(watched);
    lens_library_close(library);
    free(later);
    end(&self);
}

static void where_the_kernel_tells_of_nothing_the_clock_does(void **state)
{
    (void)state;
    setenv("MEMELENS_PATIENCE", "0.005", 1); /* ten minutes are three seconds, a minute is 0.3 */
    none_left = true;
    place self = begin(NULL);
    assert_false(lens_watch_told(self.watch));
    assert_non_null(strstr(lens_watch_limit(self.watch), "max_user_instances"));
    expect(&self, 20, "all");
    expect(&self, 20, "all"); /* by the clock */
    assert_false(lens_watch_told(self.watch));
    none_left = false;
    expect(&self, 20, "all"); /* what came meanwhile was not told of */
    assert_true(lens_watch_told(self.watch));
    assert_null(lens_watch_limit(self.watch));
    put(self.pictures, "below/c.ppm", 3);
    expect(&self, 20, "/below");
    unsetenv("MEMELENS_PATIENCE");
    end(&self);
}

static void keep_line(void *context, const char *line)
{
    lens_buffer *lines = context;
    assert_int_equal(lens_buffer_print(lines, "%s\n", line), 0);
}

static void a_server_says_how_it_watches(void **state)
{
    (void)state;
    enum { BLIND, WATCHES, BROKEN };
    for (int way = BLIND; way <= BROKEN; way++) {
        lens_error error = {0};
        lens_buffer said = {0};
        char *folder = test_folder_new();
        lens_server server = {.options = {.library = folder, .watch = true, .say = keep_line, .context = &said}, .events = lens_events_new()};
        bool told, timed;
        char *database = test_path(folder, "library.db");
        if (way == BROKEN)
            test_write(database, "no database, but as long as one would have to be", 48);
        none_left = way == BLIND;
        server.indexer = lens_indexer_new(&server, &error);
        assert_done(server.indexer ? 0 : -1, &error);
        lens_indexer_watching(server.indexer, &told, &timed);
        for (int i = 0; way == BROKEN && told && i < 200; i++) { /* found out at the first look */
            usleep(100000);
            lens_indexer_watching(server.indexer, &told, &timed);
        }
        lens_indexer_free(server.indexer);
        lens_events_free(server.events);
        assert_int_equal(told, way == WATCHES);
        assert_int_equal(timed, way == BLIND);
        assert_int_equal(said.data && strstr(said.data, "every ten minutes instead"), way == BLIND);
        free(database);
        lens_buffer_free(&said);
        test_folder_remove(folder);
    }
    none_left = false;
}

/* Nor are the other folders walked for it. */
static void what_is_forgotten_meanwhile_is_not_indexed(void **state)
{
    (void)state;
    place self = begin(NULL);
    char *other = test_path(self.folder, "other"), *below = test_path(self.pictures, "below");
    assert_int_equal(mkdir(other, 0755), 0);
    index_paths(self.library, (const char *const *)&other, 1, NULL);
    put(other, "c.ppm", 3);
    for (int i = 0; i < 2; i++) { /* with a folder that is still known, and with none */
        lens_error error = {0};
        lens_index_report report;
        lens_index_options options = lens_index_options_default();
        assert_done(lens_forget_path(self.library, i ? other : self.pictures, &(int64_t){0}, &error), &error);
        options.paths = (const char *const *)&below;
        options.path_count = 1;
        options.only_known = true;
        assert_done(lens_index(self.library, &options, &report, &error), &error);
        assert_int_equal(report.indexed + report.unchanged + report.removed, 0);
    }
    free(below);
    free(other);
    end(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_first_everything_then_what_changes),
        cmocka_unit_test(what_goes_moves_or_is_linked_is_told),
        cmocka_unit_test(captions_are_watched_too),
        cmocka_unit_test(folders_that_come_are_watched_and_those_that_move_are_found),
        cmocka_unit_test(what_is_left_out_is_not_watched),
        cmocka_unit_test(where_links_lead_about_the_whole_root_is_looked_at),
        cmocka_unit_test(a_link_to_a_folder_that_comes_is_one),
        cmocka_unit_test(what_a_link_leads_to_is_exchanged),
        cmocka_unit_test(a_folder_of_two_roots_is_told_of_for_both),
        cmocka_unit_test(a_root_that_goes_and_comes_back_is_watched_again),
        cmocka_unit_test(after_a_failed_run_everything_is_asked_for),
        cmocka_unit_test(what_is_forgotten_meanwhile_is_not_indexed),
        cmocka_unit_test(a_library_that_comes_later_is_watched),
        cmocka_unit_test(where_the_kernel_tells_of_nothing_the_clock_does),
        cmocka_unit_test(a_server_says_how_it_watches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
