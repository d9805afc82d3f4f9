#include "compare/model_run.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "compare/answer.h"
#include "compare/measure.h"
#include "compare/model_look.h"
#include "memelens_study.h"

enum { HUBS_K = 10, HUBS_SHOWN = 5, MATRIX_MOST = 40 };

/* A model that is being asked. */
struct asker {
    const lens_model_run *run;
    lens_study *study;
    size_t *picture_of; /* [rows] of the plan; SIZE_MAX for what is in the library by chance */
    const float *penalties;
    float *scores;      /* [rows] */
    float *vectors;     /* [queries, dim] */
    lens_answer *answers;
};

/* The path of the file NAME-KEY.END. NULL when memory is short. The caller frees. */
static char *model_run_file(const lens_model_run *run, const char *name, const char *end)
{
    lens_buffer path = {0};
    if (lens_buffer_print(&path, "%s/%s-%s.%s", run->folder, name, run->key, end) == 0)
        return path.data;
    lens_buffer_free(&path);
    return NULL;
}

int lens_model_run_tell(const lens_model_run *run, const char *step, size_t done, size_t total, lens_error *err)
{
    const lens_compare_options *options = run->plan->options;
    if (!options->tell || options->tell(options->context, step, NULL, done, total))
        return 0;
    return lens_fail(err, LENS_E_CANCELLED, "stopped");
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static int open_asker(struct asker *self, lens_error *err)
{
    const lens_model_run *run = self->run;
    char *folder = lens_path_join(run->folder, "library");
    lens_library *library = folder ? lens_library_open(folder, err) : NULL;
    free(folder);
    self->study = library ? lens_study_open(library, run->model, run->plan->options->precision, err) : NULL;
    lens_library_close(library);
    if (!self->study)
        return -1;
    const lens_study_info *about = lens_study_about(self->study);
    self->picture_of = calloc(about->count + 1, sizeof *self->picture_of);
    self->scores = calloc(about->count + 1, sizeof *self->scores);
    self->answers = calloc(run->plan->query_count + 1, sizeof *self->answers);
    self->vectors = calloc(run->plan->query_count * (size_t)about->dim + 1, sizeof *self->vectors);
    if (!self->picture_of || !self->scores || !self->answers || !self->vectors)
        return lens_fail_memory(err);
    for (size_t row = 0; row < about->count; row++)
        self->picture_of[row] = lens_plan_find(run->plan, lens_study_path(self->study, row));
    self->penalties = lens_study_penalties(self->study, err);
    return self->penalties ? 0 : -1;
}

static void close_asker(struct asker *self)
{
    lens_answers_free(self->answers, self->run->plan->query_count);
    free(self->vectors);
    free(self->scores);
    free(self->picture_of);
    lens_study_close(self->study);
}

static bool takes_part(const struct asker *self, const lens_plan_query *query, size_t row)
{
    return self->picture_of[row] != SIZE_MAX && self->picture_of[row] != query->own;
}

/* The score that ROW is ranked by. */
static double ranked(const struct asker *self, size_t row, bool unhub)
{
    return (double)self->scores[row] - (unhub ? (double)self->penalties[row] : 0);
}

/* The rank of the first picture that QUERY expects, ties by row; 0: there is none. */
static size_t rank_of_first(const struct asker *self, const lens_plan_query *query, bool unhub)
{
    const size_t rows = lens_study_about(self->study)->count;
    size_t best = SIZE_MAX, rank = 1;
    for (size_t row = 0; row < rows; row++)
        if (takes_part(self, query, row) && lens_plan_wants(self->run->plan, query, self->picture_of[row]) &&
            (best == SIZE_MAX || ranked(self, row, unhub) > ranked(self, best, unhub)))
            best = row;
    if (best == SIZE_MAX)
        return 0;
    const double score = ranked(self, best, unhub);
    for (size_t row = 0; row < rows; row++)
        rank += takes_part(self, query, row) && (ranked(self, row, unhub) > score || (ranked(self, row, unhub) == score && row < best));
    return rank;
}

/* The first MOST results, best first, ties by row. */
static int fill_top(const struct asker *self, const lens_plan_query *query, size_t most, lens_answer *answer, lens_error *err)
{
    answer->top = calloc(most + 1, sizeof *answer->top);
    if (!answer->top)
        return lens_fail_memory(err);
    for (size_t row = 0; row < lens_study_about(self->study)->count; row++) {
        const double score = (double)self->scores[row];
        if (!takes_part(self, query, row) || (answer->count == most && !(score > answer->top[most - 1].score)))
            continue;
        size_t at = answer->count < most ? answer->count++ : most - 1;
        for (; at > 0 && score > answer->top[at - 1].score; at--)
            answer->top[at] = answer->top[at - 1];
        answer->top[at] = (lens_answer_hit){self->picture_of[row], score};
    }
    return 0;
}

static lens_term term_of(const lens_plan_query *query)
{
    return (lens_term){.kind = query->path ? LENS_TERM_FILE : LENS_TERM_WORDS, .text = query->path ? query->path : query->text, .weight = 1};
}

/* Encodes query Q into its place. Why it cannot be is WHY's, and no error of the run. */
static int encode(struct asker *self, size_t q, lens_error *why)
{
    const lens_plan_query *query = &self->run->plan->queries[q];
    const lens_study_info *about = lens_study_about(self->study);
    if (query->error)
        return lens_fail(why, LENS_E_MISSING, "%s", query->error);
    if (!query->path && !about->words)
        return lens_fail(why, LENS_E_UNSUPPORTED, "%s knows pictures, not words", about->model);
    const lens_term term = term_of(query);
    return lens_study_encode(self->study, &term, 0, self->vectors + q * (size_t)about->dim, why);
}

static int ask(struct asker *self, size_t q, lens_error *err)
{
    const lens_plan *plan = self->run->plan;
    const lens_plan_query *query = &plan->queries[q];
    const size_t dim = (size_t)lens_study_about(self->study)->dim;
    const size_t shown = plan->options->top > LENS_VERDICT_TOP ? plan->options->top : LENS_VERDICT_TOP;
    lens_answer *answer = &self->answers[q];
    lens_error why = {0};
    const double begin = lens_seconds();
    if (encode(self, q, &why) != 0) {
        if (why.code == LENS_E_MEMORY)
            return lens_fail_memory(err);
        return (answer->error = strdup(why.message)) ? 0 : lens_fail_memory(err);
    }
    lens_study_scores(self->study, self->vectors + q * dim, self->scores);
    answer->seconds = lens_seconds() - begin;
    answer->rank = rank_of_first(self, query, false);
    answer->unhubbed = rank_of_first(self, query, true);
    return fill_top(self, query, shown, answer, err);
}

/* Reads the answers of an interrupted run: how many there are, one after the other. */
static size_t read_answers(struct asker *self, const char *path)
{
    const lens_plan *plan = self->run->plan;
    lens_buffer file = {0};
    size_t count = 0;
    if (!lens_file_exists(path) || lens_file_read(path, (size_t)1 << 30, &file, NULL) != 0)
        return 0;
    for (char *at = file.data, *end; at && count < plan->query_count && (end = strchr(at, '\n')); at = end + 1) {
        json_t *object = lens_json_parse(at, (size_t)(end - at), path, NULL);
        const bool read = object && lens_answer_from_json(plan, object, &self->answers[count]) == 0;
        json_decref(object);
        if (!read) {
            free(self->answers[count].error);
            free(self->answers[count].top);
            self->answers[count] = (lens_answer){0};
            break;
        }
        count++;
    }
    lens_buffer_free(&file);
    return count;
}

/* Writes answer Q to FILE, and at once, so that a kill costs no more than one. */
static int write_answer(FILE *file, const lens_answer *answer, const char *path, lens_error *err)
{
    json_t *object = lens_answer_to_json(answer);
    int result = object && json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 && fputc('\n', file) != EOF && fflush(file) == 0
                     ? 0
                     : lens_fail_errno(err, errno, "%s", path);
    json_decref(object);
    return result;
}

static int ask_all(struct asker *self, lens_error *err)
{
    const size_t count = self->run->plan->query_count;
    char *path = model_run_file(self->run, "answers", "jsonl");
    if (!path)
        return lens_fail_memory(err);
    size_t have = read_answers(self, path);
    FILE *file = fopen(path, "w"); /* again from the start: the last line may have been cut off */
    int result = file ? 0 : lens_fail_errno(err, errno, "%s", path);
    for (size_t q = 0; q < have && result == 0; q++)
        result = write_answer(file, &self->answers[q], path, err);
    for (size_t q = have; q < count && result == 0; q++) {
        result = ask(self, q, err);
        if (result == 0)
            result = write_answer(file, &self->answers[q], path, err);
        if (result == 0)
            result = lens_model_run_tell(self->run, NULL, q + 1, count, err);
    }
    if (file)
        fclose(file);
    free(path);
    return result;
}

/* ---- what the library is like ------------------------------------------------------------------------------------ */

struct hub {
    size_t row;
    uint32_t count;
};

/* The most often listed rows, ties by row. */
static json_t *largest_hubs(const struct asker *self, const uint32_t *listed, size_t rows)
{
    struct hub hubs[HUBS_SHOWN];
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) {
        if (count == HUBS_SHOWN && listed[row] <= hubs[HUBS_SHOWN - 1].count)
            continue;
        size_t at = count < HUBS_SHOWN ? count++ : HUBS_SHOWN - 1;
        for (; at > 0 && listed[row] > hubs[at - 1].count; at--)
            hubs[at] = hubs[at - 1];
        hubs[at] = (struct hub){row, listed[row]};
    }
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (self->picture_of[hubs[i].row] != SIZE_MAX)
            json_array_append_new(array, json_pack("{sI sI}", "at", (json_int_t)self->picture_of[hubs[i].row], "count", (json_int_t)hubs[i].count));
    return array;
}

