/* src/captions: files of captions that are tables, their encodings, and what is wrong with whole files. */
#include "captions.h"
#include "support.h"

#include <unistd.h>

/* A literal and its size, with all the NULs that are in it. */
#define BYTES(literal) literal, sizeof literal - 1

static void test_tables_with_names(void **state)
{
    (void)state;
    test_captions_expect("file\tcaption\na.jpg\tA dog\nsub/b.png\tTwo  cats \n", "a.jpg|A dog;sub/b.png|Two  cats;", "");
    test_captions_expect("Caption,Image URL\r\n\"one, \"\"two\"\"\r\nthree\",https://x.example/a.jpg?s=1\r\n",
                         "https://x.example/a.jpg?s=1|one, \"two\"\r\nthree;", "");
    test_captions_expect("image;text\na.jpg;x, y\nb.jpg;z\n", "a.jpg|x, y;b.jpg|z;", "");
    test_captions_expect("image_name| comment_number| comment\n1.jpg| 0| Two men .\n1.jpg| 1| Again .\n", "1.jpg|Two men .;1.jpg|Again .;", "");
    /* Every column of texts gives a caption; those without a name that is known give none. */
    test_captions_expect("id,filename,title,ocr_text,likes\n1,a.jpg,T,O,5\n2,b.jpg,,O2,6\n", "a.jpg|T;a.jpg|O;b.jpg|O2;", "");
    /* The address is in the column that holds addresses. */
    test_captions_expect("image,url,text\n17,http://x.example/17.jpg,hi\n18,http://x.example/18.jpg,ho\n",
                         "http://x.example/17.jpg|hi;http://x.example/18.jpg|ho;", "");
    test_captions_expect("key\ttext\nabc\tno ending\n", "abc|no ending;", "");
    test_captions_expect("file\tcaption\n", "", "t: no caption in it\n");
}

static void test_tables_without_names(void **state)
{
    (void)state;
    test_captions_expect("a.jpg\tA dog\nb.jpg\tA cat", "a.jpg|A dog;b.jpg|A cat;", "");
    test_captions_expect("1,a.JPEG,A dog that runs\n2,b.jpeg,A cat\n", "a.JPEG|A dog that runs;b.jpeg|A cat;", "");
    test_captions_expect("1_2.jpg#0\tA child .\n1_2.jpg#1\tA girl .\n", "1_2.jpg|A child .;1_2.jpg|A girl .;", "");
    /* Whatever ending a walk takes for a picture's. */
    test_captions_expect("x.hif\tA dog\n", "x.hif|A dog;", "");
    test_captions_expect("x.j2k#0\tA dog\nhttps://x.example/y.JPE?s=1\tA cat\n", "x.j2k|A dog;https://x.example/y.JPE?s=1|A cat;", "");
    test_captions_expect("file\ttext\nx.jpg#0\tA dog\nx.jpg#0#1\tA cat\n", "x.jpg|A dog;x.jpg#0#1|A cat;", ""); /* a number once */
    test_captions_expect("a.jpg\ttitle\n", "a.jpg|title;", ""); /* no name of a column */
    test_captions_expect("[x].jpg\tA dog\n", "[x].jpg|A dog;", ""); /* no JSON */
    /* Names in words that are not known are no caption. */
    test_captions_expect("Datei\tWas darauf ist\na.jpg\tA dog\nb.jpg\tA cat\n", "a.jpg|A dog;b.jpg|A cat;",
                         "t: line 1: taken for the names of the columns\n");
    test_captions_expect("filename\tBeschreibung\na.jpg\tA dog\n", "a.jpg|A dog;", "t: line 1: taken for the names of the columns\n");
    /* As many columns as most rows have. */
    test_captions_expect("a.jpg\nb.jpg\tx\nc.jpg\ty\n", "b.jpg|x;c.jpg|y;", "t: line 1: fewer cells than there are columns; left out\n");
}

