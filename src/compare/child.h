/* A part of the work in a process of its own. */
#ifndef LENS_COMPARE_CHILD_H
#define LENS_COMPARE_CHILD_H

#include <stdbool.h>

#include "base/error.h"

/* Runs BODY with CONTEXT in a child and waits. What BODY returns (0 or -1, with ERR filled) is returned here; a child that a signal ended is an
 * error that says so. GO_ON (may be NULL) is asked several times a second; where it says false the child is told to stop by SIGTERM, and
 * LENS_E_CANCELLED returned when it has ended. The child ends with its parent. */
int lens_child_run(int (*body)(void *context, lens_error *err), void *context, bool (*go_on)(void *context), void *go_on_context, lens_error *err);

#endif