static int measure_hubs(struct asker *self, bool unhub, json_t **out, lens_error *err)
{
    const size_t rows = lens_study_about(self->study)->count;
    uint32_t *listed = calloc(rows + 1, sizeof *listed);
    size_t asked = 0, never = 0;
    if (!listed)
        return lens_fail_memory(err);
    int result = rows > HUBS_K ? lens_study_hubs(self->study, HUBS_K, unhub, listed, &asked, err) : 0;
    for (size_t row = 0; row < rows; row++)
        never += listed[row] == 0;
    if (result == 0)
        *out = rows > HUBS_K ? json_pack("{si sI sI sf sf so}", "k", (int)HUBS_K, "pictures", (json_int_t)rows, "asked", (json_int_t)asked,
                                         "skew", lens_skewness(listed, rows), "never", (double)never / (double)rows, "hubs",
                                         largest_hubs(self, listed, rows))
                             : json_null();
    free(listed);
    return result;
}

/* ---- the queries among themselves -------------------------------------------------------------------------------- */

/* Whether query Q belongs into the matrix when there is no room for all: it is unexpected, or another was taken for it. */
static bool belongs(const struct asker *self, size_t q)
{
    const lens_plan *plan = self->run->plan;
    if (self->answers[q].verdict == LENS_UNEXPECTED)
        return true;
    const int label = lens_query_label(plan, &plan->queries[q]);
    for (size_t i = 0; label != LENS_NO_LABEL && i < plan->query_count; i++)
        if (self->answers[i].verdict == LENS_UNEXPECTED && lens_answer_taken_for(plan, &self->answers[i]) == label)
            return true;
    return false;
}

