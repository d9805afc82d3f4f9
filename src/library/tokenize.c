/* Words as a model's tokenizer has them, without the model. */
#include <stdlib.h>

#include "encoders/catalogue.h"
#include "text/tokenizer.h"
#include "library/internal.h"

struct lens_words {
    lens_tokenizer *tokenizer;
};

lens_words *lens_words_open(const char *model, lens_error *err)
{
    char *folder = lens_model_folder(model ? model : lens_catalogue_default, err);
    lens_words *words = folder ? calloc(1, sizeof *words) : NULL;
    if (folder && !words)
        lens_fail_memory(err);
    if (words && !(words->tokenizer = lens_encoder_tokenizer(folder, err))) {
        free(words);
        words = NULL;
    }
    free(folder);
    return words;
}

void lens_words_close(lens_words *words)
{
    if (!words)
        return;
    lens_tokenizer_close(words->tokenizer);
    free(words);
}

int lens_words_context(const lens_words *words)
{
    return lens_tokenizer_context(words->tokenizer);
}

int lens_words_tokens(const lens_words *words, const char *text, int32_t *ids, int *count, lens_error *err)
{
    return lens_tokenizer_run(words->tokenizer, text, ids, count, err);
}
