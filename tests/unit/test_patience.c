/* Errands: done, given up when nothing comes, not asked for where others have none, ended by whoever is last. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/patience.h"
#include "support.h"

enum { HELD, FREE };
static atomic_int gate, ended;

typedef struct job {
    lens_errand errand; /* first */
    bool held, talks, ran;
    int tires; /* after so many hundredths of a second it is held no more; 0: never */
} job;

static void run(lens_errand *errand)
{
    job *self = (job *)errand;
    for (int i = 0; self->held && atomic_load(&gate) == HELD && !(self->talks && i == 300) && !(self->tires && i == self->tires); i++) {
        lens_sleep(0.01);
        if (self->talks)
            atomic_fetch_add(&errand->answers, 1);
    }
    self->ran = true;
}

static void end(lens_errand *errand)
{
    atomic_fetch_add(&ended, 1);
    free(errand);
}

static job *new_job(bool held)
{
    job *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->errand = (lens_errand){.run = run, .end = end};
    self->held = held;
    return self;
}

/* The code of what comes of a job for the sake of PATH. */
static lens_error_code code_of(job *self, const char *path)
{
    lens_error err = {0};
    if (lens_errand_do(&self->errand, path, &err) != 0) {
        assert_non_null(strstr(err.message, path));
        return err.code;
    }
    assert_true(self->ran);
    end(&self->errand);
    return LENS_E_NONE;
}

static void wait_for_ended(int count)
{
    for (int i = 0; i < 6000 && atomic_load(&ended) < count; i++)
        lens_sleep(0.01);
    assert_int_equal(atomic_load(&ended), count);
}

static void wait_for_none_left(void)
{
    for (int i = 0; i < 6000 && lens_errands_left() > 0; i++)
        lens_sleep(0.01);
    assert_int_equal(lens_errands_left(), 0);
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&ended, 0);
    atomic_store(&gate, HELD);
    lens_patience_set((lens_disk_patience){.seconds = 1});
    return 0;
}

static void test_what_is_done_is_the_callers(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(code_of(new_job(false), "/nowhere/a"), LENS_E_NONE);
    lens_errand_send(&new_job(false)->errand);
    wait_for_ended(1001);
}

