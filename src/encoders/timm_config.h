/* config.json as timm publishes it: the architecture's name, and in "pretrained_cfg" how its pictures are prepared. */
#ifndef LENS_ENCODERS_TIMM_CONFIG_H
#define LENS_ENCODERS_TIMM_CONFIG_H

#include <jansson.h>

#include "encoders/family.h"

/* "tf_efficientnet_lite0", or NULL when CONFIG is not timm's. Lives as long as CONFIG. */
const char *lens_timm_architecture(const json_t *config);

/* Fills PREPARATION from input_size, interpolation, crop_pct, mean, std and (where present) crop_mode. All but the last
 * must be there: timm has defaults for them, but a guess that is wrong would not fail, only find worse. PATH stands in
 * messages. 0 or -1. */
int lens_timm_preparation(const json_t *config, const char *path, lens_preparation *preparation, lens_error *err);

/* Fails where SOURCE's configuration has another count of features than FEATURES, another pooling than the mean, or arguments of its own: the network would
 * be another, and give vectors all the same. 0 or -1. */
int lens_timm_check(const lens_model_source *source, int features, lens_error *err);

/* Fails where SOURCE's weights have the tensor NAME, which belongs to what would come behind the configuration's end. 0 or -1. */
int lens_timm_check_end(const lens_model_source *source, const char *name, lens_error *err);

#endif
