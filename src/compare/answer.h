/* What one model answered to the plan's queries, and how good that is. */
#ifndef LENS_COMPARE_ANSWER_H
#define LENS_COMPARE_ANSWER_H

#include "compare/plan.h"

typedef enum lens_verdict {
    LENS_GOOD,       /* the expected among the first three */
    LENS_KINDA,      /* something related among them, or the expected among the first ten */
    LENS_BAD,
    LENS_UNEXPECTED, /* wrong, yet all of the first three are one other label, and as sure as a right answer */
    LENS_UNJUDGED,   /* nothing that is here was expected, or the model could not be asked */
} lens_verdict;

/* "good", ... */
const char *lens_verdict_name(lens_verdict verdict);

typedef struct lens_answer_hit {
    size_t picture; /* of the plan */
    double score;   /* cosine */
} lens_answer_hit;

/* How many results verdicts look at. */
enum { LENS_VERDICT_TOP = 3 };

typedef struct lens_answer {
    char *error; /* why there is none; NULL: there is one */
    lens_answer_hit *top; /* [count] best first */
    size_t count;
    size_t rank, unhubbed; /* of the first relevant picture in the whole library, and after the correction; 0: none */
    double seconds;        /* encoding and comparing */
    lens_verdict verdict;
} lens_answer;

void lens_answers_free(lens_answer *answers, size_t count);

/* One answer as JSON, and back; -1 when OBJECT is none, or of another plan. */
json_t *lens_answer_to_json(const lens_answer *answer);
int lens_answer_from_json(const lens_plan *plan, const json_t *object, lens_answer *out);

/* Fills the verdicts of ANSWERS [plan->query_count]. How sure a right answer is, is the lower quartile of the first scores of this model's
 * right first results; where they are fewer than four, anything is as sure. 0 or -1. */
int lens_answers_judge(const lens_plan *plan, lens_answer *answers, lens_error *err);

/* The label that an unexpected ANSWER was taken for, and the one of QUERY, by its first expected label or picture. */
int lens_answer_taken_for(const lens_plan *plan, const lens_answer *answer);
int lens_query_label(const lens_plan *plan, const lens_plan_query *query);

#endif
