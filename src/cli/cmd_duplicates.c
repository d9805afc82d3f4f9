/* memelens duplicates */
#include <stdio.h>

#include "cli/command.h"

static const char *model;
static bool as_json, only_exact;

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, &model, "NAME", "as this model sees it; else the library's first"},
    {"exact", 0, CLI_FLAG, &only_exact, NULL, "only pictures that are the same byte for byte"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "one JSON object a group and line"},
};

static void print_json(size_t number, const lens_group *group)
{
    json_t *pictures = json_array();
    for (size_t i = 0; i < group->count; i++) {
        json_t *picture = json_pack("{sI sf sI si si}", "id", (json_int_t)group->pictures[i].id, "score", group->pictures[i].score,
                                    "bytes", (json_int_t)group->pictures[i].size, "width", group->pictures[i].width, "height",
                                    group->pictures[i].height);
        lens_json_set_path(picture, "path", group->pictures[i].path);
        json_array_append_new(pictures, picture);
    }
    cli_json(json_pack("{sI ss so}", "group", (json_int_t)number, "kind", group->exact ? "exact" : "near", "pictures", pictures));
}

static void print_text(const lens_group *group)
{
    printf("%s: %s pictures\n", group->exact ? "the same file" : "near-identical", cli_count_text((int64_t)group->count));
    for (size_t i = 0; i < group->count; i++) {
        printf("%.4f\t%dx%d\t%s\t", group->pictures[i].score, group->pictures[i].width, group->pictures[i].height,
               cli_bytes_text(group->pictures[i].size));
        cli_put_path(group->pictures[i].path);
        putchar('\n');
    }
    putchar('\n');
}

static int run(const cli_list *operands)
{
    if (operands->count)
        return cli_fail("duplicates: takes no %s; it looks at the whole library", operands->items[0]);
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    lens_error error = {0};
    lens_groups *groups = lens_duplicates(library, model, only_exact, &error);
    int status = groups ? CLI_NOTHING : cli_fail_with(&error);
    for (size_t i = 0; groups && i < groups->count; i++) {
        status = CLI_DONE;
        if (as_json)
            print_json(i + 1, &groups->items[i]);
        else
            print_text(&groups->items[i]);
    }
    if (status == CLI_NOTHING)
        cli_note("no duplicates");
    lens_groups_free(groups);
    lens_library_close(library);
    return status;
}

const cli_command cli_duplicates = {
    .name = "duplicates",
    .summary = "groups of the same and of near-identical pictures",
    .usage = "[options]",
    .details = "First the groups that are the same byte for byte, then those that look nearly the same (resaved, resized, another\n"
               "caption on the same template), larger groups first. In each the best copy comes first: most pixels, then most\n"
               "bytes. A line: cosine to the first, size, bytes, path.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
