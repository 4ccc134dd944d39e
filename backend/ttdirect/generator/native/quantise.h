/* Weights to small integers with a scale for each group of columns. */
#ifndef QUANTISE_H
#define QUANTISE_H

#include "linear.h"

/* Round a matrix [rows, columns] of floats, or of bf16, to 4 or 8 bits, in the order of `Linear`;
   rows and columns are filled up with zeros to multiples of BLOCK and GROUP. The error is the least
   that rounding can have: a scale's own rounding is known before the weights are rounded to it. */
void quantise_rows(const void *values, int32_t is_bf16, int64_t rows, int64_t columns, int32_t bits,
                   void *integers, uint16_t *scales);

#endif
