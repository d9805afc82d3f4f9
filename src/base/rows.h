/* Tables of text, tab-separated or comma-separated, a row at a time. */
#ifndef LENS_BASE_ROWS_H
#define LENS_BASE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum lens_rows_quotes {
    LENS_ROWS_PLAIN, /* a quote is a character like any other */
    LENS_ROWS_CSV,   /* RFC 4180: "…" may hold separators, line ends and doubled quotes; what stands behind the closing one belongs to the cell */
    /* What spreadsheets and scripts write with tabs: the same, but a quote that is not closed before the next tab, or behind whose closing one the
     * cell goes on, is a character like any other, since most tables with tabs know no quoting. */
    LENS_ROWS_TSV,
} lens_rows_quotes;

enum { LENS_ROWS_CELLS = 4096 }; /* of a row that are kept */

typedef struct lens_rows {
    /* The row that lens_rows_next came to. */
    char **cells; /* [count]; without the blanks around them */
    size_t count;
    size_t line;   /* where it begins, from 1 */
    size_t more;   /* cells beyond LENS_ROWS_CELLS that are not empty */
    bool nul;      /* there is a NUL byte in it: a cell seems to end there */
    bool unclosed; /* one of its quotes is never closed, and was taken for a character */

    char *at, *end;
    size_t next_line, room;
    char separator;
    lens_rows_quotes quotes;
} lens_rows;

/* Begins at the SIZE bytes of TEXT, a byte of its own behind them: cells are cut out of it where they lie. Passes by a byte order mark. */
void lens_rows_start(lens_rows *rows, char *text, size_t size, char separator, lens_rows_quotes quotes);

/* The next row that is not empty: 1; 0 at the end; -1 when memory is short. A row's cells live as long as TEXT, the array of them until the next
 * call. */
int lens_rows_next(lens_rows *rows);

void lens_rows_free(lens_rows *rows);

#endif
