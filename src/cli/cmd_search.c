/* memelens search */
#include "cli/answer.h"
#include "cli/command.h"

static cli_answer_options answer = {.n = 10, .precision = "auto", .min_score = -2};
static cli_list not;

static const cli_option options[] = {
    CLI_ANSWER_OPTIONS(answer),
    {"by", 0, CLI_TEXT, &answer.by, "WAY", "find words by look, text, meaning or all (all)"},
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
               "Words find a picture by its look, by what is written in it or said about it, and by what that means; --by asks one way alone.\n"
               "In a term, \\\"a phrase\\\" has to stand there, -word must not, and prefi* stands for any word that begins so; misspelt words are\n"
               "forgiven. What is a file's name is that file (for the word all the same, a blank before it: \" dog\"); quote words together,\n"
               "for `search red car` is two terms.\n"
               "\n"
               "Results are printed best first: the score, a tab, the path, and the text that was found. A score is a cosine (1 is the same),\n"
               "or where several ways were gone, how well they agree (1: first in all). --json tells each way's rank, and of several terms\n"
               "each one's share of the look.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
