/* One model's part of the experiment: index, ask, explain. Everything that it finds is in files of its folder:
 *
 *     library/           the pictures, indexed
 *     index.json         what indexing cost so far
 *     indexing           while it is indexed
 *     answers-KEY.jsonl  an answer a line, as they come
 *     result-KEY.json    all of it, when it is complete
 *
 * KEY stands for the queries and options, so that another question asks again, but indexes nothing anew. When the library changes, what was found by every
 * KEY goes. */
#ifndef LENS_COMPARE_MODEL_RUN_H
#define LENS_COMPARE_MODEL_RUN_H

#include "compare/plan.h"

typedef struct lens_model_run {
    const lens_plan *plan;
    const char *model;
    const char *folder; /* its own */
    const char *key;
} lens_model_run;

/* Does what is left to do: for lens_child_run. CONTEXT: a lens_model_run. */
int lens_model_run_all(void *context, lens_error *err);

/* What a complete run found; NULL when it is not complete. Free with json_decref. */
json_t *lens_model_run_result(const lens_model_run *run);

/* Asks a step's watcher; -1 with LENS_E_CANCELLED when it said no. */
int lens_model_run_tell(const lens_model_run *run, const char *step, size_t done, size_t total, lens_error *err);

/* Brings the library at FOLDER/library up to date; COSTS gets {"seconds", "processor_seconds", "peak_memory_bytes", "pictures", "failed",
 * "library_bytes"} of all runs together, *CHANGED whether there was anything to do. */
int lens_model_run_index(const lens_model_run *run, json_t **costs, bool *changed, lens_error *err);

#endif
