/* src/store: what goes in comes out. */
#include "support_store.h"

enum { DIM = 12 };

typedef struct fixture {
    char *place;
    lens_store *store;
    int64_t model;
    lens_error err;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->place = store_place("store");
    f->store = test_store(f->place, LENS_STORE_WRITE);
    f->model = test_model(f->store, "alpha@crop", DIM);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    lens_store_close(f->store);
    store_place_remove(f->place);
    free(f);
    return 0;
}

static void assert_paths(fixture *f, int (*list)(lens_store *, lens_names *, lens_error *), const char *expected)
{
    lens_names paths;
    assert_done(list(f->store, &paths, &f->err), &f->err);
    lens_buffer all = {0};
    assert_int_equal(lens_buffer_append(&all, "", 0), 0);
    for (size_t i = 0; i < paths.count; i++)
        assert_int_equal(lens_buffer_print(&all, "%s%s", i ? " " : "", paths.items[i]), 0);
    assert_string_equal(all.data, expected);
    lens_buffer_free(&all);
    lens_names_free(&paths);
}

static void add_root(fixture *f, const char *path)
{
    assert_done(lens_store_add_root(f->store, path, &f->err), &f->err);
}

static int64_t forget(fixture *f, const char *path)
{
    int64_t removed = -1;
    assert_done(lens_store_forget(f->store, path, &removed, &f->err), &f->err);
    return removed;
}

static void test_roots(void **state)
{
    fixture *f = *state;
    assert_paths(f, lens_store_roots, "");
    add_root(f, "/b/pics");
    add_root(f, "/a");
    add_root(f, "/a");
    add_root(f, "/a/inside");       /* covered */
    add_root(f, "/a-beside");       /* not below /a, though it sorts between /a and /a/ */
    add_root(f, "/a/.cache/thumbs"); /* a walk from /a passes it by */
    assert_paths(f, lens_store_roots, "/a /a-beside /a/.cache/thumbs /b/pics");
    add_root(f, "/b"); /* what was there stays: it may be a disk of its own */
    assert_paths(f, lens_store_roots, "/a /a-beside /a/.cache/thumbs /b /b/pics");
    add_root(f, "/");
    assert_paths(f, lens_store_roots, "/ /a /a-beside /a/.cache/thumbs /b /b/pics");
    assert_int_equal(lens_store_add_root(f->store, "not/absolute", &f->err), -1);
    assert_int_equal(f->err.code, LENS_E_ARGUMENT);
    assert_int_equal(lens_store_add_root(f->store, "/slash/", &f->err), -1);
}

static void test_how_a_root_is_walked(void **state)
{
    fixture *f = *state;
    char *settings = NULL;
    add_root(f, "/a");
    assert_done(lens_store_root_settings(f->store, "/a", &settings, &f->err), &f->err);
    assert_null(settings);
    assert_done(lens_store_set_root_settings(f->store, "/a", "hidden \xff\n", &f->err), &f->err);
    assert_done(lens_store_set_root_settings(f->store, "/b", "of no root", &f->err), &f->err);
    add_root(f, "/a"); /* named again: as it was */
    assert_done(lens_store_root_settings(f->store, "/a", &settings, &f->err), &f->err);
    assert_string_equal(settings, "hidden \xff\n");
    free(settings);
    assert_done(lens_store_root_settings(f->store, "/b", &settings, &f->err), &f->err);
    assert_null(settings);
}

