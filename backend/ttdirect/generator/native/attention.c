#include "attention.h"

#include <math.h>
#include <stddef.h>

#include "vectors.h"

enum {
    MOST_HEADS = 4,    /* query heads that meet a key together */
    MOST_KV_HEADS = 8, /* key heads that meet a page together */
    LINE = 32,         /* numbers of 16 bits that memory gives at a time */
};

static int64_t scores_size(const Attention *attention) {
    return (int64_t)MOST_HEADS * attention->max_tokens + 2 * LANES; /* vectors may reach beyond */
}

int kv_heads_at_once(const Attention *attention, int threads) {
    const int share = attention->n_kv_heads / threads;
    return share < 1 ? 1 : share < MOST_KV_HEADS ? share : MOST_KV_HEADS;
}

int64_t attention_scratch(const Attention *attention, int kv_heads) {
    return kv_heads * (scores_size(attention) + 2 * MOST_HEADS * attention->head_dim);
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

/* The tokens that a query sees in one page. */
typedef struct {
    const uint16_t *rows; /* [count, head_dim] */
    const uint16_t *next; /* of the next page, to be fetched early: pages lie anywhere */
    int count;
    int before; /* tokens in earlier pages */
} Part;

static Part visible_part(const Attention *attention, uint16_t *pool, const int32_t *table,
                         int kv_head, int block, int first, int position) {
    const int size = attention->block_size, begin = block * size;
    const int from = begin < first ? first - begin : 0;
    const int to = position + 1 - begin < size ? position + 1 - begin : size;
    const int following = block < position / size ? block + 1 : block;
    return (Part){
        .rows = page_of(attention, pool, table[block], kv_head) + from * attention->head_dim,
        .next = page_of(attention, pool, table[following], kv_head),
        .count = to - from,
        .before = begin + from - first,
    };
}

INLINE void fetch_early(const uint16_t *row, int head_dim) {
    for (int i = 0; i < head_dim; i += LINE) __builtin_prefetch(row + i);
}

/* Products of `heads` queries with a page's keys, to `scores[key * heads + head]`. The number of
   heads is a constant here and below, so that the loops over it disappear. */
INLINE void score(const int heads, const float *queries, Part keys, int head_dim, float *scores) {
    const int at_once = LANES / heads;
    for (int key = 0; key < keys.count; key += at_once) {
        const uint16_t *rows[LANES];
        floats sums[LANES];
#pragma GCC unroll 8
        for (int i = 0; i < at_once; i++) {
            int row = key + i < keys.count ? key + i : key; /* what is beyond is overwritten */
            rows[i] = keys.rows + (ptrdiff_t)row * head_dim;
            fetch_early(keys.next + (ptrdiff_t)row * head_dim, head_dim);
        }
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) sums[i] = (floats){};
        for (int k = 0; k < head_dim; k += LANES) {
            floats values[LANES];
#pragma GCC unroll 8
            for (int i = 0; i < at_once; i++) values[i] = load_bf16(rows[i] + k);
#pragma GCC unroll 4
            for (int head = 0; head < heads; head++) {
                floats query = load(queries + head * head_dim + k);
#pragma GCC unroll 8
                for (int i = 0; i < at_once; i++) sums[i * heads + head] += query * values[i];
            }
        }
        store(scores + key * heads, sums_of(sums));
    }
}

/* Lanes i, i + heads, i + 2 * heads, ... of both, combined into all of them. */
#define FOLD(heads, combine, value)                                                          \
    do {                                                                                     \
        if (heads <= 4) value = combine(value, __builtin_shufflevector(value, value, 4, 5, 6, 7, 0, 1, 2, 3)); \
        if (heads <= 2) value = combine(value, __builtin_shufflevector(value, value, 2, 3, 0, 1, 6, 7, 4, 5)); \
        if (heads <= 1) value = combine(value, __builtin_shufflevector(value, value, 1, 0, 3, 2, 5, 4, 7, 6)); \
    } while (0)

INLINE floats sum(floats left, floats right) { return left + right; }

/* Turn the scores of `count` keys into weights, in place; return one over what a head's add up to. */
INLINE floats soften(const int heads, float *scores, int count) {
    const int size = count * heads;
    floats most = all(-INFINITY), total = {};
    store(scores + size, all(-INFINITY));
    for (int i = 0; i < size; i += LANES) most = largest(most, load(scores + i));
    FOLD(heads, largest, most);
    for (int i = 0; i < size; i += LANES) {
        floats differences = load(scores + i) - most;
        floats weights = exponential(differences);
        weights = pick(differences < all(-80.0f), (floats){}, weights);
        store(scores + i, weights);
        total += weights;
    }
    FOLD(heads, sum, total);
    return all(1.0f) / total;
}

