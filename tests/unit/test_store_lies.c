/* src/store: numbers that a database cannot have by itself, as whoever else may write to it, or stands between it and us, can give: none of them is a size or a place. */
#include "store/texts.h"
#include "support_store.h"

enum { DIM = 64, COUNT = 40, SOME = 2, GUARD = 64 };

typedef struct fixture {
    char *place;
    lens_store *store;
    lens_error err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->place = store_place("lies");
    test_library_fill(f->place, DIM, COUNT);
    f->store = test_store(f->place, LENS_STORE_WRITE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    lens_store_close(f->store);
    store_place_remove(f->place);
    free(f);
    return 0;
}

static void does(const fixture *f, const char *sql)
{
    free(store_place_ask(f->place, sql));
}

/* RESULT is that of a call that was refused for what the database gave. */
static void assert_refused(fixture *f, int result)
{
    assert_int_equal(result, -1);
    assert_int_equal(f->err.code, LENS_E_FORMAT);
    f->err = (lens_error){0};
}

static void test_a_count_that_cannot_be(void **state)
{
    fixture *f = *state;
    lens_store_models models;
    static const char *const counts[] = {"4611686018427387905", "9223372036854775807", "68719476736"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char sql[128];
        int64_t count;
        lens_store_vectors vectors = {0};
        snprintf(sql, sizeof sql, "UPDATE memelens.library SET pictures = %s", counts[i]);
        does(f, sql);
        assert_refused(f, lens_store_vectors_open(f->store, 1, NULL, 0, &vectors, &f->err));
        assert_null(vectors.map);
        assert_refused(f, lens_store_scope_count(f->store, 1, &(lens_store_scope){0}, &count, &f->err));
        snprintf(sql, sizeof sql, "UPDATE memelens.model SET vectors = %s", counts[i]);
        does(f, sql);
        if (i < 2) /* the third is more than there is room for, and no more */
            assert_refused(f, lens_store_models_list(f->store, &models, &f->err));
    }
    does(f, "UPDATE memelens.model SET vectors = -1");
    assert_refused(f, lens_store_models_list(f->store, &models, &f->err));
}

static void test_versions_that_never_were(void **state)
{
    fixture *f = *state;
    static const char *const versions[] = {"0", "-1", "-2147483648"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "UPDATE memelens.library SET version = %s", versions[i]);
        does(f, sql);
        for (int mode = 0; mode < 2; mode++)
            assert_refused(f, lens_store_open(f->place, mode ? LENS_STORE_WRITE : LENS_STORE_READ, 0, &f->err) ? 0 : -1);
    }
}

static void test_room_has_an_end(void **state)
{
    (void)state;
    static const size_t rows[] = {SIZE_MAX, SIZE_MAX / 4 + 2, SIZE_MAX / 8, SIZE_MAX / 16000 / 4 + 1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lens_store_vectors vectors = {.dim = 16000};
        assert_null(lens_store_vectors_room(&vectors, rows[i]));
    }
    lens_store_vectors none = {.dim = 0};
    assert_null(lens_store_vectors_room(&none, 1));
}

static void test_dimensions_that_cannot_be(void **state)
{
    fixture *f = *state;
    static const char *const dims[] = {"0", "-1", "16001", "2147483647"};
    float query[DIM];
    test_vector(3, query, DIM);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        char sql[128];
        const int64_t id = 1;
        lens_store_vectors vectors;
        lens_store_models models;
        snprintf(sql, sizeof sql, "UPDATE memelens.model SET dim = %s", dims[i]);
        does(f, sql);
        assert_refused(f, lens_store_vectors_open(f->store, 1, NULL, 0, &vectors, &f->err));
        assert_refused(f, lens_store_vectors_of(f->store, 1, &id, 1, &(lens_store_scope){0}, &vectors, &f->err));
        assert_refused(f, lens_store_nearest(f->store, 1, query, DIM, &(lens_store_scope){0}, 3, true, &vectors, &f->err));
        assert_refused(f, lens_store_models_list(f->store, &models, &f->err));
    }
}

