/* Many at once on one library, as processes of their own: whoever writes takes turns or says in one line that it waits, and whoever reads meanwhile finds a
 * library that is whole, again and again. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "serving.h"
#include "started.h"

enum { KEPT = 6, SEARCHERS = 10, WRITERS = 3, GROWING = 40, COMPACTED = 24, CYCLES = 5, WATCHED = 5, PATIENCE = 150 /* seconds: an indexer gives way to searches */ };
static const char json[] = "Content-Type: application/json\r\n", waits[] = "another run is writing to the library; waiting for it";

/* ---- the crowd: ten searchers and a server ---- */

typedef struct crowd {
    const test_world *world;
    test_serving serving;
    test_started searchers[SEARCHERS];
    unsigned asked[SEARCHERS]; /* for which of the pictures that stay */
    long before[SEARCHERS]; /* pictures that an earlier answer had told of when each was started */
    long seen, served;      /* the most pictures that the program has told of, and the server */
    bool grows;             /* nothing is taken away: numbers never go back */
    long ids[KEPT];         /* of the pictures that stay whatever happens */
    const char *gone;       /* no result lies below that folder; NULL: any may */
    unsigned next;
    long searches, queries;
} crowd;

/* Scene NUMBER as FOLDER/NUMBER.jpg below the world's pictures. */
static void add_picture(const test_world *world, const char *folder, unsigned number)
{
    lens_error err = {0};
    char name[64], *path = test_world_path(world, folder);
    assert_done(lens_folder_make(path, &err), &err);
    snprintf(name, sizeof name, "%s/%03u.jpg", folder, number);
    test_world_picture(world, name, TEST_JPEG_420, number);
    free(path);
}

static char *kept_path(const test_world *world, unsigned number)
{
    return test_path(world->pictures, "kept/%03u.jpg", number);
}

/* A file in no library with the same pixels, so that it is encoded by itself, and finds the picture only where that one's vector is its own. */
static char *stranger_path(const test_world *world, unsigned number)
{
    return test_path(world->folder, "stranger-%03u.jpg", number);
}

/* The pictures that stay, each with a caption. */
static void add_kept(const test_world *world)
{
    for (unsigned i = 0; i < KEPT; i++) {
        char text[64];
        add_picture(world, "kept", i);
        char *path = test_path(world->pictures, "kept/%03u.jpg.txt", i);
        snprintf(text, sizeof text, "keepsake number%c\n", 'a' + (int)i);
        test_write(path, text, strlen(text));
        free(path);
        path = kept_path(world, i);
        lens_buffer bytes = test_read(path);
        free(path);
        path = stranger_path(world, i);
        assert_int_equal(lens_buffer_append(&bytes, "!", 1), 0); /* behind the end of the picture */
        test_write(path, bytes.data, bytes.size);
        free(path);
        lens_buffer_free(&bytes);
    }
}

static void index_with(const test_world *world, const char *model)
{
    test_run run = test_world_expect(world, 0, "index", "-q", "--model", model, world->pictures, NULL);
    test_run_free(&run);
}

static double score_of(const json_t *result)
{
    const json_t *score = json_object_get(result, "score");
    assert_true(json_is_real(score));
    const double value = json_real_value(score);
    if (!isfinite(value) || value > 1.001)
        fail_msg("a score of %g", value);
    return value;
}

/* Every result is a file that is there, once, and none that is gone. */
static void check_results(const crowd *self, const json_t *lines)
{
    json_t *paths = json_object();
    char *gone = self->gone ? test_path(self->world->pictures, "%s/", self->gone) : NULL;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        const char *path = json_string_value(json_object_get(line, "path"));
        assert_non_null(path);
        score_of(line);
        if (!lens_file_exists(path) || json_object_get(paths, path))
            fail_msg("%s: is not there, or twice among the results", path);
        if (gone && strncmp(path, gone, strlen(gone)) == 0)
            fail_msg("%s: was forgotten", path);
        json_object_set_new(paths, path, json_true());
    }
    free(gone);
    json_decref(paths);
}

static void never_back(const crowd *self, const char *who, long count, long before, long *most)
{
    if (self->grows && count < before)
        fail_msg("%s: %ld pictures where there were %ld", who, count, before);
    *most = count > *most ? count : *most;
}

