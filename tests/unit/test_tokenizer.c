/* The tokenizers on small vocabularies of our own: rules, cuts, and every way in which a file can be wrong. */
#include <unistd.h>

#include "text/clip_text.h"
#include "text/html_text.h"
#include "text/tokenizer_internal.h"
#include "support.h"
#include "vocabulary.h"

enum { PATIENCE = 300 /* seconds, for what takes a moment, or for ever */ };

/* A folder with the named files. */
typedef struct file {
    const char *name;
    lens_buffer bytes;
} file;

static char *folder_of(const file *files, size_t count)
{
    char *folder = test_folder_new();
    for (size_t i = 0; i < count; i++) {
        char *path = test_path(folder, "%s", files[i].name);
        test_write(path, files[i].bytes.data ? files[i].bytes.data : "", files[i].bytes.size);
        free(path);
    }
    return folder;
}

static lens_buffer text_of(const char *text)
{
    lens_buffer out = {0};
    assert_int_equal(lens_buffer_append(&out, text, strlen(text)), 0);
    return out;
}

static lens_tokenizer *open_clip(lens_tokenizer_kind kind, int context)
{
    lens_buffer vocabulary = test_clip_vocabulary(), merges = test_clip_merges();
    file files[] = {{"vocab.json", vocabulary}, {"merges.txt", merges}};
    char *folder = folder_of(files, 2);
    lens_error err = {0};
    lens_tokenizer *tokenizer = lens_tokenizer_open(folder, kind, context, &err);
    if (!tokenizer)
        fail_msg("%s", err.message);
    test_folder_remove(folder);
    lens_buffer_free(&vocabulary);
    lens_buffer_free(&merges);
    return tokenizer;
}

static lens_tokenizer *open_wordpiece(int context)
{
    file files[] = {{"vocab.txt", text_of(test_wordpiece_lines)}};
    char *folder = folder_of(files, 1);
    lens_error err = {0};
    lens_tokenizer *tokenizer = lens_tokenizer_open(folder, LENS_TOKENIZER_WORDPIECE, context, &err);
    if (!tokenizer)
        fail_msg("%s", err.message);
    test_folder_remove(folder);
    lens_buffer_free(&files[0].bytes);
    return tokenizer;
}

/* Fails the test unless TEXT gives the ids of EXPECTED, written as text. */
static void check(const lens_tokenizer *tokenizer, const char *text, const char *expected)
{
    lens_error err = {0};
    int32_t *ids = malloc((size_t)lens_tokenizer_context(tokenizer) * sizeof *ids);
    int count = 0;
    assert_non_null(ids);
    assert_done(lens_tokenizer_run(tokenizer, text, ids, &count, &err), &err);
    lens_buffer got = {0};
    for (int i = 0; i < count; i++)
        assert_int_equal(lens_buffer_print(&got, "%s%d", i ? " " : "", (int)ids[i]), 0);
    if (strcmp(got.data, expected) != 0)
        fail_msg("'%s' gives %s, not %s", text, got.data, expected);
    lens_buffer_free(&got);
    free(ids);
}

static void test_clip_joins_bytes(void **state)
{
    (void)state;
    lens_tokenizer *tokenizer = open_clip(LENS_TOKENIZER_CLIP, 77);
    assert_int_equal(lens_tokenizer_size(tokenizer), TEST_CLIP_SIZE);
    assert_int_equal(lens_tokenizer_context(tokenizer), 77);
    assert_non_null(strstr(lens_tokenizer_path(tokenizer), "/vocab.json"));
    check(tokenizer, "", "525 526");
    check(tokenizer, "   \t\n ", "525 526");
    check(tokenizer, "cat", "525 513 526");
    check(tokenizer, "CAT  Hat\xc2\xa0hello", "525 513 515 519 526");
    check(tokenizer, "cats", "525 512 116 371 526");        /* ca t s</w> */
    check(tokenizer, "cat's", "525 513 522 526");           /* 's is a word */
    check(tokenizer, "cat'S", "525 513 522 526");           /* lower-cased before */
    check(tokenizer, "12", "525 305 306 526");              /* each number is a word */
    check(tokenizer, "cat!hat", "525 513 289 515 526");
    check(tokenizer, "xxxxx", "525 521 376 526");           /* the pair that joins first, then from the left */
    check(tokenizer, "xxxxxx", "525 521 120 376 526");      /* xx is no joining at the end, where it is x</w> */
    check(tokenizer, "<|endoftext|>", "525 526 526");       /* special tokens as they are written */
    check(tokenizer, "cat<|startoftext|>hat", "525 513 525 515 526");
    lens_tokenizer_close(tokenizer);
}

