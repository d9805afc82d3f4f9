/* memelens similar */
#include "cli/answer.h"
#include "cli/command.h"

static cli_answer_options answer = {.n = 10, .precision = "auto", .min_score = -2};

static const cli_option options[] = {CLI_ANSWER_OPTIONS(answer)};

static int run(const cli_list *operands)
{
    static const cli_list none;
    cli_terms terms;
    int status = CLI_ERROR;
    if (operands->count != 1)
        return cli_fail("similar: to which picture? Name one, as a path or id:N");
    if (cli_terms_read(operands, &none, &terms) == 0) {
        if (terms.items[0].kind == LENS_TERM_WORDS)
            terms.items[0].kind = LENS_TERM_FILE; /* here a name can only be a file's */
        status = cli_answer(&answer, &terms, true);
    }
    cli_terms_free(&terms);
    return status;
}

const cli_command cli_similar = {
    .name = "similar",
    .summary = "pictures like one of the library, itself left out",
    .usage = "PATH|id:N [options]",
    .details = "Like search, but the picture itself is no result. A picture that the library knows need not be read again.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
