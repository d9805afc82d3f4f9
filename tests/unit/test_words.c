/* src/words: text as words, and what is typed as words that are wanted. */
#include "support.h"
#include "words/tokens.h"
#include "words/wanted.h"

static void expect_folded(const char *text, const char *folded)
{
    char *got = lens_text_folded(text);
    assert_non_null(got);
    if (strcmp(got, folded) != 0)
        fail_msg("'%s' became '%s' instead of '%s'", text, got, folded);
    free(got);
}

static void test_folding(void **state)
{
    (void)state;
    expect_folded("", "");
    expect_folded("  \t\n !?… -- ", "");
    expect_folded("One Does\tnot,simply;WALK", "one does not simply walk");
    expect_folded("Café NAÏVE Ångström cafe\xcc\x81", "cafe naive angstrom cafe");
    expect_folded("Straße STRASSE \xe1\xba\x9e", "strasse strasse ss");
    expect_folded("\xef\xac\x81sh o\xef\xac\x83" "ce", "fish office");       /* fi and ffi as one character */
    expect_folded("\xef\xbc\xad\xef\xbd\x85\xef\xbd\x8d\xef\xbd\x85\xef\xbc\x92", "meme2"); /* full width */
    expect_folded("x² ½ № ℡ ⅷ ①", "x2 1 2 no tel viii 1");
    expect_folded("İstanbul ΣΊΣΥΦΟΣ σίσυφος ЁЛКА", "istanbul σισυφοσ σισυφοσ елка");
    expect_folded("don't don’t don‘t donʼt don\xef\xbc\x87t 'tis dogs'", "dont dont dont dont dont tis dogs");
    expect_folded("snake_case e-mail a.b.c 3.14 C++ #tag @me", "snake case e mail a b c 3 14 c tag me");
    /* What nobody sees parts no words. */
    expect_folded("con\xc2\xadnec\xe2\x81\xa0tion \xef\xbb\xbfx\xe2\x80\x8fy", "connection xy");
}

static void test_right_to_left(void **state)
{
    (void)state;
    expect_folded("مُحَمَّد", "محمد");
    expect_folded("أهلاً وسهلاً", "اهلا وسهلا");
    expect_folded("كتـــاب", "كتاب");
    expect_folded("ﻻ", "لا"); /* a presentation form */
    expect_folded("١٢٣", "١٢٣");
    expect_folded("שָׁלוֹם", "שלום");
    expect_folded("בֵּית־סֵפֶר׃", "בית ספר"); /* its hyphen parts words */
    expect_folded("می‌خواهم", "میخواهم"); /* joined by a non-joiner */
}

static void test_scripts_without_blanks(void **state)
{
    (void)state;
    expect_folded("我爱表情包", "我 爱 表 情 包");
    expect_folded("日本語のTシャツ", "日 本 語 の t シ ャ ツ");
    expect_folded("ﾈｺ", "ネ コ"); /* half width */
    /* A character has its marks with it, composed or not. */
    expect_folded("がぎ", "か\xe3\x82\x99 き\xe3\x82\x99");
    expect_folded("か\xe3\x82\x99", "か\xe3\x82\x99");
    expect_folded("ｶﾞ", "カ\xe3\x82\x99");
    expect_folded("ที่นี่", "ที่ นี่");
    expect_folded("ន​ខ", "ន ខ");
    expect_folded("\xe3\x82\x99", "\xe3\x82\x99"); /* a mark of nothing */
    expect_folded("我!爱", "我 爱");
    expect_folded("㍿", "株 式 会 社");
    /* Hangul has blanks, and parts that stay together. */
    char *hangul = lens_text_folded("고양이 사진");
    size_t blanks = 0;
    for (const char *at = hangul; *at; at++)
        blanks += *at == ' ';
    assert_int_equal(blanks, 1);
    free(hangul);
    expect_folded("नमस्ते दुनिया", "नमस्ते दुनिया");
}

