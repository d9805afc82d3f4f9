/* What the encoder saw, and where the scores came from: for the report. */
#ifndef LENS_COMPARE_MODEL_LOOK_H
#define LENS_COMPARE_MODEL_LOOK_H

#include "compare/answer.h"
#include "compare/model_run.h"

/* *OUT: {"seen_share": mean over the pictures, "query_share": {"Q": s}, "seen": {"P": "data:..."} of shown pictures (index of the plan),
 * "seen_query": {"Q": ...}, "explain": {"Q": [...]} of the first results of bad and unexpected answers}. 0 or -1. Free with json_decref. */
int lens_model_look(const lens_model_run *run, const lens_answer *answers, json_t **out, lens_error *err);

#endif