/* Whether it only says, in one line, that another one writes. */
static bool is_busy(const test_run *run)
{
    return run->status == 2 && test_count(run->err.data, "\n") == 1 && strstr(run->err.data, "is writing to this library");
}

/* What the searcher at I does, and what is to be true of its answer. */
static void begin_search(crowd *self, unsigned i)
{
    const unsigned number = self->asked[i] = self->next % KEPT;
    char id[32], word[32], *kept = kept_path(self->world, number), *stranger = stranger_path(self->world, number);
    snprintf(id, sizeof id, "id:%ld", self->ids[number]);
    snprintf(word, sizeof word, "number%c", 'a' + (int)number);
    test_started *started = &self->searchers[i];
    const test_world *world = self->world;
    self->before[i] = self->seen;
    switch (i) {
    case 0: *started = test_start(world, "search", "-q", "--json", stranger); break;
    case 1: *started = test_start(world, "search", "-q", "--json", "--by", "text", word); break;
    case 2: *started = test_start(world, "search", "-q", "--json", "-n", "100000", id); break;
    case 3: *started = test_start(world, "similar", "-q", "--json", id); break;
    case 4: *started = test_start(world, "status", "-q", "--json"); break;
    case 5: *started = test_start(world, "check", "-q"); break;
    case 6: *started = test_start(world, "duplicates", "-q", "--json"); break;
    case 7: *started = test_start(world, "search", "-q", "--json", "--fold", id); break;
    case 8: *started = test_start(world, "search", "-q", "--json", "--unhub", "--type", "jpeg", kept); break;
    default: *started = test_start(world, "search", "-q", "--json", "--in", world->pictures, id); break;
    }
    self->next++;
    free(stranger);
    free(kept);
}

static void check_search(crowd *self, unsigned i, const test_run *run)
{
    const char *command = self->searchers[i].command;
    const bool none = i == 6 && run->status == 1; /* no duplicates */
    if (i == 9 && is_busy(run)) /* it would have indexed first */
        return;
    if ((run->status != 0 && !none) || run->err.size)
        fail_msg("memelens %s, number %u: exit %d\n%s%s", command, i, run->status, run->out.data, run->err.data);
    self->searches++;
    json_t *lines = i == 5 ? json_array() : test_json_lines(&run->out);
    if (i == 4)
        never_back(self, "status", test_json_integer(json_array_get(lines, 0), "pictures"), self->before[i], &self->seen);
    else if (i == 2)
        never_back(self, "search", (long)json_array_size(lines), self->before[i], &self->seen);
    if (i != 4 && i != 5 && i != 6) {
        check_results(self, lines);
        /* `similar` leaves out what it is asked by, and with --unhub another one may stand before it. */
        const json_t *first = json_array_get(lines, 0);
        char *kept = kept_path(self->world, self->asked[i]);
        if (!first || (i != 3 && i != 8 && (strcmp(json_string_value(json_object_get(first, "path")), kept) != 0 || (i != 1 && score_of(first) < 0.999))))
            fail_msg("memelens %s, number %u, does not find %s first:\n%s", command, i, kept, run->out.data);
        free(kept);
    }
    json_decref(lines);
}

/* One question to the server: a picture that stays is found, and each result can be fetched. */
static void ask_server(crowd *self)
{
    char body[128], path[64];
    const long id = self->ids[self->queries % KEPT];
    snprintf(body, sizeof body, "{\"terms\":[{\"id\":%ld}],\"n\":100}", id);
    json_t *answer = test_serving_json(&self->serving, 200, "POST", "/api/search", json, body);
    const json_t *results = json_object_get(answer, "results");
    const size_t count = json_array_size(results);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        score_of(json_array_get(results, i));
    if (test_json_integer(json_array_get(results, 0), "id") != id || score_of(json_array_get(results, 0)) < 0.999)
        fail_msg("the server does not find picture %ld", id);
    never_back(self, "the server", (long)count, self->served, &self->served);
    snprintf(path, sizeof path, "/api/pictures/%ld/file", test_json_integer(json_array_get(results, (size_t)self->queries % count), "id"));
    test_reply reply = test_serving_ask(&self->serving, "GET", path, "", NULL, 0);
    if (reply.status != 200 && (self->grows || reply.status != 404)) /* it may have been forgotten since */
        fail_msg("GET %s: %d", path, reply.status);
    test_reply_free(&reply);
    json_decref(answer);
    self->queries++;
}

