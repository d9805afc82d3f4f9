/* grow SOURCE TARGET TIMES: makes the library TARGET, TIMES as large as SOURCE, of pictures that do not exist: each picture of SOURCE again and again, its
 * vectors moved a little by lot, its captions with other words between. For measuring queries at sizes that nobody wants to index for that. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "store/texts.h"
#include "words/tokens.h"

enum { BATCH = 500 };
static const double noise = 0.3; /* of a vector's length */

static uint64_t lot = 1;
static lens_error error;

static void die(void)
{
    fprintf(stderr, "grow: %s\n", error.message);
    exit(2);
}

static void moved(const float *from, float *to, int dim)
{
    double squares = 0;
    for (int i = 0; i < dim; i++) {
        const double step = ((double)lens_random_below(&lot, 2000001) / 1e6 - 1) * noise * sqrt(3.0 / dim);
        to[i] = (float)((double)from[i] + step);
        squares += (double)to[i] * (double)to[i];
    }
    for (int i = 0; i < dim; i++)
        to[i] = (float)((double)to[i] / sqrt(squares));
}

/* One model of SOURCE and what it is called in TARGET. */
typedef struct side {
    lens_store_vectors vectors;
    int64_t model;
} side;

static side open_side(lens_store *source, lens_store *target, const lens_store_model *model, bool sentences)
{
    side self = {0};
    if (lens_store_vectors_open(source, model->id, NULL, 0, &self.vectors, &error) != 0 ||
        (sentences ? lens_store_add_sentence_model : lens_store_add_model)(target, model->name, model->dim, model->fingerprint, &self.model, &error) != 0)
        die();
    return self;
}

typedef struct caption {
    char *text;
} caption;

static int keep_text(void *context, const lens_store_text *text)
{
    caption *self = context;
    if (!self->text)
        self->text = strdup(text->text);
    return 0;
}

/* TEXT with two in five of its words exchanged for words of OTHER. The caller frees. */
static char *mixed(const char *text, const char *other)
{
    lens_buffer out = {0};
    for (const char *at = text; *at;) {
        const size_t size = strcspn(at, " ");
        const char *word = at;
        size_t length = size;
        if (*other && lens_random_below(&lot, 5) < 2) {
            word = other;
            length = strcspn(other, " ");
            other += length + (other[length] == ' ');
        }
        lens_buffer_print(&out, "%s%.*s", out.size ? " " : "", (int)length, word);
        at += size + (at[size] == ' ');
    }
    return out.data ? out.data : strdup("");
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: grow SOURCE TARGET TIMES\n"), 2;
    lens_store *source = lens_store_open(argv[1], LENS_STORE_READ, 0, &error), *target = source ? lens_store_open(argv[2], LENS_STORE_WRITE, 0, &error) : NULL;
    lens_store_models models, sentence_models;
    int64_t caption_source;
    if (!target || lens_store_models_list(source, &models, &error) != 0 || lens_store_sentence_models(source, &sentence_models, &error) != 0 ||
        lens_store_source_put(target, "/grown/captions.tsv", LENS_SOURCE_FILE, NULL, &caption_source, &error) != 0 || lens_store_add_root(target, "/grown", &error) != 0)
        die();
    side pictures = open_side(source, target, &models.items[0], false), sentences = {0};
    if (sentence_models.count)
        sentences = open_side(source, target, &sentence_models.items[0], true);
    const size_t count = pictures.vectors.count, dim = (size_t)pictures.vectors.dim, sentence_dim = (size_t)sentences.vectors.dim;
    char **texts = calloc(count + 1, sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        caption found = {NULL};
        lens_store_texts_of(source, pictures.vectors.ids[i], keep_text, &found, NULL);
        texts[i] = found.text ? found.text : strdup("");
    }
    float *vectors = malloc(BATCH * dim * sizeof *vectors), *meanings = malloc(BATCH * (sentence_dim + 1) * sizeof *meanings);
    const size_t total = count * (size_t)atoi(argv[3]);
    for (size_t at = 0; at < total; at += BATCH) {
        lens_store_entry entries[BATCH] = {0};
        struct lens_store_vector rows[BATCH];
        lens_store_caption captions[BATCH];
        int64_t ids[BATCH], contents[BATCH];
        size_t size = total - at < BATCH ? total - at : BATCH, said = 0;
        for (size_t i = 0; i < size; i++) {
            const size_t from = (at + i) % count;
            char path[64];
            snprintf(path, sizeof path, "/grown/%08zu.jpg", at + i);
            moved(pictures.vectors.data + (size_t)pictures.vectors.slots[from] * dim, vectors + i * dim, (int)dim);
            rows[i] = (struct lens_store_vector){pictures.model, vectors + i * dim};
            entries[i] = (lens_store_entry){.path = strdup(path), .size = 1, .mtime_ns = 1, .hash = lens_hash_of(path, strlen(path)), .width = 400, .height = 400,
                                            .format = "JPEG", .vector_count = 1, .vectors = &rows[i]};
        }
        if (lens_store_write(target, entries, size, ids, &error) != 0)
            die();
        for (size_t i = 0; i < size; i++) {
            char *text = mixed(texts[(at + i) % count], texts[lens_random_below(&lot, count)]);
            if (*text)
                captions[said++] = (lens_store_caption){ids[i], text, lens_text_folded(text)};
            lens_store_content_by_hash(target, entries[i].hash, &contents[i], NULL);
            if (sentence_dim)
                moved(sentences.vectors.data + (size_t)sentences.vectors.slots[(at + i) % sentences.vectors.count] * sentence_dim, meanings + i * sentence_dim, (int)sentence_dim);
            free((void *)entries[i].path);
        }
        if (lens_store_captions_write(target, caption_source, 0, 0, captions, said, false, NULL, &error) != 0 ||
            (sentence_dim && lens_store_sentences_write(target, sentences.model, contents, meanings, size, &error) != 0))
            die();
        for (size_t i = 0; i < said; i++) {
            free((void *)captions[i].text);
            free((void *)captions[i].folded);
        }
    }
    lens_store_close(target);
    printf("%zu pictures\n", total);
    return 0;
}
