/* Scaled dot-product attention for the oneDNN backend: a few queries at a time against all keys, so that no whole matrix of scores is ever
 * written. It is 1 % of a CLIP's multiplications, in pieces too small for oneDNN's products to be quick with.
 *
 * Both products are tiles of ROWS rows by COLUMNS columns, kept in registers while they grow. Keys are turned, so that one step of a tile
 * is a query's number times a run of neighbouring keys' numbers. */
#include <math.h>
#include <string.h>

#include "base/clones.h"
#include "nn/attention.h"

enum { ROWS = 4, COLUMNS = LENS_ATTENTION_COLUMNS, BOUNDARY = 64 };

/* A head of one picture or text, as floats. */
struct head {
    int tokens, width;
    const float *queries; /* [tokens, width], rows so far apart: */
    size_t query_step;
    float *keys;          /* [width, tokens padded] */
    const float *values;  /* [tokens, width padded], rows so far apart: */
    size_t value_step;
    float *scores;        /* [ROWS, tokens padded] */
};

/* C [ROWS, COLUMNS], rows C_STEP apart = A [ROWS, depth], a pointer a row, times B [depth, COLUMNS], rows B_STEP apart. */
static inline __attribute__((always_inline)) void multiply(const float *const a[ROWS], const float *restrict b, size_t b_step, int depth,
                                                           float *restrict c, size_t c_step)
{
    float sums[ROWS][COLUMNS] = {{0}};
    for (int d = 0; d < depth; d++, b += b_step)
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < COLUMNS; i++)
                sums[r][i] += a[r][d] * b[i];
    for (int r = 0; r < ROWS; r++)
        memcpy(c + (size_t)r * c_step, sums[r], sizeof sums[r]);
}

/* What all queries of HEAD get -> OUT, rows STEP floats apart. */
LENS_CLONES static void attend(const struct head *head, bool causal, float *restrict out, size_t step)
{
    const int tokens = head->tokens, width = head->width;
    const size_t key_step = lens_attention_padded(tokens);
    const float scale = 1 / sqrtf((float)width);
    for (int first = 0; first < tokens; first += ROWS) {
        const int last = first + ROWS < tokens ? first + ROWS : tokens, seen = causal ? last : tokens;
        const float *rows[ROWS];
        for (int r = 0; r < ROWS; r++) /* behind the last the last again */
            rows[r] = head->queries + (size_t)(first + r < last ? first + r : last - 1) * head->query_step;
        for (int t = 0; t < seen; t += COLUMNS)
            multiply(rows, head->keys + t, key_step, width, head->scores + t, key_step);
        for (int r = 0; r < ROWS; r++) {
            float *row = head->scores + (size_t)r * key_step;
            const int mine = causal && first + r + 1 < seen ? first + r + 1 : seen;
            lens_softmax(row, mine, scale);
            memset(row + mine, 0, (size_t)(seen - mine) * sizeof *row);
            rows[r] = row;
        }
        for (int i = 0; i < width; i += COLUMNS) {
            float tile[ROWS * COLUMNS];
            multiply(rows, head->values + i, head->value_step, seen, tile, COLUMNS);
            const size_t count = (size_t)(width - i < COLUMNS ? width - i : COLUMNS);
            for (int r = first; r < last; r++)
                memcpy(out + (size_t)r * step + i, tile + (r - first) * COLUMNS, count * sizeof *out);
        }
    }
}

static inline float from_half(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rows of halves to floats, rows STEP apart. */
LENS_CLONES static void widen(int tokens, int width, const uint16_t *rows, size_t row, float *out, size_t step)
{
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < width; i++)
            out[(size_t)t * step + (size_t)i] = from_half(rows[(size_t)t * row + (size_t)i]);
}