/* Excel's first line, which says what stands between the cells of the others. */
static void test_a_separator_that_is_told(void **state)
{
    (void)state;
    test_captions_expect("sep=;\r\nfile;caption;author\r\na.jpg;A dog, asleep;me\r\n", "a.jpg|A dog, asleep;", "");
    test_captions_expect("\"SEP=,\"\nfile,caption\na.jpg,A dog\n", "a.jpg|A dog;", "");
    test_captions_expect("sep=\t\na.jpg\tA dog\nb.jpg\tA cat\n", "a.jpg|A dog;b.jpg|A cat;", "");
    test_captions_expect("sep=^\nfile^caption\na.jpg^A dog\nb.jpg\n", "a.jpg|A dog;", "t: line 4: fewer cells than there are columns; left out\n");
}

/* One "#0" is looked behind, not one after the other, each a call deeper. */
static void test_a_name_of_many_numbers(void **state)
{
    (void)state;
    enum { NUMBERS = 2000000 };
    lens_buffer table = {0}, given = {0};
    assert_int_equal(lens_buffer_print(&table, "file\tcaption\n"), 0);
    for (int i = 0; i < NUMBERS; i++)
        assert_int_equal(lens_buffer_append(&given, "#0", 2), 0);
    assert_int_equal(lens_buffer_append(&table, given.data, given.size), 0);
    assert_int_equal(lens_buffer_print(&table, "\tA dog\n"), 0);
    assert_int_equal(lens_buffer_print(&given, "|A dog;"), 0);
    test_captions_expect(table.data, given.data, "");
    lens_buffer_free(&table);
    lens_buffer_free(&given);
}

static void test_columns_that_are_told(void **state)
{
    (void)state;
    static const char text[] = "id\tpicture\tmine\tcaption\n1\ta.jpg\tM\tC\n";
    lens_error err;
    test_captions heard = test_captions_of(text, strlen(text), &(lens_caption_options){.text_column = "mine"}, 0, &err);
    assert_string_equal(heard.given.data, "a.jpg|M;");
    test_captions_free(&heard);
    heard = test_captions_of(text, strlen(text), &(lens_caption_options){.file_column = "id", .text_column = "caption"}, 0, &err);
    assert_string_equal(heard.given.data, "1|C;");
    test_captions_free(&heard);
    heard = test_captions_of("p\tx\ty\nq\tz\tw\n", 12, &(lens_caption_options){.file_column = "1", .text_column = "3"}, 0, &err);
    assert_string_equal(heard.given.data, "p|y;q|w;");
    test_captions_free(&heard);
    heard = test_captions_of(text, strlen(text), &(lens_caption_options){.text_column = "none"}, -1, &err);
    assert_says(&err, "t: no columns of pictures and none in it");
    test_captions_free(&heard);
}

static void test_what_cannot_be_guessed(void **state)
{
    (void)state;
    static const char *const texts[] = {"one\ttwo\nthree\tfour\n", "a.jpg\nb.jpg\n", "\x89PNG\r\n\x1a\n????", "words"};
    for (size_t i = 0; i < 4; i++) {
        lens_error err;
        test_captions heard = test_captions_of(texts[i], strlen(texts[i]), NULL, -1, &err);
        assert_int_equal(err.code, LENS_E_FORMAT);
        assert_says(&err, "cannot tell which of its columns");
        assert_string_equal(heard.given.data, "");
        test_captions_free(&heard);
    }
    test_captions_expect("", "", "t: no caption in it\n");
    test_captions_expect("\n \n", "", "t: no caption in it\n");
}

