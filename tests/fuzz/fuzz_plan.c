/* Any bytes as the tables of an experiment: the labels, and behind a NUL the queries. What is taken names pictures and labels that there are. */
#include "compare/plan.h"
#include "fuzzing.h"

static char pictures[300], labels[300], queries[300];

static void make_folder(void)
{
    static const char *const names[] = {"cat.jpg", "dog.png", "fish/1.gif", "fish/2.webp", "Fish/caf\xe9.jpg"};
    snprintf(pictures, sizeof pictures, "%s/pictures", fuzz_folder());
    snprintf(labels, sizeof labels, "%s/labels.tsv", fuzz_folder());
    snprintf(queries, sizeof queries, "%s/queries.tsv", fuzz_folder());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", pictures, names[i]);
        *strrchr(path, '/') = '\0';
        expect(lens_folder_make(path, NULL) == 0);
        snprintf(path, sizeof path, "%s/%s", pictures, names[i]);
        fuzz_put(path, "x", 1);
    }
}

static void check(const lens_plan *plan)
{
    for (size_t i = 0; i < plan->picture_count; i++)
        expect(plan->pictures[i].label >= LENS_NO_LABEL && plan->pictures[i].label < (int)plan->labels.count);
    for (size_t i = 0; i < plan->query_count; i++) {
        const lens_plan_query *query = &plan->queries[i];
        expect(query->own == SIZE_MAX || query->own < plan->picture_count);
        for (size_t j = 0; j < query->wanted_count; j++)
            expect(query->wanted[j] >= 0 && query->wanted[j] < (int)plan->labels.count);
        for (size_t j = 0; j < query->related_count; j++)
            expect(query->related[j] >= 0 && query->related[j] < (int)plan->labels.count);
        for (size_t j = 0; j < query->picture_count; j++)
            expect(query->pictures[j] < plan->picture_count);
        for (size_t j = 0; j < plan->picture_count; j++)
            if (lens_plan_wants(plan, query, j))
                expect(query->judged || query->error);
    }
    char *notes = json_dumps(plan->notes, 0); /* every note is text */
    expect(notes != NULL);
    free(notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!pictures[0])
        make_folder();
    fuzz_rest rest = {data, size};
    const fuzz_rest first = fuzz_part(&rest, 0);
    fuzz_put(labels, first.data, first.size);
    fuzz_put(queries, rest.data, rest.size);
    const char *const folders[] = {pictures};
    lens_compare_options options = lens_compare_options_default();
    options.queries = queries;
    options.labels = first.size ? labels : NULL;
    options.pictures = folders;
    options.picture_count = 1;
    options.sample = first.size % 3 ? 0 : 4;
    lens_plan plan;
    lens_error err = {0};
    if (lens_plan_make(&options, &plan, &err) != 0) {
        expect_words(&err);
        return 0;
    }
    check(&plan);
    lens_plan_free(&plan);
    return 0;
}
