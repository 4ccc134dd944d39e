"""As much of PyTorch as a greedy answer needs, on numpy.

ttnn's wheel brings numpy and no PyTorch, and for its version of Python there is only the PyTorch
with CUDA, of several gigabytes. What the tests with the wheel are about is the device.
"""

import numpy as np
from numpy import finfo, float32, float64, int32, int64, uint8

__all__ = ["finfo", "float32", "float64", "int32", "int64", "uint8"]


def __getattr__(name):
    """ttnn takes hold of more functions when it is imported; nobody calls them."""
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*_, **__):
        raise NotImplementedError(f"torch.{name} is not in this stand-in")

    return missing


class nn:  # noqa: N801 - PyTorch's name
    class Module:
        def __call__(self):
            raise NotImplementedError

    class Parameter:
        pass


class Tensor(np.ndarray):
    """An array with the methods of a tensor that the engine calls."""

    def clone(self):
        return self.copy()

    def long(self):
        return self.astype(int64)

    def numel(self):
        return self.size


def tensor(data, dtype=None):
    return np.asarray(data, dtype).view(Tensor)


def zeros(shape, dtype=float32):
    return np.zeros(shape, dtype).view(Tensor)


def full(shape, value, dtype=float32):
    return np.full(shape, value, dtype).view(Tensor)


def argmax(values, dim=None):
    return np.argmax(values, axis=dim)


def equal(left, right):
    return np.array_equal(left, right)
