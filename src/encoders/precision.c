/* The precisions: their names, what this processor can do, and what they mean for the rows of a transformer. */
#include <string.h>

#include "encoders/family.h"

static const char *const precision_names[] = {"auto", "f32", "bf16", "int8"};

int lens_precision_parse(const char *name, lens_precision *precision, lens_error *err)
{
    for (size_t i = 0; i < sizeof precision_names / sizeof *precision_names; i++)
        if (strcmp(name, precision_names[i]) == 0) {
            *precision = (lens_precision)i;
            return 0;
        }
    return lens_fail(err, LENS_E_ARGUMENT, "precision '%.32s' is not one of auto, f32, bf16, int8", name);
}

const char *lens_precision_name(lens_precision precision)
{
    size_t index = (size_t)precision;
    return index < sizeof precision_names / sizeof *precision_names ? precision_names[index] : "unknown";
}

int lens_precision_choose(const lens_family *family, const char *name, lens_precision *precision, lens_error *err)
{
    static const struct {
        lens_precision precision;
        lens_type type;
        const char *needs;
    } quick[] = {{LENS_PRECISION_INT8, LENS_TYPE_BYTES, "AVX-512 VNNI or AVX-VNNI"}, {LENS_PRECISION_BF16, LENS_TYPE_BF16, "AVX-512 BF16"}};
    for (size_t i = 0; i < sizeof quick / sizeof *quick; i++) {
        if (*precision == quick[i].precision && !lens_type_is_fast(quick[i].type))
            return lens_fail(err, LENS_E_UNSUPPORTED, "%s: precision %s needs a processor with %s, which this one is not", name,
                             lens_precision_name(*precision), quick[i].needs);
        if (*precision == LENS_PRECISION_AUTO && family->quickest >= quick[i].precision && lens_type_is_fast(quick[i].type))
            *precision = quick[i].precision;
    }
    if (*precision == LENS_PRECISION_AUTO)
        *precision = LENS_PRECISION_F32;
    return 0;
}

lens_type lens_precision_rows(lens_precision precision)
{
    return precision == LENS_PRECISION_INT8   ? LENS_TYPE_BYTES
           : precision == LENS_PRECISION_BF16 ? LENS_TYPE_BF16
                                              : LENS_TYPE_F32;
}

lens_type lens_precision_maps(lens_precision precision)
{
    const bool halves = precision == LENS_PRECISION_BF16 || (precision == LENS_PRECISION_INT8 && lens_type_is_fast(LENS_TYPE_BF16));
    return halves ? LENS_TYPE_BF16 : LENS_TYPE_F32;
}