static void test_clip_composes_and_lowers(void **state)
{
    (void)state;
    lens_tokenizer *tokenizer = open_clip(LENS_TOKENIZER_CLIP, 77);
    check(tokenizer, "e\xcc\x81", "525 195 425 526");                /* composed to U+00E9 */
    check(tokenizer, "\xc3\x89", "525 195 425 526");                 /* its capital */
    check(tokenizer, "\xc4\xb0", "525 361 204 391 526");             /* U+0130: i, and a dot above, which is no letter */
    check(tokenizer, "\xce\x9f\xce\xa3", "525 206 191 207 387 526"); /* no final sigma */
    check(tokenizer, "a\xff", "525 353 239 191 445 526");            /* not UTF-8: U+FFFD */
    check(tokenizer, "\xe2\x82", "525 239 191 445 526");             /* cut short: one */
    check(tokenizer, "\xf0\x80", "525 239 191 189 239 191 445 526"); /* never begins: two */
    check(tokenizer, "\xe1\xa0\x8e", "525 225 160 398 526");         /* U+180E is no blank, whatever PCRE2 says */
    check(tokenizer, "e\xe1\xb7\xb6\xcc\x81", "525 357 225 183 182 204 385 526"); /* U+1DF6 is younger than Unicode 9 */
    lens_tokenizer_close(tokenizer);
}

static void test_openclip_repairs(void **state)
{
    (void)state;
    lens_tokenizer *tokenizer = open_clip(LENS_TOKENIZER_OPENCLIP, 77);
    check(tokenizer, "  cat \x1c hat ", "525 513 515 526");
    check(tokenizer, "cat\xe2\x80\x99s", "525 513 522 526");          /* a curly quote */
    check(tokenizer, "c&amp;amp;#97;t", "525 513 526");               /* unescaped as long as it takes */
    check(tokenizer, "<b> &amp;amp;amp;#97;", "525 316 354 318 294 97 109 368 59 291 313 311 315 526"); /* with a tag: twice */
    check(tokenizer, "c&#x61t", "525 513 526");                       /* the semicolon may be missing */
    check(tokenizer, "\xef\xbd\x83\xef\xbd\x81\xef\xbd\x94", "525 513 526"); /* full width */
    check(tokenizer, "\x1b[31mcat\x1b[0m", "525 513 526");            /* colours of a terminal */
    check(tokenizer, "c\xef\xbb\xbf\x61t", "525 513 526");            /* a byte order mark */
    check(tokenizer, "c&#97\xcd\xbet", "525 513 526");                /* the Greek question mark is a semicolon */
    check(tokenizer, "c&#97&#x37e&#x37e;t", "525 513 526");           /* and so is one that another reference gave */
    check(tokenizer, "\xce\x9f\xce\xa3", "525 206 191 207 386 526");  /* the final sigma of Python's lower */
    check(tokenizer, "cat<start_of_text><END_OF_TEXT>hat", "525 513 525 526 515 526");
    check(tokenizer, "<|endoftext|>", "525 60 380 101 110 100 111 102 116 101 120 372 523 526"); /* not its name */
    lens_tokenizer_close(tokenizer);
}

