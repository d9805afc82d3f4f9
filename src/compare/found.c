#include "compare/found.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/date.h"
#include "base/json.h"
#include "base/text.h"
#include "compare/measure.h"

int lens_found_new(lens_plan *plan, lens_found *found, lens_error *err)
{
    *found = (lens_found){.plan = plan, .models = calloc(plan->options->model_count + 1, sizeof *found->models),
                          .shown = json_object(), .shown_paths = json_array()};
    return found->models && found->shown && found->shown_paths ? 0 : lens_fail_memory(err);
}

void lens_found_free(lens_found *found)
{
    for (size_t m = 0; found->models && m < found->count; m++) {
        lens_found_model *model = &found->models[m];
        free(model->error);
        json_decref(model->result);
        lens_answers_free(model->answers, found->plan->query_count);
        free(model->values[0]);
        free(model->values[1]);
    }
    free(found->models);
    json_decref(found->shown);
    json_decref(found->shown_paths);
    *found = (lens_found){0};
}

static int read_result(const lens_plan *plan, lens_found_model *model, lens_error *err)
{
    const json_t *answers = json_object_get(model->result, "answers");
    model->answers = calloc(plan->query_count + 1, sizeof *model->answers);
    for (int i = 0; i < 2; i++)
        model->values[i] = calloc(plan->query_count + 1, LENS_METRICS * sizeof *model->values[i]);
    if (!model->answers || !model->values[0] || !model->values[1])
        return lens_fail_memory(err);
    for (size_t q = 0; q < plan->query_count; q++) {
        lens_answer *answer = &model->answers[q];
        if (lens_answer_from_json(plan, json_array_get(answers, q), answer) != 0)
            return lens_fail(err, LENS_E_FORMAT, "%s: what was kept of its answers is damaged: run again with --fresh", model->name);
        const bool judged = !answer->error && plan->queries[q].judged;
        for (lens_metric metric = 0; metric < LENS_METRICS; metric++) {
            model->values[0][q * LENS_METRICS + metric] = judged ? lens_metric_of(metric, answer->rank) : (double)NAN;
            model->values[1][q * LENS_METRICS + metric] = judged ? lens_metric_of(metric, answer->unhubbed) : (double)NAN;
        }
    }
    return lens_answers_judge(plan, model->answers, err);
}

int lens_found_add(lens_found *found, const char *name, json_t *result, const char *error, lens_error *err)
{
    lens_found_model *model = &found->models[found->count++];
    *model = (lens_found_model){.name = name, .result = result, .error = error ? strdup(error) : NULL};
    if (error)
        return model->error ? 0 : lens_fail_memory(err);
    return read_result(found->plan, model, err);
}

json_t *lens_found_shown(lens_found *found, const char *path, const char *label)
{
    lens_buffer key = {0}; /* keys of jansson's objects are UTF-8 */
    if (lens_base64_encode(path, strlen(path), &key) != 0)
        return NULL;
    json_t *index = json_object_get(found->shown, key.data);
    if (!index) {
        json_t *picture = json_object();
        index = json_integer((json_int_t)json_array_size(found->shown_paths));
        lens_json_set_path(picture, "path", path);
        if (label)
            json_object_set_new(picture, "label", json_string(label));
        json_array_append_new(found->shown_paths, picture);
        json_object_set_new(found->shown, key.data, index);
    }
    lens_buffer_free(&key);
    return json_incref(index);
}

/* The first line of FILE that begins with KEY, from behind the separators on; "" when there is none. */
static void line_of(const char *file, const char *key, char *out, size_t size)
{
    char line[512];
    FILE *stream = fopen(file, "r");
    *out = '\0';
    while (stream && !*out && fgets(line, sizeof line, stream))
        if (strncmp(line, key, strlen(key)) == 0) {
            const char *value = line + strlen(key) + strspn(line + strlen(key), " \t:=\"");
            snprintf(out, size, "%.*s", (int)strcspn(value, "\"\n"), value);
        }
    if (stream)
        fclose(stream);
}

static json_t *machine(void)
{
    char processor[256], system[256], memory[64];
    line_of("/proc/cpuinfo", "model name", processor, sizeof processor);
    line_of("/proc/meminfo", "MemTotal", memory, sizeof memory);
    line_of("/etc/os-release", "PRETTY_NAME", system, sizeof system);
    return json_pack("{ss si sI ss}", "processor", processor, "processors", lens_default_threads(), "memory_bytes",
                     (json_int_t)(strtoll(memory, NULL, 10) * 1024), "system", system);
}

