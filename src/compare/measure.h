/* How well a model answered: the usual figures of retrieval, and how far so few queries can carry them.
 *
 * Everything is worked out from the rank of the first relevant picture in the whole library, from 1; 0: there is none. */
#ifndef LENS_COMPARE_MEASURE_H
#define LENS_COMPARE_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum lens_metric { LENS_P_AT_1, LENS_HIT_AT_3, LENS_HIT_AT_10, LENS_MRR, LENS_METRICS } lens_metric;

/* "p_at_1", "hit_at_3", "hit_at_10", "mrr". */
extern const char *const lens_metric_names[LENS_METRICS];

/* What one query gives to METRIC: 1 or 0 for the first three; 1 / RANK, or 0, for the mean reciprocal rank (Voorhees, 1999). */
double lens_metric_of(lens_metric metric, size_t rank);

typedef struct lens_estimate {
    double mean, low, high; /* the 95 % interval */
} lens_estimate;

/* The mean of VALUES [count] with its percentile bootstrap interval (Efron, 1979): the middle 95 % of the means of many samples of the
 * queries, drawn with replacement. The same SEED and COUNT give the same samples. 0 or -1. */
int lens_estimate_mean(const double *values, size_t count, uint64_t seed, lens_estimate *out, lens_error *err);

/* Of the differences of two models, query by query, the two-sided sign test: how likely so uneven a split of wins and losses is, or a more
 * uneven one, when both are as good. 1 where there is no difference at all. */
double lens_sign_test(const double *differences, size_t count);

/* Whether the queries can carry the word "better": the interval leaves out 0 and the sign test gives less than 0.05. The bootstrap alone
 * is too bold for a dozen queries, the sign test alone does not look at how much. 1: the first is better, -1: the second, 0: too few queries to tell. */
int lens_estimate_verdict(const lens_estimate *difference, double p);

/* For qsort: doubles, the least first. */
int lens_by_value(const void *a, const void *b);

/* The skewness of how often each of COUNT pictures is LISTED among the nearest of others: Radovanovic et al. (2010). 0 where all are the same. */
double lens_skewness(const uint32_t *listed, size_t count);

#endif
