/* Running another program and waiting for it. */
#ifndef LENS_BASE_PROCESS_H
#define LENS_BASE_PROCESS_H

#include "base/error.h"

/* Runs ARGV (ended by NULL; argv[0] is looked up in PATH) with nothing on its standard input and its standard output sent to our
 * standard error, and waits. *STATUS: its exit status, 128 + N when signal N ended it. -1 when it could not be started
 * (LENS_E_MISSING when there is no such program). */
int lens_process_run(const char *const *argv, int *status, lens_error *err);

#endif