/* Starts the crowd in WORLD, in which the pictures that stay are indexed. */
static crowd crowd_gather(const test_world *world, bool grows)
{
    crowd self = {.world = world, .grows = grows, .serving = test_serving_start(world, NULL)};
    for (unsigned i = 0; i < KEPT; i++) {
        char *kept = kept_path(world, i);
        test_run run = test_world_expect(world, 0, "search", "-q", "--json", "-n1", kept, NULL);
        json_t *lines = test_json_lines(&run.out);
        self.ids[i] = test_json_integer(json_array_get(lines, 0), "id");
        json_decref(lines);
        test_run_free(&run);
        free(kept);
    }
    for (unsigned i = 0; i < SEARCHERS; i++)
        begin_search(&self, i);
    return self;
}

/* Takes the answers that have come, and asks anew if GO_ON. */
static void crowd_step(crowd *self, bool go_on)
{
    for (unsigned i = 0; i < SEARCHERS; i++) {
        test_run run;
        if (!self->searchers[i].pid || !test_started_ended(&self->searchers[i], &run))
            continue;
        check_search(self, i, &run);
        test_run_free(&run);
        if (go_on)
            begin_search(self, i);
    }
    ask_server(self);
    lens_sleep(0.005);
}

/* Goes on until STARTED has ended, and has done what it was to do: it says nothing but that another one wrote for longer than it wanted to wait. True then. */
static bool crowd_wait(crowd *self, test_started *started)
{
    test_run run = {0};
    while (!test_started_ended(started, &run))
        crowd_step(self, true);
    const bool waited_long = is_busy(&run);
    if (run.status != 0 && !waited_long)
        fail_msg("memelens %s: exit %d\n%s%s", started->command, run.status, run.out.data, run.err.data);
    test_run_free(&run);
    return waited_long;
}

/* Runs the program with WORDS (-q among them) to its end, again where another one wrote for so long. */
static void crowd_do_words(crowd *self, const char *const *words)
{
    test_started started;
    do
        started = test_start_words(self->world, words);
    while (crowd_wait(self, &started));
}
#define crowd_do(self, ...) crowd_do_words(self, (const char *const[]){__VA_ARGS__, NULL})

static void crowd_part(crowd *self)
{
    for (unsigned i = 0; i < SEARCHERS; i++)
        while (self->searchers[i].pid)
            crowd_step(self, false);
    test_serving_stop(&self->serving);
    printf("measured: %ld commands and %ld queries to a server meanwhile, none failed\n", self->searches, self->queries);
}

static void assert_sound(const test_world *world, long pictures)
{
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    assert_int_equal(test_world_status(world, "pictures"), pictures);
}

/* ---- the tests ---- */

/* The lock of who writes to the world's library, which is a folder and not there yet: whoever would write waits until it is closed. -1: it is a database. */
static int hold_lock(const test_world *world)
{
    if (!store_place_is_folder())
        return -1;
    lens_error err = {0};
    assert_done(lens_folder_make(world->library, &err), &err);
    char *path = test_path(world->library, "writer.lock");
    const int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    free(path);
    return lock;
}

/* Whether all WRITERS have said that they wait. */
static bool all_wait(const test_started *writers)
{
    int count = 0;
    for (int i = 0; i < WRITERS; i++) {
        lens_buffer said = writers[i].pid ? test_started_said(&writers[i]) : (lens_buffer){0};
        count += said.data && test_count(said.data, waits) > 0;
        lens_buffer_free(&said);
    }
    return count == WRITERS;
}

