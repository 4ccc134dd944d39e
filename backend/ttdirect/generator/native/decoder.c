#include "decoder.h"

#include <math.h>
#include <stddef.h>

#include "vectors.h"

enum {
    ALIGNMENT = 64,
    OUTPUTS_AT_ONCE = 64, /* what a thread takes of a product: enough to stream, little to wait for */
};

struct Crew {
    Team team;
    const Model *model;
    const Step *step;
    void *workspace;
};

typedef struct {
    float *hidden;   /* [rows, hidden columns], the residual stream */
    float *normed;   /* one row for each thread, of the widest product's columns */
    float *qkv;      /* [rows, qkv rows] */
    float *attended; /* [rows, output columns] */
    float *gate_up;  /* [rows, gate_up rows] */
    float *scratch;  /* for each thread, of attention */
    Rounded rounded;
    int32_t widest;
    int32_t kv_heads; /* that a thread attends to at a time */
    int64_t scratch_size;
} Workspace;

static int max(int left, int right) { return left > right ? left : right; }
static int min(int left, int right) { return left < right ? left : right; }

static Attention attention_of(const Model *model, const Step *step, int layer) {
    return (Attention){
        .n_heads = model->n_heads,
        .n_kv_heads = model->n_kv_heads,
        .head_dim = model->head_dim,
        .block_size = model->block_size,
        .window = model->layers[layer].window,
        .max_tokens = model->max_tokens,
        .keys = step ? step->keys[layer] : NULL,
        .values = step ? step->values[layer] : NULL,
    };
}

