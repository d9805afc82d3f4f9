/* The library's door to decoding in processes of their own. */
#include "memelens.h"
#include "pixels/apart.h"
#include "pixels/decoders.h"
#include "pixels/helper_loop.h"

bool lens_decode_apart(int argc, char **argv, int *status)
{
    if (lens_helper_was(argc, argv, lens_decode_here, status))
        return true;
    lens_apart_begin(LENS_APART_SECONDS);
    return false;
}

void lens_decode_apart_end(void)
{
    lens_apart_end();
}

const char *lens_decode_apart_lacks(void)
{
    return lens_apart_lacks();
}
