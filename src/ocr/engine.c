/* Tesseract is opened at run time and not linked, as it brings Leptonica, curl and libarchive along, and most runs read no text.
 *
 * It spreads its network over four threads of OpenMP, which costs more than it brings: readers run side by side instead. The number of
 * threads is written into tesseract, so what a caller asks of OpenMP does not count; OMP_THREAD_LIMIT would, but is only looked at when the
 * program starts. That no parallel region may be active does count, and belongs to the calling thread. */
#include "ocr/engine.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tesseract/capi.h>

#include "base/dynamic.h"
#include "base/list.h"

void setMsgSeverity(int level);                  /* Leptonica's, which tesseract depends on */
extern int omp_get_max_active_levels(void);      /* not every compiler brings omp.h */
extern void omp_set_max_active_levels(int most);

enum { SEVERITY_NONE = 6 };

#define FUNCTIONS(X) \
    X(TessVersion) X(TessDeleteText) X(TessDeleteTextArray) X(TessBaseAPICreate) X(TessBaseAPIDelete) X(TessBaseAPIInit4) \
    X(TessBaseAPISetVariable) X(TessBaseAPIGetLoadedLanguagesAsVector) X(TessBaseAPISetPageSegMode) X(TessBaseAPISetImage) \
    X(TessBaseAPISetSourceResolution) X(TessBaseAPIRecognize) X(TessBaseAPIGetIterator) X(TessBaseAPIClear) X(TessResultIteratorDelete) \
    X(TessResultIteratorNext) X(TessResultIteratorGetUTF8Text) X(TessResultIteratorConfidence) X(setMsgSeverity)

static struct {
    FUNCTIONS(LENS_DYNAMIC_SLOT)
} lib;
static const lens_dynamic_symbol symbols[] = {FUNCTIONS(LENS_DYNAMIC_SYMBOL)};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char cannot_open[256]; /* why tesseract is not there; empty when it is */

/* Setting up writes to variables that all of tesseract shares. */
static pthread_mutex_t setting_up = PTHREAD_MUTEX_INITIALIZER;

struct lens_ocr_engine {
    TessBaseAPI *api;
};

static void open_library(void)
{
    if (lens_dynamic_open("libtesseract.so.5", symbols, sizeof symbols / sizeof *symbols, cannot_open, sizeof cannot_open))
        lib.setMsgSeverity(SEVERITY_NONE);
}

/* Whether the first LENGTH characters of NAME are a language that API loaded. */
static bool has_loaded(char **loaded, const char *name, size_t length)
{
    for (size_t i = 0; loaded && loaded[i]; i++)
        if (strlen(loaded[i]) == length && strncmp(loaded[i], name, length) == 0)
            return true;
    return false;
}

/* -1, naming the first of LANGUAGES that is not in LOADED. */
static int check_loaded(char **loaded, const char *languages, lens_error *err)
{
    for (const char *name = languages;; name++) {
        size_t length = strcspn(name, "+");
        if (!has_loaded(loaded, name, length))
            return lens_fail(err, LENS_E_MISSING, "tesseract has no data for the language '%.*s': install it (apt-get install tesseract-ocr-%.*s)",
                             (int)length, name, (int)length, name);
        name += length;
        if (!*name)
            return 0;
    }
}

/* Names of languages become names of files. */
static int check_names(const char *languages, lens_error *err)
{
    size_t in_name = 0;
    bool fine = true;
    for (const char *at = languages; *at && fine; at++) {
        in_name = *at == '+' ? 0 : in_name + 1;
        fine = *at == '+' ? at > languages && at[-1] != '+' : isalnum((unsigned char)*at) || *at == '_';
        fine = fine && in_name <= 32;
    }
    if (!fine || in_name == 0)
        return lens_fail(err, LENS_E_ARGUMENT, "'%.64s' names no languages: they are written as tesseract does, eng or eng+deu", languages);
    return 0;
}

