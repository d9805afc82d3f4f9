/* Any bytes as the small things that a person, a server or a file names: the first byte says which. Words of a command line lie between NULs. */
#include <netinet/in.h>

#include "cli/args.h"
#include "base/date.h"
#include "cli/terms.h"
#include "encoders/encoder.h"
#include "files/walk.h"
#include "fuzzing.h"
#include "net/http.h"
#include "net/hub.h"
#include "pixels/prepare.h"
#include "base/encoding.h"
#include "base/text.h"
#include "library/root_settings.h"
#include "store/folder/vector_file.h"
#include "store/postgres/internal.h"

enum { WORDS_MOST = 16 };

/* ---- a command line ---- */

static size_t words_of(fuzz_rest rest, char **words)
{
    size_t count = 0;
    while (rest.size > 0 && count < WORDS_MOST)
        words[count++] = fuzz_text(fuzz_part(&rest, 0));
    return count;
}

static void check_words(fuzz_rest rest)
{
    char *words[WORDS_MOST];
    const char *room[WORDS_MOST];
    const size_t count = words_of(rest, words);
    bool flag = false;
    const char *text = NULL;
    cli_list list = {0}, operands = {room, 0};
    long number = 1;
    double real = 0;
    const cli_option options[] = {
        {"flag", 'f', CLI_FLAG, &flag, NULL, ""}, {"text", 't', CLI_TEXT, &text, "T", ""}, {"not", 0, CLI_LIST, &list, "TERM", ""},
        {"count", 'n', CLI_COUNT, &number, "N", ""}, {"number", 0, CLI_NUMBER, &real, "N", ""},
    };
    if (cli_parse((int)count, words, options, sizeof options / sizeof *options, &operands) == 0) {
        expect(operands.count + list.count <= count && number >= 1 && real - real == 0);
        bool here = true; /* neither standard input nor another machine */
        for (size_t i = 0; i < count; i++) {
            const size_t length = strlen(words[i]);
            here = here && !strstr(words[i], "://") && (length == 0 || words[i][length - 1] != '-');
        }
        cli_terms terms = {0};
        if (here && cli_terms_read(&operands, &list, &terms) == 0) {
            expect(terms.count == operands.count + list.count);
            for (size_t i = 0; i < terms.count; i++) {
                const lens_term *term = &terms.items[i];
                expect(term->text && (term->kind != LENS_TERM_ID || term->id > 0) && term->weight - term->weight == 0);
            }
        }
        cli_terms_free(&terms);
    }
    free(list.items);
    for (size_t i = 0; i < count; i++)
        free(words[i]);
}

/* ---- one word ---- */

static void check_filters(const char *text)
{
    int64_t moment, least, most;
    int by;
    lens_error err = {0};
    for (int local = 0; local < 2; local++)
        if (lens_date_read(text, local, &moment))
            expect(moment != 0);
    if (lens_size_parse(text, &least, &most, &err) == 0)
        expect(least >= 0 && most >= 0 && (least || most) && (!most || most >= least));
    else
        expect_words(&err);
    if (lens_by_parse(text, &by, &err) == 0)
        expect(by == LENS_BY_ALL || by == LENS_BY_LOOK || by == LENS_BY_TEXT || by == LENS_BY_MEANING);
}

static void check_names(const char *text)
{
    lens_precision precision;
    lens_preparation preparation = {.size = 224, .resize = 224};
    lens_error err = {0};
    char small[64], large[4096];
    lens_precision_parse(text, &precision, &err);
    if (lens_preparation_override(&preparation, text, &err) == 0)
        expect(preparation.size > 0 && preparation.resize > 0);
    if (lens_hub_repository(text)) {
        char *folder = lens_hub_folder_name(text);
        expect(folder && !strchr(folder, '/') && folder[0] != '.');
        free(folder);
    }
    if (lens_hub_file_name(text))
        expect(!strchr(text, '/') && text[0] != '.' && text[0]);
    char name[LENS_VECTOR_NAME];
    if (lens_vector_file_is_name(text) || lens_vector_copy_is_name(text, name))
        expect(!strchr(text, '/') && text[0] != '.');
    lens_vector_file_name(text, 7, name);
    expect(lens_vector_file_is_name(name));
    expect(strlen(lens_url_plain(text, small, sizeof small)) < sizeof small);
    lens_url_plain(text, large, sizeof large);
    const char *slashes = strstr(large, "://");
    if (slashes && slashes == strstr(text, "://")) /* nobody's password is shown */
        expect(!memchr(slashes + 3, '@', strcspn(slashes + 3, "/?#")));
    free(lens_postgres_place_shown(text));
}

