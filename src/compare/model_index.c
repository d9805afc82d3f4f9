/* Indexing for the experiment, and what it cost, over interruptions. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/json.h"
#include "compare/model_run.h"

/* What an index run has cost so far; what is worked out again after a kill is counted again, as it was done twice. */
struct costs {
    const lens_model_run *run;
    char *path;     /* of index.json */
    json_t *before; /* of earlier runs; NULL: none */
    double saved;   /* when it was last saved, seconds into this run */
    double processor; /* seconds of this process before it */
};

static const double save_every = 1; /* seconds */

static double processor_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static double peak_bytes(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)use.ru_maxrss * 1024;
}

static double earlier(const struct costs *self, const char *name)
{
    return json_number_value(json_object_get(self->before, name));
}

/* What this and the earlier runs cost together, SECONDS into this one, after INDEXED pictures. */
static json_t *sum(const struct costs *self, double seconds, int64_t indexed)
{
    const double peak = peak_bytes(), before = earlier(self, "peak_memory_bytes");
    return json_pack("{sf sf sf sI}", "seconds", earlier(self, "seconds") + seconds, "processor_seconds",
                     earlier(self, "processor_seconds") + processor_seconds() - self->processor, "peak_memory_bytes",
                     peak > before ? peak : before, "indexed", (json_int_t)earlier(self, "indexed") + (json_int_t)indexed);
}

static int save(const struct costs *self, const json_t *costs, lens_error *err)
{
    return lens_json_write(self->path, costs, JSON_COMPACT | JSON_REAL_PRECISION(9), err);
}

static bool tell_event(void *context, const lens_index_event *event)
{
    struct costs *self = context;
    const lens_compare_options *options = self->run->plan->options;
    if (event->kind == LENS_INDEX_PROGRESS && event->done > 0 && event->seconds - self->saved >= save_every) {
        json_t *costs = sum(self, event->seconds, event->done);
        save(self, costs, NULL);
        json_decref(costs);
        self->saved = event->seconds;
    }
    return !options->tell || options->tell(options->context, NULL, event, 0, 0);
}

static bool wanted(void *context, const char *path)
{
    const struct costs *self = context;
    return lens_plan_find(self->run->plan, path) != SIZE_MAX;
}

static int index_library(struct costs *self, const char *folder, lens_index_report *report, lens_error *err)
{
    const lens_compare_options *options = self->run->plan->options;
    lens_index_options index = lens_index_options_default();
    index.paths = options->pictures;
    index.path_count = options->picture_count;
    index.models = &self->run->model;
    index.model_count = 1;
    index.precision = options->precision;
    index.threads = options->threads;
    index.wants = wanted;
    index.event = tell_event;
    index.context = self;
    lens_library *library = lens_library_open(folder, err);
    int result = library ? lens_index(library, &index, report, err) : -1;
    lens_library_close(library);
    return result;
}

static int run_index(struct costs *self, const char *folder, json_t **out, bool *changed, lens_error *err)
{
    lens_error error = {0};
    lens_index_report report;
    int result = index_library(self, folder, &report, &error);
    if (result != 0 && error.code == LENS_E_FORMAT && lens_file_exists(folder)) {
        /* The model's files are others now than those that made these vectors: what they cost does not count either. */
        json_decref(self->before);
        self->before = NULL;
        result = lens_folder_remove(folder, &error) == 0 ? index_library(self, folder, &report, &error) : -1;
    }
    if (result != 0) {
        if (err)
            *err = error;
        return -1;
    }
    *changed = report.indexed || report.removed || report.moved;
    json_t *costs = report.indexed || !self->before ? sum(self, report.seconds, report.indexed) : json_deep_copy(self->before);
    json_object_set_new(costs, "failed", json_integer(report.failed));
    json_object_set_new(costs, "library_bytes", json_integer(report.library_bytes));
    result = save(self, costs, err);
    if (result == 0 && report.stopped)
        result = lens_fail(err, LENS_E_CANCELLED, "stopped");
    if (result == 0)
        *out = costs;
    else
        json_decref(costs);
    return result;
}

int lens_model_run_index(const lens_model_run *run, json_t **costs, bool *changed, lens_error *err)
{
    struct costs self = {.run = run, .path = lens_path_join(run->folder, "index.json"), .processor = processor_seconds()};
    char *folder = lens_path_join(run->folder, "library");
    int result = -1;
    if (!self.path || !folder) {
        lens_fail_memory(err);
    } else {
        self.before = lens_file_exists(self.path) && lens_file_exists(folder) ? lens_json_read(self.path, NULL) : NULL;
        result = run_index(&self, folder, costs, changed, err);
    }
    json_decref(self.before);
    free(self.path);
    free(folder);
    return result;
}