/* Add a page's values, weighted, to `vectors` vectors of each head's result from `from` on. */
INLINE void add_columns(const int heads, const int vectors, const float *weights, Part values,
                        int head_dim, int from, float *results) {
    floats sums[MOST_HEADS][LANES];
#pragma GCC unroll 4
    for (int head = 0; head < heads; head++)
#pragma GCC unroll 8
        for (int i = 0; i < vectors; i++)
            sums[head][i] = load(results + head * head_dim + from + i * LANES);
    for (int key = 0; key < values.count; key++) {
        const ptrdiff_t at = (ptrdiff_t)key * head_dim + from;
        /* Spread over the page, that few fetches are under way at a time. */
        __builtin_prefetch(values.next + (ptrdiff_t)from * values.count + key * vectors * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < vectors; i++) {
            floats column = load_bf16(values.rows + at + i * LANES);
#pragma GCC unroll 4
            for (int head = 0; head < heads; head++)
                sums[head][i] += all(weights[key * heads + head]) * column;
        }
    }
#pragma GCC unroll 4
    for (int head = 0; head < heads; head++)
#pragma GCC unroll 8
        for (int i = 0; i < vectors; i++)
            store(results + head * head_dim + from + i * LANES, sums[head][i]);
}

INLINE void add_values(const int heads, const float *weights, Part values, int head_dim,
                       float *results) {
    const int vectors = LANES / heads; /* eight sums stay in registers */
    int from = 0;
    for (; from + vectors * LANES <= head_dim; from += vectors * LANES)
        add_columns(heads, vectors, weights, values, head_dim, from, results);
    for (; from < head_dim; from += LANES)
        add_columns(heads, 1, weights, values, head_dim, from, results);
}

/* Query heads `[head, head + real)` of every key head; up to `heads` of each, the others zero. All
   key heads meet a page before the next one is read: their parts of it lie side by side, and memory
   gives long runs faster. */
INLINE void attend_together(const int heads, int head, int real, const Attention *attention,
                            const int32_t *table, int position, int kv_head, int kv_heads,
                            const float *queries, float *result, float *scratch) {
    const int head_dim = attention->head_dim, size = attention->block_size;
    const int shared = attention->n_heads / attention->n_kv_heads;
    const int window = attention->window;
    const int first = window && position + 1 > window ? position + 1 - window : 0;
    const ptrdiff_t width = MOST_HEADS * head_dim, length = scores_size(attention);
    float *scaled = scratch, *results = scaled + kv_heads * width;
    float *scores = results + kv_heads * width;
    floats scale = all(1.0f / sqrtf((float)head_dim));
    memset(scaled, 0, sizeof(float) * 2 * kv_heads * width);
    for (int own = 0; own < kv_heads; own++) {
        const float *from = queries + ((ptrdiff_t)(kv_head + own) * shared + head) * head_dim;
        for (int i = 0; i < real * head_dim; i += LANES)
            store(scaled + own * width + i, load(from + i) * scale);
    }
    for (int block = first / size; block <= position / size; block++)
        for (int own = 0; own < kv_heads; own++) {
            Part keys = visible_part(attention, attention->keys, table, kv_head + own, block,
                                     first, position);
            score(heads, scaled + own * width, keys, head_dim,
                  scores + own * length + keys.before * heads);
        }
    floats shares[MOST_KV_HEADS];
    for (int own = 0; own < kv_heads; own++)
        shares[own] = soften(heads, scores + own * length, position + 1 - first);
    for (int block = first / size; block <= position / size; block++)
        for (int own = 0; own < kv_heads; own++) {
            Part values = visible_part(attention, attention->values, table, kv_head + own, block,
                                       first, position);
            add_values(heads, scores + own * length + values.before * heads, values, head_dim,
                       results + own * width);
        }
    for (int own = 0; own < kv_heads; own++) {
        float *to = result + ((ptrdiff_t)(kv_head + own) * shared + head) * head_dim;
        for (int i = 0; i < real * head_dim; i += LANES)
            store(to + i, load(results + own * width + i) * all(shares[own][i / head_dim]));
    }
}

void attend(const Attention *attention, const int32_t *table, int position, int kv_head,
            int kv_heads, const float *queries, float *result, float *scratch) {
    const int shared = attention->n_heads / attention->n_kv_heads;
    for (int head = 0; head < shared; head += MOST_HEADS) {
        const int left = shared - head < MOST_HEADS ? shared - head : MOST_HEADS;
        if (left == 1)
            attend_together(1, head, 1, attention, table, position, kv_head, kv_heads, queries,
                            result, scratch);
        else if (left == 2)
            attend_together(2, head, 2, attention, table, position, kv_head, kv_heads, queries,
                            result, scratch);
        else
            attend_together(4, head, left, attention, table, position, kv_head, kv_heads, queries,
                            result, scratch);
    }
}
