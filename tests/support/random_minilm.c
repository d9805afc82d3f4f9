#include "random_minilm.h"

#include "support.h"

enum { WIDTH = MINILM_WIDTH, INNER = MINILM_INNER };

static const char words[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nred\ncat\n##s\nhat\n";

static void add(test_random_checkpoint *random, const char *prefix, const char *name, int64_t rows, int64_t columns, float low, float high)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    test_random_add(random, full, columns ? 2 : 1, (int64_t[]){rows, columns}, low, high);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char *path = test_path(folder, "%s", name);
    test_write(path, text, strlen(text));
    free(path);
}

char *test_minilm_folder(const char *config, const char *prefix, const test_faults *faults)
{
    test_random_checkpoint random = {.seed = 1};
    if (faults)
        random.faults = *faults;
    add(&random, prefix, "embeddings.word_embeddings.weight", MINILM_VOCABULARY, WIDTH, -0.1f, 0.1f);
    add(&random, prefix, "embeddings.position_embeddings.weight", MINILM_POSITIONS, WIDTH, -0.1f, 0.1f);
    add(&random, prefix, "embeddings.token_type_embeddings.weight", 2, WIDTH, -0.1f, 0.1f);
    add(&random, prefix, "embeddings.LayerNorm.weight", WIDTH, 0, 0.5f, 1.5f);
    add(&random, prefix, "embeddings.LayerNorm.bias", WIDTH, 0, -0.5f, 0.5f);
    const struct {
        const char *name;
        int rows, columns;
    } parts[] = {{"attention.self.query", WIDTH, WIDTH},   {"attention.self.key", WIDTH, WIDTH},
                 {"attention.self.value", WIDTH, WIDTH},   {"attention.output.dense", WIDTH, WIDTH},
                 {"attention.output.LayerNorm", WIDTH, 0}, {"intermediate.dense", INNER, WIDTH},
                 {"output.dense", WIDTH, INNER},           {"output.LayerNorm", WIDTH, 0}};
    for (int layer = 0; layer < MINILM_LAYERS; layer++)
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            char name[96];
            bool norm = parts[i].columns == 0;
            snprintf(name, sizeof name, "encoder.layer.%d.%s.weight", layer, parts[i].name);
            add(&random, prefix, name, parts[i].rows, parts[i].columns, norm ? 0.5f : -0.4f, norm ? 1.5f : 0.4f);
            snprintf(name, sizeof name, "encoder.layer.%d.%s.bias", layer, parts[i].name);
            add(&random, prefix, name, parts[i].rows, 0, -0.5f, 0.5f);
        }
    char *folder = test_folder_new();
    char *path = test_path(folder, "model.safetensors");
    test_checkpoint_write(&random.checkpoint, path);
    free(path);
    write_file(folder, "config.json", config);
    write_file(folder, "vocab.txt", words);
    return folder;
}
