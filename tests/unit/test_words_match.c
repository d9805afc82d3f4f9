/* src/words: words that are near to one that was typed, how well a text says what is wanted, and what is shown of it. */
#include "support.h"
#include "words/match.h"

/* ---- near words ---- */

/* The table of distances as a book has it. */
static int table(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int row[200];
    assert_true(b_size < 200);
    for (size_t j = 0; j <= b_size; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_size; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_size; j++) {
            const int here = corner + (a[i - 1] != b[j - 1]), up = row[j] + 1, left = row[j - 1] + 1;
            corner = row[j];
            row[j] = here < up ? here : up;
            row[j] = row[j] < left ? row[j] : left;
        }
    }
    return row[b_size];
}

static uint64_t lot = 88172645463325252u;
static unsigned draw(unsigned below)
{
    lot ^= lot << 13, lot ^= lot >> 7, lot ^= lot << 17;
    return (unsigned)(lot % below);
}

static void test_letters_apart(void **state)
{
    (void)state;
    assert_int_equal(lens_letters_apart("kitten", 6, "sitting", 7, 5), 3);
    assert_int_equal(lens_letters_apart("kitten", 6, "sitting", 7, 2), 3);
    assert_int_equal(lens_letters_apart("a", 1, "", 0, 3), 1);
    assert_int_equal(lens_letters_apart("", 0, "ab", 2, 3), 2);
    assert_int_equal(lens_letters_apart("", 0, "ab", 2, 1), 2);
    /* Letters, whatever their bytes; what is not UTF-8 is a letter a byte. */
    static const struct { const char *a, *b; int apart; } words[] = {
        {"мама", "папа", 2}, {"сервитель", "строитель", 2}, {"नमसते", "नमस्ते", 1}, {"東京", "東北", 1}, {"é", "e", 1}, {"naïve", "naive", 1}, {"a\xff", "a\xfe", 1}, {"\xd0", "м", 1},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_int_equal(lens_letters_apart(words[i].a, strlen(words[i].a), words[i].b, strlen(words[i].b), 5), words[i].apart);
        assert_int_equal(lens_letters_apart(words[i].b, strlen(words[i].b), words[i].a, strlen(words[i].a), 5), words[i].apart);
    }
    for (int i = 0; i < 60000; i++) {
        char a[64], b[80];
        const size_t a_size = i % 5 == 0 ? 64 : 1 + draw(64), letters = 1 + draw(4);
        for (size_t j = 0; j < a_size; j++)
            a[j] = (char)(i % 3 ? 'a' + (int)draw((unsigned)letters) : (int)draw(128));
        /* Half of them are the first word with some letters changed, left out or put in. */
        size_t b_size = 0;
        if (i % 2) {
            for (size_t j = 0; j < a_size; j++) {
                const unsigned what = draw(16);
                if (what == 0)
                    continue;
                b[b_size++] = what == 1 ? 'z' : a[j];
                if (what == 2 && b_size < 80)
                    b[b_size++] = 'y';
                if (b_size >= 79)
                    break;
            }
        } else {
            for (b_size = 0; b_size < draw(80); b_size++)
                b[b_size] = (char)('a' + (int)draw((unsigned)letters));
        }
        const int right = table(a, a_size, b, b_size), most = (int)draw(6);
        assert_int_equal(lens_letters_apart(a, a_size, b, b_size, most), right <= most ? right : most + 1);
        assert_int_equal(lens_letters_apart(a, a_size, b, b_size, 200), right);
    }
}

static void add_words(lens_lexicon *lexicon, const char *words)
{
    for (const char *at = words; *at; at += *at == ' ') {
        const size_t size = strcspn(at, " ");
        assert_int_equal(lens_lexicon_add(lexicon, at, size, 10), 0);
        at += size;
    }
}

/* The words of LEXICON near to WORD are EXPECTED, best first. */
static void expect_near(const lens_lexicon *lexicon, const char *word, bool prefix, const char *expected)
{
    lens_near_word near[LENS_NEAR_MOST];
    lens_buffer out = {0};
    lens_buffer_append(&out, "", 0);
    const size_t count = lens_lexicon_near(lexicon, word, strlen(word), prefix, near, LENS_NEAR_MOST);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || near[i].likeness <= near[i - 1].likeness);
        assert_true(near[i].likeness > 0 && near[i].likeness <= 1);
        lens_buffer_print(&out, "%s%.*s", i ? " " : "", (int)near[i].size, near[i].text);
    }
    if (strcmp(out.data, expected) != 0)
        fail_msg("near to %s: '%s' instead of '%s'", word, out.data, expected);
    lens_buffer_free(&out);
}

