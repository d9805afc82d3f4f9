/* src/compare/tsv.c: tables as people write them. */
#include "compare/tsv.h"
#include "support.h"

static lens_tsv parse(const char *text)
{
    lens_tsv table;
    lens_error err = {0};
    assert_done(lens_tsv_parse(text, strlen(text), "t.tsv", &table, &err), &err);
    return table;
}

static void test_a_table(void **state)
{
    (void)state;
    lens_tsv table = parse("\xef\xbb\xbfquery\t expected \tnote\r\n\r\na.jpg\tDoge\r\n\n b c \t\tx\ty\t\nlast\tZ\tn\t \t");
    assert_int_equal(table.columns, 3);
    assert_string_equal(table.names[1], "expected");
    assert_int_equal(lens_tsv_column(&table, "note"), 2);
    assert_int_equal(lens_tsv_column(&table, "none"), -1);
    assert_int_equal(table.count, 3);
    assert_int_equal(table.rows[0].line, 3);
    assert_string_equal(table.rows[0].cells[1], "Doge");
    assert_string_equal(table.rows[0].cells[2], ""); /* the line ends before */
    assert_int_equal(table.rows[0].extra, 0);
    assert_string_equal(table.rows[1].cells[0], "b c");
    assert_string_equal(table.rows[1].cells[1], "");
    assert_int_equal(table.rows[1].extra, 1);
    assert_int_equal(table.rows[2].extra, 0); /* empty cells behind the last column harm no one */
    lens_tsv_free(&table);
}

static void test_what_is_no_table(void **state)
{
    (void)state;
    lens_tsv table;
    lens_error err = {0};
    assert_int_equal(lens_tsv_parse("", 0, "t.tsv", &table, &err), -1);
    assert_says(&err, "t.tsv: empty");
    assert_int_equal(lens_tsv_parse("a\tb\0c", 5, "t.tsv", &table, &err), -1);
    assert_says(&err, "NUL");
    assert_int_equal(lens_tsv_read("/nowhere/at/all.tsv", &table, &err), -1);
    assert_int_equal(err.code, LENS_E_MISSING);
    table = parse("only a head");
    assert_int_equal(table.count, 0);
    lens_tsv_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_table), cmocka_unit_test(test_what_is_no_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
