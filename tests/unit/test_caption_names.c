/* src/library/caption_names.c: what captions call a picture, and which pictures that are. */
#include <unistd.h>

#include "library/caption_names.h"
#include "support_store.h"

enum { DIM = 4 };

typedef struct fixture {
    char *place;
    lens_store *store;
    int64_t model;
    lens_caption_names *names;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->place = store_place("names");
    f->store = test_store(f->place, LENS_STORE_WRITE);
    f->model = test_model(f->store, "m", DIM);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    lens_caption_names_free(f->names);
    lens_store_close(f->store);
    store_place_remove(f->place);
    free(f);
    return 0;
}

static void put(fixture *f, const char *path, uint64_t content)
{
    test_write_picture(f->store, f->model, DIM, path, content, 0);
}

/* The paths of the COUNT pictures IDS, a blank between. */
static void name_all(fixture *f, const int64_t *ids, size_t count, lens_buffer *out)
{
    lens_error err = {0};
    lens_buffer_append(out, "", 0);
    for (size_t i = 0; i < count; i++) {
        lens_store_picture picture;
        assert_int_equal(lens_store_picture_by_id(f->store, ids[i], &picture, &err), 1);
        lens_buffer_print(out, "%s%s", i ? " " : "", picture.path);
        lens_store_picture_free(&picture);
    }
}

static void read_names(fixture *f)
{
    lens_error err = {0};
    lens_caption_names_free(f->names);
    f->names = lens_caption_names_new(f->store, &err);
    assert_non_null(f->names);
}

/* NAME in a file of captions in FOLDER is PATHS; "?": several. */
static void expect(fixture *f, const char *folder, const char *name, const char *paths)
{
    const int64_t *ids;
    lens_caption_found found;
    lens_buffer got = {0};
    if (!f->names)
        read_names(f);
    assert_int_equal(lens_caption_names_find(f->names, folder, name, &ids, &found), 0);
    assert_true(!found.ambiguous || found.count == 0);
    if (found.moved)
        lens_buffer_print(&got, "moved ");
    name_all(f, ids, found.count, &got);
    if (strcmp(found.ambiguous ? "?" : got.data, paths) != 0)
        fail_msg("%s in %s is '%s' instead of '%s'", name, folder, found.ambiguous ? "?" : got.data, paths);
    lens_buffer_free(&got);
}

static void test_nothing(void **state)
{
    fixture *f = *state;
    expect(f, "/c", "dog.jpg", "");
    expect(f, "/c", "", "");
    expect(f, "/c", "/", "");
    expect(f, "/c", "https://x.example/", "");
}

static void test_paths(void **state)
{
    fixture *f = *state;
    put(f, "/pics/dog.jpg", 1);
    put(f, "/pics/sub/dog.jpg", 2);
    put(f, "/else/cat.jpg", 3);
    expect(f, "/c", "/pics/dog.jpg", "/pics/dog.jpg");
    expect(f, "/c", "/pics//sub/../dog.jpg", "/pics/dog.jpg");
    expect(f, "/pics", "dog.jpg", "/pics/dog.jpg"); /* from the folder of the captions, though another is called so */
    expect(f, "/pics", "./dog.jpg", "/pics/dog.jpg");
    expect(f, "/pics", "././sub/dog.jpg", "/pics/sub/dog.jpg");
    expect(f, "/pics/captions", "../dog.jpg", "/pics/dog.jpg");
    expect(f, "/c", "sub/dog.jpg", "/pics/sub/dog.jpg"); /* the end of a path */
    expect(f, "/c", "pics/dog.jpg", "/pics/dog.jpg");
    expect(f, "/c", "ub/dog.jpg", ""); /* whole names only */
    expect(f, "/c", "/home/other/else/cat.jpg", "/else/cat.jpg"); /* a path from elsewhere: its last folder counts */
    expect(f, "/c", "D:\\else\\cat.jpg", "/else/cat.jpg");
    expect(f, "/c", "else\\cat.jpg", "/else/cat.jpg");
    expect(f, "/c", "/else2/cat.jpg", ""); /* another folder's is another picture */
    expect(f, "/c", "train/cat.jpg", "");
    expect(f, "/c", "../cat.jpg", "");
    expect(f, "/else", "sub/../../cat.jpg", "");
    expect(f, "/c", "/pics/Dog.jpg", ""); /* names of files have a case */
    expect(f, "/c", "/pics", "");
    expect(f, "/c", "sub/", "");
}

