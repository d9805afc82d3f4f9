/* --precision: what this processor can do is taken, what it cannot is said in one line, and vectors stay near those of floats. oneDNN is told by an environment
 * variable of its own that the processor knows less. */
#include "nn/layers.h"
#include "world.h"

enum { DIM = 1280 };

/* Runs memelens embed --json --precision PRECISION on a picture, as if the processor knew no more than ISA (NULL: what it knows). */
static test_run embed(const test_world *world, const char *precision, const char *isa)
{
    char variable[64];
    snprintf(variable, sizeof variable, "DNNL_MAX_CPU_ISA=%s", isa ? isa : "ALL");
    const char *environment[8] = {variable};
    for (size_t i = 0; test_world_environment(world)[i]; i++)
        environment[i + 1] = test_world_environment(world)[i];
    char *path = test_path(world->folder, "scene.png");
    test_picture_write(path, TEST_PNG, 160, 120, 5);
    const char *argv[] = {test_program(), "embed", "--json", "--precision", precision, path, NULL};
    test_run run = test_run_program(argv, environment, NULL);
    free(path);
    return run;
}

/* What it gave: VECTOR [DIM]. */
static void vector_of(const test_run *run, double *vector)
{
    json_t *lines = test_json_lines(&run->out);
    const json_t *numbers = json_object_get(json_array_get(lines, 0), "vector");
    assert_int_equal(json_array_size(numbers), DIM);
    for (size_t i = 0; i < DIM; i++)
        vector[i] = json_number_value(json_array_get(numbers, i));
    json_decref(lines);
}

static double cosine(const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i < DIM; i++)
        sum += a[i] * b[i];
    return sum;
}

static void test_vectors_stay_near(void **state)
{
    const struct {
        const char *precision;
        lens_type type;
        double least; /* random weights have no long tails */
    } cases[] = {{"bf16", LENS_TYPE_BF16, 0.999}, {"int8", LENS_TYPE_BYTES, 0.99}};
    double exact[DIM], vector[DIM];
    test_run floats = embed(*state, "f32", NULL);
    assert_int_equal(floats.status, 0);
    vector_of(&floats, exact);
    for (size_t i = 0; i < 2; i++) {
        if (!lens_type_is_fast(cases[i].type)) {
            printf("skipped: this processor has no instructions for %s\n", cases[i].precision);
            continue;
        }
        test_run run = embed(*state, cases[i].precision, NULL);
        assert_int_equal(run.status, 0);
        vector_of(&run, vector);
        printf("measured: %s has a cosine of %.6f to f32 on random weights\n", cases[i].precision, cosine(exact, vector));
        assert_true(cosine(exact, vector) > cases[i].least);
        assert_string_not_equal(floats.out.data, run.out.data);
        test_run_free(&run);
    }
    test_run_free(&floats);
}

static void test_what_the_processor_does_not_know_is_refused(void **state)
{
    const struct {
        const char *precision, *isa, *needs;
    } cases[] = {{"bf16", "AVX2", "precision bf16 needs a processor with AVX-512 BF16, which this one is not\n"},
                 {"int8", "AVX2", "precision int8 needs a processor with AVX-512 VNNI or AVX-VNNI, which this one is not\n"},
                 {"bf16", "AVX512_CORE_VNNI", "precision bf16 needs a processor with AVX-512 BF16, which this one is not\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_run run = embed(*state, cases[i].precision, cases[i].isa);
        const char *end = strchr(run.err.data, '\n');
        if (run.status != 2 || run.out.size != 0 || !end || end[1] != '\0' || !strstr(run.err.data, cases[i].needs) ||
            !strstr(run.err.data, "efficientnet-lite0"))
            fail_msg("%s with %s: exit %d: %s%s", cases[i].precision, cases[i].isa, run.status, run.out.data, run.err.data);
        test_run_free(&run);
    }
}

static void test_auto_takes_what_there_is(void **state)
{
    test_run floats = embed(*state, "f32", "AVX2"), chosen = embed(*state, "auto", "AVX2");
    assert_int_equal(floats.status, 0);
    assert_int_equal(chosen.status, 0);
    assert_true(floats.out.size > DIM);
    assert_string_equal(chosen.out.data, floats.out.data);
    test_run_free(&chosen);

    /* Here: int8, which is what is not f32 in this model, or f32 too. */
    test_run here = embed(*state, "auto", NULL), bytes = embed(*state, "int8", NULL);
    assert_int_equal(here.status, 0);
    if (bytes.status == 0)
        assert_string_equal(here.out.data, bytes.out.data);
    else
        printf("skipped: this processor has no instructions for int8, which auto would take\n");
    test_run_free(&here);
    test_run_free(&bytes);

    /* Packed for one processor, asked on another. */
    double exact[DIM], vector[DIM];
    here = embed(*state, "f32", NULL);
    assert_int_equal(here.status, 0);
    vector_of(&here, vector);
    vector_of(&floats, exact);
    assert_true(cosine(exact, vector) > 0.99999);
    chosen = embed(*state, "auto", "AVX2");
    assert_string_equal(chosen.out.data, floats.out.data);
    test_run_free(&floats);
    test_run_free(&here);
    test_run_free(&chosen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_stay_near),
        cmocka_unit_test(test_what_the_processor_does_not_know_is_refused),
        cmocka_unit_test(test_auto_takes_what_there_is),
    };
    return cmocka_run_group_tests(tests, test_world_setup, test_world_teardown);
}
