#include "word_pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "compare/tsv.h"
#include "library/internal.h"
#include "nn/safetensors.h"

enum { MOST_NAMES = 1 << 20 };

static int embed(lens_model *model, lens_term_kind kind, const char *text, float *vector, lens_error *err)
{
    return lens_model_embed(model, &(lens_term){.kind = kind, .text = text, .weight = 1}, 0, vector, err);
}

/* A picture is the run of lines that name it. */
static int read_table(const lens_tsv *table, const char *folder, lens_model *words, lens_model *pictures, lens_word_set *set, lens_error *err)
{
    const int file = lens_tsv_column(table, "file"), caption = lens_tsv_column(table, "caption");
    if (file < 0 || caption < 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: a table with the columns 'file' and 'caption' is needed", folder);
    set->dim = lens_model_dim(pictures);
    set->words = lens_model_dim(words);
    const size_t dim = (size_t)set->dim, each = (size_t)set->words;
    float *picture = malloc((table->count + 1) * dim * sizeof *picture), *sentence = malloc((table->count + 1) * each * sizeof *sentence);
    size_t *owner = malloc((table->count + 1) * sizeof *owner);
    set->pictures = picture;
    set->sentences = sentence;
    set->owner = owner;
    if (!picture || !sentence || !owner)
        return lens_fail_memory(err);
    for (size_t r = 0; r < table->count; r++) {
        char *const *cells = table->rows[r].cells;
        if (r == 0 || strcmp(cells[file], table->rows[r - 1].cells[file]) != 0) {
            char *path = lens_path_join(folder, cells[file]);
            int result = path ? embed(pictures, LENS_TERM_FILE, path, picture + set->picture_count * dim, err) : lens_fail_memory(err);
            free(path);
            if (result != 0)
                return -1;
            set->picture_count++;
        }
        if (embed(words, LENS_TERM_WORDS, cells[caption], sentence + r * each, err) != 0)
            return -1;
        owner[set->sentence_count++] = set->picture_count - 1;
    }
    return 0;
}

static int read_captions(const char *path, lens_model *words, lens_model *pictures, lens_word_set *set, lens_error *err)
{
    lens_tsv table;
    if (lens_tsv_read(path, &table, err) != 0)
        return -1;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int result = folder ? read_table(&table, folder, words, pictures, set, err) : lens_fail_memory(err);
    free(folder);
    lens_tsv_free(&table);
    return result;
}

/* NAMES are the lines of a file, which are cut at their ends. */
static int name_classes(char *names, const char *path, lens_model *words, lens_word_classes *classes, lens_error *err)
{
    const size_t each = (size_t)lens_model_dim(words), count = classes->count;
    float *sentences = malloc(LENS_WORD_WORDINGS * count * each * sizeof *sentences);
    classes->sentences = sentences;
    classes->wordings = LENS_WORD_WORDINGS;
    if (!sentences)
        return lens_fail_memory(err);
    char *rest = NULL, *name = strtok_r(names, "\n", &rest);
    size_t found = 0;
    for (; name && found < count; name = strtok_r(NULL, "\n", &rest), found++) {
        char photo[512];
        snprintf(photo, sizeof photo, "a photo of a %s", name);
        if (embed(words, LENS_TERM_WORDS, name, sentences + found * each, err) != 0 ||
            embed(words, LENS_TERM_WORDS, photo, sentences + (count + found) * each, err) != 0)
            return -1;
    }
    return found == count && !name ? 0 : lens_fail(err, LENS_E_FORMAT, "%s: not the names of the classifier's %zu classes", path, count);
}

static int read_classes(const char *path, lens_model *words, const lens_model *pictures, lens_word_pairs *out, lens_error *err)
{
    char *file = lens_path_join(lens_encoder_about(pictures->encoder)->folder, "model.safetensors");
    lens_weights *weights = file ? lens_weights_open(file, err) : NULL;
    lens_buffer names = {0};
    const lens_tensor_view *bias = lens_weights_find(weights, "classifier.bias");
    int result = -1;
    if (!file) {
        lens_fail_memory(err);
    } else if (weights && !bias) {
        lens_fail(err, LENS_E_UNSUPPORTED, "%s: has no classifier", file);
    } else if (weights && lens_file_read(path, MOST_NAMES, &names, err) == 0) {
        out->classes.count = (size_t)bias->count;
        out->bias = lens_weights_read(weights, "classifier.bias", 1, (int64_t[]){-1}, err);
        out->classes.rows = lens_weights_read(weights, "classifier.weight", 2, (int64_t[]){bias->count, lens_model_dim(pictures)}, err);
        if (out->bias && out->classes.rows)
            result = name_classes(names.data ? names.data : (char[]){""}, path, words, &out->classes, err);
    }
    lens_buffer_free(&names);
    lens_weights_close(weights);
    free(file);
    return result;
}

int lens_word_pairs_read(const char *captions, const char *classes, const char *words_model, const char *pictures_model, const char *precision,
                         lens_word_pairs *out, lens_error *err)
{
    *out = (lens_word_pairs){0};
    lens_model *words = lens_model_open(words_model, precision, LENS_WORDS, err);
    lens_model *pictures = words ? lens_model_open(pictures_model, precision, LENS_PICTURES, err) : NULL;
    int result = -1;
    if (pictures) {
        out->words_print = lens_encoder_about(words->encoder)->fingerprint;
        out->pictures_print = lens_encoder_about(pictures->encoder)->fingerprint;
        result = read_captions(captions, words, pictures, &out->set, err);
        if (result == 0)
            result = read_classes(classes, words, pictures, out, err);
    }
    lens_model_close(pictures);
    lens_model_close(words);
    if (result != 0)
        lens_word_pairs_free(out);
    return result;
}

void lens_word_pairs_free(lens_word_pairs *pairs)
{
    free((float *)pairs->set.pictures);
    free((float *)pairs->set.sentences);
    free((size_t *)pairs->set.owner);
    free((float *)pairs->classes.rows);
    free((float *)pairs->classes.sentences);
    free(pairs->bias);
    *pairs = (lens_word_pairs){0};
}
