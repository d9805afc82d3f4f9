/* lens_fit_words: a map from words to what a model sees, fitted on the captions of the library's own pictures, beside what the built-in one was fitted on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"
#include "encoders/word_fit.h"
#include "library/sentences.h"
#include "library/word_bridge.h"
#include "store/texts.h"

enum { PICTURES_MOST = 20000, SENTENCES_A_PICTURE = 5, SENTENCE_LEAST = 3 /* bytes */, SEED = 1 };

/* What is fitted on, growing. */
typedef struct gathering {
    lens_store *store;
    const lens_store_vectors *vectors;
    float *pictures;   /* [picture_count, dim] */
    char **sentences;  /* [sentence_count] */
    size_t *owner;     /* [sentence_count] */
    size_t picture_count, picture_room, sentence_count, sentence_room;
    size_t of_this;    /* sentences of the present picture */
} gathering;

/* Each line of a caption is a sentence. What was read in a picture is not about how it looks. */
static int hear_text(void *context, const lens_store_text *text)
{
    gathering *self = context;
    if (!text->picture)
        return 0;
    for (const char *at = text->text; *at; at += *at == '\n') {
        const size_t size = strcspn(at, "\n");
        if (size >= SENTENCE_LEAST && self->of_this < SENTENCES_A_PICTURE) {
            size_t room = self->sentence_room;
            char **sentences = lens_list_room(self->sentences, self->sentence_count, &room, sizeof *sentences);
            if (sentences)
                self->sentences = sentences;
            size_t *owner = sentences ? lens_list_room(self->owner, self->sentence_count, &self->sentence_room, sizeof *owner) : NULL;
            if (owner)
                self->owner = owner;
            if (!owner || !(self->sentences[self->sentence_count] = strndup(at, size)))
                return -2;
            self->owner[self->sentence_count++] = self->picture_count;
            self->of_this++;
        }
        at += size;
    }
    return 0;
}

static int gather(gathering *self, lens_error *err)
{
    const size_t dim = (size_t)self->vectors->dim;
    int result = 0;
    /* Evenly, where there are more than are taken. */
    const size_t step = self->vectors->count / PICTURES_MOST + 1;
    for (size_t row = 0; row < self->vectors->count && result == 0; row += step) {
        self->of_this = 0;
        result = lens_store_texts_of(self->store, self->vectors->ids[row], hear_text, self, err);
        if (result != 0 || self->of_this == 0)
            continue;
        float *pictures = lens_list_room(self->pictures, self->picture_count, &self->picture_room, dim * sizeof *pictures);
        if (!pictures) {
            result = -2;
            break;
        }
        self->pictures = pictures;
        memcpy(pictures + self->picture_count++ * dim, self->vectors->data + (size_t)self->vectors->slots[row] * dim, dim * sizeof *pictures);
    }
    return result == -2 ? lens_fail_memory(err) : result;
}

static void free_gathering(gathering *self)
{
    for (size_t i = 0; i < self->sentence_count; i++)
        free(self->sentences[i]);
    free(self->sentences);
    free(self->owner);
    free(self->pictures);
}

/* The sentences' vectors: [sentence_count, words]. NULL on failure. The caller frees. */
static float *encode(const gathering *from, lens_session *session, int words, const lens_fit_options *options, lens_error *err)
{
    float *vectors = malloc((from->sentence_count + 1) * (size_t)words * sizeof *vectors);
    if (!vectors)
        lens_fail_memory(err);
    for (size_t i = 0; vectors && i < from->sentence_count; i++) {
        int result = lens_session_run_words(session, from->sentences[i], vectors + i * (size_t)words, err);
        if (result == 0 && options->event && i % 64 == 0) {
            const lens_index_event event = {.kind = LENS_INDEX_PROGRESS, .done = (int64_t)i, .total = (int64_t)from->sentence_count};
            if (!options->event(options->context, &event))
                result = lens_fail(err, LENS_E_CANCELLED, "stopped: nothing was changed");
        }
        if (result != 0) {
            free(vectors);
            return NULL;
        }
    }
    return vectors;
}

static lens_fit_recall recall_of(const lens_word_recall *from)
{
    return (lens_fit_recall){from->at_1, from->at_5, from->at_10};
}

