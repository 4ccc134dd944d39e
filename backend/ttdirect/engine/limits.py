"""How long prompts and answers may be.

A card pads prompts (tt-metal `get_padded_prefill_len`: to 128, to 1024, then to powers of two),
and its model asserts that the padded one fits into `max_seq_len`. So prompts are admitted by padded
length. Where the model can go on behind a prefix, a prompt comes in pieces, each padded alone.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.engine.errors import PromptTooLongError

if TYPE_CHECKING:
    from ttdirect.engine.lifecycle import LoadedModel
    from ttdirect.engine.pieces import Pieces


@dataclass(frozen=True, slots=True)
class Limits:
    """The room that a request has.

    Args:
        context: tokens of prompt and answer together.
        longest_prompt: the most tokens of a prompt.
    """

    context: int
    longest_prompt: int

    def room_behind(self, prompt_tokens: int) -> int:
        """How many tokens an answer may have, at least one.

        Raises:
            PromptTooLongError: the prompt does not fit, or leaves no room for an answer.
        """
        if prompt_tokens > self.longest_prompt:
            is_padded = prompt_tokens < self.context
            raise PromptTooLongError(prompt_tokens, self.longest_prompt, is_padded=is_padded)
        return self.context - prompt_tokens


def limits_of(
    model: LoadedModel | None, context: int, max_seq_len: int, pieces: Pieces | None
) -> Limits:
    """Work out the limits.

    Args:
        model: the model, or None while it is not known.
        context: tokens of prompt and answer together, for which the KV cache has blocks.
        max_seq_len: what the model was built for.
        pieces: where a prompt is cut; None if it is read whole.
    """
    pad = None if model is None else model.padded_length
    if model is None or pad is None:
        return Limits(context, context - 1)
    in_one_go = context if pieces is None else pieces.size
    longest = bisect_right(
        range(1, context), max_seq_len, key=lambda length: pad(min(length, in_one_go))
    )
    return Limits(context, longest)
