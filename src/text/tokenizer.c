#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "text/clip_text.h"
#include "text/tokenizer_internal.h"

/* No vocabulary is a hundredth as large. */
static const size_t max_file = (size_t)1 << 28;

struct lens_tokenizer {
    lens_tokenizer_kind kind;
    int context;
    char *path;
    lens_vocabulary vocabulary;
    lens_specials specials;
    int32_t first, last, unknown;
    lens_bpe *bpe; /* of the two CLIPs */
};

/* ---- opening ---- */

/* The id of the first of NAMES (ended by NULL) that the vocabulary has, or -1 and ERR. */
static int32_t need_token(const lens_tokenizer *tokenizer, const char *const *names, lens_error *err)
{
    for (size_t i = 0; names[i]; i++) {
        int32_t id = lens_vocabulary_find(&tokenizer->vocabulary, names[i], strlen(names[i]));
        if (id >= 0)
            return id;
    }
    lens_fail(err, LENS_E_FORMAT, "%s: no token '%s'", tokenizer->path, names[0]);
    return -1;
}

/* TEXT stands for its token wherever it occurs, if the vocabulary has it. */
static int add_special(lens_tokenizer *tokenizer, const char *text, lens_error *err)
{
    const int32_t id = lens_vocabulary_find(&tokenizer->vocabulary, text, strlen(text));
    return id < 0 ? 0 : lens_specials_add(&tokenizer->specials, text, id, err);
}

/* What makes an added token match otherwise than letter by letter is for other families. */
static int add_specials(lens_tokenizer *tokenizer, const json_t *added, lens_error *err)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);
        for (size_t j = 0; j < sizeof flags / sizeof *flags; j++)
            if (json_is_true(json_object_get(token, flags[j])))
                return lens_fail(err, LENS_E_UNSUPPORTED, "%s: added_tokens[%zu] is marked '%s', which is not supported", tokenizer->path, i,
                                 flags[j]);
        if (add_special(tokenizer, json_string_value(json_object_get(token, "content")), err) != 0)
            return -1;
    }
    return 0;
}

/* Whether OBJECT's member NAME is WANTED, as a text; an absent one is as good. */
static int check_text(const json_t *object, const char *name, const char *wanted, const char *what, lens_error *err)
{
    const json_t *value = json_object_get(object, name);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return lens_fail(err, LENS_E_FORMAT, "%s: model.%s is not a text", what, name);
    if (strcmp(json_string_value(value), wanted) != 0)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: model.%s is not \"%s\": this is another kind of tokenizer", what, name, wanted);
    return 0;
}

/* Whether WHOLE's member NAME, a step before the words are cut into pieces, is of the type WANTED; an absent one is as good. Any other, or none where
 * null says so, gives other tokens. */
static int check_step(const json_t *whole, const char *name, const char *wanted, const char *what, lens_error *err)
{
    const json_t *step = json_object_get(whole, name);
    const char *type = json_string_value(json_object_get(step, "type"));
    if (!step || (json_is_object(step) && (!type || strcmp(type, wanted) == 0)))
        return 0;
    return lens_fail(err, LENS_E_UNSUPPORTED, "%s: %s is not a %s: only BERT's uncased tokenizer is supported", what, name, wanted);
}

/* Whether WHOLE puts a text between [CLS] and [SEP], by BERT's own step or by a template; one that says nothing of it is as good. */
static int check_ends(const json_t *whole, const char *what, lens_error *err)
{
    const json_t *step = json_object_get(whole, "post_processor"), *single = json_object_get(step, "single");
    const json_t *first = json_array_get(json_object_get(step, "cls"), 0), *last = json_array_get(json_object_get(step, "sep"), 0);
    if (json_array_size(single) == 3 && json_object_get(json_array_get(single, 1), "Sequence")) {
        first = json_object_get(json_object_get(json_array_get(single, 0), "SpecialToken"), "id");
        last = json_object_get(json_object_get(json_array_get(single, 2), "SpecialToken"), "id");
    }
    if (!step || (json_is_string(first) && json_is_string(last) && strcmp(json_string_value(first), "[CLS]") == 0 &&
                  strcmp(json_string_value(last), "[SEP]") == 0))
        return 0;
    return lens_fail(err, LENS_E_UNSUPPORTED, "%s: post_processor does not put a text between [CLS] and [SEP]: only BERT's uncased tokenizer is supported", what);
}