/* What the caller has is as long as the model was when it was asked for. */
static void test_dimensions_that_change(void **state)
{
    fixture *f = *state;
    float query[DIM];
    double mean, deviation;
    lens_store_vectors vectors;
    test_vector(3, query, DIM);
    assert_int_equal(test_model(f->store, "m", DIM), 1);
    does(f, "UPDATE memelens.model SET dim = 16000");
    assert_refused(f, lens_store_nearest(f->store, 1, query, DIM, &(lens_store_scope){0}, 3, true, &vectors, &f->err));
    assert_refused(f, lens_store_spread(f->store, 1, query, DIM, &mean, &deviation, &f->err));
    assert_refused(f, test_write_pictures(f->store, 1, DIM, "/p", COUNT, 1, &f->err));
}

/* Functions of others do not take the place of PostgreSQL's own where ours are asked for few rows, nor are more rows taken than there is room for. */
static void test_more_rows_than_were_asked_for(void **state)
{
    fixture *f = *state;
    int64_t ids[GUARD] = {0};
    does(f, "CREATE FUNCTION public.generate_series(integer, bigint) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT pg_catalog.generate_series(0::bigint, $2 * 40) $$");
    assert_in_range(lens_store_pictures_some(f->store, ids, SOME, &f->err), 1, SOME);
    for (size_t i = SOME; i < GUARD; i++)
        assert_int_equal(ids[i], 0);
}

/* A place in an array that was sent is looked at before anything is read or written there. */
static void test_places_that_are_none(void **state)
{
    fixture *f = *state;
    lens_store_vectors vectors = {0};
    assert_done(lens_store_vectors_open(f->store, 1, NULL, 0, &vectors, &f->err), &f->err);
    float *shapes = calloc(vectors.count + 1, sizeof *shapes);
    assert_non_null(shapes);
    /* As many elements as there are, a million times the first before them. */
    does(f, "CREATE FUNCTION public.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT CASE WHEN i > 1000000 THEN $1[1] END FROM pg_catalog.generate_series(1, 1000003) AS i $$;"
            "CREATE FUNCTION public.unnest(bytea[]) RETURNS SETOF bytea LANGUAGE sql AS $$ SELECT CASE WHEN i > 1000000 THEN $1[1] END FROM pg_catalog.generate_series(1, 1000003) AS i $$");
    assert_refused(f, lens_store_vectors_shapes(f->store, &vectors, shapes, &f->err));
    assert_refused(f, lens_store_vectors_narrow(f->store, &vectors, &lens_store_filter_none, &f->err));
    assert_refused(f, test_write_pictures(f->store, 1, DIM, "/p", 0, 1, &f->err));
    does(f, "DROP FUNCTION public.unnest(bigint[]); DROP FUNCTION public.unnest(bytea[])");
    assert_int_equal(test_store_sound(f->store, 1, DIM), COUNT);
    free(shapes);
    lens_store_vectors_free(&vectors);
}

/* What lies in public is nobody's to us where pgvector lies elsewhere. */
static void test_public_is_not_looked_into(void **state)
{
    (void)state;
    char *place = store_place("apart");
    lens_error err = {0};
    free(store_place_ask(place, "DROP EXTENSION vector; CREATE SCHEMA \"Where vectors are\"; CREATE EXTENSION vector SCHEMA \"Where vectors are\""));
    test_library_fill(place, DIM, COUNT);
    free(store_place_ask(place, "CREATE FUNCTION public.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT 1/0::bigint $$;"
                                "CREATE FUNCTION public.unnest(bytea[]) RETURNS SETOF bytea LANGUAGE sql AS $$ SELECT NULL::bytea FROM (SELECT 1/0) AS t $$"));
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    assert_done(test_write_pictures(store, 1, DIM, "/p", COUNT, 2, &err), &err);
    assert_int_equal(test_store_sound(store, 1, DIM), COUNT + 2);
    lens_store_close(store);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_count_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_that_never_were, setup, teardown),
        cmocka_unit_test(test_room_has_an_end),
        cmocka_unit_test_setup_teardown(test_dimensions_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dimensions_that_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_rows_than_were_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_that_are_none, setup, teardown),
        cmocka_unit_test(test_public_is_not_looked_into),
    };
    return store_place_run_server(tests);
}