/* ---- patterns ---- */

static int see_file(void *context, const lens_walk_file *file)
{
    ++*(int *)context;
    return file->path[0] != '/';
}

static void check_patterns(fuzz_rest rest)
{
    static char tree[300];
    char *words[WORDS_MOST], path[400];
    if (!tree[0]) {
        snprintf(tree, sizeof tree, "%s/a/aa/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", fuzz_folder());
        expect(lens_folder_make(tree, NULL) == 0);
        snprintf(path, sizeof path, "%s/.b[c]*.jpg", tree);
        fuzz_put(path, "x", 1);
        snprintf(path, sizeof path, "%s/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.jpg", tree);
        fuzz_put(path, "x", 1);
    }
    const size_t count = words_of(rest, words);
    int files = 0;
    lens_error err = {0};
    const lens_walk_options options = {.exclude = (const char *const *)words, .exclude_count = count, .include_hidden = count % 2};
    const lens_walk_visitor visitor = {.file = see_file, .context = &files};
    expect_done(lens_walk(fuzz_folder(), &options, &visitor, &err) == 0, &err);
    expect(files <= 2);
    for (size_t i = 0; i < count; i++) {
        lens_buffer pattern = {0};
        expect(lens_pg_put_glob(&pattern, words[i]) == 0 && pattern.size > 0 && lens_utf8_valid(pattern.data, pattern.size));
        lens_buffer_free(&pattern);
        free(words[i]);
    }
}

static void check_settings(fuzz_rest rest)
{
    json_t *settings = json_loadb((const char *)rest.data, rest.size, 0, NULL);
    lens_walk_options options;
    lens_error err = {0};
    expect_done(lens_root_walk_options(settings, "/base", &options, &err) == 0, &err);
    for (size_t i = 0; i < options.exclude_count; i++)
        expect(options.exclude[i] != NULL);
    free((void *)options.exclude);
    json_decref(settings);
}

/* ---- bytes ---- */

static void check_texts(fuzz_rest rest)
{
    lens_buffer out = {0}, again = {0};
    lens_error err = {0};
    bool broken;
    const char *bytes = (const char *)rest.data;
    if (lens_base64_decode(bytes, rest.size, &out, &err) == 0) {
        lens_buffer text = {0};
        expect(lens_base64_encode(out.data, out.size, &text) == 0 && lens_base64_decode(text.data, text.size, &again, &err) == 0);
        expect(again.size == out.size && (!out.size || memcmp(again.data, out.data, out.size) == 0));
        lens_buffer_free(&text);
    } else {
        expect_words(&err);
    }
    lens_buffer_free(&out);
    lens_buffer_free(&again);
    for (int i = 0; i < 4; i++) {
        if (i == 0)
            expect(lens_text_printable(bytes, rest.size, &out) == 0);
        else if (i == 1)
            expect(lens_windows_1252_read(bytes, rest.size, &out) == 0);
        else
            expect(lens_utf16_read(bytes, rest.size, i == 2, &out, &broken) == 0);
        expect(lens_utf8_valid(out.data, out.size));
        lens_buffer_free(&out);
    }
}

static void check_address(fuzz_rest rest)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    for (int i = 0; i < 4; i++)
        ((uint8_t *)&four.sin_addr)[i] = (uint8_t)fuzz_number(&rest, 1);
    memcpy(&six.sin6_addr, &(uint8_t[16]){[10] = 0xff, [11] = 0xff}, 16); /* ::ffff:a.b.c.d is a.b.c.d */
    memcpy((uint8_t *)&six.sin6_addr + 12, &four.sin_addr, 4);
    expect(lens_address_public((struct sockaddr *)&four) == lens_address_public((struct sockaddr *)&six));
    for (int i = 0; i < 16; i++)
        ((uint8_t *)&six.sin6_addr)[i] = (uint8_t)fuzz_number(&rest, 1);
    if (lens_address_public((struct sockaddr *)&six))
        expect(six.sin6_addr.s6_addr[0] >> 5 == 1 || IN6_IS_ADDR_V4MAPPED(&six.sin6_addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const fuzz_rest rest = {data + 1, size - 1};
    char *text = fuzz_text(rest);
    switch (data[0]) {
    case 'w': check_words(rest); break;
    case 'f': check_filters(text); break;
    case 'n': check_names(text); break;
    case 'p': check_patterns(rest); break;
    case 's': check_settings(rest); break;
    case 't': check_texts(rest); break;
    case 'a': check_address(rest); break;
    }
    free(text);
    return 0;
}
