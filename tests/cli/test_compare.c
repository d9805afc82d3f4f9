/* memelens compare as a person runs it, on small folders: figures, reports, what is said of what cannot be done, and going on where it was. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "started.h"

enum { LABELS = 3, EACH = 6 };

typedef struct compare_world {
    test_world *world;
    char *queries, *work, *report;
} compare_world;

/* Pictures in a folder for each label, scenes of one seed with other sizes; the queries are further ones. */
static int setup(void **state)
{
    compare_world *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->world = test_world_new();
    self->queries = test_path(self->world->folder, "q.tsv");
    self->work = test_path(self->world->folder, "work");
    self->report = test_path(self->world->folder, "report.html");
    lens_buffer table = {0};
    lens_buffer_print(&table, "query\texpected\trelated\tnote\n");
    for (unsigned label = 0; label < LABELS; label++) {
        char *folder = test_path(self->world->pictures, "label%u", label);
        assert_int_equal(lens_folder_make(folder, NULL), 0);
        for (unsigned i = 0; i < EACH; i++) {
            char *path = test_path(folder, "%u.png", i);
            test_picture_write(path, TEST_PNG, 90 + (int)i * 7, 80 + (int)i * 5, label + 1);
            free(path);
        }
        free(folder);
        char *path = test_path(self->world->folder, "query%u.jpg", label);
        test_picture_write(path, TEST_JPEG_420, 200, 150, label + 1);
        free(path);
        lens_buffer_print(&table, "query%u.jpg\tlabel%u\t\tnote %u\n", label, label, label);
    }
    test_write(self->queries, table.data, table.size);
    lens_buffer_free(&table);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    compare_world *self = *state;
    free(self->queries);
    free(self->work);
    free(self->report);
    test_world_free(self->world);
    free(self);
    return 0;
}

static json_t *compare_json(compare_world *self, const char *queries)
{
    test_run run = test_world_expect(self->world, 0, "compare", queries, "--pictures", self->world->pictures, "--model", "colour", "--model",
                                     "efficientnet-lite0@64", "--work", self->work, "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 1);
    json_t *object = json_incref(json_array_get(lines, 0));
    json_decref(lines);
    test_run_free(&run);
    return object;
}

static double number(const json_t *object, const char *name)
{
    assert_true(json_is_number(json_object_get(object, name)));
    return json_number_value(json_object_get(object, name));
}

static void test_figures_and_rows(void **state)
{
    compare_world *self = *state;
    json_t *found = compare_json(self, self->queries);
    const json_t *models = json_object_get(found, "models"), *rows = json_object_get(found, "rows");
    assert_int_equal(json_array_size(models), 2);
    assert_int_equal(json_array_size(rows), LABELS);
    const json_t *colour = json_array_get(models, 0);
    assert_string_equal(json_string_value(json_object_get(colour, "model")), "colour");
    /* The same scenes in other sizes: colours find every one. */
    assert_true(number(colour, "p_at_1") == 1 && number(colour, "hit_at_3") == 1 && number(colour, "mrr") == 1);
    assert_true(number(colour, "index_seconds") > 0 && number(colour, "peak_memory_bytes") > 1e6 && number(colour, "library_bytes") > 1000);
    assert_true(number(colour, "query_ms") > 0 && number(colour, "processor_seconds") > 0);
    assert_int_equal(test_json_integer(json_object_get(colour, "verdicts"), "good"), LABELS);
    assert_true(number(json_object_get(colour, "hubness"), "k") == 10);
    const json_t *row = json_array_get(rows, 1);
    assert_string_equal(json_string_value(json_object_get(row, "query")), "query1.jpg");
    assert_string_equal(json_string_value(json_array_get(json_object_get(row, "expected"), 0)), "label1");
    assert_string_equal(json_string_value(json_object_get(json_object_get(row, "other"), "note")), "note 1");
    const json_t *first = json_array_get(json_object_get(json_object_get(row, "results"), "colour"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "label")), "label1");
    assert_true(json_is_true(json_object_get(first, "relevant")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(row, "verdict"), "colour")), "good");
    assert_int_equal(test_json_integer(json_object_get(row, "rank"), "colour"), 1);
    assert_null(json_object_get(found, "thumbs")); /* that is the report's */
    json_decref(found);
}

