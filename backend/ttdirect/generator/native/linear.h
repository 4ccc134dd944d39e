/* Products with quantised weights.

   A weight is an integer times the scale of its group of 32 columns. Activations are rounded to 16
   bits, one scale to a row: a sum within a group is then exact in 32 bits, and exact as a float.
   Groups are added up in one order, whatever the number of rows, so a row's result is its own.

   Weights lie in the order in which they are read: block by block of 16 outputs, in it group by
   group, in it pair by pair of columns, and in it output by output. So a vector of weights holds two
   columns of each of its outputs, meets two activations, and no sum has to cross lanes. */
#ifndef LINEAR_H
#define LINEAR_H

#include <stdint.h>

enum {
    GROUP = 32,    /* columns with one scale */
    BLOCK = 16,    /* rows of the weight, which are outputs, that lie together */
    MAX_ROWS = 256, /* rows of activations in one step */
    INT4_ZERO = 8  /* what is added to an int4, so that it is positive */
};

typedef struct {
    /* int8 [rows / BLOCK, columns / GROUP, GROUP / 2, BLOCK, 2]; or int4 plus INT4_ZERO, where a byte has a
       column of the group's first half in its low bits and the one 16 later in its high bits; or
       bf16 [rows, columns]. */
    const void *weights;
    const uint16_t *scales; /* bf16 [rows / BLOCK, columns / GROUP, BLOCK]; none for bf16 weights */
    const float *bias;      /* [rows], or NULL */
    int32_t rows;           /* a multiple of BLOCK; what was added is zero */
    int32_t columns;        /* a multiple of GROUP; what was added is zero */
    int32_t bits;           /* 4, 8 or 16; 16 is for `read_row` alone */
    int32_t unused;
} Linear;

/* Rows of activations as integers: value = scale * integer. */
typedef struct {
    int16_t *integers; /* [rows, columns of the product] */
    int32_t *sums;     /* [rows, columns / GROUP]: each group's integers added up */
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
