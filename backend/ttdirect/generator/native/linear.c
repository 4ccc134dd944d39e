#include "linear.h"

#include <stddef.h>

#include "vectors.h"

enum {
    PARTS = BLOCK / OUTPUTS, /* vectors with a number for each output of a block */
    TILE = 8 / PARTS,        /* rows of activations whose sums fit into registers */
    SPAN = 1024,             /* columns at a time: a block's weights stay in the first cache */
    AHEAD = 2048,            /* bytes of weights to fetch early: processors foresee less */
    LINE = 64,               /* bytes that memory gives at a time */
};

static const float MOST = 32767.0f;

void round_row(const float *values, int columns, Rounded to, int row) {
    floats most = {};
    for (int k = 0; k < columns; k += LANES) most = largest(most, magnitude(load(values + k)));
    float peak = largest_of(most);
    floats factor = all(peak > 0 ? MOST / peak : 0.0f);
    int16_t *integers = to.integers + (ptrdiff_t)row * columns;
    int32_t *sums = to.sums + (ptrdiff_t)row * (columns / GROUP);
    for (int k = 0; k < columns; k += GROUP) {
        ints total = {};
        for (int i = k; i < k + GROUP; i += LANES) {
            floats scaled = load(values + i) * factor;
            scaled += pick(scaled < all(0.0f), all(-0.5f), all(0.5f));
            ints whole = __builtin_convertvector(scaled, ints);
            half_shorts rounded = __builtin_convertvector(whole, half_shorts);
            memcpy(integers + i, &rounded, sizeof rounded);
            total += whole;
        }
        sums[k / GROUP] = sum_of_ints(total);
    }
    to.scales[row] = peak / MOST;
}

/* Add a group's products with `count` rows. `bits` and `count` are constants, so that the loops over
   them disappear; the loop over columns stays, or else compilers add up in trees that outgrow the
   registers. */
INLINE void add_group(const int bits, const int count, const uint8_t *weights, const int16_t *rows,
                      int columns, output_ints sums[TILE][PARTS]) {
    const int bytes = OUTPUTS * 2;
#pragma GCC unroll 1
    for (int pair = 0; pair < GROUP / 2 * bits / 8; pair++) {
        output_pairs low[PARTS], high[PARTS];
#pragma GCC unroll 2
        for (int part = 0; part < PARTS; part++) {
            const uint8_t *at = weights + (pair * PARTS + part) * bytes;
            if ((pair * PARTS + part) * bytes % LINE == 0) __builtin_prefetch(at + AHEAD);
            if (bits == 8) {
                low[part] = widen(at);
            } else {
                output_pairs both = widen_unsigned(at);
                low[part] = both & 15;
                high[part] = both >> 4;
            }
        }
#pragma GCC unroll 8
        for (int m = 0; m < count; m++) {
            const int16_t *x = rows + (ptrdiff_t)m * columns + 2 * pair;
#pragma GCC unroll 2
            for (int part = 0; part < PARTS; part++) {
                sums[m][part] = add_products(sums[m][part], low[part], all_outputs(x));
                if (bits == 4)
                    sums[m][part] =
                        add_products(sums[m][part], high[part], all_outputs(x + GROUP / 2));
            }
        }
    }
}

/* Add the products of columns [from, to) of a block with rows [row, row + count) to `results`. */
INLINE void add_tile(const int bits, const int count, const uint8_t *weights,
                     const uint16_t *scales, Rounded rows, int row, int columns, int from, int to,
                     float *results) {
    const int groups = columns / GROUP;
    const int16_t *integers = rows.integers + (ptrdiff_t)row * columns;
    const int32_t *row_sums = rows.sums + (ptrdiff_t)row * groups;
    for (int group = from / GROUP; group < to / GROUP; group++) {
        output_ints sums[TILE][PARTS];
#pragma GCC unroll 8
        for (int m = 0; m < count; m++)
#pragma GCC unroll 2
            for (int part = 0; part < PARTS; part++)
                sums[m][part] =
                    (output_ints){} + (bits == 4 ? -INT4_ZERO * row_sums[m * groups + group] : 0);
        add_group(bits, count, weights + (ptrdiff_t)group * BLOCK * GROUP * bits / 8,
                  integers + group * GROUP, columns, sums);
#pragma GCC unroll 2
        for (int part = 0; part < PARTS; part++) {
            output_floats scale = load_bf16_outputs(scales + group * BLOCK + part * OUTPUTS);
#pragma GCC unroll 8
            for (int m = 0; m < count; m++) {
                float *at = results + (row + m) * BLOCK + part * OUTPUTS;
                output_floats products = __builtin_convertvector(sums[m][part], output_floats);
                store_outputs(at, load_outputs(at) + scale * products);
            }
        }
    }
}

