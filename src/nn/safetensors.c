/* The safetensors format (https://github.com/huggingface/safetensors): eight bytes of header length, a JSON header that
 * gives every tensor its type, shape and place, then the numbers, without gaps. Opening believes none of it: after it,
 * every view lies inside its file and is as large as its shape and type say. */
#include "nn/safetensors.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/list.h"
#include "base/text.h"

enum { MOST_HEADER = 100000000 /* bytes; the format's own limit */ };

/* Every type the format knows; those without a use here are LENS_OTHER, but their size is checked as well. */
static const struct type {
    const char *name;
    int bits;
    lens_dtype dtype;
} types[] = {
    {"F32", 32, LENS_F32},      {"F16", 16, LENS_F16},      {"BF16", 16, LENS_BF16},   {"I64", 64, LENS_OTHER},
    {"I32", 32, LENS_OTHER},    {"F64", 64, LENS_OTHER},    {"C64", 64, LENS_OTHER},   {"U64", 64, LENS_OTHER},
    {"U32", 32, LENS_OTHER},    {"I16", 16, LENS_OTHER},    {"U16", 16, LENS_OTHER},   {"I8", 8, LENS_OTHER},
    {"U8", 8, LENS_OTHER},      {"BOOL", 8, LENS_OTHER},    {"F8_E4M3", 8, LENS_OTHER}, {"F8_E5M2", 8, LENS_OTHER},
    {"F8_E8M0", 8, LENS_OTHER}, {"F6_E2M3", 6, LENS_OTHER}, {"F6_E3M2", 6, LENS_OTHER}, {"F4", 4, LENS_OTHER},
};

struct file {
    char *path;
    const uint8_t *bytes;
    size_t size;
    bool mapped;
    struct file *next;
};

struct entry {
    lens_tensor_view view;
    char *name; /* what view.name points to */
    const struct type *type;
    const struct file *file;
    size_t begin, end; /* within the file's data */
};

struct lens_weights {
    char *path; /* as it was opened */
    struct file *files;
    struct entry *entries;
    size_t count, capacity;
};

static void forget_entry(struct entry *entry)
{
    free(entry->name);
}

/* A name, without anything that steers a terminal: it is going to stand in messages. */
static bool presentable(const char *name)
{
    lens_buffer text = {0};
    bool same = lens_text_printable(name, strlen(name), &text) == 0 && text.data && strcmp(text.data, name) == 0;
    lens_buffer_free(&text);
    return same;
}

/* Bits of a tensor of TYPE and its element count, unless either overflows. */
static int tensor_size(const json_t *shape, const struct type *type, lens_tensor_view *view)
{
    int64_t count = 1;
    bool empty = false;
    view->dims = (int)json_array_size(shape);
    for (int i = 0; i < view->dims; i++) {
        const json_t *size = json_array_get(shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return -1;
        view->shape[i] = json_integer_value(size);
        if (view->shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(count, view->shape[i], &count))
            return -1;
    }
    int64_t bits;
    if (__builtin_mul_overflow(count, (int64_t)type->bits, &bits) || (uint64_t)(bits / 8) > SIZE_MAX)
        return -1;
    if (bits % 8 && !empty)
        return -1;
    view->count = empty ? 0 : count;
    view->size = empty ? 0 : (size_t)(bits / 8);
    return 0;
}

/* Reads what the header says about one tensor. Its place is only checked to be a pair and of the right size. */
static int read_entry(struct entry *entry, const char *name, const json_t *fields, const struct file *file, lens_error *err)
{
    *entry = (struct entry){.file = file};
    if (!presentable(name))
        return lens_fail(err, LENS_E_FORMAT, "%s: a tensor's name is empty or has control characters", file->path);
    const char *type = json_string_value(json_object_get(fields, "dtype"));
    if (!type)
        return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s has no dtype", file->path, name);
    for (size_t i = 0; i < sizeof types / sizeof *types && !entry->type; i++)
        if (strcmp(type, types[i].name) == 0)
            entry->type = &types[i];
    if (!entry->type)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: tensor %s has an unknown dtype", file->path, name);
    entry->view.dtype = entry->type->dtype;

    const json_t *shape = json_object_get(fields, "shape");
    if (!json_is_array(shape))
        return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s has no shape", file->path, name);
    if (json_array_size(shape) > LENS_MAX_DIMS)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: tensor %s has %zu dimensions, more than the %d there is room for",
                         file->path, name, json_array_size(shape), LENS_MAX_DIMS);
    if (tensor_size(shape, entry->type, &entry->view) != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s has an impossible shape", file->path, name);

    const json_t *place = json_object_get(fields, "data_offsets");
    const json_t *begin = json_array_get(place, 0), *end = json_array_get(place, 1);
    if (json_array_size(place) != 2 || !json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin))
        return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s has impossible data_offsets", file->path, name);
    uint64_t size = (uint64_t)(json_integer_value(end) - json_integer_value(begin));
    if (size != entry->view.size)
        return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s has room for %llu bytes, but its shape and type need %zu",
                         file->path, name, (unsigned long long)size, entry->view.size);
    if ((uint64_t)json_integer_value(end) > SIZE_MAX)
        return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s lies outside the file", file->path, name);
    entry->begin = (size_t)json_integer_value(begin);
    entry->end = (size_t)json_integer_value(end);
    entry->view.name = entry->name = strdup(name);
    return entry->name ? 0 : lens_fail_memory_for(err, file->path);
}

