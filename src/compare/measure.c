#include "compare/measure.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"

enum { RESAMPLES = 5000 /* samples of the queries, for one interval */ };

const char *const lens_metric_names[LENS_METRICS] = {"p_at_1", "hit_at_3", "hit_at_10", "mrr"};

double lens_metric_of(lens_metric metric, size_t rank)
{
    static const size_t within[] = {[LENS_P_AT_1] = 1, [LENS_HIT_AT_3] = 3, [LENS_HIT_AT_10] = 10};
    if (rank == 0)
        return 0;
    return metric == LENS_MRR ? 1 / (double)rank : rank <= within[metric];
}

int lens_by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int lens_estimate_mean(const double *values, size_t count, uint64_t seed, lens_estimate *out, lens_error *err)
{
    *out = (lens_estimate){0, 0, 0};
    if (count == 0)
        return 0;
    double *means = malloc(RESAMPLES * sizeof *means), sum = 0;
    if (!means)
        return lens_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    out->mean = sum / (double)count;
    uint64_t state = seed;
    for (size_t r = 0; r < RESAMPLES; r++) {
        sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += values[lens_random_below(&state, count)];
        means[r] = sum / (double)count;
    }
    qsort(means, RESAMPLES, sizeof *means, lens_by_value);
    const size_t cut = RESAMPLES / 40; /* 2.5 % at each end */
    out->low = means[cut];
    out->high = means[RESAMPLES - 1 - cut];
    free(means);
    return 0;
}

double lens_sign_test(const double *differences, size_t count)
{
    size_t wins = 0, losses = 0;
    for (size_t i = 0; i < count; i++) {
        wins += differences[i] > 0;
        losses += differences[i] < 0;
    }
    const size_t all = wins + losses, fewer = wins < losses ? wins : losses;
    if (all == 0 || wins == losses)
        return 1;
    double sum = 0; /* of the binomial distribution up to the fewer, in logarithms: thousands of queries would underflow */
    for (size_t k = 0; k <= fewer; k++)
        sum += exp(lgamma((double)all + 1) - lgamma((double)k + 1) - lgamma((double)(all - k) + 1) - (double)all * log(2));
    return fmin(1, 2 * sum);
}

int lens_estimate_verdict(const lens_estimate *difference, double p)
{
    if (p >= 0.05)
        return 0;
    return difference->low > 0 ? 1 : difference->high < 0 ? -1 : 0;
}

double lens_skewness(const uint32_t *listed, size_t count)
{
    double mean = 0, second = 0, third = 0;
    for (size_t i = 0; i < count; i++)
        mean += (double)listed[i];
    mean /= count ? (double)count : 1;
    for (size_t i = 0; i < count; i++) {
        const double d = (double)listed[i] - mean;
        second += d * d;
        third += d * d * d;
    }
    if (!(second > 0))
        return 0;
    second /= (double)count;
    third /= (double)count;
    return third / (second * sqrt(second));
}
