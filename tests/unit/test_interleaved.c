/* What two processes do to one library in a database at the same time, in the orders that once went wrong: each acts while the other is in the middle. */
#include <libpq-fe.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "library/index_captions.h"
#include "library/sentences.h"
#include "random_minilm.h"
#include "store/copying.h"
#include "support_texts.h"

#define TURN "7308604897285829"
static const double patience = 60; /* seconds until what has to come counts as not coming */

/* ---- another process, as the server sees it ---- */

static PGconn *connect_to(const char *place)
{
    PGconn *connection = PQconnectdb(place);
    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

static void run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
}

/* How many connections to the database at PLACE wait for a lock now. */
static long waiting(const char *place)
{
    char *answer = store_place_ask(place, "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()");
    const long count = strtol(answer, NULL, 10);
    free(answer);
    return count;
}

static void wait_for_waiters(const char *place, long count)
{
    for (const double end = lens_seconds() + patience; waiting(place) < count; lens_sleep(0.01))
        if (lens_seconds() > end)
            fail_msg("nobody waits");
}

/* ---- sentences ---- */

/* Another process that changes what is written about a content between the moments at which its texts are read and its vector is written. The first of these is
 * behind the turn in which the model is added, the second before the turn in which the vectors are: so the other one waits in line behind the first turn, and
 * says what it has to say when ours waits for the second. */
typedef struct between {
    const char *place;
    PGconn *before, *other;
    int step;
} between;

static bool step_between(void *context)
{
    between *self = context;
    if (self->step == 0) {
        assert_true(PQsendQuery(self->other, "SELECT pg_advisory_lock(" TURN ")"));
        wait_for_waiters(self->place, 2);
        PQfinish(self->before);
        self->step = 1;
    } else if (self->step == 1 && PQconsumeInput(self->other) && !PQisBusy(self->other)) {
        PGresult *result;
        while ((result = PQgetResult(self->other)) != NULL)
            PQclear(result);
        run(self->other, "BEGIN; UPDATE memelens.text SET text = 'cat', folded = 'cat' WHERE folded = 'red'; UPDATE memelens.library SET change = change + 1; COMMIT");
        run(self->other, "SELECT pg_advisory_unlock(" TURN ")");
        self->step = 2;
    }
    return true;
}

static int64_t sentence_model(lens_store *store)
{
    lens_error err = {0};
    lens_store_models models;
    assert_done(lens_store_sentence_models(store, &models, &err), &err);
    assert_int_equal(models.count, 1);
    const int64_t id = models.items[0].id;
    lens_store_models_free(&models);
    return id;
}

/* What is written about a content while its texts are encoded is not lost: the vector that no longer says it is left out, the others are not. */
static void test_a_text_that_comes_while_sentences_are_encoded(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    char *model = test_minilm_folder(MINILM_GOOD_CONFIG, "", NULL), *models = test_folder_new(), *named = test_path(models, "all-minilm-l6-v2");
    assert_int_equal(rename(model, named), 0);
    assert_int_equal(setenv("MEMELENS_MODELS", models, 1), 0);
    texts_picture(f, "/p/1.jpg", 1), texts_picture(f, "/p/2.jpg", 2), texts_picture(f, "/p/3.jpg", 3);
    texts_read(f, "v1", 1, "hat", 2, "red", 3, "cats", 0, NULL);
    between other = {f->place, connect_to(f->place), connect_to(f->place), 0};
    run(other.before, "SELECT pg_advisory_lock(" TURN ")");
    lens_store_wait_while(f->store, step_between, &other);
    int64_t encoded = 0;
    assert_done(lens_sentences_refresh(f->store, 2, NULL, NULL, &encoded, &err), &err);
    lens_store_wait_while(f->store, NULL, NULL);
    assert_int_equal(other.step, 2);
    texts_expect(f, "cat", "cat;");
    texts_expect_missing(f, sentence_model(f->store), 2, 0);
    assert_int_equal(encoded, 2);
    assert_done(lens_sentences_refresh(f->store, 2, NULL, NULL, &encoded, &err), &err);
    assert_int_equal(encoded, 1);
    texts_expect_missing(f, sentence_model(f->store), 0);
    texts_sound(f);
    PQfinish(other.other);
    unsetenv("MEMELENS_MODELS");
    test_folder_remove(models);
    free(named), free(model);
}

