#include "quantise.h"

#include <stddef.h>

#include "vectors.h"

enum { PARTS = GROUP / LANES };

/* Scales that are tried for 4 bits, as shares of the one that cuts nothing: a smaller one cuts the
   farthest weight and serves the other 31 better. */
static const float SHARES[] = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 0.75f};

static void read_group(const void *values, int is_bf16, int64_t from, int count, float *group) {
    for (int i = 0; i < GROUP; i++) {
        if (i >= count) group[i] = 0.0f;
        else if (is_bf16) group[i] = from_bf16(((const uint16_t *)values)[from + i]);
        else group[i] = ((const float *)values)[from + i];
    }
}

/* Round to multiples of a scale from `least` to `most`; return the sum of squared errors. */
static float round_group(const float *group, float scale, float least, float most, ints *out) {
    floats factor = all(scale != 0 ? 1.0f / scale : 0.0f), errors = {};
    for (int part = 0; part < PARTS; part++) {
        floats value = load(group + part * LANES), ratio = value * factor;
        ratio += pick(ratio < all(0.0f), all(-0.5f), all(0.5f));
        ratio = pick(ratio < all(least), all(least), ratio);
        ratio = pick(ratio > all(most), all(most), ratio);
        out[part] = __builtin_convertvector(ratio, ints);
        floats error = value - __builtin_convertvector(out[part], floats) * scale;
        errors += error * error;
    }
    return sum_of(errors);
}

static uint16_t round_to_eight(const float *group, int8_t *to) {
    floats most = {};
    for (int part = 0; part < PARTS; part++)
        most = largest(most, magnitude(load(group + part * LANES)));
    uint16_t scale = to_bf16(largest_of(most) / 127);
    ints rounded[PARTS];
    round_group(group, from_bf16(scale), -127, 127, rounded);
    for (int i = 0; i < GROUP; i++) to[i] = (int8_t)rounded[i / LANES][i % LANES];
    return scale;
}

static uint16_t round_to_four(const float *group, uint8_t *to) {
    float farthest = 0;
    for (int i = 0; i < GROUP; i++) {
        float size = group[i] < 0 ? -group[i] : group[i];
        if (size > (farthest < 0 ? -farthest : farthest)) farthest = group[i];
    }
    ints best[PARTS] = {}, tried[PARTS];
    uint16_t best_scale = 0;
    float least_error = -1;
    for (unsigned i = 0; i < sizeof SHARES / sizeof *SHARES; i++) {
        /* The farthest becomes -8: that end has room for one more. */
        uint16_t scale = to_bf16(farthest * SHARES[i] / -8);
        float error = round_group(group, from_bf16(scale), -8, 7, tried);
        if (least_error >= 0 && error >= least_error) continue;
        least_error = error;
        best_scale = scale;
        memcpy(best, tried, sizeof best);
    }
    const int half = GROUP / 2;
    for (int i = 0; i < half; i++) {
        int low = best[i / LANES][i % LANES] + 8;
        int high = best[(i + half) / LANES][(i + half) % LANES] + 8;
        to[i] = (uint8_t)(low | high << 4);
    }
    return best_scale;
}

void quantise_rows(const void *values, int32_t is_bf16, int64_t rows, int64_t columns, int32_t bits,
                   void *integers, uint16_t *scales) {
    const int64_t groups = (columns + GROUP - 1) / GROUP;
    uint8_t *to = integers;
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t at = 0; at < groups; at++) {
            float group[GROUP];
            int64_t left = columns - at * GROUP;
            read_group(values, is_bf16, row * columns + at * GROUP, left < GROUP ? left : GROUP,
                       group);
            *scales++ = bits == 8 ? round_to_eight(group, (int8_t *)to) : round_to_four(group, to);
            to += GROUP * bits / 8;
        }
    }
}