static int by_place(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->name, ((const struct entry *)right)->name);
}

/* One after the other, without gap or overlap, the tensors [FIRST, count) must fill the SIZE bytes of data. */
static int place_entries(lens_weights *weights, size_t first, const struct file *file, const uint8_t *data, size_t size,
                         lens_error *err)
{
    size_t count = weights->count - first;
    struct entry *entries = count ? weights->entries + first : NULL; /* there is no array before the first tensor */
    if (count)
        qsort(entries, count, sizeof *entries, by_place);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].end > size)
            return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s ends at byte %zu of %zu: the file is cut short, or lies",
                             file->path, entries[i].name, entries[i].end, size);
        if (entries[i].begin != at)
            return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s begins at byte %zu, %s the one before, which ends at %zu",
                             file->path, entries[i].name, entries[i].begin,
                             entries[i].begin < at ? "inside" : "with a gap after", at);
        at = entries[i].end;
        entries[i].view.data = data + entries[i].begin;
    }
    if (at != size)
        return lens_fail(err, LENS_E_FORMAT, "%s: %zu bytes behind the last tensor", file->path, size - at);
    return 0;
}

static int read_header(lens_weights *weights, const json_t *header, const struct file *file, lens_error *err)
{
    const char *name;
    json_t *fields;
    json_object_foreach((json_t *)header, name, fields) {
        if (!json_is_object(fields))
            return lens_fail(err, LENS_E_FORMAT, "%s: a header entry is not an object", file->path);
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct entry *more = lens_list_room(weights->entries, weights->count, &weights->capacity, sizeof *more);
        if (!more)
            return lens_fail_memory_for(err, file->path);
        weights->entries = more;
        if (read_entry(&weights->entries[weights->count], name, fields, file, err) != 0)
            return -1;
        weights->count++;
    }
    return 0;
}

/* Adds every tensor of FILE, whose bytes are in place, in any order. */
static int add_tensors(lens_weights *weights, const struct file *file, lens_error *err)
{
    uint64_t length;
    if (file->size < sizeof length)
        return lens_fail(err, LENS_E_FORMAT, "%s: %zu bytes are too few for a safetensors file", file->path, file->size);
    memcpy(&length, file->bytes, sizeof length);
    length = le64toh(length);
    if (length > file->size - sizeof length)
        return lens_fail(err, LENS_E_FORMAT, "%s: says it has a header of %llu bytes, and has %zu in all", file->path,
                         (unsigned long long)length, file->size);
    const char *text = (const char *)file->bytes + sizeof length;
    if (length == 0 || text[0] != '{')
        return lens_fail(err, LENS_E_FORMAT, "%s: not a safetensors file", file->path);
    if (length > MOST_HEADER)
        return lens_fail(err, LENS_E_LIMIT, "%s: a header of %llu bytes, more than the %d that the format allows", file->path,
                         (unsigned long long)length, MOST_HEADER);
    json_t *header = lens_json_parse_small(text, (size_t)length, LENS_JSON_VALUES, file->path, err);
    if (!header)
        return -1;
    size_t first = weights->count;
    int result = read_header(weights, header, file, err);
    json_decref(header);
    if (result == 0)
        result = place_entries(weights, first, file, (const uint8_t *)text + length,
                               file->size - sizeof length - (size_t)length, err);
    return result;
}