/* Several make the library in WORLD at once, all of them behind LOCK first (-1: none). How often one of them said that it waits. */
static size_t make_together(const test_world *world, int lock)
{
    test_started writers[WRITERS], readers[2];
    size_t said = 0, looks = 0;
    long indexed = 0;
    for (unsigned i = 0; i < GROWING; i++)
        add_picture(world, "all", i);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = test_start(world, "index", "-t1", "--json", world->pictures);
    for (int i = 0; i < 2; i++)
        readers[i] = (test_started){0};
    for (int left = WRITERS; left > 0 || looks <= 2; lens_sleep(0.002)) {
        if (lock >= 0 && looks > 2 && all_wait(writers)) { /* else one might be through before the next one is there */
            close(lock);
            lock = -1;
        }
        for (int i = 0; i < 2; i++) {
            test_run run;
            if (!readers[i].pid)
                readers[i] = i ? test_start(world, "search", "--json", "id:1") : test_start(world, "status", "--json");
            if (!test_started_ended(&readers[i], &run))
                continue;
            const bool yet = run.status == 2 && test_count(run.err.data, "\n") == 1 &&
                             (strstr(run.err.data, "there is no library here") || strstr(run.err.data, "nothing is indexed yet") ||
                              strstr(run.err.data, "no such picture"));
            if (run.status != 0 && !yet)
                fail_msg("while the library was being made: exit %d: %s", run.status, run.err.data);
            looks++;
            test_run_free(&run);
        }
        for (int i = 0; i < WRITERS; i++) {
            test_run run;
            if (!writers[i].pid || !test_started_ended(&writers[i], &run))
                continue;
            const size_t waited = test_count(run.err.data, waits);
            const bool gave_up = run.status == 2 && waited == 1 && strstr(run.err.data, "is writing to this library");
            if ((run.status != 0 && !gave_up) || waited > 1 || test_count(run.err.data, "\n") != 1 + waited) /* and what it has done */
                fail_msg("writer %d: exit %d: %s", i, run.status, run.err.data);
            said += waited;
            if (gave_up) {
                writers[i] = test_start(world, "index", "-t1", "--json", world->pictures);
            } else {
                json_t *lines = test_json_lines(&run.out);
                indexed += test_json_integer(json_array_get(lines, 0), "indexed");
                json_decref(lines);
                left--;
            }
            test_run_free(&run);
        }
    }
    for (int i = 0; i < 2; i++)
        if (readers[i].pid) {
            test_run run = test_started_wait(&readers[i]);
            test_run_free(&run);
        }
    assert_int_equal(indexed, GROWING);
    assert_sound(world, GROWING);
    return said;
}

/* Each picture is indexed once, and those who look while the library is only being made hear in one line that it is not there yet. */
static void writers_from_nothing(void **state)
{
    make_together(*state, -1);
}

/* Where one may write at a time the others say so in one line, and come after it; in a database they share the work. */
static void writers_behind_another(void **state)
{
    const int lock = hold_lock(*state);
    const size_t said = make_together(*state, lock);
    assert_true(store_place_is_folder() ? said >= WRITERS : said == 0);
}

/* An index run, the reading of what is written, and a copy of all, at the same time, with searchers and a server. */
static void searched_while_it_grows(void **state)
{
    const test_world *world = *state;
    add_kept(world);
    index_with(world, "efficientnet-lite0");
    for (unsigned i = 0; i < GROWING; i++)
        add_picture(world, "new", 100 + i);
    crowd self = crowd_gather(world, true);
    char *copy = test_path(world->folder, "copy");
    test_started index = test_start(world, "index", "-q", "-t1", world->pictures), read = test_start(world, "ocr", "-q", "-t1");
    crowd_do(&self, "copy", "-q", world->library, copy);
    if (crowd_wait(&self, &index)) /* its turn did not come within the time that it waits */
        crowd_do(&self, "index", "-q", "-t1", world->pictures);
    test_run run = {0};
    kill(read.pid, SIGINT); /* reading may take longer than all else: what was read is kept */
    while (!test_started_ended(&read, &run))
        crowd_step(&self, true);
    if (run.status != 0 && run.status != 130 && !strstr(run.err.data, "tesseract") && !strstr(run.err.data, "writing")) /* by those who go on */
        fail_msg("memelens ocr: exit %d: %s", run.status, run.err.data);
    test_run_free(&run);
    crowd_do(&self, "copy", "-q", "--update", world->library, copy);
    crowd_part(&self);
    assert_sound(world, KEPT + GROWING);
    run = test_world_expect(world, 0, "check", "-q", "--same-as", copy, NULL);
    test_run_free(&run);
    free(copy);
}

