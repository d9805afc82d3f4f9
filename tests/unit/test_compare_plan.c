/* src/compare: which pictures, labels and queries an experiment has, and what its verdicts say. */
#include "compare/answer.h"
#include "pictures.h"
#include "support.h"

typedef struct setup {
    char *folder, *pictures, *queries, *labels;
    const char *roots[2];
    lens_compare_options options;
    lens_plan plan;
} setup;

/* Pictures at cats/1, cats/2, dogs/1 and yoda.png; QUERIES and LABELS (may be NULL) are the tables. */
static setup begin(const char *queries, const char *labels)
{
    setup s = {.folder = test_folder_new()};
    static const char *const names[] = {"cats/1.png", "cats/2.png", "dogs/1.png", "yoda.png"};
    s.pictures = test_path(s.folder, "pictures");
    for (unsigned i = 0; i < 4; i++) {
        char *path = test_path(s.pictures, "%s", names[i]), *slash = strrchr(path, '/');
        *slash = '\0';
        assert_int_equal(lens_folder_make(path, NULL), 0);
        *slash = '/';
        test_picture_write(path, TEST_PNG, 16, 16, i);
        free(path);
    }
    s.queries = test_path(s.folder, "q.tsv");
    test_write(s.queries, queries, strlen(queries));
    s.labels = labels ? test_path(s.folder, "l.tsv") : NULL;
    if (labels)
        test_write(s.labels, labels, strlen(labels));
    s.roots[0] = s.pictures;
    return s;
}

/* SETUP must not move any more. */
static void plan(setup *s)
{
    lens_error err = {0};
    s->options = lens_compare_options_default();
    s->options.queries = s->queries;
    s->options.labels = s->labels;
    s->options.pictures = s->roots;
    s->options.picture_count = 1;
    assert_done(lens_plan_make(&s->options, &s->plan, &err), &err);
}

static void end(setup *s)
{
    lens_plan_free(&s->plan);
    free(s->queries);
    free(s->labels);
    free(s->pictures);
    test_folder_remove(s->folder);
}

static const char *label_of(const setup *s, size_t picture)
{
    const int label = s->plan.pictures[picture].label;
    return label == LENS_NO_LABEL ? NULL : s->plan.labels.items[label];
}

static bool noted(const setup *s, const char *words)
{
    for (size_t i = 0; i < json_array_size(s->plan.notes); i++)
        if (strstr(json_string_value(json_array_get(s->plan.notes, i)), words))
            return true;
    return false;
}

static void test_labels_by_names(void **state)
{
    (void)state;
    setup s = begin("query\texpected\na cat\tcats\n", NULL);
    plan(&s);
    assert_int_equal(s.plan.picture_count, 4);
    assert_string_equal(label_of(&s, 0), "cats");
    assert_string_equal(label_of(&s, 1), "cats");
    assert_string_equal(label_of(&s, 2), "dogs");
    assert_string_equal(label_of(&s, 3), "yoda"); /* right in the folder that was named: its own name */
    assert_int_equal(s.plan.labels.count, 3);
    end(&s);
}

static void test_labels_by_a_table(void **state)
{
    (void)state;
    setup s = begin("query\texpected\na cat\tPuss\n", "file\ttemplate\npictures/cats/1.png\tPuss\nyoda.png\tGrogu\nbad\tline\ttoo long\n\tnothing\n");
    plan(&s);
    assert_string_equal(label_of(&s, 0), "Puss");
    assert_string_equal(label_of(&s, 1), "cats"); /* the table does not know it */
    assert_string_equal(label_of(&s, 3), "Grogu"); /* a name without a folder: wherever it lies */
    assert_true(noted(&s, "line 4 and others are malformed"));
    assert_true(s.plan.queries[0].judged);
    end(&s);

    s = begin("query\texpected\na cat\tcats\n", "file\ttemplate\nelsewhere.png\tX\n");
    plan(&s);
    assert_true(noted(&s, "names none of the pictures"));
    end(&s);
}