static int set_up(lens_ocr_engine *engine, const char *languages, lens_error *err)
{
    char *names[] = {"debug_file"}, *values[] = {"/dev/null"};
    pthread_mutex_lock(&setting_up);
    engine->api = lib.TessBaseAPICreate();
    int result = -1;
    if (engine->api) {
        lib.TessBaseAPISetVariable(engine->api, names[0], values[0]); /* nothing is ever printed, already here */
        result = lib.TessBaseAPIInit4(engine->api, NULL, languages, OEM_LSTM_ONLY, NULL, 0, names, values, 1, 0);
    }
    pthread_mutex_unlock(&setting_up);
    if (!engine->api)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory for tesseract");
    char **loaded = result == 0 ? lib.TessBaseAPIGetLoadedLanguagesAsVector(engine->api) : NULL;
    result = check_loaded(loaded, languages, err);
    if (loaded)
        lib.TessDeleteTextArray(loaded);
    return result;
}

lens_ocr_engine *lens_ocr_engine_open(const char *languages, lens_error *err)
{
    if (check_names(languages, err) != 0)
        return NULL;
    pthread_once(&once, open_library);
    if (cannot_open[0]) {
        lens_fail(err, LENS_E_UNSUPPORTED, "reading text needs tesseract 5 (apt-get install libtesseract5 tesseract-ocr-eng): %s", cannot_open);
        return NULL;
    }
    lens_ocr_engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory for tesseract");
        return NULL;
    }
    if (set_up(engine, languages, err) != 0) {
        lens_ocr_engine_free(engine);
        return NULL;
    }
    return engine;
}

void lens_ocr_engine_free(lens_ocr_engine *engine)
{
    if (!engine)
        return;
    if (engine->api)
        lib.TessBaseAPIDelete(engine->api);
    free(engine);
}

const char *lens_ocr_engine_version(void)
{
    return lib.TessVersion();
}

/* Appends a copy of TEXT as a word. 0, or -1 when memory is short. */
static int add_word(lens_ocr_words *out, const char *text, float confidence)
{
    lens_ocr_word *words = lens_list_room(out->words, out->count, &out->capacity, sizeof *words);
    if (!words)
        return -1;
    out->words = words;
    char *copy = strdup(text);
    if (!copy)
        return -1;
    out->words[out->count++] = (lens_ocr_word){copy, confidence};
    return 0;
}

static int take_words(TessBaseAPI *api, lens_ocr_words *out, lens_error *err)
{
    TessResultIterator *at = lib.TessBaseAPIGetIterator(api);
    int result = 0;
    while (at && result == 0) {
        char *text = lib.TessResultIteratorGetUTF8Text(at, RIL_WORD);
        if (text && *text && add_word(out, text, lib.TessResultIteratorConfidence(at, RIL_WORD) / 100) != 0)
            result = lens_fail(err, LENS_E_MEMORY, "not enough memory for the words of a picture");
        if (text)
            lib.TessDeleteText(text);
        if (!lib.TessResultIteratorNext(at, RIL_WORD))
            break;
    }
    if (at)
        lib.TessResultIteratorDelete(at);
    return result;
}

int lens_ocr_engine_read(lens_ocr_engine *engine, const uint8_t *grey, int width, int height, lens_ocr_words *out, lens_error *err)
{
    enum { USUAL_RESOLUTION = 150 }; /* dots an inch: else tesseract guesses, and says so */
    int before = omp_get_max_active_levels();
    omp_set_max_active_levels(0);
    lib.TessBaseAPISetPageSegMode(engine->api, PSM_RAW_LINE); /* its own search for lines loses clean ones: docs/OCR.md */
    lib.TessBaseAPISetImage(engine->api, grey, width, height, 1, width);
    lib.TessBaseAPISetSourceResolution(engine->api, USUAL_RESOLUTION);
    int result = lib.TessBaseAPIRecognize(engine->api, NULL);
    omp_set_max_active_levels(before);
    result = result == 0 ? take_words(engine->api, out, err) : 0; /* a page that it cannot take has no words */
    lib.TessBaseAPIClear(engine->api);
    return result;
}

void lens_ocr_words_free(lens_ocr_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->words[i].text);
    free(words->words);
    *words = (lens_ocr_words){0};
}
