/* Any bytes as a query and as a text. The first line is the query, what follows is the text. What is folded, matched
 * and shown must be within its bounds, and no query may be one that FTS5 does not understand. */
#include "base/text.h"
#include "fuzzing.h"
#include "library/text_search.h"
#include "store/texts.h"

/* ---- a small library to ask ---- */

static lens_library *library;
static lens_store *store;

static void close_library(void)
{
    lens_store_close(store);
    lens_library_close(library);
}

static void make_library(void)
{
    static const char *const texts[] = {
        "one does not simply walk into mordor", "and or not near select from text drop table", "a b c d e f g 1 2 3", "the cat sat on the cat",
        "我 爱 表 情 包 猫", "كلب كبير כלב גדול", "e\xcc\x81 x \xe0\xb8\x97\xe0\xb8\xb5", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };
    enum { TEXTS = sizeof texts / sizeof *texts };
    lens_error err = {0};
    const char *folder = fuzz_folder(); /* removed after the library is closed */
    atexit(close_library);
    lens_store *writer = lens_store_open(folder, LENS_STORE_WRITE, 0, &err);
    expect_done(writer, &err);
    int64_t model, source;
    const float values[] = {1, 0};
    lens_store_caption captions[TEXTS];
    expect_done(lens_store_add_model(writer, "m", 2, lens_hash_of("m", 1), &model, &err) == 0, &err);
    expect_done(lens_store_source_put(writer, "/c", LENS_SOURCE_FILE, NULL, &source, &err) == 0, &err);
    const struct lens_store_vector vector = {model, values};
    for (size_t i = 0; i < TEXTS; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%zu.jpg", i);
        const lens_store_entry entry = {.path = path, .hash = lens_hash_of(path, strlen(path)), .width = 1, .height = 1, .format = "JPEG",
                                        .vector_count = 1, .vectors = &vector};
        captions[i] = (lens_store_caption){.text = texts[i], .folded = texts[i]};
        expect_done(lens_store_write(writer, &entry, 1, &captions[i].picture, &err) == 0, &err);
    }
    expect_done(lens_store_captions_write(writer, source, 0, 0, captions, TEXTS, true, NULL, &err) == 0, &err);
    lens_store_close(writer);
    library = lens_library_open(folder, &err);
    store = lens_store_open(folder, LENS_STORE_READ, 0, &err);
    expect_done(library && store, &err);
}

static bool any(void *context, int64_t id)
{
    (void)context;
    return id % 3 != 0; /* a filter */
}

static void ask(const lens_wanted *wanted)
{
    lens_text_hits hits;
    lens_error err = {0};
    expect_done(lens_text_search(library, store, wanted, any, NULL, 5, &hits, &err) == 0, &err);
    expect(hits.count <= 5);
    for (size_t i = 0; i < hits.count; i++) {
        expect(hits.items[i].score > 0 && hits.items[i].score <= 1 && hits.items[i].id % 3 != 0);
        char *snippet = lens_match_snippet(hits.items[i].text, &hits.items[i].match);
        expect(snippet && lens_utf8_valid(snippet, strlen(snippet)));
        free(snippet);
    }
    lens_text_hits_free(&hits);
}

/* ---- one input ---- */

static void check_tokens(const char *text, size_t size, lens_tokens *tokens)
{
    expect(lens_tokens_read(tokens, text, size) == 0);
    expect(strlen(tokens->folded.data) == tokens->folded.size);
    expect(lens_utf8_valid(tokens->folded.data, tokens->folded.size));
    size_t at = 0, from = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        const lens_token *token = &tokens->items[i];
        expect(token->at == at && token->size >= 1 && token->size <= LENS_TOKEN_MOST);
        expect(token->from >= from && token->from < token->to && token->to <= size);
        expect(!memchr(tokens->folded.data + at, ' ', token->size));
        at += token->size + 1;
        from = token->from;
    }
    expect(tokens->count == 0 ? tokens->folded.size == 0 : at == tokens->folded.size + 1);
}

/* What is folded stays as it is, and never becomes the beginning of something else in an expression. */
static void check_folded_again(const lens_tokens *tokens)
{
    for (const char *at = tokens->folded.data; *at; at++)
        expect((unsigned char)*at >= 0x80 || (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == ' ');
}

static void check_match(const lens_wanted *wanted, const char *text, const lens_tokens *tokens)
{
    lens_lexicon lexicon = {0};
    lens_matcher *matcher = calloc(1, sizeof *matcher);
    expect(matcher != NULL);
    for (size_t i = 0; i < tokens->count; i++)
        expect(lens_lexicon_add(&lexicon, tokens->folded.data + tokens->items[i].at, tokens->items[i].size, (int64_t)i) == 0);
    lens_matcher_make(matcher, wanted, &lexicon, (int64_t)tokens->count);
    const lens_match match = lens_match_text(matcher, tokens->folded.data);
    expect(match.score >= 0 && match.score <= 1.000001);
    expect(match.from > match.to || match.to < tokens->count);
    char *snippet = lens_match_snippet(text, &match);
    expect(snippet && strlen(snippet) <= 90 + 2 * 3 + 3 && !strpbrk(snippet, "\n\r\t\v\f"));
    if (lens_utf8_valid(text, strlen(text)))
        expect(lens_utf8_valid(snippet, strlen(snippet)));
    free(snippet);
    free(matcher);
    lens_lexicon_free(&lexicon);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!library)
        make_library();
    char *all = malloc(size + 1);
    expect(all != NULL);
    if (size)
        memcpy(all, data, size);
    all[size] = '\0';
    char *line = memchr(all, '\n', size), *text = line ? line + 1 : all + size;
    if (line)
        *line = '\0';
    lens_tokens tokens = {0};
    check_tokens(all, size, &tokens); /* with every NUL that is in it */
    lens_tokens_free(&tokens);
    check_tokens(text, strlen(text), &tokens);
    check_folded_again(&tokens);
    lens_wanted wanted;
    expect(lens_wanted_read(&wanted, all) == 0);
    expect(wanted.count <= LENS_WANTED_WORDS && wanted.wants == (*wanted.plain != '\0'));
    for (size_t i = 0; i < wanted.count; i++)
        expect(strlen(wanted.words[i].text) == wanted.words[i].size && wanted.words[i].phrase <= wanted.phrases);
    check_match(&wanted, text, &tokens);
    ask(&wanted);
    lens_wanted_free(&wanted);
    lens_tokens_free(&tokens);
    free(all);
    return 0;
}
