/* The progress bars of an index run and of a download: on a terminal only. */
#ifndef LENS_CLI_PROGRESS_H
#define LENS_CLI_PROGRESS_H

#include "memelens.h"

/* An event function for lens_index (context: none). Draws the bar, and says what failed above it. Returns false once Ctrl-C was
 * pressed. */
bool cli_progress_event(void *context, const lens_index_event *event);

/* The same for lens_pull: the bar on a terminal, elsewhere a line for each file. */
bool cli_progress_pull(void *context, const lens_pull_event *event);

/* The same for lens_copy. */
bool cli_progress_copy(void *context, const lens_copy_event *event);

/* The bar of queries: DONE of TOTAL were asked. It goes away with the last one. */
void cli_progress_queries(size_t done, size_t total);

/* Takes the bar away. */
void cli_progress_end(void);

#endif
