/* Where captions come from, as a person sees it: files of captions, and pictures that speak for themselves. Those of files beside pictures: test_sidecars.c. */
#include <sys/stat.h>
#include <unistd.h>

#include "support_texts.h"
#include "captions/captions.h"
#include "texts_world.h"

static void test_a_table(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "captions.tsv", "file\tcaption\na.png\tOne does not simply\nsub/c.png\twalk into Mordor\n");
    char *table = test_world_path(world, "captions.tsv");
    texts_world_index(world, 2, "--captions", table, NULL);
    texts_world_expect(world, "a.png", "one does not simply");
    texts_world_expect(world, "c.png", "mordor");
    /* It is looked at again by every later run, when it has changed. */
    texts_world_index(world, 0, NULL);
    texts_world_write(world, "captions.tsv", "file\tcaption\na.png\tOne does not simply\nb.jpg\twalk out of Mordor\n");
    texts_world_index(world, 2, NULL); /* one came, one went */
    texts_world_expect(world, "b.jpg", "mordor");
    /* Whether pictures are there or come later. */
    texts_world_write(world, "captions.tsv", "file\tcaption\nlate.png\tbetter late\na.png\tOne does not simply\nb.jpg\twalk out of Mordor\n");
    texts_world_index(world, 0, NULL);
    test_world_picture(world, "late.png", TEST_PNG, 14);
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "late.png", "better late");
    /* A copy of what is known has a name of its own. */
    texts_world_write(world, "captions.tsv", "file\tcaption\ncopy.png\tcopied\n");
    texts_world_index(world, 3, NULL);
    test_world_picture(world, "copy.png", TEST_PNG, 11);
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "copy.png", "copied");
    /* When the file is gone, what it said stays, as on a disk that is not there; one that no longer says it takes it away. */
    test_world_remove(world, "captions.tsv");
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "copy.png", "copied");
    texts_world_write(world, "captions.tsv", "file\tcaption\nnobody.png\tnobody\na.png\tone\n");
    texts_world_index(world, 2, NULL);
    texts_world_expect(world, "", "copied");
    free(table);
}

