/* The only file that knows hnswlib, and the only one in C++: hnswlib is headers alone, so nothing is to be loaded when the program starts.
 *
 * hnswlib keeps each element's numbers between its links, as floats. Here an element's "numbers" are its slot, four bytes, and the distance looks into copies in
 * bytes; what hnswlib has linked is then taken out as plain arrays. Its search is not used, as it takes whatever is in a file for sound (graph.c does not). */
#define NO_MANUAL_VECTORIZATION /* hnswlib's prefetches look one element beyond the end of its lists, and at what is not here */
#include <hnswlib/hnswlib.h>

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

extern "C" {
#include "search/dot_bytes.h"
#include "search/graph.h"
}

namespace {

constexpr int32_t zero = 128;
constexpr size_t line = 64, huge_page = 2 << 20;
constexpr size_t construction = 100; /* how many neighbours are looked at for each new element */
constexpr size_t in_a_row = 64;      /* elements that a thread takes at once */

/* hnswlib holds one element against many, now the first of a distance and now the second: that one is turned into what the product takes for a query
 * once only. */
struct turned_code {
    uint32_t slot = LENS_GRAPH_NONE, last = LENS_GRAPH_NONE; /* LAST: the second of the distance before */
    std::vector<int8_t> numbers;
};
thread_local turned_code turned;

/* What a distance takes of a slot, in one place: the copy, then this. */
struct rest {
    float step;
    int32_t sum; /* of the copy's numbers */
};

struct free_memory {
    void operator()(uint8_t *memory) const { std::free(memory); }
};

struct space : hnswlib::SpaceInterface<float> {
    size_t size, stride;
    lens_dot_bytes *dot;
    std::unique_ptr<uint8_t, free_memory> records;

    space(const lens_bytes_view *bytes, size_t count, int dim) : size(lens_code_size(dim)), stride(size + line), dot(lens_dot_bytes_nth(0))
    {
        const size_t all = (count * stride + huge_page - 1) / huge_page * huge_page;
        records.reset(static_cast<uint8_t *>(std::aligned_alloc(huge_page, all)));
        if (!records)
            throw std::bad_alloc();
        madvise(records.get(), all, MADV_HUGEPAGE); /* any slot may be next: with small pages each look costs a walk through their tables too */
        for (size_t slot = 0; slot < count; slot++) {
            uint8_t *record = records.get() + slot * stride;
            std::memcpy(record, bytes->codes + slot * size, size);
            rest more = {bytes->bounds[slot].step, 0};
            for (size_t i = 0; i < size; i++)
                more.sum += record[i] - zero;
            std::memcpy(record + size, &more, sizeof more);
        }
    }

    static float distance(const void *a, const void *b, const void *context)
    {
        const space *self = static_cast<const space *>(context);
        uint32_t slot, other_slot;
        rest one, other;
        std::memcpy(&slot, a, sizeof slot);
        std::memcpy(&other_slot, b, sizeof other_slot);
        const bool repeats = other_slot == turned.last;
        turned.last = other_slot;
        if (turned.slot != slot && (turned.slot == other_slot || repeats))
            std::swap(slot, other_slot);
        const uint8_t *code = self->records.get() + slot * self->stride, *other_code = self->records.get() + other_slot * self->stride;
        __builtin_prefetch(other_code + self->size);
        if (turned.slot != slot) {
            const size_t size = self->size;
            turned.numbers.resize(size);
            int8_t *numbers = turned.numbers.data();
            for (size_t i = 0; i < size; i++)
                numbers[i] = static_cast<int8_t>(code[i] ^ 0x80);
            turned.slot = slot;
        }
        std::memcpy(&one, code + self->size, sizeof one);
        const int32_t product = self->dot(other_code, turned.numbers.data(), self->size) - zero * one.sum;
        std::memcpy(&other, other_code + self->size, sizeof other);
        return 1 - static_cast<float>(product) * one.step * other.step;
    }