static void test_forget_and_name_again(void **state)
{
    fixture *f = *state;
    add_root(f, "/p");
    test_write_picture(f->store, f->model, DIM, "/p/a/1.jpg", 1, 0);
    test_write_picture(f->store, f->model, DIM, "/p/a/b/2.jpg", 2, 0);
    test_write_picture(f->store, f->model, DIM, "/p/a.jpg", 3, 0);
    test_write_picture(f->store, f->model, DIM, "/p/a0", 4, 0);
    assert_int_equal(forget(f, "/p/a"), 2);
    assert_true(test_id(f->store, "/p/a.jpg") && test_id(f->store, "/p/a0"));
    assert_paths(f, lens_store_roots, "/p");
    assert_paths(f, lens_store_forgotten, "/p/a");
    add_root(f, "/p"); /* changes nothing: the nearest rule wins */
    assert_paths(f, lens_store_forgotten, "/p/a");
    add_root(f, "/p/a/b"); /* a rule nearer than the forgotten one */
    assert_paths(f, lens_store_roots, "/p /p/a/b");
    assert_int_equal(forget(f, "/p/a"), 0); /* takes the rules below along */
    assert_paths(f, lens_store_roots, "/p");
    assert_paths(f, lens_store_forgotten, "/p/a");
    add_root(f, "/p/a"); /* named again: covered by /p once the rule is gone */
    assert_paths(f, lens_store_roots, "/p");
    assert_paths(f, lens_store_forgotten, "");
    assert_int_equal(forget(f, "/p/a.jpg"), 1);
    assert_paths(f, lens_store_forgotten, "/p/a.jpg");
    lens_names forgotten;
    assert_done(lens_store_forgotten(f->store, &forgotten, &f->err), &f->err);
    assert_true(lens_names_find(&forgotten, "/p/a.jpg") >= 0);
    assert_true(lens_names_find(&forgotten, "/p/a") < 0 && lens_names_find(&forgotten, "/p/a.jpg2") < 0 && lens_names_find(&(lens_names){0}, "/p") < 0);
    lens_names_free(&forgotten);
    assert_int_equal(forget(f, "/"), 1);
    assert_paths(f, lens_store_roots, "");
    assert_paths(f, lens_store_forgotten, "");
    lens_store_counts counts;
    assert_done(lens_store_count(f->store, &counts, &f->err), &f->err);
    assert_int_equal(counts.pictures + counts.contents + counts.failed, 0);
    test_store_sound(f->store, f->model, DIM);
}

static void test_models(void **state)
{
    fixture *f = *state;
    int64_t other = test_model(f->store, "beta/../../etc", 7);
    assert_true(other != f->model);
    assert_int_equal(test_model(f->store, "alpha@crop", DIM), f->model);
    int64_t id;
    lens_hash hash = lens_hash_of("alpha@crop", 10);
    assert_int_equal(lens_store_add_model(f->store, "alpha@crop", DIM + 1, hash, &id, &f->err), -1);
    assert_int_equal(f->err.code, LENS_E_FORMAT);
    assert_says(&f->err, "forget --model alpha@crop");
    hash.bytes[0] ^= 1;
    assert_int_equal(lens_store_add_model(f->store, "alpha@crop", DIM, hash, &id, &f->err), -1);
    assert_int_equal(f->err.code, LENS_E_FORMAT);
    assert_int_equal(lens_store_add_model(f->store, "", DIM, hash, &id, &f->err), -1);
    assert_int_equal(lens_store_add_model(f->store, "none", 0, hash, &id, &f->err), -1);
    assert_int_equal(f->err.code, LENS_E_ARGUMENT);

    test_write_picture(f->store, f->model, DIM, "/p/1.jpg", 1, 0);
    lens_store_models models;
    assert_done(lens_store_models_list(f->store, &models, &f->err), &f->err);
    assert_int_equal(models.count, 2);
    assert_string_equal(models.items[0].name, "alpha@crop");
    assert_int_equal(models.items[0].dim, DIM);
    assert_int_equal(models.items[0].vectors, 1);
    assert_true(models.items[0].file_bytes >= DIM * 4);
    assert_memory_equal(&models.items[0].fingerprint, lens_hash_of("alpha@crop", 10).bytes, 16);
    assert_string_equal(models.items[1].name, "beta/../../etc");
    lens_store_models_free(&models);

    assert_done(lens_store_forget_model(f->store, "beta/../../etc", &f->err), &f->err);
    assert_int_equal(lens_store_forget_model(f->store, "beta/../../etc", &f->err), -1);
    assert_int_equal(f->err.code, LENS_E_MISSING);
    assert_done(lens_store_forget_model(f->store, "alpha@crop", &f->err), &f->err);
    /* The same name again gets another id: no reader can take one for the other. */
    int64_t new_id = test_model(f->store, "alpha@crop", DIM);
    assert_true(new_id != f->model && new_id != other);
    assert_int_equal(test_store_sound(f->store, new_id, DIM), 0);
}