static void test_emoji(void **state)
{
    (void)state;
    expect_folded("lol😂😂 👍🏽ok", "lol 😂 😂 👍 ok");
    expect_folded("❤️⭐⌚▶️", "❤ ⭐ ⌚ ▶");
    expect_folded("👩‍💻", "👩 💻");
    expect_folded("┌─┐ © ° →", ""); /* no emoji, and no words */
}

static void test_broken_text(void **state)
{
    (void)state;
    expect_folded("a\xff" "b\xc3", "a b");
    expect_folded("caf\xe9 noir", "caf noir");
    expect_folded("\xed\xa0\x80x\xf4\x90\x80\x80y\xc0\xafz", "x y z"); /* a surrogate, beyond Unicode, too long a form */
    lens_tokens tokens = {0};
    static const char text[] = "a\0b\0\0c";
    assert_int_equal(lens_tokens_read(&tokens, text, sizeof text - 1), 0);
    assert_string_equal(tokens.folded.data, "a b c");
    assert_int_equal(strlen(tokens.folded.data), tokens.folded.size);
    lens_tokens_free(&tokens);
}

static void test_long_words(void **state)
{
    (void)state;
    char text[400], folded[420];
    memset(text, 'x', 130);
    text[130] = '\0';
    lens_tokens tokens = {0};
    assert_int_equal(lens_tokens_read(&tokens, text, 130), 0);
    assert_int_equal(tokens.count, 3);
    assert_int_equal(tokens.items[0].size, 64);
    assert_int_equal(tokens.items[2].size, 2);
    assert_true(!tokens.items[0].joined && tokens.items[1].joined && tokens.items[2].joined);
    lens_tokens_free(&tokens);
    /* A letter is never cut: 64 is no multiple of 3. */
    text[0] = folded[0] = '\0';
    for (int i = 0; i < 43; i++) {
        strcat(text, "\xe2\xb2\x81"); /* a Coptic letter */
        strcat(folded, i == 21 || i == 42 ? " \xe2\xb2\x81" : "\xe2\xb2\x81");
    }
    expect_folded(text, folded);
    /* A letter under a heap of marks of its own. */
    strcpy(text, "\xe0\xb8\x97");
    for (int i = 0; i < 60; i++)
        strcat(text, "\xe0\xb8\xb5");
    assert_int_equal(lens_tokens_read(&tokens, text, strlen(text)), 0);
    for (size_t i = 0; i < tokens.count; i++)
        assert_in_range(tokens.items[i].size, 1, LENS_TOKEN_MOST);
    lens_tokens_free(&tokens);
}

/* Where each word stands in the text. */
static void test_places(void **state)
{
    (void)state;
    static const char text[] = " Don’t  panic,ÉCLAIR! 我们 o\xef\xac\x83" "ce x\xcc\x81";
    static const char *const words[] = {"Don’t", "panic", "ÉCLAIR", "我", "们", ("o\xef\xac\x83" "ce"), "x"};
    static const bool joined[] = {false, false, false, false, true, false, false};
    lens_tokens tokens = {0};
    assert_int_equal(lens_tokens_read(&tokens, text, strlen(text)), 0);
    assert_int_equal(tokens.count, sizeof words / sizeof *words);
    for (size_t i = 0; i < tokens.count; i++) {
        const lens_token *token = &tokens.items[i];
        assert_int_equal(token->to - token->from, strlen(words[i]));
        assert_memory_equal(text + token->from, words[i], strlen(words[i]));
        assert_int_equal(token->joined, joined[i]);
        assert_true(i == 0 || tokens.folded.data[token->at - 1] == ' ');
    }
    lens_tokens_free(&tokens);
}

/* ---- what is typed ---- */

