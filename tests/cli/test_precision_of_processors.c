/* --precision where the processor has no instructions for it: oneDNN is told so by an environment variable of its own. */
#include "world.h"

/* Runs memelens embed --precision PRECISION on a picture, as if the processor knew no more than ISA (NULL: what it knows). */
static test_run embed(const test_world *world, const char *precision, const char *isa)
{
    char variable[64];
    snprintf(variable, sizeof variable, "DNNL_MAX_CPU_ISA=%s", isa ? isa : "ALL");
    const char *environment[8] = {variable};
    for (size_t i = 0; test_world_environment(world)[i]; i++)
        environment[i + 1] = test_world_environment(world)[i];
    char *path = test_path(world->folder, "scene.png");
    test_picture_write(path, TEST_PNG, 160, 120, 5);
    const char *argv[] = {test_program(), "embed", "--precision", precision, path, NULL};
    test_run run = test_run_program(argv, environment, NULL);
    free(path);
    return run;
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
        const char *end = run.err.data ? strchr(run.err.data, '\n') : NULL;
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
    assert_true(floats.out.size > 1280);
    assert_string_equal(chosen.out.data, floats.out.data);
    test_run_free(&floats);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_processor_does_not_know_is_refused),
        cmocka_unit_test(test_auto_takes_what_there_is),
    };
    return cmocka_run_group_tests(tests, test_world_setup, test_world_teardown);
}
