/* Approximate search beside exact search, on a library that it makes of vectors that are alike as pictures' are (support/mixture.h).
 *
 *     build/bench/approximate [--rows N] [--dim N] [--clusters N] [--library DIR] [--program build/memelens]
 *
 * The library is thrown away, unless DIR is named: then it stays, and is taken as it is when it is there. Prints JSON, an object a line: the building, recall
 * and times in turns, and a process from its start to its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/processors.h"
#include "compare/measure.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "library/view.h"
#include "memelens.h"
#include "search/cells_scan.h"
#include "support/cold.h"
#include "support/mixture.h"
#include "support/options.h"

enum { BATCH = 4096, TRIED = 500, STARTS = 7 };

static lens_error error;
static long anonymous; /* MB of memory that were seen while building */

static _Noreturn void die(void)
{
    fprintf(stderr, "approximate: %s\n", error.message);
    exit(2);
}

static void make_library(const char *folder, size_t rows, size_t dim, size_t clusters)
{
    mixture drawn = mixture_new(dim, clusters);
    made_batch batch = made_batch_new(BATCH, dim);
    int64_t model;
    lens_store *store = made_library_open(folder, dim, &model, &error);
    if (!store)
        die();
    for (size_t at = 0; at < rows; at += BATCH) {
        const size_t size = rows - at < BATCH ? rows - at : BATCH;
        made_batch_draw(&batch, &drawn, model, at, size);
        if (lens_store_write(store, batch.entries, size, NULL, &error) != 0)
            die();
    }
    lens_store_close(store);
    made_batch_free(&batch);
    mixture_free(&drawn);
}

static long of_status(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kilobytes = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kilobytes = atol(line + strlen(name));
    if (file)
        fclose(file);
    return kilobytes / 1024;
}

static long megabytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (long)(info.st_size >> 20) : 0;
}

/* Asks PROGRAM in the name of a process that was forked before anything was large. */
static void starts(const char *program, const char *folder, size_t rows)
{
    double graph[STARTS], exact[STARTS];
    int64_t resident[2] = {0, 0};
    for (size_t i = 0; i < STARTS; i++) {
        const int64_t id = (int64_t)(1 + i * rows / STARTS);
        graph[i] = bench_ask_cold(program, folder, id, false, &resident[0]);
        exact[i] = bench_ask_cold(program, folder, id, true, &resident[1]);
    }
    qsort(graph, STARTS, sizeof *graph, lens_by_value);
    qsort(exact, STARTS, sizeof *exact, lens_by_value);
    printf("{\"part\": \"start to answer, a process\", \"approximate_seconds\": %.3f, \"exact_seconds\": %.3f, \"approximate_resident_mb\": %lld, \"exact_resident_mb\": %lld}\n",
           graph[STARTS / 2], exact[STARTS / 2], (long long)(resident[0] >> 20), (long long)(resident[1] >> 20));
}

static bool tell(void *context, size_t done, size_t total)
{
    double *last = context;
    const long here = of_status("RssAnon:");
    anonymous = here > anonymous ? here : anonymous;
    if (lens_seconds() - *last > 10) {
        *last = lens_seconds();
        fprintf(stderr, "built %zu of %zu\n", done, total);
    }
    return true;
}