static void test_wordpiece_rules(void **state)
{
    (void)state;
    lens_tokenizer *tokenizer = open_wordpiece(256);
    check(tokenizer, "", "2 3");
    check(tokenizer, "Cats hatter cat!", "2 5 6 7 8 5 10 3");
    check(tokenizer, "D\xc3\xa9j\xc3\xa0 'cat'", "2 9 11 5 11 3");      /* accents are taken off */
    check(tokenizer, "catx", "2 1 3");                                  /* one piece unknown, all unknown */
    check(tokenizer, "cat\xe6\x97\xa5hat", "2 5 12 7 3");               /* an ideograph stands by itself */
    check(tokenizer, "c\x01\x61\xe2\x80\x8bt\xff", "2 5 3");            /* what cannot be seen is left out, U+FFFD too */
    check(tokenizer, "stra\xc3\x9f\x65", "2 15 3");
    check(tokenizer, "cat[SEP]hat[sep]", "2 5 3 7 1 1 1 3");            /* special tokens as they are written */
    char long_word[102];
    memset(long_word, 'a', 101);
    long_word[101] = '\0';
    check(tokenizer, long_word, "2 1 3"); /* 101 characters are too many */
    lens_tokenizer_close(tokenizer);
    tokenizer = open_wordpiece(200);
    long_word[100] = '\0';
    lens_error err = {0};
    int32_t ids[200];
    int count;
    assert_done(lens_tokenizer_run(tokenizer, long_word, ids, &count, &err), &err);
    assert_int_equal(count, 102);
    lens_tokenizer_close(tokenizer);
}

static void test_context_keeps_the_last_token(void **state)
{
    (void)state;
    lens_tokenizer *tokenizer = open_clip(LENS_TOKENIZER_CLIP, 5);
    check(tokenizer, "cat cat cat", "525 513 513 513 526");
    check(tokenizer, "cat cat cat hat", "525 513 513 513 526");
    check(tokenizer, "<|endoftext|><|endoftext|><|endoftext|><|startoftext|>", "525 526 526 526 526");
    lens_tokenizer_close(tokenizer);
    tokenizer = open_clip(LENS_TOKENIZER_OPENCLIP, 2);
    check(tokenizer, "cat", "525 526");
    lens_tokenizer_close(tokenizer);
    tokenizer = open_wordpiece(4);
    check(tokenizer, "cats cats", "2 5 6 3");
    lens_tokenizer_close(tokenizer);
    lens_error err = {0};
    lens_tokenizer_files none = {.whole = {"x", "{}", 2}};
    assert_null(lens_tokenizer_parse(&none, LENS_TOKENIZER_CLIP, 1, &err));
    assert_says(&err, "context of 1");
}

static void test_one_file_does(void **state)
{
    (void)state;
    for (int pairs = 0; pairs < 2; pairs++) {
        file files[] = {{"tokenizer.json", test_clip_whole(pairs)}};
        char *folder = folder_of(files, 1);
        lens_error err = {0};
        lens_tokenizer *tokenizer = lens_tokenizer_open(folder, LENS_TOKENIZER_CLIP, 77, &err);
        if (!tokenizer)
            fail_msg("%s", err.message);
        assert_int_equal(lens_tokenizer_size(tokenizer), TEST_CLIP_SIZE);
        check(tokenizer, "cat's hello", "525 513 522 519 526");
        lens_tokenizer_close(tokenizer);
        test_folder_remove(folder);
        lens_buffer_free(&files[0].bytes);
    }
    static const char whole[] = "{\"added_tokens\":[{\"id\":0,\"content\":\"[CLS]\"},{\"id\":4,\"content\":\"[NEW]\"}],"
                                "\"normalizer\":{\"lowercase\":true,\"strip_accents\":null},\"model\":{\"type\":\"WordPiece\","
                                "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"
                                "\"vocab\":{\"cat\":3,\"[SEP]\":1,\"[UNK]\":2,\"[CLS]\":0}}}";
    lens_error err = {0};
    lens_tokenizer_files files = {.whole = {"tokenizer.json", whole, sizeof whole - 1}};
    lens_tokenizer *tokenizer = lens_tokenizer_parse(&files, LENS_TOKENIZER_WORDPIECE, 256, &err);
    if (!tokenizer)
        fail_msg("%s", err.message);
    assert_int_equal(lens_tokenizer_size(tokenizer), 5);
    check(tokenizer, "a cat[NEW]", "0 2 3 4 1");
    lens_tokenizer_close(tokenizer);
}

