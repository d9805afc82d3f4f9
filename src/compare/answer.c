#include "compare/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "compare/measure.h"

const char *lens_verdict_name(lens_verdict verdict)
{
    static const char *const names[] = {"good", "kinda", "bad", "unexpected", "unjudged"};
    return names[verdict];
}

void lens_answers_free(lens_answer *answers, size_t count)
{
    for (size_t i = 0; answers && i < count; i++) {
        free(answers[i].error);
        free(answers[i].top);
    }
    free(answers);
}

json_t *lens_answer_to_json(const lens_answer *answer)
{
    if (answer->error)
        return json_pack("{ss}", "error", answer->error);
    json_t *top = json_array();
    for (size_t i = 0; i < answer->count; i++)
        json_array_append_new(top, json_pack("[If]", (json_int_t)answer->top[i].picture, answer->top[i].score));
    return json_pack("{so sI sI sf}", "top", top, "rank", (json_int_t)answer->rank, "unhubbed", (json_int_t)answer->unhubbed, "seconds",
                     answer->seconds);
}

int lens_answer_from_json(const lens_plan *plan, const json_t *object, lens_answer *out)
{
    *out = (lens_answer){.verdict = LENS_UNJUDGED};
    const char *error = json_string_value(json_object_get(object, "error"));
    if (error)
        return (out->error = strdup(error)) ? 0 : -1;
    const json_t *top = json_object_get(object, "top"), *rank = json_object_get(object, "rank"), *unhubbed = json_object_get(object, "unhubbed");
    if (!json_is_array(top) || !json_is_integer(rank) || !json_is_integer(unhubbed) || json_integer_value(rank) < 0 ||
        json_integer_value(unhubbed) < 0)
        return -1;
    out->rank = (size_t)json_integer_value(rank);
    out->unhubbed = (size_t)json_integer_value(unhubbed);
    out->seconds = json_number_value(json_object_get(object, "seconds"));
    out->top = calloc(json_array_size(top) + 1, sizeof *out->top);
    if (!out->top)
        return -1;
    for (size_t i = 0; i < json_array_size(top); i++) {
        const json_t *hit = json_array_get(top, i);
        const json_int_t picture = json_integer_value(json_array_get(hit, 0));
        if (picture < 0 || (size_t)picture >= plan->picture_count)
            return -1;
        out->top[out->count++] = (lens_answer_hit){(size_t)picture, json_number_value(json_array_get(hit, 1))};
    }
    return 0;
}

int lens_answer_taken_for(const lens_plan *plan, const lens_answer *answer)
{
    return answer->count ? plan->pictures[answer->top[0].picture].label : LENS_NO_LABEL;
}

int lens_query_label(const lens_plan *plan, const lens_plan_query *query)
{
    if (query->wanted_count)
        return query->wanted[0];
    return query->picture_count ? plan->pictures[query->pictures[0]].label : LENS_NO_LABEL;
}

/* Whether all of the first results are one label. */
static bool uniform(const lens_plan *plan, const lens_answer *answer)
{
    if (answer->count < LENS_VERDICT_TOP || lens_answer_taken_for(plan, answer) == LENS_NO_LABEL)
        return false;
    for (size_t i = 1; i < LENS_VERDICT_TOP; i++)
        if (plan->pictures[answer->top[i].picture].label != lens_answer_taken_for(plan, answer))
            return false;
    return true;
}

static lens_verdict judge(const lens_plan *plan, const lens_plan_query *query, const lens_answer *answer, double sure)
{
    if (answer->error || !query->judged)
        return LENS_UNJUDGED;
    if (answer->rank >= 1 && answer->rank <= LENS_VERDICT_TOP)
        return LENS_GOOD;
    for (size_t i = 0; i < answer->count && i < LENS_VERDICT_TOP; i++)
        if (lens_plan_relates(plan, query, answer->top[i].picture))
            return LENS_KINDA;
    if (uniform(plan, answer) && answer->top[0].score >= sure)
        return LENS_UNEXPECTED;
    return answer->rank >= 1 && answer->rank <= 10 ? LENS_KINDA : LENS_BAD;
}

int lens_answers_judge(const lens_plan *plan, lens_answer *answers, lens_error *err)
{
    double *scores = calloc(plan->query_count + 1, sizeof *scores), sure = -INFINITY;
    size_t right = 0;
    if (!scores)
        return lens_fail_memory(err);
    for (size_t q = 0; q < plan->query_count; q++)
        if (plan->queries[q].judged && !answers[q].error && answers[q].rank == 1 && answers[q].count)
            scores[right++] = answers[q].top[0].score;
    if (right >= 4) {
        qsort(scores, right, sizeof *scores, lens_by_value);
        sure = scores[right / 4];
    }
    free(scores);
    for (size_t q = 0; q < plan->query_count; q++)
        answers[q].verdict = judge(plan, &plan->queries[q], &answers[q], sure);
    return 0;
}
