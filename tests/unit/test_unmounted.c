/* A disk that is taken away, before an index run or while it is under way, and leaves the empty folder that it was mounted on: nothing of it is lost. What tells one
 * disk from another is what stat says of the folder, and here the test has its say in that. */
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "memelens.h"
#include "world.h"

enum { OF_DISK = 6, OF_HOUSE = 3 };

static struct {
    lens_library *library;
    char *disk, *house, *away; /* folders: of the disk, of what is always there, and where the disk's pictures are while it is away */
    void (*goes)(void);        /* takes the disk away; NULL: unmount */
    const char *at;            /* the disk goes when the walk comes by a path that ends so; NULL: it stays */
    bool gone;
    bool returns; /* it comes back when the run says that it went */
    int told;     /* how often that was said */
    ino_t inner;  /* a folder that another disk is mounted on, further down; 0: there is none */
    char *heard;  /* the last note, with its path */
    bool remote;  /* every disk is one of the network */
} place;

static void say_disk(struct stat *info)
{
    if (place.inner && info->st_ino == place.inner)
        info->st_dev += 7;
}

int stat(const char *restrict path, struct stat *restrict info)
{
    int (*real)(const char *restrict, struct stat *restrict);
    void *address = dlsym(RTLD_NEXT, "stat");
    memcpy(&real, &address, sizeof real);
    const int result = real(path, info);
    if (result == 0)
        say_disk(info);
    if (result == 0 && place.gone && !place.inner && strcmp(path, place.disk) == 0)
        info->st_dev++;
    return result;
}

int fstat(int fd, struct stat *info)
{
    int (*real)(int, struct stat *);
    void *address = dlsym(RTLD_NEXT, "fstat");
    memcpy(&real, &address, sizeof real);
    const int result = real(fd, info);
    if (result == 0)
        say_disk(info);
    return result;
}

int statfs(const char *path, struct statfs *disk)
{
    int (*real)(const char *, struct statfs *);
    void *address = dlsym(RTLD_NEXT, "statfs");
    memcpy(&real, &address, sizeof real);
    const int result = real(path, disk);
    if (place.remote)
        disk->f_type = 0x6969;
    return result;
}

static void unmount(void)
{
    assert_int_equal(rename(place.disk, place.away), 0);
    assert_int_equal(mkdir(place.disk, 0755), 0);
    place.gone = true;
}

static void mount(void)
{
    assert_int_equal(rmdir(place.disk), 0);
    assert_int_equal(rename(place.away, place.disk), 0);
    place.gone = false;
}

static bool meet(void *context, const char *path)
{
    (void)context;
    const size_t length = strlen(path), end = place.at ? strlen(place.at) : 0;
    if (place.at && !place.gone && length >= end && strcmp(path + length - end, place.at) == 0) {
        (place.goes ? place.goes : unmount)();
        place.at = place.goes ? NULL : place.at;
    }
    return true;
}

static bool hear(void *context, const lens_index_event *event)
{
    (void)context;
    if (event->kind == LENS_INDEX_NOTE && event->path) {
        lens_buffer note = {0};
        assert_int_equal(lens_buffer_print(&note, "%s %s", event->path, event->reason), 0);
        free(place.heard);
        place.heard = note.data;
    }
    if (event->kind != LENS_INDEX_NOTE || place.inner || !strstr(event->reason, "is empty, and a disk that was there is not"))
        return true;
    assert_string_equal(event->path, place.disk);
    place.told++;
    if (place.returns)
        mount();
    return true;
}

static lens_index_report run(const char *model)
{
    lens_error error = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.models = &model;
    options.model_count = 1;
    options.threads = 1;
    options.paths = (const char *const[]){place.house, place.disk};
    options.path_count = 2;
    options.wants = meet;
    options.event = hear;
    place.told = 0;
    assert_done(lens_index(place.library, &options, &report, &error), &error);
    return report;
}

