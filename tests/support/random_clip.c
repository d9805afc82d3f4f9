#include "random_clip.h"

#include <math.h>
#include <unistd.h>

#include "support.h"
#include "weights.h"

const test_clip_shape test_clip_shapes[2] = {
    {"vision_model.", "pre_layrnorm", "embeddings.position_embedding.weight", "post_layernorm", "visual_projection.weight", 24, 3, 3, 40,
     CLIP_TOKENS, 1e-2},
    {"text_model.", NULL, "embeddings.position_embedding.weight", "final_layer_norm", "text_projection.weight", 16, 2, 4, 48, CLIP_CONTEXT, 1e-5},
};

/* ---- the weights, under Hugging Face's names --------------------------------------------------------------------- */

struct tensor {
    char name[96];
    int dims;
    int64_t shape[4];
    size_t count;
    float *numbers;
};

static struct tensor tensors[160];
static size_t tensor_count;

static struct tensor *find(const char *name)
{
    for (size_t i = 0; i < tensor_count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* Numbers that 16 bits hold exactly. */
static void add(uint64_t *seed, const char *prefix, const char *name, int dims, const int64_t *shape, float low, float high)
{
    assert_true(tensor_count < sizeof tensors / sizeof *tensors);
    struct tensor *tensor = &tensors[tensor_count++];
    snprintf(tensor->name, sizeof tensor->name, "%s%s", prefix, name);
    tensor->dims = dims;
    tensor->count = 1;
    for (int i = 0; i < dims; i++) {
        tensor->shape[i] = shape[i];
        tensor->count *= (size_t)shape[i];
    }
    tensor->numbers = malloc(tensor->count * sizeof *tensor->numbers);
    assert_non_null(tensor->numbers);
    test_random_fill(seed, low, high, tensor->count, tensor->numbers);
    for (size_t i = 0; i < tensor->count; i++)
        tensor->numbers[i] = roundf(tensor->numbers[i] * 256) / 256;
}

static void add_vector(uint64_t *seed, const char *prefix, const char *name, int64_t size, float low, float high)
{
    add(seed, prefix, name, 1, &size, low, high);
}

static void add_layer(uint64_t *seed, const char *prefix, const char *name, int64_t in, int64_t out)
{
    char full[96];
    float range = 1.5f / sqrtf((float)in);
    snprintf(full, sizeof full, "%s.weight", name);
    add(seed, prefix, full, 2, (int64_t[]){out, in}, -range, range);
    snprintf(full, sizeof full, "%s.bias", name);
    add_vector(seed, prefix, full, out, -0.3f, 0.3f);
}

static void add_norm(uint64_t *seed, const char *prefix, const char *name, int64_t width)
{
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    add_vector(seed, prefix, full, width, 0.5f, 1.5f);
    snprintf(full, sizeof full, "%s.bias", name);
    add_vector(seed, prefix, full, width, -0.3f, 0.3f);
}

static void make_tower(uint64_t *seed, const test_clip_shape *shape)
{
    const char *parts[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    for (int i = 0; i < shape->layers; i++) {
        char block[64], name[96];
        snprintf(block, sizeof block, "%sencoder.layers.%d.", shape->prefix, i);
        add_norm(seed, block, "layer_norm1", shape->width);
        add_norm(seed, block, "layer_norm2", shape->width);
        for (int p = 0; p < 4; p++) {
            snprintf(name, sizeof name, "self_attn.%s", parts[p]);
            add_layer(seed, block, name, shape->width, shape->width);
        }
        add_layer(seed, block, "mlp.fc1", shape->width, shape->mlp);
        add_layer(seed, block, "mlp.fc2", shape->mlp, shape->width);
    }
    if (shape->before)
        add_norm(seed, shape->prefix, shape->before, shape->width);
    add_norm(seed, shape->prefix, shape->after, shape->width);
    add(seed, shape->prefix, shape->positions, 2, (int64_t[]){shape->rows, shape->width}, -0.5f, 0.5f);
    add(seed, "", shape->projection, 2, (int64_t[]){CLIP_DIM, shape->width}, -0.5f, 0.5f);
}

int test_clip_draw(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int t = 0; t < 2; t++)
        make_tower(&seed, &test_clip_shapes[t]);
    add_vector(&seed, test_clip_shapes[0].prefix, "embeddings.class_embedding", test_clip_shapes[0].width, -1, 1);
    add(&seed, test_clip_shapes[0].prefix, "embeddings.patch_embedding.weight", 4, (int64_t[]){test_clip_shapes[0].width, 3, CLIP_PATCH, CLIP_PATCH}, -0.2f, 0.2f);
    add(&seed, test_clip_shapes[1].prefix, "embeddings.token_embedding.weight", 2, (int64_t[]){TEST_CLIP_SIZE, test_clip_shapes[1].width}, -1, 1);
    add(&seed, "", "logit_scale", 0, NULL, 2, 3);
    return 0;
}

int test_clip_forget(void **state)
{
    (void)state;
    for (size_t i = 0; i < tensor_count; i++)
        free(tensors[i].numbers);
    tensor_count = 0;
    return 0;
}

const float *test_clip_numbers(const char *prefix, const char *name)
{
    char full[192];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return find(full)->numbers;
}

/* ---- model folders ----------------------------------------------------------------------------------------------- */

static void write_text(const char *folder, const char *name, const char *text)
{
    char *path = test_path(folder, "%s", name);
    test_write(path, text, strlen(text));
    free(path);
}

/* As test_checkpoint_add, in half precision: NUMBERS are multiples of 1/256 below 8, all of them normal numbers of it. */
static void add_half(test_checkpoint *checkpoint, const struct tensor *tensor)
{
    size_t begin = checkpoint->data.size;
    lens_buffer *header = &checkpoint->header;
    lens_buffer_print(header, "%c\"%s\":{\"dtype\":\"F16\",\"shape\":[", header->size ? ',' : '{', tensor->name);
    for (int i = 0; i < tensor->dims; i++)
        lens_buffer_print(header, "%s%lld", i ? "," : "", (long long)tensor->shape[i]);
    lens_buffer_print(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + 2 * tensor->count);
    for (size_t i = 0; i < tensor->count; i++) {
        int exponent;
        float fraction = frexpf(fabsf(tensor->numbers[i]), &exponent); /* 0.5 to 1 */
        uint32_t bits = fraction > 0 ? (uint32_t)(exponent + 14) << 10 | (uint32_t)((fraction * 2 - 1) * 1024) : 0;
        bits |= tensor->numbers[i] < 0 ? 0x8000 : 0;
        const uint8_t bytes[2] = {(uint8_t)bits, (uint8_t)(bits >> 8)};
        assert_int_equal(lens_buffer_append(&checkpoint->data, bytes, 2), 0);
    }
}

static bool is(const char *fault, const char *name)
{
    return fault && strcmp(fault, name) == 0;
}

char *test_clip_folder(const char *config, const char *processor, const test_clip_faults *faults)
{
    static const test_clip_faults none;
    if (!faults)
        faults = &none;
    char *folder = test_folder_new(), *path = test_path(folder, "model.safetensors");
    test_checkpoint checkpoint = {0};
    for (size_t i = 0; i < tensor_count; i++) {
        struct tensor tensor = tensors[i];
        if (is(faults->omit, tensor.name))
            continue;
        if (is(faults->reshape, tensor.name)) { /* one dimension more, of the same numbers */
            memmove(tensor.shape + 1, tensor.shape, (size_t)tensor.dims * sizeof *tensor.shape);
            tensor.shape[0] = 1;
            tensor.dims++;
        }
        float last = tensor.numbers[tensor.count - 1];
        if (is(faults->nan_in, tensor.name))
            tensor.numbers[tensor.count - 1] = NAN;
        if (faults->half)
            add_half(&checkpoint, &tensor);
        else
            test_checkpoint_add(&checkpoint, tensor.name, tensor.dims, tensor.shape, tensor.numbers);
        tensor.numbers[tensor.count - 1] = last;
    }
    /* As files of older releases have it. */
    test_checkpoint_add(&checkpoint, "text_model.embeddings.position_ids", 2, (int64_t[]){1, 1}, (float[]){0});
    if (faults->more)
        test_checkpoint_add(&checkpoint, faults->more, 1, (int64_t[]){1}, (float[]){1});
    test_checkpoint_write(&checkpoint, path);
    if (faults->cut) {
        lens_buffer bytes = test_read(path);
        assert_int_equal(truncate(path, (off_t)bytes.size - 10), 0);
        lens_buffer_free(&bytes);
    }
    free(path);
    write_text(folder, "config.json", config);
    if (processor)
        write_text(folder, "preprocessor_config.json", processor);
    return folder;
}

/* Queries, keys and values in one, projections turned. */
char *test_open_clip_folder(bool quick)
{
    static const char *const renamed[][2] = {
        {"layer_norm1.weight", "ln_1.weight"}, {"layer_norm1.bias", "ln_1.bias"}, {"layer_norm2.weight", "ln_2.weight"},
        {"layer_norm2.bias", "ln_2.bias"}, {"self_attn.out_proj.weight", "attn.out_proj.weight"},
        {"self_attn.out_proj.bias", "attn.out_proj.bias"}, {"mlp.fc1.weight", "mlp.c_fc.weight"}, {"mlp.fc1.bias", "mlp.c_fc.bias"},
        {"mlp.fc2.weight", "mlp.c_proj.weight"}, {"mlp.fc2.bias", "mlp.c_proj.bias"}};
    static const char *const outside[][2] = {
        {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
        {"vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"},
        {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
        {"vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"}, {"vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"},
        {"vision_model.post_layernorm.weight", "visual.ln_post.weight"}, {"vision_model.post_layernorm.bias", "visual.ln_post.bias"},
        {"text_model.embeddings.token_embedding.weight", "token_embedding.weight"},
        {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
        {"text_model.final_layer_norm.weight", "ln_final.weight"}, {"text_model.final_layer_norm.bias", "ln_final.bias"}};
    static const char *const projections[2] = {"visual.proj", "text_projection"};
    static const char *const blocks[2] = {"visual.transformer.resblocks", "transformer.resblocks"};
    test_checkpoint checkpoint = {0};
    char name[128], from[128];
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        const struct tensor *tensor = find(outside[i][0]);
        test_checkpoint_add(&checkpoint, outside[i][1], tensor->dims, tensor->shape, tensor->numbers);
    }
    for (int t = 0; t < 2; t++) {
        const test_clip_shape *shape = &test_clip_shapes[t];
        int64_t width = shape->width;
        for (int layer = 0; layer < shape->layers; layer++) {
            for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
                snprintf(from, sizeof from, "%sencoder.layers.%d.%s", shape->prefix, layer, renamed[i][0]);
                snprintf(name, sizeof name, "%s.%d.%s", blocks[t], layer, renamed[i][1]);
                const struct tensor *tensor = find(from);
                test_checkpoint_add(&checkpoint, name, tensor->dims, tensor->shape, tensor->numbers);
            }
            float *packed = malloc((size_t)(3 * width * width) * sizeof *packed), *bias = malloc((size_t)(3 * width) * sizeof *bias);
            for (int p = 0; p < 3; p++) {
                snprintf(from, sizeof from, "%sencoder.layers.%d.self_attn.%c_proj.weight", shape->prefix, layer, "qkv"[p]);
                memcpy(packed + p * width * width, find(from)->numbers, (size_t)(width * width) * sizeof *packed);
                snprintf(from, sizeof from, "%sencoder.layers.%d.self_attn.%c_proj.bias", shape->prefix, layer, "qkv"[p]);
                memcpy(bias + p * width, find(from)->numbers, (size_t)width * sizeof *bias);
            }
            snprintf(name, sizeof name, "%s.%d.attn.in_proj_weight", blocks[t], layer);
            test_checkpoint_add(&checkpoint, name, 2, (int64_t[]){3 * width, width}, packed);
            snprintf(name, sizeof name, "%s.%d.attn.in_proj_bias", blocks[t], layer);
            test_checkpoint_add(&checkpoint, name, 1, (int64_t[]){3 * width}, bias);
            free(packed), free(bias);
        }
        float *turned = malloc((size_t)(CLIP_DIM * width) * sizeof *turned);
        const float *straight = find(shape->projection)->numbers;
        for (int64_t d = 0; d < CLIP_DIM; d++)
            for (int64_t i = 0; i < width; i++)
                turned[i * CLIP_DIM + d] = straight[d * width + i];
        test_checkpoint_add(&checkpoint, projections[t], 2, (int64_t[]){width, CLIP_DIM}, turned);
        free(turned);
    }
    test_checkpoint_add(&checkpoint, "logit_scale", 1, (int64_t[]){1}, find("logit_scale")->numbers); /* a list, as in some */
    char *folder = test_folder_new(), *path = test_path(folder, "open_clip_model.safetensors"), config[1024];
    test_checkpoint_write(&checkpoint, path);
    snprintf(config, sizeof config,
             "{\"model_cfg\":{\"embed_dim\":12,\"quick_gelu\":%s,\"vision_cfg\":{\"image_size\":[20,20],\"layers\":3,\"width\":24,"
             "\"head_width\":8,\"patch_size\":6,\"mlp_ratio\":1.6667,\"norm_kwargs\":{\"eps\":0.01},\"patch_dropout\":0.5},\"text_cfg\":{"
             "\"context_length\":21,\"vocab_size\":527,\"width\":16,\"heads\":4,\"layers\":2,\"mlp_ratio\":3.0}},\"preprocess_cfg\":{"
             "\"mean\":[0.5,0.5,0.5],\"std\":[0.5,0.25,0.5]}}", quick ? "true" : "false");
    write_text(folder, "open_clip_config.json", config);
    free(path);
    return folder;
}

void test_clip_write_vocabulary(const char *folder, const char *last)
{
    lens_buffer vocabulary = test_clip_vocabulary(), merges = test_clip_merges();
    *strrchr(vocabulary.data, '}') = '\0';
    vocabulary.size = strlen(vocabulary.data);
    assert_int_equal(lens_buffer_print(&vocabulary, "%s}", last), 0);
    write_text(folder, "vocab.json", vocabulary.data);
    write_text(folder, "merges.txt", merges.data);
    lens_buffer_free(&vocabulary), lens_buffer_free(&merges);
}
