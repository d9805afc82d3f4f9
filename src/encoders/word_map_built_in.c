/* The map that is built in; word_map/README.md says what it was fitted on. */
#include "base/built_in.h"
#include "encoders/word_map.h"

LENS_BUILT_IN(lens_word_map_base, "src/encoders/word_map/base.bin")

lens_word_map *lens_word_map_built_in(lens_error *err)
{
    return lens_word_map_view(lens_word_map_base_begin, (size_t)(lens_word_map_base_end - lens_word_map_base_begin), "the map that is built in", err);
}