/* TEXT as "word word* [phrase phrase] -word -[phrase phrase] | plain". */
static void expect_wanted(const char *text, const char *expected)
{
    lens_wanted wanted;
    lens_buffer out = {0};
    assert_int_equal(lens_wanted_read(&wanted, text), 0);
    for (size_t i = 0; i < wanted.count; i++) {
        const lens_wanted_word *word = &wanted.words[i];
        const bool first = word->phrase && (i == 0 || wanted.words[i - 1].phrase != word->phrase);
        const bool last = word->phrase && (i + 1 == wanted.count || wanted.words[i + 1].phrase != word->phrase);
        assert_int_equal(strlen(word->text), word->size);
        assert_in_range(word->size, 1, LENS_TOKEN_MOST);
        assert_in_range(word->phrase, 0, wanted.phrases);
        lens_buffer_print(&out, "%s%s%s%s%s%s", i ? " " : "", word->without && (first || !word->phrase) ? "-" : "", first ? "[" : "", word->text,
                          word->prefix ? "*" : "", last ? "]" : "");
    }
    lens_buffer_print(&out, "|%s%s", wanted.plain, wanted.wants ? "" : "|nothing");
    if (strcmp(out.data, expected) != 0)
        fail_msg("'%s' became '%s' instead of '%s'", text, out.data, expected);
    assert_true(wanted.wants == (*wanted.plain != '\0'));
    lens_buffer_free(&out);
    lens_wanted_free(&wanted);
}

static void test_wanted(void **state)
{
    (void)state;
    expect_wanted("One does", "one does|One does");
    expect_wanted("  a\tb\n", "a b|a b");
    expect_wanted("\"One does\" not", "[one does] not|One does not");
    expect_wanted("cat -dog", "cat -dog|cat");
    expect_wanted("cat -\"big dog\" mouse", "cat -[big dog] mouse|cat mouse");
    expect_wanted("mond* morning", "mond* morning|mond morning");
    expect_wanted("-dog*", "-dog*||nothing");
    expect_wanted("spider-man e-mail", "spider man e mail|spider-man e-mail");
    expect_wanted("-spider-man", "-[spider man]||nothing");
    expect_wanted("-spider-man*", "-[spider man*]||nothing");
    expect_wanted("\"a\"\"b\"c", "[a] [b] c|a b c");
    expect_wanted("ab\"cd ef\"gh", "ab [cd ef] gh|ab cd ef gh");
    expect_wanted("我爱-狗 -猫咪", "我 爱 狗 -[猫 咪]|我爱-狗");
}

static void test_wanted_oddly(void **state)
{
    (void)state;
    expect_wanted("", "||nothing");
    expect_wanted("   ", "||nothing");
    expect_wanted("\"never closed", "[never closed]|never closed");
    expect_wanted("closed\" \"", "closed|closed  ");
    expect_wanted("-\"never closed", "-[never closed]||nothing");
    expect_wanted("\"\" -\"\" \"", "||nothing");
    expect_wanted("- -- --", "|- -- --"); /* a dash by itself leaves nothing out */
    expect_wanted("--cat", "cat|--cat");
    expect_wanted("a - b", "a b|a - b");
    expect_wanted("*", "||nothing");
    expect_wanted("** * -*", "||nothing");
    expect_wanted("a* *b", "a* b|a *b");
    expect_wanted("\"a*\"", "[a]|a");
    expect_wanted("!!!", "|!!!"); /* for the look */
    /* What FTS5 and SQL would take for their own are words. */
    expect_wanted("a AND b OR NOT c", "a and b or not c|a AND b OR NOT c");
    expect_wanted("NEAR(a b, 3) ^a folded:b {x}", "near a b 3 a folded b x|NEAR(a b, 3) ^a folded:b {x}");
    expect_wanted("'; DROP TABLE text; --", "drop table text|'; DROP TABLE text; --");
    expect_wanted("caf\xe9\xff", "caf|caf\xe9\xff");
}

