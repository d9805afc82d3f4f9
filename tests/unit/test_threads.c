/* Threads of one process, as a server has them: searches on one warm, an index run, forgetting with its compactions, and checks, all at once; and one file
 * that several write. Under ThreadSanitizer (`make races`) each meeting of two of them is held against what C promises. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "memelens.h"
#include "world.h"

enum { SEARCHERS = 4, KEPT = 5, MOVING = 20, CYCLES = 6, WRITERS = 4, WRITES = 100, BYTES = 100000 };

/* What went wrong first, in whatever thread: only the test's own may say so. */
typedef struct troubles {
    pthread_mutex_t lock;
    char first[600];
} troubles;

static void trouble(troubles *self, const char *who, const char *what)
{
    pthread_mutex_lock(&self->lock);
    if (!self->first[0])
        snprintf(self->first, sizeof self->first, "%s: %s", who, what);
    pthread_mutex_unlock(&self->lock);
}

static void assert_none(troubles *self)
{
    pthread_mutex_destroy(&self->lock);
    if (self->first[0])
        fail_msg("%s", self->first);
}

/* ---- a library ---- */

typedef struct busy {
    const test_world *world;
    lens_warm *warm;
    troubles troubles;
    atomic_bool over;
    atomic_long searches, checks;
    atomic_int number;
    char *kept[KEPT], *stranger; /* pictures that stay, and one that is in no library */
} busy;

/* One search by TERM, whose first result has to be PATH (NULL: any). */
static void search(busy *self, lens_library *library, const lens_term *term, bool fold, const char *path)
{
    lens_error error = {0};
    lens_search_options options = lens_search_options_default();
    options.n = 100;
    options.fold = fold;
    lens_results *results = lens_search(library, term, 1, &options, &error);
    if (!results || results->count < (fold ? 1 : KEPT)) { /* these pictures are much alike */
        trouble(&self->troubles, "a search", results ? "it finds less than what stays" : error.message);
    } else if (path && (strcmp(results->items[0].path, path) != 0 || results->items[0].score < 0.999)) {
        trouble(&self->troubles, path, results->items[0].path);
    } else {
        for (size_t i = 0; i < results->count; i++)
            if (!isfinite(results->items[i].score) || !lens_file_exists(results->items[i].path))
                trouble(&self->troubles, "a result", results->items[i].path);
    }
    atomic_fetch_add(&self->searches, 1);
    lens_results_free(results);
}

static void *search_always(void *context)
{
    busy *self = context;
    lens_error error = {0};
    const int number = atomic_fetch_add(&self->number, 1);
    lens_library *library = lens_library_open_warm(self->warm, &error);
    if (!library)
        trouble(&self->troubles, "a library", error.message);
    for (int i = number; library && !atomic_load(&self->over); i++) {
        const lens_term kept = {.kind = LENS_TERM_FILE, .text = self->kept[i % KEPT], .weight = 1};
        const lens_term stranger = {.kind = LENS_TERM_FILE, .text = self->stranger, .weight = 1};
        search(self, library, &kept, i % 3 == 0, kept.text);
        if (i % 4 == number)
            search(self, library, &stranger, false, NULL);
        lens_picture picture;
        if (lens_picture_get(library, 1, &picture, &error) == 0)
            lens_picture_free(&picture);
    }
    lens_library_close(library);
    return NULL;
}

static void fault(void *context, const char *line)
{
    trouble(context, "check", line);
}

/* Looks at all of it again and again, with a library of its own. */
static void *check_always(void *context)
{
    busy *self = context;
    lens_error error = {0};
    lens_library *library = lens_library_open(self->world->library, &error);
    if (!library)
        trouble(&self->troubles, "a library to check", error.message);
    while (library && !atomic_load(&self->over)) {
        atomic_fetch_add(&self->checks, 1);
        if (lens_check(library, fault, &self->troubles, &error) < 0)
            trouble(&self->troubles, "check", error.message);
        lens_status *status = lens_status_get(library, &error);
        lens_groups *groups = lens_duplicates(library, NULL, false, &error);
        if (!status || status->pictures < KEPT || !groups)
            trouble(&self->troubles, "status", error.message);
        lens_groups_free(groups);
        lens_status_free(status);
        lens_warm_refresh(self->warm);
    }
    lens_library_close(library);
    return NULL;
}

static void index_folder(busy *self, lens_library *library, const char *folder)
{
    lens_error error = {0};
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.paths = &folder;
    options.path_count = 1;
    options.threads = 2;
    if (lens_index(library, &options, &report, &error) != 0)
        trouble(&self->troubles, "index", error.message);
}

