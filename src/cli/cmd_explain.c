/* memelens explain */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/terms.h"

static const char *model_name, *output;
static long side; /* 0: not asked for */
static bool as_json;

static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, &output, "PNG", "draw it: the map laid over both pictures, and below what the encoder saw"},
    {"model", 'm', CLI_TEXT, &model_name, "NAME", "the model that gives the score; else the default one, or for words the first that knows them"},
    {"side", 0, CLI_COUNT, &side, "N", "pixels of each picture in the PNG (448)"},
    {"json", 0, CLI_FLAG, &as_json, NULL, "the map's numbers as one JSON object"},
};

/* What is known of one side, its names behind PREFIX. */
static void put_numbers(json_t *object, const char *prefix, const lens_explained *side_of)
{
    char name[32];
#define PUT(what, value) (snprintf(name, sizeof name, "%s" what, prefix), json_object_set_new(object, name, value))
    PUT("grid", json_integer(side_of->grid));
    if (!side_of->grid)
        return;
    PUT("parts", lens_json_rows(side_of->parts, (size_t)side_of->grid, (size_t)side_of->grid));
    PUT("rest", json_real(side_of->rest));
    PUT("window", lens_json_numbers(side_of->seen.window, 4));
    PUT("seen_share", json_real(side_of->seen.share));
#undef PUT
}

static void put_json(const cli_list *operands, const lens_model *model, const lens_explanation *why)
{
    json_t *object = json_object();
    lens_json_set_path(object, "query", operands->items[0]);
    lens_json_set_path(object, "picture", operands->items[1]);
    lens_json_set_path(object, "model", lens_model_name(model));
    json_object_set_new(object, "score", json_real(why->score));
    json_object_set_new(object, "method", json_string(why->method));
    put_numbers(object, "", &why->picture);
    put_numbers(object, "query_", &why->query);
    cli_json(object);
}

/* What the best quarter of the positions adds up to, and where they are. */
static void put_side(const char *name, const lens_explained *side_of, double score)
{
    double sum;
    const char *place = lens_explained_place(side_of, &sum);
    if (!place) {
        printf("%s: no position adds to the score\n", name);
        return;
    }
    printf("%s: the best quarter of what was seen gives %+.4f of %.4f, mostly %s", name, sum, score, place);
    printf(fabs(side_of->rest) > 5e-5 ? "; %+.4f belongs to no place\n" : "\n", side_of->rest);
}

static void say_seen(const char *name, const lens_explained *side_of)
{
    if (side_of->grid && side_of->seen.share < LENS_SEEN_LEAST)
        cli_note("memelens: %s: the encoder sees only %.0f %% of it", name, 100 * side_of->seen.share);
}

static int draw(const lens_explanation *why)
{
    lens_error error = {0};
    int width, height, result = -1;
    void *bytes = NULL;
    size_t size = 0;
    uint8_t *rgb = lens_explanation_draw(why, side > 4096 ? 4097 : (int)side, &width, &height, &error);
    if (rgb && lens_png(rgb, width, height, &bytes, &size, &error) == 0)
        result = lens_file_give(output, bytes, size, &error);
    free(bytes);
    free(rgb);
    return result == 0 ? CLI_DONE : cli_fail_with(&error);
}

static int answer(const cli_list *operands, const lens_model *model, const lens_explanation *why)
{
    if (as_json) {
        put_json(operands, model, why);
    } else {
        printf("%.4f by ", why->score);
        cli_put_path(lens_model_name(model));
        printf(": %s\n", why->method);
        if (why->query.grid)
            put_side("query", &why->query, why->score);
        put_side("picture", &why->picture, why->score);
    }
    say_seen(operands->items[0], &why->query);
    say_seen(operands->items[1], &why->picture);
    if (output)
        return draw(why);
    if (!as_json)
        cli_note("with -o heatmap.png it is drawn");
    return CLI_DONE;
}

/* A term of the library becomes the file that it is. *PATH: to be freed. */
static int resolve(lens_term *term, char **path)
{
    lens_error error = {0};
    if (term->kind != LENS_TERM_ID)
        return CLI_DONE;
    lens_library *library = cli_open_library();
    if (!library)
        return CLI_ERROR;
    lens_picture picture;
    const int result = lens_picture_get(library, term->id, &picture, &error);
    lens_library_close(library);
    if (result != 0)
        return cli_fail_with(&error);
    *path = picture.path;
    picture.path = NULL;
    lens_picture_free(&picture);
    *term = (lens_term){.kind = LENS_TERM_FILE, .text = *path, .weight = 1};
    return CLI_DONE;
}

static int run(const cli_list *operands)
{
    static const cli_list none;
    if (side && !output)
        return cli_fail("--side goes with --output");
    side = side ? side : 448;
    if (operands->count != 2)
        return cli_fail("explain: `memelens explain QUERY PICTURE`: which query, and which of its results?");
    cli_terms terms;
    char *paths[2] = {NULL};
    lens_error error = {0};
    int status = cli_terms_read(operands, &none, &terms) == 0 ? CLI_DONE : CLI_ERROR;
    if (status == CLI_DONE && terms.items[1].kind == LENS_TERM_WORDS)
        status = cli_fail("%s: no such picture", operands->items[1]);
    for (int i = 0; i < 2 && status == CLI_DONE; i++)
        if (terms.items[i].weight != 1) /* the score told is without it */
            status = cli_fail("%s: explain weighs nothing", operands->items[i]);
    for (int i = 0; i < 2 && status == CLI_DONE; i++)
        status = resolve(&terms.items[i], &paths[i]);
    for (int i = 0; i < 2 && status == CLI_DONE; i++)
        status = cli_spare(output, terms.items[i].kind == LENS_TERM_FILE ? terms.items[i].text : NULL);
    if (status == CLI_DONE) {
        const bool words = terms.items[0].kind == LENS_TERM_WORDS;
        lens_model *model = lens_model_open(model_name, "f32", LENS_PICTURES | (words ? LENS_WORDS : 0), &error);
        lens_explanation *why = model ? lens_model_explain(model, &terms.items[0], &terms.items[1], 0, &error) : NULL;
        status = why ? answer(operands, model, why) : cli_fail_with(&error);
        lens_explanation_free(why);
        lens_model_close(model);
    }
    free(paths[0]);
    free(paths[1]);
    cli_terms_free(&terms);
    return status;
}

const cli_command cli_explain = {
    .name = "explain",
    .summary = "show where in two pictures their score comes from, and what the encoder saw",
    .usage = "QUERY PICTURE [-o heatmap.png] [options]",
    .details = "QUERY is a picture or words, as for `memelens search`; PICTURE one of its results (a path, an address, - or id:N). The score is split\n"
               "over positions, and the parts add up to it. For encoders that take the mean of positions (EfficientNet-Lite, BigTransfer) that is\n"
               "exact and plain; for CLIP it is what each patch gives by attention (Gandelsman et al., 2024), and what is left belongs to no place.\n"
               "In the PNG what adds to the score is orange, what takes from it blue, what the encoder never saw dark; below are the very pixels\n"
               "that went into it. Computed in f32: scores of a library in another precision differ in the third or fourth digit.",
    CLI_OPTIONS(options),
    .run = run,
    .behind_front = true,
};