static void add_pictures(const char *folder, int from, int count)
{
    lens_error error = {0};
    assert_done(lens_folder_make(folder, &error), &error);
    for (int i = from; i < from + count; i++) {
        char *picture = test_path(folder, "%02d.jpg", i);
        test_picture_write(picture, TEST_JPEG_420, 160, 120, (unsigned)i);
        free(picture);
    }
}

/* All pictures of both folders are known, and those of the disk are there again without work. */
static void expect_nothing_lost(const char *model)
{
    lens_error error = {0};
    lens_status *status = lens_status_get(place.library, &error);
    assert_done(status ? 0 : -1, &error);
    assert_int_equal(status->pictures, OF_DISK + OF_HOUSE);
    lens_status_free(status);
    if (place.gone)
        mount();
    place.at = NULL;
    const lens_index_report report = run(model);
    assert_int_equal(report.unchanged, OF_DISK + OF_HOUSE);
}

static int set_up(void **state)
{
    if (test_world_setup(state) != 0)
        return -1;
    const test_world *world = *state;
    lens_error error = {0};
    place.library = lens_library_open(world->library, &error);
    assert_done(place.library ? 0 : -1, &error);
    place.disk = test_path(world->folder, "disk");
    place.house = test_path(world->folder, "house");
    place.away = test_path(world->folder, "away");
    place.at = NULL;
    place.goes = NULL;
    place.gone = place.returns = false;
    place.inner = 0;
    place.heard = NULL;
    add_pictures(place.disk, 0, OF_DISK);
    add_pictures(place.house, 50, OF_HOUSE);
    assert_int_equal(run("colour").indexed, OF_DISK + OF_HOUSE);
    return 0;
}

static int tear_down(void **state)
{
    place.gone = place.remote = false;
    place.inner = 0;
    free(place.heard);
    lens_library_close(place.library);
    free(place.disk), free(place.house), free(place.away);
    return test_world_teardown(state);
}

static void test_gone_before_it_is_walked(void **state)
{
    (void)state;
    place.at = "house/50.jpg";
    const lens_index_report report = run("colour");
    assert_true(place.gone);
    assert_int_equal(place.told, 1);
    assert_int_equal(report.removed, 0);
    expect_nothing_lost("colour");
}

static void test_gone_before_its_pictures_are_read(void **state)
{
    (void)state;
    place.at = ".jpg"; /* the first picture of all */
    const lens_index_report report = run("colour@pad");
    assert_true(place.gone);
    assert_int_equal(report.removed, 0);
    assert_int_equal(report.indexed + report.unchanged, OF_HOUSE);
    expect_nothing_lost("colour");
}

static void test_gone_when_its_folder_was_listed(void **state)
{
    (void)state;
    place.at = "disk/00.jpg";
    const lens_index_report report = run("colour@pad");
    assert_true(place.gone);
    assert_int_equal(report.removed, 0);
    expect_nothing_lost("colour");
}

static void test_back_before_the_run_ends(void **state)
{
    (void)state;
    place.at = "house/50.jpg";
    place.returns = true;
    const lens_index_report report = run("colour");
    assert_int_equal(place.told, 1);
    assert_false(place.gone);
    assert_int_equal(report.removed, 0);
    expect_nothing_lost("colour");
}

static void test_a_copy_of_one_of_its_pictures(void **state)
{
    (void)state;
    unmount();
    char *from = test_path(place.away, "03.jpg"), *to = test_path(place.house, "copy.jpg");
    assert_int_equal(link(from, to), 0);
    const lens_index_report report = run("colour");
    assert_int_equal(report.moved, 0);
    assert_int_equal(report.removed, 0);
    unlink(to);
    assert_int_equal(run("colour").removed, 1);
    expect_nothing_lost("colour");
    free(from), free(to);
}

/* A run over PATH alone. */
static lens_index_report run_over(const char *path)
{
    lens_error error = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.models = (const char *const[]){"colour"};
    options.model_count = 1;
    options.threads = 1;
    options.paths = &path;
    options.path_count = 1;
    options.event = hear;
    assert_done(lens_index(place.library, &options, &report, &error), &error);
    return report;
}

