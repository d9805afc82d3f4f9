#include "pixels/image.h"

#include <stdlib.h>

void lens_image_free(lens_image *image)
{
    free(image->rgb);
    *image = (lens_image){0};
}