/* Takes out what may differ between two runs: times, dates and memory. */
static void take_out_times(json_t *found)
{
    static const char *const names[] = {"index_seconds", "pictures_per_second", "processor_seconds", "peak_memory_bytes", "query_ms", "library_bytes"};
    size_t i;
    json_t *model;
    json_object_del(found, "date");
    json_object_del(found, "command");
    json_array_foreach(json_object_get(found, "models"), i, model)
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            json_object_del(model, names[n]);
}

static void test_twice_the_same(void **state)
{
    compare_world *self = *state;
    json_t *one = compare_json(self, self->queries), *kept = compare_json(self, self->queries);
    /* Nothing was done again: even the times are those of the first run. */
    assert_true(json_equal(json_object_get(one, "models"), json_object_get(kept, "models")));
    lens_error err = {0};
    assert_done(lens_folder_remove(self->work, &err), &err);
    json_t *two = compare_json(self, self->queries);
    take_out_times(one);
    take_out_times(two);
    assert_true(json_equal(one, two));
    json_decref(one);
    json_decref(kept);
    json_decref(two);
}

static void test_the_report_stands_alone(void **state)
{
    compare_world *self = *state;
    test_run run = test_world_expect(self->world, 0, "compare", self->queries, "--pictures", self->world->pictures, "--model", "colour", "--model",
                                     "efficientnet-lite0", "--work", self->work, "-o", self->report, NULL);
    assert_non_null(strstr(run.out.data, "| colour "));
    test_run_free(&run);
    lens_buffer page = test_read(self->report);
    assert_non_null(strstr(page.data, "data:image/jpeg;base64,"));
    assert_null(strstr(page.data, "src=\"http"));
    assert_null(strstr(page.data, "{{style}}"));
    assert_null(strstr(page.data, "{{data}}"));
    assert_null(strstr(page.data, "{{script}}"));
    const char *data = strstr(page.data, "<script type=\"application/json\" id=\"data\">");
    assert_non_null(data);
    const char *end = strstr(data, "</script>");
    assert_non_null(end);
    data = strchr(data, '>') + 1;
    json_error_t error;
    json_t *object = json_loadb(data, (size_t)(end - data), 0, &error);
    assert_non_null(object);
    /* Every picture is inside, and what each model saw of it. */
    const json_t *thumbs = json_object_get(object, "thumbs");
    assert_true(json_array_size(thumbs) >= 2 * LABELS);
    for (size_t i = 0; i < json_array_size(thumbs); i++)
        assert_non_null(json_object_get(json_array_get(thumbs, i), "data"));
    assert_true(json_object_size(json_object_get(json_object_get(object, "seen"), "efficientnet-lite0")) >= 2 * LABELS);
    json_decref(object);
    lens_buffer_free(&page);
}

static void test_markdown(void **state)
{
    compare_world *self = *state;
    test_run run = test_world_expect(self->world, 0, "compare", self->queries, "--pictures", self->world->pictures, "--model", "colour", "--work",
                                     self->work, "--markdown", NULL);
    assert_non_null(strstr(run.out.data, "# Which encoder"));
    assert_non_null(strstr(run.out.data, "### query2.jpg"));
    assert_non_null(strstr(run.out.data, "memelens compare "));
    test_run_free(&run);
}