static void test_rows_that_are_left_out(void **state)
{
    (void)state;
    test_captions_expect("file\tcaption\na.jpg\nb.jpg\tB\tmore\n\tnameless\nc.jpg\t\nd.jpg\tD\t\t\n", "d.jpg|D;",
                         "t: line 2: fewer cells than there are columns; left out\n"
                         "t: line 3: more cells than there are columns; left out\n"
                         "t: line 4: a caption that names no picture; left out\n");
    test_captions_expect_bytes(BYTES("file\tcaption\na.jpg\tA\0B\nb.jpg\tB\n"), "b.jpg|B;", "t: line 2: a NUL byte; left out\n");
    test_captions_expect("file\tcaption\tocr\na.jpg\tA\n", "a.jpg|A;", ""); /* what is there is taken */
    test_captions_expect("file,caption\na.jpg,\"A\nb.jpg,B\nc.jpg,C\n", "a.jpg|\"A;b.jpg|B;c.jpg|C;",
                         "t: line 2: a quote that is never closed; taken for a character\n");
}

static void test_long_lines(void **state)
{
    (void)state;
    static const size_t sizes[] = {LENS_CAPTION_MOST, LENS_CAPTION_MOST + 1};
    for (int i = 0; i < 2; i++) {
        lens_buffer text = {0};
        lens_buffer_print(&text, "file\tcaption\na.jpg\t");
        lens_buffer_reserve(&text, sizes[i]);
        memset(text.data + text.size, 'x', sizes[i]);
        text.size += sizes[i];
        lens_buffer_print(&text, "\nb.jpg\tB\n");
        lens_error err;
        test_captions heard = test_captions_of(text.data, text.size, NULL, 0, &err);
        assert_int_equal(heard.count, 2 - i);
        assert_string_equal(heard.problems.data, i ? "t: line 2: a caption of more than 1 MiB; left out\n" : "");
        test_captions_free(&heard);
        lens_buffer_free(&text);
    }
    /* One line, much longer than what is looked at before. */
    lens_buffer text = {0};
    lens_buffer_append(&text, "a.jpg\tA\t", 8);
    for (int i = 0; i < 6 << 20; i++)
        lens_buffer_append(&text, "\t", 1);
    lens_error err;
    test_captions heard = test_captions_of(text.data, text.size, NULL, 0, &err);
    assert_string_equal(heard.given.data, "a.jpg|A;");
    test_captions_free(&heard);
    lens_buffer_free(&text);
}

static void test_encodings(void **state)
{
    (void)state;
    test_captions_expect("\xef\xbb\xbf" "file\tcaption\na.jpg\t\xc3\xa4\n", "a.jpg|\xc3\xa4;", "");
    test_captions_expect("file\tcaption\na.jpg\t\xe4\x80 \x93x\x94\n", "a.jpg|\xc3\xa4\xe2\x82\xac \xe2\x80\x9cx\xe2\x80\x9d;",
                         "t: not UTF-8; read as Windows-1252\n");
    /* A line that is broken, or of another encoding, leaves the others what they are. */
    test_captions_expect("\xef\xbb\xbf" "file,caption\na.jpg,\xc3\xa4\nb.jpg,caf\xe9\nc.jpg,\xf0\x9f\x98\x80\nd.jpg,D\n",
                         "a.jpg|\xc3\xa4;b.jpg|caf\xc3\xa9;c.jpg|\xf0\x9f\x98\x80;d.jpg|D;", "t: 1 of its lines is not UTF-8; read as Windows-1252\n");
    test_captions_expect_bytes(BYTES("\xff\xfe" "f\0i\0l\0e\0\t\0t\0e\0x\0t\0\n\0a\0.\0j\0p\0g\0\t\0\x3d\xd8\x00\xde"), "a.jpg|\xf0\x9f\x98\x80;",
                               "");
    test_captions_expect_bytes(BYTES("\xfe\xff\0f\0i\0l\0e\0,\0t\0e\0x\0t\0\n\0a\0.\0j\0p\0g\0,\0\xe4"), "a.jpg|\xc3\xa4;", "");
    test_captions_expect_bytes(BYTES("a\0.\0j\0p\0g\0\t\0x\0"), "a.jpg|x;", ""); /* without a mark */
    /* Half a pair of surrogates, and half a unit. */
    test_captions_expect_bytes(BYTES("\xff\xfe" "a\0.\0j\0p\0g\0\t\0\x3d\xd8x\0y"), "a.jpg|\xef\xbf\xbdx\xef\xbf\xbd;",
                               "t: broken UTF-16; what makes no sense became U+FFFD\n");
    test_captions_expect("file\tcaption\ra.jpg\tA\rb.jpg\tB\r", "a.jpg|A;b.jpg|B;", ""); /* an old Mac's */
}