static void test_too_many_words(void **state)
{
    (void)state;
    lens_buffer text = {0};
    lens_wanted wanted;
    for (int i = 0; i < 40; i++)
        lens_buffer_print(&text, "w%d ", i);
    assert_int_equal(lens_wanted_read(&wanted, text.data), 0);
    assert_int_equal(wanted.count, LENS_WANTED_WORDS);
    assert_string_equal(wanted.words[31].text, "w31");
    assert_non_null(strstr(wanted.plain, "w39")); /* for the meaning */
    lens_wanted_free(&wanted);
    /* Of a phrase that has no room all words are wanted, but what is left out is left out as a whole or not at all. */
    lens_buffer phrase = {0};
    lens_buffer_print(&phrase, "\"%s\"", text.data);
    assert_int_equal(lens_wanted_read(&wanted, phrase.data), 0);
    assert_int_equal(wanted.count, LENS_WANTED_WORDS);
    assert_int_equal(wanted.words[0].phrase, 0);
    lens_wanted_free(&wanted);
    for (int quoted = 0; quoted < 2; quoted++) {
        lens_buffer without = {0};
        lens_buffer_print(&without, quoted ? "cat -\"%s\"" : "cat -%s", text.data);
        for (char *at = without.data + 5; !quoted && *at; at++)
            *at = *at == ' ' ? '-' : *at;
        assert_int_equal(lens_wanted_read(&wanted, without.data), 0);
        assert_int_equal(wanted.count, 1);
        assert_string_equal(wanted.plain, "cat");
        lens_wanted_free(&wanted);
        lens_buffer_free(&without);
    }
    /* Nor is a phrase cut that begins within the room: there is room for it before the rest. */
    text.size -= strlen("w31 w32 w33 w34 w35 w36 w37 w38 w39 ");
    text.data[text.size] = '\0';
    lens_buffer_print(&text, "-x-y-z");
    assert_int_equal(lens_wanted_read(&wanted, text.data), 0);
    assert_int_equal(wanted.count, LENS_WANTED_WORDS);
    assert_string_equal(wanted.words[28].text, "w28");
    for (int i = 29; i < 32; i++)
        assert_true(wanted.words[i].without && wanted.words[i].phrase == 1 && wanted.words[i].text[0] == 'x' + i - 29);
    lens_wanted_free(&wanted);
    /* A sentence without blanks has soon so many. */
    lens_buffer sentence = {0};
    for (int i = 0; i < 50; i++)
        lens_buffer_print(&sentence, "\xe7\x8c\xab");
    lens_buffer_print(&sentence, " -dog \"on fire\" -cat");
    assert_int_equal(lens_wanted_read(&wanted, sentence.data), 0);
    assert_int_equal(wanted.count, LENS_WANTED_WORDS);
    static const char *const last[] = {"dog", "on", "fire", "cat"};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(wanted.words[28 + i].text, last[i]);
        assert_true(wanted.words[28 + i].without == (i == 0 || i == 3) && !wanted.words[28 + i].phrase == (i == 0 || i == 3));
    }
    lens_wanted_free(&wanted);
    lens_buffer_free(&sentence);
    lens_buffer_free(&phrase);
    lens_buffer_free(&text);
}

/* The room of a word is enough for 32 of the longest. */
static void test_longest_words(void **state)
{
    (void)state;
    char text[32 * 66 + 1];
    memset(text, 'y', sizeof text - 1);
    for (int i = 1; i <= 32; i++)
        text[i * 66 - 1] = ' ';
    text[sizeof text - 1] = '\0';
    lens_wanted wanted;
    assert_int_equal(lens_wanted_read(&wanted, text), 0);
    assert_int_equal(wanted.count, LENS_WANTED_WORDS);
    assert_int_equal(wanted.words[0].size, 64);
    assert_int_equal(wanted.words[1].size, 1);
    assert_true(wanted.words[1].follows && !wanted.words[2].follows);
    lens_wanted_free(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folding),          cmocka_unit_test(test_right_to_left), cmocka_unit_test(test_scripts_without_blanks),
        cmocka_unit_test(test_emoji),            cmocka_unit_test(test_broken_text),   cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_places),           cmocka_unit_test(test_wanted),        cmocka_unit_test(test_wanted_oddly),
        cmocka_unit_test(test_too_many_words),   cmocka_unit_test(test_longest_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