/* What is forgotten while an index run walks over it is found by nobody from then on, and stays out. */
static void forgotten_while_it_is_indexed(void **state)
{
    const test_world *world = *state;
    add_kept(world);
    for (unsigned i = 0; i < GROWING / 2; i++)
        add_picture(world, "old", 200 + i);
    index_with(world, "efficientnet-lite0");
    for (unsigned i = 0; i < GROWING; i++)
        add_picture(world, "new", 100 + i);
    char *old = test_world_path(world, "old");
    crowd self = crowd_gather(world, false);
    test_started index = test_start(world, "index", "-q", "-t1", world->pictures);
    crowd_do(&self, "forget", "-q", old);
    for (unsigned i = 0; i < SEARCHERS; i++) /* those that began before it */
        while (self.searchers[i].pid)
            crowd_step(&self, false);
    self.gone = "old";
    for (unsigned i = 0; i < SEARCHERS; i++)
        begin_search(&self, i);
    if (crowd_wait(&self, &index)) /* its turn did not come within the time that it waits */
        crowd_do(&self, "index", "-q", "-t1", world->pictures);
    crowd_do(&self, "index", "-q");
    crowd_part(&self);
    assert_sound(world, KEPT + GROWING);
    free(old);
}

/* The number in the name of the library's vector file, which each compaction raises. */
static long generation(const test_world *world)
{
    static const char last[] = "cd \"$1\" && ls *.vectors | sed 's/.*-\\([0-9]*\\)[.]vectors/\\1/' | sort -n | tail -n 1";
    const char *argv[] = {"/bin/sh", "-c", last, "sh", world->library, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    const long number = strtol(run.out.data, NULL, 10);
    test_run_free(&run);
    return number;
}

/* Vector files are written anew, slots renumbered, while others read them. */
static void compacted_while_it_is_searched(void **state)
{
    const test_world *world = *state;
    for (unsigned i = 0; i < COMPACTED; i++)
        add_picture(world, "come-and-go", 300 + i);
    index_with(world, "colour");
    add_kept(world); /* behind them in the file, so that each compaction moves them */
    index_with(world, "colour");
    char *folder = test_world_path(world, "come-and-go");
    crowd self = crowd_gather(world, false);
    const long first = store_place_is_folder() ? generation(world) : 0;
    for (int i = 0; i < CYCLES; i++) {
        crowd_do(&self, "forget", "-q", folder);
        crowd_do(&self, "index", "-q", folder);
    }
    crowd_part(&self);
    if (store_place_is_folder())
        assert_int_equal(generation(world) - first, CYCLES);
    assert_sound(world, KEPT + COMPACTED);
    free(folder);
}

/* Two servers that both watch the same folders: what comes is indexed once, and both find it. */
static void two_servers(void **state)
{
    const test_world *world = *state;
    static const char *const watch[] = {"--watch", NULL};
    add_kept(world);
    index_with(world, "colour");
    crowd self = crowd_gather(world, true);
    test_serving servers[2];
    for (int i = 0; i < 2; i++)
        servers[i] = test_serving_start(world, watch);
    for (unsigned i = 0; i < WATCHED; i++) {
        add_picture(world, "kept", 400 + i);
        lens_sleep(0.3);
    }
    for (int i = 0; i < 2; i++) {
        long found = 0;
        for (const double end = lens_seconds() + PATIENCE; found < KEPT + WATCHED; crowd_step(&self, true)) {
            char body[64];
            snprintf(body, sizeof body, "{\"terms\":[{\"id\":%ld}],\"n\":100}", self.ids[0]);
            json_t *answer = test_serving_json(&servers[i], 200, "POST", "/api/search", json, body);
            found = (long)json_array_size(json_object_get(answer, "results"));
            json_decref(answer);
            if (lens_seconds() > end)
                fail_msg("server %d finds %ld pictures", i, found);
        }
    }
    for (int i = 0; i < 2; i++)
        test_serving_stop(&servers[i]);
    crowd_part(&self);
    assert_sound(world, KEPT + WATCHED);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {WORLD_TEST(writers_from_nothing), WORLD_TEST(writers_behind_another), WORLD_TEST(searched_while_it_grows),
                                       WORLD_TEST(forgotten_while_it_is_indexed), WORLD_TEST(compacted_while_it_is_searched), WORLD_TEST(two_servers)};
    return store_place_run(tests);
}
