#include "attention.h"

#include <math.h>
#include <stddef.h>

#include "vectors.h"

enum { CHUNK = 8 }; /* vectors of a head that are added up in registers: 64 dimensions */

static int padded(int tokens) { return (tokens + LANES - 1) / LANES * LANES; }

static int shared_heads(const Attention *attention) {
    return attention->n_heads / attention->n_kv_heads;
}

static int64_t scores_size(const Attention *attention) {
    return padded(attention->max_tokens) + LANES; /* a block's scores are written eight at a time */
}

int64_t attention_scratch(const Attention *attention) {
    int64_t page = (int64_t)padded(attention->block_size) * attention->head_dim;
    return shared_heads(attention) * scores_size(attention) + page;
}

static uint16_t *page_of(const Attention *attention, uint16_t *pool, int page, int kv_head) {
    ptrdiff_t row = (ptrdiff_t)page * attention->n_kv_heads + kv_head;
    return pool + row * attention->block_size * attention->head_dim;
}

void write_token(const Attention *attention, uint16_t *pool, const int32_t *table, int position,
                 const float *heads) {
    int page = table[position / attention->block_size];
    for (int head = 0; head < attention->n_kv_heads; head++) {
        uint16_t *to = page_of(attention, pool, page, head);
        to += (ptrdiff_t)(position % attention->block_size) * attention->head_dim;
        for (int i = 0; i < attention->head_dim; i++)
            to[i] = to_bf16(heads[head * attention->head_dim + i]);
    }
}

/* Tokens [from, to) of a page in floats: every query head reads them again. */
static void unpack(const uint16_t *page, int from, int to, int head_dim, float *out) {
    for (int i = from * head_dim; i < to * head_dim; i += LANES)
        store(out + i - from * head_dim, load_bf16(page + i));
}

static void score(const float *query, const float *keys, int count, int head_dim, float *scores) {
    floats scale = all(1.0f / sqrtf((float)head_dim));
    for (int key = 0; key < count; key += LANES) {
        floats products[LANES];
        for (int i = 0; i < LANES; i++) { /* rows behind the last key hold old, finite numbers */
            const float *at = keys + (ptrdiff_t)(key + i) * head_dim;
            floats total = {};
            for (int k = 0; k < head_dim; k += LANES) total += load(query + k) * load(at + k);
            products[i] = total;
        }
        store(scores + key, sums_of(products) * scale);
    }
}

/* Turn `count` scores into weights, in place; return what they add up to. */
static float soften(float *scores, int count) {
    for (int i = count; i < padded(count); i++) scores[i] = -INFINITY;
    floats most = all(-INFINITY), total = {};
    for (int i = 0; i < count; i += LANES) most = largest(most, load(scores + i));
    floats peak = all(largest_of(most));
    for (int i = 0; i < count; i += LANES) {
        floats differences = load(scores + i) - peak;
        floats weights = exponential(differences);
        weights = pick(differences < all(-80.0f), (floats){}, weights);
        store(scores + i, weights);
        total += weights;
    }
    return sum_of(total);
}

static void add_values(const float *weights, const float *values, int count, int head_dim,
                       float *result) {
    for (int from = 0; from < head_dim; from += CHUNK * LANES) {
        int vectors = (head_dim - from) / LANES < CHUNK ? (head_dim - from) / LANES : CHUNK;
        floats totals[CHUNK];
        for (int i = 0; i < vectors; i++) totals[i] = load(result + from + i * LANES);
        if (vectors == CHUNK) {
            for (int key = 0; key < count; key++) {
                floats weight = all(weights[key]);
                const float *at = values + (ptrdiff_t)key * head_dim + from;
#pragma GCC unroll 8
                for (int i = 0; i < CHUNK; i++) totals[i] += weight * load(at + i * LANES);
            }
        } else {
            for (int key = 0; key < count; key++)
                for (int i = 0; i < vectors; i++)
                    totals[i] += weights[key] * load(values + (ptrdiff_t)key * head_dim + from + i * LANES);
        }
        for (int i = 0; i < vectors; i++) store(result + from + i * LANES, totals[i]);
    }
}

/* The tokens of a block that a query at `position` sees, if it sees none before `first`. */
typedef struct {
    int from, to;
} Part;

static Part visible_part(int block, int size, int first, int position) {
    int begin = block * size;
    return (Part){
        .from = begin < first ? first - begin : 0,
        .to = position + 1 - begin < size ? position + 1 - begin : size,
    };
}

void attend(const Attention *attention, const int32_t *table, int position, int kv_head,
            const float *queries, float *result, float *scratch) {
    const int head_dim = attention->head_dim, size = attention->block_size;
    const int shared = shared_heads(attention), window = attention->window;
    const int first = window && position + 1 > window ? position + 1 - window : 0;
    const int64_t stride = scores_size(attention);
    float *scores = scratch, *unpacked = scratch + shared * stride;
    queries += (ptrdiff_t)kv_head * shared * head_dim;
    result += (ptrdiff_t)kv_head * shared * head_dim;
    for (int block = first / size; block <= position / size; block++) {
        Part part = visible_part(block, size, first, position);
        unpack(page_of(attention, attention->keys, table[block], kv_head), part.from, part.to,
               head_dim, unpacked);
        for (int head = 0; head < shared; head++)
            score(queries + head * head_dim, unpacked, part.to - part.from, head_dim,
                  scores + head * stride + (block * size + part.from - first));
    }
    const int count = position + 1 - first;
    float totals[shared];
    for (int head = 0; head < shared; head++) totals[head] = soften(scores + head * stride, count);
    memset(result, 0, sizeof(float) * shared * head_dim);
    for (int block = first / size; block <= position / size; block++) {
        Part part = visible_part(block, size, first, position);
        unpack(page_of(attention, attention->values, table[block], kv_head), part.from, part.to,
               head_dim, unpacked);
        for (int head = 0; head < shared; head++)
            add_values(scores + head * stride + (block * size + part.from - first), unpacked,
                       part.to - part.from, head_dim, result + head * head_dim);
    }
    for (int head = 0; head < shared; head++) {
        floats divisor = all(1.0f / totals[head]);
        for (int i = 0; i < head_dim; i += LANES)
            store(result + head * head_dim + i, load(result + head * head_dim + i) * divisor);
    }
}