static void test_near_words(void **state)
{
    (void)state;
    lens_lexicon lexicon = {0};
    expect_near(&lexicon, "word", true, "");
    add_words(&lexicon, "a an cat cats car bat dog drake straße strasse keyboard keyboards kexboard mordor simply simple morning monday onedoesnotsimply "
                        "кошка кошки собака ねこ 猫 e\xcc\x81t\xcc\x81");
    expect_near(&lexicon, "a", false, "a");           /* of one or two letters only themselves */
    expect_near(&lexicon, "x", false, "");
    expect_near(&lexicon, "cat", false, "cat");       /* a short word that is there is meant */
    expect_near(&lexicon, "cat", true, "cat cats");
    expect_near(&lexicon, "hat", false, "cat bat");   /* and of one that is not there what is a letter off */
    expect_near(&lexicon, "drak", false, "drake");
    expect_near(&lexicon, "moddor", false, "mordor");
    expect_near(&lexicon, "mordro", false, "");       /* two letters, of six */
    expect_near(&lexicon, "simply", false, "simply simple onedoesnotsimply");
    expect_near(&lexicon, "keyboard", false, "keyboard keyboards kexboard");
    expect_near(&lexicon, "kexboards", false, "keyboards kexboard keyboard");
    expect_near(&lexicon, "mo", true, "mordor morning monday");
    expect_near(&lexicon, "кошко", false, "кошка кошки"); /* a letter is two bytes */
    expect_near(&lexicon, "猫", false, "猫");
    expect_near(&lexicon, "犬", false, "");
    lens_near_word one;
    assert_int_equal(lens_lexicon_near(&lexicon, "keyboard", 8, false, &one, 1), 1);
    assert_true(one.size == 8 && one.texts == 10 && one.likeness == 1);
    char long_word[70];
    memset(long_word, 'q', sizeof long_word);
    assert_int_equal(lens_lexicon_near(&lexicon, long_word, 65, false, &one, 1), 0);
    assert_int_equal(lens_lexicon_add(&lexicon, long_word, 64, 1), 0);
    long_word[40] = 'r';
    assert_int_equal(lens_lexicon_near(&lexicon, long_word, 64, false, &one, 1), 1);
    assert_int_equal(one.size, 64);
    lens_lexicon_free(&lexicon);
}

/* Of what is equally near what more texts have comes first. */
static void test_near_words_by_texts(void **state)
{
    (void)state;
    lens_lexicon lexicon = {0};
    for (int i = 0; i < 30; i++) {
        char word[8];
        snprintf(word, sizeof word, "word%c", 'a' + i % 26);
        assert_int_equal(lens_lexicon_add(&lexicon, word, 5, i * 7 % 26), 0);
    }
    lens_near_word near[LENS_NEAR_MOST];
    assert_int_equal(lens_lexicon_near(&lexicon, "wordé", 6, false, near, LENS_NEAR_MOST), LENS_NEAR_MOST);
    for (size_t i = 1; i < LENS_NEAR_MOST; i++)
        assert_true(near[i].texts <= near[i - 1].texts);
    assert_int_equal(near[0].texts, 25);
    assert_int_equal(lens_lexicon_add(&lexicon, "z", 1, -5), 0); /* no count is none */
    assert_int_equal(lexicon.texts[lexicon.count - 1], 1);
    lens_lexicon_free(&lexicon);
}

/* ---- how well a text matches ---- */

static lens_match match_of(const char *query, const char *text)
{
    lens_lexicon lexicon = {0};
    add_words(&lexicon, "one does not simply walk into mordor red green blue car the cat cats hat keyboard 猫 犬 です а");
    lens_wanted wanted;
    assert_int_equal(lens_wanted_read(&wanted, query), 0);
    lens_matcher *matcher = calloc(1, sizeof *matcher);
    assert_non_null(matcher);
    lens_matcher_make(matcher, &wanted, &lexicon, 100);
    double weights = 0;
    size_t wants = 0;
    for (size_t i = 0; i < wanted.count; i++) {
        weights += matcher->words[i].weight;
        wants += !wanted.words[i].without;
    }
    if (wants)
        assert_true(weights > 0.999999 && weights < 1.000001);
    char *folded = lens_text_folded(text);
    assert_non_null(folded);
    const lens_match match = lens_match_text(matcher, folded);
    assert_true(match.score >= 0 && match.score <= 1);
    free(folded);
    free(matcher);
    lens_wanted_free(&wanted);
    lens_lexicon_free(&lexicon);
    return match;
}

