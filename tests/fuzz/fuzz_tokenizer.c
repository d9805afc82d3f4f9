/* Any bytes as a text, under each of the tokenizers: the ids stay within the vocabulary and the context, begin and end as they must, and
 * a smaller context only cuts. */
#include <stdint.h>

#include "text/tokenizer_internal.h"
#include "vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lens_tokenizer *open_kind(lens_tokenizer_kind kind, int context)
{
    lens_buffer vocabulary = test_clip_vocabulary(), merges = test_clip_merges();
    lens_tokenizer_files files = {
        .vocabulary = {"vocab.json", vocabulary.data, vocabulary.size},
        .merges = {"merges.txt", merges.data, merges.size},
    };
    if (kind == LENS_TOKENIZER_WORDPIECE)
        files.vocabulary = (struct lens_tokenizer_file){"vocab.txt", test_wordpiece_lines, sizeof test_wordpiece_lines - 1};
    lens_tokenizer *tokenizer = lens_tokenizer_parse(&files, kind, context, NULL);
    if (!tokenizer)
        abort();
    lens_buffer_free(&vocabulary);
    lens_buffer_free(&merges);
    return tokenizer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SMALL = 7, LARGE = 4096 };
    static lens_tokenizer *tokenizers[3][2];
    static int32_t ids[2][LARGE];
    if (!tokenizers[0][0])
        for (int kind = 0; kind < 3; kind++) {
            tokenizers[kind][0] = open_kind((lens_tokenizer_kind)kind, SMALL);
            tokenizers[kind][1] = open_kind((lens_tokenizer_kind)kind, LARGE);
        }
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    for (size_t i = 0; i < size; i++)
        text[i] = data[i] ? (char)data[i] : ' ';
    text[size] = '\0';
    for (int kind = 0; kind < 3; kind++) {
        int counts[2];
        for (int i = 0; i < 2; i++) {
            int limit = i ? LARGE : SMALL;
            if (lens_tokenizer_run(tokenizers[kind][i], text, ids[i], &counts[i], NULL) != 0 || counts[i] < 2 || counts[i] > limit)
                abort();
            for (int j = 0; j < counts[i]; j++)
                if (ids[i][j] < 0 || ids[i][j] >= lens_tokenizer_size(tokenizers[kind][i]))
                    abort();
        }
        if (counts[0] != (counts[1] < SMALL ? counts[1] : SMALL) || memcmp(ids[0], ids[1], (size_t)(counts[0] - 1) * sizeof **ids) != 0 ||
            ids[0][counts[0] - 1] != ids[1][counts[1] - 1])
            abort();
    }
    free(text);
    return 0;
}