static void test_queries_and_what_is_said_of_them(void **state)
{
    (void)state;
    setup s = begin("query\texpected\trelated\tnote\n"
                    "pictures/dogs/1.png\tdogs\t\t\n"       /* one of the pictures */
                    "a cat\tcats; dogs\tyoda\tseen once\n"  /* words; two labels */
                    "missing.jpg\tcats\n"                     /* no such file */
                    "a bird\tbirds;cats\n"                    /* one label that no picture has */
                    "a fish\ta blue fish\n"                   /* free words */
                    "anything\t\n"                            /* nothing expected */
                    "one\tcats\t\t\ttoo much\n"            /* malformed */
                    "\tcats\n"                                /* no query */
                    "which one?\tpictures/yoda.png\n",        /* a picture is expected */
                    NULL);
    plan(&s);
    const lens_plan_query *q = s.plan.queries;
    assert_int_equal(s.plan.query_count, 7);
    assert_non_null(q[0].path);
    assert_int_equal(q[0].own, 2);
    assert_true(noted(&s, "left out of its own results"));
    assert_null(q[1].path);
    assert_int_equal(q[1].wanted_count, 2);
    assert_true(lens_plan_wants(&s.plan, &q[1], 0) && lens_plan_wants(&s.plan, &q[1], 2) && !lens_plan_wants(&s.plan, &q[1], 3));
    assert_true(lens_plan_relates(&s.plan, &q[1], 3));
    assert_string_equal(json_string_value(json_object_get(q[1].other, "note")), "seen once");
    assert_string_equal(q[2].error, "no such file");
    assert_false(q[2].judged);
    assert_true(noted(&s, "line 4: missing.jpg: no such file"));
    assert_true(q[3].judged);
    assert_true(noted(&s, "line 5: a bird: no picture here is labelled 'birds'"));
    assert_false(q[4].judged);
    assert_int_equal(json_array_size(q[4].unknown), 1);
    assert_true(noted(&s, "'a blue fish'; the query is asked, but not judged"));
    assert_false(q[5].judged);
    assert_true(noted(&s, "line 8: more cells"));
    assert_true(noted(&s, "line 9: no query"));
    assert_true(q[6].judged && lens_plan_wants(&s.plan, &q[6], 3) && !lens_plan_wants(&s.plan, &q[6], 0));
    end(&s);
}

static void test_no_labels_at_all(void **state)
{
    (void)state;
    setup s = begin("query\na cat\na dog\n", NULL);
    plan(&s);
    assert_int_equal(s.plan.query_count, 2);
    assert_false(s.plan.queries[0].judged);
    assert_true(noted(&s, "no column expected"));
    end(&s);

    s = begin("query\texpected\na cat\tunicorn\n", NULL);
    plan(&s);
    assert_true(noted(&s, "nothing can be judged"));
    end(&s);
}

static void test_tables_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *queries, *labels, *says;
    } cases[] = {{"", NULL, "q.tsv: empty"},
                 {"expected\nX\n", NULL, "one of them query"},
                 {"query\texpected\n", NULL, "no query in it"},
                 {"query\na\n", "name\tthing\n", "l.tsv: its first line must name the columns file and template"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s = begin(cases[i].queries, cases[i].labels);
        lens_error err = {0};
        s.options = lens_compare_options_default();
        s.options.queries = s.queries;
        s.options.labels = s.labels;
        s.options.pictures = s.roots;
        s.options.picture_count = 1;
        assert_int_equal(lens_plan_make(&s.options, &s.plan, &err), -1);
        assert_says(&err, cases[i].says);
        end(&s);
    }
}

static void test_a_sample_repeats(void **state)
{
    (void)state;
    char *drawn[3] = {NULL};
    const uint64_t seeds[3] = {1, 1, 2};
    for (int i = 0; i < 3; i++) {
        setup s = begin("query\na cat\n", NULL);
        lens_error err = {0};
        for (int n = 0; n < 40; n++) {
            char *path = test_path(s.pictures, "more%02d.png", n);
            test_picture_write(path, TEST_PNG, 8, 8, (unsigned)n);
            free(path);
        }
        s.options = lens_compare_options_default();
        s.options.queries = s.queries;
        s.options.pictures = s.roots;
        s.options.picture_count = 1;
        s.options.sample = 10;
        s.options.seed = seeds[i];
        assert_done(lens_plan_make(&s.options, &s.plan, &err), &err);
        assert_int_equal(s.plan.picture_count, 10);
        assert_int_equal(s.plan.found, 44);
        lens_buffer names = {0};
        for (size_t p = 0; p < 10; p++) {
            assert_true(p == 0 || strcmp(s.plan.pictures[p - 1].path, s.plan.pictures[p].path) < 0);
            lens_buffer_print(&names, "%s ", s.plan.pictures[p].path + strlen(s.pictures));
        }
        drawn[i] = names.data;
        end(&s);
    }
    assert_string_equal(drawn[0], drawn[1]);
    assert_string_not_equal(drawn[0], drawn[2]);
    for (int i = 0; i < 3; i++)
        free(drawn[i]);
}