/* Each text matches QUERY less well than the one before. */
static void expect_order(const char *query, const char *const *texts)
{
    double last = 1.0001;
    for (; *texts; texts++) {
        const double score = match_of(query, *texts).score;
        if (score >= last)
            fail_msg("%s: '%s' has %f, and the one before %f", query, *texts, score, last);
        last = score;
    }
}

static void test_order(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "one does not simply walk into mordor",                        /* letter for letter */
        "one does not just simply walk into mordor",                   /* with a word between */
        "one does not simply wolk into mordor",                        /* a letter off */
        "mordor into walk simply not does one",                        /* all of them, in no order */
        "one does not simply",                                         /* some */
        "mordor",
        "something else",
        NULL,
    };
    expect_order("one does not simply walk into mordor", texts);
    static const char *const lengths[] = {"red car", "red car and much more that is not of the query at all", NULL};
    expect_order("red car", lengths);
    static const char *const rare[] = {"mordor", "nothing of it", NULL};
    expect_order("mordor", rare);
    assert_true(match_of("one does not simply walk into mordor", "one does not simply walk into mordor").score > 0.99);
    assert_true(match_of("keyboard", "keyboard").score > 0.99);
    assert_true(match_of("nothing", "red car").score == 0);
    assert_true(match_of("", "red car").score == 0);
    assert_true(match_of("red", "").score == 0);
    /* Of a prefix any word will do. */
    assert_true(match_of("keyb*", "a keyboard").score > 0.9);
    assert_true(match_of("keyb", "a keyboard").score == 0);
}

static void test_phrases_and_what_is_left_out(void **state)
{
    (void)state;
    assert_false(match_of("\"red car\"", "a red car").left_out);
    assert_true(match_of("\"red car\"", "a car red").left_out);
    assert_true(match_of("\"red car\"", "red red").left_out);
    assert_true(match_of("\"red car\"", "red the car").left_out);
    assert_true(match_of("\"red car\"", "red cars").left_out); /* nothing is forgiven in a phrase */
    assert_false(match_of("\"red car\" \"the cat\"", "the cat red car").left_out);
    assert_true(match_of("\"red car\" \"the cat\"", "the car red cat").left_out);
    assert_false(match_of("\"red red car\"", "red red red car").left_out);
    assert_true(match_of("red -blue", "red blue").left_out);
    assert_false(match_of("red -blue", "red blues").left_out);
    assert_true(match_of("red -blu*", "red blues").left_out);
    assert_true(match_of("red -\"the cat\"", "red the cat").left_out);
    assert_false(match_of("red -\"the cat\"", "red cat the").left_out);
    assert_true(match_of("red -the-ca*", "red the cats").left_out);
    assert_true(match_of("-blue", "blue").left_out);
    /* What is left out is no part of the order. */
    assert_true(match_of("red -blue car", "red car").score == match_of("red car", "red car").score);
    assert_true(match_of("red -blue -green car -the", "red car").score > 0.99);
}

static void test_places(void **state)
{
    (void)state;
    lens_match match = match_of("red car", "the the red car the");
    assert_true(match.from == 2 && match.to == 3);
    match = match_of("red car", "red the the the the red green car");
    assert_true(match.from == 5 && match.to == 7);
    match = match_of("nothing", "red car");
    assert_true(match.from > match.to);
    match = match_of("猫です", "犬です。猫です");
    assert_true(match.to == 5 && match.from == 3);
}

/* ---- snippets ---- */

static char *snippet(const char *query, const char *text)
{
    const lens_match match = match_of(query, text);
    char *got = lens_match_snippet(text, &match);
    assert_non_null(got);
    assert_null(strpbrk(got, "\n\r\t\v\f"));
    assert_true(strlen(got) <= 90 + 2 * strlen("…") + 3);
    return got;
}

static void expect_snippet(const char *query, const char *text, const char *expected)
{
    char *got = snippet(query, text);
    assert_string_equal(got, expected);
    free(got);
}

