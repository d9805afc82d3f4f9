/* A row for every query: what each model answered. */
#include <stdio.h>

#include "base/json.h"
#include "compare/found.h"

static const char *label_of(const lens_plan *plan, size_t picture)
{
    const int label = plan->pictures[picture].label;
    return label == LENS_NO_LABEL ? NULL : plan->labels.items[label];
}

static json_t *results_of(lens_found *found, const lens_plan_query *query, const lens_answer *answer)
{
    const lens_plan *plan = found->plan;
    json_t *results = json_array();
    for (size_t i = 0; i < answer->count && i < plan->options->top; i++) {
        const lens_answer_hit *hit = &answer->top[i];
        const char *path = plan->pictures[hit->picture].path, *label = label_of(plan, hit->picture);
        json_t *result = json_pack("{ss* sf sb sb so}", "label", label, "score", hit->score, "relevant", lens_plan_wants(plan, query, hit->picture),
                                   "related", lens_plan_relates(plan, query, hit->picture), "picture", lens_found_shown(found, path, label));
        lens_json_set_path(result, "path", path);
        json_array_append_new(results, result);
    }
    return results;
}

/* The models whose first relevant picture stands highest. */
static json_t *winners_of(const lens_found *found, size_t q)
{
    size_t best = 0;
    json_t *winners = json_array();
    for (size_t m = 0; m < found->count; m++) {
        const size_t rank = found->models[m].error || found->models[m].answers[q].error ? 0 : found->models[m].answers[q].rank;
        if (rank && (!best || rank < best))
            best = rank;
    }
    for (size_t m = 0; best && m < found->count; m++)
        if (!found->models[m].error && !found->models[m].answers[q].error && found->models[m].answers[q].rank == best)
            json_array_append_new(winners, json_string(found->models[m].name));
    return winners;
}

/* Adds what model M made of query Q to the parts of its row. */
static void add_model(lens_found *found, size_t q, const lens_found_model *model, json_t *row)
{
    const lens_plan_query *query = &found->plan->queries[q];
    const lens_answer *answer = &model->answers[q];
    const json_t *look = json_object_get(model->result, "look");
    char key[24];
    snprintf(key, sizeof key, "%zu", q);
    json_object_set_new(json_object_get(row, "verdict"), model->name, json_string(lens_verdict_name(answer->verdict)));
    if (answer->error) {
        if (!query->error)
            json_object_set_new(json_object_get(row, "reason"), model->name, json_string(answer->error));
        return;
    }
    json_object_set_new(json_object_get(row, "results"), model->name, results_of(found, query, answer));
    json_object_set_new(json_object_get(row, "rank"), model->name, answer->rank ? json_integer((json_int_t)answer->rank) : json_null());
    json_t *explain = json_object_get(json_object_get(look, "explain"), key), *share = json_object_get(json_object_get(look, "query_share"), key);
    if (explain)
        json_object_set(json_object_get(row, "explain"), model->name, explain);
    if (share)
        json_object_set(json_object_get(row, "seen_share"), model->name, share);
}

static json_t *row_of(lens_found *found, size_t q)
{
    const lens_plan_query *query = &found->plan->queries[q];
    json_t *row = json_pack("{sb sO sO sO sO sb ss* so s{} s{} s{} s{} s{} s{}}", "words", query->path == NULL, "expected", query->expected, "related",
                            query->kindred, "unknown", query->unknown, "other", query->other, "judged", query->judged, "error", query->error,
                            "winners", query->judged ? winners_of(found, q) : json_array(), "results", "rank", "verdict", "reason", "explain",
                            "seen_share");
    if (!row)
        return NULL;
    lens_json_set_path(row, "query", query->text);
    if (query->path) {
        lens_json_set_path(row, "path", query->path);
        if (!query->error)
            json_object_set_new(row, "picture", lens_found_shown(found, query->path, NULL));
    }
    for (size_t m = 0; m < found->count; m++)
        if (!found->models[m].error)
            add_model(found, q, &found->models[m], row);
    return row;
}

json_t *lens_found_rows(lens_found *found, lens_error *err)
{
    json_t *rows = json_array();
    for (size_t q = 0; q < found->plan->query_count; q++) {
        json_t *row = row_of(found, q);
        if (!row) {
            json_decref(rows);
            lens_fail_memory(err);
            return NULL;
        }
        json_array_append_new(rows, row);
    }
    return rows;
}