/* What is gone by the time that something is written about it is left out, and the rest is written. */
static void test_what_goes_before_it_is_written_about(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t removed, changed = -1, model;
    const int64_t a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/2.jpg", 2), contents[] = {texts_content(f, 1), texts_content(f, 2)};
    const int64_t source = texts_source(f, "/c/all.tsv");
    const lens_store_caption captions[] = {{a, "one", "one"}, {b, "two", "two"}};
    float vectors[2 * TEXTS_DIM];
    test_vector(1, vectors, TEXTS_DIM), test_vector(2, vectors + TEXTS_DIM, TEXTS_DIM);
    assert_done(lens_store_add_sentence_model(f->store, "s", TEXTS_DIM, lens_hash_of("s", 1), &model, &err), &err);
    lens_store *other = test_store(f->place, LENS_STORE_WRITE);
    /* A picture, and with it its content. */
    assert_done(lens_store_forget(other, "/p/1.jpg", &removed, &err), &err);
    assert_done(lens_store_captions_write(f->store, source, 10, 20, captions, 2, true, &changed, &err), &err);
    assert_int_equal(changed, 1);
    texts_expect(f, "one", ""), texts_expect(f, "two", "two;");
    assert_done(lens_store_sentences_write(f->store, model, contents, vectors, 2, &err), &err);
    texts_expect_missing(f, model, 0);
    /* The source. */
    assert_done(lens_store_source_remove(other, source, &err), &err);
    assert_done(lens_store_captions_write(f->store, source, 10, 20, captions, 2, true, &changed, &err), &err);
    assert_int_equal(changed, 0);
    texts_expect(f, "two", "");
    lens_store_close(other);
    texts_sound(f);
}

/* ---- captions ---- */

/* Another process that acts when the file of captions is half read: its second line is told to be no caption. */
typedef struct meanwhile {
    const texts_fixture *f;
    const char *file;
    lens_store *other;
    void (*act)(const struct meanwhile *self);
    int times;
} meanwhile;

static bool act_at_note(void *context, const lens_index_event *event)
{
    meanwhile *self = context;
    if (event->kind == LENS_INDEX_NOTE && strstr(event->reason, "fewer cells") && ++self->times == 1)
        self->act(self);
    return true;
}

/* What an index run does about captions, by the process that has STORE: naming FILE (NULL: none). How many changed. */
static int64_t read_captions(lens_store *store, const char *file, meanwhile *other)
{
    lens_error err = {0};
    lens_index_options options = lens_index_options_default();
    options.captions = &file;
    options.caption_count = file != NULL;
    options.event = other ? act_at_note : NULL;
    options.context = other;
    lens_run run = {.options = &options, .store = store};
    int64_t changed = 0;
    assert_done(lens_run_captions(&run, true, &changed, &err), &err);
    assert_int_equal(other ? other->times : 1, 1);
    return changed;
}

static int64_t read_at(lens_store *store)
{
    lens_error err = {0};
    lens_store_sources sources;
    assert_done(lens_store_sources_list(store, LENS_SOURCE_FILE, &sources, &err), &err);
    assert_int_equal(sources.count, 1);
    const int64_t mtime_ns = sources.items[0].mtime_ns;
    lens_store_sources_free(&sources);
    return mtime_ns;
}

static char *captions_file(const char *text)
{
    char *folder = test_folder_new(), *file = test_path(folder, "captions.tsv");
    test_write(file, text, strlen(text));
    free(folder);
    return file;
}

