/* Which pictures take part. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/random.h"
#include "compare/plan.h"
#include "memelens_study.h"

struct list {
    lens_plan *plan;
    size_t room;
};

static int add(void *context, const char *path)
{
    struct list *list = context;
    lens_plan *plan = list->plan;
    void *grown = lens_list_room(plan->pictures, plan->picture_count, &list->room, sizeof *plan->pictures);
    if (!grown)
        return 1;
    plan->pictures = grown;
    char *copy = strdup(path);
    if (!copy)
        return 1;
    plan->pictures[plan->picture_count++] = (lens_plan_picture){copy, LENS_NO_LABEL};
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const lens_plan_picture *)a)->path, ((const lens_plan_picture *)b)->path);
}

/* Sorts the pictures; one that two folders led to stays once. */
static void sort(lens_plan *plan)
{
    if (plan->picture_count == 0)
        return;
    qsort(plan->pictures, plan->picture_count, sizeof *plan->pictures, by_path);
    size_t kept = 1;
    for (size_t i = 1; i < plan->picture_count; i++) {
        if (strcmp(plan->pictures[i].path, plan->pictures[kept - 1].path) == 0)
            free(plan->pictures[i].path);
        else
            plan->pictures[kept++] = plan->pictures[i];
    }
    plan->picture_count = kept;
}

/* The first steps of Fisher and Yates' shuffle: any choice is as likely, and the same seed over the same pictures gives the same. */
static void draw(lens_plan *plan, size_t wanted)
{
    uint64_t state = plan->options->seed;
    for (size_t i = 0; i < wanted; i++) {
        const size_t other = i + (size_t)lens_random_below(&state, plan->picture_count - i);
        lens_plan_picture picture = plan->pictures[i];
        plan->pictures[i] = plan->pictures[other];
        plan->pictures[other] = picture;
    }
    for (size_t i = wanted; i < plan->picture_count; i++)
        free(plan->pictures[i].path);
    plan->picture_count = wanted;
    qsort(plan->pictures, wanted, sizeof *plan->pictures, by_path);
}

int lens_plan_pictures(lens_plan *plan, lens_error *err)
{
    const lens_compare_options *options = plan->options;
    struct list list = {.plan = plan};
    for (size_t i = 0; i < options->picture_count; i++) {
        int result = lens_find_pictures(options->pictures[i], add, &list, err);
        if (result != 0)
            return result < 0 ? -1 : lens_fail_memory(err);
    }
    sort(plan);
    plan->found = plan->picture_count;
    if (plan->found < 2)
        return lens_fail(err, LENS_E_MISSING, "%s%s: %s; an experiment needs pictures to search in", options->picture_count ? options->pictures[0] : "",
                         options->picture_count > 1 ? " and the others" : "", plan->found ? "only one picture" : "no pictures");
    if (options->sample && options->sample < plan->found)
        draw(plan, (size_t)options->sample);
    else if (options->sample > plan->found)
        lens_plan_note(plan, "a sample of %llu pictures was asked for, but there are %zu: all of them take part",
                       (unsigned long long)options->sample, plan->found);
    return 0;
}
