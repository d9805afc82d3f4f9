/* What a library of N pictures costs, in a folder or in a database: the writing of its rows and vectors, disk, memory, and a query by a picture of its own.
 *
 *     build/bench/scale --library PLACE [--rows N] [--from N] [--dim N] [--clusters N] [--queries N] [--parts write,exact,make,approximate] [--program build/memelens]
 *
 * PLACE is a folder or postgresql://…, as everywhere, and stays afterwards. Pictures are drawn (support/mixture.h), and written as an index run writes them;
 * with --from N as many more, numbered from N, into a library that is there: by several at once, or beside an index. Prints JSON, an object a line; MB are 10^6
 * bytes. Each part is a process of its own, forked from a small one, so that its memory is its own; where the library is a database's, it is the client's.
 * Clusters grow with the library from a million rows on, so that in a larger one as many pictures are alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/processors.h"
#include "base/random.h"
#include "compare/measure.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "memelens.h"
#include "support/cold.h"
#include "support/mixture.h"
#include "support/options.h"

enum { BATCH = 256 /* an index run's */, STARTS = 5, LEAST_QUERIES = 5 };
static const double longest = 40; /* seconds that the queries of one part may take, when they are more than the least */

static struct {
    const char *place, *program;
    size_t rows, from, dim, clusters, queries;
} asked;

static lens_error error;
static long anonymous; /* MB that were seen while building */

static void die(void)
{
    fprintf(stderr, "scale: %s\n", error.message);
    exit(2);
}

static long anonymous_here(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kilobytes = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kilobytes = atol(line + 8);
    if (file)
        fclose(file);
    return kilobytes * 1024 / 1000000;
}

/* How an object ends: the most that this process had resident, mapped files counted, and how busy the machine was when it was begun. */
static void print_end(double load)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const long here = anonymous_here();
    printf(", \"anonymous_mb\": %ld, \"peak_mb\": %ld, \"load\": %.1f}\n", here > anonymous ? here : anonymous, usage.ru_maxrss * 1024 / 1000000, load);
}

static double load_now(void)
{
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : 0;
}

static double library_mb(lens_store *store)
{
    lens_store_counts counts;
    if (lens_store_count(store, &counts, &error) != 0)
        die();
    return (double)counts.bytes / 1e6;
}

/* ---- writing ---- */

static void write_all(void)
{
    const double load = load_now();
    mixture drawn = mixture_new(asked.dim, asked.clusters);
    made_batch batch = made_batch_new(BATCH, asked.dim);
    int64_t model;
    lens_store *store = made_library_open(asked.place, asked.dim, &model, &error);
    if (!store)
        die();
    double writing = 0, last = lens_seconds();
    for (size_t at = 0; at < asked.rows; at += BATCH) {
        const size_t size = asked.rows - at < BATCH ? asked.rows - at : BATCH;
        made_batch_draw(&batch, &drawn, model, asked.from + at, size);
        const double begun = lens_seconds();
        if (lens_store_write(store, batch.entries, size, NULL, &error) != 0)
            die();
        writing += lens_seconds() - begun;
        if (lens_seconds() - last > 30) {
            last = lens_seconds();
            fprintf(stderr, "%zu of %zu: %.0f a second\n", at, asked.rows, (double)at / writing);
        }
    }
    printf("{\"part\": \"write\", \"rows\": %zu, \"dim\": %zu, \"clusters\": %zu, \"seconds\": %.1f, \"rows_per_second\": %.0f, \"library_mb\": %.1f", asked.rows, asked.dim,
           asked.clusters, writing, (double)asked.rows / writing, library_mb(store));
    print_end(load);
    lens_store_close(store);
    made_batch_free(&batch);
    mixture_free(&drawn);
}

/* ---- asking ---- */

static double ask_warm(lens_library *library, int64_t id, bool exact, bool *approximate)
{
    lens_search_options options = lens_search_options_default();
    options.exact = exact;
    const lens_term term = {.kind = LENS_TERM_ID, .id = id, .weight = 1};
    const double begun = lens_seconds();
    lens_results *results = lens_search(library, &term, 1, &options, &error);
    if (!results)
        die();
    const double took = lens_seconds() - begun;
    *approximate = results->approximate;
    lens_results_free(results);
    return took;
}