/* Whether tokenizer.json describes the tokenizer that KIND is. Returns its "model", or NULL and ERR. */
static const json_t *check_whole(const json_t *whole, lens_tokenizer_kind kind, const char *what, lens_error *err)
{
    const json_t *model = json_object_get(whole, "model");
    if (!json_is_object(model)) {
        lens_fail(err, LENS_E_FORMAT, "%s: no object 'model'", what);
        return NULL;
    }
    bool wordpiece = kind == LENS_TOKENIZER_WORDPIECE;
    if (check_text(model, "type", wordpiece ? "WordPiece" : "BPE", what, err) != 0 ||
        check_text(model, "continuing_subword_prefix", wordpiece ? "##" : "", what, err) != 0)
        return NULL;
    if (!wordpiece)
        return check_text(model, "end_of_word_suffix", "</w>", what, err) == 0 ? model : NULL;
    if (check_text(model, "unk_token", "[UNK]", what, err) != 0 || check_step(whole, "normalizer", "BertNormalizer", what, err) != 0 ||
        check_step(whole, "pre_tokenizer", "BertPreTokenizer", what, err) != 0 || check_ends(whole, what, err) != 0)
        return NULL;
    const json_t *longest = json_object_get(model, "max_input_chars_per_word");
    if (longest && !(json_is_integer(longest) && json_integer_value(longest) == 100)) {
        lens_fail(err, LENS_E_UNSUPPORTED, "%s: model.max_input_chars_per_word is not 100", what);
        return NULL;
    }
    static const char *const steps[] = {"lowercase", "strip_accents", "handle_chinese_chars", "clean_text"};
    const json_t *normalizer = json_object_get(whole, "normalizer");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (json_is_false(json_object_get(normalizer, steps[i]))) {
            lens_fail(err, LENS_E_UNSUPPORTED, "%s: normalizer.%s is false: only BERT's uncased tokenizer is supported", what, steps[i]);
            return NULL;
        }
    return model;
}

static int read_vocabulary(lens_tokenizer *tokenizer, const lens_tokenizer_files *files, const json_t *model, const json_t *added,
                           lens_error *err)
{
    const char *what = tokenizer->path;
    if (model)
        return lens_vocabulary_from_json(&tokenizer->vocabulary, json_object_get(model, "vocab"), added, what, err);
    if (tokenizer->kind == LENS_TOKENIZER_WORDPIECE)
        return lens_vocabulary_from_lines(&tokenizer->vocabulary, files->vocabulary.bytes, files->vocabulary.size, what, err);
    return lens_vocabulary_from_text(&tokenizer->vocabulary, files->vocabulary.bytes, files->vocabulary.size, what, err);
}

static int read_clip(lens_tokenizer *tokenizer, const lens_tokenizer_files *files, const json_t *model, lens_error *err)
{
    static const char *const first[] = {"<|startoftext|>", "<start_of_text>", NULL}, *const last[] = {"<|endoftext|>", "<end_of_text>", NULL};
    tokenizer->first = need_token(tokenizer, first, err);
    if (tokenizer->first < 0)
        return -1;
    tokenizer->last = need_token(tokenizer, last, err);
    if (tokenizer->last < 0)
        return -1;
    const json_t *list = json_object_get(model, "merges");
    if (model && !list)
        return lens_fail(err, LENS_E_FORMAT, "%s: no array 'merges'", tokenizer->path);
    lens_bpe_source source = {
        .vocabulary = &tokenizer->vocabulary,
        .name = tokenizer->path,
        .list = list,
        .text = files->merges.bytes,
        .size = files->merges.size,
        .merges_name = model ? tokenizer->path : files->merges.name,
        .openclip = tokenizer->kind == LENS_TOKENIZER_OPENCLIP,
        .first = tokenizer->first,
        .last = tokenizer->last,
    };
    tokenizer->bpe = lens_bpe_new(&source, err);
    /* OpenCLIP finds its two special names after cleaning, when the text is split into words. */
    if (!tokenizer->bpe || source.openclip)
        return tokenizer->bpe ? 0 : -1;
    return add_special(tokenizer, first[0], err) != 0 || add_special(tokenizer, last[0], err) != 0 ? -1 : 0;
}

