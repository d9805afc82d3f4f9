/* The experiment as a whole: a model after the other, each in a process of its own, then everything together. */
#include "compare/compare.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/text.h"
#include "compare/child.h"
#include "compare/found.h"

static const double look_every = 0.05; /* seconds, while another experiment is at work */

lens_compare_options lens_compare_options_default(void)
{
    return (lens_compare_options){.precision = "auto", .seed = 42, .top = 3, .command = ""};
}

static void hex(const lens_buffer *text, char key[17])
{
    const lens_hash hash = lens_hash_of(text->data ? text->data : "", text->size);
    lens_hash_hex(&hash, 8, key);
}

/* What the answers depend on besides the pictures and the model: the queries, what they expect, and how much is kept of each answer. */
static int key_of(const lens_plan *plan, char key[17], lens_error *err)
{
    enum { FORMAT = 2 }; /* raised when the files of a run mean something else */
    lens_buffer text = {0};
    const lens_compare_options *options = plan->options;
    int result = lens_buffer_print(&text, "%d %s %zu %zu\n", (int)FORMAT, options->precision, options->top, options->model_count);
    for (size_t q = 0; q < plan->query_count && result == 0; q++) {
        const lens_plan_query *query = &plan->queries[q];
        struct stat info = {0};
        if (query->path)
            (void)stat(query->path, &info);
        result = lens_buffer_print(&text, "%s\t%s\t%lld\t%lld\t%d", query->text, query->path ? query->path : "", (long long)info.st_size,
                                   (long long)info.st_mtim.tv_sec, (int)query->judged);
        for (size_t i = 0; i < query->wanted_count && result == 0; i++)
            result = lens_buffer_print(&text, "\t%d", query->wanted[i]);
        for (size_t i = 0; i < query->related_count && result == 0; i++)
            result = lens_buffer_print(&text, "\tr%d", query->related[i]);
        for (size_t i = 0; i < query->picture_count && result == 0; i++)
            result = lens_buffer_print(&text, "\tp%zu", query->pictures[i]);
        if (result == 0)
            result = lens_buffer_print(&text, "\n");
    }
    for (size_t i = 0; i < plan->picture_count && result == 0; i++)
        result = lens_buffer_print(&text, "%d\n", plan->pictures[i].label);
    hex(&text, key);
    lens_buffer_free(&text);
    return result == 0 ? 0 : lens_fail_memory(err);
}

/* The folder of what is kept of experiments with these pictures. The caller frees; NULL on failure. */
static char *work_folder(const lens_plan *plan, lens_error *err)
{
    if (plan->options->work)
        return lens_path_absolute(plan->options->work, err);
    lens_buffer text = {0}, path = {0};
    char key[17];
    int result = 0;
    for (size_t i = 0; i < plan->picture_count && result == 0; i++)
        result = lens_buffer_append(&text, plan->pictures[i].path, strlen(plan->pictures[i].path) + 1);
    hex(&text, key);
    lens_buffer_free(&text);
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (result == 0 && cache && cache[0] == '/')
        result = lens_buffer_print(&path, "%s/memelens/compare/%s", cache, key);
    else if (result == 0 && home && *home)
        result = lens_buffer_print(&path, "%s/.cache/memelens/compare/%s", home, key);
    else if (result == 0) {
        lens_fail(err, LENS_E_ARGUMENT, "neither XDG_CACHE_HOME nor HOME is set: name a folder for what is kept with --work");
        return NULL;
    }
    if (result != 0)
        lens_fail_memory(err);
    return path.data;
}

/* The folder of MODEL in WORK: its name as far as it can be one, and a hash, as "./a" and "_a" are two. The caller frees; NULL on failure. */
static char *model_folder(const char *work, const char *model, const char *precision, lens_error *err)
{
    char name[64], key[17];
    size_t length = 0;
    for (const char *at = model; *at && length < sizeof name - 1; at++)
        name[length++] = isalnum((unsigned char)*at) || strchr("-@.", *at) ? *at : '_';
    name[length] = '\0';
    lens_buffer text = {0}, path = {0};
    int result = lens_buffer_print(&text, "%s\n%s", model, precision);
    hex(&text, key);
    lens_buffer_free(&text);
    if (result == 0)
        result = lens_buffer_print(&path, "%s/%s%s-%.8s", work, name[0] == '.' ? "_" : "", name, key);
    if (result != 0)
        lens_fail_memory(err);
    return path.data;
}

static bool go_on(void *context)
{
    const lens_compare_options *options = context;
    return !options->tell || options->tell(options->context, NULL, NULL, 0, 0);
}