/* A new file at the head of the list. Its bytes are mapped from PATH unless they are given. */
static struct file *add_file(lens_weights *weights, const char *path, const void *bytes, size_t size, lens_error *err)
{
    struct file *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path))) {
        free(file);
        lens_fail_memory_for(err, path);
        return NULL;
    }
    file->next = weights->files;
    weights->files = file;
    file->bytes = bytes;
    file->size = size;
    if (!bytes) {
        const void *mapped;
        if (lens_file_map(path, &mapped, &file->size, err) != 0)
            return NULL;
        file->bytes = mapped;
        file->mapped = true;
    }
    return file;
}

/* Only a name beside the index: nothing that leads elsewhere. */
static bool plain_name(const char *name)
{
    return *name && !strpbrk(name, "/\\") && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && presentable(name);
}

/* Opens SHARD beside the index and keeps those of its tensors that MAP looks for there. */
static int add_shard(lens_weights *weights, const char *index, const char *shard, const json_t *map, lens_error *err)
{
    const char *slash = strrchr(index, '/');
    lens_buffer path = {0};
    if (lens_buffer_append(&path, index, slash ? (size_t)(slash - index + 1) : 0) != 0 ||
        lens_buffer_append(&path, shard, strlen(shard)) != 0) {
        lens_buffer_free(&path);
        return lens_fail_memory_for(err, index);
    }
    const struct file *file = add_file(weights, path.data, NULL, 0, err);
    lens_buffer_free(&path);
    size_t first = weights->count;
    if (!file || add_tensors(weights, file, err) != 0)
        return -1;
    size_t kept = first;
    for (size_t i = first; i < weights->count; i++) {
        const char *wanted = json_string_value(json_object_get(map, weights->entries[i].name));
        if (wanted && strcmp(wanted, shard) == 0)
            weights->entries[kept++] = weights->entries[i];
        else
            forget_entry(&weights->entries[i]);
    }
    weights->count = kept;
    return 0;
}

static int add_shards(lens_weights *weights, const char *index, const json_t *map, json_t *shards, lens_error *err)
{
    const char *name;
    json_t *shard;
    if (!json_is_object(map))
        return lens_fail(err, LENS_E_FORMAT, "%s: no weight_map", index);
    json_object_foreach((json_t *)map, name, shard) {
        if (!presentable(name))
            return lens_fail(err, LENS_E_FORMAT, "%s: a tensor's name is empty or has control characters", index);
        if (!json_is_string(shard) || !plain_name(json_string_value(shard)))
            return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s is said to be in something that is no plain file name", index,
                             name);
        if (json_object_set_new(shards, json_string_value(shard), json_true()) != 0)
            return lens_fail_memory_for(err, index);
    }
    json_object_foreach(shards, name, shard)
        if (add_shard(weights, index, name, map, err) != 0)
            return -1;
    return 0;
}

static int open_index(lens_weights *weights, const char *path, lens_error *err)
{
    json_t *index = lens_json_read_small(path, err);
    if (!index)
        return -1;
    const json_t *map = json_object_get(index, "weight_map");
    json_t *shards = json_object();
    int result = shards ? add_shards(weights, path, map, shards, err) : lens_fail_memory_for(err, path);
    if (result == 0 && weights->count)
        qsort(weights->entries, weights->count, sizeof *weights->entries, by_name);
    const char *name;
    json_t *shard;
    if (result == 0)
        json_object_foreach((json_t *)map, name, shard)
            if (!lens_weights_find(weights, name)) {
                result = lens_fail(err, LENS_E_FORMAT, "%s: tensor %s should be in %s, but is not", path, name,
                                   json_string_value(shard));
                break;
            }
    json_decref(shards);
    json_decref(index);
    return result;
}

