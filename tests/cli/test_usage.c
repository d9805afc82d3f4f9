/* Help, the manual page and shell completion say the same, and mistakes on the command line are one line. */
#include "world.h"

/* The words of each line of TEXT that follows the line "AFTER", up to an empty line: the names of a help text. */
static json_t *names_after(const char *text, const char *after)
{
    json_t *names = json_array();
    const char *at = strstr(text, after);
    assert_non_null(at);
    for (at = strchr(at, '\n'); at && at[1] && at[1] != '\n'; at = strchr(at + 1, '\n')) {
        const char *word = strstr(at + 1, "--");
        const char *end = strchr(at + 1, '\n');
        if (strcmp(after, "commands:") == 0)
            word = at + 1 + strspn(at + 1, " ");
        else if (!word || (end && word > end))
            continue;
        json_array_append_new(names, json_stringn(word, strcspn(word, " =\n")));
    }
    return names;
}

static test_run help_of(const char *command)
{
    const char *argv[] = {test_program(), command, "--help", NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    assert_int_equal(run.status, 0);
    return run;
}

static json_t *commands(void)
{
    const char *argv[] = {test_program(), "--help", NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    assert_int_equal(run.status, 0);
    json_t *names = names_after(run.out.data, "commands:");
    assert_true(json_array_size(names) > 10);
    test_run_free(&run);
    return names;
}

static lens_buffer source_file(const char *name)
{
    const char *source = getenv("MEMELENS_SOURCE");
    char *path = test_path(source && *source ? source : ".", "%s", name);
    lens_buffer text = test_read(path);
    free(path);
    return text;
}

static void test_every_command_and_option_is_in_the_manual(void **state)
{
    (void)state;
    lens_buffer manual = source_file("docs/memelens.1"), plain = {0};
    for (size_t i = 0; i < manual.size; i++) /* roff writes a hyphen that is one as \- */
        if (manual.data[i] != '\\')
            assert_int_equal(lens_buffer_append(&plain, manual.data + i, 1), 0);
    json_t *names = commands();
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *command = json_string_value(json_array_get(names, i));
        if (!strstr(plain.data, command))
            fail_msg("%s is not in the manual", command);
        test_run help = help_of(command);
        json_t *options = names_after(help.out.data, "options:");
        for (size_t j = 0; j < json_array_size(options); j++)
            if (!strstr(plain.data, json_string_value(json_array_get(options, j))))
                fail_msg("%s %s is not in the manual", command, json_string_value(json_array_get(options, j)));
        json_decref(options);
        test_run_free(&help);
    }
    json_decref(names);
    lens_buffer_free(&manual);
    lens_buffer_free(&plain);
}

static void test_completion_knows_every_option(void **state)
{
    (void)state;
    const char *shells[] = {"bash", "zsh"};
    for (size_t s = 0; s < 2; s++) {
        const char *argv[] = {test_program(), "completion", shells[s], NULL};
        test_run run = test_run_program(argv, NULL, NULL);
        assert_int_equal(run.status, 0);
        json_t *names = commands();
        for (size_t i = 0; i < json_array_size(names); i++) {
            test_run help = help_of(json_string_value(json_array_get(names, i)));
            json_t *options = names_after(help.out.data, "options:");
            for (size_t j = 0; j < json_array_size(options); j++)
                assert_non_null(strstr(run.out.data, json_string_value(json_array_get(options, j))));
            json_decref(options);
            test_run_free(&help);
        }
        json_decref(names);
        char *folder = test_folder_new(), *file = test_path(folder, "completion");
        test_write(file, run.out.data, run.out.size);
        char command[4200];
        snprintf(command, sizeof command, "command -v %s >/dev/null || exit 77; %s -n '%s'", shells[s], shells[s], file);
        const char *check[] = {"/bin/sh", "-c", command, NULL};
        test_run parsed = test_run_program(check, NULL, NULL);
        if (parsed.status == 77)
            printf("skipped: %s is not here to parse its completion\n", shells[s]);
        else
            assert_int_equal(parsed.status, 0);
        test_run_free(&parsed);
        free(file);
        test_folder_remove(folder);
        test_run_free(&run);
    }
}

static void test_bash_completes(void **state)
{
    (void)state;
    static const char script[] =
        "source <(\"$0\" completion bash); COMP_WORDS=(memelens search --min); COMP_CWORD=2; _memelens; echo \"${COMPREPLY[@]}\"; "
        "COMP_WORDS=(memelens dup); COMP_CWORD=1; _memelens; echo \"${COMPREPLY[@]}\"; "
        /* files are the shell's own business: a list of words would cut their names at blanks */
        "compopt() { echo \"$@\"; }; cd \"$1\"; mkdir 'My pictures'; COMP_WORDS=(memelens index My); COMP_CWORD=2; _memelens; echo \"${#COMPREPLY[@]}\"; "
        "COMP_WORDS=(memelens status --library My); COMP_CWORD=3; _memelens; echo \"${#COMPREPLY[@]}\"; "
        /* an equals sign is a word of its own to bash */
        "COMP_WORDS=(memelens --library = My search --min); COMP_CWORD=5; _memelens; echo \"${COMPREPLY[@]}\"; "
        "COMP_WORDS=(memelens search --precision = i); COMP_CWORD=4; _memelens; echo \"${COMPREPLY[@]}\"; "
        "COMP_WORDS=(memelens search --precision =); COMP_CWORD=3; _memelens; echo \"${COMPREPLY[@]}\"; "
        /* a model of one's own is called as its folder is: nothing in the name is run */
        "memelens() { printf 'mine  here\\n$(echo${IFS}run>&2)  here\\n'; }; COMP_WORDS=(memelens pull ''); COMP_CWORD=2; _memelens; echo \"${COMPREPLY[@]}\"";
    char *folder = test_folder_new();
    const char *argv[] = {"/bin/bash", "-c", script, test_program(), folder, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    assert_string_equal(run.out.data, "--min-score\nduplicates\n-o default\n0\n-o dirnames\n0\n--min-score\nint8\nauto f32 bf16 int8\nmine\n");
    assert_int_equal(run.err.size, 0);
    test_run_free(&run);
    test_folder_remove(folder);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *words[4], *says;
    } wrong[] = {
        {{"serch"}, "serch: no such command"},
        {{"search"}, "for what?"},
        {{"search", "--colour"}, "--colour: no such option"},
        {{"search", "-x"}, "-x: no such option"},
        {{"search", "-n", "none"}, "expected a whole number"},
        {{"search", "-n0", "x"}, "expected a whole number"},
        {{"search", "--min-score", "high"}, "expected a number"},
        {{"index", "--threads", "4294967297"}, "expected a whole number"},
        {{"serve", "--max-upload", "4097"}, "at most 4096"},
        {{"serve", "--listen", "127.0.0.1:99999"}, "a port is at most 65535"},
        {{"serve", "--max-megapixels", "100001"}, "at most 100000"},
        {{"serve", "--token-file=/no/such", "--host=pictures.example:8080"}, "without a port"},
        {{"serve", "--token-file=/no/such", "--host="}, "a name is wanted"},
        {{"search", "--json=1", "x"}, "takes no value"},
        {{"index", "--model"}, "needs a value"},
        {{"forget"}, "name paths"},
        {{"pull", "nothing-like-it"}, "not in the catalogue"},
        {{"completion", "fish"}, "bash or zsh"},
        {{"similar", "a", "b"}, "Name one"},
        {{"bench", "--precision", "f31"}, "f31"},
        {{"status", "--failed", "--texts"}, "one of them"},
        {{"fit", "--built-in", "--json"}, "fits nothing"},
        {{"fit", "--built-in", "--output", "a.map"}, "takes none of --output, --anyway and --json"},
        {{"search", "x", "--json", "--paths"}, "--json goes with neither --paths nor --null"},
        {{"similar", "x", "--null", "--json"}, "--json goes with neither --paths nor --null"},
        {{"search", "x", "--preview", "-0"}, "--preview goes with neither --json nor --null"},
        {{"explain", "a", "b", "--side=9"}, "--side goes with --output"},
        {{"compare", "a", "--json", "--markdown"}, "one of them"},
        {{"explain", "-1:id:1", "id:2"}, "explain weighs nothing"},
        {{"explain", "id:1", "2:id:2"}, "explain weighs nothing"},
        {{"search", "id:1", "--precision", "f31"}, "f31"},
        {{"similar", "id:1", "--precision="}, "not one of auto"},
        {{"status", "--library="}, "file or folder is empty"},
        {{"copy", "", "elsewhere"}, "file or folder is empty"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *const *words = wrong[i].words, *argv[] = {test_program(), words[0], words[1], words[2], words[3], NULL};
        test_run run = test_run_program(argv, NULL, NULL);
        if (run.status != 2 || !strstr(run.err.data, wrong[i].says) || strchr(run.err.data, '\n') != run.err.data + run.err.size - 1)
            fail_msg("%s %s: exit %d: %s", words[0], words[1] ? words[1] : "", run.status, run.err.data);
        assert_int_equal(run.out.size, 0);
        test_run_free(&run);
    }
}

/* As under a service manager. What belongs to a library in a database lies there too. */
static void test_without_a_home(void **state)
{
    static const char *const places[] = {"", "postgresql://localhost/nothing"};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char place[64];
        snprintf(place, sizeof place, "MEMELENS_LIBRARY=%s", places[i]);
        const char *argv[] = {test_program(), "status", NULL}, *environment[] = {"HOME=", "XDG_DATA_HOME=", place, NULL};
        test_run run = test_run_program(argv, environment, NULL);
        assert_int_equal(run.status, 2);
        if (!strstr(run.err.data, "nor HOME is set"))
            fail_msg("%s", run.err.data);
        test_run_free(&run);
    }
}

static void test_version_and_help(void **state)
{
    (void)state;
    const char *version[] = {test_program(), "--version", NULL};
    test_run run = test_run_program(version, NULL, NULL);
    assert_int_equal(run.status, 0);
    assert_memory_equal(run.out.data, "memelens ", 9);
    test_run_free(&run);
    const char *nothing[] = {test_program(), NULL};
    run = test_run_program(nothing, NULL, NULL);
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.out.data, "commands:"));
    test_run_free(&run);
    const char *help[] = {test_program(), "help", "search", NULL};
    run = test_run_program(help, NULL, NULL);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out.data, "--min-score"));
    test_run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_and_option_is_in_the_manual),
        cmocka_unit_test(test_completion_knows_every_option),
        cmocka_unit_test(test_bash_completes),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_without_a_home),
        cmocka_unit_test(test_version_and_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