static void test_a_picture_comes_back(void **state)
{
    fixture *f = *state;
    float values[DIM];
    test_vector(1, values, DIM);
    struct lens_store_vector vector = {f->model, values};
    const char *path = "/p/gr\xfc\xdf \xff\n.jpg"; /* not UTF-8 */
    lens_store_entry entries[] = {
        {.path = path, .size = INT64_MAX, .mtime_ns = INT64_MIN, .hash = test_hash(1), .width = 7, .height = 9, .format = "WebP",
         .vector_count = 1, .vectors = &vector},
        {.path = "/p/bad.png", .size = 0, .mtime_ns = -1, .reason = "cut short \xfe"},
    };
    int64_t ids[2];
    assert_done(lens_store_write(f->store, entries, 2, ids, &f->err), &f->err);
    lens_store_picture p;
    assert_int_equal(lens_store_picture_by_path(f->store, path, &p, &f->err), 1);
    assert_int_equal(p.id, ids[0]);
    assert_string_equal(p.path, path);
    assert_true(p.size == INT64_MAX && p.mtime_ns == INT64_MIN && p.width == 7 && p.height == 9 && p.content > 0);
    assert_string_equal(p.format, "WebP");
    assert_null(p.reason);
    int64_t content = p.content, known = 0;
    lens_store_picture_free(&p);
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(1), &known, &f->err), 1);
    assert_int_equal(known, content);
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(2), &known, &f->err), 0);
    assert_int_equal(lens_store_has_vector(f->store, f->model, content, &f->err), 1);
    assert_int_equal(lens_store_has_vector(f->store, f->model + 1, content, &f->err), 0);

    assert_int_equal(lens_store_picture_by_id(f->store, ids[1], &p, &f->err), 1);
    assert_string_equal(p.reason, "cut short \xfe");
    assert_true(p.content == 0 && !p.format && p.width == 0);
    lens_store_picture_free(&p);
    assert_int_equal(lens_store_picture_by_id(f->store, 99, &p, &f->err), 0);
    assert_int_equal(lens_store_picture_by_path(f->store, "/p", &p, &f->err), 0);
    lens_store_counts counts;
    assert_done(lens_store_count(f->store, &counts, &f->err), &f->err);
    assert_true(counts.pictures == 1 && counts.failed == 1 && counts.contents == 1 && counts.bytes > 4096);
    assert_int_equal(test_store_sound(f->store, f->model, DIM), 1);
}

typedef struct met {
    lens_store *store;
    lens_buffer paths;
    int left, depth;
} met;

static int meet(void *context, const lens_store_picture *picture)
{
    met *m = context;
    assert_int_equal(lens_buffer_print(&m->paths, "%s ", picture->path), 0);
    /* Reading the same way while a reading is under way. */
    if (m->depth++ == 0) {
        lens_error err = {0};
        met inner = {.store = m->store, .left = 9, .depth = 1};
        assert_done(lens_store_pictures_of(m->store, picture->content, meet, &inner, &err), &err);
        assert_true(inner.paths.size > 0);
        lens_buffer_free(&inner.paths);
        lens_store_models models;
        assert_done(lens_store_models_list(m->store, &models, &err), &err);
        lens_store_vectors view;
        assert_done(lens_store_vectors_open(m->store, models.items[0].id, NULL, 0, &view, &err), &err);
        lens_store_vectors_free(&view);
        lens_store_models_free(&models);
    }
    return --m->left == 0 ? 42 : 0;
}

