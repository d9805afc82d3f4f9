/* Ctrl-C, asked for politely: the first one sets a flag, the second one ends the program. */
#ifndef LENS_CLI_INTERRUPT_H
#define LENS_CLI_INTERRUPT_H

#include <stdbool.h>

/* Of SIGINT and SIGTERM; a SIGINT that was ignored when the program began stays so. */
void cli_catch_interrupt(void);
bool cli_interrupted(void);

/* Whether to go on: what the library asks, which gives back a CONTEXT that is not looked at. */
bool cli_go_on(void *context);

/* For handlers of signals. Sets the flag. */
void cli_note_interrupt(void);

/* The same. Whether signal NUMBER, which may be SIGINT or SIGTERM, has come before; it ends the process then, once the handler has returned. What comes
 * within a moment of the first counts as that one: who signals a process and then its group, as timeout does, means one. */
bool cli_interrupt_again(int number);

#endif