static void ask(bool exact)
{
    const double load = load_now();
    uint64_t lot = 7;
    double cold[STARTS], *warm = calloc(asked.queries + 1, sizeof *warm), spent = 0;
    int64_t resident = 0;
    for (size_t i = 0; i < STARTS; i++)
        cold[i] = bench_ask_cold(asked.program, asked.place, 1 + (int64_t)lens_random_below(&lot, asked.rows), exact, &resident);
    qsort(cold, STARTS, sizeof *cold, lens_by_value);
    bool approximate;
    lens_warm *kept = lens_warm_new(asked.place, &error);
    lens_library *library = kept ? lens_library_open_warm(kept, &error) : NULL;
    if (!library)
        die();
    const double first = ask_warm(library, 1, exact, &approximate);
    ask_warm(library, 1 + (int64_t)lens_random_below(&lot, asked.rows), exact, &approximate);
    size_t count = 0;
    while (count < asked.queries && (count < LEAST_QUERIES || spent < longest)) {
        warm[count] = ask_warm(library, 1 + (int64_t)lens_random_below(&lot, asked.rows), exact, &approximate);
        spent += warm[count++];
    }
    qsort(warm, count, sizeof *warm, lens_by_value);
    printf("{\"part\": \"%s\", \"found_approximately\": %s, \"cold_seconds\": %.3f, \"cold_peak_mb\": %lld, \"first_ms\": %.1f, \"warm_ms\": %.3f, \"warm_ms_19_of_20\": %.3f, \"queries\": %zu",
           exact ? "exact" : "approximate", approximate ? "true" : "false", cold[STARTS / 2], (long long)(resident / 1000000), first * 1e3, warm[count / 2] * 1e3, warm[count * 19 / 20] * 1e3, count);
    if (!exact) {
        lens_recall recall;
        if (lens_check_recall(library, NULL, asked.queries, &recall, &error) != 0)
            die();
        printf(", \"recall_at_10\": %.4f, \"recall_queries\": %zu, \"side_by_side_exact_ms\": %.3f, \"side_by_side_approximate_ms\": %.3f", recall.recall, recall.queries,
               recall.exact_seconds * 1e3, recall.approximate_seconds * 1e3);
        lens_recall_free(&recall);
    }
    print_end(load);
    lens_library_close(library);
    lens_warm_free(kept);
    free(warm);
}

static void ask_exactly(void)
{
    ask(true);
}

static void ask_approximately(void)
{
    ask(false);
}

/* ---- what makes searches quick ---- */

static bool tell(void *context, size_t done, size_t total)
{
    double *last = context;
    const long here = anonymous_here();
    anonymous = here > anonymous ? here : anonymous;
    if (lens_seconds() - *last > 30) {
        *last = lens_seconds();
        fprintf(stderr, "made %zu of %zu\n", done, total);
    }
    return true;
}

static lens_store *open_to_make(int64_t *model)
{
    lens_store *store = lens_store_open(asked.place, LENS_STORE_WRITE, 0, &error);
    lens_store_models models;
    if (!store || lens_store_models_list(store, &models, &error) != 0 || !models.count)
        die();
    *model = models.items[0].id;
    lens_store_models_free(&models);
    return store;
}

/* The copies in bytes, which every index run of a large library makes. */
static void make_copies(void)
{
    const double load = load_now(), begun = lens_seconds();
    int64_t model;
    lens_store *store = open_to_make(&model);
    if (!lens_store_searches(store)) {
        lens_copies_refresh(store, model, LENS_COPIES_LEAST);
        printf("{\"part\": \"copies\", \"seconds\": %.1f, \"library_mb\": %.1f", lens_seconds() - begun, library_mb(store));
        print_end(load);
    }
    lens_store_close(store);
}

static void make_approximate(void)
{
    const double load = load_now();
    int64_t model, bytes = 0;
    lens_store *store = open_to_make(&model);
    bool made;
    double last = lens_seconds(), recall, ratio;
    const double begun = last;
    if (lens_approximate_want(store, asked.place, true, &error) != 0)
        die();
    if ((lens_store_searches(store) ? lens_store_approximate_make(store, model, &made, &error)
                                    : lens_approximate_refresh(store, model, lens_processors(), tell, &last, &made, &error)) != 0)
        die();
    const double took = lens_seconds() - begun;
    lens_approximate_covered(store, model, &bytes, &recall, &ratio);
    printf("{\"part\": \"make\", \"made\": %s, \"seconds\": %.1f, \"index_mb\": %.1f, \"library_mb\": %.1f", made ? "true" : "false", took, (double)bytes / 1e6, library_mb(store));
    print_end(load);
    lens_store_close(store);
}

/* ---- the whole ---- */

static void in_a_process(void (*part)(void))
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        part();
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        exit(2);
}

int main(int argc, char **argv)
{
    asked.place = bench_option(argc, argv, "--library", NULL);
    asked.program = bench_option(argc, argv, "--program", "build/memelens");
    asked.rows = (size_t)atol(bench_option(argc, argv, "--rows", "100000"));
    asked.from = (size_t)atol(bench_option(argc, argv, "--from", "0"));
    asked.dim = (size_t)atol(bench_option(argc, argv, "--dim", "512"));
    asked.queries = (size_t)atol(bench_option(argc, argv, "--queries", "50"));
    asked.clusters = (size_t)atol(bench_option(argc, argv, "--clusters", "0"));
    if (asked.clusters == 0)
        asked.clusters = asked.rows > 1000000 ? asked.rows / 250 : 4000;
    const char *parts = bench_option(argc, argv, "--parts", "write,exact,make,approximate");
    if (!asked.place || asked.rows < 100 || asked.dim < 1 || asked.queries < LEAST_QUERIES)
        return fprintf(stderr, "usage: scale --library PLACE [--rows N] [--from N] [--dim N] [--clusters N] [--queries N] [--parts write,exact,make,approximate] [--program FILE]\n"), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strstr(parts, "write")) {
        in_a_process(write_all);
        in_a_process(make_copies);
    }
    if (strstr(parts, "exact"))
        in_a_process(ask_exactly);
    if (strstr(parts, "make"))
        in_a_process(make_approximate);
    if (strstr(parts, "approximate"))
        in_a_process(ask_approximately);
    return 0;
}