static void test_pictures_of_a_content(void **state)
{
    fixture *f = *state;
    test_write_picture(f->store, f->model, DIM, "/z", 1, 0);
    test_write_picture(f->store, f->model, DIM, "/a", 1, 0);
    test_write_picture(f->store, f->model, DIM, "/m", 2, 0);
    lens_store_entry bad[] = {{.path = "/y", .reason = "no"}, {.path = "/b", .reason = "no"}};
    assert_done(lens_store_write(f->store, bad, 2, NULL, &f->err), &f->err);
    int64_t content;
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(1), &content, &f->err), 1);
    met m = {.store = f->store, .left = 9};
    assert_int_equal(lens_store_pictures_of(f->store, content, meet, &m, &f->err), 0);
    assert_string_equal(m.paths.data, "/a /z ");
    lens_buffer_free(&m.paths);
    m = (met){.store = f->store, .left = 9};
    assert_int_equal(lens_store_pictures_of(f->store, 0, meet, &m, &f->err), 0);
    assert_string_equal(m.paths.data, "/b /y ");
    lens_buffer_free(&m.paths);
    m = (met){.store = f->store, .left = 1};
    assert_int_equal(lens_store_pictures_of(f->store, content, meet, &m, &f->err), 42);
    assert_string_equal(m.paths.data, "/a ");
    lens_buffer_free(&m.paths);

    /* One after the other, in order of id. */
    const char *const expected[] = {"/z", "/a"};
    lens_store_picture picture;
    int64_t after = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lens_store_picture_next(f->store, content, after, &picture, &f->err), 1);
        assert_string_equal(picture.path, expected[i]);
        assert_true(picture.id > after && picture.content == content);
        after = picture.id;
        lens_store_picture_free(&picture);
    }
    assert_int_equal(lens_store_picture_next(f->store, content, after, &picture, &f->err), 0);
}

static void assert_view(fixture *f, const char *const *folders, size_t count, const char *expected)
{
    lens_store_vectors view;
    assert_done(lens_store_vectors_open(f->store, f->model, folders, count, &view, &f->err), &f->err);
    lens_buffer all = {0};
    assert_int_equal(lens_buffer_append(&all, "", 0), 0);
    for (size_t i = 0; i < view.count; i++) {
        lens_store_picture p;
        assert_int_equal(lens_store_picture_by_id(f->store, view.ids[i], &p, &f->err), 1);
        assert_int_equal(lens_buffer_print(&all, "%s%s", i ? " " : "", p.path), 0);
        lens_store_picture_free(&p);
    }
    assert_string_equal(all.data, expected);
    lens_buffer_free(&all);
    lens_store_vectors_free(&view);
}

