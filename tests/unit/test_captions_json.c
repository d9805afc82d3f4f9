/* src/captions/json.c: captions in JSON. */
#include "captions.h"
#include "support.h"

static void test_records(void **state)
{
    (void)state;
    test_captions_expect("[{\"file\": \"a.jpg\", \"caption\": \"A dog\"}, "
                         "{\"image_url\": \"https://x.example/b.png\", \"ocr\": \"WOW\", \"likes\": 3}]",
                         "a.jpg|A dog;https://x.example/b.png|WOW;", "");
    test_captions_expect("[{\"filename\":\"a.jpg\",\"captions\":[\"one\",\"two\"],\"title\":null,\"tags\":[\"x\",\"y\"]}]",
                         "a.jpg|one;a.jpg|two;a.jpg|x, y;", "");
    /* The hateful memes' form, an object a line, and another whose sentences are objects. */
    test_captions_expect("{\"id\":1,\"img\":\"img/1.png\",\"label\":0,\"text\":\"a\"}\n{\"id\":2,\"img\":\"img/2.png\",\"text\":\"b\"}\n",
                         "img/1.png|a;img/2.png|b;", "");
    test_captions_expect("{\"images\":[{\"filename\":\"a.jpg\",\"sentences\":["
                         "{\"tokens\":[\"x\"],\"raw\":\"One.\"},{\"raw\":\"Two.\"}]}],\"dataset\":\"d\"}",
                         "a.jpg|One.;a.jpg|Two.;dataset|d;", "");
    test_captions_expect("{\"data\": {\"memes\": [{\"name\": \"x\", \"url\": \"a.jpg\", \"text\": \"T\"}]}}", "a.jpg|T;", "");
    test_captions_expect("[[\"a.jpg\", \"one\", \"two\"], [\"words\", \"more\"]]", "a.jpg|one;a.jpg|two;",
                         "t: line 1: a string that belongs to no picture; left out\nt: line 1: a string that belongs to no picture; left out\n");
    test_captions_expect("[]", "", "t: no caption in it\n");
}

static void test_names_as_keys(void **state)
{
    (void)state;
    test_captions_expect("{\"a.jpg\": \"A dog\", \"b.jpg\": [\"one\", \"two\"], \"c.jpg\": {\"caption\": \"C\"}, \"a.jpg\": \"again\"}",
                         "a.jpg|A dog;b.jpg|one;b.jpg|two;c.jpg|C;a.jpg|again;", "");
    test_captions_expect("{\"1\": \"x\"}", "1|x;", "");
}

static void test_templates(void **state)
{
    (void)state;
    test_captions_expect("[{\"name\": \"Drake\", \"generated_memes\": [{\"caption_text\": \"no\", \"image_url\": \"https://i.example/a.jpg\"},"
                         "{\"caption_text\": \"\", \"image_url\": \"https://i.example/b.jpg\"}]},"
                         "{\"generated_memes\": [{\"caption_text\": \"yes\", \"image_url\": \"https://i.example/c.jpg\"}, 5], \"name\": \"Doge\"}]",
                         "https://i.example/a.jpg|Drake - no;https://i.example/c.jpg|Doge - yes;", "t: line 1: no object; left out\n");
    test_captions_expect("{\"all\": {\"Drake\": {\"name\": \"Drake\", "
                         "\"generated_memes\": [{\"caption_text\": \"no\", \"image_url\": \"a.jpg\"}]}}}", "a.jpg|Drake - no;", "");
}

static void test_coco(void **state)
{
    (void)state;
    test_captions_expect("{\"info\": {\"year\": 2017}, \"annotations\": [{\"image_id\": 7, \"id\": 1, \"caption\": \"Seven\"}, "
                         "{\"image_id\": 8, \"caption\": \"x\"},\n"
                         "{\"image_id\": \"s\", \"caption\": \"S\"}, {\"image_id\": 7, \"caption\": \"again\"}],"
                         "\"images\": [{\"id\": 7, \"file_name\": \"7.jpg\"}, {\"file_name\": \"s.jpg\", \"id\": \"s\"}, {\"id\": 9}]}",
                         "7.jpg|Seven;s.jpg|S;7.jpg|again;",
                             "t: line 2: an image without id and file_name; left out\nt: line 1: an annotation of no image; left out\n");
}

