#ifndef LENS_CLI_INDEXING_H
#define LENS_CLI_INDEXING_H

#include "memelens.h"

/* Runs lens_index with the progress bar, Ctrl-C and a closing line on stderr. Exit status. */
int cli_run_index(lens_library *library, lens_index_options *options, lens_index_report *report);

#endif
