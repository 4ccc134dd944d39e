/* One forward pass of a decoder: what `native/library.py` fills in and calls. */
#ifndef DECODER_H
#define DECODER_H

#include "attention.h"
#include "linear.h"
#include "team.h"

typedef struct {
    Linear qkv, output, gate_up, down;
    const float *attention_norm, *mlp_norm; /* [hidden_size], padded with zeros to columns */
    const float *qk_norm;                   /* [n_heads + n_kv_heads, head_dim], or NULL */
    int32_t window;                         /* tokens that a query sees; 0 is all */
    int32_t has_rope;
} Layer;

typedef struct {
    const Layer *layers;
    Linear embedding, head;
    const float *final_norm;
    const float *cosines, *sines; /* [max_tokens, rotary_dim]; sines negative in the first half */
    int32_t n_layers, hidden_size, mlp_size, n_heads, n_kv_heads, head_dim, rotary_dim;
    int32_t block_size, max_tokens;
    float norm_eps;
} Model;

/* Rows of tokens to compute, each with a position and a page table of its own. */
typedef struct {
    const int32_t *tokens, *positions;   /* [rows] */
    const int32_t *tables;               /* row r's page table starts at r * table_stride */
    uint16_t *const *keys, *const *values; /* for each layer its pool */
    float *logits;                       /* [rows - first_logits, head.rows] */
    int32_t rows, table_stride, first_logits, unused;
} Step;

/* Bytes of working memory for steps of up to MAX_ROWS rows. */
int64_t workspace_bytes(const Model *model, int32_t threads);

/* A team of `size` threads; `join_team` has to be called on size - 1 threads of the caller's. */
typedef struct Crew Crew;
int64_t crew_bytes(void);
void form_crew(Crew *crew, int32_t size);
void join_crew(Crew *crew, int32_t index);
void dismiss_crew(Crew *crew);

/* Compute a step; one caller at a time. */
void run_step(Crew *crew, const Model *model, const Step *step, void *workspace);

#endif