static void test_members_that_are_told(void **state)
{
    (void)state;
    static const char text[] = "[{\"file\": \"a.jpg\", \"pic\": \"b.jpg\", \"caption\": \"C\", \"mine\": \"M\"}]";
    lens_error err;
    test_captions heard = test_captions_of(text, strlen(text), &(lens_caption_options){.file_column = "pic", .text_column = "mine"}, 0, &err);
    assert_string_equal(heard.given.data, "b.jpg|M;");
    test_captions_free(&heard);
}

static void test_strings(void **state)
{
    (void)state;
    test_captions_expect("{\"a.jpg\": \"\\u00e4\\ud83d\\ude00\\n\\\"x\\\"\"}", "a.jpg|\xc3\xa4\xf0\x9f\x98\x80\n\"x\";", "");
    test_captions_expect("[{\"file\":\"a.jpg\",\"text\":\"\\u0000x\"},{\"file\":\"b.jpg\",\"text\":\"\\ud800\"},"
                         "{\"file\":\"\\q\",\"text\":\"x\"},{\"file\":\"c.jpg\",\"text\":\"C\"}]",
                         "c.jpg|C;",
                             "t: line 1: a string that JSON does not allow; left out\nt: line 1: a string that JSON does not allow; left out\n"
                                     "t: line 1: a string that JSON does not allow; left out\n");
    static const char nul[] = "{\"a.jpg\": \"x\0y\", \"b.jpg\": \"B\"}";
    test_captions_expect_bytes(nul, sizeof nul - 1, "b.jpg|B;", "t: line 1: a string that JSON does not allow; left out\n");
    test_captions_expect("{\"a.jpg\": \"\xe4\"}", "a.jpg|\xc3\xa4;", "t: not UTF-8; read as Windows-1252\n");
}

static void test_records_that_are_left_out(void **state)
{
    (void)state;
    test_captions_expect("[{\"text\": \"x\"},\n{\"file\": \"a.jpg\"},\n{\"file\": \"a.jpg\", \"file\": \"b.jpg\", \"text\": \"x\"},\n"
                         "{\"file\": \"a.jpg\", \"text\": 5},\n7,\n{\"file\": \"a.jpg\", \"text\": \"A\", \"text\": \"B\"}]",
                         "a.jpg|A;a.jpg|B;",
                         "t: line 1: a caption that names no picture; left out\nt: line 2: an object without a caption; left out\n"
                         "t: line 3: an object that names two pictures; left out\nt: line 4: a caption that is no string; left out\n"
                         "t: line 5: neither a picture nor a caption; left out\n");
    test_captions_expect("{\"file\":\"a.jpg\",\"caption\":{\"en\":\"A dog\",\"de\":\"Ein Hund\"}}\n{\"file\":\"b.jpg\",\"captions\":[{\"raw\":\"\"},{}]}\n", "",
                         "t: line 1: a caption that is an object without one; left out\nt: line 2: a caption that is an object without one; left out\n");
}

/* What is broken costs as little as can be, and is told. */
static void test_broken(void **state)
{
    (void)state;
    static const char bad[] = "bad JSON; what follows there is left out\n";
    char problem[200];
    snprintf(problem, sizeof problem, "t: line 2: %s", bad);
    test_captions_expect("{\"file\":\"a.jpg\",\"text\":\"A\"}\n{\"file\":\"b.jpg\",\"text\":\"B}\n{\"file\":\"c.jpg\",\"text\":\"C\"}\n",
                         "a.jpg|A;c.jpg|C;", problem);
    test_captions_expect("{\"file\":\"a.jpg\",\"text\":\"A}\n{\"file\":\"c.jpg\",\"text\":\"C\"}\n", "c.jpg|C;",
                         "t: line 1: bad JSON; what follows there is left out\n");
    test_captions_expect("[{\"file\":\"a.jpg\",\"text\":\"A\"},\n{\"file\":\"b.jpg\",\"te", "a.jpg|A;", problem);
    test_captions_expect("[{\"file\":\"a.jpg\",\"text\":\"A\"}\n{\"file\":\"b.jpg\",\"text\":\"B\"}]", "a.jpg|A;", problem);
    test_captions_expect("[{\"file\":\"a.jpg\",\n\"text\" \"A\"}, {\"file\":\"b.jpg\",\"text\":\"B\"}]", "b.jpg|B;",
                         problem);
    test_captions_expect("{\"a.jpg\": \"A\"}\n,", "a.jpg|A;", problem);
    /* Inside of what is gone into further. */
    snprintf(problem, sizeof problem, "t: line 1: %s", bad);
    test_captions_expect("{\"file\": \"a.jpg\", \"captions\": [\"x\" \"y\"]}", "a.jpg|x;", problem);
    test_captions_expect("{\"generated_memes\": [{\"url\": \"a.jpg\", \"text\": \"A\"}; 1]}", "a.jpg|A;", problem);
    test_captions_expect("{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}; 1], \"annotations\": [{\"image_id\": 1, \"text\": \"A\"}]}",
                         "a.jpg|A;", problem);
    test_captions_expect("{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}], \"annotations\": [{\"image_id\": 1, \"text\": \"A\"}; 1]}",
                         "a.jpg|A;", problem);
    test_captions_expect("[[", "", "t: line 1: bad JSON; what follows there is left out\n");
    test_captions_expect("{\"a.jpg\": \"A\"} trash", "a.jpg|A;", "t: line 1: neither an object nor an array; left out\n");
    test_captions_expect("[{]}", "", "t: line 1: bad JSON; what follows there is left out\nt: line 1: bad JSON; what follows there is left out\n");
}

