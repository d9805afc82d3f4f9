/* memelens check */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"

enum { QUERIES = 200, QUERIES_MOST = 100000 };

static bool recall, as_json;
static const char *model, *other;

static const cli_option options[] = {
    {"same-as", 0, CLI_TEXT, &other, "LIBRARY", "hold the library against this one, a folder or the address of a database: do both hold the same?"},
    {"recall", 0, CLI_FLAG, &recall, NULL, "measure what the approximate index finds, by N of the library's own pictures (200)"},
    {"model", 'm', CLI_TEXT, &model, "NAME", "with --recall: of this model alone"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "with --recall: one JSON object a model"},
};

static void fault(void *context, const char *line)
{
    (void)context;
    cli_put_path(line);
    putchar('\n');
}

static void print_recall(const lens_recall *found)
{
    if (as_json) {
        json_t *object = json_object();
        lens_json_set_path(object, "model", found->model);
        json_object_update_new(object, json_pack("{sI sI}", "vectors", (json_int_t)found->vectors, "approximate", (json_int_t)found->covered));
        if (found->covered)
            json_object_update_new(object, json_pack("{sI sf sf sf}", "queries", (json_int_t)found->queries, "recall_at_10", found->recall, "exact_ms",
                                                     found->exact_seconds * 1e3, "approximate_ms", found->approximate_seconds * 1e3));
        cli_json(object);
    } else if (found->covered) {
        cli_put_path(found->model);
        printf("\trecall@10 %.4f\texact %.3f ms\tapproximate %.3f ms\t(%zu queries; %s vectors in the index, %s in the library)\n", found->recall,
               found->exact_seconds * 1e3, found->approximate_seconds * 1e3, found->queries, cli_count_text(found->covered), cli_count_text(found->vectors));
    } else {
        cli_note("%s: there is no approximate index, every search is exact (memelens index --approximate makes one)", found->model);
    }
}

/* *ANY: there is an approximate index. 0 or -1. */
static int check_recall(lens_library *library, const char *name, size_t queries, bool *any, lens_error *error)
{
    lens_recall found;
    const int result = lens_check_recall(library, name, queries, &found, error);
    if (result == 0)
        print_recall(&found);
    *any |= result == 0 && found.covered;
    lens_recall_free(&found);
    return result;
}

static int run_recall(lens_library *library, size_t queries)
{
    lens_error error = {0};
    bool any = false;
    int result = 0;
    lens_status *status = model ? NULL : lens_status_get(library, &error);
    if (model)
        result = check_recall(library, model, queries, &any, &error);
    else if (!status)
        result = -1;
    else if (!status->model_count)
        result = check_recall(library, NULL, queries, &any, &error); /* which says that nothing is indexed */
    for (size_t i = 0; status && result == 0 && i < status->model_count; i++)
        result = check_recall(library, status->models[i].name, queries, &any, &error);
    lens_status_free(status);
    return result != 0 ? cli_fail_with(&error) : any ? CLI_DONE : CLI_NOTHING;
}

static int run_same(lens_library *library)
{
    lens_error error = {0};
    lens_same same;
    const int differ = lens_check_same(library, other, fault, NULL, &same, &error);
    if (differ < 0)
        return cli_fail_with(&error);
    if (differ > 0)
        return cli_fail("%s: parts that are not the same: %d", lens_library_path(library), differ);
    cli_note("%s: both hold the same %s records (%s)", lens_library_path(library), cli_count_text(same.records), same.digest);
    return CLI_DONE;
}

static int run(const cli_list *operands)
{
    size_t queries = QUERIES;
    if (operands->count > recall)
        return cli_fail("check: takes no %s", operands->items[recall]);
    if (recall && other)
        return cli_fail("check: --recall and --same-as are two things to be done one by one");
    if ((as_json || model) && !recall)
        return cli_fail("check: %s goes with --recall", as_json ? "--json" : "--model");
    if (operands->count) {
        char *end;
        errno = 0;
        const long count = strtol(operands->items[0], &end, 10);
        if (errno || *end || end == operands->items[0] || count < 1 || count > QUERIES_MOST)
            return cli_fail("check --recall %s: expected a number of queries from 1 to %d", operands->items[0], QUERIES_MOST);
        queries = (size_t)count;
    }
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    lens_error error = {0};
    int status = CLI_DONE;
    if (recall || other) {
        status = recall ? run_recall(library, queries) : run_same(library);
        lens_library_close(library);
        return status;
    }
    int faults = lens_check(library, fault, NULL, &error);
    if (faults < 0)
        status = cli_fail_with(&error);
    else if (faults > 0)
        status = cli_fail("%s: faults found: %d", lens_library_path(library), faults);
    else
        cli_note("%s: no fault", lens_library_path(library));
    lens_library_close(library);
    return status;
}

const cli_command cli_check = {
    .name = "check",
    .summary = "look for faults in the library's files, or measure approximate search",
    .usage = "\n--same-as LIBRARY\n--recall [N] [--model NAME] [--json]",
    .details = "Reads everything: the database's own check, every vector file, the length of every vector, the index of words. Each fault is a line; the\n"
               "exit status is then 2. With --same-as, each part that is not the same in both is a line, which names the first record.\n"
               "With --recall pictures of the library are queries, once exactly and once by way of the approximate index: of the ten best, how many it\n"
               "finds, and how long a query takes. The exit status is 1 where no model has such an index.",
    CLI_OPTIONS(options),
    .run = run,
};