static void test_quotes_in_tables_with_tabs(void **state)
{
    (void)state;
    test_captions_expect("file\tcaption\na.jpg\t\"two\nlines\"\nb.jpg\t\"No\" she said\nc.jpg\t\"open\n",
                         "a.jpg|two\nlines;b.jpg|\"No\" she said;c.jpg|\"open;", "");
}

static void test_stopping(void **state)
{
    (void)state;
    static const char *const texts[] = {"a.jpg\tA\nb.jpg\tB\nc.jpg\tC\n", "{\"a.jpg\":\"A\"}\n{\"b.jpg\":\"B\"}\n{\"c.jpg\":\"C\"}",
        "[{\"file\":\"a.jpg\",\"text\":\"A\"},{\"file\":\"b.jpg\",\"text\":\"B\"},{\"file\":\"c.jpg\",\"text\":\"C\"}]"};
    for (int i = 0; i < 3; i++) {
        test_captions heard;
        lens_caption_visitor visitor = test_captions_visitor(&heard);
        heard.stop_after = 2;
        lens_error err = {0};
        assert_int_equal(lens_captions_parse(texts[i], strlen(texts[i]), LENS_CAPTIONS_ANY, "t", NULL, &visitor, &err), 7);
        assert_string_equal(heard.given.data, "a.jpg|A;b.jpg|B;");
        test_captions_free(&heard);
    }
    lens_caption_visitor silent; /* no one listens to problems */
    test_captions heard;
    silent = test_captions_visitor(&heard);
    silent.problem = NULL;
    assert_int_equal(lens_captions_parse("file\ttext\na.jpg\n", 16, LENS_CAPTIONS_ANY, "t", NULL, &silent, NULL), 0);
    test_captions_free(&heard);
}

static void test_files(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "captions.json"), *none = test_path(folder, "none.tsv");
    test_write(path, "a.jpg\tA dog\nb.jpg\tx\ty\n", 22); /* whatever it is called */
    test_captions heard;
    lens_caption_visitor visitor = test_captions_visitor(&heard);
    lens_error err = {0};
    assert_done(lens_captions_read(path, NULL, &visitor, &err), &err);
    assert_string_equal(heard.given.data, "a.jpg|A dog;");
    char expected[600];
    snprintf(expected, sizeof expected, "%s: line 2: more cells than there are columns; left out\n", path);
    assert_string_equal(heard.problems.data, expected);
    assert_int_equal(lens_captions_read(none, NULL, &visitor, &err), -1);
    assert_int_equal(err.code, LENS_E_MISSING);
    assert_says(&err, "none.tsv: No such file");
    assert_int_equal(lens_captions_read(folder, NULL, &visitor, &err), -1);
    assert_says(&err, "is a folder");
    /* Larger than what is read at all, though it holds nothing. */
    assert_int_equal(truncate(path, (off_t)LENS_CAPTION_FILE_MOST + 1), 0);
    assert_int_equal(lens_captions_read(path, NULL, &visitor, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    test_captions_free(&heard);
    free(path);
    free(none);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_with_names), cmocka_unit_test(test_tables_without_names), cmocka_unit_test(test_a_separator_that_is_told),
        cmocka_unit_test(test_a_name_of_many_numbers),
        cmocka_unit_test(test_columns_that_are_told),
        cmocka_unit_test(test_what_cannot_be_guessed), cmocka_unit_test(test_rows_that_are_left_out), cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_encodings), cmocka_unit_test(test_quotes_in_tables_with_tabs), cmocka_unit_test(test_stopping),
            cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