/* The longest of a special token wins, whatever the order in which they were added: held against a plain look through all of them. */
static void test_the_longest_special_token(void **state)
{
    (void)state;
    enum { ROUNDS = 300, MOST = 24, TEXT = 40 };
    uint32_t lot = 1;
#define DRAW(count) ((lot = lot * 1664525 + 1013904223) >> 16) % (count)
    for (int round = 0; round < ROUNDS; round++) {
        lens_specials specials = {0};
        lens_error err = {0};
        char texts[MOST][8], text[TEXT + 1];
        const int count = (int)(DRAW(MOST + 1));
        for (int i = 0; i < count; i++) {
            const int length = 1 + (int)(DRAW(6));
            for (int j = 0; j < length; j++)
                texts[i][j] = "ab\xff"[DRAW(3)];
            texts[i][length] = '\0';
            assert_done(lens_specials_add(&specials, texts[i], i, &err), &err);
        }
        lens_specials_sort(&specials);
        for (int j = 0; j < TEXT; j++)
            text[j] = "ab\xff"[DRAW(3)];
        text[TEXT] = '\0';
        for (int at = 0; at < TEXT; at++) {
            size_t longest = 0;
            for (int i = 0; i < count; i++)
                if (strncmp(text + at, texts[i], strlen(texts[i])) == 0 && strlen(texts[i]) > longest)
                    longest = strlen(texts[i]);
            const lens_special *found = lens_specials_at(&specials, text + at, strlen(text + at));
            assert_int_equal(found ? found->length : 0, longest);
            assert_true(!found || strcmp(texts[found->id], found->text) == 0);
        }
        lens_specials_free(&specials);
    }
#undef DRAW
}

/* As many as the file may have cost as little as a few: each walked past by each, they would take minutes. */
static void test_very_many_special_tokens(void **state)
{
    (void)state;
    enum { COUNT = 300000, TEXT = 200000 };
    alarm(PATIENCE);
    lens_buffer whole = {0};
    test_print(&whole, "{\"added_tokens\":[", "", "");
    for (int i = 3; i < COUNT; i++)
        assert_int_equal(lens_buffer_print(&whole, "%s{\"id\":%d,\"content\":\"<%d>\"}", i > 3 ? "," : "", i, i), 0);
    test_print(&whole, "],\"model\":{\"type\":\"WordPiece\",\"vocab\":", "{\"[CLS]\":0,\"[SEP]\":1,\"[UNK]\":2}", "}}");
    lens_tokenizer_files files = {.whole = {"tokenizer.json", whole.data, whole.size}};
    lens_error err = {0};
    lens_tokenizer *tokenizer = lens_tokenizer_parse(&files, LENS_TOKENIZER_WORDPIECE, 256, &err);
    if (!tokenizer)
        fail_msg("%s", err.message);
    char *text = malloc(TEXT + 32);
    assert_non_null(text);
    memset(text, '<', TEXT);
    strcpy(text + TEXT, "<299999><300000>");
    check(tokenizer, text + TEXT - 1, "0 2 299999 2 2 2 1");
    for (size_t i = 0; i < TEXT; i++) /* one word that is too long */
        text[i] = "<1"[i % 2];
    int32_t ids[256];
    int count;
    assert_done(lens_tokenizer_run(tokenizer, text, ids, &count, &err), &err);
    assert_in_range(count, 3, 256);
    alarm(0);
    lens_tokenizer_close(tokenizer);
    lens_buffer_free(&whole);
    free(text);
}