static lens_weights *open_weights(const char *path, const void *bytes, size_t size, lens_error *err)
{
    lens_weights *weights = calloc(1, sizeof *weights);
    if (!weights || !(weights->path = strdup(path))) {
        free(weights);
        lens_fail_memory_for(err, path);
        return NULL;
    }
    const char *ending = strrchr(path, '.');
    int result;
    if (!bytes && ending && strcmp(ending, ".json") == 0) {
        result = open_index(weights, path, err);
    } else {
        const struct file *file = add_file(weights, path, bytes, size, err);
        result = file ? add_tensors(weights, file, err) : -1;
        if (result == 0 && weights->count)
            qsort(weights->entries, weights->count, sizeof *weights->entries, by_name);
    }
    if (result != 0) {
        lens_weights_close(weights);
        return NULL;
    }
    return weights;
}

lens_weights *lens_weights_open(const char *path, lens_error *err)
{
    return open_weights(path, NULL, 0, err);
}

lens_weights *lens_weights_view(const void *bytes, size_t size, const char *path, lens_error *err)
{
    return open_weights(path, bytes ? bytes : "", size, err);
}

void lens_weights_close(lens_weights *weights)
{
    if (!weights)
        return;
    for (size_t i = 0; i < weights->count; i++)
        forget_entry(&weights->entries[i]);
    free(weights->entries);
    free(weights->path);
    while (weights->files) {
        struct file *file = weights->files;
        weights->files = file->next;
        if (file->mapped)
            lens_file_unmap(file->bytes, file->size);
        free(file->path);
        free(file);
    }
    free(weights);
}

size_t lens_weights_count(const lens_weights *weights)
{
    return weights ? weights->count : 0;
}

const lens_tensor_view *lens_weights_at(const lens_weights *weights, size_t index)
{
    return index < lens_weights_count(weights) ? &weights->entries[index].view : NULL;
}

static int name_against_entry(const void *name, const void *entry)
{
    return strcmp(name, ((const struct entry *)entry)->name);
}

static const struct entry *find_entry(const lens_weights *weights, const char *name)
{
    if (!weights || weights->count == 0)
        return NULL;
    return bsearch(name, weights->entries, weights->count, sizeof *weights->entries, name_against_entry);
}

const lens_tensor_view *lens_weights_find(const lens_weights *weights, const char *name)
{
    const struct entry *entry = find_entry(weights, name);
    return entry ? &entry->view : NULL;
}

/* Lets go of the pages of a tensor that has been read: the system keeps them as long as it likes, and they do not count as ours. */
static void give_back(const struct entry *entry)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)entry->view.data, end = begin + entry->view.size;
    const uintptr_t first = begin / page * page, last = (end + page - 1) / page * page;
    if (entry->file->mapped && entry->view.size >= page)
        madvise((void *)first, last - first, MADV_DONTNEED);
}

int lens_weights_hash(const lens_weights *weights, lens_hash *hash, lens_error *err)
{
    lens_buffer list = {0};
    int result = 0;
    for (size_t i = 0; i < weights->count && result == 0; i++) {
        const struct entry *entry = &weights->entries[i];
        lens_hash data = lens_hash_of(entry->view.data, entry->view.size);
        give_back(entry);
        result |= lens_buffer_print(&list, "%s %s", entry->name, entry->type->name);
        for (int d = 0; d < entry->view.dims; d++)
            result |= lens_buffer_print(&list, " %lld", (long long)entry->view.shape[d]);
        result |= lens_buffer_append(&list, "\n", 1);
        result |= lens_buffer_append(&list, data.bytes, sizeof data.bytes);
    }
    if (result == 0)
        *hash = lens_hash_of(list.data ? list.data : "", list.size);
    else
        lens_fail_memory_for(err, weights->path);
    lens_buffer_free(&list);
    return result;
}