    size_t get_data_size() override { return sizeof(uint32_t); }
    hnswlib::DISTFUNC<float> get_dist_func() override { return distance; }
    void *get_dist_func_param() override { return this; }
};

using builder = hnswlib::HierarchicalNSW<float>;

/* What the threads share. */
struct work {
    builder *graph;
    size_t count;
    std::atomic<size_t> next{1}, done{1}, left{0}; /* slot 0 is there already */
    std::atomic<bool> stopped{false}, failed{false};
};

void add_some(work *all)
{
    turned.slot = LENS_GRAPH_NONE; /* this thread may have built another graph before */
    try {
        for (size_t from; !all->stopped && (from = all->next.fetch_add(in_a_row)) < all->count;) {
            const size_t end = std::min(from + in_a_row, all->count);
            for (size_t slot = from; slot < end; slot++) {
                const uint32_t data = static_cast<uint32_t>(slot);
                all->graph->addPoint(&data, slot);
            }
            all->done += end - from;
        }
    } catch (const std::exception &) {
        all->failed = all->stopped = true;
    }
    all->left--;
}

/* Whoever gets no thread of its own goes without: this one only looks after them. False: stopped. */
bool add_all(work *all, int threads, lens_graph_go_on *go_on, void *context)
{
    std::vector<std::thread> others;
    all->left = static_cast<size_t>(std::max(threads, 1));
    others.reserve(all->left);
    for (size_t i = all->left; i > 0; i--) {
        try {
            others.emplace_back(add_some, all);
        } catch (const std::exception &) {
            all->left--;
        }
    }
    if (others.empty()) {
        all->left = 1;
        add_some(all);
    }
    while (all->left > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(all->count < 20000 ? 1 : 20));
        if (!all->stopped && go_on && !go_on(context, all->done, all->count))
            all->stopped = true;
    }
    for (std::thread &other : others)
        other.join();
    return !all->stopped;
}

/* The links of element ID on LEVEL, as slots, to LINKS [most]. */
void take_links(const builder &graph, hnswlib::tableint id, int level, uint32_t *links, size_t most)
{
    hnswlib::linklistsizeint *list = graph.get_linklist_at_level(id, level);
    const size_t count = std::min<size_t>(graph.getListCount(list), most);
    const hnswlib::tableint *ids = reinterpret_cast<const hnswlib::tableint *>(list + 1);
    for (size_t i = 0; i < most; i++)
        links[i] = i < count ? static_cast<uint32_t>(graph.getExternalLabel(ids[i])) : LENS_GRAPH_NONE;
}

bool take_out(const builder &graph, size_t count, lens_graph *out)
{
    size_t upper_count = 0;
    for (size_t id = 0; id < count; id++)
        upper_count += static_cast<size_t>(graph.element_levels_[id]);
    uint32_t *links = static_cast<uint32_t *>(std::malloc(count * LENS_GRAPH_LINKS * sizeof *links));
    uint32_t *above = static_cast<uint32_t *>(std::malloc(count * sizeof *above));
    uint32_t *upper = static_cast<uint32_t *>(std::malloc((upper_count + 1) * LENS_GRAPH_ABOVE * sizeof *upper));
    *out = lens_graph{count, 0, 0, links, above, upper, upper_count};
    if (!links || !above || !upper || upper_count >= LENS_GRAPH_NONE)
        return false;
    size_t at = 0;
    for (size_t id = 0; id < count; id++) {
        const hnswlib::tableint element = static_cast<hnswlib::tableint>(id);
        const size_t slot = graph.getExternalLabel(element);
        const int levels = graph.element_levels_[id];
        take_links(graph, element, 0, links + slot * LENS_GRAPH_LINKS, LENS_GRAPH_LINKS);
        above[slot] = levels > 0 ? static_cast<uint32_t>(at) : LENS_GRAPH_NONE;
        for (int level = 1; level <= levels; level++)
            take_links(graph, element, level, upper + at++ * LENS_GRAPH_ABOVE, LENS_GRAPH_ABOVE);
    }
    out->entry = static_cast<uint32_t>(graph.getExternalLabel(graph.enterpoint_node_));
    out->level = static_cast<uint32_t>(graph.maxlevel_);
    return out->level <= LENS_GRAPH_LEVELS;
}

} // namespace

extern "C" int lens_graph_build(const lens_bytes_view *bytes, size_t count, int dim, int threads, lens_graph_go_on *go_on, void *context, lens_graph *out,
                                lens_error *err)
{
    *out = lens_graph{};
    if (count < 1 || count > bytes->count || count >= LENS_GRAPH_NONE || dim < 1 || dim > LENS_DOT_BYTES_MOST)
        return lens_fail(err, LENS_E_ARGUMENT, "there is no graph of %zu slots of %d numbers", count, dim);
    try {
        space numbers(bytes, count, dim);
        builder graph(&numbers, count, LENS_GRAPH_ABOVE, construction);
        work all;
        all.graph = &graph;
        all.count = count;
        const uint32_t first = 0;
        graph.addPoint(&first, 0);
        if (!add_all(&all, threads, go_on, context) && !all.failed)
            return lens_fail(err, LENS_E_CANCELLED, "the building of the approximate index was stopped");
        if (!all.failed && take_out(graph, count, out))
            return 0;
    } catch (const std::exception &) {
        /* which can only be memory */
    }
    lens_graph_free(out);
    return lens_fail(err, LENS_E_MEMORY, "not enough memory for the approximate index of %zu vectors", count);
}