static void captions_file_remove(char *file)
{
    *strrchr(file, '/') = '\0';
    test_folder_remove(file);
}

static void name_a_picture(const meanwhile *self)
{
    test_write_picture(self->other, self->f->model, TEXTS_DIM, "/p/2.jpg", 2, 0);
}

static void name_it_and_read(const meanwhile *self)
{
    name_a_picture(self);
    assert_int_equal(read_captions(self->other, self->file, NULL), 2);
}

static void take_one_out(const meanwhile *self)
{
    lens_error err = {0};
    int64_t removed;
    assert_done(lens_store_forget(self->other, "/q", &removed, &err), &err);
    assert_int_equal(removed, 1);
}

static void say_nothing_about_pictures(const meanwhile *self)
{
    lens_error err = {0};
    assert_done(lens_store_add_root(self->other, "/q", &err), &err);
}

#define CAPTIONS "file\tcaption\n/p/1.jpg\tfirst\nno caption\n2.jpg\tsecond\n"

/* Reads a file of captions while another process does ACT. */
static char *read_while(texts_fixture *f, void (*act)(const meanwhile *self))
{
    char *file = captions_file(CAPTIONS);
    meanwhile other = {f, file, test_store(f->place, LENS_STORE_WRITE), act, 0};
    texts_picture(f, "/p/1.jpg", 1);
    read_captions(f->store, file, &other);
    lens_store_close(other.other);
    return file;
}

/* A picture that is named while captions are read gets its own in the next run, which finds the file as it was. */
static void test_a_picture_that_is_named_while_captions_are_read(void **state)
{
    texts_fixture *f = *state;
    char *file = read_while(f, name_a_picture);
    texts_expect(f, "first", "first;");
    texts_expect(f, "second", "");
    assert_int_equal(read_at(f->store), -1);
    lens_store *next = test_store(f->place, LENS_STORE_WRITE);
    assert_int_equal(read_captions(next, NULL, NULL), 1);
    texts_expect(f, "second", "second;");
    assert_true(read_at(next) > 0);
    assert_int_equal(read_captions(next, NULL, NULL), 0);
    lens_store_close(next);
    texts_sound(f);
    captions_file_remove(file);
}

/* Nor does it lose the one that another run has read for it. */
static void test_captions_that_another_has_read(void **state)
{
    texts_fixture *f = *state;
    char *file = read_while(f, name_it_and_read);
    texts_expect(f, "first", "first;");
    texts_expect(f, "second", "second;");
    captions_file_remove(file);
}

/* A name that two pictures have is none; where one of them goes meanwhile, it is the other's. */
static void test_a_picture_that_goes_while_captions_are_read(void **state)
{
    texts_fixture *f = *state;
    texts_picture(f, "/p/2.jpg", 2), texts_picture(f, "/q/2.jpg", 3);
    char *file = read_while(f, take_one_out);
    texts_expect(f, "second", "");
    lens_store *next = test_store(f->place, LENS_STORE_WRITE);
    assert_int_equal(read_captions(next, NULL, NULL), 1);
    texts_expect(f, "second", "second;");
    lens_store_close(next);
    captions_file_remove(file);
}

/* What others write about anything else has no file read again; nor does what this process writes. */
static void test_captions_are_read_once(void **state)
{
    texts_fixture *f = *state;
    texts_picture(f, "/p/2.jpg", 2);
    char *file = read_while(f, say_nothing_about_pictures);
    texts_expect(f, "second", "second;");
    const int64_t read = read_at(f->store);
    assert_true(read > 0);
    assert_int_equal(read_captions(f->store, file, NULL), 0);
    assert_true(read_at(f->store) == read);
    captions_file_remove(file);
}

/* ---- models that are forgotten ---- */

static void assert_gone(int result, const lens_error *err)
{
    assert_int_equal(result, -1);
    assert_int_equal(err->code, LENS_E_MISSING);
    assert_says(err, "the model is no longer in this library");
}

