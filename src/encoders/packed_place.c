#include "encoders/packed_place.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* To be raised whenever a family packs other numbers from the same weights than it did. */
enum { PACKING = 4 };

/* Models with fewer bytes of weights than that are packed in no time. */
enum { LEAST = 8 << 20 };

/* By lens_tower. Both at once are asked for rarely, and would be kept twice. */
static const char *const towers[] = {NULL, "pictures", "words", NULL};

static int is_weights(const struct dirent *entry)
{
    return strstr(entry->d_name, ".safetensors") != NULL;
}

/* Of TOWER. 0 or -1. */
static int name_of(const char *tower, lens_precision precision, lens_buffer *out)
{
    return lens_buffer_print(out, "packed-%s-%s.bin", tower, lens_precision_name(precision));
}

bool lens_packed_place_named(const char *name)
{
    bool is = false;
    for (int tower = 0; tower <= LENS_TOWER_BOTH; tower++)
        for (int precision = LENS_PRECISION_F32; towers[tower] && precision <= LENS_PRECISION_INT8; precision++) {
            lens_buffer one = {0};
            is |= name_of(towers[tower], (lens_precision)precision, &one) == 0 && strcmp(one.data, name) == 0;
            lens_buffer_free(&one);
        }
    return is;
}

/* Size and time of each file of weights in FOLDER to OUT; their bytes to *SIZE. The weights themselves are not read: whoever changes them
 * changes one of the two. */
static int stamp(const char *folder, lens_buffer *out, uint64_t *size)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_weights, alphasort);
    int result = count < 0 ? -1 : 0;
    *size = 0;
    for (int i = 0; i < count; i++) {
        char *path = lens_path_join(folder, entries[i]->d_name);
        struct stat info;
        if (result == 0 && path && stat(path, &info) == 0) {
            *size += (uint64_t)info.st_size;
            result = lens_buffer_print(out, "%s %lld %lld.%09ld\n", entries[i]->d_name, (long long)info.st_size,
                                       (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
        } else {
            result = -1;
        }
        free(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return result;
}

static int describe(const lens_model_source *source, const char *family, lens_buffer *out)
{
    lens_engine *engine = lens_engine_new(LENS_BACKEND_ONEDNN, NULL);
    char *config = json_dumps(source->config, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    int result = engine && config ? lens_buffer_print(out, "packing %d of memelens " LENS_VERSION "\n%s\n%s %s %d\n%s\n", PACKING,
                                                      lens_engine_kind(engine), family, lens_precision_name(source->precision),
                                                      (int)source->towers, config)
                                  : -1;
    free(config);
    lens_engine_free(engine);
    return result;
}

void lens_packed_place_find(const lens_model_source *source, const char *family, lens_packed_place *place)
{
    const char *tower = towers[(int)source->towers & LENS_TOWER_BOTH];
    lens_buffer text = {0}, name = {0};
    uint64_t size;
    *place = (lens_packed_place){0};
    if (tower && stamp(source->folder, &text, &size) == 0 && size >= LEAST && describe(source, family, &text) == 0 &&
        name_of(tower, source->precision, &name) == 0) {
        place->key = lens_hash_of(text.data, text.size);
        place->path = lens_path_join(source->folder, name.data);
    }
    lens_buffer_free(&text);
    lens_buffer_free(&name);
}

void lens_packed_place_fill(const lens_packed_place *place, const lens_engine *engine, const lens_hash *hash)
{
    lens_packing *packing = place->path ? lens_packing_new() : NULL;
    lens_error ignored = {0};
    if (packing && lens_packing_add(packing, LENS_PACKED_WEIGHTS, hash, sizeof *hash, &ignored) == 0 &&
        lens_engine_save(engine, packing, &ignored) == 0)
        lens_packing_write(packing, place->path, &place->key, &ignored);
    lens_packing_free(packing);
}
