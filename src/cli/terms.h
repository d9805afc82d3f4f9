/* What a person types as a TERM. */
#ifndef LENS_CLI_TERMS_H
#define LENS_CLI_TERMS_H

#include "base/buffer.h"
#include "cli/args.h"
#include "memelens.h"

typedef struct cli_terms {
    lens_term *items;
    size_t count;
    lens_buffer input; /* the picture on stdin, when a term was "-" */
    void **fetched;    /* [fetched_count] the pictures of terms that are addresses */
    size_t fetched_count;
} cli_terms;

/* Reads OPERANDS as terms, and those of NOT with their weights turned round. 0, or -1 after saying why on stderr. Free with
 * cli_terms_free; the texts are the operands' own. */
int cli_terms_read(const cli_list *operands, const cli_list *not, cli_terms *out);

/* One term that is the file NAME, whatever it looks like, but for "-", the picture on stdin, and an address. As cli_terms_read. */
int cli_terms_file(const char *name, cli_terms *out);

void cli_terms_free(cli_terms *terms);

#endif
