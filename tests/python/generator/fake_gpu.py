"""PyTorch's fake tensors on a GPU that is not there: no numbers, but shapes, types and devices.

They raise where a tensor on the GPU meets one on the CPU, and where Python looks at a value.
"""

from __future__ import annotations

import contextlib

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

GPU = torch.device("cuda", 0)


@contextlib.contextmanager
def fake_gpu():
    """Yield the mode in which every new tensor is fake."""
    with FakeTensorMode() as mode, _WithoutCuda():
        yield mode


class _WithoutCuda(TorchFunctionMode):
    """Does by PyTorch's operators what its Python functions refuse to without CUDA."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        kwargs.pop("pin_memory", None)
        if function is torch.Tensor.__getitem__:
            return _getitem(*args)
        if function is torch.Tensor.__setitem__:
            return torch.ops.aten.copy_(_getitem(*args[:2]), args[2])
        if function is torch.Tensor.to and isinstance(args[1], (str, torch.device)):
            return torch.ops.aten._to_copy(args[0], device=torch.device(args[1]))
        return _OPERATORS.get(function, function)(*args, **kwargs)


_OPERATORS = {
    torch.Tensor.copy_: torch.ops.aten.copy_,
    torch.Tensor.__invert__: torch.ops.aten.bitwise_not,
}


def _getitem(tensor, index):
    indices = index if isinstance(index, tuple) else (index,)
    if Ellipsis in [it for it in indices if not isinstance(it, torch.Tensor)]:
        [at] = [number for number, it in enumerate(indices) if it is Ellipsis]
        left_out = tensor.dim() - sum(it is not None for it in indices) + 1
        indices = indices[:at] + (slice(None),) * left_out + indices[at + 1 :]
    dim, chosen = 0, []
    for it in indices:
        if it is None:
            tensor = torch.ops.aten.unsqueeze(tensor, dim)
        elif isinstance(it, slice):
            tensor = torch.ops.aten.slice(tensor, dim, it.start, it.stop, it.step or 1)
        elif isinstance(it, torch.Tensor):
            chosen += [None] * (dim - len(chosen)) + [it]
        else:
            tensor = torch.ops.aten.select(tensor, dim, it)
            continue
        dim += 1
    return torch.ops.aten.index(tensor, chosen) if chosen else tensor
