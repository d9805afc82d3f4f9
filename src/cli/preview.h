/* Pictures on the terminal, and in the desktop's viewer. */
#ifndef LENS_CLI_PREVIEW_H
#define LENS_CLI_PREVIEW_H

#include <stdbool.h>

/* Whether stdout is a terminal that takes more than plain text. */
bool cli_can_preview(void);

/* Draws the picture at PATH on stdout with what the terminal can do: sixels, kitty's or iTerm2's protocol, else coloured characters.
 * Says nothing when it cannot be read: its line stands there already. */
void cli_preview(const char *path);

/* Opens PATH in the desktop's viewer, if it is called as a picture is. 0, or -1 after saying why on stderr. */
int cli_open_viewer(const char *path);

#endif