static void test_snippets(void **state)
{
    (void)state;
    expect_snippet("red", "a red\n\n car \r\n", "a red car");
    expect_snippet("nothing", "", "");
    expect_snippet("nothing", "  ", "");
    expect_snippet("كلب", "هذا كلب كبير", "هذا كلب كبير"); /* in its own order, without marks of ours */
    expect_snippet("red car",
                   "aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk llll mmmm the red car nnnn oooo pppp qqqq rrrr ssss tttt uuuu vvvv wwww",
                   "…jjjj kkkk llll mmmm the red car nnnn oooo pppp qqqq rrrr ssss tttt uuuu vvvv wwww");
    expect_snippet("red car",
                   "red car aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk llll mmmm nnnn oooo pppp qqqq rrrr ssss tttt uuuu vvvv wwww",
                   "red car aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk llll mmmm nnnn oooo pppp…");
}

/* What was found is in the line whatever stands about it, and no character is cut. */
static void test_snippets_are_whole(void **state)
{
    (void)state;
    static const char *const around[] = {"x", "ab cd ", "é", "猫", "😂", " \n", "aaaaaaaaaaaaaaaaaaaaaaaaa ", "\"(", "م ", "e\xcc\x81"};
    static const char *const found[] = {"red car", "one does not simply walk into mordor", "one does not simply walk into mordor the keyboard green hat blue cats into"};
    for (size_t a = 0; a < sizeof around / sizeof *around; a++)
        for (size_t f = 0; f < sizeof found / sizeof *found; f++)
            for (int before = 0; before < 40; before += 3)
                for (int after = 0; after < 40; after += 13) {
                    lens_buffer text = {0};
                    for (int i = 0; i < before; i++)
                        lens_buffer_print(&text, "%s", around[a]);
                    lens_buffer_print(&text, "-%s-", found[f]);
                    for (int i = 0; i < after; i++)
                        lens_buffer_print(&text, "%s", around[a]);
                    char *got = snippet(found[f], text.data);
                    if (!strstr(got, found[f]))
                        fail_msg("'%s' is not in '%s'", found[f], got);
                    /* All but the "…" is a part of the text. */
                    size_t size = strlen(got), from = strncmp(got, "…", 3) == 0 ? 3 : 0;
                    size -= size > 3 && strcmp(got + size - 3, "…") == 0 ? 3 : 0;
                    lens_buffer line = {0};
                    lens_buffer_append(&line, "", 0);
                    for (size_t i = 0; i < text.size; i++) /* as one line */
                        if (!strchr(" \n", text.data[i]) || (line.size && line.data[line.size - 1] != ' '))
                            lens_buffer_append(&line, text.data[i] == '\n' ? " " : &text.data[i], 1);
                    got[size] = '\0';
                    if (!strstr(line.data, got + from))
                        fail_msg("'%s' is no part of '%s'", got + from, line.data);
                    assert_true(((unsigned char)got[from] & 0xc0) != 0x80);
                    const char *end = strstr(line.data, got + from) + strlen(got + from);
                    assert_true(((unsigned char)*end & 0xc0) != 0x80);
                    free(got);
                    lens_buffer_free(&line);
                    lens_buffer_free(&text);
                }
}

/* A match that is longer than a line begins with its beginning. */
static void test_snippet_of_a_long_match(void **state)
{
    (void)state;
    lens_buffer text = {0};
    lens_buffer_print(&text, "before it all stands much that has nothing to do with it ");
    for (int i = 0; i < 12; i++)
        lens_buffer_print(&text, "%s ", i % 2 ? "simply" : "keyboard");
    lens_buffer_print(&text, "and behind it too");
    char *got = snippet("keyboard simply keyboard simply keyboard simply keyboard simply keyboard simply keyboard simply keyboard simply", text.data);
    assert_true(strncmp(got, "…keyboard simply keyboard simply", strlen("…keyboard simply keyboard simply")) == 0);
    free(got);
    lens_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_apart), cmocka_unit_test(test_near_words), cmocka_unit_test(test_near_words_by_texts),
        cmocka_unit_test(test_order), cmocka_unit_test(test_phrases_and_what_is_left_out), cmocka_unit_test(test_places),
        cmocka_unit_test(test_snippets), cmocka_unit_test(test_snippets_are_whole), cmocka_unit_test(test_snippet_of_a_long_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
