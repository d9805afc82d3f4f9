/* Not here yet: every model that knows words is refused. */
#include "encoders/tokenizer.h"

#include <stddef.h>

lens_tokenizer *lens_tokenizer_open(const char *folder, lens_tokenizer_kind kind, int context, lens_error *err)
{
    (void)kind, (void)context;
    lens_fail(err, LENS_E_UNSUPPORTED, "%s: this build has no tokenizers", folder);
    return NULL;
}

void lens_tokenizer_close(lens_tokenizer *tokenizer)
{
    (void)tokenizer;
}

int lens_tokenizer_size(const lens_tokenizer *tokenizer)
{
    (void)tokenizer;
    return 0;
}

int lens_tokenizer_context(const lens_tokenizer *tokenizer)
{
    (void)tokenizer;
    return 0;
}

const char *lens_tokenizer_path(const lens_tokenizer *tokenizer)
{
    (void)tokenizer;
    return "";
}

int lens_tokenizer_run(const lens_tokenizer *tokenizer, const char *text, int32_t *ids, int *count, lens_error *err)
{
    (void)tokenizer, (void)text, (void)ids, (void)count;
    return lens_fail(err, LENS_E_UNSUPPORTED, "this build has no tokenizers");
}
