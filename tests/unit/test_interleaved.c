/* What two processes do to one library in a database at the same time, in the orders that once went wrong: each acts while the other is in the middle. */
#include <libpq-fe.h>
#include <pthread.h>

#include "base/clock.h"
#include "library/sentences.h"
#include "random_minilm.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_text_that_comes_while_sentences_are_encoded, texts_setup, texts_teardown),
    };
    return store_place_run_server(tests);
}
