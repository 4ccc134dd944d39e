"""What a caller may ask for beside the prompt, before it becomes a `Request`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttdirect.engine.request import SamplingParams

if TYPE_CHECKING:
    from ttdirect.engine.grammar import Grammar


@dataclass(frozen=True, slots=True)
class Options:
    """How a prompt is to be continued.

    Args:
        max_tokens: the answer's longest length in tokens, less if the context ends first; None
            for as long as the context lasts.
        sampling: how tokens are chosen.
        stop: strings that end the answer and are not part of it.
        stop_token_ids: tokens that do so, beside the model's own end tokens.
        min_tokens: so many tokens come before an end token may.
        ignore_eos: go on behind the model's own end tokens.
        grammar: what the answer has to look like, from `Engine.compile_grammar`.
        stream: whether the text is wanted piece by piece.
    """

    max_tokens: int | None = 128
    sampling: SamplingParams = field(default_factory=SamplingParams)
    stop: tuple[str, ...] = ()
    stop_token_ids: frozenset[int] = frozenset()
    min_tokens: int = 0
    ignore_eos: bool = False
    grammar: Grammar | None = None
    stream: bool = False
