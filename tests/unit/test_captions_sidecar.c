/* src/captions/sidecar.c: files beside a picture. */
#include "captions.h"
#include "support.h"

#include <sys/stat.h>

/* FILES that lie beside PICTURE are expected to say GIVEN of it, in this order ("NAME|text;", without the folder). */
struct beside {
    const char *name, *text;
};

static void expect(const char *picture, const struct beside *files, size_t count, const char *given, const char *problems)
{
    char *folder = test_folder_new(), *path = test_path(folder, "%s", picture);
    test_captions heard;
    lens_caption_visitor visitor = test_captions_visitor(&heard);
    lens_error err = {0};
    for (size_t i = 0; i < count; i++) {
        char *file = test_path(folder, "%s", files[i].name);
        test_write(file, files[i].text, strlen(files[i].text));
        assert_done(lens_captions_beside(file, path, &visitor, &err), &err);
        free(file);
    }
    /* The folder's name, wherever it stands. */
    char *at;
    lens_buffer *both[] = {&heard.given, &heard.problems};
    for (int i = 0; i < 2; i++)
        while ((at = strstr(both[i]->data, folder)))
            memmove(at, at + strlen(folder) + 1, strlen(at + strlen(folder) + 1) + 1);
    assert_string_equal(heard.given.data, given);
    assert_string_equal(heard.problems.data, problems);
    test_captions_free(&heard);
    free(path);
    test_folder_remove(folder);
}

#define EXPECT(picture, given, problems, ...) \
    expect(picture, (struct beside[]){__VA_ARGS__}, sizeof(struct beside[]){__VA_ARGS__} / sizeof(struct beside), given, problems)

#define XMP "<x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>T</dc:title><dc:subject>w</dc:subject></x>"

static void test_texts(void **state)
{
    (void)state;
    EXPECT("a.jpg", "a.jpg.txt|A dog\nruns;a.txt|short;", "", {"a.jpg.txt", " A dog\nruns\n"}, {"a.txt", "\xef\xbb\xbfshort"},
           {"b.txt", "of another"}, {"a.jpg", "x"});
    EXPECT("a.jpg", "a.txt|\xc3\xa4;", "a.txt: not UTF-8; read as Windows-1252\n", {"a.txt", "\xe4"});
    EXPECT("a.jpg", "", "", {"a.txt", ""}, {"a.jpg.txt", " \n"});
    EXPECT("a.jpg", "", "", {"b.jpg", "x"});
    EXPECT("a", "a.txt|once;", "", {"a.txt", "once"}); /* with and without its ending it is the same */
    EXPECT("a.txt", "", "", {"a.txt", "itself"});
}

static void test_json(void **state)
{
    (void)state;
    EXPECT("a.jpg", "a.jpg.json|D\nC1\nC2\nx, y;", "",
           {"a.jpg.json", "{\"description\": \"D\", \"n\": 5, \"captions\": [\"C1\", \"C2\"], \"tags\": [\"x\", \"y\"], \"title\": \"a.jpg\"}"});
    EXPECT("a.jpg", "a.json|\xc3\xa4;", "", {"a.json", "{\"text\": \"\\u00e4\", \"title\": \"a\"}"});
    EXPECT("a.jpg", "", "a.json: no JSON object; left out\n", {"a.json", "[1]"});
    EXPECT("a.jpg", "", "a.json: no JSON object; left out\n", {"a.json", "{\"text\": \"x"});
    EXPECT("a.jpg", "", "", {"a.json", "{\"version\": \"5\", \"shapes\": []}"}); /* says nothing */
    EXPECT("a.jpg", "", "a.json: line 2: a caption that is no string; left out\n", {"a.json", "{\n\"text\": 5}"});
}

