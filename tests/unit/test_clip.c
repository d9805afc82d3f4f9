/* src/encoders/clip.c on small models with random weights: both forms against each other and against a pass in double precision that is
 * written here from docs/MODELS.md, and every way in which weights and configuration can disagree. */
#include <math.h>
#include <unistd.h>

#include "encoders/family.h"
#include "golden.h"
#include "support.h"
#include "vocabulary.h"
#include "weights.h"

/* Nothing here is what a published model has, so that nothing can be hard-coded: a side that patches do not fill, three heads, another
 * epsilon and another width of the MLP in each tower. */
enum { SIZE = 20, PATCH = 6, GRID = 3, TOKENS = GRID * GRID + 1, CONTEXT = 21, VOCABULARY = TEST_CLIP_SIZE, DIM = 12 };

static const struct shape {
    const char *prefix, *before, *positions, *after, *projection;
    int width, layers, heads, mlp, rows;
    double epsilon;
} shapes[2] = {
    {"vision_model.", "pre_layrnorm", "embeddings.position_embedding.weight", "post_layernorm", "visual_projection.weight", 24, 3, 3, 40,
     TOKENS, 1e-2},
    {"text_model.", NULL, "embeddings.position_embedding.weight", "final_layer_norm", "text_projection.weight", 16, 2, 4, 48, CONTEXT, 1e-5},
};

#define VISION(size, patch, layers, heads) \
    "\"vision_config\":{\"hidden_size\":24,\"intermediate_size\":40,\"num_hidden_layers\":" layers ",\"num_attention_heads\":" heads "," \
    "\"image_size\":" size ",\"patch_size\":" patch ",\"layer_norm_eps\":0.01,\"hidden_act\":\"quick_gelu\"}"
#define TEXT(vocabulary, end) \
    "\"text_config\":{\"hidden_size\":16,\"intermediate_size\":48,\"num_hidden_layers\":2,\"num_attention_heads\":4," \
    "\"max_position_embeddings\":21,\"vocab_size\":" vocabulary ",\"eos_token_id\":" end ",\"hidden_act\":\"gelu\"}"
#define CONFIG(dim, vision, text) "{\"model_type\":\"clip\",\"projection_dim\":" dim "," vision "," text "}"

static const char good_config[] = CONFIG("12", VISION("20", "6", "3", "3"), TEXT("527", "29"));
static const char good_processor[] =
    "{\"size\":{\"shortest_edge\":20},\"crop_size\":20,\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.5,0.25,0.5]}";

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

static void make_tower(uint64_t *seed, const struct shape *shape)
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
    add(seed, "", shape->projection, 2, (int64_t[]){DIM, shape->width}, -0.5f, 0.5f);
}

static int make_weights(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int t = 0; t < 2; t++)
        make_tower(&seed, &shapes[t]);
    add_vector(&seed, shapes[0].prefix, "embeddings.class_embedding", shapes[0].width, -1, 1);
    add(&seed, shapes[0].prefix, "embeddings.patch_embedding.weight", 4, (int64_t[]){shapes[0].width, 3, PATCH, PATCH}, -0.2f, 0.2f);
    add(&seed, shapes[1].prefix, "embeddings.token_embedding.weight", 2, (int64_t[]){VOCABULARY, shapes[1].width}, -1, 1);
    add(&seed, "", "logit_scale", 0, NULL, 2, 3);
    return 0;
}

static int free_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < tensor_count; i++)
        free(tensors[i].numbers);
    return 0;
}

/* ---- model folders ----------------------------------------------------------------------------------------------- */

static void write_text(const char *folder, const char *name, const char *text)
{
    char *path = test_path(folder, "%s", name);
    test_write(path, text, strlen(text));
    free(path);
}

/* What is wrong with the weights of a folder. */
struct faults {
    const char *omit, *reshape, *nan_in; /* name a tensor */
    const char *more;                    /* a tensor that is there besides */
    bool half;                           /* no fault: 16 bits a number */
    bool cut;                            /* the file ends too early */
};

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

