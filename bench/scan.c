/* One query over many vectors: the exact scan in floats beside the one by way of bytes, in turns; bench/scan.py reads what it prints, an object
 * a line.
 *
 *     build/bench/scan [--rows N] [--dim N] [--threads N] [--clusters N] [--out FILE]
 *
 * The vectors are drawn from a normal distribution, or around so many centres, and made of length 1; --out writes them as raw 32-bit floats,
 * rows first, then the queries. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/processors.h"
#include "compare/measure.h"
#include "search/scan_bytes.h"
#include "support/options.h"

enum { QUERIES = 16, ROUNDS = 7, K = 10 };

static uint64_t state = 88172645463325252u;

/* Twelve even numbers summed up: near enough to a normal distribution. */
static float normal(void)
{
    float sum = -6;
    for (int i = 0; i < 12; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        sum += (float)(state >> 40) / (float)(1 << 24);
    }
    return sum;
}

static void unit(float *row, int dim, const float *centre, float spread)
{
    double squares = 0;
    for (int i = 0; i < dim; i++) {
        row[i] = (centre ? centre[i] : 0) + spread * normal();
        squares += (double)row[i] * (double)row[i];
    }
    for (int i = 0; i < dim; i++)
        row[i] = (float)((double)row[i] / sqrt(squares));
}

static double median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, lens_by_value);
    return times[count / 2];
}

static long number(int argc, char **argv, const char *name, long otherwise)
{
    const char *text = bench_option(argc, argv, name, NULL);
    return text ? atol(text) : otherwise;
}

/* What is searched. */
struct world {
    lens_view view;
    lens_bytes_view bytes;
    const float *queries;
    int threads;
};

static void measure(const struct world *world)
{
    static double exact[QUERIES * ROUNDS], bytes[QUERIES * ROUNDS];
    lens_error err = {0};
    size_t right = 0, wanted = 0, compared = 0, timed = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (int q = 0; q < QUERIES; q++) {
            const float *query = world->queries + (size_t)q * (size_t)world->view.dim;
            lens_hit a[K], b[K];
            size_t a_count, b_count, rows;
            double begin = lens_seconds();
            int result = lens_scan(&world->view, query, K, -INFINITY, world->threads, a, &a_count, &err);
            double middle = lens_seconds();
            result |= lens_scan_bytes(&world->view, &world->bytes, query, K, -INFINITY, world->threads, b, &b_count, &rows, &err);
            double end = lens_seconds();
            if (result != 0) {
                fprintf(stderr, "scan: %s\n", err.message);
                exit(1);
            }
            exact[timed] = middle - begin;
            bytes[timed++] = end - middle;
            compared += rows;
            wanted += a_count;
            for (size_t i = 0; i < a_count && i < b_count; i++)
                right += a[i].id == b[i].id;
        }
    printf("{\"rows\":%zu,\"dim\":%d,\"threads\":%d,\"f32_ms\":%.3f,\"int8_ms\":%.3f,\"recall_at_10\":%.6f,\"candidates\":%.1f}\n",
           world->view.count, world->view.dim, world->threads, 1e3 * median(exact, timed), 1e3 * median(bytes, timed),
           (double)right / (double)wanted, (double)compared / (double)timed);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const size_t rows = (size_t)number(argc, argv, "--rows", 1000000), clusters = (size_t)number(argc, argv, "--clusters", 0);
    const int dim = (int)number(argc, argv, "--dim", 512), threads = (int)number(argc, argv, "--threads", 0);
    const size_t size = lens_code_size(dim), width = (size_t)dim;
    float *data = malloc((rows + QUERIES) * width * sizeof *data), *centres = malloc((clusters + 1) * width * sizeof *centres);
    uint8_t *codes = aligned_alloc(64, rows * size);
    lens_row_bounds *bounds = malloc(rows * sizeof *bounds);
    int64_t *ids = malloc(rows * sizeof *ids);
    if (!data || !centres || !codes || !bounds || !ids) {
        fprintf(stderr, "scan: not enough memory\n");
        return 1;
    }
    for (size_t i = 0; i < clusters; i++)
        unit(centres + i * width, dim, NULL, 1);
    for (size_t i = 0; i < rows + QUERIES; i++)
        unit(data + i * width, dim, clusters ? centres + i % clusters * width : NULL, clusters ? 0.01f : 1);
    for (size_t i = 0; i < rows; i++) {
        lens_code_row(data + i * width, dim, codes + i * size, &bounds[i]);
        ids[i] = (int64_t)i;
    }
    const char *out = bench_option(argc, argv, "--out", NULL);
    FILE *file = out ? fopen(out, "wb") : NULL;
    if (out && (!file || fwrite(data, width * sizeof *data, rows + QUERIES, file) != rows + QUERIES || fclose(file) != 0)) {
        fprintf(stderr, "scan: %s: cannot be written\n", out);
        return 1;
    }
    struct world world = {{data, NULL, ids, rows, dim, NULL}, {codes, bounds, rows}, data + rows * width, 1};
    for (world.threads = threads ? threads : 1; world.threads <= (threads ? threads : lens_processors()); world.threads++)
        measure(&world);
    return 0;
}
