/* Any bytes as a table: every cell must be a string of its own inside of the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compare/tsv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lens_tsv table;
    if (lens_tsv_parse((const char *)data, size, "fuzz", &table, NULL) != 0)
        return 0;
    for (size_t r = 0; r < table.count; r++)
        for (size_t c = 0; c < table.columns; c++)
            if (strlen(table.rows[r].cells[c]) > size || strchr(table.rows[r].cells[c], '\t'))
                abort();
    lens_tsv_free(&table);
    return 0;
}
