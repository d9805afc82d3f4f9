/* Tables as people write them: tab-separated, the first line naming the columns. */
#ifndef LENS_COMPARE_TSV_H
#define LENS_COMPARE_TSV_H

#include <stddef.h>

#include "base/error.h"

typedef struct lens_tsv_row {
    size_t line;  /* in the file, from 1 */
    char **cells; /* [columns], "" where the line ends before */
    size_t extra; /* cells beyond the columns, which are dropped */
} lens_tsv_row;

typedef struct lens_tsv {
    char *text;   /* what all the strings lie in */
    char **names; /* [columns] */
    size_t columns;
    lens_tsv_row *rows;
    size_t count;
} lens_tsv;

/* The table in the SIZE bytes, called NAME in messages. Cells are bytes without the blanks around them, not necessarily UTF-8; empty lines
 * are passed over, as are a byte order mark and the carriage returns of CRLF. 0 or -1: no head, or a NUL byte. Free with lens_tsv_free. */
int lens_tsv_parse(const char *bytes, size_t size, const char *name, lens_tsv *out, lens_error *err);

/* The same for the file PATH, of at most 256 MiB. */
int lens_tsv_read(const char *path, lens_tsv *out, lens_error *err);

void lens_tsv_free(lens_tsv *table);

/* The column NAME, or -1. */
int lens_tsv_column(const lens_tsv *table, const char *name);

#endif
