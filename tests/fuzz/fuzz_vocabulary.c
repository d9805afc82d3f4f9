/* Any bytes as the files of a vocabulary. The first byte says which: those of our own are spoilt by what follows, or all of it is the
 * file. What is taken must then work. */
#include <stdint.h>

#include "text/tokenizer_internal.h"
#include "vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* GOOD with the bytes of DATA from the place on that its first two name. */
static void spoil(lens_buffer *good, const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    size_t place = ((size_t)data[0] << 8 | data[1]) % good->size;
    size_t length = size - 2 < good->size - place ? size - 2 : good->size - place;
    if (length)
        memcpy(good->data + place, data + 2, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned choice = data[0] % 8;
    data++;
    size--;
    lens_tokenizer_kind kind = choice == 2 || choice == 3 ? LENS_TOKENIZER_WORDPIECE : choice == 7 ? LENS_TOKENIZER_OPENCLIP : LENS_TOKENIZER_CLIP;
    lens_buffer vocabulary = test_clip_vocabulary(), merges = test_clip_merges(), whole = test_clip_whole((int)size % 2);
    struct lens_tokenizer_file given = {"given", size ? (const char *)data : "", size};
    lens_tokenizer_files files = {.vocabulary = {"vocab.json", vocabulary.data, vocabulary.size},
                                  .merges = {"merges.txt", merges.data, merges.size}};
    switch (choice) {
    case 0: files.vocabulary = given; break;
    case 1: files.merges = given; break;
    case 2: files.vocabulary = given; break;
    case 3: files.whole = given; break;
    case 4: files.whole = given; break;
    case 5: spoil(&vocabulary, data, size); break;
    case 6: spoil(&merges, data, size); break;
    case 7:
        spoil(&whole, data, size);
        files.whole = (struct lens_tokenizer_file){"tokenizer.json", whole.data, whole.size};
        break;
    }
    lens_error err = {0};
    lens_tokenizer *tokenizer = lens_tokenizer_parse(&files, kind, 77, &err);
    if (!tokenizer && (err.code == LENS_E_NONE || !err.message[0] || strchr(err.message, '\n')))
        abort(); /* refused without a word, or with too many */
    static const char *const texts[] = {"", "cat's hello xxxxxxxxx \xc3\x89 &amp;", "<|endoftext|>[SEP]"};
    for (size_t i = 0; tokenizer && i < sizeof texts / sizeof *texts; i++) {
        int32_t ids[77];
        int count;
        if (lens_tokenizer_run(tokenizer, texts[i], ids, &count, &err) != 0 || count < 2 || count > 77)
            abort();
        for (int j = 0; j < count; j++)
            if (ids[j] < 0 || ids[j] >= lens_tokenizer_size(tokenizer))
                abort();
    }
    lens_tokenizer_close(tokenizer);
    lens_buffer_free(&vocabulary);
    lens_buffer_free(&merges);
    lens_buffer_free(&whole);
    return 0;
}