/* ---- a mount point that has files of its own ---- */

static ino_t number_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_ino;
}

static long pictures(void)
{
    lens_error error = {0};
    lens_status *status = lens_status_get(place.library, &error);
    assert_done(status ? 0 : -1, &error);
    const long count = (long)status->pictures;
    lens_status_free(status);
    return count;
}

static long captions(void)
{
    lens_error error = {0};
    lens_status *status = lens_status_get(place.library, &error);
    assert_done(status ? 0 : -1, &error);
    const long count = (long)status->captions;
    lens_status_free(status);
    return count;
}

static void expect_heard(const char *path, const char *words)
{
    assert_non_null(place.heard);
    if (strncmp(place.heard, path, strlen(path)) != 0 || !strstr(place.heard, words))
        fail_msg("%s: expected %s", place.heard, words);
    free(place.heard);
    place.heard = NULL;
}

/* The disk goes, which the folder DISK was mounted on, and what that had before has one picture and a folder. */
static void uncover(void)
{
    unmount();
    place.gone = false; /* the folder is on the disk that it lies in */
    char *other = test_path(place.disk, "appdata");
    add_pictures(place.disk, 90, 1);
    add_pictures(other, 91, 1);
    free(other);
}

static void cover(void)
{
    for (int i = 90; i <= 91; i++) {
        char *picture = test_path(place.disk, i == 90 ? "%02d.jpg" : "appdata/%02d.jpg", i);
        assert_int_equal(unlink(picture), 0);
        free(picture);
    }
    char *other = test_path(place.disk, "appdata");
    assert_int_equal(rmdir(other), 0);
    free(other);
    mount();
}

static void test_a_mount_point_with_files_of_its_own(void **state)
{
    (void)state;
    place.inner = number_of(place.disk);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE);
    assert_null(place.heard);
    uncover();
    for (int i = 0; i < 2; i++) {
        const lens_index_report report = run("colour");
        assert_int_equal(report.removed, 0);
        assert_int_equal(report.indexed, 0);
        expect_heard(place.disk, "is on another disk than it was");
    }
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE);
    cover();
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE);
    assert_null(place.heard);
}

static void test_it_is_uncovered_during_a_run(void **state)
{
    (void)state;
    place.inner = number_of(place.disk);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE);
    place.at = "house/50.jpg";
    place.goes = uncover;
    assert_int_equal(run("colour@pad").removed, 0);
    assert_int_equal(access(place.away, F_OK), 0);
    expect_heard(place.disk, "is on another disk than it was");
    place.at = NULL;
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE + 2); /* of another disk, but there */
    cover();
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE);
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE);
}

/* A picture of the disk is named while the mount point has something of its own, and once the pictures were copied there, all but that one. */
static void test_a_picture_of_it_is_named(void **state)
{
    (void)state;
    char *picture = test_path(place.disk, "00.jpg");
    place.inner = number_of(place.disk);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE);
    uncover();
    assert_int_equal(run_over(picture).removed, 0);
    expect_heard(picture, "was on a disk that is not there now");
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE);
    add_pictures(place.disk, 1, OF_DISK - 1);
    assert_int_equal(run_over(picture).removed, 1);
    assert_null(place.heard);
    free(picture);
}

/* In what the mount point had before, another root is there: its pictures say nothing of the disk. */
static void test_another_root_is_in_its_mount_point(void **state)
{
    (void)state;
    enum { NESTED = 2 };
    char *nested = test_path(place.disk, ".nested"), *kept = test_path(place.away, ".nested");
    const char *const paths[] = {nested};
    lens_error error = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.paths = paths; /* hidden, and so a root of its own */
    options.path_count = 1;
    options.models = (const char *const[]){"colour"};
    options.model_count = 1;
    place.inner = number_of(place.disk);
    add_pictures(nested, 80, NESTED);
    assert_done(lens_index(place.library, &options, &report, &error), &error);
    assert_int_equal(report.indexed, NESTED);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE + NESTED);
    uncover();
    assert_int_equal(rename(kept, nested), 0);
    report = run("colour");
    assert_int_equal(report.removed, 0);
    assert_int_equal(report.unchanged, OF_HOUSE + NESTED);
    expect_heard(place.disk, "is on another disk than it was");
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE + NESTED);
    free(kept), free(nested);
}

