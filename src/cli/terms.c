#include "cli/terms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/say.h"

static int read_input(lens_buffer *input)
{
    if (input->data)
        return cli_fail("-: standard input can be read once only"), -1;
    const uint64_t most = lens_fetch_options_default().max_bytes; /* as of a picture from anywhere else */
    char bytes[65536];
    size_t got;
    while ((got = fread(bytes, 1, sizeof bytes, stdin)) > 0)
        if (got > most - input->size || lens_buffer_append(input, bytes, got) != 0)
            return cli_fail("standard input: more than %llu MiB, or not enough memory", (unsigned long long)most >> 20), -1;
    if (ferror(stdin))
        return cli_fail("standard input: %s", strerror(errno)), -1;
    if (input->size == 0)
        return cli_fail("standard input: empty; expected a picture"), -1;
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Whether TEXT can only be meant as a path, whatever is there. "cats/dogs" is words where there is no such file. */
static bool is_path(const char *text)
{
    return text[0] == '/' || strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

static int fetch(const char *url, lens_term *term, cli_terms *terms)
{
    lens_error error = {0};
    lens_fetch_options options = lens_fetch_options_default();
    options.go_on = cli_go_on;
    void *bytes;
    if (lens_fetch_picture(url, &options, &bytes, &term->size, &error) != 0)
        return cli_fail_with(&error), -1;
    term->kind = LENS_TERM_BYTES;
    term->bytes = terms->fetched[terms->fetched_count++] = bytes;
    return 0;
}

static int read_term(const char *text, lens_term *term, cli_terms *terms)
{
    lens_buffer *input = &terms->input;
    *term = (lens_term){.weight = 1};
    /* A file of this very name is meant before a weight is: pictures are called "12:30.jpg" too. */
    size_t weight = lens_file_exists(text) ? 0 : cli_weight_length(text);
    if (weight) {
        term->weight = strtod(text, NULL);
        text += weight;
    } else if ((*text == '+' || *text == '-') && text[1] && !lens_file_exists(text)) {
        term->weight = *text == '-' ? -1 : 1;
        text++;
    }
    term->text = text;
    if (strcmp(text, "-") == 0) {
        if (read_input(input) != 0)
            return -1;
        term->kind = LENS_TERM_BYTES;
        term->bytes = input->data;
        term->size = input->size;
    } else if (strncmp(text, "id:", 3) == 0 && !lens_file_exists(text)) {
        char *end;
        errno = 0;
        term->kind = LENS_TERM_ID;
        term->id = strtoll(text + 3, &end, 10);
        if (errno || end == text + 3 || *end || term->id < 1)
            return cli_fail("%s: expected id:NUMBER", text), -1;
    } else if (lens_is_url(text)) {
        return fetch(text, term, terms);
    } else if (is_path(text) || (lens_file_exists(text) && !is_folder(text))) {
        term->kind = LENS_TERM_FILE;
    } else {
        term->kind = LENS_TERM_WORDS;
    }
    if (!*text)
        return cli_fail("a term is empty"), -1;
    return 0;
}

int cli_terms_read(const cli_list *operands, const cli_list *not, cli_terms *out)
{
    *out = (cli_terms){0};
    out->items = calloc(operands->count + not->count + 1, sizeof *out->items);
    out->fetched = calloc(operands->count + not->count + 1, sizeof *out->fetched);
    if (!out->items || !out->fetched)
        return cli_fail("not enough memory"), -1;
    for (size_t i = 0; i < operands->count + not->count; i++) {
        bool turned = i >= operands->count;
        const char *text = turned ? not->items[i - operands->count] : operands->items[i];
        if (read_term(text, &out->items[out->count], out) != 0)
            return -1;
        if (turned)
            out->items[out->count].weight *= -1;
        out->count++;
    }
    return 0;
}

int cli_terms_file(const char *name, cli_terms *out)
{
    static const cli_list none;
    if (strcmp(name, "-") == 0 || lens_is_url(name))
        return cli_terms_read(&(cli_list){&name, 1}, &none, out);
    *out = (cli_terms){.items = calloc(1, sizeof *out->items), .count = 1};
    if (!out->items)
        return cli_fail("not enough memory"), -1;
    out->items[0] = (lens_term){.kind = LENS_TERM_FILE, .text = name, .weight = 1};
    return 0;
}

void cli_terms_free(cli_terms *terms)
{
    for (size_t i = 0; i < terms->fetched_count; i++)
        free(terms->fetched[i]);
    free(terms->fetched);
    free(terms->items);
    lens_buffer_free(&terms->input);
}
