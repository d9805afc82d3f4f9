/* Captions of memes, where the generator of such a corpus is: how many of their words are read. */
#include <ctype.h>
#include <unistd.h>

#include "ocr/ocr.h"
#include "pixels/decode.h"
#include "support.h"

enum { PICTURES = 60, WORDS_MOST = 400, WORD_MOST = 40 };

/* The words of a text, three letters or more, in small letters. */
typedef struct words {
    char word[WORDS_MOST][WORD_MOST];
    size_t count;
} words;

static words words_of(const char *text, size_t size)
{
    words all = {0};
    for (size_t i = 0; i < size;) {
        size_t length = 0;
        while (i + length < size && isalpha((unsigned char)text[i + length]))
            length++;
        if (length >= 3 && length < WORD_MOST && all.count < WORDS_MOST) {
            for (size_t k = 0; k < length; k++)
                all.word[all.count][k] = (char)tolower((unsigned char)text[i + k]);
            all.count++;
        }
        i += length ? length : 1;
    }
    return all;
}

/* How many of WANTED are in FOUND, each as often as it is there. */
static size_t count_found(const words *wanted, words *found)
{
    size_t count = 0;
    for (size_t i = 0; i < wanted->count; i++) {
        for (size_t k = 0; k < found->count; k++) {
            if (strcmp(wanted->word[i], found->word[k]) == 0) {
                found->word[k][0] = '\0';
                count++;
                break;
            }
        }
    }
    return count;
}

/* Fills FOLDER with memes and captions.tsv, or the test skips itself, saying why. */
static void make_memes(const char *folder)
{
    free(test_shared("memes/make-corpus"));
    const char *python = access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "/usr/local/bin/python3";
    char count[16];
    snprintf(count, sizeof count, "%d", PICTURES);
    const char *const look[] = {python, "-c", "import PIL", NULL};
    test_run run = test_run_program(look, NULL, NULL);
    bool able = run.status == 0;
    test_run_free(&run);
    if (!able) {
        printf("skipped: memes are drawn with Pillow (apt-get install python3-pil)\n");
        skip();
    }
    char *generator = test_shared("memes/make-corpus");
    const char *const make[] = {python, generator, folder, "--count", count, NULL};
    run = test_run_program(make, NULL, NULL);
    free(generator);
    if (run.status != 0)
        fail_msg("no memes were made: %s", run.err.data ? run.err.data : "");
    test_run_free(&run);
}

static lens_image picture(const char *folder, const char *name, size_t length)
{
    char *path = test_path(folder, "%.*s", (int)length, name);
    lens_buffer bytes = test_read(path);
    lens_decode_limits limits = lens_decode_limits_default();
    lens_image image;
    lens_error error = {0};
    assert_done(lens_decode(bytes.data, bytes.size, &limits, &image, NULL, &error), &error);
    lens_buffer_free(&bytes);
    free(path);
    return image;
}

static void test_captions_are_read(void **state)
{
    char *folder = *state;
    make_memes(folder);
    lens_error error = {0};
    lens_reader *reader = lens_reader_open("eng", &error);
    if (!reader) {
        printf("skipped: %s\n", error.message);
        skip();
    }
    char *path = test_path(folder, "captions.tsv");
    lens_buffer table = test_read(path);
    size_t wanted = 0, right = 0, read = 0, pictures = 0;
    for (const char *line = strchr(table.data, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        const char *name = line + 1, *caption = strchr(name, '\t') + 1;
        lens_image image = picture(folder, name, (size_t)(caption - 1 - name));
        lens_buffer text = {0};
        assert_done(lens_reader_read(reader, &image, &text, NULL, &error), &error);
        words drawn = words_of(caption, strcspn(caption, "\n")), found = words_of(text.data ? text.data : "", text.size);
        wanted += drawn.count;
        read += found.count;
        right += count_found(&drawn, &found);
        pictures++;
        lens_buffer_free(&text);
        lens_image_free(&image);
    }
    double share = (double)right / (double)wanted;
    printf("measured: %.3f of %zu words of captions are read in %zu memes by %s, and %zu other words\n", share, wanted, pictures,
           lens_reader_version(reader), read - right);
    assert_int_equal(pictures, PICTURES);
    assert_true(wanted > 300);
    /* A word that is read wrong is missing and another too. */
    assert_true(share > 0.9);
    assert_true((double)(read - right) / (double)wanted < 0.12);
    lens_buffer_free(&table);
    free(path);
    lens_reader_free(reader);
}

static int set_up(void **state)
{
    *state = test_folder_new();
    return 0;
}

static int tear_down(void **state)
{
    test_folder_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_captions_are_read, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
