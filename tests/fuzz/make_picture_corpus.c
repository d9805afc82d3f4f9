/* Writes the corpus of fuzz_picture: `make corpus` after a change to the formats. One small file of every kind, a few of them
 * turned and cut short, and what the tests know to be troublesome. */
#include "pictures.h"
#include "support.h"

static const char *folder = "tests/fuzz/corpus/picture";

static void put(const char *name, const char *ending, lens_buffer bytes)
{
    char *path = test_path(folder, "%s%s", name, ending);
    test_write(path, bytes.data, bytes.size);
    free(path);
    lens_buffer_free(&bytes);
}

static void put_text(const char *name, const char *text)
{
    lens_buffer bytes = {0};
    assert_int_equal(lens_buffer_append(&bytes, text, strlen(text)), 0);
    put(name, "", bytes);
}

static void make(void **state)
{
    (void)state;
    lens_error err = {0};
    assert_done(lens_folder_make(folder, &err), &err);
    for (test_kind kind = 0; kind < TEST_KINDS; kind++) {
        char name[64];
        put(test_kind_name(kind), test_kind_ending(kind), test_picture(kind, 20, 15, kind));
        lens_buffer cut = test_picture(kind, 20, 15, kind);
        cut.size = cut.size * 2 / 3;
        snprintf(name, sizeof name, "cut_%s", test_kind_name(kind));
        put(name, test_kind_ending(kind), cut);
        if (test_kind_turns(kind)) {
            snprintf(name, sizeof name, "turned_%s", test_kind_name(kind));
            put(name, test_kind_ending(kind), test_picture_turned(kind, 20, 15, kind, 2 + (int)kind % 7));
        }
    }
    put("bomb", ".png", test_png_bomb(60000, 60000));
    put("no_size", ".png", test_png_bomb(0, 5));
    put_text("plain.ppm", "P3\n# a comment\n3 2 15\n0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 0 15\n");
    put_text("plain.pbm", "P1 4 2\n1 0 1 0 0101\n");
    put_text("nothing.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='0' height='0'/>");
    put_text("vast.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1e9'/>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(make)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
