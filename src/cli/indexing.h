#ifndef LENS_CLI_INDEXING_H
#define LENS_CLI_INDEXING_H

#include "memelens.h"

/* Runs lens_index with the progress bar, Ctrl-C and a closing line on stderr. Exit status. */
int cli_run_index(lens_library *library, lens_index_options *options, lens_index_report *report);

/* Reads what is written in the pictures, of MEGAPIXELS each at most (0: 100), with its progress, and says how it went; with AS_JSON one object on stdout. Exit
 * status. */
int cli_run_reading(lens_library *library, const char *languages, int threads, long megapixels, bool as_json);

#endif
