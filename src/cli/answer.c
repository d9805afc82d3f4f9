#include "cli/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/indexing.h"
#include "cli/preview.h"

/* What each term did: [{"term": …, "weight": …, "cosine": …, "share": …}], the shares adding up to the score. */
static json_t *shares_of(const cli_terms *terms, const lens_result *result)
{
    json_t *array = json_array();
    for (size_t t = 0; t < terms->count; t++) {
        const lens_term *term = &terms->items[t];
        json_t *object = json_object();
        lens_json_set_path(object, "term", term->text);
        json_object_set_new(object, "weight", json_real(term->weight));
        json_object_set_new(object, "cosine", json_real(result->terms[t].cosine));
        json_object_set_new(object, "share", json_real(result->terms[t].share));
        json_array_append_new(array, object);
    }
    return array;
}

/* Where each way of finding has a result: {"text": {"rank": 1, "score": 0.97}, …} */
static json_t *ways_of(const lens_result *result)
{
    json_t *ways = json_object();
    for (int way = 0; way < LENS_WAYS; way++)
        if (result->found[way].rank)
            json_object_set_new(ways, lens_way_name(way), json_pack("{sI sf}", "rank", (json_int_t)result->found[way].rank, "score", result->found[way].score));
    return ways;
}

static void print_result(const cli_answer_options *options, const cli_terms *terms, bool words, size_t rank, const lens_result *result)
{
    if (options->as_json) {
        json_t *object = json_pack("{sI sf sI}", "rank", (json_int_t)rank, "score", result->score, "id", (json_int_t)result->id);
        lens_json_set_path(object, "path", result->path);
        if (options->fold)
            json_object_set_new(object, "stands_for", json_integer(result->stands_for));
        if (terms->count > 1)
            json_object_set_new(object, "terms", shares_of(terms, result));
        if (words) {
            json_object_set_new(object, "found_by", ways_of(result));
            if (result->snippet)
                json_object_set_new(object, "snippet", json_string(result->snippet));
        }
        cli_json(object);
        return;
    }
    if (options->nul) {
        fputs(result->path, stdout);
        putchar('\0');
        return;
    }
    if (!options->paths)
        printf("%.4f\t", result->score);
    cli_put_path(result->path);
    if (!options->paths && result->stands_for > 1)
        printf("\t(and %s like it)", cli_count_text(result->stands_for - 1));
    if (!options->paths && result->snippet) {
        lens_buffer line = {0};
        if (lens_text_printable(result->snippet, strlen(result->snippet), &line) == 0)
            printf("\t%s", line.data);
        lens_buffer_free(&line);
    }
    putchar('\n');
    if (options->preview && cli_can_preview())
        cli_preview(result->path);
}

/* TEXT may be NULL: *MOMENT stays. */
static int read_date(const char *text, int64_t *moment)
{
    return !text || lens_date_read(text, true, moment) ? CLI_DONE : cli_fail("%s: expected a date: 2024, 2024-05 or 2024-05-17", text);
}

static int ask(lens_library *library, const cli_answer_options *options, const cli_terms *terms, bool leave_out_terms)
{
    lens_search_options search = lens_search_options_default();
    search.n = (size_t)options->n;
    search.model = options->model;
    search.precision = options->precision;
    search.min_score = options->min_score;
    search.fold = options->fold;
    search.unhub = options->unhub;
    search.exact = options->exact;
    search.in = options->in.items;
    search.in_count = options->in.count;
    search.path = options->path;
    search.types = options->types.items;
    search.type_count = options->types.count;
    search.labels = options->labels.items;
    search.label_count = options->labels.count;
    search.leave_out_terms = leave_out_terms;
    lens_error error = {0};
    bool words = false;
    if (read_date(options->after, &search.after) != CLI_DONE || read_date(options->before, &search.before) != CLI_DONE)
        return CLI_ERROR;
    if (options->size && lens_size_parse(options->size, &search.size_least, &search.size_most, &error) != 0) {
        lens_fail_in(&error, "--size");
        return cli_fail_with(&error);
    }
    if (options->by && lens_by_parse(options->by, &search.by, &error) != 0)
        return cli_fail_with(&error);
    for (size_t t = 0; t < terms->count; t++)
        words |= terms->items[t].kind == LENS_TERM_WORDS;
    lens_results *results = lens_search(library, terms->items, terms->count, &search, &error);
    if (!results)
        return cli_fail_with(&error);
    for (size_t i = 0; i < results->count; i++)
        print_result(options, terms, words, i + 1, &results->items[i]);
    int status = results->count ? CLI_DONE : CLI_NOTHING;
    const bool filtered = options->path || options->after || options->before || options->size || options->types.count || options->labels.count || options->in.count;
    if (!results->count && !results->compared && filtered)
        cli_note("nothing found: the filters let no picture in (--path matches the whole path: '*/cats/*')");
    else if (!results->count && !results->compared && leave_out_terms)
        cli_note("nothing found: there is no other picture");
    else if (!results->count)
        cli_note("nothing found among %s pictures", cli_count_text((int64_t)results->compared));
    else if (options->open && cli_open_viewer(results->items[0].path) != 0)
        status = CLI_ERROR;
    lens_results_free(results);
    return status;
}

int cli_answer(const cli_answer_options *options, const cli_terms *terms, bool leave_out_terms)
{
    if (options->as_json && (options->paths || options->nul))
        return cli_fail("--json goes with neither --paths nor --null");
    if (options->preview && (options->as_json || options->nul))
        return cli_fail("--preview goes with neither --json nor --null");
    lens_decode_apart_expect(terms->items, terms->count);
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    int status = CLI_DONE;
    if (options->in.count) {
        lens_index_options index = lens_index_options_default();
        lens_index_report report;
        index.paths = options->in.items;
        index.path_count = options->in.count;
        index.models = &options->model;
        index.model_count = options->model ? 1 : 0;
        status = cli_run_index(library, &index, &report);
    }
    if (status == CLI_DONE)
        status = ask(library, options, terms, leave_out_terms);
    lens_library_close(library);
    return status;
}