/* ---- verdicts ---- */

static lens_answer answer(size_t rank, double score, size_t a, size_t b, size_t c)
{
    lens_answer out = {.rank = rank, .count = 3, .top = calloc(3, sizeof *out.top)};
    const size_t pictures[3] = {a, b, c};
    assert_non_null(out.top);
    for (int i = 0; i < 3; i++)
        out.top[i] = (lens_answer_hit){pictures[i], score};
    return out;
}

static void test_verdicts(void **state)
{
    (void)state;
    lens_buffer table = {0};
    lens_buffer_print(&table, "query\texpected\trelated\n");
    for (int i = 0; i < 11; i++)
        lens_buffer_print(&table, "query %d\t%s\t%s\n", i, i == 10 ? "unicorn" : "dogs", i == 5 ? "yoda" : "");
    setup s = begin(table.data, NULL);
    lens_buffer_free(&table);
    char *third = test_path(s.pictures, "cats/3.png");
    test_picture_write(third, TEST_PNG, 16, 16, 9);
    free(third);
    plan(&s);
    enum { CAT1, CAT2, CAT3, DOG, YODA };
    lens_answer answers[] = {
        answer(1, 0.9, DOG, CAT1, CAT2),   answer(1, 0.8, DOG, CAT1, CAT2), answer(1, 0.7, DOG, CAT1, CAT2), answer(1, 0.6, DOG, CAT1, CAT2),
        answer(3, 0.1, CAT1, YODA, DOG),   /* good: among the first three */
        answer(40, 0.1, CAT1, CAT2, YODA), /* kinda: related */
        answer(10, 0.9, CAT1, YODA, CAT2), /* kinda: further down */
        answer(11, 0.9, CAT1, YODA, CAT2), /* bad: mixed */
        answer(50, 0.7, CAT1, CAT2, CAT3), /* unexpected: one other label, as sure as the lower quartile of the right ones, 0.7 */
        answer(50, 0.69, CAT1, CAT2, CAT3),/* bad: not as sure */
        answer(0, 0.9, CAT1, CAT2, CAT3),  /* nothing that is here was expected */
    };
    static const lens_verdict expected[] = {LENS_GOOD, LENS_GOOD, LENS_GOOD, LENS_GOOD, LENS_GOOD, LENS_KINDA,
                                            LENS_KINDA, LENS_BAD, LENS_UNEXPECTED, LENS_BAD, LENS_UNJUDGED};
    lens_error err = {0};
    assert_done(lens_answers_judge(&s.plan, answers, &err), &err);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i].verdict != expected[i])
            fail_msg("query %zu is %s, not %s", i, lens_verdict_name(answers[i].verdict), lens_verdict_name(expected[i]));
    assert_string_equal(s.plan.labels.items[lens_answer_taken_for(&s.plan, &answers[8])], "cats");
    assert_string_equal(s.plan.labels.items[lens_query_label(&s.plan, &s.plan.queries[8])], "dogs");

    /* There and back as JSON. */
    json_t *object = lens_answer_to_json(&answers[7]);
    lens_answer back;
    assert_int_equal(lens_answer_from_json(&s.plan, object, &back), 0);
    assert_true(back.rank == 11 && back.count == 3 && back.top[1].picture == YODA && back.top[0].score == 0.9);
    free(back.top);
    json_array_set_new(json_array_get(json_object_get(object, "top"), 0), 0, json_integer(5)); /* no such picture */
    assert_int_equal(lens_answer_from_json(&s.plan, object, &back), -1);
    free(back.top);
    json_decref(object);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        free(answers[i].top);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_by_names),        cmocka_unit_test(test_labels_by_a_table), cmocka_unit_test(test_queries_and_what_is_said_of_them),
        cmocka_unit_test(test_no_labels_at_all),       cmocka_unit_test(test_tables_that_are_refused), cmocka_unit_test(test_a_sample_repeats),
        cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