static int make_matrix(struct asker *self, json_t **out, lens_error *err)
{
    const lens_plan *plan = self->run->plan;
    const size_t dim = (size_t)lens_study_about(self->study)->dim;
    size_t chosen[MATRIX_MOST], count = 0;
    for (size_t q = 0; q < plan->query_count && count < MATRIX_MOST; q++) {
        if (self->answers[q].error || (plan->query_count > MATRIX_MOST && !belongs(self, q)))
            continue;
        const float *vector = self->vectors + q * dim;
        double squares = 0;
        for (size_t i = 0; i < dim; i++)
            squares += (double)vector[i] * (double)vector[i];
        if (!(squares > 0) && encode(self, q, err) != 0) /* it was asked by an earlier run */
            return -1;
        chosen[count++] = q;
    }
    json_t *queries = json_array(), *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_array();
        json_array_append_new(queries, json_integer((json_int_t)chosen[i]));
        for (size_t j = 0; j < count; j++) {
            double cosine = 0;
            for (size_t d = 0; d < dim; d++)
                cosine += (double)self->vectors[chosen[i] * dim + d] * (double)self->vectors[chosen[j] * dim + d];
            json_array_append_new(row, json_real(cosine));
        }
        json_array_append_new(rows, row);
    }
    *out = json_pack("{so so}", "queries", queries, "cosines", rows);
    return 0;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int save(const lens_model_run *run, const json_t *result, lens_error *err)
{
    char *path = model_run_file(run, "result", "json");
    int done = path ? lens_json_write(path, result, JSON_COMPACT | JSON_REAL_PRECISION(17), err) : lens_fail_memory(err);
    free(path);
    return done;
}

