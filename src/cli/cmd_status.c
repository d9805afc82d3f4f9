/* memelens status */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/command.h"

static bool as_json, failed, texts;

static const cli_option options[] = {
    {"failed", 0, CLI_FLAG, &failed, NULL, "list the pictures that could not be read, and why"},
    {"texts", 0, CLI_FLAG, &texts, NULL, "list what is written about each picture: captions, and what was read in it"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "as JSON"},
};

static int print_failed(const lens_status *status)
{
    for (size_t i = 0; i < status->failure_count; i++) {
        if (as_json) {
            json_t *object = json_object();
            lens_json_set_path(object, "path", status->failures[i].path);
            json_object_set_new(object, "reason", lens_json_text(status->failures[i].reason));
            cli_json(object);
        } else {
            cli_put_path(status->failures[i].path);
            putchar('\t');
            cli_put_path(status->failures[i].reason); /* it may name the file too */
            putchar('\n');
        }
    }
    if (status->failure_count == 0)
        cli_note("no picture failed");
    return status->failure_count ? CLI_DONE : CLI_NOTHING;
}

static int print_written(void *context, const lens_written *written)
{
    bool *any = context;
    *any = true;
    if (as_json) {
        json_t *object = json_pack("{sI}", "id", (json_int_t)written->id);
        lens_json_set_path(object, "path", written->path);
        json_object_set_new(object, "captions", *written->captions ? json_string(written->captions) : json_null());
        json_object_set_new(object, "read", *written->read ? json_string(written->read) : json_null());
        cli_json(object);
        return 0;
    }
    const char *const parts[] = {written->captions, written->read};
    for (size_t i = 0; i < 2; i++) {
        lens_buffer line = {0};
        if (!*parts[i])
            continue;
        cli_put_path(written->path);
        if (lens_text_printable(parts[i], strlen(parts[i]), &line) == 0)
            printf("\t%s\t%s\n", i ? "read" : "caption", line.data);
        lens_buffer_free(&line);
    }
    return 0;
}

static int print_texts(lens_library *library)
{
    lens_error error = {0};
    bool any = false;
    if (lens_written_each(library, print_written, &any, &error) != 0)
        return cli_fail_with(&error);
    if (!any)
        cli_note("nothing is written yet: see memelens ocr, and memelens index --captions");
    return any ? CLI_DONE : CLI_NOTHING;
}

static json_t *workers_json(const lens_status *status)
{
    json_t *workers = json_array();
    for (size_t i = 0; i < status->worker_count; i++) {
        const struct lens_status_worker *worker = &status->workers[i];
        json_array_append_new(workers, json_pack("{ss sI sI sf sf sb}", "worker", worker->name, "taken", (json_int_t)worker->taken, "written", (json_int_t)worker->written,
                                                 "pictures_per_second", worker->per_second, "heard_seconds_ago", worker->heard, "lost", worker->lost));
    }
    return workers;
}

static void print_workers(const lens_status *status)
{
    for (size_t i = 0; i < status->worker_count; i++) {
        const struct lens_status_worker *worker = &status->workers[i];
        fputs(i ? "         " : "workers  ", stdout);
        cli_put_path(worker->name); /* of another machine */
        printf(": %s written (%.0f pictures/s), %s in hand%s\n", cli_count_text(worker->written), worker->per_second,
               cli_count_text(worker->taken), worker->lost ? "; not heard of any more, what it has in hand is taken up by others" : "");
    }
    if (status->waiting)
        printf("waiting   %s pictures that no worker has taken yet\n", cli_count_text(status->waiting));
}

