/* Everything the command line writes: results on stdout, all else on stderr. */
#ifndef LENS_CLI_SAY_H
#define LENS_CLI_SAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "memelens.h"

/* Exit statuses. */
enum { CLI_DONE = 0, CLI_NOTHING = 1, CLI_ERROR = 2, CLI_INTERRUPTED = 130 };

/* "memelens: …" on stderr, one line whatever bytes are in it. Returns CLI_ERROR. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_fail_with(const lens_error *error);

/* A line on stderr for the person; not with --quiet. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern bool cli_quiet;

/* One object as a line on stdout. Takes over OBJECT; NULL, as memory was short, is no line, and cli_finish tells it. */
void cli_json(json_t *object);

/* Writes PATH to stdout: as it is, or made harmless when stdout is a terminal. */
void cli_put_path(const char *path);

/* "10,000" and "55.1 MB" into a ring of static buffers. */
const char *cli_count_text(int64_t count);
const char *cli_bytes_text(int64_t bytes);

/* CLI_ERROR, saying so, where OUTPUT is the very file INPUT (either may be NULL) and would be put in its place; else CLI_DONE. */
int cli_spare(const char *output, const char *input);

/* CLI_ERROR when stdout could not be written (a full disk), or not all that should stand there, else STATUS. */
int cli_finish(int status);

#endif
