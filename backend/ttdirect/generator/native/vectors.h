/* Vectors of 32 bytes in the compilers' own notation. An instruction is named only where no
   compiler finds it by itself; there is a plain way to compute the same for every processor. */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum { LANES = 8 };

typedef float floats __attribute__((vector_size(32)));
typedef int32_t ints __attribute__((vector_size(32)));
typedef uint32_t words __attribute__((vector_size(32)));
typedef int16_t shorts __attribute__((vector_size(32)));
typedef int16_t half_shorts __attribute__((vector_size(16)));
typedef int8_t bytes __attribute__((vector_size(16)));
typedef uint8_t ubytes __attribute__((vector_size(16)));
typedef uint16_t bf16s __attribute__((vector_size(16)));
typedef uint16_t sixteen_bits __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

INLINE floats load(const float *at) {
    floats value;
    memcpy(&value, at, sizeof value);
    return value;
}

INLINE shorts load_shorts(const int16_t *at) {
    shorts value;
    memcpy(&value, at, sizeof value);
    return value;
}

INLINE void store(float *at, floats value) { memcpy(at, &value, sizeof value); }

INLINE floats all(float value) {
    return (floats){value, value, value, value, value, value, value, value};
}

INLINE floats pick(ints where, floats yes, floats no) {
    return (floats)((where & (ints)yes) | (~where & (ints)no));
}

INLINE floats largest(floats left, floats right) { return pick(left > right, left, right); }

INLINE floats magnitude(floats value) { return (floats)((ints)value & 0x7fffffff); }

/* Lane i of the result is the sum of the lanes of values[i]. */
INLINE floats sums_of(const floats values[8]) {
    floats pairs[4], fours[2];
    for (int i = 0; i < 4; i++) {
        floats a = values[2 * i], b = values[2 * i + 1];
        pairs[i] = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14) +
                   __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 2; i++) {
        floats a = pairs[2 * i], b = pairs[2 * i + 1];
        fours[i] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
                   __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    }
    return __builtin_shufflevector(fours[0], fours[1], 0, 1, 2, 3, 8, 9, 10, 11) +
           __builtin_shufflevector(fours[0], fours[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

INLINE float sum_of(floats value) {
    return ((value[0] + value[1]) + (value[2] + value[3])) +
           ((value[4] + value[5]) + (value[6] + value[7]));
}

INLINE float largest_of(floats value) {
    float result = value[0];
    for (int lane = 1; lane < LANES; lane++) result = value[lane] > result ? value[lane] : result;
    return result;
}

/* e^x by Cody and Waite's reduction and Taylor's polynomial: 2 units in the last place. */
INLINE floats exponential(floats x) {
    x = pick(x > all(88.0f), all(88.0f), x);
    x = pick(x < all(-87.0f), all(-87.0f), x);
    floats halves = pick(x < all(0.0f), all(-0.5f), all(0.5f));
    ints power = __builtin_convertvector(x * 1.44269504f + halves, ints);
    floats whole = __builtin_convertvector(power, floats);
    floats rest = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    floats series = all(1.0f / 5040);
    series = series * rest + 1.0f / 720;
    series = series * rest + 1.0f / 120;
    series = series * rest + 1.0f / 24;
    series = series * rest + 1.0f / 6;
    series = series * rest + 0.5f;
    series = series * rest + 1.0f;
    series = series * rest + 1.0f;
    return series * (floats)((power + 127) << 23);
}

INLINE float from_bf16(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* To the nearest, ties to even, as PyTorch rounds. */
INLINE uint16_t to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

INLINE floats load_bf16(const uint16_t *at) {
    bf16s value;
    memcpy(&value, at, sizeof value);
    return (floats)(__builtin_convertvector(value, words) << 16);
}

/* The same bf16 number in all lanes: two copies of it make a lane, and one of them is shifted out. */
INLINE floats all_bf16(uint16_t value) {
    sixteen_bits copies = (sixteen_bits){} + value;
    return (floats)((words)copies << 16);
}

INLINE shorts widen(bytes value) {
#if defined(__AVX2__)
    return (shorts)_mm256_cvtepi8_epi16((__m128i)value);
#else
    return __builtin_convertvector(value, shorts);
#endif
}

INLINE shorts widen_unsigned(ubytes value) {
#if defined(__AVX2__)
    return (shorts)_mm256_cvtepu8_epi16((__m128i)value);
#else
    return __builtin_convertvector(value, shorts);
#endif
}

/* Each lane of the result adds two products of neighbours to its lane of `sums`. */
INLINE ints add_products(ints sums, shorts left, shorts right) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return (ints)_mm256_dpwssd_epi32((__m256i)sums, (__m256i)left, (__m256i)right);
#elif defined(__AVX2__)
    return sums + (ints)_mm256_madd_epi16((__m256i)left, (__m256i)right);
#else
    for (int lane = 0; lane < LANES; lane++)
        sums[lane] += left[2 * lane] * right[2 * lane] + left[2 * lane + 1] * right[2 * lane + 1];
    return sums;
#endif
}

#endif