static char *folder_of(const char *config, const char *processor, const struct faults *faults)
{
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

/* The same weights under OpenCLIP's names: queries, keys and values in one, projections turned. Activations differ between this test's
 * towers, and cannot in OpenCLIP: QUICK says which both have here. */
static char *open_clip_folder(bool quick)
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
        const struct shape *shape = &shapes[t];
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
        float *turned = malloc((size_t)(DIM * width) * sizeof *turned);
        const float *straight = find(shape->projection)->numbers;
        for (int64_t d = 0; d < DIM; d++)
            for (int64_t i = 0; i < width; i++)
                turned[i * DIM + d] = straight[d * width + i];
        test_checkpoint_add(&checkpoint, projections[t], 2, (int64_t[]){width, DIM}, turned);
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

/* ---- the pass in double precision -------------------------------------------------------------------------------- */

static const float *numbers_of(const char *prefix, const char *name)
{
    char full[192];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return find(full)->numbers;
}

static void reference_norm(const char *prefix, const char *name, int width, double epsilon, const double *in, double *out)
{
    char part[96];
    snprintf(part, sizeof part, "%s.weight", name);
    const float *gamma = numbers_of(prefix, part);
    snprintf(part, sizeof part, "%s.bias", name);
    const float *beta = numbers_of(prefix, part);
    double mean = 0, variance = 0;
    for (int i = 0; i < width; i++)
        mean += in[i] / width;
    for (int i = 0; i < width; i++)
        variance += (in[i] - mean) * (in[i] - mean) / width;
    for (int i = 0; i < width; i++)
        out[i] = (in[i] - mean) / sqrt(variance + epsilon) * (double)gamma[i] + (double)beta[i];
}

static void reference_linear(const char *prefix, const char *name, int in, int out, const double *x, double *y)
{
    char part[96];
    snprintf(part, sizeof part, "%s.weight", name);
    const float *weight = numbers_of(prefix, part);
    snprintf(part, sizeof part, "%s.bias", name);
    const float *bias = numbers_of(prefix, part);
    for (int o = 0; o < out; o++) {
        y[o] = (double)bias[o];
        for (int i = 0; i < in; i++)
            y[o] += (double)weight[o * in + i] * x[i];
    }
}

enum { MOST = 48, ROWS = 32 }; /* floats of a row, rows */

/* X [tokens, width], in place, through all blocks; then the norm and the projection of row TOKEN. */
static void reference_tower(const struct shape *shape, bool causal, bool quick, double x[ROWS][MOST], int tokens, int token,
                            double *features)
{
    const int width = shape->width, each = width / shape->heads;
    double normed[MOST], q[ROWS][MOST], k[ROWS][MOST], v[ROWS][MOST], mixed[ROWS][MOST], added[MOST], wide[MOST];
    for (int layer = 0; layer < shape->layers; layer++) {
        char block[64];
        snprintf(block, sizeof block, "%sencoder.layers.%d.", shape->prefix, layer);
        for (int t = 0; t < tokens; t++) {
            reference_norm(block, "layer_norm1", width, shape->epsilon, x[t], normed);
            reference_linear(block, "self_attn.q_proj", width, width, normed, q[t]);
            reference_linear(block, "self_attn.k_proj", width, width, normed, k[t]);
            reference_linear(block, "self_attn.v_proj", width, width, normed, v[t]);
        }
        for (int t = 0; t < tokens; t++)
            for (int h = 0; h < shape->heads; h++) {
                double weights[ROWS], sum = 0;
                int seen = causal ? t + 1 : tokens;
                for (int s = 0; s < seen; s++) {
                    double score = 0;
                    for (int i = h * each; i < (h + 1) * each; i++)
                        score += q[t][i] * k[s][i];
                    sum += weights[s] = exp(score / sqrt(each));
                }
                for (int i = h * each; i < (h + 1) * each; i++) {
                    mixed[t][i] = 0;
                    for (int s = 0; s < seen; s++)
                        mixed[t][i] += weights[s] / sum * v[s][i];
                }
            }
        for (int t = 0; t < tokens; t++) {
            reference_linear(block, "self_attn.out_proj", width, width, mixed[t], added);
            for (int i = 0; i < width; i++)
                x[t][i] += added[i];
            reference_norm(block, "layer_norm2", width, shape->epsilon, x[t], normed);
            reference_linear(block, "mlp.fc1", width, shape->mlp, normed, wide);
            for (int i = 0; i < shape->mlp; i++)
                wide[i] *= quick ? 1 / (1 + exp(-1.702 * wide[i])) : (1 + erf(wide[i] / sqrt(2))) / 2;
            reference_linear(block, "mlp.fc2", shape->mlp, width, wide, added);
            for (int i = 0; i < width; i++)
                x[t][i] += added[i];
        }
    }
    reference_norm(shape->prefix, shape->after, width, shape->epsilon, x[token], normed);
    const float *projection = numbers_of("", shape->projection);
    for (int d = 0; d < DIM; d++) {
        features[d] = 0;
        for (int i = 0; i < width; i++)
            features[d] += (double)projection[d * width + i] * normed[i];
    }
}

static void reference_picture(const float *pixels, bool quick, double *features)
{
    const struct shape *shape = &shapes[0];
    const float *kernel = numbers_of(shape->prefix, "embeddings.patch_embedding.weight"); /* [width, 3, patch, patch] */
    const float *first = numbers_of(shape->prefix, "embeddings.class_embedding"), *positions = numbers_of(shape->prefix, shape->positions);
    double x[ROWS][MOST];
    for (int t = 0; t < TOKENS; t++) {
        for (int o = 0; o < shape->width; o++) {
            double sum = t == 0 ? (double)first[o] : 0;
            for (int c = 0; c < 3 && t > 0; c++)
                for (int ky = 0; ky < PATCH; ky++)
                    for (int kx = 0; kx < PATCH; kx++) {
                        int row = (t - 1) / GRID * PATCH + ky, column = (t - 1) % GRID * PATCH + kx;
                        sum += (double)kernel[((o * 3 + c) * PATCH + ky) * PATCH + kx] * (double)pixels[(row * SIZE + column) * 3 + c];
                    }
            x[t][o] = sum + (double)positions[t * shape->width + o];
        }
        reference_norm(shape->prefix, shape->before, shape->width, shape->epsilon, x[t], x[t]);
    }
    reference_tower(shape, false, quick, x, TOKENS, 0, features);
}

static void reference_words(const int32_t *ids, int count, int end, bool quick, double *features)
{
    const struct shape *shape = &shapes[1];
    const float *tokens = numbers_of(shape->prefix, "embeddings.token_embedding.weight");
    const float *positions = numbers_of(shape->prefix, shape->positions);
    double x[ROWS][MOST];
    for (int t = 0; t < count; t++)
        for (int i = 0; i < shape->width; i++)
            x[t][i] = (double)tokens[ids[t] * shape->width + i] + (double)positions[t * shape->width + i];
    reference_tower(shape, true, quick, x, count, end, features);
}

/* ---- the pass against it ----------------------------------------------------------------------------------------- */

static double apart(const float *got, const double *expected)
{
    double worst = 0, largest = 0;
    for (int i = 0; i < DIM; i++) {
        worst = isnan(got[i]) ? INFINITY : fmax(worst, fabs((double)got[i] - expected[i]));
        largest = fmax(largest, fabs(expected[i]));
    }
    assert_true(largest > 0.1);
    if (!(worst < 2e-5))
        fail_msg("features are up to %g apart", worst);
    return worst;
}

enum { PIXELS = SIZE * SIZE * 3, PICTURES = 19 };

/* Features of PICTURES random pictures, in batches of BATCH. */
static void picture_features(const char *folder, lens_backend backend, int batch, int threads, const float *pixels, float *features)
{
    lens_error err = {0};
    lens_encoder *encoder = lens_encoder_open_on(folder, "random", LENS_PRECISION_F32, LENS_TOWER_PICTURES, backend, &err);
    assert_done(encoder ? 0 : -1, &err);
    assert_int_equal(lens_encoder_about(encoder)->dim, DIM);
    lens_session *session = lens_session_new(encoder, batch, threads, &err);
    assert_done(session ? 0 : -1, &err);
    for (int n = 0; n < PICTURES; n += batch) {
        int count = PICTURES - n < batch ? PICTURES - n : batch;
        assert_done(lens_session_features(session, pixels + n * PIXELS, count, features + n * DIM, &err), &err);
    }
    lens_session_free(session);
    lens_encoder_close(encoder);
}

static void test_pictures_are_as_documented(void **state)
{
    (void)state;
    char *folder = folder_of(good_config, good_processor, &(struct faults){0});
    float *pixels = lens_floats_new(PICTURES * PIXELS), features[PICTURES * DIM];
    uint64_t seed = 3;
    test_random_fill(&seed, -1, 1, PICTURES * PIXELS, pixels);
    double worst = 0, expected[PICTURES][DIM];
    for (int n = 0; n < PICTURES; n++)
        reference_picture(pixels + n * PIXELS, true, expected[n]);
    const int cases[][3] = {{LENS_BACKEND_ONEDNN, 1, 1}, {LENS_BACKEND_ONEDNN, 19, 1}, {LENS_BACKEND_ONEDNN, 16, 2},
                            {LENS_BACKEND_ONEDNN, 7, 3}, {LENS_BACKEND_PLAIN, 8, 1}}; /* backend, batch, threads */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        picture_features(folder, (lens_backend)cases[i][0], cases[i][1], cases[i][2], pixels, features);
        for (int n = 0; n < PICTURES; n++)
            worst = fmax(worst, apart(features + n * DIM, expected[n]));
    }
    printf("measured: pictures are at most %.2g from a pass in double precision\n", worst);
    test_folder_remove(folder);
    free(pixels);
}

