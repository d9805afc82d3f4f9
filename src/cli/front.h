/* Work that may end before its process can: a call to the system that a silent disk holds cannot even be killed, and holds its process with it. Such work
 * is done by a child, and the process that the person started waits for the work. */
#ifndef LENS_CLI_FRONT_H
#define LENS_CLI_FRONT_H

#include "cli/args.h"

/* Runs RUN in a child. Its exit status; a child that was killed by a signal is followed in that. */
int cli_run_behind_front(int (*run)(const cli_list *operands), const cli_list *operands);

#endif