static void test_names_that_several_have(void **state)
{
    fixture *f = *state;
    put(f, "/a/x/dog.jpg", 1);
    put(f, "/b/y/x/dog.jpg", 2);
    put(f, "/b/cat.jpg", 3);
    put(f, "/d/cat.jpg", 3);
    put(f, "/d/e/cat.jpg", 4);
    put(f, "/d/e/f/cat.jpg", 4);
    expect(f, "/c", "dog.jpg", "?");
    expect(f, "/b", "dog.jpg", "/b/y/x/dog.jpg"); /* the one below the folder of the captions is meant */
    expect(f, "/a", "dog.jpg", "/a/x/dog.jpg");
    expect(f, "/", "dog.jpg", "?");
    expect(f, "/b/y/x/z", "dog.jpg", "?");
    expect(f, "/c", "x/dog.jpg", "?");
    expect(f, "/b", "x/dog.jpg", "/b/y/x/dog.jpg"); /* so it is with the ends of paths */
    expect(f, "/c", "cat.jpg", "?");
    expect(f, "/d/e", "cat.jpg", "/d/e/cat.jpg"); /* a path from there, and nothing else */
    put(f, "/d/e/g/f/cat.jpg", 4);
    read_names(f);
    expect(f, "/c", "f/cat.jpg", "/d/e/f/cat.jpg /d/e/g/f/cat.jpg"); /* copies are all meant */
    expect(f, "/d/e", "https://x.example/cat.jpg", "/d/e/cat.jpg /d/e/f/cat.jpg /d/e/g/f/cat.jpg");
    expect(f, "/d", "https://x.example/cat.jpg", "?");
    expect(f, "/bb", "dog.jpg", "?"); /* /b is not below it */
}

/* U+00E9, and e with U+0301: the same name to who reads it. */
static void test_letters_with_their_accents_apart(void **state)
{
    fixture *f = *state;
    put(f, "/a/Caf\xc3\xa9/d\xc3\xa9j\xc3\xa0.jpg", 1);
    put(f, "/b/cafe\xcc\x81.jpg", 2);
    put(f, "/c/e\xcc\x81.jpg", 3);
    put(f, "/d/\xc3\xa9.jpg", 4);
    expect(f, "/x", "de\xcc\x81ja\xcc\x80.jpg", "/a/Caf\xc3\xa9/d\xc3\xa9j\xc3\xa0.jpg");
    expect(f, "/x", "Cafe\xcc\x81/de\xcc\x81ja\xcc\x80.jpg", "/a/Caf\xc3\xa9/d\xc3\xa9j\xc3\xa0.jpg");
    expect(f, "/x", "/a/Cafe\xcc\x81/de\xcc\x81ja\xcc\x80.jpg", "/a/Caf\xc3\xa9/d\xc3\xa9j\xc3\xa0.jpg");
    expect(f, "/b", "caf\xc3\xa9.jpg", "/b/cafe\xcc\x81.jpg");
    expect(f, "/x", "\xc3\xa9.jpg", "/d/\xc3\xa9.jpg"); /* the very letters go first */
    expect(f, "/x", "e\xcc\x81.jpg", "/c/e\xcc\x81.jpg");
    expect(f, "/x", "cafe.jpg", "");
    expect(f, "/x", "caf\xe9.jpg", "");
}

