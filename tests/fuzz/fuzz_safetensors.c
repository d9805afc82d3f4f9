/* Any bytes as a weights file: every tensor that opening lets through must be readable to its last byte. */
#include <stdint.h>
#include <stdlib.h>

#include "nn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lens_error err = {0};
    lens_weights *weights = lens_weights_view(data, size, "input", &err);
    if (!weights) {
        if (err.code == LENS_E_NONE || !err.message[0])
            abort(); /* refused without a word */
        return 0;
    }
    lens_hash hash;
    if (lens_weights_hash(weights, &hash, &err) != 0)
        abort();
    for (size_t i = 0; i < lens_weights_count(weights); i++) {
        const lens_tensor_view *tensor = lens_weights_at(weights, i);
        if (lens_weights_find(weights, tensor->name) != tensor)
            abort();
        free(lens_weights_read(weights, tensor->name, tensor->dims, tensor->shape, &err));
    }
    lens_weights_close(weights);
    return 0;
}
