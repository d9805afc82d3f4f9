/* Models and libraries are read where they lie, mapped. When such a file is cut short meanwhile, or its disk fails or is full, the system can only tell by a
 * signal. */
#ifndef LENS_CLI_LOST_H
#define LENS_CLI_LOST_H

/* From here on that ends the program with a line that names the file, and with CLI_ERROR. What was kept before stands, as after any kill. */
void cli_catch_lost_files(void);

#endif