static void a_busy_library(void **state)
{
    (void)state;
    busy self = {.world = test_world_new()};
    pthread_t searchers[SEARCHERS], checker;
    lens_error error = {0};
    const char *models = "efficientnet-lite0";
    char *moving = test_world_path(self.world, "moving"), *kept = test_world_path(self.world, "kept");
    pthread_mutex_init(&self.troubles.lock, NULL);
    for (const char *const *variable = test_world_environment(self.world); *variable; variable++)
        putenv((char *)*variable);
    assert_done(lens_folder_make(moving, &error), &error);
    assert_done(lens_folder_make(kept, &error), &error);
    for (unsigned i = 0; i < MOVING; i++) {
        char name[32];
        snprintf(name, sizeof name, "moving/%02u.jpg", i);
        test_world_picture(self.world, name, TEST_JPEG_420, 50 + i);
    }
    self.stranger = test_path(self.world->folder, "stranger.png");
    test_picture_write(self.stranger, TEST_PNG, 160, 120, 999);
    lens_library *library = lens_library_open(self.world->library, &error);
    assert_done(library ? 0 : -1, &error);
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.models = &models;
    options.model_count = 1;
    options.paths = (const char *const[]){self.world->pictures};
    options.path_count = 1;
    assert_done(lens_index(library, &options, &report, &error), &error);
    for (unsigned i = 0; i < KEPT; i++) { /* behind the others in the vector file: a compaction moves them */
        char name[32];
        snprintf(name, sizeof name, "kept/%02u.jpg", i);
        test_world_picture(self.world, name, TEST_JPEG_420, i);
        self.kept[i] = test_world_path(self.world, name);
    }
    assert_done(lens_index(library, &options, &report, &error), &error);
    self.warm = lens_warm_new(self.world->library, &error);
    assert_done(self.warm ? 0 : -1, &error);
    for (int i = 0; i < SEARCHERS; i++)
        assert_int_equal(pthread_create(&searchers[i], NULL, search_always, &self), 0);
    assert_int_equal(pthread_create(&checker, NULL, check_always, &self), 0);
    int cycles = 0; /* more of them where a machine is so slow that somebody has not had a turn yet */
    for (; cycles < CYCLES || (cycles < 100 * CYCLES && (atomic_load(&self.searches) < SEARCHERS || !atomic_load(&self.checks))); cycles++) {
        int64_t removed = 0;
        if (lens_forget_path(library, moving, &removed, &error) != 0)
            trouble(&self.troubles, "forget", error.message);
        if (removed != MOVING)
            trouble(&self.troubles, "forget", "not all that was there");
        index_folder(&self, library, moving);
    }
    atomic_store(&self.over, true);
    for (int i = 0; i < SEARCHERS; i++)
        pthread_join(searchers[i], NULL);
    pthread_join(checker, NULL);
    lens_warm_free(self.warm);
    lens_library_close(library);
    printf("measured: %ld searches by %d threads while %d pictures were forgotten and indexed %d times\n", atomic_load(&self.searches), SEARCHERS, MOVING,
           cycles);
    for (unsigned i = 0; i < KEPT; i++)
        free(self.kept[i]);
    free(self.stranger);
    free(moving), free(kept);
    test_world_free((test_world *)self.world);
    assert_none(&self.troubles);
    assert_true(atomic_load(&self.searches) >= SEARCHERS && atomic_load(&self.checks) > 0);
}

/* ---- a file ---- */

typedef struct written {
    const char *path;
    troubles troubles;
    atomic_bool over;
    atomic_int number;
    atomic_long reads;
} written;

static void *write_often(void *context)
{
    written *self = context;
    lens_error error = {0};
    char *bytes = malloc(BYTES);
    if (bytes) {
        memset(bytes, 'a' + atomic_fetch_add(&self->number, 1), BYTES);
        for (int i = 0; i < WRITES; i++)
            if (lens_file_write(self->path, bytes, BYTES, &error) != 0)
                trouble(&self->troubles, "a writer", error.message);
    }
    free(bytes);
    return NULL;
}

static void *read_always(void *context)
{
    written *self = context;
    lens_error error = {0};
    do { /* once at least, however late it begins */
        lens_buffer bytes = {0};
        if (lens_file_read(self->path, 2 * BYTES, &bytes, &error) != 0)
            trouble(&self->troubles, "the reader", error.message);
        else if (bytes.size != BYTES || bytes.data[0] != bytes.data[BYTES - 1] || memcmp(bytes.data, bytes.data + 1, BYTES - 1) != 0)
            trouble(&self->troubles, "the reader", "a file that is not whole");
        atomic_fetch_add(&self->reads, 1);
        lens_buffer_free(&bytes);
    } while (!atomic_load(&self->over));
    return NULL;
}

/* Whoever writes a file puts a whole one in place, also beside others of the same process. */
static void a_file_that_several_write(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "file"), first[BYTES];
    written self = {.path = path};
    pthread_t writers[WRITERS], reader;
    pthread_mutex_init(&self.troubles.lock, NULL);
    memset(first, 'z', sizeof first);
    test_write(path, first, sizeof first);
    assert_int_equal(pthread_create(&reader, NULL, read_always, &self), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_often, &self), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&self.over, true);
    pthread_join(reader, NULL);
    free(path);
    test_folder_remove(folder);
    assert_true(atomic_load(&self.reads) > 0);
    assert_none(&self.troubles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_busy_library), cmocka_unit_test(a_file_that_several_write)};
    return store_place_run(tests);
}
