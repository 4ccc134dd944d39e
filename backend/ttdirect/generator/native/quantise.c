#include "quantise.h"

#include <stddef.h>

#include "vectors.h"

enum { PARTS = GROUP / LANES };

typedef int8_t small_bytes __attribute__((vector_size(LANES)));

/* Scales that are tried for 4 bits, as shares of the one that cuts nothing: a smaller one cuts the
   farthest weight and serves the other 31 better. */
static const float SHARES[] = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 0.75f};

/* The group of columns that begins at `from`, of which `count` exist. */
static void read_group(const void *values, int is_bf16, int64_t from, int64_t count, float *group) {
    const uint16_t *halves = (const uint16_t *)values + from;
    const float *singles = (const float *)values + from;
    if (count >= GROUP) {
        for (int i = 0; i < GROUP; i += LANES)
            store(group + i, is_bf16 ? load_bf16(halves + i) : load(singles + i));
        return;
    }
    for (int i = 0; i < GROUP; i++)
        group[i] = i >= count ? 0.0f : is_bf16 ? from_bf16(halves[i]) : singles[i];
}

/* Round to multiples of a scale from `least` to `most`; return the sum of squared errors. */
static float round_group(const float *group, float scale, float least, float most, int8_t *out) {
    floats factor = all(scale != 0 ? 1.0f / scale : 0.0f), errors = {};
    for (int part = 0; part < PARTS; part++) {
        floats value = load(group + part * LANES), ratio = value * factor;
        ratio += pick(ratio < all(0.0f), all(-0.5f), all(0.5f));
        ratio = pick(ratio < all(least), all(least), ratio);
        ratio = pick(ratio > all(most), all(most), ratio);
        ints rounded = __builtin_convertvector(ratio, ints);
        small_bytes bytes = __builtin_convertvector(rounded, small_bytes);
        memcpy(out + part * LANES, &bytes, sizeof bytes);
        floats error = value - __builtin_convertvector(rounded, floats) * scale;
        errors += error * error;
    }
    return sum_of(errors);
}

static uint16_t round_to_eight(const float *group, int8_t *integers) {
    floats most = {};
    for (int part = 0; part < PARTS; part++)
        most = largest(most, magnitude(load(group + part * LANES)));
    uint16_t scale = to_bf16(largest_of(most) / 127);
    round_group(group, from_bf16(scale), -127, 127, integers);
    return scale;
}

static uint16_t round_to_four(const float *group, int8_t *integers) {
    float farthest = 0;
    for (int i = 0; i < GROUP; i++) {
        float size = group[i] < 0 ? -group[i] : group[i];
        if (size > (farthest < 0 ? -farthest : farthest)) farthest = group[i];
    }
    int8_t tried[GROUP];
    uint16_t best_scale = 0;
    float least_error = -1;
    for (unsigned i = 0; i < sizeof SHARES / sizeof *SHARES; i++) {
        /* The farthest becomes -8: that end has room for one more. */
        uint16_t scale = to_bf16(farthest * SHARES[i] / -8);
        float error = round_group(group, from_bf16(scale), -8, 7, tried);
        if (least_error >= 0 && error >= least_error) continue;
        least_error = error;
        best_scale = scale;
        memcpy(integers, tried, sizeof tried);
    }
    return best_scale;
}

/* Put a block's group into the order that linear.h describes. */
static void interleave(int8_t integers[BLOCK][GROUP], int bits, uint8_t *weights) {
    for (int pair = 0; pair < GROUP / 2 * bits / 8; pair++) {
        for (int output = 0; output < BLOCK; output++) {
            for (int i = 2 * pair; i < 2 * pair + 2; i++) {
                int value = integers[output][i];
                if (bits == 4) {
                    int later = integers[output][i + GROUP / 2];
                    value = (value + INT4_ZERO) | (later + INT4_ZERO) << 4;
                }
                *weights++ = (uint8_t)value;
            }
        }
    }
}

void quantise_rows(const void *values, int32_t is_bf16, int64_t rows, int64_t columns, int32_t bits,
                   void *integers, uint16_t *scales) {
    const int64_t groups = (columns + GROUP - 1) / GROUP;
    uint8_t *to = integers;
    for (int64_t first = 0; first < rows; first += BLOCK) {
        for (int64_t at = 0; at < groups; at++) {
            int8_t rounded[BLOCK][GROUP] = {};
            for (int output = 0; output < BLOCK; output++) {
                const int64_t row = first + output, column = at * GROUP;
                float group[GROUP];
                *scales++ = 0;
                if (row >= rows) continue;
                read_group(values, is_bf16, row * columns + column, columns - column, group);
                scales[-1] = bits == 8 ? round_to_eight(group, rounded[output])
                                       : round_to_four(group, rounded[output]);
            }
            interleave(rounded, bits, to);
            to += BLOCK * GROUP * bits / 8;
        }
    }
}