/* Captions that two lines give are lines of one text; of a file with other columns those that are named. */
static void test_lines_and_columns(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "flickr.tsv", "a.png#0\tconcatenate\na.png#1\tcat\na.png#2\tcat\nb.jpg#0\tcat\n");
    char *table = test_world_path(world, "flickr.tsv"), *odd = test_world_path(world, "odd.csv");
    texts_world_index(world, 2, "--captions", table, NULL);
    texts_world_expect(world, "a.png", "concatenate");
    texts_world_expect(world, "b.jpg a.png", "cat");
    texts_world_write(world, "odd.csv", "n,picture,first,second\n1,sub/c.png,dog,mouse\n");
    texts_world_index(world, 1, "--captions", odd, "--caption-columns", "picture,second", NULL);
    texts_world_expect(world, "c.png", "mouse");
    texts_world_expect(world, "", "dog");
    texts_world_write(world, "odd.csv", "n,picture,first,second\n1,sub/c.png,dog,donkey\n");
    texts_world_index(world, 1, NULL); /* the columns are remembered (and the file has another size: its time may be that of a whole second) */
    texts_world_expect(world, "c.png", "donkey");
    test_run run = test_world_expect(world, 2, "index", "-q", "--captions", odd, "--caption-columns", "picture", NULL);
    assert_non_null(strstr(run.err.data, "expected two names or numbers"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", "-q", "--caption-columns", "picture,first", NULL);
    assert_non_null(strstr(run.err.data, "without --captions"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", "-q", "--captions", odd, "--caption-columns", "picture,nothing", NULL);
    assert_non_null(strstr(run.err.data, "nothing"));
    test_run_free(&run);
    texts_world_expect(world, "c.png", "donkey"); /* nothing was lost by that */
    texts_world_write(world, "odd.csv", "n,picture,first,second\n1,sub/c.png,dog,sheep\n");
    texts_world_index(world, 1, NULL); /* nor were the columns that it could be read with */
    texts_world_expect(world, "c.png", "sheep");
    free(odd), free(table);
}

/* More captions of one picture than anybody reads: some are kept, and it is said whose are not. */
static void test_a_picture_with_too_many(void **state)
{
    const test_world *world = *state;
    lens_buffer table = {0};
    lens_buffer_print(&table, "file\tcaption\n");
    for (int i = 0; i < 100000; i++)
        lens_buffer_print(&table, "a.png\tline%d\n", i % 90000);
    lens_buffer_print(&table, "b.jpg\tone\n");
    texts_world_write(world, "many.tsv", table.data);
    lens_buffer_free(&table);
    char *path = test_world_path(world, "many.tsv");
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", "--captions", path, world->pictures, NULL);
    assert_non_null(strstr(run.err.data, "a.png: 98000 of its captions were left out"));
    test_run_free(&run);
    texts_world_expect(world, "a.png", "line0");
    texts_world_expect(world, "a.png", "line999");
    texts_world_expect(world, "b.jpg", "one");
    run = test_world_expect(world, 1, "search", "--by", "text", "-q", "\"line1000\"", NULL);
    test_run_free(&run);
    free(path);
}

/* The files of captions are listed, and can be taken out again. */
static void test_files_are_listed_and_forgotten(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "one.tsv", "file\tcaption\na.png\tone dog\nb.jpg\tdog\n");
    texts_world_write(world, "two.tsv", "file\tcaption\na.png\ttwo cows\n");
    texts_world_write(world, "sub/c.png.txt", "beside it");
    char *one = test_world_path(world, "one.tsv"), *two = test_world_path(world, "two.tsv"), *beside = test_world_path(world, "sub/c.png.txt");
    texts_world_index(world, 4, "--captions", one, "--captions", two, NULL);
    test_world_remove(world, "two.tsv");
    test_run run = test_world_expect(world, 0, "status", NULL);
    lens_buffer expected = {0};
    lens_buffer_print(&expected, "captions  %s\n          %s  (not there now)\n", one, two);
    assert_non_null(strstr(run.out.data, expected.data));
    lens_buffer_free(&expected);
    test_run_free(&run);
    run = test_world_expect(world, 0, "forget", "--captions", one, NULL);
    assert_non_null(strstr(run.err.data, "2 captions forgotten"));
    test_run_free(&run);
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "", "dog");
    texts_world_expect(world, "a.png", "cows");
    run = test_world_expect(world, 0, "forget", "--captions", two, NULL); /* which is no more */
    test_run_free(&run);
    const char *const unknown[] = {two, beside};
    for (size_t i = 0; i < 2; i++) {
        run = test_world_expect(world, 2, "forget", "--captions", unknown[i], NULL);
        assert_non_null(strstr(run.err.data, "no file of captions"));
        test_run_free(&run);
    }
    run = test_world_expect(world, 0, "status", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(json_object_get(json_array_get(lines, 0), "caption_files")), 0);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "captions"), 1);
    json_decref(lines);
    test_run_free(&run);
    texts_world_expect(world, "", "cows");
    free(beside), free(two), free(one);
}

/* Indexes with the captions of FILE (NULL: none are named); whether the run then says that what OLD said is kept. */
static bool told_of_missing(const test_world *world, const char *file, const char *old)
{
    lens_buffer line = {0};
    lens_buffer_print(&line, "%s: is not there; its captions are kept, and memelens forget --captions takes them out\n", old);
    test_run run = file ? test_world_expect(world, 0, "index", "--captions", file, NULL) : test_world_expect(world, 0, "index", NULL);
    const bool told = strstr(run.err.data, line.data);
    assert_true(told || !strstr(run.err.data, old));
    lens_buffer_free(&line);
    test_run_free(&run);
    return told;
}

/* Renamed, a file of captions is another one, and who names it is told that what the old one said is kept; a run that names none says nothing, for it may be on
 * a disk that is away. */
