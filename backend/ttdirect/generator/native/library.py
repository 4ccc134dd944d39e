"""The C library's structures and functions, as `decoder.h` declares them."""

from __future__ import annotations

import ctypes
import functools
import threading
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from typing import TYPE_CHECKING, Any

import torch

from ttdirect.generator.native.build import find_library

if TYPE_CHECKING:
    from torch import Tensor

GROUP = 32
"""Columns that share a scale: GROUP in linear.h."""
BLOCK = 16
"""Rows of a weight that lie together: BLOCK in linear.h."""
LANES = 8
"""Floats in a vector; heads and the MLP are multiples of this."""
MAX_ROWS = 256
"""Rows of one step at the most: MAX_ROWS in linear.h."""


def _fields(kind: Any, *names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names]


class CLinear(Structure):
    """`Linear` of linear.h."""

    _fields_ = [
        *_fields(c_void_p, "weights", "scales", "bias"),
        *_fields(c_int32, "rows", "columns", "bits", "unused"),
    ]


class CLayer(Structure):
    """`Layer` of decoder.h."""

    _fields_ = [
        *_fields(CLinear, "qkv", "output", "gate_up", "down"),
        *_fields(c_void_p, "attention_norm", "mlp_norm", "qk_norm"),
        *_fields(c_int32, "window", "has_rope"),
    ]


class CModel(Structure):
    """`Model` of decoder.h."""

    _fields_ = [
        ("layers", POINTER(CLayer)),
        *_fields(CLinear, "embedding", "head"),
        *_fields(c_void_p, "final_norm", "cosines", "sines"),
        *_fields(c_int32, "n_layers", "hidden_size", "mlp_size", "n_heads", "n_kv_heads"),
        *_fields(c_int32, "head_dim", "rotary_dim", "block_size", "max_tokens"),
        ("norm_eps", c_float),
    ]


class CStep(Structure):
    """`Step` of decoder.h."""

    _fields_ = [
        *_fields(c_void_p, "tokens", "positions", "tables", "keys", "values", "logits"),
        *_fields(c_int32, "rows", "table_stride", "first_logits", "unused"),
    ]


@functools.cache
def load() -> ctypes.CDLL | None:
    """Return the library for this processor, or None where there is none."""
    path = find_library()
    if path is None:
        return None
    library = ctypes.CDLL(str(path))
    library.workspace_bytes.argtypes = [POINTER(CModel), c_int32]
    library.workspace_bytes.restype = c_int64
    library.crew_bytes.argtypes = []
    library.crew_bytes.restype = c_int64
    library.form_crew.argtypes = [c_void_p, c_int32]
    library.join_crew.argtypes = [c_void_p, c_int32]
    library.dismiss_crew.argtypes = [c_void_p]
    library.run_step.argtypes = [c_void_p, POINTER(CModel), POINTER(CStep), c_void_p]
    library.quantise_rows.argtypes = [c_void_p, c_int32, c_int64, c_int64, c_int32, *[c_void_p] * 2]
    library.quantise_rows.restype = None
    for function in (library.form_crew, library.join_crew, library.dismiss_crew, library.run_step):
        function.restype = None
    return library


def address(tensor: Tensor | None) -> int | None:
    """Return where a tensor's values begin, for a pointer of a structure."""
    return None if tensor is None else tensor.data_ptr()


def required() -> ctypes.CDLL:
    """Return the library.

    Raises:
        RuntimeError: there is none for this processor.
    """
    library = load()
    if library is None:
        raise RuntimeError("there is no library for this processor: ask `load` first")
    return library


def quantise_rows(weight: Tensor, bits: int, integers: Tensor, scales: Tensor) -> None:
    """Round a contiguous float32 or bfloat16 weight `[N, K]` into the first blocks of both results.

    Other threads of Python go on meanwhile.
    """
    is_bf16 = weight.dtype == torch.bfloat16
    rows, columns = weight.shape
    required().quantise_rows(
        address(weight), is_bf16, rows, columns, bits, address(integers), address(scales)
    )


class Crew:
    """The threads that compute, and their working memory.

    Args:
        model: what they compute; the tensors behind its pointers must outlive this object.
        threads: how many, the caller of `run` included.

    Raises:
        RuntimeError: there is no library for this processor.
    """

    def __init__(self, model: CModel, threads: int) -> None:
        library = self._library = required()
        self._model = model
        self._workspace = ctypes.create_string_buffer(
            library.workspace_bytes(ctypes.byref(model), threads)
        )
        self._crew = ctypes.create_string_buffer(library.crew_bytes())
        library.form_crew(self._crew, threads)
        for index in range(1, threads):
            threading.Thread(
                target=library.join_crew, args=(self._crew, index), name="matrix", daemon=True
            ).start()

    def run(self, step: CStep) -> None:
        """Compute a step; one caller at a time."""
        self._library.run_step(
            self._crew, ctypes.byref(self._model), ctypes.byref(step), self._workspace
        )

    def __del__(self) -> None:
        self._library.dismiss_crew(self._crew)