/* Opens the model, to know at once whether that can be. */
static int try_model(void *context, lens_error *err)
{
    const lens_model_run *run = context;
    lens_model *model = lens_model_open(run->model, run->plan->options->precision, LENS_PICTURES, err);
    lens_model_close(model);
    return model ? 0 : -1;
}

typedef struct waiting {
    const lens_compare_options *options;
    bool told; /* that another experiment is at work */
} waiting;

static int wait_for_turn(void *context, lens_error *err)
{
    waiting *self = context;
    const char *step = self->told ? NULL : "another experiment with these pictures is at work; waiting for it";
    const lens_compare_options *options = self->options;
    self->told = true;
    return options->tell && !options->tell(options->context, step, NULL, 0, 0) ? lens_fail(err, LENS_E_CANCELLED, "stopped") : 0;
}

/* What is kept in WORK is one experiment's to change at a time, from before it is looked at until a model's result is read; the model's process holds the lock too. Waits
 * for another one's model, for as long as it is not told to stop. The descriptor that holds the lock, or -1. */
static int lock_work(const lens_compare_options *options, const char *work, lens_error *err)
{
    char *path = lens_path_join(work, "lock");
    const int fd = path ? open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666) : -1;
    int result = path ? fd < 0 ? lens_fail_errno(err, errno, "%s", path) : 0 : lens_fail_memory(err);
    waiting turn = {options, false};
    if (result == 0)
        result = lens_lock(fd, path, look_every, wait_for_turn, &turn, err);
    free(path);
    if (result == 0 || fd < 0)
        return fd;
    close(fd);
    return -1;
}

/* Runs MODEL and adds what it found, or why it could not be run, to FOUND. -1 when the experiment must stop. */
static int run_model(lens_found *found, const char *work, const char *key, const char *model, lens_error *err)
{
    const lens_compare_options *options = found->plan->options;
    char *folder = model_folder(work, model, options->precision, err);
    if (!folder)
        return -1;
    lens_model_run run = {found->plan, model, folder, key};
    lens_error why = {0};
    int result = options->fresh && lens_file_exists(folder) ? lens_folder_remove(folder, err) : 0;
    if (result == 0 && lens_child_run(try_model, &run, go_on, (void *)options, &why) == 0 &&
        lens_child_run(lens_model_run_all, &run, go_on, (void *)options, &why) == 0) {
        json_t *answer = lens_model_run_result(&run);
        if (!answer)
            lens_fail(&why, LENS_E_SYSTEM, "%s: what it found could not be read again", folder);
        else
            result = lens_found_add(found, model, answer, NULL, err);
    }
    if (why.code == LENS_E_CANCELLED) {
        result = -1;
        if (err)
            *err = why;
    } else if (why.code != LENS_E_NONE) {
        lens_plan_note(found->plan, "%s could not be run: %s", model, why.message);
        result = lens_found_add(found, model, NULL, why.message, err);
    }
    free(folder);
    return result;
}

static json_t *run_all(lens_plan *plan, lens_error *err)
{
    const lens_compare_options *options = plan->options;
    char *work = work_folder(plan, err), key[17];
    json_t *all = NULL;
    lens_found found = {0};
    int result = work && key_of(plan, key, err) == 0 && lens_folder_make(work, err) == 0 ? lens_found_new(plan, &found, err) : -1;
    for (size_t i = 0; i < options->model_count && result == 0; i++) {
        lens_buffer step = {0};
        result = lens_buffer_print(&step, "%s (%zu of %zu)", options->models[i], i + 1, options->model_count);
        if (result == 0 && options->tell && !options->tell(options->context, step.data, NULL, 0, 0))
            result = lens_fail(err, LENS_E_CANCELLED, "stopped");
        const int lock = result == 0 ? lock_work(options, work, err) : -1;
        result = lock >= 0 ? run_model(&found, work, key, options->models[i], err) : -1;
        if (lock >= 0)
            close(lock);
        lens_buffer_free(&step);
    }
    if (result == 0)
        all = lens_found_close(&found, err);
    lens_found_free(&found);
    free(work);
    return all;
}

json_t *lens_compare(const lens_compare_options *options, lens_error *err)
{
    lens_plan plan;
    for (size_t i = 0; i < options->model_count; i++)
        if (!lens_utf8_valid(options->models[i], strlen(options->models[i]))) { /* what is found is told by the models' names */
            lens_fail(err, LENS_E_ARGUMENT, "%s: an experiment takes a model whose name is UTF-8", options->models[i]);
            return NULL;
        }
    if (lens_plan_make(options, &plan, err) != 0)
        return NULL;
    json_t *found = run_all(&plan, err);
    lens_plan_free(&plan);
    return found;
}