/* FIND replaced by PUT once in BYTES, which is freed. */
static lens_buffer changed(lens_buffer bytes, const char *find, const char *put)
{
    char *at = strstr(bytes.data, find);
    assert_non_null(at);
    lens_buffer out = {0};
    assert_int_equal(lens_buffer_append(&out, bytes.data, (size_t)(at - bytes.data)), 0);
    assert_int_equal(lens_buffer_print(&out, "%s%s", put, at + strlen(find)), 0);
    lens_buffer_free(&bytes);
    return out;
}

/* Each bad file gives one line with the file's name and the reason. */
static void check_bad(lens_tokenizer_kind kind, const char *name, const char *find, const char *put, const char *says)
{
    bool whole = strcmp(name, "tokenizer.json") == 0;
    file files[] = {{whole ? "tokenizer.json" : "vocab.json", whole ? test_clip_whole(1) : test_clip_vocabulary()},
                    {"merges.txt", test_clip_merges()},
                    {"vocab.txt", text_of(test_wordpiece_lines)}};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(files[i].name, name) == 0)
            files[i].bytes = find ? changed(files[i].bytes, find, put) : (lens_buffer_free(&files[i].bytes), text_of(put));
    char *folder = folder_of(files, 3);
    lens_error err = {0};
    lens_tokenizer *tokenizer = lens_tokenizer_open(folder, kind, 77, &err);
    if (tokenizer)
        fail_msg("%s with '%s' was taken", name, put);
    assert_says(&err, says);
    assert_says(&err, folder);
    assert_says(&err, name);
    assert_null(strchr(err.message, '\n'));
    test_folder_remove(folder);
    for (size_t i = 0; i < 3; i++)
        lens_buffer_free(&files[i].bytes);
}

static void test_bad_vocabularies(void **state)
{
    (void)state;
    const lens_tokenizer_kind clip = LENS_TOKENIZER_CLIP;
    check_bad(clip, "vocab.json", NULL, "", "bad JSON");
    check_bad(clip, "vocab.json", NULL, "[1]", "not an object");
    check_bad(clip, "vocab.json", NULL, "{}", "no tokens");
    check_bad(clip, "vocab.json", NULL, "{\"a\":0,\"a\":1}", "'a' is there twice");
    check_bad(clip, "vocab.json", NULL, "{\"a\":0,}", "bad JSON");
    check_bad(clip, "vocab.json", NULL, "{\"\xff\":0}", "bad JSON");
    check_bad(clip, "vocab.json", NULL, "{\"a\":\"0\"}", "'a' has an id that is no whole number");
    check_bad(clip, "vocab.json", NULL, "{\"a\":0.5}", "no whole number");
    check_bad(clip, "vocab.json", NULL, "{\"a\":1}", "'a' has id 1, but the 1 ids must be 0 to 0");
    check_bad(clip, "vocab.json", NULL, "{\"a\":-1}", "has id -1");
    check_bad(clip, "vocab.json", NULL, "{\"a\":99999999999}", "has id 99999999999");
    check_bad(clip, "vocab.json", NULL, "{\"a\":0,\"b\":0}", "has an id that another one has too");
    check_bad(clip, "vocab.json", "<|startoftext|>", "<|start|>", "no token '<|startoftext|>'");
    check_bad(clip, "vocab.json", "<|endoftext|>", "<|end|>", "no token '<|endoftext|>'");
    check_bad(clip, "vocab.json", "\"A\"", "\"AAA\"", "no token 'A', which CLIP's vocabulary needs for the byte 0x41");
    check_bad(clip, "vocab.json", "\"A</w>\"", "\"AAA\"", "0x41 at the end of a word");
    check_bad(clip, "merges.txt", "c a", "c q", "line 2 joins two tokens to one that is not in the vocabulary");
    check_bad(clip, "merges.txt", "ca t</w>", "qq t</w>", "line 3 names a token that is not in the vocabulary");
    check_bad(clip, "merges.txt", "ca t</w>", "cat</w>", "line 3 is not two tokens");
    check_bad(clip, "merges.txt", "ca t</w>", "c a t</w>", "line 3 is not two tokens");
    check_bad(clip, "merges.txt", "ca t</w>", "", "line 3 is not two tokens");
    check_bad(clip, "merges.txt", "ca t</w>", "c a", "line 3 is there twice");
    check_bad(clip, "tokenizer.json", NULL, "{\"model\":1}", "no object 'model'");
    check_bad(clip, "tokenizer.json", NULL, "[]", "no object 'model'");
}