static void test_words_are_as_documented(void **state)
{
    (void)state;
    static const struct {
        const char *end; /* in the configuration */
        int32_t ids[CONTEXT];
        int count, token;
    } cases[] = {
        {"29", {28, 3, 7, 29}, 4, 3},
        {"29", {28, 29, 30, 29}, 4, 1},                                                             /* the first end, not the largest */
        {"2", {28, 3, 30, 5, 30, 29}, 6, 2},                                                        /* 2: the first of the largest */
        {"29", {9, 3, 30, 5}, 4, 0},                                                                /* no end at all: the first token */
        {"29", {28, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 29}, CONTEXT, CONTEXT - 1},
        {"29", {28, 29}, 2, 1},
    };
    double worst = 0;
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *config = strcmp(cases[i].end, "2") == 0 ? CONFIG("12", VISION("20", "6", "3", "3"), TEXT("527", "2")) : good_config;
            char *folder = folder_of(config, good_processor, &(struct faults){0});
            test_words words = test_words_open(folder, (lens_backend)backend);
            assert_int_equal(words.facts.vocabulary, VOCABULARY);
            assert_string_equal(words.facts.embedding, "text_model.embeddings.token_embedding.weight");
            float features[DIM];
            double expected[DIM];
            test_words_run(&words, cases[i].ids, cases[i].count, features);
            reference_words(cases[i].ids, cases[i].count, cases[i].token, false, expected);
            worst = fmax(worst, apart(features, expected));
            test_words_close(&words);
            test_folder_remove(folder);
        }
    printf("measured: words are at most %.2g from a pass in double precision\n", worst);
}