static void test_silence_is_given_up(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(code_of(new_job(true), "/nowhere/a"), LENS_E_SILENT);
    assert_int_equal(lens_errands_left(), 3);
    /* Three are enough: there it is not asked for any more, elsewhere it is. */
    job *asked = new_job(false);
    lens_error err = {0};
    assert_int_equal(lens_errand_do(&asked->errand, "/nowhere/b", &err), -1);
    assert_int_equal(err.code, LENS_E_SILENT);
    assert_says(&err, "/nowhere gives no answer");
    assert_int_equal(code_of(new_job(false), "/elsewhere/b"), LENS_E_NONE);
    assert_int_equal(atomic_load(&ended), 2);
#ifndef __SANITIZE_THREAD__ /* which knows no threads of a child whose parent has some */
    /* A child of ours has none of these threads, and begins anew. */
    const pid_t child = fork();
    if (child == 0)
        _exit(lens_errands_left() == 0 && code_of(new_job(false), "/nowhere/a") == LENS_E_NONE ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
    /* It comes back. */
    atomic_store(&gate, FREE);
    wait_for_ended(5);
    assert_int_equal(lens_errands_left(), 0);
    assert_int_equal(code_of(new_job(false), "/nowhere/a"), LENS_E_NONE);
}

static void test_what_was_sent_counts_until_it_is_ended(void **state)
{
    (void)state;
    lens_errand_send(&new_job(true)->errand);
    assert_int_equal(lens_errands_left(), 1);
    atomic_store(&gate, FREE);
    wait_for_ended(1);
    wait_for_none_left();
}

/* Behind a symbolic link the kernel's list of mounts tells nothing of a path, and each folder is a place of its own. */
typedef struct asking {
    pthread_t thread;
    int number;
    lens_error_code code;
    lens_error err;
} asking;

static void *ask(void *context)
{
    asking *self = context;
    char path[64];
    snprintf(path, sizeof path, "/nowhere-%d/a", self->number);
    lens_patience_set((lens_disk_patience){.seconds = 1});
    self->code = lens_errand_do(&new_job(true)->errand, path, &self->err) == 0 ? LENS_E_NONE : self->err.code;
    return NULL;
}

static void test_silence_in_many_folders(void **state)
{
    enum { MANY = 64, ALL = 300 };
    (void)state;
    static asking all[ALL];
    for (int i = 0; i < MANY; i++) {
        all[i].number = i;
        assert_int_equal(pthread_create(&all[i].thread, NULL, ask, &all[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        pthread_join(all[i].thread, NULL);
        assert_int_equal(all[i].code, LENS_E_SILENT);
    }
    job *asked = new_job(false);
    lens_error err = {0};
    assert_int_equal(lens_errand_do(&asked->errand, "/elsewhere/b", &err), -1);
    assert_int_equal(err.code, LENS_E_SILENT);
    assert_says(&err, "too many calls");
    assert_int_equal(code_of(new_job(false), "/proc/b"), LENS_E_NONE); /* a mount that is listed is asked */
    atomic_store(&gate, FREE);
    wait_for_none_left();
    assert_int_equal(code_of(new_job(false), "/elsewhere/b"), LENS_E_NONE);
    /* All at once, so that none knows yet of the silence of the others. */
    atomic_store(&gate, HELD);
    int refused = 0;
    for (int i = 0; i < ALL; i++) {
        all[i] = (asking){.number = i};
        assert_int_equal(pthread_create(&all[i].thread, NULL, ask, &all[i]), 0);
    }
    for (int i = 0; i < ALL; i++) {
        pthread_join(all[i].thread, NULL);
        assert_int_equal(all[i].code, LENS_E_SILENT);
        refused += strstr(all[i].err.message, "too many calls") != NULL;
    }
    assert_true(refused > 0);
    atomic_store(&gate, FREE);
    wait_for_none_left();
}

static void test_what_talks_is_waited_for(void **state)
{
    (void)state;
    job *slow = new_job(true);
    slow->talks = true; /* for three seconds, with a patience of one */
    assert_int_equal(code_of(slow, "/nowhere/a"), LENS_E_NONE);
}

/* Stops this program after 0.3 s, for 4 s. */
static pid_t stop_for_a_while(void)
{
    const pid_t parent = getpid(), child = fork();
    if (child == 0) {
        lens_sleep(0.3);
        kill(parent, SIGSTOP);
        lens_sleep(4);
        kill(parent, SIGCONT);
        _exit(0);
    }
    return child;
}

static void test_a_stopped_program_hears_nothing(void **state)
{
    (void)state;
    bool stopped = false;
    for (int i = 0; i < 5 && !stopped; i++) { /* what is to stop it may be held up until all is done */
        const double begun = lens_seconds();
        const pid_t child = stop_for_a_while();
        job *slow = new_job(true);
        slow->tires = 80; /* 0.8 s of its own */
        lens_patience_set((lens_disk_patience){.seconds = 3});
        assert_int_equal(code_of(slow, "/nowhere/a"), LENS_E_NONE);
        stopped = lens_seconds() - begun > 4;
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    assert_true(stopped);
}

static bool never(void *context)
{
    ++*(int *)context;
    return false;
}

static void test_a_stop_ends_the_waiting(void **state)
{
    (void)state;
    int asked = 0;
    lens_patience_set((lens_disk_patience){.goes_on = never, .context = &asked});
    assert_int_equal(code_of(new_job(true), "/nowhere/a"), LENS_E_CANCELLED);
    assert_int_equal(asked, 1);
    atomic_store(&gate, FREE);
    wait_for_ended(1);
}

/* So long that to read it takes longer than to end what it is a part of. */
enum { LONG_PATH = 128 << 20 };

typedef struct named {
    lens_errand errand; /* first */
    char path[LONG_PATH + 1];
} named;

static void run_until_free(lens_errand *errand)
{
    (void)errand;
    while (atomic_load(&gate) == HELD)
        ;
}

static bool free_and_stop(void *context)
{
    (void)context;
    atomic_store(&gate, FREE);
    return false;
}

static void test_a_path_within_the_errand_is_told_before_that_is_ended(void **state)
{
    (void)state;
    lens_patience_set((lens_disk_patience){.goes_on = free_and_stop});
    named *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->errand = (lens_errand){.run = run_until_free, .end = end};
    memset(self->path, '/', LONG_PATH);
    lens_error err = {0};
    assert_int_equal(lens_errand_begin(&self->errand, self->path, &err), 0);
    assert_int_equal(lens_errand_wait(&self->errand, self->path, &err), -1); /* the answer comes just now */
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_int_equal(err.message[0], '/');
    wait_for_ended(1);
}

/* Whether two that are silent at the same time are given up in less time than one behind the other. */
static bool are_given_up_together(void)
{
    lens_patience_set((lens_disk_patience){.seconds = 3});
    lens_error err = {0};
    job *first = new_job(true), *second = new_job(true), *quick = new_job(false);
    const double begun = lens_seconds();
    assert_int_equal(lens_errand_begin(&first->errand, "/nowhere/a", &err), 0);
    assert_int_equal(lens_errand_begin(&second->errand, "/nowhere/b", &err), 0);
    assert_int_equal(lens_errand_begin(&quick->errand, "/elsewhere/c", &err), 0);
    assert_int_equal(lens_errand_wait(&first->errand, "/nowhere/a", &err), -1);
    assert_int_equal(err.code, LENS_E_SILENT);
    const double waited = lens_seconds();
    assert_int_equal(lens_errand_wait(&second->errand, "/nowhere/b", &err), -1);
    assert_int_equal(err.code, LENS_E_SILENT);
    const double ended_at = lens_seconds();
    assert_true(waited - begun >= 3);
    assert_true(ended_at - waited >= 1); /* a moment at least: the program may have been stopped */
    assert_int_equal(lens_errand_wait(&quick->errand, "/elsewhere/c", &err), 0);
    assert_true(quick->ran);
    end(&quick->errand);
    atomic_store(&gate, FREE);
    wait_for_ended(3);
    wait_for_none_left();
    return ended_at - begun < 2 * 3;
}

static void test_silence_counts_from_the_beginning(void **state)
{
    bool together = false;
    for (int i = 0; i < 5 && !together; i++) { /* this program may have been held up for as long */
        setup(state);
        together = are_given_up_together();
    }
    assert_true(together);
}

/* How many calls there may be at once goes by the processors: on a large machine no crowd of a test would be too many. */
static void run_on_two_processors(void)
{
    cpu_set_t may, two;
    CPU_ZERO(&two);
    if (sched_getaffinity(0, sizeof may, &may) != 0)
        return; /* more than a set has room for */
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&two) < 2; i++)
        if (CPU_ISSET(i, &may))
            CPU_SET(i, &two);
    sched_setaffinity(0, sizeof two, &two);
}

int main(void)
{
    run_on_two_processors();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_done_is_the_callers, setup),
        cmocka_unit_test_setup(test_silence_is_given_up, setup),
        cmocka_unit_test_setup(test_what_was_sent_counts_until_it_is_ended, setup),
        cmocka_unit_test_setup(test_silence_in_many_folders, setup),
        cmocka_unit_test_setup(test_what_talks_is_waited_for, setup),
        cmocka_unit_test_setup(test_a_stopped_program_hears_nothing, setup),
        cmocka_unit_test_setup(test_a_stop_ends_the_waiting, setup),
        cmocka_unit_test_setup(test_silence_counts_from_the_beginning, setup),
        cmocka_unit_test_setup(test_a_path_within_the_errand_is_told_before_that_is_ended, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