static void test_a_file_that_was_renamed(void **state)
{
    const test_world *world = *state;
    char *old = test_world_path(world, "old.tsv"), *new = test_world_path(world, "new.tsv");
    texts_world_write(world, "old.tsv", "file\tcaption\na.png\told words\n");
    texts_world_index(world, 1, "--captions", old, NULL);
    assert_int_equal(rename(old, new), 0);
    texts_world_write(world, "new.tsv", "file\tcaption\na.png\tother words\n");
    assert_false(told_of_missing(world, NULL, old));
    assert_true(told_of_missing(world, new, old));
    texts_world_expect(world, "a.png", "old");
    test_run run = test_world_expect(world, 0, "forget", "--captions", old, NULL);
    test_run_free(&run);
    assert_false(told_of_missing(world, new, old));
    texts_world_expect(world, "", "old");
    texts_world_expect(world, "a.png", "other");
    free(new), free(old);
}

static void test_templates(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "memes.json",
                      "{\"data\": {\"memes\": [{\"name\": \"One Does Not Simply\", \"url\": \"https://i.example.com/a.png\", \"generated_memes\": ["
                      "{\"image_url\": \"https://i.example.com/b.jpg?1\", \"caption_text\": \"walk into Mordor\"},"
                      "{\"image_url\": \"https://i.example.com/gone.jpg\", \"caption_text\": \"x\"}]}]}}");
    char *table = test_world_path(world, "memes.json");
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", "--captions", table, world->pictures, NULL);
    assert_non_null(strstr(run.err.data, "pictures that are not in the library"));
    test_run_free(&run);
    texts_world_expect(world, "b.jpg", "one does not simply walk into mordor");
    test_world_remove(world, "memes.json");
    texts_world_write(world, "memes.json", "\x89PNG\r\n\x1a\n"); /* overwritten: what it said stays, and the run says so */
    run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    assert_non_null(strstr(run.err.data, "memes.json"));
    test_run_free(&run);
    texts_world_expect(world, "b.jpg", "mordor");
    free(table);
}

static void test_names_that_are_not_clear(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "sub/a.png", TEST_PNG, 21);
    texts_world_index(world, 0, NULL);
    /* From elsewhere "a.png" may be either, and three names are nobody's. */
    char *table = test_path(world->folder, "elsewhere.tsv");
    static const char text[] = "file\tcaption\na.png\tone\na.png\ttwo\nx.png\tx\ny.png\ty\nz.png\tz\nsub/a.png\tthree\nc.png\tfour\n";
    test_write(table, text, sizeof text - 1);
    test_run run = test_world_expect(world, 0, "index", "--captions", table, NULL);
    assert_non_null(strstr(run.err.data, "elsewhere.tsv: 3 of 7 captions are of pictures that are not in the library\n"));
    assert_non_null(strstr(run.err.data, "elsewhere.tsv: 2 captions are of names that several pictures have, and were left out: give paths\n"));
    assert_int_equal(test_count(run.err.data, "elsewhere.tsv"), 2);
    test_run_free(&run);
    texts_world_expect(world, "a.png", "three");
    texts_world_expect(world, "c.png", "four");
    texts_world_expect(world, "", "one");
    /* When one of them goes, the other is meant. */
    test_world_remove(world, "sub/a.png");
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "a.png", "one");
    texts_world_expect(world, "", "three"); /* which was of a picture in another folder */
    /* Lines that cannot be read are told of one by one, but not a thousand of them. */
    lens_buffer wrong = {0};
    lens_buffer_print(&wrong, "file\tcaption\n");
    for (int i = 0; i < 1000; i++)
        lens_buffer_print(&wrong, "only one cell\n");
    lens_buffer_print(&wrong, "b.jpg\tright\n");
    test_write(table, wrong.data, wrong.size);
    run = test_world_expect(world, 0, "index", "--captions", table, NULL);
    assert_in_range(test_count(run.err.data, "\n"), 5, 30);
    assert_non_null(strstr(run.err.data, "more like these"));
    test_run_free(&run);
    texts_world_expect(world, "b.jpg", "right");
    lens_buffer_free(&wrong);
    free(table);
}