static void test_takeout(void **state)
{
    (void)state;
    static const char json[] = "{\"title\": \"IMG_1.jpg\", \"description\": \"On a hill\", \"imageViews\": \"7\"}";
    EXPECT("IMG_1.jpg", "IMG_1.jpg.json|On a hill;", "", {"IMG_1.jpg.json", json});
    EXPECT("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json|On a hill;", "", {"IMG_1.jpg.supplemental-metadata.json", json});
    EXPECT("IMG_1(12).jpg", "IMG_1.jpg(12).json|On a hill;", "", {"IMG_1.jpg(12).json", json});
    EXPECT("IMG_1(12).jpg", "IMG_1.jpg.supplemental-metadata(12).json|On a hill;", "", {"IMG_1.jpg.supplemental-metadata(12).json", json});
    /* Names of Takeout have 46 characters at most before ".json". */
    EXPECT("PXL_20240101_123456789.PORTRAIT.jpg", "PXL_20240101_123456789.PORTRAIT.jpg.supplement.json|On a hill;", "",
           {"PXL_20240101_123456789.PORTRAIT.jpg.supplement.json", json});
    EXPECT("0123456789012345678901234567890123456789_0123456789.jpg", "0123456789012345678901234567890123456789_01234.json|On a hill;", "",
           {"0123456789012345678901234567890123456789_01234.json", json});
    EXPECT("(1).jpg", "", "", {"b", ""});
    EXPECT("x().jpg", "", "", {"b", ""});
}

static void test_xmp(void **state)
{
    (void)state;
    EXPECT("a.jpg", "a.jpg.xmp|T\nw;a.xmp|T\nw;", "", {"a.jpg.xmp", XMP}, {"a.xmp", XMP});
    EXPECT("a.jpg", "a.xmp|T;", "a.xmp: no XMP, or broken; what comes before that is taken\n",
           {"a.xmp", "<x xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>T</dc:title>"});
}

static void test_what_cannot_be_read(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "a.jpg"), *text = test_path(folder, "a.txt"), *large = test_path(folder, "a.jpg.txt");
    char *metadata = test_path(folder, "a.xmp");
    assert_int_equal(mkdir(text, 0777), 0);
    lens_buffer long_text = {0};
    lens_buffer_reserve(&long_text, LENS_CAPTION_MOST + 1);
    memset(long_text.data, 'x', LENS_CAPTION_MOST + 1);
    test_write(large, long_text.data, LENS_CAPTION_MOST + 1);
    lens_buffer xmp = {0};
    lens_buffer_print(&xmp, "<dc:title xmlns:dc='http://purl.org/dc/elements/1.1/'>");
    lens_buffer_append(&xmp, long_text.data, LENS_CAPTION_MOST + 1);
    lens_buffer_print(&xmp, "</dc:title>");
    test_write(metadata, xmp.data, xmp.size);
    lens_buffer_free(&xmp);
    test_captions heard;
    lens_caption_visitor visitor = test_captions_visitor(&heard);
    lens_error err = {0};
    assert_done(lens_captions_beside(metadata, path, &visitor, &err), &err);
    assert_done(lens_captions_beside(large, path, &visitor, &err), &err);
    assert_string_equal(heard.given.data, "");
    assert_non_null(strstr(heard.problems.data, "a.xmp: a caption of more than 1 MiB; left out\n"));
    assert_non_null(strstr(heard.problems.data, "a.jpg.txt: a caption of more than 1 MiB; left out\n"));
    assert_int_equal(lens_captions_beside(text, path, &visitor, &err), -1);
    assert_non_null(strstr(err.message, "a.txt: is a folder"));
    test_captions_free(&heard);
    lens_buffer_free(&long_text);
    /* A name that has no room for an ending. */
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    char *longest = test_path(folder, "%s", name);
    visitor = test_captions_visitor(&heard);
    assert_done(lens_captions_beside(large, longest, &visitor, &err), &err);
    assert_string_equal(heard.problems.data, "");
    test_captions_free(&heard);
    free(longest);
    free(metadata);
    free(path);
    free(text);
    free(large);
    test_folder_remove(folder);
}

static void test_stopping(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "a.jpg"), *first = test_path(folder, "a.jpg.txt");
    test_write(first, "one", 3);
    test_captions heard;
    lens_caption_visitor visitor = test_captions_visitor(&heard);
    heard.stop_after = 1;
    lens_error err = {0};
    assert_int_equal(lens_captions_beside(first, path, &visitor, &err), 7);
    assert_int_equal(heard.count, 1);
    test_captions_free(&heard);
    free(path);
    free(first);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts), cmocka_unit_test(test_json), cmocka_unit_test(test_takeout), cmocka_unit_test(test_xmp),
        cmocka_unit_test(test_what_cannot_be_read), cmocka_unit_test(test_stopping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