static void test_the_form_of_open_clip(void **state)
{
    (void)state;
    float *pixels = lens_floats_new(PICTURES * PIXELS), features[PICTURES * DIM];
    uint64_t seed = 4;
    test_random_fill(&seed, -1, 1, PICTURES * PIXELS, pixels);
    const int32_t ids[] = {28, 4, 30, 0, 0}; /* padded with zeros, as OpenCLIP does */
    double worst = 0, expected[DIM];
    for (int quick = 0; quick < 2; quick++) {
        char *folder = open_clip_folder(quick);
        picture_features(folder, LENS_BACKEND_ONEDNN, 8, 1, pixels, features);
        for (int n = 0; n < PICTURES; n++) {
            reference_picture(pixels + n * PIXELS, quick, expected);
            worst = fmax(worst, apart(features + n * DIM, expected));
        }
        test_words words = test_words_open(folder, LENS_BACKEND_ONEDNN);
        assert_string_equal(words.facts.embedding, "token_embedding.weight");
        assert_int_equal(words.facts.preparation.corner, LENS_CORNER_ROUND);
        test_words_run(&words, ids, 5, features);
        reference_words(ids, 5, 2, quick, expected);
        worst = fmax(worst, apart(features, expected));
        assert_true(fabs(words.facts.logit_scale - exp((double)*find("logit_scale")->numbers)) < 1e-9);
        test_words_close(&words);
        if (quick) { /* the same pictures' tower as Hugging Face's: the same numbers */
            float same[PICTURES * DIM];
            char *other = folder_of(good_config, good_processor, &(struct faults){0});
            picture_features(folder, LENS_BACKEND_ONEDNN, 8, 1, pixels, features);
            picture_features(other, LENS_BACKEND_ONEDNN, 8, 1, pixels, same);
            assert_memory_equal(features, same, sizeof same);
            test_folder_remove(other);
        }
        test_folder_remove(folder);
    }
    printf("measured: OpenCLIP's form is at most %.2g from a pass in double precision\n", worst);
    free(pixels);
}

