#include "compare/model_look.h"

int lens_model_look(const lens_model_run *run, const lens_answer *answers, json_t **out, lens_error *err)
{
    (void)run, (void)answers, (void)err;
    *out = json_object();
    return 0;
}