/* Who has found a model, and asks about it when it is gone, is told so. */
static void test_a_model_that_goes_before_it_is_asked(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t count, id = texts_picture(f, "/p/1.jpg", 1);
    lens_store_vectors vectors;
    lens_store *reader = test_store(f->place, LENS_STORE_READ), *moment = test_store(f->place, LENS_STORE_READ);
    lens_store_models models;
    assert_done(lens_store_moment_begin(moment, &err), &err);
    assert_done(lens_store_models_list(moment, &models, &err), &err);
    assert_done(lens_store_forget_model(f->store, "m", &err), &err);
    assert_gone(lens_store_scope_count(reader, models.items[0].id, &(lens_store_scope){0}, &count, &err), &err);
    /* In its moment it is there, and its vectors are not. */
    assert_gone(lens_store_vectors_of(moment, models.items[0].id, &id, 1, &(lens_store_scope){0}, &vectors, &err), &err);
    lens_store_moment_end(moment);
    lens_store_models_free(&models);
    lens_store_close(moment);
    lens_store_close(reader);
}

/* Forgets a model while another one is being looked at: when the first fault is told. */
static void forget_at_fault(void *context, const char *line)
{
    lens_store **other = context;
    lens_error err = {0};
    if (*other)
        assert_done(lens_store_forget_model(*other, "n", &err), &err);
    lens_store_close(*other);
    *other = NULL;
    assert_non_null(strstr(line, "vector_"));
}

static void test_a_model_that_goes_while_all_are_checked(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t model = test_model(f->store, "n", TEXTS_DIM);
    texts_picture(f, "/p/1.jpg", 1);
    test_write_picture(f->store, model, TEXTS_DIM, "/p/2.jpg", 2, 0);
    free(store_place_ask(f->place, "UPDATE memelens.vector_1 SET exact = exact + exact, half = (exact + exact)::halfvec"));
    lens_store *other = test_store(f->place, LENS_STORE_WRITE);
    const int faults = lens_store_check(f->store, forget_at_fault, &other, &err);
    assert_null(other);
    if (faults < 0)
        fail_msg("%s", err.message);
    assert_int_equal(faults, 1);
}

static size_t exported(lens_store *store, lens_store_part part, int64_t model)
{
    lens_error err = {0};
    lens_records records = {0};
    assert_done(lens_store_export(store, part, model, NULL, &records, &err), &err);
    const size_t count = records.count;
    lens_records_free(&records);
    return count;
}

/* What a copy has begun to read it reads to its end: whoever would forget a model of it is told to wait, and holds up nobody. */
static void test_a_model_that_is_being_copied(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    texts_picture(f, "/p/1.jpg", 1);
    lens_store *copy = test_store(f->place, LENS_STORE_READ);
    assert_done(lens_store_export_begin(copy, &err), &err);
    assert_int_equal(exported(copy, LENS_STORE_MODELS, 0), 1);
    alarm(120);
    assert_int_equal(lens_store_forget_model(f->store, "m", &err), -1);
    alarm(0);
    assert_int_equal(err.code, LENS_E_BUSY);
    assert_says(&err, "another process is reading the vectors of model m: try again when it has ended");
    assert_null(strchr(err.message, '\n'));
    texts_picture(f, "/p/2.jpg", 2); /* as good as before */
    assert_int_equal(exported(copy, LENS_STORE_VECTORS, f->model), 1);
    lens_store_export_end(copy);
    assert_done(lens_store_forget_model(f->store, "m", &err), &err);
    lens_store_close(copy);
}

/* Something that has to wait for a lock, on a thread of its own. */
typedef struct waiter {
    lens_store *store;
    const char *place;
    lens_error err;
    int result;
    int64_t worker;
} waiter;

static void *begin_export(void *argument)
{
    waiter *self = argument;
    self->result = lens_store_export_begin(self->store, &self->err);
    return NULL;
}

