/* What each picture is, for judging: from a table, or else by the name of its folder or its own. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "compare/plan.h"

enum { TWINS_MOST = 5000 }; /* labels that are looked at for twins */

/* A line of the table of labels. */
struct entry {
    const char *file; /* as written, without a slash: any picture of that name; else absolute */
    const char *label;
    char *path; /* absolute */
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->file, ((const struct entry *)b)->file);
}

/* The label that the names give: the folder's, where the picture lies in one below those that were named; else the file's without its
 * ending. The caller frees. */
static char *label_by_name(const lens_plan *plan, const char *path)
{
    const char *name = lens_path_name(path);
    bool direct = false;
    for (size_t i = 0; i < plan->options->picture_count && !direct; i++) {
        char *root = lens_path_absolute(plan->options->pictures[i], NULL);
        const size_t length = root ? strlen(root) : 0;
        direct = root && (strcmp(root, path) == 0 || (strncmp(root, path, length) == 0 && path + length + 1 == name));
        free(root);
    }
    if (!direct && name > path + 1) {
        const char *end = name - 1, *start = end;
        while (start > path && start[-1] != '/')
            start--;
        return strndup(start, (size_t)(end - start));
    }
    const char *dot = strrchr(name, '.');
    return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

/* NAMES [picture_count], one for each picture or NULL, become the plan's labels. */
static int take(lens_plan *plan, char **names, lens_error *err)
{
    for (size_t i = 0; i < plan->picture_count; i++)
        if (names[i] && lens_names_add(&plan->labels, strdup(names[i])) != 0)
            return lens_fail_memory(err);
    lens_names_sort(&plan->labels);
    size_t kept = 0;
    for (size_t i = 0; i < plan->labels.count; i++) {
        if (kept && strcmp(plan->labels.items[i], plan->labels.items[kept - 1]) == 0)
            free(plan->labels.items[i]);
        else
            plan->labels.items[kept++] = plan->labels.items[i];
    }
    plan->labels.count = kept;
    for (size_t i = 0; i < plan->picture_count; i++)
        plan->pictures[i].label = names[i] ? lens_plan_label(plan, names[i]) : LENS_NO_LABEL;
    return 0;
}

/* The table's label of PATH, or NULL. FILES: the entries without a slash, by their names. */
static const char *look_up(const struct entry *paths, const struct entry *files, size_t count, size_t file_count, const char *path)
{
    const struct entry wanted = {.path = (char *)path, .file = lens_path_name(path)};
    const struct entry *found = count ? bsearch(&wanted, paths, count, sizeof *paths, by_path) : NULL;
    if (!found && file_count)
        found = bsearch(&wanted, files, file_count, sizeof *files, by_file);
    return found ? found->label : NULL;
}

static int entries_of(lens_plan *plan, const lens_tsv *table, struct entry *paths, struct entry *files, size_t *count, size_t *file_count,
                      lens_error *err)
{
    const char *name = plan->options->labels;
    const int file = lens_tsv_column(table, "file");
    const int label = lens_tsv_column(table, "template") >= 0 ? lens_tsv_column(table, "template") : lens_tsv_column(table, "label");
    if (file < 0 || label < 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: its first line must name the columns file and template (or label)", name);
    char *folder = lens_plan_folder(name, err);
    int result = folder ? 0 : -1;
    size_t bad = 0, first_bad = 0;
    for (size_t i = 0; result == 0 && i < table->count; i++) {
        const lens_tsv_row *row = &table->rows[i];
        const char *text = row->cells[label];
        if (!*row->cells[file] || row->extra || !lens_utf8_valid(text, strlen(text))) {
            first_bad = bad++ ? first_bad : row->line;
            continue;
        }
        if (!*text)
            continue; /* known to have none */
        char *path = lens_plan_beside(folder, row->cells[file], err);
        if (!path) {
            result = -1;
            break;
        }
        paths[(*count)++] = (struct entry){row->cells[file], text, path};
        if (!strchr(row->cells[file], '/'))
            files[(*file_count)++] = paths[*count - 1];
    }
    free(folder);
    if (bad)
        lens_plan_note(plan, "%s: line %zu%s malformed and left out: each needs a file and a label, and nothing behind them", name, first_bad,
                       bad > 1 ? " and others are" : " is");
    return result;
}

static int from_table(lens_plan *plan, char **names, lens_error *err)
{
    lens_tsv table;
    if (lens_tsv_read(plan->options->labels, &table, err) != 0)
        return -1;
    struct entry *paths = calloc(table.count + 1, sizeof *paths), *files = calloc(table.count + 1, sizeof *files);
    size_t count = 0, file_count = 0;
    int result = paths && files ? entries_of(plan, &table, paths, files, &count, &file_count, err)
                                : lens_fail_memory(err);
    if (result == 0) {
        qsort(paths, count, sizeof *paths, by_path);
        qsort(files, file_count, sizeof *files, by_file);
    }
    size_t met = 0;
    for (size_t i = 0; result == 0 && i < plan->picture_count; i++) {
        const char *label = look_up(paths, files, count, file_count, plan->pictures[i].path);
        met += label != NULL;
        if (label && !(names[i] = strdup(label)))
            result = lens_fail_memory(err);
    }
    if (result == 0 && met == 0)
        lens_plan_note(plan, "%s: names none of the pictures, so the names of folders and files are the labels", plan->options->labels);
    for (size_t i = 0; paths && i < count; i++)
        free(paths[i].path);
    free(paths);
    free(files);
    lens_tsv_free(&table);
    return result;
}

/* Labels that differ in nothing but their case are two, but hardly meant so. */
static void note_twins(lens_plan *plan)
{
    for (size_t i = 0; i < plan->labels.count; i++)
        for (size_t j = i + 1; j < plan->labels.count && plan->labels.count <= TWINS_MOST; j++)
            if (strcasecmp(plan->labels.items[i], plan->labels.items[j]) == 0)
                lens_plan_note(plan, "the labels %s and %s differ in case only: a result of the one counts as wrong for the other", plan->labels.items[i],
                               plan->labels.items[j]);
}

int lens_plan_labels(lens_plan *plan, lens_error *err)
{
    char **names = calloc(plan->picture_count + 1, sizeof *names);
    int result = names ? 0 : lens_fail_memory(err);
    if (result == 0 && plan->options->labels)
        result = from_table(plan, names, err);
    for (size_t i = 0; result == 0 && i < plan->picture_count; i++) {
        if (names[i])
            continue;
        names[i] = label_by_name(plan, plan->pictures[i].path);
        if (!names[i])
            result = lens_fail_memory(err);
        else if (!*names[i] || !lens_utf8_valid(names[i], strlen(names[i]))) {
            free(names[i]);
            names[i] = NULL;
        }
    }
    if (result == 0)
        result = take(plan, names, err);
    if (result == 0)
        note_twins(plan);
    for (size_t i = 0; names && i < plan->picture_count; i++)
        free(names[i]);
    free(names);
    return result;
}
