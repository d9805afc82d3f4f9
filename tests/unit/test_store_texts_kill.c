/* src/store: a writer of captions that is killed leaves the index of words like the texts. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "support_texts.h"

enum { KILLS = 25, LEAST = 6 /* however slow the machine is */, PICTURES = 64 };

/* Writes captions, whole and in part, readings, and pictures that come and go with theirs, until it is killed. After each round its number goes down
 * the pipe; every text of it has its word "roundN". */
static void write_for_ever(const char *place, uint64_t round, int acknowledge)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(place, LENS_STORE_WRITE, 10, &err);
    int64_t model, whole, some, gone, removed;
    if (store && (lens_store_add_model(store, "m", TEXTS_DIM, lens_hash_of("m", 1), &model, &err) != 0 ||
                  test_write_pictures(store, model, TEXTS_DIM, "/keep", 1, PICTURES, &err) != 0 ||
                  lens_store_source_put(store, "/whole", LENS_SOURCE_FILE, NULL, &whole, &err) != 0 ||
                  lens_store_source_put(store, "/some", LENS_SOURCE_FILE, NULL, &some, &err) != 0))
        _exit(2);
    for (; store; round++) {
        lens_store_caption captions[PICTURES];
        char texts[PICTURES][64], path[32];
        size_t count = 0;
        for (unsigned n = 1; n <= PICTURES; n++) {
            snprintf(path, sizeof path, "/keep/%05u.jpg", n);
            snprintf(texts[count], sizeof texts[count], "round%llu of picture%u", (unsigned long long)round, n);
            captions[count] = (lens_store_caption){test_id(store, path), texts[count], texts[count]};
            count += (round + n) % 5 != 0; /* some come, some go */
        }
        int64_t content;
        if (lens_store_content_by_hash(store, test_hash(1 + round % PICTURES), &content, &err) != 1)
            break;
        const lens_store_reading reading = {content, texts[0], texts[0]};
        if (lens_store_captions_write(store, whole, 1, 1, captions, count, true, NULL, &err) != 0 ||
            lens_store_captions_write(store, some, 1, 1, captions, count / 2, false, NULL, &err) != 0 ||
            lens_store_readings_write(store, NULL, "v1", &reading, 1, &err) != 0 || write(acknowledge, &round, sizeof round) != sizeof round ||
            test_write_pictures(store, model, TEXTS_DIM, "/drop", 1000, 8, &err) != 0 ||
            lens_store_source_put(store, "/gone", LENS_SOURCE_FILE, NULL, &gone, &err) != 0)
            break;
        for (unsigned n = 0; n < 8; n++) {
            snprintf(path, sizeof path, "/drop/%05u.jpg", 1000 + n);
            captions[n].picture = test_id(store, path);
        }
        if (lens_store_captions_write(store, gone, 1, 1, captions, 8, true, NULL, &err) != 0 ||
            (round % 2 ? lens_store_forget(store, "/drop", &removed, &err) : lens_store_source_remove(store, gone, &err)) != 0)
            break;
    }
    fprintf(stderr, "the writer stopped by itself: %s\n", err.message);
    _exit(1);
}

static int count_text(void *context, const lens_store_text *text)
{
    *(int64_t *)context += strncmp(text->text, "round", 5) == 0;
    return 0;
}

static void test_kills(void **state)
{
    (void)state;
    char *place = store_place("kill");
    uint64_t round = 0, seed = (uint64_t)time(NULL), random = seed, acknowledged = 0, all = 0;
    const double start = lens_seconds();
    int kills = 0;
    for (; kills < KILLS && (kills < LEAST || lens_seconds() - start < 20); kills++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_for_ever(place, round, ends[1]);
        }
        close(ends[1]);
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (kills % 3 == 2)
            poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 100000); /* there is something to lose, however slow the machine is */
        lens_sleep(0.001 * (double)(random >> 33 & 0xff) + (kills % 3 ? 0.05 : 0));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        store_place_settle(place);
        bool any = false;
        for (uint64_t n; read(ends[0], &n, sizeof n) == sizeof n; any = true, all++)
            acknowledged = n;
        close(ends[0]);
        round = (any ? acknowledged : round) + 10;
        for (int mode = 0; mode < 2 && all; mode++) { /* a reader meets it first */
            lens_error err = {0};
            lens_store *store = test_store(place, mode ? LENS_STORE_WRITE : LENS_STORE_READ);
            if (mode == 0)
                texts_sound_in(place);
            /* What was acknowledged last is there, or what came after it is, whole. */
            int64_t found = 0, later = 0;
            char word[64];
            snprintf(word, sizeof word, "round%llu", (unsigned long long)acknowledged);
            assert_done(lens_store_texts_match(store, word, false, count_text, &found, &err), &err);
            snprintf(word, sizeof word, "round%llu", (unsigned long long)acknowledged + 1);
            assert_done(lens_store_texts_match(store, word, false, count_text, &later, &err), &err);
            if (any)
                assert_true(found + later > PICTURES * 4 / 5);
            int64_t texts = 0;
            assert_done(lens_store_texts_match(store, "picture*", false, count_text, &texts, &err), &err);
            assert_int_equal(texts, lens_store_text_count(store, &err));
            lens_store_close(store);
            if (mode == 1)
                texts_sound_in(place);
        }
    }
    printf("measured: %d kills (seed %llu), %llu rounds of captions acknowledged, the index always like the texts\n", kills, (unsigned long long)seed,
           (unsigned long long)all);
    assert_true(kills >= LEAST && all > 0);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills)};
    return store_place_run(tests);
}
