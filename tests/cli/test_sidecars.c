/* Captions in files beside pictures, as a person sees them. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_texts.h"
#include "captions/captions.h"
#include "texts_world.h"

/* As Windows and cameras name them. */
static void test_files_beside_pictures_in_capitals(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "a.png.TXT", "beside it");
    texts_world_write(world, "b.JSON", "{\"description\": \"in JSON\"}");
    texts_world_write(world, "sub/c.XMP", "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
                                          "xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title><rdf:Alt><rdf:li xml:lang='x-default'>The tower</rdf:li></rdf:Alt></dc:title>"
                                          "</rdf:Description></rdf:RDF></x:xmpmeta>");
    texts_world_index(world, 3, NULL);
    texts_world_expect(world, "a.png", "beside");
    texts_world_expect(world, "b.jpg", "json");
    texts_world_expect(world, "c.png", "tower");
}

static void test_files_beside_pictures(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "a.png.txt", "beside it\nin two lines");
    texts_world_write(world, "b.txt", "also beside");
    texts_world_write(world, "sub/c.png.json", "{\"description\": \"in JSON\"}");
    texts_world_write(world, "notes.txt", "of no picture");
    texts_world_write(world, "sub/a.txt", "of a picture that is elsewhere");
    test_world_picture(world, "d(1).png", TEST_PNG, 40);
    texts_world_write(world, "d.png(1).json", "{\"title\": \"d.png\", \"description\": \"From a hill\"}");
    texts_world_index(world, 4, NULL);
    texts_world_expect(world, "d(1).png", "hill");
    texts_world_expect(world, "a.png b.jpg", "beside it");
    texts_world_expect(world, "c.png", "json");
    texts_world_expect(world, "", "elsewhere");
    texts_world_index(world, 0, NULL);
    texts_world_write(world, "a.png.txt", "changed now");
    test_world_remove(world, "b.txt");
    texts_world_index(world, 2, NULL);
    texts_world_expect(world, "a.png", "changed");
    texts_world_expect(world, "", "beside");
    texts_world_write(world, "a.png.txt", " ");
    texts_world_index(world, 1, NULL); /* it says nothing any more */
    texts_world_expect(world, "", "changed");
    texts_world_write(world, "a.png.txt", "again");
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "a.png", "again");
    /* The picture moves and its file with it. */
    char *from = test_world_path(world, "a.png"), *to = test_world_path(world, "moved.png");
    char *text_from = test_world_path(world, "a.png.txt"), *text_to = test_world_path(world, "moved.png.txt");
    /* One that cannot be read now is not one that says nothing. */
    assert_int_equal(truncate(text_from, LENS_CAPTION_SIDE_MOST + 1), 0);
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "a.png", "again");
    texts_world_write(world, "a.png.txt", "again");
    texts_world_index(world, 0, NULL);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(rename(text_from, text_to), 0);
    texts_world_index(world, 2, NULL);
    texts_world_expect(world, "moved.png", "again");
    assert_int_equal(unlink(to), 0);
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "", "again");
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    free(from), free(to), free(text_from), free(text_to);
}

/* Where a picture is renamed without the file beside it, what that said goes with it; but what is then written into the file is of no picture. */
static void test_a_file_that_lost_its_picture(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "a.txt", "beside it");
    texts_world_write(world, "b.txt", "the neighbour");
    texts_world_index(world, 2, NULL);
    test_world_move(world, "a.png", "renamed.png");
    texts_world_index(world, 0, NULL);
    texts_world_index(world, 0, NULL);
    texts_world_captions(world, "renamed.png", "beside it");
    texts_world_write(world, "a.txt", "of nothing now");
    texts_world_index(world, 1, NULL);
    texts_world_captions(world, "renamed.png", "");
    texts_world_index(world, 0, NULL);
    test_world_move(world, "renamed.png", "a.png");
    texts_world_index(world, 1, NULL);
    texts_world_captions(world, "a.png", "of nothing now");
    test_world_move(world, "a.png", "renamed.png");
    texts_world_write(world, "a.txt", "changed in the same run");
    texts_world_index(world, 1, NULL);
    texts_world_captions(world, "renamed.png", "");
}

/* Indexes as whoever the world's program runs as. */
static void index_as_nobody(const test_world *world, int64_t captions)
{
    test_run run = test_world_expect(world, 0, "index", "--json", "-q", "--model", "colour", world->pictures, NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "captions"), captions);
    json_decref(lines);
    test_run_free(&run);
}

/* d.txt is of d.png, but not of each frame of d.0001, d.0002 …, of which there may be thousands. */
static void test_a_file_beside_many_pictures(void **state)
{
    const test_world *world = *state;
    char name[20];
    texts_world_write(world, "d.txt", "beside them all");
    texts_world_write(world, "b.txt", "the neighbour");
    for (unsigned i = 1; i <= 16; i++) {
        snprintf(name, sizeof name, "d.%04u", i);
        test_world_picture(world, name, TEST_PNG, 30 + i);
    }
    texts_world_index(world, 17, NULL);
    test_world_picture(world, "d.0017", TEST_PNG, 60);
    for (int i = 0; i < 2; i++) {
        test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
        assert_non_null(strstr(run.err.data, "d.txt: lies beside more than 16 pictures that it could be of, and was left out\n"));
        assert_int_equal(test_count(run.err.data, "d.txt"), 1);
        test_run_free(&run);
        texts_world_expect(world, "b.jpg", "neighbour");
        texts_world_expect(world, "", "beside them all");
    }
    test_world_remove(world, "d.0009");
    texts_world_index(world, 16, NULL);
}