static void test_what_cannot_be_done_is_said_and_the_rest_goes_on(void **state)
{
    compare_world *self = *state;
    char *queries = test_path(self->world->folder, "bad.tsv"), *broken = test_path(self->world->folder, "broken.jpg");
    static const char table[] = "query\texpected\nquery0.jpg\tlabel0\nmissing.jpg\tlabel0\nbroken.jpg\tlabel0\n"
                                "query1.jpg\tunicorn\nsome words\tlabel1\none\ttwo\tthree\n";
    test_write(queries, table, sizeof table - 1);
    test_write(broken, "\xff\xd8\xff\xe0 no picture", 15);
    test_run run = test_world_expect(self->world, 0, "compare", queries, "--pictures", self->world->pictures, "--model", "colour", "--model", "nosuch",
                                     "--work", self->work, "--json", NULL);
    static const char *const said[] = {"line 3: missing.jpg: no such file", "line 4: ", "broken.jpg", "no picture here is labelled 'unicorn'",
                                       "line 7: more cells", "nosuch could not be run: model nosuch: not in the catalogue"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (!strstr(run.err.data, said[i]))
            fail_msg("expected '%s' in: %s", said[i], run.err.data);
    json_t *lines = test_json_lines(&run.out), *found = json_array_get(lines, 0);
    assert_int_equal(test_json_integer(json_object_get(found, "queries"), "judged"), 2); /* query0 and the words */
    const json_t *models = json_object_get(found, "models");
    assert_int_equal(test_json_integer(json_array_get(models, 0), "judged"), 1);
    assert_true(number(json_array_get(models, 0), "p_at_1") == 1);
    assert_non_null(json_object_get(json_array_get(models, 1), "error"));
    const json_t *words = json_array_get(json_object_get(found, "rows"), 4);
    assert_true(json_is_true(json_object_get(words, "words")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(words, "reason"), "colour")), "colour knows pictures, not words");
    json_decref(lines);
    test_run_free(&run);

    /* What leaves nothing to do is an error of one line. */
    static const struct {
        const char *table, *says;
    } refused[] = {{"", "bad.tsv: empty"}, {"a\tb\nc\td\n", "one of them query"}, {"query\n", "no query in it"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        test_write(queries, refused[i].table, strlen(refused[i].table));
        run = test_world_expect(self->world, 2, "compare", queries, "--pictures", self->world->pictures, "--work", self->work, NULL);
        assert_non_null(strstr(run.err.data, refused[i].says));
        test_run_free(&run);
    }
    run = test_world_expect(self->world, 2, "compare", self->queries, "--pictures", "/no/such/folder", "--work", self->work, NULL);
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "compare", self->queries, NULL); /* no library yet either */
    assert_non_null(strstr(run.err.data, "in which pictures?"));
    test_run_free(&run);
    free(queries);
    free(broken);
}

/* Begins anew, and kills the run again and again, each time at a later moment of WHOLE seconds, until it is through. How often it was killed. */
static int kill_again_and_again(compare_world *self, double whole)
{
    enum { KILLS = 8 };
    lens_error err = {0};
    if (lens_file_exists(self->work))
        assert_done(lens_folder_remove(self->work, &err), &err);
    int killed = 0, moment = 0;
    for (bool ended = false; moment < KILLS && !ended; moment++) {
        test_started compare = test_start(self->world, "compare", self->queries, "--pictures", self->world->pictures, "--model", "colour", "--model",
                                          "efficientnet-lite0@64", "--work", self->work, "--json");
        lens_sleep(whole * moment / KILLS);
        kill(compare.pid, moment % 2 ? SIGKILL : SIGTERM);
        test_run run = test_started_wait(&compare);
        ended = run.status == 0;
        killed += !ended;
        if (!ended && run.status != 130 && run.status != 128 + SIGTERM && run.status != 128 + SIGKILL)
            fail_msg("after %d of %d of its time it ended with %d: %s", moment, KILLS, run.status, run.err.data);
        test_run_free(&run);
    }
    printf("measured: %d kills, the last one after %d/%d of %.1f s\n", killed, moment - 1, KILLS, whole);
    return killed;
}

