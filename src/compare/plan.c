#include "compare/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

int lens_plan_make(const lens_compare_options *options, lens_plan *plan, lens_error *err)
{
    *plan = (lens_plan){.options = options, .notes = json_array()};
    if (lens_plan_pictures(plan, err) == 0 && lens_plan_labels(plan, err) == 0 && lens_plan_queries(plan, err) == 0)
        return 0;
    lens_plan_free(plan);
    return -1;
}

void lens_plan_free(lens_plan *plan)
{
    for (size_t i = 0; i < plan->picture_count; i++)
        free(plan->pictures[i].path);
    free(plan->pictures);
    lens_names_free(&plan->labels);
    for (size_t i = 0; i < plan->query_count; i++) {
        lens_plan_query *query = &plan->queries[i];
        free(query->path);
        free(query->error);
        free(query->wanted);
        free(query->related);
        free(query->pictures);
        json_decref(query->expected);
        json_decref(query->kindred);
        json_decref(query->unknown);
        json_decref(query->other);
    }
    free(plan->queries);
    lens_tsv_free(&plan->table);
    json_decref(plan->notes);
    *plan = (lens_plan){0};
}

void lens_plan_note(lens_plan *plan, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lens_buffer clean = {0};
    if (lens_text_printable(text, strlen(text), &clean) == 0 && clean.data)
        json_array_append_new(plan->notes, json_string(clean.data));
    lens_buffer_free(&clean);
}

size_t lens_plan_find(const lens_plan *plan, const char *path)
{
    size_t low = 0, high = plan->picture_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(plan->pictures[middle].path, path);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

char *lens_plan_folder(const char *table, lens_error *err)
{
    char *above = lens_path_folder(table), *folder = above ? lens_path_absolute(above, err) : NULL;
    if (!above)
        lens_fail_memory(err);
    free(above);
    return folder;
}

char *lens_plan_beside(const char *folder, const char *name, lens_error *err)
{
    char *joined = lens_path_join(folder, name), *path = joined ? lens_path_absolute(joined, err) : NULL;
    if (!joined)
        lens_fail_memory(err);
    free(joined);
    return path;
}

int lens_plan_label(const lens_plan *plan, const char *name)
{
    const ptrdiff_t place = lens_names_find(&plan->labels, name);
    return place < 0 ? LENS_NO_LABEL : (int)place;
}

static bool has(const int *labels, size_t count, int label)
{
    for (size_t i = 0; i < count; i++)
        if (labels[i] == label)
            return true;
    return false;
}

bool lens_plan_wants(const lens_plan *plan, const lens_plan_query *query, size_t picture)
{
    for (size_t i = 0; i < query->picture_count; i++)
        if (query->pictures[i] == picture)
            return true;
    return has(query->wanted, query->wanted_count, plan->pictures[picture].label);
}

bool lens_plan_relates(const lens_plan *plan, const lens_plan_query *query, size_t picture)
{
    return has(query->related, query->related_count, plan->pictures[picture].label);
}
