/* The figures of each model, and what differs between two. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "compare/found.h"
#include "compare/measure.h"

/* The values of METRIC that are judged, into VALUES [queries]. How many. */
static size_t judged_values(const lens_found *found, const lens_found_model *model, int unhub, lens_metric metric, double *values)
{
    size_t count = 0;
    for (size_t q = 0; q < found->plan->query_count; q++) {
        const double value = model->values[unhub][q * LENS_METRICS + metric];
        if (!isnan(value))
            values[count++] = value;
    }
    return count;
}

static json_t *interval(const lens_estimate *estimate)
{
    return json_pack("[ff]", estimate->low, estimate->high);
}

/* Adds the quality of MODEL to FIGURES, and its intervals. */
static int add_quality(const lens_found *found, const lens_found_model *model, json_t *figures, lens_error *err)
{
    double *values = calloc(found->plan->query_count + 1, sizeof *values);
    json_t *intervals = json_object();
    int result = values ? 0 : lens_fail_memory(err);
    for (lens_metric metric = 0; result == 0 && metric < LENS_METRICS; metric++) {
        lens_estimate estimate;
        const size_t count = judged_values(found, model, 0, metric, values);
        json_object_set_new(figures, "judged", json_integer((json_int_t)count));
        result = lens_estimate_mean(values, count, found->plan->options->seed, &estimate, err);
        json_object_set_new(figures, lens_metric_names[metric], count ? json_real(estimate.mean) : json_null());
        if (count)
            json_object_set_new(intervals, lens_metric_names[metric], interval(&estimate));
    }
    json_object_set_new(figures, "intervals", intervals);
    free(values);
    return result;
}

/* What the correction makes of it, with how far it differs from the plain answers. */
static int add_unhub(lens_found *found, const lens_found_model *model, json_t *hubness, lens_error *err)
{
    const size_t queries = found->plan->query_count;
    const json_t *measured = json_object_get(model->result, "unhub");
    double *values = calloc(queries + 1, sizeof *values);
    json_t *unhub = json_pack("{ss sO sO}", "method", "local scaling", "skew", json_object_get(measured, "skew"), "never",
                              json_object_get(measured, "never"));
    int result = values && unhub ? 0 : lens_fail_memory(err);
    for (lens_metric metric = 0; result == 0 && metric < LENS_METRICS; metric++) {
        const size_t count = judged_values(found, model, 1, metric, values);
        double sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += values[i];
        json_object_set_new(unhub, lens_metric_names[metric], count ? json_real(sum / (double)count) : json_null());
    }
    free(values);
    json_object_set_new(hubness, "unhub", unhub);
    return result;
}

static int add_hubness(lens_found *found, const lens_found_model *model, json_t *figures, lens_error *err)
{
    const json_t *measured = json_object_get(model->result, "hubness");
    if (!json_is_object(measured))
        return 0;
    json_t *hubness = json_copy((json_t *)measured), *hubs = json_array();
    size_t i;
    json_t *hub;
    json_array_foreach(json_object_get(measured, "hubs"), i, hub) {
        const json_int_t at = json_integer_value(json_object_get(hub, "at"));
        if (at < 0 || (size_t)at >= found->plan->picture_count) /* a damaged file may say anything */
            continue;
        const lens_plan_picture *picture = &found->plan->pictures[at];
        const char *label = picture->label == LENS_NO_LABEL ? NULL : found->plan->labels.items[picture->label];
        json_t *shown = json_pack("{ss* sO so}", "label", label, "count", json_object_get(hub, "count"), "picture",
                                  lens_found_shown(found, picture->path, label));
        lens_json_set_path(shown, "path", picture->path);
        json_array_append_new(hubs, shown);
    }
    json_object_set_new(hubness, "hubs", hubs);
    json_object_set_new(figures, "hubness", hubness);
    return add_unhub(found, model, hubness, err);
}