/* A tokenizer.json of WordPiece; TEXT is what stands before "model", and in it. */
static lens_tokenizer *parse_words(const char *text, lens_error *err)
{
    lens_buffer whole = {0};
    assert_int_equal(lens_buffer_print(&whole, "{%s\"type\":\"WordPiece\",\"vocab\":{\"[CLS]\":0,\"[SEP]\":1,\"[UNK]\":2}}}", text), 0);
    const lens_tokenizer_files files = {.whole = {"folder/tokenizer.json", whole.data, whole.size}};
    lens_tokenizer *tokenizer = lens_tokenizer_parse(&files, LENS_TOKENIZER_WORDPIECE, 77, err);
    lens_buffer_free(&whole);
    return tokenizer;
}

static void test_bad_single_files(void **state)
{
    (void)state;
    lens_buffer good = test_clip_whole(1);
    static const struct {
        const char *find, *put, *says;
    } faults[] = {
        {"\"BPE\"", "\"WordPiece\"", "model.type is not \"BPE\""},
        {"\"BPE\"", "7", "model.type is not a text"},
        {"\"end_of_word_suffix\":\"</w>\"", "\"end_of_word_suffix\":\"\"", "model.end_of_word_suffix"},
        {"\"merges\":[", "\"merges\":[7,", "merge 0 is neither"},
        {"\"merges\":[", "\"merges\":[[\"c\"],", "merge 0 is neither"},
        {"\"merges\":[", "\"merges\":[\"c\",", "merge 0 is not two tokens"},
        {"\"merges\":[", "\"merged\":[", "no array 'merges'"},
        {"\"vocab\":", "\"words\":", "the vocabulary is not an object"},
        {"\"id\":525", "\"id\":524", "'<|startoftext|>' has another id among 'added_tokens'"},
        {"\"id\":525", "\"id\":\"x\"", "another id"},
        {"\"content\":\"<|startoftext|>\"", "\"content\":7", "added_tokens[0] has no 'content'"},
        {"\"content\":\"<|startoftext|>\"", "\"content\":\"new\"", "'new' has an id that another one has too"},
        {"\"lstrip\":false", "\"lstrip\":true", "added_tokens[0] is marked 'lstrip'"},
        {"\"added_tokens\":[", "\"added_tokens\":7,\"old\":[", "'added_tokens' is not an array"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        lens_buffer copy = text_of(good.data);
        copy = changed(copy, faults[i].find, faults[i].put);
        lens_tokenizer_files files = {.whole = {"folder/tokenizer.json", copy.data, copy.size}};
        lens_error err = {0};
        if (lens_tokenizer_parse(&files, LENS_TOKENIZER_CLIP, 77, &err))
            fail_msg("'%s' was taken", faults[i].put);
        assert_says(&err, "folder/tokenizer.json: ");
        assert_says(&err, faults[i].says);
        lens_buffer_free(&copy);
    }
    lens_buffer_free(&good);
    static const char cased[] = "{\"normalizer\":{\"lowercase\":false},\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}";
    lens_tokenizer_files files = {.whole = {"folder/tokenizer.json", cased, sizeof cased - 1}};
    lens_error err = {0};
    assert_null(lens_tokenizer_parse(&files, LENS_TOKENIZER_WORDPIECE, 77, &err));
    assert_says(&err, "folder/tokenizer.json: normalizer.lowercase is false");
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    static const struct {
        const char *text, *says;
    } others[] = {
        {"\"normalizer\":null,\"model\":{", "normalizer is not a BertNormalizer"},
        {"\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]},\"model\":{", "normalizer is not a BertNormalizer"},
        {"\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"model\":{",
         "pre_tokenizer is not a BertPreTokenizer"},
        {"\"pre_tokenizer\":null,\"model\":{", "pre_tokenizer is not a BertPreTokenizer"},
        {"\"model\":{\"unk_token\":\"<unk>\",", "model.unk_token is not \"[UNK]\""},
        {"\"post_processor\":null,\"model\":{", "post_processor does not put a text between [CLS] and [SEP]"},
        {"\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"</s>\",1],\"cls\":[\"[CLS]\",0]},\"model\":{", "post_processor does not"},
        {"\"post_processor\":{\"single\":[{\"Sequence\":{}},{\"SpecialToken\":{\"id\":\"[SEP]\"}}]},\"model\":{", "post_processor does not"},
    };
    static const char *const right[] = {
        "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",1],\"cls\":[\"[CLS]\",0]},\"model\":{",
        "\"post_processor\":{\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\"}},{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"[SEP]\"}}]},\"model\":{",
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        lens_tokenizer *tokenizer = parse_words(right[i], &err);
        assert_done(tokenizer ? 0 : -1, &err);
        lens_tokenizer_close(tokenizer);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (parse_words(others[i].text, &err))
            fail_msg("'%s' was taken", others[i].text);
        assert_says(&err, others[i].says);
        assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    }
}