static void test_views_of_folders(void **state)
{
    fixture *f = *state;
    int64_t id;
    assert_view(f, NULL, 0, "");
    test_write_picture(f->store, f->model, DIM, "/p/b/2.jpg", 2, 0);
    test_write_picture(f->store, f->model, DIM, "/p/a/1.jpg", 1, 0);
    test_write_picture(f->store, f->model, DIM, "/p/a-1/5.jpg", 5, 0);
    test_write_picture(f->store, f->model, DIM, "/p/a0/2.jpg", 2, 0);
    lens_store_entry bad = {.path = "/p/a/bad", .reason = "no"};
    assert_done(lens_store_write(f->store, &bad, 1, &id, &f->err), &f->err);
    assert_view(f, NULL, 0, "/p/b/2.jpg /p/a/1.jpg /p/a-1/5.jpg /p/a0/2.jpg");
    assert_view(f, (const char *[]){"/p/a"}, 1, "/p/a/1.jpg");
    assert_view(f, (const char *[]){"/p/a/1.jpg"}, 1, "/p/a/1.jpg");
    assert_view(f, (const char *[]){"/"}, 1, "/p/b/2.jpg /p/a/1.jpg /p/a-1/5.jpg /p/a0/2.jpg");
    assert_view(f, (const char *[]){"/p/a0", "/p", "/p/a"}, 3, "/p/b/2.jpg /p/a/1.jpg /p/a-1/5.jpg /p/a0/2.jpg");
    assert_view(f, (const char *[]){"/q"}, 1, "");
    lens_store_vectors view;
    assert_int_equal(lens_store_vectors_open(f->store, 99, NULL, 0, &view, &f->err), -1);
    assert_int_equal(f->err.code, LENS_E_MISSING);
    assert_int_equal(test_store_sound(f->store, f->model, DIM), 4);

    /* A second model, given its vectors in another order than the contents came. */
    int64_t second = test_model(f->store, "second", 3);
    test_write_picture(f->store, second, 3, "/p/a-1/5.jpg", 5, 0);
    test_write_picture(f->store, second, 3, "/p/a/1.jpg", 1, 0);
    test_write_picture(f->store, second, 3, "/p/b/2.jpg", 2, 0);
    assert_int_equal(test_store_sound(f->store, second, 3), 4);
    assert_int_equal(test_store_sound(f->store, f->model, DIM), 4);
}

/* The names of the pictures that PATTERN leaves, as "1 3". */
static void assert_narrow(fixture *f, const char *pattern, bool below, const char *expected)
{
    lens_store_vectors vectors;
    lens_buffer names = {0};
    assert_done(lens_store_vectors_open(f->store, f->model, NULL, 0, &vectors, &f->err), &f->err);
    lens_store_filter filter = lens_store_filter_none;
    filter.pattern = pattern;
    filter.below = below;
    assert_done(lens_store_vectors_narrow(f->store, &vectors, &filter, &f->err), &f->err);
    assert_int_equal(lens_buffer_append(&names, "", 0), 0);
    for (size_t i = 0; i < vectors.count; i++)
        assert_int_equal(lens_buffer_print(&names, "%s%lld", i ? " " : "", (long long)vectors.ids[i]), 0);
    if (strcmp(names.data, expected) != 0)
        fail_msg("%s: %s instead of %s", pattern ? pattern : "any", names.data, expected);
    lens_buffer_free(&names);
    lens_store_vectors_free(&vectors);
}