/* In the end it gives what a run in peace gives. */
static void test_killed_it_goes_on(void **state)
{
    compare_world *self = *state;
    const double begun = lens_seconds();
    json_t *peace = compare_json(self, self->queries);
    double whole = lens_seconds() - begun;
    int killed = 0;
    for (int i = 0; i < 8 && killed <= 1; i++, whole /= 2) /* the run in peace may have been held up, or this test between two kills */
        killed = kill_again_and_again(self, whole);
    json_t *after = compare_json(self, self->queries);
    assert_true(killed > 1); /* and the first one comes before anything is done */
    take_out_times(peace);
    take_out_times(after);
    assert_true(json_equal(peace, after));
    json_decref(peace);
    json_decref(after);
}

/* Writes the pictures of LABEL anew, as scenes of SEED. */
static void repaint(const compare_world *self, unsigned label, unsigned seed)
{
    for (unsigned i = 0; i < EACH; i++) {
        char *path = test_path(self->world->pictures, "label%u/%u.png", label, i);
        test_picture_write(path, TEST_PNG, 91 + (int)i * 7, 81 + (int)i * 5, seed);
        free(path);
    }
}

/* What was answered about the pictures as they were is not told again, whoever saw first that they have changed. */
static void test_answers_about_changed_pictures_are_forgotten(void **state)
{
    compare_world *self = *state;
    json_t *found = compare_json(self, self->queries);
    assert_true(number(json_array_get(json_object_get(found, "models"), 0), "p_at_1") == 1);
    json_decref(found);
    repaint(self, 0, 2);
    repaint(self, 1, 1);
    char *other = test_path(self->world->folder, "other.tsv");
    static const char table[] = "query\texpected\nquery2.jpg\tlabel2\n";
    test_write(other, table, sizeof table - 1);
    json_decref(compare_json(self, other));
    found = compare_json(self, self->queries);
    char command[8192]; /* a run that is killed in the middle of the indexing leaves a mark, and what was found before it is not to be looked at */
    snprintf(command, sizeof command, "cd '%s' && for m in */; do touch $m/indexing; for r in $m/result-*.json; do echo '{}' >$r; done; done", self->work);
    assert_int_equal(system(command), 0);
    json_t *again = compare_json(self, self->queries);
    take_out_times(found);
    take_out_times(again);
    assert_true(json_equal(found, again));
    json_decref(again);
    const double right = number(json_array_get(json_object_get(found, "models"), 0), "p_at_1");
    if (right > 0.34)
        fail_msg("%.3f of the queries find what is no longer there", right);
    json_decref(found);
    free(other);
}

static void test_names_that_are_not_utf8(void **state)
{
    compare_world *self = *state;
    char *queries = test_path(self->world->folder, "q\xff.tsv"), *labels = test_path(self->world->folder, "l\xff.tsv");
    static const char asked[] = "query\texpected\nquery0.jpg\tblue\n", given[] = "file\ttemplate\n0.png\tblue\n";
    test_write(queries, asked, sizeof asked - 1);
    test_write(labels, given, sizeof given - 1);
    test_run run = test_world_expect(self->world, 0, "compare", queries, "--labels", labels, "--pictures", self->world->pictures, "--model", "colour", "--work",
                                     self->work, "--json", NULL);
    json_t *lines = test_json_lines(&run.out), *found = json_array_get(lines, 0);
    assert_non_null(strstr(json_string_value(json_object_get(found, "command")), "q\\xff.tsv"));
    assert_non_null(strstr(json_string_value(json_object_get(json_object_get(found, "pictures"), "labelled_by")), "l\\xff.tsv"));
    json_decref(lines);
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "compare", self->queries, "--pictures", self->world->pictures, "--model", "./m\xff", "--work", self->work, NULL);
    assert_non_null(strstr(run.err.data, "UTF-8"));
    test_run_free(&run);
    free(queries);
    free(labels);
}

