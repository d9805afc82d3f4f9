/* Ctrl-C, asked for politely: the first one sets a flag, the second one ends the program. */
#ifndef LENS_CLI_INTERRUPT_H
#define LENS_CLI_INTERRUPT_H

#include <stdbool.h>

void cli_catch_interrupt(void);
bool cli_interrupted(void);

#endif