/* Two folders, one/ and two/, with pictures of the same names. */
static void two_folders(const test_world *world)
{
    char name[20];
    for (unsigned folder = 0; folder < 2; folder++) {
        char *path = test_world_path(world, folder ? "two" : "one");
        lens_error err = {0};
        assert_done(lens_folder_make(path, &err), &err);
        free(path);
        for (unsigned i = 1; i <= 3; i++) {
            snprintf(name, sizeof name, "%s/%u.png", folder ? "two" : "one", i);
            test_world_picture(world, name, TEST_PNG, 100 + 10 * folder + i);
        }
    }
}

/* The caption of a picture that is broken, gone or forgotten is not that of another one which is called the same; one that was moved keeps it. */
static void test_a_picture_that_is_gone_is_no_other(void **state)
{
    const test_world *world = *state;
    two_folders(world);
    texts_world_write(world, "one/1.png", "broken");
    texts_world_write(world, "one/captions.csv", "file,text\n1.png,one 1\n2.png,one 2\n3.png,one 3\n");
    texts_world_write(world, "two/captions.json", "[{\"file\": \"1.png\", \"caption\": \"two 1\"}, {\"file\": \"2.png\", \"caption\": \"two 2\"}, {\"file\": \"3.png\", \"caption\": \"two 3\"}]");
    char *one = test_world_path(world, "one/captions.csv"), *two = test_world_path(world, "two/captions.json"), *folder = test_world_path(world, "one");
    texts_world_index(world, 5, "--captions", one, "--captions", two, NULL);
    texts_world_captions(world, "two/1.png", "two 1");
    test_world_remove(world, "two/3.png");
    texts_world_index(world, 0, NULL);
    texts_world_captions(world, "one/3.png", "one 3");
    /* Moved out of the folder of its table, also while others go. */
    test_world_move(world, "one/3.png", "sub/3.png");
    test_world_remove(world, "one/2.png");
    texts_world_index(world, 0, NULL);
    texts_world_captions(world, "sub/3.png", "one 3");
    test_world_picture(world, "one/2.png", TEST_PNG, 102);
    texts_world_index(world, 1, "--captions", one, NULL);
    /* A folder that holds none of them any more. */
    test_run run = test_world_expect(world, 0, "forget", folder, NULL);
    test_run_free(&run);
    texts_world_index(world, 0, NULL);
    texts_world_index(world, 0, "--captions", one, NULL); /* nor where the table is named again */
    texts_world_captions(world, "two/1.png", "two 1");
    texts_world_captions(world, "two/2.png", "two 2");
    texts_world_captions(world, "sub/3.png", "one 3");
    /* Captions forgotten, it is one that never fitted anywhere. */
    run = test_world_expect(world, 0, "forget", "--captions", one, NULL);
    test_run_free(&run);
    texts_world_index(world, 3, "--captions", one, NULL);
    texts_world_captions(world, "two/1.png", "two 1|one 1");
    free(folder), free(two), free(one);
}

/* Nor where both were said the same: what the other table said is nothing that was moved. */
static void test_what_two_tables_say_of_their_own(void **state)
{
    const test_world *world = *state;
    two_folders(world);
    texts_world_write(world, "one/captions.tsv", "1.png\tmeme\n2.png\tone 2\n");
    texts_world_write(world, "two/captions.tsv", "1.png\tmeme\n2.png\ttwo 2\n");
    char *one = test_world_path(world, "one/captions.tsv"), *two = test_world_path(world, "two/captions.tsv");
    texts_world_index(world, 4, "--captions", one, "--captions", two, NULL);
    test_world_remove(world, "one/1.png");
    texts_world_index(world, 0, NULL);
    texts_world_write(world, "two/captions.tsv", "1.png\tsomething else\n2.png\ttwo 2\n");
    texts_world_index(world, 1, NULL);
    texts_world_captions(world, "two/1.png", "something else");
    free(one), free(two);
}

