"""What a CUDA graph does, on the CPU: a step's operations are recorded, and replayed as they were.

As on a GPU, a replay calls no Python of the step: numbers that it once took from Python stay, and
every result lands in the tensor that it had when it was recorded.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def record(step):
    """Run a step and return what replays it: a stand-in for `cuda.GraphCapture`."""
    recorder = _Recorder()
    with recorder:
        logits = step()

    def replay():
        for call in recorder.calls:
            call()
        return logits

    return replay


class _Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        results = operation(*args, **kwargs)
        if operation._schema.is_mutable:
            self.calls.append(lambda: operation(*args, **kwargs))
        elif not _storages(results) & _storages((args, kwargs)):
            self.calls.append(lambda: _copy_into(results, operation(*args, **kwargs)))
        # What is left are views: their contents change with what they look at.
        return results


def _storages(values):
    return {it.untyped_storage()._cdata for it in _tensors(values) if it.layout is torch.strided}


def _copy_into(kept, fresh):
    for old, new in zip(_tensors(kept), _tensors(fresh), strict=True):
        old.copy_(new)


def _tensors(values):
    return [it for it in tree_leaves(values) if isinstance(it, Tensor)]
