#include "base/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

void lens_rows_start(lens_rows *rows, char *text, size_t size, char separator, lens_rows_quotes quotes)
{
    *rows = (lens_rows){.at = text, .end = text + size, .next_line = 1, .separator = separator, .quotes = quotes};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        rows->at += 3;
}

static int add_cell(lens_rows *rows, char *cell)
{
    if (rows->count == LENS_ROWS_CELLS) {
        rows->more += *cell != '\0';
        return 0;
    }
    char **grown = lens_list_room(rows->cells, rows->count, &rows->room, sizeof *grown);
    if (!grown)
        return -1;
    rows->cells = grown;
    rows->cells[rows->count++] = cell;
    return 0;
}

/* The end of the cell that goes on at AT, unquoted: a separator, a line feed, or the end of all. */
static char *cell_end(const lens_rows *rows, char *at)
{
    while (at < rows->end && *at != rows->separator && *at != '\n')
        at++;
    return at;
}

/* END, or the carriage return before it when it is one of CRLF or the last byte. */
static char *without_return(const lens_rows *rows, const char *start, char *end)
{
    return end > start && end[-1] == '\r' && (end == rows->end || *end == '\n') ? end - 1 : end;
}

/* The quote that closes the one at QUOTE, or NULL when that one is a character like any other. (Only one cell of a table is looked through to the
 * end in vain: the quotes that a later such cell begins with would have closed it.) */
static char *closing(lens_rows *rows, char *quote)
{
    for (char *at = quote + 1; at < rows->end; at++) {
        if (*at == '"' && at + 1 < rows->end && at[1] == '"') {
            at++;
        } else if (*at == '"') {
            if (rows->quotes == LENS_ROWS_CSV)
                return at;
            char *behind = at + 1;
            while (behind < rows->end && *behind == ' ')
                behind++;
            if (behind < rows->end && *behind == '\r')
                behind++;
            return behind == rows->end || *behind == rows->separator || *behind == '\n' ? at : NULL;
        } else if (*at == rows->separator && rows->quotes == LENS_ROWS_TSV) {
            return NULL;
        }
    }
    rows->unclosed |= rows->quotes == LENS_ROWS_CSV;
    return NULL;
}

/* Takes the quotes from the cell between those at QUOTE and CLOSE, moves up what stands between CLOSE and END, and gives the end of it. */
static char *unquote(char *quote, char *close, const char *end)
{
    char *to = quote;
    for (char *from = quote + 1; from < close; from++) {
        *to++ = *from;
        from += *from == '"';
    }
    for (const char *from = close + 1; from < end; from++)
        *to++ = *from;
    return to;
}

/* Takes the cell at rows->at, which is then at what ended it, and *LAST how it ended: 0 for the end of all. */
static int next_cell(lens_rows *rows, char *last)
{
    char *start = rows->at;
    while (start < rows->end && *start == ' ')
        start++;
    char *close = rows->quotes != LENS_ROWS_PLAIN && start < rows->end && *start == '"' ? closing(rows, start) : NULL;
    char *end = cell_end(rows, close ? close + 1 : start), *stop = without_return(rows, close ? close + 1 : start, end);
    while (stop > (close ? close + 1 : start) && stop[-1] == ' ')
        stop--;
    *last = end < rows->end ? *end : '\0';
    for (const char *at = rows->at; at < end; at++) {
        rows->next_line += *at == '\n';
        rows->nul |= *at == '\0';
    }
    if (close)
        stop = unquote(start, close, stop);
    *stop = '\0';
    rows->at = end;
    return add_cell(rows, start);
}

/* Passes by lines with nothing but blanks on them. */
static void skip_empty_lines(lens_rows *rows)
{
    for (char *at = rows->at;;) {
        while (at < rows->end && *at == ' ')
            at++;
        if (at < rows->end && *at == '\r')
            at++;
        if (at < rows->end && *at != '\n')
            return;
        rows->next_line += at < rows->end;
        rows->at = at < rows->end ? ++at : at;
        if (at == rows->end)
            return;
    }
}

int lens_rows_next(lens_rows *rows)
{
    skip_empty_lines(rows);
    rows->count = rows->more = 0;
    rows->nul = rows->unclosed = false;
    rows->line = rows->next_line;
    if (rows->at >= rows->end)
        return 0;
    for (char last = rows->separator;;) {
        const bool final = rows->at >= rows->end;
        if (next_cell(rows, &last) != 0)
            return -1;
        if (final || rows->at >= rows->end)
            return 1;
        rows->at++;
        if (last == '\n') {
            rows->next_line++;
            return 1;
        }
    }
}

void lens_rows_free(lens_rows *rows)
{
    free(rows->cells);
    rows->cells = NULL;
    rows->count = rows->room = 0;
}
