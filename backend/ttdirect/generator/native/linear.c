#include "linear.h"

#include <stddef.h>

#include "vectors.h"

enum { SPAN = 2048 }; /* columns at a time: four rows of activations stay in the first cache */

static const float MOST = 32767.0f;

void round_row(const float *values, int columns, Rounded to, int row) {
    floats most = {};
    for (int k = 0; k < columns; k += LANES) most = largest(most, magnitude(load(values + k)));
    float peak = largest_of(most);
    floats factor = all(peak > 0 ? MOST / peak : 0.0f);
    int16_t *integers = to.integers + (size_t)row * columns;
    for (int k = 0; k < columns; k += LANES) {
        floats scaled = load(values + k) * factor;
        scaled += pick(scaled < all(0.0f), all(-0.5f), all(0.5f));
        half_shorts rounded =
            __builtin_convertvector(__builtin_convertvector(scaled, ints), half_shorts);
        memcpy(integers + k, &rounded, sizeof rounded);
    }
    to.scales[row] = peak / MOST;
}

INLINE void widen8(const uint8_t *at, shorts out[2]) {
    bytes first, second; /* one variable each: an array of them would go through memory */
    memcpy(&first, at, sizeof first);
    memcpy(&second, at + sizeof first, sizeof second);
    out[0] = widen(first);
    out[1] = widen(second);
}

/* Byte i of a group holds column i in its low half and column i + 16 in its high half, plus 8. */
INLINE void widen4(const uint8_t *at, shorts out[2]) {
    ubytes packed;
    memcpy(&packed, at, sizeof packed);
    shorts both = widen_unsigned(packed);
    out[0] = (both & 15) - 8;
    out[1] = (both >> 4) - 8;
}

/* `n_count` outputs of `m_count` rows over columns [from, to): eight sums at the most, which stay in
   registers. The counts and `bits` are constants, so that the loops over them disappear. */
INLINE void add_tile(const int bits, const int n_count, const int m_count, const uint8_t *weights,
                     const uint16_t *scales, const int16_t *rows, int columns, int from, int to,
                     float *sums) {
    floats totals[8] = {};
    const ptrdiff_t row_bytes = (ptrdiff_t)columns * bits / 8, groups = columns / GROUP;
    for (int k = from; k < to; k += GROUP) {
        shorts w[4][2];
        floats scale[4];
#pragma GCC unroll 4
        for (int n = 0; n < n_count; n++) {
            const uint8_t *at = weights + n * row_bytes + k * bits / 8;
            if (bits == 8) widen8(at, w[n]);
            else widen4(at, w[n]);
            /* The next tile's weights: rows are too short for the processor to foresee them. */
            __builtin_prefetch(at + n_count * row_bytes);
            scale[n] = all_bf16(scales[n * groups + k / GROUP]);
        }
#pragma GCC unroll 4
        for (int m = 0; m < m_count; m++) {
            const int16_t *x = rows + (ptrdiff_t)m * columns + k;
            shorts x0 = load_shorts(x), x1 = load_shorts(x + 16);
#pragma GCC unroll 4
            for (int n = 0; n < n_count; n++) {
                ints products = add_products((ints){}, w[n][0], x0);
                products = add_products(products, w[n][1], x1);
                totals[m * n_count + n] += scale[n] * __builtin_convertvector(products, floats);
            }
        }
    }
    floats results = sums_of(totals);
#pragma GCC unroll 4
    for (int m = 0; m < m_count; m++)
#pragma GCC unroll 4
        for (int n = 0; n < n_count; n++) sums[m * BLOCK + n] += results[m * n_count + n];
}

/* A block of outputs for all rows. Weights come from memory once; pairs of them meet four rows. */
INLINE void add_block(const int bits, const uint8_t *weights, const uint16_t *scales,
                      const int16_t *rows, int count, int columns, float *sums) {
    const ptrdiff_t row_bytes = (ptrdiff_t)columns * bits / 8, groups = columns / GROUP;
    for (int from = 0; from < columns; from += SPAN) {
        int to = from + SPAN < columns ? from + SPAN : columns, m = 0;
        for (; m + 4 <= count; m += 4)
            for (int n = 0; n < BLOCK; n += 2)
                add_tile(bits, 2, 4, weights + n * row_bytes, scales + n * groups,
                         rows + (ptrdiff_t)m * columns, columns, from, to, sums + m * BLOCK + n);
        for (; m + 2 <= count; m += 2)
            for (int n = 0; n < BLOCK; n += 4)
                add_tile(bits, 4, 2, weights + n * row_bytes, scales + n * groups,
                         rows + (ptrdiff_t)m * columns, columns, from, to, sums + m * BLOCK + n);
        for (; m < count; m++)
            for (int n = 0; n < BLOCK; n += 4)
                add_tile(bits, 4, 1, weights + n * row_bytes, scales + n * groups,
                         rows + (ptrdiff_t)m * columns, columns, from, to, sums + m * BLOCK + n);
    }
}

void multiply(const Linear *linear, Rounded rows, int count, int from, int to, float *out,
              int out_stride, int adds) {
    const int columns = linear->columns;
    const ptrdiff_t row_bytes = (ptrdiff_t)columns * linear->bits / 8, groups = columns / GROUP;
    for (int n = from; n < to; n += BLOCK) {
        const uint8_t *weights = (const uint8_t *)linear->weights + n * row_bytes;
        const uint16_t *scales = linear->scales + n * groups;
        float sums[MAX_ROWS * BLOCK];
        memset(sums, 0, sizeof(float) * BLOCK * count);
        if (linear->bits == 8)
            add_block(8, weights, scales, rows.integers, count, columns, sums);
        else
            add_block(4, weights, scales, rows.integers, count, columns, sums);
        floats bias = linear->bias ? load(linear->bias + n) : (floats){};
        for (int m = 0; m < count; m++) {
            float *at = out + (ptrdiff_t)m * out_stride + n;
            floats value = load(sums + m * BLOCK) * all(rows.scales[m]) + bias;
            store(at, adds ? load(at) + value : value);
        }
    }
}

void read_row(const Linear *linear, int row, float *to) {
    const int columns = linear->columns;
    const uint8_t *weights = (const uint8_t *)linear->weights;
    weights += (ptrdiff_t)row * columns * linear->bits / 8;
    if (linear->bits == 16) {
        for (int k = 0; k < columns; k += LANES)
            store(to + k, load_bf16((const uint16_t *)weights + k));
        return;
    }
    const uint16_t *scales = linear->scales + (ptrdiff_t)row * (columns / GROUP);
    for (int k = 0; k < columns; k += GROUP) {
        shorts w[2];
        if (linear->bits == 8) widen8(weights + k, w);
        else widen4(weights + k / 2, w);
        float scale = from_bf16(scales[k / GROUP]);
        for (int i = 0; i < GROUP; i++) to[k + i] = scale * w[i / 16][i % 16];
    }
}