static int read_wordpiece(lens_tokenizer *tokenizer, lens_error *err)
{
    static const char *const first[] = {"[CLS]", NULL}, *const last[] = {"[SEP]", NULL}, *const unknown[] = {"[UNK]", NULL};
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    tokenizer->first = need_token(tokenizer, first, err);
    tokenizer->last = tokenizer->first < 0 ? -1 : need_token(tokenizer, last, err);
    tokenizer->unknown = tokenizer->last < 0 ? -1 : need_token(tokenizer, unknown, err);
    if (tokenizer->unknown < 0)
        return -1;
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (add_special(tokenizer, specials[i], err) != 0)
            return -1;
    return 0;
}

static int read_files(lens_tokenizer *tokenizer, const lens_tokenizer_files *files, const json_t *whole, lens_error *err)
{
    const json_t *model = NULL, *added = json_object_get(whole, "added_tokens");
    if (whole && !(model = check_whole(whole, tokenizer->kind, tokenizer->path, err)))
        return -1;
    if (read_vocabulary(tokenizer, files, model, added, err) != 0)
        return -1;
    if ((tokenizer->kind == LENS_TOKENIZER_WORDPIECE ? read_wordpiece(tokenizer, err) : read_clip(tokenizer, files, model, err)) != 0)
        return -1;
    if (tokenizer->kind != LENS_TOKENIZER_OPENCLIP && add_specials(tokenizer, added, err) != 0)
        return -1;
    lens_specials_sort(&tokenizer->specials);
    return 0;
}

lens_tokenizer *lens_tokenizer_parse(const lens_tokenizer_files *files, lens_tokenizer_kind kind, int context, lens_error *err)
{
    bool single = files->whole.bytes != NULL;
    if (context < 2) {
        lens_fail(err, LENS_E_ARGUMENT, "a context of %d tokens has no room for the first and the last", context);
        return NULL;
    }
    lens_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (tokenizer)
        tokenizer->path = strdup(single ? files->whole.name : files->vocabulary.name);
    if (!tokenizer || !tokenizer->path) {
        free(tokenizer);
        lens_fail_memory(err);
        return NULL;
    }
    tokenizer->kind = kind;
    tokenizer->context = context;
    json_t *whole = single ? lens_json_parse_small(files->whole.bytes, files->whole.size, LENS_VOCABULARY_VALUES, tokenizer->path, err) : NULL;
    int result = single && !whole ? -1 : read_files(tokenizer, files, whole, err);
    json_decref(whole);
    if (result != 0) {
        lens_tokenizer_close(tokenizer);
        tokenizer = NULL;
    }
    return tokenizer;
}

/* A file of FOLDER as it is opened. */
typedef struct opened {
    char *path;
    lens_buffer bytes;
} opened;

static int read_file(opened *file, struct lens_tokenizer_file *out, lens_error *err)
{
    if (lens_file_read(file->path, max_file, &file->bytes, err) != 0)
        return -1;
    *out = (struct lens_tokenizer_file){file->path, file->bytes.data ? file->bytes.data : "", file->bytes.size};
    return 0;
}

