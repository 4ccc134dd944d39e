/* Products with quantised weights.

   A weight is an integer times the scale of its group of 32 columns. Activations are rounded to 16
   bits, one scale to a row: a sum within a group is then exact in 32 bits, and exact as a float.
   Groups are added up in one order, whatever the number of rows, so a row's result is its own. */
#ifndef LINEAR_H
#define LINEAR_H

#include <stdint.h>

enum {
    GROUP = 32,    /* columns with one scale */
    BLOCK = 8,     /* rows of the weight computed together: one vector of results */
    MAX_ROWS = 256 /* rows of activations in one step */
};

typedef struct {
    const void *weights;    /* [rows, columns]: int8, two int4 a byte (see `widen4`), or bf16 */
    const uint16_t *scales; /* bf16 [rows, columns / GROUP]; unused with bf16 weights */
    const float *bias;      /* [rows], or NULL */
    int32_t rows;           /* a multiple of BLOCK; what was added is zero */
    int32_t columns;        /* a multiple of GROUP; what was added is zero */
    int32_t bits;           /* 4, 8 or 16; 16 is for `read_row` alone */
    int32_t unused;
} Linear;

/* Rows of activations as integers: value = scale * integer. */
typedef struct {
    int16_t *integers; /* [rows, columns of the product] */
    float *scales;     /* [rows] */
} Rounded;

/* Round row `row` of `columns` values, a multiple of GROUP. */
void round_row(const float *values, int columns, Rounded to, int row);

/* Compute outputs [from, to), multiples of BLOCK, for `count` rows; with `adds` on top of `out`. */
void multiply(const Linear *linear, Rounded rows, int count, int from, int to, float *out,
              int out_stride, int adds);

/* Write row `row` of the matrix, in floats: a token's embedding. */
void read_row(const Linear *linear, int row, float *to);

#endif