/* A model that is just being forgotten when a copy begins is none of it. */
static void test_a_model_that_goes_as_a_copy_begins(void **state)
{
    texts_fixture *f = *state;
    test_model(f->store, "n", TEXTS_DIM);
    texts_picture(f, "/p/1.jpg", 1);
    PGconn *other = connect_to(f->place);
    waiter copy = {.store = test_store(f->place, LENS_STORE_READ)};
    pthread_t thread;
    run(other, "BEGIN; DROP TABLE memelens.vector_2; DELETE FROM memelens.model WHERE id = 2");
    assert_int_equal(pthread_create(&thread, NULL, begin_export, &copy), 0);
    wait_for_waiters(f->place, 1);
    run(other, "COMMIT");
    pthread_join(thread, NULL);
    assert_done(copy.result, &copy.err);
    assert_int_equal(exported(copy.store, LENS_STORE_MODELS, 0), 1);
    assert_int_equal(exported(copy.store, LENS_STORE_VECTORS, f->model), 1);
    lens_store_export_end(copy.store);
    lens_store_close(copy.store);
    PQfinish(other);
}

/* ---- copies ---- */

static void *open_to_read(void *argument)
{
    waiter *self = argument;
    self->store = lens_store_open(self->place, LENS_STORE_READ, 0, &self->err);
    return NULL;
}

/* Who opens a library at the moment at which the copy of it is finished finds a whole one. */
static void test_a_copy_that_ends_as_it_is_opened(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    lens_store *copier = test_store(f->place, LENS_STORE_COPY);
    assert_done(lens_store_mark(copier, "/somewhere", &err), &err);
    PGconn *other = connect_to(f->place);
    waiter reader = {.place = f->place};
    pthread_t thread;
    run(other, "BEGIN; DROP TABLE memelens.copying");
    assert_int_equal(pthread_create(&thread, NULL, open_to_read, &reader), 0);
    wait_for_waiters(f->place, 1);
    run(other, "COMMIT");
    pthread_join(thread, NULL);
    assert_done(reader.store ? 0 : -1, &reader.err);
    lens_store_close(reader.store);
    lens_store_close(copier);
    PQfinish(other);
}

/* Nothing is copied into a library that an index run, which has had it open since before, is writing to; nor does one begin there that has it open. */
static void test_a_copy_into_a_library_that_is_written(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t worker;
    char *source = NULL;
    lens_store *copier = test_store(f->place, LENS_STORE_COPY);
    assert_done(lens_store_work_begin(f->store, "here", &f->model, 1, 60, &worker, &err), &err);
    assert_int_equal(lens_store_mark(copier, "/somewhere", &err), -1);
    assert_int_equal(err.code, LENS_E_BUSY);
    assert_says(&err, "an index run is writing to this library: try again when it has ended");
    assert_null(strchr(err.message, '\n'));
    assert_done(lens_store_marked(copier, &source, &err), &err);
    assert_null(source);
    assert_done(lens_store_work_end(f->store, worker, &err), &err);
    assert_done(lens_store_mark(copier, "/somewhere", &err), &err);
    assert_int_equal(lens_store_work_begin(f->store, "here", &f->model, 1, 60, &worker, &err), -1);
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    assert_says(&err, "an unfinished copy of /somewhere");
    int64_t removed = 0; /* nor does anybody else write there who had opened it before */
    assert_int_equal(lens_store_forget(f->store, "/p", &removed, &err), -1);
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    assert_done(lens_store_mark(copier, NULL, &err), &err);
    /* One that was killed holds it up no longer than its lease. */
    assert_done(lens_store_work_begin(f->store, "here", &f->model, 1, 0.01, &worker, &err), &err);
    lens_sleep(0.1);
    assert_done(lens_store_mark(copier, "/somewhere", &err), &err);
    lens_store_close(copier);
}

/* ---- work ---- */