/* Half precision to single, exactly: every half is a single. */
static uint32_t bits_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
    if (exponent == 31)
        return sign | 0x7f800000 | fraction << 13;
    if (exponent)
        return sign | (exponent + 112) << 23 | fraction << 13;
    if (!fraction)
        return sign;
    /* A subnormal half is a normal single: shift its first set bit out. */
    int shift = __builtin_clz(fraction) - 21;
    return sign | (uint32_t)(113 - shift) << 23 | (fraction << shift & 0x3ff) << 13;
}

/* Converts COUNT little-endian numbers. False when one is NaN or infinite. */
static bool convert(lens_dtype dtype, const uint8_t *data, size_t count, float *out)
{
    bool odd = false;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        uint16_t half;
        if (dtype == LENS_F32) {
            memcpy(&bits, data + 4 * i, sizeof bits);
            bits = le32toh(bits);
        } else {
            memcpy(&half, data + 2 * i, sizeof half);
            half = le16toh(half);
            bits = dtype == LENS_BF16 ? (uint32_t)half << 16 : bits_of_half(half);
        }
        odd |= (bits & 0x7f800000) == 0x7f800000;
        memcpy(out + i, &bits, sizeof bits);
    }
    return !odd;
}

/* Appends "[24, 16, 1, 1]". */
static int print_shape(lens_buffer *out, int dims, const int64_t *shape)
{
    int result = lens_buffer_append(out, "[", 1);
    for (int i = 0; i < dims; i++) {
        const char *comma = i ? ", " : "";
        result |= shape[i] < 0 ? lens_buffer_print(out, "%sany", comma)
                               : lens_buffer_print(out, "%s%lld", comma, (long long)shape[i]);
    }
    return result | lens_buffer_append(out, "]", 1);
}

static int check_shape(const struct entry *entry, int dims, const int64_t *shape, lens_error *err)
{
    bool same = entry->view.dims == dims;
    for (int i = 0; i < dims && same; i++)
        same = shape[i] < 0 || shape[i] == entry->view.shape[i];
    if (same)
        return 0;
    lens_buffer text = {0};
    if (print_shape(&text, entry->view.dims, entry->view.shape) == 0 && lens_buffer_print(&text, ", not ") == 0 &&
        print_shape(&text, dims, shape) == 0)
        lens_fail(err, LENS_E_FORMAT, "%s: tensor %s is %s", entry->file->path, entry->name, text.data);
    else
        lens_fail_memory_for(err, entry->file->path);
    lens_buffer_free(&text);
    return -1;
}

float *lens_weights_read(const lens_weights *weights, const char *name, int dims, const int64_t *shape, lens_error *err)
{
    const struct entry *entry = find_entry(weights, name);
    if (!entry) {
        lens_fail(err, LENS_E_FORMAT, "%s: no tensor %s", weights->path, name);
        return NULL;
    }
    if (check_shape(entry, dims, shape, err) != 0)
        return NULL;
    lens_dtype dtype = entry->view.dtype;
    if (dtype != LENS_F32 && dtype != LENS_F16 && dtype != LENS_BF16) {
        lens_fail(err, LENS_E_FORMAT, "%s: tensor %s is of type %s, not of F32, F16 or BF16", entry->file->path, name,
                  entry->type->name);
        return NULL;
    }
    size_t count = (size_t)entry->view.count;
    float *numbers = count <= SIZE_MAX / sizeof *numbers ? malloc(count ? count * sizeof *numbers : 1) : NULL;
    if (!numbers) {
        lens_fail_memory_for(err, entry->file->path);
        return NULL;
    }
    /* The type is a constant in each call, so that the loop has no branch in it. */
    const uint8_t *data = entry->view.data;
    bool finite = dtype == LENS_F32   ? convert(LENS_F32, data, count, numbers)
                  : dtype == LENS_F16 ? convert(LENS_F16, data, count, numbers)
                                      : convert(LENS_BF16, data, count, numbers);
    give_back(entry);
    if (!finite) {
        lens_fail(err, LENS_E_FORMAT, "%s: tensor %s holds a number that is not finite", entry->file->path, name);
        free(numbers);
        return NULL;
    }
    return numbers;
}
