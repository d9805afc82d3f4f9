#ifndef LENS_BASE_PROCESSORS_H
#define LENS_BASE_PROCESSORS_H

/* How many processors this process may run on (its affinity, not the machine's size). At least 1. */
int lens_processors(void);

#endif
