/* Writes the files that tests/cli/test_upgrade.c keeps of a release: `make kept` (README.md says more). What the program can do decides what goes in, so
 * that a program of before a release can be asked too.
 *
 * usage: make_kept RELEASE    writes tests/kept/RELEASE.models.tar.gz, and RELEASE.folder.tar.gz, or RELEASE.postgres.tar.gz below tests/postgres.py */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/packed.h"
#include "encoders/word_map.h"
#include "lettering.h"
#include "random_clip.h"
#include "world.h"

/* Where all of it is made, and so what the paths in a kept library begin with. */
#define PLACE "/tmp/memelens-kept"

static const char *release;
static test_world world = {.folder = PLACE, .pictures = PLACE "/pictures", .library = PLACE "/library", .models = PLACE "/models"};

/* ---- what is on the machine -------------------------------------------------------------------------------------- */

static void put_model(void)
{
    char *made = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, &(test_clip_faults){.half = true}), command[4200];
    test_clip_write_vocabulary(made, "");
    snprintf(command, sizeof command, "cp -r '%s' " PLACE "/models/tiny-clip && chmod -R u=rwX,go=rX " PLACE, made);
    assert_int_equal(system(command), 0);
    test_folder_remove(made);
    static const char note[] = "{\"repository\": \"ada/tiny-clip\", \"commit\": \"c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00\", \"files\": []}\n";
    test_write(PLACE "/models/tiny-clip/memelens.json", note, sizeof note - 1);
}

/* A file of packed weights and a map from words to pictures: small ones, by the hands that write the true ones. */
static void put_formats(void)
{
    static const char runs[2][64] = {"the first run", "the second"};
    lens_error err = {0};
    const lens_hash key = lens_hash_of("kept", 4);
    lens_packing *packing = lens_packing_new();
    assert_done(lens_packing_add(packing, "first", runs[0], sizeof runs[0], &err), &err);
    assert_done(lens_packing_add(packing, "second", runs[1], sizeof runs[1], &err), &err);
    assert_done(lens_packing_write(packing, PLACE "/models/packed.bin", &key, &err), &err);
    lens_packing_free(packing);
    const lens_word_map_about about = {"words", "pictures", key, key, "what is kept"};
    lens_word_map *map = lens_word_map_new(&about, 2, 3, &err);
    assert_non_null(map);
    map->ridge = 1;
    for (int i = 0; i < 6; i++)
        map->rows[i] = (int8_t)(i - 2);
    map->steps[0] = 0.5F, map->steps[1] = 0.25F;
    assert_done(lens_word_map_write(map, PLACE "/models/words.map", &err), &err);
    lens_word_map_free(map);
}

static void put_pictures(void)
{
    lens_error err = {0};
    assert_done(lens_folder_make(PLACE "/pictures/cats", &err), &err);
    for (unsigned i = 0; i < 10; i++) {
        char path[96];
        snprintf(path, sizeof path, PLACE "/pictures/%s%02u.png", i % 2 ? "cats/" : "", i);
        test_picture_write(path, TEST_PNG, 24, 18, i + 1);
    }
    test_picture_write(PLACE "/pictures/copy-of-00.png", TEST_PNG, 24, 18, 1);
    test_picture_write(PLACE "/pictures/left-out.png", TEST_PNG, 24, 18, 50);
    test_write(PLACE "/pictures/broken.jpg", "\xff\xd8\xff\xe0 no picture", 15);
    test_write(PLACE "/pictures/02.png.txt", "One does not simply walk into the snow\n", 39);
    static const char captions[] = "file\tcaption\npictures/00.png\tI got so tired from jogging my memory\npictures/cats/01.png\ta cat in a hat\n";
    test_write(PLACE "/captions.tsv", captions, sizeof captions - 1);
    lens_image written = test_plain(320, 90, 30);
    test_letter(&written, "HARD RAIN", 20, 25, 36, 250, -1);
    lens_buffer png = test_png_of(&written);
    test_write(PLACE "/pictures/written.png", png.data, png.size);
    lens_buffer_free(&png);
    lens_image_free(&written);
    /* Whole seconds, which every archive keeps. */
    assert_int_equal(system("find " PLACE " -exec touch -d @1767225600 {} +"), 0);
}

/* ---- what the program makes of it -------------------------------------------------------------------------------- */

static bool knows(const char *command, const char *option)
{
    test_run run = test_world_expect(&world, 0, command, "--help", NULL);
    const bool found = strstr(run.out.data, option);
    test_run_free(&run);
    return found;
}

