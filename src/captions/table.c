/* Captions in a table: which of its columns are what, told by a row of names or by what is in them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/rows.h"
#include "captions/reading.h"

enum { SAMPLE_BYTES = 4 << 20, SAMPLE_ROWS = 100, TEXTS_MOST = 16 };

/* What a table is with one separator. */
struct shape {
    char separator;
    size_t columns;
    int file;  /* the column of pictures, or -1 */
    int texts[TEXTS_MOST];
    size_t text_count;
    size_t head; /* the line that names the columns, or 0 */
    bool named;  /* by names that are known */
};

/* What the sample holds of one column. */
struct column {
    const char *name; /* in its first row */
    size_t rows, pictures, bytes; /* without the first row */
    bool picture_first;
};

struct sample {
    struct column *columns; /* [LENS_ROWS_CELLS] */
    size_t count; /* of columns: those of the first row, if it names them, else of most rows */
    size_t rows, line;
    bool head; /* the first row names no picture */
};

/* Takes one row into account. */
static void add_to_sample(struct sample *sample, const lens_rows *rows)
{
    if (sample->rows == 0) {
        sample->count = rows->count;
        sample->line = rows->line;
        sample->head = true;
    }
    for (size_t i = 0; i < rows->count; i++) {
        struct column *column = &sample->columns[i];
        const size_t length = strlen(rows->cells[i]);
        const bool picture = lens_captions_is_picture(rows->cells[i], length);
        if (sample->rows == 0) {
            column->name = rows->cells[i];
            column->picture_first = picture;
            sample->head &= !picture;
            continue;
        }
        column->rows++;
        column->pictures += picture;
        column->bytes += length;
    }
    sample->rows++;
}

/* Looks at the first rows of TEXT [size], which is cut up. 0, or -1 when memory is short. */
static int take_sample(struct sample *sample, char *text, size_t size, bool whole, char separator)
{
    size_t counts[SAMPLE_ROWS];
    lens_rows rows;
    lens_rows_start(&rows, text, size, separator, separator == '\t' ? LENS_ROWS_TSV : LENS_ROWS_CSV);
    int got = 0;
    while (sample->rows < SAMPLE_ROWS && (got = lens_rows_next(&rows)) > 0) {
        if (sample->rows && rows.at >= rows.end && !whole)
            break; /* it may go on */
        counts[sample->rows] = rows.count;
        add_to_sample(sample, &rows);
    }
    lens_rows_free(&rows);
    size_t most = 0;
    for (size_t i = 0; !sample->head && i < sample->rows; i++) {
        size_t same = 0;
        for (size_t j = 0; j < sample->rows; j++)
            same += counts[j] == counts[i];
        if (same > most) {
            most = same;
            sample->count = counts[i];
        }
    }
    return got < 0 ? -1 : 0;
}

/* The number of the column that TEXT is, from 0, or -1. */
static int column_number(const char *text, size_t columns)
{
    char *end;
    const long number = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
    return number >= 1 && (size_t)number <= columns && !*end ? (int)number - 1 : -1;
}

static bool holds_pictures(const struct column *column)
{
    return 2 * (column->pictures + column->picture_first) > column->rows;
}

/* Finds columns by the names of the first row, if that is what it is. */
static void by_names(const lens_captions *self, const struct sample *sample, struct shape *shape)
{
    int rank = -1;
    for (size_t i = 0; sample->head && i < sample->count; i++) {
        const struct column *column = &sample->columns[i];
        int own = lens_captions_file_rank(self, column->name);
        if (own >= 0 && !holds_pictures(column))
            own += 100; /* a number perhaps, and the address is elsewhere */
        if (own >= 0 && (rank < 0 || own < rank)) {
            rank = own;
            shape->file = (int)i;
        }
        if (lens_captions_is_text(self, column->name) && shape->text_count < TEXTS_MOST)
            shape->texts[shape->text_count++] = (int)i;
    }
    if (shape->file >= 0 || shape->text_count) {
        shape->named = shape->file >= 0 && shape->text_count;
        shape->head = sample->line;
    }
}

/* Finds what the names did not tell. */
static void by_values(const lens_captions *self, const struct sample *sample, struct shape *shape)
{
    const bool free_file = !self->options || !self->options->file_column, free_text = !self->options || !self->options->text_column;
    size_t most = 0;
    for (size_t i = 0; free_file && shape->file < 0 && i < sample->count; i++)
        if (holds_pictures(&sample->columns[i]) && (sample->rows > 1 || sample->columns[i].picture_first))
            shape->file = (int)i;
    if (shape->file < 0)
        return;
    /* The longest texts are the captions. */
    int best = -1;
    for (size_t i = 0; free_text && shape->text_count == 0 && i < sample->count; i++) {
        const struct column *column = &sample->columns[i];
        const size_t bytes = column->bytes + (shape->head || !column->name ? 0 : strlen(column->name)) + 1;
        if ((int)i != shape->file && !holds_pictures(column) && bytes > most) {
            most = bytes;
            best = (int)i;
        }
    }
    if (best >= 0)
        shape->texts[shape->text_count++] = best;
    if (!shape->head && sample->head && sample->rows > 1 && holds_pictures(&sample->columns[shape->file]))
        shape->head = sample->line; /* names in words that are not known */
}