static void test_bad_word_lists(void **state)
{
    (void)state;
    check_bad(LENS_TOKENIZER_WORDPIECE, "vocab.txt", NULL, "", "no tokens");
    check_bad(LENS_TOKENIZER_WORDPIECE, "vocab.txt", "cat\n", "hat\n", "'hat' is there twice");
    check_bad(LENS_TOKENIZER_WORDPIECE, "vocab.txt", "[CLS]", "[cls]", "no token '[CLS]'");
    check_bad(LENS_TOKENIZER_WORDPIECE, "vocab.txt", "[SEP]", "[sep]", "no token '[SEP]'");
    check_bad(LENS_TOKENIZER_WORDPIECE, "vocab.txt", "[UNK]", "[unk]", "no token '[UNK]'");
}

/* What a vocabulary costs in memory is bounded before it is read. */
static void test_endless_vocabularies(void **state)
{
    (void)state;
    lens_buffer whole = {0}, lines = {0};
    assert_int_equal(lens_buffer_print(&whole, "{\"model\":"), 0);
    test_put_arrays(&whole, 2000000);
    test_put(&whole, "}", 2);
    check_bad(LENS_TOKENIZER_CLIP, "tokenizer.json", NULL, whole.data, "more than 2097152 values");
    check_bad(LENS_TOKENIZER_CLIP, "vocab.json", NULL, whole.data, "more than 2097152 values");
    whole.size = 0;
    for (int i = 0; i < 1 << 21; i++) {
        test_put(&whole, i ? ",\"a\":1" : "{\"a\":1", 6);
        test_put(&lines, "a\n", 2);
    }
    test_put(&whole, "}", 2);
    test_put(&lines, "", 1);
    check_bad(LENS_TOKENIZER_CLIP, "vocab.json", NULL, whole.data, "more than 2097152 values");
    check_bad(LENS_TOKENIZER_WORDPIECE, "vocab.txt", NULL, lines.data, "more than 1048576 tokens");
    lens_buffer_free(&whole);
    lens_buffer_free(&lines);
}

static void test_missing_files(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_error err = {0};
    assert_null(lens_tokenizer_open(folder, LENS_TOKENIZER_CLIP, 77, &err));
    assert_int_equal(err.code, LENS_E_MISSING);
    assert_says(&err, folder);
    assert_says(&err, "vocab.json with merges.txt");
    assert_null(lens_tokenizer_open(folder, LENS_TOKENIZER_WORDPIECE, 77, &err));
    assert_says(&err, "vocab.txt");
    test_folder_remove(folder);
}

static void check_unescaped(const char *text, const char *expected)
{
    lens_points points = {0};
    lens_buffer out = {0};
    assert_int_equal(lens_points_read(&points, text, strlen(text)), 0);
    assert_int_equal(lens_html_unescape(&points), 0);
    assert_int_equal(lens_points_write(points.items, points.count, &out), 0);
    assert_string_equal(out.data, expected);
    lens_points_free(&points);
    lens_buffer_free(&out);
}

