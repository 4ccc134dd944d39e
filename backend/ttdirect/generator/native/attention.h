/* Attention over the pages of the KV cache. A query's result depends on its own keys alone. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include <stdint.h>

typedef struct {
    int32_t n_heads, n_kv_heads, head_dim; /* head_dim is a multiple of 8 */
    int32_t block_size;                    /* tokens in a page */
    int32_t window;                        /* tokens that a query sees, itself included; 0 is all */
    int32_t max_tokens;                    /* the longest text */
    uint16_t *keys, *values;               /* bf16 [pages, n_kv_heads, block_size, head_dim] */
} Attention;

/* Key heads that a thread takes at a time: neighbours, so that every thread gets as many of a row. */
int kv_heads_at_once(const Attention *attention, int threads);

/* Floats of scratch memory that a thread needs for so many key heads. */
int64_t attention_scratch(const Attention *attention, int kv_heads);

/* Write one token's key or value, float [n_kv_heads, head_dim], to its place in the pool. */
void write_token(const Attention *attention, uint16_t *pool, const int32_t *table, int position,
                 const float *heads);

/* The query heads that share key heads `[kv_head, kv_head + kv_heads)`, for the token at `position`:
   queries and result are float [n_heads, head_dim], of which these heads are read and written. */
void attend(const Attention *attention, const int32_t *table, int position, int kv_head,
            int kv_heads, const float *queries, float *result, float *scratch);

#endif