static void test_a_sample(void **state)
{
    compare_world *self = *state;
    json_t *found[2];
    for (int i = 0; i < 2; i++) {
        test_run run = test_world_expect(self->world, 0, "compare", self->queries, "--pictures", self->world->pictures, "--model", "colour", "--sample",
                                         "7", "--seed", "3", "--work", self->work, "--json", "--fresh", NULL);
        json_t *lines = test_json_lines(&run.out);
        found[i] = json_incref(json_array_get(lines, 0));
        json_decref(lines);
        test_run_free(&run);
        assert_int_equal(test_json_integer(json_object_get(found[i], "pictures"), "count"), 7);
        assert_int_equal(test_json_integer(json_object_get(found[i], "pictures"), "found"), LABELS * EACH);
    }
    assert_true(json_equal(json_object_get(found[0], "rows"), json_object_get(found[1], "rows")));
    json_decref(found[0]);
    json_decref(found[1]);
}

static void test_search_unhub(void **state)
{
    compare_world *self = *state;
    json_t *report = test_world_index(self->world);
    json_decref(report);
    char *query = test_path(self->world->folder, "query1.jpg");
    for (int i = 0; i < 2; i++) { /* the second time from what is kept */
        test_run run = test_world_expect(self->world, 0, "search", "--unhub", "--json", "--precision", "f32", query, NULL);
        test_run plain = test_world_expect(self->world, 0, "search", "--json", "-n", "18", "--precision", "f32", query, NULL);
        json_t *lines = test_json_lines(&run.out), *all = test_json_lines(&plain.out), *result, *other;
        size_t at, j;
        assert_int_equal(json_array_size(lines), 10);
        json_array_foreach(lines, at, result) /* scores are cosines all the same */
            json_array_foreach(all, j, other)
                if (test_json_integer(other, "id") == test_json_integer(result, "id"))
                    assert_true(number(other, "score") - number(result, "score") < 1e-6 && number(result, "score") - number(other, "score") < 1e-6);
        json_decref(lines);
        json_decref(all);
        test_run_free(&run);
        test_run_free(&plain);
    }
    test_run run = test_world_expect(self->world, 0, "check", NULL);
    test_run_free(&run);
    free(query);
}

static void test_explain(void **state)
{
    compare_world *self = *state;
    char *query = test_path(self->world->folder, "query1.jpg"), *result = test_path(self->world->pictures, "label1/0.png");
    char *png = test_path(self->world->folder, "why.png");
    test_run run = test_world_expect(self->world, 0, "explain", query, result, "-o", png, "--json", NULL);
    json_t *lines = test_json_lines(&run.out), *why = json_array_get(lines, 0), *row;
    const char *const sides[2][2] = {{"parts", "rest"}, {"query_parts", "query_rest"}};
    for (int side = 0; side < 2; side++) {
        double sum = number(why, sides[side][1]);
        size_t y, x;
        json_t *part;
        json_array_foreach(json_object_get(why, sides[side][0]), y, row)
            json_array_foreach(row, x, part)
                sum += json_number_value(part);
        assert_true(sum - number(why, "score") < 1e-5 && number(why, "score") - sum < 1e-5);
    }
    json_decref(lines);
    test_run_free(&run);
    lens_buffer file = test_read(png);
    assert_memory_equal(file.data, "\x89PNG", 4);
    lens_buffer_free(&file);
    run = test_world_expect(self->world, 0, "explain", query, result, "--model", "efficientnet-lite0@jina64", NULL);
    assert_non_null(strstr(run.err.data, "the encoder sees only"));
    test_run_free(&run);
    /* What is named to be written to, and is no file, stays what it is. */
    char *pipe = test_path(self->world->folder, "pipe"), *link = test_path(self->world->folder, "link.png"), *aim = test_path(self->world->folder, "aim.png");
    struct stat info;
    assert_true(mkfifo(pipe, 0600) == 0 && symlink("aim.png", link) == 0);
    const int reading = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reading >= 0);
    run = test_world_expect(self->world, 0, "explain", query, result, "--side", "64", "-o", pipe, NULL);
    test_run_free(&run);
    char head[4];
    assert_true(lstat(pipe, &info) == 0 && S_ISFIFO(info.st_mode) && read(reading, head, sizeof head) == sizeof head);
    assert_memory_equal(head, "\x89PNG", 4);
    close(reading);
    run = test_world_expect(self->world, 0, "explain", query, result, "-o", link, NULL);
    test_run_free(&run);
    assert_true(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    file = test_read(aim);
    assert_memory_equal(file.data, "\x89PNG", 4);
    lens_buffer_free(&file);
    free(pipe);
    free(link);
    free(aim);
    /* Nothing that it is about is written over. */
    lens_buffer before = test_read(result);
    run = test_world_expect(self->world, 2, "explain", query, result, "-o", result, NULL);
    assert_non_null(strstr(run.err.data, "itself"));
    test_run_free(&run);
    lens_buffer after = test_read(result);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    lens_buffer_free(&before);
    lens_buffer_free(&after);
    run = test_world_expect(self->world, 2, "compare", self->queries, "--pictures", self->world->pictures, "--model", "colour", "-o", self->queries, NULL);
    assert_non_null(strstr(run.err.data, "itself"));
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "explain", query, "no picture at all", NULL);
    assert_non_null(strstr(run.err.data, "no such picture"));
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "explain", query, "/no/such.png", NULL);
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "explain", query, NULL);
    test_run_free(&run);
    free(query);
    free(result);
    free(png);
}