/* Ends of paths, whatever comes before their slash. */
static void test_ends_of_paths(void **state)
{
    fixture *f = *state;
    static const char *const folders[] = {"b", "-b", "a-b", "0b", "a/b", "a b", "\xc3\xa4/b", "z/b/c", "b/c", "c"};
    char path[100];
    for (uint64_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "/p/%s/dog.jpg", folders[i]);
        put(f, path, i + 1);
        snprintf(path, sizeof path, "/p/%s/dog.jpg.dog.jpg", folders[i]);
        put(f, path, i + 100);
    }
    expect(f, "/c", "-b/dog.jpg", "/p/-b/dog.jpg");
    expect(f, "/c", "a-b/dog.jpg", "/p/a-b/dog.jpg");
    expect(f, "/c", "p/b/dog.jpg", "/p/b/dog.jpg");
    expect(f, "/c", "b/dog.jpg", "?");
    expect(f, "/c", "a/b/dog.jpg", "/p/a/b/dog.jpg");
    expect(f, "/c", "x/a b/dog.jpg", "/p/a b/dog.jpg");
    expect(f, "/c", "\xc3\xa4/b/dog.jpg", "/p/\xc3\xa4/b/dog.jpg");
    expect(f, "/c", "c/dog.jpg", "?");
    expect(f, "/p/z", "c/dog.jpg", "/p/z/b/c/dog.jpg");
    expect(f, "/c", "p/c/dog.jpg", "/p/c/dog.jpg");
    expect(f, "/c", "p/c/dog.jpg", "/p/c/dog.jpg"); /* asked again, and from elsewhere */
    expect(f, "/p/b", "c/dog.jpg", "/p/b/c/dog.jpg");
    expect(f, "/p", "c/dog.jpg", "/p/c/dog.jpg");
}

/* Captions times pictures of one name, and sidecars times pictures that begin alike, would be hours. */
static void test_many_of_one_name(void **state)
{
    fixture *f = *state;
    enum { PICTURES = 2000, MANY = 3000000, FEWER = 300000 };
    char path[100];
    const int64_t *ids;
    size_t count;
    lens_caption_found found;
    const char *first;
    for (unsigned i = 0; i < PICTURES; i++) {
        snprintf(path, sizeof path, i % 2 ? "/p/d%u.png" : "/p/%u/dog.png", i);
        put(f, path, i + 1);
    }
    read_names(f);
    alarm(200);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(lens_caption_names_find(f->names, "/c", "dog.png", &ids, &found), 0);
        assert_true(found.count == 0 && found.ambiguous);
    }
    for (unsigned i = 0; i < FEWER; i++) {
        snprintf(path, sizeof path, "from/elsewhere/%u/dog.png", i);
        assert_int_equal(lens_caption_names_find(f->names, "/c", path, &ids, &found), 0);
        assert_true(found.count == (i < PICTURES && i % 2 == 0) && !found.ambiguous);
        snprintf(path, sizeof path, "/p/d.%u.txt", i);
        assert_int_equal(lens_caption_names_beside(f->names, path, &ids, &count, &first), 0);
        assert_true(count == 0 && !first);
    }
    alarm(0);
}

static void test_addresses(void **state)
{
    fixture *f = *state;
    put(f, "/pics/my dog.jpg", 1);
    put(f, "/pics/100%25.jpg", 2);
    put(f, "/pics/a?b.jpg", 3);
    expect(f, "/c", "https://x.example/memes/my%20dog.jpg", "/pics/my dog.jpg");
    expect(f, "/c", "https://x.example/memes/my%20dog.jpg?size=1/2#x/y.jpg", "/pics/my dog.jpg");
    expect(f, "/c", "my%20dog.jpg", ""); /* no address */
    expect(f, "/c", "100%25.jpg", "/pics/100%25.jpg");
    expect(f, "/c", "https://x.example/100%2525.jpg", "/pics/100%25.jpg");
    expect(f, "/c", "a?b.jpg", "/pics/a?b.jpg");
    expect(f, "/c", "https://x.example/a%3Fb.jpg", "/pics/a?b.jpg");
    expect(f, "/c", "https://x.example/a%3", "");
    expect(f, "/c", "file:///pics/a?b.jpg", "/pics/a?b.jpg");
    expect(f, "/c", "file:///pics/my%20dog.jpg", "/pics/my dog.jpg");
    expect(f, "/c", "file:///pics/100%2525.jpg", "/pics/100%25.jpg");
    expect(f, "/c", "my%20dog.jpg%00", "");
}

