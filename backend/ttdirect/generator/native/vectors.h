/* Vectors in the compilers' own notation. An instruction is named only where no compiler finds it by
   itself; there is a plain way to compute the same for every processor.

   Two kinds: rows of floats go through vectors of 32 bytes everywhere; products go through vectors
   as wide as the processor's registers, whose lanes are outputs. */
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
typedef int16_t half_shorts __attribute__((vector_size(16)));
typedef uint16_t bf16s __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))

INLINE floats load(const float *at) {
    floats value;
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

INLINE int32_t sum_of_ints(ints value) {
    int32_t result = 0;
    for (int lane = 0; lane < LANES; lane++) result += value[lane];
    return result;
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
#if defined(__AVX2__)
    return (floats)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)value), 16);
#else
    return (floats)(__builtin_convertvector(value, words) << 16);
#endif
}

/* Outputs of a product: 16 of them, or 8, are computed together. TTDIRECT_WIDE computes 16 without
   the instructions for it, so that any processor can test that. */
#if defined(__AVX512VNNI__) || defined(TTDIRECT_WIDE)
enum { OUTPUTS = 16 };
#else
enum { OUTPUTS = 8 };
#endif

typedef float output_floats __attribute__((vector_size(4 * OUTPUTS)));
typedef int32_t output_ints __attribute__((vector_size(4 * OUTPUTS)));
typedef uint32_t output_words __attribute__((vector_size(4 * OUTPUTS)));
typedef uint16_t output_bf16s __attribute__((vector_size(2 * OUTPUTS)));
/* Two neighbours of every output. */
typedef int16_t output_pairs __attribute__((vector_size(4 * OUTPUTS)));
typedef int8_t output_bytes __attribute__((vector_size(2 * OUTPUTS)));
typedef uint8_t output_ubytes __attribute__((vector_size(2 * OUTPUTS)));

INLINE output_floats load_outputs(const float *at) {
    output_floats value;
    memcpy(&value, at, sizeof value);
    return value;
}

INLINE void store_outputs(float *at, output_floats value) { memcpy(at, &value, sizeof value); }

INLINE output_floats load_bf16_outputs(const uint16_t *at) {
    output_bf16s value;
    memcpy(&value, at, sizeof value);
#if defined(__AVX512VNNI__)
    return (output_floats)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)value), 16);
#elif defined(__AVX2__) && !defined(TTDIRECT_WIDE)
    return (output_floats)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)value), 16);
#else
    return (output_floats)(__builtin_convertvector(value, output_words) << 16);
#endif
}

INLINE output_pairs widen(const uint8_t *at) {
    output_bytes value;
    memcpy(&value, at, sizeof value);
#if defined(__AVX512VNNI__)
    return (output_pairs)_mm512_cvtepi8_epi16((__m256i)value);
#elif defined(__AVX2__) && !defined(TTDIRECT_WIDE)
    return (output_pairs)_mm256_cvtepi8_epi16((__m128i)value);
#else
    return __builtin_convertvector(value, output_pairs);
#endif
}

INLINE output_pairs widen_unsigned(const uint8_t *at) {
    output_ubytes value;
    memcpy(&value, at, sizeof value);
#if defined(__AVX512VNNI__)
    return (output_pairs)_mm512_cvtepu8_epi16((__m256i)value);
#elif defined(__AVX2__) && !defined(TTDIRECT_WIDE)
    return (output_pairs)_mm256_cvtepu8_epi16((__m128i)value);
#else
    return __builtin_convertvector(value, output_pairs);
#endif
}

/* The same two neighbours for every output. */
INLINE output_pairs all_outputs(const int16_t *at) {
    int32_t both;
    memcpy(&both, at, sizeof both);
    return (output_pairs)((output_ints){} + both);
}

/* Each output's sum with two products of neighbours on top. */
INLINE output_ints add_products(output_ints sums, output_pairs left, output_pairs right) {
#if defined(__AVX512VNNI__)
    return (output_ints)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)left, (__m512i)right);
#elif defined(__AVX2__) && !defined(TTDIRECT_WIDE)
    return sums + (output_ints)_mm256_madd_epi16((__m256i)left, (__m256i)right);
#else
    for (int i = 0; i < OUTPUTS; i++)
        sums[i] += left[2 * i] * right[2 * i] + left[2 * i + 1] * right[2 * i + 1];
    return sums;
#endif
}

#endif