static int ask_and_save(struct asker *self, json_t *costs, lens_error *err)
{
    const lens_model_run *run = self->run;
    json_t *plain = NULL, *unhub = NULL, *matrix = NULL, *look = NULL, *answers = json_array();
    int result = -1;
    if (open_asker(self, err) == 0 && lens_model_run_tell(run, "asking", 0, 0, err) == 0 && ask_all(self, err) == 0 &&
        lens_answers_judge(run->plan, self->answers, err) == 0 && make_matrix(self, &matrix, err) == 0 &&
        lens_model_run_tell(run, "measuring hubs", 0, 0, err) == 0 && measure_hubs(self, false, &plain, err) == 0 &&
        measure_hubs(self, true, &unhub, err) == 0 && lens_model_run_tell(run, "explaining", 0, 0, err) == 0 &&
        lens_model_look(run, self->answers, &look, err) == 0) {
        const lens_study_info *about = lens_study_about(self->study);
        for (size_t q = 0; q < run->plan->query_count; q++) {
            json_t *answer = lens_answer_to_json(&self->answers[q]);
            json_object_set_new(answer, "verdict", json_integer(self->answers[q].verdict));
            json_array_append_new(answers, answer);
        }
        json_t *all = json_pack("{ss ss si sI sO sO sO sO sO sO}", "precision", about->precision, "fingerprint", about->fingerprint, "dim",
                                about->dim, "pictures", (json_int_t)about->count, "costs", costs, "answers", answers, "hubness", plain, "unhub",
                                unhub, "matrix", matrix, "look", look);
        result = all ? save(run, all, err) : lens_fail_memory(err);
        json_decref(all);
    }
    json_decref(answers);
    json_decref(plain);
    json_decref(unhub);
    json_decref(matrix);
    json_decref(look);
    return result;
}

/* Forgets what was found in the library as it was: the answers to other questions too, which would be believed when they are asked again. */
static int forget(const lens_model_run *run, lens_error *err)
{
    DIR *folder = opendir(run->folder);
    if (!folder)
        return lens_fail_errno(err, errno, "%s", run->folder);
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(folder));)
        if ((strncmp(entry->d_name, "answers-", 8) == 0 || strncmp(entry->d_name, "result-", 7) == 0) &&
            unlinkat(dirfd(folder), entry->d_name, 0) != 0 && errno != ENOENT)
            result = lens_fail_errno(err, errno, "%s/%s", run->folder, entry->d_name);
    closedir(folder);
    return result;
}

/* Brings the library up to date, and forgets what was found in it as it was: also when an earlier run changed it, and was killed before it came to forgetting,
 * which the file MARK tells. */
static int index_and_forget(const lens_model_run *run, const char *mark, json_t **costs, lens_error *err)
{
    const bool cut = lens_file_exists(mark);
    bool changed = false;
    if (lens_file_write(mark, "", 0, err) != 0 || lens_model_run_index(run, costs, &changed, err) != 0 || ((changed || cut) && forget(run, err) != 0))
        return -1;
    return unlink(mark) == 0 ? 0 : lens_fail_errno(err, errno, "%s", mark);
}

int lens_model_run_all(void *context, lens_error *err)
{
    const lens_model_run *run = context;
    json_t *costs = NULL, *have = NULL;
    char *mark = lens_path_join(run->folder, "indexing");
    int result = mark ? 0 : lens_fail_memory(err);
    if (result == 0 && (lens_folder_make(run->folder, err) != 0 || lens_model_run_tell(run, "indexing", 0, 0, err) != 0 ||
                        index_and_forget(run, mark, &costs, err) != 0))
        result = -1;
    free(mark);
    if (result == 0 && !(have = lens_model_run_result(run))) {
        struct asker self = {.run = run};
        result = ask_and_save(&self, costs, err);
        close_asker(&self);
    }
    json_decref(have);
    json_decref(costs);
    return result;
}

json_t *lens_model_run_result(const lens_model_run *run)
{
    char *path = model_run_file(run, "result", "json");
    json_t *result = path && lens_file_exists(path) ? lens_json_read(path, NULL) : NULL;
    free(path);
    return result;
}