/* One head of one picture or text: from what lies at QKV, ROW numbers a token -> OUT, PART floats a token. */
static void run_head(const lens_attention_spec *spec, int tokens, const void *qkv, size_t row, size_t part, float *scratch, float *out)
{
    const bool halves = spec->from == LENS_TYPE_BF16;
    if (halves && spec->width % 2 == 0 && lens_type_is_fast(LENS_TYPE_BF16)) {
        lens_attend_halves(spec, tokens, qkv, row, part, scratch, out);
        return;
    }
    const size_t t = (size_t)tokens, width = (size_t)spec->width, step = lens_attention_padded(spec->width);
    struct head head = {.tokens = tokens, .width = spec->width, .queries = qkv, .query_step = row, .value_step = row};
    float *queries = scratch, *values = queries + t * step;
    head.keys = values + t * step;
    head.scores = head.keys + width * lens_attention_padded(tokens);
    const float *keys = (const float *)qkv + part;
    head.values = (const float *)qkv + 2 * part;
    size_t key_row = row;
    if (halves) {
        widen(tokens, spec->width, (const uint16_t *)qkv + part, row, queries, step); /* the keys, until they are turned */
        keys = queries;
        key_row = step;
    }
    lens_turn(tokens, spec->width, keys, key_row * sizeof *keys, (uint32_t *)(void *)head.keys, lens_attention_padded(tokens));
    if (halves) {
        widen(tokens, spec->width, qkv, row, queries, step);
        widen(tokens, spec->width, (const uint16_t *)qkv + 2 * part, row, values, step);
        head.queries = queries;
        head.values = values;
        head.query_step = head.value_step = step;
    } else if (width % COLUMNS != 0) { /* a tile would read beyond the last value */
        for (size_t i = 0; i < t; i++)
            memcpy(values + i * step, head.values + i * row, width * sizeof *values);
        head.values = values;
        head.value_step = step;
    }
    attend(&head, spec->causal, out, part);
}

int lens_attention_fast(lens_stream *stream, const lens_layer *layer, int count, int tokens, const void *qkv, void *out, lens_error *err)
{
    const lens_attention_spec *spec = &layer->attention;
    const size_t part = layer->out_size, row = layer->in_size, t = (size_t)tokens, width = (size_t)spec->width;
    const size_t rows = lens_attention_padded(tokens), all = spec->to == LENS_TYPE_F32 ? 0 : t * part;
    /* All heads' output, and then what run_head or lens_attend_halves divides: the former needs more. What is behind the last token and
     * column stays zero. */
    const size_t each = 2 * (t + 1) * lens_attention_padded(spec->width) + width * rows + LENS_ATTENTION_ROWS * 2 * rows + BOUNDARY;
    const size_t own = (each + LENS_LANES - 1) / LENS_LANES * LENS_LANES, threads = (size_t)stream->threads;
    float *scratch = lens_stream_scratch(stream, (all + threads * own + BOUNDARY) * sizeof *scratch);
    if (!scratch)
        return lens_fail_memory_for(err, layer->name);
    float *head_scratch = scratch + (all + LENS_LANES - 1) / LENS_LANES * LENS_LANES;
    memset(head_scratch, 0, threads * own * sizeof *scratch);
    for (int n = 0; n < count; n++) {
        const size_t first = (size_t)n * t;
        float *rows_out = spec->to == LENS_TYPE_F32 ? (float *)out + first * part : scratch;
#pragma omp parallel for num_threads(stream->threads) if (stream->threads > 1)
        for (int h = 0; h < spec->heads; h++) {
            const size_t at = first * row + (size_t)h * width, size = lens_items_size(spec->from, 1, 1);
            run_head(spec, tokens, (const char *)qkv + at * size, row, part, head_scratch + (size_t)lens_thread() * own,
                     rows_out + (size_t)h * width);
        }
#pragma omp parallel for num_threads(stream->threads) if (stream->threads > 1)
        for (int i = 0; i < tokens; i++)
            lens_items_store_one(spec->to, rows_out + (size_t)i * part, part, out, (size_t)count * t, first + (size_t)i);
    }
    return 0;
}