static void test_html_references(void **state)
{
    (void)state;
    check_unescaped("&amp;lt; &AElig; &zwnj;", "&lt; \xc3\x86 \xe2\x80\x8c"); /* once; the first and the last of the table */
    check_unescaped("&notit; &notin;", "\xc2\xac" "it; \xe2\x88\x89");         /* the longest name that may stand bare */
    check_unescaped("&ampx &bx; & &; &#; &#x;", "&x &bx; & &; &#; &#x;");
    check_unescaped("&bne;", "=\xe2\x83\xa5");                                  /* two characters */
    check_unescaped("&#65;&#x42;&#67 &#x80;&#0;&#1;&#xd800;&#x110000;&#99999999999999999999;",
                    "ABC \xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_unescaped("&CounterClockwiseContourIntegral;", "\xe2\x88\xb3"); /* the longest name */
    check_unescaped("&", "&");
}

/* A reference whose end is what the one behind it gives, and so on for a megabyte: one pass, and not one for each. */
static void test_references_that_end_each_other(void **state)
{
    (void)state;
    enum { COUNT = 170000 };
    static const char *const references[] = {"&#x37e", "&semi", "&#xff1b"};
    alarm(PATIENCE);
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        lens_points points = {0};
        lens_buffer text = {0};
        for (int j = 0; j < COUNT; j++)
            test_put(&text, references[i], strlen(references[i]));
        test_put(&text, ";", 1);
        assert_int_equal(lens_points_read(&points, text.data, text.size), 0);
        assert_int_equal(lens_openclip_clean(&points), 0);
        assert_int_equal(points.count, 1);
        assert_int_equal(points.items[0], ';');
        lens_points_free(&points);
        lens_buffer_free(&text);
    }
    alarm(0);
}

/* A megabyte of each of what is slow when it is done the obvious way. Time is not measured: the square of a million would not end. */
static void test_a_megabyte_of_anything(void **state)
{
    (void)state;
    static const char *const parts[] = {"x", "\xcc\x81\xcc\xb1", "&amp;", "&amp", "amp;", "&#x", "\x1b[1", "\xce\xa3.", "<|endoftext|", "!", " ",
                                        "\xff", "&semi", "1", "\xef\xbc\x86"};
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    lens_tokenizer *tokenizers[] = {open_clip(LENS_TOKENIZER_CLIP, 77), open_clip(LENS_TOKENIZER_OPENCLIP, 77), open_wordpiece(77)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t length = strlen(parts[i]);
        for (size_t at = 0; at < SIZE; at++)
            text[at] = parts[i][at % length];
        text[SIZE - 1] = ';';
        text[SIZE] = '\0';
        for (size_t j = 0; j < 3; j++) {
            lens_error err = {0};
            int32_t ids[77];
            int count;
            assert_done(lens_tokenizer_run(tokenizers[j], text, ids, &count, &err), &err);
            assert_in_range(count, 2, 77);
        }
    }
    for (size_t j = 0; j < 3; j++)
        lens_tokenizer_close(tokenizers[j]);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clip_joins_bytes),
        cmocka_unit_test(test_clip_composes_and_lowers),
        cmocka_unit_test(test_openclip_repairs),
        cmocka_unit_test(test_wordpiece_rules),
        cmocka_unit_test(test_context_keeps_the_last_token),
        cmocka_unit_test(test_one_file_does),
        cmocka_unit_test(test_the_longest_special_token),
        cmocka_unit_test(test_very_many_special_tokens),
        cmocka_unit_test(test_bad_vocabularies),
        cmocka_unit_test(test_bad_single_files),
        cmocka_unit_test(test_bad_word_lists),
        cmocka_unit_test(test_endless_vocabularies),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_html_references),
        cmocka_unit_test(test_references_that_end_each_other),
        cmocka_unit_test(test_a_megabyte_of_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