/* The pictures were copied from their disk into a folder, all but one. */
static void test_a_folder_takes_the_place_of_a_root(void **state)
{
    (void)state;
    place.inner = number_of(place.disk);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE);
    unmount();
    place.gone = false;
    add_pictures(place.disk, 1, OF_DISK - 1);
    assert_int_equal(run("colour").removed, 1);
    assert_null(place.heard);
    for (int i = 1; i < OF_DISK; i++) {
        char *picture = test_path(place.disk, "%02d.jpg", i);
        assert_int_equal(unlink(picture), 0);
        free(picture);
    }
    add_pictures(place.disk, 90, 1);
    assert_int_equal(run("colour").removed, OF_DISK - 1); /* nor is it taken for a disk any more */
    assert_null(place.heard);
}

/* ---- a disk that is mounted further down ---- */

enum { INNER = 4 };

/* Mounts a disk on the folder "nas" of the house, and indexes it. Its path. */
static char *mount_inner(void)
{
    char *inner = test_path(place.house, "nas");
    add_pictures(inner, 70, INNER);
    char *beside = test_path(inner, "70.jpg.txt");
    test_write(beside, "said beside it", 14);
    free(beside);
    place.inner = number_of(inner);
    assert_int_equal(run("colour").indexed, INNER);
    return inner;
}

static void test_a_disk_further_down_is_absent(void **state)
{
    (void)state;
    char *inner = mount_inner();
    assert_int_equal(captions(), 1);
    assert_int_equal(rename(inner, place.away), 0);
    assert_int_equal(mkdir(inner, 0755), 0);
    for (int i = 0; i < 2; i++) { /* it is still known after a run that did not see it */
        assert_int_equal(run("colour").removed, 0);
        expect_heard(inner, "is empty, and a disk that was there is not");
    }
    char *from = test_path(place.away, "71.jpg"), *to = test_path(place.house, "copy.jpg");
    assert_int_equal(link(from, to), 0);
    assert_int_equal(run("colour").moved, 0); /* a copy of one of its pictures */
    unlink(to);
    assert_int_equal(run("colour").removed, 1);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(run("colour").removed, 0);
    expect_heard(inner, "is not there now");
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE + INNER);
    assert_int_equal(captions(), 1);
    assert_int_equal(rename(place.away, inner), 0);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE + INNER);
    assert_null(place.heard);
    free(from), free(to);
    free(inner);
}

/* Somebody names a picture of the disk: it is no more gone than the others. One that is gone from the disk is. */
static void test_a_picture_of_a_disk_further_down_is_named(void **state)
{
    (void)state;
    char *inner = mount_inner(), *picture = test_path(inner, "71.jpg");
    assert_int_equal(rename(inner, place.away), 0);
    assert_int_equal(mkdir(inner, 0755), 0);
    assert_int_equal(run_over(picture).removed, 0);
    expect_heard(picture, "was on a disk that is not there now");
    add_pictures(place.house, 53, 1);
    char *other = test_path(place.house, "53.jpg");
    assert_int_equal(run_over(other).indexed, 1);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(run_over(other).removed, 1); /* of the disk that is there */
    assert_null(place.heard);
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE + INNER);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rename(place.away, inner), 0);
    assert_int_equal(unlink(picture), 0);
    assert_int_equal(run_over(picture).removed, 1);
    assert_null(place.heard);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE + INNER - 1);
    free(other), free(picture), free(inner);
}