static void *take(char *base, int64_t *used, int64_t bytes) {
    void *at = base ? base + *used : NULL;
    *used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

/* Lay the buffers out from `base`; with none, only count. Returns the bytes used. */
static int64_t lay_out(Workspace *space, const Model *model, int threads, void *base) {
    const Layer *layer = &model->layers[0]; /* all layers have the same shape */
    const Attention attention = attention_of(model, NULL, 0);
    const int64_t rows = MAX_ROWS, item = sizeof(float);
    int64_t used = 0;
    space->widest = max(max(layer->qkv.columns, layer->output.columns),
                        max(layer->gate_up.columns, layer->down.columns));
    space->kv_heads = kv_heads_at_once(&attention, threads);
    space->scratch_size = attention_scratch(&attention, space->kv_heads);
    space->hidden = take(base, &used, rows * layer->qkv.columns * item);
    space->normed = take(base, &used, threads * (int64_t)space->widest * item);
    space->qkv = take(base, &used, rows * layer->qkv.rows * item);
    space->attended = take(base, &used, rows * layer->output.columns * item);
    space->gate_up = take(base, &used, rows * layer->gate_up.rows * item);
    space->scratch = take(base, &used, threads * space->scratch_size * item);
    space->rounded.integers = take(base, &used, rows * space->widest * (int64_t)sizeof(int16_t));
    space->rounded.sums = take(base, &used, rows * (space->widest / GROUP) * item);
    space->rounded.scales = take(base, &used, rows * item);
    return used;
}

int64_t workspace_bytes(const Model *model, int32_t threads) {
    Workspace space;
    return lay_out(&space, model, threads, NULL) + ALIGNMENT;
}

/* x / sqrt(mean(x^2) + eps) * weight; without a weight only the first factor. */
static void normalise(const float *values, const float *weight, int size, int columns, float eps,
                      float *to) {
    floats squares = {};
    for (int k = 0; k < columns; k += LANES) squares += load(values + k) * load(values + k);
    floats factor = all(1.0f / sqrtf(sum_of(squares) / (float)size + eps));
    for (int k = 0; k < columns; k += LANES)
        store(to + k, load(values + k) * factor * load(weight + k));
}

static void norm_and_round(Team *team, const Model *model, const float *weight, int first, int rows,
                           int columns, Workspace *space, float *own) {
    for (int row; (row = claim(team, 1)) < rows;) {
        normalise(space->hidden + (ptrdiff_t)(first + row) * columns, weight, model->hidden_size,
                  columns, model->norm_eps, own);
        round_row(own, columns, space->rounded, row);
    }
    meet(team);
}

static void product(Team *team, const Linear *linear, const Workspace *space, int rows, float *out,
                    int stride, int adds) {
    for (int from; (from = claim(team, OUTPUTS_AT_ONCE)) < linear->rows;) {
        int to = from + OUTPUTS_AT_ONCE < linear->rows ? from + OUTPUTS_AT_ONCE : linear->rows;
        multiply(linear, space->rounded, rows, from, to, out, stride, adds);
    }
    meet(team);
}

/* Turn the first dimensions of a head by the angles of its position; halves form the pairs. */
static void rotate(float *head, const float *cosines, const float *sines, int dims) {
    int half = dims / 2;
    for (int i = 0; i < half; i++) {
        float first = head[i], second = head[i + half];
        head[i] = first * cosines[i] + second * sines[i];
        head[i + half] = second * cosines[i + half] + first * sines[i + half];
    }
}

/* Norm and turn the queries and keys of one row, and write its keys and values to their page. */
static void place_row(const Model *model, const Step *step, const Attention *attention, int layer,
                      int row, float *qkv) {
    const Layer *weights = &model->layers[layer];
    const int dim = model->head_dim, turning = model->rotary_dim;
    const int heads = model->n_heads + model->n_kv_heads, position = step->positions[row];
    for (int head = 0; head < heads; head++) {
        float *at = qkv + head * dim;
        if (weights->qk_norm)
            normalise(at, weights->qk_norm + head * dim, dim, dim, model->norm_eps, at);
        if (weights->has_rope)
            rotate(at, model->cosines + (ptrdiff_t)position * turning,
                   model->sines + (ptrdiff_t)position * turning, turning);
    }
    const int32_t *table = step->tables + (ptrdiff_t)row * step->table_stride;
    write_token(attention, attention->keys, table, position, qkv + model->n_heads * dim);
    write_token(attention, attention->values, table, position, qkv + heads * dim);
}

static void swiglu(const float *gate_up, int size, float *to) {
    for (int k = 0; k < size; k += LANES) { /* size is a multiple of 8 */
        floats gate = load(gate_up + k);
        store(to + k, gate * load(gate_up + size + k) / (all(1.0f) + exponential(-gate)));
    }
}

static void attention_part(Team *team, const Model *model, const Step *step, int layer,
                           Workspace *space, int thread) {
    const Layer *weights = &model->layers[layer];
    const Attention attention = attention_of(model, step, layer);
    const int columns = weights->qkv.columns, stride = weights->qkv.rows;
    const int attended_columns = weights->output.columns;
    float *own = space->normed + (ptrdiff_t)thread * space->widest;
    norm_and_round(team, model, weights->attention_norm, 0, step->rows, columns, space, own);
    product(team, &weights->qkv, space, step->rows, space->qkv, stride, 0);
    for (int row; (row = claim(team, 1)) < step->rows;)
        place_row(model, step, &attention, layer, row, space->qkv + (ptrdiff_t)row * stride);
    meet(team);
    const int at_once = space->kv_heads, parts = (model->n_kv_heads + at_once - 1) / at_once;
    for (int item; (item = claim(team, 1)) < step->rows * parts;) {
        const int row = item / parts, kv_head = item % parts * at_once;
        attend(&attention, step->tables + (ptrdiff_t)row * step->table_stride,
               step->positions[row], kv_head, min(at_once, model->n_kv_heads - kv_head),
               space->qkv + (ptrdiff_t)row * stride,
               space->attended + (ptrdiff_t)row * attended_columns,
               space->scratch + thread * space->scratch_size);
    }
    meet(team);
    for (int row; (row = claim(team, 1)) < step->rows;)
        round_row(space->attended + (ptrdiff_t)row * attended_columns, attended_columns,
                  space->rounded, row);
    meet(team);
    product(team, &weights->output, space, step->rows, space->hidden, columns, 1);
}

static void mlp_part(Team *team, const Model *model, const Step *step, int layer, Workspace *space,
                     int thread) {
    const Layer *weights = &model->layers[layer];
    const int columns = weights->qkv.columns, stride = weights->gate_up.rows;
    float *own = space->normed + (ptrdiff_t)thread * space->widest;
    norm_and_round(team, model, weights->mlp_norm, 0, step->rows, columns, space, own);
    product(team, &weights->gate_up, space, step->rows, space->gate_up, stride, 0);
    for (int k = model->mlp_size; k < weights->down.columns; k++) own[k] = 0.0f;
    for (int row; (row = claim(team, 1)) < step->rows;) {
        swiglu(space->gate_up + (ptrdiff_t)row * stride, model->mlp_size, own);
        round_row(own, weights->down.columns, space->rounded, row);
    }
    meet(team);
    product(team, &weights->down, space, step->rows, space->hidden, columns, 1);
}

/* What every thread of the team does; all arrive at the same barriers in the same order. */
static void walk(Crew *crew, int thread) {
    Team *team = &crew->team;
    const Model *model = crew->model;
    const Step *step = crew->step;
    const int columns = model->layers[0].qkv.columns;
    Workspace space;
    char *base = crew->workspace;
    lay_out(&space, model, team->size, base + (-(uintptr_t)base % ALIGNMENT));
    for (int row; (row = claim(team, 1)) < step->rows;) {
        read_row(&model->embedding, step->tokens[row], space.hidden + (ptrdiff_t)row * columns);
        /* Only hidden columns are ever written in here, so what pads them is zero once and for all. */
        for (int k = model->n_heads * model->head_dim; k < model->layers[0].output.columns; k++)
            space.attended[(ptrdiff_t)row * model->layers[0].output.columns + k] = 0.0f;
    }
    meet(team);
    for (int layer = 0; layer < model->n_layers; layer++) {
        attention_part(team, model, step, layer, &space, thread);
        mlp_part(team, model, step, layer, &space, thread);
    }
    float *own = space.normed + (ptrdiff_t)thread * space.widest;
    const int wanted = step->rows - step->first_logits;
    norm_and_round(team, model, model->final_norm, step->first_logits, wanted, columns, &space, own);
    product(team, &model->head, &space, wanted, step->logits, model->head.rows, 0);
}

int64_t crew_bytes(void) { return sizeof(Crew); }

void form_crew(Crew *crew, int32_t size) {
    *crew = (Crew){.team = {.size = size}};
}

void join_crew(Crew *crew, int32_t index) {
    for (int32_t seen = 0, job; (job = wait_for_job(&crew->team, seen)) != seen; seen = job)
        walk(crew, index);
}

void dismiss_crew(Crew *crew) { dismiss(&crew->team); }

void run_step(Crew *crew, const Model *model, const Step *step, void *workspace) {
    crew->model = model;
    crew->step = step;
    crew->workspace = workspace;
    start_job(&crew->team);
    walk(crew, 0);
}
