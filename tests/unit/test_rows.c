/* src/base/rows.c: tables, a row at a time. */
#include "base/rows.h"
#include "support.h"

/* Every row of TEXT: its line, its cells between brackets, and what is to be said of it. The caller frees. */
static char *all(const char *text, size_t size, char separator, lens_rows_quotes quotes)
{
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    lens_buffer out = {0};
    lens_rows rows;
    lens_rows_start(&rows, copy, size, separator, quotes);
    int got;
    while ((got = lens_rows_next(&rows)) == 1) {
        lens_buffer_print(&out, "%zu", rows.line);
        for (size_t i = 0; i < rows.count; i++)
            lens_buffer_print(&out, "[%s]", rows.cells[i]);
        lens_buffer_print(&out, "%s%s;", rows.nul ? " nul" : "", rows.unclosed ? " unclosed" : "");
    }
    assert_int_equal(got, 0);
    lens_rows_free(&rows);
    free(copy);
    lens_buffer_append(&out, "", 0);
    return out.data;
}

static void expect(const char *text, char separator, lens_rows_quotes quotes, const char *rows)
{
    char *got = all(text, strlen(text), separator, quotes);
    assert_string_equal(got, rows);
    free(got);
}

static void test_plain(void **state)
{
    (void)state;
    expect("", '\t', LENS_ROWS_PLAIN, "");
    expect("\n\r\n\r", '\t', LENS_ROWS_PLAIN, "");
    expect("\xef\xbb\xbf" "a\tb\r\n\n c \t\td", '\t', LENS_ROWS_PLAIN, "1[a][b];3[c][][d];");
    expect("a\t\n\tb", '\t', LENS_ROWS_PLAIN, "1[a][];2[][b];");
    expect("a\t", '\t', LENS_ROWS_PLAIN, "1[a][];");
    expect(" \n  \r\n \t\n ", '\t', LENS_ROWS_PLAIN, "3[][];");
    expect("\"a\tb\"\"", '\t', LENS_ROWS_PLAIN, "1[\"a][b\"\"];");
    expect("a\rb\tc\r", '\t', LENS_ROWS_PLAIN, "1[a\rb][c];");
}

static void test_csv(void **state)
{
    (void)state;
    expect("a,\"b, \"\"c\"\"\"\n", ',', LENS_ROWS_CSV, "1[a][b, \"c\"];");
    expect("a,\"b\r\nc\",d\r\ne", ',', LENS_ROWS_CSV, "1[a][b\r\nc][d];3[e];");
    expect("a;\" b \" ;\"\"\r\n", ';', LENS_ROWS_CSV, "1[a][ b ][];");
    expect("a, \"b\"c\"d , e\"f\"", ',', LENS_ROWS_CSV, "1[a][bc\"d][e\"f\"];");
    expect("\"\"", ',', LENS_ROWS_CSV, "1[];");
}

/* A quote that is never closed costs its own row, and no row after it. */
static void test_quotes_that_are_never_closed(void **state)
{
    (void)state;
    expect("a,\"b\nc,d\ne,f", ',', LENS_ROWS_CSV, "1[a][\"b] unclosed;2[c][d];3[e][f];");
    expect("a,\"b\n\"c\",d\n\"e,f", ',', LENS_ROWS_CSV, "1[a][b\nc\"][d];3[\"e][f] unclosed;");
    expect("\"", ',', LENS_ROWS_CSV, "1[\"] unclosed;");
}

static void test_quotes_between_tabs(void **state)
{
    (void)state;
    expect("a\t\"b \"\"c\"\"\"\r\nd\t\"e\"", '\t', LENS_ROWS_TSV, "1[a][b \"c\"];2[d][e];");
    expect("a\t\"b\nc\"\nd\te", '\t', LENS_ROWS_TSV, "1[a][b\nc];3[d][e];");
    expect("a\t\"b\" he said\n\"c\td\"", '\t', LENS_ROWS_TSV, "1[a][\"b\" he said];2[\"c][d\"];");
    expect("a\t\"b\nc\td\"\n", '\t', LENS_ROWS_TSV, "1[a][\"b];2[c][d\"];");
    expect("a\t\"b\nc", '\t', LENS_ROWS_TSV, "1[a][\"b];2[c];");
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    char *got = all("a\tb\0c\nd\te\n\0", 12, '\t', LENS_ROWS_TSV);
    assert_string_equal(got, "1[a][b] nul;2[d][e];3[] nul;");
    free(got);
    got = all("\"a\0b\",c\nd", 9, ',', LENS_ROWS_CSV);
    assert_string_equal(got, "1[a][c] nul;2[d];");
    free(got);
}

static void test_a_row_of_very_many_cells(void **state)
{
    (void)state;
    lens_buffer text = {0};
    for (int i = 0; i < LENS_ROWS_CELLS + 10; i++)
        lens_buffer_append(&text, i % 2 ? "\t" : "x\t", i % 2 ? 1 : 2);
    lens_rows rows;
    lens_rows_start(&rows, text.data, text.size, '\t', LENS_ROWS_PLAIN);
    assert_int_equal(lens_rows_next(&rows), 1);
    assert_int_equal(rows.count, LENS_ROWS_CELLS);
    assert_int_equal(rows.more, 5);
    assert_string_equal(rows.cells[LENS_ROWS_CELLS - 2], "x");
    lens_rows_free(&rows);
    lens_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_csv), cmocka_unit_test(test_quotes_that_are_never_closed),
        cmocka_unit_test(test_quotes_between_tabs), cmocka_unit_test(test_bytes_that_are_no_text), cmocka_unit_test(test_a_row_of_very_many_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