/* AT: the picture that the walk has come to then. */
static void goes_during_a_run(const char *at)
{
    char *inner = mount_inner(), *disk = place.disk;
    place.disk = inner; /* this is what goes */
    place.at = at;
    const char *const paths[] = {place.house};
    lens_error error = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.models = (const char *const[]){"colour@pad"};
    options.model_count = 1;
    options.threads = 1;
    options.paths = paths;
    options.path_count = 1;
    options.wants = meet;
    assert_done(lens_index(place.library, &options, &report, &error), &error);
    assert_true(place.gone);
    assert_int_equal(report.removed, 0);
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE + INNER);
    mount();
    place.at = NULL;
    place.disk = disk;
    free(inner);
}

static void test_a_disk_further_down_goes_before_it_is_walked(void **state)
{
    (void)state;
    goes_during_a_run("house/50.jpg");
}

static void test_a_disk_further_down_goes_when_it_was_listed(void **state)
{
    (void)state;
    goes_during_a_run("nas/70.jpg");
}

/* A folder that was on another disk and has another name now: its pictures have moved with it. A link to one that is removed is nothing that is absent. */
static void test_a_disk_further_down_is_renamed(void **state)
{
    (void)state;
    char *inner = mount_inner(), *other = test_path(place.house, "share"), *to = test_path(place.house, "link");
    assert_int_equal(rename(inner, other), 0);
    lens_index_report report = run("colour");
    assert_int_equal(report.moved, INNER);
    assert_int_equal(report.removed, 0);
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE + INNER);
    assert_int_equal(rename(other, place.away), 0);
    assert_int_equal(symlink(place.away, to), 0);
    assert_int_equal(run("colour").moved, INNER);
    assert_int_equal(unlink(to), 0);
    assert_int_equal(run("colour").removed, INNER);
    free(inner), free(other), free(to);
}

static void test_a_disk_further_down_is_emptied(void **state)
{
    (void)state;
    char *inner = mount_inner();
    for (int i = 70; i <= 70 + INNER; i++) {
        char *file = i < 70 + INNER ? test_path(inner, "%02d.jpg", i) : test_path(inner, "70.jpg.txt");
        assert_int_equal(unlink(file), 0);
        free(file);
    }
    assert_int_equal(run("colour").removed, INNER); /* it is there, and has nothing */
    assert_null(place.heard);
    free(inner);
}

static void test_a_folder_takes_the_place_of_a_disk(void **state)
{
    (void)state;
    char *inner = mount_inner();
    assert_int_equal(rename(inner, place.away), 0);
    add_pictures(inner, 90, 1);
    lens_index_report report = run("colour");
    assert_int_equal(report.removed, INNER);
    assert_int_equal(report.indexed, 1);
    char *picture = test_path(inner, "90.jpg");
    assert_int_equal(unlink(picture), 0);
    assert_int_equal(run("colour").removed, 1); /* nor is it taken for a disk any more */
    assert_null(place.heard);
    free(picture);
    free(inner);
}

