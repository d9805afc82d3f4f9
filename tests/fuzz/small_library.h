/* A small library for fuzz targets: a folder of coloured pictures with words beside them, indexed with the model that needs no weights. */
#ifndef LENS_TESTS_SMALL_LIBRARY_H
#define LENS_TESTS_SMALL_LIBRARY_H

#include "fuzzing.h"
#include "memelens.h"

enum { SMALL_PICTURES = 6 };

/* FOLDER/pictures and FOLDER/library. */
static inline void small_library_make(const char *folder)
{
    static const char *const words[SMALL_PICTURES] = {"one does not simply walk into mordor", "the cat sat on the mat", "cat and dog", "a dog's life",
                                                      "我爱猫", ""};
    lens_error err = {0};
    char path[400], pictures[300], library_path[300];
    snprintf(pictures, sizeof pictures, "%s/pictures", folder);
    snprintf(library_path, sizeof library_path, "%s/library", folder);
    expect(lens_folder_make(pictures, NULL) == 0);
    for (int i = 0; i < SMALL_PICTURES; i++) {
        uint8_t file[11 + 3 * 64] = "P6 8 8 255\n";
        for (size_t at = 11; at < sizeof file; at++)
            file[at] = (uint8_t)(at * (size_t)(2 * i + 3) + (size_t)i * 40);
        snprintf(path, sizeof path, "%s/%d.ppm", pictures, i);
        fuzz_put(path, file, i == SMALL_PICTURES - 1 ? 20 : sizeof file); /* the last one is cut off */
        snprintf(path, sizeof path, "%s/%d.txt", pictures, i);
        fuzz_put(path, words[i], strlen(words[i]));
    }
    static const char *const models[] = {"colour"};
    const char *const paths[] = {pictures};
    lens_index_options options = lens_index_options_default();
    options.paths = paths;
    options.path_count = 1;
    options.models = models;
    options.model_count = 1;
    options.threads = 1;
    lens_library *library = lens_library_open(library_path, &err);
    lens_index_report report;
    expect_done(library && lens_index(library, &options, &report, &err) == 0, &err);
    expect(report.indexed >= SMALL_PICTURES - 1);
    lens_library_close(library);
}

#endif
