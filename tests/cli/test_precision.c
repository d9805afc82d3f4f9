/* --precision: what this processor can do is taken, what it cannot is said in one line, and vectors stay near those of floats. */
#include "nn/layers.h"
#include "world.h"

enum { DIM = 1280 };

/* The vector of PATH, what "precision" came to be known as by `bench`, or exit STATUS with a message in which WORDS stand. ISA: what oneDNN is
 * told that the processor has, or NULL. */
static void embed(const test_world *world, const char *isa, const char *precision, const char *path, int status, const char *words, double *vector)
{
    const char *argv[] = {test_program(), "embed", "--precision", precision, "--json", path, NULL};
    const char *environment[16];
    size_t count = 0;
    for (const char *const *own = test_world_environment(world); *own; own++)
        environment[count++] = *own;
    if (isa)
        environment[count++] = isa;
    environment[count] = NULL;
    test_run run = test_run_program(argv, environment, NULL);
    if (run.status != status)
        fail_msg("exit %d, not %d: %s", run.status, status, run.err.data ? run.err.data : "");
    if (words && !strstr(run.err.data ? run.err.data : "", words))
        fail_msg("expected '%s' in: %s", words, run.err.data ? run.err.data : "");
    if (status == 0) {
        json_t *lines = test_json_lines(&run.out);
        const json_t *numbers = json_object_get(json_array_get(lines, 0), "vector");
        assert_int_equal(json_array_size(numbers), DIM);
        for (size_t i = 0; i < DIM; i++)
            vector[i] = json_number_value(json_array_get(numbers, i));
        json_decref(lines);
    }
    test_run_free(&run);
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
    const test_world *world = *state;
    test_world_picture(world, "a.png", TEST_PNG, 1);
    char *path = test_world_path(world, "a.png");
    double exact[DIM], vector[DIM];
    embed(world, NULL, "f32", path, 0, NULL, exact);
    const struct {
        const char *precision;
        lens_type type;
        double least; /* random weights have no long tails */
    } cases[] = {{"bf16", LENS_TYPE_BF16, 0.999}, {"int8", LENS_TYPE_BYTES, 0.99}};
    for (size_t i = 0; i < 2; i++) {
        if (!lens_type_is_fast(cases[i].type)) {
            printf("skipped: this processor has no instructions for %s\n", cases[i].precision);
            continue;
        }
        embed(world, NULL, cases[i].precision, path, 0, NULL, vector);
        printf("measured: %s has a cosine of %.6f to f32 on random weights\n", cases[i].precision, cosine(exact, vector));
        assert_true(cosine(exact, vector) > cases[i].least);
        assert_memory_not_equal(exact, vector, sizeof exact);
    }
    free(path);
}

static void test_an_older_processor(void **state)
{
    const test_world *world = *state;
    static const char old[] = "DNNL_MAX_CPU_ISA=AVX2";
    test_world_picture(world, "a.png", TEST_PNG, 1);
    char *path = test_world_path(world, "a.png");
    double vector[DIM], exact[DIM];
    embed(world, old, "bf16", path, 2, "precision bf16 needs a processor with AVX-512 BF16", NULL);
    embed(world, old, "int8", path, 2, "precision int8 needs a processor with AVX-512 VNNI or AVX-VNNI", NULL);
    embed(world, old, "auto", path, 0, NULL, vector);
    embed(world, NULL, "f32", path, 0, NULL, exact);
    assert_true(cosine(exact, vector) > 0.99999);
    /* Packed for one processor, asked on another. */
    embed(world, old, "auto", path, 0, NULL, vector);
    assert_true(cosine(exact, vector) > 0.99999);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vectors_stay_near, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_an_older_processor, test_world_setup, test_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