static void test_depth(void **state)
{
    (void)state;
    lens_buffer text = {0};
    for (int i = 0; i < 1000000; i++)
        lens_buffer_append(&text, i % 2 ? "{\"a\":" : "[", i % 2 ? 5 : 1);
    lens_error err;
    test_captions heard = test_captions_of(text.data, text.size, NULL, 0, &err);
    assert_string_equal(heard.given.data, "");
    assert_true(heard.problems.size > 0 && heard.problems.size < 10000);
    test_captions_free(&heard);
    text.size = 0;
    for (int i = 0; i < 100; i++)
        lens_buffer_print(&text, "[{\"file\":\"%d.jpg\",\"text\":\"T\"},", i);
    lens_buffer_print(&text, "0");
    for (int i = 0; i < 100; i++)
        lens_buffer_append(&text, "]", 1);
    heard = test_captions_of(text.data, text.size, NULL, 0, &err);
    assert_int_equal(heard.count, 64);
    static const char deep[] = "t: line 1: nested more than 64 deep; left out\n"; /* a record, and an array */
    assert_int_equal(heard.problems.size, 2 * strlen(deep));
    assert_memory_equal(heard.problems.data, deep, strlen(deep));
    test_captions_free(&heard);
    text.size = 0;
    lens_buffer_print(&text, "[{\"file\":\"a.jpg\",\"captions\":");
    for (int i = 0; i < 200000; i++)
        lens_buffer_append(&text, "[", 1);
    for (int i = 0; i < 200000; i++)
        lens_buffer_append(&text, "]", 1);
    lens_buffer_print(&text, "},{\"file\":\"b.jpg\",\"text\":\"B\"}]");
    heard = test_captions_of(text.data, text.size, NULL, 0, &err);
    assert_string_equal(heard.given.data, "b.jpg|B;");
    assert_string_equal(heard.problems.data, "t: line 1: nested too deeply; left out\n");
    test_captions_free(&heard);
    lens_buffer_free(&text);
}

static void test_a_long_text(void **state)
{
    (void)state;
    lens_buffer text = {0};
    lens_buffer_print(&text, "{\"a.jpg\":\"");
    for (int i = 0; i < LENS_CAPTION_MOST / 2 + 1; i++)
        lens_buffer_append(&text, "\\u00e4", 6);
    lens_buffer_print(&text, "\",\"b.jpg\":\"B\"}");
    test_captions_expect_bytes(text.data, text.size, "b.jpg|B;", "t: line 1: a caption of more than 1 MiB; left out\n");
    lens_buffer_free(&text);
}

/* COUNT times MIDDLE between HEAD with a name of 8 MB for its %s and TAIL. */
static lens_buffer json_of_a_long_name(const char *head, const char *middle, int count, const char *tail)
{
    enum { NAME = 8 << 20 };
    lens_buffer json = {0};
    const char *place = strstr(head, "%s");
    lens_buffer_append(&json, head, (size_t)(place - head));
    assert_int_equal(lens_buffer_reserve(&json, NAME), 0);
    memset(json.data + json.size, 'n', NAME);
    json.size += NAME;
    lens_buffer_print(&json, "%s", place + 2);
    for (int i = 0; i < count; i++)
        lens_buffer_print(&json, "%s%s", i ? "," : "", middle);
    lens_buffer_print(&json, "%s", tail);
    return json;
}