static void do_it(const char *const *words)
{
    const char *argv[16] = {test_program()};
    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    test_run run = test_run_program(argv, test_world_environment(&world), NULL);
    if (run.status > 1)
        fail_msg("%s: exit %d: %s", words[0], run.status, run.err.data);
    test_run_free(&run);
}
#define DO(...) do_it((const char *const[]){__VA_ARGS__, NULL})

/* Asks, and notes what was asked and answered: "$" and the words with tabs before them, then the answer. */
static void ask(lens_buffer *out, const char *const *words)
{
    const char *argv[16] = {test_program()};
    lens_buffer_print(out, "$");
    for (size_t i = 0; words[i]; i++) {
        argv[i + 1] = words[i];
        lens_buffer_print(out, "\t%s", words[i]);
    }
    test_run run = test_run_program(argv, test_world_environment(&world), NULL);
    if (run.status > 1)
        fail_msg("%s: exit %d: %s", words[0], run.status, run.err.data);
    lens_buffer_print(out, "\n%s", run.out.data);
    test_run_free(&run);
}
#define ASK(...) ask(&out, (const char *const[]){__VA_ARGS__, NULL})

static void use(void)
{
    const bool words = knows("index", "--captions");
    lens_buffer out = {0};
    lens_buffer_print(&out, "place\t" PLACE "\nmodels\t%s.models.tar.gz\n", words ? release : "0.1.0");
    DO("index", "--precision", "f32", "--model", "colour", "--model", "tiny-clip", PLACE "/pictures");
    DO("forget", PLACE "/pictures/left-out.png");
    if (words) {
        DO("index", "--precision", "f32", "--captions", PLACE "/captions.tsv");
        DO("ocr");
        DO("index", "--precision", "f32", "--approximate");
        DO("search", PLACE "/pictures/00.png", "--unhub", "--model", "colour");
    }
    ASK("status", "--json");
    ASK("status", "--failed");
    ASK("search", PLACE "/pictures/00.png", "--model", "colour", "-n", "5");
    ASK("search", PLACE "/pictures/cats/03.png", "--model", "tiny-clip", "-n", "5");
    ASK("search", PLACE "/pictures/02.png", "-0.5:" PLACE "/pictures/cats/03.png", "--model", "colour", "-n", "5");
    ASK("similar", PLACE "/pictures/04.png", "--model", "colour", "-n", "5");
    ASK("search", PLACE "/pictures/02.png", "--unhub", "--model", "colour", "-n", "3");
    ASK("duplicates", "--exact");
    if (words) {
        ASK("status", "--texts");
        ASK("search", "jogging my memroy", "--by", "text");
        ASK("search", "a cat", "--by", "text");
        ASK("search", "hard rain", "--by", "text");
        ASK("search", "hello", "--by", "look", "--model", "tiny-clip", "--precision", "f32", "-n", "3");
        ASK("search", PLACE "/pictures/02.png", "--exact", "--label", "cats", "--model", "colour", "-n", "3");
    }
    test_write(PLACE "/answers", out.data, out.size);
    lens_buffer_free(&out);
}

static void pack(const char *kind, const char *what)
{
    char command[4200];
    snprintf(command, sizeof command,
             "tar -C " PLACE " --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1767225600 -cf - %s | gzip -9n >'%s/tests/kept/%s.%s.tar.gz'", what,
             getenv("MEMELENS_SOURCE"), release, kind);
    assert_int_equal(system(command), 0);
}

/* The database as SQL that any psql takes: without what newer ones alone know. */
static void dump(void)
{
    char command[4200];
    snprintf(command, sizeof command,
             "'%s/pg_dump' --schema=memelens --no-owner --no-privileges '%s' |"
             " grep -v -e '^\\\\[a-z]*restrict' -e '^SET transaction_timeout' -e '^--' >" PLACE "/library.sql",
             getenv("MEMELENS_POSTGRES_BIN"), world.library);
    assert_int_equal(system(command), 0);
}

static void make(void **state)
{
    (void)state;
    lens_error err = {0};
    const bool in_folder = store_place_is_folder();
    assert_int_equal(system("rm -rf " PLACE), 0);
    assert_done(lens_folder_make(PLACE "/models", &err), &err);
    test_clip_draw(NULL);
    put_model();
    put_formats();
    put_pictures();
    if (in_folder && knows("index", "--captions"))
        pack("models", "models");
    if (!in_folder)
        world.library = store_place("kept");
    use();
    if (in_folder) {
        pack("folder", "answers captions.tsv library pictures");
    } else {
        dump();
        pack("postgres", "answers captions.tsv library.sql pictures");
        store_place_remove(world.library);
    }
    test_clip_forget(NULL);
    assert_int_equal(system("rm -rf " PLACE), 0);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    release = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(make)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