/* So it is with one table of both folders, in whose names the last folders are the same. */
static void test_a_table_of_folders_that_are_called_the_same(void **state)
{
    const test_world *world = *state;
    lens_error err = {0};
    static const char *const folders[] = {"p", "q", "p/img", "q/img", "r"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = test_world_path(world, folders[i]);
        assert_done(lens_folder_make(path, &err), &err);
        free(path);
    }
    test_world_picture(world, "p/img/1.png", TEST_PNG, 201);
    test_world_picture(world, "p/img/2.png", TEST_PNG, 202);
    test_world_picture(world, "q/img/1.png", TEST_PNG, 203);
    lens_buffer table = {0};
    lens_buffer_print(&table, "file\tcaption\n/home/other/img/2.png\tfrom elsewhere\n");
    for (int i = 1; i <= 3; i++)
        lens_buffer_print(&table, "%s/p/img/%d.png\tp %d\n%s/q/img/%d.png\tq %d\n", world->pictures, i, i, world->pictures, i, i);
    char *path = test_path(world->folder, "both.tsv"), *relative = test_world_path(world, "both.tsv");
    test_write(path, table.data, table.size);
    texts_world_write(world, "both.tsv", "p/img/1.png\tfirst\nq/img/1.png\tsecond\np/img/2.png\tthird\nq/img/2.png\tfourth\n");
    texts_world_index(world, 6, "--captions", path, "--captions", relative, NULL);
    texts_world_captions(world, "p/img/2.png", "from elsewhere|p 2|third"); /* who keeps one table on two machines */
    test_world_move(world, "p/img", "r/img"); /* all at once */
    texts_world_index(world, 0, NULL);
    texts_world_captions(world, "r/img/1.png", "p 1|first");
    texts_world_captions(world, "r/img/2.png", "from elsewhere|p 2|third");
    texts_world_captions(world, "q/img/1.png", "q 1|second");
    test_world_remove(world, "r/img/1.png");
    texts_world_index(world, 0, NULL);
    texts_world_captions(world, "q/img/1.png", "q 1|second");
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    lens_buffer_free(&table);
    free(relative), free(path);
}

/* What is no file of captions is refused, and later runs do not stumble over it. */
static void test_what_is_no_file_of_captions(void **state)
{
    const test_world *world = *state;
    texts_world_index(world, 0, NULL);
    char *none = test_world_path(world, "none.tsv"), *broken = test_world_path(world, "a.png");
    const char *const names[] = {none, broken, world->pictures};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        test_run run = test_world_expect(world, 2, "index", "-q", "--captions", names[i], NULL);
        assert_non_null(strstr(run.err.data, names[i]));
        assert_int_equal(test_count(run.err.data, "\n"), 1);
        test_run_free(&run);
        run = test_world_expect(world, 0, "index", NULL);
        assert_null(strstr(run.err.data, names[i]));
        test_run_free(&run);
    }
    free(none), free(broken);
}

/* A run that ends between the pictures and the captions leaves those of the new pictures to the next one. */
static void test_a_run_that_ends_before_the_captions(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "captions.tsv", "file\tcaption\na.png\tearly\nlate.png\tbetter late\n");
    texts_world_write(world, "a-first.tsv", "file\tcaption\na.png\tfirst\n");
    char *table = test_world_path(world, "captions.tsv"), *first = test_world_path(world, "a-first.tsv");
    texts_world_index(world, 2, "--captions", table, "--captions", first, NULL);
    test_world_picture(world, "late.png", TEST_PNG, 14);
    texts_world_write(world, "a-first.tsv", "\x89PNG\r\n\x1a\n");
    test_run run = test_world_expect(world, 2, "index", "--captions", first, NULL); /* it comes before the other one */
    assert_non_null(strstr(run.err.data, "1 pictures of this run are kept"));
    test_run_free(&run);
    texts_world_expect(world, "", "late");
    texts_world_index(world, 1, NULL);
    texts_world_expect(world, "late.png", "late");
    texts_world_index(world, 0, NULL);
    free(first), free(table);
}

/* That a file of captions is not there is said before any picture is encoded. */
static void test_a_file_that_is_not_there(void **state)
{
    const test_world *world = *state;
    char *none = test_world_path(world, "none.tsv");
    test_run run = test_world_expect(world, 2, "index", "--model", "colour", "--captions", none, world->pictures, NULL);
    assert_non_null(strstr(run.err.data, "none.tsv"));
    assert_null(strstr(run.err.data, "of this run are kept"));
    test_run_free(&run);
    free(none);
}