/* What goes with each of many captions is not as long as the file: it would be terabytes of copies. */
static void test_a_long_name_of_many_captions(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    static const char told[] = "t: line 1: a picture's name of more than 4 KiB; left out\n", template[] = "t: line 1: a template's name of more than 4 KiB; left out\n";
    static const char *const files[][3] = {
        {"{\"%s.jpg\": [", "\"T\"", "]}"},
        {"{\"file\": \"%s.jpg\", \"captions\": [", "\"T\"", "]}"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"%s.jpg\"}], \"annotations\": [", "{\"image_id\": 1, \"caption\": \"T\"}", "]}"},
        {"{\"%s.jpg\": [", "[\"T\"]", "]}"},
        {"{\"%s.jpg\": [", "{\"caption\": \"T\"}", "]}"},
    };
    lens_error err;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        lens_buffer json = json_of_a_long_name(files[i][0], files[i][1], MANY, files[i][2]);
        test_captions heard = test_captions_of(json.data, json.size, NULL, 0, &err);
        assert_int_equal(heard.count, 0);
        assert_true(i >= 3 || heard.problems.size == MANY * strlen(told));
        assert_true(i >= 3 || memcmp(heard.problems.data, told, strlen(told)) == 0);
        test_captions_free(&heard);
        lens_buffer_free(&json);
    }
    /* The captions of a template are taken without its name. */
    lens_buffer json = json_of_a_long_name("{\"name\": \"%s\", \"generated_memes\": [", "{\"url\": \"a.jpg\", \"text\": \"T\"}", MANY, "]}");
    test_captions heard = test_captions_of(json.data, json.size, NULL, 0, &err);
    assert_int_equal(heard.count, MANY);
    assert_int_equal(heard.given.size, MANY * strlen("a.jpg|T;"));
    assert_string_equal(heard.problems.data, template);
    test_captions_free(&heard);
    lens_buffer_free(&json);
}

/* Whoever hears of what is left out can end the reading, too. */
static void test_an_end_at_a_problem(void **state)
{
    (void)state;
    static const char *const files[] = {
        "[{\"file\":\"a.jpg\",\"text\":1},{\"file\":\"a.jpg\",\"text\":1},{\"file\":\"a.jpg\",\"text\":\"A\"}]",
        "{\"file\":\"a.jpg\",\"text\":1}\n{\"file\":\"a.jpg\",\"text\":1}\n{\"file\":\"a.jpg\",\"text\":\"A\"}",
        "[{\"file\":\"a.jpg\",\"text\":\"\\q\"},{\"file\":\"a.jpg\",\"text\":\"\\q\"},{\"file\":\"a.jpg\",\"text\":\"A\"}]",
        "{\"generated_memes\":[1,1,{\"file\":\"a.jpg\",\"text\":\"A\"}]}",
        "{\"images\":[{\"id\":1,\"file_name\":\"a.jpg\"}],\"annotations\":[1,1,{\"image_id\":1,\"text\":\"A\"}]}",
        "{\"images\":[1,1,{\"id\":1,\"file_name\":\"a.jpg\"}],\"annotations\":[{\"image_id\":1,\"text\":\"A\"}]}",
        "{\"\\q\":1,\"\\q\":1,\"a.jpg\":\"A\"}",
        "[[1,1],[\"a.jpg\",\"A\"]]",
        "file\tcaption\na.jpg\na.jpg\na.jpg\tA\n",
        "file\tcaption\n\tA\n\tA\na.jpg\tA\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        for (int last = 0; last < 2; last++) {
            test_captions heard;
            lens_caption_visitor visitor = test_captions_visitor(&heard);
            lens_error err = {0};
            heard.stop_after_problems = last ? 2 : 3; /* of which there is none */
            const int got = lens_captions_parse(files[i], strlen(files[i]), LENS_CAPTIONS_ANY, "t", NULL, &visitor, &err);
            if (got != (last ? 8 : 0) || heard.problem_count != 2 || heard.count != (size_t)!last)
                fail_msg("%s: %d, %d problems, %zu captions", files[i], got, heard.problem_count, heard.count);
            test_captions_free(&heard);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_names_as_keys), cmocka_unit_test(test_templates), cmocka_unit_test(test_coco),
        cmocka_unit_test(test_members_that_are_told), cmocka_unit_test(test_strings), cmocka_unit_test(test_records_that_are_left_out),
        cmocka_unit_test(test_broken), cmocka_unit_test(test_depth), cmocka_unit_test(test_a_long_text),
        cmocka_unit_test(test_a_long_name_of_many_captions), cmocka_unit_test(test_an_end_at_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
