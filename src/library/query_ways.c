#include "library/query_ways.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "library/sentences.h"
#include "library/text_search.h"
#include "pixels/sniff.h"

int lens_ways_read(lens_ways *self, const lens_term *terms, size_t term_count, lens_error *err)
{
    const size_t room = term_count + 1;
    *self = (lens_ways){.terms = terms, .term_count = term_count};
    self->look_terms = calloc(room, sizeof *self->look_terms);
    self->look_at = calloc(room, sizeof *self->look_at);
    self->words = calloc(room, sizeof *self->words);
    self->wanted = calloc(room, sizeof *self->wanted);
    self->word_weights = calloc(room, sizeof *self->word_weights);
    self->meant = calloc(room, sizeof *self->meant);
    if (!self->meant || !self->look_terms || !self->look_at || !self->words || !self->wanted || !self->word_weights)
        return lens_fail_memory(err);
    for (size_t t = 0; t < self->term_count; t++) {
        const lens_term *term = &self->terms[t];
        if (!(fabs(term->weight) <= LENS_WEIGHT_MOST)) /* what is summed up is floats in the end */
            return lens_fail(err, LENS_E_ARGUMENT, "a weight must be a number from -%d to %d", LENS_WEIGHT_MOST, LENS_WEIGHT_MOST);
        if (term->kind != LENS_TERM_WORDS)
            continue;
        /* A mistyped name is no description of a picture. */
        if (lens_named_as_picture(term->text) && !strchr(term->text, ' '))
            return lens_fail(err, LENS_E_MISSING, "%s: no such file", term->text);
        lens_wanted *wanted = &self->wanted[self->word_count];
        if (lens_wanted_read(wanted, term->text) != 0) {
            lens_wanted_free(wanted);
            return lens_fail_memory(err);
        }
        self->word_weights[self->word_count] = term->weight;
        const lens_term plain = {.kind = LENS_TERM_WORDS, .text = wanted->plain, .weight = term->weight};
        self->words[self->word_count++] = plain;
        if (wanted->wants)
            self->meant[self->meant_count++] = plain;
    }
    return 0;
}

/* The model of sentences that this library has vectors of. 1, 0 when there is none, -1 on error. */
static int sentence_model(lens_store *store, lens_store_model *out, lens_error *err)
{
    lens_store_models models = {0};
    if (lens_store_sentence_models(store, &models, err) != 0)
        return -1;
    int found = 0;
    for (size_t i = 0; i < models.count && !found; i++) {
        char *folder = models.items[i].vectors ? lens_model_folder(models.items[i].name, NULL) : NULL;
        if (folder) {
            *out = models.items[i];
            out->name = strdup(models.items[i].name);
            found = out->name ? 1 : lens_fail_memory(err);
        }
        free(folder);
    }
    lens_store_models_free(&models);
    return found;
}

/* The terms that the model of the look is asked: all, or without WORDS those that are pictures. */
static void take_look_terms(lens_ways *self, bool words)
{
    self->look_count = 0;
    for (size_t t = 0, w = 0; t < self->term_count; t++) {
        const bool is_words = self->terms[t].kind == LENS_TERM_WORDS;
        const lens_term *term = is_words ? &self->words[w++] : &self->terms[t];
        if (is_words && (!words || !self->wanted[w - 1].wants))
            continue;
        self->look_at[self->look_count] = t;
        self->look_terms[self->look_count++] = *term;
    }
}

/* Puts the library's first model in the place of LOOK, which was chosen for its words, where LOOK has seen only a part of what that has, as while its first run goes
 * on: what it has not seen would not be found by text and meaning either. 1 when it did, 0, or -1. */
static int pass_over(lens_library *library, lens_store *store, lens_store_model *look, lens_error *err)
{
    lens_store_model first = {0};
    if (lens_library_model_of(library, store, NULL, false, &first, err) != 0)
        return -1;
    const bool lacks = lens_library_lacks(look->vectors, first.vectors);
    free(lacks ? look->name : first.name);
    if (lacks)
        *look = first;
    return lacks;
}

int lens_ways_choose(lens_ways *self, lens_library *library, lens_store *store, const lens_search_options *options, lens_store_model *look,
                     lens_store_model *meaning, lens_error *err)
{
    const int wanted = options->by == LENS_BY_ALL ? LENS_BY_LOOK | LENS_BY_TEXT | LENS_BY_MEANING : options->by;
    const bool words = self->meant_count > 0;
    const int64_t texts = self->word_count ? lens_text_count(library, store, err) : 0;
    if (texts < 0)
        return -1;
    for (size_t w = 0; w < self->word_count && texts; w++)
        for (size_t i = 0; i < self->wanted[w].count; i++)
            self->sifts |= self->wanted[w].words[i].without || self->wanted[w].words[i].phrase;
    int meant = 0;
    if (words && texts && (wanted & LENS_BY_MEANING) && (meant = sentence_model(store, meaning, err)) < 0)
        return -1;
    if (self->word_count && texts && (wanted & LENS_BY_TEXT))
        self->by |= LENS_BY_TEXT;
    if (meant)
        self->by |= LENS_BY_MEANING;
    lens_error why = {0};
    const bool look_words = words && (wanted & LENS_BY_LOOK);
    const bool looks = lens_library_model_of(library, store, options->model, look_words, look, &why) == 0;
    const int passed = looks && look_words && self->by && !options->model ? pass_over(library, store, look, err) : 0;
    if (passed < 0)
        return -1;
    take_look_terms(self, looks && look_words && !passed);
    if (!looks && why.code == LENS_E_UNSUPPORTED && self->by) { /* no model that knows words, but there are other ways */
        if (lens_library_model_of(library, store, options->model, false, look, err) != 0)
            return -1;
    } else if (!looks) {
        if (err)
            *err = why;
        return -1;
    }
    if (self->look_count) /* pictures go no other way */
        self->by |= LENS_BY_LOOK;
    if (!words && !self->look_count)
        return lens_fail(err, LENS_E_ARGUMENT, "nothing to search for: the words are only to be left out");
    if (self->by)
        return 0;
    if (!texts)
        return lens_fail(err, LENS_E_UNSUPPORTED, "nothing is written in this library yet: run `memelens ocr`, or `memelens index --captions FILE`");
    return lens_fail(err, LENS_E_UNSUPPORTED, "the meaning of words needs a model of sentences: run `memelens pull " LENS_SENTENCE_MODEL "`, then `memelens index`");
}

void lens_ways_free(lens_ways *self)
{
    for (size_t w = 0; w < self->word_count; w++)
        lens_wanted_free(&self->wanted[w]);
    free(self->wanted);
    free(self->words);
    free(self->meant);
    free(self->word_weights);
    free(self->look_terms);
    free(self->look_at);
}
