"""Which tt-metal a Generator comes from: told by its signatures, never by a version number.

Two releases can carry the same number, and a fork carries any. What changed in
`models/tt_transformers/tt/generator.py`:

- **0** (~v0.5x): `decode_forward_text` returns a tensor; prompts have no slots.
- **A** (~v0.60): prefill takes `empty_slots`. `read_decode_output` does everything; one trace
  serves host and device sampling, so only one of them works in a process.
- **B** (from tt-metal PR 31046, November 2025): reading is split into `read_decode_output` and
  `process_decode_output_host`; the device samples at any temperature; prefill takes
  `enable_trace`, later `start_pos` (PR 33883). Late ones return `(out, log_probs)` and have a
  `reset_batch` that resets the sampler's state but does not reload tokens and positions.
- **C** (2026): `decode_forward` is the text decode; always a tuple; `reset_batch` reloads.
- **D** (decode contract, PR 51646): four required commands say what the device reads again.

In 0, A and B there is a `decode_forward` too, but it is the *vision* decode: the text one is looked
for first. C swallows unknown keywords, so a call that does not raise proves nothing: only named
parameters count.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ttdirect.engine.errors import FixableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class UnknownGeneratorError(FixableError):
    """The object is no Generator that we know how to drive."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "use a tt-metal release of 2025 or 2026")


class Era(str, Enum):
    """The shapes that tt-metal's Generator has had."""

    ZERO = "0"
    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True, slots=True)
class Interface:
    """How a Generator wants to be called.

    Args:
        era: which shape it has.
        prefill: its text prefill.
        prefill_names: the parameters that prefill names.
        decode: its text decode.
        decode_names: the parameters that decode names.
    """

    era: Era
    prefill: Callable[..., Any]
    prefill_names: frozenset[str]
    decode: Callable[..., Any]
    decode_names: frozenset[str]


def interface_of(generator: Any) -> Interface:
    """Find out how a Generator wants to be called.

    Raises:
        UnknownGeneratorError: it has no text prefill or decode that we know.
    """
    prefill, prefill_names = _prefill_of(generator)
    decode_name, decode, decode_names = _decode_of(generator)
    if "reload_inputs" in decode_names:
        era = Era.D
    elif decode_name == "decode_forward":
        era = Era.C
    elif "enable_trace" in prefill_names or hasattr(generator, "process_decode_output_host"):
        era = Era.B
    else:
        era = Era.A if "empty_slots" in prefill_names else Era.ZERO
    return Interface(era, prefill, prefill_names, decode, decode_names)


def names_of(function: Callable[..., Any]) -> frozenset[str]:
    """The parameters that a function names; what `*args` and `**kwargs` take is not among them."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return frozenset(it.name for it in parameters if it.kind not in variable)


def known(arguments: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Those of the arguments that are named.

    Where `**kwargs` take more, the rest is left out all the same: from era B on they go to the
    model, where an unknown name raises.
    """
    return {name: value for name, value in arguments.items() if name in names}


def beside(generator: Any, name: str) -> Any:
    """What a Generator's own module knows by a name, or None.

    tt-metal's generator.py imports what belongs to it (`SamplingParams`, `get_padded_prefill_len`)
    in every era, whatever module that is from.
    """
    for kind in type(generator).__mro__:
        found = getattr(sys.modules.get(kind.__module__), name, None)
        if found is not None:
            return found
    return None


def _prefill_of(generator: Any) -> tuple[Callable[..., Any], frozenset[str]]:
    public = getattr(generator, "prefill_forward_text", None)
    if public is None:
        raise UnknownGeneratorError(f"{type(generator).__name__} has no prefill_forward_text.")
    # In 2026 the public method takes `*args, **kwargs`; the names stand on the inner one.
    names = names_of(getattr(generator, "_prefill_forward_text_impl", None) or public)
    if "page_table" not in names:
        raise UnknownGeneratorError(
            f"{type(generator).__name__}.prefill_forward_text names no page_table."
        )
    return public, names


def _decode_of(generator: Any) -> tuple[str, Callable[..., Any], frozenset[str]]:
    for name in ("decode_forward_text", "decode_forward"):
        method = getattr(generator, name, None)
        names = frozenset[str]() if method is None else names_of(method)
        if method is not None and "sampling_params" in names:
            return name, method, names
    raise UnknownGeneratorError(
        f"{type(generator).__name__} has no text decode that this version knows."
    )