static void test_patterns_of_paths(void **state)
{
    fixture *f = *state;
    static const char *const paths[] = {"/srv/Ada/Photos/Trip/a.jpg", "/srv/Ada/Photos/b.JPG", "/srv/Ada/Photos/.in/deep/c.jpg", "/srv/one.jpg", "/else/\xff.jpg"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(test_write_picture(f->store, f->model, DIM, paths[i], i + 1, 0), i + 1);
    add_root(f, "/srv/Ada/Photos");
    add_root(f, "/srv/Ada/Photos/.in/deep");
    add_root(f, "/srv/one.jpg");
    assert_narrow(f, NULL, false, "1 2 3 4 5");
    assert_narrow(f, "/srv/ada/*", false, "1 2 3");
    assert_narrow(f, "*.jpg", true, "1 2 3 4 5");
    assert_narrow(f, "/SRV/*", true, "");
    assert_narrow(f, "*ada*", true, "");
    assert_narrow(f, "*.in*", true, "");
    assert_narrow(f, "*else*", true, ""); /* of no root: nothing but its name */
    assert_narrow(f, "/\xff.jpg", true, "5");
    assert_narrow(f, "/Photos/*", true, "1 2");
    assert_narrow(f, "/photos/[s-u]rip/?.jpg", true, "1");
    assert_narrow(f, "/deep/c.jpg", true, "3");
    assert_narrow(f, "/one.jpg", true, "4");
}

/* Sets as SQLite has them, on every store. */
static void test_patterns_with_sets(void **state)
{
    fixture *f = *state;
    static const char *const paths[] = {"/é", "/e", "/-", "/]", "/^", "/日本", "/ü", "/Z", "/[", "/\\", "/😀"};
    static const struct {
        const char *pattern, *expected;
    } cases[] = {
        {"/[é]", "1"}, {"/[^é]", "2 3 4 5 7 8 9 10 11"}, {"/?", "1 2 3 4 5 7 8 9 10 11"}, {"/??", "6"}, {"/*??", "6"}, {"/*[^a]?", "6"},
        {"/[à-ü]", "1 7"}, {"/[d-ü]", "1 2 7 8"}, {"/[日-本]?", "6"}, {"/[日-本]", ""}, {"/[一-龥][一-龥]", "6"}, {"/[a-😀]", "1 2 7 8 11"}, {"/[^a-😀]", "3 4 5 9 10"},
        {"/[z-a]", "8"}, {"/[^z-a]", "1 2 3 4 5 7 9 10 11"}, {"/[a-c-e]", "2 3"}, {"/[]]", "4"}, {"/[^]]", "1 2 3 5 7 8 9 10 11"}, {"/[]-z]", "3 4 8"},
        {"/[z-]", "3 8"}, {"/[-z]", "3 8"}, {"/[A-Z]", "2 8"}, {"/[^A-Z]", "1 3 4 5 7 9 10 11"}, {"/[", ""}, {"/[a", ""}, {"/[e^]", "2 5"}, {"/[[]", "9"}, {"/[\\]", "10"},
        {"/\\", "10"}, {"/^", "5"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(test_write_picture(f->store, f->model, DIM, paths[i], i + 1, 0), i + 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_narrow(f, cases[i].pattern, false, cases[i].expected);
}

static void test_sweep(void **state)
{
    fixture *f = *state;
    add_root(f, "/p");
    add_root(f, "/p/.own");
    const char *paths[] = {"/p/1.jpg", "/p/2.jpg", "/p/s/3.jpg", "/p/.own/4.jpg", "/p-5.jpg", "/p0/6.jpg", "/p/locked/7.jpg", "/p/copy of 2"};
    for (size_t i = 0; i < 8; i++)
        test_write_picture(f->store, f->model, DIM, paths[i], i == 7 ? 2 : i + 1, 0); 
    assert_done(lens_store_met_clear(f->store, &f->err), &f->err);
    assert_done(lens_store_met_mark(f->store, test_id(f->store, "/p/copy of 2"), &f->err), &f->err);
    assert_done(lens_store_met_mark(f->store, test_id(f->store, "/p/1.jpg"), &f->err), &f->err);
    assert_done(lens_store_met_keep(f->store, "/p/locked", &f->err), &f->err);
    int64_t removed;
    assert_done(lens_store_sweep(f->store, "/p", &removed, &f->err), &f->err);
    assert_int_equal(removed, 2);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(test_id(f->store, paths[i]) != 0, i != 1 && i != 2);
    int64_t content;
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(2), &content, &f->err), 1);
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(3), &content, &f->err), 0);
    assert_int_equal(test_store_sound(f->store, f->model, DIM), 6);

    /* A content whose picture became another one goes with the next sweep, and a mark counts until it is cleared. */
    test_write_picture(f->store, f->model, DIM, "/p/copy of 2", 11, 0);
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(2), &content, &f->err), 1);
    assert_done(lens_store_sweep(f->store, "/p", &removed, &f->err), &f->err);
    assert_int_equal(removed, 0);
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(2), &content, &f->err), 0);
    assert_done(lens_store_met_clear(f->store, &f->err), &f->err);
    assert_done(lens_store_sweep(f->store, "/", &removed, &f->err), &f->err);
    assert_int_equal(removed, 2); /* what lies below the roots /p and /p/.own is theirs */
    assert_done(lens_store_sweep(f->store, "/p", &removed, &f->err), &f->err);
    assert_int_equal(removed, 3);
    assert_true(test_id(f->store, "/p/.own/4.jpg") != 0);
    assert_int_equal(test_store_sound(f->store, f->model, DIM), 1);
}