static void test_a_file_beside_a_picture_that_cannot_be_read(void **state)
{
    test_world *world = *state;
    char *beside = test_world_path(world, "a.png.txt");
    texts_world_write(world, "a.png.txt", "beside it");
    test_world_as_nobody(world); /* for root reads every file */
    index_as_nobody(world, 1);
    texts_world_write(world, "a.png.txt", "changed now");
    assert_int_equal(chmod(beside, 0), 0);
    index_as_nobody(world, 0);
    texts_world_expect(world, "a.png", "beside");
    test_run run = test_world_expect(world, 0, "index", world->pictures, NULL); /* and it is told, each time */
    assert_non_null(strstr(run.err.data, beside));
    test_run_free(&run);
    assert_int_equal(chmod(beside, 0644), 0);
    index_as_nobody(world, 1);
    texts_world_expect(world, "a.png", "changed");
    free(beside);
}

/* XMP that would take gigabytes is one file's fault: it is told, each time, and the others are read. */
static void test_xmp_beside_a_picture_that_means_no_good(void **state)
{
    const test_world *world = *state;
    lens_buffer xmp = {0};
    lens_buffer_print(&xmp, "<x xmlns:a='");
    for (int i = 0; i < 400000; i++)
        lens_buffer_append(&xmp, "n", 1);
    lens_buffer_print(&xmp, "'");
    for (int i = 0; i < 15000; i++)
        lens_buffer_print(&xmp, " a:x%d=''", i);
    lens_buffer_print(&xmp, "/>");
    texts_world_write(world, "a.xmp", xmp.data);
    texts_world_write(world, "b.txt", "the neighbour");
    for (int i = 0; i < 2; i++) {
        test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
        assert_non_null(strstr(run.err.data, "a.xmp: XMP that takes more memory or time than any picture's does; left out\n"));
        assert_int_equal(test_count(run.err.data, "a.xmp"), 1);
        test_run_free(&run);
        texts_world_expect(world, "b.jpg", "neighbour");
    }
    texts_world_write(world, "a.xmp", "<x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>mended</dc:title></x>");
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "a.png", "mended");
    lens_buffer_free(&xmp);
}

/* What lies beside a picture may be captions of others: then it is that only, also when it was taken for the picture's own before. */
static void test_a_file_beside_a_picture_that_is_named(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "a.json", "{\"file\": \"b.jpg\", \"caption\": \"dog\"}");
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "a.png", "dog");
    char *file = test_world_path(world, "a.json");
    texts_world_index(world, 2, "--captions", file, NULL);
    texts_world_expect(world, "b.jpg", "dog");
    texts_world_index(world, 0, NULL);
    test_world_picture(world, "fresh.png", TEST_PNG, 40); /* for which all is looked at again */
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "b.jpg", "dog");
    texts_world_write(world, "a.json", "{\"file\": \"b.jpg\", \"caption\": \"cat again\"}");
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "b.jpg", "cat");
    free(file);
}

static void put_link(const test_world *world, const char *name, const char *to)
{
    char *path = test_world_path(world, name);
    unlink(path);
    assert_int_equal(symlink(to, path), 0);
    free(path);
}

/* A link beside a picture would have the server show whatever its maker has a name for. Within the folders, or beside what a picture is a link to, there are link
 * farms (git-annex, caches of data sets). */
static void test_a_link_beside_a_picture(void **state)
{
    const test_world *world = *state;
    char *secret = test_path(world->folder, "secret.txt"), *inside = test_world_path(world, "sub/object");
    char *elsewhere = test_path(world->folder, "elsewhere"), *picture = test_path(elsewhere, "blob1"), *text = test_path(elsewhere, "blob2");
    lens_error err = {0};
    test_write(secret, "the key", 7);
    test_write(inside, "stays inside", 12);
    put_link(world, "a.txt", secret);
    put_link(world, "b.txt", "sub/object");
    assert_done(lens_folder_make(elsewhere, &err), &err);
    test_world_picture(world, "blob", TEST_PNG, 20);
    char *made = test_world_path(world, "blob");
    assert_int_equal(rename(made, picture), 0);
    test_write(text, "beside the blob", 15);
    put_link(world, "linked.png", picture);
    put_link(world, "linked.png.txt", text);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    assert_non_null(strstr(run.err.data, "a.txt: is a link that leads out of the indexed folders, and was left out"));
    assert_null(strstr(run.err.data, "b.txt"));
    test_run_free(&run);
    texts_world_captions(world, "a.png", "");
    texts_world_captions(world, "b.jpg", "stays inside");
    texts_world_captions(world, "linked.png", "beside the blob");
    texts_world_expect(world, "", "key");
    run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    assert_null(strstr(run.err.data, "a.txt")); /* it was told */
    test_run_free(&run);
    /* What a file said goes when a link takes its place, also one by which nothing seems to have changed: programs before this one read those. */
    test_world_remove(world, "b.txt");
    texts_world_write(world, "b.txt", "a file.");
    texts_world_index(world, 1, NULL);
    texts_world_captions(world, "b.jpg", "a file.");
    struct stat info;
    char *file = test_world_path(world, "b.txt");
    assert_int_equal(stat(file, &info), 0);
    put_link(world, "b.txt", secret);
    assert_int_equal(utimensat(AT_FDCWD, secret, (struct timespec[]){info.st_mtim, info.st_mtim}, 0), 0);
    texts_world_index(world, 1, NULL);
    texts_world_captions(world, "b.jpg", "");
    free(file);
    free(secret), free(inside), free(elsewhere), free(picture), free(text), free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_beside_pictures_in_capitals, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_files_beside_pictures, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_lost_its_picture, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_beside_many_pictures, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_beside_a_picture_that_cannot_be_read, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_xmp_beside_a_picture_that_means_no_good, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_beside_a_picture_that_is_named, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_link_beside_a_picture, texts_world_setup, test_world_teardown),
    };
    return store_place_run(tests);
}
