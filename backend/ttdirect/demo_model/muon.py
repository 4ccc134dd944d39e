"""Muon: steepest descent for matrices, shared by the processes of a group.

AdamW follows the few directions in which a gradient is large. Muon (Jordan et al., 2024,
https://kellerjordan.github.io/posts/muon/) makes all singular values of the step equal, so what
only a few examples ask for is learned as fast as what all of them do. For understanding
questions, it needs little more than half as many examples as AdamW. torch has one, too, but that
calculates in bfloat16, which most CPUs have to emulate.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, distributed

_MOMENTUM = 0.95
_POLYNOMIAL = 3.4445, -4.7750, 2.0315
_ITERATIONS = 4


class Muon:
    """Steps for some matrices. Every process makes the same ones, but calculates only its share."""

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        self._matrices = list(matrices)
        self._momenta = [torch.zeros_like(matrix) for matrix in matrices]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every matrix by 0.2 times `rate` (root mean square), about as far as AdamW would."""
        rank, world = distributed.get_rank(), distributed.get_world_size()
        steps: Any = torch.zeros(sum(matrix.numel() for matrix in self._matrices))
        places = steps.split([matrix.numel() for matrix in self._matrices])
        for number, (matrix, momentum) in enumerate(
            zip(self._matrices, self._momenta, strict=True)
        ):
            gradient = cast("Tensor", matrix.grad)
            momentum.lerp_(gradient, 1 - _MOMENTUM)
            if number % world == rank:
                direction = gradient.lerp(momentum, _MOMENTUM)
                places[number].copy_(orthogonal(direction).flatten())
        cast("Any", distributed).all_reduce(steps)
        for matrix, place in zip(self._matrices, places, strict=True):
            matrix.sub_(place.view_as(matrix), alpha=rate * 0.2 * max(matrix.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with its singular values brought to about 1, as in the article."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Any = matrix.T if is_tall else matrix
    x = x / (1.01 * x.norm() + 1e-7)
    a, b, c = _POLYNOMIAL
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if is_tall else x