/* What could not be looked at may be anywhere, in any order, and there may be much of it: each link to an absent disk. */
static void test_sweep_keeps_what_was_not_seen(void **state)
{
    fixture *f = *state;
    static const char *const kept[] = {"/p/z.jpg", "/p/a/b", "/p/link.jpg", "/p/a/b/c", "/p/m"};
    static const struct {
        const char *path;
        bool stays;
    } pictures[] = {{"/p/a/b/1.jpg", true}, {"/p/a/b.jpg", false}, {"/p/a/2.jpg", false}, {"/p/link.jpg", true}, {"/p/link.jpg2", false},
                    {"/p/m/n/o/3.jpg", true}, {"/p/m-4.jpg", false}, {"/p/z.jpg", true}, {"/p/zz.jpg", false}, {"/p/a/b/c/5.jpg", true}, {"/p/l", false}};
    const size_t count = sizeof pictures / sizeof *pictures;
    add_root(f, "/p");
    for (size_t i = 0; i < count; i++)
        test_write_picture(f->store, f->model, DIM, pictures[i].path, i + 1, 0);
    assert_done(lens_store_met_clear(f->store, &f->err), &f->err);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_done(lens_store_met_keep(f->store, kept[i], &f->err), &f->err);
    for (int i = 0; i < 100000; i++) {
        char path[64];
        snprintf(path, sizeof path, "/p/nowhere/%d.jpg", i * 7919 % 100000);
        assert_done(lens_store_met_keep(f->store, path, &f->err), &f->err);
    }
    int64_t removed;
    assert_done(lens_store_sweep(f->store, "/p", &removed, &f->err), &f->err);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(test_id(f->store, pictures[i].path) != 0, pictures[i].stays);
    assert_done(lens_store_met_clear(f->store, &f->err), &f->err);
    assert_done(lens_store_met_keep(f->store, "/", &f->err), &f->err);
    assert_done(lens_store_sweep(f->store, "/p", &removed, &f->err), &f->err);
    assert_int_equal(removed, 0);
}

static void test_ids_are_never_used_again(void **state)
{
    fixture *f = *state;
    int64_t first = test_write_picture(f->store, f->model, DIM, "/p/1.jpg", 1, 0);
    forget(f, "/p/1.jpg");
    assert_true(test_write_picture(f->store, f->model, DIM, "/p/1.jpg", 1, 0) > first);
}

static void test_a_session_that_was_interrupted_is_cleaned_up(void **state)
{
    fixture *f = *state;
    test_write_picture(f->store, f->model, DIM, "/p/changed.jpg", 1, 0);
    test_write_picture(f->store, f->model, DIM, "/p/changed.jpg", 2, 0);
    lens_store_close(f->store); /* before any sweep */
    f->store = test_store(f->place, LENS_STORE_WRITE);
    int64_t removed, content;
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(1), &content, &f->err), 1);
    assert_done(lens_store_sweep(f->store, "/elsewhere", &removed, &f->err), &f->err);
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(1), &content, &f->err), 0);
    assert_int_equal(test_store_sound(f->store, f->model, DIM), 1);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FRESH(test_roots),
        FRESH(test_how_a_root_is_walked),
        FRESH(test_forget_and_name_again),
        FRESH(test_models),
        FRESH(test_a_picture_comes_back),
        FRESH(test_pictures_of_a_content),
        FRESH(test_views_of_folders),
        FRESH(test_patterns_of_paths),
        FRESH(test_patterns_with_sets),
        FRESH(test_sweep),
        FRESH(test_sweep_keeps_what_was_not_seen),
        FRESH(test_ids_are_never_used_again),
        FRESH(test_a_session_that_was_interrupted_is_cleaned_up),
    };
    return store_place_run(tests);
}