/* A block of outputs for all rows; its weights come from memory once. */
INLINE void add_block(const int bits, const uint8_t *weights, const uint16_t *scales, Rounded rows,
                      int count, int columns, float *results) {
    for (int from = 0; from < columns; from += SPAN) {
        int to = from + SPAN < columns ? from + SPAN : columns, m = 0;
        for (; m + TILE <= count; m += TILE)
            add_tile(bits, TILE, weights, scales, rows, m, columns, from, to, results);
        for (; TILE > 4 && m + 4 <= count; m += 4)
            add_tile(bits, 4, weights, scales, rows, m, columns, from, to, results);
        for (; m + 2 <= count; m += 2)
            add_tile(bits, 2, weights, scales, rows, m, columns, from, to, results);
        for (; m < count; m++)
            add_tile(bits, 1, weights, scales, rows, m, columns, from, to, results);
    }
}

void multiply(const Linear *linear, Rounded rows, int count, int from, int to, float *out,
              int out_stride, int adds) {
    const int columns = linear->columns;
    const ptrdiff_t row_bytes = (ptrdiff_t)columns * linear->bits / 8, groups = columns / GROUP;
    for (int n = from; n < to; n += BLOCK) {
        const uint8_t *weights = (const uint8_t *)linear->weights + n * row_bytes;
        const uint16_t *scales = linear->scales + n * groups;
        float results[MAX_ROWS * BLOCK];
        memset(results, 0, sizeof(float) * BLOCK * count);
        if (linear->bits == 8) add_block(8, weights, scales, rows, count, columns, results);
        else add_block(4, weights, scales, rows, count, columns, results);
        for (int m = 0; m < count; m++) {
            for (int i = 0; i < BLOCK; i += LANES) {
                float *at = out + (ptrdiff_t)m * out_stride + n + i;
                floats bias = linear->bias ? load(linear->bias + n + i) : (floats){};
                floats value = load(results + m * BLOCK + i) * all(rows.scales[m]) + bias;
                store(at, adds ? load(at) + value : value);
            }
        }
    }
}

static void read_bf16_row(const Linear *linear, int row, float *to) {
    const uint16_t *values = (const uint16_t *)linear->weights + (ptrdiff_t)row * linear->columns;
    for (int k = 0; k < linear->columns; k += LANES) store(to + k, load_bf16(values + k));
}

void read_row(const Linear *linear, int row, float *to) {
    if (linear->bits == 16) {
        read_bf16_row(linear, row, to);
        return;
    }
    const int groups = linear->columns / GROUP, bits = linear->bits, output = row % BLOCK;
    const ptrdiff_t first = (ptrdiff_t)(row / BLOCK) * groups;
    for (ptrdiff_t group = first; group < first + groups; group++, to += GROUP) {
        const uint8_t *at = (const uint8_t *)linear->weights + group * BLOCK * GROUP * bits / 8;
        float scale = from_bf16(linear->scales[group * BLOCK + output]);
        for (int i = 0; i < GROUP * bits / 8; i++) {
            int byte = at[(i / 2 * BLOCK + output) * 2 + i % 2];
            if (bits == 8) {
                to[i] = scale * (float)(int8_t)byte;
            } else {
                to[i] = scale * (float)((byte & 15) - INT4_ZERO);
                to[i + GROUP / 2] = scale * (float)((byte >> 4) - INT4_ZERO);
            }
        }
    }
}
