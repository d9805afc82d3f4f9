/* Small models of sentences like MiniLM, with weights drawn by lot. Nothing about them is what the published one has, so that nothing can be hard-coded. */
#ifndef LENS_TESTS_RANDOM_MINILM_H
#define LENS_TESTS_RANDOM_MINILM_H

#include "weights.h"

enum { MINILM_WIDTH = 24, MINILM_INNER = 40, MINILM_LAYERS = 2, MINILM_POSITIONS = 12, MINILM_VOCABULARY = 9 };

/* Configurations: the good one, and what it is made of, for others. All of them texts. */
#define MINILM_CONFIG(width, heads, layers, inner, positions, rest) \
    "{\"model_type\":\"bert\",\"hidden_size\":" width ",\"num_attention_heads\":" heads ",\"num_hidden_layers\":" layers \
    ",\"intermediate_size\":" inner ",\"max_position_embeddings\":" positions ",\"vocab_size\":9,\"type_vocab_size\":2," \
    "\"layer_norm_eps\":0.002" rest "}"
#define MINILM_GOOD_CONFIG MINILM_CONFIG("24", "3", "2", "40", "12", ",\"hidden_act\":\"gelu\",\"position_embedding_type\":\"absolute\"")

/* A new folder with such a model, the names of whose tensors begin with PREFIX, FAULTS (may be NULL), and a vocabulary: red, cat, ##s, hat. Undo with
 * test_folder_remove. */
char *test_minilm_folder(const char *config, const char *prefix, const test_faults *faults);

#endif