static void test_half_precision(void **state)
{
    (void)state;
    float *pixels = lens_floats_new(PICTURES * PIXELS), features[2][PICTURES * DIM];
    uint64_t seed = 5;
    test_random_fill(&seed, -1, 1, PICTURES * PIXELS, pixels);
    for (int half = 0; half < 2; half++) {
        char *folder = folder_of(good_config, good_processor, &(struct faults){.half = half});
        picture_features(folder, LENS_BACKEND_ONEDNN, 8, 1, pixels, features[half]);
        test_folder_remove(folder);
    }
    assert_memory_equal(features[0], features[1], sizeof features[0]);
    free(pixels);
}

/* ---- disagreement ------------------------------------------------------------------------------------------------ */

static void test_what_disagrees_is_named(void **state)
{
    (void)state;
#define BLOCK "vision_model.encoder.layers.1."
#define WORDS "text_model.encoder.layers.1."
    static const struct {
        const char *config, *processor;
        struct faults faults;
        lens_tower towers;
        const char *says, *and;
    } cases[] = {
        {NULL, NULL, {.omit = BLOCK "mlp.fc1.weight"}, LENS_TOWER_PICTURES, "/model.safetensors", BLOCK "mlp.fc1.weight"},
        {NULL, NULL, {.omit = BLOCK "self_attn.k_proj.bias"}, LENS_TOWER_PICTURES, "/model.safetensors", BLOCK "self_attn.k_proj.bias"},
        {NULL, NULL, {.omit = "visual_projection.weight"}, LENS_TOWER_PICTURES, "/model.safetensors", "visual_projection.weight"},
        {NULL, NULL, {.omit = WORDS "layer_norm2.bias"}, LENS_TOWER_WORDS, "/model.safetensors", WORDS "layer_norm2.bias"},
        {NULL, NULL, {.reshape = BLOCK "self_attn.q_proj.weight"}, LENS_TOWER_PICTURES, BLOCK "self_attn.q_proj.weight", "[1, 24, 24], not [24, 24]"},
        {NULL, NULL, {.reshape = "logit_scale"}, LENS_TOWER_PICTURES, NULL, NULL}, /* a list of one is fine */
        {NULL, NULL, {.nan_in = BLOCK "self_attn.v_proj.weight"}, LENS_TOWER_PICTURES, "/model.safetensors", BLOCK "self_attn.v_proj.weight"},
        {NULL, NULL, {.nan_in = "vision_model.embeddings.class_embedding"}, LENS_TOWER_PICTURES, "/model.safetensors", "class_embedding"},
        {NULL, NULL, {.nan_in = "text_model.embeddings.token_embedding.weight"}, LENS_TOWER_WORDS, "/model.safetensors", "token_embedding"},
        {NULL, NULL, {.nan_in = "logit_scale"}, LENS_TOWER_PICTURES, "/model.safetensors", "logit_scale"},
        {NULL, NULL, {.cut = true}, LENS_TOWER_PICTURES, "/model.safetensors", ""},
        {NULL, NULL, {.more = "vision_model.encoder.layers.3.layer_norm1.weight"}, LENS_TOWER_PICTURES,
         "/config.json: vision_config.num_hidden_layers is 3", "vision_model.encoder.layers.3.layer_norm1.weight"},
        {NULL, NULL, {.more = "text_model.encoder.layers.99999999999.mlp"}, LENS_TOWER_WORDS, "/config.json: text_config.num_hidden_layers is 2",
         "layers.99999999999.mlp"},
        {NULL, NULL, {.more = BLOCK "ls_1.gamma"}, LENS_TOWER_PICTURES, BLOCK "ls_1.gamma", "no block of this build"},
        {NULL, NULL, {.more = "text_model.encoder.layers.0.mlp.fc1.weight.scale"}, LENS_TOWER_WORDS, "mlp.fc1.weight.scale", "no block of this build"},
        {CONFIG("12", VISION("20", "6", "2", "3"), TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES,
         "/config.json: vision_config.num_hidden_layers is 2", "vision_model.encoder.layers.2."},
        {CONFIG("12", VISION("20", "6", "4", "3"), TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES, "/model.safetensors",
         "vision_model.encoder.layers.3."},
        {CONFIG("12", VISION("20", "6", "3", "5"), TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES,
         "/config.json: vision_config.num_attention_heads", "24 does not come apart into 5 heads"},
        {CONFIG("12", VISION("20", "5", "3", "3"), TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES, "patch_embedding.weight",
         "[24, 3, 6, 6], not [24, 3, 5, 5]"},
        {CONFIG("12", VISION("25", "6", "3", "3"), TEXT("527", "29")), "{\"size\":25,\"crop_size\":25}", {0}, LENS_TOWER_PICTURES,
         "vision_model.embeddings.position_embedding.weight", "[10, 24], not [17, 24]"},
        {CONFIG("13", VISION("20", "6", "3", "3"), TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES, "visual_projection.weight",
         "[12, 24], not [13, 24]"},
        {CONFIG("12", VISION("20", "6", "3", "3"), TEXT("528", "29")), NULL, {0}, LENS_TOWER_WORDS, "text_model.embeddings.token_embedding.weight",
         "[527, 16], not [528, 16]"},
        /* All that a configuration asks for is checked before there is room made for it. */
        {CONFIG("12", VISION("4096", "32", "3", "3"), TEXT("16777216", "29")), "{\"size\":4096,\"crop_size\":4096}", {0}, LENS_TOWER_WORDS,
         "text_model.embeddings.token_embedding.weight", "[527, 16], not [16777216, 16]"},
        {NULL, "{\"size\":20,\"crop_size\":18}", {0}, LENS_TOWER_PICTURES, "/preprocessor_config.json: crop_size of 18 pixels", "the network sees 20"},
        {NULL, "", {0}, LENS_TOWER_PICTURES, "no preprocessor_config.json", "how pictures are prepared"},
        {NULL, "{\"size\":[1,2,3]}", {0}, LENS_TOWER_WORDS, "/preprocessor_config.json: size", ""},
        {NULL, "{", {0}, LENS_TOWER_PICTURES, "/preprocessor_config.json: bad JSON", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *processor = cases[i].processor ? cases[i].processor : good_processor;
        char *folder = folder_of(cases[i].config ? cases[i].config : good_config, *processor ? processor : NULL, &cases[i].faults);
        lens_error err = {0};
        lens_encoder *encoder = lens_encoder_open(folder, "faulty", LENS_PRECISION_F32, cases[i].towers, &err);
        if (!cases[i].says) {
            assert_done(encoder ? 0 : -1, &err);
            lens_encoder_close(encoder);
        } else {
            if (encoder)
                fail_msg("case %zu was opened: %s", i, cases[i].says);
            assert_says(&err, cases[i].says);
            assert_says(&err, cases[i].and);
            assert_says(&err, folder);
        }
        test_folder_remove(folder);
    }
}

static void write_vocabulary(const char *folder, const char *last)
{
    lens_buffer vocabulary = test_clip_vocabulary(), merges = test_clip_merges();
    *strrchr(vocabulary.data, '}') = '\0';
    vocabulary.size = strlen(vocabulary.data);
    assert_int_equal(lens_buffer_print(&vocabulary, "%s}", last), 0);
    write_text(folder, "vocab.json", vocabulary.data);
    write_text(folder, "merges.txt", merges.data);
    lens_buffer_free(&vocabulary), lens_buffer_free(&merges);
}

/* From text to vector, with a tokenizer. */
static void test_words_through_a_session(void **state)
{
    (void)state;
    assert_int_equal(VOCABULARY, 527); /* as the configurations here say */
    char *folder = folder_of(CONFIG("12", VISION("20", "6", "3", "3"), TEXT("527", "526")), good_processor, &(struct faults){0});
    write_vocabulary(folder, "");
    lens_error err = {0};
    lens_encoder *encoder = lens_encoder_open(folder, "words", LENS_PRECISION_F32, LENS_TOWER_BOTH, &err);
    assert_done(encoder ? 0 : -1, &err);
    lens_session *session = lens_session_new(encoder, 1, 1, &err);
    assert_done(session ? 0 : -1, &err);
    const int32_t ids[] = {TEST_FIRST, TEST_CAT, TEST_HAT, TEST_LAST};
    float vector[DIM], pixels[PIXELS];
    double expected[DIM], length = 0;
    reference_words(ids, 4, 3, false, expected);
    assert_done(lens_session_run_words(session, "Cat hat", vector, &err), &err);
    for (int i = 0; i < DIM; i++)
        length += expected[i] * expected[i];
    for (int i = 0; i < DIM; i++)
        assert_true(fabs((double)vector[i] - expected[i] / sqrt(length)) < 1e-5);
    /* The other tower is there too. */
    uint64_t seed = 6;
    test_random_fill(&seed, -1, 1, PIXELS, pixels);
    assert_done(lens_session_features(session, pixels, 1, vector, &err), &err);
    reference_picture(pixels, true, expected);
    apart(vector, expected);
    lens_session_free(session);
    lens_encoder_close(encoder);
    test_folder_remove(folder);
}

static void test_a_vocabulary_of_another_size(void **state)
{
    (void)state;
    char *folder = folder_of(good_config, good_processor, &(struct faults){0});
    write_vocabulary(folder, ",\"more\":527");
    lens_error err = {0};
    assert_null(lens_encoder_open(folder, "words", LENS_PRECISION_F32, LENS_TOWER_WORDS, &err));
    assert_says(&err, "/vocab.json: has 528 tokens, but tensor text_model.embeddings.token_embedding.weight");
    assert_says(&err, "has 527 rows");
    test_folder_remove(folder);
}

/* Everything that changes vectors changes the fingerprint; what was opened does not. */
static void test_fingerprints(void **state)
{
    (void)state;
    static const char *const configs[] = {
        good_config,
        CONFIG("12", VISION("20", "6", "3", "3"), TEXT("527", "2")),
        CONFIG("12", VISION("20", "6", "3", "4"), TEXT("527", "29")),
        CONFIG("12", VISION("21", "6", "3", "3"), TEXT("527", "29")),
        "{\"model_type\":\"clip\",\"projection_dim\":12," TEXT("527", "29") ",\"vision_config\":{\"hidden_size\":24,\"intermediate_size\":40,"
        "\"num_hidden_layers\":3,\"num_attention_heads\":3,\"image_size\":20,\"patch_size\":6,\"layer_norm_eps\":0.01,\"hidden_act\":\"gelu\"}}",
        "{\"model_type\":\"clip\",\"projection_dim\":12," TEXT("527", "29") ",\"vision_config\":{\"hidden_size\":24,\"intermediate_size\":40,"
        "\"num_hidden_layers\":3,\"num_attention_heads\":3,\"image_size\":20,\"patch_size\":6,\"layer_norm_eps\":0.011}}",
    };
    enum { COUNT = sizeof configs / sizeof *configs };
    lens_hash prints[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        const char *processor = strstr(configs[i], ":21,\"patch") ? "{\"size\":21,\"crop_size\":21}" : "{\"size\":20,\"crop_size\":20}";
        char *folder = folder_of(configs[i], processor, &(struct faults){0});
        lens_error err = {0};
        lens_encoder *encoder = lens_encoder_open(folder, "one", LENS_PRECISION_F32, LENS_TOWER_PICTURES, &err);
        assert_done(encoder ? 0 : -1, &err);
        prints[i] = lens_encoder_about(encoder)->fingerprint;
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(&prints[i], &prints[j], sizeof prints[i]);
        assert_true(lens_encoder_about(encoder)->words && lens_encoder_about(encoder)->pictures);
        lens_encoder_close(encoder);
        test_folder_remove(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures_are_as_documented), cmocka_unit_test(test_words_are_as_documented),
        cmocka_unit_test(test_the_form_of_open_clip),      cmocka_unit_test(test_half_precision),
        cmocka_unit_test(test_words_through_a_session),    cmocka_unit_test(test_a_vocabulary_of_another_size),
        cmocka_unit_test(test_what_disagrees_is_named),    cmocka_unit_test(test_fingerprints),
    };
    return cmocka_run_group_tests(tests, make_weights, free_weights);
}
