/* The progress bar of an index run: on a terminal only. */
#ifndef LENS_CLI_PROGRESS_H
#define LENS_CLI_PROGRESS_H

#include "memelens.h"

/* An event function for lens_index (context: none). Draws the bar, and says what failed above it. Returns false once Ctrl-C was
 * pressed. */
bool cli_progress_event(void *context, const lens_index_event *event);

/* Takes the bar away. */
void cli_progress_end(void);

#endif
