/* How search and similar ask and answer: the options that they share, and the results on stdout. */
#ifndef LENS_CLI_ANSWER_H
#define LENS_CLI_ANSWER_H

#include "cli/args.h"
#include "cli/terms.h"
#include "memelens.h"

typedef struct cli_answer_options {
    long n;
    const char *model, *precision;
    const char *by, *path, *after, *before, *size;
    double min_score;
    bool fold, unhub, exact, as_json, paths, nul, preview, open;
    cli_list in, types, labels;
} cli_answer_options;

/* The rows of the table of options that both commands have. */
#define CLI_ANSWER_OPTIONS(o) \
    {"count", 'n', CLI_COUNT, &(o).n, "N", "at most N results (10)"}, \
    {"model", 'm', CLI_TEXT, &(o).model, "NAME", "ask this model; else the library's first, or for words the first that knows them"}, \
    {"precision", 0, CLI_TEXT, &(o).precision, "P", "of the query's encoding: auto, f32, bf16 or int8"}, \
    {"min-score", 0, CLI_NUMBER, &(o).min_score, "S", "only results with a score of at least S"}, \
    {"fold", 0, CLI_FLAG, &(o).fold, NULL, "show one of each group of near-identical pictures"}, \
    {"unhub", 0, CLI_FLAG, &(o).unhub, NULL, "let pictures stand back that are near to everything"}, \
    {"exact", 0, CLI_FLAG, &(o).exact, NULL, "hold every picture against the query, though there is an approximate index"}, \
    {"path", 0, CLI_TEXT, &(o).path, "GLOB", "only pictures whose path matches"}, \
    {"after", 0, CLI_TEXT, &(o).after, "DATE", "only files changed on or after DATE: 2024, 2024-05 or 2024-05-17"}, \
    {"before", 0, CLI_TEXT, &(o).before, "DATE", "only files changed before DATE"}, \
    {"size", 0, CLI_TEXT, &(o).size, "RANGE", "only pictures whose longer side has so many pixels: 800.., ..400 or 400..800"}, \
    {"type", 0, CLI_LIST, &(o).types, "FORMAT", "only jpeg, png, … (may be given again)"}, \
    {"label", 0, CLI_LIST, &(o).labels, "NAME", "only pictures in folders of this name (may be given again)"}, \
    {"in", 0, CLI_LIST, &(o).in, "DIR", "only pictures below DIR, which is indexed first where it is new or changed"}, \
    {"json", 0, CLI_FLAG, &(o).as_json, NULL, "one JSON object a line"}, \
    {"paths", 0, CLI_FLAG, &(o).paths, NULL, "only paths, one a line"}, \
    {"null", '0', CLI_FLAG, &(o).nul, NULL, "only paths, each ended by a NUL byte, for xargs -0"}, \
    {"preview", 0, CLI_FLAG, &(o).preview, NULL, "draw each result on the terminal"}, \
    {"open", 0, CLI_FLAG, &(o).open, NULL, "open the best result in the desktop's viewer"}

/* Indexes the folders of --in, asks, and prints. Exit status. */
int cli_answer(const cli_answer_options *options, const cli_terms *terms, bool leave_out_terms);

#endif