/* An index of words that lost what it had is a fault, until the next run. */
static void test_an_index_that_is_off(void **state)
{
    const test_world *world = *state;
    texts_world_write(world, "a.png.txt", "beside it");
    texts_world_index(world, 1, NULL);
    const bool folder = store_place_is_folder();
    if (folder)
        texts_damage(world->library, "INSERT INTO text_words (text_words) VALUES ('delete-all')");
    else
        free(store_place_ask(world->library, "DELETE FROM memelens.word"));
    test_run run = test_world_expect(world, 2, "check", NULL);
    assert_non_null(strstr(run.out.data, folder ? "1 texts are not in the index of words" : "the list of words has 2 words that are not as the texts have them"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "index", NULL);
    assert_non_null(strstr(run.err.data, "the index of words was not like the texts"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    texts_world_expect(world, "a.png", "beside");
}

/* Puts a segment of MARKER with HEAD and TEXT at the beginning of the JPEG NAME. */
static void put_segment(const test_world *world, const char *name, unsigned char marker, const char *head, size_t head_size, const char *text)
{
    char *path = test_world_path(world, name);
    lens_buffer file = test_read(path), out = {0};
    const size_t size = 2 + head_size + strlen(text);
    const unsigned char start[] = {0xff, marker, (unsigned char)(size >> 8), (unsigned char)size};
    lens_buffer_append(&out, file.data, 2);
    lens_buffer_append(&out, start, sizeof start);
    lens_buffer_append(&out, head, head_size);
    lens_buffer_append(&out, text, strlen(text));
    lens_buffer_append(&out, file.data + 2, file.size - 2);
    test_write(path, out.data, out.size);
    lens_buffer_free(&file);
    lens_buffer_free(&out);
    free(path);
}

static const char xmp_head[] = "http://ns.adobe.com/xap/1.0/";

static void put_xmp(const test_world *world, const char *name, const char *title)
{
    lens_buffer xmp = {0};
    lens_buffer_print(&xmp,
                      "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
                      "xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title><rdf:Alt><rdf:li xml:lang='x-default'>%s</rdf:li></rdf:Alt></dc:title>"
                      "</rdf:Description></rdf:RDF></x:xmpmeta>", title);
    put_segment(world, name, 0xe1, xmp_head, sizeof xmp_head, xmp.data);
    lens_buffer_free(&xmp);
}

static void test_pictures_that_speak(void **state)
{
    const test_world *world = *state;
    put_xmp(world, "b.jpg", "Grandmother&apos;s garden");
    test_world_picture(world, "d.jpg", TEST_JPEG_420, 15);
    put_segment(world, "d.jpg", 0xfe, "", 0, "CREATOR: a program"); /* comments are what programs write */
    put_xmp(world, "d.jpg", "Seen from the tower");
    texts_world_index(world, 0, NULL); /* only what comes from other files is counted */
    texts_world_expect(world, "b.jpg", "grandmothers garden");
    texts_world_expect(world, "d.jpg", "tower");
    texts_world_expect(world, "", "creator");
    /* Edited so that only this changes: what it said goes with its old bytes. */
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 12);
    put_xmp(world, "b.jpg", "Grandfather's shed");
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "", "garden");
    texts_world_expect(world, "b.jpg", "shed");
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 12);
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "", "shed");
    /* It goes along when the picture is moved. */
    char *from = test_world_path(world, "d.jpg"), *to = test_world_path(world, "sub/e.jpg");
    assert_int_equal(rename(from, to), 0);
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "e.jpg", "tower");
    free(from), free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_table, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_lines_and_columns, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_picture_with_too_many, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_files_are_listed_and_forgotten, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_was_renamed, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_templates, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_not_clear, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_picture_that_is_gone_is_no_other, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_what_two_tables_say_of_their_own, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_table_of_folders_that_are_called_the_same, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_of_captions, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_run_that_ends_before_the_captions, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_not_there, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_an_index_that_is_off, texts_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_pictures_that_speak, texts_world_setup, test_world_teardown),
    };
    return store_place_run(tests);
}