static void *begin_work(void *argument)
{
    waiter *self = argument;
    const int64_t none = 77;
    self->result = lens_store_work_begin(self->store, "there", &none, 1, 60, &self->worker, &self->err);
    return NULL;
}

/* Lets go what the other run has been waiting for. */
static bool let_go(void *context)
{
    PGconn **holder = context;
    PQfinish(*holder);
    *holder = NULL;
    return true;
}

/* A run that begins takes work that is nobody's off the list. What another one, which begins at the same time, finds there and so counts on stays there. */
static void test_two_runs_that_begin_at_once(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t worker, own;
    char *const items[] = {"/p"};
    const lens_names within = {.items = (char **)items, .count = 1};
    const lens_store_work work = {(char *)"/p/1.jpg", 1000, 5};
    assert_done(lens_store_work_begin(f->store, "before", &f->model, 1, 60, &worker, &err), &err);
    assert_done(lens_store_work_offer(f->store, worker, &work, 1, &err), &err);
    assert_done(lens_store_work_end(f->store, worker, &err), &err);
    PGconn *holder = connect_to(f->place);
    run(holder, "BEGIN; SELECT FROM memelens.work FOR UPDATE");
    waiter other = {.store = test_store(f->place, LENS_STORE_WRITE)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, begin_work, &other), 0);
    wait_for_waiters(f->place, 1);
    lens_store_wait_while(f->store, let_go, &holder);
    assert_done(lens_store_work_begin(f->store, "here", &f->model, 1, 60, &worker, &err), &err);
    lens_store_wait_while(f->store, NULL, NULL);
    assert_done(lens_store_work_offer(f->store, worker, &work, 1, &err), &err);
    PQfinish(holder);
    pthread_join(thread, NULL);
    assert_done(other.result, &other.err);
    assert_int_equal(lens_store_work_left(f->store, worker, &within, &own, &err), 1);
    assert_done(lens_store_work_end(f->store, worker, &err), &err);
    assert_done(lens_store_work_end(other.store, other.worker, &err), &err);
    lens_store_close(other.store);
}

static void *open_to_write(void *context)
{
    waiter *self = context;
    self->store = lens_store_open(self->place, LENS_STORE_WRITE, patience, &self->err);
    return NULL;
}

/* Two make the library of a database, and the one that has its turn first is of a newer release: the other leaves what it made alone. */
static void test_a_newer_library_that_is_made_first(void **state)
{
    (void)state;
    char *place = store_place("newer");
    waiter late = {.place = place};
    pthread_t thread;
    PGconn *newer = connect_to(place);
    run(newer, "BEGIN; SELECT pg_advisory_xact_lock(" TURN ")");
    assert_int_equal(pthread_create(&thread, NULL, open_to_write, &late), 0);
    wait_for_waiters(place, 1);
    run(newer, "CREATE SCHEMA memelens; CREATE TABLE memelens.library (version integer); INSERT INTO memelens.library VALUES (1000); COMMIT");
    pthread_join(thread, NULL);
    assert_null(late.store);
    assert_says(&late.err, "a library of version 1000, and this memelens knows up to version");
    char *version = store_place_ask(place, "SELECT version FROM memelens.library");
    assert_string_equal(version, "1000\n");
    free(version);
    PQfinish(newer);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_text_that_comes_while_sentences_are_encoded, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_picture_that_is_named_while_captions_are_read, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_captions_that_another_has_read, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_picture_that_goes_while_captions_are_read, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_captions_are_read_once, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_what_goes_before_it_is_written_about, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_model_that_goes_before_it_is_asked, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_model_that_goes_while_all_are_checked, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_model_that_is_being_copied, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_model_that_goes_as_a_copy_begins, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_copy_that_ends_as_it_is_opened, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_copy_into_a_library_that_is_written, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_two_runs_that_begin_at_once, texts_setup, texts_teardown),
        cmocka_unit_test(test_a_newer_library_that_is_made_first),
    };
    return store_place_run_server(tests);
}