/* A link to the folder that a disk is mounted on, which stays there, empty. */
static void test_a_disk_that_a_link_leads_to(void **state)
{
    const test_world *world = *state;
    char *outside = test_path(world->folder, "outside"), *to = test_path(place.house, "link"), *beside = test_path(outside, "70.jpg.txt");
    add_pictures(outside, 70, INNER);
    test_write(beside, "said beside it", 14);
    assert_int_equal(symlink(outside, to), 0);
    place.inner = number_of(outside);
    assert_int_equal(run("colour").indexed, INNER);
    assert_int_equal(rename(outside, place.away), 0);
    assert_int_equal(mkdir(outside, 0755), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run("colour").removed, 0);
        expect_heard(to, "is empty, and a disk that was there is not");
    }
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE + INNER);
    assert_int_equal(captions(), 1);
    char *from = test_path(place.away, "71.jpg"), *copy = test_path(place.house, "copy.jpg");
    assert_int_equal(link(from, copy), 0);
    assert_int_equal(run("colour").moved, 0);
    assert_int_equal(unlink(copy), 0);
    assert_int_equal(run("colour").removed, 1);
    free(place.heard);
    place.heard = NULL;

    assert_int_equal(rmdir(outside), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run("colour").removed, 0);
        expect_heard(to, "a symbolic link to nothing");
        assert_int_equal(captions(), 1);
    }
    assert_int_equal(mkdir(outside, 0755), 0); /* as when the machine starts again */
    assert_int_equal(run("colour").removed, 0);
    expect_heard(to, "is empty, and a disk that was there is not");
    assert_int_equal(rmdir(outside), 0);
    assert_int_equal(rename(place.away, outside), 0);
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE + INNER);
    assert_null(place.heard);
    for (int i = 70; i < 70 + INNER; i++) { /* who empties it means it */
        char *file = test_path(outside, "%02d.jpg", i);
        assert_int_equal(unlink(file), 0);
        free(file);
    }
    assert_int_equal(unlink(beside), 0);
    assert_int_equal(run("colour").removed, INNER);
    add_pictures(outside, 70, INNER);
    assert_int_equal(run("colour").indexed, INNER);
    assert_int_equal(unlink(to), 0); /* and who removes the link too */
    assert_int_equal(run("colour").removed, INNER);
    free(from), free(copy), free(outside), free(to), free(beside);
}

/* And on that disk another link, to a third one. */
static void test_a_disk_behind_two_links(void **state)
{
    const test_world *world = *state;
    char *outside = test_path(world->folder, "outside"), *third = test_path(world->folder, "third"), *to = test_path(place.house, "link"),
         *on = test_path(outside, "on"), *beside = test_path(third, "80.jpg.txt");
    add_pictures(outside, 70, INNER);
    add_pictures(third, 80, INNER);
    test_write(beside, "said beside it", 14);
    assert_int_equal(symlink(outside, to), 0);
    assert_int_equal(symlink(third, on), 0);
    place.inner = number_of(outside);
    assert_int_equal(run("colour").indexed, 2 * INNER);
    assert_int_equal(rename(outside, place.away), 0);
    assert_int_equal(mkdir(outside, 0755), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run("colour").removed, 0);
        assert_int_equal(captions(), 1);
    }
    assert_int_equal(rmdir(outside), 0);
    assert_int_equal(rename(place.away, outside), 0);
    assert_int_equal(unlink(on), 0); /* who removes it means it */
    assert_int_equal(run("colour").removed, INNER);
    assert_int_equal(captions(), 0);
    free(outside), free(third), free(to), free(on), free(beside);
}

/* A share of which a part is indexed: were its disk not there, that folder would not be either. */
static void test_a_folder_of_a_share_is_emptied(void **state)
{
    (void)state;
    char *to = test_path(place.house, "sorted");
    place.remote = true;
    assert_int_equal(run("colour").unchanged, OF_DISK + OF_HOUSE);
    assert_int_equal(rename(place.disk, to), 0);
    assert_int_equal(mkdir(place.disk, 0755), 0);
    assert_int_equal(run("colour").moved, OF_DISK);
    assert_null(place.heard);
    assert_int_equal(pictures(), OF_DISK + OF_HOUSE);
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gone_before_it_is_walked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gone_before_its_pictures_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gone_when_its_folder_was_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_back_before_the_run_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_copy_of_one_of_its_pictures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mount_point_with_files_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_uncovered_during_a_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_picture_of_it_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_root_is_in_its_mount_point, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_takes_the_place_of_a_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_further_down_is_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_picture_of_a_disk_further_down_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_further_down_goes_before_it_is_walked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_further_down_goes_when_it_was_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_further_down_is_renamed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_further_down_is_emptied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_takes_the_place_of_a_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_that_a_link_leads_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_behind_two_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_of_a_share_is_emptied, set_up, tear_down),
    };
    return store_place_run(tests);
}