static json_t *pictures(const lens_found *found)
{
    const lens_plan *plan = found->plan;
    json_t *folders = json_array();
    for (size_t i = 0; i < plan->options->picture_count; i++)
        json_array_append_new(folders, lens_json_text(plan->options->pictures[i]));
    json_int_t failed = 0;
    for (size_t m = 0; m < found->count; m++) {
        const json_int_t here = json_integer_value(json_object_get(json_object_get(found->models[m].result, "costs"), "failed"));
        failed = here > failed ? here : failed;
    }
    return json_pack("{sI sI sI so sI so*}", "count", (json_int_t)plan->picture_count, "found", (json_int_t)plan->found, "failed", failed,
                     "folders", folders, "labels", (json_int_t)plan->labels.count, "labelled_by",
                     plan->options->labels ? lens_json_text(plan->options->labels) : NULL);
}

/* A picture that no model could read is no model's fault. */
static int say_unreadable(const lens_found *found, lens_error *err)
{
    lens_plan *plan = found->plan;
    for (size_t q = 0; q < plan->query_count; q++) {
        lens_plan_query *query = &plan->queries[q];
        const char *reason = NULL;
        bool answered = !query->path || query->error;
        for (size_t m = 0; m < found->count && !answered; m++) {
            answered = !found->models[m].error && !found->models[m].answers[q].error;
            if (!found->models[m].error && !reason)
                reason = found->models[m].answers[q].error;
        }
        if (answered || !reason)
            continue;
        query->judged = false;
        if (!(query->error = strdup(reason)))
            return lens_fail_memory(err);
        lens_plan_note(plan, "%s, line %zu: %s; the query is left out", plan->options->queries, query->line, reason);
    }
    return 0;
}

static void put_seen(lens_found *found, json_t *mine, const char *path, json_t *data)
{
    char key[24];
    if (!path)
        return;
    json_t *index = lens_found_shown(found, path, NULL);
    snprintf(key, sizeof key, "%lld", (long long)json_integer_value(index));
    json_object_set(mine, key, data);
    json_decref(index);
}

/* What each model saw, by the report's own indices: {"MODEL": {"17": "data:..."}}. */
static json_t *seen_by_all(lens_found *found)
{
    json_t *all = json_object();
    for (size_t m = 0; m < found->count; m++) {
        const json_t *look = json_object_get(found->models[m].result, "look");
        json_t *mine = json_object(), *data;
        const char *key;
        json_object_foreach(json_object_get(look, "seen"), key, data)
            if (strtoull(key, NULL, 10) < found->plan->picture_count) /* a damaged file may say anything */
                put_seen(found, mine, found->plan->pictures[strtoull(key, NULL, 10)].path, data);
        json_object_foreach(json_object_get(look, "seen_query"), key, data)
            if (strtoull(key, NULL, 10) < found->plan->query_count)
                put_seen(found, mine, found->plan->queries[strtoull(key, NULL, 10)].path, data);
        json_object_set_new(all, found->models[m].name, mine);
    }
    return all;
}

json_t *lens_found_close(lens_found *found, lens_error *err)
{
    const lens_plan *plan = found->plan;
    size_t judged = 0;
    if (say_unreadable(found, err) != 0)
        return NULL;
    for (size_t q = 0; q < plan->query_count; q++)
        judged += plan->queries[q].judged;
    char date[LENS_DATE_SIZE];
    lens_date_write((int64_t)time(NULL), date);
    json_t *rows = lens_found_rows(found, err), *models = rows ? lens_found_figures(found, err) : NULL;
    json_t *pairs = models ? lens_found_pairs(found, err) : NULL;
    json_t *all = NULL;
    if (pairs) {
        all = json_pack("{ss so ss so sI sI sO so s{sI sI} sO sO sO so sO}", "memelens", lens_version(), "command",
                        lens_json_text(plan->options->command), "date", date, "machine", machine(), "seed", (json_int_t)plan->options->seed,
                        "top", (json_int_t)plan->options->top, "notes", plan->notes, "pictures", pictures(found), "queries",
                        "count", (json_int_t)plan->query_count, "judged", (json_int_t)judged, "models", models, "pairs", pairs, "rows", rows,
                        "seen", seen_by_all(found), "thumbs", found->shown_paths);
        if (!all)
            lens_fail_memory(err);
    }
    json_decref(rows);
    json_decref(models);
    json_decref(pairs);
    return all;
}