static void measure(const char *folder)
{
    lens_store *store = lens_store_open(folder, LENS_STORE_WRITE, 0, &error);
    lens_store_models models;
    if (!store || lens_store_models_list(store, &models, &error) != 0 || !models.count)
        die();
    const int64_t model = models.items[0].id;
    double begun = lens_seconds(), last = begun;
    bool made;
    lens_store_vectors vectors;
    lens_bytes_view bytes = {0};
    if (lens_store_vectors_open(store, model, NULL, 0, &vectors, &error) != 0)
        die();
    lens_copies_refresh(store, model, 0);
    const double copied = lens_seconds() - begun;
    begun = lens_seconds();
    if (lens_approximate_want(store, folder, true, &error) != 0 || lens_approximate_refresh(store, model, lens_processors(), tell, &last, &made, &error) != 0)
        die();
    printf("{\"part\": \"building\", \"rows\": %zu, \"dim\": %d, \"made\": %s, \"copies_seconds\": %.1f, \"seconds\": %.1f, \"anonymous_most_mb\": %ld, \"vectors_mb\": %ld, \"bytes_mb\": %ld, \"cells_mb\": %ld}\n",
           vectors.count, vectors.dim, made ? "true" : "false", copied, lens_seconds() - begun, anonymous, (long)(vectors.map_size >> 20), megabytes(vectors.copy),
           megabytes(vectors.cells));
    lens_packed *copies = lens_copies_open(&vectors, &bytes);
    begun = lens_seconds();
    lens_approximate *index = copies ? lens_approximate_open(&vectors, &bytes) : NULL;
    const double opened = lens_seconds() - begun;
    const lens_view view = lens_vectors_view(&vectors);
    lens_slot_rows rows;
    lens_trial trial;
    if (!index || lens_slot_rows_make(&view, vectors.committed, &rows, &error) != 0 ||
        lens_trial_make(&index->cells, &bytes, &rows, &view, TRIED, lens_processors(), &trial, &error) != 0)
        die();
    const double rows_took = lens_seconds() - begun - opened;
    const size_t probes[] = {index->probes, 8, 16, 32, 64, 128, 256, index->probes};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        if (lens_trial_run(&trial, probes[i], &error) != 0)
            die();
        const double many = (double)trial.count;
        if (i > 0)
            printf("{\"part\": \"%s\", \"probes\": %zu, \"recall_at_10\": %.4f, \"exact_ms\": %.3f, \"approximate_ms\": %.3f, \"ratio\": %.4f, \"open_ms\": %.2f, \"rows_ms\": %.2f}\n",
                   i + 1 < sizeof probes / sizeof *probes ? "probes" : "as built", probes[i], trial.recall, trial.exact_seconds / many * 1e3, trial.cells_seconds / many * 1e3,
                   trial.cells_seconds / trial.exact_seconds, opened * 1e3, rows_took * 1e3);
    }
    lens_trial_free(&trial);
    lens_slot_rows_free(&rows);
    lens_approximate_close(index);
    lens_packed_close(copies);
    lens_store_vectors_free(&vectors);
    lens_store_models_free(&models);
    lens_store_close(store);
}

int main(int argc, char **argv)
{
    const size_t rows = (size_t)atol(bench_option(argc, argv, "--rows", "100000")), dim = (size_t)atol(bench_option(argc, argv, "--dim", "512")),
                 clusters = (size_t)atol(bench_option(argc, argv, "--clusters", "4000"));
    const char *kept = bench_option(argc, argv, "--library", NULL), *program = bench_option(argc, argv, "--program", "build/memelens");
    char template[] = "/tmp/approximate-XXXXXX";
    const char *folder = kept ? kept : mkdtemp(template);
    if (!folder || rows < 100 || dim < 1 || clusters < 1)
        return fprintf(stderr, "usage: approximate [--rows N] [--dim N] [--clusters N] [--library DIR] [--program FILE]\n"), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    char *database = lens_path_join(folder, "library.db");
    int ready[2];
    char byte;
    const pid_t child = pipe(ready) == 0 ? fork() : -1;
    if (child == 0) {
        close(ready[1]);
        if (read(ready[0], &byte, 1) == 1)
            starts(program, folder, rows);
        exit(0);
    }
    close(ready[0]);
    if (!lens_file_exists(database))
        make_library(folder, rows, dim, clusters);
    free(database);
    measure(folder);
    if (write(ready[1], "", 1) != 1 || waitpid(child, NULL, 0) != child)
        return 2;
    if (!kept)
        lens_folder_remove(folder, &error);
    return 0;
}