/* The median time of an answer: the first one also warms up. */
static int add_costs(const lens_found *found, const lens_found_model *model, json_t *figures, lens_error *err)
{
    const json_t *costs = json_object_get(model->result, "costs");
    const double seconds = json_number_value(json_object_get(costs, "seconds"));
    const double indexed = json_number_value(json_object_get(costs, "indexed"));
    json_object_set_new(figures, "index_seconds", json_real(seconds));
    json_object_set_new(figures, "pictures_per_second", indexed > 0 && seconds > 0 ? json_real(indexed / seconds) : json_null());
    static const char *const kept[] = {"peak_memory_bytes", "library_bytes"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        json_object_set_new(figures, kept[i], json_integer((json_int_t)json_number_value(json_object_get(costs, kept[i]))));
    json_object_set_new(figures, "processor_seconds", json_real(json_number_value(json_object_get(costs, "processor_seconds"))));
    double *times = calloc(found->plan->query_count + 1, sizeof *times);
    if (!times)
        return lens_fail_memory(err);
    size_t count = 0;
    for (size_t q = 0; q < found->plan->query_count; q++)
        if (!model->answers[q].error)
            times[count++] = model->answers[q].seconds;
    qsort(times, count, sizeof *times, lens_by_value);
    json_object_set_new(figures, "answered", json_integer((json_int_t)count));
    json_object_set_new(figures, "query_ms", count ? json_real(1000 * times[count / 2]) : json_null());
    free(times);
    return 0;
}

static void add_verdicts(const lens_found *found, const lens_found_model *model, json_t *figures)
{
    json_t *verdicts = json_object(), *taken = json_array();
    for (lens_verdict verdict = LENS_GOOD; verdict <= LENS_UNEXPECTED; verdict++) {
        json_int_t count = 0;
        for (size_t q = 0; q < found->plan->query_count; q++)
            count += model->answers[q].verdict == verdict;
        json_object_set_new(verdicts, lens_verdict_name(verdict), json_integer(count));
    }
    for (size_t q = 0; q < found->plan->query_count; q++) {
        const lens_plan *plan = found->plan;
        const int from = lens_query_label(plan, &plan->queries[q]), to = lens_answer_taken_for(plan, &model->answers[q]);
        if (model->answers[q].verdict == LENS_UNEXPECTED && from != LENS_NO_LABEL)
            json_array_append_new(taken, json_pack("{sI ss ss}", "query", (json_int_t)q, "from", plan->labels.items[from], "to", plan->labels.items[to]));
    }
    json_object_set_new(figures, "verdicts", verdicts);
    json_object_set_new(figures, "taken_for", taken);
}

/* Points out by itself what explains most surprises: a preparation that throws most of a picture away. */
static void add_seen(const lens_found_model *model, json_t *figures)
{
    const json_t *share = json_object_get(json_object_get(model->result, "look"), "seen_share");
    if (!json_is_number(share))
        return;
    json_object_set(figures, "seen_share", (json_t *)share);
    if (json_number_value(share) >= LENS_SEEN_LEAST)
        return;
    char note[256];
    snprintf(note, sizeof note, "%s sees only %.0f %% of a picture: its preparation throws the rest away, and what it takes for alike may be alike in that part alone",
             model->name, 100 * json_number_value(share));
    json_object_set_new(figures, "seen_note", json_string(note));
}

static json_t *figures_of(lens_found *found, const lens_found_model *model, lens_error *err)
{
    if (model->error)
        return json_pack("{ss ss}", "model", model->name, "error", model->error);
    const json_t *result = model->result;
    json_t *figures = json_pack("{ss sO sO sO}", "model", model->name, "fingerprint", json_object_get(result, "fingerprint"), "precision",
                                json_object_get(result, "precision"), "dim", json_object_get(result, "dim"));
    if (!figures) {
        lens_fail(err, LENS_E_FORMAT, "%s: what was kept of its run is damaged: run again with --fresh", model->name);
        return NULL;
    }
    json_object_set_new(figures, "queries", json_integer((json_int_t)found->plan->query_count));
    json_object_set(figures, "matrix", json_object_get(result, "matrix"));
    add_verdicts(found, model, figures);
    add_seen(model, figures);
    if (add_quality(found, model, figures, err) == 0 && add_costs(found, model, figures, err) == 0 && add_hubness(found, model, figures, err) == 0)
        return figures;
    json_decref(figures);
    return NULL;
}

json_t *lens_found_figures(lens_found *found, lens_error *err)
{
    json_t *all = json_array();
    for (size_t m = 0; m < found->count; m++) {
        json_t *figures = figures_of(found, &found->models[m], err);
        if (!figures) {
            json_decref(all);
            return NULL;
        }
        json_array_append_new(all, figures);
    }
    return all;
}

/* What A is better by than B in METRIC, over the queries that both answered. DIFFERENCES [queries] is scratch. */
static json_t *difference_of(const lens_found *found, const lens_found_model *a, const lens_found_model *b, lens_metric metric,
                             double *differences, lens_error *err)
{
    size_t count = 0;
    for (size_t q = 0; q < found->plan->query_count; q++) {
        const double difference = a->values[0][q * LENS_METRICS + metric] - b->values[0][q * LENS_METRICS + metric];
        if (!isnan(difference))
            differences[count++] = difference;
    }
    lens_estimate estimate;
    if (lens_estimate_mean(differences, count, found->plan->options->seed, &estimate, err) != 0)
        return NULL;
    const double p = lens_sign_test(differences, count);
    const int verdict = lens_estimate_verdict(&estimate, p);
    return json_pack("{sI sf so sf so}", "queries", (json_int_t)count, "difference", estimate.mean, "interval", interval(&estimate), "p", p,
                     "better", verdict > 0 ? json_string(a->name) : verdict < 0 ? json_string(b->name) : json_null());
}

json_t *lens_found_pairs(const lens_found *found, lens_error *err)
{
    double *differences = calloc(found->plan->query_count + 1, sizeof *differences);
    json_t *pairs = differences ? json_array() : NULL;
    if (!differences)
        lens_fail_memory(err);
    for (size_t a = 0; pairs && a < found->count; a++)
        for (size_t b = a + 1; pairs && b < found->count; b++) {
            const lens_found_model *first = &found->models[a], *second = &found->models[b];
            if (first->error || second->error)
                continue;
            json_t *pair = json_pack("{ss ss}", "a", first->name, "b", second->name);
            for (lens_metric metric = 0; pairs && metric < LENS_METRICS; metric++) {
                json_t *difference = difference_of(found, first, second, metric, differences, err);
                if (difference) {
                    json_object_set_new(pair, lens_metric_names[metric], difference);
                } else {
                    json_decref(pairs);
                    pairs = NULL;
                }
            }
            if (pairs)
                json_array_append_new(pairs, pair);
            else
                json_decref(pair);
        }
    free(differences);
    return pairs;
}