/* Reads the COUNT NAMES of a file of captions in FOLDER, in which names were found at PLACE before (NULL: nowhere); its places are then PLACES, a blank between. */
static void look(fixture *f, const char *folder, const char *place, const char *const *names, size_t count, const char *places)
{
    lens_buffer got = {0};
    read_names(f);
    lens_caption_names_begin(f->names);
    if (place)
        assert_int_equal(lens_caption_names_place(f->names, place), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(lens_caption_names_look(f->names, folder, names[i]), 0);
    const lens_names *all = lens_caption_names_places(f->names);
    assert_non_null(all);
    lens_buffer_append(&got, "", 0);
    for (size_t i = 0; i < all->count; i++)
        lens_buffer_print(&got, "%s%s", i ? " " : "", all->items[i]);
    assert_string_equal(got.data, places);
    lens_buffer_free(&got);
}

/* Where a file called a picture by its exact path, names are exact, or of what was moved from there; elsewhere they are what they would be anyway. */
static void test_places(void **state)
{
    fixture *f = *state;
    static const char *const pictures[] = {"/a/x/1.png", "/a/x/below/3.png", "/a/x/2.png", "/b/x/1.png", "/b/x/3.png", "/b/x/4.png", "/a/x/f\xc3\xa9.png", "/b/x/e\xcc\x81.png", "/7.png"};
    for (uint64_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        put(f, pictures[i], i + 1);
    look(f, "/a/x", NULL, NULL, 0, "");
    expect(f, "/a/x", "4.png", "/b/x/4.png");
    look(f, "/a/x", NULL, (const char *const[]){"4.png", "../no/1.png", "x/1.png"}, 3, ""); /* no name fits, so it is not where these names are */
    expect(f, "/a/x", "4.png", "/b/x/4.png");
    look(f, "/a/x", NULL, (const char *const[]){"4.png", "2.png", "/b/x/1.png", "./below/3.png", "1.png", "/7.png"}, 6, "/ /a/x /a/x/below /b/x");
    look(f, "/a/x", NULL, (const char *const[]){"4.png", "2.png"}, 2, "/a/x");
    expect(f, "/a/x", "1.png", "/a/x/1.png");
    expect(f, "/a/x", "4.png", "moved /b/x/4.png");
    expect(f, "/a/x", "/a/x/4.png", "moved /b/x/4.png");
    expect(f, "/c", "/elsewhere/x/4.png", "/b/x/4.png"); /* of another machine, in the same file */
    expect(f, "/a/x", "below/4.png", "");
    expect(f, "/a/x", "3.png", "/a/x/below/3.png"); /* below the folder it may lie anywhere */
    expect(f, "/a/x", "5.png", "");
    look(f, "/c", "/gone/x", NULL, 0, "/gone/x"); /* what held pictures once, and was forgotten */
    expect(f, "/c", "/gone/x/4.png", "moved /b/x/4.png");
    expect(f, "/gone/x", "4.png", "moved /b/x/4.png");
    expect(f, "/gone/x", "1.png", "moved /a/x/1.png /b/x/1.png"); /* either could have been */
    expect(f, "/gone", "x/4.png", "moved /b/x/4.png");
    expect(f, "/gone/y", "4.png", "/b/x/4.png");
    look(f, "/a/x", "/a/x", (const char *const[]){"fe\xcc\x81.png"}, 1, "/a/x"); /* in whichever form */
    expect(f, "/a/x", "fe\xcc\x81.png", "/a/x/f\xc3\xa9.png");
    put(f, "/b/x/fe\xcc\x81.png", 50);
    look(f, "/a/x", "/a/x", (const char *const[]){"fe\xcc\x81.png"}, 1, "/a/x");
    expect(f, "/a/x", "fe\xcc\x81.png", "/a/x/f\xc3\xa9.png"); /* at its path in another form rather than moved */
    expect(f, "/a/x", "e\xcc\x81.png", "moved /b/x/e\xcc\x81.png");
    expect(f, "/a/x", "\xc3\xa9.png", "moved /b/x/e\xcc\x81.png");
}

/* Failed pictures cannot be meant, and pictures that came later are not known. */
static void test_what_is_known(void **state)
{
    fixture *f = *state;
    lens_error err = {0};
    const lens_store_entry failed = {.path = "/pics/broken.jpg", .size = 1, .reason = "broken"};
    assert_done(lens_store_write(f->store, &failed, 1, NULL, &err), &err);
    put(f, "/pics/dog.jpg", 1);
    expect(f, "/pics", "broken.jpg", "");
    put(f, "/pics/late.jpg", 2);
    expect(f, "/pics", "late.jpg", "");
    read_names(f);
    expect(f, "/pics", "late.jpg", "/pics/late.jpg");
}

/* ---- files beside pictures ---- */

static void expect_beside(fixture *f, const char *path, const char *paths)
{
    const int64_t *ids;
    size_t count;
    const char *first;
    lens_buffer got = {0};
    if (!f->names)
        read_names(f);
    assert_int_equal(lens_caption_names_beside(f->names, path, &ids, &count, &first), 0);
    name_all(f, ids, count, &got);
    if (strcmp(got.data, paths) != 0)
        fail_msg("beside %s is '%s' instead of '%s'", path, got.data, paths);
    assert_true(count ? strncmp(got.data, first, strlen(first)) == 0 : !first);
    lens_buffer_free(&got);
}

static void test_beside(void **state)
{
    fixture *f = *state;
    static const char *const pictures[] = {"/p/dog.jpg", "/p/dog.png", "/p/dog-2.jpg", "/p/dog.old.jpg", "/p/d/dog.jpg", "/p/cat", "/p/cat.d/x", "/p/.jpg",
                                          "/p/dog(1).jpg", "/p/0123456789012345678901234567890123456789_0123456789.jpg",
                                          "/q/0123456789012345678901234567890123456789_0123456789.jpg",
                                          "/q/0123456789012345678901234567890123456789_0123499999.jpg",
                                          "/q/0123456789012345678901234567890123456789_01234/dog.jpg", "/q/(1).jpg"};
    for (uint64_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        put(f, pictures[i], i + 1);
    expect_beside(f, "/p/dog.jpg.txt", "/p/dog.jpg");
    expect_beside(f, "/p/dog.txt", "/p/dog.jpg /p/dog.png");
    expect_beside(f, "/p/dog.xmp", "/p/dog.jpg /p/dog.png");
    expect_beside(f, "/p/dog.jpg.supplemental-metadata.json", "/p/dog.jpg");
    expect_beside(f, "/p/dog.old.json", "/p/dog.old.jpg");
    expect_beside(f, "/p/dog-2.txt", "/p/dog-2.jpg");
    expect_beside(f, "/p/cat.txt", "/p/cat");
    expect_beside(f, "/p/do.txt", "");
    expect_beside(f, "/q/dog.txt", "");
    expect_beside(f, "/p/d/dog.txt", "/p/d/dog.jpg");
    expect_beside(f, "/p/d.txt", "");
    expect_beside(f, "/p/.txt", "");
    expect_beside(f, "/p/readme", "");
    expect_beside(f, "/p/dog.jpg(1).json", "/p/dog(1).jpg");
    expect_beside(f, "/p/dog.jpg.supplemental-metadata(1).json", "/p/dog(1).jpg");
    expect_beside(f, "/p/dog(1).jpg.json", "/p/dog(1).jpg");
    expect_beside(f, "/p/dog(1).json", "/p/dog(1).jpg");
    expect_beside(f, "/p/0123456789012345678901234567890123456789_01234.json", "/p/0123456789012345678901234567890123456789_0123456789.jpg");
    expect_beside(f, "/q/0123456789012345678901234567890123456789_01234.json", "");
    expect_beside(f, "/q/.jpg(1).json", "");
    expect_beside(f, "/q/(1).json", "/q/(1).jpg");
    expect_beside(f, "/q/).json", "");
}

/* A sidecar is not of as many pictures as can be called so. */
static void test_beside_too_many(void **state)
{
    fixture *f = *state;
    const int64_t *ids;
    size_t count;
    const char *first;
    char path[100];
    put(f, "/p/d", 1);
    for (unsigned i = 1; i < LENS_CAPTION_BESIDE_MOST; i++) {
        snprintf(path, sizeof path, "/p/d.%02u", i);
        put(f, path, i + 1);
    }
    put(f, "/p/d.1.png", 50);
    put(f, "/p/d./x.png", 51);
    put(f, "/p/d-1.png", 52);
    for (size_t i = 0; i < 2; i++) {
        read_names(f);
        assert_int_equal(lens_caption_names_beside(f->names, "/p/d.txt", &ids, &count, &first), 0);
        assert_int_equal(count, i ? 0 : LENS_CAPTION_BESIDE_MOST);
        assert_string_equal(first, "/p/d");
        put(f, "/p/d.png", 60);
    }
    expect_beside(f, "/p/d.07.txt", "/p/d.07");
    expect_beside(f, "/p/d.1.txt", "/p/d.1.png");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),   cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_several_have, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown), cmocka_unit_test_setup_teardown(test_what_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_letters_with_their_accents_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_of_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_of_one_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beside_too_many, setup, teardown),
    };
    return store_place_run(tests);
}
