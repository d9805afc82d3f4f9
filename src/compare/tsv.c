#include "compare/tsv.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"
#include "base/rows.h"

enum { MOST_BYTES = 256 << 20 };

static int add_row(lens_tsv *table, const lens_rows *rows, size_t *room)
{
    void *grown = lens_list_room(table->rows, table->count, room, sizeof *table->rows);
    if (!grown)
        return -1;
    table->rows = grown;
    static char nothing[1];
    lens_tsv_row *row = &table->rows[table->count];
    *row = (lens_tsv_row){.line = rows->line, .extra = rows->more, .cells = calloc(table->columns, sizeof *row->cells)};
    if (!row->cells)
        return -1;
    for (size_t i = 0; i < table->columns; i++)
        row->cells[i] = i < rows->count ? rows->cells[i] : nothing;
    for (size_t i = table->columns; i < rows->count; i++)
        row->extra += *rows->cells[i] != '\0';
    table->count++;
    return 0;
}

static int parse(lens_tsv *table, size_t size, const char *name, lens_error *err)
{
    lens_rows rows;
    lens_rows_start(&rows, table->text, size, '\t', LENS_ROWS_PLAIN);
    size_t room = 0;
    int got, result = 0;
    while (result == 0 && (got = lens_rows_next(&rows)) != 0) {
        if (got > 0 && rows.more && !table->names) {
            result = lens_fail(err, LENS_E_LIMIT, "%s: more than %d columns", name, LENS_ROWS_CELLS);
        } else if (got > 0 && !table->names) {
            table->columns = rows.count;
            table->names = calloc(rows.count, sizeof *table->names);
            if (table->names)
                memcpy(table->names, rows.cells, rows.count * sizeof *table->names);
            else
                got = -1;
        } else if (got > 0) {
            got = add_row(table, &rows, &room);
        }
        if (got < 0)
            result = lens_fail_memory_for(err, name);
    }
    lens_rows_free(&rows);
    if (result == 0 && !table->names)
        result = lens_fail(err, LENS_E_FORMAT, "%s: empty; expected a line that names the columns", name);
    return result;
}

int lens_tsv_parse(const char *bytes, size_t size, const char *name, lens_tsv *out, lens_error *err)
{
    *out = (lens_tsv){0};
    if (size && memchr(bytes, '\0', size))
        return lens_fail(err, LENS_E_FORMAT, "%s: not a table of text: it holds a NUL byte", name);
    out->text = malloc(size + 1);
    if (!out->text)
        return lens_fail_memory_for(err, name);
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