lens_tokenizer *lens_tokenizer_open(const char *folder, lens_tokenizer_kind kind, int context, lens_error *err)
{
    bool wordpiece = kind == LENS_TOKENIZER_WORDPIECE;
    opened vocabulary = {.path = lens_path_join(folder, wordpiece ? "vocab.txt" : "vocab.json")};
    opened merges = {.path = lens_path_join(folder, "merges.txt")};
    opened whole = {.path = lens_path_join(folder, "tokenizer.json")};
    lens_tokenizer_files files = {0};
    lens_tokenizer *tokenizer = NULL;
    int result = -1;
    if (!vocabulary.path || !merges.path || !whole.path)
        lens_fail_memory(err);
    else if (lens_file_exists(vocabulary.path) && (wordpiece || lens_file_exists(merges.path)))
        result = read_file(&vocabulary, &files.vocabulary, err) != 0 || (!wordpiece && read_file(&merges, &files.merges, err) != 0) ? -1 : 0;
    else if (lens_file_exists(whole.path))
        result = read_file(&whole, &files.whole, err);
    else
        lens_fail(err, LENS_E_MISSING, "%s: no vocabulary: neither %s nor tokenizer.json", folder,
                  wordpiece ? "vocab.txt" : "vocab.json with merges.txt");
    if (result == 0)
        tokenizer = lens_tokenizer_parse(&files, kind, context, err);
    opened *const all[] = {&vocabulary, &merges, &whole};
    for (size_t i = 0; i < 3; i++) {
        free(all[i]->path);
        lens_buffer_free(&all[i]->bytes);
    }
    return tokenizer;
}

void lens_tokenizer_close(lens_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    lens_specials_free(&tokenizer->specials);
    lens_bpe_free(tokenizer->bpe);
    lens_vocabulary_free(&tokenizer->vocabulary);
    free(tokenizer->path);
    free(tokenizer);
}

int lens_tokenizer_size(const lens_tokenizer *tokenizer)
{
    return tokenizer->vocabulary.size;
}

int lens_tokenizer_context(const lens_tokenizer *tokenizer)
{
    return tokenizer->context;
}

const char *lens_tokenizer_path(const lens_tokenizer *tokenizer)
{
    return tokenizer->path;
}

/* ---- running ---- */

/* Tokens of a stretch of text that holds no special one. */
static int run_stretch(const lens_tokenizer *tokenizer, const char *text, size_t size, lens_token_ids *ids, lens_error *err)
{
    if (size == 0 || lens_token_ids_full(ids))
        return 0;
    int result = 0;
    if (tokenizer->kind == LENS_TOKENIZER_WORDPIECE) {
        result = lens_wordpiece_run(&tokenizer->vocabulary, tokenizer->unknown, text, size, ids);
    } else {
        lens_points points = {0};
        lens_buffer clean = {0};
        result = lens_points_read(&points, text, size);
        if (result == 0)
            result = tokenizer->kind == LENS_TOKENIZER_OPENCLIP ? lens_openclip_clean(&points) : lens_clip_clean(&points);
        if (result == 0)
            result = lens_points_write(points.items, points.count, &clean);
        lens_points_free(&points);
        if (result == 0 && lens_bpe_run(tokenizer->bpe, clean.data, clean.size, ids, err) != 0) {
            lens_buffer_free(&clean);
            return -1;
        }
        lens_buffer_free(&clean);
    }
    return result == 0 ? 0 : lens_fail_memory(err);
}

int lens_tokenizer_run(const lens_tokenizer *tokenizer, const char *text, int32_t *ids, int *count, lens_error *err)
{
    lens_token_ids out = {ids, 0, tokenizer->context - 1};
    size_t size = strlen(text), begin = 0;
    *count = 0;
    lens_token_ids_push(&out, tokenizer->first);
    for (size_t at = 0; at < size && !lens_token_ids_full(&out);) {
        const lens_special *special = lens_specials_at(&tokenizer->specials, text + at, size - at);
        if (!special) {
            at++;
            continue;
        }
        if (run_stretch(tokenizer, text + begin, at - begin, &out, err) != 0)
            return -1;
        lens_token_ids_push(&out, special->id);
        begin = at += special->length;
    }
    if (run_stretch(tokenizer, text + begin, size - begin, &out, err) != 0)
        return -1;
    ids[out.count++] = tokenizer->last;
    *count = out.count;
    return 0;
}