static int look(const lens_captions *self, const char *text, size_t size, struct shape *shape)
{
    struct sample sample = {0};
    const size_t length = size < SAMPLE_BYTES ? size : SAMPLE_BYTES;
    char *copy = malloc(length + 1);
    int result = -1;
    sample.columns = calloc(LENS_ROWS_CELLS, sizeof *sample.columns);
    if (copy && sample.columns) {
        memcpy(copy, text, length);
        result = take_sample(&sample, copy, length, length == size, shape->separator);
    }
    if (result == 0 && sample.count) {
        shape->columns = sample.count;
        by_names(self, &sample, shape);
        const int file = self->options ? column_number(self->options->file_column, sample.count) : -1;
        const int words = self->options ? column_number(self->options->text_column, sample.count) : -1;
        if (shape->file < 0)
            shape->file = file;
        if (shape->text_count == 0 && words >= 0)
            shape->texts[shape->text_count++] = words;
        by_values(self, &sample, shape);
    }
    free(sample.columns);
    free(copy);
    return result;
}

/* The separator that a first line "sep=;" tells, as Excel reads and writes it; 0 when there is none. The line becomes blanks, which rows pass by and count. */
static char take_separator(char *text, size_t size)
{
    const char *feed = memchr(text, '\n', size);
    size_t length = feed ? (size_t)(feed - text) : 0;
    length -= length && text[length - 1] == '\r';
    const bool quoted = length == 7 && *text == '"' && text[6] == '"';
    const char *said = text + quoted;
    if (length != (quoted ? 7U : 5U) || strncasecmp(said, "sep=", 4) != 0 || !strchr("\t,;|:^~", said[4]))
        return 0;
    const char separator = said[4];
    memset(text, ' ', length);
    return separator;
}

/* The one of SEPARATORS that makes most sense of TEXT. */
static int find_shape(lens_captions *self, const char *separators, const char *text, size_t size, struct shape *best)
{
    int most = -1;
    for (const char *separator = separators; *separator; separator++) {
        struct shape shape = {.separator = *separator, .file = -1};
        if (look(self, text, size, &shape) != 0)
            return lens_captions_no_memory(self);
        const int score = shape.file < 0 || shape.text_count == 0 ? 0 : shape.named ? 2 : 1;
        if (score > most) {
            most = score;
            *best = shape;
        }
    }
    if (most > 0 || best->columns == 0)
        return 0;
    const lens_caption_options *options = self->options;
    if (options && (options->file_column || options->text_column))
        return lens_fail(self->err, LENS_E_FORMAT, "%s: no columns %s and %s in it, which its first line would have to name", self->source,
                         options->file_column ? options->file_column : "of pictures", options->text_column ? options->text_column : "of captions");
    return lens_fail(self->err, LENS_E_FORMAT,
                     "%s: cannot tell which of its columns are pictures and captions: its first line may name them file and caption", self->source);
}

static int read_row(lens_captions *self, const struct shape *shape, const lens_rows *rows)
{
    size_t extra = rows->more, there = 0;
    for (size_t i = shape->columns; i < rows->count; i++)
        extra += *rows->cells[i] != '\0';
    for (size_t i = 0; i < shape->text_count; i++)
        there += (size_t)shape->texts[i] < rows->count;
    if (rows->unclosed)
        lens_captions_problem(self, rows->line, "a quote that is never closed; taken for a character");
    if (rows->nul || extra || !there || rows->count <= (size_t)shape->file)
        return lens_captions_problem(self, rows->line, "%s; left out", rows->nul ? "a NUL byte"
                                                                       : extra   ? "more cells than there are columns"
                                                                                 : "fewer cells than there are columns");
    if (self->ended)
        return self->ended;
    const char *name = rows->cells[shape->file];
    for (size_t i = 0; i < shape->text_count; i++) {
        if ((size_t)shape->texts[i] >= rows->count)
            continue;
        const char *text = rows->cells[shape->texts[i]];
        const int result = lens_captions_give(self, rows->line, name, strlen(name), text, strlen(text));
        if (result != 0)
            return result;
    }
    return 0;
}

int lens_captions_read_table(lens_captions *self, char *text, size_t size)
{
    struct shape shape = {0};
    const char told[] = {take_separator(text, size), '\0'};
    if (find_shape(self, *told ? told : "\t,;|", text, size, &shape) != 0)
        return -1;
    if (shape.columns == 0)
        return 0;
    if (shape.head && !shape.named)
        lens_captions_problem(self, shape.head, "taken for the names of the columns");
    lens_rows rows;
    lens_rows_start(&rows, text, size, shape.separator, shape.separator == '\t' ? LENS_ROWS_TSV : LENS_ROWS_CSV);
    int got, result = self->ended;
    while (result == 0 && (got = lens_rows_next(&rows)) != 0) {
        if (got < 0)
            result = lens_captions_no_memory(self);
        else if (rows.line != shape.head)
            result = read_row(self, &shape, &rows);
    }
    lens_rows_free(&rows);
    return result;
}