static int print_json(const lens_status *status)
{
    json_t *folders = json_array(), *forgotten = json_array(), *captions = json_array(), *models = json_array();
    for (size_t i = 0; i < status->folder_count; i++) {
        json_t *folder = json_pack("{sb}", "present", status->folder_present[i]);
        lens_json_set_path(folder, "path", status->folders[i]);
        json_array_append_new(folders, folder);
    }
    for (size_t i = 0; i < status->forgotten_count; i++) {
        json_t *path = json_object();
        lens_json_set_path(path, "path", status->forgotten[i]);
        json_array_append_new(forgotten, path);
    }
    for (size_t i = 0; i < status->caption_file_count; i++) {
        json_t *file = json_pack("{sb}", "present", status->caption_file_present[i]);
        lens_json_set_path(file, "path", status->caption_files[i]);
        json_array_append_new(captions, file);
    }
    for (size_t i = 0; i < status->model_count; i++) {
        const struct lens_status_model *one = &status->models[i];
        json_t *model = json_object();
        lens_json_set_path(model, "model", one->name); /* of a model of one's own its folder */
        json_object_update_new(model, json_pack("{si sb sI sI sI sI}", "dim", one->dim, "present", one->present, "vectors", (json_int_t)one->vectors, "bytes",
                                                (json_int_t)one->bytes, "approximate", (json_int_t)one->approximate, "approximate_bytes", (json_int_t)one->approximate_bytes));
        json_array_append_new(models, model);
    }
    json_t *object = json_pack("{sI sI sI sI sI sI sI so so so so}", "pictures", (json_int_t)status->pictures, "failed", (json_int_t)status->failed,
                               "library_bytes", (json_int_t)status->bytes, "captions", (json_int_t)status->captions, "read", (json_int_t)status->read,
                               "with_text", (json_int_t)status->with_text, "sentences", (json_int_t)status->sentences, "folders", folders, "caption_files", captions,
                               "forgotten", forgotten, "models", models);
    if (status->worker_count || status->waiting)
        json_object_update_new(object, json_pack("{so sI}", "workers", workers_json(status), "waiting", (json_int_t)status->waiting));
    if (lens_decode_apart_lacks())
        json_object_set_new(object, "decoding_lacks", json_string(lens_decode_apart_lacks()));
    lens_json_set_path(object, "library", status->library);
    cli_json(object);
    return CLI_DONE;
}

static int print_text(const lens_status *status)
{
    fputs("library   ", stdout);
    cli_put_path(status->library);
    printf(" (%s)\n", cli_bytes_text(status->bytes));
    printf("pictures  %s", cli_count_text(status->pictures));
    if (status->failed)
        printf(", and %s that could not be read (memelens status --failed)", cli_count_text(status->failed));
    putchar('\n');
    for (size_t i = 0; i < status->model_count; i++) {
        const struct lens_status_model *model = &status->models[i];
        fputs(i ? "          " : "models    ", stdout);
        cli_put_path(model->name);
        printf(": %s of %s pictures' contents, %d numbers each (%s)%s\n", cli_count_text(model->vectors), cli_count_text(status->contents), model->dim,
               cli_bytes_text(model->bytes), model->present ? "" : "  (not there now)");
    }
    for (size_t i = 0; i < status->model_count; i++) {
        const struct lens_status_model *model = &status->models[i];
        if (!model->approximate)
            continue;
        fputs("          ", stdout);
        cli_put_path(model->name);
        printf(": an approximate index of %s vectors (%s; memelens check --recall)\n", cli_count_text(model->approximate),
               cli_bytes_text(model->approximate_bytes));
    }
    if (status->captions || status->read)
        printf("words     %s captions; %s of %s contents read, %s with text in them; %s to be found by what they mean\n", cli_count_text(status->captions),
               cli_count_text(status->read), cli_count_text(status->contents), cli_count_text(status->with_text), cli_count_text(status->sentences));
    print_workers(status);
    if (lens_decode_apart_lacks())
        printf("decoding  less apart from the rest than it should be: %s\n", lens_decode_apart_lacks());
    for (size_t i = 0; i < status->folder_count; i++) {
        fputs(i ? "          " : "folders   ", stdout);
        cli_put_path(status->folders[i]);
        puts(status->folder_present[i] ? "" : "  (not there now)");
    }
    for (size_t i = 0; i < status->caption_file_count; i++) {
        fputs(i ? "          " : "captions  ", stdout);
        cli_put_path(status->caption_files[i]);
        puts(status->caption_file_present[i] ? "" : "  (not there now)");
    }
    for (size_t i = 0; i < status->forgotten_count; i++) {
        fputs(i ? "          " : "left out  ", stdout);
        cli_put_path(status->forgotten[i]);
        putchar('\n');
    }
    return CLI_DONE;
}

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("status: takes no %s", operands->items[0]);
    if (failed && texts)
        return cli_fail("--failed and --texts: one of them");
    lens_library *library = cli_open_library();
    lens_error error = {0};
    lens_status *status = library ? lens_status_get(library, &error) : NULL;
    int result = CLI_ERROR;
    if (status && texts)
        result = print_texts(library);
    else if (status)
        result = failed ? print_failed(status) : as_json ? print_json(status) : print_text(status);
    else if (library)
        cli_fail_with(&error);
    lens_status_free(status);
    lens_library_close(library);
    return result;
}

const cli_command cli_status = {
    .name = "status",
    .summary = "what is in the library, and what could not be read",
    .usage = "[--failed | --texts] [--json]",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