static int fit(lens_library *library, const lens_store_model *model, const lens_encoder_info *words, const gathering *from, const float *sentences,
               const lens_fit_options *options, lens_fit_report *report, lens_error *err)
{
    const lens_word_map *base = lens_word_bridge_base(model);
    const lens_word_set set = {from->pictures, from->picture_count, model->dim, sentences, from->owner, from->sentence_count, words->dim};
    lens_word_recall before = {0}, after = {0};
    if (lens_word_cross(&set, NULL, base, LENS_WORD_OWN_WEIGHT, SEED, &before, &after, err) != 0)
        return -1;
    report->has_base = base != NULL;
    report->before = recall_of(&before);
    report->after = recall_of(&after);
    report->gallery = after.gallery;
    /* All three, as a small gallery has everything among its first ten. */
    report->kept = options->anyway || !base || after.at_1 + after.at_5 + after.at_10 > before.at_1 + before.at_5 + before.at_10;
    if (!report->kept)
        return 0;
    char about_text[160];
    snprintf(about_text, sizeof about_text, "%zu captions of %zu pictures of one's own%s", from->sentence_count, from->picture_count,
             base ? ", beside what the built-in map was fitted on" : "");
    const lens_word_map_about about = {words->variant, model->name, words->fingerprint, model->fingerprint, about_text};
    lens_word_map *map = lens_word_fit_set(&set, NULL, base, LENS_WORD_OWN_WEIGHT, &about, err);
    char *path = map ? options->out ? strdup(options->out) : lens_word_bridge_path(library->place.folder, model) : NULL;
    int result = -1;
    if (map && !path)
        lens_fail_memory(err);
    else if (map)
        result = lens_word_map_write(map, path, err);
    report->kept = result == 0;
    report->path = result == 0 ? path : NULL;
    if (result != 0)
        free(path);
    lens_word_map_free(map);
    return result;
}

int lens_fit_undo(lens_library *library, const char *model_name, lens_error *err)
{
    lens_store_model model = {0};
    lens_store *store = lens_library_reader(library, err);
    int result = store ? lens_library_model(store, &library->place, model_name, false, &model, err) : -1;
    char *path = result == 0 ? lens_word_bridge_path(library->place.folder, &model) : NULL;
    if (result == 0 && !path)
        result = lens_fail_memory(err);
    if (path && !lens_file_exists(path))
        result = lens_fail(err, LENS_E_MISSING, "%s: no map was fitted for %s", library->place.shown, model.name);
    else if (path)
        result = lens_file_remove(path, err);
    free(path);
    free(model.name);
    if (store)
        lens_library_reader_done(library, store);
    return result;
}

int lens_fit_words(lens_library *library, const lens_fit_options *options, lens_fit_report *report, lens_error *err)
{
    *report = (lens_fit_report){0};
    lens_store_model model = {0};
    lens_store_vectors vectors = {0};
    gathering from = {.store = lens_library_reader(library, err), .vectors = &vectors};
    lens_encoder *encoder = NULL;
    lens_session *session = NULL;
    float *sentences = NULL;
    int result = from.store ? lens_library_model(from.store, &library->place, options->model, false, &model, err) : -1;
    if (result == 0)
        result = lens_store_vectors_open(from.store, model.id, NULL, 0, &vectors, err);
    if (result == 0)
        result = lens_store_vectors_fit(&vectors, model.dim, err);
    if (result == 0)
        result = gather(&from, err);
    report->pictures = (int64_t)from.picture_count;
    report->sentences = (int64_t)from.sentence_count;
    if (result == 0 && from.picture_count < 2 * LENS_WORD_FOLDS)
        result = lens_fail(err, LENS_E_ARGUMENT, "%zu pictures of this library have captions, and fitting takes %d at least: see memelens index --captions",
                           from.picture_count, 2 * LENS_WORD_FOLDS);
    if (result == 0 && !lens_sentence_model_here())
        result = lens_fail(err, LENS_E_MISSING, "fitting needs the model of sentences: run `memelens pull " LENS_SENTENCE_MODEL "`");
    if (result == 0 && (!(encoder = lens_model_encoder(LENS_SENTENCE_MODEL, "f32", LENS_TOWER_WORDS, err)) || !(session = lens_session_new(encoder, 1, 1, err)) ||
                        !(sentences = encode(&from, session, lens_encoder_about(encoder)->dim, options, err))))
        result = -1;
    if (result == 0)
        result = fit(library, &model, lens_encoder_about(encoder), &from, sentences, options, report, err);
    free(sentences);
    lens_session_free(session);
    lens_encoder_close(encoder);
    free_gathering(&from);
    lens_store_vectors_free(&vectors);
    free(model.name);
    if (from.store)
        lens_library_reader_done(library, from.store);
    return result;
}

void lens_fit_report_free(lens_fit_report *report)
{
    free(report->path);
    *report = (lens_fit_report){0};
}
