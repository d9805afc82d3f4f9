#include "compare/tsv.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { MOST_BYTES = 256 << 20 };

/* The run of bytes from START to END without blanks around it, ended by NUL in place of what stood behind. */
static char *trimmed(char *start, char *end)
{
    while (start < end && *start == ' ')
        start++;
    while (end > start && end[-1] == ' ')
        end--;
    *end = '\0';
    return start;
}

/* The next cell of the line from *AT to END; *AT is behind it then, or NULL when it was the last. */
static char *next_cell(char **at, char *end)
{
    char *tab = memchr(*at, '\t', (size_t)(end - *at)), *cell = trimmed(*at, tab ? tab : end);
    *at = tab ? tab + 1 : NULL;
    return cell;
}

static size_t count_cells(const char *at, const char *end)
{
    size_t count = 1;
    for (; at < end; at++)
        count += *at == '\t';
    return count;
}

/* What is left of the line from *AT to END, cut up into CELLS [columns]. Returns how many cells there were too many. */
static size_t fill(char *at, char *end, char **cells, size_t columns)
{
    static char nothing[1];
    size_t extra = 0;
    for (size_t i = 0; i < columns; i++)
        cells[i] = at ? next_cell(&at, end) : nothing;
    while (at)
        extra += *next_cell(&at, end) != '\0';
    return extra;
}

static int add_line(lens_tsv *table, char *start, char *end, size_t line, size_t *room)
{
    if (table->count == *room) {
        size_t larger = *room ? 2 * *room : 64;
        void *grown = realloc(table->rows, larger * sizeof *table->rows);
        if (!grown)
            return -1;
        table->rows = grown;
        *room = larger;
    }
    lens_tsv_row *row = &table->rows[table->count];
    *row = (lens_tsv_row){.line = line, .cells = calloc(table->columns, sizeof *row->cells)};
    if (!row->cells)
        return -1;
    row->extra = fill(start, end, row->cells, table->columns);
    table->count++;
    return 0;
}

static int parse(lens_tsv *table, size_t size, const char *name, lens_error *err)
{
    char *at = table->text, *end = at + size;
    if (size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    size_t room = 0;
    for (size_t line = 1; at < end; line++) {
        char *feed = memchr(at, '\n', (size_t)(end - at)), *stop = feed ? feed : end, *next = feed ? feed + 1 : end;
        if (stop > at && stop[-1] == '\r')
            stop--;
        if (stop == at) {
            /* nothing on it */
        } else if (!table->names) {
            table->columns = count_cells(at, stop);
            table->names = calloc(table->columns, sizeof *table->names);
            if (!table->names)
                return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", name);
            fill(at, stop, table->names, table->columns);
        } else if (add_line(table, at, stop, line, &room) != 0) {
            return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", name);
        }
        at = next;
    }
    return table->names ? 0 : lens_fail(err, LENS_E_FORMAT, "%s: empty; expected a line that names the columns", name);
}

int lens_tsv_parse(const char *bytes, size_t size, const char *name, lens_tsv *out, lens_error *err)
{
    *out = (lens_tsv){0};
    if (size && memchr(bytes, '\0', size))
        return lens_fail(err, LENS_E_FORMAT, "%s: not a table of text: it holds a NUL byte", name);
    out->text = malloc(size + 1);
    if (!out->text)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", name);
    if (size)
        memcpy(out->text, bytes, size);
    out->text[size] = '\0';
    if (parse(out, size, name, err) == 0)
        return 0;
    lens_tsv_free(out);
    return -1;
}

int lens_tsv_read(const char *path, lens_tsv *out, lens_error *err)
{
    *out = (lens_tsv){0};
    lens_buffer file = {0};
    if (lens_file_read(path, MOST_BYTES, &file, err) != 0)
        return -1;
    int result = lens_tsv_parse(file.data ? file.data : "", file.size, path, out, err);
    lens_buffer_free(&file);
    return result;
}

void lens_tsv_free(lens_tsv *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->rows[i].cells);
    free(table->rows);
    free(table->names);
    free(table->text);
    *table = (lens_tsv){0};
}

int lens_tsv_column(const lens_tsv *table, const char *name)
{
    for (size_t i = 0; i < table->columns; i++)
        if (strcmp(table->names[i], name) == 0)
            return (int)i;
    return -1;
}
