/* The walker of an index run: which files need work. */
#include <stdlib.h>
#include <string.h>

#include "captions/captions.h"
#include "library/index_captions.h"

/* Whether the walk of the present target has no business with PATH: it was forgotten, or is a target of its own. */
static bool left_out(const lens_run *run, const char *path)
{
    if (lens_names_find(&run->forgotten, path) >= 0)
        return true;
    for (size_t i = 0; i < run->target_count; i++)
        if (i != run->target && strcmp(run->targets[i].path, path) == 0)
            return true;
    return false;
}

static bool enter(void *context, const char *path)
{
    const lens_run *run = context;
    return strcmp(path, run->place->folder) != 0 && !left_out(run, path);
}

static bool passes_by(void *context, const char *path)
{
    return left_out(context, path);
}

/* 1 when the picture at PATH needs work, 0 when not (it is then counted and marked as seen), -1 on error. */
static int needs_work(lens_run *run, const lens_walk_file *file, lens_job *job, lens_error *err)
{
    lens_store_picture picture;
    int found = lens_store_picture_by_path(run->store, file->path, &picture, err);
    if (found <= 0)
        return found < 0 ? -1 : 1;
    int result = 1;
    job->known_id = picture.id;
    job->known_content = picture.content;
    /* With another limit on pixels, or for a further model, what failed may pass. */
    const bool other_limit = run->options->max_pixels && run->options->max_pixels != lens_decode_limits_default().max_pixels;
    const bool again = picture.reason && (other_limit || run->further);
    if (picture.size == file->size && picture.mtime_ns == file->mtime_ns && !again) {
        int complete = 1;
        for (size_t i = 0; complete == 1 && !picture.reason && i < run->model_count; i++)
            complete = lens_store_has_vector(run->store, run->models[i].id, picture.content, err);
        if (complete < 0 || (complete == 1 && lens_store_met_mark(run->store, picture.id, err) != 0)) {
            result = -1;
        } else if (complete == 1) {
            atomic_fetch_add(picture.reason ? &run->failed_before : &run->unchanged, 1);
            result = 0;
        }
    }
    lens_store_picture_free(&picture);
    return result;
}

static void meet_problem(void *context, const char *path, const lens_error *problem);

static int meet_file(void *context, const lens_walk_file *file)
{
    lens_run *run = context;
    if (atomic_load(&run->stop))
        return 1;
    if (left_out(run, file->path) || (run->options->wants && !run->options->wants(run->options->context, file->path)))
        return 0;
    if (lens_captions_is_sidecar(file->path) && lens_run_sidecar(run, file) != 0) {
        lens_error error = {0};
        lens_fail_memory(&error);
        lens_run_fail(run, &error);
        return 1;
    }
    if (strlen(file->path) > lens_store_path_most(run->store)) {
        lens_error error = {0};
        lens_fail(&error, LENS_E_LIMIT, "a path of more than %zu bytes is too long for a library in a database", lens_store_path_most(run->store));
        meet_problem(run, file->path, &error);
        return 0;
    }
    lens_job *job = lens_job_new(run, file->path);
    if (!job)
        return 1;
    job->size = file->size;
    job->mtime_ns = file->mtime_ns;
    lens_error error = {0};
    pthread_mutex_lock(&run->store_lock);
    int work = needs_work(run, file, job, &error);
    pthread_mutex_unlock(&run->store_lock);
    if (work < 0)
        lens_run_fail(run, &error);
    if (work == 1) {
        /* Whoever names a file means it. */
        if (strcmp(file->path, run->targets[run->target].path) == 0 || file->wanted) {
            atomic_fetch_add(&run->found, 1);
            if (run->shares) {
                lens_share_offer(run, job);
                return 0;
            }
            if (lens_queue_push(run->jobs, job))
                return 0;
        }
    }
    lens_job_free(run, job);
    return work < 0 ? 1 : 0;
}

static void meet_problem(void *context, const char *path, const lens_error *problem)
{
    lens_run *run = context;
    lens_error error = {0};
    pthread_mutex_lock(&run->store_lock);
    lens_store_picture picture = {0};
    int result = lens_store_met_keep(run->store, path, &error);
    if (result == 0)
        result = lens_store_picture_by_path(run->store, path, &picture, &error);
    pthread_mutex_unlock(&run->store_lock);
    if (result < 0)
        lens_run_fail(run, &error);
    lens_job *job = lens_job_new(run, path);
    if (job) {
        job->known_id = picture.id;
        job->known_content = picture.content;
    }
    lens_store_picture_free(&picture);
    if (!job)
        return;
    job->outcome = lens_named_as_picture(path) && strlen(path) <= lens_store_path_most(run->store) ? LENS_OUTCOME_FAILED : LENS_OUTCOME_NOTE;
    job->retry = true;
    job->reason = strdup(lens_error_without(problem->message, path)); /* which is told beside it */
    if (job->outcome == LENS_OUTCOME_FAILED)
        atomic_fetch_add(&run->found, 1);
    if (!lens_queue_push(run->done, job))
        lens_job_free(run, job);
}

/* What is known at or below PATH is kept, for the reason WORDS. */
static void keep(lens_run *run, const char *path, const char *words)
{
    lens_error error = {0};
    lens_fail(&error, LENS_E_MISSING, "%s", words);
    meet_problem(run, path, &error);
}

static void meet_folder(void *context, const char *path, const lens_walk_folder *folder)
{
    lens_run *run = context;
    const char *why = lens_mounts_meet(run, &run->targets[run->target], path, folder);
    if (why)
        keep(run, path, why);
}

/* The walk of TARGET, of which it has seen the folder at least, has come to its end. */
static void end_walk(lens_run *run, lens_target *target)
{
    for (size_t i = 0; i < run->mounts.count; i++)
        if (lens_mounts_miss(run, target, run->mounts.items[i]))
            keep(run, run->mounts.items[i], lens_mount_gone_words);
    lens_links_miss(run, target);
    const char *left = lens_disk_left(run, target->path);
    if (left && !(target->fresh && left == lens_empty_share_words)) /* and its pictures were not met for that */
        keep(run, target->path, left);
    else
        target->walked = true;
}

void *lens_index_walker(void *argument)
{
    lens_run *run = argument;
    const lens_walk_visitor visitor = {
        .file = meet_file, .enter = enter, .folder = meet_folder, .problem = meet_problem, .wants = lens_is_picture_file, .passes_by = passes_by, .context = run};
    lens_patience_set((lens_disk_patience){.goes_on = lens_run_goes_on, .context = run});
    for (run->target = 0; run->target < run->target_count && !atomic_load(&run->stop); run->target++) {
        lens_target *target = &run->targets[run->target];
        lens_error error = {0};
        if (target->absent || target->removed)
            continue;
        int result = lens_walk(target->path, &target->walk, &visitor, &error);
        if (result < 0 && error.code == LENS_E_MISSING) /* it was there when the run began */
            meet_problem(run, target->path, &error);
        else if (result < 0)
            lens_run_fail(run, &error);
        else if (result == 0 && target->mount_count > 0)
            end_walk(run, target);
    }
    if (run->shares)
        lens_share_flush(run);
    atomic_store(&run->walking, false);
    if (!run->shares) /* else its list is not done when the walk is */
        lens_queue_close(run->jobs);
    return NULL;
}
