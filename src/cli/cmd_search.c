/* memelens search */
#include "cli/answer.h"
#include "cli/command.h"

static cli_answer_options answer = {.n = 10, .precision = "auto", .min_score = -2};
static cli_list not;

static const cli_option options[] = {
    CLI_ANSWER_OPTIONS(answer),
    {"not", 0, CLI_LIST, &not, "TERM", "away from TERM (may be given again)"},
};

static int run(const cli_list *operands)
{
    cli_terms terms;
    int status = CLI_ERROR;
    if (operands->count + not.count == 0)
        return cli_fail("search: for what? `memelens search ./picture.jpg`; see --help");
    if (cli_terms_read(operands, &not, &terms) == 0)
        status = cli_answer(&answer, &terms, false);
    cli_terms_free(&terms);
    return status;
}

const cli_command cli_search = {
    .name = "search",
    .summary = "find pictures by a picture, by words, or by both",
    .usage = "TERM... [options]",
    .details = "A TERM is words, a picture's path, - (a picture on standard input), its address (https://…) or id:N (a picture of the\n"
               "library). Several terms are added; + or - or a NUMBER and a colon before a term weigh it:\n"
               "\n"
               "  memelens search ./cat.jpg\n"
               "  memelens search \"a cat in a hat\"\n"
               "  memelens search ./cat.jpg +\"in space\" -0.5:\"dog\"\n"
               "  memelens search ./cat.jpg --not ./dog.jpg\n"
               "  memelens search - < picture.webp\n"
               "\n"
               "Words need a model that knows them: `memelens pull clip-vit-b-32`, then `memelens index --model clip-vit-b-32`. What is a\n"
               "file's name is that file (for the word all the same, a blank before it: \" dog\"); quote words together, for\n"
               "`search red car` is two terms.\n"
               "\n"
               "Results are printed best first: the score (a cosine, 1 is the same), a tab, the path. With several terms, --json tells each\n"
               "term's share of the score.",
    CLI_OPTIONS(options),
    .run = run,
};