static test_started start(const compare_world *self)
{
    return test_start(self->world, "compare", self->queries, "--pictures", self->world->pictures, "--model", "colour", "--work", self->work, "--json");
}

static void wait_until_it_waits(const test_started *compare)
{
    bool said = false;
    for (const double end = lens_seconds() + 60; !said && lens_seconds() < end; lens_sleep(0.02)) {
        lens_buffer text = test_started_said(compare);
        said = text.data && strstr(text.data, "another experiment with these pictures is at work; waiting for it\n");
        lens_buffer_free(&text);
    }
    assert_true(said);
}

/* What is kept is one experiment's at a time: the others wait, and say so, and may be stopped meanwhile. */
static void test_one_at_a_time(void **state)
{
    enum { TIMES = 3, AT_ONCE = 3 };
    compare_world *self = *state;
    test_started compares[AT_ONCE];
    char *lock = test_path(self->work, "lock");
    for (int i = 0; i < TIMES; i++) {
        for (int k = 0; k < AT_ONCE; k++)
            compares[k] = start(self);
        for (int k = 0; k < AT_ONCE; k++) {
            test_run run = test_started_expect(&compares[k], 0);
            json_t *lines = test_json_lines(&run.out);
            const json_t *models = json_object_get(json_array_get(lines, 0), "models");
            if (!json_object_get(json_array_get(models, 0), "p_at_1"))
                fail_msg("%s%s", run.out.data, run.err.data);
            json_decref(lines);
            test_run_free(&run);
        }
        if (i + 1 < TIMES)
            test_folder_remove(strdup(self->work));
    }
    const int fd = open(lock, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    for (int k = 0; k < 2; k++) {
        compares[k] = start(self);
        wait_until_it_waits(&compares[k]);
    }
    kill(compares[0].pid, SIGINT);
    test_run stopped = test_started_wait(&compares[0]);
    assert_int_not_equal(stopped.status, 0);
    test_run_free(&stopped);
    close(fd);
    test_run run = test_started_expect(&compares[1], 0);
    test_run_free(&run);
    free(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_figures_and_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_twice_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_about_changed_pictures_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_not_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_report_stands_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_markdown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_done_is_said_and_the_rest_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_it_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search_unhub, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explain, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
